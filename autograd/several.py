"""Operations with several results, and fused ones that keep something for their gradient.

A forward that returns a tuple makes one node for all its results, a `Bundle`, from which a node
per result takes its part: so every rule stays "one node, one gradient per input".  What the op
`keeps` lies in the bundle behind its results: for its rule alone, nobody else gets to see it.

    lstm ─→ Bundle (h, c, gates) ─→ part 0: h
                                 ─→ part 1: c
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from backends import namespaces

from .errors import RuleError
from .node import WATCHED, Node, Op, Scope, current, enable_grad, op, tick

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["Bundle", "add_parts", "bundled", "by_definition", "filled", "part", "parts_of"]


class Bundle(Node):
    """All results of one operation, and what it keeps: `raw` is a tuple of arrays."""

    __slots__ = ()
    is_array: ClassVar[bool] = True
    shape = ()
    kind: ClassVar[type[Tensor]]
    """The class of its parts."""


@op(samples=())
def part(xp: Any, x: Any, *, index: int) -> Any:
    """One of several results."""
    return x[index]


part.vjp_joint(lambda g, z, x, index: ({index: g},))  # a bundle's gradient: by place, where any


def bundled(
    op: Op,
    raw: tuple[Any, ...],
    inputs: tuple[Node, ...],
    params: dict[str, Any],
    requires_grad: bool,
    scope: Scope | None,
    frame: FrameType,
) -> Any:
    """Record an op with several results: the node of each, or the node where there is one."""
    z: Bundle = object.__new__(Bundle)
    z.raw, z.order, z._grad, z.extra = raw, tick(), None, None
    z.op, z.inputs, z.params, z.scope, z.requires_grad = op, inputs, params, scope, requires_grad
    z.code, z.instruction = frame.f_code, frame.f_lasti
    return op.handed_out(parts_of(z, len(op.outputs)))


def parts_of(z: Bundle, count: int | None = None) -> tuple[Any, ...]:
    """A node for each array of a bundle; through integers and truth values no gradient flows."""
    nodes, everything = [], current().recording > 1
    for index, raw in enumerate(z.raw[:count]):
        x = Bundle.kind.of(raw)
        if everything or raw.dtype.kind not in "iub":
            x.op, x.inputs, x.params = part, (z,), {"index": index}
            x.requires_grad = z.requires_grad and raw.dtype.kind not in "iub"
            x.code, x.instruction, x.scope = z.code, z.instruction, z.scope
        nodes.append(x)
    return tuple(nodes)


def add_parts(found: dict[int, Any], more: dict[int, Any]) -> None:
    """Add gradients of parts to those of a bundle that were found so far."""
    for index, g in more.items():
        found[index] = found[index] + g if index in found else g


def filled(z: Bundle, found: dict[int, Any], raw: bool) -> tuple[Any, ...]:
    """One gradient per result, zeros where none flowed."""
    assert z.op is not None
    count = len(z.op.outputs)
    if any(index >= count for index in found):
        raise RuleError(
            f"{z.op.name}: its rule is differentiated through what the op keeps, which has no "
            "gradient. Let the rule compute it anew from the inputs, or use vjp_of."
        )
    gradients = []
    for index, x in enumerate(z.raw[:count]):
        if index in found:
            gradients.append(found[index])
            continue
        zeros = namespaces[type(x)].zeros_like(x)
        gradients.append(zeros if raw else Bundle.kind.of(zeros))
    return tuple(gradients)


def by_definition(definition: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """The joint rule of an op that computes what `definition` does, as a composition of ops."""

    def rule(g: Any, z: Any, *inputs: Any, **params: Any) -> tuple[Any, ...]:
        from .calls import gradients_of, identity

        recorded = any(isinstance(x, Node) for x in (*_tuple(g), *inputs))
        watched = current().recording == WATCHED  # recorded, but for reading alone
        with enable_grad():
            points: list[Any] = []
            for x in inputs:
                is_float = x.dtype.kind not in "iub"
                if not isinstance(x, Node):
                    points.append(Bundle.kind.of(x, requires_grad=is_float))
                elif x.requires_grad or watched and is_float:
                    points.append(identity(x))
                    points[-1].requires_grad = True
                else:
                    points.append(x)
            results = definition(*points, **params)
        pairs = [
            (y, gy if recorded else Bundle.kind.of(gy))
            for y, gy in zip(_tuple(results), _tuple(g), strict=True)
            if y.requires_grad
        ]
        wanted = [x for x in points if x.requires_grad]
        if not pairs or not wanted:
            return (None,) * len(inputs)
        ys, gs = zip(*pairs, strict=True)
        create_graph = recorded and not watched
        found = iter(gradients_of(ys, gs, wanted, create_graph, retain=False))
        gradients = [next(found) if x.requires_grad else None for x in points]
        return tuple([x if recorded or x is None else x.raw for x in gradients])

    return rule


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)
