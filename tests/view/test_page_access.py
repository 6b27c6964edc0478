"""Pages for everybody: by keyboard, by ear, on a phone, inside a notebook."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import graphs
import pytest
from conftest import LAPTOP, PHONE, Opened, until

from autograd import explore

pytestmark = pytest.mark.browser

STATES = {
    "overview": "",
    "a step": "glassgrad.goto(glassgrad.length - 3)",
    "a weight": "glassgrad.select(glassgrad.search('weight')[0])",
    "the outline": "document.querySelector('[aria-label=Outline]').click()",
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_axe_finds_no_fault(opened: Opened, size: tuple[int, int], dark: bool) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(explore(graphs.small()), size, dark)
    found = {}
    for state, script in STATES.items():
        if script:
            page.evaluate(script)
        told = axe.run(page).response
        assert len(told["passes"]) > 15  # it has looked
        found |= {f"{state}: {each['id']}": each["nodes"][0]["html"] for each in told["violations"]}
    assert found == {}


def test_axe_finds_no_fault_with_a_page_that_warns(opened: Opened) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(explore(graphs.broken()))
    assert page.locator(".banner").is_visible()
    assert [each["id"] for each in axe.run(page).response["violations"]] == []


def test_tab_reaches_everything(opened: Opened) -> None:
    page = opened(explore(graphs.small()))
    page.evaluate("glassgrad.select(glassgrad.search('0.weight')[0])")
    wanted = page.evaluate(
        """[...document.querySelectorAll("button, input, select, [tabindex='0']")].filter(
        (each) => !each.disabled && each.checkVisibility()).length"""
    )
    page.evaluate("document.activeElement.blur()")
    reached = set()
    for _ in range(wanted + 10):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """(() => { const at = document.activeElement;
                return at === document.body ? "" : at.tagName + (at.ariaLabel ?? at.textContent)
                + [...document.querySelectorAll("*")].indexOf(at); })()"""
            )
        )
    assert len(reached - {""}) >= wanted


def test_the_outline_mirrors_the_drawing(opened: Opened) -> None:
    told = explore(graphs.mlp())
    page = opened(told)
    page.evaluate("glassgrad.unfoldAll()")
    rows = page.locator("[role=treeitem]")
    titles = rows.locator(".what").all_inner_texts()
    groups = page.locator("[role=treeitem][aria-expanded]").count()
    assert len(titles) - groups == len(told.traces[0].nodes)
    assert {"0.weight", "2.bias"} <= {title.removeprefix("Dense ") for title in titles}
    levels = [int(row.get_attribute("aria-level")) for row in rows.all()]
    assert levels[0] == 1
    assert max(levels) == 3
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_outline_is_walked_with_arrow_keys(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    outline = page.get_by_role("tree")
    page.locator("[role=treeitem][tabindex='0']").focus()
    page.keyboard.press("Home")
    all_open = page.locator("[role=treeitem]").count()
    page.locator("[role=treeitem][aria-expanded=true]").first.focus()
    page.keyboard.press("ArrowLeft")
    until(page, f"document.querySelectorAll('[role=treeitem]').length < {all_open}")
    closed = page.locator("[role=treeitem][aria-expanded=false]")
    assert closed.count() == 1
    assert page.evaluate("document.activeElement.role") == "treeitem"
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelectorAll('[role=treeitem]').length === {all_open}")
    page.keyboard.press("End")
    selected = outline.locator("[aria-selected=true] .what").inner_text()
    assert selected == page.locator("section.details h2").inner_text()


def test_a_step_is_announced(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    live = page.locator("[aria-live=polite]")
    page.evaluate("glassgrad.goto(0)")
    assert live.inner_text() == "Before the forward pass"
    heard = set()
    while page.evaluate("glassgrad.position < glassgrad.length"):
        page.keyboard.press("n")
        heard.add(live.inner_text())
    assert len(heard) == page.evaluate("glassgrad.length")
    assert any("Backward through tanh" in words for words in heard)
    assert any("a gets" in words and "now" in words for words in heard)
    slider = page.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == live.inner_text()


def test_typing_in_a_field_does_not_steer_the_page(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    page.keyboard.press("/")
    page.keyboard.type("npi0")
    assert page.evaluate("glassgrad.state().stepping") is False
    assert page.get_by_role("combobox", name="Search").input_value() == "npi0"


def test_fingers_pan_and_tap(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()), PHONE)
    box = page.locator("canvas.stage").bounding_box()
    key, (x, y) = list(page.evaluate("glassgrad.positions()").items())[-1]
    state = page.evaluate("glassgrad.state()")
    dx, dy = state["offset"]
    zoom = state["zoom"]
    page.touchscreen.tap(x * zoom + dx + box["x"] + 5, y * zoom + dy + box["y"] + 4)
    until(page, "glassgrad.state().selected !== null")
    assert page.evaluate("glassgrad.state().selected") == key
    heading = page.locator("section.details h2").bounding_box()
    assert heading["y"] < PHONE[1]


def test_on_a_phone_the_step_is_seen_above_the_sheet(opened: Opened) -> None:
    page = opened(explore(graphs.cnn()), PHONE)
    page.evaluate("glassgrad.goto(glassgrad.length - 2)")
    page.wait_for_timeout(500)
    x, y = page.evaluate(
        """(() => {
        const { node } = glassgrad.trace.events.at(-3);
        const [u, v] = glassgrad.positions()[`${glassgrad.trace.nodes[node].key} op`];
        const { zoom, offset: [dx, dy] } = glassgrad.state();
        const { left, top } = document.querySelector("canvas.stage").getBoundingClientRect();
        return [u * zoom + dx + left, v * zoom + dy + top];
        })()"""
    )
    legend = page.locator(".legend").bounding_box()
    sheet = page.locator("aside.side").bounding_box()
    assert 0 < x < PHONE[0]
    assert legend["y"] + legend["height"] < y < sheet["y"]


def test_a_page_shows_itself_in_a_notebook(opened: Opened) -> None:
    shown: str = explore(graphs.fan_out())._repr_html_()
    page = opened(f"<!doctype html><title>notebook</title><p>Out[1]:</p>{shown}")
    (inner,) = [frame for frame in page.frames if frame != page.main_frame]
    inner.evaluate("glassgrad.ready")
    assert inner.evaluate("glassgrad.state().visible.length") > 3
    assert inner.locator("h1").is_visible()
    inner.locator("button[aria-label^='Next step']").click()
    assert inner.evaluate("glassgrad.state().stepping")
    assert blocked(inner)


def blocked(frame: Any) -> bool:
    """Whether the frame is kept from reading the notebook around it."""
    found: bool = frame.evaluate("(() => { try { parent.document; } catch { return true; } })()")
    return found
