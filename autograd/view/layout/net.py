"""The picture as numbers: what the steps of the layout read and write.

Vertices 0 … boxes-1 are the boxes.  After them come *lanes*, which carry an arrow through a layer
that it has to cross, and *fillers*, which keep a cluster's place in a layer where it has no
member.  Every edge joins neighbouring layers, which is all that ordering and placing must know.

Coordinates are called `along` and `across` the direction of flow, and become x and y at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..frame import frame
from ..picture import Picture
from ..text import width
from .ranks import depths, ranks, turned

__all__ = ["Net", "build"]

_LABEL = 14.0  # room for a label below a box
# Between two boxes, a box and a lane, two lanes: where data flow down, and to the right.
_GAPS_DOWN, _GAPS = (26.0, 14.0, 11.0), (16.0, 12.0, 10.0)
# Limits to the lanes of a drawing, and to how many of them all its arrows pass.
_LANES, _LANES_PER_BOX = 4000, 6
_STOPS, _STOPS_PER_BOX = 20_000, 60


@dataclass(slots=True)
class Net:
    """The working state of a layout; see the module's docstring for vertices and coordinates."""

    down: bool  # flow from top to bottom
    boxes: int
    along: list[float]  # size of each vertex in the direction of flow
    across: list[float]  # room in the other direction …
    solid: list[float]  # … and how much of it the box itself takes
    label: list[float]  # room that the label of outgoing arrows takes along
    home: list[int]  # innermost cluster of each vertex; cluster 0 is the picture
    layer: list[int]
    lane: list[bool]
    light: list[bool]  # lanes, fillers, parameters and constants, which do not make a trunk
    before: list[list[int]]  # neighbours in the layer before
    after: list[list[int]]
    # clusters
    parent: list[int]
    depth: list[int]
    titles: list[float]  # width of the title; 0: none
    first: list[int]  # first layer of each cluster; beyond `last` if it is empty
    last: list[int]
    # arrows
    paths: list[list[int]]  # vertices from end to end in layer order; one alone is a loop
    turned: list[bool]  # whether the path runs against the arrow
    # what the steps find out
    rows: list[list[int]] = field(default_factory=list)  # the vertices of each layer, in order
    at: list[float] = field(default_factory=list)  # centre of each vertex across the flow
    borders: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    """Within what a cluster's frame must stay, by the cluster and the first layer of its row."""

    def ancestors(self, vertex: int) -> list[int]:
        """The clusters around a vertex from the outermost to the innermost, without cluster 0."""
        found = []
        cluster = self.home[vertex]
        while cluster:
            found.append(cluster)
            cluster = self.parent[cluster]
        return found[::-1]

    def gap(self, a: int, b: int) -> float:
        """The least distance between the centres of neighbours `a` and `b` of a layer."""
        lanes = self.lane[a] + self.lane[b]
        room = (_GAPS_DOWN if self.down else _GAPS)[lanes]
        return (self.across[a] + self.across[b]) / 2 + room


def build(picture: Picture) -> Net:
    """Measure and rank the boxes of `picture`, and give its long arrows their lanes."""
    down = picture.rankdir == "TB"
    number = {box.key: i for i, box in enumerate(picture.boxes)}
    cluster_number = {cluster.key: i for i, cluster in enumerate(picture.clusters, start=1)}
    parent = [0] + [cluster_number[c.parent] if c.parent else 0 for c in picture.clusters]
    home = [cluster_number[box.cluster] if box.cluster else 0 for box in picture.boxes]
    frames = [frame(box) for box in picture.boxes]
    n = len(home)

    arrows = [(number[arrow.tail], number[arrow.head]) for arrow in picture.arrows]
    back = [turn and a != b for turn, (a, b) in zip(turned(n, arrows), arrows, strict=True)]
    edges = [(b, a) if turn else (a, b) for (a, b), turn in zip(arrows, back, strict=True)]
    layer = ranks(home, parent, [edge for edge in edges if edge[0] != edge[1]])

    net = Net(
        down=down,
        boxes=n,
        along=[f.height if down else f.width for f in frames],
        across=[f.width if down else f.height for f in frames],
        solid=[f.width if down else f.height for f in frames],
        label=[0.0] * n,
        home=home,
        layer=layer,
        lane=[False] * n,
        light=[box.kind in ("parameter", "constant") for box in picture.boxes],
        before=[[] for _ in range(n)],
        after=[[] for _ in range(n)],
        parent=parent,
        depth=depths(parent),
        titles=[0.0] + [width(c.title, "title") + 20 if c.title else 0.0 for c in picture.clusters],
        first=[len(frames)] * len(parent),
        last=[-1] * len(parent),
        paths=[],
        turned=back,
    )
    for box in range(n):
        _stretch(net, box)
    for arrow, (a, b), turn in zip(picture.arrows, edges, back, strict=True):
        if arrow.label:
            room = _LABEL if down else width(arrow.label, "word") + 10.0
            net.label[a] = max(net.label[a], room)
            if down and not turn:  # the label stands beside the line
                net.across[a] = max(net.across[a], 2 * width(arrow.label, "word") + 12.0)
        if a == b:  # a loop is drawn above the box
            net.across[a] += 24.0
    _add_lanes(net, edges)
    _add_fillers(net)
    net.rows = [[] for _ in range(max(net.layer, default=-1) + 1)]
    for vertex, level in enumerate(net.layer):
        net.rows[level].append(vertex)
    return net


