"""A loop: elementwise operations and sums over one range of indices, as one pass over memory.

The range has `rows` and `cols`, and each variable of the loop has a level:

    "full"   one element for each row and column
    "row"    one for each row: sums along the columns, and what is computed from them
    "col"    one for each column, summed over the rows

A row is worked on in stages.  A sum along it ends a stage; what needs the sum, such as the
division in a softmax, comes in the next.  So softmax, cross-entropy, norms and their gradients
become one loop each, with what stands before and behind them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .layout import View
from .program import Step, Var

__all__ = ["REDUCTIONS", "Access", "Plan", "access", "is_loop", "plan"]

REDUCTIONS = {"sum": "+", "max": "max", "min": "min"}
"""Ops that take one of several elements along axes, by the OpenMP name of what joins two."""


@dataclass(frozen=True)
class Access:
    """Where the element for row r and column c lies: Σ (r / divisor % size) · stride + c · step."""

    terms: tuple[tuple[int, int, int], ...]
    step: int


def access(shape: tuple[int, ...], strides: tuple[int, ...], rows: int, cols: int) -> Access | None:
    """How an array of rows · cols elements is read by row and column; None if by no fixed step."""
    axes = [(n, s) for n, s in zip(shape, strides, strict=True) if n != 1]
    across: list[tuple[int, int]] = []
    left = cols
    while left > 1:
        if not axes:
            return None
        n, s = axes.pop()
        if left % n == 0:
            across.append((n, s))
            left //= n
        elif n % left == 0:  # the columns end within this axis
            across.append((left, s))
            axes.append((n // left, s * left))
            left = 1
        else:
            return None
    merged = _merged(across[::-1])
    if len(merged) > 1:
        return None
    terms, divisor = [], 1
    for n, s in reversed(_merged(axes)):
        if s:
            terms.append((divisor, n, s))
        divisor *= n
    if divisor != rows:
        return None
    return Access(tuple(terms), merged[0][1] if merged else 0)


def _merged(axes: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring axes that are passed through with one stride, as one axis."""
    found: list[tuple[int, int]] = []
    for n, s in axes:
        if found and found[-1][1] == s * n:
            found[-1] = found[-1][0] * n, s
        else:
            found.append((n, s))
    return found


def is_loop(step: Step) -> bool:
    """Whether an op works on one element at a time, or joins elements along axes."""
    name = step.op.name
    return step.op.elementwise or name in REDUCTIONS or name in ("astype", "one_hot")


@dataclass
class Plan:
    """How steps run in one loop."""

    rows: int
    cols: int
    level: dict[Var, str] = field(default_factory=dict)
    stage: dict[Var, int] = field(default_factory=dict)
    reads: dict[tuple[Step, int], Access] = field(default_factory=dict)
    """(step, place of an operand) → how an operand from outside is read."""
    at: dict[Step, str] = field(default_factory=dict)
    """The level that a step works at."""

    def written(self, view: View, level: str) -> Access | None:
        """Where a result of this level lies in memory."""
        rows, cols = {
            "full": (self.rows, self.cols), "row": (self.rows, 1), "col": (1, self.cols),
        }[level]  # fmt: skip
        return access(view.shape, view.strides, rows, cols)


def plan(steps: list[Step], views: dict[Var, View], base: dict[Var, Var]) -> Plan | None:
    """The plan for these steps, or None where they do not fit one loop.

    `views` tells where variables lie, and `base` which of them are views of which other.
    """
    size = max(math.prod(_own(step)) for step in steps)
    wanted = {c for step in steps if (c := _wanted_cols(step, size))}
    if len(wanted) > 1:
        return None
    options = list(wanted)
    if not options:
        shapes = {_own(step) for step in steps if math.prod(_own(step)) == size}
        options = sorted({math.prod(s[k:]) for s in shapes for k in range(len(s) + 1)})[::-1]
    for option in options:
        found = _planned(steps, views, base, size, option)
        if found is not None:
            return found
    return None


