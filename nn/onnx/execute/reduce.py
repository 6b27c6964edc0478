"""Operators along axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import axes_of, ints, onnx_op


def _reduce(f: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`axes` is an input since version 18 (of ReduceSum since 13); none means all, or none."""

    def reduce(
        x: Tensor, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
    ) -> Tensor:
        given = None if axes is None else ints(axes)
        if not given:
            given = [] if noop_with_empty_axes else None
        return f(x, axes_of(given, x.ndim), bool(keepdims)).astype(x.dtype)

    return reduce


def _sum(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return x.sum(axis=axis, keepdims=keepdims)


def _log(total: Tensor) -> Tensor:
    return ag.log(total)


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "ReduceSum": _sum,
    "ReduceMean": lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
    "ReduceProd": lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims),
    "ReduceL1": lambda x, axis, keepdims: _sum(abs(x), axis, keepdims),
    "ReduceL2": lambda x, axis, keepdims: x.norm(axis=axis, keepdims=keepdims),
    "ReduceSumSquare": lambda x, axis, keepdims: _sum(x * x, axis, keepdims),
    "ReduceLogSum": lambda x, axis, keepdims: _log(_sum(x, axis, keepdims)),
    "ReduceLogSumExp": lambda x, axis, keepdims: (
        x.logsumexp(axis=axis, keepdims=keepdims) if x.size else _log(_sum(x, axis, keepdims))
    ),
}

for _name, _f in REDUCTIONS.items():
    onnx_op(_name)(_reduce(_f))


def _extreme(largest: bool) -> Callable[..., Tensor]:
    """Over no elements, the smallest or largest number there is."""

    def f(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
        if all(x.shape[a] for a in axis):
            return (
                x.max(axis=axis, keepdims=keepdims)
                if largest
                else x.min(axis=axis, keepdims=keepdims)
            )
        shape = [1 if i in axis else n for i, n in enumerate(x.shape)]
        shape = shape if keepdims else [n for i, n in enumerate(x.shape) if i not in axis]
        end = (not largest) if x.dtype.kind == "b" else float("-inf") if largest else float("inf")
        return ag.full(shape, end, dtype=x.dtype)

    return f


onnx_op("ReduceMax")(_reduce(_extreme(True)))
onnx_op("ReduceMin")(_reduce(_extreme(False)))


def _place(largest: bool) -> Callable[..., Tensor]:
    def place(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
        find = ag.argmax if largest else ag.argmin
        if not select_last_index:
            return find(x, axis=axis, keepdims=bool(keepdims))
        return x.shape[axis] - 1 - find(ag.flip(x, axis), axis=axis, keepdims=bool(keepdims))

    return place


onnx_op("ArgMax")(_place(True))
onnx_op("ArgMin")(_place(False))


def _running(f: Callable[..., Tensor], start: int) -> Callable[..., Tensor]:
    def running(x: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
        (along,) = ints(axis)
        z = ag.flip(x, along) if reverse else x
        z = f(z, axis=along).astype(x.dtype)
        if exclusive:
            first = (slice(None),) * (along % x.ndim)
            one = ag.full(z[(*first, slice(0, 1))].shape, start, dtype=x.dtype)
            z = ag.concatenate([one, z[(*first, slice(0, -1))]], axis=along)
        return ag.flip(z, along) if reverse else z

    return running


onnx_op("CumSum")(_running(ag.cumsum, 0))
onnx_op("CumProd")(_running(ag.cumprod, 1))


@onnx_op("TopK")
def topk(
    x: Tensor, k: Tensor | int, *, axis: int = -1, largest: int = 1, sorted: int = 1
) -> tuple[Tensor, Tensor]:
    (count,) = ints(k)
    order = ag.argsort(x, axis=axis, descending=bool(largest))
    first = order[(slice(None),) * (axis % x.ndim) + (slice(0, count),)]
    return ag.gather(x, axis, first), first


@onnx_op("LpNormalization")
def lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    size = x.norm(axis=axis, keepdims=True) if p == 2 else abs(x).sum(axis=axis, keepdims=True)
    return ag.where(size == 0, 0, x / ag.where(size == 0, 1, size))
