"""Layers that make images and series smaller or larger, without weights; channels come last."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from autograd import Tensor, concatenate, maximum, pad, repeat, stack, where
from autograd.errors import ShapeError
from autograd.windows import avg_pool, max_pool

from ..module import Module, path_of
from .recurrent import condition_of
from .space import check_rank, paddings, sizes, times

__all__ = [
    "MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D",
    "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalAvgPool1D", "GlobalAvgPool2D",
    "UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D",
]  # fmt: skip


class _Layer(Module):
    """A layer with so many spatial axes."""

    rank: ClassVar[int]


class _Pooling(_Layer):
    """One number per window and channel."""

    pool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        self.pool_size = sizes(kind, "pool_size", pool_size, self.rank)
        self.strides = (
            self.pool_size if strides is None else sizes(kind, "strides", strides, self.rank)
        )
        self.padding = paddings(kind, padding, self.rank)
        self.input_shape, self.name = input_shape, name

    def __call__(self, x: Tensor) -> Tensor:
        x = check_rank(self, x, self.rank)
        try:
            return type(self).pool(x, self.pool_size, self.strides, self.padding)
        except ShapeError as error:  # the window does not fit
            raise ShapeError(f"{path_of(self)}: {error}") from None

    def describe(self) -> str:
        parts = [times(self.pool_size)]
        if self.strides != self.pool_size:
            parts.append(f"strides {times(self.strides)}")
        if self.padding != "valid":
            parts.append(str(self.padding))
        return ", ".join(parts)


class MaxPooling1D(_Pooling):
    """The largest element of each window of x (N, steps, channels), channel by channel."""

    rank, pool = 1, staticmethod(max_pool)


class MaxPooling2D(_Pooling):
    """The largest element of each window of x (N, height, width, channels), channel by channel.

    `strides` is the window's size unless it is given.  Of equal elements the first gets the
    gradient.
    """

    rank, pool = 2, staticmethod(max_pool)


class AveragePooling1D(_Pooling):
    """The mean of each window of x (N, steps, channels); padding is left out of it."""

    rank, pool = 1, staticmethod(avg_pool)


class AveragePooling2D(_Pooling):
    """The mean of each window of x (N, height, width, channels); padding is left out of it."""

    rank, pool = 2, staticmethod(avg_pool)


class _Global(_Layer):
    """One number per channel: (N, *spatial, channels) becomes (N, channels)."""

    reduce: ClassVar[Callable[..., Tensor]]

    def __init__(self, keepdims: bool = False, name: str | None = None) -> None:
        self.keepdims, self.name = keepdims, name

    def __call__(self, x: Tensor) -> Tensor:
        x = check_rank(self, x, self.rank)
        axes = tuple(range(1, 1 + self.rank))
        return type(self).reduce(x, axis=axes, keepdims=self.keepdims)


class _GlobalOfSteps(_Global):
    """Over steps, of which a `mask` (N, steps) may leave out the padding."""

    rank, takes_mask = 1, True

    def __call__(self, x: Any, mask: Any = None) -> Tensor:
        if mask is None:
            return super().__call__(x)
        x = check_rank(self, x, self.rank)
        (real,) = condition_of(self, x, mask, None)
        return self.of_real(x, real.reshape(*real.shape, 1))

    def of_real(self, x: Tensor, real: Tensor) -> Tensor:
        """The figure over the steps that are real, (N, steps, 1); 0 where there are none."""
        raise NotImplementedError


class GlobalAveragePooling1D(_GlobalOfSteps):
    """The mean over the steps: (N, steps, channels) becomes (N, channels).

    With a `mask` (N, steps) it is over the steps that are True.
    """

    reduce = Tensor.mean

    def of_real(self, x: Tensor, real: Tensor) -> Tensor:
        count = maximum(real.sum(axis=1, keepdims=self.keepdims), 1)
        return where(real, x, 0.0).sum(axis=1, keepdims=self.keepdims) / count.astype(x.dtype)


class GlobalAveragePooling2D(_Global):
    """The mean over the image: (N, height, width, channels) becomes (N, channels)."""

    rank, reduce = 2, Tensor.mean


class GlobalMaxPooling1D(_GlobalOfSteps):
    """The largest over the steps: (N, steps, channels) becomes (N, channels).

    With a `mask` (N, steps) it is over the steps that are True.
    """

    reduce = Tensor.max

    def of_real(self, x: Tensor, real: Tensor) -> Tensor:
        largest = where(real, x, -math.inf).max(axis=1, keepdims=self.keepdims)
        return where(real.any(axis=1, keepdims=self.keepdims), largest, 0.0)


class GlobalMaxPooling2D(_Global):
    """The largest over the image: (N, height, width, channels) becomes (N, channels)."""

    rank, reduce = 2, Tensor.max


MaxPool1D, MaxPool2D = MaxPooling1D, MaxPooling2D
AvgPool1D, AvgPool2D = AveragePooling1D, AveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D

# --- larger ---


def _linear(x: Tensor, axis: int, n: int) -> Tensor:
    """n times as many elements along an axis, with straight lines between the old ones.

    Old and new elements are intervals of one length, of which the middles count: new element
    n i + j lies (j + ½) / n from the left end of old element i.  Beyond the outermost middles the
    outermost elements are repeated.
    """
    here = (slice(None),) * axis
    m = x.shape[axis]
    left = concatenate([x[(*here, slice(0, 1))], x[(*here, slice(0, m - 1))]], axis)
    right = concatenate([x[(*here, slice(1, m))], x[(*here, slice(m - 1, m))]], axis)
    phases = []
    for j in range(n):
        t = (j + 0.5) / n - 0.5  # from the middle of the old element
        phases.append((1 - abs(t)) * x + abs(t) * (left if t < 0 else right) if t else x)
    z = stack(phases, axis + 1)  # (…, m, n, …)
    return z.reshape((*x.shape[:axis], m * n, *x.shape[axis + 1 :]))


_GROW: dict[str, Callable[[Tensor, int, int], Tensor]] = {
    "nearest": lambda x, axis, n: repeat(x, n, axis),
    "bilinear": _linear,
}


class _UpSampling(_Layer):
    """`size` times as many elements along each spatial axis."""

    def __init__(self, size: Any, interpolation: str, name: str | None) -> None:
        kind = type(self).__name__
        self.size, self.name = sizes(kind, "size", size, self.rank), name
        if interpolation not in _GROW:
            raise ValueError(
                f"{kind}: interpolation {interpolation!r} is unknown. Valid: {', '.join(_GROW)}"
            )
        self.interpolation = interpolation

    def __call__(self, x: Tensor) -> Tensor:
        x = check_rank(self, x, self.rank)
        for axis, n in enumerate(self.size, start=1):
            x = _GROW[self.interpolation](x, axis, n) if n > 1 else x
        return x

    def describe(self) -> str:
        return f"{times(self.size)}, {self.interpolation}"


class UpSampling1D(_UpSampling):
    """Each step `size` times in a row: (N, steps, channels) becomes (N, size · steps, channels)."""

    rank = 1

    def __init__(self, size: int = 2, name: str | None = None) -> None:
        super().__init__(size, "nearest", name)


class UpSampling2D(_UpSampling):
    """An image `size` times as high and as wide, "nearest" or "bilinear".

    Bilinear is Keras's and PyTorch's with `align_corners=False`.
    """

    rank = 2

    def __init__(
        self, size: Any = 2, interpolation: str = "nearest", name: str | None = None
    ) -> None:
        super().__init__(size, interpolation, name)


class _ZeroPadding(_Layer):
    """Zeros around each sample."""

    def __init__(self, padding: Any = 1, name: str | None = None) -> None:
        wish = padding if isinstance(padding, (tuple, list)) else (padding,) * self.rank
        if self.rank == 1 and len(wish) == 2:  # (before, after) of the only axis
            wish = (wish,)
        pairs = tuple([tuple(p) if isinstance(p, (tuple, list)) else (p, p) for p in wish])
        if len(pairs) != self.rank or not all(
            len(p) == 2 and all(type(n) is int and n >= 0 for n in p) for p in pairs
        ):
            raise ValueError(
                f"{type(self).__name__}: padding must be a whole number from 0 on, one per spatial "
                f"axis, or pairs (before, after), not {padding!r}"
            )
        self.padding, self.name = pairs, name

    def __call__(self, x: Tensor) -> Tensor:
        return pad(check_rank(self, x, self.rank), ((0, 0), *self.padding, (0, 0)))

    def describe(self) -> str:
        return str(self.padding)


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after: `padding` is an int or (before, after)."""

    rank = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around: an int, (height, width) or ((top, bottom), (left, right))."""

    rank = 2
