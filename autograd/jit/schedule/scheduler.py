"""Takes one step after the other, and decides what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

from ..kernel import Target
from ..layout import View
from ..loops import is_loop
from ..program import Program, Step, Var
from .calls import call
from .copies import NOWHERE, concatenate, copied, copying, put
from .fusion import join, move, reduce
from .kinds import Host, Kind, Loop, arrays, is_plain
from .placement import as_view, place_given, place_heads, place_results, place_together
from .schedule import Schedule
from .writes import last_check, store

__all__ = ["scheduled"]


def scheduled(program: Program, target: Target) -> Schedule:
    """The schedule of a program for a processor."""
    schedule = Schedule(program, target)
    ends = _ends(program)
    place_given(schedule)
    place_results(schedule, ends)
    place_together(schedule)
    place_heads(schedule)
    for step in program.steps:
        _take(schedule, step)
    for var in ends:
        if var not in schedule.results:  # it was there before, or is a view
            schedule.results[var] = schedule.outside("result", var.dtype, var.size)
            copied(schedule, var, View.whole(schedule.results[var], var.shape))
    for var in program.checks:
        schedule.view(var)
    schedule.shown = [_at_rest(schedule, var) for var in program.shown]
    schedule.commit = last_check(schedule) + 1
    store(schedule)
    _find_outputs(schedule, ends)
    _drop_empty(schedule)
    return schedule


def _ends(program: Program) -> list[Var]:
    """What the call returns, or leaves in `.grad`."""
    gradients = [g for _, g in program.gradients if g is not None]
    return list(dict.fromkeys([*program.results, *gradients]))


def _at_rest(schedule: Schedule, var: Var) -> Var:
    """A variable that lies in the arena in one piece: this one, or a copy made beside it."""
    view = schedule.view(var)
    if view.contiguous and view.root()[0].kind == "temporary":
        return var
    made = schedule.program.made_by().get(schedule.base_of(var))
    step = copying(schedule, var, schedule.temporary(var), made.place if made else NOWHERE)
    return step.output if join(schedule, step) else copied(schedule, var)


def _take(schedule: Schedule, step: Step) -> None:
    """What becomes of a step."""
    if not arrays(step.outputs):
        schedule.numbers.append(step)
    elif as_view(schedule, step) or is_plain(step) and _in_c(schedule, step):
        return
    else:
        for var in arrays((*step.inputs, *step.outputs)):
            schedule.view(var)
        schedule.add(Host(step), *step.outputs)


def _in_c(schedule: Schedule, step: Step) -> bool:
    """Let C compute a step; whether it can."""
    if is_loop(step) and (join(schedule, step) or reduce(schedule, step)):
        return True
    if step.op.name == "concatenate":
        concatenate(schedule, step)
        return True
    if step.op.name in ("putitem", "pad") and len(step.inputs) == 1:
        put(schedule, step)
        return True
    return call(schedule, step) or move(schedule, step)


def _find_outputs(schedule: Schedule, ends: Sequence[Var]) -> None:
    """What of each loop must lie in memory: what others read, or somebody sees afterwards."""
    seen = {schedule.base_of(v) for v in (*ends, *schedule.program.checks, *schedule.shown)}
    for at, kind in enumerate(schedule.order):
        seen |= {schedule.base_of(v) for v in kind.reads() if schedule.at(v) != at}
    for kind in schedule.order:
        if isinstance(kind, Loop):
            kind.outputs += [
                s.output for s in kind.steps
                if s.output not in kind.outputs
                and (s.output in seen or schedule.view(s.output).buffer.within is not None)
            ]  # fmt: skip


def _drop_empty(schedule: Schedule) -> None:
    """Drop the loops that were drawn into others."""
    order = schedule.order
    schedule.commit -= sum(map(_is_empty, order[: schedule.commit]))
    schedule.order = [kind for kind in order if not _is_empty(kind)]


def _is_empty(kind: Kind) -> bool:
    return isinstance(kind, Loop) and not kind.steps
