"""Faults of indices: out of range, too many, of the wrong shape or dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import backends

from ..errors import DTypeError, ShapeError
from ..ops.index import HERE, fill
from .call import Call, Fault
from .shapes import clash

__all__ = ["index_faults"]


def index_faults(call: Call) -> Iterator[Fault]:
    """What is wrong with the indices of an op that chooses elements."""
    if call.op.name in SEARCHES:
        yield from SEARCHES[call.op.name](call)


def outside(raw: Any, size: int, low: int) -> tuple[int, tuple[int, ...], int] | None:
    """Of integers: the first that is outside [low, size), its place, and how many are."""
    host = backends.namespaces[type(raw)].to_host(raw)
    xp = backends.get("numpy")
    wrong = xp.argwhere((host < low) | (host >= size))
    if not len(wrong):
        return None
    place = tuple(int(i) for i in wrong[0])
    return int(host[place]), place, len(wrong)


def _getitem(call: Call) -> Iterator[Fault]:
    first = {"getitem": 1, "putitem": 1}.get(call.op.name, 2)
    shape = tuple(call.params.get("shape", call.shapes[0]))
    pattern = call.params["pattern"]
    arrays = list(range(first, len(call.inputs)))
    items = list(_walk(pattern, arrays))
    taken = sum(_width(call, item, i) for item, i in items)
    if taken > len(shape):
        mend = f"Shape {shape} takes at most {len(shape)}."
        yield Fault(ShapeError, f"{taken} indices for {len(shape)} axes", mend)
        return
    axis = 0
    for item, i in items:
        if item is Ellipsis:
            axis += len(shape) - taken
        elif item is not None:
            yield from _one(call, item, i, axis, shape)
            axis += _width(call, item, i)
    shapes = [call.shapes[i] for i in arrays if call.dtype(i).kind != "b"]
    for one, other in pairwise(shapes):
        if clash(one, other) is not None:
            mend = "Index arrays are read together, so their shapes must broadcast."
            yield Fault(ShapeError, f"index arrays of shapes {one} and {other}", mend)
    if first == 2:
        yield from _placed(call, shape, pattern, arrays)


def _walk(pattern: tuple[Any, ...], arrays: list[int]) -> Iterator[tuple[Any, int]]:
    """The items of a pattern, each with the operand that is its index array, or -1."""
    rest = iter(arrays)
    for item in pattern:
        yield item, next(rest) if item is HERE else -1


def _width(call: Call, item: Any, i: int) -> int:
    """How many axes an item of an index takes."""
    if item is None or item is Ellipsis:
        return 0
    if item is HERE and call.dtype(i).kind == "b":
        return len(call.shapes[i])
    return 1


def _one(call: Call, item: Any, i: int, axis: int, shape: tuple[int, ...]) -> Iterator[Fault]:
    n = shape[axis]
    if item is HERE:
        yield from _array(call, i, axis, shape)
    elif isinstance(item, slice):
        for bound in (item.start, item.stop, item.step):
            if bound is not None and not hasattr(bound, "__index__"):
                mend = f"Bounds of a slice must be ints: int({bound!r})."
                yield Fault(DTypeError, f"{bound!r} in a slice of axis {axis} is no int", mend)
        if item.step == 0:
            yield Fault(ShapeError, "the step of a slice is 0", "Steps are 1, 2 … or -1, -2 …")
    elif not hasattr(item, "__index__"):
        mend = "Index with ints, slices, None, …, integer arrays or truth values."
        kind = type(item).__name__
        yield Fault(DTypeError, f"{item!r}, a {kind}, is no index of axis {axis}", mend)
    elif not -n <= item < n:
        yield Fault(ShapeError, f"index {item} is outside [{-n}, {n}), axis {axis}", _last(n))


def _array(call: Call, i: int, axis: int, shape: tuple[int, ...]) -> Iterator[Fault]:
    """What is wrong with operand i as the index of an axis."""
    n, kind = shape[axis], call.dtype(i).kind
    if kind == "b":
        covered = shape[axis : axis + len(call.shapes[i])]
        if call.shapes[i] != covered:
            headline = f"a mask of shape {call.shapes[i]} for axes of shape {covered}"
            mend = f"A mask must have the shape of the axes it chooses from: {covered}."
            yield Fault(ShapeError, headline, mend)
    elif kind not in "iu":
        yield _not_integers(call, i)
    elif found := outside(call.inputs[i].raw, n, -n):
        value, place, many = found
        more = f" ({many} are)" if many > 1 else ""
        headline = f"index {value}, at {_at(place)} of {call.name(i)}, is outside [{-n}, {n}){more}"
        yield Fault(ShapeError, f"{headline}, axis {axis}", _last(n))


def _last(n: int) -> str:
    return f"The last index is {n - 1}." if n else "The axis is empty: nothing can be chosen."


def _at(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]"


def _not_integers(call: Call, i: int) -> Fault:
    name = call.name(i)
    headline = f"{name} holds {call.dtype(i)}, but indices are integers"
    return Fault(DTypeError, headline, f'Convert it: {name}.astype("int64").')


def _placed(
    call: Call, shape: tuple[int, ...], pattern: tuple[Any, ...], arrays: list[int]
) -> Iterator[Fault]:
    """Whether the value of `at[…].set` or `.add` broadcasts to the place it goes to."""
    xp = backends.get("numpy")
    raws = [call.inputs[i].raw for i in arrays]
    hosts = tuple(backends.namespaces[type(raw)].to_host(raw) for raw in raws)
    key = fill(pattern, hosts)
    place = xp.empty(shape, dtype=bool)[key].shape
    value = call.shapes[1]
    if len(value) > len(place) or any(
        m not in (1, n) for m, n in zip(value[::-1], place[::-1], strict=False)
    ):
        headline = f"the value has shape {value}, the place {place}"
        yield Fault(ShapeError, headline, "The value must broadcast to the place it goes to.")


def _along(call: Call) -> Iterator[Fault]:
    """`gather` and its kin: one index per element, along an axis."""
    axis, x, index = call.params["axis"], call.shapes[0], call.shapes[1]
    shape = tuple(call.params.get("shape", x))
    axis %= len(shape)
    if call.dtype(1) is None or call.dtype(1).kind not in "iu":
        yield _not_integers(call, 1)
    elif len(index) != len(shape):
        mend = "The index has as many axes as what it chooses from. Add one with expand_dims."
        headline = f"an index with {len(index)} axes for {len(shape)}"
        yield Fault(ShapeError, headline, mend)
    elif any(k != axis and m > n for k, (m, n) in enumerate(zip(index, shape, strict=True))):
        mend = f"On the axes other than {axis} the index may not be larger than {shape}."
        yield Fault(ShapeError, f"an index of shape {index} reaches beyond {shape}", mend)
    else:
        yield from _array(call, 1, axis, shape)


def _labels(call: Call) -> Iterator[Fault]:
    x, index = call.shapes
    classes = x[-1] if x else 0
    if call.dtype(1) is None or call.dtype(1).kind not in "iu":
        yield _not_integers(call, 1)
    elif index != x[:-1]:
        hint = ""
        if index == x:
            hint = f" One-hot labels become classes by {call.name(1)}.argmax(axis=-1)."
        elif index == (*x[:-1], 1):
            hint = f" Did you mean {call.name(1)}.squeeze(-1)?"
        headline = f"labels of shape {index} for logits of shape {x}"
        yield Fault(ShapeError, headline, call.needs() + hint)
    elif found := outside(call.inputs[1].raw, classes, 0):
        value, place, many = found
        more = f" ({many} are)" if many > 1 else ""
        headline = f"label {value}, at {_at(place)}, is outside [0, {classes}){more}"
        mend = f"The logits have {classes} classes, so labels go from 0 to {classes - 1}."
        yield Fault(ShapeError, headline, mend)


def _rows(call: Call) -> Iterator[Fault]:
    """`embedding`: a row of a table for each index."""
    rows = call.shapes[0][0] if call.shapes[0] else 0
    if call.dtype(1) is None or call.dtype(1).kind not in "iu":
        yield _not_integers(call, 1)
    elif found := outside(call.inputs[1].raw, rows, 0):
        value, place, many = found
        more = f" ({many} are)" if many > 1 else ""
        headline = f"index {value}, at {_at(place)}, is outside [0, {rows}){more}"
        mend = f"The table has {rows} rows, 0 to {rows - 1}. Make it larger, or the indices right."
        yield Fault(ShapeError, headline, mend)


SEARCHES: dict[str, Callable[[Call], Iterator[Fault]]] = {
    **dict.fromkeys(("getitem", "putitem", "setitem", "additem"), _getitem),
    **dict.fromkeys(("gather", "putalong", "scatter_add"), _along),
    "softmax_cross_entropy": _labels,
    "embedding": _rows,
}
