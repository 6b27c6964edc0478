"""Faults of shape: axes, broadcasting, products, reshapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..errors import ShapeError
from .call import Call, Fault

__all__ = ["shape_faults"]

Shape = tuple[int, ...]


def shape_faults(call: Call) -> Iterator[Fault]:
    """What is wrong with the operands' shapes and with the params that speak of them."""
    yield from _axis(call)
    if call.op.name in SEARCHES:
        yield from SEARCHES[call.op.name](call)
    if call.op.elementwise:
        yield from _broadcasting(call)


# --- axes ---


def _axis(call: Call) -> Iterator[Fault]:
    axis = call.params.get("axis")
    if axis is None:
        return
    ndim = len(call.shapes[0])
    valid = f"{call.name(0)} has the axes {_axes(ndim)}."
    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not hasattr(a, "__index__"):
            hint = f" Did you mean axis={tuple(a)}?" if isinstance(a, list) else ""
            headline = f"axis must be an int or a tuple of ints, not {axis!r}"
            yield Fault(ShapeError, headline, valid + hint)
            return
        if not -ndim <= a < ndim:
            hint = f" Did you mean axis={ndim - 1}?" if a >= ndim > 0 else ""
            yield Fault(ShapeError, f"axis {a} is outside [{-ndim}, {ndim})", valid + hint)
            return
    if len({a % ndim for a in axes}) < len(axes):
        yield Fault(ShapeError, f"axis={axis} names an axis twice", valid)
    shape = call.shapes[0]
    if call.op.name in EXTREMES and any(shape[a] == 0 for a in axes):
        yield _empty(call)


def _axes(ndim: int) -> str:
    """The axes that there are, in words: 0, 1, 2 (or -3, -2, -1)."""
    if not ndim:
        return "() only: it is one number"
    return f"{', '.join(map(str, range(ndim)))} (or {', '.join(map(str, range(-ndim, 0)))})"


EXTREMES = ("max", "min", "argmax", "argmin", "softmax", "log_softmax", "logsumexp")


def _empty(call: Call) -> Fault:
    headline = f"there are no elements to choose from in shape {call.shapes[0]}"
    return Fault(ShapeError, headline, f"{call.op.name} needs at least one. Is the batch empty?")


def _extreme(call: Call) -> Iterator[Fault]:
    if call.params.get("axis") is None and 0 in call.shapes[0]:
        yield _empty(call)


# --- broadcasting ---


def clash(a: Shape, b: Shape) -> int | None:
    """The axis, counted from the end as -1, -2 …, on which two shapes do not broadcast."""
    for k in range(1, min(len(a), len(b)) + 1):
        if a[-k] != b[-k] and 1 not in (a[-k], b[-k]):
            return -k
    return None


def _broadcasting(call: Call) -> Iterator[Fault]:
    shapes = call.shapes
    for j in range(len(shapes)):
        for i in range(j):
            axis = clash(shapes[i], shapes[j])
            if axis is not None:
                yield Fault(
                    ShapeError,
                    f"shapes {shapes[i]} and {shapes[j]} do not broadcast, axis {axis} has sizes "
                    f"{shapes[i][axis]} and {shapes[j][axis]}",
                    "Counted from the last axis, sizes must be equal or 1." + _fit(call, i, j),
                )


def _fit(call: Call, i: int, j: int) -> str:
    """A change of one operand that would make two of them broadcast, as a question."""
    for one, other in ((j, i), (i, j)):
        small, large = call.shapes[one], call.shapes[other]
        if len(small) == len(large) == 2 and small[::-1] == large:
            return f" Did you mean {call.transposed(one)}?"
        written = call.name(one)
        if len(small) == 1 < len(large) and small[0] in large[:-1] and written[0] not in "([":
            place = len(large) - 2 - large[-2::-1].index(small[0])
            shape = (small[0], *[1] * (len(large) - 1 - place))
            return f" Did you mean {written}.reshape{shape}?"
    return " Reshape one of them."


