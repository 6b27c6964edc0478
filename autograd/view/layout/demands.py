"""Who must stand above whom, and how far: the demands of a sorted drawing on its coordinates.

What should be straight is one rigid run (see `runs`).  Runs and the two borders of each cluster
are variables; "this stands above that, at least so far away" is a difference between two of them,
and all differences together are a graph, without cycles once the runs in its way are cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from ..arithmetic import total
from .net import Net
from .ranks import peel

__all__ = ["FRAME", "TITLE", "Demands"]

FRAME = 12.0  # between a cluster's frame and what is inside
FRAME_GAP = 14.0  # between a cluster's frame and what is outside
TITLE = 20.0  # extra room for a title, above the members

_SLACK, _SPARE = 1.6, 400.0  # how much higher than its fullest layer a drawing may be


class Demands:
    """Positions of runs (0 … r-1), then the upper and the lower border of each cluster."""

    def __init__(self, net: Net, rows: Sequence[Sequence[int]], runs: list[list[int]]) -> None:
        self.net, self.rows, self.runs = net, rows, runs
        self.run = {vertex: i for i, run in enumerate(runs) for vertex in run}
        self.clusters: dict[int, int] = {}  # numbered in the order in which they are met
        for home in {net.home[vertex]: None for row in rows for vertex in row}:
            cluster = home
            while cluster and cluster not in self.clusters:
                self.clusters[cluster] = len(self.clusters)
                cluster = net.parent[cluster]
        self.distance: dict[tuple[int, int], float] = {}
        self.seen_in: dict[tuple[int, int], int] = {}  # a layer in which a pair are neighbours
        for row in rows:
            self._constrain(row)
        if net.down:
            for cluster in self.clusters:
                self.distance[self.upper(cluster), self.lower(cluster)] = net.titles[cluster]
        size = len(runs) + 2 * len(self.clusters)
        self.after: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        self.before: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        for (a, b), distance in self.distance.items():
            self.after[a].append((b, distance))
            self.before[b].append((a, distance))
        self.topological = peel(self.before, [[b for b, _ in pairs] for pairs in self.after])

    def upper(self, cluster: int) -> int:
        return len(self.runs) + 2 * self.clusters[cluster]

    def lower(self, cluster: int) -> int:
        return self.upper(cluster) + 1

    def _constrain(self, row: Sequence[int]) -> None:
        """Between neighbours of a layer stand the borders of the clusters that end or begin."""
        net = self.net
        title = 0.0 if net.down else TITLE
        layer = net.layer[row[0]]
        last = -1  # the vertex before
        around: list[int] = []  # and the clusters around it
        for vertex in (*row, -1):
            if last >= 0 and vertex >= 0 and net.home[last] == net.home[vertex]:
                self._demand(self.run[last], self.run[vertex], net.gap(last, vertex), layer)
                last = vertex
                continue
            ancestors = net.ancestors(vertex) if vertex >= 0 else []
            shared = 0
            for a, b in zip(around, ancestors, strict=False):
                if a != b:
                    break
                shared += 1
            # What is met on the way from the one to the other, each with its distance.
            path: list[tuple[int, float]] = []
            if last >= 0:
                path.append((self.run[last], 0.0))
            room = net.across[last] / 2 + FRAME if last >= 0 else 0.0
            for cluster in reversed(around[shared:]):
                path.append((self.lower(cluster), room))
                room = FRAME
            if around[shared:]:
                room = FRAME_GAP
            elif last >= 0:
                room += FRAME_GAP - FRAME
            for cluster in ancestors[shared:]:
                path.append((self.upper(cluster), room))
                room = FRAME + (title if net.titles[cluster] else 0.0)
            if vertex >= 0:
                path.append((self.run[vertex], room + net.across[vertex] / 2))
            for (a, _), (b, distance) in pairwise(path):
                self._demand(a, b, distance, layer)
            last, around = vertex, ancestors

    def _demand(self, a: int, b: int, distance: float, layer: int) -> None:
        self.distance[a, b] = max(distance, self.distance.get((a, b), 0.0))
        self.seen_in[a, b] = layer

    def stuck(self) -> set[int]:
        """The variables that no placement can satisfy."""
        return set(range(len(self.after))).difference(self.topological)

    def knot(self) -> tuple[int, int] | None:
        """Which run to cut, and where, so that one circle of demands is broken; None without one.

        The run must stand above one thing in one layer and below another in a later layer, or the
        other way round; it is cut between the two.
        """
        if len(self.topological) == len(self.after):
            return None
        stuck = self.stuck()
        trail = [min(stuck)]
        place = {trail[0]: 0}
        while True:  # back along demands that are not met, until one comes up again
            trail.append(next(a for a, _ in self.before[trail[-1]] if a in stuck))
            if trail[-1] in place:
                break
            place[trail[-1]] = len(trail) - 1
        circle = trail[place[trail[-1]] :][::-1]  # first and last are the same
        best: tuple[int, int, int] | None = None
        for a, b, c in zip(circle[:-1], circle[1:], [*circle[2:], circle[1]], strict=True):
            if b < len(self.runs) and self.seen_in[a, b] != self.seen_in[b, c]:
                late = max(self.seen_in[a, b], self.seen_in[b, c])
                cut = late - self.net.layer[self.runs[b][0]]
                choice = (len(self.runs[b]), b, cut)
                best = min(best, choice) if best else choice
        assert best is not None, "without longer runs the demands of a sorted layer agree"
        return best[1:]

    def stairs(self) -> dict[int, int]:
        """Which runs to cut, and where, so that the drawing gets no higher than it must; or {}.

        Every run alone may be straight, and yet each force the next to stand lower, layer after
        layer.  Such stairs are the longest path through the demands.
        """
        needed = max(self._height(row) for row in self.rows)
        low = [0.0] * len(self.after)
        step = [-1] * len(self.after)  # the one before on the longest path
        for a in self.topological:
            for b, distance in self.after[a]:
                if low[b] < low[a] + distance:
                    low[b], step[b] = low[a] + distance, a
        c = max(range(len(low)), key=low.__getitem__)
        cuts: dict[int, int] = {}
        if low[c] > _SLACK * needed + _SPARE:
            while step[c] >= 0 and step[step[c]] >= 0:
                a, b = step[step[c]], step[c]
                if b < len(self.runs) and self.seen_in[a, b] != self.seen_in[b, c]:
                    middle = (self.seen_in[a, b] + self.seen_in[b, c] + 1) // 2
                    cuts[b] = middle - self.net.layer[self.runs[b][0]]
                c = b
        return cuts

    def _height(self, row: Sequence[int]) -> float:
        return total(self.net.gap(a, b) for a, b in pairwise(row))

    def feasible(self, wish: list[float]) -> list[float]:
        """The mean of the two extreme placements for these wishes."""
        borders = 2 * len(self.clusters)
        low = wish + [-inf] * borders
        for a in self.topological:
            here = low[a]
            for b, distance in self.after[a]:
                if low[b] < here + distance:
                    low[b] = here + distance
        high = wish + [inf] * borders
        for b in reversed(self.topological):
            here = high[b]
            for a, distance in self.before[b]:
                if high[a] > here - distance:
                    high[a] = here - distance
        return [(a + b) / 2 for a, b in zip(low, high, strict=True)]
