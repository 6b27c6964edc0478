"""The gallery: real pages to open in a browser, and the pictures of them that the README shows.

    python docs/pages/make.py [NAME ...]     # all of them, or those named

Each page is one file, `docs/pages/NAME.html`, made as a user would make it.  The pictures are
photographs of them, taken in Chromium, whose path GLASSGRAD_CHROMIUM gives where it is not found.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page as Browser
from playwright.sync_api import sync_playwright
from sklearn.datasets import load_digits

import autograd
import nn
from autograd import Tensor, Value, explore, where
from nn import scalar

HERE = Path(__file__).resolve().parent
SIZE = {"width": 1280, "height": 720}

PAGES: dict[str, Callable[[], Any]] = {}


def page(make: Callable[[], Any]) -> Callable[[], Any]:
    """Enter a page into the gallery, under its function's name."""
    PAGES[make.__name__] = make
    return make


# --- computations ---------------------------------------------------------------------------


@page
def neuron() -> Any:
    """One neuron, single numbers: the example with which micrograd begins."""
    x1, x2 = Value(2.0), Value(0.0)
    w1, w2 = Value(-3.0), Value(1.0)
    b = Value(6.8813735870195432)
    n = x1 * w1 + x2 * w2 + b
    o = n.tanh()
    return explore(o)


@page
def scalar_mlp() -> Any:
    """A network of single numbers, its layers folded."""
    model = scalar.MLP(2, [8, 8, 1])
    points = [([0.5, -1.0], 1.0), ([-1.0, 0.3], -1.0), ([1.0, 1.0], 1.0)]
    loss = sum((model(list(map(Value, x))) - y) ** 2 for x, y in points) / len(points)
    return explore(loss)


@page
def mlp() -> Any:
    """A small network on arrays; the switch shows the numbers it stands for."""
    X = Tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], name="X")
    y = Tensor([[0.0], [1.0], [1.0], [0.0]], name="y")
    model = nn.Sequential([nn.Dense(3, activation="tanh"), nn.Dense(1)])
    loss = ((model(X) - y) ** 2).mean()
    return explore(loss)