def _own(step: Step) -> tuple[int, ...]:
    """The shape that a step runs over."""
    return step.inputs[0].shape if step.op.name in REDUCTIONS else step.output.shape


def reduced_axes(step: Step) -> tuple[int, ...]:
    """The axes that a reduction takes away, counted from the front."""
    axis, ndim = step.params.get("axis"), len(step.inputs[0].shape)
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))))


def _halves(step: Step) -> tuple[str, int] | None:
    """Which half of the axes a reduction takes away, and how many elements the last half has."""
    shape, axes = step.inputs[0].shape, set(reduced_axes(step))
    long = [i for i, n in enumerate(shape) if n != 1]
    gone = [i in axes for i in long]
    if all(gone):
        return "row", math.prod(shape)
    for k in range(1, len(long)):
        if all(gone[k:]) and not any(gone[:k]):
            return "row", math.prod(shape[i] for i in long[k:])
        if all(gone[:k]) and not any(gone[k:]):
            return "col", math.prod(shape[i] for i in long[k:])
    return ("row", 1) if not any(gone) else None


def _wanted_cols(step: Step, size: int) -> int | None:
    if step.op.name not in REDUCTIONS or math.prod(_own(step)) != size:
        return None
    halves = _halves(step)
    return halves[1] if halves else None


def _planned(
    steps: list[Step], views: dict[Var, View], base: dict[Var, Var], size: int, cols: int
) -> Plan | None:
    if size % cols:
        return None
    found = Plan(size // cols, cols)
    for step in steps:
        own = _own(step)
        level = _level(step, math.prod(own), found, base)
        if level is None:
            return None
        found.at[step] = level
        rows, across = found.rows, cols if level == "full" else 1
        stage = 0
        for i, var in enumerate(step.inputs):
            if var.dtype is None:
                continue
            view, mine = views[var], base.get(var, var)
            shape, strides = var.shape, view.strides
            if step.op.name == "one_hot":  # a column is compared with the index of its row
                if level != "full" or cols != own[-1]:
                    return None
                shape, strides = (*shape, 1), (*strides, 0)
            how = access(own, _broadcast(strides, shape, own), rows, across)
            if how is None:
                return None
            if mine not in found.level:
                found.reads[step, i] = how
            elif view.offset or not _aligned(how, found.level[mine], level, rows, cols):
                return None
            else:
                stage = max(stage, found.stage[mine])
        if step.op.name in REDUCTIONS:
            halves = _halves(step)
            if level != "full" or halves is None or halves[1] != cols:
                return None
            if halves[0] == "col" and step.op.name != "sum":
                return None
            level, stage = halves[0], stage + (halves[0] == "row")
        found.level[step.output], found.stage[step.output] = level, stage
        if step.output in views and found.written(views[step.output], level) is None:
            return None
    return found


def _level(step: Step, size: int, found: Plan, base: dict[Var, Var]) -> str | None:
    """The level that a step works at."""
    levels = {found.level.get(base.get(var, var)) for var in step.inputs}
    if "col" in levels:  # it is complete only after the loop
        return None
    if size == found.rows * found.cols:
        return "full"
    return "row" if "row" in levels and "full" not in levels and size == found.rows else None


def _aligned(how: Access, level: str, at: str, rows: int, cols: int) -> bool:
    """Whether row r and column c of a step read just what row r and column c have computed."""
    if level == "full":
        terms = ((1, rows, cols),) if rows > 1 else ()
        return at == "full" and how == Access(terms, 1 if cols > 1 else 0)
    return how == Access(((1, rows, 1),) if rows > 1 else (), 0)


def _broadcast(
    strides: tuple[int, ...], shape: tuple[int, ...], own: tuple[int, ...]
) -> tuple[int, ...]:
    """The strides of an operand for the shape that it is broadcast to."""
    extra = len(own) - len(shape)
    return (0,) * extra + tuple([
        0 if n == 1 != m else s for n, m, s in zip(shape, own[extra:], strides, strict=True)
    ])  # fmt: skip
