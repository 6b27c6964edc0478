"""Metrics of which class is taken for which: figures of the confusion matrix."""

from __future__ import annotations

from math import nan, sqrt
from typing import Any

from autograd import Tensor, functions, no_grad
from autograd.errors import ShapeError

from .base import Metric, classes, columns

__all__ = [
    "BalancedAccuracy", "CohenKappa", "ConfusionMatrix", "MatthewsCorrelation", "MeanIoU",
    "confusion_matrix",
]  # fmt: skip


class ConfusionMatrix(Metric):
    """`matrix[i][j]`: how many samples of class i were predicted to be j, as in scikit-learn.

    One score per sample makes two classes, split at `threshold`; of scores `(N, C)` the highest is
    the prediction.  Its own figure is the accuracy; a subclass writes `figure`.
    """

    name = "confusion_matrix"

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        self.name = name or self.name
        self.threshold = threshold
        self.reset()

    def reset(self) -> None:
        self.matrix: list[list[int]] = []

    def update(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.ndim == 1 or prediction.shape[-1] == 1:
            prediction, target = columns(prediction, target, self.name)
            chosen = (prediction > self.threshold).reshape(-1).astype("int64")
            labels, count = (target > 0.5).reshape(-1).astype("int64"), 2
        else:
            scores, labels = classes(prediction, target, self.name, self.ignore_index)
            chosen, count = scores.argmax(axis=-1), scores.shape[-1]
        if self.matrix and len(self.matrix) != count:
            raise ShapeError(f"{self.name}: {count} classes, after batches with {len(self.matrix)}")
        was, said = (functions.one_hot(x, count, "float64") for x in (labels, chosen))
        new = (was.T @ said).tolist()  # (C, C)
        old = self.matrix or [[0] * count] * count
        self.matrix = [
            [a + int(b) for a, b in zip(*rows, strict=True)] for rows in zip(old, new, strict=True)
        ]

    def result(self) -> float:
        return self.figure(*self._sums()) if any(map(any, self.matrix)) else nan

    def _sums(self) -> tuple[list[int], list[int], list[int]]:
        """How often each class was right, was there, and was predicted."""
        right = [row[i] for i, row in enumerate(self.matrix)]
        actual = [sum(row) for row in self.matrix]
        predicted = [sum(column) for column in zip(*self.matrix, strict=True)]
        return right, actual, predicted

    def figure(self, right: list[int], actual: list[int], predicted: list[int]) -> float:
        """The figure to tell."""
        return sum(right) / sum(actual)


class BalancedAccuracy(ConfusionMatrix):
    """The mean, over the classes that are there, of the fraction that is found (recall)."""

    name = "balanced_accuracy"

    def figure(self, right: list[int], actual: list[int], predicted: list[int]) -> float:
        found = [r / a for r, a in zip(right, actual, strict=True) if a]
        return sum(found) / len(found)


class MeanIoU(ConfusionMatrix):
    """The mean over classes of intersection over union, TP / (TP + FP + FN) (Jaccard 1912)."""

    name = "mean_iou"

    def figure(self, right: list[int], actual: list[int], predicted: list[int]) -> float:
        shares = [
            r / (a + p - r) for r, a, p in zip(right, actual, predicted, strict=True) if a + p
        ]
        return sum(shares) / len(shares)


class MatthewsCorrelation(ConfusionMatrix):
    """The correlation of prediction and truth, -1 to 1, and 0 for chance (Gorodkin 2004, eq. 8).

    0 where only one class is there, or predicted.
    """

    name = "mcc"

    def figure(self, right: list[int], actual: list[int], predicted: list[int]) -> float:
        n = sum(actual)
        both = n * sum(right) - sum(a * p for a, p in zip(actual, predicted, strict=True))
        spread = n * n - sum(a * a for a in actual), n * n - sum(p * p for p in predicted)
        return both / (sqrt(spread[0]) * sqrt(spread[1])) if all(spread) else 0.0


class CohenKappa(ConfusionMatrix):
    """How much better than by chance, 1 - (1 - accuracy) / (1 - chance) (Cohen 1960).

    NaN where one class is all there is and all that is predicted.
    """

    name = "cohen_kappa"

    def figure(self, right: list[int], actual: list[int], predicted: list[int]) -> float:
        n = sum(actual)
        chance = sum(a * p for a, p in zip(actual, predicted, strict=True)) / (n * n)
        return 1 - (1 - sum(right) / n) / (1 - chance) if chance < 1 else nan


def confusion_matrix(prediction: Any, target: Any) -> Any:
    """The matrix of predictions `(N, C)`, or scores `(N,)`, as an integer NumPy array (C, C)."""
    metric = ConfusionMatrix()
    metric(prediction, target)
    with no_grad():
        return Tensor(metric.matrix, dtype="int64", backend="numpy").numpy()
