"""Fourth step: coordinates along the flow, and the folding of drawings that grow too long.

From one layer to the next lie, in this order: the layer's boxes, the labels of their arrows, the
frames that end here, a channel in which arrows change their position, and the frames that begin.
Arrows bend in channels only; everywhere else they run straight, each in a place of its own, so no
arrow touches a box that it does not belong to.

A drawing much longer than it is high is folded, like text into lines: the layers are dealt out to
rows, cut where few arrows cross.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, sqrt

from .net import Net
from .place import FRAME, FRAME_GAP, TITLE

__all__ = ["Course", "course"]

CHANNEL = 28.0  # the least width of a channel
STEEP = 0.13  # a channel widens by so much of the farthest jump across it …
STEEPEST = 56.0  # … up to this

TRACK = 9.0  # between the arrows that are led around a fold
FOLD = 20.0  # from the last frame or box to the first of them
GUTTER = 18.0  # from the lowest thing of a row to the first of them
LONG = 2600.0  # a shorter drawing is not folded unless asked
SLIM = 5.0  # nor is one that is not this many times longer than broad
LINE = 1500.0  # a row of a folded drawing is not made shorter than this
SHAPE = 1.7  # length by breadth that folding aims at
TANGLE = 6  # more arrows or frames than these are never cut


@dataclass(slots=True)
class Course:
    """Where each layer stands.  Across positions in `Net.at` are still to be moved by `shift`."""

    start: list[float]  # the layer's boxes, along the flow
    end: list[float]
    enter: list[float]  # the channel before ends here
    leave: list[float]  # the channel behind begins here
    inset: list[float]  # from a cluster's first layer back to its frame
    outset: list[float]  # from a cluster's last layer on to its frame
    row: list[int]  # in which row of a folded drawing each layer is
    shift: list[float] = field(default_factory=list)  # of each row, across
    extent: list[tuple[float, float]] = field(default_factory=list)  # each row's along: from, to
    bottom: list[float] = field(default_factory=list)  # each row's lowest thing, after the shift


def course(net: Net, wrap: float | None) -> Course:
    """Place the layers along the flow; `wrap` is the length of a row, None to decide here."""
    inset, outset = _depths(net, net.first, TITLE if net.down else 0.0), _depths(net, net.last, 0.0)
    layers = range(len(net.rows))
    lead_in, lead_out = [0.0] * len(layers), [0.0] * len(layers)
    for c in range(1, len(net.parent)):
        if net.last[c] >= 0:
            lead_in[net.first[c]] = max(lead_in[net.first[c]], inset[c])
            lead_out[net.last[c]] = max(lead_out[net.last[c]], outset[c])
    sizes = [max(net.along[v] for v in row) for row in net.rows]
    tails = [max(net.label[v] for v in row) for row in net.rows]
    channels = [_channel(net, row) for row in net.rows]
    if not net.down:
        between = [tails[i] + lead_out[i] + channels[i] + lead_in[i + 1] for i in layers[:-1]]
        _make_room_for_titles(net, sizes, between, inset, outset)

    at = Course([], [], [], [], inset, outset, row=[0] * len(layers))
    here = 0.0
    for i in layers:
        at.enter.append(here)
        at.start.append(here + lead_in[i])
        at.end.append(at.start[i] + sizes[i])
        at.leave.append(at.end[i] + tails[i] + lead_out[i])
        here = at.leave[i] + channels[i]
    _fold(net, at, wrap)
    return at


def _depths(net: Net, side: list[int], title: float) -> list[float]:
    """How far each cluster's frame stands off its outermost layer on one `side`."""
    deep = [0.0] * len(net.parent)
    for c in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        deep[c] += FRAME + (title if net.titles[c] else 0.0)  # the innermost are done first
        if side[net.parent[c]] == side[c]:
            deep[net.parent[c]] = max(deep[net.parent[c]], deep[c])
    return deep


def _channel(net: Net, row: list[int]) -> float:
    jumps = (abs(net.at[u] - net.at[v]) for v in row for u in net.after[v])
    return CHANNEL + min(STEEPEST, STEEP * max(jumps, default=0.0))


