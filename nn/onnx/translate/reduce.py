"""Operations along axes."""

from __future__ import annotations

import math
from typing import Any

from ..graph import Graph, Ref
from ..trace import ExportError, Size
from .table import RULES, rule


def _reduce(kind: str) -> Any:
    def write(g: Graph, z: Ref, x: Ref, axis: Any = None, keepdims: bool = False) -> Ref:
        axes = _axes(x, axis)
        x = g.cast(x, z.dtype)
        if not axes:
            return g("Identity", x)
        return g(kind, x, g.ints(axes), keepdims=int(keepdims))

    return write


def _axes(x: Ref, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


for _ours, _theirs in {
    "sum": "Sum",
    "mean": "Mean",
    "prod": "Prod",
    "max": "Max",
    "min": "Min",
}.items():
    RULES[_ours] = _reduce(f"Reduce{_theirs}")


@rule
def norm(g: Graph, z: Ref, x: Ref, axis: Any, keepdims: bool) -> Ref:
    axes = _axes(x, axis)
    return g("ReduceL2", x, g.ints(axes), keepdims=int(keepdims)) if axes else g("Abs", x)


@rule
def var(g: Graph, z: Ref, x: Ref, axis: Any, keepdims: bool, ddof: int) -> Ref:
    axes = _axes(x, axis)
    n = [x.shape[a] for a in axes]
    if ddof and any(isinstance(m, Size) for m in n):
        raise ExportError("a variance over the batch axis, with ddof")
    if not axes:
        return g("Mul", x, g.number(0, z.dtype))
    centred = g("Sub", x, g("ReduceMean", x, g.ints(axes), keepdims=1))
    mean = g("ReduceMean", g("Mul", centred, centred), g.ints(axes), keepdims=int(keepdims))
    if not ddof:
        return mean
    return g("Mul", mean, g.number(math.prod(n) / (math.prod(n) - ddof), z.dtype))


@rule
def std(g: Graph, z: Ref, x: Ref, axis: Any, keepdims: bool, ddof: int) -> Ref:
    return g("Sqrt", var(g, z, x, axis, keepdims, ddof))


@rule
def logsumexp(g: Graph, z: Ref, x: Ref, axis: Any, keepdims: bool) -> Ref:
    axes = _axes(x, axis)
    return g("ReduceLogSumExp", x, g.ints(axes), keepdims=int(keepdims)) if axes else x


@rule
def softmax(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return g("Softmax", x, axis=axis)


@rule
def log_softmax(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return g("LogSoftmax", x, axis=axis)


@rule
def cumsum(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return g("CumSum", g.cast(x, z.dtype), g.number(axis % x.ndim, "int64"))


@rule
def cumprod(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    """Σ over the triangle in logarithms would lose signs: multiply out, n² numbers."""
    axis, n = axis % x.ndim, x.shape[axis]
    if isinstance(n, Size):
        raise ExportError("a running product along the batch axis")
    rows = g("Unsqueeze", g.cast(x, z.dtype), g.ints([axis]))  # (…, 1, n, …)
    one = g.number(1, z.dtype)
    square = g("Expand", one, g.ints([n, n]))
    lower = g.cast(g("Trilu", square, upper=0), "bool")  # row i: the first i + 1
    behind = x.ndim - axis - 1
    if behind:
        lower = g.reshape(lower, (n, n, *(1,) * behind))
    return g("ReduceProd", g("Where", lower, rows, one), g.ints([axis + 1]), keepdims=0)


# --- without a gradient ---


def _place_of(kind: str) -> Any:
    def write(g: Graph, z: Ref, x: Ref, axis: int | None, keepdims: bool) -> Ref:
        x = g.cast(x, "int32") if x.dtype.kind == "b" else x
        if axis is not None:
            return g(kind, x, axis=axis, keepdims=int(keepdims))
        flat = g(kind, g("Reshape", x, g.ints([-1])), axis=0, keepdims=0)
        return g.reshape(flat, (1,) * x.ndim) if keepdims else flat

    return write


RULES["argmax"], RULES["argmin"] = _place_of("ArgMax"), _place_of("ArgMin")


def _whether(kind: str) -> Any:
    reduce = _reduce(kind)

    def write(g: Graph, z: Ref, x: Ref, axis: Any, keepdims: bool) -> Ref:
        counted = g.cast(g.cast(x, "bool"), "int32")
        return g.cast(reduce(g, Ref("", z.shape, counted.dtype), counted, axis, keepdims), "bool")

    return write


RULES["any"], RULES["all"] = _whether("ReduceMax"), _whether("ReduceMin")
