"""A call of a function, recorded on fresh variables: what the transforms are made of.

Arguments and results may be structures: tensors, values, numbers and arrays in lists, tuples and
dicts, nested at will.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backends import namespaces

from . import names
from .dtypes import is_float
from .errors import AutogradError, DTypeError, GraphError, ShapeError
from .node import EVERYTHING, Node, current, elementwise, enable_grad, tick
from .reverse import sweep
from .tensor import Tensor
from .value import Value

__all__ = [
    "Call", "constant", "flatten", "gradients_of", "like", "outside", "rebuild", "variable",
]  # fmt: skip

# --- structures of arguments ---


def flatten(tree: Any) -> list[Any]:
    """What lists, tuples and dicts hold, from left to right; None holds nothing."""
    if isinstance(tree, dict):
        return flatten(list(tree.values()))
    if isinstance(tree, (list, tuple)):
        return [leaf for branch in tree for leaf in flatten(branch)]
    return [] if tree is None else [tree]


def rebuild(tree: Any, leaves: Iterator[Any]) -> Any:
    """Lists, tuples and dicts nested like this tree, which hold these leaves instead."""
    if isinstance(tree, dict):
        return {key: rebuild(branch, leaves) for key, branch in tree.items()}
    if isinstance(tree, (list, tuple)):
        branches = [rebuild(branch, leaves) for branch in tree]
        return type(tree)(*branches) if hasattr(tree, "_fields") else type(tree)(branches)
    return None if tree is None else next(leaves)


def like(name: str, tree: Any, pattern: Sequence[Node], what: str) -> list[Node]:
    """The leaves of a tree as nodes, checked to fit those of the pattern one by one."""
    leaves = flatten(tree)
    if len(leaves) != len(pattern):
        raise ShapeError(f"{name}: {len(leaves)} {what} are given for {len(pattern)} tensors")
    return [_fitting(name, leaf, x, what) for leaf, x in zip(leaves, pattern, strict=True)]


def _fitting(name: str, leaf: Any, x: Node, what: str) -> Node:
    if isinstance(x, Value):
        return leaf if isinstance(leaf, Value) else Value(leaf, requires_grad=False)
    assert isinstance(x, Tensor)
    given = leaf if isinstance(leaf, Tensor) else Tensor(leaf, dtype=x.dtype, backend=x.backend)
    if given.shape != x.shape:
        raise ShapeError(f"{name}: the {what} have shape {given.shape} for {names.describe(x)}")
    if given.dtype != x.dtype:
        raise DTypeError(
            f"{name}: the {what} are {given.dtype} for {names.describe(x)}. "
            f'Convert them: .astype("{x.dtype}").'
        )
    return given


# --- recording a function once ---


@elementwise
def identity(xp: Any, x: Any) -> Any:
    """x itself, as a node of its own: a point to differentiate at."""
    return x


identity.vjp(lambda g, z, x: g)


def variable(name: str, x: Any, place: str) -> Node:
    """A node with the data of x to differentiate at, which x's own gradient flows through."""
    if isinstance(x, Value):
        return identity(x) if x.requires_grad and current().recording else Value(x.raw)
    if isinstance(x, (int, float)) and not isinstance(x, bool):
        x = Tensor(float(x))
    elif not isinstance(x, Tensor) or x.dtype is None:
        x = Tensor(x)
    if not is_float(x.dtype):
        raise DTypeError(
            f"{name}: argument {place} holds {x.dtype}, and only floats have a gradient. "
            'Convert it, x.astype("float32"), or leave it out of argnums.'
        )
    watched = current().recording >= EVERYTHING
    if watched or x.requires_grad and current().recording:
        variable: Tensor = identity(x)
        variable.requires_grad = True
        return variable
    return Tensor.of(x.raw, requires_grad=True)


