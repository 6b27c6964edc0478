"""Which steps of a straight line can run side by side.

The level of a step is one above the highest of its inputs.  Steps of one level and one kind form
a group: they run in one loop, whose results lie one behind the other in memory.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import backends

from .line import Line

__all__ = ["Groups", "arrange"]


class Groups:
    """Steps in the order in which they run.

    `table` has a row per group: its kind, how many steps, how many inputs each has, where in
    memory the results go, and where in `index` the inputs' places in memory begin.  Those are
    sorted by input: first the first inputs of all steps of the group, then the second, ….
    """

    def __init__(self, table: Any, index: Any) -> None:
        self.table, self.index = table, index


def arrange(line: Line, begin: int, place: list[int]) -> Groups:
    """Arrange the steps of a line from number `begin` on.

    `place` says where in memory the numbers before that are, and gets the places of the others.
    """
    np = backends.get("numpy")
    kinds, inputs = line.kinds, line.inputs
    level = [0] * len(kinds)
    level_of = level.__getitem__
    steps = []
    for i in range(begin, len(kinds)):
        if inputs[i]:
            level[i] = 1 + max(map(level_of, inputs[i]))
            steps.append(i)
    keys = np.array([(level[i], kinds[i], len(inputs[i])) for i in steps], "int64").reshape(-1, 3)
    order = np.lexsort(keys.T[::-1])  # stable: in a group, in the order of the line
    keys = keys[order]
    steps = [steps[i] for i in order.tolist()]
    place += [-1] * (len(kinds) - begin)
    new = [i for i in range(begin, len(kinds)) if not inputs[i]] + steps
    for where, i in enumerate(new, start=begin):
        place[i] = where
    place_of = place.__getitem__
    index = np.fromiter(map(place_of, chain.from_iterable(map(inputs.__getitem__, steps))), "int32")

    edges = np.flatnonzero(np.any(keys[1:] != keys[:-1], axis=1)) + 1
    first = np.concatenate([[0], edges, [len(steps)]]) if steps else np.zeros(1, "int64")
    starts = np.concatenate([[0], np.cumsum(keys[:, 2])])  # of each step's inputs
    table = np.empty((len(first) - 1, 5), "int64")
    table[:, 0], table[:, 2] = keys[first[:-1], 1], keys[first[:-1], 2]
    table[:, 1] = np.diff(first)
    table[:, 3] = begin + len(new) - len(steps) + first[:-1]
    table[:, 4] = starts[first[:-1]]
    for _, rows, width, _, start in table[(table[:, 1] > 1) & (table[:, 2] > 1)].tolist():
        part = index[start : start + rows * width]
        part[:] = part.reshape(rows, width).T.ravel()
    return Groups(table, index)
