"""Keys: who a node is, in every trace of the same program.

A module's path, the how-manieth call of it, and the how-manieth operation of its kind in there:
"encoder.3/0/matmul#1".  A parameter's key is its path, another leaf's the name of its variable.
So two steps of a training, or two runs, are compared node by node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...names import Names, told
from ...node import Node
from ...node import Scope as Call
from .model import Scope

__all__ = ["Scopes", "homes", "keys"]


def homes(nodes: Sequence[Node]) -> dict[Node, Call | None]:
    """The call each node is shown in: its own; a weight or number is where it is first read."""
    found: dict[Node, Call | None] = {}
    for node in nodes:
        if node.op is not None:
            found[node] = node.scope
            for x in node.inputs:
                if x.op is None and (x.requires_grad or x.shape == ()):
                    found.setdefault(x, node.scope)
    return found


class Scopes:
    """The calls that nodes were recorded in, outermost first, each with a number and a key."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.made: list[Scope] = []
        self.numbers: dict[int, int] = {}
        self.calls: Counter[str] = Counter()

    def number(self, call: Call | None) -> int:
        """The number of a call; -1 outside any."""
        waiting = []
        while call is not None and id(call) not in self.numbers:
            waiting.append(call)
            call = call.parent
        number = -1 if call is None else self.numbers[id(call)]
        for inner in reversed(waiting):
            self.made.append(self._scope(inner, number))
            number = self.numbers[id(inner)] = len(self.made) - 1
        return number

    def _scope(self, call: Call, parent: int) -> Scope:
        path, module = self.names.path(call), call.owner is not None
        around = self.made[parent].key if parent >= 0 else ""
        base = (path or call.name) if module else "/".join(filter(None, (around, call.name)))
        key = f"{base}/{self.calls[base]}"
        self.calls[base] += 1
        where = told(*call.where) if call.where is not None else ""
        return Scope(key, call.name, path, parent, module, where=where)


def keys(
    nodes: Sequence[Node], scopes: list[Scope], places: Sequence[int], names: Names
) -> list[str]:
    """A key per node, of which each is in the scope of that number."""
    taken: Counter[str] = Counter()
    found = []
    for node, place in zip(nodes, places, strict=True):
        around = scopes[place].key + "/" if place >= 0 else ""
        if node.op is not None:
            base = around + node.op.name
            key = f"{base}#{taken[base]}"
        else:
            given = names.given(node) or names.variable(node)
            base = given or around + ("input" if node.shape or node.requires_grad else "constant")
            key = base if given and not taken[base] else f"{base}#{taken[base]}"
        taken[base] += 1
        found.append(key)
    return found
