"""The user's lines that a trace speaks of, with some around them."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from types import CodeType

from ... import places
from .model import Excerpt

__all__ = ["excerpts"]

AROUND = 3
"""Lines shown before and after one that is spoken of."""

MOST = 2_000
"""Lines of one file that are kept at most."""


def excerpts(spoken: Iterable[tuple[CodeType, int]]) -> dict[str, list[Excerpt]]:
    """By the label of a file, "train.py", the lines around these instructions."""
    wanted: dict[str, set[int]] = {}
    for code, instruction in set(spoken):
        line = places.line(code, instruction)
        if line is not None:
            around = range(max(1, line - AROUND), line + AROUND + 1)
            wanted.setdefault(code.co_filename, set()).update(around)
    found: dict[str, list[Excerpt]] = {}
    for filename, numbers in wanted.items():
        lines = linecache.getlines(filename)
        kept = [n for n in sorted(numbers) if n <= len(lines)][:MOST]
        parts = found.setdefault(places.label(filename), [])
        for n in kept:
            if not parts or n != parts[-1].first + len(parts[-1].lines):
                parts.append(Excerpt(n, []))
            parts[-1].lines.append(lines[n - 1].rstrip("\n"))
    return {label: parts for label, parts in found.items() if parts}
