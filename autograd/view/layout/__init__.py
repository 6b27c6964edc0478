"""Where everything goes: a layered layout in the manner of Sugiyama, without Graphviz.

Five steps, each a file: `ranks` deals the boxes out to layers, `order` sorts the layers, `place`
finds coordinates across the flow and `along` those along it, `trace` draws lines and frames.  All
are loops, so a chain of any length is laid out at the default recursion limit; all are close to
linear in the size of the drawing; and none draws lots, so equal pictures give equal layouts.

The page has the same layout in TypeScript, file by file and name by name, in `page/src/layout`; a
change here is a change there.
"""

from __future__ import annotations

from itertools import pairwise

from ..picture import Picture
from .along import course
from .fold import fold
from .net import build
from .order import order
from .parts import assemble, split
from .place import place
from .plan import Layout, Panel, Point, Rect, Route, Step
from .runs import trunks
from .trace import trace

__all__ = ["Layout", "Panel", "Point", "Rect", "Route", "Step", "layout"]


def layout(picture: Picture, wrap: float | None = None) -> Layout:
    """Lay out `picture`.

    A drawing longer than `wrap` px along its flow goes on in a new row, as text does in a new
    line, wherever few arrows are in the way.  None folds only what is very long and slim, so that
    a chain of two hundred boxes fits on a page; `math.inf` never folds.
    """
    return assemble(picture, [(_layout(part, wrap), places) for part, places in split(picture)])


def _layout(picture: Picture, wrap: float | None) -> Layout:
    if not picture.boxes:
        return Layout(0.0, 0.0, {}, {}, (), {cluster.key: () for cluster in picture.clusters})
    net = build(picture)
    order(net)
    straight = trunks(net)
    place(net, straight, 0, len(net.rows))
    at = course(net)
    cuts = fold(net, at, wrap)
    if cuts:  # every row is placed anew, free from what the others need
        for begin, end in pairwise([0, *cuts, len(net.rows)]):
            place(net, straight, begin, end)
        at = course(net, cuts)
    return trace(picture, net, at)
