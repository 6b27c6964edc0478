"""The first look on a phone: text that can be read, from the result on; a word about the rest."""

from __future__ import annotations

from typing import Any

import graphs
import pytest
from conftest import LAPTOP, PHONE, Opened, until

from autograd import explore

pytestmark = pytest.mark.browser

SMALLEST = 11.5  # px of the drawing of its smallest text
READ = 10.0  # px of the screen from which text is read

ON_SCREEN = """key => {
    const { zoom, offset: [x, y] } = glassgrad.state();
    const { left, top } = document.querySelector("canvas.stage").getBoundingClientRect();
    const [u, v] = glassgrad.positions()[key];
    return [u * zoom + x + left, v * zoom + y + top];
}"""


LYING = PHONE[1], PHONE[0]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "graph", [graphs.expression, graphs.fan_out, graphs.mlp, graphs.gpt, graphs.broken]
)
def test_a_phone_shows_the_result_and_its_text_can_be_read(
    opened: Opened, graph: Any, dark: bool
) -> None:
    told = explore(graph())
    trace = told.traces[0]
    page = opened(told, PHONE, dark)
    assert page.evaluate("glassgrad.state().zoom") * SMALLEST >= READ - 1e-9
    x, y = page.evaluate(ON_SCREEN, trace.nodes[trace.root].key)
    above = page.locator(".legend").bounding_box()
    assert 0 <= x < PHONE[0] - 60
    assert above["y"] + above["height"] <= y
    assert y + 30 < page.locator("aside.side").bounding_box()["y"]


@pytest.mark.parametrize("graph", [graphs.expression, graphs.mlp, graphs.gpt])
def test_a_phone_that_lies_on_its_side_can_be_read_too(opened: Opened, graph: Any) -> None:
    told = explore(graph())
    trace = told.traces[0]
    page = opened(told, LYING)
    assert page.evaluate("glassgrad.state().zoom") * SMALLEST >= READ - 1e-9
    x, y = page.evaluate(ON_SCREEN, trace.nodes[trace.root].key)
    side, hint = page.locator("aside.side").bounding_box(), page.locator(".more").bounding_box()
    assert 0 <= x < side["x"] - 60
    assert hint["x"] + hint["width"] <= side["x"]
    assert hint["y"] + hint["height"] <= y
    assert y + 30 < page.locator(".legend").bounding_box()["y"]


def test_data_flow_down_on_a_phone_and_to_the_right_on_a_laptop(opened: Opened) -> None:
    told = explore(graphs.mlp())
    for size, axis in ((PHONE, 1), (LAPTOP, 0)):
        places = opened(told, size).evaluate("glassgrad.positions()")
        flow = [places[f"0/0/{key}"][axis] for key in ("affine#0 op", "affine#0", "tanh#0")]
        assert flow == sorted(flow)
        assert flow[0] < flow[-1]


def test_what_is_not_seen_is_told_until_it_is_looked_for(opened: Opened) -> None:
    page = opened(explore(graphs.expression()), PHONE)
    hint = page.get_by_role("button", name="see all")
    assert "↑" in hint.inner_text()
    page.evaluate("glassgrad.pan(0, 40)")
    assert not hint.is_visible()
    page = opened(explore(graphs.expression()), PHONE)
    hint = page.get_by_role("button", name="see all")
    hint.click()
    assert not hint.is_visible()
    places = page.evaluate(f"Object.keys(glassgrad.positions()).map((key) => ({ON_SCREEN})(key))")
    assert all(0 <= x <= PHONE[0] and 0 <= y <= PHONE[1] for x, y in places)
    page = opened(explore(graphs.expression()))
    assert not page.locator(".more").is_visible()


def test_a_phone_that_is_turned_gets_the_other_drawing(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()), PHONE)
    down = page.evaluate("glassgrad.positions()")
    page.set_viewport_size({"width": LYING[0], "height": LYING[1]})
    pill, box = "glassgrad.positions()['0/0/affine#0 op']", "glassgrad.positions()['0/0/affine#0']"
    until(page, f"{box}[0] > {pill}[0] + 60 && Math.abs({box}[1] - {pill}[1]) < 20")
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    until(page, f"glassgrad.positions()['mean#0'][1] === {down['mean#0'][1]}")
    assert page.evaluate("glassgrad.state().zoom") * SMALLEST >= READ - 1e-9
