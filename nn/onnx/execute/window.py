"""Convolution and pooling.  ONNX has channels first, we have them last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import autograd as ag
from autograd import Tensor, windows
from autograd.ops.convolution import conv_transpose as _conv_transpose

from .table import ints, onnx_op

Pairs = list[tuple[int, int]]


def last(x: Tensor) -> Tensor:
    """(N, C, *spatial) with channels last."""
    return x.permute(0, *range(2, x.ndim), 1)


def first(x: Tensor) -> Tensor:
    """(N, *spatial, C) with channels first."""
    return x.permute(0, x.ndim - 1, *range(1, x.ndim - 1))


def pairs_of(
    auto_pad: str, pads: Sequence[int] | None, shape: Sequence[int], size: Sequence[int],
    strides: Sequence[int], dilations: Sequence[int],
) -> Pairs:  # fmt: skip
    """Padding as one pair (before, after) per spatial axis."""
    rank = len(size)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        pairs = []
        for n, k, s, d in zip(shape, size, strides, dilations, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            half = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
            pairs.append((half, total - half))
        return pairs
    given = list(pads or [0] * (2 * rank)) if auto_pad != "VALID" else [0] * (2 * rank)
    return list(zip(given[:rank], given[rank:], strict=True))


@onnx_op("Conv")
def conv(
    x: Tensor, w: Tensor, b: Tensor | None = None, *, auto_pad: str = "NOTSET",
    dilations: list[int] | None = None, group: int = 1, kernel_shape: list[int] | None = None,
    pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    pairs = pairs_of(auto_pad, pads, x.shape[2:], w.shape[2:], strides, dilations)
    kernel = w.permute(*range(2, w.ndim), 1, 0)  # (*size, C / group, O)
    return first(
        windows.conv(
            last(x), kernel, b, stride=tuple(strides), padding=tuple(pairs),
            dilation=tuple(dilations), groups=group,
        )
    )  # fmt: skip


@onnx_op("ConvTranspose")
def conv_transpose(
    x: Tensor, w: Tensor, b: Tensor | None = None, *, auto_pad: str = "NOTSET",
    dilations: list[int] | None = None, group: int = 1, kernel_shape: list[int] | None = None,
    output_padding: list[int] | None = None, output_shape: list[int] | None = None,
    pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    """`output_shape`, or a same padding, says how much of the full result is cut off."""
    rank = x.ndim - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    extra = output_padding or [0] * rank
    full = [
        (n - 1) * s + (k - 1) * d + 1
        for n, s, k, d in zip(x.shape[2:], strides, w.shape[2:], dilations, strict=True)
    ]
    if output_shape is None and auto_pad.startswith("SAME"):
        output_shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if output_shape is not None:
        totals = [f + e - n for f, e, n in zip(full, extra, output_shape[-rank:], strict=True)]
        upper = auto_pad == "SAME_UPPER"
        halves = [t // 2 if upper else t - t // 2 for t in totals]
        pairs = [(h, t - h) for h, t in zip(halves, totals, strict=True)]
    else:
        pairs = pairs_of(auto_pad, pads, x.shape[2:], w.shape[2:], strides, dilations)
    shape = [f + e - sum(p) for f, e, p in zip(full, extra, pairs, strict=True)]
    widened = tuple((max(before, 0), max(after, 0)) for before, after in pairs)
    kernel = w.permute(*range(2, w.ndim), 1, 0)  # (*size, O / group, C)
    inner = [f - sum(p) + e for f, p, e in zip(full, widened, extra, strict=True)]
    z = _conv_transpose(
        last(x), kernel, shape=tuple(inner), stride=tuple(strides), padding=widened,
        dilation=tuple(dilations), groups=group,
    )  # fmt: skip
    if inner != shape:  # a wish for more than there is: zeros around it
        more = [(n - m) for n, m in zip(shape, inner, strict=True)]
        before = [max(-p[0], 0) for p in pairs]
        z = ag.pad(z, [(0, 0), *[(b, m - b) for b, m in zip(before, more, strict=True)], (0, 0)])
    return first(z if b is None else z + b)


# --- pooling ---


class Windows:
    """Where pooling windows lie over an array (N, C, *spatial), whose places outside are empty.

    With `ceil_mode` a window that begins inside or in the padding before, but not in the padding
    behind, counts though it is not whole.
    """

    def __init__(
        self, x: Tensor, size: Sequence[int], strides: Sequence[int] | None,
        pads: Sequence[int] | None, dilations: Sequence[int] | None, auto_pad: str, ceil_mode: int,
    ) -> None:  # fmt: skip
        rank, self.x = len(size), x
        self.strides, self.dilations = strides or [1] * rank, dilations or [1] * rank
        self.size, self.shape = size, x.shape[2:]
        self.pairs = pairs_of(auto_pad, pads, self.shape, size, self.strides, self.dilations)
        self.out = [self._count(i, n, ceil_mode) for i, n in enumerate(self.shape)]

    def _count(self, i: int, n: int, ceil_mode: int) -> int:
        before, after = self.pairs[i]
        span, stride = (self.size[i] - 1) * self.dilations[i] + 1, self.strides[i]
        room = n + before + after - span
        count = (-(-room // stride) if ceil_mode else room // stride) + 1
        return count - 1 if ceil_mode and (count - 1) * stride >= n + before else count

    def _places(self, i: int) -> list[list[int]]:
        """Along axis i, for each window, the place of each tap."""
        start, step, d = self.pairs[i][0], self.strides[i], self.dilations[i]
        return [[p * step - start + t * d for t in range(self.size[i])] for p in range(self.out[i])]

    def taken(self, empty: float) -> Tensor:
        """(N, C, *out, *size): what lies in each window, `empty` where nothing does."""
        x, rank = self.x, len(self.size)
        width = [(0, 0), (0, 0)]
        index: list[Any] = [slice(None), slice(None)]
        for i in range(rank):
            places = self._places(i)
            before = max(0, -min(min(p) for p in places))
            after = max(0, max(max(p) for p in places) - self.shape[i] + 1)
            width.append((before, after))
            shape = [1] * (2 * rank)
            shape[i], shape[rank + i] = self.out[i], self.size[i]
            moved = [[p + before for p in row] for row in places]
            index.append(Tensor(moved, dtype="int64").reshape(shape))
        return ag.pad(x, width, empty)[tuple(index)]

    def counted(self, padding_too: bool) -> Tensor:
        """(*out): how many places of each window are in the array, or in it and its padding."""
        counts: Any = 1
        for i, n in enumerate(self.shape):
            before, after = self.pairs[i]
            low, high = (-before, n + after) if padding_too else (0, n)
            each = [sum(low <= p < high for p in row) for row in self._places(i)]
            shape = [1] * len(self.shape)
            shape[i] = len(each)
            counts = counts * Tensor(each, dtype="float64").reshape(shape)
        return counts

    def numbers(self, column_major: bool) -> Tensor:
        """(*out, *size): the place of each tap in (*spatial), as one number."""
        rank = len(self.size)
        steps = [math.prod(self.shape[i + 1 :]) for i in range(rank)]
        if column_major:
            steps = [math.prod(self.shape[:i]) for i in range(rank)]
        total: Any = 0
        for i, step in enumerate(steps):
            shape = [1] * (2 * rank)
            shape[i], shape[rank + i] = self.out[i], self.size[i]
            total = total + Tensor(self._places(i), dtype="int64").reshape(shape) * step
        return total


def _least(dtype: Any) -> float:
    """What no number of this dtype is smaller than."""
    if dtype.kind in "iu":
        return -(2 ** (8 * dtype.itemsize - 1)) if dtype.kind == "i" else 0
    return -math.inf


@onnx_op("MaxPool")
def max_pool(
    x: Tensor, *, kernel_shape: list[int], auto_pad: str = "NOTSET", ceil_mode: int = 0,
    dilations: list[int] | None = None, pads: list[int] | None = None, storage_order: int = 0,
    strides: list[int] | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Largest elements, and the place of each in the whole of x as one number."""
    w = Windows(x, kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    taken = w.taken(_least(x.dtype))
    rank = len(kernel_shape)
    flat = taken.reshape(*x.shape[:2], *w.out, -1)
    best = flat.argmax(axis=-1, keepdims=True)
    z = ag.gather(flat, -1, best).squeeze(-1)
    numbers = w.numbers(bool(storage_order)).reshape(*w.out, -1).broadcast_to(flat.shape)
    places = ag.gather(numbers, -1, best).squeeze(-1)
    planes = ag.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *(1,) * rank)
    return z, places + planes * math.prod(x.shape[2:])


