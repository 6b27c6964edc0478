"""Losses that compare numbers: of regression, of margins, of distributions."""

from __future__ import annotations

import math

from autograd import Tensor, maximum, where

from .loss import Loss, check_range

__all__ = [
    "CosineSimilarity", "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError",
    "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "Wasserstein", "normalized",
]  # fmt: skip

EPSILON = 1e-7
"""What is divided by, or has its logarithm taken, is kept this far from 0, as in Keras."""


class MeanSquaredError(Loss):
    """(x - t)²."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        error = y_pred - y_true
        return error * error


class MeanAbsoluteError(Loss):
    """|x - t|."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred - y_true).abs()


class Huber(Loss):
    """½ e² for errors e up to delta, beyond it the tangent δ (|e| - ½ δ) (Huber 1964)."""

    def __init__(self, delta: float = 1.0) -> None:
        if not delta > 0:
            raise ValueError(f"Huber: delta must be above 0, not {delta}")
        self.delta = delta

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        distance = (y_pred - y_true).abs()
        near = distance.clip(high=self.delta)
        return near * (distance - 0.5 * near)


class Hinge(Loss):
    """max(1 - t x, 0) for a score x and t of -1 or 1; truth of 0 and 1 is read as -1 and 1."""

    from_logits = True  # a score above 0 means yes, which accuracy goes by

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, -1, 1, "Labels are -1 and 1, or 0 and 1.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        y_true = y_true.astype(y_pred.dtype)  # unsigned labels have no -1
        binary = ((y_true == 0) | (y_true == 1)).all()
        y_true = where(binary, 2 * y_true - 1, y_true)
        return (1 - y_true * y_pred).relu()


class KLDivergence(Loss):
    """Σ t log(t / p) over the last axis, for two distributions; both are kept from 0."""

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, 1, "The truth must hold probabilities.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        t, p = y_true.clip(EPSILON, 1.0), y_pred.clip(EPSILON, 1.0)
        return (t * (t / p).log()).sum(axis=-1)


class LogCosh(Loss):
    """log cosh(x - t): ½ e² near 0 and |e| - log 2 far from it, smooth between."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        distance = (y_pred - y_true).abs()
        return distance + (-2 * distance).softplus() - math.log(2)


class MeanAbsolutePercentageError(Loss):
    """100 |x - t| / |t|."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        y_true = y_true.astype(y_pred.dtype)
        return 100 * ((y_pred - y_true) / maximum(y_true.abs(), EPSILON)).abs()


class MeanSquaredLogarithmicError(Loss):
    """(log(1 + x) - log(1 + t))², for numbers from 0 on; what is below counts as 0."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        y_true = y_true.astype(y_pred.dtype)
        error = y_pred.clip(low=EPSILON).log1p() - y_true.clip(low=EPSILON).log1p()
        return error * error


class Poisson(Loss):
    """x - t log x, for a rate x > 0 and counts t: -log of Poisson's distribution without log t!."""

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, math.inf, "Counts are 0, 1, 2, …")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return y_pred - y_true * (y_pred + EPSILON).log()


class CosineSimilarity(Loss):
    """-cos of the angle between prediction and truth over the last axis: -1 where they agree."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        y_true = y_true.astype(y_pred.dtype)
        return -(normalized(y_pred) * normalized(y_true)).sum(axis=-1)


class Wasserstein(Loss):
    """-t x for a critic's score x and t of 1 for real and -1 for made (Arjovsky et al. 2017).

    A generator learns with t = 1 for what it made.  The critic must be kept smooth, as by
    `MinMax` weights.
    """

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, -1, 1, "Labels are 1 for real and -1 for made.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return -(y_true.astype(y_pred.dtype) * y_pred)


def normalized(x: Tensor) -> Tensor:
    """x over its norm along the last axis; 0 stays 0."""
    return x / maximum(x.norm(axis=-1, keepdims=True), EPSILON)
