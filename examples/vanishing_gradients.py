"""Vanishing gradients: twenty layers of sigmoids do not learn; four cures, side by side.

glassgrad train vanishing_gradients

A gradient is multiplied by the slope of every activation on its way back.  That of a sigmoid is at
most 1/4, so after twenty of them the first layers get nothing to learn from (Hochreiter 1991;
Glorot and Bengio 2010).  ReLU's slope is 1 or 0, with weights drawn to match (He et al. 2015); a
residual connection adds a way around each layer (He et al. 2016); batch normalisation keeps what
enters an activation where its slope is large (Ioffe and Szegedy 2015).
"""

from collections.abc import Callable
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import autograd
import nn
from nn import plot

RESULT = (
    "20 layers of sigmoids {sigmoid:.0%} right; ReLU {relu:.0%}, residual {residual:.0%}, "
    "batch normalisation {batch_norm:.0%}"
)
GOAL = [
    ("sigmoid_first_layer", "<", 1e-6),
    ("sigmoid", "<", 0.3),
    ("relu", ">=", 0.85),
    ("residual", ">=", 0.85),
    ("batch_norm", ">=", 0.85),
]

DEPTH, WIDTH = 20, 32


def sigmoid(name: str) -> list[nn.Module]:
    return [nn.Dense(WIDTH, activation="sigmoid", name=name)]


def relu(name: str) -> list[nn.Module]:
    return [nn.Dense(WIDTH, activation="relu", kernel_init="he_normal", name=name)]


def residual(name: str) -> list[nn.Module]:
    return [nn.Residual(nn.Dense(WIDTH, activation="sigmoid"), name=name)]


def batch_norm(name: str) -> list[nn.Module]:
    return [nn.Dense(WIDTH, name=name), nn.BatchNorm(momentum=0.9), nn.Sigmoid()]


def network(block: Callable[[str], list[nn.Module]]) -> nn.Sequential:
    hidden = [layer for i in range(1, DEPTH + 1) for layer in block(f"hidden {i}")]
    first = nn.Dense(WIDTH, input_shape=(64,), name="input")
    return nn.Sequential([first, *hidden, nn.Dense(10, name="output")])


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.2, random_state=0)
    results: dict[str, float] = {}
    losses, gradients = {}, {}
    for block in (sigmoid, relu, residual, batch_norm):
        autograd.seed(seed)
        model = network(block)
        loss = nn.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(nn.Adam(lr=1e-3), loss, metrics=["accuracy"])
        start = model.gradient_flow(X_train[:256], y_train[:256])  # as fit tells it at its end
        history = model.fit(X_train, y_train, epochs=epochs or 20, verbose=0)

        key, name = block.__name__, block.__name__.replace("_", " ")
        back = [layer.gradient for layer in reversed(start.layers)]  # the output's first
        results[key] = float(model.evaluate(X_test, y_test)[1])
        results[f"{key}_first_layer"] = back[-1] / back[0]
        losses[name] = history.history["loss"]
        gradients[name] = (range(len(back)), back)
        print(f"{name:<10}  {results[key]:.1%} of the held-out digits are read right")
        print(f"  before    {start}\n  after     {history.flow}\n            {history.learning}")
    plot.curves(losses, "The loss in training", log=True, path=out / "losses.png")
    plot.curves(
        gradients, "The gradient on its way back, before training", log=True,
        x="layers that it has come through, from the output to the input",
        y="root mean square", path=out / "gradients.png",
    )  # fmt: skip
    return results
