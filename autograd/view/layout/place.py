"""Third step: coordinates across the flow, with straight lines and frames that fit.

Every run wants to stand at the mean of what it is joined to.  Among all placements that satisfy
the `Demands`, two are found by longest paths: the lowest and the highest that start from these
wishes.  Their mean satisfies the demands too, and is fair to both sides.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

from ..arithmetic import total
from .demands import Demands
from .net import Net
from .runs import Trunks, runs
from .stairs import levelled

__all__ = ["place"]


class Pull(NamedTuple):
    """What pulls at a run: other runs, how strongly each, and all of that together."""

    runs: list[int]
    weights: list[float]
    total: float


_ROUNDS = 60
_POLISH = 12
_SNAP = 10.0  # a bend by less is straightened
_MANY = 4000  # runs from which on fewer rounds must do …
_SLACK, _SPARE = 1.25, 400.0  # … in a drawing that is not so much higher than it must be
# How strongly a parameter pulls at what it feeds, and a neighbour that is not joined; all else
# pulls by 1.
_LEAF, _NEXT = 0.1, 0.02


def place(net: Net, straight: Trunks, begin: int, end: int) -> None:
    """Turn the order of `net.rows[begin:end]` into positions, in `net.at`.

    Layers outside that range pull at nothing, and no line is kept straight into them.
    """
    rows = net.rows[begin:end]
    demands = Demands(net, rows, runs(net, straight, rows))
    _relax(net, Demands(net, rows, levelled(net, demands)))


def _relax(net: Net, demands: Demands) -> None:
    """Move every run towards the mean of its neighbours, keeping all distances."""
    pulls = _pulls(net, demands)
    start = [total([net.at[v] for v in run]) / len(run) for run in demands.runs]
    at = demands.feasible(start)
    share = min(1.0, _MANY / len(demands.runs))
    floor, ceiling = _window(demands, start)
    for _ in range(ceil(_ROUNDS * share)):
        wish = list(start)
        for run, pull in enumerate(pulls):
            if pull.runs:  # halfway, or two that pull at each other would swap for ever
                wish[run] = (at[run] + _mean(pull, at)) / 2
        if share < 1:
            wish = [max(a, min(b, w)) for a, b, w in zip(floor, ceiling, wish, strict=True)]
        at = demands.feasible(wish)
    centred = [_operands(net, demands, run) or pull for run, pull in enumerate(pulls)]
    for left in reversed(range(max(2, ceil(_POLISH * share)))):
        _polish(demands, at, centred if left < 4 else pulls, _SNAP if left < 2 else 0.0)
    for vertex, run in demands.run.items():
        net.at[vertex] = at[run]
    begin = net.layer[demands.rows[0][0]]
    for cluster in demands.clusters:
        net.borders[cluster, begin] = (at[demands.upper(cluster)], at[demands.lower(cluster)])


def _window(demands: Demands, start: list[float]) -> tuple[list[float], list[float]]:
    """How high and how low each run may stand, for the drawing to be hardly higher than it must.

    Rounds only ever move apart what would overlap; few of them leave a large drawing far apart.
    """
    count = len(demands.runs)
    low = demands.lowest([0.0] * len(demands.after))
    high = demands.highest([0.0] * len(demands.after))
    height = _SLACK * max(low) + _SPARE
    top = (min(start) + max(start) - height) / 2
    return [top + x for x in low[:count]], [top + height + x for x in high[:count]]


def _polish(demands: Demands, at: list[float], pulls: list[Pull], snap: float) -> None:
    """Move one run after another as near to where it is pulled as its neighbours let it.

    On the way down every border moves up as far as it can, out of the way of what follows; on
    the way up, down.  A run within `snap` of a straight line to a neighbour is drawn straight.
    """
    borders = len(demands.runs)
    for forth in (True, False):
        for i in demands.topological if forth else reversed(demands.topological):
            low = max([at[a] + distance for a, distance in demands.before[i]], default=-inf)
            high = min([at[b] - distance for b, distance in demands.after[i]], default=inf)
            if i >= borders:
                at[i] = low if forth else high
            elif pulls[i].runs:
                at[i] = max(low, min(high, _mean(pulls[i], at)))
                lines = [at[j] for j in pulls[i].runs if low <= at[j] <= high]
                nearest = min(lines, key=lambda line: abs(line - at[i]), default=inf)
                if abs(nearest - at[i]) <= snap:
                    at[i] = nearest


def _operands(net: Net, demands: Demands, run: int) -> Pull | None:
    """The runs of the operands of an op, in whose middle it should stand; None unless several."""
    first = demands.runs[run][0]
    heavy = [v for v in net.before[first] if v in demands.run and not net.light[v]]
    ones = [1.0] * len(heavy)
    return Pull([demands.run[v] for v in heavy], ones, total(ones)) if len(heavy) > 1 else None


def _pulls(net: Net, demands: Demands) -> list[Pull]:
    """For each run the runs it is joined to, and how strongly."""
    weights: list[dict[int, float]] = [{} for _ in demands.runs]
    for v, a in demands.run.items():
        for u in net.after[v]:
            b = demands.run.get(u, a)
            if a != b:
                leaf = net.light[v] and not net.lane[v]
                weights[a][b] = weights[a].get(b, 0.0) + 1.0
                weights[b][a] = weights[b].get(a, 0.0) + (_LEAF if leaf else 1.0)
    anchor: dict[int, int] = {}  # a run of each cluster that is held by others
    for v, a in demands.run.items():
        if weights[a]:
            anchor.setdefault(net.home[v], a)
    for v, a in demands.run.items():  # what nothing holds stays with its cluster
        if not weights[a] and net.home[v] in anchor:
            weights[a][anchor[net.home[v]]] = 1.0
    part = _parts(weights)
    for row in demands.rows:
        for v, u in pairwise(row):  # parts that nothing joins keep together
            a, b = demands.run[v], demands.run[u]
            if part[a] != part[b]:
                weights[a][b] = weights[b][a] = _NEXT
    return [Pull(list(w), list(w.values()), total(w.values())) for w in weights]


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


def _mean(pull: Pull, at: list[float]) -> float:
    return total([at[i] * w for i, w in zip(pull.runs, pull.weights, strict=True)]) / pull.total
