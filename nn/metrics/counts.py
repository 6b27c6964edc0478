"""Metrics of hits and misses: precision, recall and what combines them."""

from __future__ import annotations

from math import nan

from autograd import Tensor, functions
from autograd.errors import ShapeError

from .base import Metric, classes, columns, total

__all__ = ["F1", "Precision", "Recall"]


class Counts(Metric):
    """How often each class was predicted, was there, and both.

    With one score per sample there is one class, "above the threshold".  With scores `(N, C)` the
    highest is the prediction, and the result is the plain mean over the classes that are predicted
    or there ("macro").  What is divided by 0 is 0.  Both as in scikit-learn.
    """

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        self.name = name or self.name
        self.threshold = threshold
        self.reset()

    def score(self, both: float, predicted: float, actual: float) -> float:
        """The figure of one class."""
        raise NotImplementedError

    def reset(self) -> None:
        self.counts: list[list[float]] = []  # both, predicted, actual; one number per class

    def update(self, prediction: Tensor, target: Tensor) -> None:
        if prediction.ndim == 1 or prediction.shape[-1] == 1:
            prediction, target = columns(prediction, target, self.name)
            chosen, actual = prediction > self.threshold, target > 0.5
        else:
            scores, labels = classes(prediction, target, self.name, self.ignore_index)
            chosen = functions.one_hot(scores.argmax(axis=-1), scores.shape[-1])
            actual = functions.one_hot(labels, scores.shape[-1])
        chosen, actual = chosen.astype("float32"), actual.astype("float32")
        new = [total(x, axis=0) for x in (chosen * actual, chosen, actual)]
        if not self.counts:
            self.counts = new
        elif len(self.counts[0]) != len(new[0]):
            raise ShapeError(
                f"{self.name}: {len(new[0])} classes, after batches with {len(self.counts[0])}"
            )
        else:
            self.counts = [
                [a + b for a, b in zip(*pair, strict=True)]
                for pair in zip(self.counts, new, strict=True)
            ]

    def result(self) -> float:
        if not self.counts:
            return nan
        each = zip(*self.counts, strict=True)
        scores = [self.score(*figures) for figures in each if figures[1] or figures[2]]
        return sum(scores) / max(len(scores), 1)


class Precision(Counts):
    """Of what was predicted to be a class, the fraction that is: TP / (TP + FP)."""

    name = "precision"

    def score(self, both: float, predicted: float, actual: float) -> float:
        return both / predicted if predicted else 0.0


class Recall(Counts):
    """Of what is a class, the fraction that was predicted to be: TP / (TP + FN)."""

    name = "recall"

    def score(self, both: float, predicted: float, actual: float) -> float:
        return both / actual if actual else 0.0


class F1(Counts):
    """The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""

    name = "f1"

    def score(self, both: float, predicted: float, actual: float) -> float:
        return 2 * both / (predicted + actual) if predicted + actual else 0.0
