"""Pooling: the largest element of each window, or the sum.

Shapes: x (N, *spatial, C), y (N, *places, C), for any number of spatial axes.  The largest element
is found anew by the gradient rule, as the number of its tap: one byte per window, and the two
operations that pick and put elements there are linear, each the transpose of the other.
"""

import math
from typing import Any

from ..node import op
from .elementwise import maximum
from .index import getitem
from .shape import pad
from .window import Pairs, Sizes, interior, padded, places, room, taps

CASES: tuple[dict[str, Any], ...] = (
    {"size": (2,), "stride": (2,), "padding": ((0, 0),)},
    {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 1))},
    {"size": (3, 2), "stride": (1, 2), "padding": ((1, 0), (0, 0))},
)
X = ((2, 5, 3), (2, 4, 3, 2), (1, 4, 5, 2))
Y = ((2, 2, 3), (2, 2, 2, 2), (1, 3, 2, 2))
INDEX = (
    [[[0, 1, 1], [1, 0, 1]], [[1, 1, 0], [0, 0, 1]]],
    [[[[0, 1], [2, 0]], [[3, 2], [2, 0]]], [[[1, 1], [0, 2]], [[3, 0], [2, 2]]]],
    [[[[2, 3], [4, 5]], [[0, 1], [2, 3]], [[4, 5], [0, 1]]]],
)


def _taps(shape: Sizes, size: Sizes, stride: Sizes, padding: Pairs) -> list[tuple[slice, ...]]:
    """What all windows over an array (N, *shape, C) see from each tap, in the padded array."""
    one = (1,) * len(size)
    return list(taps(size, places(shape, size, stride, padding, one), stride, one))


def _least(xp: Any, x: Any) -> Any:
    """What no element is smaller than."""
    if x.dtype.kind == "b":
        return False
    return xp.iinfo(x.dtype).min if x.dtype.kind in "iu" else -xp.inf


def _bits(x: Any) -> Any:
    """The numbers as bits.

    `bits & all ones` chooses as `where` does, and NumPy does it in a fifth of the time; times a
    truth value would too, but 0 · inf is no 0.
    """
    return x.view(f"int{8 * x.dtype.itemsize}")


def _all_ones(chosen: Any, bits: Any) -> Any:
    """All bits of a number where it is chosen, and none elsewhere."""
    return -chosen.astype(bits.dtype)


@op(samples=CASES, shapes=tuple((x,) for x in X), needs="x (N, *spatial, channels)")
def max_pool(xp: Any, x: Any, *, size: Sizes, stride: Sizes, padding: Pairs) -> Any:
    """Largest element of each window; its gradient goes to the first of those that are equal."""
    first, *others = _taps(x.shape[1:-1], size, stride, padding)
    x = padded(xp, x, padding, _least(xp, x))
    z = x[first].copy()
    for tap in others:
        xp.maximum(z, x[tap], out=z)
    return z


def _max_pool(x: Any, *, size: Sizes, stride: Sizes, padding: Pairs) -> Any:
    first, *others = _taps(x.shape[1:-1], size, stride, padding)
    if any(map(any, padding)):
        x = pad(x, width=((0, 0), *padding, (0, 0)), value=-math.inf)
    z = getitem(x, pattern=first)
    for tap in others:
        z = maximum(z, getitem(x, pattern=tap))
    return z
max_pool.means(_max_pool)


@op(samples=CASES, shapes=tuple(zip(X, Y, strict=True)), needs="what max_pool had and gave")
def max_pool_index(
    xp: Any, x: Any, y: Any, *, size: Sizes, stride: Sizes, padding: Pairs
) -> Any:
    """The number of the first tap at which a window of x has the value y; else the last tap's."""
    *others, _ = _taps(x.shape[1:-1], size, stride, padding)
    x = padded(xp, x, padding, _least(xp, x))
    index = xp.zeros(y.shape, dtype="uint8" if math.prod(size) <= 256 else "int64")
    for tap in reversed(others):  # how many taps further on it is, seen from this one
        index = (x[tap] != y) * (index + 1)
    return index


@op(samples=CASES, shapes=tuple(zip(X, INDEX, strict=True)), needs="x and a tap per window")
def pool_take(
    xp: Any, x: Any, index: Any, *, size: Sizes, stride: Sizes, padding: Pairs
) -> Any:
    """The element of each window of x that stands at the tap index."""
    shape = x.shape[1:-1]
    z = xp.zeros(index.shape, dtype=x.dtype)
    bits, x = _bits(z), _bits(padded(xp, x, padding))
    for i, tap in enumerate(_taps(shape, size, stride, padding)):
        bits |= x[tap] & _all_ones(index == i, bits)
    return z


@op(samples=tuple({**c, "shape": x[1:-1]} for c, x in zip(CASES, X, strict=True)),
    shapes=tuple(zip(Y, INDEX, strict=True)), needs="an element and a tap per window")  # fmt: skip
def pool_put(
    xp: Any, y: Any, index: Any, *, shape: Sizes, size: Sizes, stride: Sizes, padding: Pairs
) -> Any:
    """Zeros (N, *shape, C), y added to each window at the tap index: the transpose of taking."""
    x = xp.zeros((len(y), *room(shape, padding), y.shape[-1]), dtype=y.dtype)
    apart = all(s >= k for s, k in zip(stride, size, strict=True))
    bits = _bits(y)
    for i, tap in enumerate(_taps(shape, size, stride, padding)):
        part = (bits & _all_ones(index == i, bits)).view(y.dtype)
        x[tap] = part if apart else x[tap] + part
    return x[interior(shape, padding)]


@op(samples=CASES, shapes=tuple((x,) for x in X), needs="x (N, *spatial, channels)")
def sum_pool(xp: Any, x: Any, *, size: Sizes, stride: Sizes, padding: Pairs) -> Any:
    """Sum of each window."""
    first, *others = _taps(x.shape[1:-1], size, stride, padding)
    x = padded(xp, x, padding)
    z = x[first].copy()
    for tap in others:
        z += x[tap]
    return z


@op(samples=tuple({**c, "shape": x[1:-1]} for c, x in zip(CASES, X, strict=True)),
    shapes=tuple((y,) for y in Y), needs="an element per window")  # fmt: skip
def sum_unpool(
    xp: Any, y: Any, *, shape: Sizes, size: Sizes, stride: Sizes, padding: Pairs
) -> Any:
    """Zeros (N, *shape, C) with y added to all of its window: `sum_pool`'s transpose."""
    x = xp.zeros((len(y), *room(shape, padding), y.shape[-1]), dtype=y.dtype)
    for tap in _taps(shape, size, stride, padding):
        x[tap] += y
    return x[interior(shape, padding)]


max_pool.vjp(
    lambda g, z, x, **how: pool_put(g, max_pool_index(x, z, **how), shape=x.shape[1:-1], **how)
)
max_pool_index.vjp(None, None)
pool_take.vjp(
    lambda g, z, x, index, **how: pool_put(g, index, shape=x.shape[1:-1], **how), None
)
pool_put.vjp(lambda g, x, y, index, shape, **how: pool_take(g, index, **how), None)
sum_pool.vjp(lambda g, z, x, **how: sum_unpool(g, shape=x.shape[1:-1], **how))
sum_unpool.vjp(lambda g, x, y, shape, **how: sum_pool(g, **how))