def _stretch(net: Net, vertex: int) -> None:
    """Let the spans of the clusters around `vertex` reach its layer."""
    cluster, level = net.home[vertex], net.layer[vertex]
    while True:
        net.first[cluster] = min(net.first[cluster], level)
        net.last[cluster] = max(net.last[cluster], level)
        if not cluster:
            return
        cluster = net.parent[cluster]


def _add_lanes(net: Net, edges: Sequence[tuple[int, int]]) -> None:
    """Lead every edge through the layers between its ends.

    Edges from the same box share their lanes as far as they can, like a bus line with stops:
    one weight used at a thousand time steps needs thousands of lanes, not millions.  A drawing
    has room for so many; when it is used up, the longest edges go without lanes.
    """
    lanes: dict[tuple[int, int, int], int] = {}
    room = _LANES + _LANES_PER_BOX * net.boxes
    stops = _STOPS + _STOPS_PER_BOX * net.boxes
    ways = [[a] for a, _ in edges]
    lengths = [net.layer[b] - net.layer[a] for a, b in edges]
    for i in sorted(range(len(edges)), key=lengths.__getitem__):
        a, b = edges[i]
        stops -= max(lengths[i] - 1, 0)
        if stops < 0 or len(lanes) > room:
            break
        for level, cluster in _territory(net, a, b):
            key = (a, level, cluster)
            if key not in lanes:
                lanes[key] = _add(net, cluster, level, lane=True)
            ways[i].append(lanes[key])
    joined: set[tuple[int, int]] = set()
    for (a, b), path in zip(edges, ways, strict=True):
        if a != b:
            path.append(b)
        net.paths.append(path)
        for p, q in pairwise(path):
            if p in net.before[q] if net.lane[q] else (p, q) in joined:
                continue
            if net.layer[q] == net.layer[p] + 1:
                joined.add((p, q))
                net.after[p].append(q)
                net.before[q].append(p)


def _territory(net: Net, a: int, b: int) -> list[tuple[int, int]]:
    """The layers strictly between `a` and `b`, each with the cluster whose ground is crossed.

    An edge leaves a cluster through its end and enters the next through its beginning, so that it
    crosses no title and no foreign frame.
    """
    out, into = net.home[a], net.home[b]
    entries = []
    while out != into:
        if net.depth[into] >= net.depth[out]:
            entries.append(into)
            into = net.parent[into]
        else:
            out = net.parent[out]
    common, leaving = into, net.home[a]
    crossed = []
    for level in range(net.layer[a] + 1, net.layer[b]):
        while leaving != common and net.last[leaving] < level:
            leaving = net.parent[leaving]
        while entries and net.first[entries[-1]] <= level:
            into = entries.pop()
        crossed.append((level, leaving if leaving != common else into))
    return crossed


def _add_fillers(net: Net) -> None:
    """Give every cluster a vertex in every layer from its first to its last."""
    present: set[tuple[int, int]] = set()
    for vertex in range(len(net.home)):
        _mark(net, present, net.home[vertex], net.layer[vertex])
    for cluster in sorted(range(1, len(net.parent)), key=lambda c: -net.depth[c]):
        for level in range(net.first[cluster], net.last[cluster] + 1):
            if (cluster, level) not in present:
                _add(net, cluster, level, lane=False)
                _mark(net, present, cluster, level)


def _mark(net: Net, present: set[tuple[int, int]], cluster: int, level: int) -> None:
    while cluster and (cluster, level) not in present:
        present.add((cluster, level))
        cluster = net.parent[cluster]


def _add(net: Net, cluster: int, level: int, lane: bool) -> int:
    """A new vertex without extent."""
    for sizes in (net.along, net.across, net.solid, net.label):
        sizes.append(0.0)
    net.home.append(cluster)
    net.layer.append(level)
    net.lane.append(lane)
    net.light.append(True)
    net.before.append([])
    net.after.append([])
    return len(net.home) - 1
