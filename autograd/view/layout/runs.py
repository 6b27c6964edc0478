"""What should be drawn on one straight line: long arrows, and the trunk of a network.

In the spirit of Brandes and Köpf ("Fast and simple horizontal coordinate assignment", 2002), who
align each vertex with a neighbour in the middle; here it is the neighbour on the longest path.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TypeAlias

from .crossings import Reaches, reaches
from .net import Net

__all__ = ["Trunks", "runs", "trunks"]

Trunks: TypeAlias = tuple[list[int], list[int]]


def trunks(net: Net) -> Trunks:
    """The neighbour after each vertex, and before it, to which its line should be straight, or -1.

    After it comes the one on the longest way to a result.  Before it, of all that favour it so,
    comes the one at the end of the longest straight line; so data flow straight on where
    parameters join, and a running sum where its terms do.  Ties favour nobody: `a` and `b` stand
    on either side of `a * b`.
    """
    ahead, behind = [-1] * len(net.home), [-1] * len(net.home)
    length = [0.0] * len(net.home)
    for row in reversed(net.rows):
        for v in row:
            ahead[v], longest = _longest(net.after[v], length)
            length[v] = longest + (not net.light[v])
    length = [0.5 * lane for lane in net.lane]  # a lane that comes from the side beats a parameter
    for row in net.rows:
        for v in row:
            behind[v], longest = _longest([u for u in net.before[v] if ahead[u] == v], length)
            length[v] = max(length[v], longest + (not net.light[v]))
    return ahead, behind


def _longest(around: list[int], length: list[float]) -> tuple[int, float]:
    """Which of `around` has the greatest length, -1 if several have, and that length."""
    longest = max([length[u] for u in around], default=0.0)
    best = [u for u in around if length[u] == longest]
    return best[0] if len(best) == 1 else -1, longest


def runs(net: Net, straight: Trunks, rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Partition the vertices of `rows` into runs, each to be drawn on one straight line."""
    rank = {vertex: i for row in rows for i, vertex in enumerate(row)}
    ahead, behind = straight
    follower: dict[int, int] = {}
    lead = dict.fromkeys(rank, 0)  # over how many layers lanes lead on from each vertex
    for row in reversed(rows):
        for v in row:
            lanes = [u for u in net.after[v] if net.lane[u] and u in rank]
            lead[v] = max([lead[u] + 1 for u in lanes], default=0)
    reached = [reaches(net, row) for row in rows]
    for row, here, there in zip(rows, reached, [*reached[1:], {}], strict=True):
        pairs = []
        for v in row:
            lanes = [u for u in net.after[v] if net.lane[v] and net.lane[u] and u in rank]
            u = max(lanes, key=lead.__getitem__) if lanes else ahead[v]
            mutual = u in rank and behind[u] == v
            if lanes or (mutual and (net.before[v] or _leads_on(u, straight))):
                pairs.append((not lanes, rank[v], rank[u], v, u))
        taken = _borders(here, there)  # straight lines must not cross, nor borders of frames
        for _, left, right, v, u in sorted(pairs):
            spot = bisect_left(taken, (left, right))
            if spot > 0 and taken[spot - 1][1] >= right:
                continue
            if spot < len(taken) and taken[spot][1] <= right:
                continue
            taken.insert(spot, (left, right))
            follower[v] = u
    led = set(follower.values())
    found = []
    for row in rows:
        for v in row:
            if v not in led:
                run = [v]
                while run[-1] in follower:
                    run.append(follower[run[-1]])
                found.append(run)
    return found


def _borders(here: Reaches, there: Reaches) -> list[tuple[float, float]]:
    """Where the borders of the frames that two layers share run, between places, in order.

    What crosses no such border can be straight: curves that lead from layer to layer and never
    cross can be put in an order, each above the next.
    """
    borders = []
    for cluster in here:
        if cluster in there:
            (first, last), (first_there, last_there) = here[cluster], there[cluster]
            borders.append((first - 0.5, first_there - 0.5))
            borders.append((last + 0.5, last_there + 0.5))
    return sorted(borders)


def _leads_on(vertex: int, straight: Trunks) -> bool:
    """Whether the longest path through `vertex` is also that through the next.

    A source is drawn straight into such a vertex only: elsewhere it is one of several that join.
    """
    ahead, behind = straight
    return ahead[vertex] < 0 or behind[ahead[vertex]] == vertex
