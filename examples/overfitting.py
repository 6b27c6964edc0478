"""Overfitting: 150 digits, one label in seven wrong, learned by heart; five cures, measured.

glassgrad train overfitting

A network with more weights than samples can fit anything, wrong labels too (Zhang et al. 2017). The
more it does, the more often it is wrong elsewhere, and sure of it: the held-out loss rises while
that in training falls.  What helps: to stop there (Prechelt 1998), weights that stay small (Krogh
and Hertz 1991), units that drop out (Srivastava et al. 2014), and images that never come twice the
same.  The held-out labels are as wrong as those trained on, as they would be in life; the true ones
of a test part tell in the end what was learned.
"""

from pathlib import Path
from typing import Any

import numpy as np

import autograd
import nn
from nn import plot
from nn.data import augment, datasets

RESULT = (
    "without a cure {no cure:.0%} of the test digits are read right and the gap of the losses is "
    "{no cure, gap:.1f}; with dropout, L2, augmentation and early stopping together {together:.0%} "
    "and {together, gap:.1f}"
)
CURES: dict[str, dict[str, Any]] = {
    "no cure": {},
    "dropout": {"dropout": 0.5},
    "L2": {"l2": 0.01},
    "augmentation": {"moved": True},
    "early stopping": {"patience": 10},
    "together": {"dropout": 0.5, "l2": 0.001, "moved": True, "patience": 25},
}
GOAL = [
    ("no cure, told", ">=", 1),  # the share of trainings that `fit` says are overfitting
    ("no cure, gap", ">=", 1),
    *((f"{cure}, gap", "<", "no cure, gap") for cure in CURES if cure != "no cure"),
    *((f"{cure}, held out", "<", "no cure, held out") for cure in CURES if cure != "no cure"),
    *(("together", ">", cure) for cure in CURES if cure != "together"),
    ("together", ">=", 0.88),
]
DRAWS = 3  # of the 150 samples; results are means over them


def network(dropout: float = 0.0, l2: float = 0.0, moved: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [augment.RandomAffine(15, 0.15, 0.1, 0.1)] if moved else []
    layers.append(nn.Flatten())
    for _ in range(2):
        dense = nn.Dense(256, "relu", kernel_init="he_normal", kernel_regularizer=nn.L2(l2))
        layers += [dense, nn.Dropout(dropout)]
    model = nn.Sequential([*layers, nn.Dense(10, kernel_regularizer=nn.L2(l2))])
    loss = nn.SparseCategoricalCrossentropy(from_logits=True)
    # the loss has in it what L2 adds, so the cross-entropy is told by itself as well
    model.compile(nn.Adam(lr=1e-3), loss, metrics=[nn.cross_entropy])
    return model


def mislabelled(y: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """The labels, one in seven of which is now another digit's, and the places of these."""
    places = random.permutation(len(y))[: len(y) // 7]
    y = y.copy()
    y[places] = (y[places] + random.integers(1, 10, len(places))) % 10
    return y, places


def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
    X, y = datasets.digits()
    found: dict[str, list[dict[str, float]]] = {cure: [] for cure in CURES}
    courses: dict[str, nn.History] = {}
    for draw in range(DRAWS):
        random = np.random.default_rng((seed, draw))
        train, held_out, test = np.split(random.permutation(len(X)), [150, 450])
        y_train, wrong = mislabelled(y[train], random)
        unseen = X[held_out], mislabelled(y[held_out], random)[0]
        for cure, options in CURES.items():
            autograd.seed(seed)
            model = network(**{name: x for name, x in options.items() if name != "patience"})
            stop = [nn.EarlyStopping(patience=options["patience"], restore_best=True)
                    for name in options if name == "patience"]  # fmt: skip
            history = model.fit(
                X[train], y_train, epochs=epochs or 160, validation_data=unseen,
                callbacks=stop, verbose=0,
            )  # fmt: skip
            courses.setdefault(cure, history)  # that of the first draw
            inside = model.evaluate(X[train], y_train, return_dict=True)["cross_entropy"]
            outside = model.evaluate(*unseen, return_dict=True)["cross_entropy"]
            said = model.predict(X).argmax(1)
            found[cure].append({
                "trained": inside,
                "held out": outside,
                "gap": outside - inside,
                "by heart": (said[train[wrong]] == y_train[wrong]).mean(),
                "right": (said[test] == y[test]).mean(),
                "told": history.learning.verdict == "overfitting",
            })  # fmt: skip
    means = {cure: {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
             for cure, rows in found.items()}  # fmt: skip

    print(f"{'':17}loss trained  held out   gap  mistakes by heart  test right")
    for cure, row in means.items():
        print(f"{cure:<17}{row['trained']:12.2f}  {row['held out']:8.2f}  {row['gap']:4.2f}  "
              f"{row['by heart']:17.0%}  {row['right']:10.1%}")  # fmt: skip
    for cure, history in courses.items():
        print(f"\n{cure}\n  {history.learning}")

    figure = plot.blank(11, 5.6)
    panels = figure.subplots(2, 3, sharex=True, sharey=True)
    for panel, (cure, history) in zip(panels.flat, courses.items(), strict=True):
        course = history.history
        lines = {"loss": course["cross_entropy"], "loss (held out)": course["val_cross_entropy"]}
        plot.curves(lines, cure, panel=panel)
    figure.savefig(out / "curves.png")
    for file, title, bars in (
        ("gap", "Cross-entropy at the end", {"trained on": "trained", "held out": "held out"}),
        ("right", "Read right, and learned by heart",
         {"test digits right": "right", "mistakes learned by heart": "by heart"}),
    ):  # fmt: skip
        groups = {cure: {bar: row[name] for bar, name in bars.items()}
                  for cure, row in means.items()}  # fmt: skip
        plot.bars(groups, title, path=out / f"{file}.png")
    return {cure if name == "right" else f"{cure}, {name}": value
            for cure, row in means.items() for name, value in row.items()
            if name != "trained"}  # fmt: skip
