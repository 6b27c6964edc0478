"""Pictures in several parts that nothing joins: each is laid out alone, then all are set together.

A parameter that the loss does not reach is such a part, and so is the graph of a second loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..picture import Picture
from .plan import Layout, Panel, Point, Rect, Route, Step

__all__ = ["assemble", "split"]

SHELF = 900.0  # the least width that boxes side by side may take up
SPACE = 36.0  # between parts


def split(picture: Picture) -> list[tuple[Picture, list[int]]]:
    """The parts of `picture`, each with the places of its arrows among all arrows.

    Boxes belong together if arrows join them or a cluster holds them.
    """
    n = len(picture.boxes)
    number = {box.key: i for i, box in enumerate(picture.boxes)}
    cluster_number = {cluster.key: i for i, cluster in enumerate(picture.clusters, start=n)}
    chief = list(range(n + len(picture.clusters)))  # towards the one that stands for the part

    def find(item: int) -> int:
        while chief[item] != item:
            chief[item] = item = chief[chief[item]]
        return item

    for i, cluster in enumerate(picture.clusters, start=n):
        if cluster.parent is not None:
            chief[find(i)] = find(cluster_number[cluster.parent])
    for i, box in enumerate(picture.boxes):
        if box.cluster is not None:
            chief[find(i)] = find(cluster_number[box.cluster])
    for arrow in picture.arrows:
        chief[find(number[arrow.tail])] = find(number[arrow.head])

    boxes: dict[int, list[int]] = {}
    for i in range(n):
        boxes.setdefault(find(i), []).append(i)
    if len(boxes) < 2:
        return [(picture, list(range(len(picture.arrows))))]
    arrows: dict[int, list[int]] = {part: [] for part in boxes}
    for i, arrow in enumerate(picture.arrows):
        arrows[find(number[arrow.tail])].append(i)
    clusters: dict[int, list[int]] = {part: [] for part in boxes}
    for i in range(len(picture.clusters)):
        clusters.setdefault(find(n + i), []).append(i)
    return [
        (
            replace(
                picture,
                boxes=tuple(picture.boxes[i] for i in boxes[part]),
                arrows=tuple(picture.arrows[i] for i in arrows[part]),
                clusters=tuple(picture.clusters[i] for i in clusters[part]),
            ),
            arrows[part],
        )
        for part in boxes
    ]


def assemble(picture: Picture, parts: Sequence[tuple[Layout, list[int]]]) -> Layout:
    """Set single boxes side by side in rows, and everything else below each other."""
    if len(parts) == 1:
        return parts[0][0]
    shelf = max(SHELF, *(part.width for part, _ in parts))
    x, y, deep, width = 0.0, 0.0, 0.0, 0.0
    beside = False  # whether the part before may have a neighbour
    boxes: dict[str, Rect] = {}
    layers: dict[str, int] = {}
    routes: dict[int, Route] = {}
    clusters: dict[str, tuple[Panel, ...]] = {cluster.key: () for cluster in picture.clusters}
    for part, places in parts:
        lone = len(part.boxes) == 1
        if x and (x + part.width > shelf or not lone or not beside):
            x, y, deep = 0.0, y + deep + SPACE, 0.0
        beside = lone
        for key, rect in part.boxes.items():
            boxes[key] = replace(rect, x=rect.x + x, y=rect.y + y)
        for key, panels in part.clusters.items():
            clusters[key] = tuple(
                replace(p, x=p.x + x, y=p.y + y, title_x=p.title_x + x) for p in panels
            )
        for place, route in zip(places, part.routes, strict=True):
            routes[place] = _moved(route, x, y)
        layers.update(part.layers)
        width = max(width, x + part.width)
        deep = max(deep, part.height)
        x += part.width + SPACE
    return Layout(
        width,
        y + deep,
        {box.key: boxes[box.key] for box in picture.boxes},
        {box.key: layers[box.key] for box in picture.boxes},
        tuple(routes[i] for i in range(len(picture.arrows))),
        clusters,
    )


def _moved(route: Route, x: float, y: float) -> Route:
    def move(point: Point) -> Point:
        return point[0] + x, point[1] + y

    def move_all(step: Step) -> Step:
        return tuple(n + (y if i % 2 else x) for i, n in enumerate(step))

    steps = tuple(move_all(step) for step in route.steps)
    return Route(move(route.start), steps, move(route.label) if route.label else None)
