"""Metrics that are a figure of the whole set, not a mean over its samples."""

from __future__ import annotations

from math import nan
from typing import Any

from autograd import Tensor, functions, no_grad
from autograd.errors import ShapeError

from .base import Metric, columns

__all__ = ["AUC", "R2", "AveragePrecision"]


class AUC(Metric):
    """The area under the ROC curve, exact: the chance that a positive outranks a negative.

    Ties count one half (Mann and Whitney, 1947).  All scores are kept until `reset` and sorted
    once, which is exact where a table of thresholds is only close.  NaN where one of the two
    classes is missing.
    """

    name = "auc"
    live = False

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.name
        self.reset()

    def reset(self) -> None:
        self.batches: list[tuple[Tensor, Tensor]] = []

    def update(self, prediction: Tensor, target: Tensor) -> None:
        scores, truth = columns(prediction, target, self.name)
        if scores.shape[-1] != 1:
            raise ShapeError(f"{self.name}: expected one score per sample, got {prediction.shape}")
        self.batches.append((scores.reshape(-1), (truth.reshape(-1) > 0.5).astype("float64")))

    def result(self) -> float:
        if not self.batches:
            return nan
        with no_grad():
            parts: list[Any] = [
                functions.concatenate(part).numpy() for part in zip(*self.batches, strict=True)
            ]
        scores, truth = parts
        order = scores.argsort()[::-1]
        hits, scores = truth[order].cumsum(), scores[order]
        if not hits[-1] or hits[-1] == len(hits):
            return nan
        # the curve's corners, where the threshold passes from one score to the next smaller one
        corner = hits >= 0
        corner[:-1] = scores[1:] != scores[:-1]
        (corner,) = corner.nonzero()
        return float(self.area(hits[corner], corner + 1))

    def area(self, hits: Any, taken: Any) -> Any:
        """The area under the curve, whose corners have so many positives among so many taken."""
        misses = taken - hits
        twice = ((misses[1:] - misses[:-1]) * (hits[1:] + hits[:-1])).sum() + misses[0] * hits[0]
        return twice / (2 * hits[-1] * misses[-1])


class AveragePrecision(AUC):
    """The area under the curve of precision over recall, in steps: Σ (Rₙ - Rₙ₋₁) Pₙ.

    It looks at the positives alone, which tells more than `AUC` where they are few.
    """

    name = "average_precision"

    def area(self, hits: Any, taken: Any) -> Any:
        rest = ((hits[1:] - hits[:-1]) * hits[1:] / taken[1:]).sum()
        return (hits[0] * hits[0] / taken[0] + rest) / hits[-1]


class R2(Metric):
    """The coefficient of determination, 1 - Σ(y - ŷ)² / Σ(y - mean y)², averaged over columns.

    Means and squares of batches are merged by Chan, Golub and LeVeque's formula (1979), which does
    not lose digits where the mean is far from 0.  A column that is constant gives 1 where it is
    predicted exactly and else 0, as in scikit-learn; fewer than two samples give NaN.
    """

    name = "r2"

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.name
        self.reset()

    def reset(self) -> None:
        self.count = 0
        self.mean: list[float] = []
        self.spread: list[float] = []
        self.error: list[float] = []

    def update(self, prediction: Tensor, target: Tensor) -> None:
        prediction, target = columns(prediction, target, self.name)
        width = prediction.shape[-1]
        prediction = prediction.reshape(-1, width).astype("float64")
        target = target.reshape(-1, width).astype("float64")
        n, mean = len(target), target.mean(axis=0)
        spread = ((target - mean) ** 2).sum(axis=0).tolist()
        error = ((target - prediction) ** 2).sum(axis=0).tolist()
        if not self.count:
            self.mean, self.spread, self.error = [0.0] * width, [0.0] * width, [0.0] * width
        both = self.count + n
        for i, m in enumerate(mean.tolist()):
            step = m - self.mean[i]
            self.mean[i] += step * n / both
            self.spread[i] += spread[i] + step * step * self.count * n / both
            self.error[i] += error[i]
        self.count = both

    def result(self) -> float:
        if self.count < 2:
            return nan
        scores = [
            1 - e / s if s else float(e == 0) for e, s in zip(self.error, self.spread, strict=True)
        ]
        return sum(scores) / len(scores)
