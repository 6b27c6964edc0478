"""Long lines of Python as several."""

from __future__ import annotations

__all__ = ["WIDE", "assigned", "folded"]

WIDE = 100
"""The letters of a line at most, where it can be broken."""


def folded(line: str, indent: str) -> str:
    """A long line as several, broken behind commas in brackets, of the outermost if possible.

    Where no comma is in reach, it is broken before an operator in brackets, or behind a bracket.
    """
    places: list[tuple[bool, int, int]] = []  # whether behind a comma, -depth, where
    depth, quoted = 0, False
    for i, letter in enumerate(line):
        quoted ^= letter == "'"
        if not quoted:
            depth += (letter in "([") - (letter in ")]")
            if depth and line.startswith(", ", i):
                places.append((True, -depth, i + 1))
            elif depth and line.startswith((" + ", " - ", " * ", " @ "), i):
                places.append((False, -2 * depth, i))
            elif letter in "([" and line[i + 1 : i + 2] not in ")]":
                places.append((False, -2 * depth - 1, i + 1))
    found, start, room = [], 0, WIDE
    while len(line) - start > room:
        ends = [place for place in places if start < place[2] <= start + room]
        if not ends:
            break
        end = max(ends)[2]
        found.append(line[start:end])
        start, room = end + line.startswith(" ", end), WIDE - len(indent)
    return f"\n{indent}".join([*found, line[start:]])


def assigned(code: str) -> list[str]:
    """A line as several, with brackets around a side of its `=` where none are to break it in."""
    left, equals, right = code.partition(" = ")
    ways = [code]
    if equals:
        name = left.lstrip()
        around = f"{left[: -len(name)]}({name})"
        ways += [f"{left} = ({right})", f"{around} = {right}", f"{around} = ({right})"]
    tried = [folded(way, " " * 8).split("\n") for way in ways]
    return next((x for x in tried if max(map(len, x)) <= WIDE), tried[0])
