"""The losses of regression and classification, as classes."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor
from autograd.errors import DomainError, DTypeError, ShapeError
from autograd.ops import elementwise, linear

from .loss import Loss, check_range, truth

__all__ = [
    "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge", "Huber", "KLDivergence",
    "MeanAbsoluteError", "MeanSquaredError", "SparseCategoricalCrossentropy",
]  # fmt: skip

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


# --- distances ---


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
        if ((y_true == 0) | (y_true == 1)).all():
            y_true = 2 * y_true - 1
        return (1 - y_true * y_pred).relu()


class KLDivergence(Loss):
    """Σ t log(t / p) over the last axis, for two distributions; both are kept from 0."""

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, 1, "The truth must hold probabilities.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        t, p = y_true.clip(EPSILON, 1.0), y_pred.clip(EPSILON, 1.0)
        return (t * (t / p).log()).sum(axis=-1)


# --- cross-entropies ---


class BinaryCrossentropy(Loss):
    """-t log p - (1 - t) log(1 - p) for a probability p and truth t in [0, 1].

    With `from_logits` the prediction is x where p = σ(x).  Without, it is computed from x all
    the same where the prediction is the recorded result of a sigmoid.
    """

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        check_range(self.name, y_true, 0, 1, "Two classes are labelled 0 and 1.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
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
    its sum first, as in Keras.
    """

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        _several(self, y_pred)
        check_range(self.name, y_true, 0, 1, "Rows must be distributions, such as one-hot rows.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        x = _logits(self, y_pred, "softmax")
        if x is not None:
            log_p = x.log_softmax()
        else:
            _probabilities(self, y_pred, "softmax", math.inf)  # divided by its sum below
            p = y_pred / y_pred.sum(axis=-1, keepdims=True)
            log_p = p.clip(EPSILON, 1 - EPSILON).log()
        return -(y_true * log_p).sum(axis=-1)


class SparseCategoricalCrossentropy(Loss):
    """-log p[label] for probabilities (…, classes) and integer labels (…) or (…, 1).

    With `from_logits` the prediction is x where p = softmax(x).  Without, it is computed from x
    all the same where the prediction is the recorded result of a softmax.
    """

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits

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
        check_range(self.name, y_true, 0, top, f"The model predicts {top + 1} classes.")

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        x = _logits(self, y_pred, "softmax")
        if x is not None:
            return _softmax_cross_entropy(x, y_true)
        _probabilities(self, y_pred, "softmax")
        p = y_pred.clip(EPSILON, 1 - EPSILON)
        chosen = p.gather(-1, y_true.reshape(*y_true.shape, 1))
        return -chosen.log().reshape(y_true.shape)
