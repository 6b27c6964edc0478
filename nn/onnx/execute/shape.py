"""Operators that move elements, and those that make or ask for shapes."""

from __future__ import annotations

import math
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import Call, axes_of, dtype_named, ints, onnx_op


@onnx_op("Reshape")
def reshape(x: Tensor, shape: Any = None, *, allowzero: int = 0) -> Tensor:
    """A size 0 is that of x, unless `allowzero`."""
    sizes = ints(shape)
    if not allowzero:
        sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(sizes)]
    return x.reshape(sizes)


@onnx_op("Transpose")
def transpose(x: Tensor, *, perm: list[int] | None = None) -> Tensor:
    return ag.transpose(x, axes=tuple(perm) if perm else None)


@onnx_op("Flatten")
def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@onnx_op("Squeeze")
def squeeze(x: Tensor, axes: Any = None) -> Tensor:
    gone = (
        axes_of(axes, x.ndim) if axes is not None else [i for i, n in enumerate(x.shape) if n == 1]
    )
    return x.reshape([n for i, n in enumerate(x.shape) if i not in gone])


@onnx_op("Unsqueeze")
def unsqueeze(x: Tensor, axes: Any) -> Tensor:
    new = axes_of(axes, x.ndim + len(ints(axes)))
    rest = iter(x.shape)
    return x.reshape([1 if i in new else next(rest) for i in range(x.ndim + len(new))])


@onnx_op("Expand")
def expand(x: Tensor, shape: Tensor) -> Tensor:
    """To the shape that x and `shape` broadcast to."""
    sizes = ints(shape)
    ndim = max(x.ndim, len(sizes))
    own = (1,) * (ndim - x.ndim) + x.shape
    wish = [1] * (ndim - len(sizes)) + sizes
    return x.broadcast_to([n if m == 1 else m for n, m in zip(own, wish, strict=True)])


@onnx_op("Tile")
def tile(x: Tensor, repeats: Any) -> Tensor:
    counts = ints(repeats)
    if 0 in counts:
        return ag.zeros([n * c for n, c in zip(x.shape, counts, strict=True)], dtype=x.dtype)
    return ag.tile(x, *counts)


@onnx_op("Concat")
def concat(*xs: Tensor, axis: int = 1) -> Tensor:
    return ag.concatenate(xs, axis=axis)


