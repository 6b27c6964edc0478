"""Operations that move elements without changing them.

All are linear: each rule is the way back.
"""


from typing import Any

from ..errors import ShapeError
from ..node import op


@op(samples=({"shape": (3, 2)}, {"shape": (6,)}, {"shape": (-1, 1)}), shapes=(((2, 3),),) * 3)
def reshape(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """The same elements, in C order, in another shape; one size may be -1."""
    return x.reshape(shape)
reshape.vjp(lambda g, z, x, shape: reshape(g, shape=x.shape))


@op(samples=({"axes": None}, {"axes": (1, 2, 0)}), shapes=(((2, 3),), ((2, 3, 4),)))
def transpose(xp: Any, x: Any, *, axes: tuple[int, ...] | None = None) -> Any:
    """Axes in another order; all reversed by default."""
    return xp.transpose(x, axes)


def _inverse(axes: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if axes is None:
        return None
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))
transpose.vjp(lambda g, z, x, axes: transpose(g, axes=_inverse(axes)))


@op(samples=({"shape": (2, 4, 3)},), shapes=(((4, 1),),))
def broadcast_to(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """x repeated along new axes and axes of size 1, until it has the shape."""
    return xp.broadcast_to(x, shape)
broadcast_to.vjp(lambda g, z, x, shape: sum_to(g, shape=x.shape))


@op(
    samples=({"shape": (4, 1)}, {"shape": (3,)}),
    shapes=(((2, 4, 3),),) * 2,
    needs="a shape that broadcasts to x's",
)
def sum_to(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    """x summed down to a shape that broadcasts to its own: the transpose of broadcasting."""
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 != x.shape[i + extra]
    )
    z = xp.sum(x, axis=axes, keepdims=True)
    if z.shape[extra:] != shape:
        raise ShapeError(f"sum_to: {shape} does not broadcast to {x.shape}")
    return z.reshape(shape) if extra else z
sum_to.vjp(lambda g, z, x, shape: broadcast_to(g, shape=x.shape))


@op(samples=({"axis": None}, {"axis": 1}, {"axis": (0, 1)}), shapes=(((2, 3),),) * 3)
def flip(xp: Any, x: Any, *, axis: Any = None) -> Any:
    """Elements in the opposite order along the axes, all by default."""
    return xp.flip(x, axis)
flip.vjp(lambda g, z, x, axis: flip(g, axis=axis))


@op(samples=({"shift": 1, "axis": 1}, {"shift": (1, -1), "axis": (0, 1)}), shapes=(((2, 3),),) * 2)
def roll(xp: Any, x: Any, *, shift: Any, axis: Any = None) -> Any:
    """Elements moved along the axis; those that fall off the end come in at the front."""
    return xp.roll(x, shift, axis)


def _opposite(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift
roll.vjp(lambda g, z, x, shift, axis: roll(g, shift=_opposite(shift), axis=axis))


@op(samples=({"width": ((1, 0), (2, 3)), "value": 0.5},), shapes=(((2, 3),),))
def pad(xp: Any, x: Any, *, width: tuple[tuple[int, int], ...], value: float = 0.0) -> Any:
    """x with `width[axis] = (before, after)` elements of a constant value around it."""
    return xp.pad(x, width, constant_values=value)
pad.vjp(lambda g, z, x, width, value: g[_interior(x.shape, width)])


def _interior(shape: tuple[int, ...], width: tuple[tuple[int, int], ...]) -> tuple[slice, ...]:
    return tuple(slice(before, before + n) for n, (before, _) in zip(shape, width, strict=True))


@op(samples=({"axis": 0}, {"axis": 1}), shapes=(((2, 3), (1, 3)), ((2, 3), (2, 2))))
def concatenate(xp: Any, *xs: Any, axis: int = 0) -> Any:
    """Arrays one behind the other along an axis that exists."""
    return xp.concatenate(xs, axis=axis)


def _concatenate_rule(g: Any, z: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for x in xs:
        stop = start + x.shape[axis]
        parts.append(g[(slice(None),) * (axis % g.ndim) + (slice(start, stop),)])
        start = stop
    return tuple(parts)
concatenate.vjp_joint(_concatenate_rule)


@op(samples=({"k": 0}, {"k": 1}, {"k": -1}), shapes=(((3, 4),), ((2, 3, 3),), ((3, 3),)))
def tril(xp: Any, x: Any, *, k: int = 0) -> Any:
    """The last two axes' lower triangle, up to the k-th diagonal above the main one; else 0."""
    return xp.tril(x, k)
tril.vjp(lambda g, z, x, k: tril(g, k=k))


@op(samples=({"k": 0}, {"k": 1}, {"k": -1}), shapes=(((3, 4),), ((2, 3, 3),), ((3, 3),)))
def triu(xp: Any, x: Any, *, k: int = 0) -> Any:
    """The last two axes' upper triangle, from the k-th diagonal above the main one; else 0."""
    return xp.triu(x, k)
triu.vjp(lambda g, z, x, k: triu(g, k=k))


@op(samples=({"dtype": "float64"},), shapes=(((2, 3),),))
def astype(xp: Any, x: Any, *, dtype: Any) -> Any:
    """x in another dtype; the gradient comes back in x's own."""
    return x.astype(dtype)
astype.vjp(lambda g, z, x, dtype: astype(g, dtype=x.dtype))


@op(samples=({},), shapes=(((2, 3),),))
def detach(xp: Any, x: Any) -> Any:
    """x as a constant: no gradient goes back through it."""
    return x
detach.vjp(None)
