"""Operators that choose elements, and that put elements somewhere."""

from __future__ import annotations

from itertools import product
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import ints, onnx_op


@onnx_op("Gather")
def gather(x: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    return x[(slice(None),) * (axis % x.ndim) + (index if index.ndim else index.item(),)]


@onnx_op("GatherElements")
def gather_elements(x: Tensor, index: Tensor, *, axis: int = 0) -> Tensor:
    return ag.gather(x, axis, index)


@onnx_op("GatherND")
def gather_nd(x: Tensor, index: Tensor, *, batch_dims: int = 0) -> Tensor:
    return x[_places(x, index, batch_dims)]


def _places(x: Tensor, index: Tensor, batch_dims: int = 0) -> tuple[Any, ...]:
    """The NumPy index that reads the last axis of `index` as a place, sample by sample."""
    samples: list[Any] = []
    for i in range(batch_dims):
        sizes = [1] * (index.ndim - 1)
        sizes[i] = index.shape[i]
        samples.append(ag.arange(index.shape[i]).reshape(sizes))
    if index.ndim == 1:
        return tuple(ints(index))
    return (*samples, *[index[..., k] for k in range(index.shape[-1])])


@onnx_op("ScatterND")
def scatter_nd(x: Tensor, index: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    return _scatter(x, _places(x, index), updates, reduction)


@onnx_op("ScatterElements", "Scatter")
def scatter_elements(
    x: Tensor, index: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none"
) -> Tensor:
    axis = axis % x.ndim
    places: list[Any] = []
    for i, n in enumerate(index.shape):
        sizes = [1] * index.ndim
        sizes[i] = n
        places.append(index if i == axis else ag.arange(n).reshape(sizes))
    return _scatter(x, tuple(places), updates, reduction)


def _scatter(x: Tensor, places: tuple[Any, ...], y: Tensor, reduction: str) -> Tensor:
    """x with y put at the places, or joined with what is there, one after the other."""
    if reduction == "none":
        return x.at[places].set(y)
    if reduction == "add":
        return x.at[places].add(y)
    join = {"mul": ag.mul, "max": ag.maximum, "min": ag.minimum}[reduction]
    number = ag.arange(x.size).reshape(x.shape)[places].reshape(-1)  # in x, in C order
    flat, rows = x.reshape(-1), y.broadcast_to(x[places].shape).reshape(-1)
    seen: dict[int, int] = {}
    turns: list[list[int]] = []  # the k-th time that a place comes
    for i, place in enumerate(ints(number)):
        turn = seen[place] = seen.get(place, -1) + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(i)
    for turn in turns:
        at = number[turn]
        flat = flat.at[at].set(join(flat[at], rows[turn]))
    return flat.reshape(x.shape)


@onnx_op("TensorScatter")
def tensor_scatter(
    cache: Tensor, update: Tensor, write_indices: Tensor | None = None, *,
    axis: int = -2, mode: str = "linear",
) -> Tensor:  # fmt: skip
    """Into each sample of a cache, from its own place on."""
    axis, n = axis % cache.ndim, update.shape[axis]
    starts = [0] * cache.shape[0] if write_indices is None else ints(write_indices)
    size = cache.shape[axis]
    rows = [[(s + k) % size if mode == "circular" else s + k for k in range(n)] for s in starts]
    shape = [1] * cache.ndim
    shape[0], shape[axis] = len(starts), n
    index = Tensor(rows, dtype="int64").reshape(shape).broadcast_to(update.shape)
    return scatter_elements(cache, index, update, axis=axis)


@onnx_op("OneHot")
def one_hot(index: Tensor, depth: Tensor, values: Tensor, *, axis: int = -1) -> Tensor:
    """A negative index counts from the end; one outside is nowhere."""
    (n,) = ints(depth)
    off, on = values[0], values[1]
    index = index.astype("int64")
    hit = ag.where(index < 0, index + n, index).expand_dims(-1) == ag.arange(n)
    z = ag.where(hit, on, off)
    axis = axis % z.ndim
    order = list(range(z.ndim - 1))
    return z.permute(*order[:axis], z.ndim - 1, *order[axis:])


@onnx_op("Compress")
def compress(x: Tensor, condition: Tensor, *, axis: int | None = None) -> Tensor:
    chosen = [i for i, yes in enumerate(condition.reshape(-1).tolist()) if yes]
    if axis is None:
        return x.reshape(-1)[chosen]
    return x[(slice(None),) * (axis % x.ndim) + (chosen,)]


@onnx_op("NonZero")
def non_zero(x: Tensor) -> Tensor:
    found = [i for i, yes in zip(product(*map(range, x.shape)), _flat(x), strict=True) if yes]
    return Tensor([list(i) for i in found], dtype="int64").reshape(len(found), x.ndim).T


def _flat(x: Tensor) -> list[Any]:
    return list(x.reshape(-1).tolist())


@onnx_op("Unique")
def unique(
    x: Tensor, *, axis: int | None = None, sorted: int = 1
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distinct slices, where each first is, which of them each slice is, and how often."""
    rows = x.reshape(-1, 1) if axis is None else ag.swapaxes(x, 0, axis)
    flat = rows.reshape(rows.shape[0], -1).tolist()
    first: dict[tuple[Any, ...], int] = {}
    for i, row in enumerate(map(tuple, flat)):
        first.setdefault(row, i)
    order = builtin_sorted(first) if sorted else list(first)
    number = {row: i for i, row in enumerate(order)}
    inverse = [number[tuple(row)] for row in flat]
    places = [first[row] for row in order]
    chosen = rows[places]
    values = chosen.reshape(-1) if axis is None else ag.swapaxes(chosen, 0, axis)
    counts = [inverse.count(i) for i in range(len(order))]
    return (values, *[Tensor(n, dtype="int64") for n in (places, inverse, counts)])


builtin_sorted = sorted
