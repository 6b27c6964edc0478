"""Where things stand: attention sees a set, and these tell it the order.

Each layer adds something to x (N, T, width) that depends on the place, or turns x by it; `past` is
how many places came before, where a sequence is continued.
"""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, arange, stack
from autograd.errors import ShapeError
from autograd.functions import rotary

from .. import init
from ..module import Module, path_of

__all__ = ["PositionEmbedding", "RotaryEmbedding", "SinusoidalEmbedding"]


class PositionEmbedding(Module):
    """x plus a learned vector per place, of which there are `length` (Gehring et al. 2017).

    `weight` (length, width) is made at the first call, or at once where `input_shape` ends in the
    width.

    >>> PositionEmbedding(64, input_shape=(None, 16)).weight.shape
    (64, 16)
    """

    def __init__(
        self,
        length: int,
        kernel_init: str | init.Initializer | None = None,
        input_shape: tuple[int | None, ...] | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(length, bool) or not isinstance(length, int) or length < 1:
            raise ValueError(f"PositionEmbedding: length is a whole number from 1, not {length!r}")
        self.length, self.name = length, name
        self.kernel_init = init.get(init.normal(std=0.02) if kernel_init is None else kernel_init)
        self.weight: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    @property
    def built(self) -> bool:
        """Whether the width of the input is known."""
        return self.weight is not None

    def build(self, input_shape: tuple[int | None, ...]) -> PositionEmbedding:
        """Make the weight for samples (T, width)."""
        width = input_shape[-1]
        if not width:
            raise ShapeError(f"{path_of(self)}: input_shape {input_shape} must end in the width")
        self.weight = self._parameter("weight", self.kernel_init, (self.length, width))
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the weight in the shape that a state dict has it."""
        if "weight" in state:
            self.build(state["weight"].shape)

    def __call__(self, x: Tensor, past: int = 0) -> Tensor:
        x = _sequence(x, self)
        if self.weight is None:
            self.build(x.shape).to(x.backend)
        assert self.weight is not None
        end = past + x.shape[1]
        if end > self.length:
            raise ShapeError(
                f"{path_of(self)}: the input {x.shape} reaches place {end}, but there are only "
                f"{self.length}. Cut it, or make PositionEmbedding({end})."
            )
        return x + self.weight[past:end]  # (N, T, width) + (T, width)

    def describe(self) -> str:
        return f"{self.length} places"


class SinusoidalEmbedding(Module):
    """x plus sines and cosines of the place, at wavelengths from 2π to 2π · base (Vaswani et al.
    2017, 3.5), without parameters and of any length:

        p(t, 2i) = sin(t / base^(2i/width))        p(t, 2i + 1) = cos(t / base^(2i/width))
    """

    def __init__(self, base: float = 10000.0, name: str | None = None) -> None:
        self.base, self.name = base, name

    def __call__(self, x: Tensor, past: int = 0) -> Tensor:
        x = _sequence(x, self)
        _, T, width = x.shape
        if width % 2:
            raise ShapeError(f"{path_of(self)}: the width {width} of {x.shape} must be even")
        t = arange(past, past + T, dtype="float32", backend=x.backend)  # (T,)
        i = arange(width // 2, dtype="float32", backend=x.backend)  # (width/2,)
        angle = t.reshape(T, 1) * (i * (-2 * math.log(self.base) / width)).exp()  # (T, width/2)
        p = stack([angle.sin(), angle.cos()], axis=2)  # (T, width/2, 2)
        return x + p.reshape(T, width).astype(x.dtype)

    def describe(self) -> str:
        return f"base {self.base:g}"


class RotaryEmbedding(Module):
    """Queries or keys (N, heads, T, D) turned by their places, so that their products tell how far
    apart they are (Su et al. 2021).  `MultiHeadAttention(rotary=True)` does that by itself."""

    def __init__(self, base: float = 10000.0, name: str | None = None) -> None:
        self.base, self.name = base, name

    def __call__(self, x: Tensor, past: int = 0) -> Tensor:
        places = arange(past, past + x.shape[-2], backend=x.backend)  # (T,)
        return rotary(x, places, base=self.base)

    def describe(self) -> str:
        return f"base {self.base:g}"


def _sequence(x: Any, layer: Module) -> Tensor:
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.ndim != 3:
        raise ShapeError(
            f"{path_of(layer)}: the input has shape {x.shape}; (N, time, features) is needed"
        )
    return x
