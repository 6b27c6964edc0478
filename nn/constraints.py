"""Constraints: what a parameter must fulfil after each step of its optimizer.

    nn.Dense(64, kernel_constraint="max_norm")       as in Keras
    layer.constrain(weight=nn.NonNeg())              any parameter of any module, by its name

A constraint is a function from a parameter to the nearest tensor that is allowed.  It is noted at
the parameter when an optimizer asks the model for it, and the optimizer applies it at the end
of `step`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd import Tensor, where

from .names import lookup

__all__ = ["MaxNorm", "MinMax", "NonNeg", "UnitNorm", "get"]

Constraint = Callable[[Tensor], Tensor]


def _norms(w: Tensor, axis: Any) -> Tensor:
    """The norm of the weights into each unit: those along `axis`."""
    return w.norm(axis=axis, keepdims=True)


class MaxNorm:
    """The weights into each unit have a norm of at most `most` (Srivastava et al. 2014, §5.1).

    `axis` is along which they lie: 0 for a dense layer's (in, out), (0, 1, 2) for a convolution's.
    """

    def __init__(self, most: float = 2.0, axis: Any = 0) -> None:
        if not most > 0:
            raise ValueError(f"MaxNorm: most must be above 0, not {most!r}")
        self.most, self.axis = most, axis

    def __call__(self, w: Tensor) -> Tensor:
        size = _norms(w, self.axis)
        return w * where(size > self.most, self.most / where(size > 0, size, 1.0), 1.0)


class UnitNorm:
    """The weights into each unit have norm 1; weights that are all 0 stay so."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        size = _norms(w, self.axis)
        return w / where(size > 0, size, 1.0)


class NonNeg:
    """No weight is below 0."""

    def __call__(self, w: Tensor) -> Tensor:
        return w.relu()


class MinMax:
    """Every weight is in [low, high], as in Wasserstein GANs (Arjovsky et al. 2017)."""

    def __init__(self, low: float = -0.01, high: float = 0.01) -> None:
        if not low < high:
            raise ValueError(f"MinMax: low must be below high, not {low!r} and {high!r}")
        self.low, self.high = low, high

    def __call__(self, w: Tensor) -> Tensor:
        return w.clip(self.low, self.high)


BY_NAME: dict[str, Callable[[], Constraint]] = {
    "max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max": MinMax,
}  # fmt: skip


def get(rule: str | Constraint | type) -> Constraint:
    """The constraint of that name, class, or function of a parameter."""
    found = lookup("constraint", BY_NAME, rule)
    made: Constraint = found() if isinstance(rule, str) or isinstance(found, type) else found
    return made
