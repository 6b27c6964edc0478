"""Reverse-mode differentiation: walk history backwards, applying each rule once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from typing import Any

from backends import namespaces, python

from . import names
from .errors import GraphError, ShapeError
from .explain import reraise
from .node import EVERYTHING, Freed, Node, Op, Scope, State, _state, current, history
from .ops.shape import astype, detach, sum_to
from .record import pull
from .several import Bundle, add_parts, filled, parts_of

__all__ = ["CUT", "hooked", "observing", "sweep"]

CUT = (None, detach)
"""The op of what no gradient flows through: a leaf, or what is cut off, where that is recorded."""

observing: ContextVar[Callable[[Node], bool] | None] = ContextVar("observing", default=None)
"""Who is shown what `backward` is called on, and says whether the graph shall be retained."""


def sweep(
    outputs: Sequence[Node],
    gradients: Sequence[Node],
    *,
    wanted: Sequence[Node] | None = None,
    create_graph: bool = False,
    retain_graph: bool = False,
    keep: bool = False,
) -> dict[Node, Any]:
    """The gradient of each leaf that the outputs depend on, given the outputs' gradients, as nodes.

    The rules are ordinary arithmetic.  With `create_graph` they are fed nodes and record, so the
    result can be differentiated again; else they are fed raw data and only compute, except inside
    `record_everything`, which records them, but for reading alone.  Unless the
    graph is retained it is freed on the way, so memory falls as the sweep proceeds.  Only paths
    to the `wanted` nodes, leaves or not, are walked if some are given, and only their gradients
    are meant.  With `keep` every node's gradient stays in the result, not only the leaves'.
    """
    arrays = outputs[0].is_array
    kind = "array" if arrays else "number"
    nodes = history(*outputs)
    nodes.reverse()
    ends = frozenset(wanted or ())
    through = None if wanted is None else _paths_to(ends, nodes)
    found: dict[Node, Any] = {}
    recorded = create_graph or current().recording >= EVERYTHING
    for node, seed in zip(outputs, gradients, strict=True):
        g = seed if recorded else seed.raw
        found[node] = found[node] + g if node in found else g
    freed = None if retain_graph or recorded else Freed()
    watched = current().watcher is not None
    token = _state.set(current().but(create_graph))
    try:
        while nodes:
            node = nodes.pop()  # newest first; the list keeps nothing alive that is done with
            if node not in found:
                continue
            op = node.op
            # what was assigned since is younger than what was made of it
            if op is None or op is detach:  # `op in CUT`, faster
                continue
            if node.extra:
                if "hooks" in node.extra:
                    found[node] = hooked(node, found[node], recorded)
                if "retain" in node.extra:
                    node._grad = found[node]
            if node.inputs.__class__ is Freed and node not in ends:
                raise _second_backward(node)
            if through is not None and _none_of(node.inputs, through):
                continue
            g = found[node] if keep or node in ends else found.pop(node)
            pull_back = op.pulls.get(kind) or _pull_of(op, kind)
            if watched:
                _state.set(_beside(node))
            pull_back(node, g, found, through, not recorded)
            if freed is not None:
                node.inputs = freed
                if op.keeps:  # which a result that nobody asked about would keep alive
                    node.raw = node.raw[: len(op.outputs)]
        for node in found:
            if node.op in CUT and node.extra and "hooks" in node.extra:
                found[node] = hooked(node, found[node], recorded)
    except Exception as error:
        reraise(node, error)
    finally:
        _state.reset(token)
    if freed is not None and (frame := names.user_frame()) is not None:
        freed.code, freed.instruction = frame.f_code, frame.f_lasti
    if arrays:
        if keep:  # nobody can ask for a bundle's gradient, and it would lead back to the bundle
            found = {x: g for x, g in found.items() if not isinstance(x, Bundle)}
        for x, g in found.items():
            if g.dtype != x.raw.dtype:  # a bfloat16 array times a Python number is float32
                found[x] = astype(g, dtype=x.raw.dtype)
    return found


def _beside(node: Node) -> State:
    """The state in which a watcher sees a node's rule: a call made where the node was."""
    state, op = current(), node.op
    assert op is not None
    where = None if node.code is None else (node.code, node.instruction)
    scope = Scope(f"gradient of {op.name}", op, node.scope, where)
    return State(state.recording, scope, state.watcher)


