"""Regularisers: penalties on weights, which are added to the loss.

    nn.Dense(64, kernel_regularizer="l2")            as in Keras
    layer.regularize(weight=nn.L2(1e-4))             any parameter of any module, by its name
    loss = loss_function(model(x), y) + penalty(model)      in a loop of one's own

A module keeps its rules in one dict, by the parameter's name, so that a layer which waits for its
first input can have them before it has the parameter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from autograd import Tensor

from .names import lookup

__all__ = ["L1", "L2", "L1L2", "get", "penalties", "penalty"]

Regularizer = Callable[[Tensor], Tensor]


class L1L2:
    """l1 · Σ |w| + l2 · Σ w²: elastic net (Zou & Hastie 2005), with Keras's factors."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        for name, factor in (("l1", l1), ("l2", l2)):
            if isinstance(factor, bool) or not 0 <= factor < math.inf:
                raise ValueError(
                    f"{type(self).__name__}: {name} must be a number from 0 on, not {factor!r}"
                )
        self.l1, self.l2 = float(l1), float(l2)

    def __call__(self, w: Tensor) -> Tensor:
        """The penalty of one parameter: one number."""
        if not self.l1:
            return self.l2 * (w * w).sum()
        lasso = self.l1 * w.abs().sum()
        return lasso + self.l2 * (w * w).sum() if self.l2 else lasso

    def __repr__(self) -> str:
        return f"{type(self).__name__}(l1={self.l1:g}, l2={self.l2:g})"


class L1(L1L2):
    """l1 · Σ |w|, which makes weights 0 (lasso, Tibshirani 1996)."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)


class L2(L1L2):
    """l2 · Σ w², which makes weights small (ridge, Hoerl & Kennard 1970).

    For plain gradient descent this is weight decay by 2 · l2; for Adam it is not (see `AdamW`).
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)


BY_NAME: dict[str, Callable[[], Regularizer]] = {
    "l1": L1, "l2": L2, "l1_l2": lambda: L1L2(0.01, 0.01),
}  # fmt: skip


def get(rule: str | Regularizer | type) -> Regularizer:
    """The regulariser of that name, class, or function of a parameter."""
    found = lookup("regularizer", BY_NAME, rule)
    made: Regularizer = found() if isinstance(rule, str) or isinstance(found, type) else found
    return made


def penalties(model: Any) -> list[tuple[Tensor, Regularizer]]:
    """(parameter, rule) of all rules in a model, for parameters that are trained."""
    found = [
        (module.parameter_for(name, "regularize"), rule)
        for module in model.modules()
        for name, rule in vars(module).get("regularizers", {}).items()
    ]
    return [(p, rule) for p, rule in found if p is not None and p.requires_grad]


def penalty(model: Any) -> Tensor | float:
    """The sum of all penalties of a model: one number to add to the loss; 0.0 without any."""
    return sum((rule(p) for p, rule in penalties(model)), start=0.0)
