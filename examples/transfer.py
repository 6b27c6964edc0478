"""Transfer: what a network learned from the digits 0 to 4 helps it to read 5 to 9.

glassgrad train transfer

A network with plenty of digits 0 to 4 is trained; its body, all but the last layer, is taken over
to a new network that sees only a few of the digits 5 to 9.  First the body is frozen and only the
new head learns; then all of it does, at a small learning rate, so that what is known is not
washed away (Yosinski et al. 2014).  The same network from scratch gets as many steps.

What carries over depends on what was asked.  Five classes need little, and the rest is thrown
away.  So each digit is shown turned by quarters and mirrored as well, and the network has to say
which of 40 it sees (Gidaris et al. 2018 ask for the quarter alone): that needs edges, ends and
corners of all directions.  The numbers below were chosen on half of the digits learned from.
"""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from nn import plot
from nn.data.augment import RandomAffine

RESULT = (
    "10 labels per class of unseen digits: {from scratch, 10 per class:.1%} from scratch, "
    "{pretrained, 10 per class:.1%} pretrained"
)
GOAL = [
    ("pretrained, 2 per class", ">", "from scratch, 2 per class"),
    ("pretrained, 10 per class", ">", "from scratch, 10 per class"),
    ("mean of pretrained", ">", "mean of from scratch"),
]

LABELS = (2, 5, 10, 20)  # per class
DRAWS = 4
STEPS = 100


def convolution(filters: int) -> list[nn.Module]:
    same = nn.Conv2D(filters, 3, padding="same", use_bias=False)
    return [same, nn.BatchNorm(momentum=0.9), nn.ReLU()]


def network(classes: int) -> nn.Sequential:
    body = [
        *convolution(16), *convolution(32), nn.MaxPool2D(2),  # (N, 4, 4, 32)
        *convolution(64), nn.MaxPool2D(2),                    # (N, 2, 2, 64)
        nn.Flatten(),                                         # (N, 256)
    ]  # fmt: skip
    model = nn.Sequential([
        RandomAffine(degrees=12, zoom=0.1, height=0.1, width=0.1),
        nn.Sequential(body, name="body"),
        nn.Dense(classes, kernel_init="zeros", name="head"),
    ])  # fmt: skip
    model.build((8, 8, 1))
    return model


def train(model: nn.Module, X: Any, y: Any, steps: int, lr: float, batch: int = 32) -> None:
    epochs = ceil(steps / ceil(len(X) / batch))
    loss = nn.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(nn.AdamW(lr=nn.CosineDecay(lr, steps), weight_decay=0.1), loss)
    model.fit(X, y, epochs=epochs, batch_size=batch, verbose=0)


def accuracy(model: nn.Module, X: Any, y: Any) -> float:
    return float((model.predict(X).argmax(1) == y).mean())


def turned(X: Any, y: Any) -> tuple[Any, Any]:
    """Each image in the eight ways a square can lie; class 5 k + y is digit y lying in way k."""
    ways = [np.rot90(side, k, axes=(1, 2)) for side in (X, X[:, :, ::-1]) for k in range(4)]
    return np.concatenate(ways), np.concatenate([y + 5 * k for k in range(8)])


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    labels, draws, steps = (LABELS, DRAWS, STEPS) if epochs != 1 else (LABELS[::2], 1, 5)
    X, y = nn.data.datasets.digits()
    low, high = y < 5, y >= 5

    autograd.seed(seed)
    X_low, y_low = turned(X[low], y[low])
    source = network(classes=40)
    train(source, X_low, y_low, (epochs or 8) * ceil(len(X_low) / 64), lr=0.005, batch=64)
    source.save(out / "digits_0_to_4.safetensors")
    print(f"pretrained on {len(X_low):,} images of 0 to 4", flush=True)

    X_few, X_test, y_few, y_test = nn.data.split(X[high], y[high] - 5, 0.4, stratify=True)
    found: dict[str, list[list[float]]] = {}  # way of training → draw → accuracy for n labels
    for draw in range(draws):
        order = np.random.default_rng([seed, draw]).permutation(len(X_few))
        rows: dict[str, list[float]] = {}
        for n in labels:
            few = np.concatenate([order[y_few[order] == digit][:n] for digit in range(5)])

            autograd.seed(seed + draw)
            model = network(classes=5)
            train(model, X_few[few], y_few[few], 2 * steps, lr=0.005)
            rows.setdefault("from scratch", []).append(accuracy(model, X_test, y_test))

            model = network(classes=5)
            model.load(out / "digits_0_to_4.safetensors", only="body")
            model["body"].freeze()
            train(model, X_few[few], y_few[few], steps, lr=0.01)
            rows.setdefault("body frozen", []).append(accuracy(model, X_test, y_test))

            model.unfreeze()
            train(model, X_few[few], y_few[few], steps, lr=0.001)
            rows.setdefault("pretrained", []).append(accuracy(model, X_test, y_test))
        for name, row in rows.items():
            found.setdefault(name, []).append(row)

    results = {}
    means = {name: np.mean(rows, axis=0) for name, rows in found.items()}
    print(f"{'digits per class':<16}" + "".join(f"{n:>7}" for n in labels))
    for name, mean in means.items():
        print(f"{name:<16}" + "".join(f"{share:7.1%}" for share in mean))
        results |= {f"{name}, {n} per class": float(a) for n, a in zip(labels, mean, strict=True)}
        results[f"mean of {name}"] = float(mean.mean())
    figure = plot.curves(
        {name: (labels, 100 * mean) for name, mean in means.items()},
        f"Held-out digits 5 to 9 read right, %, mean of {draws} draws", x="labels per class",
    )  # fmt: skip
    figure.axes[0].set_xscale("log")
    figure.axes[0].set_xticks(labels, labels)
    figure.axes[0].set_xticks([], minor=True)
    figure.savefig(out / "transfer.png")
    return results
