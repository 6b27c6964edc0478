"""A recorded tensor computation, written out in the scalar `Value`s that it stands for.

An array of objects whose elements are `Value`s is all it takes: elementwise operations are applied
to one element after the other, and the rest run their own forward on such arrays, where NumPy
multiplies, sums and moves `Value`s as it would numbers.

    >>> from autograd import Tensor
    >>> x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> y = (x * x).sum().values()
    >>> y
    Value(data=5, grad=—)
    >>> [leaf.name for leaf in y.inputs[0].inputs]
    ['x[0]', 'x[0]']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import backends
from backends import namespaces

from . import names
from .errors import AutogradError, GraphError
from .node import Freed, Node, Op, State, _state, history
from .several import Bundle, part
from .tensor import Tensor
from .value import Value

__all__ = ["LIMIT", "expand", "scalars", "values"]

LIMIT = 20_000
"""The most scalars that a computation is expanded into."""


def values(tensor: Tensor) -> Any:
    """The `Value`s that a tensor's elements are, in nested lists of its shape.

    Their data and all gradients are those of the tensors, and leaves have names like "w[0,1]".
    Use `expand` to get at the `Value`s of other tensors of the computation.
    """
    return expand(tensor)[tensor].tolist()


def expand(*outputs: Tensor) -> dict[Node, Any]:
    """The outputs and all they were computed from: tensor → array of its elements as `Value`s."""
    nodes = history(*outputs)
    count = scalars(*outputs)
    if count > LIMIT:
        raise AutogradError(
            f"values: {names.describe(outputs[0])} stands for about {count:,} scalars; the limit "
            f"is {LIMIT:,}. Expand the loss of a small batch, or a part of the network."
        )
    return _expanded(nodes, {})


def scalars(*outputs: Tensor) -> int:
    """About how many scalars the outputs and all they were computed from stand for."""
    return sum(map(_scalars, history(*outputs)))


def _expanded(nodes: list[Node], found: dict[Node, Any]) -> dict[Node, Any]:
    """Expand nodes, newest first, unless they are found already."""
    named = names.Names(nodes, names.user_frame())
    while nodes:
        node = nodes.pop()
        if node in found:
            continue
        token = _state.set(State(True, node.scope))
        try:
            found[node] = _leaf(node) if node.op is None else _computed(node, node.op, found)
        finally:
            _state.reset(token)
        if isinstance(node, Bundle):
            continue
        _name(found[node], named.given(node) or named.variable(node))
    return found


def _scalars(node: Node) -> int:
    """About how many scalars it takes to compute a node from its inputs."""
    op, size = node.op, _size(node)
    if op is not None and op.name in ("matmul", "affine"):
        return 2 * size * int(node.inputs[0].shape[-1])
    if op is not None and op.name == "einsum":
        labels = node.params["subscripts"].partition("->")[0].split(",")
        pairs = zip(labels, node.inputs, strict=True)
        sizes = {c: n for term, x in pairs for c, n in zip(term, x.shape, strict=True)}
        return len(labels) * int(prod(sizes.values()))
    return max([size, *map(_size, node.inputs)])


def _size(node: Node) -> int:
    """How many numbers a node holds."""
    return sum(x.size for x in node.raw) if isinstance(node, Bundle) else int(prod(node.shape))


def _leaf(node: Node) -> Any:
    """Given data: one `Value` per element."""
    array = _on_host(node)
    scalars = host.empty(array.shape, dtype=object)
    flat, numbers = scalars.reshape(-1), array.reshape(-1).tolist()
    for i, number in enumerate(numbers):
        flat[i] = Value(number, requires_grad=node.requires_grad)
    return scalars


def _on_host(node: Node) -> Any:
    return host.asarray(namespaces[type(node.raw)].to_host(node.raw))


def _name(scalars: Any, name: str | None) -> None:
    """Call an array's elements "w[0,1]", unless they have a name already."""
    if name is None:
        return
    for place in host.ndindex(scalars.shape):
        value = scalars[place]
        if value.name is None:
            value.name = f"{name}[{','.join(map(str, place))}]" if place else name


def _computed(node: Node, op: Op, found: dict[Node, Any]) -> Any:
    """The elements of a node's result, computed from those of its inputs."""
    if node.inputs.__class__ is Freed:
        raise GraphError(
            f"values: {names.describe(node)} was computed in a graph that backward has freed. "
            "Call values() before backward, or backward(retain_graph=True)."
        )
    for x in node.inputs:
        if x.order > node.order:
            raise GraphError(
                f"values: {names.describe(x)} was assigned new data after {names.describe(node)} "
                "was computed from it. Compute that anew."
            )
    roles = [op.inputs[min(i, len(op.inputs) - 1)] for i in range(len(node.inputs))]
    if op is part:
        return found[node.inputs[0]][node.params["index"]]
    arrays = [
        _on_host(x) if role == "index" else found[x]
        for role, x in zip(roles, node.inputs, strict=True)
    ]
    try:
        if op.meaning is not None:
            return _meant(node, op.meaning, found)
        if op.elementwise:
            result = _each(op, arrays, node.params)
        elif op.name in _FORMS:
            result = _FORMS[op.name](*arrays, **node.params)
        elif len(arrays) == 1 and arrays[0].ndim == 0 and "keepdims" in op.params:
            # a reduction of one number: of shape (1,), as NumPy unpacks what has shape ()
            result = op.forward(_objects, arrays[0].reshape(1))
        else:
            result = op.forward(_objects, *arrays, **node.params)
        return _only_values(result, node.shape)
    except Exception as error:
        raise AutogradError(
            f"values: {op.name} has no scalar form, for {names.describe(node)}: {error}"
        ) from error


