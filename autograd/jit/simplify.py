"""Passes that make a program smaller and leave what it computes: each a function of few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backends
from backends import namespaces, python

from ..dtypes import settle
from .agree import agreed
from .expand import FOR_NUMPY, expanded
from .program import Program, Step, Var
from .text import frozen

__all__ = ["PASSES", "simplified"]


def dead_code(program: Program) -> Program:
    """Without the steps whose results nobody reads."""
    needed = set(program.ends())
    kept = []
    for step in reversed(program.steps):
        if not needed.isdisjoint(step.outputs):
            kept.append(step)
            needed.update(step.inputs)
    program.steps = kept[::-1]
    program.given = [v for v in program.given if v in needed]
    return program


def constants(program: Program) -> Program:
    """What is computed from constants of one number alone is a constant."""
    xp = backends.get("numpy")
    swapped: dict[Var, Var] = {}
    steps = []
    for step in program.steps:
        _swap(step, swapped)
        one = all(not v.shape for v in (*step.inputs, *step.outputs)) and len(step.outputs) == 1
        if one and step.inputs and all(v.source == "constant" for v in step.inputs):
            raws = [v.value for v in step.inputs]
            raw = step.op.forward(xp, *raws, **step.params)
            if step.output.dtype is not None and "dtype" not in step.op.params:
                raw = settle(step.op, raw, *raws, **step.params)
            weak = namespaces[type(raw)] is python
            if weak == (step.output.dtype is None):
                var = step.output
                var.source, var.value, var.example = "constant", raw, raw
                program.given.append(var)
                continue
        steps.append(step)
    program.steps = steps
    return program


def common_subexpressions(program: Program) -> Program:
    """What is computed twice from the same is computed once."""
    known: dict[Any, Step] = {}
    swapped: dict[Var, Var] = {}
    steps = []
    for step in program.steps:
        _swap(step, swapped)
        try:
            key = step.op, tuple(map(_identity, step.inputs)), frozen(step.params)
            first = known.setdefault(key, step)
        except TypeError:  # a parameter that is no plain value
            first = step
        if first is step:
            steps.append(step)
        else:
            swapped.update(zip(step.outputs, first.outputs, strict=True))
    program.steps = steps
    program.swap_ends(swapped)
    return program


def _identity(var: Var) -> Any:
    """What makes two operands the same: the variable, or the number that a constant is."""
    if var.source == "constant" and var.dtype is None:
        return type(var.value), repr(var.value)
    return var


def algebra(program: Program) -> Program:
    """x · 1, x / 1, x + 0.0 and x - 0 are x; a reshape to the same shape is none."""
    swapped: dict[Var, Var] = {}
    steps = []
    for step in program.steps:
        _swap(step, swapped)
        same = _same_as(step)
        if same is None or same.shape != step.output.shape or same.dtype != step.output.dtype:
            steps.append(step)
        else:
            swapped[step.output] = same
    program.steps = steps
    program.swap_ends(swapped)
    return program


def _same_as(step: Step) -> Var | None:
    """The operand that the result equals, if there is one."""
    name = step.op.name
    if name in ("reshape", "identity", "detach", "astype", "broadcast_to", "sum_to"):
        return step.inputs[0]
    if name in ("mul", "div", "sub") and _is(step.inputs[1], 0 if name == "sub" else 1):
        return step.inputs[0]
    if name == "mul" and _is(step.inputs[0], 1):
        return step.inputs[1]
    return None


def _is(var: Var, number: float) -> bool:
    if var.source != "constant" or var.shape:
        return False
    value = getattr(var.value, "item", lambda: var.value)()
    return not isinstance(value, bool) and bool(value == number)


def _swap(step: Step, swapped: dict[Var, Var]) -> None:
    if swapped:
        step.inputs = tuple([swapped.get(v, v) for v in step.inputs])


PASSES: list[Callable[[Program], Program]] = [
    agreed, dead_code, expanded, agreed, constants, algebra, common_subexpressions, dead_code,
]  # fmt: skip


def simplified(program: Program, fused: bool = False) -> Program:
    """The program after all passes; `fused` leaves whole what runs faster so in NumPy."""
    for pass_ in PASSES:
        program = expanded(program, FOR_NUMPY) if fused and pass_ is expanded else pass_(program)
    return program
