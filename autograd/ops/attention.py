"""Scaled dot-product attention (Vaswani et al. 2017, eq. 1), and the rotation that tells it places.

    P = softmax(scale · q kᵀ + mask)        z = P v

No array of all scores is kept: the gradient computes P anew from its rows' log-sums, part by part
(FlashAttention: Dao et al. 2022, algorithms 1 and 4).  With D = rowsum(g · z),

    dv = Pᵀ g      dP = g vᵀ      dS = P · (dP - D)      dq = scale · dS k      dk = scale · dSᵀ q

In memory scores lie as (keys, queries): softmax then works down columns, a row of queries at a
time, and the second factor of each product is not transposed, which BLAS likes for small matrices.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..errors import ShapeError
from ..node import op
from .elementwise import where
from .linear import _T, matmul
from .precision import wide, wide_dtype
from .reduce import _ones, softmax
from .reduce import sum as add_up
from .shape import sum_to, tril

Place = tuple[slice, ...]


def _empty(xp: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """(B, H, T, D), in memory (B, T, H, D): joining the heads again then costs nothing."""
    if len(shape) < 4:
        return xp.empty(shape, dtype=dtype)
    return xp.empty((*shape[:-3], shape[-2], shape[-3], shape[-1]), dtype=dtype).swapaxes(-2, -3)


def _flipped(x: Any) -> Any:
    """The last two axes exchanged, in memory too."""
    return x.swapaxes(-1, -2).copy()


def _parts(shape: tuple[int, ...], room: int) -> Iterator[Place]:
    """Where to cut an array of this shape so that no part has many more elements than `room`.

    The last axis, the keys, stays whole; the first is cut first.
    """
    each = math.prod(shape[1:])
    if each > room and len(shape) > 2:
        for i in range(shape[0]):
            for place in _parts(shape[1:], room):
                yield slice(i, i + 1), *place
        return
    step = max(room // max(each, 1), 1)
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0])), *[slice(0, n) for n in shape[1:-1]]


class _Scores:
    """What a part of the queries thinks of the keys: their scores, (..., keys, queries)."""

    def __init__(self, xp: Any, q: Any, k: Any, mask: Any, causal: bool, scale: float) -> None:
        self.xp, self.causal, self.scale = xp, causal, scale
        self.q, self.k = q, k
        self.shape = (*q.shape[:-1], k.shape[-2])  # (..., Tq, Tk)
        self.mask: Any = None if isinstance(mask, (int, float)) and mask == 0 else mask
        if getattr(mask, "ndim", 0):
            self.mask = xp.broadcast_to(wide(mask), self.shape)
        self.ahead = k.shape[-2] - q.shape[-2]
        """How many keys even the first query of a causal mask sees beside its own."""

    def parts(self) -> Iterator[tuple[Place, Place]]:
        """Pairs (place of the queries, place of the keys they may see)."""
        itemsize = 4 if self.q.dtype.itemsize == 2 else self.q.dtype.itemsize
        for place in _parts(self.shape, self.xp.workspace // (4 * itemsize)):
            *lead, rows = place
            seen = self.shape[-1]
            if self.causal:  # no query of this part sees beyond; one key is left if none sees any
                seen = min(max(rows.stop + self.ahead, 1), seen)
            yield place, (*lead, slice(0, seen))

    def at(self, queries: Place, keys: Place) -> Any:
        """The scores of a part, an array of its own."""
        xp, rows, seen = self.xp, queries[-1], keys[-1].stop
        q = _flipped(wide(self.q[queries]))  # (..., D, queries)
        q *= self.scale
        s = xp.matmul(wide(self.k[keys]), q)  # (..., keys, queries)
        if getattr(self.mask, "ndim", 0):
            s += self.mask[queries][..., :seen].swapaxes(-1, -2)
        elif self.mask is not None:  # one number for all
            s += self.mask
        if self.causal and seen - 1 > rows.start + self.ahead:
            hidden = xp.full((seen, rows.stop - rows.start), -xp.inf, dtype=s.dtype)
            s += xp.tril(hidden, -1 - rows.start - self.ahead)  # key j hidden from query i < j
        return s


def _check(q: Any, k: Any, v: Any, mask: Any) -> None:
    shapes = f"q {q.shape}, k {k.shape}, v {v.shape}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"attention: {shapes}: each needs at least two axes, (..., time, width)")
    if not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        raise ShapeError(f"attention: {shapes} differ in the axes before (time, width)")
    if q.shape[-1] != k.shape[-1]:
        raise ShapeError(f"attention: {shapes}: queries and keys must have the same width")
    if k.shape[-2] != v.shape[-2]:
        raise ShapeError(f"attention: {shapes}: there must be one value per key")
    if shape := getattr(mask, "shape", ()):
        full = (*q.shape[:-1], k.shape[-2])
        aligned = full[len(full) - len(shape) :]
        if len(shape) > len(full) or any(
            m not in (1, n) for m, n in zip(shape, aligned, strict=True)
        ):
            raise ShapeError(f"attention: a mask {shape} does not broadcast to the scores {full}")


@op(
    outputs=("z",), keeps=("logs",),
    samples=({}, {"causal": True}, {"scale": 0.5, "causal": True}, {}, {"causal": True}),
    shapes=(
        ((4, 3), (5, 3), (5, 2), ()), ((3, 2), (3, 2), (3, 2), (3, 3)),
        ((2, 2, 2, 3), (2, 2, 4, 3), (2, 2, 4, 3), (2, 1, 1, 4)),
        ((2, 3, 2), (2, 2, 2), (2, 2, 3), (3, 1)), ((2, 4, 2), (2, 3, 2), (2, 3, 2), ()),
    ),
    needs="q (..., Tq, D), k (..., Tk, D), v (..., Tk, E) and a mask that broadcasts to "
          "(..., Tq, Tk)",
)  # fmt: skip
def attention(
    xp: Any, q: Any, k: Any, v: Any, mask: Any, *, causal: bool = False, scale: float | None = None
) -> Any:
    """softmax(scale · q kᵀ + mask) v: each query's mean of the values, weighted by its keys.

    q (..., Tq, D), k (..., Tk, D) and v (..., Tk, E) make (..., Tq, E).  `mask` is added to the
    scores (..., Tq, Tk), -inf where a key must not be seen; a query that sees none gets 0.
    `causal` lets a query see no later key, where the last query stands beside the last key.
    `scale` is 1/√D unless given.
    """
    _check(q, k, v, mask)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    dtype = wide_dtype(q)
    z = _empty(xp, (*q.shape[:-1], v.shape[-1]), dtype)
    logs = xp.zeros((*q.shape[:-2], 1, q.shape[-2]), dtype=dtype)
    if not k.shape[-2] or not z.size:
        z[...] = 0
        return z.astype(q.dtype, copy=False), logs
    scores = _Scores(xp, q, k, mask, causal, scale)
    for queries, keys in scores.parts():
        p = scores.at(queries, keys)  # (..., keys, queries)
        top = xp.max(p, axis=-2, keepdims=True)  # (..., 1, queries)
        top = xp.where(xp.isfinite(top), top, 0)
        p -= top
        xp.exp(p, out=p)
        total = _total(xp, p)  # (..., 1, queries)
        total = xp.where(total == 0, 1, total)  # a query that sees no key
        part = z[queries]
        xp.matmul(p.swapaxes(-1, -2), wide(v[keys]), out=part)  # (..., queries, E)
        part /= total.swapaxes(-1, -2)
        logs[(*queries[:-1], slice(None), queries[-1])] = top + xp.log(total)
    return z.astype(q.dtype, copy=False), logs


def _total(xp: Any, p: Any) -> Any:
    """The sum of each column: as a product, at the speed of the memory."""
    return xp.matmul(xp.ones((1, p.shape[-2]), dtype=p.dtype), p)


@op(samples=(), outputs=("gq", "gk", "gv", "gmask"))
def attention_grad(
    xp: Any, g: Any, y: Any, logs: Any, q: Any, k: Any, v: Any, mask: Any, *, causal: bool,
    scale: float | None,
) -> Any:  # fmt: skip
    """The gradients of `attention`; y is its result and logs are its scores' log-sums."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    dtype = logs.dtype
    gq, gk, gv = [_empty(xp, x.shape, dtype) for x in (q, k, v)]
    gk[...] = gv[...] = 0
    gmask = xp.zeros(getattr(mask, "shape", ()), dtype=dtype)
    if not k.shape[-2] or not y.size:
        gq[...] = 0
        return tuple([x.astype(q.dtype, copy=False) for x in (gq, gk, gv, gmask)])
    scores = _Scores(xp, q, k, mask, causal, scale)
    for queries, keys in scores.parts():
        g_, y_ = wide(g[queries]), wide(y[queries])  # (..., queries, E)
        p = scores.at(queries, keys)  # (..., keys, queries)
        p -= logs[(*queries[:-1], slice(None), queries[-1])]
        xp.exp(p, out=p)
        gv[keys] += xp.matmul(p, g_)  # (..., keys, E)
        s = xp.matmul(wide(v[keys]), _flipped(g_))  # (..., keys, queries): dP
        s -= xp.einsum("...i,...i->...", g_, y_)[..., None, :]
        s *= p
        if gmask.ndim:
            _add_reduced(xp, gmask, s.swapaxes(-1, -2), (*queries, keys[-1]))
        s *= scale
        xp.matmul(s.swapaxes(-1, -2), wide(k[keys]), out=gq[queries])  # (..., queries, D)
        gk[keys] += xp.matmul(s, wide(q[queries]))  # (..., keys, D)
    return tuple([x.astype(q.dtype, copy=False) for x in (gq, gk, gv, gmask)])


