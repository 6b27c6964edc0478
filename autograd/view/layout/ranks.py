"""First step: the layer of every box, so that arrows run from lower layers to higher ones.

A box stands one layer after the latest of its inputs (the longest path), and what feeds only one
consumer, such as a parameter, is pulled next to it.  Clusters are ranked from the inside out: a
cluster of three layers takes three layers of its parent, so that modules in a row follow one
another instead of sharing layers, where their frames would have to dodge each other.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["ranks", "turned"]

Edge = tuple[int, int]


def turned(count: int, edges: Sequence[Edge]) -> list[bool]:
    """Which edges must be turned around to leave no cycle.

    A depth-first walk from the sources turns the edges that lead back to a box it is still
    busy with, which may be the box they come from.  Graphs of values have no cycles; summaries
    by module can.
    """
    out: list[list[int]] = [[] for _ in range(count)]
    entered = [False] * count
    for i, (tail, head) in enumerate(edges):
        out[tail].append(i)
        entered[head] = True
    back = [False] * len(edges)
    fresh, busy, done = 0, 1, 2
    state = [fresh] * count
    for start in sorted(range(count), key=lambda box: entered[box]):
        if state[start] != fresh:
            continue
        state[start] = busy
        walk = [(start, iter(out[start]))]
        while walk:
            box, rest = walk[-1]
            for i in rest:
                head = edges[i][1]
                if state[head] == busy:
                    back[i] = True
                elif state[head] == fresh:
                    state[head] = busy
                    walk.append((head, iter(out[head])))
                    break
            else:
                state[box] = done
                walk.pop()
    return back


def ranks(homes: Sequence[int], parents: Sequence[int], edges: Sequence[Edge]) -> list[int]:
    """The layer of each box, for edges without a cycle.

    `homes[box]` is the box's innermost cluster and `parents[cluster]` that cluster's parent;
    cluster 0 is the whole picture, its own parent.  Two clusters that feed each other cannot
    follow one another: such clusters are loosened, their members ranked as if they stood outside.
    """
    loose: set[int] = set()
    while True:
        items = _Items(homes, parents, edges, loose)
        tangled = items.tangled()
        if not tangled:
            return items.layers()
        loose |= tangled


class _Items:
    """Boxes and clusters as items; edges lead between items with the same owner only.

    Item i < n is a box, item n + c is cluster c.
    """

    def __init__(
        self, homes: Sequence[int], parents: Sequence[int], edges: Sequence[Edge], loose: set[int]
    ) -> None:
        n = self.boxes = len(homes)
        self.depth = depths(parents)
        self.owner: list[int] = []
        for cluster in (*homes, *parents):
            at = cluster
            while at in loose:
                at = parents[at]
            self.owner.append(at)
        self.loose = loose
        self.before: list[list[int]] = [[] for _ in self.owner]
        self.after: list[list[int]] = [[] for _ in self.owner]
        self.fed = [False] * len(self.owner)  # by something outside its owner
        known: set[Edge] = set()
        for a, b in edges:
            while self.owner[a] != self.owner[b]:  # climb to the level where both are siblings
                if self.depth[self.owner[a]] >= self.depth[self.owner[b]]:
                    a = n + self.owner[a]
                else:
                    self.fed[b] = True
                    b = n + self.owner[b]
            if a != b and (a, b) not in known:
                known.add((a, b))
                self.after[a].append(b)
                self.before[b].append(a)

    def tangled(self) -> set[int]:
        """The clusters that lie on a cycle, or between two."""
        forward = set(peel(self.before, self.after))
        backward = set(peel(self.after, self.before))
        left = range(self.boxes, len(self.owner))
        return {i - self.boxes for i in left if i not in forward and i not in backward}

    def layers(self) -> list[int]:
        n = self.boxes
        members: list[list[int]] = [[] for _ in self.depth]
        for item in peel(self.before, self.after):
            if item != n and item - n not in self.loose:
                members[self.owner[item]].append(item)
        length = [1] * n + [0] * len(self.depth)
        start = [0] * len(self.owner)
        inside_out = sorted(range(len(self.depth)), key=lambda c: -self.depth[c])
        for cluster in inside_out:
            self._rank(members[cluster], start, length)
            ends = (start[item] + length[item] for item in members[cluster])
            length[n + cluster] = max(ends, default=0)
        for cluster in reversed(inside_out):
            for item in members[cluster]:
                start[item] += start[n + cluster]
        return start[:n]

    def _rank(self, items: list[int], start: list[int], length: list[int]) -> None:
        """Rank `items`, siblings in topological order, from layer 0 of their owner."""
        free = dict.fromkeys(items, True)  # feeds, with all that feeds it, a single consumer
        for item in items:
            inputs = self.before[item]
            start[item] = max((start[i] + length[i] for i in inputs), default=0)
            free[item] = not self.fed[item] and all(
                free[i] and len(self.after[i]) == 1 for i in inputs
            )
        for item in reversed(items):
            outputs = self.after[item]
            inputs_count = len(self.before[item]) + self.fed[item]
            if outputs and (free[item] or inputs_count < len(outputs)):
                start[item] = min(start[i] for i in outputs) - length[item]


def depths(parents: Sequence[int]) -> list[int]:
    """How deep each cluster lies; the picture, cluster 0, is at depth 0."""
    known = {0: 0}
    for cluster in range(len(parents)):
        path = []
        at = cluster
        while at not in known:
            path.append(at)
            at = parents[at]
        for step, inner in enumerate(reversed(path), start=1):
            known[inner] = known[at] + step
    return [known[cluster] for cluster in range(len(parents))]


def peel(before: Sequence[Sequence[object]], after: Sequence[Sequence[int]]) -> list[int]:
    """Topological order; vertices on a cycle, or reached only through one, are left out."""
    waiting = [len(inputs) for inputs in before]
    order = [vertex for vertex, count in enumerate(waiting) if count == 0]
    for vertex in order:  # grows while it is read
        for head in after[vertex]:
            waiting[head] -= 1
            if waiting[head] == 0:
                order.append(head)
    return order
