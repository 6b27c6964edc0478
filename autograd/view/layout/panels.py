"""The frames of clusters: how far each reaches across, in each row of a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from .demands import FRAME, TITLE
from .net import Net

__all__ = ["Breadths", "breadths"]

Breadths = dict[tuple[int, int], tuple[float, float]]
"""By cluster and row: where its frame begins and ends across.  Cluster 0 is the row itself."""


def breadths(net: Net, begins: Sequence[int]) -> Breadths:
    """Fit a frame around the members of each cluster, from the innermost cluster to the picture.

    `begins` are the first layers of the rows.  Across the flow a frame is as narrow as its members
    allow, but wide enough for its title; `place` has left room for that.
    """
    found: Breadths = {}

    def reach(cluster: int, row: int, top: float, low: float) -> None:
        known = found.get((cluster, row), (inf, -inf))
        found[cluster, row] = (min(known[0], top), max(known[1], low))

    rows = [*begins, len(net.rows)]
    for row, (begin, end) in enumerate(pairwise(rows)):
        for layer in net.rows[begin:end]:
            for v in layer:
                half = net.across[v] / 2
                reach(net.home[v], row, net.at[v] - half, net.at[v] + half)
    for cluster in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        title = net.titles[cluster]
        for row, begin in enumerate(begins):
            if (cluster, row) not in found:
                continue
            top, low = found[cluster, row]
            top, low = top - FRAME, low + FRAME
            if not net.down:
                top -= TITLE if title else 0.0
            elif title > low - top:
                upper, lower = net.borders[cluster, begin]
                top = max(upper, min((top + low - title) / 2, lower - title))
                low = top + title
            found[cluster, row] = (top, low)
            reach(net.parent[cluster], row, top, low)
    return found