def _add_reduced(xp: Any, total: Any, part: Any, place: Place) -> None:
    """Add a part of an array to what it was broadcast from, in place."""
    extra = part.ndim - total.ndim
    sizes = (*[1] * extra, *total.shape)
    axes = tuple(i for i, n in enumerate(sizes) if n == 1)
    part = xp.sum(part, axis=axes, keepdims=True) if axes else part
    at = tuple(slice(None) if n == 1 else s for n, s in zip(sizes, place, strict=True))[extra:]
    total[at] += part.reshape(part.shape[extra:])


# --- the same from operations: what the two above are measured by, and differentiated as ---


def attention_weights(
    q: Any, k: Any, mask: Any, causal: bool = False, scale: float | None = None
) -> Any:
    """P (..., Tq, Tk): how much each query looks at each key."""
    scores = matmul(q * (q.shape[-1] ** -0.5 if scale is None else scale), _T(k)) + mask
    if causal:
        seen = tril(_ones(scores), k=k.shape[-2] - q.shape[-2])
        scores = where(seen == 1, scores, -float("inf"))
    return softmax(scores, axis=-1) if scores.shape[-1] else scores


def _attention_grad(
    g: Any, y: Any, logs: Any, q: Any, k: Any, v: Any, mask: Any, *, causal: bool,
    scale: float | None,
) -> Any:  # fmt: skip
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    p = attention_weights(q, k, mask, causal, scale)  # (..., Tq, Tk)
    dp = matmul(g, _T(v))
    ds = p * (dp - add_up(p * dp, axis=-1, keepdims=True))
    gmask = sum_to(ds, shape=getattr(mask, "shape", ()))
    return scale * matmul(ds, k), scale * matmul(_T(ds), q), matmul(_T(p), g), gmask