def _broadcast_to(call: Call) -> Iterator[Fault]:
    have, want = call.shapes[0], tuple(call.params["shape"])
    if min(want, default=0) < 0:
        mend = "Sizes are 0 or more; name each of them."
        yield Fault(ShapeError, f"{min(want)} in {want} is not a size", mend)
        return
    for k in range(1, len(have) + 1):
        if k > len(want) or have[-k] not in (1, want[-k]):
            what = "has no place" if k > len(want) else f"has size {have[-k]}, not {want[-k]} or 1"
            yield Fault(
                ShapeError,
                f"{have} does not broadcast to {want}: axis {-k} {what}",
                "Only axes of size 1 are repeated, and new axes come in front.",
            )
            return


# --- products ---


def _matmul(call: Call) -> Iterator[Fault]:
    x, y = call.shapes[:2]
    a, b = call.name(0), call.name(1)
    if not x or not y:
        number, other = (a, b) if not x else (b, a)
        hint = f" To scale, write {other} * {number}."
        yield Fault(ShapeError, f"{number} is one number, not a matrix", call.needs() + hint)
        return
    k, inner = x[-1], y[-2] if len(y) > 1 else y[0]
    if k != inner:
        hint = f" Give {b} {k} rows, or {a} {inner} columns."
        if len(y) == 2 and y[1] == k:
            hint = f" Did you mean {call.transposed(1)}?"
        elif len(x) == 2 and x[0] == inner:
            hint = f" Did you mean {call.transposed(0)}?"
        elif len(x) == len(y) == 2 and x[0] == y[1]:
            hint = f" Did you mean {b} @ {a}?"
        yield Fault(ShapeError, f"inner sizes differ, {k} and {inner}", call.needs() + hint)
        return
    if clash(x[:-2], y[:-2]) is not None:
        headline = f"the batches {x[:-2]} and {y[:-2]} do not broadcast"
        mend = "The axes before the last two must be equal or 1."
        yield Fault(ShapeError, headline, f"{call.needs()} {mend}")


def _affine(call: Call) -> Iterator[Fault]:
    _, w, b = call.shapes
    if len(w) != 2:
        yield Fault(ShapeError, f"the weight has {len(w)} axes, not 2", call.needs())
        return
    yield from _matmul(call)
    if b not in ((w[1],), ()):
        headline = f"the bias has shape {b}, for {w[1]} outputs"
        yield Fault(ShapeError, headline, f"{call.needs()} Give it shape ({w[1]},).")


def _einsum(call: Call) -> Iterator[Fault]:
    text = call.params["subscripts"]
    operands, _, output = text.partition("->")
    sizes: dict[str, tuple[int, int]] = {}
    for i, (labels, shape) in enumerate(zip(operands.split(","), call.shapes, strict=True)):
        for c, n in zip(labels, shape, strict=True):
            if not c.isalpha():
                mend = 'Labels are letters: einsum("bij,bjk->bik", x, y).'
                yield Fault(ShapeError, f"{c!r} in {text!r} is not a label", mend)
            first, size = sizes.setdefault(c, (i, n))
            if n != size and 1 not in (n, size):
                where = f"{size} in {call.name(first)} and {n} in {call.name(i)}"
                mend = "Axes that share a label must have one size."
                yield Fault(ShapeError, f"label {c!r} of {text!r} has size {where}", mend)
    for c in output:
        if c not in sizes:
            mend = f"The result can keep {', '.join(map(repr, sorted(sizes)))}."
            yield Fault(ShapeError, f"label {c!r} of the result is in no operand of {text!r}", mend)
        elif output.count(c) > 1:
            mend = "Each axis of the result has its own label."
            yield Fault(ShapeError, f"label {c!r} stands twice in the result of {text!r}", mend)


# --- shape ---


