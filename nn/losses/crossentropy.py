"""The losses of classification: cross-entropies."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, where
from autograd.errors import DomainError, DTypeError, ShapeError
from autograd.node import current
from autograd.ops import elementwise, linear

from .loss import Loss, check_range, only_within, truth

__all__ = ["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"]

EPSILON = 1e-7
"""Probabilities are kept this far from 0 and 1, as in Keras, so that their logarithm is finite."""

_binary_with_logits = elementwise.binary_cross_entropy_with_logits.recorder(Tensor)
_softmax_cross_entropy = linear.softmax_cross_entropy.recorder(Tensor)


def _logits(loss: Any, y_pred: Tensor, activation: str) -> Any:
    """The logits behind a prediction: itself with `from_logits`, else what the activation took.

    None where the prediction is not known to come from the activation.  Cross-entropy computed
    from logits neither overflows nor loses digits, and saves the way through the activation,
    which then is not part of the loss's graph.
    """
    op = y_pred.op
    activated = op is not None and op.name == activation and y_pred.inputs
    if loss.from_logits:
        if activated:
            raise ValueError(
                f"{loss.name}: logits are wanted, but the prediction is the result of a "
                f"{activation} already, which would be applied twice. Leave the {activation} out "
                "of the model, or use the loss of probabilities (from_logits=False)."
            )
        return y_pred
    axis = y_pred.params.get("axis", -1)
    return y_pred.inputs[0] if activated and axis in (-1, y_pred.ndim - 1) else None


def _probabilities(loss: Any, y_pred: Tensor, activation: str, high: float = 1.0) -> None:
    """Raise DomainError for a prediction that cannot be a probability.

    Clipped, it would have no gradient, and the model would not learn.
    """
    if current().watcher is not None:
        only_within(y_pred, -1e-3, high + 1e-3)
        return
    lowest, highest = y_pred.raw.min().item(), y_pred.raw.max().item()
    if lowest < -1e-3 or highest > high + 1e-3:
        raise DomainError(
            f"{loss.name}: the prediction holds {lowest if lowest < 0 else highest:.4g}, which is "
            f'no probability. End the model with activation="{activation}", or use '
            f"{loss.name}(from_logits=True)."
        )


def _several(loss: Loss, y_pred: Tensor) -> None:
    """Raise ShapeError for one class: its softmax is 1 whatever the model does."""
    if y_pred.shape[-1] == 1:
        raise ShapeError(
            f"{loss.name}: the prediction {y_pred.shape} is of one class, whose softmax is always "
            "1. End the model with one output per class, Dense(classes); for yes or no use "
            'Dense(1, activation="sigmoid") and "binary_crossentropy".'
        )


class BinaryCrossentropy(Loss):
    """-t log p - (1 - t) log(1 - p) for a probability p and truth t in [0, 1].

    With `from_logits` the prediction is x where p = σ(x).  Without, it is computed from x all
    the same where the prediction is the recorded result of a sigmoid.  `label_smoothing` moves
    truth that much of the way to ½.
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = from_logits
        self.label_smoothing = _smoothing(self, label_smoothing)

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, 1, "Two classes are labelled 0 and 1.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if s := self.label_smoothing:
            y_true = (1 - s) * y_true.astype(y_pred.dtype) + s / 2
        x = _logits(self, y_pred, "sigmoid")
        if x is not None:
            return _binary_with_logits(x, y_true)
        _probabilities(self, y_pred, "sigmoid")
        p = y_pred.clip(EPSILON, 1 - EPSILON)
        return -(y_true * p.log() + (1 - y_true) * (1 - p).log())


