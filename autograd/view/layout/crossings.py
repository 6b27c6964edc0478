"""Edges that cross: how many there are, and where an exchange of neighbours leaves fewer."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from .net import Net

__all__ = ["crossings", "exchange"]

_EXCHANGES = 6  # rounds
_FEW = 200  # pairs of edges that are sooner compared one by one
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
        reaches = [_reaches(net, row) for row in net.rows]
        for row, here, there in zip(net.rows, reaches, reaches[1:], strict=False):
            frames = [(*here[cluster], *there[cluster]) for cluster in here if cluster in there]
            for v in row:
                p = place[v]
                for u in net.after[v]:
                    q = place[u]
                    for low, high, low_there, high_there in frames:
                        if (p < low and q > high_there) or (p > high and q < low_there):
                            count += _FRAME_COST
    return count


def _reaches(net: Net, row: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The first and the last place of each cluster in a layer."""
    found: dict[int, tuple[int, int]] = {}
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


def exchange(net: Net) -> None:
    """Exchange neighbours where that removes crossings, or puts operands in order at no cost.

    Neighbours are two vertices of one cluster, or a vertex and a whole cluster beside it.
    """
    place = _places(net)
    fresh = set(range(len(net.rows)))  # layers in which or beside which something has changed
    for _ in range(_EXCHANGES):
        changed = [layer for layer in sorted(fresh) if _exchange_in(net, net.rows[layer], place)]
        fresh = {near for layer in changed for near in (layer - 1, layer, layer + 1)}
        fresh &= set(range(len(net.rows)))
        if not fresh:
            return


def _exchange_in(net: Net, row: list[int], place: list[int]) -> bool:
    changed = False
    for i in range(len(row) - 1):
        begin, end = _units(net, row, i)
        left, right = row[begin : i + 1], row[i + 1 : end]
        if not left or not right:
            continue
        gain = _gain(net, place, left, right)
        if gain > 0 or (gain == 0 and _misplaced(net, left[-1], right[0])):
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


def _misplaced(net: Net, left: int, right: int) -> bool:
    """Whether the two are operands of one op, and `right` is the earlier one."""
    for head in net.after[left]:
        operands = net.before[head]
        if right in operands:
            return operands.index(right) < operands.index(left)
    return False


def _units(net: Net, row: Sequence[int], i: int) -> tuple[int, int]:
    """The range of the two siblings that meet behind place `i`, a vertex and a vertex or cluster.

    It is empty where two clusters meet: they must keep to the same order in all layers.
    """
    a, b = net.home[row[i]], net.home[row[i + 1]]
    if a == b:
        return i, i + 2
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


def _gain(net: Net, place: list[int], left: list[int], right: list[int]) -> int:
    """How many crossings fewer there are with `right` before `left`."""
    gain = 0
    for around in (net.before, net.after):
        a = [place[u] for v in left for u in around[v]]
        b = [place[u] for v in right for u in around[v]]
        if len(a) * len(b) < _FEW:
            for end in b:
                for other in a:
                    gain += (other > end) - (other < end)
        else:
            a.sort()
            for end in b:
                gain += len(a) - bisect_right(a, end) - bisect_left(a, end)
    return gain
