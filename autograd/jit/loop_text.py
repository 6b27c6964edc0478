"""A loop as C: one function, with a pass over the columns for each stage of a row.

The text depends on nothing but the operations and sizes, so that the same loop in twelve layers
is one function that is called twelve times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends import c
from backends.c import TYPES, C, bare

from .kernel import Kernel
from .layout import Buffer, View, itemsize
from .loops import REDUCTIONS, Access
from .program import Step, Var
from .schedule import Loop

__all__ = ["LoopText", "number_text"]

LONG = 2048
"""Sums of more float32 numbers than this are added up in float64."""
STACK = 16384
"""Bytes of a row that may lie on the stack between two stages; more goes to scratch memory."""
KEPT = {"bool": "int32"}
"""What truth values are kept as between two stages: a pass that reads bytes beside float32 numbers
would take four times as many columns at once, and run out of registers."""


def number_text(var: Var, names: dict[Var, str]) -> Any:
    """A Python number as C: by the name of a variable, or the number itself, to be written out."""
    return C(names[var], None, float) if var in names else var.value


class LoopText:
    """The C function of one loop, and what it is called with.

    `pointers` are the views whose addresses it takes, in order, and `numbers` the variables that
    are Python numbers; `kernel` is the function.
    """

    def __init__(
        self, loop: Loop, views: dict[Var, View], base: dict[Var, Var],
        number: Callable[[Var], bool],
    ) -> None:  # fmt: skip
        self.loop, self.views, self.base, self.is_number = loop, views, base, number
        plan = loop.plan
        self.rows, self.cols = plan.rows, plan.cols
        self.flat = plan.rows == 1 and set(plan.at.values()) == {"full"} and not any(
            s.op.name in REDUCTIONS for s in loop.steps
        )  # fmt: skip
        self.pointers: list[View] = []
        self.numbers: list[Var] = []
        self.known: dict[tuple[Buffer, int], str] = {}
        self.written: set[str] = set()
        self.names: dict[Var, str] = {}
        self.steps = {s.output: s for s in loop.steps}
        self.work = 0
        self.count = 0
        body = self._body()
        name = self._name()
        text = "\n".join(body)
        self.text, self.name = text, name
        sums = tuple(
            i for i, view in enumerate(self.pointers)
            if any(plan.level[v] == "col" and views[v] is view for v in loop.outputs)
        )  # fmt: skip
        flops = self.rows * self.cols * len(loop.steps)
        self.sums = sums
        checks = ["checks"] * any(s.op.name == "one_hot" for s in loop.steps)
        self.kernel = Kernel(
            name, "", self.cols if self.flat else self.rows, work=self.work, flops=flops,
            headers=("vectors", "maths", *checks),
        )  # fmt: skip

    # --- names and pointers ---

    def _fresh(self, prefix: str) -> str:
        """A name that nothing has yet."""
        self.count += 1
        return f"{prefix}{self.count}"

    def _name(self) -> str:
        told: list[str] = []
        for step in self.loop.steps:
            if step.op.name != "identity" and step.op.name not in told:
                told.append(step.op.name)
        told = told if len(told) < 5 else [*told[:2], *told[-2:]]
        return f"{'_'.join(told) or 'copy'}_{self.rows}x{self.cols}"

    def _pointer(self, view: View) -> str:
        """The name of the argument for this memory."""
        key = view.root()
        if key not in self.known:
            self.known[key] = f"a{len(self.pointers)}"
            self.pointers.append(view)
        return self.known[key]

    def signature(self, name: str) -> str:
        """The head of the function."""
        told = []
        for i, view in enumerate(self.pointers):
            const = "" if f"a{i}" in self.written else "const "
            told.append(f"{const}{TYPES[view.buffer.dtype]} *restrict a{i}")
        told += [f"double {self.names[var]}" for var in self.numbers]
        arguments = ", ".join(["long begin, long end", *told, "char *work"])
        return f"KERNEL void {name}({arguments})"

    # --- the text ---

    def _body(self) -> list[str]:
        plan, lines = self.loop.plan, []
        stages = 1 + max(plan.stage.values())
        crossing = self._crossing()
        kinds = {v: KEPT.get(v.dtype or "", v.dtype or "") for v in crossing}
        size = {v: self.cols * itemsize(kind) for v, kind in kinds.items()}
        indent = "    " if self.flat else "        "
        for var in crossing:
            kind, name = TYPES[kinds[var]], self._fresh("row")
            self.names[var] = name
            if sum(size.values()) > STACK:
                lines.append(f"    {kind} *{name} = ({kind} *)(work + {self.work});")
                self.work += -(-size[var] // 64) * 64
            else:
                lines.append(f"    {kind} {name}[{self.cols}] __attribute__((aligned(64)));")
        self.crossing = crossing
        rows: list[str] = []
        self.local: dict[Var, C] = {}
        for stage in range(stages):
            rows += self._stage(stage, indent)
        if self.flat:
            return [*lines, *rows]
        return [*lines, "    for (long r = begin; r < end; r++) {", *rows, "    }"]

    def _crossing(self) -> list[Var]:
        """Full variables that a later stage reads again: they are kept for a row."""
        plan, found = self.loop.plan, []
        for step in self.loop.steps:
            for var in step.inputs:
                mine = self.base.get(var, var)
                if plan.level.get(mine) != "full" or mine in found:
                    continue
                if plan.stage[mine] < self._runs_in(step) and plan.at[step] == "full":
                    found.append(mine)
        return found

    def _runs_in(self, step: Step) -> int:
        """The stage in which a step is computed."""
        stage, level = self.loop.plan.stage[step.output], self.loop.plan.level[step.output]
        return stage - (step.op.name in REDUCTIONS and level == "row")

    def _stage(self, stage: int, indent: str) -> list[str]:
        plan = self.loop.plan
        steps = [s for s in self.loop.steps if self._runs_in(s) == stage]
        lines: list[str] = []
        for step in steps:
            if plan.at[step] == "row":
                lines += self._row_step(step, indent)
        full = [s for s in steps if plan.at[s] == "full"]
        if not full:
            return lines
        inner, before, after, clauses = self._columns(full, stage, indent)
        lines += before
        lines.append(f"{indent}#pragma omp simd{''.join(clauses)}")
        start, stop = ("begin", "end") if self.flat else ("0", str(self.cols))
        lines.append(f"{indent}for (long c = {start}; c < {stop}; c++) {{")
        lines += [f"{indent}    {line}" for line in inner]
        lines.append(f"{indent}}}")
        return lines + [f"{indent}{line}" for line in after]

    def _columns(
        self, steps: list[Step], stage: int, indent: str
    ) -> tuple[list[str], list[str], list[str], list[str]]:
        """The pass over the columns: its lines, those before and behind it, and its sums."""
        inner: list[str] = []
        before: list[str] = []
        after: list[str] = []
        clauses: list[str] = []
        loads: dict[Any, C] = {}
        local: dict[Var, C] = {}
        for step in steps:
            inputs = [
                self._full_operand(step, i, loads, local, inner, before, indent)
                for i in range(len(step.inputs))
            ]
            out = step.output
            if step.op.name in REDUCTIONS:
                self._reduce(step, inputs[0], inner, before, after, clauses, indent)
                continue
            value = _computed(step, inputs)
            name = self._fresh("v")
            inner.append(f"const {TYPES[out.dtype or '']} {name} = {bare(value.text)};")
            local[out] = C(name, out.dtype)
            if out in self.crossing:
                inner.append(f"{self.names[out]}[c] = {name};")
            if out in self.loop.outputs:
                inner.append(f"{self._element(self.views[out], self._how(out))} = {name};")
        return inner, before, after, clauses

    def _how(self, var: Var) -> Access:
        """Where a result of the loop lies in memory."""
        how = self.loop.plan.written(self.views[var], self.loop.plan.level[var])
        assert how is not None
        return how

    def _element(self, view: View, how: Access, write: bool = True) -> str:
        """An element in memory as C."""
        name = self._pointer(view)
        if write:
            self.written.add(name)
        return f"{name}[{_index(how, self.rows)}]"

    def _full_operand(
        self, step: Step, i: int, loads: dict[Any, C], local: dict[Var, C],
        inner: list[str], before: list[str], indent: str,
    ) -> Any:  # fmt: skip
        """An operand of a step that runs over all columns."""
        var, plan = step.inputs[i], self.loop.plan
        if var.dtype is None:
            return self._number(var)
        mine = self.base.get(var, var)
        if mine in local:
            return local[mine]
        if mine in self.local:
            return self.local[mine]
        if mine in self.crossing and mine in plan.level:
            key: Any = mine
            text = f"{self.names[mine]}[c]"
        else:
            how = plan.reads[step, i]
            view = self.views[var]
            key = (self._pointer(view), how)
            text = self._element(view, how, write=False)
            if how.step == 0 and key not in loads:  # the same for all columns of a row
                name = self._fresh("s")
                before.append(f"{indent}const {TYPES[var.dtype]} {name} = {text};")
                loads[key] = C(name, var.dtype)
                if step.op.name == "one_hot":
                    n = step.params["classes"]
                    before.append(f"{indent}if ((unsigned long){name} >= {n}ul) bad_index();")
        if key not in loads:
            name = self._fresh("x")
            inner.append(f"const {TYPES[var.dtype]} {name} = {text};")
            loads[key] = C(name, var.dtype)
        return loads[key]

    def _number(self, var: Var) -> Any:
        if self.is_number(var) and var not in self.names:
            self.names[var] = f"n{len(self.numbers)}"
            self.numbers.append(var)
        return number_text(var, self.names)

    def _row_step(self, step: Step, indent: str) -> list[str]:
        """A step that has one element per row."""
        plan, inputs, lines = self.loop.plan, [], []
        for i, var in enumerate(step.inputs):
            mine = self.base.get(var, var)
            if var.dtype is None:
                inputs.append(self._number(var))
            elif mine in self.local:
                inputs.append(self.local[mine])
            else:
                text = self._element(self.views[var], plan.reads[step, i], write=False)
                inputs.append(C(text, var.dtype))
        out = step.output
        name = self._fresh("w")
        value = _computed(step, inputs)
        lines.append(f"{indent}const {TYPES[out.dtype or '']} {name} = {bare(value.text)};")
        self.local[out] = C(name, out.dtype)
        if out in self.loop.outputs:
            lines.append(f"{indent}{self._element(self.views[out], self._how(out))} = {name};")
        return lines

    def _reduce(
        self, step: Step, x: C, inner: list[str], before: list[str], after: list[str],
        clauses: list[str], indent: str,
    ) -> None:  # fmt: skip
        """A reduction in the pass over the columns."""
        out, dtype = step.output, step.output.dtype or ""
        if self.loop.plan.level[out] == "col":
            inner.append(f"{self._element(self.views[out], self._how(out))} += {x.text};")
            return
        name = self._fresh("w")
        kind = step.op.name
        if kind == "sum":
            wide = dtype == "float32" and self.cols > LONG
            before.append(f"{indent}{'double' if wide else TYPES[dtype]} {name} = 0;")
            inner.append(f"{name} += {x.text};")
            clauses.append(f" reduction(+:{name})")
        else:
            sign, least = (">", "-") if kind == "max" else ("<", "")
            floats = dtype in ("float32", "float64")
            first = f"{least}INFINITY" if floats else _extreme(dtype, kind)
            before.append(f"{indent}{TYPES[dtype]} {name} = {first};")
            inner.append(f"{name} = {x.text} {sign} {name} ? {x.text} : {name};")
            clauses.append(f" reduction({kind}:{name})")
            if floats:  # NaN compares with nothing, and must show
                before.append(f"{indent}int {name}_nan = 0;")
                inner.append(f"{name}_nan |= {x.text} != {x.text};")
                clauses.append(f" reduction(|:{name}_nan)")
                after.append(f"if ({name}_nan) {name} = NAN;")
        self.local[out] = C(name, dtype)
        if out in self.loop.outputs:
            after.append(f"{self._element(self.views[out], self._how(out))} = {name};")


def _computed(step: Step, inputs: list[C]) -> C:
    """What a step computes, in the dtype of its result."""
    dtype = step.output.dtype or ""
    if step.op.name == "one_hot":
        return C(f"(c == {inputs[0]})", "bool").astype(dtype)
    if step.op.name in ("astype", "identity"):
        return _text(inputs[0]).astype(dtype)
    return _text(step.op.forward(c, *inputs, **step.params)).astype(dtype)


def _text(x: Any) -> C:
    """C text, also of a Python number."""
    return x if isinstance(x, C) else C(c.literal(x, "float64"), None, type(x), x)


def _extreme(dtype: str, kind: str) -> str:
    """What every integer is larger (or smaller) than."""
    if dtype == "bool":
        return "0" if kind == "max" else "1"
    bits, signed = 8 * itemsize(dtype), not dtype.startswith("u")
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    if kind == "max":
        return f"{low + 1} - 1" if signed else "0"
    return f"{high}{'' if signed else 'u'}{'ll' if bits == 64 else ''}"


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