attention.means(
    lambda q, k, v, mask, causal, scale: matmul(attention_weights(q, k, mask, causal, scale), v)
)
attention_grad.vjp_of(_attention_grad)
attention.vjp_joint(
    lambda g, z, q, k, v, mask, causal, scale: attention_grad(
        *g, *z, q, k, v, mask, causal=causal, scale=scale
    )
)


# --- places ---


@op(
    samples=({}, {"base": 100.0}), shapes=(((3, 4), [0, 1, 5]), ((2, 2, 2, 4), [[3, -1], [0, 2]])),
    needs="x (..., T, D) with an even width D, and places (T,) or (..., T)",
)  # fmt: skip
def rotary(xp: Any, x: Any, index: Any, *, base: float = 10000.0) -> Any:
    """x (..., T, D) with the pair (i, i + D/2) of each row turned by index · base^(-2i/D).

    `index` (T,), or with the axes before, says each row's place.  The product of two turned rows
    then depends on how far apart they are, not on where (Su et al. 2021, eq. 14, with the halves
    of a row as pairs, as in Llama).
    """
    half = x.shape[-1] // 2
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"rotary: x {x.shape} needs two axes (..., time, width), the width even")
    turn = xp.exp(xp.arange(half, dtype="float64") * (-math.log(base) / half))  # (D/2,)
    angle = index.astype("float64")[..., None] * turn  # (T, D/2)
    dtype = wide_dtype(x)
    c, s = xp.cos(angle).astype(dtype), xp.sin(angle).astype(dtype)
    a, b = wide(x[..., :half]), wide(x[..., half:])  # (..., T, D/2)
    z = _empty(xp, x.shape, x.dtype)
    z[..., :half] = (a * c - b * s).astype(x.dtype, copy=False)
    z[..., half:] = (b * c + a * s).astype(x.dtype, copy=False)
    return z
rotary.vjp(lambda g, z, x, index, base: rotary(g, -index, base=base), None)  # turned back
