"""Operations that choose elements, and that put elements somewhere."""

from __future__ import annotations

import math
from typing import Any

from autograd import arange
from autograd.ops.index import HERE, fill

from ..graph import Graph, Ref
from ..trace import ExportError, Size
from .shape import slices
from .table import rule


@rule
def getitem(g: Graph, z: Ref, x: Ref, *index: Ref, pattern: tuple[Any, ...]) -> Ref:
    keys = _spelt_out(pattern, index, x.ndim)
    places = [i for i, key in enumerate(_of_axes(keys)) if key is HERE]
    if not index:
        return _basic(g, z, x, keys)
    if all(ref.node is not None for ref in index) and not _has_open_axis(x):
        arrays = [ref.node.numpy() for ref in index if ref.node is not None]
        return _from_flat(g, z, x, pattern, arrays)
    if any(ref.dtype.kind == "b" for ref in index):
        raise ExportError("an index by a mask, whose result has a size that depends on data")
    if places == list(range(places[0], places[0] + len(places))) and None not in keys:
        others = [slice(None) if key is HERE else key for key in keys]
        x = _cut(g, x, others)
        if any(isinstance(key, int) for key in keys):
            raise ExportError("an index with numbers and arrays together")
        if len(index) == 1:
            return g("Gather", x, index[0], axis=places[0])
        if places[0] == 0:
            return g("GatherND", x, _together(g, index))
    raise ExportError("this index by several arrays")


def _spelt_out(pattern: tuple[Any, ...], index: tuple[Ref, ...], ndim: int) -> list[Any]:
    """The pattern with its ellipsis, which may be missing at its end, written out."""
    arrays = iter(index)
    used = 0
    for key in pattern:
        if key is HERE:
            ref = next(arrays)
            used += ref.ndim if ref.dtype.kind == "b" else 1
        else:
            used += key is not None and key is not Ellipsis
    full = [slice(None)] * (ndim - used)
    keys: list[Any] = []
    for key in pattern:
        keys += full if key is Ellipsis else [key]
    return keys if Ellipsis in [k for k in pattern if not hasattr(k, "shape")] else keys + full


def _of_axes(keys: list[Any]) -> list[Any]:
    return [key for key in keys if key is not None]


def _cut(g: Graph, x: Ref, keys: list[Any]) -> Ref:
    cuts = {i: key for i, key in enumerate(keys) if isinstance(key, slice) and key != slice(None)}
    return slices(g, x, cuts) if cuts else x


def _basic(g: Graph, z: Ref, x: Ref, keys: list[Any]) -> Ref:
    """Slices, then single places, then new axes."""
    cuts: dict[int, slice] = {}
    gone: list[int] = []
    for axis, key in enumerate(_of_axes(keys)):
        if isinstance(key, slice):
            if key != slice(None):
                cuts[axis] = key
        else:
            end = None if key == -1 else key + 1
            cuts[axis], gone = slice(key, end), [*gone, axis]
    value: Ref = slices(g, x, cuts) if cuts else x
    if gone:
        value = g("Squeeze", value, g.ints(gone))
    kept = [key for key in keys if key is None or isinstance(key, slice)]
    new = [i for i, key in enumerate(kept) if key is None]
    return g("Unsqueeze", value, g.ints(new)) if new else value


def _has_open_axis(x: Ref) -> bool:
    return any(isinstance(n, Size) for n in x.shape)


def _numbers(shape: tuple[int, ...], pattern: tuple[Any, ...], arrays: list[Any]) -> Any:
    """For each element of x[…], its number in x in C order."""
    count = arange(math.prod(shape)).reshape(shape).numpy()
    return count[fill(pattern, tuple(arrays))].reshape(-1)


def _from_flat(g: Graph, z: Ref, x: Ref, pattern: tuple[Any, ...], arrays: list[Any]) -> Ref:
    flat = g("Reshape", x, g.ints([-1]))
    chosen = g("Gather", flat, g.array(_numbers(x.shape, pattern, arrays)), axis=0)
    return g.reshape(chosen, z.shape)


def _together(g: Graph, index: tuple[Ref, ...]) -> Ref:
    """Index arrays that broadcast, as one array of places (…, len(index))."""
    ndim = max(ref.ndim for ref in index)
    shapes = [(1,) * (ndim - ref.ndim) + ref.shape for ref in index]
    shape = [max(sizes) for sizes in zip(*shapes, strict=True)]
    last, target = g.ints([-1]), g.ints(shape)
    parts = [g("Unsqueeze", g("Expand", g.cast(ref, "int64"), target), last) for ref in index]
    return g("Concat", *parts, axis=-1)


# --- putting ---


