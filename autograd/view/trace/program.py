"""From a compiled program to a trace: the steps that `jit` kept, forward, backward and update.

A program has no numbers of its own: only what lives on between calls, weights and moments, has data
to show.  Its modules are frames, a second time for their gradients: "∂ encoder.3".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from .excerpts import excerpts
from .formulas import about, symbol
from .model import OpInfo, Scope, TraceNode
from .stats import datum

__all__ = ["Listed"]

PREVIEW = 64


class Listed:
    """What the steps of a program say: the parts of a `GraphTrace`.  `words` are its names."""

    def __init__(self, program: Any, words: Any) -> None:
        self.program, self.words = program, words
        self.scopes: list[Scope] = []
        self.nodes: list[TraceNode] = []
        self.ops: dict[str, OpInfo] = {}
        self.number: dict[Any, int] = {}
        self.calls: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.within: list[tuple[str, int]] = []
        """The scopes that the last step was in: their paths and numbers, the outermost first."""
        self.ends = {id(var) for var in program.outputs()}
        for step in program.steps:
            self._step(step)
        places = [(s.place.code, s.place.instruction) for s in program.steps if s.place.code]
        self.sources = excerpts(places)

    # --- nodes ---

    def _step(self, step: Any) -> None:
        origin = self.words.origin(step)
        place = self._scope(origin)
        inputs = [self._of(var, place) for var in step.inputs]
        op, several = step.op, len(step.outputs) > 1
        self.ops.setdefault(op.name, about(op))
        node = self._node(step.outputs[0], place, inputs, origin.line)
        node.op, node.kind = op.name, "value"
        node.symbol = symbol(op, step.params) if op.name == "power" else ""
        node.params = ", ".join(f"{k}={v!r:.80}" for k, v in step.params.items())
        node.key = self._key(place, op.name)
        if not several:
            self._put(step.outputs[0], node)
            return
        node.shape, node.dtype, node.name, node.parts = None, "", "", len(step.outputs)
        self.nodes.append(node)
        whole = len(self.nodes) - 1
        for var in step.outputs:
            result = self._node(var, place, [whole], origin.line)
            result.op, result.key = "part", self._key(place, "part")
            self._put(var, result)

    def _of(self, var: Any, place: int) -> int:
        """The number of a variable's node; what is given is made where it is first read."""
        if var not in self.number:
            leaf = var.source == "leaf"
            node = self._node(var, place if leaf or not var.shape else -1, [], "")
            node.kind = "parameter" if leaf else "input" if var.source == "argument" else "constant"
            node.key = node.name or self._key(place, var.source)
            if self.taken[node.key]:
                node.key = f"{node.key}#{self.taken[node.key]}"
            self.taken[node.key] += 1
            given = var.value.raw if leaf else var.value if var.source == "constant" else None
            node.data = None if given is None else datum(given, PREVIEW)
            self._put(var, node)
        return self.number[var]

    def _node(self, var: Any, place: int, inputs: list[int], where: str) -> TraceNode:
        return TraceNode(
            key="",
            kind="value",
            name=self.words.name(var) if var.source != "constant" else "",
            inputs=inputs,
            scope=place,
            shape=None if var.dtype is None else list(var.shape),
            dtype=var.dtype or "",
            where=where,
        )

    def _put(self, var: Any, node: TraceNode) -> None:
        if node.op and id(var) in self.ends:
            node.kind = "output"
        self.nodes.append(node)
        self.number[var] = len(self.nodes) - 1

    def _key(self, place: int, name: str) -> str:
        base = f"{self.scopes[place].key}/{name}" if place >= 0 else name
        self.taken[base] += 1
        return f"{base}#{self.taken[base] - 1}"

    # --- scopes ---

    def _scope(self, origin: Any) -> int:
        """The scope of a step.  One that is entered again is another call: steps stand in order."""
        path, _, name = origin.module.partition(": ")
        chain = _prefixes(path, origin.gradient) if origin.module else []
        kept = 0
        while kept < min(len(chain), len(self.within)) and self.within[kept][0] == chain[kept]:
            kept += 1
        del self.within[kept:]
        for full in chain[kept:]:
            parent = self.within[-1][1] if self.within else -1
            last = full == chain[-1]
            bare = full.removeprefix("∂ ")
            title = (name or bare) if last else bare.rpartition(".")[2]
            self.scopes.append(
                Scope(
                    key=f"{full}/{self.calls[full]}",
                    name=f"∂ {title}" if origin.gradient else title,
                    path=bare if name or not last else "",
                    parent=parent,
                    module=bool(name) or not last,
                    where=origin.line,
                )
            )
            self.calls[full] += 1
            self.within.append((full, len(self.scopes) - 1))
        return self.within[-1][1] if self.within else -1


def _prefixes(path: str, gradient: bool) -> Sequence[str]:
    """ "encoder", "encoder.3" of "encoder.3": a frame in a frame."""
    steps = path.split(".")
    mark = "∂ " if gradient else ""
    return [mark + ".".join(steps[: i + 1]) for i in range(len(steps))]