def _pull_of(op: Op, kind: str) -> Callable[..., None]:
    """The function that applies an op's rules to a node of that kind; written when first used."""
    if op.joint is not None:
        op.pulls[kind] = _pull_joint
    else:
        op.pulls[kind] = pull(op, kind, sum_to=sum_to, check_fresh=_check_fresh)
    return op.pulls[kind]


def _pull_joint(
    node: Node, g: Any, found: dict[Node, Any], through: set[int] | None, raw: bool
) -> None:
    """Add to `found` the gradients that a joint rule gives for all inputs of a node."""
    op, inputs = node.op, node.inputs
    assert op is not None
    assert op.joint is not None
    if any(x.order > node.order for x in inputs):
        _check_fresh(node)
    args = [x.raw for x in inputs] if raw else inputs
    result = node.raw if raw else node
    if isinstance(node, Bundle):
        g, result = filled(node, g, raw), result if raw else parts_of(node)
    gradients = op.joint(g, result, *args, **node.params)
    for x, gx, arg in zip(inputs, gradients, args, strict=True):
        if gx is None or not x.requires_grad or through is not None and x.order not in through:
            continue
        if isinstance(x, Bundle):
            add_parts(found.setdefault(x, {}), gx)
            continue
        if x.is_array and gx.shape != arg.shape:
            gx = sum_to(gx, shape=arg.shape)
        found[x] = found[x] + gx if x in found else gx


def _paths_to(ends: Collection[Node], nodes: Sequence[Node]) -> set[int]:
    """Of nodes, oldest first, the orders of the ends and of what was computed from them."""
    through = {node.order for node in ends}
    missing = through - {node.order for node in nodes}
    for node in nodes:
        if missing and node.inputs.__class__ is Freed:  # nobody knows whether it led to one
            raise _second_backward(node)
        if not _none_of(node.inputs, through):
            through.add(node.order)
    return through


def _none_of(nodes: Sequence[Node], orders: set[int]) -> bool:
    return orders.isdisjoint([x.order for x in nodes])


def hooked(node: Node, g: Any, recorded: bool) -> Any:
    """The gradient after the node's hooks have seen it and, if they return one, replaced it."""
    assert node.extra is not None
    kind: Any = type(node)
    for hook in list(node.extra["hooks"].values()):
        seen = g if recorded else kind.of(g)
        replaced = hook(seen)
        if replaced is not None:
            if not isinstance(replaced, Node):
                replaced = kind(replaced)
            if replaced.shape != node.shape:
                raise ShapeError(
                    f"hook: returned a gradient of shape {replaced.shape} for "
                    f"{names.describe(node)}, which has shape {node.shape}. "
                    "Return that shape, or None to keep the gradient."
                )
            g = replaced if recorded else replaced.raw
    return g


def _second_backward(node: Node) -> GraphError:
    return GraphError(
        f"backward: this graph was freed by the backward pass at {freed_at(node)}\n"
        f"  {names.describe(node)}\n"
        "  is needed a second time. Pass retain_graph=True to the first backward, or compute "
        "the result anew."
    )


def freed_at(node: Node) -> str:
    """Where the backward pass was that freed a node's graph."""
    freed = node.inputs
    assert isinstance(freed, Freed)
    return names.told(freed.code, freed.instruction) if freed.code else "an unknown place"


def _check_fresh(node: Node) -> None:
    """An input was assigned after node was computed from it: an error, if that did harm."""
    op = node.op
    assert op is not None
    for i, x in enumerate(node.inputs):
        if x.order < node.order:
            continue
        if op.inputs[min(i, len(op.inputs) - 1)] in op.saves:
            need = f"{op.name}'s gradient needs the old data"
        elif node.is_array and any(_is_view(z, x.raw) for z in _arrays(node)):
            need = f"the result of {op.name} is a view of it, which has changed with it"
        else:
            continue
        raise GraphError(
            f"backward: {names.describe(x)}\n  was assigned new data at {names.where(x)} after\n"
            f"  {names.describe(node)}\n  was computed from it, and {need}. "
            "Call backward before assigning, or compute with a copy."
        )


def _arrays(node: Node) -> tuple[Any, ...]:
    return node.raw if isinstance(node, Bundle) else (node.raw,)


def _is_view(view: Any, raw: Any) -> bool:
    xp = namespaces[type(view)]
    return namespaces[type(raw)] is xp is not python and bool(xp.may_share_memory(view, raw))
