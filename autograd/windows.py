"""Convolution and pooling of tensors, with arguments as people write them.

Channels come last: x is (N, *spatial, C), with any number of spatial axes.  A `stride`, `dilation`
or window size is an int, or one int per spatial axis.  `padding` is

- "valid": none, windows lie inside;
- "same": as many windows as elements, divided by the stride and rounded up; what is odd is added
  at the end, as TensorFlow does it;
- "causal": all before, so that no window sees what comes after its place;
- an int for all sides, an int per axis, or a pair (before, after) per axis.
"""

from __future__ import annotations

import math
from typing import Any

from .create import ones
from .dtypes import is_float
from .errors import ShapeError
from .explain import refuse
from .ops import convolution as c
from .ops import pooling as p
from .ops.precision import is_half
from .ops.window import Pairs, Sizes, places
from .tensor import Tensor

__all__ = ["avg_pool", "conv", "conv_transpose", "max_pool"]


def conv(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution (in the sense of deep learning: correlation), channels last.

    x (N, *spatial, C), kernel (*size, C / groups, filters), bias (filters,); the result is
    (N, *places, filters).

    >>> from autograd import ones
    >>> conv(ones((8, 28, 28, 1)), ones((3, 3, 1, 32)), padding="same", stride=2).shape
    (8, 14, 14, 32)
    """
    _check_ranks("conv", x, kernel)
    _check_groups("conv", kernel.shape[-1], groups, x, kernel)
    how = _how("conv", x, kernel.shape[:-2], stride, padding, dilation)
    channels, filters = kernel.shape[-2] * groups, kernel.shape[-1]
    if x.shape[-1] != channels:
        mend = "The last axis of x holds its channels." + _moved(x, channels)
        headline = f"conv: x has {x.shape[-1]} channels, the kernel is for {channels}"
        if groups > 1:
            headline += f" ({groups} groups of {kernel.shape[-2]})"
        raise refuse(ShapeError, headline, mend, x, kernel)
    if bias is None:
        return c.conv(x, kernel, groups=groups, **how)
    _check_bias("conv", bias, filters, kernel)
    return c.conv_affine(x, kernel, bias, groups=groups, **how)


def conv_transpose(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = "valid",
    dilation: Any = 1,
    groups: int = 1,
    output_padding: Any = None,
) -> Any:
    """Transposed convolution: each element of x adds its multiple of the kernel to a window.

    x (N, *spatial, C), kernel (*size, filters / groups, C), bias (filters,).  It is the gradient of
    `conv` to its input, so the kernel's last two axes are the other way about.  The result has
    n · stride elements along an axis for "same", and for "valid" as many more as the window is
    longer than the stride.  Explicit padding p cuts p elements off each side, of
    (n − 1) · stride + window, and `output_padding` adds elements at the end.

    >>> from autograd import ones
    >>> conv_transpose(ones((8, 7, 7, 64)), ones((3, 3, 32, 64)), stride=2, padding="same").shape
    (8, 14, 14, 32)
    """
    _check_ranks("conv_transpose", x, kernel)
    rank = x.ndim - 2
    stride = _per_axis("conv_transpose: stride", stride, rank)
    dilation = _per_axis("conv_transpose: dilation", dilation, rank)
    extra = None
    if output_padding is not None:
        extra = _per_axis("conv_transpose: output_padding", output_padding, rank, least=0)
    span = [d * (k - 1) + 1 for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    if x.shape[-1] != kernel.shape[-1]:
        headline = (
            f"conv_transpose: x has {x.shape[-1]} channels, the kernel is for {kernel.shape[-1]}"
        )
        mend = "Its kernel is (*size, filters / groups, channels)." + _moved(x, kernel.shape[-1])
        raise refuse(ShapeError, headline, mend, x, kernel)
    _check_groups("conv_transpose", x.shape[-1], groups, x, kernel)
    shape, pairs = [], []
    for i, (n, s, k) in enumerate(zip(x.shape[1:-1], stride, span, strict=True)):
        size, pair = _grown(n, s, k, padding, i, rank, extra[i] if extra else None)
        if size < 1:
            headline = (
                f"conv_transpose: padding {pair} leaves nothing of {(n - 1) * s + k} elements"
            )
            raise refuse(ShapeError, headline, "Pad less.", x, kernel)
        shape.append(size)
        pairs.append(pair)
    if places(tuple(shape), kernel.shape[:-2], stride, tuple(pairs), dilation) != x.shape[1:-1]:
        headline = f"conv_transpose: output_padding {extra} with a stride of {stride}"
        mend = "It must be smaller than the stride: so much more is another element of x."
        raise refuse(ShapeError, headline, mend, x, kernel)
    how = {"stride": stride, "padding": tuple(pairs), "dilation": dilation, "groups": groups}
    z = c.conv_transpose(x, kernel, shape=tuple(shape), **how)
    if bias is None:
        return z
    _check_bias("conv_transpose", bias, z.shape[-1], kernel)
    return z + bias


def max_pool(x: Tensor, size: Any, stride: Any = None, padding: Any = "valid") -> Any:
    """The largest element of each window, channel by channel; `stride` is the size by default.

    Padding counts as -inf.  Of equal elements the first gets the gradient, as in PyTorch.
    """
    return p.max_pool(x, **_pool("max_pool", x, size, stride, padding))


def avg_pool(
    x: Tensor, size: Any, stride: Any = None, padding: Any = "valid", count_padding: bool = False
) -> Any:
    """The mean of each window, channel by channel; `stride` is the size by default.

    Padding is left out of the mean, as in Keras, unless `count_padding` says that it counts as
    zeros, as in PyTorch.
    """
    how = _pool("avg_pool", x, size, stride, padding)
    if is_half(x) or not is_float(x.dtype):  # whose sums would overflow
        mean = avg_pool(x.astype("float32"), size, stride, padding, count_padding)
        return mean.astype(x.dtype) if is_half(x) else mean
    total = p.sum_pool(x, **how)
    if count_padding or not any(map(any, how["padding"])):
        return total * (1 / math.prod(how["size"]))
    there = ones((1, *x.shape[1:-1], 1), dtype=x.dtype, backend=x.backend)
    return total / p.sum_pool(there, **how)


# --- reading arguments ---


def _per_axis(what: str, wish: Any, rank: int, least: int = 1) -> Sizes:
    """An int for all spatial axes, or one per axis, as a tuple."""
    sizes = tuple(wish) if isinstance(wish, (tuple, list)) else (wish,) * rank
    if len(sizes) != rank or not all(type(n) is int and n >= least for n in sizes):
        raise ShapeError(
            f"{what} must be a whole number from {least} on, or {rank} of them, not {wish!r}"
        )
    return sizes


def _pairs(name: str, padding: Any, rank: int) -> Pairs:
    """Explicit padding as one pair (before, after) per spatial axis."""
    wish = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * rank
    pairs = tuple([tuple(p) if isinstance(p, (tuple, list)) else (p, p) for p in wish])
    if len(pairs) != rank or not all(
        len(p) == 2 and all(type(n) is int and n >= 0 for n in p) for p in pairs
    ):
        raise ShapeError(
            f'{name}: padding must be "valid", "same", a whole number from 0 on, or {rank} numbers '
            f"or pairs (before, after), not {padding!r}"
        )
    return pairs


def _padding(
    name: str, padding: Any, shape: Sizes, size: Sizes, stride: Sizes, dilation: Sizes
) -> Pairs:
    """Padding in any of its forms as one pair (before, after) per spatial axis."""
    if padding == "valid":
        return ((0, 0),) * len(shape)
    if padding in ("same", "causal"):
        pairs = []
        for n, k, s, d in zip(shape, size, stride, dilation, strict=True):
            span = d * (k - 1) + 1
            if padding == "causal":
                pairs.append((span - 1, 0))
                continue
            total = max((-(-n // s) - 1) * s + span - n, 0)
            pairs.append((total // 2, total - total // 2))
        return tuple(pairs)
    return _pairs(name, padding, len(shape))


def _grown(
    n: int, s: int, k: int, padding: Any, axis: int, rank: int, more: int | None
) -> tuple[int, tuple[int, int]]:
    """Of n elements, windows of k and a stride of s: a transposed convolution's size and padding.

    `more` elements are asked for at the end; None leaves it to the padding, as Keras has it.
    """
    full = (n - 1) * s + k  # where nothing is cut off
    if padding not in ("same", "valid"):
        pair = _pairs("conv_transpose", padding, rank)[axis]
        return full - sum(pair) + (more or 0), pair
    if padding == "same":
        size = n * s if more is None else full - k + k % 2 + more
    else:
        size = full + (max(s - k, 0) if more is None else more)
    cut = max(full - size, 0)
    return size, (cut // 2, cut - cut // 2)


def _how(
    name: str, x: Tensor, size: Sizes, stride: Any, padding: Any, dilation: Any
) -> dict[str, Any]:
    """Stride, padding and dilation of windows over x, one per spatial axis."""
    rank, shape = len(size), x.shape[1:-1]
    stride = _per_axis(f"{name}: stride", stride, rank)
    dilation = _per_axis(f"{name}: dilation", dilation, rank)
    pairs = _padding(name, padding, shape, size, stride, dilation)
    if min(places(shape, size, stride, pairs, dilation)) < 1:
        for axis, (n, k, d, pair) in enumerate(zip(shape, size, dilation, pairs, strict=True), 1):
            if n + sum(pair) < d * (k - 1) + 1:
                wide = f"{n} elements" + (f" and {sum(pair)} of padding" if any(pair) else "")
                headline = (
                    f"{name}: a window of {d * (k - 1) + 1} does not fit axis {axis} with {wide}"
                )
                mend = 'Use a smaller window or padding="same".'
                raise refuse(ShapeError, headline, mend, x)
    return {"stride": stride, "padding": pairs, "dilation": dilation}


def _pool(name: str, x: Tensor, size: Any, stride: Any, padding: Any) -> dict[str, Any]:
    """Size, stride and padding of pooling windows, one per spatial axis."""
    rank = x.ndim - 2
    if rank < 1:
        mend = "Pooling needs (N, *spatial, channels); one sample is (1, *spatial, channels)."
        raise refuse(ShapeError, f"{name}: x has {x.ndim} axes", mend, x)
    size = _per_axis(f"{name}: size", size, rank)
    how = _how(name, x, size, size if stride is None else stride, padding, 1)
    del how["dilation"]
    for k, pair in zip(size, how["padding"], strict=True):
        if max(pair) >= k:
            mend = "Padding must be smaller than the window."
            headline = f"{name}: with padding {pair} a window of {k} can lie outside of x"
            raise refuse(ShapeError, headline, mend, x)
    return {"size": size, **how}


def _check_ranks(name: str, x: Tensor, kernel: Tensor) -> None:
    if kernel.ndim < 3 or x.ndim != kernel.ndim:
        kind = f"conv{kernel.ndim - 2}D" if kernel.ndim > 2 else "no convolution"
        mend = f"A kernel with {kernel.ndim} axes ({kind}) needs x (N, *spatial, channels)"
        mend += f" with {kernel.ndim}."
        if kernel.ndim > 2 and x.ndim == kernel.ndim - 1:
            mend += " Is the axis of the batch, or that of the channels, missing?"
        headline = f"{name}: x has {x.ndim} axes, the kernel {kernel.ndim}"
        raise refuse(ShapeError, headline, mend, x, kernel)


def _check_groups(name: str, n: int, groups: int, x: Tensor, kernel: Tensor) -> None:
    if type(groups) is not int or groups < 1 or n % groups:
        headline = f"{name}: {groups!r} groups do not divide {n}"
        mend = "Channels and filters must both be multiples of groups."
        raise refuse(ShapeError, headline, mend, x, kernel)


def _check_bias(name: str, bias: Tensor, filters: int, kernel: Tensor) -> None:
    if bias.shape != (filters,):
        headline = f"{name}: the bias has shape {bias.shape}, for {filters} filters"
        raise refuse(ShapeError, headline, f"Give it shape ({filters},).", kernel, bias)


def _moved(x: Tensor, channels: int) -> str:
    """The mend for an input whose channels stand first."""
    if x.shape[1] != channels:
        return ""
    order = (0, *range(2, x.ndim), 1)
    return f" Channels first? Write x.permute{order}."
