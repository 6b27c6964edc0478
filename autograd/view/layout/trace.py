"""Fifth step: the lines of the arrows and the frames of the clusters, from all coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import TypeAlias

from ..arithmetic import hundredths
from ..picture import Picture
from .along import FOLD, GUTTER, TRACK, Course
from .demands import FRAME
from .line import Line
from .net import Net
from .plan import Layout, Panel, Point, Rect, Route, Step

__all__ = ["trace"]

Span: TypeAlias = tuple[float, float, float, float]
"""A rectangle: along from and to, across from and to."""

PARALLEL, MOST = 8.0, 16.0  # between arrows that join the same two boxes, and all of them
LOOP = 20.0
INDENT = 10.0  # from a frame to its title


def line(net: Net, at: Course, path: Sequence[int], aside: float) -> Line:
    """The line of an arrow along `path`, moved `aside` across where it has parallels."""
    if len(path) == 1:
        return _loop(net, at, path[0])
    tail, head = path[0], path[-1]

    def across(vertex: int) -> float:
        return net.at[vertex] + at.shift[at.row[net.layer[vertex]]] + aside

    first, last = net.layer[tail], net.layer[head]
    centre = (at.start[first] + at.end[first]) / 2
    drawn = Line((centre + net.along[tail] / 2, across(tail)), [])
    if net.label[tail]:
        x, y = drawn.start
        drawn.label = (x + 9, y + 6) if net.down else (x + 5, y - 8)
    for a, b in pairwise(path):
        i, j = net.layer[a], net.layer[b]
        together = at.row[i] == at.row[j]
        if together and net.at[a] == net.at[b]:
            continue  # straight on
        drawn.straight((at.leave[i], across(a)))
        if together:
            drawn.bend((at.enter[j], across(b)))
        else:
            _around_fold(net, at, drawn, a, b, aside)
        drawn.straight((at.start[j], across(b)))
        if b != head:
            drawn.straight((at.end[j], across(b)))
    centre = (at.start[last] + at.end[last]) / 2
    drawn.straight((centre - net.along[head] / 2, across(head)))
    return drawn


def _around_fold(net: Net, at: Course, drawn: Line, a: int, b: int, aside: float) -> None:
    """From the end of one row to the beginning of the next, beside all other arrows that do so.

    What leaves highest turns last and farthest out, so the arrows nest and never cross.
    """
    i, j = net.layer[a], net.layer[b]
    row, following = at.row[i], at.row[j]
    fellows = sorted((net.at[v], net.at[u], v, u) for v in net.rows[i] for u in net.after[v])
    place = fellows.index((net.at[a], net.at[b], a, b))
    outer = TRACK * (len(fellows) - 1 - place) - aside
    right = at.extent[row][1] + FOLD + outer
    gutter = at.bottom[row] + GUTTER + outer
    left = at.extent[following][0] - FOLD - TRACK * place - aside
    out = net.at[a] + at.shift[row] + aside
    entry = net.at[b] + at.shift[following] + aside
    drawn.corners(
        [(right, out), (right, gutter), (left, gutter), (left, entry), (at.enter[j], entry)]
    )


def _loop(net: Net, at: Course, box: int) -> Line:
    """An arrow from a box to itself, over its side."""
    layer = net.layer[box]
    x = (at.start[layer] + at.end[layer]) / 2
    y = net.at[box] + at.shift[at.row[layer]] - net.solid[box] / 2
    top = y - LOOP
    return Line((x + 7, y), [(x + 16, top, x - 16, top, x - 7, y)])


def frames(net: Net, at: Course) -> list[list[Span]]:
    """For each cluster its frame, or one piece for each row of a folded drawing."""
    found: list[list[Span]] = [[] for _ in net.parent]
    for cluster in range(1, len(net.parent)):
        if net.last[cluster] < 0:
            continue
        inner = FRAME * (net.depth[cluster] - 1)  # how far inside the outermost piece of a cut
        begin = at.start[net.first[cluster]] - at.inset[cluster]
        end = at.end[net.last[cluster]] + at.outset[cluster]
        first, last = at.row[net.first[cluster]], at.row[net.last[cluster]]
        for row in range(first, last + 1):
            top, low = at.breadths[cluster, row]
            found[cluster].append(
                (
                    begin if row == first else at.extent[row][0] + inner,
                    end if row == last else at.extent[row][1] - inner,
                    top + at.shift[row],
                    low + at.shift[row],
                )
            )
    return found


def _parallels(net: Net) -> list[float]:
    """How far each arrow is moved aside, so that `x * x` shows two arrows."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, path in enumerate(net.paths):
        groups.setdefault((path[0], path[-1]), []).append(i)
    aside = [0.0] * len(net.paths)
    for group in groups.values():
        for place, i in enumerate(group):
            aside[i] = (place - (len(group) - 1) / 2) * min(PARALLEL, MOST / max(1, len(group) - 1))
    return aside


