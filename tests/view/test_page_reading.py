"""Reading a page: folding, searching, details, code, themes, the picture as a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import graphs
import numpy as np
import pytest
from conftest import LAPTOP, PHONE, Opened, until

from autograd import Tensor, explore

pytestmark = pytest.mark.browser


def visible(page: Any) -> list[str]:
    found: list[str] = page.evaluate("glassgrad.state().visible")
    return found


def place(page: Any, key: str) -> tuple[float, float]:
    """Where the left upper corner of a box is on the screen, a little inside."""
    x, y = page.evaluate("key => glassgrad.positions()[key]", key)
    state = page.evaluate("glassgrad.state()")
    box = page.locator("canvas.stage").bounding_box()
    dx, dy = state["offset"]
    return x * state["zoom"] + dx + box["x"] + 6, y * state["zoom"] + dy + box["y"] + 4


# --- folding -----------------------------------------------------------------------------------


def test_a_double_click_unfolds_a_module_and_folds_its_frame(opened: Opened) -> None:
    page = opened(explore(graphs.gpt()))
    before = page.evaluate("glassgrad.positions()")
    (row,) = [key for key in visible(page) if "×12" in key]
    page.mouse.dblclick(*place(page, row))
    until(page, "!glassgrad.state().visible.some((key) => key.endsWith('×12'))")
    assert len(visible(page)) >= 12
    page.evaluate("key => glassgrad.fold(key)", row)
    until(page, "glassgrad.state().visible.some((key) => key.endsWith('×12'))")
    assert page.evaluate("glassgrad.positions()") == before


def test_the_keyboard_folds_and_unfolds(opened: Opened) -> None:
    page = opened(explore(graphs.gpt(3)))
    (row,) = [key for key in visible(page) if "×3" in key]
    page.evaluate("key => glassgrad.select(key)", row)
    page.keyboard.press("Enter")
    until(page, "!glassgrad.state().visible.some((key) => key.endsWith('×3'))")
    page.evaluate("key => glassgrad.select(key)", row)
    page.locator("main").focus()
    page.keyboard.press("Enter")
    until(page, "glassgrad.state().visible.some((key) => key.endsWith('×3'))")


def test_level_by_level(opened: Opened) -> None:
    page = opened(explore(graphs.gpt()))
    few = len(visible(page))
    page.get_by_role("button", name="Unfold a level").click()
    until(page, f"glassgrad.state().visible.length > {few}")
    page.locator("[aria-label^='Fold a level']").click(modifiers=["Shift"])
    until(page, f"glassgrad.state().visible.length < {few}")
    page.get_by_role("button", name="Unfold a level").click(modifiers=["Shift"])
    nodes = page.evaluate("glassgrad.trace.nodes.length")
    until(page, f"glassgrad.state().visible.length >= {nodes}")


def test_a_folded_module_is_one_step_that_can_be_entered(opened: Opened) -> None:
    page = opened(explore(graphs.gpt()))
    page.evaluate("glassgrad.goto(0)")
    page.evaluate("document.activeElement.blur()")
    steps = 0
    while page.evaluate("glassgrad.position < glassgrad.length"):
        page.evaluate("glassgrad.next()")
        steps += 1
    assert steps < page.evaluate("glassgrad.length") / 3
    while "TransformerBlock" not in page.locator("section.step h2").inner_text():
        page.keyboard.press("p")
    page.keyboard.press("i")
    until(page, "!glassgrad.state().visible.some((key) => key.endsWith('×12'))")


@pytest.mark.parametrize("graph", [graphs.mlp, graphs.expression])
def test_steps_move_no_box(opened: Opened, graph: Any) -> None:
    page = opened(explore(graph()))
    places = page.evaluate("glassgrad.positions()")
    for at in range(0, page.evaluate("glassgrad.length") + 1, 5):
        page.evaluate("at => glassgrad.goto(at)", at)
        assert page.evaluate("glassgrad.positions()") == places


def test_a_new_fold_overtakes_the_one_before(opened: Opened) -> None:
    page = opened(explore(graphs.chain(3_000)))
    page.evaluate("void glassgrad.unfoldAll(), void glassgrad.foldAll()")
    until(page, "!document.querySelector('.busy').textContent")
    assert len(visible(page)) < 200


# --- searching ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("blocks.7.attention", "blocks.7.attention"),  # a path
        ("softmax_cross_entropy", "softmax_cross_entropy"),  # an operation
        ("layer_norm", "layer_norm"),
        ("graphs.py", ""),  # a file
    ],
)
def test_search_reveals_what_it_finds(opened: Opened, text: str, found: str) -> None:
    page = opened(explore(graphs.gpt()))
    page.keyboard.press("/")
    page.keyboard.type(text)
    page.locator("[role=option]").first.wait_for()
    page.keyboard.press("Enter")
    until(page, "glassgrad.state().selected !== null")
    key = page.evaluate("glassgrad.state().selected")
    assert found in key
    leaf = page.evaluate("key => glassgrad.trace.nodes.some((node) => node.key === key)", key)
    assert not leaf or {key, f"{key} op"} & set(visible(page))
    box = page.locator("canvas.stage").bounding_box()
    if key in visible(page):
        x, y = place(page, key)
        assert box["x"] < x < box["x"] + box["width"]
        assert box["y"] < y < box["y"] + box["height"]


def test_a_source_line_is_found(opened: Opened) -> None:
    told = explore(graphs.expression())
    page = opened(told)
    line = next(node.where for node in told.traces[0].nodes if node.op == "relu")
    first, *_ = page.evaluate("line => glassgrad.search(line)", line)
    node = next(node for node in told.traces[0].nodes if node.key == first)
    assert node.where == line


def test_what_is_nowhere_is_said_to_be(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    page.keyboard.press("/")
    page.keyboard.type("unheard-of")
    assert "nothing" in page.locator("#glassgrad-results").inner_text().lower()
    page.keyboard.press("Escape")


# --- the panel ---------------------------------------------------------------------------------


def test_details_of_a_weight(opened: Opened) -> None:
    told = explore(graphs.mlp())
    page = opened(told)
    page.mouse.click(*place(page, "0.weight"))
    until(page, "glassgrad.state().selected === '0.weight'")
    panel = page.locator("section.details")
    (weight,) = [node for node in told.traces[0].nodes if node.key == "0.weight"]
    assert "8×8 float32" in panel.inner_text()
    assert f"{weight.grad.norm:.6g}" in panel.inner_text()
    assert panel.locator("canvas[role=img]").count() == 2
    label = panel.locator("canvas[role=img]").first.get_attribute("aria-label")
    assert "8 × 8 elements" in label


def test_details_of_an_operation(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    (first, *_) = [key for key in page.evaluate("glassgrad.search('tanh')") if "tanh" in key]
    page.evaluate("key => glassgrad.select(key)", first)
    text = page.locator("section.details").inner_text()
    assert "tanh(x)" in text
    assert "1 − z · z" in text  # the rule
    assert "page" not in text


def test_the_selected_node_stays_in_sight_of_the_panel(opened: Opened) -> None:
    """The code may not scroll the details away."""
    for size in [(1280, 800), PHONE]:
        page = opened(explore(graphs.mlp()), size)
        page.evaluate("glassgrad.select('0.weight')")
        page.wait_for_timeout(300)
        heading = page.locator("section.details h2").bounding_box()
        side = page.locator("aside.side").bounding_box()
        assert side["y"] <= heading["y"] < side["y"] + side["height"]


def test_a_line_of_code_leads_to_its_step_and_back(opened: Opened) -> None:
    told = explore(graphs.mlp())
    page = opened(told)
    text, about = told.more["code"]["text"].split("\n"), told.more["code"]["lines"]
    lines = page.locator("section.code .line")
    keys = [node.key for node in told.traces[0].nodes]

    def row(start: str) -> int:
        (found,) = [i for i, line in enumerate(text) if line.strip().startswith(start)]
        return found

    def lit() -> list[int]:
        found: list[int] = page.evaluate(
            """[...document.querySelectorAll("section.code .line")].flatMap(
            (line, i) => line.classList.contains("here") ? [i] : [])"""
        )
        return found

    forward, weight = row("v4 = np.tanh"), row("d_layer0_weight =")
    lines.nth(forward).click()
    until(page, "glassgrad.state().stepping")
    assert lit() == [forward]
    assert "tanh" in page.locator("section.step").inner_text()
    lines.nth(weight).click()
    until(page, "glassgrad.position === glassgrad.length")
    node = about[weight][0]
    begun = next(i for i, line in enumerate(text) if "ones_like" in line)
    assert lit() == [i for i in range(begun, len(about)) if about[i][:1] == [node]]
    page.keyboard.press("Escape")
    page.evaluate("key => glassgrad.select(key)", keys[about[forward][0]])
    assert forward in lit()


def test_the_code_follows_the_steps_inside_its_panel(opened: Opened) -> None:
    page = opened(explore(graphs.gpt(2)))
    code = page.locator("section.code pre")
    scroll = page.locator(".scroll")
    page.evaluate("glassgrad.unfoldAll()")
    page.evaluate("glassgrad.goto(glassgrad.length - 3)")
    here = page.locator("section.code .here").first
    top = code.evaluate("pre => pre.scrollTop")
    assert top > 0
    box, line = code.bounding_box(), here.bounding_box()
    assert box["y"] <= line["y"] <= box["y"] + box["height"] - line["height"]
    assert scroll.evaluate("scroll => scroll.scrollTop") == 0
    code.evaluate("pre => pre.scrollTop = 7")  # the reader looks elsewhere
    scroll.evaluate("scroll => scroll.scrollTop = 1e6")
    code.hover()
    page.evaluate("glassgrad.previous()")
    assert code.evaluate("pre => pre.scrollTop") == 7


def test_the_source_shows_the_line_itself(opened: Opened) -> None:
    told = explore(graphs.expression())
    page = opened(told)
    (relu, *_) = [node for node in told.traces[0].nodes if node.op == "relu"]
    page.evaluate("key => glassgrad.select(key)", relu.key)
    here = page.locator("section.details .source .here").inner_text()
    number = int(relu.where.rpartition(":")[2])
    text = Path(graphs.__file__).read_text().splitlines()[number - 1].strip()
    assert text in here
    assert str(number) in here


def test_a_heat_map_has_a_cell_for_each_element(opened: Opened) -> None:
    w = Tensor(np.array([[1.0, -2.0, 0.0]], dtype="float32"), requires_grad=True, name="w")
    page = opened(explore((w * w).sum()))
    page.evaluate("glassgrad.select('w')")
    canvas = page.locator("section.details canvas[role=img]").first
    seen = []
    box = canvas.bounding_box()
    for k in range(3):
        page.mouse.move(box["x"] + box["width"] * (k + 0.5) / 3, box["y"] + box["height"] / 2)
        seen.append(page.locator("section.details .read").first.inner_text())
    assert [float(x.replace("−", "-")) for x in seen] == [1.0, -2.0, 0.0]
    colours = canvas.evaluate(
        """canvas => {
        const { width, height } = canvas;
        const { data } = canvas.getContext("2d").getImageData(0, height >> 1, width, 1);
        const at = (k) => 4 * Math.floor((width * (k + 0.5)) / 3);
        return [0, 1, 2].map((k) => [...data.slice(at(k), at(k) + 3)]);
        }"""
    )
    (red, _, blue), (red_below, _, blue_below), zero = colours
    assert red > blue
    assert blue_below > red_below
    assert max(zero) - min(zero) < 12


# --- looks -------------------------------------------------------------------------------------


def test_the_theme_follows_the_system_until_it_is_chosen(opened: Opened) -> None:
    paper = "getComputedStyle(document.querySelector('.glassgrad-page')).backgroundColor"
    page = opened(explore(graphs.mlp()), dark=True)
    dark = page.evaluate(paper)
    assert page.evaluate("glassgrad.state().theme") == "dark"
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("glassgrad.state().theme") == "light"
    assert page.evaluate(paper) != dark
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(100)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(100)
    assert page.evaluate("glassgrad.state().theme") == "light"


def test_the_drawing_is_downloaded_as_svg(opened: Opened, tmp_path: Path) -> None:
    page = opened(explore(graphs.expression()))
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as SVG").click()
    file = tmp_path / "graph.svg"
    waiting.value.save_as(file)
    assert waiting.value.suggested_filename.endswith(".svg")
    drawn = ElementTree.parse(file).getroot()
    assert drawn.tag == "{http://www.w3.org/2000/svg}svg"
    texts = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a", "b", "c", "relu", "+"} <= set(texts)
    assert "138.8338" in " ".join(texts)
    assert {"value", "op", "output"} <= set(texts)
    assert any(text.startswith("gradient size") for text in texts)


@pytest.mark.parametrize("chosen", [False, True])
def test_the_svg_follows_its_reader(opened: Opened, chosen: bool) -> None:
    """As the static drawing does: light and dark in one file, whatever the page shows."""
    page = opened(explore(graphs.masked()), dark=chosen)
    svg = page.evaluate("glassgrad.svg()")
    assert {"nan", "gradient nan or ∞", "parameter", "op"} <= set(
        re.findall(r">([^<>]+)</text>", svg)
    )
    paper = """getComputedStyle(document.querySelector("rect")).fill"""
    file = f"<!doctype html><body>{svg}"
    seen = [opened(file, dark=dark).evaluate(paper) for dark in (False, True)]
    assert seen == ["rgb(255, 255, 255)", "rgb(13, 17, 23)"]


def test_the_outline_moves_the_drawing_aside_until_somebody_else_has(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    button = page.get_by_role("button", name="Outline")
    button.click()
    outline = page.locator("nav.outline").bounding_box()
    right = outline["x"] + outline["width"]
    until(page, f"glassgrad.state().offset[0] > {right}")
    button.click()
    until(page, f"glassgrad.state().offset[0] < {right}")
    page.evaluate("glassgrad.pan(5, 5)")
    offset = page.evaluate("glassgrad.state().offset")
    button.click()
    page.wait_for_timeout(100)
    assert page.evaluate("glassgrad.state().offset") == offset


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_nothing_sticks_out_of_the_window(opened: Opened, size: tuple[int, int]) -> None:
    page = opened(explore(graphs.gpt()), size)
    page.keyboard.press("n")
    page.evaluate("glassgrad.select(glassgrad.search('embedding.weight')[0])")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    outside = page.evaluate(
        """[...document.querySelectorAll("button,input,select,h1,h2,.legend")].filter((each) => {
        const { left, right, width } = each.getBoundingClientRect();
        return width && each.checkVisibility() && (left < -1 || right > innerWidth + 1);
        }).map((each) => each.outerHTML.slice(0, 80))"""
    )
    assert outside == []


@pytest.mark.parametrize("zoom", [0.03, 0.25])
def test_a_step_in_a_large_graph_looks_as_if_all_were_drawn_anew(
    opened: Opened, zoom: float
) -> None:
    """Only the boxes that a step changes are drawn; a change of theme draws everything."""
    page = opened(explore(graphs.scalar_mlp(4_000)))
    page.evaluate("glassgrad.unfoldAll()")
    until(page, "glassgrad.state().visible.length > 5000")
    page.evaluate("zoom => glassgrad.zoom(zoom / glassgrad.state().zoom)", zoom)
    page.evaluate("glassgrad.goto(Math.round(glassgrad.length * 0.2))")  # where nothing flows
    page.wait_for_timeout(1000)
    pixels = """(() => {
        const canvas = document.querySelector("canvas.stage");
        const { width, height } = canvas;
        const copy = new OffscreenCanvas(width, height).getContext("2d");
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, width, height);
        const before = window.pixels ?? data;
        window.pixels = data;
        return data.reduce((sum, x, i) => sum + (Math.abs(x - before[i]) > 24), 0);
    })()"""
    offset = None
    for _ in range(40):  # until a step moves nothing: what moves is drawn anew once it rests
        page.evaluate(pixels)
        before, offset = offset, page.evaluate("glassgrad.next(), glassgrad.state().offset")
        page.wait_for_timeout(300)
        if offset == before and page.evaluate(pixels) > 20:
            break
    assert offset == before
    for _ in range(2):
        page.get_by_role("button", name="Light or dark").click()
    page.wait_for_timeout(500)
    assert page.evaluate(pixels) == 0


@pytest.mark.parametrize("size", [(1280, 720), LAPTOP, (820, 600)])
@pytest.mark.parametrize("graph", [graphs.mlp, graphs.broken])
def test_at_first_no_panel_covers_the_drawing(
    opened: Opened, size: tuple[int, int], graph: Any
) -> None:
    page = opened(explore(graph()), size)
    covered = page.evaluate(
        """(() => {
        const { zoom, offset: [dx, dy] } = glassgrad.state();
        const { left, top } = document.querySelector("canvas.stage").getBoundingClientRect();
        const panels = [...document.querySelectorAll(".legend, .transport, .banner, .side")]
            .filter((each) => each.checkVisibility()).map((each) => each.getBoundingClientRect());
        return Object.entries(glassgrad.positions()).filter(([, [u, v]]) => {
            const [x, y] = [u * zoom + dx + left, v * zoom + dy + top];
            return panels.some((r) => x + 28 * zoom > r.left && x < r.right
                && y + 28 * zoom > r.top && y < r.bottom);
        }).map(([key]) => key);
        })()"""
    )
    assert covered == []