@onnx_op("MaxUnpool")
def max_unpool(
    x: Tensor, index: Tensor, output_shape: Tensor | None = None, *, kernel_shape: list[int],
    pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    rank = len(kernel_shape)
    strides, pads = strides or [1] * rank, pads or [0] * (2 * rank)
    least = [
        (n - 1) * s + k - pads[i] - pads[rank + i]
        for i, (n, s, k) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    ]
    shape = list(x.shape[:2]) + least
    if output_shape is None:
        z = ag.zeros(math.prod(shape), dtype=x.dtype)
        return z.at[index.reshape(-1)].set(x.reshape(-1)).reshape(shape)
    wish = ints(output_shape)
    z = ag.zeros(math.prod(shape), dtype=x.dtype)
    z = z.at[index.reshape(-1)].set(x.reshape(-1)).reshape(shape)
    return ag.pad(z, [(0, n - m) for n, m in zip(wish, shape, strict=True)])


@onnx_op("AveragePool")
def average_pool(
    x: Tensor, *, kernel_shape: list[int], auto_pad: str = "NOTSET", ceil_mode: int = 0,
    count_include_pad: int = 0, dilations: list[int] | None = None,
    pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    w = Windows(x, kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    total = w.taken(0.0).sum(axis=tuple(range(-len(kernel_shape), 0)))
    return total / w.counted(bool(count_include_pad)).astype(x.dtype)


@onnx_op("LpPool")
def lp_pool(
    x: Tensor, *, kernel_shape: list[int], auto_pad: str = "NOTSET", ceil_mode: int = 0,
    dilations: list[int] | None = None, p: int = 2, pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    w = Windows(x, kernel_shape, strides, pads, dilations, auto_pad, ceil_mode)
    axes = tuple(range(-len(kernel_shape), 0))
    return (abs(w.taken(0.0)) ** p).sum(axis=axes) ** (1 / p)


def _spatial(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.ndim))


@onnx_op("GlobalAveragePool")
def global_average_pool(x: Tensor) -> Tensor:
    return x.mean(axis=_spatial(x), keepdims=True)


@onnx_op("GlobalMaxPool")
def global_max_pool(x: Tensor) -> Tensor:
    return x.max(axis=_spatial(x), keepdims=True)


@onnx_op("GlobalLpPool")
def global_lp_pool(x: Tensor, *, p: int = 2) -> Tensor:
    return (abs(x) ** p).sum(axis=_spatial(x), keepdims=True) ** (1 / p)


@onnx_op("Col2Im")
def col2im(
    x: Tensor, image_shape: Tensor, block_shape: Tensor, *, dilations: list[int] | None = None,
    pads: list[int] | None = None, strides: list[int] | None = None,
) -> Tensor:  # fmt: skip
    """Columns (N, C · K, L) added to an image where their windows lie."""
    image, block = ints(image_shape), ints(block_shape)
    channels = x.shape[1] // math.prod(block)
    like = ag.zeros((x.shape[0], channels, *image), dtype=x.dtype)
    w = Windows(like, block, strides, pads, dilations, "NOTSET", 0)
    before = [p[0] for p in w.pairs]
    grown = ag.zeros(
        (x.shape[0], channels, *[n + sum(p) for n, p in zip(image, w.pairs, strict=True)]),
        dtype=x.dtype,
    )
    rank = len(block)
    parts = x.reshape(x.shape[0], channels, *block, *w.out)
    parts = parts.permute(0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    index: list[Any] = [slice(None), slice(None)]
    for i in range(rank):
        shape = [1] * (2 * rank)
        shape[i], shape[rank + i] = w.out[i], block[i]
        moved = [[p + before[i] for p in row] for row in w._places(i)]
        index.append(Tensor(moved, dtype="int64").reshape(shape))
    z = grown.at[tuple(index)].add(parts)
    cut = [slice(b, b + n) for b, n in zip(before, image, strict=True)]
    return z[(slice(None), slice(None), *cut)]
