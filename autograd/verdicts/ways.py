"""The ways between a leaf and the loss, and what flows back along them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..calls import constant
from ..node import Node
from ..reverse import _pull_of, sweep
from .words import host, np

__all__ = ["carried_by", "flowing", "flows_to", "has_rule", "hosts", "nonzero", "not_finite",
]  # fmt: skip


def carried_by(p: Node, nodes: Sequence[Node]) -> set[Node]:
    """Of nodes, newest first: p and those through which a gradient comes back to it."""
    carried = {p} & set(nodes)
    for node in reversed(nodes):
        ways = (i for i, x in enumerate(node.inputs) if x in carried)
        if node.requires_grad and any(has_rule(node, i) for i in ways):
            carried.add(node)
    return carried


def has_rule(node: Node, i: int) -> bool:
    """Whether a gradient flows from a node to its i-th input."""
    op = node.op
    assert op is not None
    return op.joint is not None or op.rules[i] is not None


def flowing(outputs: Sequence[Node]) -> dict[Node, Any]:
    """The raw gradient of every node, of the sum of the outputs; nothing is changed or freed."""
    ends = [y for y in outputs if y.requires_grad]
    if not ends:
        return {}
    with np.errstate(all="ignore"):
        seeds = [constant(y, 1) for y in ends]
        return sweep(ends, seeds, retain_graph=True, keep=True)


def flows_to(node: Node, g: Any) -> dict[Node, Any]:
    """What one node passes on to each of its inputs, of the gradient g that arrives at it."""
    assert node.op is not None
    kind = "array" if node.is_array else "number"
    found: dict[Node, Any] = {}
    with np.errstate(all="ignore"):
        (node.op.pulls.get(kind) or _pull_of(node.op, kind))(node, g, found, None, True)
    return found


def hosts(g: Any) -> list[Any]:
    """A gradient as arrays on the host; that of several results has one for each."""
    parts = g.values() if isinstance(g, dict) else [g]
    return [host(x.raw if isinstance(x, Node) else x) for x in parts]


def not_finite(g: Any) -> bool:
    """Whether any of a gradient is NaN or infinite."""
    return not all(bool(np.isfinite(x.astype("float64")).all()) for x in hosts(g))


def nonzero(g: Any) -> bool:
    """Whether any of it is not 0."""
    return any(bool((x != 0).any()) for x in hosts(g))
