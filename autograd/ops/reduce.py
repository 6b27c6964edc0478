"""Operations along axes: sums, extremes, products, softmax and what follows from them.

`axis` is None (all), an int or a tuple of ints.
"""


import math
from typing import Any

from ..node import op
from .elementwise import exp, where
from .precision import computed_wide, is_half, wide
from .shape import astype, broadcast_to, concatenate, flip, reshape, transpose, tril, triu

AXES: tuple[dict[str, Any], ...] = (
    {"axis": None}, {"axis": 0}, {"axis": (0, 2), "keepdims": True}, {"axis": -1},
)  # fmt: skip
SHAPES = (((2, 3, 2),),) * len(AXES)


def count(shape: tuple[int, ...], axis: Any) -> int:
    """How many elements of an array go into one element of its reduction."""
    return math.prod(shape if axis is None else [shape[a] for a in _axes(axis)])


def _axes(axis: Any) -> tuple[int, ...]:
    return axis if isinstance(axis, tuple) else (axis,)


def restore(g: Any, shape: tuple[int, ...], axis: Any, keepdims: bool) -> Any:
    """A reduction's result, or its gradient, so that it broadcasts against what has this shape.

    The reduced axes come back, with size 1; one number broadcasts as it is.
    """
    if keepdims or axis is None or not shape:
        return g
    gone = {a % len(shape) for a in _axes(axis)}
    return reshape(g, shape=tuple(1 if i in gone else n for i, n in enumerate(shape)))


# --- sums ---


