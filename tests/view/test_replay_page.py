"""The replay of a training in a real browser: it shows the numbers of the recorded frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from conftest import Opened, until

import autograd
import nn
from autograd import explore
from nn.watch.live import serve
from nn.watch.run import Run

pytestmark = pytest.mark.browser

CLOSE = 1e-9


def trained(
    activation: str = "relu", layers: int = 2, lr: float = 0.1, epochs: int = 8, every: int = 3
) -> nn.Record:
    """A recorded training of a small classifier."""
    run = nn.Record(every=every)
    model, x, y = ready(activation, layers, lr)
    model.fit(x, y, epochs=epochs, batch_size=32, validation_split=0.25, callbacks=[run], verbose=0)
    return run


def ready(activation: str = "relu", layers: int = 2, lr: float = 0.1) -> Any:
    autograd.seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = (x[:, :2].sum(axis=1) > 0).astype("int64")
    hidden = [nn.Dense(16, activation=activation) for _ in range(layers)]
    model = nn.Sequential([*hidden, nn.Dense(2)])
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=nn.SGD(lr=lr), loss=loss)
    return model, x, y


def gradients(run: Run, frame: dict[str, Any]) -> dict[str, float]:
    names = [parameter["name"] for parameter in run.header["parameters"]]
    return dict(zip(names, frame["gradient"], strict=True))


def test_the_slider_shows_the_numbers_of_its_frame(opened: Opened) -> None:
    run = trained()
    page = opened(explore(run))
    places = page.evaluate("glassgrad.positions()")
    probed: dict[str, float] = {}
    for k, frame in enumerate(run.frames):
        page.locator(".transport.replay input").fill(str(k))
        probed = frame.get("probe", {}).get("nodes", probed)
        assert page.evaluate("glassgrad.run.step") == frame["step"]
        colours = page.evaluate("glassgrad.run.colours()")
        expected = dict.fromkeys(colours) | probed | gradients(run, frame)
        assert colours == expected
    assert probed, "some step was probed"
    assert page.evaluate("glassgrad.positions()") == places


def test_a_compared_step_is_coloured_by_the_logarithm_of_the_ratio(opened: Opened) -> None:
    run = trained()
    page = opened(explore(run))
    a, b = run.frames[0], run.frames[-1]
    before, after = gradients(run, a), gradients(run, b)
    expected = {name: np.log2(after[name] / before[name]) for name in before}
    changes = page.evaluate(f"glassgrad.run.compare({a['step']}, {b['step']})")
    assert changes == pytest.approx(expected, abs=CLOSE)
    colours = page.evaluate("glassgrad.run.colours()")
    assert {name: colours[name] for name in expected} == pytest.approx(changes)
    most = max(expected, key=lambda name: abs(expected[name]))
    assert page.locator(".changes .name").first.inner_text() == most


def test_another_run_is_compared_with(opened: Opened) -> None:
    run, other = trained("relu"), trained("tanh", layers=3)
    page = opened(explore(run.compare(other)))
    step = run.frames[4]["step"]
    changes = page.evaluate(f"glassgrad.run.compare('other', {step})")
    mine, theirs = gradients(run, run.frames[4]), gradients(other, other.frames[4])
    shared = {name: np.log2(mine[name] / theirs[name]) for name in mine}
    assert {name: changes.pop(name) for name in shared} == pytest.approx(shared, abs=CLOSE)
    assert changes == dict.fromkeys(set(theirs) - set(mine))
    told = page.locator(".comparison .faint").inner_text()
    assert "only here: 0/0/relu#0" in told
    assert "3.weight" in told


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "Nothing conspicuous"),
        ({"activation": "tanh", "lr": 0.02}, "Nothing conspicuous"),
        ({"activation": "sigmoid", "layers": 10}, "vanish towards the input"),
        ({"lr": 300.0}, "far above"),
    ],
)
def test_the_verdict_fits_the_training(opened: Opened, how: Any, says: str) -> None:
    page = opened(explore(trained(**how)))
    until(page, "glassgrad.run.verdict() !== ''")
    page.evaluate("glassgrad.run.goto(3)")
    assert says in page.evaluate("glassgrad.run.verdict()")
    assert page.locator(".verdict").inner_text() == page.evaluate("glassgrad.run.verdict()")


def test_charts_are_read_by_keyboard_and_ear(opened: Opened) -> None:
    run = trained()
    page = opened(explore(run))
    heat = page.get_by_role("slider", name="gradient norm by layer")
    heat.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("glassgrad.run.step") == run.frames[1]["step"]
    page.keyboard.press("ArrowDown")
    until(page, "glassgrad.state().selected !== null")
    layer = np.hypot(*[gradients(run, run.frames[1])[f"0.{name}"] for name in ("weight", "bias")])
    until(page, "document.activeElement.ariaValueText.includes('step 3: 0 ')")
    told = heat.get_attribute("aria-valuetext")
    assert float(told.rpartition(" ")[2]) == pytest.approx(layer, rel=1e-2)
    loss = page.get_by_role("slider", name="loss.").get_attribute("aria-label")
    assert f"to {run.frames[-1]['loss']:.3g}" in loss


def test_a_run_without_a_graph_is_shown(opened: Opened) -> None:
    run = trained()
    slim = {key: value for key, value in run.header.items() if key not in ("trace", "activations")}
    run.store.write_header({**slim, "activations": []})
    page = opened(explore(run))
    page.evaluate("glassgrad.run.goto(6)")
    assert page.evaluate("glassgrad.run.frames.length") == len(run.frames)
    assert page.evaluate("glassgrad.run.colours()") == {}


def test_very_many_frames_are_thinned_and_no_metric_is_lost(opened: Opened) -> None:
    run = trained()
    frame = {key: value for key, value in run.frames[1].items() if key not in ("logs", "probe")}
    many = [json.dumps(frame | {"step": step}) for step in range(3000)]
    run.store.replace([*many, json.dumps({"step": 2001, "logs": {"val_loss": 0.25}})])
    page = opened(explore(run))
    steps = page.evaluate("glassgrad.run.frames.map(({step}) => step)")
    assert 1000 < len(steps) <= 2400
    assert (steps[0], steps[-1]) == (0, 2999)
    logged = page.evaluate("glassgrad.run.frames.flatMap(({logs}) => logs ? [logs.val_loss] : [])")
    assert logged == [0.25]


# --- live --------------------------------------------------------------------------------------


@pytest.fixture
def following(browser: Any) -> Iterator[Opened]:
    """Open a page of a server; what it asks for elsewhere, or complains of, is a failure."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800})

    def open_(url: str) -> Any:
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: asked(request.url))
        page.goto(url)
        page.evaluate("glassgrad.ready")
        return page

    def asked(url: str) -> None:
        if urlsplit(url).hostname != "127.0.0.1":
            wrong.append(url)

    yield open_
    context.close()
    assert wrong == []


