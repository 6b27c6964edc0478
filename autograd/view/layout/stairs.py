"""Straight lines that make a drawing much higher than it must be, and where to bend them.

Every run alone may be straight, and yet each force the next to stand lower, layer after layer, as
the steps of a stair do.  With every line bent at every layer there are no stairs: that drawing is
as low as its frames let it be, and tells how far down each vertex may stand so that everything
below it still fits.  One walk down the drawing then cuts a run wherever it would have to stand
lower in one layer than it may in another.
"""

from __future__ import annotations

from itertools import pairwise

from ..arithmetic import total
from .demands import Demands
from .net import Net

__all__ = ["levelled"]

_SLACK, _SPARE = 1.6, 400.0  # how much higher than it must be a drawing may be
_SHARE = 0.25  # of that, how much a single line may use up


def levelled(net: Net, demands: Demands) -> list[list[int]]:
    """The runs of `demands`, cut where the drawing would get too high; linear in its size."""
    fullest = max(total(net.gap(a, b) for a, b in pairwise(row)) for row in demands.rows)
    if max(demands.lowest([0.0] * len(demands.after))) <= _SLACK * fullest + _SPARE:
        return demands.runs
    bent = Demands(net, demands.rows, [[v] for run in demands.runs for v in run])
    above = bent.highest([0.0] * len(bent.after))  # how high each stands above the lowest of all
    limit = -_SLACK * min(above) + _SPARE
    most = _SHARE * (limit + min(above))  # that a line may push any vertex of its own down
    low = [0.0] * len(bent.after)
    pieces: dict[int, list[list[int]]] = {}  # of each run
    for item in demands.topological:
        if item >= len(demands.runs):  # the border of a frame
            border = item - len(demands.runs) + len(bent.runs)
            low[border] = _lowest(bent, low, border)
            continue
        pieces[item] = []
        piece: list[int] = []
        deep, deepest = 0.0, 0.0  # where the piece must stand, and where it may at most
        for vertex in demands.runs[item]:
            variable = bent.run[vertex]
            must = _lowest(bent, low, variable)
            may = min(limit + above[variable], must + most)
            if piece and max(deep, must) <= min(deepest, may):
                deep, deepest = max(deep, must), min(deepest, may)
            else:
                piece, deep, deepest = [], must, may
                pieces[item].append(piece)
            piece.append(vertex)
            low[variable] = deep
        for piece in pieces[item]:  # as low as the lowest of its members
            for vertex in piece:
                low[bent.run[vertex]] = low[bent.run[piece[-1]]]
    return [piece for run in range(len(demands.runs)) for piece in pieces[run]]


def _lowest(bent: Demands, low: list[float], variable: int) -> float:
    return max([low[a] + distance for a, distance in bent.before[variable]], default=0.0)
