"""The memory of a compiled function: what lives on, what lies in the arena, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .layout import Buffer, itemsize
from .listing import columns, shortened
from .memory import lifetimes
from .program import Program, Step, Var
from .words import Words, size

__all__ = ["Footprint", "Resident", "bytes_text", "footprint"]

SHOWN = 12
"""Buffers in the timeline: the largest."""
TICKS = 40
"""Characters of the timeline at most."""
GIVEN = frozenset("leaf argument gradient constant".split())


@dataclass(frozen=True)
class Resident:
    """What lies in the arena from the kernel `first` to `last`, at `offset`, of `bytes` bytes."""

    name: str
    shape: tuple[int, ...]
    bytes: int
    offset: int
    first: int
    last: int


@dataclass(frozen=True)
class Footprint:
    """Bytes, by whose they are.

    `parameters` are tensors that need a gradient, `state` what else lives on between calls, such
    as an optimizer's moments.  `arena` holds everything temporary, in turn; `one_by_one` is what
    the same temporaries would take if each had memory of its own, and `kept` what the graph of a
    call that is not compiled keeps for its backward pass, about.
    """

    parameters: int
    state: int
    arguments: int
    constants: int
    results: int
    arena: int | None
    one_by_one: int
    kept: int
    residents: tuple[Resident, ...] = ()
    kernels: int = 0

    def __str__(self) -> str:
        rows = [
            ("parameters", self.parameters, "live on, and are assigned in place"),
            ("state", self.state, "of optimizers and layers, as well"),
            ("arguments", self.arguments, "are read where they are"),
            ("constants", self.constants, "belong to the program"),
            ("results", self.results, "new arrays at each call"),
        ]
        told = [(name, bytes_text(n), what) for name, n, what in rows if n]
        if self.arena is None:
            told.append(("temporaries", bytes_text(self.one_by_one), "made and freed by NumPy"))
        else:
            what = f"all temporaries in turn; {bytes_text(self.one_by_one)} if each had its own"
            told.append(("arena", bytes_text(self.arena), what))
        if self.kept:
            what = "what the graph of an uncompiled call keeps, about"
            told.append(("eager", bytes_text(self.kept), what))
        return "\n".join([*columns(told, (14, 12, 66), right=(1,)), *self._timeline()])

    def __repr__(self) -> str:
        return str(self)

    def _timeline(self) -> list[str]:
        """The largest temporaries over the kernels: a bar for as long as each is needed."""
        if not self.residents:
            return []
        most = sorted(self.residents, key=lambda r: -r.bytes)[:SHOWN]
        scale = min(1.0, TICKS / self.kernels)
        rows = []
        for r in sorted(most, key=lambda r: (r.first, -r.bytes)):
            start, end = int(r.first * scale), int(r.last * scale) + 1
            bar = " " * start + "█" * max(end - start, 1)
            rows.append((shortened(r.name, 26), size(r.shape), bytes_text(r.bytes), bar))
        rest = len(self.residents) - len(most)
        told = f"the arena over {self.kernels} kernels" + f", its {SHOWN} largest" * (rest > 0)
        return ["", told, *columns(rows, (26, 15, 8, TICKS), right=(2,))]


def footprint(program: Program, words: Words, schedule: Any, arena: int | None) -> Footprint:
    """What a program takes; with its schedule and the bytes of its arena, where it was compiled."""
    leaves = {id(v.value): v for v in program.given if v.source == "leaf"}
    held: dict[int, Any] = {id(x.value.raw): x.value for x in leaves.values()}
    held |= {id(w.leaf.raw): w.leaf for w in program.writes}
    parameters, state = _held(list(held.values()))
    ends = [*program.results, *[g for _, g in program.gradients if g is not None]]
    temporaries = {v for s in program.steps for v in s.outputs if v.dtype is not None} - set(ends)
    residents: tuple[Resident, ...] = ()
    one_by_one, kernels = sum(map(_bytes, temporaries)), 0
    if schedule is not None:
        lives = lifetimes(schedule)
        names = _names(schedule, words)
        residents = tuple(
            Resident(*names.get(b, ("scratch", (b.size,))), b.bytes, b.offset, *life)
            for b, life in lives.items()
        )
        one_by_one, kernels = sum(b.bytes for b in lives), len(schedule.order)
    return Footprint(
        parameters, state, _given(program, "argument"), _given(program, "constant"),
        sum(map(_bytes, dict.fromkeys(ends))), arena, one_by_one, _kept(program, words),
        residents, kernels,
    )  # fmt: skip


def _held(leaves: list[Any]) -> tuple[int, int]:
    """Bytes of parameters, and of what else lives on; memory that two share counts once."""
    parameters = state = 0
    ends: list[tuple[int, int]] = []
    order = sorted(leaves, key=lambda x: -x.raw.nbytes)
    shared = [x.raw for x in leaves if x.requires_grad]
    for leaf in order:
        raw = leaf.raw
        start = _address(raw)
        end = start + raw.nbytes
        if any(a <= start and end <= b for a, b in ends):
            continue
        ends.append((start, end))
        inside = any(start <= _address(x) < end for x in shared)
        if leaf.requires_grad or inside:
            parameters += raw.nbytes
        else:
            state += raw.nbytes
    return parameters, state


def _address(raw: Any) -> int:
    """Where an array lies, on the host or on a device; where nobody tells, a place of its own."""
    if hasattr(raw, "ctypes"):
        return int(raw.ctypes.data)
    return int(raw.data.ptr) if hasattr(getattr(raw, "data", None), "ptr") else id(raw) << 64


def _given(program: Program, source: str) -> int:
    return sum(_bytes(v) for v in program.given if v.source == source)


def _bytes(var: Var) -> int:
    return 0 if var.dtype is None else var.size * itemsize(var.dtype)


def _names(schedule: Any, words: Words) -> dict[Buffer, tuple[str, tuple[int, ...]]]:
    """What lies in each temporary: the user's name, or what computed it; and its shape."""
    found: dict[Buffer, tuple[str, tuple[int, ...]]] = {}
    made: dict[Var, Step] = schedule.program.made_by()
    for var, view in schedule.views.items():
        buffer = view.buffer.root()[0]
        if buffer.kind != "temporary" or var not in made:
            continue
        step = made[var]
        own = words.name(var)
        told = own or " ".join(filter(None, (step.op.name, words.origin(step).what)))
        if own or buffer not in found:
            found[buffer] = told, var.shape
    return found


def _kept(program: Program, words: Words) -> int:
    """Bytes of all results, but for views, of the operations before the backward pass."""
    found = 0
    forward = [step for step in program.steps if not words.origin(step).gradient]
    if len(forward) == len(program.steps):
        return 0
    first = next(i for i, s in enumerate(program.steps) if words.origin(s).gradient)
    for step in program.steps[:first]:
        if step.op.name not in ("reshape", "transpose", "broadcast_to", "getitem", "detach"):
            found += sum(map(_bytes, step.outputs))
    return found


def bytes_text(n: float) -> str:
    """Bytes as people read them: 44.1 kB."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" or n >= 100 else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
