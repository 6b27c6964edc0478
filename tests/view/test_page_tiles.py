"""Heat maps of arrays of many axes, and names, as the panel shows them."""

from __future__ import annotations

import re
from typing import Any

import graphs
import numpy as np
import pytest
from conftest import PHONE, Opened, until

from autograd import Tensor, explore

pytestmark = pytest.mark.browser

SHAPES = {
    "channels first": ((16, 3, 3, 3), "16 × 3 tiles of 3×3"),
    "a kernel": ((3, 3, 2, 4), "2 × 4 tiles of 3×3"),
    "a large kernel": ((3, 3, 16, 32), "10 × 11 of 16 × 32 tiles of 3×3"),
    "images": ((4, 8, 8, 1), "4 tiles of 8×8"),
    "an image of many": ((9, 28, 28, 1), "1 of 9 tiles of 28×28"),
    "sequences": ((5, 9, 12), "5 tiles of 9×12"),
}


def cube(shape: tuple[int, ...]) -> Tensor:
    data = np.random.default_rng(0).normal(size=shape).astype("float32")
    return Tensor(data, requires_grad=True, name="w")


@pytest.mark.parametrize("size", [(1280, 800), PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("name", SHAPES)
def test_many_axes_are_tiles_that_fill_the_panel(
    opened: Opened, name: str, size: tuple[int, int]
) -> None:
    shape, said = SHAPES[name]
    w = cube(shape)
    page = opened(explore((w * w).sum()), size)
    page.evaluate("glassgrad.select('w')")
    page.wait_for_timeout(300)
    canvas = page.locator("section.details canvas[role=img]").first
    canvas.scroll_into_view_if_needed()
    assert said in canvas.get_attribute("aria-label")
    reading = page.locator("section.details .reading").first
    assert reading.inner_text().startswith(said)
    box = canvas.bounding_box()
    assert max(box["width"], box["height"]) > 180
    assert box["width"] <= 304
    data = w.numpy()
    seen = set()
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(0.02, 0.98, (12, 2)):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        place, number = reading.locator("span").all_inner_texts()
        if not place.startswith("["):
            continue
        index = tuple(map(int, place.strip("[]").split(",")))
        assert len(index) == len(shape)
        assert float(number.replace("−", "-")) == pytest.approx(data[index], abs=6e-5)
        seen.add(index)
    assert len(seen) > 4


def test_between_tiles_is_a_gap(opened: Opened) -> None:
    w = Tensor(np.ones((2, 2, 4, 4), dtype="float32"), requires_grad=True, name="w")
    page = opened(explore((w * w).sum()))
    page.evaluate("glassgrad.select('w')")
    empty = page.locator("section.details canvas[role=img]").first.evaluate(
        """canvas => {
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
        const clear = (x, y) => data[4 * (width * y + x) + 3] === 0;
        return [clear(width >> 1, 5), clear(5, height >> 1), clear(5, 5)];
        }"""
    )
    assert empty == [True, True, False]


def test_a_long_row_is_set_in_lines(opened: Opened) -> None:
    page = opened(explore((cube((500,)) ** 2).sum()))
    page.evaluate("glassgrad.select('w')")
    canvas = page.locator("section.details canvas[role=img]").first
    box, side = canvas.bounding_box(), page.locator("aside.side").bounding_box()
    assert box["x"] + box["width"] <= side["x"] + side["width"] - 20
    page.mouse.move(box["x"] + 3, box["y"] + 9)
    assert page.locator("section.details .reading").first.inner_text().startswith("[48]")


# --- names -------------------------------------------------------------------------------------


def test_in_a_folded_step_no_two_operations_have_one_name(opened: Opened) -> None:
    page = opened(explore(graphs.gpt(3)))
    page.evaluate("glassgrad.goto(glassgrad.length)")
    listed: list[str] = []
    while len(listed) < 12:
        page.keyboard.press("p")
        listed = page.locator("section.step .inner .link").all_inner_texts()
    assert len(set(listed)) == len(listed)
    assert "z" not in listed
    assert any(name.endswith(".z") and name[:-2] in listed for name in listed)


@pytest.mark.parametrize("graph", [graphs.gpt, graphs.lstm, graphs.expression, graphs.fan_out])
def test_no_two_nodes_have_one_name(opened: Opened, graph: Any) -> None:
    page = opened(explore(graph()))
    page.evaluate("glassgrad.unfoldAll()")
    page.get_by_role("button", name="Outline").click()
    kinds = page.evaluate("glassgrad.trace.nodes.map(({ kind }) => kind)")
    names = page.locator("nav.outline li.node .what").all_inner_texts()
    assert len(names) == len(kinds)
    known = [name for name in names if not name.replace(".", "").isdigit() and name != "constant"]
    assert len(set(known)) == len(known)
    assert len(known) == len(kinds) - kinds.count("constant")


def test_rule_details_and_code_agree_on_a_name(opened: Opened) -> None:
    page = opened(explore(graphs.gpt(1)))
    page.evaluate("glassgrad.unfoldAll()")
    for key, name in {
        "blocks.0.dense_norm/0/layer_norm#0": "layer_norm₂",
        "blocks.0.dense_norm/0/part#0": "layer_norm₂.z",
        "blocks.0.expand/0/gelu#0": "gelu",
    }.items():
        page.evaluate("key => glassgrad.select(key)", key)
        details = page.locator("section.details")
        assert details.locator("h2").inner_text() == name
        written = details.locator("dt", has_text="in the code").locator("+ dd").inner_text()
        line = page.locator("section.code .line", has_text=written).first
        assert line.get_attribute("title") in name
        assert re.fullmatch(r"v\d+", written) or name == "layer_norm₂"
        if name.endswith(".z"):
            continue
        assert f"{written} = " in line.inner_text()
        page.get_by_role("button", name="Move the time line to the step of this node").click()
        step = page.locator("section.step")
        until(page, "glassgrad.state().stepping")
        assert f"/∂{name} " in step.inner_text().replace("\n", " ")
        assert f"in the code, {name} is {written}" in step.inner_text()
        page.keyboard.press("Escape")


def test_a_variable_that_is_assigned_again_is_told_apart_as_in_the_code(opened: Opened) -> None:
    page = opened(explore(graphs.expression()))
    assert page.evaluate("glassgrad.search('c₂').length") >= 1
    page.evaluate("glassgrad.select(glassgrad.search('c₂')[0])")
    details = page.locator("section.details")
    assert details.locator("h2").inner_text() == "c₂"
    assert details.locator("dt", has_text="in the code").locator("+ dd").inner_text() == "c_2"
    assert ">c₂</text>" in page.evaluate("glassgrad.svg()")