@page
def cnn() -> Any:
    """A convolutional network on handwritten digits."""
    images, labels = digits()
    model = nn.Sequential([
        nn.Conv2D(8, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(),
        nn.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    return explore(model, images[:16].reshape(-1, 8, 8, 1), labels[:16])


@page
def lstm() -> Any:
    """An LSTM that reads a digit line by line: one operation with several results."""
    images, labels = digits()
    model = nn.Sequential([nn.LSTM(16), nn.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return explore(model, images[:16].reshape(-1, 8, 8), labels[:16])


@page
def gpt() -> Any:
    """A transformer of twelve blocks: what is alike is folded."""
    model = nn.models.GPT(vocabulary=65, context=32, width=64, layers=12, heads=4)
    tokens = np.random.default_rng(0).integers(0, 65, (4, 33))
    cross_entropy = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = cross_entropy(model(tokens[:, :-1]), tokens[:, 1:])
    return explore(loss)


@page
def masked_nan() -> Any:
    """A gradient that is NaN though no value is: the branch that `where` has not taken."""
    x = Tensor([4.0, 0.0, -1.0], requires_grad=True)
    ok = x > 0
    root = x.relu().sqrt()
    loss = where(ok, root, 0.0).sum()
    return explore(loss)


@page
def compiled_step() -> Any:
    """What jit made of a training step: forward, gradients, the optimizer's update."""
    model = nn.Sequential([nn.Dense(8, activation="relu"), nn.Dense(2)])
    model(autograd.ones((1, 4)))
    optimizer = nn.optim.Adam(model.parameters())

    @autograd.jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    step(autograd.random.normal((16, 4)), autograd.random.normal((16, 2)))
    return explore(step)


# --- trainings ------------------------------------------------------------------------------


@page
def training() -> Any:
    """A network that learns to read digits, replayed."""
    return trained([nn.Dense(64, activation="relu"), nn.Dense(64, activation="relu")]).explore()


@page
def vanishing() -> Any:
    """Ten layers of sigmoids that learn nothing, beside ten of ReLU that learn."""
    deep = trained([nn.Dense(32, activation="sigmoid") for _ in range(10)])
    mended = trained([nn.Dense(32, "relu", kernel_init="he_normal") for _ in range(10)])
    return deep.compare(mended).explore()


def digits() -> tuple[Any, Any]:
    images, labels = load_digits(return_X_y=True)
    return (images / 16).astype("float32"), labels


def trained(layers: list[Any]) -> Any:
    """A recorded training on the digits."""
    model = nn.Sequential([*layers, nn.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    run = nn.Record(every=10)
    model.fit(*digits(), epochs=15, callbacks=[run], verbose=0)
    return run


# --- photographs ----------------------------------------------------------------------------


def at_step(browser: Browser) -> None:
    """Three quarters through the backward pass."""
    browser.evaluate("glassgrad.goto(Math.round(glassgrad.length * 0.72))")


PICTURES: dict[str, tuple[str, Callable[[Browser], None] | None]] = {
    "stepper": ("mlp", at_step),
    "explorer": ("gpt", None),
    "nan": ("masked_nan", None),
    "replay": ("vanishing", None),
}
"""Picture → the page it is of, and what is done on the page before."""


def photograph() -> None:
    """The pictures, light and dark, and the stepper as an animation."""
    chromium = os.environ.get("GLASSGRAD_CHROMIUM") or which("chromium") or which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport=SIZE, device_scale_factor=2, color_scheme=scheme, offline=True
            )
            view = context.new_page()
            for name, (of, do) in PICTURES.items():
                opened(view, of)
                if do is not None:
                    do(view)
                view.wait_for_timeout(500)
                compact(view.screenshot()).save(HERE / f"{name}-{scheme}.png", optimize=True)
            context = browser.new_context(
                viewport={"width": 1280, "height": 800}, device_scale_factor=2, color_scheme=scheme
            )
            play(context.new_page(), scheme)
        context = browser.new_context(viewport={"width": 1100, "height": 560}, offline=True)
        animate(context.new_page())
        browser.close()


def play(view: Browser, scheme: str) -> None:
    """The playground, some hundred steps into the moons."""
    command = [sys.executable, "-m", "nn.cli", "playground"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]
    ) as server:
        assert server.stdout is not None
        url = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+", line)))
        view.goto(url)
        view.wait_for_timeout(1500)
        view.keyboard.press("Space")
        view.wait_for_timeout(6000)
        compact(view.screenshot()).save(HERE / f"playground-{scheme}.png", optimize=True)
        server.terminate()


def opened(view: Browser, name: str) -> None:
    view.goto((HERE / f"{name}.html").as_uri())
    view.evaluate("glassgrad.ready")


def animate(view: Browser) -> None:
    """The stepper on one neuron, from the first value to the last gradient."""
    opened(view, "neuron")
    frames = []
    for position in range(view.evaluate("glassgrad.length") + 1):
        view.evaluate(f"glassgrad.goto({position})")
        view.wait_for_timeout(350)
        frames.append(compact(view.screenshot()))
    waits = [900] * len(frames)
    waits[-1] = 3000
    frames[0].save(
        HERE / "stepper.gif", save_all=True, append_images=frames[1:], duration=waits, loop=0
    )


def compact(png: bytes) -> Image.Image:
    """The picture in 256 colours, which is less than half as large and looks the same."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    return picture.quantize(256, dither=Image.Dither.NONE)


def main(names: list[str]) -> None:
    """Make the pages, and photographs of them."""
    for name in names or PAGES:
        autograd.seed(0)
        made = PAGES[name]().save(HERE / f"{name}.html")
        print(f"{made.name}: {made.stat().st_size / 1000:.0f} kB")
    if not names:
        photograph()


if __name__ == "__main__":
    main(sys.argv[1:])
