"""The backward pass, one rule at a time: what each operation adds to the gradient of each input.

The same rules in the same order as `reverse.sweep`, but nothing is thrown away and nothing written:
no `.grad` changes, and the graph stays.  So the sums are the gradients that `backward()` gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ...node import Node, no_grad
from ...ops.shape import detach, sum_to
from ...reverse import hooked
from ...several import Bundle, add_parts, filled

__all__ = ["Contribution", "backward", "contributions", "seed_of"]


class Contribution(NamedTuple):
    """What a node adds to the gradient of the input at a position, as raw data.

    `local` is ∂z/∂x, where both are single numbers.
    """

    input: Node
    position: int
    value: Any
    local: Any = None


def backward(
    root: Node, seed: Any, nodes: Sequence[Node]
) -> Iterator[tuple[Node, Any, list[Contribution]]]:
    """Each node that a gradient reaches, newest first, with that gradient and what it adds.

    `nodes` are those of the root's history, each behind its inputs.  For leaves nothing is added.
    """
    found: dict[Node, Any] = {root: seed}
    with no_grad():
        for node in reversed(nodes):
            if node not in found:
                continue
            g = found.pop(node)
            if node.extra and "hooks" in node.extra:
                g = hooked(node, g, False)
            added = list(contributions(node, g))
            for x, _, value, _ in added:
                if isinstance(x, Bundle):
                    add_parts(found.setdefault(x, {}), value)
                else:
                    found[x] = found[x] + value if x in found else value
            yield node, filled(node, g, raw=True) if isinstance(node, Bundle) else g, added


def seed_of(root: Any, gradient: Any = None) -> Any:
    """The gradient that arrives at a root, as raw data: 1 where none is given, as in `backward`."""
    if root.is_array:
        return root._seed(gradient).raw
    return type(root.raw)(1) if gradient is None else gradient


def contributions(node: Node, g: Any) -> Iterator[Contribution]:
    """The gradient that arrives at a node, pulled back to each of its inputs that wants one."""
    op, inputs = node.op, node.inputs
    if op is None or op is detach:
        return
    if isinstance(node, Bundle):
        g = filled(node, g, raw=True)
    pulled = _pulled(node, g)
    local = [None] * len(inputs) if node.is_array else _pulled(node, type(node.raw)(1))
    for i, (x, value, slope) in enumerate(zip(inputs, pulled, local, strict=True)):
        if value is None or not x.requires_grad:
            continue
        if x.is_array and not isinstance(x, Bundle) and value.shape != x.shape:
            value = sum_to(value, shape=x.shape)
        yield Contribution(x, i, value, slope)


def _pulled(node: Node, g: Any) -> Sequence[Any]:
    """What the op's rules make of g, per input."""
    op, raws = node.op, [x.raw for x in node.inputs]
    assert op is not None
    if op.joint is not None:
        pulled: Sequence[Any] = op.joint(g, node.raw, *raws, **node.params)
        return pulled
    return [
        rule(g, node.raw, *raws, **node.params) if rule is not None and x.requires_grad else None
        for x, rule in zip(node.inputs, op.rules, strict=True)
    ]
