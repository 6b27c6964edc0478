"""Losses as functions, with PyTorch's names and its `reduction`: "mean", "sum" or "none"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd import Tensor

from .crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from .distances import Huber, MeanAbsoluteError, MeanSquaredError
from .loss import Loss, truth

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "l1_loss", "mse_loss",
]  # fmt: skip


def _reduced(loss: Loss, y_pred: Tensor, y_true: Any, reduction: str) -> Tensor:
    if reduction == "mean":
        return loss(y_pred, y_true)
    found = loss.losses(y_pred, y_true)
    if reduction == "sum":
        return found.sum()
    if reduction == "none":
        return found
    raise ValueError(f"{loss.name}: reduction {reduction!r} is none of mean, sum, none")


def mse_loss(y_pred: Tensor, y_true: Any, reduction: str = "mean") -> Tensor:
    """(x - t)²."""
    return _reduced(MeanSquaredError(), y_pred, y_true, reduction)


def l1_loss(y_pred: Tensor, y_true: Any, reduction: str = "mean") -> Tensor:
    """|x - t|."""
    return _reduced(MeanAbsoluteError(), y_pred, y_true, reduction)


def huber_loss(y_pred: Tensor, y_true: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """½ e² near 0, linear beyond delta."""
    return _reduced(Huber(delta), y_pred, y_true, reduction)


def binary_cross_entropy(y_pred: Tensor, y_true: Any, reduction: str = "mean") -> Tensor:
    """-t log p - (1 - t) log(1 - p) for probabilities p."""
    return _reduced(BinaryCrossentropy(), y_pred, y_true, reduction)


def binary_cross_entropy_with_logits(
    logits: Tensor, y_true: Any, reduction: str = "mean"
) -> Tensor:
    """The same for p = σ(logits)."""
    return _reduced(BinaryCrossentropy(from_logits=True), logits, y_true, reduction)


def cross_entropy(
    logits: Tensor,
    labels: Any,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(logits)[label] for integer labels, or -Σ t log softmax for distributions t.

    Logits are (…, classes), of sequences (N, T, classes) with labels (N, T).  Labels that are
    `ignore_index` do not count; there is none that is meant without being named.
    """
    labels = truth(labels, logits)
    if labels.dtype.kind in "iu" and labels.shape != logits.shape:
        loss: Loss = SparseCategoricalCrossentropy(True, ignore_index, label_smoothing)
    else:
        loss = CategoricalCrossentropy(True, label_smoothing)
    return _reduced(loss, logits, labels, reduction)


OF_FUNCTION: dict[Any, Callable[[], Loss]] = {
    mse_loss: MeanSquaredError, l1_loss: MeanAbsoluteError, huber_loss: Huber,
    binary_cross_entropy: BinaryCrossentropy,
    binary_cross_entropy_with_logits: lambda: BinaryCrossentropy(from_logits=True),
}  # fmt: skip
"""The loss object of each function above: it weighs samples, and tells metrics of logits."""
