"""The memory plan: one arena for all temporaries, whose places are used again."""

from __future__ import annotations

from typing import Any

from .layout import Buffer
from .schedule import Fill, Loop, Schedule

__all__ = ["lifetimes", "plan_memory"]

ALIGNED = 64
"""Every buffer begins at a multiple of a cache line."""


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
    """Give every temporary its offset in the arena; the bytes that the arena needs.

    Largest first, each at the lowest place that is free for as long as it lives (Pisarchyk & Lee
    2020, "Efficient memory management for deep neural net inference", greedy by size).
    """
    lives = lifetimes(schedule)
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last)
    total = 0
    for buffer in sorted(lives, key=lambda b: (-b.bytes, lives[b])):
        first, last = lives[buffer]
        size = max(-(-buffer.bytes // ALIGNED) * ALIGNED, ALIGNED)
        offset = 0
        for start, end, born, dead in sorted(placed):
            if dead < first or last < born:
                continue
            if offset + size <= start:
                break
            offset = max(offset, end)
        buffer.offset = offset
        placed.append((offset, offset + size, first, last))
        total = max(total, offset + size)
    return total
