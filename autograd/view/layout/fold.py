"""Where to fold a drawing that is much longer than broad, as text is broken into lines.

Choosing the best places is the problem of setting a paragraph (Knuth and Plass, "Breaking
paragraphs into lines", 1981): every row has a cost for the room it leaves empty and for what its
end cuts through, and the cheapest sequence of rows is found layer by layer.
"""

from __future__ import annotations

from bisect import bisect_right
from math import inf, sqrt

from .along import GUTTER, Course
from .net import Net

__all__ = ["fold"]

LONG, TALL = 2000.0, 3200.0  # a shorter, or lower, drawing is not folded unless asked
SLIM = 4.0  # nor is one that is not this many times longer than broad
ROW, LONGEST = 1500.0, 4000.0  # the length of a row lies between
SHAPE = 1.7  # length by breadth that folding aims at
ARROW, LEAF, FRAMES = 0.05, 0.6, 0.3  # costs of cutting; that of a row all empty is 1
TANGLE = 6  # more arrows than these are never cut


def fold(net: Net, at: Course, wrap: float | None) -> list[int]:
    """The layers with which a new row begins; `wrap` is the length of a row, None to decide here.

    Empty where the drawing is short enough, or so interwoven that no cut would do.
    """
    length = at.leave[-1]
    if wrap is None:
        breadth = at.bottom[0]
        if length < (TALL if net.down else LONG) or length < SLIM * breadth:
            return []
        wrap = min(max(ROW, sqrt(SHAPE * length * (breadth + 3 * GUTTER))), LONGEST)
    loose = any(  # without lanes, so not to be led around a fold
        net.layer[path[-1]] - net.layer[path[0]] + 1 > len(path) for path in net.paths
    )
    if length <= wrap or loose:
        return []
    arrows = [0] + [sum(len(net.after[v]) for v in row) for row in net.rows[:-1]]
    leaves = [0] + [
        sum(1 for v in row if net.after[v] and not net.before[v]) for row in net.rows[:-1]
    ]
    frames = [0] * len(net.rows)
    for c in range(1, len(net.parent)):
        for layer in range(net.first[c] + 1, net.last[c] + 1):
            frames[layer] += 1

    count = len(net.rows)
    cut = [
        inf if a > TANGLE else ARROW * a + LEAF * b + FRAMES * c**2
        for a, b, c in zip(arrows, leaves, frames, strict=True)
    ] + [0.0]
    cost = [inf] * count + [0.0]  # of the layers from each one on, if a row begins with it
    following = [count] * count
    for begin in reversed(range(count)):
        origin = at.enter[begin]
        longest = max(bisect_right(at.leave, origin + wrap), begin + 1)
        for end in range(begin + 1, longest + 1):
            empty = 1 - (at.leave[end - 1] - origin) / wrap if end < count else 0.0
            total = empty * empty + cut[end] + cost[end]
            if total < cost[begin]:
                cost[begin], following[begin] = total, end
    cuts = []
    layer = following[0]
    while layer < count:
        cuts.append(layer)
        layer = following[layer]
    return cuts if cost[0] < inf else []
