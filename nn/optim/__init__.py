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
from .first_order import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer

__all__ = ["Optimizer", "SGD", "RMSprop", "Adagrad", "Adam", "AdamW"]

BY_NAME: dict[str, type[Optimizer]] = {
    "sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW,
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
        if list(map(id, params)) != list(map(id, optimizer.params)):
            optimizer.bind(params)
    return optimizer
