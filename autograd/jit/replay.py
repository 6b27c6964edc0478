"""A program as readable Python that runs: NumPy (or CuPy), step by step.

It is what runs where there is no compiler, what the compiled program is tested against, and the
answer to "show me my gradient as code".
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from itertools import count
from math import isfinite
from typing import Any

import backends

from ..dtypes import settle
from ..node import Op
from .program import Program, Step, Var

__all__ = ["Replay", "source_of"]

_numbers = count()


class Replay:
    """Runs a program through an array library.

    `run(values)` takes the values of `program.inputs`, in that order, assigns what the program
    assigns, and returns its results and gradients; or None where a check has failed, and nothing
    was assigned.
    """

    kind = "replay"

    def __init__(self, program: Program, backend: str = "numpy") -> None:
        self.program, self.inputs = program, program.inputs
        self.source, names = source_of(program, backend)
        filename = f"<step {next(_numbers)}>"
        linecache.cache[filename] = len(self.source), None, self.source.splitlines(True), filename
        exec(compile(self.source, filename, "exec"), names)
        self.step: Callable[[Sequence[Any]], list[Any]] = names["step"]

    def run(self, values: Sequence[Any]) -> Sequence[Any] | None:
        """Run it: see the class."""
        found = self.step(values)
        results, checks = len(self.program.results), len(self.program.checks)
        if not all(isfinite(abs(x).max()) for x in found[results : results + checks]):
            return None
        found[results : results + checks] = []
        kept = len(found) - len(self.program.writes)
        for write, value in zip(self.program.writes, found[kept:], strict=True):
            write.leaf.raw[write.at] = value
        return found[:kept]


def source_of(program: Program, backend: str) -> tuple[str, dict[str, Any]]:
    """The Python text of a program, and the names it uses."""
    xp = backends.get(backend)
    names: dict[str, Any] = {"np": xp, "call": _caller(xp)}
    told = {var: _name(var) for var in program.given}
    lines: list[str] = []
    taken = [told[var] for var in program.inputs]
    for var in program.given:
        if var.source == "constant":
            if var.dtype is not None or _is_odd(var.value):
                names[told[var]] = var.value
            else:
                told[var] = repr(var.value)
    last = _last_uses(program)
    for i, step in enumerate(program.steps):
        lines.append(_line(step, told, names))
        gone = [told[v] for v in last.get(i, ())]
        if gone:
            lines.append(f"    del {', '.join(gone)}")
    ends = ", ".join(told[var] for var in program.ends())
    text = ["def step(values):", f"    {', '.join(taken)}{',' * bool(taken)} = values"]
    if not taken:
        text = ["def step(values):"]
    return "\n".join([*text, *lines, f"    return [{ends}]"]) + "\n", names


def _name(var: Var) -> str:
    """A variable's name in the text."""
    if var.source == "argument":
        return f"arg{var.value}"
    return f"{var.source[0]}{var.number}"


def _line(step: Step, told: dict[Var, str], names: dict[str, Any]) -> str:
    """One step as a line, with where it comes from."""
    for var in step.outputs:
        told[var] = f"v{var.number}"
    left = ", ".join(told[var] for var in step.outputs)
    names[step.op.name] = step.op
    right = [step.op.name, *(told[var] for var in step.inputs)]
    for key, value in step.params.items():
        text = repr(value)
        plain = isinstance(value, (bool, int, float, str, tuple, type(None)))
        if not plain or "object" in text or _is_odd(value):
            text = f"{key}{step.output.number}"
            names[text] = value
        right.append(f"{key}={text}")
    place = str(step.place)
    line = f"    {left} = call({', '.join(right)})"
    return f"{line}  # {place}" if place else line


def _is_odd(value: Any) -> bool:
    """Whether a number's text is not Python: inf, nan, or something of NumPy's."""
    if isinstance(value, tuple):
        return any(_is_odd(v) for v in value)
    if isinstance(value, float):
        return value != value or value in (float("inf"), -float("inf"))
    return not isinstance(value, (bool, int, str, type(None)))


def _caller(xp: Any) -> Callable[..., Any]:
    """`call(op, *inputs, **params)`: the op on raw data, as a recorded call computes it."""

    def call(op: Op, *inputs: Any, **params: Any) -> Any:
        raw = op.forward(xp, *inputs, **params)
        if op.outputs:
            n = len(op.outputs)
            return (*[settle(op, r, *inputs, **params) for r in raw[:n]], *raw[n:])
        return raw if "dtype" in op.params else settle(op, raw, *inputs, **params)

    return call


def _last_uses(program: Program) -> dict[int, list[Var]]:
    """Step → the variables that nobody needs after it."""
    kept = set(program.ends())
    last: dict[Var, int] = {}
    for i, step in enumerate(program.steps):
        for var in step.outputs:
            last[var] = i
        for var in step.inputs:
            if var.source == "step":
                last[var] = i
    found: dict[int, list[Var]] = {}
    for var, i in last.items():
        if var not in kept:
            found.setdefault(i, []).append(var)
    return found
