"""A network of single numbers separates two moons, as in micrograd's demonstration.

    glassgrad demo --model moons

Every weight is a `Value`, and so is every result of every neuron at every point.  The trained
network is then turned into arrays, which draw the decision boundary in one call.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import autograd
import backends
from autograd import Tensor, Value, no_grad
from nn.plot import blank
from nn.scalar import MLP

__all__ = ["main", "step"]

EPOCHS = 100
INK, FAINT = "#1f2937", "#5f6b7a"
ONE, OTHER = "#3b7dc4", "#b45309"


def main(
    out: Path | str = "glassgrad-demo/moons",
    backend: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> float:
    """Train, write the results into the folder `out`, and return the accuracy on the 100 points.

    Numbers are computed by Python itself; `backend` is where the array model draws the boundary.
    Needs scikit-learn (extra `data`) and matplotlib (extra `viz`).
    """
    import matplotlib  # noqa: F401  # before the training, so that a missing extra is told at once
    from sklearn.datasets import make_moons

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    epochs = epochs or EPOCHS
    with backends.using(backend) if backend else nullcontext():
        autograd.seed(seed)
        X, y = make_moons(n_samples=100, noise=0.1, random_state=seed)
        y = y * 2 - 1  # labels -1 and 1
        model = MLP(2, [16, 16, 1])
        print(f"MLP 2-16-16-1 of {len(model.parameters())} Values")
        start = perf_counter()
        for k in range(epochs):
            loss, accuracy = step(model, X.tolist(), y.tolist(), rate=1.0 - 0.9 * k / epochs)
            if k % 10 == 0 or k == epochs - 1:
                print(f"step {k + 1:>3}/{epochs}  loss {loss:.4f}  accuracy {accuracy:.0%}")
        print(f"trained in {perf_counter() - start:.1f} s\n")
        boundary(model, X, y).savefig(out / "moons.png")
        model.to_array("float32").save(out / "moons.safetensors")
        _draw_neuron(model, X[0].tolist(), out / "neuron.svg")
    files = ["moons.png", "neuron.svg", "moons.safetensors"]
    told = ["the decision boundary", "one neuron, each number with its gradient", "the weights"]
    width = max(len(str(out / name)) for name in files)
    for name, what in zip(files, told, strict=True):
        print(f"{out / name!s:<{width}}  {what}")
    return accuracy


def step(model: MLP, X: Any, y: Any, rate: float) -> tuple[float, float]:
    """One step of gradient descent on all points: the loss and the accuracy before it.

    The loss is the hinge loss of a support vector machine, mean max(0, 1 - y score), plus 1e-4
    times the sum of squared weights.
    """
    scores = [model(point) for point in X]
    hinge = sum([(1 - label * score).relu() for label, score in zip(y, scores, strict=True)])
    loss = hinge / len(y) + 1e-4 * sum([p * p for p in model.parameters()])
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= rate * p.grad
    right = sum((label > 0) == (score.data > 0) for label, score in zip(y, scores, strict=True))
    return loss.data, right / len(y)


def boundary(model: MLP, X: Any, y: Any, cells: int = 240) -> Any:
    """The points over the model's score of the plane, as a matplotlib Figure."""
    from matplotlib.colors import LinearSegmentedColormap

    (left, low), (right, high) = X.min(0) - 0.5, X.max(0) + 0.5
    across = [left + (right - left) * i / (cells - 1) for i in range(cells)]
    up = [low + (high - low) * i / (cells - 1) for i in range(cells)]
    with no_grad():
        plane = Tensor([[u, v] for v in up for u in across])
        score = model.to_array("float32")(plane).tanh().numpy().reshape(cells, cells)
    figure = blank(6.4, 4.8)
    panel = figure.subplots()
    shades = LinearSegmentedColormap.from_list("moons", ["#f2c48d", "#ffffff", "#a9cbf0"])
    levels = [-1.01 + 2.02 * i / 40 for i in range(41)]
    panel.contourf(across, up, score, levels=levels, cmap=shades)
    panel.contour(across, up, score, levels=[0], colors=[INK], linewidths=1.6)
    for label, colour, marker in ((1, ONE, "o"), (-1, OTHER, "s")):
        points = X[y == label]
        panel.scatter(
            points[:, 0], points[:, 1], s=34, c=colour, marker=marker, edgecolors="white",
            linewidths=0.9, zorder=3, label=f"{label:+d}",
        )  # fmt: skip
    panel.set_aspect("equal")
    panel.set_title(
        f"Two moons, separated by {len(model.parameters())} numbers", loc="left", fontsize=12,
        color=INK, pad=10,
    )  # fmt: skip
    panel.tick_params(colors=FAINT, labelsize=8.5, length=0)
    for side in panel.spines.values():
        side.set_visible(False)
    panel.legend(loc="upper right", frameon=False, labelcolor=INK, fontsize=9)
    return figure


def _draw_neuron(model: MLP, point: list[float], path: Path) -> None:
    from autograd.view import draw

    model.zero_grad()
    neuron = model.layers[0].neurons[0]
    neuron.b.name = "b"
    for i, w in enumerate(neuron.w):
        w.name = f"w{i}"
    x = [Value(number, name=f"x{i}") for i, number in enumerate(point)]
    output = neuron(x)
    output.backward()
    draw(output).save(path)