def test_a_training_is_followed_live(following: Opened) -> None:
    run = nn.Record(every=1)
    server = serve(run)
    try:
        page = following(server.url)
        assert page.evaluate("glassgrad.run.frames") == []
        model, x, y = ready()
        fit = Thread(
            target=lambda: model.fit(x, y, epochs=12, batch_size=32, callbacks=[run], verbose=0)
        )
        fit.start()
        until(page, "glassgrad.run.frames.length > 0")
        fit.join()
        until(page, f"glassgrad.run.step === {run.frames[-1]['step']}")  # it follows the end
        until(page, "glassgrad.run.status === 'ended'")
        assert page.evaluate("glassgrad.run.frames.map(({gradient}) => gradient)") == [
            frame["gradient"] for frame in run.frames
        ]
        until(page, "glassgrad.trace.nodes.length > 0")  # the graph came later
        colours = page.evaluate("glassgrad.run.colours()")
        assert colours["0.weight"] == run.frames[-1]["gradient"][0]

        page.evaluate("glassgrad.run.goto(5)")  # now the reader has moved it
        model.fit(x, y, epochs=2, batch_size=32, callbacks=[run], verbose=0)
        slider = "document.querySelector('.transport.replay input')"
        until(page, f"{slider}.max === '{len(run.frames) - 1}'")
        assert page.evaluate("glassgrad.run.step") == 5
    finally:
        server.close()
