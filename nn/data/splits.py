"""Samples held out: what a model is judged by, it must not have learned from."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, random
from autograd.errors import DomainError, ShapeError

from .arrays import as_array

__all__ = ["split"]


def split(x: Any, y: Any, fraction: float = 0.2, seed: int = 0, stratify: bool = False) -> Any:
    """Shuffle the samples, and hold out a fraction of them: x_train, x_test, y_train, y_test.

    >>> x, y = np.arange(10), np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    >>> [part.tolist() for part in split(x, y, 0.5, stratify=True)[2:]]
    [[0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]

    The order of what is returned is that of scikit-learn's `train_test_split`.  The same seed
    splits equally many samples in the same way, on every machine.  With `stratify`, y holds
    classes, `(N,)` or one-hot `(N, C)`, and each class is split in that proportion, rounded such
    that all in all `fraction` is held out.  Data in time should be cut instead, `x[:n], x[n:]`:
    what comes later must not help to tell what came before.
    """
    if not 0 < fraction < 1:
        raise DomainError(f"split: fraction={fraction!r}, what is held out, lies between 0 and 1")
    x, y = (a.numpy() if isinstance(a, Tensor) else as_array(a, name) for a, name in
            ((x, "x"), (y, "y")))  # fmt: skip
    if len(x) != len(y):
        raise ShapeError(f"split: x has {len(x)} samples, y has {len(y)}: one target per sample")
    n, held = len(x), round(len(x) * fraction)
    if not 0 < held < n:
        raise ShapeError(
            f"split: fraction={fraction:g} of {n} samples holds out {held}: both parts need some"
        )
    with random.using(random.Generator(seed)):
        order = random.permutation(n)
    test = _of_each_class(y[order], held) if stratify else np.arange(n) < held
    return x[order[~test]], x[order[test]], y[order[~test]], y[order[test]]


def _of_each_class(y: np.ndarray, held: int) -> np.ndarray:
    """Which of the samples are held out: of each class its share, the first ones."""
    labels = y.argmax(-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y), -1)[:, 0]
    classes, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rare = classes[counts < 2]
    if len(rare):
        raise ShapeError(
            f"split: stratify, but class {rare[0].item()!r} has one sample, which cannot be in "
            "both parts. Are these classes, and not numbers to regress?"
        )
    exact = counts * held / len(labels)
    taken = np.floor(exact).astype(int)
    missing = held - taken.sum()
    taken[np.argsort(taken - exact, kind="stable")[:missing]] += 1  # the largest remainders
    by_class = np.argsort(number, kind="stable")
    begin = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rank = np.empty(len(labels), int)  # the how manieth of its class a sample is
    rank[by_class] = np.arange(len(labels)) - np.repeat(begin, counts)
    return rank < taken[number]
