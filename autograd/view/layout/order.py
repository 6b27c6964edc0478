"""Second step: the order within each layer, with few crossings and clusters kept together.

Barycentre sweeps (Sugiyama, Tagawa, Toda: "Methods for visual understanding of hierarchical
system structures", 1981).  Every vertex wants to stand at the mean of its neighbours in the layer
before, then, sweeping back, in the layer after.  Sorting by that wish untangles the edges; moving
apart what then overlaps, by as little as least squares allow, gives the next layer something to
aim at.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import chain

from .net import Net

__all__ = ["crossings", "order"]

_SWEEPS = 12
_CAREFUL = 4000  # vertices up to which crossings are counted and neighbours are exchanged
_EXCHANGES = 6


def order(net: Net) -> None:
    """Sort `net.rows` and give every vertex a first position in `net.at`."""
    careful = len(net.home) <= _CAREFUL
    net.at = [float(place) for place in _planted(net)]
    means = _cluster_means(net)
    for row in net.rows:
        _sort(net, row, {v: net.at[v] for v in row}, means)
    for row in net.rows:
        _settle(net, row, dict.fromkeys(row, 0.0))
    best, fewest = _copy(net), crossings(net) if careful else 0
    for sweep in range(_SWEEPS if careful else _SWEEPS // 2):
        _sweep(net, forward=sweep % 2 == 1)
        if careful:
            _exchange(net)
            count = crossings(net)
            if count <= fewest:
                best, fewest = _copy(net), count
    if careful:
        net.rows, net.at = best


def _copy(net: Net) -> tuple[list[list[int]], list[float]]:
    return [list(row) for row in net.rows], list(net.at)


def _planted(net: Net) -> list[int]:
    """Number the vertices in a walk from the results back to the inputs, operands in order.

    For a tree this is an order without any crossing, with `a` before `b` in `a @ b`.
    """
    number = [-1] * len(net.home)
    count = 0
    for root in range(len(net.home)):
        if net.after[root]:
            continue
        stack = [root]
        while stack:
            vertex = stack.pop()
            if number[vertex] >= 0:
                continue
            number[vertex] = count
            count += 1
            stack.extend(reversed(net.before[vertex]))
    return number


def _cluster_means(net: Net) -> list[float]:
    """The mean position of all members of each cluster.

    Clusters are sorted by this one number in every layer, so two of them never change sides.
    """
    total, count = [0.0] * len(net.parent), [0] * len(net.parent)
    for vertex, cluster in enumerate(net.home):
        total[cluster] += net.at[vertex]
        count[cluster] += 1
    for cluster in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        total[net.parent[cluster]] += total[cluster]
        count[net.parent[cluster]] += count[cluster]
    return [t / c if c else 0.0 for t, c in zip(total, count, strict=True)]


def _sort(net: Net, row: list[int], wish: dict[int, float], means: list[float]) -> None:
    """Sort `row` by wishes within clusters, and clusters by their means; ties stay as they are."""
    prefixes: dict[int, tuple[float, ...]] = {0: ()}
    keys: dict[int, tuple[float, ...]] = {}
    for i, vertex in enumerate(row):
        home = net.home[vertex]
        if home not in prefixes:
            around = net.ancestors(vertex)
            pairs = [(means[cluster], float(len(row) + cluster)) for cluster in around]
            prefixes[home] = tuple(chain.from_iterable(pairs))
        keys[vertex] = (*prefixes[home], wish[vertex], float(i))
    row.sort(key=keys.__getitem__)


def _sweep(net: Net, forward: bool) -> None:
    means = _cluster_means(net)
    at = net.at
    near, other = (net.before, net.after) if forward else (net.after, net.before)
    for row in net.rows if forward else reversed(net.rows):
        wish = {}
        for v in row:
            around = near[v] or other[v]
            if around:
                wish[v] = sum([at[u] for u in around]) / len(around)
            else:  # a filler, or a box without arrows
                wish[v] = means[net.home[v]] if net.home[v] else at[v]
        _sort(net, row, wish, means)
        _settle(net, row, wish)


def _settle(net: Net, row: Sequence[int], wish: dict[int, float]) -> None:
    """Place a layer as near to its wishes as its order and sizes permit, by least squares.

    Neighbours that would overlap join a pool, which stands at the mean of what its members want
    (pool adjacent violators, the classical algorithm for isotonic regression); linear in time.
    """
    shift = 0.0  # from the first vertex of the row if all stood as close as they may
    shifts: list[float] = []
    pools: list[tuple[float, int]] = []  # sum of wishes less shifts, number of members
    for i, vertex in enumerate(row):
        if i:
            shift += net.gap(row[i - 1], vertex)
        shifts.append(shift)
        total, count = wish[vertex] - shift, 1
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            more, members = pools.pop()
            total, count = total + more, count + members
        pools.append((total, count))
    i = 0
    for total, count in pools:
        for _ in range(count):
            net.at[row[i]] = total / count + shifts[i]
            i += 1


# ----- crossings ---------------------------------------------------------------------------------


def crossings(net: Net) -> int:
    """The number of pairs of edges that cross between neighbouring layers."""
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
    return count


def _places(net: Net) -> list[int]:
    place = [0] * len(net.home)
    for row in net.rows:
        for i, vertex in enumerate(row):
            place[vertex] = i
    return place


def _exchange(net: Net) -> None:
    """Exchange neighbours of one cluster where that removes crossings, until none are left."""
    place = _places(net)
    for _ in range(_EXCHANGES):
        better = False
        for row in net.rows:
            for i in range(len(row) - 1):
                a, b = row[i], row[i + 1]
                if net.home[a] != net.home[b]:
                    continue
                gain = 0
                for around in (net.before, net.after):
                    ends_a = sorted([place[u] for u in around[a]])
                    ends_b = sorted([place[u] for u in around[b]])
                    gain += _inversions(ends_a, ends_b) - _inversions(ends_b, ends_a)
                if gain > 0:
                    row[i], row[i + 1] = b, a
                    place[a], place[b] = i + 1, i
                    net.at[a], net.at[b] = net.at[b], net.at[a]
                    better = True
        if not better:
            return


def _inversions(left: list[int], right: list[int]) -> int:
    """How many pairs cross if the owner of the edges to `left` stands first."""
    return sum([len(left) - bisect_right(left, end) for end in right]) if left and right else 0

