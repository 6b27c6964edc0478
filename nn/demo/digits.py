"""A multi-layer perceptron reads the 1,797 handwritten digits that ship with scikit-learn.

    glassgrad demo

The images (8 × 8, from UCI's "Optical Recognition of Handwritten Digits") are split once and for
all: a fifth of each class is held out and never trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import autograd
import backends
import nn
from autograd import Tensor, Value
from nn.plot import blank

__all__ = ["main"]

EPOCHS = 40
INK, FAINT, WRONG = "#1f2937", "#5f6b7a", "#b45309"


def main(
    out: Path | str = "glassgrad-demo/digits",
    backend: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
) -> float:
    """Train, write the results into the folder `out`, and return the accuracy on held-out digits.

    Needs scikit-learn (extra `data`) and matplotlib (extra `viz`).
    """
    import matplotlib  # noqa: F401  # before the training, so that a missing extra is told at once
    from threadpoolctl import threadpool_limits  # comes with scikit-learn

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    # these matrices are too small for a second thread, which would only wait in their way
    with backends.using(backend) if backend else nullcontext(), threadpool_limits(1):
        autograd.seed(seed)
        return _run(out, epochs or EPOCHS)


def _run(out: Path, epochs: int) -> float:
    start = perf_counter()
    X_train, X_test, y_train, y_test = split()
    model = nn.Sequential([
        nn.Dense(256, activation="relu", kernel_init="he_normal", input_shape=(64,), name="stroke"),
        nn.Dropout(0.3, name="drop"),
        nn.Dense(128, activation="relu", kernel_init="he_normal", name="shape"),
        nn.Dense(10, activation="softmax", name="digit"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.summary()
    history = model.fit(X_train, y_train, epochs=epochs, validation_data=(X_test, y_test))
    accuracy: float = history.history["val_accuracy"][-1]
    print(f"{accuracy:.1%} of {len(y_test)} held-out digits are read right", end="")
    print(f", after {perf_counter() - start:.1f} s on {model.parameters()[0].backend}\n")

    history.plot(out / "training.png")
    misread(model.predict(X_test), X_test, y_test).savefig(out / "misclassified.png")
    _draw_step(model, X_train[:32], y_train[:32], out / "step.svg")
    _draw_expression(out / "expression.svg")
    model.save(out / "digits.safetensors")
    _tell(out, [
        ("training.png", "the course of the training"),
        ("misclassified.png", "the digits it misread"),
        ("step.svg", "one step of 32 images: the network with all its gradients"),
        ("expression.svg", "micrograd's expression, each number with its gradient"),
        ("digits.safetensors", "the weights"),
    ])  # fmt: skip
    return accuracy


def split() -> tuple[Any, Any, Any, Any]:
    """X_train, X_test, y_train, y_test: pixels in [0, 1], a fifth of each class held out."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    parts = train_test_split(
        (digits.data / 16).astype("float32"), digits.target,
        test_size=0.2, random_state=0, stratify=digits.target,
    )  # fmt: skip
    X_train, X_test, y_train, y_test = parts
    return X_train, X_test, y_train, y_test


def misread(probabilities: Any, X: Any, y: Any) -> Any:
    """The misclassified images, the surest mistake first, as a matplotlib Figure."""
    said = probabilities.argmax(1)
    sure = probabilities.max(1)
    wrong = sorted((said != y).nonzero()[0].tolist(), key=lambda i: -sure[i])
    shown = wrong[:24]
    columns = min(8, max(4, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure = blank(1.3 * columns, 1.85 * rows + 0.6)
    title = f"{len(wrong)} of {len(y)} held-out digits misclassified"
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, color=INK)
    for panel in figure.subplots(rows, columns, squeeze=False).ravel():
        panel.set_axis_off()
    for panel, i in zip(figure.axes, shown, strict=False):
        panel.imshow(X[i].reshape(8, 8), cmap="gray_r", interpolation="bicubic", vmin=0, vmax=1)
        panel.text(0, -0.9, f"said {said[i]}", fontsize=9.5, color=WRONG, va="bottom")
        panel.text(7, -0.9, f"{sure[i]:.0%}", fontsize=8.5, color=FAINT, va="bottom", ha="right")
        panel.text(0, 8.0, f"is {y[i]}", fontsize=9.5, color=INK, va="top")
    return figure


def _draw_step(model: nn.Module, x: Any, y: Any, path: Path) -> None:
    """The graph of one step, kept after its backward pass, so that all gradients are in it.

    Dropout is left out: its mask would be one more input that nobody learns from.
    """
    from autograd.view import draw

    backend = model.parameters()[0].backend
    images, labels = Tensor(x, backend=backend), Tensor(y, backend=backend)
    with nn.training(False):
        loss = nn.losses.SparseCategoricalCrossentropy()(model(images), labels)
    loss.backward(retain_graph=True)
    draw(loss).save(path)
    model.zero_grad()


def _draw_expression(path: Path) -> None:
    """The expression in micrograd's README (Karpathy 2020), with its gradients."""
    from autograd.view import draw

    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    draw(g).save(path)


def _tell(out: Path, files: Sequence[tuple[str, str]]) -> None:
    width = max(len(str(out / name)) for name, _ in files)
    for name, what in files:
        print(f"{out / name!s:<{width}}  {what}")
