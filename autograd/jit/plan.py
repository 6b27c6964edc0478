"""A plan: what is needed to run a program whose library is built already, kept beside it on disk.

A later process that records the same program neither schedules nor writes C again: it looks the
plan up by all that the C depends on, and loads the library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from os.path import dirname
from typing import TYPE_CHECKING, Any

from backends import numpy as np

from . import pool, processor, toolchain
from .layout import itemsize
from .program import Program, Var
from .store import stores
from .text import Nameless, digest, told, version

if TYPE_CHECKING:
    from .layout import View
    from .render import Rendered

__all__ = ["Plan", "find", "held", "keep", "key_of", "plan_of"]


@dataclass
class Plan:
    """How the functions of a library are called, with which memory.

    Places are those in `given` of the program that was compiled, orders those in the table of
    pointers.
    """

    library: str
    """What the library is found by."""
    parts: list[Any]
    """The names of its functions; between them, the steps that Python computes."""
    arena: int
    work: int
    """Bytes of scratch memory that each thread needs."""
    threaded: bool
    pointers: int
    numbers: int
    inputs: list[int]
    """The places of what is handed over at each call, without leaves."""
    hands: list[int]
    """The order of each of these or, of a number, its place in the table of numbers."""
    fixed: list[tuple[int, Any]]
    """(order, place) of what stays where it is (see `held`), or the array, if it has no place."""
    results: list[tuple[int, list[int], str]]
    """(order, shape, dtype) of the arrays that each call makes."""
    ends: list[int]
    """The order of each result and gradient."""
    shown: list[tuple[int, list[int], str]]
    """(byte in the arena, shape, dtype) of what lies there until the next run."""

    @property
    def portable(self) -> bool:
        """Whether another process can use it."""
        return not self.has_hosts and all(isinstance(place, int) for _, place in self.fixed)

    @property
    def has_hosts(self) -> bool:
        """Whether Python computes some steps."""
        return any(not isinstance(part, str) for part in self.parts)


def held(program: Program, place: int) -> Any:
    """The array at a place: what is given or, behind that, what is assigned."""
    if place >= len(program.given):
        return program.writes[place - len(program.given)].leaf.raw
    var = program.given[place]
    if var.source == "leaf":
        return var.value.raw
    return np.ascontiguousarray(var.value).reshape(var.shape)


def plan_of(program: Program, rendered: Rendered, library: str) -> Plan:
    """The plan of a program that has been written as C."""
    schedule = rendered.schedule
    place = {var: i for i, var in enumerate(program.given)}
    leaves = [v.value if v.source == "leaf" else None for v in program.given]
    leaves += [write.leaf for write in program.writes]
    owner = {id(leaf): i for i, leaf in reversed([*enumerate(leaves)])}
    constants = {
        schedule.views[v].buffer: place.get(v)
        for v in schedule.program.given if v.source == "constant" and v.dtype is not None
    }  # fmt: skip
    fixed: list[tuple[int, Any]] = []
    for b in schedule.given:
        if b.kind == "leaf":
            fixed.append((b.order, owner[id(b.owner)]))
        elif b.kind == "constant":  # one that came up on the way has no place
            at = constants[b]
            fixed.append((b.order, b.owner if at is None else at))
    inputs = [v for v in schedule.program.inputs if v.source != "leaf"]
    ends = [*schedule.program.results, *[g for _, g in schedule.program.gradients if g is not None]]
    return Plan(
        library, rendered.parts, rendered.arena, rendered.work, rendered.threaded,
        len(schedule.given), len(rendered.numbers), [place[var] for var in inputs],
        [
            rendered.numbers.index(var) if var.dtype is None else schedule.views[var].buffer.order
            for var in inputs
        ],
        fixed,
        [(b.order, list(var.shape), b.dtype) for var, b in schedule.results.items()],
        [schedule.results[var].order for var in ends],
        [_resting(schedule.views[var]) for var in schedule.shown],
    )  # fmt: skip


def _resting(view: View) -> tuple[int, list[int], str]:
    buffer, start = view.root()
    return buffer.offset + start * itemsize(buffer.dtype), list(view.shape), buffer.dtype


# --- what it depends on ---


def key_of(program: Program, data: int | None = None) -> str | None:
    """A hash of all that the C of a program depends on; None where that cannot be said.

    `data` is where in an array object its data pointer lies, which differs between builds of
    Python: see `render`.
    """
    compiler = toolchain.find()
    if compiler is None:
        return None
    surroundings = [
        _engine(), compiler.identity, compiler.version, str(compiler.flags(processor.target())),
        str(processor.target()), str(pool.threads()), str(data),
    ]  # fmt: skip
    try:
        text = "\n".join([*surroundings, *_lines(program)])
    except Nameless:
        return None
    return digest(text)


def _lines(program: Program) -> Iterator[str]:
    """The program as text, but for names and places."""
    number: dict[Var, int] = {}
    memory = _memory([
        *[v.value.raw for v in program.given if v.source == "leaf"],
        *[write.leaf.raw for write in program.writes],
    ])  # fmt: skip
    for var in program.given:
        number[var] = len(number)
        facts: Any = type(var.example)
        if var.source == "constant":
            facts = _constant(var)
        elif var.source == "leaf":
            facts = next(memory)
        yield f"{var.source} {var.dtype} {var.shape} {facts}"
    for step in program.steps:
        if not step.op.__module__.startswith("autograd."):
            raise Nameless
        inputs = [number[v] for v in step.inputs]
        yield f"{step.op.name} {inputs} {told(step.params)} {step.late}"
        for var in step.outputs:
            number[var] = len(number)
            yield f"{var.dtype} {var.shape} {type(var.example).__name__}"
    for write in program.writes:
        yield f"{next(memory)} {told(write.at)} {number[write.value]}"
    gradients = [g for _, g in program.gradients if g is not None]
    ends = program.results, gradients, program.checks, program.shown
    yield str([[number[v] for v in group] for group in ends])


def _constant(var: Var) -> str:
    if var.dtype is None:
        return told(var.value)
    data = np.ascontiguousarray(var.value)
    return hashlib.sha256(data.tobytes()).hexdigest()


def _memory(arrays: list[Any]) -> Iterator[str]:
    """How arrays lie to one another: the stretch of memory, the place in it, the strides."""
    bounds = [np.lib.array_utils.byte_bounds(x) if x.size else (0, 0) for x in arrays]
    starts: list[tuple[int, int]] = []
    for start, end in sorted(set(bounds)):
        if starts and start < starts[-1][1]:
            starts[-1] = starts[-1][0], max(end, starts[-1][1])
        else:
            starts.append((start, end))
    stretches: dict[int, int] = {}
    for array, (start, _) in zip(arrays, bounds, strict=True):
        begin = next((a for a, end in starts if a <= start < end), start)
        stretch = stretches.setdefault(begin, len(stretches))
        yield f"{array.dtype} {array.shape} {stretch} {start - begin} {array.strides}"


@lru_cache(maxsize=1)
def _engine() -> str:
    """What tells one version of the compiler of this package from another."""
    return version(dirname(__file__))


# --- on disk ---


def find(key: str) -> Plan | None:
    """The plan that was kept, if it is whole."""
    for store in stores(new=False):
        with suppress(OSError, ValueError, TypeError):
            note = store.read_note(f"plan-{key}")
            if digest(str(note.get("plan"))) == note.get("digest"):
                return Plan(**json.loads(note["plan"]))
    return None


def keep(key: str, plan: Plan) -> None:
    """Write a plan down, where there is a place for it."""
    text = json.dumps(asdict(plan))
    for store in stores(new=False):
        with suppress(OSError):
            store.write_note(f"plan-{key}", {"plan": text, "digest": digest(text)})
            return
