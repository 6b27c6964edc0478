"""Large graphs on a page: they open folded, and what is unfolded can still be read and moved.

How fast is measured by `python -m benchmarks --only page`.
"""

from __future__ import annotations

from typing import Any

import graphs
import pytest
from conftest import Opened

from autograd import explore

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FEW = 120  # boxes that somebody can look at
MOVED = """async () => {
    const before = glassgrad.frames.count;
    glassgrad.pan(3, 1);
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
    return glassgrad.frames.count > before;
}"""


def test_a_thousand_nodes_open(opened: Opened) -> None:
    told = explore(graphs.chain(500))
    page = opened(told)
    assert page.evaluate("glassgrad.trace.nodes.length") == 1001
    assert boxes(page) < FEW


def test_ten_thousand_boxes_are_laid_out_and_moved(opened: Opened) -> None:
    page = opened(explore(graphs.chain(3_400)))
    assert boxes(page) < FEW
    page.evaluate("glassgrad.unfoldAll()")
    assert boxes(page) > 10_000
    page.keyboard.press("0")
    assert page.evaluate(MOVED)
    page.evaluate("glassgrad.zoom(20)")
    assert page.evaluate(MOVED)


def test_thousands_of_long_arrows_are_laid_out(opened: Opened) -> None:
    """Every sample of a network reads the same weights, which stand far away."""
    page = opened(explore(graphs.scalar_mlp(2)))
    page.evaluate("glassgrad.unfoldAll()")
    assert boxes(page) > 7_000


def test_a_chain_of_a_hundred_thousand_nodes_opens(opened: Opened) -> None:
    page = opened(explore(graphs.chain(50_000)))
    assert page.evaluate("glassgrad.trace.nodes.length") == 100_001
    assert boxes(page) < FEW
    page.evaluate("glassgrad.select('mul#25000')")
    assert boxes(page) < 10 * FEW
    assert page.evaluate("glassgrad.disagreements()") == []


def test_a_network_of_65_000_numbers_opens(opened: Opened) -> None:
    told = explore(graphs.scalar_mlp(65_000))
    page = opened(told)
    assert page.evaluate("glassgrad.trace.nodes.length") >= 65_000
    assert boxes(page) < FEW
    page.evaluate("glassgrad.goto(glassgrad.length - 5)")
    page.evaluate("glassgrad.previous()")
    assert page.evaluate(MOVED)


def test_a_network_of_65_000_numbers_is_folded_by_layer(opened: Opened) -> None:
    page = opened(explore(graphs.wide_mlp()))
    assert page.evaluate("glassgrad.trace.nodes.length") > 65_000
    shown = page.evaluate("glassgrad.state().visible")
    assert len(shown) < FEW
    for layer in ("layers.0/0", "layers.1/0", "layers.2/0"):
        assert any(key.startswith(layer) for key in shown), layer


def boxes(page: Any) -> int:
    count: int = page.evaluate("glassgrad.state().visible.length")
    return count
