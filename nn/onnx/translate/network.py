"""The fused operations of networks: normalisation, embedding, attention."""

from __future__ import annotations

import math
from typing import Any

from autograd import arange
from autograd import exp as _exp

from ..graph import Graph, Ref
from ..trace import ExportError, Size
from .shape import slices
from .table import rule

# --- normalisation ---


@rule
def layer_norm(g: Graph, z: Ref, x: Ref, w: Ref, b: Ref, *, eps: float) -> list[Ref]:
    return [g("LayerNormalization", x, w, b, axis=-1, epsilon=eps)]


@rule
def standardize(g: Graph, z: Ref, x: Ref, *, eps: float) -> list[Ref]:
    one = g("Expand", g.number(1, x.dtype), g.ints(x.shape[-1:]))
    return [g("LayerNormalization", x, one, axis=-1, epsilon=eps)]


@rule
def rms_norm(g: Graph, z: Ref, x: Ref, w: Ref, *, eps: float) -> list[Ref]:
    """An operator of its own since version 23."""
    if g.opset >= 23:
        return [g("RMSNormalization", x, w, axis=-1, epsilon=eps)]
    square = g("ReduceMean", g("Mul", x, x), g.ints([-1]), keepdims=1)
    root = g("Sqrt", g("Add", square, g.number(eps, x.dtype)))
    return [g("Mul", g("Div", x, root), w)]


@rule
def batch_norm(g: Graph, z: Any, x: Ref, w: Ref, b: Ref, *, eps: float) -> list[Ref]:
    """With the statistics of the batch, which come out too."""
    axes = g.ints(range(x.ndim - 1))
    mean = g("ReduceMean", x, axes, keepdims=0)
    centred = g("Sub", x, mean)
    var = g("ReduceMean", g("Mul", centred, centred), axes, keepdims=0)
    scale = g("Div", w, g("Sqrt", g("Add", var, g.number(eps, x.dtype))))
    return [g("Add", g("Mul", centred, scale), b), mean, var]


@rule
def gelu(g: Graph, z: Ref, x: Ref) -> Ref:
    """An operator of its own since version 20."""
    if g.opset >= 20:
        return g("Gelu", x)
    half = g("Mul", x, g.number(0.5, x.dtype))
    inside = g("Erf", g("Mul", x, g.number(math.sqrt(0.5), x.dtype)))
    return g("Mul", half, g("Add", inside, g.number(1, x.dtype)))


# --- tables ---


@rule
def embedding(g: Graph, z: Ref, x: Ref, index: Ref) -> Ref:
    return g("Gather", x, g.cast(index, "int64"), axis=0)


# --- attention ---


@rule
def attention(
    g: Graph, z: Any, q: Ref, k: Ref, v: Ref, mask: Ref, *, causal: bool, scale: float | None
) -> list[Ref]:
    """softmax(scale · q kᵀ + mask) v, and 0 for a query that sees no key."""
    tq, tk = q.shape[-2], k.shape[-2]
    if any(isinstance(n, Size) for n in (tq, tk, q.shape[-1])):
        raise ExportError("attention over the axis of the batch")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    turned = g.transpose(k, (*range(k.ndim - 2), k.ndim - 1, k.ndim - 2))
    scores = g("MatMul", g("Mul", q, g.number(scale, q.dtype)), turned)  # (..., Tq, Tk)
    scores = g("Add", scores, mask)
    if causal:
        seen = arange(tq).reshape(tq, 1) + (tk - tq) >= arange(tk)
        scores = g("Where", g.array(seen.numpy()), scores, g.number(-math.inf, q.dtype))
    p = g("Softmax", scores, axis=-1)
    if tq > tk or mask.ndim or mask.node is None:  # a row of -inf alone would be NaN
        best = g("ReduceMax", scores, g.ints([-1]), keepdims=1)
        blind = g("Equal", best, g.number(-math.inf, q.dtype))
        p = g("Where", blind, g.number(0, q.dtype), p)
    return [g("MatMul", p, v)]


@rule
def rotary(g: Graph, z: Ref, x: Ref, index: Ref, *, base: float) -> Ref:
    """Pairs (i, i + D/2) of each row turned by index · base^(-2i/D)."""
    half = x.shape[-1] // 2
    turn = _exp(arange(half).astype("float64") * (-math.log(base) / half)).numpy()
    places = g("Unsqueeze", g.cast(index, "float64"), g.ints([-1]))
    angle = g("Mul", places, g.array(turn))  # (..., T, D/2)
    c, s = (g.cast(Ref(g(kind, g.cast(angle, "float32"))), x.dtype) for kind in ("Cos", "Sin"))
    last = x.ndim - 1
    a, b = slices(g, x, {last: slice(0, half)}), slices(g, x, {last: slice(half, None)})
    one = g("Sub", g("Mul", a, c), g("Mul", b, s))
    two = g("Add", g("Mul", b, c), g("Mul", a, s))
    return g("Concat", one, two, axis=-1)
