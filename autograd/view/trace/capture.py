"""From recorded nodes to a trace of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Any

from ... import names as names_
from ...errors import GraphError
from ...names import Names
from ...node import Freed, Node, history
from ...reverse import freed_at
from ...several import Bundle, part
from ...verdicts.held import held_by_node
from . import keys as keys_
from .backward import backward, seed_of
from .excerpts import excerpts
from .formulas import about, symbol
from .model import Event, Kind, OpInfo, Part, Scope, TraceNode
from .stats import datum

__all__ = ["Captured", "in_order"]

PREVIEWS = ((80, 1024), (400, 256))
"""Of at most so many nodes, so many elements of each array are kept."""
FEW = 64
"""How many of an array where there are more nodes."""

SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

LIMIT = 300_000
"""The nodes that a trace holds at most."""


class Captured:
    """What the nodes behind some roots say: the parts of a `GraphTrace`.

    The backward pass is taken from the first root, or, with `still`, none is: gradients are then
    those that the nodes have.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        gradient: Any = None,
        frame: FrameType | None = None,
        preview: int | None = None,
        still: bool = False,
    ) -> None:
        self.roots, self.root = frozenset(roots), roots[0]
        self.notes: list[str] = []
        self.nodes = in_order(*roots)
        self.number = {node: i for i, node in enumerate(self.nodes)}
        if preview is None:
            preview = next((n for most, n in PREVIEWS if len(self.nodes) <= most), FEW)
        self.preview = preview
        self.names = Names(self.nodes, frame)
        self.taken: Counter[str] = Counter()
        self.scopes, self.told = self._nodes()
        self.ops: dict[str, OpInfo] = {x.op.name: about(x.op) for x in self.nodes if x.op}
        self.events = [] if still else self._events(gradient)
        self.sources = excerpts(
            [place for x in self.nodes if (place := names_.place(x))]
            + [c.where for x in self.nodes for c in names_.calls(x.scope) if c.where is not None]
        )

    # --- forward ---

    def _nodes(self) -> tuple[list[Scope], list[TraceNode]]:
        homes, scopes = keys_.homes(self.nodes), keys_.Scopes(self.names)
        places = [scopes.number(homes.get(node)) for node in self.nodes]
        keys = keys_.keys(self.nodes, scopes.made, places, self.names)
        held = held_by_node(self.nodes)
        told = [
            self._node(node, key, place, held.get(node, 0))
            for node, key, place in zip(self.nodes, keys, places, strict=True)
        ]
        return scopes.made, told

    def _node(self, node: Node, key: str, place: int, held: int) -> TraceNode:
        bundle = isinstance(node, Bundle)
        written = symbol(node.op, node.params) if node.op is not None else ""
        return TraceNode(
            key=key,
            kind=self._kind(node),
            name=self._name(node),
            op=node.op.name if node.op is not None else "",
            symbol=written if node.op is not None and written != about(node.op).symbol else "",
            params=", ".join(f"{k}={v!r:.80}" for k, v in node.params.items()),
            inputs=[self.number[x] for x in node.inputs],
            scope=place,
            shape=None if bundle or not node.is_array else list(node.shape),
            dtype="" if bundle or not node.is_array else str(getattr(node.raw, "dtype", "")),
            where=self.names.where(node),
            requires_grad=node.requires_grad,
            data=None if bundle else datum(node.raw, self.preview),
            grad=None if node._grad is None else datum(node._grad, self.preview),
            held=held,
            parts=len(node.op.outputs) if bundle and node.op is not None else 0,
        )

    def _name(self, node: Node) -> str:
        """What holds a node, told apart from what held that name before: "c", "c₂"."""
        name = self.names.given(node) or self.names.variable(node)
        if not name:
            return _result(node)
        self.taken[name] += 1
        nth = self.taken[name]
        return name + str(nth).translate(SUBSCRIPT) if nth > 1 else name

    def _kind(self, node: Node) -> Kind:
        if node in self.roots:
            return "output"
        if node.op is not None:
            return "value"
        if node.requires_grad:
            return "parameter" if node.is_array or node in self.names.parameters else "input"
        return "input" if node.shape else "constant"

    # --- backward ---

    def _events(self, gradient: Any) -> list[Event]:
        """The backward pass, whose gradients are then the nodes'; else a note says why not."""
        seed = self._seed(gradient)
        if seed is None:
            return []
        for told in self.told:
            told.grad = None
        events, so_far = [], _SoFar(self.preview)
        try:
            for node, g, added in backward(self.root, seed, self.nodes):
                if not isinstance(node, Bundle):
                    self.told[self.number[node]].grad = datum(g, self.preview)
                if node.op is not None:
                    parts = [so_far.add(self.number[one.input], *one) for one in added]
                    events.append(Event(self.number[node], parts))
        except ArithmeticError as error:  # single numbers refuse what arrays turn into inf and NaN
            self._say(f"The backward pass ends early: {error}.")
        so_far.close()
        return events

    def _seed(self, gradient: Any) -> Any:
        root = self.root
        if not root.requires_grad:
            self._say(f"{names_.describe(root)} needs no gradient, so there is no backward pass.")
            return None
        for node in self.nodes:
            late = next((x for x in node.inputs if x.order > node.order), None)
            if late is not None:
                self._say(
                    f"{names_.describe(late)} was assigned new data at {names_.where(late)} after "
                    "the graph was recorded, so the backward pass cannot be told any more. Look at "
                    "the graph before optimizer.step()."
                )
                return None
        if gradient is None and root.is_array and root.raw.size != 1:
            self._say(
                f"{names_.describe(root)} is not one number, so there is no backward pass: look at "
                "a loss, or pass gradient=, the gradient of the loss by it."
            )
            return None
        return seed_of(root, gradient)

    def _say(self, note: str) -> None:
        self.notes.append(note)


