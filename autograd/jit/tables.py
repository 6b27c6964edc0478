"""Recurrent networks over words of a small vocabulary: one product per word instead of per step.

x w + b with x a row of a table is a row of table w + b, so where the table has fewer rows than the
batch has steps the product is made for the table; and the gradients of all steps with one word are
added up before they are multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..node import Op
from .program import Program, Step, Var

__all__ = ["with_tables"]


def _forward(name: str) -> Callable[..., Any]:
    def forward(xp: Any, table: Any, index: Any, *rest: Any, **params: Any) -> Any:
        return Op.table[name].forward(xp, xp.take(table, index, axis=0), *rest, **params)

    forward.__name__, forward.__doc__ = f"embedding_{name}", f"{name} of embedding(table, index)."
    return forward


def _backward(name: str, before: int) -> Callable[..., Any]:
    """The gradient; `before` operands come before x in that of the plain op."""

    def backward(xp: Any, *inputs: Any, **params: Any) -> Any:
        given, (table, index, *rest) = inputs[:before], inputs[before:]
        x = xp.take(table, index, axis=0)
        gx, *others = Op.table[f"{name}_grad"].forward(xp, *given, x, *rest, **params)
        return (Op.table["putrows"].forward(xp, gx, index, rows=len(table)), *others)

    backward.__name__ = f"embedding_{name}_grad"
    backward.__doc__ = f"The gradient of embedding_{name}."
    return backward


BEFORE = {"lstm": 9, "gru": 6, "rnn": 5}
"""Of each gradient, how many operands come before x: gradients, results and what was kept."""

FUSED: dict[str, Op] = {}
"""The fused operations by name.  They are no entries of the op table: only a program has them."""

for _name, _before in BEFORE.items():
    _op, _grad = Op.table[_name], Op.table[f"{_name}_grad"]
    for _fused in (
        Op(_forward(_name), outputs=_op.outputs, keeps=_op.keeps, samples=()),
        Op(_backward(_name, _before), outputs=_grad.outputs, samples=()),
    ):
        FUSED[_fused.name] = Op.table.pop(_fused.name)


def with_tables(program: Program) -> Program:
    """The program with `embedding` drawn into the recurrent network that reads it."""
    made, uses = program.made_by(), program.uses()
    ends = set(program.ends())
    gone: set[Step] = set()
    for step in program.steps:
        if step.op.name not in BEFORE:
            continue
        x = step.inputs[0]
        look = made.get(x)
        if look is None or look.op.name != "embedding" or x in ends:
            continue
        table, index = look.inputs
        back = [s for s in uses[x] if s is not step]
        if 2 * table.shape[0] > index.size or len(index.shape) != 2 or len(back) > 1:
            continue
        if back and not _draw_back(step, back[0], x, table, index, uses, ends, gone):
            continue
        step.op = FUSED[f"embedding_{step.op.name}"]
        step.inputs = (table, index, *step.inputs[1:])
        gone.add(look)
    program.steps = [step for step in program.steps if step not in gone]
    return program


def _draw_back(
    step: Step, back: Step, x: Var, table: Var, index: Var, uses: dict[Var, list[Step]],
    ends: set[Var], gone: set[Step],
) -> bool:  # fmt: skip
    """Draw `putrows` into the gradient; whether that could be done."""
    name = step.op.name
    if back.op.name != f"{name}_grad" or back.inputs[BEFORE[name]] is not x:
        return False
    gx = back.outputs[0]
    puts = uses.get(gx, [])
    if gx in ends or len(puts) != 1:
        return False
    if puts[0].op.name != "putrows" or puts[0].inputs[1] is not index:
        return False
    back.op = FUSED[f"embedding_{name}_grad"]
    back.inputs = (*back.inputs[: BEFORE[name]], table, index, *back.inputs[BEFORE[name] + 1 :])
    back.outputs = (puts[0].outputs[0], *back.outputs[1:])
    gone.add(puts[0])
    return True
