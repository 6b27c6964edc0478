"""Layers for the steps of sequences (N, T, features): which are padding, and one for many."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, broadcast_to
from autograd.errors import ShapeError

from ..module import Module, path_of

__all__ = ["Masking", "RepeatVector"]


class Masking(Module):
    """Steps all of whose features are `value` are padding: in a `Sequential` the layers behind this
    one that take a mask are given `padding_mask(x)`.  x itself stays as it is.

    >>> Masking().padding_mask(Tensor([[[1.0, 2.0], [0.0, 0.0]]])).tolist()
    [[True, False]]
    """

    def __init__(self, value: float = 0.0, name: str | None = None) -> None:
        self.value, self.name = float(value), name

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim < 3:
            raise ShapeError(f"{path_of(self)}: the input {x.shape} must be (N, steps, features)")
        return x

    def padding_mask(self, x: Any) -> Tensor:
        """Where a step is no padding, (N, T)."""
        x = self(x)
        real: Tensor = (x != self.value).any(axis=tuple(range(2, x.ndim)))
        return real

    def describe(self) -> str:
        return f"{self.value:g} is padding"


class RepeatVector(Module):
    """The vector of each sample as `n` steps: (N, features) becomes (N, n, features).

    So a decoder sees at each step what an encoder has made of a whole sequence.
    """

    def __init__(self, n: int, name: str | None = None) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"RepeatVector: n must be a whole number from 1 on, not {n!r}")
        self.n, self.name = n, name

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 2:
            raise ShapeError(f"{path_of(self)}: the input {x.shape} must be (N, features)")
        N, F = x.shape
        return broadcast_to(x.reshape(N, 1, F), shape=(N, self.n, F))  # (N, n, F)

    def describe(self) -> str:
        return f"{self.n} times"
