"""Fourth step: coordinates along the flow.

From one layer to the next lie, in this order: the layer's boxes, the labels of their arrows, the
frames that end here, a channel in which arrows change their position, and the frames that begin.
Arrows bend in channels only; everywhere else they run straight, each in a place of its own, so no
arrow touches a box that it does not belong to.

A drawing may be folded into rows (see `fold`): then each row begins at 0, below the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..arithmetic import total
from .demands import FRAME, TITLE
from .net import Net
from .panels import Breadths, breadths

__all__ = ["FOLD", "GUTTER", "TRACK", "Course", "course"]

CHANNEL = 28.0  # the least width of a channel
STEEP = 0.13  # a channel widens by so much of the farthest jump across it …
STEEPEST = 56.0  # … up to this

TRACK = 9.0  # between the arrows that are led around a fold
FOLD = 20.0  # from the last frame or box to the first of them
GUTTER = 18.0  # from the lowest thing of a row to the first of them


@dataclass(slots=True)
class Course:
    """Where each layer stands.  Across positions in `Net.at` are still to be moved by `shift`."""

    start: list[float]  # the layer's boxes, along the flow
    end: list[float]
    enter: list[float]  # the channel before ends here
    leave: list[float]  # the channel behind begins here
    inset: list[float]  # from a cluster's first layer back to its frame
    outset: list[float]  # from a cluster's last layer on to its frame
    row: list[int] = field(default_factory=list)  # in which row of a folded drawing it is
    begins: list[int] = field(default_factory=list)  # the first layer of each row
    shift: list[float] = field(default_factory=list)  # of each row, across
    extent: list[tuple[float, float]] = field(default_factory=list)  # each row's along: from, to
    breadths: Breadths = field(default_factory=dict)  # before the shift
    bottom: list[float] = field(default_factory=list)  # each row's lowest thing, after the shift


def course(net: Net, cuts: Sequence[int] = ()) -> Course:
    """Place the layers along the flow; with each of the layers `cuts` begins a new row."""
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

    at = Course([], [], [], [], inset, outset)
    here, breaks = 0.0, set(cuts)
    for i in layers:
        if i in breaks:
            here = 0.0
        at.enter.append(here)
        at.start.append(here + lead_in[i])
        at.end.append(at.start[i] + sizes[i])
        at.leave.append(at.end[i] + tails[i] + lead_out[i])
        here = at.leave[i] + channels[i]
    _stack(net, at, cuts)
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
            boxes, channels = total(sizes[first : last + 1]), total(between[first:last])
            sizes[last] += max(0.0, net.titles[c] - (inset[c] + boxes + channels + outset[c]))


def _stack(net: Net, at: Course, cuts: Sequence[int]) -> None:
    """Put the rows below each other, with room between them for the arrows that lead around."""
    at.begins = [0, *cuts]
    at.breadths = breadths(net, at.begins)
    down = 0.0
    for row, (begin, end) in enumerate(pairwise([*at.begins, len(net.rows)])):
        if row:
            arrows = sum(len(net.after[v]) for v in net.rows[begin - 1])
            down += 2 * GUTTER + TRACK * arrows
        inner = [0, 0]  # how many frames inside each other are cut at its beginning and end
        for c in range(1, len(net.parent)):
            for side, cut in enumerate((begin, end)):
                if net.first[c] < cut <= net.last[c]:
                    inner[side] = max(inner[side], net.depth[c])
        top, low = at.breadths[0, row]
        at.row += [row] * (end - begin)
        at.shift.append(down - top)
        down += low - top
        at.bottom.append(down)
        at.extent.append((-FRAME * inner[0], at.leave[end - 1] + FRAME * inner[1]))
