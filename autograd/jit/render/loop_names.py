"""What the C function of a loop takes, and what it calls that and the values in it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from backends.c import TYPES, C

from ..layout import Buffer, View
from ..loops import Access
from ..program import Var
from ..schedule import Loop, Schedule
from .numbers import number_text

__all__ = ["LoopNames"]


class LoopNames:
    """The arguments of a loop's function, as far as it has used them, and other names in it.

    `pointers` are the views whose addresses it takes, in order, and `numbers` the Python numbers,
    as far as they are `named`: others are written out.
    """

    def __init__(self, loop: Loop, schedule: Schedule, named: Container[Var]) -> None:
        self.loop, self.schedule, self.named = loop, schedule, named
        self.pointers: list[View] = []
        self.numbers: list[Var] = []
        self.rows: dict[Var, str] = {}
        """Variables that are kept for a whole row, in an array of that name."""
        self.ones: dict[Var, C] = {}
        """Variables with one element for each row."""
        self._pointers: dict[tuple[Buffer, int], str] = {}
        self._written: set[str] = set()
        self._numbers: dict[Var, str] = {}
        self._count = 0

    def fresh(self, prefix: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{prefix}{self._count}"

    def number(self, var: Var) -> Any:
        """A Python number as C."""
        if var in self.named and var not in self._numbers:
            self._numbers[var] = f"n{len(self.numbers)}"
            self.numbers.append(var)
        return number_text(var, self._numbers)

    def pointer(self, view: View) -> str:
        """The name of the argument for this memory."""
        key = view.root()
        if key not in self._pointers:
            self._pointers[key] = f"a{len(self.pointers)}"
            self.pointers.append(view)
        return self._pointers[key]

    def element(self, view: View, how: Access) -> str:
        """An element in memory as C, to be read."""
        return f"{self.pointer(view)}[{_index(how, self.loop.plan.rows)}]"

    def result(self, var: Var) -> str:
        """An element of a result in memory as C, to be written."""
        view, plan = self.schedule.views[var], self.loop.plan
        how = plan.written(view, plan.level[var])
        assert how is not None
        self._written.add(self.pointer(view))
        return self.element(view, how)

    def writes(self, place: int) -> bool:
        """Whether the function writes what its pointer at this place leads to."""
        return f"a{place}" in self._written

    def signature(self, name: str) -> str:
        """The head of the function."""
        told = []
        for i, view in enumerate(self.pointers):
            const = "" if self.writes(i) else "const "
            told.append(f"{const}{TYPES[view.buffer.dtype]} *restrict a{i}")
        told += [f"double {self._numbers[var]}" for var in self.numbers]
        arguments = ", ".join(["long begin, long end", *told, "char *work"])
        return f"KERNEL void {name}({arguments})"


def _index(how: Access, rows: int) -> str:
    """The place of an element, from r and c."""
    told = []
    for divisor, size, stride in how.terms:
        text = "r" if divisor == 1 else f"r / {divisor}"
        if divisor * size != rows:
            text = f"{text} % {size}"
        told.append(f"{text} * {stride}" if stride != 1 else text)
    if how.step:
        told.append("c" if how.step == 1 else f"c * {how.step}")
    return " + ".join(told) or "0"
