"""An optimizer's step as `autograd.jit` records it: with tensors, and numbers computed per call.

Rates, and what depends on the count of steps, are the numbers; decays, clipping and which
parameters learn are part of the program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clipping import clipped_tensors
from .flat import Stretch

if TYPE_CHECKING:
    from .optimizer import Optimizer

__all__ = ["take"]


def take(optimizer: Optimizer, watcher: Any) -> None:
    """Take the step, for the watcher who records it."""
    groups, options = optimizer.groups, optimizer.own
    if optimizer.accumulate > 1 or not groups:
        watcher.refuse("the optimizer accumulates gradients, or has no parameters", "")
    facts = _facts(optimizer)
    watcher.guard(lambda: optimizer.own is options and _facts(optimizer) == facts)
    if options or optimizer.constrained:
        before = _decays(optimizer)
        watcher.guard(lambda: _decays(optimizer) == before)
    found = [group.record(watcher, [watcher.gradient(p) for p in group.params]) for group in groups]
    scalars = _Scalars(optimizer, [[place for place, _ in group] for group in found])
    numbers = watcher.number(scalars)
    loss = watcher.loss if watcher.loss is not None and watcher.loss.size == 1 else None
    gradients = [g for group in found for _, g in group]
    watcher.shows(gradients if loss is None else [*gradients, loss], scalars.show)
    if optimizer.clip_value is not None or optimizer.clip_norm is not None:
        found = clipped_tensors(found, optimizer.clip_value, optimizer.clip_norm)
    for i, group in enumerate(groups):
        mark = _mark(optimizer, i)
        own = {k[len(mark) :]: v for k, v in numbers.items() if k.startswith(mark)}
        decay = options[i].get("weight_decay", optimizer.weight_decay) if options else 0
        decays = bool(decay or optimizer.weight_decay)
        pull, shrink = own.pop("pull"), own.pop("shrink")
        pulls, _ = optimizer.decays(1.0, 1.0)
        group.apply_recorded(
            optimizer.formula, found[i], pull if decays and pulls else None,
            shrink if decays and not pulls else None, own,
        )  # fmt: skip
    if optimizer.constrained:
        optimizer.constrain()


def _facts(optimizer: Optimizer) -> tuple[Any, ...]:
    """What a recorded step takes for granted."""
    return (
        optimizer.weight_decay, optimizer.clip_value, optimizer.clip_norm, optimizer.accumulate,
    )  # fmt: skip


def _decays(optimizer: Optimizer) -> list[Any]:
    """The groups' own decays, and which of the constrained parameters learn."""
    return [
        *[options.get("weight_decay") for options in optimizer.own],
        *[p.requires_grad for p in optimizer.constrained],
    ]


def _mark(optimizer: Optimizer, i: int) -> str:
    """What a group's numbers are told apart by, where there are several."""
    return f"{i}." if len(optimizer.groups) > 1 else ""


class _Scalars:
    """The numbers of a recorded step, computed as the step is taken.

    `places` are those of the gradients in each of the optimizer's groups.
    """

    def __init__(self, optimizer: Optimizer, places: list[list[slice]]) -> None:
        self.optimizer, self.places = optimizer, places
        self.gradients: list[list[Stretch]] | None = None
        """Where gradients will lie after each step; not known as long as it is being recorded."""
        self.loss: Any = None
        """Where the loss will lie, if the step begins at one."""

    def show(self, arrays: list[Any]) -> None:
        """The gradients, one behind the other, will lie in these, and behind them the loss."""
        left = iter(arrays)
        self.gradients = [[(s.start, s.stop, next(left)) for s in group] for group in self.places]
        self.loss = next(left, None)

    def __call__(self) -> dict[str, Any]:
        optimizer, gradients = self.optimizer, self.gradients
        observer = optimizer.observer
        if observer is not None and gradients is not None and optimizer.steps >= observer.next:
            observer.before(optimizer, gradients, self.loss)
        rates = optimizer.rates()
        optimizer.steps += 1
        found: dict[str, Any] = {}
        for i, (lr, decay) in enumerate(rates):
            own = optimizer.scalars(lr, decay)
            own["pull"], own["shrink"] = optimizer.decays(lr, decay)
            if len(rates) == 1:
                return own
            found |= {_mark(optimizer, i) + key: value for key, value in own.items()}
        return found

    def undo(self) -> None:
        """The step was not taken after all."""
        self.optimizer.steps -= 1
        if self.gradients is not None and self.optimizer.observer is not None:
            self.optimizer.observer.cancel()
