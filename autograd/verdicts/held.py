"""The memory of a graph: which arrays it keeps for backward, made by which operation and line.

A node keeps its data until a backward pass frees the graph, and an array that several nodes look
at is there once.  What the gradient rules read of it is less: see `Op.saves`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from ..node import Freed, Node, Op, _data_read

__all__ = ["arrays", "held_by_node", "needed_by_node", "read_by_backward", "shared_out"]


def held_by_node(nodes: Sequence[Node]) -> dict[Node, int]:
    """Node → bytes of the arrays that it, of these nodes, is the oldest to hold.

    An array is counted once, a view with the array that it looks at.  Leaves have none: their
    data were given, and live without the graph.  What they hold, nobody else is charged for.
    """
    return _shared_out(nodes, lambda node: True)


def needed_by_node(nodes: Sequence[Node]) -> dict[Node, int]:
    """The same, of arrays that a gradient rule reads: the rest is kept, and nobody looks at it."""
    read = read_by_backward(nodes)
    return _shared_out(nodes, read.__contains__)


def shared_out(nodes: Iterable[Node]) -> dict[Node, int]:
    """Node → bytes of the arrays that it is the first of these to hold."""
    seen: set[int] = set()
    shares = {}
    for node in nodes:
        new = {id(a): a.nbytes for a in arrays(node) if id(a) not in seen}
        seen |= new.keys()
        shares[node] = sum(new.values())
    return shares


def _shared_out(nodes: Sequence[Node], counts: Callable[[Node], bool]) -> dict[Node, int]:
    """Each array's bytes for the oldest node that holds it, if one that `counts` holds it too."""
    owners: dict[int, Node] = {}
    sizes: dict[int, int] = {}
    counted = set()
    for node in sorted(nodes, key=lambda node: (node.op is not None, node.order)):
        for array in arrays(node):
            owners.setdefault(id(array), node)
            sizes[id(array)] = array.nbytes
            if counts(node):
                counted.add(id(array))
    held = dict.fromkeys(nodes, 0)
    for key in counted:
        if owners[key].op is not None:
            held[owners[key]] += sizes[key]
    return held


def arrays(node: Node) -> Iterator[Any]:
    """The arrays in memory behind a node: of a view, the one that it looks at."""
    for raw in node.raw if isinstance(node.raw, tuple) else (node.raw,):
        array = raw
        while hasattr(getattr(array, "base", None), "nbytes"):
            array = array.base
        if hasattr(array, "nbytes"):
            yield array


def read_by_backward(nodes: Iterable[Node]) -> set[Node]:
    """The nodes whose data some gradient rule will read."""
    read: set[Node] = set()
    for node in nodes:
        op = node.op
        if op is None or not node.requires_grad or node.inputs.__class__ is Freed:
            continue
        names = _reads(op, tuple([x.requires_grad for x in node.inputs]))
        if "result" in names:
            read.add(node)
        last = len(op.inputs) - 1
        read |= {x for i, x in enumerate(node.inputs) if op.inputs[min(i, last)] in names}
    return read


@cache
def _reads(op: Op, wanted: tuple[bool, ...]) -> frozenset[str]:
    """Whose data the rules for these inputs read: less than `Op.saves`, which is for all."""
    if op.joint is not None:
        return op.saves
    rules = [r for r, w in zip(op.rules, wanted, strict=False) if w and r is not None]
    return frozenset().union(*[_data_read(rule, ["result", *op.inputs]) for rule in rules])
