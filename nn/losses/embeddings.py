"""Losses of embeddings: what belongs together comes to lie together."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, arange, maximum, sqrt, where
from autograd.errors import ShapeError
from autograd.ops import linear

from .distances import normalized
from .loss import Loss, check_range, truth

__all__ = ["Contrastive", "InfoNCE", "Triplet", "info_nce", "triplet_margin_loss"]

_softmax_cross_entropy = linear.softmax_cross_entropy.recorder(Tensor)


def _margin(loss: Loss, margin: float) -> float:
    if not 0 < margin < math.inf:
        raise ValueError(f"{loss.name}: margin must be above 0, not {margin!r}")
    return float(margin)


def _labels(loss: Loss, y_pred: Tensor, y_true: Any, wanted: str, ndim: int) -> Tensor:
    """One label per sample, for predictions with this many axes."""
    labels = truth(y_true, y_pred)
    n = y_pred.shape[0] if y_pred.ndim else 0
    if y_pred.ndim != ndim or labels.shape not in ((n,), (n, 1)):
        raise ShapeError(
            f"{loss.name}: expected {wanted} and one label for each, (N,)\n"
            f"  y_pred  {y_pred.shape} {y_pred.dtype}\n  y_true  {labels.shape} {labels.dtype}"
        )
    return labels.reshape(n)


class Contrastive(Loss):
    """d² for pairs that are the same, max(margin - d, 0)² for others (Hadsell et al. 2006, eq. 4,
    without its ½).

    The prediction is pairs of embeddings, (N, 2, D), d their Euclidean distance; truth (N,) is 1
    for the same and 0 for others.
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = _margin(self, margin)

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        labels = _labels(self, y_pred, y_true, "pairs of embeddings, (N, 2, D),", 3)
        if y_pred.shape[1] != 2:
            raise ShapeError(f"{self.name}: y_pred {y_pred.shape} holds no pairs, (N, 2, D)")
        return labels

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, 1, "1 says the same, 0 different.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        same = y_true.astype(y_pred.dtype)
        d = (y_pred[:, 0] - y_pred[:, 1]).norm(axis=-1)
        return same * d**2 + (1 - same) * (self.margin - d).relu() ** 2


class Triplet(Loss):
    """max(d(a, p) - d(a, n) + margin, 0), for each sample a of a batch with the farthest p of its
    class and the nearest n of another (Hermans et al. 2017, eq. 5, "batch hard").

    The prediction is embeddings (N, D), truth their classes (N,).  `triplet_margin_loss` takes
    triplets that are formed already.
    """

    def __init__(self, margin: float = 1.0) -> None:
        self.margin = _margin(self, margin)

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        return _labels(self, y_pred, y_true, "embeddings (N, D)", 2)

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        n = y_pred.shape[0]
        squares = (y_pred * y_pred).sum(axis=1)
        square = squares.reshape(n, 1) + squares - 2 * (y_pred @ y_pred.T)  # (N, N)
        apart = square > 0  # at 0 the root has no slope
        d = where(apart, sqrt(where(apart, square, 1.0)), 0.0)
        same = y_true.reshape(n, 1) == y_true
        farthest = where(same, d, 0.0).max(axis=1)
        nearest = where(same, math.inf, d).min(axis=1)  # infinite in a batch of one class: no loss
        return (farthest - nearest + self.margin).relu()


class InfoNCE(Loss):
    """Each prediction should know its own truth among those of the batch (van den Oord et al. 2018,
    eq. 4): cross-entropy of their cosine similarities over `temperature`.

    Prediction and truth are embeddings (N, D).  The symmetric loss of CLIP is the mean of
    info_nce(a, b) and info_nce(b, a).
    """

    def __init__(self, temperature: float = 0.1) -> None:
        if not 0 < temperature < math.inf:
            raise ValueError(f"InfoNCE: temperature must be above 0, not {temperature!r}")
        self.temperature = float(temperature)

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if y_pred.ndim != 2:
            raise ShapeError(f"InfoNCE: expected embeddings (N, D), not {y_pred.shape}")
        likeness = normalized(y_pred) @ normalized(y_true).T / self.temperature  # (N, N)
        own = arange(y_pred.shape[0], dtype="int64", backend=y_pred.backend)
        return _softmax_cross_entropy(likeness, own)


def info_nce(a: Tensor, b: Any, temperature: float = 0.1) -> Tensor:
    """The mean of `InfoNCE` over embeddings a (N, D), each with its own b."""
    return InfoNCE(temperature)(a, b)


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, reduction: str = "mean"
) -> Tensor:
    """max(d(a, p) - d(a, n) + margin, 0) for triplets of embeddings (N, D), with PyTorch's name."""
    near = (anchor - positive).norm(axis=-1)
    far = (anchor - negative).norm(axis=-1)
    found = maximum(near - far + margin, 0.0)
    if reduction in ("mean", "sum"):
        return found.mean() if reduction == "mean" else found.sum()
    if reduction == "none":
        return found
    raise ValueError(f"triplet_margin_loss: reduction {reduction!r} is none of mean, sum, none")
