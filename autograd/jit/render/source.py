"""All of a program's C: what is included, the functions of its kernels, and those it exports."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from backends.c import TYPES

from ..kernel import Kernel
from ..memory import plan_memory
from ..program import Step, Var
from ..schedule import Host, Schedule
from .functions import Functions, address
from .numbers import Numbers

__all__ = ["Rendered", "render"]


@dataclass
class Rendered:
    """The C of a program, and what its functions are called with.

    `parts` are the names of the functions and, between them, the steps that Python computes.
    """

    source: str
    parts: list[str | Step]
    arena: int
    work: int
    schedule: Schedule
    numbers: list[Var]
    """The Python numbers that are handed over, in this order."""
    kernels: list[tuple[Kernel, list[Step]]] = field(default_factory=list)
    threaded: bool = False
    """Whether some kernels use several threads."""

    @property
    def has_hosts(self) -> bool:
        """Whether Python computes some steps."""
        return any(not isinstance(part, str) for part in self.parts)


def render(schedule: Schedule, data: int | None = None, timed: bool = False) -> Rendered:
    """The C of a schedule.

    `data` is where in an array object its data pointer lies: the C then reads the pointers of
    arguments and results from the objects.  If `timed` it notes how long each kernel takes, by
    its place in the order (see `c/laps.h`).
    """
    arena = plan_memory(schedule)
    numbers = Numbers(schedule)
    functions = Functions(schedule, numbers)
    parts: list[str | Step] = []
    exported: list[str] = []
    for stretch in _stretches(schedule, functions, timed):
        if isinstance(stretch, Step):
            parts.append(stretch)
        elif stretch or not exported:
            begin = [] if exported else [*_pointers(schedule, data), *_apart(schedule)]
            name = f"part{len(exported)}"
            parts.append(name)
            exported.append(_exported(name, [*begin, *stretch], numbers, timed))
    source = "\n".join([
        *_head(functions, len(schedule.order) if timed else None), "", *functions.definitions,
        *functions.tasks.values(), *exported,
    ])  # fmt: skip
    return Rendered(
        source, parts, arena, functions.work, schedule, numbers.order, functions.kernels,
        bool(functions.tasks),
    )  # fmt: skip


def _stretches(schedule: Schedule, functions: Functions, timed: bool) -> Iterator[list[str] | Step]:
    """The lines between what Python computes, and these steps."""
    lines: list[str] = []
    for at, kind in enumerate([*schedule.order, None]):
        if at == schedule.commit:
            lines += _checks(schedule, functions)
        if isinstance(kind, Host):
            yield lines
            yield kind.step
            lines = []
        elif kind is not None:
            lines += [*functions.lines(kind), *[f"    lap({at});"] * timed]
    yield lines


def _head(functions: Functions, laps: int | None) -> list[str]:
    """What comes before the functions; `laps` is how many kernels are timed, if they are."""
    lines = [f'#include "{header}.h"' for header in functions.headers]
    if laps is not None:
        lines += [f"#define LAPS {laps}", '#include "laps.h"']
    if functions.tasks:
        most = functions.most
        lines += [
            '#include "threads.h"',
            "",
            "/* the arguments of a kernel, for whatever thread computes a part of its rows */",
            f"struct call {{ char *work; void *p[{most}]; double n[{most}]; }};",
            "static int threads = 1;",
            '__attribute__((visibility("default"))) void use_threads(int n) { threads = n; }',
            f"#define WORK {functions.work}",
        ]
    return lines


def _exported(name: str, lines: list[str], numbers: Numbers, timed: bool) -> str:
    """One exported function: the arena, pointers to what is given (g), numbers as they are (n)
    and as whole numbers (u), and scratch memory."""
    return "\n".join([
        f"int {name}(char *arena, char **g, const double *n, const uint64_t *u, char *work,",
        "    char *const *o) {",
        *numbers.mentioned("\n".join(lines)),
        *["    start_laps();"] * timed,
        *lines,
        "    (void)n, (void)u, (void)g, (void)o, (void)arena, (void)work;",
        "    return 0;", "}", "",
    ])  # fmt: skip


# --- before the kernels, and between them ---


def _pointers(schedule: Schedule, data: int | None) -> list[str]:
    """Lines that read the pointers of arguments and results from the array objects."""
    if data is None:
        return []
    return [
        f"    g[{b.order}] = *(char **)(o[{b.order}] + {data}); /* {b.kind} */"
        for b in schedule.given if b.kind in ("argument", "gradient", "result")
    ]  # fmt: skip


def _apart(schedule: Schedule) -> list[str]:
    """Lines that end the run where an argument shares memory with what is assigned."""
    read = [b for b in schedule.given if b.kind in ("argument", "gradient")]
    return [
        f"    if (g[{a.order}] < g[{b.order}] + {b.bytes} && g[{b.order}] < g[{a.order}] + "
        f"{a.bytes}) return 1;"
        for a in read for b in schedule.assigned
    ]  # fmt: skip


def _checks(schedule: Schedule, functions: Functions) -> list[str]:
    """Lines that end the run, before anything of others is written, if something is wrong."""
    lines = []
    for var in schedule.program.checks:
        view = schedule.views[var]
        kind, n = TYPES[view.buffer.dtype], math.prod(view.shape)
        lines.append(f"    for (long i = 0; i < {n}; i++)")
        holds = "" if view.buffer.dtype == "bool" else "isfinite"
        lines.append(f"        if (!{holds}(((const {kind} *){address(view)})[i])) return 1;")
    if any("checks" in kernel.headers for kernel, _ in functions.kernels):
        lines.append("    if (glassgrad_bad) return glassgrad_bad = 0, 1;")
    return lines
