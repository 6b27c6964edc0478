"""`step.explain()`: which path a compiled function takes and why, and what its kernels do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import toolchain
from .costs import KernelFacts, kernels_of, library, steps_of
from .footprint import bytes_text
from .listing import columns
from .native import Native
from .run import Bound
from .runners import mode
from .told import Told
from .words import Words, size

__all__ = ["Explanation", "explain"]

WIDE = 100
NAMED = 19
SHOWN = 12
"""Arguments that are listed."""
MANY = 40
"""From so many kernels on, the table has a row for each function instead of each call."""


@dataclass(frozen=True)
class Explanation:
    """How a function runs.  It prints as a table.

    `path` is "native", "replay" (NumPy, step by step) or "eager" (as it stands), and `why` says
    why it is no faster one.  `kernels` are in the order in which they run.  `compile_seconds` is 0
    where the library was on disk already; `arena` are the bytes of all temporaries together.
    """

    name: str
    path: str
    why: str = ""
    arguments: tuple[str, ...] = ()
    kernels: tuple[KernelFacts, ...] = ()
    specialisations: int = 0
    compile_seconds: float | None = None
    compiler: str = ""
    threads: int = 1
    vector: int = 0
    arena: int | None = None
    measured: bool = False
    library: str = "NumPy"

    @property
    def flops(self) -> int:
        """Arithmetic operations of one call, as far as they are known."""
        return sum(k.flops or 0 for k in self.kernels)

    @property
    def read(self) -> int:
        """Bytes that the kernels read."""
        return sum(k.read for k in self.kernels)

    @property
    def written(self) -> int:
        """Bytes that the kernels write."""
        return sum(k.written for k in self.kernels)

    @property
    def seconds(self) -> float | None:
        """Time in the kernels, where it was measured."""
        return sum(k.seconds or 0.0 for k in self.kernels) if self.measured else None

    def __str__(self) -> str:
        grouped = len(self.kernels) > MANY
        rows = _grouped(self.kernels) if grouped else [(k, 1) for k in self.kernels]
        lines = self._head()
        if rows:
            lines += ["", *self._table(rows, grouped)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def table(self) -> str:
        """The table with a row for every kernel, however many there are."""
        return "\n".join(self._table([(k, 1) for k in self.kernels], False))

    # --- as text ---

    def _head(self) -> list[str]:
        what = {
            "native": "native code", "replay": f"{self.library}, step by step",
            "eager": "as it stands",
        }[self.path]  # fmt: skip
        lines = [f"{self.name}: {what}{f', since {self.why}' if self.why else ''}"]
        if self.path == "eager":
            return lines
        facts = []
        if self.compile_seconds is not None:
            by = f" by {self.compiler}" if self.compiler else ""
            took = f"compiled in {self.compile_seconds:.2f} s{by}"
            facts.append(took if self.compile_seconds else "compiled before, found on disk")
        if self.vector:
            facts.append(f"vectors of {self.vector} bytes, {_count(self.threads, 'thread')}")
        if self.arena is not None:
            facts.append(f"{bytes_text(self.arena)} of temporaries")
        hosts = sum(k.where == "NumPy" for k in self.kernels)
        kind = "step" if self.path == "replay" else "kernel"
        count = _count(len(self.kernels), kind)
        left = f", {hosts} of them by NumPy" if hosts and self.path == "native" else ""
        if self.kernels:
            facts.append(f"{count}{left}")
        if self.specialisations:
            facts.append(_count(self.specialisations, "specialisation"))
        if self.arguments:
            more = len(self.arguments) - SHOWN
            rest = [f"and {more} more"] * (more > 0)
            lines += _flowing([*self.arguments[:SHOWN], *rest], "  ", ", ")
        return [*lines, *_flowing(facts, "  ", " · ")]

    def _table(self, rows: Sequence[tuple[KernelFacts, int]], grouped: bool) -> list[str]:
        head = ["", "kernel", "as", "what", "line", "flop", "read", "written"]
        last = ["", "all", "", "", "", *map(short, (self.flops, self.read, self.written))]
        if self.measured:
            head[6:] = ["bytes", "time", "share"]
            last[6:] = [short(self.read + self.written), _time(self.seconds), ""]
        body = []
        for i, (k, times) in enumerate(rows, 1):
            first = f"{times}×" if grouped else str(i)
            flops = "?" if k.flops is None else short(k.flops)
            body.append([first, k.name, k.where, _named(k.what), _first_of(k.lines), flops])
            if k.share is None:
                body[-1] += [short(k.read), short(k.written)]
            else:
                body[-1] += [short(k.read + k.written), _time(k.seconds), f"{k.share:.0%}"]
        table = [head, *body, last]
        limits = [4, 0, 6, NAMED, 18, 5, 5, 7, 5][: len(head)]
        lines = columns(table, limits, right=(0, 5, 6, 7, 8), indent="")
        rule = "─" * max(map(len, lines))
        return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _grouped(kernels: Sequence[KernelFacts]) -> list[tuple[KernelFacts, int]]:
    """One row for the calls of each function, the costliest first, and how many there are."""
    found: dict[tuple[str, str], list[KernelFacts]] = {}
    for k in kernels:
        found.setdefault((k.name, k.where), []).append(k)
    rows = []
    for group in found.values():
        known = all(k.flops is not None for k in group)
        timed = all(k.seconds is not None for k in group)
        rows.append((replace(
            group[0],
            what=tuple(dict.fromkeys(x for k in group for x in k.what)),
            lines=tuple(dict.fromkeys(x for k in group for x in k.lines)),
            flops=sum(k.flops or 0 for k in group) if known else None,
            read=sum(k.read for k in group), written=sum(k.written for k in group),
            seconds=sum(k.seconds or 0.0 for k in group) if timed else None,
            share=sum(k.share or 0.0 for k in group) if timed else None,
        ), len(group)))  # fmt: skip
    return sorted(rows, key=lambda row: (-(row[0].seconds or 0), -(row[0].flops or 0)))


def _first_of(texts: Sequence[str]) -> str:
    """The first, and how many more there are; blocks.*.dense for those of several blocks."""
    if len(texts) < 2:
        return "".join(texts)
    alike = list(dict.fromkeys(re.sub(r"(?<=\.)\d+(?=\.)", "*", text) for text in texts))
    first = texts[0] if len(alike) == len(texts) else alike[0]
    return f"{first} +{len(alike) - 1}" if len(alike) > 1 else first


def _named(texts: Sequence[str]) -> str:
    """Whose a kernel is, in `NAMED` characters: a path matters more than the class behind it."""
    told = _first_of(texts)
    if len(told) > NAMED:
        told = re.sub(r"(?<=[\w*]): \w+", "", told)
    if len(told) > NAMED:
        mark, told = ("∂ ", told[2:]) if told.startswith("∂ ") else ("", told)
        told = f"{mark}…{told[len(mark) + 1 - NAMED :]}"
    return told


def _flowing(facts: Sequence[str], indent: str, between: str) -> list[str]:
    """Facts one behind the other, in as many lines as they need."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + len(between) + len(fact) < WIDE:
            lines[-1] += between + fact
        else:
            lines.append(indent + fact)
    return lines


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def short(n: float) -> str:
    """A count in five characters at most: 950, 41.2k, 1.3M."""
    for unit in ("", "k", "M"):
        if n < 999.5:
            return f"{n:.0f}{unit}" if not unit or n >= 99.95 else f"{n:.1f}{unit}"
        n /= 1000
    return f"{n:.1f}G"


