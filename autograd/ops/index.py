"""Operations that choose elements, and their transposes, which put elements back.

An index array may be a node, so that it can change from call to call; slices, integers and the
like are metadata.  `pattern` is a NumPy index with `HERE` where the next index array goes.
"""

from typing import Any

from ..node import op
from .elementwise import where
from .precision import wide, wide_dtype

HERE = "here"
"""The place of an index array in a pattern."""


def fill(pattern: tuple[Any, ...], arrays: tuple[Any, ...]) -> tuple[Any, ...]:
    """The NumPy index: the pattern with its places taken by arrays."""
    rest = iter(arrays)
    return tuple([next(rest) if item is HERE else item for item in pattern])


@op(
    samples=(
        {"pattern": (slice(1, None), 0)}, {"pattern": (Ellipsis, None, slice(None, None, -1))},
        {"pattern": (HERE,)}, {"pattern": (slice(None), HERE)},
    ),
    shapes=(((3, 4),), ((3, 4),), ((3, 4), [2, 0, 2]), ((3, 4), [[0, 1], [3, 3]])),
)  # fmt: skip
def getitem(xp: Any, x: Any, *index: Any, pattern: tuple[Any, ...]) -> Any:
    """x[…], with NumPy's rules."""
    return x[fill(pattern, index)]


@op(
    samples=(
        {"pattern": (slice(1, None), 0), "shape": (3, 4)},
        {"pattern": (HERE,), "shape": (3, 4)},
    ),
    shapes=(((2,),), ((3, 4), [2, 0, 2])),
)
def putitem(
    xp: Any, g: Any, *index: Any, pattern: tuple[Any, ...], shape: tuple[int, ...]
) -> Any:
    """Zeros of a shape with g added at […]: the transpose of `getitem`."""
    z = xp.zeros(shape, dtype=g.dtype)
    if index:
        return xp.scatter_add(z, fill(pattern, index), g)
    z[pattern] = g
    return z
getitem.vjp_joint(
    lambda g, z, x, *index, pattern: (
        putitem(g, *index, pattern=pattern, shape=x.shape), *(None,) * len(index)
    )
)  # fmt: skip
putitem.vjp_joint(
    lambda g, z, x, *index, pattern, shape: (
        getitem(g, *index, pattern=pattern), *(None,) * len(index)
    )
)  # fmt: skip


@op(
    samples=({"pattern": (slice(1, None), 0)}, {"pattern": (HERE,)}),
    shapes=(((3, 4), (2,)), ((3, 4), (2, 4), [2, 0])),
)
def setitem(xp: Any, x: Any, y: Any, *index: Any, pattern: tuple[Any, ...]) -> Any:
    """A copy of x in which […] is y; where an index occurs twice the last y stays."""
    z = x.copy()
    z[fill(pattern, index)] = y
    return z


@op(samples=({"pattern": (HERE,)},), shapes=(((3,), [2, 0, 2]),))
def winners(xp: Any, x: Any, *index: Any, pattern: tuple[Any, ...]) -> Any:
    """Of the elements that `setitem` puts at […] of x, which stay: the last at each index."""
    z = xp.zeros(x.shape, dtype="int64")
    places = z[fill(pattern, index)]
    places = xp.arange(places.size).reshape(places.shape)
    z[fill(pattern, index)] = places
    return z[fill(pattern, index)] == places
winners.vjp(None, None)


def _setitem_rule(
    g: Any, z: Any, x: Any, y: Any, *index: Any, pattern: tuple[Any, ...]
) -> tuple[Any, ...]:
    rest, gy = setitem(g, 0, *index, pattern=pattern), getitem(g, *index, pattern=pattern)
    if index:
        gy = where(winners(x, *index, pattern=pattern), gy, 0)
    return (rest, gy, *(None,) * len(index))
setitem.vjp_joint(_setitem_rule)


@op(
    samples=({"pattern": (slice(1, None), 0)}, {"pattern": (HERE,)}),
    shapes=(((3, 4), (2,)), ((3, 4), (3, 4), [2, 0, 2])),
)
def additem(xp: Any, x: Any, y: Any, *index: Any, pattern: tuple[Any, ...]) -> Any:
    """A copy of x with y added at […]; where an index occurs twice, both are added."""
    if index:
        return xp.scatter_add(x, fill(pattern, index), y)
    z = x.copy()
    z[pattern] += y
    return z
