"""Optimizers: how parameters follow their gradients.

    optimizer = Adam(model.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

Defaults are Keras's.  A parameter without a gradient is left alone, moments and all.
"""

from __future__ import annotations

from typing import Any

from ..names import lookup
from . import schedules
from .adam import Adam, AdamW, Nadam
from .ema import EMA
from .first_order import SGD, Adadelta, Adagrad, Lion, RMSprop
from .groups import decayed
from .layerwise import LAMB, Adafactor
from .optimizer import Optimizer
from .precision import LossScale
from .schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseSqrtDecay,
    MultiStepDecay,
    OneCycle,
    PolynomialDecay,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
)

__all__ = [
    "EMA", "LAMB", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "CosineDecay",
    "CosineDecayRestarts", "ExponentialDecay", "InverseSqrtDecay", "Lion", "LossScale",
    "MultiStepDecay", "Nadam", "OneCycle", "Optimizer", "PolynomialDecay", "RMSprop",
    "ReduceOnPlateau", "Schedule", "StepDecay", "decayed", "schedules",
]  # fmt: skip

BY_NAME: dict[str, type[Optimizer]] = {
    "sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adadelta": Adadelta, "adam": Adam,
    "adamw": AdamW, "nadam": Nadam, "lion": Lion, "lamb": LAMB, "adafactor": Adafactor,
}  # fmt: skip


def get(
    optimizer: str | Optimizer | type[Optimizer], params: Any = None, **options: Any
) -> Optimizer:
    """The optimizer of that name, or the one given, bound to the parameters if there are some.

    One that is theirs already keeps its moments.  `options` go to an optimizer that is made here.
    """
    if not isinstance(optimizer, Optimizer):
        made = lookup("optimizer", BY_NAME, optimizer)(params, **options)
        if not isinstance(made, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, not {type(made).__name__}")
        return made
    if params is not None:
        params = list(params.parameters() if hasattr(params, "parameters") else params)
        missing = {id(p) for p in params} - {id(p) for p in optimizer.params}
        if optimizer.grouped:
            _check_groups(optimizer, [p for p in params if id(p) in missing and p.requires_grad])
        elif missing or len(params) != len(optimizer.params):
            optimizer.bind(params)
    return optimizer


def _check_groups(optimizer: Optimizer, missing: list[Any]) -> None:
    """Groups say what is trained and how: what a model has beyond them would never be."""
    if missing:
        shapes = ", ".join(str(p.shape) for p in missing[:6]) + (", …" if missing[6:] else "")
        raise ValueError(
            f"{optimizer.name}: parameters of the model are in none of its groups, {shapes}. Put "
            'them into one, {"params": …}, or freeze() them.'
        )
