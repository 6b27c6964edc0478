"""From a recorded graph to a `Picture` of it: which boxes, which words.

What is drawn is the engine's own record, the same that is differentiated: one box per node with
its data and its gradient, one pill per operation, a frame around what each module computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan, log10, nan
from types import FrameType
from typing import Any

from backends import namespaces

from ..errors import GraphError
from ..names import Names
from ..node import Freed, Node, Scope, history
from ..ops.reduce import norm
from ..reverse import freed_at
from ..several import Bundle, part
from .picture import Arrow, Box, Cluster, Kind, Picture, Rankdir

__all__ = ["picture"]

SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "matmul": "@", "equal": "=",
    "not_equal": "≠", "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥",
    "dot": "Σ w·x + b", "affine": "x @ w + b", "sum_to": "sum",
}  # fmt: skip

LIMIT = 20_000
"""The nodes that are drawn at most: beyond, a picture takes minutes and megabytes."""

MISSING = "—"
"""What stands for a gradient that was not computed: never 0, which would look like one."""


def picture(*roots: Node, rankdir: Rankdir = "LR", frame: FrameType | None = None) -> Picture:
    """The picture of all that the roots were computed from.

    Nodes that have no better name get that of a variable of `frame`.
    """
    for root in roots:
        if root.inputs.__class__ is Freed:
            raise GraphError(
                f"draw: the graph was freed by the backward pass at {freed_at(root)}. "
                "Draw it before, or call backward(retain_graph=True), which also keeps the "
                "gradients of everything on the way."
            )
    nodes = history(*roots)[::-1]
    if len(nodes) > LIMIT:
        raise GraphError(
            f"draw: the graph has {len(nodes):,} nodes, more than the {LIMIT:,} that anybody could "
            "look at. Draw a part of it: a node further back, or the same model on fewer samples."
        )
    names = Names(nodes, frame)
    ends = set(roots)
    clusters = _Clusters(names)
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    homes = _homes(nodes)
    for node in nodes:
        cluster = clusters.of(homes.get(node))
        if isinstance(node, Bundle):  # an op with several results, which are boxes of their own
            pill = str(node.order)
            boxes.append(Box(pill, "op", (_symbol(node),), cluster, tooltip=_tell(node)))
            arrows += [Arrow(str(x.order), pill) for x in node.inputs]
            continue
        kind = _kind(node, ends)
        boxes.append(
            Box(
                key=str(node.order),
                kind=kind,
                lines=_lines(node, names.given(node) or names.variable(node) or _result(node)),
                cluster=cluster,
                tone=None if kind == "constant" else _tone(node),
                tooltip=names.where(node),
            )
        )
        if node.op is part:
            arrows.append(Arrow(str(node.inputs[0].order), str(node.order)))
        elif node.op is not None:
            pill = f"{node.order} {node.op.name}"
            boxes.append(Box(pill, "op", (_symbol(node),), cluster, tooltip=_tell(node)))
            arrows += [Arrow(str(x.order), pill) for x in node.inputs]
            arrows.append(Arrow(pill, str(node.order)))
    return Picture(
        tuple(boxes), tuple(arrows), tuple(clusters.made), rankdir, tone_label="gradient size"
    )


def _homes(nodes: Sequence[Node]) -> dict[Node, Scope | None]:
    """The module call each node is drawn in: its own, or for a leaf that of its first reader."""
    homes: dict[Node, Scope | None] = {}
    for node in nodes:
        if node.op is not None:
            homes[node] = node.scope
            for x in node.inputs:
                if x.op is None and (x.requires_grad or x.shape == ()):
                    homes.setdefault(x, node.scope)
    return homes


class _Clusters:
    """A frame for each module call, made when the first node inside asks for it."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.made: list[Cluster] = []
        self.keys: dict[int, str] = {}

    def of(self, scope: Scope | None) -> str | None:
        """The key of the frame of this call; the outermost frames are made first."""
        chain = []
        while scope is not None and id(scope) not in self.keys:
            chain.append(scope)
            scope = scope.parent
        key = None if scope is None else self.keys[id(scope)]
        for inner in reversed(chain):
            parent, key = key, f"call {len(self.made)}"
            self.keys[id(inner)] = key
            self.made.append(Cluster(key, self._title(inner), parent))
        return key

    def _title(self, scope: Scope) -> str:
        path = self.names.path(scope)
        return f"{path}: {scope.name}" if path else scope.name


def _kind(node: Node, ends: set[Node]) -> Kind:
    if node in ends:
        return "output"
    if node.op is not None:
        return "value"
    if node.requires_grad:
        return "parameter" if node.is_array else "input"
    return "input" if node.shape else "constant"


def _result(node: Node) -> str:
    """What an op with several results calls this one."""
    if node.op is not part:
        return ""
    (bundle,) = node.inputs
    assert bundle.op is not None
    return bundle.op.outputs[int(node.params["index"])]


def _symbol(node: Node) -> str:
    """How an op is written in its pill."""
    assert node.op is not None
    name = node.op.name
    if name == "power":
        return f"^{node.params['n']}"
    return SYMBOLS.get(name, name)


def _tell(node: Node) -> str:
    """An op in words: what it computes, and with which parameters."""
    assert node.op is not None
    first = (node.op.__doc__ or "").partition("\n")[0]
    params = ", ".join(f"{k}={v!r}" for k, v in node.params.items())
    return f"{node.op.name}({params}): {first}"


def _lines(node: Node, title: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a node's box: its name, then its data and gradient, in micrograd's manner."""
    if not node.is_array:
        cells = (f"data {_number(node.raw)}", f"grad {_gradient(node)}")
        return ((title, *cells),) if title else (cells,)
    if getattr(node.raw, "shape", None) is None:
        return ((title, _number(node.raw)),) if title else ((_number(node.raw),),)
    shape = "×".join(map(str, node.shape)) or "scalar"
    facts = f"{shape} {node.raw.dtype}"
    size = _number(node.raw.item()) if not node.shape else _number(_norm(node.raw))
    data = f"data {size}" if not node.shape else f"|data| {size}"
    grad = f"grad {_gradient(node)}" if not node.shape else f"|grad| {_gradient(node)}"
    rows: tuple[tuple[str, ...], ...] = ((facts,),)
    if node.raw.dtype.kind not in "iub":
        rows += ((data, grad),)
    return ((title,), *rows)


def _gradient(node: Node) -> str:
    size = _gradient_size(node)
    return MISSING if size is None else _number(size)


def _gradient_size(node: Node) -> Any:
    """The gradient of a number, the norm of an array's; None where there is none."""
    g = node._grad
    if isinstance(g, Node):
        g = g.raw
    if g is None:
        return None
    if not node.is_array:
        return g
    return g.item() if not node.shape else _norm(g)


def _norm(raw: Any) -> float:
    return float(norm.forward(namespaces[type(raw)], raw.astype("float64")).item())


def _tone(node: Node) -> float | None:
    """The colour of a box: the decimal logarithm of its gradient's size."""
    size = _gradient_size(node)
    if size is None:
        return None
    size = abs(float(size))
    if isnan(size):
        return nan
    return -inf if size == 0 else inf if size == inf else log10(size)


def _number(x: Any) -> str:
    """A number as it is read: four decimals near 1, powers of ten far from it."""
    if isinstance(x, (bool, int)) or not isinstance(x, float):
        return str(x)
    return f"{x:.4f}" if x == 0 or 1e-3 <= abs(x) < 1e5 else f"{x:.2e}"
