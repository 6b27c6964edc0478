"""One stage of a row in a loop's C: the pass over the columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backends import c
from backends.c import TYPES, C, bare

from ..layout import itemsize
from ..loops import REDUCTIONS
from ..program import Step, Var
from .loop_names import LoopNames

__all__ = ["Columns", "computed"]

LONG = 2048
"""Sums of more float32 numbers than this are added up in float64."""


class Columns:
    """The `for` over the columns that computes some steps, with the lines around it."""

    def __init__(self, names: LoopNames, steps: Iterable[Step]) -> None:
        self.names, self.loop = names, names.loop
        self.before: list[str] = []
        self.inner: list[str] = []
        self.after: list[str] = []
        self.clauses: list[str] = []
        """What OpenMP must know about the sums."""
        self.loaded: dict[Any, C] = {}
        """What was read from memory or from a row that is kept."""
        self.values: dict[Var, C] = {}
        """What was computed."""
        for step in steps:
            self._compute(step)

    def lines(self, start: str, stop: str) -> list[str]:
        """The C, from one column to another."""
        return [
            *self.before,
            f"#pragma omp simd{''.join(self.clauses)}",
            f"for (long c = {start}; c < {stop}; c++) {{",
            *[f"    {line}" for line in self.inner],
            "}",
            *self.after,
        ]

    def _compute(self, step: Step) -> None:
        inputs = [self._operand(step, i) for i in range(len(step.inputs))]
        if step.op.name in REDUCTIONS:
            self._reduce(step, inputs[0])
            return
        out, name = step.output, self.names.fresh("v")
        value = computed(step, inputs)
        self.inner.append(f"const {TYPES[out.dtype or '']} {name} = {bare(value.text)};")
        self.values[out] = C(name, out.dtype)
        if out in self.names.rows:
            self.inner.append(f"{self.names.rows[out]}[c] = {name};")
        if out in self.loop.outputs:
            self.inner.append(f"{self.names.result(out)} = {name};")

    def _operand(self, step: Step, i: int) -> Any:
        """An operand of a step; it is read where that has not been done."""
        var, names = step.inputs[i], self.names
        if var.dtype is None:
            return names.number(var)
        mine = names.schedule.base_of(var)
        for known in (self.values, names.ones):
            if mine in known:
                return known[mine]
        if mine in names.rows:
            key: Any = mine
            text = f"{names.rows[mine]}[c]"
        else:
            view, how = names.schedule.views[var], self.loop.plan.reads[step, i]
            key = (names.pointer(view), how)
            text = names.element(view, how)
            if how.step == 0 and key not in self.loaded:  # the same for all columns of a row
                name = names.fresh("s")
                self.before.append(f"const {TYPES[var.dtype]} {name} = {text};")
                self.loaded[key] = C(name, var.dtype)
                if step.op.name == "one_hot":
                    n = step.params["classes"]
                    self.before.append(f"if ((unsigned long){name} >= {n}ul) bad_index();")
        if key not in self.loaded:
            name = names.fresh("x")
            self.inner.append(f"const {TYPES[var.dtype]} {name} = {text};")
            self.loaded[key] = C(name, var.dtype)
        return self.loaded[key]

    def _reduce(self, step: Step, x: C) -> None:
        """A reduction: along the row, or into the sums of all columns."""
        out, dtype, kind = step.output, step.output.dtype or "", step.op.name
        if self.loop.plan.level[out] == "col":
            self.inner.append(f"{self.names.result(out)} += {x.text};")
            return
        name = self.names.fresh("w")
        if kind == "sum":
            wide = dtype == "float32" and self.loop.plan.cols > LONG
            self.before.append(f"{'double' if wide else TYPES[dtype]} {name} = 0;")
            self.inner.append(f"{name} += {x.text};")
            self.clauses.append(f" reduction(+:{name})")
        else:
            self._extreme(name, kind, x, dtype)
        self.names.ones[out] = C(name, dtype)
        if out in self.loop.outputs:
            self.after.append(f"{self.names.result(out)} = {name};")

    def _extreme(self, name: str, kind: str, x: C, dtype: str) -> None:
        """The largest or smallest of a row."""
        sign, least = (">", "-") if kind == "max" else ("<", "")
        floats = dtype in ("float32", "float64")
        first = f"{least}INFINITY" if floats else _first(dtype, kind)
        self.before.append(f"{TYPES[dtype]} {name} = {first};")
        self.inner.append(f"{name} = {x.text} {sign} {name} ? {x.text} : {name};")
        self.clauses.append(f" reduction({kind}:{name})")
        if floats:  # NaN compares with nothing, and must show
            self.before.append(f"int {name}_nan = 0;")
            self.inner.append(f"{name}_nan |= {x.text} != {x.text};")
            self.clauses.append(f" reduction(|:{name}_nan)")
            self.after.append(f"if ({name}_nan) {name} = NAN;")


def _first(dtype: str, kind: str) -> str:
    """What no integer is smaller (or larger) than, where the largest (or smallest) is sought."""
    if dtype == "bool":
        return "0" if kind == "max" else "1"
    bits, signed = 8 * itemsize(dtype), not dtype.startswith("u")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if kind == "max":
        return f"{low + 1} - 1" if signed else "0"
    return f"{high}{'' if signed else 'u'}{'ll' if bits == 64 else ''}"


def computed(step: Step, inputs: list[Any]) -> C:
    """What a step computes from one element of each operand, in the dtype of its result."""
    dtype = step.output.dtype or ""
    if step.op.name == "one_hot":
        return C(f"(c == {inputs[0]})", "bool").astype(dtype)
    if step.op.name in ("astype", "identity"):
        return _text(inputs[0]).astype(dtype)
    return _text(step.op.forward(c, *inputs, **step.params)).astype(dtype)


def _text(x: Any) -> C:
    """C text, also of a Python number."""
    return x if isinstance(x, C) else C(c.literal(x, "float64"), None, type(x), x)
