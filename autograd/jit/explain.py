"""`step.explain()`: which path a compiled function takes and why, and what its kernels do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .costs import KernelFacts
from .footprint import bytes_text
from .listing import columns

__all__ = ["Explanation"]

WIDE = 100
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
            "native": "native code", "replay": "NumPy, step by step", "eager": "as it stands",
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
            lines.append(f"  {', '.join(self.arguments)}")
        return [*lines, *_flowing(facts, "  ")]

    def _table(self, rows: Sequence[tuple[KernelFacts, int]], grouped: bool) -> list[str]:
        head = ["", "kernel", "runs as", "what", "line", "flop", "read", "written", "", ""]
        last = [
            "", "all", "", "", "", short(self.flops), short(self.read), short(self.written),
            _time(self.seconds) if self.measured else "", "",
        ]  # fmt: skip
        if self.measured:
            head[8:] = ["time", "share"]
        body = []
        for i, (k, times) in enumerate(rows, 1):
            first = f"{times}×" if grouped else str(i)
            body.append([
                first, k.name, k.where, _first_of(k.what), _first_of(k.lines),
                "?" if k.flops is None else short(k.flops), short(k.read), short(k.written),
                _time(k.seconds) if k.seconds is not None else "",
                f"{k.share:.0%}" if k.share is not None else "",
            ])  # fmt: skip
        table = [head, *body, last]
        limits = [4, 0, 7, 20, 16, 5, 5, 7, 7, 5]
        widest = [max(len(row[i]) for row in table) for i in range(len(head))]
        taken = [min(a, b) for a, b in zip(widest, limits, strict=True)]
        limits[1] = WIDE - sum(taken) - 2 * sum(n > 0 for n in taken)
        lines = columns(table, limits, right=(0, 5, 6, 7, 8, 9), indent="")
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
    """The first, and how many more there are."""
    return f"{texts[0]} +{len(texts) - 1}" if len(texts) > 1 else "".join(texts)


def _flowing(facts: Sequence[str], indent: str) -> list[str]:
    """Facts one behind the other, in as many lines as they need."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + 3 + len(fact) <= WIDE:
            lines[-1] += f" · {fact}"
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
    if seconds < 1e-3:
        return f"{seconds * 1e6:.{1 if seconds < 1e-4 else 0}f} µs"
    return f"{seconds * 1e3:.{1 if seconds < 0.1 else 0}f} ms"
