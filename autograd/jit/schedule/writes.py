"""What the call assigns: memory of others, written once everything has been checked."""

from __future__ import annotations

from backends import numpy as np

from ...dtypes import name_of
from ..layout import View, element_strides
from ..loops import access
from ..program import Place, Write
from .copies import copied, copying
from .fusion import open_loop, planned
from .kinds import Call, Loop
from .schedule import Schedule

__all__ = ["last_check", "store"]


def last_check(schedule: Schedule) -> int:
    """The last place at which something may be found wrong."""
    found = [schedule.at(v) for v in schedule.program.checks]
    for at, kind in enumerate(schedule.order):
        if isinstance(kind, Call) and "checks" in kind.kernel.headers:
            found.append(at)
        if isinstance(kind, Loop) and any(s.op.name == "one_hot" for s in kind.steps):
            found.append(at)
    return max(found, default=-1)


def store(schedule: Schedule) -> None:
    """Put what is assigned into the memory of the leaves."""
    for write in [_disentangled(schedule, write) for write in schedule.program.writes]:
        _store(schedule, write)


def _disentangled(schedule: Schedule, write: Write) -> Write:
    """The write of a copy, if the value lies in the memory of a leaf, which may be written."""
    if schedule.base_of(write.value).source != "leaf":
        return write
    return Write(write.leaf, write.at, copied(schedule, write.value))


def _store(schedule: Schedule, write: Write) -> None:
    """Put a value into the memory of a leaf, as it is computed if that is possible."""
    view = _assigned(schedule, write)
    schedule.assigned.setdefault(view.buffer)
    schedule.view(write.value)
    at = schedule.at(write.value)
    loop = open_loop(schedule, at) if at >= schedule.commit else None
    if loop is not None and _is_unread(schedule, view, loop, at):
        place = Place(write.leaf.code, write.leaf.instruction, None)
        step = copying(schedule, write.value, view, place)
        found = planned(schedule, [*loop.steps, step], at)
        if found is not None and found.at[step] == "full":
            loop.steps.append(step)
            loop.plan = found
            loop.outputs.append(step.output)
            return
    copied(schedule, write.value, view)


def _assigned(schedule: Schedule, write: Write) -> View:
    """The memory that is assigned."""
    raw = write.leaf.raw
    part = raw if write.at is ... else raw[write.at]
    buffer = next((b for b in schedule.given if b.kind == "leaf" and b.owner.raw is raw), None)
    if buffer is None:
        buffer = schedule.outside("leaf", name_of(raw.dtype), raw.size, write.leaf)
    start = part.__array_interface__["data"][0] - raw.__array_interface__["data"][0]
    return View(buffer, start // raw.itemsize, part.shape, element_strides(part))


def _is_unread(schedule: Schedule, view: View, loop: Loop, place: int) -> bool:
    """Whether nobody needs the old data of this memory after this place, nor in the loop
    there, but for reading each element where it is written."""
    memory, rows, cols = view.buffer.owner.raw, loop.plan.rows, loop.plan.cols
    for at, kind in enumerate(schedule.order[place:], place):
        for var in kind.reads():
            mine = schedule.views[var]
            if mine.buffer.kind != "leaf":
                continue
            if not np.may_share_memory(mine.buffer.owner.raw, memory):
                continue
            same = (
                at == place and mine.buffer is view.buffer and mine.offset == view.offset
                and access(mine.shape, mine.strides, rows, cols)
                == access(view.shape, view.strides, rows, cols) is not None
            )  # fmt: skip
            if not same:
                return False
    return True
