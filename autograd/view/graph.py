"""From the trace of a computation to a `Picture` of it: which boxes, which words.

One box per node with its data and its gradient, one pill per operation, a frame around what each
module computed.
"""

from __future__ import annotations

from math import inf, isnan, log10, nan
from types import FrameType

from ..errors import GraphError
from ..node import Node, history
from .folded import Group, fold
from .picture import Arrow, Box, Cluster, Picture, Rankdir
from .trace import GraphTrace
from .trace.model import Datum, Scope, Stats, TraceNode

__all__ = ["LIMIT", "picture"]

LIMIT = 20_000
"""The nodes that are drawn at most: beyond, a picture takes minutes and megabytes."""

MISSING = "—"
"""What stands for a gradient that was not computed: never 0, which would look like one."""


def picture(
    *roots: Node,
    rankdir: Rankdir = "LR",
    depth: int | None = None,
    frame: FrameType | None = None,
) -> Picture:
    """The picture of all that the roots were computed from.

    What lies deeper than `depth` calls of modules is folded.  Nodes that have no better name get
    that of a variable of `frame`.
    """
    count = len(history(*roots))
    if count > LIMIT:
        raise GraphError(
            f"draw: the graph has {count:,} nodes, more than the {LIMIT:,} that anybody could "
            "look at. Draw a part of it: a node further back, or the same model on fewer samples; "
            "explore() folds modules."
        )
    return pictured(GraphTrace.still(*roots, frame=frame), rankdir, depth)


def pictured(trace: GraphTrace, rankdir: Rankdir = "LR", depth: int | None = None) -> Picture:
    """The picture of a trace, with what lies deeper than `depth` calls folded."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    drawn: set[Arrow] = set()  # into boxes that stand for many
    folded = fold(trace, depth)
    stand = [folded[i].key if i in folded else str(i) for i in range(len(trace.nodes))]
    for i, node in enumerate(trace.nodes):
        key, pill = str(i), f"{i} {node.op}"
        group = folded.get(i)
        if group is not None:
            if i == group.nodes[0]:
                boxes.append(_folded(group, trace))
            inner = [x for x in node.inputs if stand[x] != group.key]
            into = [Arrow(_tail(x, stand, trace), group.key) for x in inner]
            arrows += [arrow for arrow in dict.fromkeys(into) if arrow not in drawn]
            drawn.update(into)
            continue
        cluster = trace.scopes[node.scope].key if node.scope >= 0 else None
        several = bool(node.parts)
        if node.op == "part":
            arrows.append(Arrow(_tail(node.inputs[0], stand, trace), key))
        elif node.op:
            symbol = node.symbol or trace.ops[node.op].symbol
            boxes.append(Box(pill, "op", (symbol,), cluster, tooltip=_tell(node, trace)))
            arrows += [Arrow(stand[x], pill) for x in node.inputs]
            if not several:
                arrows.append(Arrow(pill, key))
        if several:  # its results are boxes of their own
            continue
        boxes.append(
            Box(
                key=key,
                kind=node.kind if node.kind != "parameter" or trace.kind == "tensors" else "input",
                lines=_lines(node),
                cluster=cluster,
                tone=None if node.kind == "constant" else _tone(node.grad),
                tooltip=node.where,
            )
        )
    clusters = [_cluster(scope, trace) for scope in trace.scopes]
    shown = {box.cluster for box in boxes}
    for frame in reversed(clusters):
        if frame.key in shown:
            shown.add(frame.parent)
    clusters = [frame for frame in clusters if frame.key in shown]
    return Picture(
        tuple(boxes), tuple(arrows), tuple(clusters), rankdir, tone_label="gradient size"
    )


def _tail(x: int, stand: list[str], trace: GraphTrace) -> str:
    """The box that an arrow from a node begins at: of several results, their operation's pill."""
    if stand[x] != str(x) or not trace.nodes[x].parts:
        return stand[x]
    return f"{x} {trace.nodes[x].op}"


def _folded(group: Group, trace: GraphTrace) -> Box:
    """The box of a group, with the largest gradient inside as its colour."""
    nodes = [trace.nodes[i] for i in group.nodes]
    tones = [tone for node in nodes if (tone := _tone(node.grad)) is not None]
    worst = nan if any(isnan(tone) for tone in tones) else max(tones, default=None)
    return Box(group.key, "value", group.words(trace), group.cluster, worst, nodes[0].where)


def _cluster(scope: Scope, trace: GraphTrace) -> Cluster:
    parent = trace.scopes[scope.parent].key if scope.parent >= 0 else None
    named = scope.path and scope.module
    return Cluster(scope.key, f"{scope.path}: {scope.name}" if named else scope.name, parent)


def _tell(node: TraceNode, trace: GraphTrace) -> str:
    """An op in words: what it computes, and with which parameters."""
    return f"{node.op}({node.params}): {trace.ops[node.op].doc}"


def _lines(node: TraceNode) -> tuple[tuple[str, ...], ...]:
    """The rows of a node's box: its name, then its data and gradient, in micrograd's manner."""
    if node.shape is None:
        cells = (f"data {_number(node.data)}", f"grad {_size(node.grad)}")
        return ((node.name, *cells),) if node.name else (cells,)
    if not node.dtype:  # a number that was an operand
        number = _number(node.data)
        return ((node.name, number),) if node.name else ((number,),)
    shape = "×".join(map(str, node.shape)) or "scalar"
    rows: tuple[tuple[str, ...], ...] = ((f"{shape} {node.dtype}",),)
    if "float" in node.dtype:
        bar = "|" if node.shape else ""
        data = f"{bar}data{bar} {_size(node.data)}"
        rows += ((data, f"{bar}grad{bar} {_size(node.grad)}"),)
    return ((node.name,), *rows)


def _size(x: Datum | None) -> str:
    """A number, or the norm of an array."""
    if x is None:
        return MISSING
    return _number(_norm(x) if isinstance(x, Stats) else x)


def _norm(x: Stats) -> float:
    return nan if x.nan else inf if x.inf else x.norm


def _tone(gradient: Datum | None) -> float | None:
    """The colour of a box: the decimal logarithm of its gradient's size."""
    if gradient is None:
        return None
    size = abs(_norm(gradient) if isinstance(gradient, Stats) else gradient)
    if isnan(size):
        return nan
    return -inf if size == 0 else inf if size == inf else log10(size)


def _number(x: Datum | None) -> str:
    """A number as it is read: four decimals near 1, powers of ten far from it."""
    if not isinstance(x, float):
        return str(x)
    return f"{x:.4f}" if x == 0 or 1e-3 <= abs(x) < 1e5 else f"{x:.2e}"