def _make_room_for_titles(
    net: Net, sizes: list[float], between: list[float], inset: list[float], outset: list[float]
) -> None:
    """Widen the last layer of each cluster that is shorter than its title."""
    for c in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        if net.last[c] >= 0 and net.titles[c]:
            first, last = net.first[c], net.last[c]
            length = inset[c] + sum(sizes[first : last + 1]) + sum(between[first:last]) + outset[c]
            sizes[last] += max(0.0, net.titles[c] - length)


# ----- folding -----------------------------------------------------------------------------------


def _fold(net: Net, at: Course, wrap: float | None) -> None:
    spans = [_span(net, row) for row in net.rows]
    cuts = _cuts(net, at, spans, wrap)
    begin, down = 0, 0.0
    for r, end in enumerate([*cuts, len(net.rows)]):
        if r:
            arrows = sum(len(net.after[v]) for v in net.rows[begin - 1])
            down += 2 * GUTTER + TRACK * arrows
        top = min(spans[i][0] for i in range(begin, end))
        low = max(spans[i][1] for i in range(begin, end))
        origin = at.enter[begin]
        inner = [0, 0]  # how many frames inside each other are cut at its beginning and end
        for c in range(1, len(net.parent)):
            for side, cut in enumerate((begin, end)):
                if net.first[c] < cut <= net.last[c]:
                    inner[side] = max(inner[side], net.depth[c])
        for i in range(begin, end):
            at.row[i] = r
            for line in (at.start, at.end, at.enter, at.leave):
                line[i] -= origin
        at.shift.append(down - top)
        down += low - top
        at.bottom.append(down)
        at.extent.append((-FRAME * inner[0], at.leave[end - 1] + FRAME * inner[1]))
        begin = end


def _span(net: Net, row: list[int]) -> tuple[float, float]:
    """How far a layer reaches across, with the frames around its boxes."""
    top, low = inf, -inf
    for v in row:
        around = net.ancestors(v)
        half = net.across[v] / 2 + FRAME * len(around)
        titles = 0.0 if net.down else TITLE * sum(1 for c in around if net.titles[c])
        top, low = min(top, net.at[v] - half - titles), max(low, net.at[v] + half)
    return top, low


def _cuts(
    net: Net, at: Course, spans: list[tuple[float, float]], wrap: float | None
) -> list[int]:
    """The layers with which a new row begins."""
    length = at.leave[-1]
    breadth = max(low for _, low in spans) - min(top for top, _ in spans)
    if wrap is None:
        if length < LONG or length < SLIM * breadth:
            return []
        wrap = max(LINE, sqrt(SHAPE * length * (breadth + 3 * GUTTER)))
    if length <= wrap or any(_direct(net, path) for path in net.paths):
        return []
    costs = _costs(net)
    cuts = []
    begin = 0
    while length - at.enter[begin] > wrap:
        limit = at.enter[begin] + wrap
        end = begin + 1
        best = -1
        while end < len(net.rows) and (end == begin + 1 or at.leave[end - 1] <= limit):
            late = at.leave[end - 1] >= at.enter[begin] + 0.6 * wrap
            if best < 0 or late and costs[end] <= costs[best] or costs[end] < costs[best]:
                best = end
            end += 1
        if best < 0 or end == len(net.rows) and at.leave[-1] <= limit:
            break
        if costs[best] > TANGLE:
            return []
        cuts.append(best)
        begin = best
    return cuts


def _direct(net: Net, path: list[int]) -> bool:
    return len(path) == 2 and net.layer[path[1]] > net.layer[path[0]] + 1


def _costs(net: Net) -> list[int]:
    """What a cut before each layer would cost: the arrows and the frames that it crosses."""
    costs = [0] * (len(net.rows) + 1)
    for i, row in enumerate(net.rows[:-1]):
        costs[i + 1] = sum(len(net.after[v]) for v in row)
    for c in range(1, len(net.parent)):
        for i in range(net.first[c] + 1, net.last[c] + 1):
            costs[i] += 1
    return costs
