"""Where everything goes: a layered layout in the manner of Sugiyama, without Graphviz.

Five steps, each a file: `ranks` deals the boxes out to layers, `order` sorts the layers, `place`
finds coordinates across the flow and `along` those along it, `trace` draws lines and frames.  All
are loops, so a chain of any length is laid out at the default recursion limit; all are close to
linear in the size of the drawing; and none draws lots, so equal pictures give equal layouts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ..picture import Picture
from .along import course
from .net import build
from .order import order
from .place import place
from .trace import frames, line, parallels

__all__ = ["Layout", "Rect", "Route", "layout"]

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its top left corner, in px; y grows downwards."""

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

    def holds(self, other: Rect) -> bool:
        """Whether `other` lies inside."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def meets(self, other: Rect) -> bool:
        """Whether the two overlap; a shared border does not count."""
        return (
            self.x < other.right
            and other.x < self.right
            and self.y < other.bottom
            and other.y < self.bottom
        )


@dataclass(frozen=True, slots=True)
class Route:
    """The line of an arrow, from the border of its tail to the border of its head.

    Each of `steps` leads on from where the one before ended: (x, y) is a straight line to there,
    (x1, y1, x2, y2, x, y) a cubic Bézier curve with two control points.  `label` is the middle of
    the left end of the label's text.
    """

    start: Point
    steps: tuple[tuple[float, ...], ...]
    label: Point | None

    @property
    def end(self) -> Point:
        return self.steps[-1][-2], self.steps[-1][-1]


@dataclass(frozen=True, slots=True)
class Layout:
    """All coordinates of a drawing that reaches from (0, 0) to (width, height), in px.

    `boxes` and `clusters` go by key, `routes` are in the order of the picture's arrows.  A cluster
    that a folded drawing cuts has one frame per row; a cluster without boxes has none.
    """

    width: float
    height: float
    boxes: dict[str, Rect]
    layers: dict[str, int]
    routes: tuple[Route, ...]
    clusters: dict[str, tuple[Rect, ...]]


def layout(picture: Picture, wrap: float | None = None) -> Layout:
    """Lay out `picture`.

    A drawing longer than `wrap` px along its flow goes on in a new row, as text does in a new
    line, wherever few arrows are in the way.  None folds only what is very long and slim, so that
    a chain of two hundred boxes fits on a page; `math.inf` never folds.
    """
    net = build(picture)
    if not net.boxes:
        return Layout(0.0, 0.0, {}, {}, (), {})
    order(net)
    place(net)
    at = course(net, wrap)
    spans = []
    for box in range(net.boxes):
        layer = net.layer[box]
        middle = (at.start[layer] + at.end[layer]) / 2
        centre, half = net.at[box] + at.shift[at.row[layer]], net.solid[box] / 2
        half_along = net.along[box] / 2
        spans.append((middle - half_along, middle + half_along, centre - half, centre + half))
    lines = [line(net, at, path, aside) for path, aside in zip(net.paths, parallels(net), strict=True)]
    for drawn, turned in zip(lines, net.turned, strict=True):
        if turned:
            drawn.reverse()
    cluster_spans = frames(net, at)

    # The drawing's corner becomes (0, 0), and along and across become x and y.
    corners = [(a, c) for a, b, c, d in spans] + [(b, d) for a, b, c, d in spans]
    for pieces in cluster_spans:
        corners += [(a, c) for a, b, c, d in pieces] + [(b, d) for a, b, c, d in pieces]
    for drawn in lines:
        corners += [step[k : k + 2] for step in drawn.steps for k in range(0, len(step), 2)]  # type: ignore[misc]
    left, top = min(a for a, _ in corners), min(c for _, c in corners)

    def flip(numbers: Iterable[float]) -> tuple[float, ...]:
        pairs = list(numbers)
        moved = [
            (round(a - left, 2), round(c - top, 2))
            for a, c in zip(pairs[0::2], pairs[1::2], strict=True)
        ]
        return tuple(n for a, c in moved for n in ((c, a) if net.down else (a, c)))

    def rect(span: tuple[float, float, float, float]) -> Rect:
        x, y, right, bottom = flip((span[0], span[2], span[1], span[3]))
        return Rect(x, y, round(right - x, 2), round(bottom - y, 2))

    width, height = flip((max(a for a, _ in corners), max(c for _, c in corners)))
    return Layout(
        width,
        height,
        boxes={box.key: rect(span) for box, span in zip(picture.boxes, spans, strict=True)},
        layers={box.key: net.layer[i] for i, box in enumerate(picture.boxes)},
        routes=tuple(
            Route(
                flip(drawn.start),  # type: ignore[arg-type]
                tuple(flip(step) for step in drawn.steps),
                flip(drawn.label) if drawn.label and arrow.label else None,  # type: ignore[arg-type]
            )
            for drawn, arrow in zip(lines, picture.arrows, strict=True)
        ),
        clusters={
            cluster.key: tuple(rect(span) for span in pieces)
            for cluster, pieces in zip(picture.clusters, cluster_spans[1:], strict=True)
        },
    )
