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
    chief: dict[str, str] = {}  # towards the one that stands for the whole part
    parents = {cluster.key: cluster.parent for cluster in picture.clusters}

    def find(key: str) -> str:
        while chief.setdefault(key, key) != key:
            chief[key] = chief[chief[key]]
            key = chief[key]
        return key

    def cluster_name(key: str) -> str:
        return f"cluster {key}"

    def box_name(key: str) -> str:
        return f"box {key}"

    for cluster, parent in parents.items():
        if parent is not None:
            chief[find(cluster_name(cluster))] = find(cluster_name(parent))
    for box in picture.boxes:
        if box.cluster is not None:
            chief[find(box_name(box.key))] = find(cluster_name(box.cluster))
    for arrow in picture.arrows:
        chief[find(box_name(arrow.tail))] = find(box_name(arrow.head))

    boxes: dict[str, list[int]] = {}
    for i, box in enumerate(picture.boxes):
        boxes.setdefault(find(box_name(box.key)), []).append(i)
    if len(boxes) < 2:
        return [(picture, list(range(len(picture.arrows))))]
    arrows: dict[str, list[int]] = {name: [] for name in boxes}
    for i, arrow in enumerate(picture.arrows):
        arrows[find(box_name(arrow.tail))].append(i)
    clusters: dict[str, list[int]] = {name: [] for name in boxes}
    for i, cluster_ in enumerate(picture.clusters):
        clusters.setdefault(find(cluster_name(cluster_.key)), []).append(i)
    return [
        (
            replace(
                picture,
                boxes=tuple(picture.boxes[i] for i in boxes[name]),
                arrows=tuple(picture.arrows[i] for i in arrows[name]),
                clusters=tuple(picture.clusters[i] for i in clusters[name]),
            ),
            arrows[name],
        )
        for name in boxes
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
