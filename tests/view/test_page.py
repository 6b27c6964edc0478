"""The interactive page in a real browser: what it shows is what the engine computed.

Needs playwright and a Chromium, whose path GLASSGRAD_CHROMIUM may give.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, Value
from autograd.view import style
from autograd.view.trace import GraphTrace

sync_api = pytest.importorskip("playwright.sync_api")

BUILT = Path(autograd.__file__).parent / "view" / "page" / "built"
CHROMIUM = (
    os.environ.get("GLASSGRAD_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")


def html(*traces: GraphTrace) -> str:
    payload = {
        "format": "glassgrad-page",
        "version": 1,
        "title": traces[0].title,
        "traces": [trace.plain() for trace in traces],
        "palette": {
            "light": style.LIGHT,
            "dark": style.DARK,
            "heat": {"light": style.LIGHT_HEAT, "dark": style.DARK_HEAT},
        },
    }
    data = json.dumps(payload, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f"<!doctype html><meta charset=utf-8><style>{(BUILT / 'explorer.css').read_text()}</style>"
        f'<div id="glassgrad"></div><script type="application/json" id="glassgrad-data">{data}'
        f"</script><script>{(BUILT / 'explorer.js').read_text()}</script>"
    )


Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open traces as a page without network; whatever it complains of or asks for is a failure."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800}, offline=True)

    def open_(*traces: GraphTrace) -> Any:
        file = tmp_path / "page.html"
        file.write_text(html(*traces), encoding="utf-8")
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        requests: list[str] = []
        page.goto(file.as_uri())
        page.evaluate("glassgrad.ready")
        assert requests == [file.as_uri()]
        return page

    yield open_
    context.close()
    assert wrong == []


def scalars() -> GraphTrace:
    """The gradient of a gets three contributions."""
    a, b, c = Value(2.0, name="a"), Value(-3.0, name="b"), Value(10.0, name="c")
    loss = (a * b + c).tanh() + a * c * 0.1 + a
    return GraphTrace.of(loss)


def arrays(layers: int = 2) -> GraphTrace:
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(8, activation="tanh") for _ in range(layers)] + [nn.Dense(1)])
    x = Tensor(np.linspace(-1, 1, 40, dtype="float32").reshape(5, 8))
    return GraphTrace.of((model(x) ** 2).mean())


def test_every_step_leads_to_the_gradients_of_the_trace(opened: Open) -> None:
    trace = scalars()
    page = opened(trace)
    page.evaluate("glassgrad.goto(0)")
    operations = sum(node.op != "" for node in trace.nodes)
    assert page.evaluate("glassgrad.length") == operations + 1 + len(trace.events)
    assert set(page.evaluate("glassgrad.state().gradients").values()) == {None}

    seen = []
    while page.evaluate("glassgrad.position < glassgrad.length"):
        page.keyboard.press("n")
        seen.append(page.evaluate("glassgrad.state().gradients.a"))
    assert page.evaluate("glassgrad.disagreements()") == []
    final = page.evaluate("glassgrad.state().gradients")
    assert final == {node.key: node.grad for node in trace.nodes}

    parts = [part for event in trace.events for part in event.parts]
    mine = [part.value for part in parts if trace.nodes[part.input].key == "a"]
    partial = list(dict.fromkeys(x for x in seen if x is not None))
    assert len(mine) == 3
    assert partial == [mine[0], mine[0] + mine[1], mine[0] + mine[1] + mine[2]]


def test_the_chain_rule_is_told_with_its_numbers(opened: Open) -> None:
    page = opened(scalars())
    page.evaluate("glassgrad.goto(glassgrad.length)")
    step = page.locator("section.step")
    assert "∂loss/∂a += ∂loss/∂mul" in step.inner_text()
    assert "3rd of 3 contributions" in step.inner_text()


def test_folding_and_stepping_move_nothing_else(opened: Open) -> None:
    page = opened(arrays())
    places = page.evaluate("glassgrad.positions()")
    page.evaluate("glassgrad.goto(3)")
    page.evaluate("glassgrad.goto(glassgrad.length - 1)")
    assert page.evaluate("glassgrad.positions()") == places
    key = page.evaluate("glassgrad.search('Dense')[0]")
    page.evaluate("key => glassgrad.fold(key)", key)
    folded = page.evaluate("glassgrad.state().visible")
    assert key in folded
    assert len(folded) < len(places)
    page.evaluate("key => glassgrad.unfold(key)", key)
    assert page.evaluate("glassgrad.positions()") == places


def test_equal_modules_in_a_row_are_one_box_and_one_step(opened: Open) -> None:
    page = opened(arrays(layers=6))
    (row,) = [key for key in page.evaluate("glassgrad.state().visible") if "×" in key]
    page.evaluate("glassgrad.goto(0)")
    steps = 0
    while page.evaluate("glassgrad.position < glassgrad.length"):
        page.evaluate("glassgrad.next()")
        steps += 1
    assert steps < page.evaluate("glassgrad.length") - 2 * 5
    page.evaluate("key => glassgrad.unfold(key)", row)
    assert row not in page.evaluate("glassgrad.state().visible")


def test_search_unfolds_what_hides_a_node(opened: Open) -> None:
    page = opened(arrays(layers=6))
    assert "4.weight" not in page.evaluate("glassgrad.state().visible")
    page.keyboard.press("/")
    page.keyboard.type("4.weight")
    page.keyboard.press("Enter")
    page.wait_for_function("glassgrad.state().selected === '4.weight'")
    assert "4.weight" in page.evaluate("glassgrad.state().visible")
    assert page.locator("section.details h2").inner_text() == "4.weight"


def test_the_first_number_that_is_not_finite_is_named(opened: Open) -> None:
    x = Tensor(np.array([1.0, 0.0], dtype="float32"), requires_grad=True)
    with np.errstate(all="ignore"):
        trace = GraphTrace.of((x.log() * x).sum())
    page = opened(trace)
    (culprit,) = [node.key for node in trace.nodes if node.op == "log"]
    assert page.evaluate("glassgrad.state().trouble") == culprit
    assert "first appears in" in page.locator(".banner").inner_text()


def test_the_outline_holds_what_is_drawn(opened: Open) -> None:
    page = opened(arrays())
    rows = page.locator("[role=treeitem]")
    closed = rows.count()
    page.locator("[role=treeitem][aria-expanded=true]").first.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"document.querySelectorAll('[role=treeitem]').length < {closed}")
    assert page.locator("[role=treeitem][aria-expanded=false]").count() == 1
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"document.querySelectorAll('[role=treeitem]').length == {closed}")


def test_thousands_of_nodes_begin_as_few_boxes(opened: Open) -> None:
    y = Value(1.0, name="x")
    for _ in range(3000):
        y = y * 0.999
    page = opened(GraphTrace.of(y))
    assert page.evaluate("glassgrad.state().visible.length") < 200
    page.evaluate("glassgrad.unfoldAll()")
    assert page.evaluate("glassgrad.state().visible.length") == 3 * 3000 + 1
    fps = page.evaluate(
        """async () => {
            const began = performance.now();
            let frames = 0;
            while (performance.now() - began < 1000) {
                glassgrad.pan(2, 1);
                await new Promise(requestAnimationFrame);
                frames++;
            }
            return frames;
        }"""
    )
    assert fps > 25


def test_the_drawing_is_saved_as_svg(opened: Open) -> None:
    from xml.etree import ElementTree

    page = opened(scalars())
    drawn = ElementTree.fromstring(page.evaluate("glassgrad.svg()"))
    texts = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a", "b", "c", "tanh"} <= set(texts)