@onnx_op("Split")
def split(
    x: Tensor, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, call: Call
) -> tuple[Tensor, ...]:
    n, count = x.shape[axis], num_outputs or len(call.outputs)
    size = -(-n // count)
    sizes = [min(size, n - i * size) for i in range(count)] if split is None else ints(split)
    return tuple(ag.split(x, sizes, axis))


@onnx_op("Slice")
def slice_(x: Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Tensor:
    along = range(x.ndim) if axes is None else axes_of(axes, x.ndim)
    by = [1] * len(ints(starts)) if steps is None else ints(steps)
    cuts: list[slice] = [slice(None)] * x.ndim
    for axis, start, end, step in zip(along, ints(starts), ints(ends), by, strict=False):
        n = x.shape[axis]
        if step < 0:  # an end before the front is no place counted from the back
            end = None if end < -n else end
        cuts[axis] = slice(start, end, step)
    return x[tuple(cuts)]


@onnx_op("Pad")
def pad(
    x: Tensor, pads: Any, constant_value: Any = None, axes: Any = None, *,
    mode: str = "constant", value: float = 0.0,
) -> Tensor:  # fmt: skip
    """Negative widths cut off."""
    widths = ints(pads)
    along = axes_of(axes, x.ndim)
    half = len(widths) // 2
    width = [(0, 0)] * x.ndim
    for axis, before, after in zip(along, widths[:half], widths[half:], strict=True):
        width[axis] = before, after
    number = value if constant_value is None else constant_value.item()
    cut = tuple(slice(max(-b, 0), n - max(-a, 0))
                for (b, a), n in zip(width, x.shape, strict=True))  # fmt: skip
    width = [(max(b, 0), max(a, 0)) for b, a in width]
    x = x[cut]
    if mode == "wrap":
        for axis, ((b, a), n) in enumerate(zip(width, x.shape, strict=True)):
            if b or a:
                places = [i % n for i in range(-b, n + a)]
                x = x[(slice(None),) * axis + (places,)]
        return x
    return ag.pad(x, width, number, mode)


@onnx_op("Trilu")
def trilu(x: Tensor, k: Any = None, *, upper: int = 1) -> Tensor:
    diagonal = 0 if k is None else ints(k)[0]
    return ag.triu(x, k=diagonal) if upper else ag.tril(x, k=diagonal)


@onnx_op("DepthToSpace")
def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    if mode == "DCR":
        x = x.reshape(n, b, b, c // b**2, h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        x = x.reshape(n, c // b**2, b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return x.reshape(n, c // b**2, h * b, w * b)


@onnx_op("SpaceToDepth")
def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    n, c, h, w = x.shape
    b = blocksize
    x = x.reshape(n, c, h // b, b, w // b, b)
    x = x.permute(0, 3, 5, 1, 2, 4) if mode == "DCR" else x.permute(0, 1, 3, 5, 2, 4)
    return x.reshape(n, c * b * b, h // b, w // b)


@onnx_op("ReverseSequence")
def reverse_sequence(
    x: Tensor, sequence_lens: Tensor, *, batch_axis: int = 1, time_axis: int = 0
) -> Tensor:
    lengths = ints(sequence_lens)
    n = x.shape[time_axis]
    order = [[k - 1 - t if t < k else t for t in range(n)] for k in lengths]
    index = Tensor(order, dtype="int64")  # (batch, time)
    index = index if batch_axis < time_axis else index.T
    shape = [n if i in (batch_axis, time_axis) else 1 for i, n in enumerate(x.shape)]
    return ag.gather(x, time_axis, index.reshape(shape).broadcast_to(x.shape))


@onnx_op("CenterCropPad")
def center_crop_pad(x: Tensor, shape: Tensor, *, axes: list[int] | None = None) -> Tensor:
    for axis, wish in zip(axes_of(axes, x.ndim), ints(shape), strict=True):
        n = x.shape[axis]
        if wish <= n:
            start = (n - wish) // 2
            x = x[(slice(None),) * axis + (slice(start, start + wish),)]
        else:
            before = (wish - n) // 2
            width = [(0, 0)] * x.ndim
            width[axis] = before, wish - n - before
            x = ag.pad(x, width)
    return x


# --- shapes themselves, and new tensors ---


@onnx_op("Shape")
def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Tensor:
    sizes = list(x.shape[start:end])
    return Tensor(sizes, dtype="int64").reshape(len(sizes))


@onnx_op("Size")
def size(x: Tensor) -> Tensor:
    return Tensor(x.size, dtype="int64")


@onnx_op("Constant")
def constant(
    *, value: Tensor | None = None, value_float: float | None = None,
    value_floats: list[float] | None = None, value_int: int | None = None,
    value_ints: list[int] | None = None,
) -> Tensor:  # fmt: skip
    if value is not None:
        return value
    if value_float is not None or value_floats is not None:
        return Tensor(value_float if value_floats is None else value_floats, dtype="float32")
    return Tensor(value_int if value_ints is None else value_ints, dtype="int64")


@onnx_op("ConstantOfShape")
def constant_of_shape(shape: Tensor, *, value: Tensor | None = None) -> Tensor:
    if value is None:
        return ag.zeros(ints(shape))
    return ag.full(ints(shape), value.item(), dtype=value.dtype)


@onnx_op("Range")
def range_(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    count = max(0, math.ceil((limit.item() - start.item()) / delta.item()))
    return (start + ag.arange(count).astype(start.dtype) * delta).astype(start.dtype)


@onnx_op("EyeLike")
def eye_like(x: Tensor, *, dtype: int | None = None, k: int = 0) -> Tensor:
    rows, columns = x.shape
    kind = x.dtype if dtype is None else dtype_named(dtype)
    below = ag.arange(rows).reshape(rows, 1) + k
    return (below == ag.arange(columns)).astype(kind)


_WINDOWS = {
    "HannWindow": (0.5, 0.5, 0.0),
    "HammingWindow": (25 / 46, 21 / 46, 0.0),
    "BlackmanWindow": (0.42, 0.5, 0.08),
}


@onnx_op(*_WINDOWS)
def window(size: Tensor, *, output_datatype: int = 1, periodic: int = 1, call: Call) -> Tensor:
    """a - b cos 2πt + c cos 4πt over one period, or symmetric."""
    (n,) = ints(size)
    t = ag.arange(n).astype("float64") * (2 * math.pi / (n if periodic else n - 1))
    a, b, c = _WINDOWS[call.kind]
    return (a - b * ag.cos(t) + c * ag.cos(2 * t)).astype(dtype_named(output_datatype))
