"""What a layout is: coordinates of boxes, frames and lines, in px, y growing downwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Layout", "Panel", "Point", "Rect", "Route", "Step"]

Point: TypeAlias = tuple[float, float]
Step: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its top left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Panel(Rect):
    """The frame of a cluster; its title begins at `title_x`, out of the way of arrows."""

    title_x: float


@dataclass(frozen=True, slots=True)
class Route:
    """The line of an arrow, from the border of its tail to the border of its head.

    Each of `steps` leads on from where the one before ended: (x, y) is a straight line to there,
    (x1, y1, x2, y2, x, y) a cubic Bézier curve with two control points.  `label` is the middle of
    the left end of the label's text.
    """

    start: Point
    steps: tuple[Step, ...]
    label: Point | None

    @property
    def end(self) -> Point:
        return self.steps[-1][-2], self.steps[-1][-1]


@dataclass(frozen=True, slots=True)
class Layout:
    """All coordinates of a drawing that reaches from (0, 0) to (width, height).

    `boxes`, `layers` and `clusters` go by key, `routes` are in the order of the picture's arrows.
    A cluster that a folded drawing cuts has one panel per row; a cluster without boxes has none.
    """

    width: float
    height: float
    boxes: dict[str, Rect]
    layers: dict[str, int]
    routes: tuple[Route, ...]
    clusters: dict[str, tuple[Panel, ...]]