def _reshape(call: Call) -> Iterator[Fault]:
    have, want = call.shapes[0], tuple(call.params["shape"])
    n, x = math.prod(have), call.name(0)
    if min(want, default=0) < -1:
        yield Fault(
            ShapeError,
            f"{min(want)} in {want} is not a size",
            f"Sizes are 0 or more; one may be -1, and is found from the {n} elements.",
        )
    elif want.count(-1) > 1:
        hint = f" Did you mean {x}.reshape({want[0]}, {_numbers(have[1:])})?" if have else ""
        headline = f"{want} leaves {want.count(-1)} sizes open"
        yield Fault(ShapeError, headline, "Only one size may be -1." + hint)
    else:
        asked = math.prod(want) if -1 not in want else -math.prod(want)
        if -1 in want and (asked == 0 or n % asked == 0) or asked == n:
            return
        what = f"{asked}" if -1 not in want else f"a multiple of {asked}"
        yield Fault(
            ShapeError,
            f"{have} has {n} elements, {want} needs {what}",
            f"The sizes must multiply to {n}.{_reshaped(x, n, want)}",
        )


def _reshaped(x: str, n: int, want: Shape) -> str:
    """The asked shape with its last size that can be put right put right."""
    for i in reversed(range(len(want))):
        others = math.prod(m for k, m in enumerate(want) if k != i)
        if others > 0 and n and n % others == 0:
            sizes = [*want[:i], n // others, *want[i + 1 :]]
            return f" Did you mean {x}.reshape({_numbers(sizes)})?"
    return f" Did you mean {x}.reshape(-1)?"


def _numbers(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def _transpose(call: Call) -> Iterator[Fault]:
    axes, ndim = call.params["axes"], len(call.shapes[0])
    if axes is not None and sorted(a % ndim if ndim else a for a in axes) != list(range(ndim)):
        yield Fault(
            ShapeError,
            f"{tuple(axes)} is not an order of the {ndim} axes of {call.shapes[0]}",
            f"Name each of {_axes(ndim)} once. Two axes are exchanged by swapaxes.",
        )


def _concatenate(call: Call) -> Iterator[Fault]:
    shapes, axis = call.shapes, call.params["axis"]
    first = shapes[0]
    for i, shape in enumerate(shapes[1:], start=1):
        if len(shape) != len(first):
            yield Fault(
                ShapeError,
                f"{call.name(0)} has {len(first)} axes and {call.name(i)} has {len(shape)}",
                "All need as many axes. Add one with expand_dims, or use stack for a new axis.",
            )
            return
        differ = [k for k in range(len(first)) if shape[k] != first[k]]
        wrong = [k for k in differ if k != axis % len(first)]
        if wrong:
            hint = f" Did you mean axis={differ[0]}?" if len(differ) == 1 else ""
            yield Fault(
                ShapeError,
                f"axis {wrong[0]} has size {first[wrong[0]]} in {call.name(0)} and "
                f"{shape[wrong[0]]} in {call.name(i)}",
                f"Only axis {axis}, along which they are joined, may differ.{hint}",
            )
            return
    if not first:
        mend = "Use stack for a new axis."
        yield Fault(ShapeError, "numbers have no axis to be joined along", mend)


def _pad(call: Call) -> Iterator[Fault]:
    for axis, pair in enumerate(call.params["width"]):
        if min(pair) < 0:
            mend = "Widths are 0 or more. To cut elements off, use x[1:-1]."
            yield Fault(ShapeError, f"width {pair} of axis {axis} is negative", mend)


SEARCHES: Mapping[str, Callable[[Call], Iterator[Fault]]] = {
    "matmul": _matmul, "affine": _affine, "einsum": _einsum,
    "reshape": _reshape, "transpose": _transpose, "broadcast_to": _broadcast_to,
    "concatenate": _concatenate, "pad": _pad,
} | dict.fromkeys(EXTREMES, _extreme)  # fmt: skip
