"""The playground in a real browser, served by a real process: it learns, obeys, and says what is
wrong."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from chromium import LAPTOP, PHONE, until

from nn.watch.playground import serve

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
RUN = "from nn.cli import main; raise SystemExit(main(['playground']))"
STATE = "playground.state()"

Opened = Callable[..., Any]


class Served:
    """A process that serves a playground."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RUN],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def end(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


@pytest.fixture
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.end()


@pytest.fixture
def opened(browser: Any, served: Served) -> Iterator[Opened]:
    """Open the playground.  What it complains of, or asks of anybody else, is a failure."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def open_(size: tuple[int, int] = LAPTOP, dark: bool = False) -> Any:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", lambda message: complained(message.text))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda request: asked(request.url))

        def complained(text: str) -> None:
            if "status of 400" not in text:  # what tests ask for that is wrong
                wrong.append(f"console: {text}")

        def asked(url: str) -> None:
            if not url.startswith((served.url.partition("?")[0], "blob:", "data:")):
                wrong.append(f"request: {url}")

        page.goto(served.url)
        page.evaluate("playground.ready")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []


def state(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(STATE)
    return found


def test_it_learns_pauses_and_steps(opened: Opened) -> None:
    page = opened()
    before = state(page)
    assert (before["step"], before["running"], before["settings"]["data"]) == (0, False, "moons")
    page.get_by_role("button", name="Start").click()
    until(page, f"{STATE}.then((s) => s.step > 150)")
    page.keyboard.press("Space")
    until(page, f"{STATE}.then((s) => !s.running)")
    after = state(page)
    assert after["loss"]["test"] < 0.7 * before["loss"]["test"]
    page.keyboard.press("s")
    until(page, f"{STATE}.then((s) => s.step === {after['step'] + 1})")
    assert f"step {after['step'] + 1:,}" in page.locator(".bar").inner_text()
    page.get_by_role("button", name="Begin anew").click()
    until(page, f"{STATE}.then((s) => s.step === 0)")


def test_what_is_drawn_is_what_the_state_says(opened: Opened) -> None:
    page = opened()
    page.get_by_role("button", name="One step").click()
    until(page, f"{STATE}.then((s) => s.step === 1)")
    layer = state(page)["layers"][1]
    page.locator(".net").focus()
    for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown"]:
        page.keyboard.press(key)
    tip = page.locator(".tooltip")
    tip.locator("b", has_text="layer 1, unit 2").wait_for()
    numbers = [float(text) for text in tip.locator("dd").all_inner_texts()[:2]]
    told = [layer["bias"][1], layer["bias_gradients"][1]]
    assert numbers == pytest.approx(told, rel=0.05, abs=6e-5)
    first = layer["weights"][1]
    assert f"tanh({'−' if first < 0 else ''}{abs(first):.2g}·a₁" in tip.inner_text()
    norms = page.locator(".gauges li .number").all_inner_texts()
    shown = [x["gradient"] for x in state(page)["layers"]]
    assert [float(text) for text in norms] == pytest.approx(shown, rel=0.06)


def test_data_layers_and_units_are_changed_by_hand(opened: Opened) -> None:
    page = opened()
    page.get_by_role("radio", name="spirals").click()
    until(page, f"{STATE}.then((s) => s.settings.data === 'spirals')")
    page.get_by_role("button", name="Add a layer").click()
    until(page, f"{STATE}.then((s) => s.layers.length === 4)")
    page.get_by_role("button", name="Add a unit to layer 1").click()
    page.get_by_role("button", name="Remove a unit of layer 0").click()
    until(page, f"{STATE}.then((s) => s.settings.layers.join() === '7,9,8')")
    page.get_by_label("Activation").select_option("relu")
    until(page, f"{STATE}.then((s) => s.settings.activation === 'relu')")
    page.get_by_role("button", name="One step").click()
    page.get_by_label("Batch size", exact=True).fill("16")
    page.keyboard.press("Enter")
    until(page, f"{STATE}.then((s) => s.settings.batch_size === 16)")
    assert state(page)["step"] == 1  # what can change while it learns begins nothing anew


def test_digits(opened: Opened) -> None:
    pytest.importorskip("sklearn")
    page = opened()
    page.get_by_role("radio", name="digits").click()
    until(page, "!!document.querySelector('.matrix')?.clientWidth")
    page.evaluate("playground.do('start')")
    until(page, f"{STATE}.then((s) => s.accuracy.test > 0.6)")
    page.evaluate("playground.do('pause')")
    label = page.locator(".matrix").get_attribute("aria-label")
    assert "of 300 held-out digits are told right" in label
    assert page.locator(".samples li").count() == 8
    assert not page.locator(".plane").is_visible()


def test_a_wrong_value_is_explained_where_it_was_given(opened: Opened) -> None:
    page = opened()
    rate = page.get_by_label("Learning rate", exact=True)
    for text, told in [("11", "11"), ("quick", "'quick'")]:
        rate.fill(text)
        rate.press("Enter")
        message = f"learning_rate={told}: a number from 0 to 10 is needed"
        until(page, f'document.querySelector("#wrong-learning_rate").textContent === "{message}"')
        assert rate.get_attribute("aria-invalid") == "true"
    assert state(page)["settings"]["learning_rate"] == 0.01
    rate.fill("0.1")
    rate.press("Enter")
    until(page, "document.querySelector('#wrong-learning_rate').hidden")
    until(page, f"{STATE}.then((s) => s.settings.learning_rate === 0.1)")


def test_numbers_beyond_all_bounds_are_shown_as_such(opened: Opened) -> None:
    page = opened()
    wild = "{activation: 'linear', optimizer: 'sgd', learning_rate: 10, l2: 1, speed: 2000}"
    assert page.evaluate(f"playground.set({wild})") == ""
    page.evaluate("playground.do('start')")
    until(page, f"{STATE}.then((s) => s.loss.train === 'nan')")
    until(page, "document.querySelector('.curve .train').textContent.includes('NaN')")
    page.evaluate("playground.do('pause').then(() => playground.do('reset'))")
    until(page, f"{STATE}.then((s) => typeof s.loss.train === 'number')")


def test_a_lost_connection_is_told_and_taken_up_again(browser: Any) -> None:
    server = Served()
    page = browser.new_page()
    page.goto(server.url)
    page.evaluate("playground.ready")
    server.end()
    until(page, "document.querySelector('.connection').textContent.includes('lost')")
    assert "lost" in page.evaluate("playground.do('start')")
    url = urlsplit(server.url)
    other = serve(url.port or 0, data="circles")
    other.token = parse_qs(url.query)["token"][0]
    until(page, f"{STATE}.then((s) => s.settings.data === 'circles')")
    assert page.locator(".connection").inner_text() == ""
    page.close()
    other.close()


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_and_is_accessible(opened: Opened, size: tuple[int, int], dark: bool) -> None:
    page = opened(size, dark)
    page.keyboard.press("g")
    page.evaluate("playground.do('step')")
    field = "document.querySelector('.field')"
    assert page.evaluate(f"{field}.scrollWidth <= {size[0]}")
    if size == LAPTOP:
        assert page.evaluate(f"{field}.scrollHeight <= {field}.clientHeight")
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("needs axe_playwright_python for the rules of accessibility")
    page.evaluate((Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    violations = page.evaluate(
        "axe.run().then(({ violations }) => violations.map((v) => "
        "[v.id, ...v.nodes.map((n) => n.html.slice(0, 120) + ' ' + n.failureSummary)]))"
    )
    assert violations == []
