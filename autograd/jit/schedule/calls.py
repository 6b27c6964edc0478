"""Steps that have a kernel of their own, and its operands as it wants them."""

from __future__ import annotations

from .. import kernels  # noqa: F401  # which registers what it writes
from ..kernel import LOWERED, Kernel, Operand, Request, packed
from ..layout import View
from ..program import Step, Var
from .copies import copied
from .kinds import Call, arrays
from .schedule import Schedule

__all__ = ["call"]


def call(schedule: Schedule, step: Step) -> bool:
    """Call a kernel that computes a step, if there is one: on the operands as they lie, else on
    copies in one piece."""
    if step.op.name not in LOWERED:
        return False
    inputs = list(map(schedule.view, arrays(step.inputs)))
    kernel = _kernel(schedule, step)
    if kernel is None:
        kernel = _kernel(schedule, step, in_one_piece=True)
        if kernel is None:
            return False
        inputs = [_in_one_piece(schedule, v) for v in arrays(step.inputs)]
    if kernel.kept is not None:
        for var, shape in zip(step.outputs[len(step.op.outputs) :], kernel.kept, strict=True):
            var.shape = shape
            schedule.views[var] = schedule.temporary(var)
    schedule.add(Call(step, kernel, inputs), *step.outputs)
    return True


def _kernel(schedule: Schedule, step: Step, in_one_piece: bool = False) -> Kernel | None:
    """The kernel for operands as they lie, or for copies of them in one piece."""

    def operand(var: Var) -> Operand:
        if var.dtype is None:
            return Operand((), "number", ())
        seen = schedule.view(var).operand
        return packed(seen.shape, seen.dtype) if in_one_piece else seen

    outputs = tuple([schedule.view(v).operand for v in step.outputs])
    request = Request(step.op.name, tuple(map(operand, step.inputs)), outputs, step.params)
    return LOWERED[step.op.name](request, schedule.target)


def _in_one_piece(schedule: Schedule, var: Var) -> View:
    """Where a variable lies one element behind the other; it is copied for that if need be."""
    view = schedule.view(var)
    return view if view.contiguous else schedule.views[copied(schedule, var)]
