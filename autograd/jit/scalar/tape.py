"""A tape: the recorded graph of `Value`s as plain columns, one entry per node, oldest first.

An entry is an op with the places of its inputs on the tape, or something given: a leaf that lives
outside, an argument, a constant.  Nothing on it refers to the nodes it was read from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import CodeType
from typing import Any

from ... import names
from ...calls import identity
from ...node import Node, Op, enable_grad
from ...value import Value
from ..errors import CaptureError
from .watch import Watch

__all__ = ["Tape"]


class Tape:
    """What was computed under a watch, up to these `roots`.

    `ops[i]` is None where entry i is given; if it then has an input, it is a copy of that.
    `constants` and `leaves` say what else it is: a number, or a node outside, or the place of an
    argument.  `flows[i]` tells whether a gradient flows back through entry i.
    """

    def __init__(self, watch: Watch, roots: Iterable[Node]) -> None:
        self.ops: list[Op | None] = []
        self.inputs: list[tuple[int, ...]] = []
        self.params: list[dict[str, Any]] = []
        self.made: list[tuple[CodeType | None, int]] = []
        self.flows: list[bool] = []
        self.constants: dict[int, float] = {}
        self.leaves: dict[int, Node | int] = {}
        place: dict[Node, int] = {}
        roots = list(roots)
        for node in _recorded(watch, roots):
            place[node] = len(self.ops)
            self._enter(node, watch, place)
        self.roots = [place[root] for root in roots]

    def _enter(self, node: Node, watch: Watch, place: dict[Node, int]) -> None:
        """Add the entry of a node whose inputs are on the tape."""
        i, op, inputs = len(self.ops), node.op, tuple([place[x] for x in _inputs(node, watch)])
        if type(node.raw) not in (float, int, bool) and not isinstance(node.raw, float):
            raise CaptureError(
                f"jit: {names.describe(node)} is a {type(node.raw).__name__}, and compiled "
                "functions of Values compute with floats."
            )
        flows = node.requires_grad
        if node.order < watch.start:
            op, self.leaves[i] = None, node
        elif node in watch.arguments:
            self.leaves[i] = watch.arguments[node]
        elif node in watch.copies:
            flows = False
        elif all(map(self.constants.__contains__, inputs)):  # also where there are none
            op, inputs, self.constants[i], flows = None, (), float(node.raw), False
        elif op is not None and not op.elementwise and op.name != "dot":
            raise CaptureError(
                f"jit: {op.name} of Values cannot be compiled: {names.describe(node)}"
            )
        self.ops.append(op)
        self.inputs.append(inputs)
        self.params.append(node.params)
        self.made.append((node.code, node.instruction) if op is not None else (None, 0))
        self.flows.append(flows)

    def before(self, i: int) -> set[int]:
        """The entry and all that it was computed from."""
        found, stack = {i}, [i]
        while stack:
            new = [x for x in self.inputs[stack.pop()] if x not in found]
            found.update(new)
            stack += new
        return found

    def eager(self, points: Sequence[Any]) -> list[Value]:
        """The roots computed anew from these leaves, as Values: with their graph, and errors.

        `points` are Values, or numbers, in the order of `leaves`; the gradients stop at them.
        """
        given = iter(points)
        found: list[Value] = []
        with enable_grad():
            for i, op in enumerate(self.ops):
                if op is not None:
                    z = self._again(i, op, found)
                    found.append(z if self.flows[i] else Value.of(z.raw))
                elif i in self.leaves:
                    x = next(given)
                    found.append(x if isinstance(x, Value) else Value.of(x))
                elif i in self.constants:
                    found.append(Value.of(self.constants[i]))
                else:
                    found.append(Value.of(found[self.inputs[i][0]].raw))
        return [found[root] for root in self.roots]

    def _again(self, i: int, op: Op, found: list[Value]) -> Value:
        """Entry i computed anew."""
        inputs, params = [found[x] for x in self.inputs[i]], self.params[i]
        try:
            if op.name in ("power", "pow"):  # the operator refuses complex results
                z: Value = inputs[0] ** (inputs[1] if op.name == "pow" else params["n"])
            else:
                z = op.recorder(Value)(*inputs, **params)
        except Exception as error:
            code, instruction = self.made[i]
            if code is not None:
                error.add_note(f"in the compiled function, {names.told(code, instruction)}")
            raise
        z.code, z.instruction = self.made[i]
        return z


def points_at(leaves: Sequence[Value]) -> list[Value]:
    """Nodes with the data of these, to differentiate at: through which gradients flow on."""
    with enable_grad():
        return [identity(x) for x in leaves]


def _inputs(node: Node, watch: Watch) -> tuple[Node, ...]:
    """What a node was made of while the watch lasted."""
    if node.order < watch.start:
        return ()
    return (watch.copies[node],) if node in watch.copies else node.inputs


def _recorded(watch: Watch, roots: Sequence[Node]) -> list[Node]:
    """Every node that the roots were made of under the watch, oldest first, and where it began."""
    found = {root.order: root for root in roots}
    stack = list(roots)
    while stack:
        for x in _inputs(stack.pop(), watch):
            if x.order not in found:
                found[x.order] = x
                stack.append(x)
    return [found[order] for order in sorted(found)]