class CategoricalCrossentropy(Loss):
    """-Σ t log p over the last axis, for truth that is a distribution, such as one-hot rows.

    With `from_logits` the prediction is x where p = softmax(x).  Without, it is computed from x
    all the same where the prediction is the recorded result of a softmax; else p is divided by
    its sum first, as in Keras.  `label_smoothing` moves truth that much of the way to the uniform
    distribution (Szegedy et al. 2016, §7).
    """

    def __init__(self, from_logits: bool = False, label_smoothing: float = 0.0) -> None:
        self.from_logits = from_logits
        self.label_smoothing = _smoothing(self, label_smoothing)

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        _several(self, y_pred)
        check_range(self.name, y_true, 0, 1, "Rows must be distributions, such as one-hot rows.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return -(self._smoothed(y_pred, y_true) * _log_p(self, y_pred)).sum(axis=-1)

    def _smoothed(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if s := self.label_smoothing:
            return (1 - s) * y_true.astype(y_pred.dtype) + s / y_pred.shape[-1]
        return y_true


class SparseCategoricalCrossentropy(Loss):
    """-log p[label] for probabilities (…, classes) and integer labels (…) or (…, 1).

    With `from_logits` the prediction is x where p = softmax(x).  Without, it is computed from x
    all the same where the prediction is the recorded result of a softmax.  Labels that are
    `ignore_index`, such as the padding of sequences, do not count, and the mean is over the others
    (0 where there are none).  `label_smoothing` is as in `CategoricalCrossentropy`.
    """

    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        self.from_logits, self.ignore_index = from_logits, ignore_index
        self.label_smoothing = _smoothing(self, label_smoothing)

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        labels = truth(y_true, y_pred)
        wanted, given = y_pred.shape[:-1], labels.shape
        if given != wanted:
            if y_pred.ndim < 2 or given != (*wanted, 1):
                one_hot = given == y_pred.shape
                raise ShapeError(
                    f"{self.name}: the labels do not fit the prediction (…, classes)\n"
                    f"  y_pred  {y_pred.shape} {y_pred.dtype}\n"
                    f"  y_true  {given} {labels.dtype}\n"
                    + ("  One-hot truth needs CategoricalCrossentropy." if one_hot else
                       f"  Labels of shape {wanted} are needed.")
                )  # fmt: skip
            labels = labels.reshape(wanted)
        if labels.dtype.kind not in "iu":
            raise DTypeError(
                f"{self.name}: labels must be integers, not {labels.dtype}. "
                'Convert them: y.astype("int64").'
            )
        return labels

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        _several(self, y_pred)
        top = y_pred.shape[-1] - 1
        hint = f"The model predicts {top + 1} classes."
        if self.ignore_index is None:
            hint += " Padding that is not to count needs ignore_index=…."
        check_range(self.name, self._known(y_true), 0, top, hint)

    def _known(self, labels: Tensor) -> Tensor:
        """The labels, with some class for those that do not count."""
        if self.ignore_index is None:
            return labels
        return where(labels == self.ignore_index, 0, labels)

    def kept(self, y_pred: Tensor, y_true: Any) -> Tensor | None:
        if self.ignore_index is None:
            return None
        return self.align(y_pred, y_true) != self.ignore_index

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        labels = self._known(y_true)
        found = self._of_labels(y_pred, labels)
        if s := self.label_smoothing:
            found = (1 - s) * found - s * _log_p(self, y_pred).mean(axis=-1)
        return found if labels is y_true else where(y_true == self.ignore_index, 0.0, found)

    def _of_labels(self, y_pred: Tensor, labels: Tensor) -> Tensor:
        x = _logits(self, y_pred, "softmax")
        if x is not None:
            return _softmax_cross_entropy(x, labels)
        _probabilities(self, y_pred, "softmax")
        p = y_pred.clip(EPSILON, 1 - EPSILON)
        chosen = p.gather(-1, labels.reshape(*labels.shape, 1))
        return -chosen.log().reshape(labels.shape)


def _smoothing(loss: Loss, share: float) -> float:
    if isinstance(share, bool) or not 0 <= share < 1:
        raise ValueError(f"{loss.name}: label_smoothing must be in [0, 1), not {share!r}")
    return float(share)


def _log_p(loss: Any, y_pred: Tensor) -> Tensor:
    """log p of each class, from the logits where they are known."""
    x = _logits(loss, y_pred, "softmax")
    if x is not None:
        return x.log_softmax()
    _probabilities(loss, y_pred, "softmax", math.inf)  # divided by its sum below
    p = y_pred / y_pred.sum(axis=-1, keepdims=True)
    return p.clip(EPSILON, 1 - EPSILON).log()
