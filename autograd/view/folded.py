"""Modules as single boxes: what of a large graph fits on a page of paper.

A call is contiguous in time, so folding it can never make a circle of arrows.  Calls in a row that
compute the same fold to one box, "×12".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .trace import GraphTrace

__all__ = ["Group", "fold"]

ROW = 3
"""So many calls in a row, all alike, are one box."""


@dataclass
class Group:
    """What one box stands for: the nodes of some calls of one structure, one after the other."""

    key: str
    title: str
    cluster: str | None
    nodes: list[int] = field(default_factory=list)
    calls: int = 1

    def words(self, trace: GraphTrace) -> tuple[str, ...]:
        """Its title, the shapes that go in and come out, and how much is inside."""
        within = set(self.nodes)
        read = {x for i, node in enumerate(trace.nodes) if i not in within for x in node.inputs}
        entering = [
            trace.nodes[x] for i in self.nodes for x in trace.nodes[i].inputs
            if x not in within and trace.nodes[x].kind != "parameter"
        ]  # fmt: skip
        leaving = [trace.nodes[i] for i in self.nodes if i in read or i == trace.root]
        lines = [self.title]
        if entering and leaving:
            lines.append(f"{_dimensions(entering[0].shape)} → {_dimensions(leaving[-1].shape)}")
        count = sum(bool(trace.nodes[i].op) and trace.nodes[i].op != "part" for i in self.nodes)
        lines.append(f"{count} operation{'s' * (count != 1)}")
        return tuple(lines)


def fold(trace: GraphTrace, depth: int | None) -> dict[int, Group]:
    """Node → the group it is folded into, where it lies deeper than `depth` calls."""
    groups: dict[int, Group] = {}  # by the scope that is folded
    found: dict[int, Group] = {}
    if depth is None:
        return found
    for i, node in enumerate(trace.nodes):
        chain = _around(trace, node.scope)
        if len(chain) <= depth:
            continue
        scope = chain[depth]
        if scope not in groups:
            groups[scope] = _joined(trace, scope, groups) or _group(trace, scope)
        groups[scope].nodes.append(i)
        found[i] = groups[scope]
    return {i: group for i, group in found.items() if group.nodes}


def _around(trace: GraphTrace, scope: int) -> list[int]:
    """The calls around a node, outermost first."""
    chain = []
    while scope >= 0:
        chain.append(scope)
        scope = trace.scopes[scope].parent
    return chain[::-1]


def _group(trace: GraphTrace, scope: int) -> Group:
    call = trace.scopes[scope]
    row = _row(trace, scope)
    title = call.name if len(row) >= ROW or not call.path else f"{call.path}: {call.name}"
    parent = trace.scopes[call.parent].key if call.parent >= 0 else None
    many = f" ×{len(row)}" if len(row) >= ROW else ""
    return Group(call.key, title + many, parent, calls=len(row))


def _joined(trace: GraphTrace, scope: int, groups: dict[int, Group]) -> Group | None:
    """The group of the calls before this one, where it is one more of a row."""
    row = _row(trace, scope)
    return groups.get(row[0]) if len(row) >= ROW else None


def _row(trace: GraphTrace, scope: int) -> Sequence[int]:
    """The calls beside this one, before and behind it without a break, that compute the same."""
    call = trace.scopes[scope]
    beside = [i for i, other in enumerate(trace.scopes) if other.parent == call.parent]
    at = beside.index(scope)
    first = last = at
    while first and trace.scopes[beside[first - 1]].alike == call.alike:
        first -= 1
    while last + 1 < len(beside) and trace.scopes[beside[last + 1]].alike == call.alike:
        last += 1
    return beside[first : last + 1]


def _dimensions(shape: Sequence[int] | None) -> str:
    return "×".join(map(str, shape)) if shape else "scalar"