def _time(seconds: float | None) -> str:
    if not seconds:
        return "0"
    if seconds < 0.9995e-6:
        return f"{seconds * 1e9:.0f} ns"
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.{int(seconds < 9.95e-6)}f} µs"
    return f"{seconds * 1e3:.{int(seconds < 9.95e-3)}f} ms"


# --- finding out ---


def explain(jitted: Told, bound: Bound | None, arguments: Any, profile: bool) -> Explanation:
    """The facts about one specialisation, or why there is none."""
    name = jitted._name
    if jitted.scalars:
        return _of_values(jitted)
    if bound is None:
        return Explanation(name, "eager", jitted.reason or _bare(jitted._told()))
    runner: Any = bound.runner
    seconds = None
    if profile:
        from .profile import profile as measure

        seconds = measure(runner, arguments)
    words = jitted._words(bound)
    count = sum(map(len, jitted.known.values()))
    told = _signature(words)
    if not isinstance(runner, Native):
        backend = runner.program.backend
        why = (
            "AUTOGRAD_JIT is replay" if mode() == "replay" else "there is no C compiler that works"
        )
        if backend != "numpy":
            why = f"its arrays are on {backend}"
        kernels = steps_of(runner.program, words, seconds)
        return Explanation(
            name, "replay", why, told, tuple(kernels), count, measured=profile,
            library=library(backend),
        )  # fmt: skip
    kernels = kernels_of(runner.schedule, runner.rendered.kernels, words, seconds)
    return Explanation(
        name, "native", "", told, tuple(kernels), count, runner.library.seconds,
        str(toolchain.find() or ""), runner.threads, runner.schedule.target.vector,
        runner.rendered.arena, measured=profile,
    )  # fmt: skip


def _bare(told: str) -> str:
    return told.removeprefix("runs as it stands: ")


def _signature(words: Words) -> tuple[str, ...]:
    """The arguments, with dtype and shape."""
    return tuple([
        f"{words.title(var)} {var.dtype} {size(var.shape)}" if var.dtype else words.title(var)
        for var in words.program.given if var.source == "argument"
    ])  # fmt: skip


def _of_values(jitted: Told) -> Explanation:
    """A function of `Value`s, which is one loop over a tape."""
    program = next(reversed(jitted.scalars.values()))
    machine = program.machine
    numbers = f"a tape of {len(machine.line.kinds):,} numbers, run by one loop"
    return Explanation(
        jitted._name, machine.kind, machine.reason, (numbers,),
        specialisations=len(jitted.scalars),
        compile_seconds=machine.library.seconds if machine.library else None,
    )  # fmt: skip