class Call:
    """A function called once on variables: the graph that gradients are then pulled back through.

    `attached` tells whether the result depends on something outside that requires a gradient,
    so that its derivatives must be differentiable too.
    """

    def __init__(
        self,
        name: str,
        f: Callable[..., Any],
        args: tuple[Any, ...],
        argnums: int | Sequence[int],
        kwargs: dict[str, Any],
        has_aux: bool = False,
    ) -> None:
        self.name = name
        self.places = [argnums] if isinstance(argnums, int) else list(argnums)
        for place in self.places:
            if not -len(args) <= place < len(args):
                raise AutogradError(
                    f"{name}: argnums names argument {place}, and {len(args)} positional "
                    "arguments are given"
                )
        self.single = isinstance(argnums, int)
        self.trees = [args[place] for place in self.places]
        start = tick()
        variables: list[Node] = []
        filled = list(args)
        for place, tree in zip(self.places, self.trees, strict=True):
            new = [variable(name, leaf, str(place)) for leaf in flatten(tree)]
            filled[place] = rebuild(tree, iter(new))
            variables += new
        with enable_grad():
            result = f(*filled, **kwargs)
        self.aux: Any
        self.result, self.aux = result if has_aux else (result, None)
        self.outputs, self.variables = flatten(self.result), variables
        for y in self.outputs:
            if not isinstance(y, Node):
                raise GraphError(
                    f"{name}: the function returned {type(y).__name__} {y!r:.60}, which has left "
                    "the graph. Return tensors (or values): no .item(), .numpy() or float()."
                )
        self.attached = bool(current().recording) and bool(outside(self.outputs, start))

    def pull(
        self, outputs: Sequence[Node], gs: Sequence[Node], create_graph: bool, retain: bool
    ) -> list[Any]:
        """The gradient of each variable, given those of the outputs."""
        found = gradients_of(outputs, gs, self.variables, create_graph, retain)
        return [
            constant(x, 0) if g is None else g for x, g in zip(self.variables, found, strict=True)
        ]

    def in_structure(self, leaves: Sequence[Any]) -> Any:
        """One leaf per variable in the structure of the chosen arguments."""
        rest = iter(leaves)
        trees = tuple([rebuild(tree, rest) for tree in self.trees])
        return trees[0] if self.single else trees

    def told(self, tree: Any) -> Any:
        """What the function returned, cut off from the graph unless that is attached."""
        leaves = (y if self.attached or not isinstance(y, Node) else _cut(y) for y in flatten(tree))
        return rebuild(tree, leaves)

    def one_number(self) -> Node:
        """The one output, checked to be one floating-point number."""
        if len(self.outputs) != 1:
            raise ShapeError(
                f"{self.name}: the function returned {len(self.outputs)} tensors. Return the loss "
                "alone, or (loss, others) with has_aux=True."
            )
        y: Node = self.outputs[0]
        if isinstance(y, Tensor):
            if y.size != 1:
                raise ShapeError(
                    f"{self.name}: the function returned shape {y.shape}, and only one number has "
                    "a gradient. Reduce it, with .sum() or .mean(), or use jacobian or vjp."
                )
            if not is_float(y.dtype):
                raise DTypeError(f"{self.name}: the function returned {y.dtype}, not a float")
        return y


def outside(outputs: Sequence[Node], start: int) -> list[Node]:
    """The nodes from before `start` that need a gradient, where the outputs' history meets them."""
    found: dict[int, Node] = {}
    seen: set[int] = set()
    stack = list(outputs)
    while stack:
        node = stack.pop()
        if node.order in seen:
            continue
        seen.add(node.order)
        if node.order > start:
            stack.extend(node.inputs)
        elif node.requires_grad:
            found[node.order] = node
    return [found[order] for order in sorted(found)]


def _cut(y: Node) -> Node:
    return y.detach() if isinstance(y, (Tensor, Value)) else y


def constant(x: Node, number: int) -> Any:
    """A node like x, of zeros or of ones."""
    if isinstance(x, Value):
        return Value.of(type(x.raw)(number))
    assert isinstance(x, Tensor)
    return Tensor.of(namespaces[type(x.raw)].full(x.shape, number, dtype=x.dtype))


def gradients_of(
    outputs: Sequence[Node],
    gs: Sequence[Node],
    wanted: Sequence[Node],
    create_graph: bool,
    retain: bool,
) -> list[Any]:
    """Gradients as nodes, None where an input was not used: `sweep` for nodes alone."""
    pairs = [(y, g) for y, g in zip(outputs, gs, strict=True) if y.requires_grad]
    if not pairs:
        return [None] * len(wanted)
    ys, seeds = zip(*pairs, strict=True)
    found = sweep(ys, seeds, wanted=wanted, create_graph=create_graph, retain_graph=retain)
    given = [found.get(x) for x in wanted]
    return [
        g if g is None or isinstance(g, Node) else _kind(x).of(g)
        for x, g in zip(wanted, given, strict=True)
    ]


def _kind(x: Node) -> Any:
    return Value if isinstance(x, Value) else Tensor
