"""The page in a real browser: at every step it shows the numbers that Python computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import graphs
import numpy as np
import pytest
from conftest import Opened, until

import autograd
from autograd import Tensor, Value, explore
from autograd.node import Node
from autograd.view import GraphTrace
from autograd.view.trace.capture import in_order
from autograd.view.trace.model import Stats

pytestmark = pytest.mark.browser

CLOSE = 1e-5
GRAPHS = [graphs.mlp, graphs.lstm, graphs.cnn, graphs.gpt]


def gradients(page: Any) -> dict[str, float | None]:
    found: dict[str, float | None] = page.evaluate("glassgrad.state().gradients")
    return found


def keys(trace: GraphTrace, root: Node) -> dict[Node, str]:
    """The nodes of a computation, and their keys."""
    return {node: told.key for node, told in zip(in_order(root), trace.nodes, strict=True)}


def replay(trace: GraphTrace) -> list[dict[str, float | None]]:
    """The gradients after the seed and after each event, added up here."""
    sums: dict[str, float | None] = dict.fromkeys((node.key for node in trace.nodes), None)
    sums[trace.nodes[trace.root].key] = 1.0
    found = [dict(sums)]
    for event in trace.events:
        for part in event.parts:
            key = trace.nodes[part.input].key
            sums[key] = part.value + (sums[key] or 0.0)
        found.append(dict(sums))
    return found


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [graphs.expression, graphs.fan_out])
@pytest.mark.parametrize("by", ["keyboard", "slider"])
def test_steps_lead_exactly_to_the_gradients_of_backward(
    opened: Opened, graph: Callable[[], Value], by: str
) -> None:
    root = graph()
    told = explore(root)
    (trace,) = told.traces
    page = opened(told)
    slider = page.get_by_role("slider")
    slider.press("Home")
    assert set(gradients(page).values()) == {None}  # not 0: nothing is known
    operations = sum(bool(node.op) for node in trace.nodes)
    assert page.evaluate("glassgrad.length") == operations + 1 + len(trace.events)
    if by == "keyboard":
        page.evaluate("document.activeElement.blur()")

    def step() -> None:
        if by == "keyboard":
            page.keyboard.press("n")
        else:
            slider.press("ArrowRight")

    for _ in range(operations):
        step()
        assert set(gradients(page).values()) == {None}
    for expected in replay(trace):
        step()
        assert gradients(page) == expected
    root.backward()
    found = gradients(page)
    named = keys(trace, root)
    assert len(named) == len(found)
    for node, key in named.items():
        assert found[key] == (node.grad if node.requires_grad else None), key


def test_what_is_read_often_gets_its_parts_one_after_another(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    page.get_by_role("slider").press("Home")
    page.evaluate("document.activeElement.blur()")
    seen = [None]
    while page.evaluate("glassgrad.position < glassgrad.length"):
        page.keyboard.press("n")
        now = gradients(page)["a"]
        seen += [now] * (now != seen[-1])
    a, b, c = 2.0, -3.0, 10.0
    assert seen[:3] == [None, 1.0, 1.0 + 0.1 * c]
    assert seen[3:] == [2.0 + b * (1 - np.tanh(a * b + c) ** 2)]
    assert "3rd of 3 contributions" in page.locator("section.step").inner_text()
    page.keyboard.press("p")
    assert gradients(page)["a"] == 2.0


def test_a_jump_to_a_node_and_the_way_out(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    page.evaluate("glassgrad.select(glassgrad.search('tanh')[0])")
    page.get_by_role("button", name="Move the time line to the step of this node").click()
    step = page.locator("section.step")
    assert "backward through tanh" in step.inner_text().replace("\n", " ")
    assert "∂" in step.inner_text()
    page.keyboard.press("Escape")
    assert page.evaluate("glassgrad.state().stepping") is False
    assert page.evaluate("glassgrad.position === glassgrad.length")


def test_play_runs_to_the_end_and_stops(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    page.get_by_label("Speed").select_option("10")
    page.get_by_role("button", name="Play (space)").click()
    until(page, "glassgrad.state().stepping && glassgrad.position === glassgrad.length")
    page.get_by_role("button", name="Play (space)").wait_for()


# --- arrays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", GRAPHS)
def test_gradients_of_arrays_are_those_of_backward(
    opened: Opened, graph: Callable[[], Tensor]
) -> None:
    root = graph()
    told = explore(root)
    trace = told.traces[0]
    page = opened(told)
    assert page.evaluate("glassgrad.disagreements()") == []
    named = keys(trace, root)
    root.backward(retain_graph=True)
    found = gradients(page)
    compared = 0
    for node, key in named.items():
        if isinstance(node, Tensor) and node.requires_grad and node.grad is not None:
            norm = np.linalg.norm(node.grad.numpy().ravel().astype("float64"))
            shown = abs(found[key]) if not node.shape else found[key]
            assert shown == pytest.approx(norm, rel=CLOSE, abs=1e-9), key
            compared += 1
    assert compared > 5
    page.evaluate("glassgrad.goto(glassgrad.length - 1)")
    unknown = [key for key, value in gradients(page).items() if value is None]
    page.evaluate("glassgrad.goto(0)")
    assert set(gradients(page).values()) == {None}
    assert len(unknown) < len(found)


@pytest.mark.parametrize("graph", [graphs.fan_out, partial(graphs.gpt, 1)])
def test_the_chain_rule_is_whole(opened: Opened, graph: Callable[[], Node]) -> None:
    """∂L/∂x = ∂L/∂z · ∂z/∂x; and "+=" from the first contribution on, where there are several."""
    told = explore(graph())
    trace = told.traces[0]
    page = opened(told)
    page.evaluate("glassgrad.unfoldAll()")
    signs = set()
    first = page.evaluate("glassgrad.length") - len(trace.events) + 1
    for k, event in list(enumerate(trace.events))[-12:]:
        page.evaluate("at => glassgrad.goto(at)", first + k)
        shown = page.locator("section.step .symbols").all_inner_texts()
        assert len(shown) == len(event.parts)
        for text, part in zip(shown, event.parts, strict=True):
            left, sign, right = text.partition(" += " if part.of > 1 else " = ")
            signs.add(sign)
            one, _, other = right.partition(" · ")
            end, x = left.split("/")
            assert one.startswith(f"{end}/")
            assert other == one.split("/")[1] + "/" + x
    assert signs == {" = ", " += "}


def test_a_constant_is_told_once(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    said = ""
    while page.evaluate("glassgrad.position < glassgrad.length || !glassgrad.state().stepping"):
        page.keyboard.press("n")
        said += page.locator("section.step").inner_text() + "\n"
    assert "y = 0.1\n" in said
    assert "0.1 = 0.1" not in said


def test_as_scalars_the_gradients_are_the_same(opened: Opened) -> None:
    root = graphs.small()
    told = explore(root)
    page = opened(told)
    arrays = {node.key: node.grad for node in told.traces[0].nodes if node.kind == "parameter"}
    assert arrays
    page.get_by_role("button", name="Open as scalars").click()
    until(page, "glassgrad.trace.kind === 'values'")
    found = gradients(page)
    for key, stats in arrays.items():
        assert isinstance(stats, Stats)
        expected = sorted(x for row in stats.preview.values for x in row)
        mine = sorted(value for name, value in found.items() if name.startswith(f"{key}["))
        assert mine == pytest.approx(expected, rel=1e-4), key
    page.get_by_role("button", name="Open as arrays").click()
    until(page, "glassgrad.trace.kind === 'tensors'")


def test_without_gradients_a_note_says_why(opened: Opened) -> None:
    x = Tensor(np.ones(3, dtype="float32"))
    page = opened(explore((x * 2).sum()))
    assert page.evaluate("glassgrad.trace.events") == []
    note = page.evaluate("glassgrad.trace.notes")[0]
    assert " ".join(note.split()) in page.locator("section.details").inner_text()
    page.keyboard.press("n")
    assert page.evaluate("glassgrad.position") <= page.evaluate("glassgrad.length")


def test_the_first_number_that_is_not_finite_is_named(opened: Opened) -> None:
    told = explore(graphs.broken())
    page = opened(told)
    (culprit,) = [node.key for node in told.traces[0].nodes if node.op == "log"]
    assert page.evaluate("glassgrad.state().trouble") == culprit
    assert gradients(page)["x"] == "nan"  # not the norm of what is finite
    assert "nan or ∞" in page.locator(".legend").inner_text()
    banner = page.locator(".banner").inner_text()
    assert "first appears in" in banner
    assert "graphs.py" in banner
    page.locator(".banner button").click()
    assert page.evaluate("glassgrad.state().selected") == culprit


def test_an_array_that_is_partly_nan_says_so(opened: Opened) -> None:
    """Its norm is not that of the finite rest."""
    page = opened(explore(graphs.masked()))
    assert gradients(page)["x"] == "nan"
    assert ">nan</text>" in page.evaluate("glassgrad.svg()")
    page.evaluate("glassgrad.select('x')")
    told = " ".join(page.locator("section.details .datum").last.inner_text().split())
    assert told.startswith("2 nan finite norm 0.25")


def test_odd_arrays(opened: Opened) -> None:
    scalar = Tensor(np.float32(3.0), requires_grad=True)
    empty = Tensor(np.zeros((0, 3), dtype="float32"), requires_grad=True)
    mask = Tensor(np.array([True, False]))
    ids = Tensor(np.array([1, 0]))
    x = Tensor(np.array([1.0, 2.0], dtype="float32"), requires_grad=True)
    loss = autograd.where(mask, x[ids], scalar).sum() + empty.sum()
    page = opened(explore(loss))
    for key in page.evaluate("glassgrad.trace.nodes.map(({ key }) => key)"):
        page.evaluate("key => glassgrad.select(key)", key)
        text = page.locator("section.details").inner_text()
        assert "undefined" not in text
        assert "NaN" not in text
    assert page.evaluate("glassgrad.disagreements()") == []


NAMES = ["a \"b\" 'c'", "<script>throw 1</script>", "</script><b>", "größe·ж·重み", "w" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_only_text(opened: Opened, name: str) -> None:
    odd = Value(2.0, name=name)
    told = explore(odd * odd + 1.0)
    told.title = name
    page = opened(told)
    assert page.locator("h1").inner_text() == name
    assert page.evaluate("name => glassgrad.search(name).length", name[:20]) >= 1
    page.evaluate("key => glassgrad.select(key)", name)
    assert page.locator("section.details h2").inner_text() == name
    assert page.evaluate("document.querySelectorAll('#glassgrad script, #glassgrad b').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_jitted_function(opened: Opened) -> None:
    @autograd.jit
    def step(x: Tensor) -> Tensor:
        return (x * x).sum()

    step(Tensor(np.ones(4, dtype="float32")))
    page = opened(explore(step))
    assert page.evaluate("glassgrad.trace.kind") == "program"
    assert page.evaluate("glassgrad.state().visible.length") > 0
    page.get_by_role("slider").press("Home")
    page.keyboard.press("n")