additem.vjp_joint(
    lambda g, z, x, y, *index, pattern: (
        g, getitem(g, *index, pattern=pattern), *(None,) * len(index)
    )
)  # fmt: skip


def _along(xp: Any, index: Any, axis: int) -> tuple[Any, ...]:
    """The NumPy index that picks, for each place of `index`, the element it names on the axis."""
    places = []
    for i, n in enumerate(index.shape):
        shape = [1] * index.ndim
        shape[i] = n
        places.append(xp.arange(n).reshape(shape))
    places[axis] = index
    return tuple(places)


@op(
    samples=({"axis": 1}, {"axis": 0}),
    shapes=(((3, 4), [[0, 3], [1, 1], [2, 0]]), ((3, 4), [[2]])),
)
def gather(xp: Any, x: Any, index: Any, *, axis: int) -> Any:
    """z[i, j] = x[i, index[i, j]] for axis 1, and so on: PyTorch's gather."""
    return x[_along(xp, index, axis)]
gather.vjp(
    lambda g, z, x, index, axis: putalong(g, index, axis=axis, shape=x.shape),
    None,
)


@op(
    samples=({"axis": 1, "shape": (3, 4)},),
    shapes=(((3, 2), [[0, 3], [1, 1], [2, 0]]),),
)
def putalong(xp: Any, g: Any, index: Any, *, axis: int, shape: tuple[int, ...]) -> Any:
    """Zeros of a shape with g added where `gather` would look: the transpose of `gather`."""
    return xp.scatter_add(xp.zeros(shape, dtype=g.dtype), _along(xp, index, axis), g)
putalong.vjp(lambda g, z, x, index, axis, shape: gather(g, index, axis=axis), None)


@op(samples=({"axis": 1},), shapes=(((3, 4), [[0, 3], [1, 1], [2, 0]], (3, 2)),))
def scatter_add(xp: Any, x: Any, index: Any, y: Any, *, axis: int) -> Any:
    """A copy of x with z[i, index[i, j]] += y[i, j] for axis 1, and so on, as PyTorch has it."""
    return xp.scatter_add(x, _along(xp, index, axis), y)
scatter_add.vjp(
    lambda g, z, x, index, y, axis: g,
    None,
    lambda g, z, x, index, y, axis: gather(g, index, axis=axis),
)


@op(samples=({},), shapes=(((5, 3), [[0, 4], [4, 2]]),), needs="a table (rows, …) and integers")
def embedding(xp: Any, x: Any, index: Any) -> Any:
    """For each index that row of the table x (rows, …)."""
    return xp.take(x, index, axis=0)
embedding.vjp(lambda g, z, x, index: putrows(g, index, rows=x.shape[0]), None)


@op(samples=({"rows": 5},), shapes=(((2, 2, 3), [[0, 4], [4, 2]]),))
def putrows(xp: Any, g: Any, index: Any, *, rows: int) -> Any:
    """A table of zeros with each g added to its row: the transpose of `embedding`.

    Half precision is summed in single precision, where small terms are not lost.
    """
    z = xp.zeros((rows, *g.shape[index.ndim :]), dtype=wide_dtype(g))
    return xp.add_at(z, (index,), wide(g)).astype(g.dtype, copy=False)
putrows.vjp(lambda g, z, x, index, rows: embedding(g, index), None)


@op(samples=({"classes": 4},), shapes=(([2, 0, 3],),))
def one_hot(xp: Any, index: Any, *, classes: int, dtype: Any = "float32") -> Any:
    """A new last axis with 1 at the index and 0 elsewhere."""
    return (index[..., None] == xp.arange(classes)).astype(dtype)


@op(samples=({"axis": 0}, {"axis": -1}), shapes=(((2, 3),),) * 2)
def argsort(xp: Any, x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The indices that sort x along an axis, equal elements in their old order."""
    if not descending:
        return xp.argsort(x, axis=axis, kind="stable")
    # Negated, unsigned integers and truth values would not be in opposite order.
    backwards = xp.argsort(xp.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - xp.flip(backwards, axis)


for _op in (one_hot, argsort):
    _op.vjp(None)
