"""Elements that have to move: copies, what is concatenated, what is put into something larger."""

from __future__ import annotations

from ...node import Op
from ..layout import View, viewed
from ..loops import plan
from ..program import Place, Step, Var
from .kinds import PLAIN, Fill, Host, Loop
from .schedule import Schedule

__all__ = ["NOWHERE", "concatenate", "copied", "copying", "put"]

NOWHERE = Place(None, 0, None)
"""Where steps are recorded that nobody has written."""

IDENTITY, GETITEM = Op.table["identity"], Op.table["getitem"]


def copying(schedule: Schedule, var: Var, view: View, place: Place = NOWHERE) -> Step:
    """The step that computes a copy of a variable, a new one, which lies there."""
    copy = Var(-1, view.shape, view.buffer.dtype, "step")
    schedule.views[copy] = view
    return Step(IDENTITY, (var,), {}, (copy,), place)


def copied(schedule: Schedule, var: Var, view: View | None = None) -> Var:
    """A copy of a variable, there or in new memory, by a loop of its own."""
    schedule.view(var)
    step = copying(schedule, var, view or schedule.temporary(var))
    copy = step.output
    if copy.dtype not in PLAIN:
        schedule.add(Host(step), copy)
        return copy
    found = plan([step], schedule.views, schedule.base)
    assert found is not None, f"{step} is no loop"
    schedule.add(Loop([step], found, [copy], closed=True), copy)
    return copy


def concatenate(schedule: Schedule, step: Step) -> None:
    """Operands that do not lie in their place yet are copied there."""
    z = step.output
    view = schedule.view(z)
    axis, start = step.params["axis"] % len(z.shape), 0
    for x in step.inputs:
        offset = view.offset + start * view.strides[axis]
        part = View(view.buffer, offset, x.shape, view.strides)
        start += x.shape[axis]
        mine = schedule.view(x)
        if mine.root() != part.root() or not mine.contiguous:
            copied(schedule, x, part)
    schedule.place[z] = len(schedule.order) - 1


def put(schedule: Schedule, step: Step) -> None:
    """One number everywhere, and the operand at its place."""
    x, z = step.inputs[0], step.output
    pattern, value = step.params.get("pattern"), step.params.get("value", 0.0)
    if step.op.name == "pad":
        sizes = zip(x.shape, step.params["width"], strict=True)
        pattern = tuple([slice(a, a + n) for n, (a, _) in sizes])
    view = schedule.view(z)
    schedule.add(Fill(view, value))
    part = viewed(Step(GETITEM, (z,), {"pattern": pattern}, (x,), step.place), view)
    assert part is not None
    copied(schedule, x, part)
    schedule.place[z] = len(schedule.order) - 1
