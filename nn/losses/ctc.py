"""Connectionist temporal classification: labels in order, without their places in time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from autograd import Tensor, arange, concatenate, exp, full, log, maximum, where
from autograd.errors import DomainError, DTypeError, ShapeError
from autograd.ops.ctc import NEVER, ctc_alphas

from .crossentropy import _logits
from .loss import Loss, check_range, truth

__all__ = ["CTC", "ctc_loss"]

_alphas = ctc_alphas.recorder(Tensor)


def _per_sample(
    x: Tensor, labels: Tensor, lengths: Tensor, label_lengths: Tensor, blank: int
) -> Tensor:
    """-log of the probability of labels (N, L), for log-probabilities x (N, T, classes): (N,).

    The states are the labels with a blank before, between and after; the blank between two
    different labels may be passed over (Graves et al. 2006, §4.1).
    """
    n, t, _ = x.shape
    size = labels.shape[1]
    s = 2 * size + 1
    blanks = full((n, size), blank, dtype=labels.dtype, backend=x.backend)
    pairs = concatenate([blanks.reshape(n, size, 1), labels.reshape(n, size, 1)], axis=2)
    states = concatenate([pairs.reshape(n, s - 1), blanks[:, :1]], axis=1)  # (N, S)
    differs = (states[:, 2:] != states[:, :-2]) & (states[:, 2:] != blank)
    skips = where(differs, 0.0, NEVER).astype(x.dtype).pad(((0, 0), (2, 0)), NEVER)  # (N, S)
    e = x.gather(-1, states.reshape(n, 1, s).broadcast_to((n, t, s)))  # (N, T, S)
    alphas = _alphas(e, skips)  # (N, T, S)
    last = (lengths - 1).reshape(n, 1, 1).broadcast_to((n, 1, s))
    end = (2 * label_lengths).reshape(n, 1)
    final = alphas.gather(1, last).reshape(n, s)
    full_path = final.gather(1, end).reshape(n)  # ends with the blank
    label_path = final.gather(1, maximum(end - 1, 0)).reshape(n)  # ends with the last label
    label_path = where(label_lengths > 0, label_path, NEVER)
    top = maximum(full_path, label_path).detach()
    log_p = top + log(exp(full_path - top) + exp(label_path - top))
    return where(log_p < NEVER / 2, float("inf"), -log_p)


class CTC(Loss):
    """-log of the chance that logits (N, T, classes) say labels (N, L), wherever in time.

    One class is the `blank`, which says nothing and which shorter labels are filled up with: label
    lengths are read off them.  All T steps count.  Keras's loss of that name; `ctc_loss`, with
    PyTorch's arguments, knows of shorter inputs.
    """

    def __init__(self, blank: int = 0) -> None:
        self.blank, self.from_logits = blank, True

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        labels = truth(y_true, y_pred)
        if y_pred.ndim != 3 or labels.ndim != 2 or labels.shape[0] != y_pred.shape[0]:
            raise ShapeError(
                f"CTC: expected logits (N, T, classes) and labels (N, L)\n"
                f"  y_pred  {y_pred.shape} {y_pred.dtype}\n  y_true  {labels.shape} {labels.dtype}"
            )
        if labels.dtype.kind not in "iu":
            raise DTypeError(f"CTC: labels must be integers, not {labels.dtype}")
        return labels.astype("int64")

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        classes, steps = y_pred.shape[-1], y_pred.shape[1]
        check_range(self.name, y_true, 0, classes - 1, f"The model predicts {classes} classes.")
        for i, row in enumerate(y_true.tolist()):
            said = row[: row.index(self.blank)] if self.blank in row else row
            if any(label != self.blank for label in row[len(said) :]):
                raise DomainError(
                    f"CTC: y_true[{i}] has the blank, {self.blank}, between labels. It may only "
                    "stand behind them; the loss puts blanks between by itself."
                )
            needed = len(said) + sum(a == b for a, b in pairwise(said))
            if needed > steps:
                raise DomainError(
                    f"CTC: y_true[{i}] has {len(said)} labels, which need {needed} steps (equal "
                    f"neighbours need one between them), but there are {steps}"
                )

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        x = _logits(self, y_pred, "softmax").log_softmax()
        n, steps, _ = x.shape
        lengths = full((n,), steps, dtype="int64", backend=x.backend)
        return _per_sample(x, y_true, lengths, (y_true != self.blank).sum(axis=1), self.blank)


def ctc_loss(
    log_probs: Tensor,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
) -> Tensor:
    """CTC of log-probabilities (N, T, classes) and labels (N, L), of which each has its length.

    What PyTorch's does, except that the batch comes first.  "mean" divides each loss by the length
    of its labels before it takes the mean.  Labels that cannot be said in the time give infinity
    and no gradient.
    """
    if log_probs.ndim != 3:
        raise ShapeError(f"ctc_loss: log_probs must be (N, T, classes), not {log_probs.shape}")
    n, steps, classes = log_probs.shape
    labels, lengths, label_lengths = [
        x.astype("int64") if isinstance(x, Tensor) else
        Tensor(x, dtype="int64", backend=log_probs.backend)
        for x in (targets, input_lengths, target_lengths)
    ]  # fmt: skip
    if labels.ndim != 2 or not labels.shape[1]:
        raise ShapeError(f"ctc_loss: targets must be (N, L), L from 1 on, not {labels.shape}")
    for what, given in (("input_lengths", lengths), ("target_lengths", label_lengths)):
        if given.shape != (n,):
            raise ShapeError(f"ctc_loss: {what} must be ({n},), not {given.shape}")
    check_range("ctc_loss", lengths, 1, steps, f"There are {steps} steps.", "input_lengths")
    most = labels.shape[1]
    check_range("ctc_loss", label_lengths, 0, most, f"There are {most} labels.", "target_lengths")
    within = arange(most, backend=labels.backend) < label_lengths.reshape(n, 1)
    labels = where(within, labels, blank)
    check_range("ctc_loss", labels, 0, classes - 1, f"There are {classes} classes.", "targets")
    found = _per_sample(log_probs, labels, lengths, label_lengths, blank)
    if reduction == "mean":
        return (found / maximum(label_lengths, 1).astype(found.dtype)).mean()
    if reduction in ("sum", "none"):
        return found.sum() if reduction == "sum" else found
    raise ValueError(f"ctc_loss: reduction {reduction!r} is none of mean, sum, none")