def _title_x(net: Net, at: Course, cluster: int, piece: int, panel: Span) -> float:
    """Where a title begins that stands across the flow: beside the arrows that come in, if it can.

    It goes to the left, or else into the first gap that is wide enough.
    """
    row = at.row[net.first[cluster]] + piece
    first = max(net.first[cluster], at.begins[row])
    lines = [net.at[v] + at.shift[row] for v in net.rows[first] if net.before[v]]
    _, _, left, right = panel
    stops = [left, *sorted(x for x in lines if left < x < right), right]
    for begin, end in pairwise(stops):
        if end - begin >= net.titles[cluster]:
            return begin + INDENT
    return left + INDENT


def trace(picture: Picture, net: Net, at: Course) -> Layout:
    """The finished layout: along and across become x and y, the drawing's corner (0, 0)."""
    spans = []
    for box in range(net.boxes):
        layer = net.layer[box]
        middle, half = (at.start[layer] + at.end[layer]) / 2, net.along[box] / 2
        centre, solid = net.at[box] + at.shift[at.row[layer]], net.solid[box] / 2
        spans.append((middle - half, middle + half, centre - solid, centre + solid))
    lines = []
    for path, aside, turned in zip(net.paths, _parallels(net), net.turned, strict=True):
        lines.append(line(net, at, path, aside))
        if turned:
            lines[-1].reverse()
    panels = frames(net, at)

    corners: list[Point] = []
    for a, b, c, d in chain(spans, *panels):
        corners += ((a, c), (b, d))
    for drawn in lines:
        for step in drawn.steps:
            corners += zip(step[::2], step[1::2], strict=True)
    left, top = min(a for a, _ in corners), min(c for _, c in corners)

    def point(along: float, across: float) -> Point:
        a, c = hundredths(along - left), hundredths(across - top)
        return (c, a) if net.down else (a, c)

    def moved(numbers: Step) -> Step:
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        return tuple(chain.from_iterable(point(a, c) for a, c in pairs))

    def rect(span: Span) -> Rect:
        (x, y), (right, bottom) = point(span[0], span[2]), point(span[1], span[3])
        return Rect(x, y, right - x, bottom - y)

    def panel(cluster: int, piece: int, span: Span) -> Panel:
        shape = rect(span)
        x = _title_x(net, at, cluster, piece, span) - top if net.down else shape.x + INDENT
        return Panel(shape.x, shape.y, shape.width, shape.height, x)

    routes = []
    for drawn, arrow in zip(lines, picture.arrows, strict=True):
        label = point(*drawn.label) if drawn.label and arrow.label else None
        routes.append(Route(point(*drawn.start), tuple(map(moved, drawn.steps)), label))
    width, height = point(max(a for a, _ in corners), max(c for _, c in corners))
    return Layout(
        width,
        height,
        {box.key: rect(span) for box, span in zip(picture.boxes, spans, strict=True)},
        {box.key: net.layer[i] for i, box in enumerate(picture.boxes)},
        tuple(routes),
        {
            cluster.key: tuple(panel(i, piece, span) for piece, span in enumerate(panels[i]))
            for i, cluster in enumerate(picture.clusters, start=1)
        },
    )
