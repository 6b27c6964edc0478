"""Second step: the order within each layer, with few crossings and clusters kept together.

Barycentre sweeps (Sugiyama, Tagawa, Toda: "Methods for visual understanding of hierarchical
system structures", 1981).  Every vertex wants to stand at the mean of its neighbours in the layer
before, then, sweeping back, in the layer after.  Sorting by that wish untangles the edges; moving
apart what then overlaps, by as little as least squares allow, gives the next layer something to
aim at.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..arithmetic import total
from .crossings import crossings, exchange, seats
from .net import Net

__all__ = ["order"]

_SWEEPS = 36
_SMALL, _MEDIUM = 600, 4000  # vertices up to which all sweeps are made, or a third of them
_CAREFUL = 10_000  # vertices up to which crossings are counted and neighbours are exchanged


def order(net: Net) -> None:
    """Sort `net.rows` and give every vertex a first position in `net.at`."""
    size = len(net.home)
    careful = size <= _CAREFUL
    net.at = [float(place) for place in _planted(net)]
    means = _cluster_means(net)
    for row in net.rows:
        _sort(net, row, {v: net.at[v] for v in row}, means)
    for row in net.rows:
        _settle(net, row, dict.fromkeys(row, 0.0))
    best, fewest = _copy(net), crossings(net) if careful else 0
    seated = seats(net) if careful else []
    around = [[*a, *b] for a, b in zip(net.before, net.after, strict=True)]
    backward = (net.after, around, net.rows[::-1])
    forward = (net.before, around, net.rows)
    balanced = (around, around, net.rows)
    share = 1 if size <= _SMALL else 3 if size <= _MEDIUM else 6
    for sweep in range(_SWEEPS // share):
        _sweep(net, *(backward, forward, balanced)[sweep % 3])
        if careful:
            exchange(net, seated)
            count = crossings(net)
            if count <= fewest:
                best, fewest = _copy(net), count
    if careful:
        for row, kept in zip(net.rows, best[0], strict=True):
            row[:] = kept
        net.at = best[1]


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
    sums, count = [0.0] * len(net.parent), [0] * len(net.parent)
    if len(sums) == 1:
        return sums
    for vertex, cluster in enumerate(net.home):
        sums[cluster] += net.at[vertex]
        count[cluster] += 1
    for cluster in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        sums[net.parent[cluster]] += sums[cluster]
        count[net.parent[cluster]] += count[cluster]
    return [t / c if c else 0.0 for t, c in zip(sums, count, strict=True)]


def _sort(net: Net, row: list[int], wish: dict[int, float], means: list[float]) -> None:
    """Sort `row` by wishes, clusters by the mean wish of their members; ties stay as they are.

    Sibling clusters share out their places by `means`, in the same order in every layer.
    """
    if len({net.home[vertex] for vertex in row}) == 1:
        row.sort(key=wish.__getitem__)
        return
    members: dict[int, list[float]] = {}
    units: dict[int, list[int]] = {0: []}  # in each cluster: vertices, and ~clusters
    for vertex in row:
        cluster = net.home[vertex]
        while cluster:
            units.setdefault(cluster, [])
            members.setdefault(cluster, []).append(wish[vertex])
            cluster = net.parent[cluster]
        units[net.home[vertex]].append(vertex)
    siblings: dict[int, list[int]] = {}
    for cluster in sorted(members, key=lambda c: (means[c], c)):
        siblings.setdefault(net.parent[cluster], []).append(cluster)
    key = {vertex: (wish[vertex], -1) for vertex in row}
    for parent, clusters in siblings.items():
        places = sorted([total(members[c]) / len(members[c]) for c in clusters])
        for i, (cluster, place) in enumerate(zip(clusters, places, strict=True)):
            key[~cluster] = (place, i)
            units[parent].append(~cluster)
    row.clear()
    stack = [~0]
    while stack:
        unit = stack.pop()
        if unit >= 0:
            row.append(unit)
        else:
            stack.extend(sorted(units[~unit], key=key.__getitem__)[::-1])


def _sweep(
    net: Net, near: list[list[int]], other: list[list[int]], rows: Sequence[list[int]]
) -> None:
    """Sort and settle `rows` by the means of `near` neighbours, or else of `other` ones."""
    means = _cluster_means(net)
    at = net.at
    for row in rows:
        wish = {}
        for v in row:
            around = near[v] or other[v]
            if around:
                wish[v] = total([at[u] for u in around]) / len(around)
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
    pools: list[tuple[float, int]] = []  # wishes less shifts, summed, and number of members
    for i, vertex in enumerate(row):
        if i:
            shift += net.gap(row[i - 1], vertex)
        shifts.append(shift)
        wishes, count = wish[vertex] - shift, 1
        while pools and pools[-1][0] * count >= wishes * pools[-1][1]:
            more, members = pools.pop()
            wishes, count = wishes + more, count + members
        pools.append((wishes, count))
    i = 0
    for wishes, count in pools:
        for _ in range(count):
            net.at[row[i]] = wishes / count + shifts[i]
            i += 1
