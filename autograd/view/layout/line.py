"""The line of one arrow while it is drawn, along and across the flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .plan import Point, Step

__all__ = ["Line"]

CORNER = 9.0  # radius of the corners of an arrow that is led around a fold


@dataclass(slots=True)
class Line:
    """A start and steps from there: (x, y) of a straight one, or the three points of a cubic."""

    start: Point
    steps: list[Step]
    label: Point | None = None

    def straight(self, to: Point) -> None:
        """Go on to `to`; a straight step along the flow is lengthened where it can be."""
        here = self.steps[-1][-2:] if self.steps else self.start
        if (here[0], here[1]) == to:
            return
        if self.steps and len(self.steps[-1]) == 2 and here[1] == to[1]:
            before = self.steps[-2][-2:] if len(self.steps) > 1 else self.start
            if before[1] == to[1]:
                self.steps[-1] = to
                return
        self.steps.append(to)

    def bend(self, to: Point) -> None:
        """Go on to `to` in an S that starts and ends in the direction of flow."""
        x, y = self.steps[-1][-2:] if self.steps else self.start
        if y == to[1]:
            self.straight(to)
        else:
            middle = (x + to[0]) / 2
            self.steps.append((middle, y, middle, to[1], *to))

    def corners(self, points: Sequence[Point]) -> None:
        """Go on through `points` at right angles, with rounded corners at all but the last."""
        x, y = self.steps[-1][-2:] if self.steps else self.start
        for (px, py), (qx, qy) in pairwise(points):
            r = min(CORNER, max(abs(px - x), abs(py - y)) / 2, max(abs(qx - px), abs(qy - py)) / 2)
            ax, ay = px - _sign(px - x) * r, py - _sign(py - y) * r
            bx, by = px + _sign(qx - px) * r, py + _sign(qy - py) * r
            self.straight((ax, ay))
            control = ((px + ax) / 2, (py + ay) / 2, (px + bx) / 2, (py + by) / 2)
            self.steps.append((*control, bx, by))
            x, y = bx, by
        self.straight(points[-1])

    def reverse(self) -> None:
        """Turn the line around; the label stays where it is."""
        points = [self.start]
        cubic = []
        for step in self.steps:
            cubic.append(len(step) == 6)
            points += zip(step[0::2], step[1::2], strict=True)
        points.reverse()
        self.start = points.pop(0)
        self.steps = []
        for is_cubic in reversed(cubic):
            taken = points[: 3 if is_cubic else 1]
            del points[: len(taken)]
            self.steps.append(tuple(number for point in taken for number in point))


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)
