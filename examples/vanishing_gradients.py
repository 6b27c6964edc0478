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
    ("relu", ">=", 0.9),
    ("residual", ">=", 0.9),
    ("batch_norm", ">=", 0.9),
]

DEPTH, WIDTH = 20, 32


def sigmoid() -> list[nn.Module]:
    return [nn.Dense(WIDTH, activation="sigmoid")]


def relu() -> list[nn.Module]:
    return [nn.Dense(WIDTH, activation="relu", kernel_init="he_normal")]


def residual() -> list[nn.Module]:
    return [nn.Residual(nn.Dense(WIDTH, activation="sigmoid"))]


def batch_norm() -> list[nn.Module]:
    return [nn.Dense(WIDTH), nn.BatchNorm(momentum=0.9), nn.Sigmoid()]


def network(block: Callable[[], list[nn.Module]]) -> nn.Sequential:
    hidden = [layer for _ in range(DEPTH) for layer in block()]
    return nn.Sequential([nn.Dense(WIDTH, input_shape=(64,)), *hidden, nn.Dense(10)])


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.2, random_state=0)
    results: dict[str, float] = {}
    losses, gradients = {}, {}
    for block in (sigmoid, relu, residual, batch_norm):
        name = block.__name__
        autograd.seed(seed)
        model = network(block)
        loss = nn.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(nn.Adam(lr=1e-3), loss, metrics=["accuracy"])
        # the flow before any training: one pass over the data at a learning rate of nothing
        model.optimizer.lr = 0.0
        start = model.fit(X_train, y_train, batch_size=256, verbose=0).flow
        model.optimizer.lr = 1e-3
        history = model.fit(X_train, y_train, epochs=epochs or 20, verbose=0)
        results[name] = float(model.evaluate(X_test, y_test)[1])
        losses[name] = history.history["loss"]
        sizes = [layer.gradient for layer in start.layers]
        results[f"{name}_first_layer"] = sizes[0] / sizes[-1]
        gradients[name] = (range(len(sizes)), sizes)
        print(f"{name:<11} {results[name]:.1%} of the held-out digits\n  {start}")
    plot.curves(losses, "Loss in training", path=out / "losses.png")
    plot.curves(
        gradients, "Gradient at each layer before training, from the input to the output",
        x="layer", y="root mean square", log=True, path=out / "gradients.png",
    )  # fmt: skip
    return results
