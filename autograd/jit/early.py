"""A derivative is computed where the function is, if it then is kept in its operand's stead.

The gradient of a GELU multiplies by Φ(x) + x φ(x).  Computed in the backward pass, that asks for
x, and for what the forward pass had at hand: Φ(x), or half of it.  Computed beside the function it
shares the work, and of the two arrays only the derivative has to wait for the backward pass.
"""

from __future__ import annotations

from .layout import itemsize
from .loops import REDUCTIONS, is_loop
from .program import Program, Step, Var
from .recompute import CHEAP, is_view

__all__ = ["early"]


def early(program: Program) -> Program:
    """The program with steps drawn before the kernels that stand between them and their operands,
    where fewer bytes, or as many, are kept meanwhile."""
    phases = _Phases(program)
    for group in phases.groups():
        if any(step.op.name not in CHEAP for step in group) and phases.pays(group):
            place = phases.place(group)
            before = [s for s in program.steps[: place + 1] if s not in group]
            after = [s for s in program.steps[place + 1 :] if s not in group]
            made = {v for s in after for v in s.outputs}
            if all(made.isdisjoint(s.inputs) for s in group):
                program.steps = [*before, *group, *after]
    return program


class _Phases:
    """The steps between one kernel that is no loop and the next are a phase."""

    def __init__(self, program: Program) -> None:
        self.program, self.uses, self.ends = program, program.uses(), set(program.ends())
        self.made = program.made_by()
        self.phase: dict[Step, int] = {}
        self.ready: dict[Var, int] = {}
        """The first phase in which a variable can be had."""
        self.could: dict[Step, int] = {}
        """The phase of those that could be computed in an earlier one."""
        now = 0
        for step in program.steps:
            loop = is_loop(step)
            now += not loop and not is_view(step)
            self.phase[step] = now
            first = max([self.ready.get(v, 0) for v in step.inputs], default=now)
            array = loop and step.output.dtype is not None and step.output not in self.ends
            if not array or step.op.name in REDUCTIONS:
                first = now
            elif first < now:
                self.could[step] = first
            self.ready.update(dict.fromkeys(step.outputs, first))

    def groups(self) -> list[dict[Step, None]]:
        """Steps that are computed from each other and could be so in the same earlier phase."""
        of: dict[Var, list[Step]] = {}
        for step, first in self.could.items():
            made = [of[v] for v in step.inputs if v in of and self.could[of[v][0]] == first]
            group, *others = list({id(g): g for g in made}.values()) or [[]]
            for other in others:
                group += other
                of.update(dict.fromkeys([s.output for s in other], group))
            group.append(step)
            of[step.output] = group
        at = {step: i for i, step in enumerate(self.could)}
        found = {id(group): group for group in of.values()}.values()
        return [dict.fromkeys(sorted(group, key=at.__getitem__)) for group in found]

    def pays(self, group: dict[Step, None]) -> bool:
        """Whether, computed early, they are part of a loop there, and leave no more to be kept
        than they need now."""
        needed = {v for step in group for v in step.inputs}
        first, own = self.could[next(iter(group))], {step.output for step in group}
        made = [self.made[v] for v in needed - own if v in self.made]
        if not any(is_loop(step) and self.phase[step] == first for step in made):
            return False
        released = [v for v in needed - own if self._ends_with(v, group, first)]
        kept = [v for v in own if any(s not in group for s in self.uses.get(v, ()))]
        return _bytes(kept) <= _bytes(released)

    def _ends_with(self, var: Var, group: dict[Step, None], first: int) -> bool:
        """Whether a variable is kept beyond this phase for these steps alone."""
        late = [s for s in self.uses[var] if self.phase[s] > first]
        viewed = any(map(is_view, self.uses[var]))
        own = var.source == "step" and var not in self.ends and not viewed
        return own and all(s in group for s in late)

    def place(self, group: dict[Step, None]) -> int:
        """The last place in that phase at which what they read is computed or read."""
        first = self.could[next(iter(group))]
        needed = {v for step in group for v in step.inputs}
        places = [
            i for i, step in enumerate(self.program.steps)
            if step not in group and self.phase[step] <= first
            and not needed.isdisjoint((*step.inputs, *step.outputs))
        ]  # fmt: skip
        return max(places, default=-1)


def _bytes(variables: list[Var]) -> int:
    return sum(v.size * itemsize(v.dtype) for v in variables if v.dtype is not None)
