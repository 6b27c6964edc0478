"""Runs a program as native code: its C is built, bound to memory, and called.

A call costs a few microseconds beside the work itself.  Pointers to what stays are bound once.
Those of arguments and results are read from the array objects by the C itself: asking NumPy for
one takes longer than a small layer.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import backends
from backends import numpy as np
from backends import python

from . import plan as plans
from . import pool, processor
from .build import Library, build, known
from .plan import Plan
from .program import Program, Step, Var

if TYPE_CHECKING:
    from .layout import View
    from .render import Rendered
    from .schedule import Schedule

__all__ = ["Native"]


class Native:
    """A program compiled for this machine.

    `run(values)` takes the values of `inputs`, assigns what the program assigns, and returns its
    results and gradients; or None where it found an index out of range, and assigned nothing.
    """

    kind = "native"

    def __init__(self, program: Program) -> None:
        self.given = program
        key = plans.key_of(program, DATA)
        found = plans.find(key) if key is not None else None
        library = known(found.library) if found is not None else None
        if found is None or library is None:
            library = build(self.source, [p for p in self.rendered.parts if isinstance(p, str)])
            found = plans.plan_of(program, self.rendered, library.name)
            if key is not None and found.portable:
                plans.keep(key, found)
        self._bind(found, library)

    # --- how it came about: worked out anew for who asks, where there was a plan ---

    @cached_property
    def rendered(self) -> Rendered:
        """The C."""
        from .lower import lowered
        from .render import render

        return render(lowered(self.given, processor.target()), DATA)

    @property
    def source(self) -> str:
        """The C as text."""
        return self.rendered.source

    @property
    def schedule(self) -> Schedule:
        """The kernels, and where everything lies."""
        return self.rendered.schedule

    @property
    def program(self) -> Program:
        """The program as the kernels compute it."""
        return self.schedule.program

    # --- bound to memory ---

    def _bind(self, plan: Plan, library: Library) -> None:
        """Give the library its memory, and write `run`."""
        self.plan, self.library = plan, library
        self.inputs = [self.given.given[place] for place in plan.inputs]
        self.threads = 1
        if plan.threaded and pool.threads() > 1 and pool.attach(library):
            self.threads = pool.threads()
            library.use_threads(self.threads)
        self.arena = _aligned(plan.arena)
        self.scratch = _aligned(plan.work * self.threads)
        self.pointers = (ctypes.c_void_p * max(plan.pointers, 1))()
        self.objects = (ctypes.c_void_p * max(plan.pointers, 1))()
        self.values = (ctypes.c_double * max(plan.numbers, 1))()
        self.words = (ctypes.c_uint64 * max(plan.numbers, 1))()
        self.given_numbers: list[Any] = []
        self.outside: dict[int, Any] = {}
        """The arrays that the table of pointers leads to, by the place in it."""
        for order, place in plan.fixed:
            array = place if isinstance(place, np.ndarray) else self._held(place)
            self.outside[order] = array
            self.pointers[order] = array.ctypes.data
        self.shown = [self._at(*place) for place in plan.shown]
        """What the program shows, after each run."""
        self.run: Callable[[Sequence[Any]], Sequence[Any] | None] = self._run()

    def _held(self, place: int) -> Any:
        """An array that stays where it is: see `Plan`."""
        return plans.held(self.given, place)

    def _run(self) -> Callable[[Sequence[Any]], Sequence[Any]]:
        """The function that fills the tables and calls the parts, as straight Python."""
        plan, names = self.plan, self._names()
        lines = ["def run(values):"]
        taken = "".join(f"v{i}, " for i in range(len(self.inputs)))
        lines += [f"    {taken}= values"] if taken else []
        numbers = []
        for i, (var, at) in enumerate(zip(self.inputs, plan.hands, strict=True)):
            if var.dtype is None:
                numbers.append((at, i))
                lines.append(f"    numbers[{at}] = v{i}")
                if type(var.example) is int:
                    lines.append(f"    words[{at}] = v{i} & 0xFFFFFFFFFFFFFFFF")
                continue
            lines.append(f"    if not v{i}.flags.c_contiguous: v{i} = in_one_piece(v{i})")
            lines.append(self._hand_over(f"v{i}", at))
        for order, shape, dtype in plan.results:
            names[f"t{order}"] = np.dtype(dtype)
            lines.append(f"    z{order} = empty({tuple(shape)}, t{order})")
            lines.append(self._hand_over(f"z{order}", order))
        if numbers and plan.has_hosts:
            told = ", ".join(f"v{i}" for _, i in sorted(numbers))
            lines.append(f"    given_numbers[:] = {told},")
        for i, part in enumerate(plan.parts):
            if isinstance(part, str):
                lines.append(f"    if part{i}(*arguments): return None")
            else:
                lines.append(f"    part{i}()")
        out = "".join(f"z{order}, " for order in plan.ends)
        lines.append(f"    return {out or '()'}")
        head, *body = lines  # one call at a time: the arena is the program's
        text = "\n".join([head, "    with lock:", *[f"    {line}" for line in body]])
        exec(text + "\n", names)
        run: Callable[[Sequence[Any]], Sequence[Any]] = names["run"]
        return run

    def _hand_over(self, array: str, order: int) -> str:
        """A line that tells the C where an array is."""
        keep = f"outside[{order}] = {array}; " * self.plan.has_hosts
        if DATA is None:
            return f"    {keep}pointers[{order}] = {array}.ctypes.data"
        return f"    {keep}objects[{order}] = id({array})"

    def _names(self) -> dict[str, Any]:
        names: dict[str, Any] = {
            "numbers": self.values, "words": self.words, "objects": self.objects,
            "pointers": self.pointers, "outside": self.outside, "empty": np.empty,
            "in_one_piece": np.ascontiguousarray, "given_numbers": self.given_numbers,
            "lock": Lock(),
            "arguments": (
                ctypes.c_void_p(self.arena.ctypes.data), self.pointers, self.values, self.words,
                ctypes.c_void_p(self.scratch.ctypes.data), self.objects,
            ),
        }  # fmt: skip
        for i, part in enumerate(self.plan.parts):
            if isinstance(part, str):
                names[f"part{i}"] = getattr(self.library, part)
                names[f"part{i}"].restype = ctypes.c_int
            else:
                names[f"part{i}"] = self._host(part)
        return names

    def _host(self, step: Step) -> Callable[[], None]:
        """A step that NumPy computes, from and to the program's own memory."""
        schedule, op, xp = self.schedule, step.op, backends.get("numpy")
        numbers = self.rendered.numbers

        computed = {step.output: step for step in schedule.numbers}

        def read(var: Var) -> Any:
            if var.dtype is not None:
                return self._array(schedule.views[var])
            if var in computed:  # a number that C has computed for itself
                of = computed[var]
                return of.op.forward(python, *map(read, of.inputs), **of.params)
            return self.given_numbers[numbers.index(var)] if var in numbers else var.value

        def run() -> None:
            raws = [read(var) for var in step.inputs]
            found = op.forward(xp, *raws, **step.params)
            for var, raw in zip(step.outputs, found if op.outputs else (found,), strict=True):
                self._array(schedule.views[var])[...] = raw

        return run

    def _at(self, start: int, shape: list[int], dtype: str) -> Any:
        """An array that lies in the arena."""
        kind = np.dtype(backends.dtype(dtype))
        end = start + math.prod(shape) * kind.itemsize
        return self.arena[start:end].view(kind).reshape(shape)

    def _array(self, view: View) -> Any:
        """The elements of a view, as an array on their memory."""
        buffer, start = view.root()
        dtype = np.dtype(backends.dtype(buffer.dtype))
        memory = (
            self.arena[buffer.offset : buffer.offset + buffer.bytes]
            if buffer.kind == "temporary"
            else self.outside[buffer.order]
        )
        return np.ndarray(
            view.shape, dtype, memory, start * dtype.itemsize,
            tuple([s * dtype.itemsize for s in view.strides]),
        )  # fmt: skip


def _aligned(size: int) -> Any:
    """Bytes that begin at a multiple of 64."""
    memory = np.empty(size + 64, "u1")
    start = -memory.ctypes.data % 64
    return memory[start : start + max(size, 1)]


def _data_offset() -> int | None:
    """Where in an array object its data pointer lies; None where it is not found."""
    array = np.empty(3)
    for offset in (16, 24, 32, 40):
        found = ctypes.c_void_p.from_address(id(array) + offset).value
        if found == array.ctypes.data:
            return offset
    return None


DATA = _data_offset()