class _SoFar:
    """The gradients as they add up: which contribution is the how-manieth, and the sum after it."""

    def __init__(self, preview: int) -> None:
        self.preview = preview
        self.sums: dict[Node, Any] = {}
        self.counts: Counter[Node] = Counter()
        self.parts: list[tuple[Node, Part]] = []

    def add(self, number: int, x: Node, position: int, value: Any, local: Any) -> Part:
        """One more contribution to the gradient of x, the node of that number."""
        if isinstance(value, dict):  # of a bundle: the parts' gradients by place
            (value,) = value.values()
        told = datum(value, self.preview)
        assert told is not None
        self.counts[x] += 1
        made = Part(number, position, told, nth=self.counts[x], local=local)
        if x.is_array and not isinstance(x, Bundle):
            self.sums[x] = self.sums[x] + value if x in self.sums else value
            made.total = datum(self.sums[x], self.preview) if made.nth > 1 else None
        self.parts.append((x, made))
        return made

    def close(self) -> None:
        """All have been added: each knows of how many it is one."""
        for x, made in self.parts:
            made.of = self.counts[x]
            if made.nth == made.of:  # it is the gradient itself
                made.total = None


def in_order(*roots: Node) -> list[Node]:
    """All that the roots were computed from, each behind its inputs.

    A leaf that was assigned since is younger than what was computed from it: it stands before that.
    """
    for root in roots:
        if root.inputs.__class__ is Freed:
            raise GraphError(
                f"the graph was freed by the backward pass at {freed_at(root)}. Look at it before, "
                "or call backward(retain_graph=True), which also keeps the gradients of everything "
                "on the way."
            )
    nodes = history(*roots)
    if len(nodes) > LIMIT:
        raise GraphError(
            f"the graph has {len(nodes):,} nodes, more than the {LIMIT:,} of a trace. Look at a "
            "part of it: a node further back, or the same model on fewer samples."
        )
    ordered: dict[Node, None] = {}
    for node in reversed(nodes):
        if node.op is not None:
            for x in node.inputs:
                ordered.setdefault(x)
            ordered.setdefault(node)
    return list(ordered | dict.fromkeys(roots))


def _result(node: Node) -> str:
    """What an op with several results calls this one."""
    if node.op is not part:
        return ""
    (bundle,) = node.inputs
    assert bundle.op is not None
    return bundle.op.outputs[int(node.params["index"])]
