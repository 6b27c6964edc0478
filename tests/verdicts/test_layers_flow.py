"""A verdict on each layer, and healthy runs of which nothing at all is said."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, find_nan

rng = np.random.default_rng(0)
FLAT = rng.normal(size=(64, 6)).astype("float32")
SERIES = rng.normal(size=(64, 8, 3)).astype("float32")
IMAGES = rng.normal(size=(32, 8, 8, 1)).astype("float32")
IDS = rng.integers(0, 11, (16, 6))
Data = tuple[Any, Any]


def mlp(*activations: str, **options: Any) -> nn.Sequential:
    return nn.Sequential([*(nn.Dense(16, a, **options) for a in activations), nn.Dense(1)])


def cnn() -> nn.Sequential:
    return nn.Sequential([
        nn.Conv2D(8, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(),
        nn.Dense(8, "relu"), nn.Dense(1),
    ])  # fmt: skip


def recurrent() -> nn.Sequential:
    return nn.Sequential([nn.LSTM(8, return_sequences=True), nn.GRU(8), nn.Dense(1)])


def gpt() -> nn.GPT:
    return nn.GPT(vocabulary=11, context=6, width=16, layers=2, heads=2)


class Own(nn.Module):
    """A model of one's own: two ways, joined."""

    def __init__(self) -> None:
        self.left, self.right = nn.Dense(8, "relu"), nn.Dense(8, "tanh")
        self.norm, self.head = nn.LayerNorm(), nn.Dense(1)

    def __call__(self, x: Any) -> Any:
        return self.head(self.norm(self.left(x) + self.right(x)))


def assign(tensor: Any, factor: float) -> None:
    tensor.assign(tensor.numpy() * factor)


def named(model: nn.Module, part: str) -> Any:
    return next(p for name, p in model.named_parameters() if part in name and p.ndim > 1)


OF_FLAT: Data = (FLAT, FLAT[:, :1])
OF_SERIES: Data = (SERIES, SERIES[:, -1, :1])
OF_IMAGES: Data = (IMAGES, IMAGES[:, 0, 0])
OF_IDS: Data = (IDS, IDS)

FAULTS: dict[str, tuple[Callable[[], nn.Module], Data, Callable[[Any], object], str, str]] = {
    "mlp: dead": (
        lambda: mlp("relu", "relu", "relu"), OF_FLAT, lambda m: m[1].bias.assign(-1e3), "1", "dead"
    ),
    "mlp: saturated tanh": (
        lambda: mlp("tanh", "tanh"), OF_FLAT, lambda m: assign(m[0].weight, 1e3), "0", "saturated"
    ),
    "mlp: saturated sigmoid": (
        lambda: mlp("sigmoid", "tanh"), OF_FLAT, lambda m: m[0].bias.assign(50), "0", "saturated"
    ),
    "mlp: too deep": (
        lambda: mlp(*["sigmoid"] * 10), OF_FLAT, lambda m: None, "0", "vanishing"
    ),
    "mlp: small weights": (
        lambda: mlp(*["tanh"] * 4), OF_FLAT,
        lambda m: [assign(m[i].weight, 0.01) for i in (1, 2, 3)], "0", "vanishing",
    ),
    "mlp: large weights": (
        lambda: mlp(*["linear"] * 4), OF_FLAT,
        lambda m: [assign(m[i].weight, 30) for i in (1, 2, 3)], "0", "exploding",
    ),
    "cnn: dead convolution": (
        cnn, OF_IMAGES, lambda m: m[0].bias.assign(-1e3), "0", "dead"
    ),
    "cnn: dead dense": (cnn, OF_IMAGES, lambda m: m[3].bias.assign(-1e3), "3", "dead"),
    "cnn: behind it": (cnn, OF_IMAGES, lambda m: m[3].bias.assign(-1e3), "0", "vanishing"),
    "lstm: saturated gates": (
        recurrent, OF_SERIES, lambda m: assign(m[0].weight, 1e3), "0", "saturated"
    ),
    "gru: saturated gates": (
        recurrent, OF_SERIES, lambda m: assign(m[1].weight, 1e4), "1", "saturated"
    ),
    "own: saturated branch": (
        Own, OF_FLAT, lambda m: assign(m.right.weight, 1e3), "right", "saturated"
    ),
    "own: dead branch": (Own, OF_FLAT, lambda m: m.left.bias.assign(-1e3), "left", "dead"),
}  # fmt: skip


