"""A schedule as C: one function for the whole step, or one per stretch between what NumPy does."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import Any

from backends import c
from backends.c import TYPES

from .calling import WAKES, Calling, seconds
from .kernel import Kernel
from .layout import View, itemsize
from .loop_text import LoopText, number_text
from .memory import plan_memory
from .program import Step, Var
from .schedule import Call, Fill, Host, Loop, Schedule

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
    return _Renderer(schedule, data, timed).rendered


def _frame(most: int) -> list[str]:
    """What kernels on several threads share."""
    return [
        "/* the arguments of a kernel, for whatever thread computes a part of its rows */",
        f"struct call {{ char *work; void *p[{most}]; double n[{most}]; }};",
        "static int threads = 1;",
        '__attribute__((visibility("default"))) void use_threads(int n) { threads = n; }',
    ]


class _Renderer:
    def __init__(self, schedule: Schedule, data: int | None, timed: bool) -> None:
        self.schedule, self.data, self.timed = schedule, data, timed
        self.arena = plan_memory(schedule)
        self.functions: dict[str, str] = {}
        """Text of a function without its name → its name."""
        self.definitions: list[str] = []
        self.headers: dict[str, None] = {"vectors": None, "maths": None}
        self.taken: set[str] = set()
        self.work = 0
        calls = [kind.kernel for kind in schedule.order if isinstance(kind, Call)]
        self.awake = any(seconds(kernel) > WAKES for kernel in calls)
        self.tasks: dict[str, str] = {}
        self.most = 0
        """The most arguments that a kernel on several threads has."""
        self.number_names: dict[Var, str] = {}
        self.number_lines = self._numbers()
        self.kernels: list[tuple[Kernel, list[Step]]] = []
        parts: list[Any] = [[]]
        for at, kind in enumerate([*schedule.order, None]):
            if at == schedule.commit:
                parts[-1] += self._checks()
            if kind is None:
                break
            if isinstance(kind, Host):
                parts += [kind.step, []]
            else:
                parts[-1] += [*self._kernel(kind), *[f"    lap({at});"] * timed]
        names_: list[str | Step] = []
        bodies: list[str] = []
        for part in parts:
            if isinstance(part, Step):
                names_.append(part)
            elif part or not bodies:
                name = f"part{len(bodies)}"
                names_.append(name)
                begin = [] if bodies else [*self._pointers(), *self._apart()]
                bodies.append(self._function(name, begin + part))
        includes = [f'#include "{header}.h"' for header in self.headers]
        if timed:
            includes += [f"#define LAPS {len(schedule.order)}", '#include "laps.h"']
        if self.tasks:
            includes += [
                '#include "threads.h"',
                "",
                *_frame(self.most),
                f"#define WORK {self.work}",
            ]
        source = "\n".join([*includes, "", *self.definitions, *self.tasks.values(), *bodies])
        self.rendered = Rendered(
            source, names_, self.arena, self.work, schedule, self.number_order, self.kernels,
            bool(self.tasks),
        )  # fmt: skip

    def _pointers(self) -> list[str]:
        """Lines that read the pointers of arguments and results from the array objects."""
        if self.data is None:
            return []
        return [
            f"    g[{b.order}] = *(char **)(o[{b.order}] + {self.data}); /* {b.kind} */"
            for b in self.schedule.given if b.kind in ("argument", "gradient", "result")
        ]  # fmt: skip

    def _apart(self) -> list[str]:
        """Lines that end the run where an argument shares memory with what is assigned."""
        read = [b for b in self.schedule.given if b.kind in ("argument", "gradient")]
        return [
            f"    if (g[{a.order}] < g[{b.order}] + {b.bytes} && g[{b.order}] < g[{a.order}] + "
            f"{a.bytes}) return 1;"
            for a in read for b in self.schedule.assigned
        ]  # fmt: skip

    def _checks(self) -> list[str]:
        """Lines that end the run, before anything of others is written, if something is wrong."""
        lines = []
        for var in self.schedule.program.checks:
            view = self.schedule.views[var]
            kind, n = TYPES[view.buffer.dtype], math.prod(view.shape)
            lines.append(f"    for (long i = 0; i < {n}; i++)")
            lines.append(
                f"        if (!isfinite(((const {kind} *){self._address(view)})[i])) return 1;"
            )
        if any("checks" in kernel.headers for kernel, _ in self.kernels):
            lines.append("    if (glassgrad_bad) return glassgrad_bad = 0, 1;")
        return lines

    # --- numbers ---

    def _numbers(self) -> list[tuple[str, str]]:
        """(name, line) of Python numbers: those given, and what is computed from them alone."""
        lines = []
        given = [v for v in self.schedule.program.given if v.dtype is None]
        for var in given:
            if var.source == "constant":
                continue
            self.number_names[var] = f"n{var.number}"
        self.number_order = list(self.number_names)
        for i, var in enumerate(self.number_order):
            told = var.value[1] if var.source == "number" else f"argument {var.value}"
            name = f"n{var.number}"
            lines.append((name, f"    const double {name} = n[{i}]; /* {told} */"))
        for step in self.schedule.numbers:
            var = step.output
            inputs = [self._number(v) for v in step.inputs]
            value = step.op.forward(c, *inputs, **step.params)
            self.number_names[var] = f"n{var.number}"
            lines.append((f"n{var.number}", f"    const double n{var.number} = {value};"))
        return lines

    def _number(self, var: Var) -> Any:
        return number_text(var, self.number_names)

    # --- kernels ---

    def _kernel(self, kind: Loop | Call | Fill) -> list[str]:
        """The lines that call a kernel, whose function is written if it is new."""
        if isinstance(kind, Fill):
            return [self._fill(kind.view, kind.value)]
        if isinstance(kind, Loop):
            return self._loop(kind)
        return self._call(kind)

    def _loop(self, loop: Loop) -> list[str]:
        schedule = self.schedule
        text = LoopText(loop, schedule.views, schedule.base, lambda v: v in self.number_names)
        body = f"{text.signature('')} {{\n{text.text}\n}}\n"
        name = self.functions.get(body)
        if name is None:
            name = self._free(text.name)
            self.functions[body] = name
            told = ", ".join(dict.fromkeys(s.op.name for s in loop.steps))
            self.definitions.append(
                f"/* {told}: {text.rows} rows of {text.cols} */\n"
                f"{text.signature(name)} {{\n{text.text}\n}}\n"
            )
        self.headers.update(dict.fromkeys(text.kernel.headers))
        pointers = [
            f"{'' if f'a{i}' in text.written else 'const '}{TYPES[v.buffer.dtype]} *"
            for i, v in enumerate(text.pointers)
        ]
        arguments = [
            f"({kind}){self._address(v)}" for kind, v in zip(pointers, text.pointers, strict=True)
        ]
        arguments += [self.number_names[v] for v in text.numbers]
        sums = {i: text.pointers[i] for i in text.sums}
        return self._called(name, text.kernel, arguments, sums, loop.steps)

    def _call(self, call: Call) -> list[str]:
        kernel, step = call.kernel, call.step
        name = self.functions.get(kernel.source + kernel.name)
        if name is None:
            name = self.functions[kernel.source + kernel.name] = self._free(kernel.name)
            self.headers.update(dict.fromkeys(kernel.headers))
            source = kernel.source
            if name != kernel.name:  # another has that name, such as one for other dtypes
                source = re.sub(rf"\b{kernel.name}\b", name, source)
            if source not in self.definitions:
                self.definitions.append(source)
        views = iter(call.inputs)
        arguments = [
            self._pointer(next(views), "const ") if v.dtype is not None
            else f"u[{self.number_order.index(v)}]" if v in self.number_names else "NULL"
            for v in step.inputs
        ]  # fmt: skip
        arguments += [self._pointer(self.schedule.views[v], "") for v in step.outputs]
        first = len(step.inputs)
        sums = {first + i: self.schedule.views[step.outputs[i]] for i in kernel.sums}
        return self._called(name, kernel, arguments, sums, [step])

    def _called(
        self, name: str, kernel: Kernel, arguments: list[str], sums: dict[int, View],
        steps: list[Step],
    ) -> list[str]:  # fmt: skip
        """The lines that call a kernel, with a comment that says for which lines of the user's."""
        addresses = {place: self._address(view) for place, view in sums.items()}
        calling = Calling(name, kernel, arguments, sums, addresses, self.awake)
        self.kernels.append((replace(kernel, name=name), steps))
        self.work = max(self.work, calling.scratch)
        if not calling.threaded:
            return [*_told(steps), *calling.lines()]
        task = f"{name}_part"
        self.tasks[task] = calling.task(task)
        self.most = max(self.most, len(arguments))
        return [*_told(steps), *calling.parallel(task)]

    def _pointer(self, view: View, const: str) -> str:
        return f"({const}{TYPES[view.buffer.dtype]} *){self._address(view)}"

    def _fill(self, view: View, value: float) -> str:
        count = math.prod(view.shape)
        address = self._address(view)
        if value == 0:
            return f"    memset({address}, 0, {count * itemsize(view.buffer.dtype)});"
        kind = TYPES[view.buffer.dtype]
        number = c.literal(value, view.buffer.dtype)
        return f"    for (long i = 0; i < {count}; i++) (({kind} *){address})[i] = {number};"

    def _free(self, name: str) -> str:
        found, i = name, 2
        while found in self.taken:
            found, i = f"{name}_{i}", i + 1
        self.taken.add(found)
        return found

    def _address(self, view: View) -> str:
        """The address of a view's first element."""
        buffer, start = view.root()
        offset = start * itemsize(buffer.dtype)
        if buffer.kind == "temporary":
            return f"(arena + {buffer.offset + offset})"
        return f"(g[{buffer.order}] + {offset})" if offset else f"g[{buffer.order}]"

    def _function(self, name: str, lines: list[str]) -> str:
        """One exported function: the arena, pointers to what is given (g), numbers as they are (n)
        and as whole numbers (u), and scratch memory."""
        used = self._numbers_in("\n".join(lines))
        head = (
            f"int {name}(char *arena, char **g, const double *n, const uint64_t *u, char *work,\n"
            f"    char *const *o) {{"
        )
        unused = "    (void)n, (void)u, (void)g, (void)o, (void)arena, (void)work;"
        begin = ["    start_laps();"] * self.timed
        return "\n".join([head, *used, *begin, *lines, unused, "    return 0;", "}", ""])

    def _numbers_in(self, text: str) -> list[str]:
        """The lines that make the numbers which some C mentions."""
        known = self.number_lines
        wanted: set[str] = set()
        for name, line in reversed(known):
            if re.search(rf"\b{name}\b", text):
                wanted.add(name)
                text += line.partition("=")[2]
        return [line for name, line in known if name in wanted]


def _told(steps: list[Step]) -> list[str]:
    """A comment: where in the user's program the steps come from."""
    places = list(dict.fromkeys(filter(None, (str(step.place) for step in steps))))
    told = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
    return [f"    /* {told} */"] if told else []
