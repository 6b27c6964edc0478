"""Places in one piece of memory for what does not live at the same time."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["packed"]

ALIGNED = 64
"""Everything begins at a multiple of a cache line."""


def packed(lives: Sequence[tuple[int, int, int]]) -> tuple[list[int], int]:
    """For each (bytes, first, last) the offset in memory, and the bytes needed for all.

    `first` and `last` say when it is needed, both included.  Largest first, each at the lowest
    place that is free for as long as it lives (Pisarchyk & Lee 2020, "Efficient memory management
    for deep neural net inference", greedy by size).
    """
    offsets = [0] * len(lives)
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last)
    total = 0
    for i in sorted(range(len(lives)), key=lambda i: (-lives[i][0], *lives[i][1:])):
        size, first, last = lives[i]
        size = max(-(-size // ALIGNED) * ALIGNED, ALIGNED)
        offset = 0
        for start, end, born, dead in sorted(placed):
            if dead < first or last < born:
                continue
            if offset + size <= start:
                break
            offset = max(offset, end)
        offsets[i] = offset
        placed.append((offset, offset + size, first, last))
        total = max(total, offset + size)
    return offsets, total