@op(samples=AXES, shapes=SHAPES)
def sum(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over axes."""
    return xp.sum(x, axis=axis, keepdims=keepdims)
sum.vjp(
    lambda g, z, x, axis, keepdims: broadcast_to(restore(g, x.shape, axis, keepdims), shape=x.shape)
)


@op(samples=AXES, shapes=SHAPES)
def mean(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean over axes."""
    if x.dtype.itemsize == 2 and is_half(x):  # as `computed_wide` does, faster
        return mean.forward(xp, wide(x), axis=axis, keepdims=keepdims).astype(x.dtype)
    return xp.sum(x, axis=axis, keepdims=keepdims) / count(x.shape, axis)
mean.vjp(
    lambda g, z, x, axis, keepdims: broadcast_to(
        restore(g / count(x.shape, axis), x.shape, axis, keepdims), shape=x.shape
    )
)


@op(samples=(*AXES, {"axis": 1, "ddof": 1}), shapes=(*SHAPES, ((2, 3),)))
@computed_wide
def var(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Variance over axes: squared distance from the mean, summed, over n - ddof."""
    centred = x - xp.sum(x, axis=axis, keepdims=True) / count(x.shape, axis)
    return xp.sum(centred * centred, axis=axis, keepdims=keepdims) / (count(x.shape, axis) - ddof)
var.vjp(
    lambda g, z, x, axis, keepdims, ddof: (
        restore(g * (2 / (count(x.shape, axis) - ddof)), x.shape, axis, keepdims)
        * (x - mean(x, axis=axis, keepdims=True))
    )
)


@op(samples=AXES, shapes=SHAPES)
@computed_wide
def std(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Standard deviation over axes; where it is 0, so is its gradient."""
    return xp.sqrt(var.forward(xp, x, axis=axis, keepdims=keepdims, ddof=ddof))


def _std_rule(g: Any, z: Any, x: Any, axis: Any, keepdims: bool, ddof: int) -> Any:
    slope = where(z == 0, 0, g / where(z == 0, 1, z)) / (count(x.shape, axis) - ddof)
    return restore(slope, x.shape, axis, keepdims) * (x - mean(x, axis=axis, keepdims=True))
std.vjp(_std_rule)


@op(samples=AXES, shapes=SHAPES)
@computed_wide
def norm(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Euclidean norm over axes; where it is 0, so is its gradient."""
    return xp.sqrt(xp.sum(x * x, axis=axis, keepdims=keepdims))
norm.vjp(
    lambda g, z, x, axis, keepdims: (
        restore(where(z == 0, 0, g / where(z == 0, 1, z)), x.shape, axis, keepdims) * x
    )
)

# --- extremes ---


def _extreme_rule(g: Any, z: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The gradient goes to the extreme elements, in equal shares."""
    reached = astype(x == restore(z, x.shape, axis, keepdims), dtype=x.dtype)
    shares = reached / sum(reached, axis=axis, keepdims=True)
    return restore(g, x.shape, axis, keepdims) * shares


@op(samples=AXES, shapes=SHAPES)
def max(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element over axes; equal ones share the gradient."""
    return xp.max(x, axis=axis, keepdims=keepdims)


@op(samples=AXES, shapes=SHAPES)
def min(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element over axes; equal ones share the gradient."""
    return xp.min(x, axis=axis, keepdims=keepdims)
max.vjp(_extreme_rule)
min.vjp(_extreme_rule)

# --- products and running reductions ---


@op(samples=AXES, shapes=SHAPES)
@computed_wide
def prod(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Product over axes."""
    return xp.prod(x, axis=axis, keepdims=keepdims)


def _ones(x: Any) -> Any:
    """Ones like x, also where x is infinite or NaN."""
    return astype(x == 0, dtype=x.dtype) * 0 + 1


def _others(x: Any) -> Any:
    """Along the last axis, the product of all other elements: right where some are 0."""
    if x.shape[-1] < 2:
        return _ones(x)
    one = _ones(x[..., :1])
    before = concatenate(one, cumprod(x[..., :-1], axis=-1), axis=-1)
    after = concatenate(one, cumprod(flip(x, axis=-1)[..., :-1], axis=-1), axis=-1)
    return before * flip(after, axis=-1)


def _prod_rule(g: Any, z: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if not x.ndim:
        return g
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in _axes(axis))
    order = tuple(i for i in range(x.ndim) if i not in axes) + axes
    rows = transpose(x, axes=order)
    kept = tuple(rows.shape[: x.ndim - len(axes)])
    others = reshape(_others(reshape(rows, shape=(*kept, count(x.shape, axis)))), shape=rows.shape)
    back = tuple(order.index(i) for i in range(x.ndim))
    return restore(g, x.shape, axis, keepdims) * transpose(others, axes=back)
prod.vjp(_prod_rule)


@op(samples=({"axis": 0}, {"axis": -1}), shapes=(((2, 3),),) * 2)
@computed_wide
def cumsum(xp: Any, x: Any, *, axis: int) -> Any:
    """Running sum along an axis."""
    return xp.cumsum(x, axis=axis)
cumsum.vjp(lambda g, z, x, axis: flip(cumsum(flip(g, axis=axis), axis=axis), axis=axis))


@op(samples=({"axis": 0}, {"axis": -1}), shapes=(((2, 3),),) * 2)
@computed_wide
def cumprod(xp: Any, x: Any, *, axis: int) -> Any:
    """Running product along an axis.

    The gradient is right where elements are 0, for which it forms the n × n products that
    leave one element out.
    """
    return xp.cumprod(x, axis=axis)


def _cumprod_rule(g: Any, z: Any, x: Any, axis: int) -> Any:
    n, swap = x.shape[axis], _swap(x.ndim, axis)
    rows, grows = transpose(x, axes=swap), transpose(g, axes=swap)  # (..., n)
    square = (*rows.shape, n)
    spread = broadcast_to(reshape(rows, shape=(*rows.shape[:-1], 1, n)), shape=square)
    off = where(tril(triu(_ones(spread))) == 1, 1, spread)  # row k: x with x_k replaced by 1
    products = triu(cumprod(off, axis=-1))  # (..., k, i): the i-th product without x_k, i >= k
    pulled = sum(reshape(grows, shape=(*rows.shape[:-1], 1, n)) * products, axis=-1)
    return transpose(pulled, axes=swap)


def _swap(ndim: int, axis: int) -> tuple[int, ...]:
    """The permutation that exchanges an axis with the last one; it is its own inverse."""
    order = list(range(ndim))
    order[axis], order[-1] = order[-1], order[axis]
    return tuple(order)
cumprod.vjp(_cumprod_rule)

# --- softmax ---


def _shifted(xp: Any, x: Any, axis: Any) -> tuple[Any, Any]:
    """x minus its largest element, and that element (0 for rows of -inf alone, or with inf)."""
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, 0)
    return x - top, top


@op(samples=AXES, shapes=SHAPES)
@computed_wide
def logsumexp(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """log Σ exp(x) over axes, without overflow; -inf where all elements are."""
    shifted, top = _shifted(xp, x, axis)
    total = xp.sum(xp.exp(shifted), axis=axis, keepdims=True)
    z = xp.where(total == 0, -xp.inf, xp.log(xp.where(total == 0, 1, total)) + top)
    return z if keepdims else xp.squeeze(z, axis=axis)


def _logsumexp_rule(g: Any, z: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    z = restore(z, x.shape, axis, keepdims)
    return restore(g, x.shape, axis, keepdims) * exp(x - where(z == -float("inf"), 0, z))
logsumexp.vjp(_logsumexp_rule)


@op(samples=({"axis": -1}, {"axis": 0}), shapes=(((2, 3),),) * 2)
@computed_wide
def softmax(xp: Any, x: Any, *, axis: int = -1) -> Any:
    """exp(x) / Σ exp(x) along an axis, without overflow; all 0 where all elements are -inf."""
    e = xp.exp(_shifted(xp, x, axis)[0])
    total = xp.sum(e, axis=axis, keepdims=True)
    return e / xp.where(total == 0, 1, total)
softmax.vjp(lambda g, z, x, axis: z * (g - sum(g * z, axis=axis, keepdims=True)))


@op(samples=({"axis": -1}, {"axis": 0}), shapes=(((2, 3),),) * 2)
@computed_wide
def log_softmax(xp: Any, x: Any, *, axis: int = -1) -> Any:
    """x - log Σ exp(x) along an axis, without overflow."""
    shifted, _ = _shifted(xp, x, axis)
    total = xp.sum(xp.exp(shifted), axis=axis, keepdims=True)
    return shifted - xp.log(xp.where(total == 0, 1, total))
log_softmax.vjp(lambda g, z, x, axis: g - exp(z) * sum(g, axis=axis, keepdims=True))

# --- without a gradient ---


@op(samples=({"axis": 0}, {"axis": None}), shapes=(((2, 3),),) * 2)
def argmax(xp: Any, x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the first largest element along an axis, or in the flattened array."""
    return xp.argmax(x, axis=axis, keepdims=keepdims)


@op(samples=({"axis": 0}, {"axis": None}), shapes=(((2, 3),),) * 2)
def argmin(xp: Any, x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """Index of the first smallest element along an axis, or in the flattened array."""
    return xp.argmin(x, axis=axis, keepdims=keepdims)


@op(samples=AXES, shapes=SHAPES)
def any(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether some element is non-zero."""
    return xp.any(x, axis=axis, keepdims=keepdims)


@op(samples=AXES, shapes=SHAPES)
def all(xp: Any, x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether every element is non-zero."""
    return xp.all(x, axis=axis, keepdims=keepdims)


for _op in (argmax, argmin, any, all):
    _op.vjp(None)
