"""Conversions that recording makes in passing, as steps of their own.

An operation on integers and floats computes with floats (see `dtypes.py`).  The nodes do not show
it; a program does, so that who compiles it need not know the rule.
"""

from __future__ import annotations

from ..node import Op
from ..ops.shape import astype
from ..record import SELECTORS
from .program import Program, Step, Var

__all__ = ["agreed", "alike"]


def agreed(program: Program) -> Program:
    """The program with an `astype` before each operand of another dtype than it computes in."""
    steps: list[Step] = []
    known: dict[tuple[Var, str], Var] = {}
    for step in program.steps:
        dtype = _common(step)
        inputs = list(step.inputs)
        for i in alike(step.op, len(inputs)):
            x = inputs[i]
            if dtype is None or x.dtype is None or x.dtype == dtype:
                continue
            if (x, dtype) not in known:
                y = known[x, dtype] = program.new(x.shape, dtype)
                steps.append(Step(astype, (x,), {"dtype": dtype}, (y,), step.place))
            inputs[i] = known[x, dtype]
        step.inputs = tuple(inputs)
        steps.append(step)
    program.steps = steps
    return program


def alike(op: Op, n: int) -> list[int]:
    """The places of the operands, of n, whose dtypes agree."""
    fixed = len(op.inputs) - op.variadic
    names = [op.inputs[min(i, len(op.inputs) - 1)] for i in range(n)]
    rest = op.variadic and op.inputs[-1] not in SELECTORS
    return [i for i in range(n) if names[i] not in SELECTORS and (i < fixed or rest)]


def _common(step: Step) -> str | None:
    """The float dtype that an operation with several operands computes in, where it has one."""
    operands = [step.inputs[i] for i in alike(step.op, len(step.inputs))]
    arrays = [x for x in operands if x.dtype is not None]
    if len(operands) < 2 or not arrays or step.op.outputs:
        return None
    floats = [x.dtype for x in arrays if any(k in (x.dtype or "") for k in ("float", "complex"))]
    if floats:
        return floats[0]
    weak = [x for x in operands if x.dtype is None]
    return "float32" if any(type(x.example) is float for x in weak) else None