def _meant(node: Node, meaning: Callable[..., Any], found: dict[Node, Any]) -> Any:
    """The elements of what a fused op computes, by what it means in simpler ones."""
    points = [Tensor.of(x.raw, requires_grad=x.raw.dtype.kind not in "iub") for x in node.inputs]
    z = meaning(*points, **node.params)
    results = z if isinstance(z, tuple) else (z,)
    inside: dict[Node, Any] = dict(zip(points, map(found.get, node.inputs), strict=True))
    inside = _expanded(history(*results), inside)
    scalars = tuple([inside[x] for x in results])
    return scalars if isinstance(node, Bundle) else scalars[0]


def _each(op: Op, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """An elementwise operation applied to one element after the other, with broadcasting."""
    each = host.frompyfunc(lambda *xs: op(*xs, **params), len(arrays), 1)
    return _boxed(each)(*arrays)


def _only_values(result: Any, shape: tuple[int, ...]) -> Any:
    """The result as an array of `Value`s; numbers such as the zeros of padding become constants."""
    scalars = host.empty(shape, dtype=object)
    scalars[...] = result
    flat = scalars.reshape(-1)
    for i, x in enumerate(flat):
        if isinstance(x, host.ndarray):  # of shape (), as an element that was put somewhere
            flat[i] = x = x[()]
        if not isinstance(x, Value):
            flat[i] = Value(x, requires_grad=False)
    return scalars


class _Objects:
    """NumPy for arrays of `Value`s: what an op's forward computes with."""

    def __getattr__(self, name: str) -> Any:
        op = Op.table.get(name)
        if op is None or not op.elementwise:
            found = getattr(host, name)
            return _boxed(found) if callable(found) and not isinstance(found, type) else found
        return lambda *arrays: _each(op, arrays, {})

    def where(self, condition: Any, x: Any, y: Any) -> Any:
        """Choose, leaving no trace of the choice."""
        return host.where(condition, x, y)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The largest numbers, as constants: in a forward they shift what does not depend on it."""
        return host.max(_data(x), axis=axis, keepdims=keepdims)

    def sqrt(self, x: Any) -> Any:
        """Square root, with gradient 0 where it is 0, as `norm` and `std` have it."""
        return host.frompyfunc(lambda v: v.sqrt() if v.raw else v * 0, 1, 1)(x)


def _boxed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose result is an array also where NumPy gives its one element."""

    def boxed(*args: Any, **options: Any) -> Any:
        z = function(*args, **options)
        if not isinstance(z, Value):
            return z
        box = host.empty((), dtype=object)
        box[()] = z
        return box

    return boxed


host = backends.get("numpy")
_objects = _Objects()


def _data(x: Any) -> Any:
    return host.asarray(host.frompyfunc(lambda v: v.raw, 1, 1)(x)).astype("float64")


def _extreme(better: Op) -> Callable[..., Any]:
    """The form of max and min: pairwise where one element wins, else the mean of those that tie."""
    numbers = host.max if better.name == "maximum" else host.min

    def of_row(row: Sequence[Any]) -> Any:
        top = numbers(_data(row))
        tied = [v for v in row if v.raw == top]
        if len(tied) > 1:
            return sum(tied[1:], tied[0]) / len(tied)
        best = row[0]
        for v in row[1:]:
            best = better(best, v)
        return best

    def form(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        given = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = sorted(a % x.ndim for a in given)
        kept = [a for a in range(x.ndim) if a not in axes]
        rows = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), -1)
        result = host.empty(rows.shape[:-1], dtype=object)
        for place in host.ndindex(result.shape):
            result[place] = of_row(rows[place])
        sizes = [1 if a in axes else n for a, n in enumerate(x.shape)]
        return result.reshape(sizes) if keepdims else result

    return form


def _cast(x: Any, dtype: Any) -> Any:
    if host.dtype(backends.dtype(dtype)).kind not in "fcV":
        raise TypeError(f"{dtype} is not a float")
    return x


def _refuse(*arrays: Any, again: Any) -> Any:
    raise TypeError("what is inside is not recorded. Call the function without checkpoint")


_FORMS: dict[str, Callable[..., Any]] = {
    "max": _extreme(Op.table["maximum"]),
    "min": _extreme(Op.table["minimum"]),
    "astype": _cast,
    "to": lambda x, backend: x,
    "recomputed": _refuse,
}
"""What does not run on arrays of objects as it is, or would differ at a tie."""
