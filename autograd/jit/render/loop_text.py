"""A loop as C: one function, with a pass over the columns for each stage of a row.

The text depends on nothing but the operations and sizes, so that the same loop in twelve layers
is one function that is called twelve times.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from backends.c import TYPES, C, bare

from ..kernel import Kernel
from ..layout import itemsize
from ..loops import REDUCTIONS
from ..program import Step, Var
from ..schedule import Loop, Schedule
from .columns import Columns, computed
from .loop_names import LoopNames

__all__ = ["LoopText"]

STACK = 16384
"""Bytes of a row that may lie on the stack between two stages; more goes to scratch memory."""
KEPT = {"bool": "int32"}
"""What truth values are kept as between two stages: a pass that reads bytes beside float32 numbers
would take four times as many columns at once, and run out of registers."""


class LoopText:
    """The C function of one loop: `kernel`, its `text`, and the `names` of what it takes.

    `sums` are the places of the pointers that it adds to, and `named` the Python numbers that are
    variables in the C.
    """

    def __init__(self, loop: Loop, schedule: Schedule, named: Container[Var]) -> None:
        plan = loop.plan
        self.loop, self.rows, self.cols = loop, plan.rows, plan.cols
        self.names = LoopNames(loop, schedule, named)
        self.flat = plan.rows == 1 and set(plan.at.values()) == {"full"} and not any(
            s.op.name in REDUCTIONS for s in loop.steps
        )  # fmt: skip
        self.work = 0
        self.text = "\n".join(self._body())
        self.name = self._name()
        self.sums = tuple(
            i for i, view in enumerate(self.names.pointers)
            if any(plan.level[v] == "col" and schedule.views[v] is view for v in loop.outputs)
        )  # fmt: skip
        checks = ["checks"] * any(s.op.name == "one_hot" for s in loop.steps)
        self.kernel = Kernel(
            self.name, "", self.cols if self.flat else self.rows, work=self.work,
            flops=self.rows * self.cols * len(loop.steps), headers=("vectors", "maths", *checks),
        )  # fmt: skip

    def _name(self) -> str:
        told: list[str] = []
        for step in self.loop.steps:
            if step.op.name != "identity" and step.op.name not in told:
                told.append(step.op.name)
        told = told if len(told) < 5 else [*told[:2], *told[-2:]]
        return f"{'_'.join(told) or 'copy'}_{self.rows}x{self.cols}"

    def _body(self) -> list[str]:
        kept = self._kept()
        stages = range(1 + max(self.loop.plan.stage.values()))
        lines = [line for stage in stages for line in self._stage(stage)]
        if self.flat:
            return [*kept, *[f"    {line}" for line in lines]]
        return [
            *kept, "    for (long r = begin; r < end; r++) {",
            *[f"        {line}" for line in lines], "    }",
        ]  # fmt: skip

    def _kept(self) -> list[str]:
        """The lines that make room for what is kept for a row."""
        kinds = {v: KEPT.get(v.dtype or "", v.dtype or "") for v in self._crossing()}
        size = {v: self.cols * itemsize(kind) for v, kind in kinds.items()}
        lines = []
        for var, dtype in kinds.items():
            kind, name = TYPES[dtype], self.names.fresh("row")
            self.names.rows[var] = name
            if sum(size.values()) > STACK:
                lines.append(f"    {kind} *{name} = ({kind} *)(work + {self.work});")
                self.work += -(-size[var] // 64) * 64
            else:
                lines.append(f"    {kind} {name}[{self.cols}] __attribute__((aligned(64)));")
        return lines

    def _crossing(self) -> Iterator[Var]:
        """Full variables that a later stage reads again: they are kept for a row."""
        plan = self.loop.plan
        for step in self.loop.steps:
            for var in step.inputs:
                mine = self.names.schedule.base_of(var)
                if plan.level.get(mine) != "full" or plan.at[step] != "full":
                    continue
                if plan.stage[mine] < self._runs_in(step):
                    yield mine

    def _runs_in(self, step: Step) -> int:
        """The stage in which a step is computed."""
        stage, level = self.loop.plan.stage[step.output], self.loop.plan.level[step.output]
        return stage - (step.op.name in REDUCTIONS and level == "row")

    def _stage(self, stage: int) -> list[str]:
        """What has one element for each row, then what has one for each column of it."""
        levels = self.loop.plan.at
        steps = [s for s in self.loop.steps if self._runs_in(s) == stage]
        lines = [line for s in steps if levels[s] == "row" for line in self._row_step(s)]
        full = [s for s in steps if levels[s] == "full"]
        if not full:
            return lines
        start, stop = ("begin", "end") if self.flat else ("0", str(self.cols))
        return [*lines, *Columns(self.names, full).lines(start, stop)]

    def _row_step(self, step: Step) -> list[str]:
        """A step that has one element per row."""
        names, inputs = self.names, []
        for i, var in enumerate(step.inputs):
            mine = names.schedule.base_of(var)
            if var.dtype is None:
                inputs.append(names.number(var))
            elif mine in names.ones:
                inputs.append(names.ones[mine])
            else:
                how = self.loop.plan.reads[step, i]
                inputs.append(C(names.element(names.schedule.views[var], how), var.dtype))
        out, name = step.output, names.fresh("w")
        value = computed(step, inputs)
        lines = [f"const {TYPES[out.dtype or '']} {name} = {bare(value.text)};"]
        names.ones[out] = C(name, out.dtype)
        if out in self.loop.outputs:
            lines.append(f"{names.result(out)} = {name};")
        return lines
