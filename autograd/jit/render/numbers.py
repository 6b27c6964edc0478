"""The Python numbers of a program, as variables in its C."""

from __future__ import annotations

import re
from typing import Any

from backends import c
from backends.c import C

from ..program import Var
from ..schedule import Schedule

__all__ = ["Numbers", "number_text"]


def number_text(var: Var, names: dict[Var, str]) -> Any:
    """A Python number as C: by the name of a variable, or the number itself, to be written out."""
    return C(names[var], None, float) if var in names else var.value


class Numbers:
    """Those that are handed over, in `order`, and what is computed from them alone; each has a
    name, and a line that makes it."""

    def __init__(self, schedule: Schedule) -> None:
        self.order = [
            v for v in schedule.program.given if v.dtype is None and v.source != "constant"
        ]
        self.names = {var: f"n{var.number}" for var in self.order}
        self.lines: dict[str, str] = {}
        for i, var in enumerate(self.order):
            told = var.value[1] if var.source == "number" else f"argument {var.value}"
            name = self.names[var]
            self.lines[name] = f"    const double {name} = n[{i}]; /* {told} */"
        for step in schedule.numbers:
            inputs = [number_text(v, self.names) for v in step.inputs]
            value = step.op.forward(c, *inputs, **step.params)
            name = self.names[step.output] = f"n{step.output.number}"
            self.lines[name] = f"    const double {name} = {value};"

    def whole(self, var: Var) -> str:
        """A number that is handed over, as a whole one."""
        return f"u[{self.order.index(var)}]" if var in self.names else "NULL"

    def mentioned(self, text: str) -> list[str]:
        """The lines that make the numbers which some C mentions."""
        wanted: set[str] = set()
        for name, line in reversed(self.lines.items()):
            if re.search(rf"\b{name}\b", text):
                wanted.add(name)
                text += line.partition("=")[2]
        return [line for name, line in self.lines.items() if name in wanted]
