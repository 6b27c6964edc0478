"""Who must stand above whom, and how far: the demands of a sorted drawing on its coordinates.

What should be straight is one rigid run (see `runs`).  Runs and the two borders of each cluster
are variables; "this stands above that, at least so far away" is a difference between two of them,
and all differences together are a graph, without cycles as straight lines cross neither one another
nor frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from .net import Net
from .ranks import peel

__all__ = ["FRAME", "TITLE", "Demands"]

FRAME = 12.0  # between a cluster's frame and what is inside
FRAME_GAP = 14.0  # between a cluster's frame and what is outside
TITLE = 20.0  # extra room for a title, above the members


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
        last = -1  # the vertex before
        around: list[int] = []  # and the clusters around it
        for vertex in (*row, -1):
            if last >= 0 and vertex >= 0 and net.home[last] == net.home[vertex]:
                self._demand(self.run[last], self.run[vertex], net.gap(last, vertex))
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
                self._demand(a, b, distance)
            last, around = vertex, ancestors

    def _demand(self, a: int, b: int, distance: float) -> None:
        self.distance[a, b] = max(distance, self.distance.get((a, b), 0.0))

    def lowest(self, start: list[float]) -> list[float]:
        """The longest path to each variable: the lowest coordinates from those of `start` on."""
        low = list(start)
        for a in self.topological:
            here = low[a]
            for b, distance in self.after[a]:
                if low[b] < here + distance:
                    low[b] = here + distance
        return low

    def highest(self, start: list[float]) -> list[float]:
        """The longest path from each variable: the highest coordinates up to those of `start`."""
        high = list(start)
        for b in reversed(self.topological):
            here = high[b]
            for a, distance in self.before[b]:
                if high[a] > here - distance:
                    high[a] = here - distance
        return high

    def feasible(self, wish: list[float]) -> list[float]:
        """The mean of the two extreme placements for these wishes."""
        borders = 2 * len(self.clusters)
        low = self.lowest(wish + [-inf] * borders)
        high = self.highest(wish + [inf] * borders)
        return [(a + b) / 2 for a, b in zip(low, high, strict=True)]
