"""Runs a program as native code: its C is built, bound to memory, and called.

A call costs a few microseconds beside the work itself: pointers of what stays are bound once, an
argument's pointer is read from the array object, and results are arrays made for the call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import backends

from . import processor
from .build import build
from .layout import View, itemsize
from .program import Program, Step, Var
from .render import render
from .schedule import Schedule

__all__ = ["Native"]


class Native:
    """A program compiled for this machine: see `Replay` for `run`."""

    kind = "native"

    def __init__(self, program: Program) -> None:
        self.program = program
        self.schedule = Schedule(program, processor.target())
        self.rendered = rendered = render(self.schedule)
        self.source = rendered.source
        functions = [part for part in rendered.parts if isinstance(part, str)]
        self.library = build(self.source, functions) if functions else None
        self._memory()
        self.parts = [
            self._function(part) if isinstance(part, str) else self._host(part)
            for part in rendered.parts
        ]

    def _memory(self) -> None:
        """The arena, scratch memory, and a table of pointers to what lies outside."""
        rendered, given = self.rendered, self.schedule.given
        self.arena = _aligned(rendered.arena)
        self.scratch = _aligned(rendered.work)
        self.pointers = (ctypes.c_void_p * max(len(given), 1))()
        self.outside: dict[int, Any] = {}
        """The arrays that the pointers lead to."""
        self.arguments: list[tuple[int, int]] = []
        places = {var: i for i, var in enumerate(self.program.inputs)}
        views = self.schedule.views
        for var in self.program.given:
            if var.dtype is None:
                continue
            buffer = views[var].buffer
            if buffer.kind in ("argument", "gradient"):
                self.arguments.append((buffer.order, places[var]))
            else:
                array = buffer.owner.raw if buffer.kind == "leaf" else buffer.owner
                self.pointers[buffer.order] = array.ctypes.data
                self.outside[buffer.order] = array
        for buffer in given:
            if buffer.kind == "leaf" and self.pointers[buffer.order] is None:
                self.pointers[buffer.order] = buffer.owner.raw.ctypes.data
                self.outside[buffer.order] = buffer.owner.raw
        self.results = [
            (buffer.order, var.shape, np.dtype(buffer.dtype))
            for var, buffer in self.schedule.results.items()
        ]
        self.ends = [self.schedule.results[var].order for var in self.program.results]
        self.ends += [
            self.schedule.results[var].order for _, var in self.program.gradients if var is not None
        ]
        self.number_order = [
            v for v in self.program.inputs if v.dtype is None
        ]
        self.numbers = [places[v] for v in self.number_order]
        self.given_numbers: list[Any] = []
        self.values = (ctypes.c_double * max(len(self.numbers), 1))()
        self.words = (ctypes.c_uint64 * max(len(self.numbers), 1))()

    def _function(self, name: str) -> Callable[[], None]:
        function = getattr(self.library, name)
        function.restype = ctypes.c_int
        arguments = (
            ctypes.c_void_p(self.arena.ctypes.data), self.pointers, self.values, self.words,
            ctypes.c_void_p(self.scratch.ctypes.data),
        )  # fmt: skip
        return lambda: function(*arguments)

    def _host(self, step: Step) -> Callable[[], None]:
        """A step that NumPy computes, from and to the program's own memory."""
        schedule, op = self.schedule, step.op
        numbers = {v: i for i, v in enumerate(self.number_order)}

        def read(var: Var) -> Any:
            if var.dtype is not None:
                return self._array(schedule.views[var])
            return self.given_numbers[numbers[var]] if var in numbers else var.value

        def run() -> None:
            raws = [read(var) for var in step.inputs]
            found = op.forward(xp, *raws, **step.params)
            for var, raw in zip(step.outputs, found if op.outputs else (found,), strict=True):
                self._array(schedule.views[var])[...] = raw

        xp = backends.get("numpy")
        return run

    def _array(self, view: View) -> Any:
        """The elements of a view, as an array on their memory."""
        buffer, start = view.buffer.root()
        size = itemsize(buffer.dtype)
        if buffer.kind == "temporary":
            memory = self.arena[buffer.offset : buffer.offset + buffer.bytes]
        else:
            memory = self.outside[buffer.order]
        return np.ndarray(
            view.shape, buffer.dtype, memory, (start + view.offset) * size,
            tuple([s * size for s in view.strides]),
        )  # fmt: skip

    def run(self, values: Sequence[Any]) -> Sequence[Any]:
        """Run the program on the values of `program.given`; those of `program.ends()`."""
        pointers = self.pointers
        for order, place in self.arguments:
            array = values[place]
            if not array.flags.c_contiguous:
                array = np.ascontiguousarray(array)
            self.outside[order] = array
            pointers[order] = array.ctypes.data
        made = self.outside
        for order, shape, dtype in self.results:
            array = made[order] = np.empty(shape, dtype)
            pointers[order] = array.ctypes.data
        self.given_numbers = [values[place] for place in self.numbers]
        for i, number in enumerate(self.given_numbers):
            self.values[i] = number
            if type(number) is int:
                self.words[i] = number & 0xFFFFFFFFFFFFFFFF
        for part in self.parts:
            part()
        return [made[order] for order in self.ends]


def _aligned(size: int) -> Any:
    """Bytes that begin at a multiple of 64."""
    memory = np.empty(size + 64, "u1")
    start = -memory.ctypes.data % 64
    return memory[start : start + max(size, 1)]