def ready(make: Callable[[], nn.Module], data: Data) -> nn.Module:
    autograd.seed(0)
    model = make()
    loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True) if data is OF_IDS else "mse"
    model.compile("adam", loss)
    model(Tensor(data[0]))
    return model


@pytest.mark.parametrize("name", FAULTS)
def test_the_layer_is_named(name: str) -> None:
    make, data, plant, at, verdict = FAULTS[name]
    model = ready(make, data)
    plant(model)
    found = model.gradient_flow(*data)
    layer = next(layer for layer in found.layers if layer.name == at)
    assert layer.verdict == verdict, found.table()
    assert layer.cause
    assert layer.fix
    assert "\n" not in str(found)
    line = next(x for x in found.table().splitlines() if x.split()[:1] == [at])
    assert verdict in line
    assert layer.cause in line
    healthy = make()  # the same without the fault
    if name != "mlp: too deep":
        healthy = ready(make, data)
        assert {x.verdict for x in healthy.gradient_flow(*data).layers} == {"healthy"}


def test_a_gpt_whose_attention_looks_at_one_place() -> None:
    model = ready(gpt, OF_IDS)
    assert model.gradient_flow(*OF_IDS).verdict == "healthy"
    assign(named(model, "blocks.1.attention.query"), 1e6)
    found = model.gradient_flow(*OF_IDS)
    assert (found.verdict, found.at) == ("vanishes", "blocks.1.attention.query"), found.table()
    assert "what reads it lets nothing through" in found.cause
    others = {x.verdict for x in found.layers if x.name != found.at}
    assert others == {"healthy"}


# --- healthy --------------------------------------------------------------------------------

HEALTHY: dict[str, tuple[Callable[[], nn.Module], Data, Any]] = {
    "mlp, adam": (lambda: mlp("relu", "relu"), OF_FLAT, "adam"),
    "mlp, sgd": (lambda: mlp("tanh"), OF_FLAT, "sgd"),
    "mlp, gelu, adamw": (lambda: mlp("gelu", "gelu", "gelu"), OF_FLAT, "adamw"),
    "mlp, selu, rmsprop": (lambda: mlp(*["selu"] * 3), OF_FLAT, "rmsprop"),
    "one layer": (mlp, OF_FLAT, "sgd"),
    "cnn": (cnn, OF_IMAGES, "adam"),
    "recurrent": (recurrent, OF_SERIES, "adam"),
    "gpt": (gpt, OF_IDS, "adamw"),
    "own": (Own, OF_FLAT, nn.SGD(lr=0.01, momentum=0.9)),
    "dropout and batch norm": (
        lambda: nn.Sequential([nn.Dense(16), nn.BatchNorm(), nn.ReLU(), nn.Dropout(0.2),
                               nn.Dense(1)]), OF_FLAT, "lion",
    ),
    "regression of constants": (lambda: mlp("relu"), (FLAT, np.ones((64, 1), "float32")), "adam"),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_nothing_is_said_of_a_healthy_run(name: str) -> None:
    make, data, optimizer = HEALTHY[name]
    model = ready(make, data)
    model.compile(optimizer, model._compiled.loss)  # type: ignore[union-attr]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = model.fit(*data, epochs=3, verbose=0, debug=True)
    assert history.flow.verdict == "healthy", history.flow.table()
    assert {layer.verdict for layer in history.flow.layers} == {"healthy"}
    x, y = (Tensor(array) for array in data)
    loss = model._compiled.loss  # type: ignore[union-attr]
    assert find_nan(lambda: loss(model(x), y)) is None


@pytest.mark.parametrize("name", ["mlp, adam", "cnn", "recurrent", "own"])
def test_nothing_is_said_of_a_loop_of_ones_own(name: str) -> None:
    make, data, _ = HEALTHY[name]
    model = ready(make, data)
    optimizer = nn.Adam(model, lr=1e-3)
    x, y = (Tensor(array) for array in data)
    losses, total = [], 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(20):
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss)
            total += loss.item()
    assert losses[-1].item() < losses[0].item()
