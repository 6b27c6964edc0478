"""What the kernels of a compiled program do: operations, bytes, and whose lines they come from."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .layout import View, itemsize
from .program import Program, Step, Var
from .schedule import Call, Fill, Host, Kind, Loop, Schedule
from .schedule.kinds import arrays
from .words import Words

__all__ = ["KernelFacts", "kernels_of", "steps_of"]

FREE = frozenset("identity detach reshape transpose broadcast_to getitem flip astype".split())
"""Ops that move elements, or not even that: they count as no operations."""


@dataclass(frozen=True)
class KernelFacts:
    """One kernel: what it computes, and what that takes.

    `name` is its function in the C, `where` how it runs ("loop", "kernel", "fill", "NumPy"), `ops`
    the operations in it, `what` the modules they belong to and `lines` the user's lines.  `flops`
    are arithmetic operations, None where nobody knows; `read` and `written` are bytes, each array
    counted once.  `seconds` and `share` are there where time was measured.
    """

    name: str
    where: str
    ops: tuple[str, ...]
    what: tuple[str, ...]
    lines: tuple[str, ...]
    flops: int | None
    read: int
    written: int
    seconds: float | None = None
    share: float | None = None


def kernels_of(
    schedule: Schedule, named: Iterable[Any], words: Words, seconds: list[float] | None = None
) -> list[KernelFacts]:
    """The facts about each kernel of a schedule, in order; `named` are those that C calls."""
    rest = iter(named)
    found = []
    for at, kind in enumerate(schedule.order):
        kernel = next(rest)[0] if isinstance(kind, (Loop, Call)) else None
        steps = _steps(kind)
        read, written = _traffic(schedule, kind)
        found.append(_facts(
            kernel.name if kernel is not None else steps[0].op.name if steps else "fill",
            _where(kind), steps, words, _flops(kind, kernel), read, written,
            seconds[at] if seconds else None, sum(seconds) if seconds else 0,
        ))  # fmt: skip
    return found


def steps_of(
    program: Program, words: Words, seconds: list[float] | None = None
) -> list[KernelFacts]:
    """The facts about each step of a program that an array library runs one by one."""
    found = []
    for at, step in enumerate(program.steps):
        read = 0 if step.op.name in FREE else sum(map(_bytes, dict.fromkeys(step.inputs)))
        written = 0 if step.op.name in FREE else sum(map(_bytes, step.outputs))
        found.append(_facts(
            step.op.name, library(program.backend), [step], words, _counted(step), read, written,
            seconds[at] if seconds else None, sum(seconds) if seconds else 0,
        ))  # fmt: skip
    return found


def library(backend: str) -> str:
    """What a backend's array library is called."""
    return {"numpy": "NumPy", "cupy": "CuPy"}.get(backend, backend)


def _facts(
    name: str, where: str, steps: list[Step], words: Words, flops: int | None,
    read: int, written: int, seconds: float | None, total: float,
) -> KernelFacts:  # fmt: skip
    origins = [words.origin(step) for step in steps]
    share = None if seconds is None else seconds / total if total else 0.0
    return KernelFacts(
        name, where, _distinct(step.op.name for step in steps), _distinct(o.what for o in origins),
        _distinct(o.line for o in origins), flops, read, written, seconds, share,
    )  # fmt: skip


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))


def _where(kind: Kind) -> str:
    return {Loop: "loop", Call: "kernel", Host: "NumPy", Fill: "fill"}[type(kind)]


def _steps(kind: Kind) -> list[Step]:
    if isinstance(kind, Fill):
        return []
    return list(kind.steps) if isinstance(kind, Loop) else [kind.step]


# --- operations ---


def _flops(kind: Kind, kernel: Any) -> int | None:
    if isinstance(kind, Loop):
        return sum(map(_in_loop, kind.steps))
    if isinstance(kind, Call):
        return kernel.flops or _counted(kind.step)
    return 0 if isinstance(kind, Fill) else _counted(kind.step)


def _in_loop(step: Step) -> int:
    """One operation for each element that a step runs over."""
    if step.op.name in FREE:
        return 0
    return max(math.prod(v.shape) for v in (*step.inputs, *step.outputs))


def _counted(step: Step) -> int | None:
    """The operations of a product, or of an op that does one per element; None for others."""
    if step.op.name in ("matmul", "affine"):
        return 2 * step.output.size * step.inputs[0].shape[-1]
    plain = step.op.elementwise or step.op.name in ("sum", "max", "min", *FREE)
    return _in_loop(step) if plain else None


# --- bytes ---


def _traffic(schedule: Schedule, kind: Kind) -> tuple[int, int]:
    """Bytes that a kernel reads and writes."""
    if isinstance(kind, Fill):
        return 0, math.prod(kind.view.shape) * itemsize(kind.view.buffer.dtype)
    if isinstance(kind, Loop):
        read = schedule.from_outside(kind)
        return _touched(schedule, read), _touched(schedule, kind.outputs)
    return _touched(schedule, kind.reads()), _touched(schedule, arrays(kind.step.outputs))


def _touched(schedule: Schedule, found: Iterable[Var]) -> int:
    """The bytes of these variables, each stretch of memory counted once."""
    parts: dict[Any, int] = {}
    for var in found:
        view: View = schedule.views[var]
        key = view.root()
        lengths = [n for n, s in zip(view.shape, view.strides, strict=True) if s]
        size = math.prod(lengths) * itemsize(view.buffer.dtype)
        parts[key] = max(parts.get(key, 0), size)
    return sum(parts.values())


def _bytes(var: Var) -> int:
    return 0 if var.dtype is None else var.size * itemsize(var.dtype)
