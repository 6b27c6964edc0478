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

_SWEEPS = 36
_SMALL, _MEDIUM = 600, 4000  # vertices up to which all sweeps are made, or a third of them
_CAREFUL = 10_000  # vertices up to which crossings are counted and neighbours are exchanged
_EXCHANGES = 6
_FRAME_COST = 4  # crossings that an arrow across a foreign frame is as bad as


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
    around = [[*a, *b] for a, b in zip(net.before, net.after, strict=True)]
    backward = (net.after, around, net.rows[::-1])
    forward = (net.before, around, net.rows)
    balanced = (around, around, net.rows)
    share = 1 if size <= _SMALL else 3 if size <= _MEDIUM else 6
    for sweep in range(_SWEEPS // share):
        _sweep(net, *(backward, forward, balanced)[sweep % 3])
        if careful:
            _exchange(net)
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
    total, count = [0.0] * len(net.parent), [0] * len(net.parent)
    for vertex, cluster in enumerate(net.home):
        total[cluster] += net.at[vertex]
        count[cluster] += 1
    for cluster in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        total[net.parent[cluster]] += total[cluster]
        count[net.parent[cluster]] += count[cluster]
    return [t / c if c else 0.0 for t, c in zip(total, count, strict=True)]


def _sort(net: Net, row: list[int], wish: dict[int, float], means: list[float]) -> None:
    """Sort `row` by wishes, clusters by the mean wish of their members; ties stay as they are.

    Sibling clusters share out their places by `means`, in the same order in every layer.
    """
    members: dict[int, list[float]] = {}
    for vertex in row:
        cluster = net.home[vertex]
        while cluster:
            members.setdefault(cluster, []).append(wish[vertex])
            cluster = net.parent[cluster]
    if not members:
        row.sort(key=wish.__getitem__)
        return
    siblings: dict[int, list[int]] = {}
    for cluster in sorted(members, key=lambda c: (means[c], c)):
        siblings.setdefault(net.parent[cluster], []).append(cluster)
    key: dict[int, tuple[float, float]] = {}
    for clusters in siblings.values():
        places = sorted([sum(members[c]) / len(members[c]) for c in clusters])
        for i, (cluster, place) in enumerate(zip(clusters, places, strict=True)):
            key[cluster] = (place, float(i))
    prefixes: dict[int, tuple[float, ...]] = {0: ()}
    keys: dict[int, tuple[float, ...]] = {}
    for vertex in row:
        home = net.home[vertex]
        if home not in prefixes:
            prefixes[home] = tuple(chain.from_iterable(key[c] for c in net.ancestors(vertex)))
        keys[vertex] = (*prefixes[home], wish[vertex], -1.0)
    row.sort(key=keys.__getitem__)


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


def _exchange(net: Net) -> None:
    """Exchange neighbours where that removes crossings, until none are left to remove.

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
        if left and right and _gain(net, place, left, right) > 0:
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
        if a and b:
            for end in b:
                for other in a:
                    gain += (other > end) - (other < end)
    return gain
