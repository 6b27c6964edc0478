"""From the trace of a computation to a `Picture` of it: which boxes, which words.

One box per node with its data and its gradient, one pill per operation, a frame around what each
module computed.
"""

from __future__ import annotations

from math import inf, isnan, log10, nan
from types import FrameType

from ..errors import GraphError
from ..node import Node, history
from .picture import Arrow, Box, Cluster, Picture, Rankdir
from .trace import GraphTrace
from .trace.model import Datum, Scope, Stats, TraceNode

__all__ = ["LIMIT", "picture"]

LIMIT = 20_000
"""The nodes that are drawn at most: beyond, a picture takes minutes and megabytes."""

MISSING = "—"
"""What stands for a gradient that was not computed: never 0, which would look like one."""


def picture(*roots: Node, rankdir: Rankdir = "LR", frame: FrameType | None = None) -> Picture:
    """The picture of all that the roots were computed from.

    Nodes that have no better name get that of a variable of `frame`.
    """
    count = len(history(*roots))
    if count > LIMIT:
        raise GraphError(
            f"draw: the graph has {count:,} nodes, more than the {LIMIT:,} that anybody could "
            "look at. Draw a part of it: a node further back, or the same model on fewer samples; "
            "explore() folds modules."
        )
    return pictured(GraphTrace.still(*roots, frame=frame), rankdir)


def pictured(trace: GraphTrace, rankdir: Rankdir = "LR") -> Picture:
    """The picture of a trace."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    for i, node in enumerate(trace.nodes):
        key, pill = str(i), f"{i} {node.op}"
        cluster = trace.scopes[node.scope].key if node.scope >= 0 else None
        several = bool(node.parts)
        if node.op == "part":
            arrows.append(Arrow(f"{node.inputs[0]} {trace.nodes[node.inputs[0]].op}", key))
        elif node.op:
            symbol = node.symbol or trace.ops[node.op].symbol
            boxes.append(Box(pill, "op", (symbol,), cluster, tooltip=_tell(node, trace)))
            arrows += [Arrow(str(x), pill) for x in node.inputs]
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
    return Picture(
        tuple(boxes), tuple(arrows), tuple(clusters), rankdir, tone_label="gradient size"
    )


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
