"""The C functions of a program's kernels, each written once, and the lines that call them."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from backends import c
from backends.c import TYPES

from ..kernel import Kernel
from ..layout import View, itemsize
from ..program import Step
from ..schedule import Call, Fill, Loop, Schedule
from .calling import WAKES, Calling, seconds
from .loop_text import LoopText
from .numbers import Numbers

__all__ = ["Functions", "address"]


def address(view: View) -> str:
    """The address of a view's first element."""
    buffer, start = view.root()
    offset = start * itemsize(buffer.dtype)
    if buffer.kind == "temporary":
        return f"(arena + {buffer.offset + offset})"
    return f"(g[{buffer.order}] + {offset})" if offset else f"g[{buffer.order}]"


class Functions:
    """The functions that `lines` has called so far, and what they need.

    `definitions` are their text, `headers` the files that it includes, `tasks` what threads call
    them by, and `kernels` all calls, in order, with the steps that each computes.
    """

    def __init__(self, schedule: Schedule, numbers: Numbers) -> None:
        self.schedule, self.numbers = schedule, numbers
        self.definitions: list[str] = []
        self.headers: dict[str, None] = {"vectors": None, "maths": None}
        self.tasks: dict[str, str] = {}
        self.kernels: list[tuple[Kernel, list[Step]]] = []
        self.work = 0
        """Bytes of scratch memory for each thread."""
        self.most = 0
        """The most arguments that a kernel on several threads has."""
        calls = [kind.kernel for kind in schedule.order if isinstance(kind, Call)]
        self._awake = any(seconds(kernel) > WAKES for kernel in calls)
        self._names: dict[str, str] = {}
        """Text of a function without its name → its name."""
        self._taken: set[str] = set()

    def lines(self, kind: Loop | Call | Fill) -> list[str]:
        """The lines that call a kernel, whose function is written if it is new."""
        if isinstance(kind, Fill):
            return [_fill(kind.view, kind.value)]
        return self._loop(kind) if isinstance(kind, Loop) else self._call(kind)

    def _loop(self, loop: Loop) -> list[str]:
        text = LoopText(loop, self.schedule, self.numbers.names)
        names = text.names
        body = f"{names.signature('')} {{\n{text.text}\n}}\n"
        name = self._names.get(body)
        if name is None:
            name = self._names[body] = self._free(text.name)
            told = ", ".join(dict.fromkeys(s.op.name for s in loop.steps))
            self.definitions.append(
                f"/* {told}: {text.rows} rows of {text.cols} */\n"
                f"{names.signature(name)} {{\n{text.text}\n}}\n"
            )
        self.headers.update(dict.fromkeys(text.kernel.headers))
        arguments = [
            _pointer(view, "" if names.writes(i) else "const ")
            for i, view in enumerate(names.pointers)
        ]
        arguments += [self.numbers.names[v] for v in names.numbers]
        sums = {i: names.pointers[i] for i in text.sums}
        return self._called(name, text.kernel, arguments, sums, loop.steps)

    def _call(self, call: Call) -> list[str]:
        kernel, step = call.kernel, call.step
        name = self._names.get(kernel.source + kernel.name)
        if name is None:
            name = self._names[kernel.source + kernel.name] = self._free(kernel.name)
            self.headers.update(dict.fromkeys(kernel.headers))
            source = kernel.source
            if name != kernel.name:  # another has that name, such as one for other dtypes
                source = re.sub(rf"\b{kernel.name}\b", name, source)
            if source not in self.definitions:
                self.definitions.append(source)
        views, results = iter(call.inputs), [self.schedule.views[v] for v in step.outputs]
        arguments = [
            _pointer(next(views), "const ") if v.dtype is not None else self.numbers.whole(v)
            for v in step.inputs
        ]
        arguments += [_pointer(view, "") for view in results]
        sums = {len(step.inputs) + i: results[i] for i in kernel.sums}
        return self._called(name, kernel, arguments, sums, [step])

    def _called(
        self, name: str, kernel: Kernel, arguments: list[str], sums: dict[int, View],
        steps: list[Step],
    ) -> list[str]:  # fmt: skip
        """The lines that call a kernel, with a comment that says for which lines of the user's."""
        addresses = {place: address(view) for place, view in sums.items()}
        calling = Calling(name, kernel, arguments, sums, addresses, self._awake)
        self.kernels.append((replace(kernel, name=name), steps))
        self.work = max(self.work, calling.scratch)
        if not calling.threaded:
            return [*_told(steps), *calling.lines()]
        task = f"{name}_part"
        self.tasks[task] = calling.task(task)
        self.most = max(self.most, len(arguments))
        return [*_told(steps), *calling.parallel(task)]

    def _free(self, name: str) -> str:
        """A name that no function has yet."""
        found, i = name, 2
        while found in self._taken:
            found, i = f"{name}_{i}", i + 1
        self._taken.add(found)
        return found


def _pointer(view: View, const: str) -> str:
    return f"({const}{TYPES[view.buffer.dtype]} *){address(view)}"


def _fill(view: View, value: float) -> str:
    """The line that sets memory to one number."""
    count, start = math.prod(view.shape), address(view)
    if value == 0:
        return f"    memset({start}, 0, {count * itemsize(view.buffer.dtype)});"
    kind = TYPES[view.buffer.dtype]
    number = c.literal(value, view.buffer.dtype)
    return f"    for (long i = 0; i < {count}; i++) (({kind} *){start})[i] = {number};"


def _told(steps: list[Step]) -> list[str]:
    """A comment: where in the user's program the steps come from."""
    places = list(dict.fromkeys(filter(None, (str(step.place) for step in steps))))
    told = ", ".join(places[:3]) + (", …" if len(places) > 3 else "")
    return [f"    /* {told} */"] if told else []
