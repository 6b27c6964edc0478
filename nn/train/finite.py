"""Numbers that are none: which operation made the first NaN or infinity, and on which line."""

from __future__ import annotations

import warnings
from math import isfinite
from typing import TYPE_CHECKING, Any

from autograd import Tensor, names, random
from autograd.errors import DomainError
from autograd.node import Node, history

from ..data.arrays import quiet
from ..mode import training
from .callbacks import Callback

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["NotFiniteError", "TerminateOnNaN", "first_gradient", "not_finite"]

MEND = "Lower the learning rate, or compile with clip_norm=1."


class NotFiniteError(DomainError):
    """The loss, or a gradient, is NaN or infinite: nothing can be learned from it any more."""


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
            if p._grad is not None and not finite(_raw(p._grad)):
                told = f"fit: the gradient of {name} is not finite in batch {batch + 1}."
                raise NotFiniteError(f"{told} {first_gradient(self.model, data, self.before)}")

    def on_not_finite(self, error: NotFiniteError) -> None:
        self.reason = str(error)
        warnings.warn(f"{error} The training ends here.", stacklevel=2)


def finite(raw: Any) -> bool:
    """Whether every element is; NaN and infinity show in the largest magnitude."""
    return not raw.size or isfinite(abs(raw).max().item())


def not_finite(model: Module, loss: Tensor | None, epoch: int, batch: int) -> str:
    """What to say of a loss that is NaN or infinite; `loss` is at hand while its graph is."""
    told = f"fit: the loss is not finite in epoch {epoch + 1}, batch {batch + 1}."
    if loss is not None:
        told = f"fit: the loss is {loss.item()} in epoch {epoch + 1}, batch {batch + 1}."
    for name, p in model.named_parameters():
        if not finite(p.raw):
            return f"{told} {name} is not finite any more: the last step was too large. {MEND}"
    for node in reversed(history(loss)) if loss is not None else []:
        if node.op is not None and not finite(node.raw):
            return f"{told} The first result that is not finite: {_place(model, node)}. {MEND}"
    return f"{told} {MEND}"


def first_gradient(model: Module, batch: Any, state: dict[str, Any]) -> str:
    """Which operation passes on the first gradient that is not finite.

    The batch is taken once more, with the same random numbers and the graph kept.
    """
    now = random.state()
    kept = [(p, p._grad) for p in model.parameters()]
    random.set_state(state)
    try:
        with training(True), quiet():
            _, loss = model._compiled.measure(model, batch)  # type: ignore[union-attr]
            loss.backward(retain_graph=True)
        nodes = history(loss)
        bad = next((n for n in nodes if n._grad is not None and not finite(_raw(n._grad))), None)
        if bad is None:
            return MEND
        source = next((n for n in nodes if any(x is bad for x in n.inputs)), bad)
        return f"The first is passed on by {_place(model, source)}. {MEND}"
    finally:
        random.set_state(now)
        for p, gradient in kept:
            p._grad = gradient


def _place(model: Module, node: Node) -> str:
    """log in layer 1, train.py:41, whose input goes from -0.2 to 3."""
    modules = {module: path for path, module in model.named_modules()}
    scope = node.scope
    while scope and not modules.get(scope.owner):
        scope = scope.parent
    layer = f"in layer {modules[scope.owner]}" if scope else "in the loss"
    told = f"{node.op.name if node.op else 'it'} {layer}"
    line = names.where(node)
    if node.inputs and node.inputs[0].raw.size:
        raw = node.inputs[0].raw
        told += f" (its input goes from {raw.min().item():.4g} to {raw.max().item():.4g})"
    return f"{told}, {line}" if line else told


def _raw(gradient: Any) -> Any:
    return gradient.raw if isinstance(gradient, Node) else gradient
