"""Operations that move elements without changing them."""

from __future__ import annotations

from typing import Any

from ..graph import Graph, Ref
from ..trace import Size
from .table import rule

LAST = 2**63 - 1
"""The end of a slice that goes to the end."""


@rule
def reshape(g: Graph, z: Ref, x: Ref, shape: tuple[int, ...]) -> Ref:
    return g.reshape(x, z.shape)


@rule
def transpose(g: Graph, z: Ref, x: Ref, axes: tuple[int, ...] | None) -> Ref:
    axes = tuple(reversed(range(x.ndim))) if axes is None else axes
    return g.transpose(x, [a % x.ndim for a in axes])


@rule
def broadcast_to(g: Graph, z: Ref, x: Ref, shape: tuple[int, ...]) -> Ref:
    return g("Expand", x, g.ints(z.shape))


@rule
def sum_to(g: Graph, z: Ref, x: Ref, shape: tuple[int, ...]) -> Ref:
    extra = x.ndim - z.ndim
    axes = [*range(extra), *(i + extra for i, n in enumerate(z.shape) if n == 1)]
    if not axes:
        return g("Identity", x)
    return g.reshape(g("ReduceSum", x, g.ints(axes), keepdims=1), z.shape)


@rule
def flip(g: Graph, z: Ref, x: Ref, axis: Any) -> Ref:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return slices(g, x, {a % x.ndim: slice(None, None, -1) for a in axes})


@rule
def roll(g: Graph, z: Ref, x: Ref, shift: Any, axis: Any) -> Ref:
    if axis is None:
        flat = g("Reshape", x, g.ints([-1]))
        return g.reshape(_rolled(g, flat, shift, 0), z.shape)
    shifts = shift if isinstance(shift, tuple) else (shift,)
    for s, a in zip(shifts, axis if isinstance(axis, tuple) else (axis,), strict=True):
        x = _rolled(g, x, s % x.shape[a] if not isinstance(x.shape[a], Size) else s, a, z)
    return x


def _rolled(g: Graph, x: Ref, shift: int, axis: int, z: Ref | None = None) -> Ref:
    tail, head = (slices(g, x, {axis: part}) for part in (slice(-shift, None), slice(-shift)))
    shape = z.shape if z is not None else x.shape
    return Ref(g("Concat", tail, head, axis=axis), shape, x.dtype) if shift else x


@rule
def pad(g: Graph, z: Ref, x: Ref, width: tuple[tuple[int, int], ...], value: float) -> Ref:
    pads = [before for before, _ in width] + [after for _, after in width]
    return g("Pad", x, g.ints(pads), g.number(value, x.dtype))


@rule
def concatenate(g: Graph, z: Ref, *xs: Ref, axis: int) -> Ref:
    return g("Concat", *xs, axis=axis)


@rule
def tril(g: Graph, z: Ref, x: Ref, k: int) -> Ref:
    return g("Trilu", x, g.number(k, "int64"), upper=0)


@rule
def triu(g: Graph, z: Ref, x: Ref, k: int) -> Ref:
    return g("Trilu", x, g.number(k, "int64"), upper=1)


@rule
def astype(g: Graph, z: Ref, x: Ref, dtype: Any) -> Ref:
    return g.cast(x, z.dtype)


@rule
def to(g: Graph, z: Ref, x: Ref, backend: str) -> Ref:
    """ONNX leaves to its runtime where an array lies."""
    return x


@rule
def detach(g: Graph, z: Ref, x: Ref) -> Ref:
    return x


@rule
def identity(g: Graph, z: Ref, x: Ref) -> Ref:
    return x


def slices(g: Graph, x: str, cuts: dict[int, slice]) -> Ref:
    """x[…] with a slice along some axes."""
    steps = [1 if cut.step is None else cut.step for cut in cuts.values()]
    ends = [LAST, -LAST]  # of a slice without one, forwards and backwards
    starts = [
        (0 if step > 0 else LAST) if cut.start is None else cut.start
        for cut, step in zip(cuts.values(), steps, strict=True)
    ]
    stops = [
        ends[step < 0] if cut.stop is None else cut.stop
        for cut, step in zip(cuts.values(), steps, strict=True)
    ]
    if not cuts:
        return Ref(g("Identity", x))
    return Ref(g("Slice", x, *map(g.ints, (starts, stops, list(cuts), steps))))
