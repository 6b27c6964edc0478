"""Runs a program as native code: its C is built, bound to memory, and called.

A call costs a few microseconds beside the work itself.  Pointers to what stays are bound once.
Those of arguments and results are read from the array objects by the C itself: asking NumPy for
one takes longer than a small layer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import backends
from backends import numpy as np

from . import pool, processor
from .build import build
from .early import early
from .epilogues import with_epilogues
from .layout import Buffer, View, itemsize
from .program import Program, Step, Var
from .recompute import recomputed
from .render import Rendered, render
from .schedule import Schedule
from .simplify import dead_code
from .tables import with_tables

__all__ = ["Native"]


class Native:
    """A program compiled for this machine.

    `run(values)` takes the values of `inputs`, assigns what the program assigns, and returns its
    results and gradients; or None where it found an index out of range, and assigned nothing.
    """

    kind = "native"

    def __init__(self, program: Program) -> None:
        program = dead_code(recomputed(with_epilogues(with_tables(early(program)))))
        self.program = program
        self.schedule = Schedule(program, processor.target())
        self._make(render(self.schedule, DATA))

    def _make(self, rendered: Rendered) -> None:
        """Compile, and bind to memory."""
        self.rendered, self.source = rendered, rendered.source
        self.inputs = [v for v in self.program.inputs if v.source != "leaf"]
        functions = [part for part in self.rendered.parts if isinstance(part, str)]
        self.library = build(self.source, functions)
        self.threads = 1
        if self.rendered.threaded and pool.threads() > 1 and pool.attach(self.library):
            self.threads = pool.threads()
            self.library.use_threads(self.threads)
        self.outside: dict[int, Any] = {}
        """The arrays that the table of pointers leads to, by the place in it."""
        self._memory()
        self.run: Callable[[Sequence[Any]], Sequence[Any] | None] = self._run()

    def _memory(self) -> None:
        """The arena, scratch memory, and tables of pointers and numbers."""
        given = self.schedule.given
        self.arena = _aligned(self.rendered.arena)
        self.scratch = _aligned(self.rendered.work * self.threads)
        self.pointers = (ctypes.c_void_p * max(len(given), 1))()
        self.objects = (ctypes.c_void_p * max(len(given), 1))()
        self.numbers = self.rendered.numbers
        self.values = (ctypes.c_double * max(len(self.numbers), 1))()
        self.words = (ctypes.c_uint64 * max(len(self.numbers), 1))()
        self.given_numbers: list[Any] = []
        for buffer in given:
            if buffer.kind in ("leaf", "constant"):
                self._point(buffer, buffer.owner.raw if buffer.kind == "leaf" else buffer.owner)

    def _point(self, buffer: Buffer, array: Any) -> None:
        self.outside[buffer.order] = array
        self.pointers[buffer.order] = array.ctypes.data

    def _run(self) -> Callable[[Sequence[Any]], Sequence[Any]]:
        """The function that fills the tables and calls the parts, as straight Python."""
        schedule, names = self.schedule, self._names()
        lines = ["def run(values):"]
        taken = "".join(f"v{i}, " for i in range(len(self.inputs)))
        lines += [f"    {taken}= values"] if taken else []
        numbers = []
        for i, var in enumerate(self.inputs):
            if var.dtype is None:
                at = self.numbers.index(var)
                numbers.append((at, i))
                lines.append(f"    numbers[{at}] = v{i}")
                if type(var.example) is int:
                    lines.append(f"    words[{at}] = v{i} & 0xFFFFFFFFFFFFFFFF")
                continue
            buffer = schedule.views[var].buffer
            lines.append(f"    if not v{i}.flags.c_contiguous: v{i} = in_one_piece(v{i})")
            lines.append(self._hand_over(f"v{i}", buffer.order))
        for var, buffer in schedule.results.items():
            z, shape = f"z{buffer.order}", tuple(var.shape)
            names[f"t{buffer.order}"] = np.dtype(buffer.dtype)
            lines.append(f"    {z} = empty({shape}, t{buffer.order})")
            lines.append(self._hand_over(z, buffer.order))
        if numbers and any(not isinstance(part, str) for part in self.rendered.parts):
            told = ", ".join(f"v{i}" for _, i in sorted(numbers))
            lines.append(f"    given_numbers[:] = {told},")
        for i, part in enumerate(self.rendered.parts):
            if isinstance(part, str):
                lines.append(f"    if part{i}(*arguments): return None")
            else:
                lines.append(f"    part{i}()")
        ends = [*self.program.results, *[g for _, g in self.program.gradients if g is not None]]
        out = "".join(f"z{schedule.results[var].order}, " for var in ends)
        lines.append(f"    return {out or '()'}")
        head, *body = lines  # one call at a time: the arena is the program's
        text = "\n".join([head, "    with lock:", *[f"    {line}" for line in body]])
        exec(text + "\n", names)
        run: Callable[[Sequence[Any]], Sequence[Any]] = names["run"]
        return run

    def _hand_over(self, array: str, order: int) -> str:
        """A line that tells the C where an array is."""
        keep = f"outside[{order}] = {array}; " * self.rendered.has_hosts
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
        for i, part in enumerate(self.rendered.parts):
            if isinstance(part, str):
                names[f"part{i}"] = getattr(self.library, part)
                names[f"part{i}"].restype = ctypes.c_int
            else:
                names[f"part{i}"] = self._host(part)
        return names

    def _host(self, step: Step) -> Callable[[], None]:
        """A step that NumPy computes, from and to the program's own memory."""
        schedule, op, xp = self.schedule, step.op, backends.get("numpy")

        def read(var: Var) -> Any:
            if var.dtype is not None:
                return self._array(schedule.views[var])
            return self.given_numbers[self.numbers.index(var)] if var in self.numbers else var.value

        def run() -> None:
            raws = [read(var) for var in step.inputs]
            found = op.forward(xp, *raws, **step.params)
            for var, raw in zip(step.outputs, found if op.outputs else (found,), strict=True):
                self._array(schedule.views[var])[...] = raw

        return run

    def _array(self, view: View) -> Any:
        """The elements of a view, as an array on their memory."""
        buffer, start = view.buffer.root()
        size = itemsize(buffer.dtype)
        memory = (
            self.arena[buffer.offset : buffer.offset + buffer.bytes]
            if buffer.kind == "temporary"
            else self.outside[buffer.order]
        )
        return np.ndarray(
            view.shape, backends.dtype(buffer.dtype), memory, (start + view.offset) * size,
            tuple([s * size for s in view.strides]),
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
