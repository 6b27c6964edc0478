"""Third step: coordinates across the flow, with straight lines and frames that fit.

What should be straight is one rigid run (see `runs`).  Runs and the two borders of each cluster
are variables; "this stands above that, at least so far away" is a difference between two of them,
and all differences together are a graph without cycles.

Two longest-path passes over that graph give the lowest and the highest placement that satisfies
it, starting from the same wishes.  Their mean satisfies it too, and is fair to both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil, inf

from .net import Net
from .ranks import peel
from .runs import Trunks, runs

__all__ = ["FRAME", "FRAME_GAP", "TITLE", "place"]

FRAME = 12.0  # between a cluster's frame and what is inside
FRAME_GAP = 14.0  # between a cluster's frame and what is outside
TITLE = 20.0  # extra room for a title, above the members

_ROUNDS = 60
_POLISH = 12
_SNAP = 10.0  # a bend by less is straightened
_MANY = 4000  # vertices from which on fewer rounds must do
_PATIENCE = 50  # knots that are untied one by one, unless there are many vertices
_LEVELLINGS = 5  # how often stairs are looked for
_SLACK, _SPARE = 1.6, 400.0  # how much higher than its fullest layer a drawing may be
# How strongly a parameter pulls at what it feeds, and a neighbour that is not joined; all else
# pulls by 1.
_LEAF, _NEXT = 0.1, 0.02


def place(net: Net, straight: Trunks, begin: int, end: int) -> None:
    """Turn the order of `net.rows[begin:end]` into positions, in `net.at`.

    Layers outside that range pull at nothing, and no line is kept straight into them.
    """
    rows = net.rows[begin:end]
    lines = runs(net, straight, rows)
    variables = _Variables(net, rows, lines)
    patience = _PATIENCE if len(variables.run) < _MANY else 0
    while knot := variables.knot():
        if patience:
            patience -= 1
            lines = _cut(lines, dict([knot]))
        else:
            stuck = variables.stuck()
            lines = [
                piece
                for i, run in enumerate(lines)
                for piece in ([[v] for v in run] if i in stuck else [run])
            ]
        variables = _Variables(net, rows, lines)
    for _ in range(_LEVELLINGS):
        stairs = variables.stairs()
        if not stairs:
            break
        lines = _cut(lines, stairs)
        variables = _Variables(net, rows, lines)
    variables.relax()


def _cut(lines: list[list[int]], cuts: dict[int, int]) -> list[list[int]]:
    """`lines` with line i cut in two before its place `cuts[i]`."""
    pieces = []
    for i, line in enumerate(lines):
        cut = cuts.get(i, 0)
        pieces += [line[:cut], line[cut:]] if cut else [line]
    return pieces


class _Variables:
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
                self.distance[self._upper(cluster), self._lower(cluster)] = net.titles[cluster]
        size = len(runs) + 2 * len(self.clusters)
        self.after: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        self.before: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        for (a, b), distance in self.distance.items():
            self.after[a].append((b, distance))
            self.before[b].append((a, distance))
        self.topological = peel(self.before, [[b for b, _ in pairs] for pairs in self.after])

    def _upper(self, cluster: int) -> int:
        return len(self.runs) + 2 * self.clusters[cluster]

    def _lower(self, cluster: int) -> int:
        return self._upper(cluster) + 1

    def _constrain(self, row: Sequence[int]) -> None:
        """Between neighbours of a layer stand the borders of the clusters that end or begin."""
        net = self.net
        title = 0.0 if net.down else TITLE
        last = -1  # the vertex before
        around: list[int] = []  # and the clusters around it
        for vertex in (*row, -1):
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
                path.append((self._lower(cluster), room))
                room = FRAME
            if around[shared:]:
                room = FRAME_GAP
            elif last >= 0:
                room += FRAME_GAP - FRAME
            for cluster in ancestors[shared:]:
                path.append((self._upper(cluster), room))
                room = FRAME + (title if net.titles[cluster] else 0.0)
            if vertex >= 0:
                if len(path) == 1 and last >= 0:
                    room = net.gap(last, vertex)
                else:
                    room += net.across[vertex] / 2
                path.append((self.run[vertex], room))
            for (a, _), (b, distance) in pairwise(path):
                self.distance[a, b] = max(distance, self.distance.get((a, b), 0.0))
                self.seen_in[a, b] = net.layer[row[0]]
            last, around = vertex, ancestors

    def stuck(self) -> set[int]:
        """The variables that no placement can satisfy."""
        return set(range(len(self.after))).difference(self.topological)

    def knot(self) -> tuple[int, int] | None:
        """Which run to cut, and where, so that one circle of demands is broken; None without one.

        The run must stand above one thing in one layer and below another in a later layer, or the
        other way round; it is cut between the two.
        """
        stuck = self.stuck()
        if not stuck:
            return None
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
        return sum(self.net.gap(a, b) for a, b in pairwise(row))

    def relax(self) -> None:
        """Move every run towards the mean of its neighbours, keeping all distances."""
        net = self.net
        pulls = self._pulls()
        start = [sum(net.at[v] for v in run) / len(run) for run in self.runs]
        at = self._feasible(start)
        share = min(1.0, _MANY / len(self.run))
        for _ in range(ceil(_ROUNDS * share)):
            wish = list(start)
            for run, around in enumerate(pulls):
                if around:  # halfway, or two that pull at each other would swap for ever
                    wish[run] = (at[run] + _mean(around, at)) / 2
            at = self._feasible(wish)
        centred = [self._operands(run) or around for run, around in enumerate(pulls)]
        for left in reversed(range(max(2, ceil(_POLISH * share)))):
            self._polish(at, centred if left < 4 else pulls, _SNAP if left < 2 else 0.0)
        for vertex, run in self.run.items():
            net.at[vertex] = at[run]
        begin = net.layer[self.rows[0][0]]
        for cluster in self.clusters:
            net.borders[cluster, begin] = (at[self._upper(cluster)], at[self._lower(cluster)])

    def _polish(self, at: list[float], pulls: list[list[tuple[int, float]]], snap: float) -> None:
        """Move one run after another as near to where it is pulled as its neighbours let it.

        On the way down every border moves up as far as it can, out of the way of what follows; on
        the way up, down.  A run within `snap` of a straight line to a neighbour is drawn straight.
        """
        borders = len(self.runs)
        for forth in (True, False):
            for i in self.topological if forth else reversed(self.topological):
                low = max([at[a] + distance for a, distance in self.before[i]], default=-inf)
                high = min([at[b] - distance for b, distance in self.after[i]], default=inf)
                if i >= borders:
                    at[i] = low if forth else high
                elif pulls[i]:
                    at[i] = max(low, min(high, _mean(pulls[i], at)))
                    lines = [at[j] for j, _ in pulls[i] if low <= at[j] <= high]
                    nearest = min(lines, key=lambda line: abs(line - at[i]), default=inf)
                    if abs(nearest - at[i]) <= snap:
                        at[i] = nearest

    def _operands(self, run: int) -> list[tuple[int, float]]:
        """The runs of the operands of an op, in whose middle it should stand; [] unless several."""
        first = self.runs[run][0]
        heavy = [v for v in self.net.before[first] if v in self.run and not self.net.light[v]]
        return [(self.run[v], 1.0) for v in heavy] if len(heavy) > 1 else []

    def _pulls(self) -> list[list[tuple[int, float]]]:
        """For each run the runs it is joined to, and how strongly."""
        net = self.net
        weights: list[dict[int, float]] = [{} for _ in self.runs]
        for v, a in self.run.items():
            for u in net.after[v]:
                b = self.run.get(u, a)
                if a != b:
                    leaf = net.light[v] and not net.lane[v]
                    weights[a][b] = weights[a].get(b, 0.0) + 1.0
                    weights[b][a] = weights[b].get(a, 0.0) + (_LEAF if leaf else 1.0)
        anchor: dict[int, int] = {}  # a run of each cluster that is held by others
        for v, a in self.run.items():
            if weights[a]:
                anchor.setdefault(net.home[v], a)
        for v, a in self.run.items():  # what nothing holds stays with its cluster
            if not weights[a] and net.home[v] in anchor:
                weights[a][anchor[net.home[v]]] = 1.0
        part = _parts(weights)
        for row in self.rows:
            for v, u in pairwise(row):  # parts that nothing joins keep together
                a, b = self.run[v], self.run[u]
                if part[a] != part[b]:
                    weights[a][b] = weights[b][a] = _NEXT
        return [list(around.items()) for around in weights]

    def _feasible(self, wish: list[float]) -> list[float]:
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


def _parts(joined: list[dict[int, float]]) -> list[int]:
    """A number for each run, the same for all that are joined, directly or by others."""
    near: list[list[int]] = [list(around) for around in joined]
    for a, around in enumerate(joined):
        for b in around:
            near[b].append(a)
    part = [-1] * len(joined)
    for start in range(len(joined)):
        if part[start] < 0:
            part[start] = start
            stack = [start]
            while stack:
                for b in near[stack.pop()]:
                    if part[b] < 0:
                        part[b] = start
                        stack.append(b)
    return part


def _mean(weighted: list[tuple[int, float]], at: list[float]) -> float:
    total = sum([weight for _, weight in weighted])
    return sum([weight * at[i] for i, weight in weighted]) / total
