"""One run of a program, as the operation that its results come from.

So a compiled function is a piece of any graph: what is computed from its results, and what its
arguments were computed from, is differentiated with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING, Any

from ... import names
from ...calls import gradients_of
from ...node import NO_PARAMS, Node, Op, current, tick
from ...value import Value
from .tape import points_at

if TYPE_CHECKING:
    from .program import ScalarProgram

__all__ = ["Run"]


class _Piece(Op):
    """An operation that is in no table: made anew for each run."""

    elementwise, variadic, needs = False, True, ""
    inputs, params, rules, samples, shapes, outputs, keeps = ["leaves"], {}, (), (), (), (), ()
    definition = meaning = None
    domain = (-2, 2)
    pulls: dict[str, Any] = {}  # noqa: RUF012  # the same for all: they call `joint`
    on: dict[type, Any] = {}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name = name

    def scalar_pull(self, z: Node, g: Any) -> None:
        """Add to the gradients of the inputs: see `record.scalar_pull`."""
        for x, gx in zip(z.inputs, self.joint(g, None), strict=True):
            x._grad += gx

    def joint(self, g: Any, z: Any, *leaves: Any) -> Sequence[Any]:
        """The gradients of the inputs, given that of the result."""
        raise NotImplementedError


class Run(_Piece):
    """The operation that a run was, from the leaves that have a gradient to the results.

    It keeps the numbers that it was run with: the program's memory is that of its last run.
    """

    def __init__(self, program: ScalarProgram, raws: Sequence[float]) -> None:
        self.program, self.raws, self.name = program, raws, program.name

    def results(self, raws: Sequence[Any], leaves: Sequence[Node]) -> list[Value]:
        """The run's results as nodes, made of these leaves."""
        flows = self.program.flows
        if not current().recording or not any(flows):
            return [Value.of(raw) for raw in raws]
        if len(raws) == 1:
            return [_node(raws[0], self, leaves)]
        whole = _node(nan, self, leaves)
        return [
            _node(raw, _Part(self.name, i), (whole,)) if flows[i] else Value.of(raw)
            for i, raw in enumerate(raws)
        ]

    def joint(self, g: Any, z: Any, *leaves: Any) -> Sequence[Any]:
        """The gradients of the leaves, given that of the one result, or those of several."""
        seeds = g.found if isinstance(g, _Gradients) else {0: g}
        roots, gs = list(seeds), list(seeds.values())
        if not isinstance(gs[0], Node):
            return self.program.pull(self.raws, roots, gs)
        points: list[Any] = points_at(leaves)
        given: list[Any] = list(self.raws)
        for place, point in zip(self.program.wanted, points, strict=True):
            given[place] = point
        outputs = self.program.tape.eager(given)
        found = gradients_of([outputs[i] for i in roots], gs, points, True, True)
        return [Value.of(0.0) if gx is None else gx for gx in found]


class _Part(_Piece):
    """One of several results of a run, which is a node of its own: there their gradients meet."""

    def __init__(self, name: str, index: int) -> None:
        self.name, self.index = name, index

    def joint(self, g: Any, z: Any, *leaves: Any) -> Sequence[Any]:
        return (_Gradients({self.index: g}),)


class _Gradients:
    """The gradients of some of a run's results, by their place."""

    def __init__(self, found: dict[int, Any]) -> None:
        self.found = found

    @property
    def raw(self) -> _Gradients:
        """As data: itself."""
        return self

    def __add__(self, other: Any) -> _Gradients:
        return _Gradients({**self.found, **other.found}) if other else self

    __radd__ = __add__


def _node(raw: Any, op: Op, inputs: Sequence[Node]) -> Value:
    """A Value computed by an op, where the user's program now is."""
    z: Value = object.__new__(Value)
    z._leaf(raw, True)
    z.op, z.inputs, z.order, z.scope = op, tuple(inputs), tick(), current().scope
    z.params = NO_PARAMS
    z.made_by(names.user_frame())
    return z