def _put(
    g: Graph, x: Ref, y: Ref, pattern: tuple[Any, ...], index: tuple[Ref, ...], how: str | None
) -> Ref:
    """x with y put, or added, at […]: on one flat axis, or on one per sample of the batch."""
    keys = _spelt_out(pattern, index, x.ndim)
    fixed = all(ref.node is not None for ref in index)
    arrays = [ref.node.numpy() for ref in index if ref.node is not None]
    if fixed and not _has_open_axis(x):
        where = _numbers(x.shape, pattern, arrays)
        return _scattered(g, x, y, g.array(where), _shape_of(x.shape, pattern, arrays), how)
    whole = isinstance(keys[0], slice) and keys[0] == slice(None)
    if fixed and whole and not any(isinstance(n, Size) for n in x.shape[1:]):
        where = _numbers(x.shape[1:], tuple(keys[1:]), arrays)
        shape = _shape_of(x.shape[1:], tuple(keys[1:]), arrays)
        batch = x.shape[0]
        places = g("Expand", g.array(where.reshape(1, -1)), g.ints([batch, len(where)]))
        flat = g.reshape(x, (batch, math.prod(x.shape[1:])))
        updates = g("Expand", y, g.ints([batch, *shape]))
        updates = g.reshape(updates, (batch, len(where)))
        put = g("ScatterElements", flat, places, updates, axis=1, reduction=how)
        return g.reshape(put, x.shape)
    if len(index) == 1 and keys[0] is HERE and all(k == slice(None) for k in keys[1:]):
        places = g("Unsqueeze", g.cast(index[0], "int64"), g.ints([-1]))
        updates = g("Expand", y, g.ints([*index[0].shape, *x.shape[1:]]))
        return g("ScatterND", x, places, updates, reduction=how)
    raise ExportError("putting values at such an index of an array that grows with the batch")


def _shape_of(shape: tuple[int, ...], pattern: tuple[Any, ...], arrays: list[Any]) -> Any:
    count = arange(math.prod(shape)).reshape(shape).numpy()
    return count[fill(pattern, tuple(arrays))].shape


def _scattered(
    g: Graph, x: Ref, y: Ref, places: Ref, shape: tuple[int, ...], how: str | None
) -> Ref:
    flat = g("Reshape", x, g.ints([-1]))
    updates = g("Reshape", g("Expand", y, g.ints(shape)), g.ints([-1]))
    put = g("ScatterElements", flat, places, updates, axis=0, reduction=how)
    return g.reshape(put, x.shape)


@rule
def setitem(g: Graph, z: Ref, x: Ref, y: Ref, *index: Ref, pattern: tuple[Any, ...]) -> Ref:
    return _put(g, x, y, pattern, index, None)


@rule
def additem(g: Graph, z: Ref, x: Ref, y: Ref, *index: Ref, pattern: tuple[Any, ...]) -> Ref:
    return _put(g, x, y, pattern, index, "add")


@rule
def putitem(
    g: Graph, z: Ref, y: Ref, *index: Ref, pattern: tuple[Any, ...], shape: tuple[int, ...]
) -> Ref:
    zeros = Ref(g("Expand", g.number(0, y.dtype), g.ints(z.shape)), z.shape, y.dtype)
    return _put(g, zeros, y, pattern, index, "add")


# --- along one axis ---


@rule
def gather(g: Graph, z: Ref, x: Ref, index: Ref, axis: int) -> Ref:
    """PyTorch's gather may take less of the other axes than there is, and so may ONNX's."""
    return g("GatherElements", x, g.cast(index, "int64"), axis=axis)


@rule
def scatter_add(g: Graph, z: Ref, x: Ref, index: Ref, y: Ref, axis: int) -> Ref:
    return g("ScatterElements", x, g.cast(index, "int64"), y, axis=axis, reduction="add")


@rule
def putalong(g: Graph, z: Ref, y: Ref, index: Ref, axis: int, shape: tuple[int, ...]) -> Ref:
    zeros = g("Expand", g.number(0, y.dtype), g.ints(z.shape))
    return g("ScatterElements", zeros, g.cast(index, "int64"), y, axis=axis, reduction="add")


@rule
def one_hot(g: Graph, z: Ref, index: Ref, classes: int, dtype: Any) -> Ref:
    """By comparison, as we do it: ONNX's OneHot counts negative indices from the end."""
    numbers = g.array(arange(classes).numpy())
    index = g("Unsqueeze", g.cast(index, "int64"), g.ints([-1]))
    return g.cast(g("Equal", index, numbers), z.dtype)


@rule
def argsort(g: Graph, z: Ref, x: Ref, axis: int, descending: bool) -> Ref:
    n = x.shape[axis]
    _, order = g("TopK", x, g.ints([n]), axis=axis, largest=int(descending), outputs=2)
    return order
