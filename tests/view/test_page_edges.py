"""Arrows: what flows along each of them, by pointer, by finger and in the panel."""

from __future__ import annotations

from typing import Any

import graphs
import pytest
from conftest import PHONE, Opened, until

from autograd import Value, explore
from autograd.view import GraphTrace

pytestmark = pytest.mark.browser

MIDDLES = """() => {
    const { zoom, offset: [dx, dy] } = glassgrad.state();
    const { left, top } = document.querySelector("canvas.stage").getBoundingClientRect();
    return glassgrad.routes().map(({ tail, head, start, steps }) => {
        let [from, best] = [start, [-1]];
        for (const step of steps) {
            const to = step.slice(-2);
            const [a, b] = step.length === 2 ? [from, to] : [step.slice(0, 2), step.slice(2, 4)];
            const middle = [0, 1].map((i) => (from[i] + 3 * a[i] + 3 * b[i] + to[i]) / 8);
            const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
            if (length > best[0]) best = [length, ...middle];
            from = to;
        }
        return [tail, head, best[1] * zoom + dx + left, best[2] * zoom + dy + top];
    });
}"""
"""Of each arrow: its ends, and the middle of its longest piece on the screen."""


def middles(page: Any, tail: str, head: str) -> list[tuple[float, float]]:
    return [(x, y) for t, h, x, y in page.evaluate(MIDDLES) if (t, h) == (tail, head)]


def flows(trace: GraphTrace) -> dict[tuple[str, str], list[float]]:
    """What each operation adds to the gradient of each of its inputs, by operand."""
    found: dict[tuple[str, str], list[float]] = {}
    for event in trace.events:
        head = trace.nodes[event.node].key + " op"
        for part in sorted(event.parts, key=lambda part: part.position):
            found.setdefault((trace.nodes[part.input].key, head), []).append(part.value)
    return found


def twice() -> Value:
    """x · x: two arrows between the same two boxes, with different numbers where it is x / y."""
    a, b = Value(3.0, name="a"), Value(4.0, name="b")
    return (a - a * b) * (a - b)


@pytest.mark.parametrize("graph", [twice, graphs.fan_out])
def test_an_arrow_tells_what_flows_and_what_flows_back(opened: Opened, graph: Any) -> None:
    told = explore(graph())
    page = opened(told)
    tip = page.locator(".tooltip")
    expected = flows(told.traces[0])
    seen = 0
    for tail, head, x, y in page.evaluate(MIDDLES):
        if (tail, head) not in expected:
            continue
        page.mouse.move(x, y)
        if page.evaluate("glassgrad.state().line") != [tail, head]:
            continue  # another line crosses it there
        seen += 1
        text = tip.inner_text().replace("−", "-")
        (value,) = expected[tail, head]
        assert f"\n{value:.6g} = " in text
        assert f"∂L/∂{tail}" in text or tail not in "abc"
    assert seen > 3
    page.mouse.move(3, 400)
    assert page.evaluate("glassgrad.state().line") is None
    assert not tip.is_visible()


def test_two_arrows_between_two_boxes_are_two_operands(opened: Opened) -> None:
    a = Value(3.0, name="a")
    page = opened(explore(a - a))
    (first, second) = middles(page, "a", "sub#0 op")
    page.mouse.move(*first)
    assert "x in x − y" in page.locator(".tooltip").inner_text()
    assert "1 = 1 × 1" in page.locator(".tooltip").inner_text()
    page.mouse.move(*second)
    assert "y in x − y" in page.locator(".tooltip").inner_text()
    assert "−1 = 1 × −1" in page.locator(".tooltip").inner_text()


def test_an_arrow_of_arrays_and_one_without_a_gradient(opened: Opened) -> None:
    told = explore(graphs.mlp())
    page = opened(told)
    head = "0/0/affine#0 op"
    (added,) = flows(told.traces[0])["0.weight", head]
    page.mouse.move(*middles(page, "0.weight", head)[0])
    text = page.locator(".tooltip").inner_text()
    assert text.startswith("0.weight → affine₁")
    assert "8×8 float32" in text
    assert f"norm {added.norm:.6g}" in text
    page.mouse.move(*middles(page, "input#0", head)[0])
    assert "no gradient flows back" in page.locator(".tooltip").inner_text()


