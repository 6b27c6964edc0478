"""The memory plan: one arena for all temporaries, whose places are used again."""

from __future__ import annotations

from typing import Any

from .layout import Buffer
from .packing import packed
from .schedule import Fill, Loop, Schedule

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
    return found


def _touched(schedule: Schedule, kind: Any) -> list[Buffer]:
    """The buffers that a kernel reads or writes."""
    views = schedule.views
    if isinstance(kind, Fill):
        return [kind.view.buffer]
    if isinstance(kind, Loop):
        own = {s.output for s in kind.steps}
        outside = [v for v in kind.reads() if schedule.base.get(v, v) not in own]
        return [views[v].buffer for v in (*outside, *kind.outputs)]
    inputs = getattr(kind, "inputs", None)
    read = [view.buffer for view in inputs] if inputs is not None else [
        views[v].buffer for v in kind.reads()
    ]  # fmt: skip
    return [*read, *[views[v].buffer for v in kind.step.outputs if v.dtype is not None]]


def plan_memory(schedule: Schedule) -> int:
    """Give every temporary its offset in the arena; the bytes that the arena needs."""
    lives = lifetimes(schedule)
    offsets, total = packed([(buffer.bytes, *life) for buffer, life in lives.items()])
    for buffer, offset in zip(lives, offsets, strict=True):
        buffer.offset = offset
    return total
