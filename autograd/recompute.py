"""Trading time for memory: a part of the graph that is forgotten, and recomputed in backward.

T. Chen, B. Xu, C. Zhang and C. Guestrin, "Training deep nets with sublinear memory cost" (2016).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from typing import Any

from . import names, random
from .calls import flatten, gradients_of, identity, outside, rebuild
from .errors import GraphError
from .node import EVERYTHING, Node, current, history, no_grad, op, tick
from .tensor import Tensor

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any], *inputs: Any) -> Tensor:
    """f(*inputs), one tensor, whose inner results are not kept for backward but computed again.

    The graph holds one node for the whole call.  It comes from the tensors in `inputs` and from
    those that f closed over, such as a model's weights.  Backward calls f a second time, in the
    context of the first: backend, training mode and random numbers.  Gradients are right to any
    order.  What f changes by `assign`, such as running statistics, it changes twice.

    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: (x * w).tanh().sum(), Tensor([0.5, 0.5]))
    >>> y.op.name, len(y.inputs)
    ('recomputed', 2)
    """
    if not current().recording or current().recording >= EVERYTHING:  # to be seen, not forgotten
        y: Tensor = f(*inputs)
        return y
    leaves = flatten(inputs)
    given = [x for x in leaves if isinstance(x, Tensor)]
    template = rebuild(inputs, iter([_SLOT if isinstance(x, Tensor) else x for x in leaves]))
    again = _Again(f, template, copy_context())
    start = tick()
    y = again.call([Tensor.of(x.raw, x.requires_grad) for x in given], first=True)
    if not y.requires_grad:
        return y
    again.closed = outside([y], start)
    z = Tensor.of(y.raw, requires_grad=True)
    z.op, z.inputs, z.params = recomputed, (*given, *again.closed), {"again": again}
    again.needed = [x.requires_grad for x in z.inputs]
    frame = sys._getframe(1)
    z.code, z.instruction, z.scope = frame.f_code, frame.f_lasti, current().scope
    return z


_SLOT = object()
"""The place of a tensor among the arguments of a call."""


class _Again:
    """A call that can be made again: the function, its arguments but for tensors, its context."""

    __slots__ = ("closed", "context", "draws", "f", "needed", "template")

    def __init__(self, f: Callable[..., Any], template: Any, context: Context) -> None:
        self.f, self.template, self.context = f, template, context
        self.draws = random.state()
        self.closed: list[Node] = []
        self.needed: list[bool] = []

    def call(self, tensors: Sequence[Any], first: bool = False) -> Tensor:
        """f, with these tensors among its arguments."""
        rest = iter(tensors)
        leaves = [next(rest) if x is _SLOT else x for x in flatten(self.template)]
        args = rebuild(self.template, iter(leaves))
        y = self.f(*args) if first else self.context.copy().run(self._replay, args)
        if not isinstance(y, Tensor):
            raise GraphError(
                f"checkpoint: the function returned {type(y).__name__}; it must return one Tensor. "
                "Use one checkpoint per result, or concatenate them."
            )
        return y

    def _replay(self, args: tuple[Any, ...]) -> Any:
        """f, with the random numbers that it drew the first time, from a generator of its own."""
        with random.using(random.Generator(0)):
            random.set_state(self.draws)
            return self.f(*args)

    def pull(self, g: Any, inputs: Sequence[Any]) -> list[Any]:
        """The gradient of each input, from a second call; recorded where the inputs are nodes."""
        recorded = isinstance(g, Node)
        points = [
            x if not need else identity(x) if recorded else Tensor.of(x, requires_grad=True)
            for x, need in zip(inputs, self.needed, strict=True)
        ]
        start = tick()
        count = len(inputs) - len(self.closed)
        y = self.call([x if isinstance(x, Tensor) else Tensor.of(x) for x in points[:count]])
        y = _substituted(y, dict(zip(self.closed, points[count:], strict=True)), start)
        for x in outside([y], start):
            if not any(x is point for point in points):
                raise GraphError(
                    f"checkpoint: called again in backward, the function used {names.describe(x)}, "
                    "which it did not use the first time. It must compute the same both times."
                )
        wanted = [x for x, need in zip(points, self.needed, strict=True) if need]
        seed = g if recorded else Tensor.of(g)
        found = iter(gradients_of([y], [seed], wanted, create_graph=recorded, retain=False))
        gradients = [next(found) if need else None for need in self.needed]
        return [x if recorded or x is None else x.raw for x in gradients]


def _substituted(y: Any, places: dict[Node, Any], start: int) -> Any:
    """y, with what was recorded since `start` computed from the places' values, not their keys."""
    for node in history(y):
        if node.order > start and node.op is not None and not places.keys().isdisjoint(node.inputs):
            node.inputs = tuple([places.get(x, x) for x in node.inputs])
    return places.get(y, y)


@op(samples=())
def recomputed(xp: Any, *inputs: Any, again: _Again) -> Any:
    """A whole call as one operation; its gradient calls the function again (see `checkpoint`)."""
    given = inputs[: len(inputs) - len(again.closed)]
    with no_grad():
        return again.call([Tensor.of(x) for x in given]).raw


recomputed.vjp_joint(lambda g, z, *inputs, again: again.pull(g, inputs))
