"""Which calls compute the same: "Block ×12" is one thing to look at, not twelve."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from .model import Scope, TraceNode

__all__ = ["mark_alike"]


def mark_alike(scopes: Sequence[Scope], nodes: Sequence[TraceNode]) -> None:
    """Give scopes of equal structure the same `alike`.

    Equal are two that hold the same operations on the same shapes in the same order, wired alike:
    what is read from within is told by its place there, from outside by its shape alone.
    """
    inside: list[list[int]] = [[] for _ in scopes]
    for i, node in enumerate(nodes):
        place = node.scope
        while place >= 0:
            inside[place].append(i)
            place = scopes[place].parent
    known: dict[Hashable, int] = {}
    for scope, members in zip(scopes, inside, strict=True):
        places = {i: k for k, i in enumerate(members)}
        structure = tuple(
            (
                node.op, node.params, tuple(node.shape or ()), node.dtype, node.kind,
                _depth(node.scope, scopes),
                tuple(places.get(x, tuple(nodes[x].shape or ())) for x in node.inputs),
            )
            for node in (nodes[i] for i in members)
        )  # fmt: skip
        depth = _depth(scope.parent, scopes)
        scope.alike = known.setdefault((scope.name, depth, structure), len(known))


def _depth(place: int, scopes: Sequence[Scope]) -> int:
    depth = 0
    while place >= 0:
        depth, place = depth + 1, scopes[place].parent
    return depth
