"""At an optimizer's first step: parameters that have no gradient, and will not be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd import Tensor
from autograd.verdicts.words import Words, warn

if TYPE_CHECKING:
    from .optimizer import Optimizer

__all__ = ["tell_untouched"]


def tell_untouched(optimizer: Optimizer) -> None:
    """Warn of parameters that ask for a gradient and have none."""
    missed = [p for p in optimizer.params if p.requires_grad and p._grad is None]
    if not missed:
        return
    words = Words(optimizer.params)
    if len(missed) == len(optimizer.params):
        why = "None of its parameters has a gradient: call loss.backward() before."
    else:
        listed = ", ".join(map(words.name, missed[:5])) + (", …" if len(missed) > 5 else "")
        why = f"{listed} got no gradient from the first backward pass, and will not be trained. "
        why += _mend(optimizer, missed, words)
    warn(f"{optimizer.name}.step: {why}")


def _mend(optimizer: Optimizer, missed: list[Tensor], words: Words) -> str:
    """What to do: they were replaced in the model, or else the loss is to be asked."""
    owned = words.names.parameters
    if any(p in owned for p in optimizer.params) and not any(p in owned for p in missed):
        return (
            "The model has other tensors in their place: make the optimizer after the last change "
            "to the model, or assign() to a parameter instead of replacing it."
        )
    name = words.names.given(missed[0]) or words.names.variable(missed[0]) or "p"
    return (
        f"autograd.why_none({name}, lambda: loss_of_the_batch()) says where it is cut off. "
        "If it is meant, freeze() them."
    )
