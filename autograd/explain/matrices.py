"""Faults of matrices: not square, not finite, singular, not positive definite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import backends

from ..errors import DomainError, ShapeError
from .call import Call, Fault

__all__ = ["matrix_faults"]

INVERTED = frozenset("inv solve slogdet cofactor".split())
"""Operations that a singular matrix has no result or no gradient of."""

SQUARE = INVERTED | frozenset("det cholesky eigh expm".split())
MATRICES = SQUARE | frozenset("svd qr".split())


def matrix_faults(call: Call) -> Iterator[Fault]:
    """What is wrong with the matrix that an operation of linear algebra was given first."""
    if call.op.name not in MATRICES:
        return
    yield from _shapes(call)
    xp = backends.get("numpy")
    raw = call.inputs[0].raw
    x = backends.namespaces[type(raw)].to_host(raw).astype("float64")
    for place in xp.ndindex(x.shape[:-2]):
        which = f"matrix {_at(place)} of {call.name(0)}" if place else call.name(0)
        if not xp.isfinite(x[place]).all():
            at = tuple(int(i) for i in xp.argwhere(~xp.isfinite(x[place]))[0])
            mend = "Find where it comes from: autograd.check, or a smaller learning rate."
            headline = f"{which} holds {x[place][at]} at {_at(at)}"
            yield Fault(DomainError, headline, mend)
        elif call.op.name in INVERTED:
            yield from _singular(call, which, x[place])
        elif call.op.name == "cholesky":
            yield from _indefinite(call, which, x[place])
        elif call.op.name == "qr":
            yield from _dependent(call, which, x[place])


def _at(place: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, place))}]"


def _shapes(call: Call) -> Iterator[Fault]:
    shape = call.shapes[0]
    if len(shape) < 2:
        headline = f"{call.name(0)} has shape {shape}, which is no matrix"
        yield Fault(ShapeError, headline, call.needs())
    elif call.op.name in SQUARE and shape[-1] != shape[-2]:
        mend = f"{call.needs()} For others there are svd and qr."
        yield Fault(ShapeError, f"{call.name(0)} is {shape[-2]} × {shape[-1]}, not square", mend)
    elif call.op.name == "solve" and call.shapes[1][-2:-1] != shape[-1:]:
        headline = f"{shape[-1]} unknowns, and a right side of shape {call.shapes[1]}"
        yield Fault(ShapeError, headline, call.needs())
    elif call.op.name == "solve":
        one, other = shape[:-2], call.shapes[1][:-2]
        if any(1 != a != b != 1 for a, b in zip(one[::-1], other[::-1], strict=False)):
            headline = f"{one} matrices and {other} right sides do not broadcast"
            yield Fault(ShapeError, headline, call.needs())


def _singular(call: Call, which: str, x: Any) -> Iterator[Fault]:
    xp = backends.get("numpy")
    s = xp.linalg.svd(x, compute_uv=False)
    if s[-1] <= s[0] * len(s) * xp.finfo(_precision(call)).eps:
        condition = s[0] / s[-1] if s[-1] else xp.inf
        yield Fault(
            DomainError,
            f"{which} is singular: of its singular values the smallest is {s[-1]:.3g}, the "
            f"largest {s[0]:.3g} (condition number {condition:.3g})",
            "Its rows depend on each other. A little on the diagonal helps: "
            f"{call.name(0)} + 1e-3 * autograd.eye({len(s)}).",
        )


def _precision(call: Call) -> str:
    return "float64" if str(call.dtype(0)) == "float64" else "float32"


def _indefinite(call: Call, which: str, x: Any) -> Iterator[Fault]:
    xp = backends.get("numpy")
    w = xp.linalg.eigvalsh((x + x.T) / 2)
    if w[0] <= w[-1] * len(w) * xp.finfo(_precision(call)).eps:
        yield Fault(
            DomainError,
            f"{which} is not positive definite: its smallest eigenvalue is {w[0]:.3g}",
            f"A little more than that on the diagonal helps: {call.name(0)} + "
            f"{max(1e-3, -2 * w[0]):.2g} * autograd.eye({len(w)}).",
        )


def _dependent(call: Call, which: str, x: Any) -> Iterator[Fault]:
    """A triangle r that cannot be inverted, which qr's gradient needs."""
    xp = backends.get("numpy")
    k = min(x.shape)
    s = xp.linalg.svd(x[:, :k], compute_uv=False)
    if s[-1] <= s[0] * k * xp.finfo(_precision(call)).eps:
        yield Fault(
            DomainError,
            f"of {which} the first {k} columns depend on each other: their smallest singular "
            f"value is {s[-1]:.3g}, and then qr has no gradient",
            "Use svd, or leave out columns that repeat others.",
        )
