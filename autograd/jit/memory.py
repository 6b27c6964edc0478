"""The memory plan: one arena for all temporaries, whose places are used again."""

from __future__ import annotations

from .layout import Buffer
from .packing import packed
from .schedule import Call, Fill, Kind, Loop, Schedule
from .schedule.kinds import arrays

__all__ = ["lifetimes", "plan_memory"]


def lifetimes(schedule: Schedule) -> dict[Buffer, tuple[int, int]]:
    """Buffer → the first and last place in the order at which it is needed."""
    found: dict[Buffer, tuple[int, int]] = {}

    def needed(buffer: Buffer, at: int) -> None:
        root = buffer.root()[0]
        if root.kind == "temporary":
            first, last = found.get(root, (at, at))
            found[root] = min(first, at), max(last, at)

    for at, kind in enumerate(schedule.order):
        for buffer in _touched(schedule, kind):
            needed(buffer, at)
    for var in schedule.program.checks:
        needed(schedule.views[var].buffer, schedule.commit)
    for var in schedule.shown:
        needed(schedule.views[var].buffer, len(schedule.order))
    return found


def _touched(schedule: Schedule, kind: Kind) -> list[Buffer]:
    """The buffers that a kernel reads or writes."""
    views = schedule.views
    if isinstance(kind, Fill):
        return [kind.view.buffer]
    if isinstance(kind, Loop):
        return [views[v].buffer for v in (*schedule.from_outside(kind), *kind.outputs)]
    read = kind.inputs if isinstance(kind, Call) else [views[v] for v in kind.reads()]
    return [view.buffer for view in (*read, *[views[v] for v in arrays(kind.step.outputs)])]


def plan_memory(schedule: Schedule) -> int:
    """Give every temporary its offset in the arena; the bytes that the arena needs."""
    lives = lifetimes(schedule)
    offsets, total = packed([(buffer.bytes, *life) for buffer, life in lives.items()])
    for buffer, offset in zip(lives, offsets, strict=True):
        buffer.offset = offset
    return total