def test_an_arrow_between_modules_tells_what_it_carries(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    page.evaluate("glassgrad.fold('0/0')")
    page.evaluate("glassgrad.fold('1/0')")
    page.mouse.move(*middles(page, "0/0", "1/0")[0])
    text = page.locator(".tooltip").inner_text()
    assert text.startswith("0: Dense → 1: Dense")
    assert "5×8 float32" in text
    assert "∂loss/∂tanh₁" in text


def test_a_gradient_is_not_told_before_it_flows(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()))
    page.evaluate("glassgrad.goto(glassgrad.length - 3)")
    page.mouse.move(*middles(page, "b", "mul#0 op")[0])
    assert "not yet" in page.locator(".tooltip").inner_text()
    page.evaluate("glassgrad.goto(glassgrad.length)")
    assert "not yet" not in page.locator(".tooltip").inner_text()


def test_the_arrow_and_its_ends_light_up(opened: Opened) -> None:
    page = opened(explore(graphs.mlp()))
    (x, y) = middles(page, "0.weight", "0/0/affine#0 op")[0]
    lit = """([x, y]) => {
        const canvas = document.querySelector("canvas.stage");
        const { left, top } = canvas.getBoundingClientRect();
        const copy = new OffscreenCanvas(12, 12).getContext("2d");
        copy.drawImage(canvas, left + 6 - x, top + 6 - y);
        const { data } = copy.getImageData(0, 0, 12, 12);
        let blue = 0;
        for (let i = 0; i < data.length; i += 4) blue += data[i + 2] - data[i] > 90;
        return blue;
    }"""
    page.mouse.move(3, 400)
    page.wait_for_timeout(100)
    assert page.evaluate(lit, [x, y]) == 0
    page.mouse.move(x, y)
    page.wait_for_timeout(100)
    assert page.evaluate(lit, [x, y]) > 10


def test_a_tap_on_an_arrow_and_one_beside_it(opened: Opened) -> None:
    page = opened(explore(graphs.fan_out()), PHONE)
    x, y = middles(page, "tanh#0", "add#1 op")[0]
    page.touchscreen.tap(x + 6, y)  # no finger hits a line
    until(page, "glassgrad.state().line !== null")
    tip = page.locator(".tooltip")
    assert tip.inner_text().startswith("tanh → add₂")
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE[0]
    page.touchscreen.tap(x + 100, y)
    until(page, "glassgrad.state().line === null")
    assert not tip.is_visible()


def test_by_keyboard_the_panel_tells_what_each_reader_adds(opened: Opened) -> None:
    told = explore(graphs.fan_out())
    page = opened(told)
    page.evaluate("glassgrad.select('a')")
    rows = page.locator("section.details dd", has_text="adds").locator("li").all_inner_texts()
    shown = sorted(float(row.rpartition("adds ")[2].replace("−", "-")) for row in rows)
    added = sorted(v for (tail, _), vs in flows(told.traces[0]).items() if tail == "a" for v in vs)
    assert shown == pytest.approx(added, rel=1e-5)
    assert sum(shown) == pytest.approx(told.traces[0].nodes[0].grad, rel=1e-5)
    page.evaluate("glassgrad.goto(0)")
    assert "adds" not in page.locator("section.details").inner_text()


def test_ten_thousand_arrows_are_found_fast(opened: Opened) -> None:
    page = opened(explore(graphs.scalar_mlp(8_000)))
    page.evaluate("glassgrad.unfoldAll()")
    until(page, "glassgrad.routes().length > 10000")
    page.keyboard.press("0")
    page.wait_for_timeout(500)
    seen = 0
    for zoom in (0, 4, 10):
        spent, found = page.evaluate(
            """(zoom) => {
            if (zoom) glassgrad.zoom(zoom);
            const canvas = document.querySelector("canvas.stage");
            const tip = document.querySelector(".tooltip");
            let [spent, found] = [0, 0];
            for (let i = 0; i < 200; i++) {
                const [clientX, clientY] = [100 + 3 * i, 100 + 2 * i];
                const at = { clientX, clientY, pointerType: "mouse", bubbles: true };
                const began = performance.now();
                canvas.dispatchEvent(new PointerEvent("pointermove", at));
                spent += performance.now() - began;
                found += !tip.hidden && tip.textContent.includes("→");
            }
            return [spent / 200, found];
            }""",
            zoom,
        )
        assert spent < 16, zoom
        seen += found
    assert seen
