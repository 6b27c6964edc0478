"""What a graph can do without: passes over the nodes of an ONNX graph.

Convolution is channels-last here and channels-first in ONNX, so its translation turns its input
and its result.  Between two of them the turns meet, and cancel.
"""

from __future__ import annotations

from typing import Any

__all__ = ["tidy"]

UNARY = frozenset(
    "Abs Ceil Clip Cast Elu Erf Exp Floor Gelu Identity LeakyRelu Log Neg Not Relu Round Selu "
    "Sigmoid Sign Softplus Sqrt Tanh".split()
)
"""Operations on one element at a time with one array: a turn before is as good as one behind."""


def tidy(graph: Any) -> set[str]:
    """Remove turns that cancel, results that are only handed on, and nodes that nobody reads.

    Returns the names of values that are turned now, and so have another shape.
    """
    turned: set[str] = set()
    while _merge_turns(graph) or _sink_turn(graph, turned):
        pass
    _drop_identities(graph)
    _drop_unread(graph)
    return turned


def _makers(graph: Any) -> dict[str, Any]:
    return {name: node for node in graph.node for name in node.output}


def _readers(graph: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {info.name: [None] for info in graph.output}
    for node in graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    return found


def _turn(node: Any) -> list[int]:
    return list(node.attribute[0].ints)


def _set_turn(node: Any, perm: list[int]) -> None:
    del node.attribute[0].ints[:]
    node.attribute[0].ints.extend(perm)


def _merge_turns(graph: Any) -> bool:
    """Transpose of a transpose is one; and none where it turns nothing."""
    makers, changed = _makers(graph), False
    for node in graph.node:
        if node.op_type != "Transpose":
            continue
        before = makers.get(node.input[0])
        if before is not None and before.op_type == "Transpose":
            first, then = _turn(before), _turn(node)
            _set_turn(node, [first[i] for i in then])
            node.input[0] = before.input[0]
            changed = True
        if _turn(node) == sorted(_turn(node)):
            node.op_type = "Identity"
            del node.attribute[:]
            changed = True
    if changed:
        _drop_identities(graph)
        _drop_unread(graph)
    return changed


def _sink_turn(graph: Any, turned: set[str]) -> bool:
    """Transpose, then one element at a time, then transpose: put the first one behind."""
    makers, readers = _makers(graph), _readers(graph)
    for node in graph.node:
        before = makers.get(node.input[0]) if node.input else None
        if node.op_type not in UNARY or before is None or before.op_type != "Transpose":
            continue
        after = readers.get(node.output[0], [])
        alone = len(readers[before.output[0]]) == 1
        if alone and len(after) == 1 and after[0] is not None and _leads_to_turn(after[0], readers):
            inner, source, result = before.output[0], before.input[0], node.output[0]
            node.input[0], node.output[0] = source, inner  # source → node → inner → before → result
            before.input[0], before.output[0] = inner, result
            turned.add(inner)
            nodes = [n for n in graph.node if n != before]
            nodes.insert(nodes.index(node) + 1, before)
            copies = [type(n).FromString(n.SerializeToString()) for n in nodes]
            del graph.node[:]
            graph.node.extend(copies)
            return True
    return False


def _leads_to_turn(node: Any, readers: dict[str, list[Any]]) -> bool:
    """Whether only operations on one element stand between here and a transpose."""
    while node is not None and node.op_type in UNARY:
        after = readers.get(node.output[0], [])
        if len(after) != 1:
            return False
        node = after[0]
    return node is not None and node.op_type == "Transpose"


def _drop_identities(graph: Any) -> None:
    """Readers of what is only handed on read the original; a graph's output keeps its name."""
    ends = {info.name for info in graph.output}
    starts = {info.name for info in graph.input} | {t.name for t in graph.initializer}
    readers = _readers(graph)
    makers = _makers(graph)
    names: dict[str, str] = {}
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
        if node.op_type != "Identity":
            continue
        source, result = node.input[0], node.output[0]
        if result not in ends:
            names[result] = source
        elif source not in starts | ends and len(readers[source]) == 1 and source not in names:
            maker = makers[source]
            maker.output[list(maker.output).index(source)] = result
            node.output[0] = ""
    kept = [n for n in graph.node if not (n.op_type == "Identity" and n.output[0] in ("", *names))]
    copies = [type(n).FromString(n.SerializeToString()) for n in kept]
    del graph.node[:]
    graph.node.extend(copies)


def _drop_unread(graph: Any) -> None:
    """Nodes and initializers that lead to no output."""
    needed = {info.name for info in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(type(node).FromString(node.SerializeToString()))
    del graph.node[:]
    graph.node.extend(reversed(kept))
    weights = [w for w in graph.initializer if w.name in needed]
    if len(weights) < len(graph.initializer):
        copies = [type(w).FromString(w.SerializeToString()) for w in weights]
        del graph.initializer[:]
        graph.initializer.extend(copies)
