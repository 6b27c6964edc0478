"""One box, set in type: how large it is and where each piece of its text stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

from .arithmetic import total
from .picture import Box
from .text import Role, fit, width

__all__ = ["Frame", "Span", "frame"]

ROW: dict[Role, float] = {"name": 20.0, "word": 17.0, "number": 17.0}
"""Height of a row in px, by the role of its first piece of text."""
PAD = 10.0  # left and right of the text of a cell
EDGE = 5.0  # above the first row and below the last
WORD_GAP = 5.0  # between the word and the number of a cell
WIDEST = 300.0  # a longer cell ends in an ellipsis; the tooltip has it all
SMALLEST = 30.0  # side of a box without text
DISC = 32.0  # an op of one or two characters is a disc of this diameter
STEP = 12.0  # widths are multiples of it, so that boxes under each other line up

# A number, or the dash that stands for a missing one.
_NUMBER = re.compile(r"—|nan|[+\-−]?(inf|∞|[\d.][\d.,_]*([eE][+\-−]?\d+)?[%kMGT]?)")


@dataclass(frozen=True, slots=True)
class Span:
    """Text at half its height on y, with its `anchor` on x, from the box's top left corner.

    Anchors let the estimated width of a text err to both sides.
    """

    x: float
    y: float
    text: str
    role: Role
    anchor: Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Frame:
    """A box set in type: its size, its text, and the hairlines (x1, y1, x2, y2) between cells."""

    width: float
    height: float
    spans: tuple[Span, ...]
    rules: tuple[tuple[float, float, float, float], ...]


def frame(box: Box) -> Frame:
    """Set `box` in type.

    Rows of equally many cells share their column widths, so numbers stand under numbers.
    """
    rows = [list(_cells(row, first=i == 0)) for i, row in enumerate(box.rows) if row]
    if rows and rows[0] == [[("name", "")]]:
        del rows[0]
    columns: dict[int, list[float]] = {}
    for row in rows:
        shared = columns.setdefault(len(row), [0.0] * len(row))
        shared[:] = (max(a, _width(cell) + 2 * PAD) for a, cell in zip(shared, row, strict=True))
    heights = [max(ROW[role] for cell in row for role, _ in cell) for row in rows]
    wide = max(map(total, columns.values()), default=0.0)
    wide = max(ceil(wide / STEP) * STEP, SMALLEST)
    high = max(total(heights) + 2 * EDGE, SMALLEST)
    if box.kind == "op":
        name = "".join(text for cell in rows[0] for _, text in cell) if rows else ""
        disc = len(rows) < 2 and len(name) <= 2
        wide, high = (DISC, DISC) if disc else (max(wide + 4.0, high), high)

    spans: list[Span] = []
    rules: list[tuple[float, float, float, float]] = []
    top = (high - total(heights)) / 2
    for i, (row, height) in enumerate(zip(rows, heights, strict=True)):
        record = len(row) > 1
        above = EDGE if i == 0 else 0.0  # hairlines reach the border
        below = EDGE if i == len(rows) - 1 else 0.0
        if i > 0 and (record or len(rows[i - 1]) > 1):
            rules.append((0.0, top, wide, top))
        shared = columns[len(row)]
        stretch = (wide - total(shared)) / len(row)
        left = 0.0
        for j, cell in enumerate(row):
            room = shared[j] + stretch
            if j > 0:
                rules.append((left, top - above, left, top + height + below))
            middle, y = left + room / 2, top + height / 2
            if len(cell) == 1:
                spans.append(Span(middle, y, cell[0][1], cell[0][0], "middle"))
            else:
                (word, text), (figure, number) = cell
                seam = middle - _width(cell) / 2 + width(text, word)
                spans.append(Span(seam, y, text, word, "end"))
                spans.append(Span(seam + WORD_GAP, y, number, figure, "start"))
            left += room
        top += height
    return Frame(wide, high, tuple(spans), tuple(rules))


def _cells(row: tuple[str, ...], first: bool) -> Iterator[list[tuple[Role, str]]]:
    """The cells of a row as pieces of text.

    The very first cell of a box is its name, unless it is one of several and holds a number: then
    the box has no name.
    """
    for j, cell in enumerate(row):
        word, _, number = cell.rpartition(" ")
        numeric = bool(_NUMBER.fullmatch(number))
        if first and j == 0 and not (numeric and len(row) > 1):
            yield [("name", fit(cell, "name", WIDEST))]
        elif not numeric:
            yield [("word", fit(cell, "word", WIDEST))]
        elif word:
            yield [("word", fit(word, "word", WIDEST)), ("number", fit(number, "number", WIDEST))]
        else:
            yield [("number", fit(number, "number", WIDEST))]


def _width(cell: list[tuple[Role, str]]) -> float:
    return total(width(text, role) for role, text in cell) + WORD_GAP * (len(cell) - 1)
