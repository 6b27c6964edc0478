"""How loops grow: a step joins the loop of what it is computed from, which draws others in."""

from __future__ import annotations

from ...node import Op
from ..layout import Buffer, View
from ..loops import REDUCTIONS, Plan, plan, reduced_axes
from ..program import Step, Var
from .copies import copied, copying
from .kinds import Loop, arrays
from .placement import as_view
from .schedule import Schedule

__all__ = ["join", "move", "open_loop", "planned", "reduce"]

TRANSPOSE = Op.table["transpose"]


def join(schedule: Schedule, step: Step) -> bool:
    """Put a step into the loop of what it is computed from, or into a new one."""
    for var in arrays(step.inputs):
        schedule.view(var)
    last = max([schedule.at(v) for v in step.inputs], default=-1)
    loop = open_loop(schedule, last)
    if loop is not None and not step.late:
        found = planned(schedule, [*loop.steps, step], last)
        if found is not None:
            loop.steps.append(step)
            loop.plan = found
            schedule.place[step.output] = last
            _draw_in(schedule, loop, last, step)
            return True
    end = len(schedule.order)
    found = planned(schedule, [step], end)
    if found is None:
        return False
    loop = Loop([step], found)
    schedule.add(loop, step.output)
    _draw_in(schedule, loop, end, step)
    return True


def reduce(schedule: Schedule, step: Step) -> bool:
    """A reduction along axes that lie apart: those that stay are moved to the front."""
    if step.op.name not in REDUCTIONS:
        return False
    x, gone = step.inputs[0], reduced_axes(step)
    axes = (*[i for i in range(len(x.shape)) if i not in gone], *gone)
    moved = schedule.program.new(tuple([x.shape[i] for i in axes]), x.dtype)
    as_view(schedule, Step(TRANSPOSE, (x,), {"axes": axes}, (moved,), step.place))
    last = tuple(range(len(axes) - len(gone), len(axes)))
    small = Step(step.op, (moved,), {"axis": last, "keepdims": False}, step.outputs, step.place)
    if join(schedule, small):
        return True
    small.inputs = (copied(schedule, moved),)
    return join(schedule, small)


def move(schedule: Schedule, step: Step) -> bool:
    """A view that cannot be one, since elements must move, such as a reshape of a transpose."""
    if step.op.name != "reshape":
        return False
    x, z = step.inputs[0], step.output
    copy = copying(schedule, x, View.whole(schedule.view(z).buffer, x.shape), step.place)
    schedule.base[z] = copy.output
    return join(schedule, copy)


def open_loop(schedule: Schedule, place: int) -> Loop | None:
    """The loop at this place that others may join, if there is one."""
    kind = schedule.order[place] if place >= 0 else None
    return kind if isinstance(kind, Loop) and not kind.closed else None


def planned(schedule: Schedule, steps: list[Step], place: int) -> Plan | None:
    """The plan for a loop at this place, if what it reads is there by then."""
    own = {step.output for step in steps}
    for step in steps:
        for var in step.inputs:
            if schedule.base_of(var) not in own and schedule.at(var) >= place:
                return None
    return plan(steps, schedule.views, schedule.base)


def _draw_in(schedule: Schedule, loop: Loop, place: int, step: Step) -> None:
    """Draw loops into this one that its new step reads, and nobody else has asked for so far."""
    for var in step.inputs:
        at = schedule.at(var)
        other = open_loop(schedule, at)
        if other is None or other is loop:
            continue
        own = other.own
        if schedule.base_of(var) not in own:  # it was put together there, of several
            continue
        between = [v for kind in schedule.order[at + 1 : place] for v in kind.reads()]
        if any(schedule.base_of(v) in own for v in between):
            continue
        pieces = [b for v in own if v in schedule.views and (b := schedule.views[v].buffer).within]
        between += [v for v in loop.reads() if schedule.base_of(v) not in own]
        if any(_lies_in(schedule, v, pieces) for v in between):
            continue  # as a part of something larger it is asked for
        found = planned(schedule, [*other.steps, *loop.steps], place)
        if found is None:
            continue
        loop.steps[:0] = other.steps
        loop.plan = found
        other.steps = []
        joined = [
            v for v, k in schedule.place.items() if k < place and _lies_in(schedule, v, pieces)
        ]
        for drawn in (*own, *joined):
            schedule.place[drawn] = place


def _lies_in(schedule: Schedule, var: Var, pieces: list[Buffer]) -> bool:
    """Whether a variable has elements in any of these stretches of memory."""
    view = schedule.views.get(var)
    return view is not None and any(view.buffer.meets(piece) for piece in pieces)
