"""Edges that cross: how many there are, and where an exchange of neighbours leaves fewer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import TypeAlias

from .net import Net

__all__ = ["Reaches", "crossings", "exchange", "reaches", "seats"]

_EXCHANGES = 6  # rounds
_FRAME_COST = 4  # crossings that an arrow across a foreign frame is as bad as


def crossings(net: Net) -> int:
    """How many pairs of edges cross, counting an edge across a foreign frame several times."""
    count = 0
    place = _places(net)
    for row in net.rows:
        passed: list[int] = []
        for vertex in row:
            ends = sorted([place[u] for u in net.after[vertex]])
            for end in ends:
                count += len(passed) - bisect_right(passed, end)
            for end in ends:
                insort(passed, end)
    if len(net.parent) > 1:
        reached = [reaches(net, row) for row in net.rows]
        for row, here, there in zip(net.rows, reached, reached[1:], strict=False):
            count += _FRAME_COST * _frames_crossed(net, row, place, here, there)
    return count


Reaches: TypeAlias = dict[int, tuple[int, int]]
"""The first and the last place of each cluster in a layer."""


def _frames_crossed(
    net: Net, row: Sequence[int], place: list[int], here: Reaches, there: Reaches
) -> int:
    """How often an edge out of `row` passes from one side of a frame to the other."""
    frames = [(*here[cluster], *there[cluster]) for cluster in here if cluster in there]
    count = 0
    left: list[int] = []  # ends of the frames that lie wholly before the vertex …
    waiting = sorted([(high, low_there) for _, high, low_there, _ in frames], reverse=True)
    for p, v in enumerate(row):
        while waiting and waiting[-1][0] < p:
            insort(left, waiting.pop()[1])
        for u in net.after[v]:
            count += len(left) - bisect_right(left, place[u])
    right: list[int] = []  # … and wholly behind it
    waiting = sorted([(low, high_there) for low, _, _, high_there in frames])
    for p in reversed(range(len(row))):
        while waiting and waiting[-1][0] > p:
            insort(right, waiting.pop()[1])
        for u in net.after[row[p]]:
            count += bisect_left(right, place[u])
    return count


def reaches(net: Net, row: Sequence[int]) -> Reaches:
    """How far each cluster reaches in `row`."""
    found: Reaches = {}
    for i, vertex in enumerate(row):
        cluster = net.home[vertex]
        while cluster:
            found[cluster] = (found[cluster][0] if cluster in found else i, i)
            cluster = net.parent[cluster]
    return found


def _places(net: Net) -> list[int]:
    place = [0] * len(net.home)
    for row in net.rows:
        for i, vertex in enumerate(row):
            place[vertex] = i
    return place


Seats: TypeAlias = list[dict[int, int]]
"""For each vertex its heads, each with the vertex's place among the head's operands."""


def seats(net: Net) -> Seats:
    """Look up once what `exchange` asks again and again."""
    found: Seats = [{} for _ in net.home]
    for head, operands in enumerate(net.before):
        for i, vertex in enumerate(operands):
            found[vertex][head] = i
    return found


def exchange(net: Net, seated: Seats) -> None:
    """Exchange neighbours where that removes crossings, or puts operands in order at no cost.

    Neighbours are two vertices of one cluster, or a vertex and a whole cluster beside it.
    """
    place = _places(net)
    fresh = set(range(len(net.rows)))  # layers in which or beside which something has changed
    for _ in range(_EXCHANGES):
        changed = [
            layer for layer in sorted(fresh) if _exchange_in(net, net.rows[layer], place, seated)
        ]
        fresh = {near for layer in changed for near in (layer - 1, layer, layer + 1)}
        fresh &= set(range(len(net.rows)))
        if not fresh:
            return


def _exchange_in(net: Net, row: list[int], place: list[int], seated: Seats) -> bool:
    changed = False
    ends = {}  # by vertex: the sorted places of its neighbours, which lie in other layers
    if len(row) > 1:
        for v in row:
            before, after = net.before[v], net.after[v]
            ends[v] = sorted([place[u] for u in before]), sorted([place[u] for u in after])
    for i in range(len(row) - 1):
        begin, end = i, i + 2
        if net.home[row[i]] != net.home[row[i + 1]]:
            begin, end = _units(net, row, i)
        left, right = row[begin : i + 1], row[i + 1 : end]
        if not left or not right:
            continue
        gain = 0  # how many crossings fewer there are with `right` before `left`
        for v in left:
            before, after = ends[v]
            for u in right:
                gain += _inverted(before, ends[u][0]) + _inverted(after, ends[u][1])
        if gain > 0 or (gain == 0 and _misplaced(net, seated, left[-1], right[0])):
            row[begin:end] = right + left
            for k in range(begin, end):
                place[row[k]] = k
            up = net.at[right[0]] - net.at[left[0]]
            down = net.at[right[-1]] - net.at[left[-1]]
            for v in right:
                net.at[v] -= up
            for v in left:
                net.at[v] += down
            changed = True
    return changed


def _misplaced(net: Net, seated: Seats, left: int, right: int) -> bool:
    """Whether the two are operands of one op, and `right` is the earlier one."""
    for head in net.after[left]:
        if head in seated[right]:
            return seated[right][head] < seated[left][head]
    return False


def _units(net: Net, row: Sequence[int], i: int) -> tuple[int, int]:
    """The range of the two siblings that meet behind place `i`, a vertex and a cluster beside it.

    It is empty where two clusters meet: they must keep to the same order in all layers.
    """
    a, b = net.home[row[i]], net.home[row[i + 1]]
    left, right = 0, 0  # the outermost clusters around one and not around the other
    while a != b:
        if net.depth[a] >= net.depth[b]:
            left, a = a, net.parent[a]
        else:
            right, b = b, net.parent[b]
    if left and right:
        return i + 1, i + 1
    begin, end = i, i + 2
    while left and begin > 0 and _within(net, row[begin - 1], left):
        begin -= 1
    while right and end < len(row) and _within(net, row[end], right):
        end += 1
    return begin, end


def _within(net: Net, vertex: int, cluster: int) -> bool:
    at = net.home[vertex]
    while net.depth[at] > net.depth[cluster]:
        at = net.parent[at]
    return at == cluster


def _inverted(a: Sequence[int], b: Sequence[int]) -> int:
    """Over all pairs of `a` and `b`, both sorted: how many more have a > b than a < b."""
    if not a or not b or a[-1] < b[0]:
        return -len(a) * len(b)
    balance = 0
    for end in b:
        balance += len(a) - bisect_right(a, end) - bisect_left(a, end)
    return balance
