"""Third step: coordinates across the flow, with straight lines and frames that fit.

What should be straight becomes one rigid *run*: the lanes of a long arrow, and the longest path
through each box, which is the trunk of a network while its parameters are the leaves (in the
spirit of Brandes and Köpf: "Fast and simple horizontal coordinate assignment", 2002).  Runs and
the two borders of each cluster are variables; "this stands above that, at least so far away" is a
difference between two of them, and all differences together are a graph without cycles.

Two longest-path passes over that graph give the lowest and the highest placement that satisfies
it, starting from the same wishes.  Their mean satisfies it too, and is fair to both sides.
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf

from .net import Net
from .ranks import peel

__all__ = ["place"]

FRAME = 12.0  # between a cluster's frame and what is inside
FRAME_GAP = 14.0  # between a cluster's frame and what is outside
TITLE = 20.0  # extra room for a title, above the members

_ROUNDS = 40
_LEAF = 0.1  # how much less a leaf pulls at the trunk than the trunk at the leaf


def place(net: Net) -> None:
    """Turn the order of `net.rows` into positions, in `net.at`."""
    if not net.rows:
        return
    runs = _runs(net)
    while True:
        variables = _Variables(net, runs)
        tangled = variables.tangled()
        if not tangled:
            break
        # A run passes above a frame here and below it there: let it bend.
        runs = [piece for i, run in enumerate(runs) for piece in _pieces(run, i in tangled)]
    variables.relax()


def _pieces(run: list[int], apart: bool) -> list[list[int]]:
    return [[vertex] for vertex in run] if apart else [run]


# ----- straight runs -----------------------------------------------------------------------------


def _runs(net: Net) -> list[list[int]]:
    """Partition the vertices into runs, each to be drawn on one straight line."""
    rank = [0] * len(net.home)
    for row in net.rows:
        for i, vertex in enumerate(row):
            rank[vertex] = i
    ahead = _favourites(net, net.after, list(reversed(net.rows)))
    behind = _favourites(net, net.before, net.rows)
    follower = [-1] * len(net.home)
    for row in net.rows:
        pairs = []
        for v in row:
            heads = [u for u in net.after[v] if net.lane[v] and net.lane[u]][:1]
            if heads:
                pairs.append((0, rank[v], rank[heads[0]], v, heads[0]))
            elif ahead[v] >= 0 and behind[ahead[v]] == v:
                pairs.append((1, rank[v], rank[ahead[v]], v, ahead[v]))
        pairs.sort()
        taken: list[tuple[int, int]] = []  # straight lines must not cross
        for _, left, right, v, u in pairs:
            spot = bisect_left(taken, (left, right))
            if spot > 0 and taken[spot - 1][1] >= right:
                continue
            if spot < len(taken) and taken[spot][1] <= right:
                continue
            taken.insert(spot, (left, right))
            follower[v] = u
    led = set(follower)
    runs = []
    for row in net.rows:
        for v in row:
            if v not in led:
                run = [v]
                while follower[run[-1]] >= 0:
                    run.append(follower[run[-1]])
                runs.append(run)
    return runs


def _favourites(net: Net, around: list[list[int]], rows: list[list[int]]) -> list[int]:
    """The neighbour on the longest path that leads to each vertex; -1 where two are as long.

    Lanes do not lengthen a path, so a detour is never taken for the trunk.
    """
    length = [0] * len(net.home)
    favourite = [-1] * len(net.home)
    for row in rows:
        for v in row:
            longest = max((length[u] for u in around[v]), default=-1)
            best = [u for u in around[v] if length[u] == longest]
            if len(best) == 1:
                favourite[v] = best[0]
            length[v] = max(longest, 0) + (not net.lane[v])
    return favourite


# ----- differences -------------------------------------------------------------------------------


class _Variables:
    """Positions of runs (0 … r-1), then the upper and the lower border of each cluster."""

    def __init__(self, net: Net, runs: list[list[int]]) -> None:
        self.net, self.runs = net, runs
        self.run = [0] * len(net.home)
        for i, run in enumerate(runs):
            for vertex in run:
                self.run[vertex] = i
        distances: dict[tuple[int, int], float] = {}
        for row in net.rows:
            self._constrain_row(row, distances)
        for cluster in range(1, len(net.parent)):
            wide = net.titles[cluster] if net.down else 0.0
            distances[self._upper(cluster), self._lower(cluster)] = wide
        size = len(runs) + 2 * len(net.parent)
        self.after: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        self.before: list[list[tuple[int, float]]] = [[] for _ in range(size)]
        for (a, b), distance in distances.items():
            self.after[a].append((b, distance))
            self.before[b].append((a, distance))
        self.topological = peel(
            [[a for a, _ in pairs] for pairs in self.before],
            [[b for b, _ in pairs] for pairs in self.after],
        )

    def _upper(self, cluster: int) -> int:
        return len(self.runs) + 2 * cluster

    def _lower(self, cluster: int) -> int:
        return len(self.runs) + 2 * cluster + 1

    def tangled(self) -> set[int]:
        """The longer runs among the variables that no order can satisfy."""
        settled = set(self.topological)
        return {i for i, run in enumerate(self.runs) if len(run) > 1 and i not in settled}

    def _constrain_row(self, row: list[int], distances: dict[tuple[int, int], float]) -> None:
        """Between neighbours of a layer stand the borders of the clusters that end or begin."""
        net = self.net
        above = 0.0 if net.down else TITLE

        def apart(a: int, b: int, distance: float) -> None:
            distances[a, b] = max(distance, distances.get((a, b), 0.0))

        last = -1  # the vertex before, then the border before, of which `inside` is the cluster
        around: list[int] = []
        for vertex in row:
            ancestors = net.ancestors(vertex)
            shared = 0
            while shared < min(len(around), len(ancestors)) and (
                around[shared] == ancestors[shared]
            ):
                shared += 1
            half = net.across[vertex] / 2
            variable = self.run[vertex]
            if last >= 0 and shared == len(around) == len(ancestors):
                apart(self.run[last], variable, net.gap(last, vertex))
            else:
                at, distance = (-1, 0.0) if last < 0 else (self.run[last], net.across[last] / 2)
                for cluster in reversed(around[shared:]):
                    apart(at, self._lower(cluster), distance + FRAME)
                    at, distance = self._lower(cluster), 0.0
                space = FRAME_GAP
                for cluster in ancestors[shared:]:
                    if at >= 0:
                        apart(at, self._upper(cluster), distance + space)
                    title = above if net.titles[cluster] else 0.0
                    at, distance, space = self._upper(cluster), title, FRAME
                if at >= 0:
                    apart(at, variable, distance + space + half)
            last, around = vertex, ancestors
        if last >= 0:
            at, distance = self.run[last], net.across[last] / 2
            for cluster in reversed(around):
                apart(at, self._lower(cluster), distance + FRAME)
                at, distance = self._lower(cluster), 0.0

    def relax(self) -> None:
        """Move every run towards the mean of its neighbours, keeping all distances."""
        net = self.net
        pulls = self._pulls()
        at = [sum(net.at[v] for v in run) / len(run) for run in self.runs]
        at = self._feasible(at)
        rounds = _ROUNDS if len(net.home) <= 4000 else _ROUNDS // 4
        for _ in range(rounds):
            wish = list(at)
            for run, around in enumerate(pulls):
                if around:
                    total = sum([weight for _, weight in around])
                    mean = sum([weight * at[other] for other, weight in around]) / total
                    wish[run] = (at[run] + mean) / 2  # halfway: two that want to swap would
            at = self._feasible(wish)
        for run, position in zip(self.runs, at, strict=False):
            for vertex in run:
                net.at[vertex] = position

    def _pulls(self) -> list[list[tuple[int, float]]]:
        """For each run the runs it is joined to, and how strongly."""
        net = self.net
        weights: list[dict[int, float]] = [{} for _ in self.runs]
        for v, heads in enumerate(net.after):
            for u in heads:
                a, b = self.run[v], self.run[u]
                if a == b:
                    continue
                leaf_a = not net.before[v] and len(heads) == 1
                leaf_b = not heads and len(net.before[u]) == 1
                weights[a][b] = weights[a].get(b, 0.0) + (_LEAF if leaf_b else 1.0)
                weights[b][a] = weights[b].get(a, 0.0) + (_LEAF if leaf_a else 1.0)
        return [list(around.items()) for around in weights]

    def _feasible(self, wish: list[float]) -> list[float]:
        """The mean of the two extreme placements for these wishes."""
        borders = 2 * len(self.net.parent)
        low = wish[: len(self.runs)] + [-inf] * borders
        for a in self.topological:
            here = low[a]
            for b, distance in self.after[a]:
                if low[b] < here + distance:
                    low[b] = here + distance
        high = wish[: len(self.runs)] + [inf] * borders
        for b in reversed(self.topological):
            here = high[b]
            for a, distance in self.before[b]:
                if high[a] > here - distance:
                    high[a] = here - distance
        return [(a + b) / 2 for a, b in zip(low, high, strict=True)]
