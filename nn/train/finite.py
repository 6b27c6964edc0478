"""Numbers that are none: which operation made the first NaN or infinity, and on which line."""

from __future__ import annotations

import warnings
from math import isfinite
from typing import TYPE_CHECKING, Any

from autograd import Tensor, random
from autograd.errors import DomainError
from autograd.verdicts.nan import first_not_finite
from autograd.verdicts.watched import run as watched

from ..data.arrays import Data, quiet
from ..mode import training
from .callbacks import Callback

if TYPE_CHECKING:
    from ..module import Module
    from .run import Run

__all__ = ["NotFiniteError", "TerminateOnNaN", "examine", "first_gradient", "not_finite"]

MEND = "Lower the learning rate, or compile with clip_norm=1."


class NotFiniteError(DomainError):
    """The loss, or a gradient, is NaN or infinite: nothing can be learned from it any more.

    `epoch` and `index` count from 0; `batch` is what was learned from, (x, y) or
    (x, y, sample_weight), where it is still at hand.
    """

    def __init__(self, told: str, epoch: int = 0, index: int = 0, data: Data | None = None) -> None:
        self.epoch, self.index = epoch, index
        self.batch = None if data is None else tuple(data)
        at_hand = "" if data is None else " The batch is in the error, as error.batch."
        super().__init__(told + at_hand)


class TerminateOnNaN(Callback):
    """End the training, with a warning, where `fit` would raise: its history is then returned.

    It also looks at the gradients before each step, so that the weights stay as they were when the
    loss is a number but its gradient is none.  `reason` names the first bad node.
    """

    reason: str | None = None

    def on_train_begin(self, logs: dict[str, float]) -> None:
        self.reason = None

    def on_train_batch_begin(self, batch: int, logs: dict[str, float]) -> None:
        self.before = random.state()

    def after_backward(self, batch: int, data: Any) -> None:
        for name, p in self.model.named_parameters():
            if p.grad is not None and not finite(p.grad.raw):
                told = f"fit: the gradient of {name} is not finite in batch {batch + 1}."
                raise NotFiniteError(f"{told} {first_gradient(self.model, data, self.before)}")

    def on_not_finite(self, error: NotFiniteError) -> None:
        self.reason = str(error)
        warnings.warn(f"{error} The training ends here.", stacklevel=2)


def finite(raw: Any) -> bool:
    """Whether every element is; NaN and infinity show in the largest magnitude."""
    return not raw.size or isfinite(abs(raw).max().item())


def not_finite(
    model: Module, loss: Tensor | None, epoch: int, index: int, data: Data | None = None
) -> NotFiniteError:
    """The error for a loss that is NaN or infinite; `loss` is at hand while its graph is."""
    told = f"fit: the loss is not finite in epoch {epoch + 1}, batch {index + 1}."
    if loss is not None:
        told = f"fit: the loss is {loss.item()} in epoch {epoch + 1}, batch {index + 1}."
    bad = next((name for name, p in model.named_parameters() if not finite(p.raw)), None)
    if bad is not None:
        told += f" {bad} is not finite any more: the last step was too large. {MEND}"
    elif loss is not None:
        told += f" The first result that is not finite: {first_not_finite([loss])}\n  {MEND}"
    else:
        told += f" {MEND} fit(..., debug=True) stops at the operation, and says which."
    return NotFiniteError(told, epoch, index, data)


def first_gradient(model: Module, batch: Any, state: dict[str, Any]) -> str:
    """Which operation passes on the first gradient that is not finite.

    The batch is taken once more, with the same random numbers.
    """
    now = random.state()
    random.set_state(state)
    try:
        with training(True), quiet():
            seen = watched(model._compiled.measure, model, batch)  # type: ignore[union-attr]
        return f"{first_not_finite([seen.result[1]]) or ''}\n  {MEND}"
    finally:
        random.set_state(now)


def examine(run: Run, data: Data) -> None:
    """With `debug`: raise before the step where a batch makes a NaN or an infinity, at its first
    producer in the forward or the backward pass."""
    seen = watched(run.compiled.measure, run.model, data)
    found = first_not_finite([seen.result[1]])
    if found is not None:
        told = f"fit: epoch {run.epoch + 1}, batch {run.batch + 1}: {found}\n "
        raise NotFiniteError(told, run.epoch, run.batch, data)
