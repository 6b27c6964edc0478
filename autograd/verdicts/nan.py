"""Where the first NaN or infinity comes from, in the forward or the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import names
from ..calls import flatten, rebuild
from ..dtypes import is_float
from ..node import Node, history
from ..several import part
from ..tensor import Tensor
from . import traps, watched
from .ways import carried_by, flowing, flows_to, hosts, not_finite
from .words import Why, Words, host, np, short

__all__ = ["NotFinite", "find_nan", "first_not_finite"]


@dataclass(frozen=True)
class NotFinite(Why):
    """The first producer of a NaN or an infinity.

    `kind` is "forward", "backward", or "given" for a leaf that holds one already; `op` is the
    operation, `index` the place of the first such element (in the gradient of an operand, for
    "backward"), and `operands` describe what it was computed from: name, shape, dtype, range.
    """

    op: str = ""
    index: tuple[int, ...] = ()
    operands: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"\n  {operand}" for operand in self.operands]
        return f"{self.told}{''.join(lines)}{f'{chr(10)}  {self.fix}' if self.fix else ''}"


def find_nan(f: Callable[..., Any] | Node, *args: Any, **kwargs: Any) -> NotFinite | None:
    """The first operation in f(*args), forward or backward, that makes a NaN or an infinity.

    f computes the loss, or is one whose graph is still there.  A function runs operation by
    operation, also where it is compiled, and afterwards leaves and random stream are as before.
    Gradients are those of all leaves that require one or, where none does, of the arguments.
    None where everything that comes out is finite.

    >>> from autograd import Tensor, find_nan, where
    >>> x = Tensor([4.0, 0.0], requires_grad=True)
    >>> found = find_nan(lambda x: where(x > 0, x.sqrt(), 0.0).sum(), x)
    >>> found.kind, found.op, found.index
    ('backward', 'sqrt', (1,))
    >>> print(found.fix)
    Choose before: ok = x > 0; where(ok, sqrt(where(ok, x, 1)), 0).
    """
    if isinstance(f, Node):
        return first_not_finite([f])
    seen = watched.run(f, *args, **kwargs)
    if not any(y.requires_grad for y in seen.outputs):
        leaves = [_variable(x) for x in flatten(args)]
        seen = watched.run(f, *rebuild(args, iter(leaves)), **kwargs)
    return first_not_finite(seen.outputs)


def _variable(x: Any) -> Any:
    if isinstance(x, Tensor):
        return Tensor.of(x.raw, requires_grad=True) if is_float(x.dtype) else x
    return x


def first_not_finite(outputs: Sequence[Node]) -> NotFinite | None:
    """The same of what has been computed: its graph is walked, and stays as it is."""
    nodes = history(*outputs)
    bad = [y for y in outputs if is_bad(y)]
    if bad:
        return _forward(_source(bad[0]), nodes)
    return _backward(outputs, nodes)


def is_bad(node: Node) -> bool:
    """Whether a node holds a NaN or an infinity."""
    return any(not np.isfinite(x).all() for x in _floats(node))


def _floats(node: Node) -> list[Any]:
    """The floats that a node holds, as arrays; of several results those that are handed out."""
    raws: Any = (node.raw,)
    if isinstance(node.raw, tuple):
        raws = node.raw[: len(node.op.outputs)] if node.op is not None else node.raw
    found = [host(raw) for raw in raws]
    return [x.astype("float64") for x in found if x.dtype.kind not in "iubcO"]


# --- forward ---


def _source(node: Node) -> Node:
    """The first bad node on the way to a bad one.

    A NaN is followed to the first NaN, and from there an infinity to the first one; but one that
    was given, as a mask may have it, is no fault of itself.
    """
    first = _oldest(node, lambda x: any(np.isnan(a).any() for a in _floats(x)))
    ends = [_oldest(x, is_bad) for x in (first.inputs if first is not None else (node,))]
    sources = [x for x in ends if x is not None and (x.op is not None or x.requires_grad)]
    return min(sources, key=lambda x: x.order, default=node if first is None else first)


def _oldest(node: Node, fits: Callable[[Node], bool]) -> Node | None:
    """The oldest node that is reached from one through nodes that fit, itself included."""
    if not fits(node):
        return None
    known: dict[Node, bool] = {node: True}
    ends, stack = [], [node]
    while stack:
        found = stack.pop()
        inner = [x for x in found.inputs if known.setdefault(x, False) or fits(x)]
        if not inner:
            ends.append(found)
        for x in inner:
            if not known[x]:
                known[x] = True
                stack.append(x)
    return min(ends, key=lambda x: x.order)


def _forward(node: Node, nodes: Sequence[Node]) -> NotFinite:
    words = Words(nodes)
    if node.op is part:
        node = node.inputs[0]
    values = next(x for x in _floats(node) if not np.isfinite(x).all())
    index = _first(values)
    what, line = _what(values[index]), names.where(node)
    if node.op is None:
        name = words.name(node)
        told = f"{name} holds {what} at {list(index)} already"
        told += f", put there at {line}." if line else "."
        fix = "A step was too large, or the data have it: look where it was assigned."
        return NotFinite("given", name, line, told, fix, "", index)
    told = (
        f"forward: {words.place(node)} makes the first {what}, at {list(index)} of {values.shape}."
    )
    told, fix = traps.forward(node, index, nodes, words, told)
    return NotFinite(
        "forward", words.at(node), line, told, fix, node.op.name, index, _operands(node, words)
    )


def _operands(node: Node, words: Words) -> tuple[str, ...]:
    return tuple(words.operand(node, i) for i in range(len(node.inputs)))


def _first(values: Any) -> tuple[int, ...]:
    """The place of the first element that is not finite."""
    return tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0]) if values.ndim else ()


def _what(x: Any) -> str:
    return "NaN" if np.isnan(x) else short(x)


# --- backward ---


def _backward(outputs: Sequence[Node], nodes: Sequence[Node]) -> NotFinite | None:
    found = flowing(outputs)
    ends = [x for x, g in found.items() if x.op is None and x.requires_grad and not_finite(g)]
    if not ends:
        return None
    words = Words(nodes)
    leading = carried_by(ends[0], nodes)
    for node in nodes:
        if node.op is None or node not in found or node not in leading or not_finite(found[node]):
            continue
        for x, g in flows_to(node, found[node]).items():
            if x in leading and not_finite(g):
                return _passed_on(node, x, g, found, nodes, words)
    name = words.name(ends[0])
    told = f"backward: the gradients that meet at {name} add up to more than any float."
    return NotFinite("backward", name, names.where(ends[0]), told, "Scale the loss down.")


def _passed_on(
    node: Node, x: Node, g: Any, found: dict[Node, Any], nodes: Sequence[Node], words: Words
) -> NotFinite:
    """What is told of a node that makes the first bad gradient, of its input x."""
    assert node.op is not None
    values = next(a for a in hosts(g) if not np.isfinite(a.astype("float64")).all())
    index = _first(values.astype("float64"))
    what = _what(values.astype("float64")[index])
    told = (
        f"backward: the gradient of {words.place(node)} by {words.name(x)} "
        f"is the first {what}, at {list(index)} of {values.shape}."
    )
    told, fix = traps.backward(node, x, index, found, nodes, words, told)
    return NotFinite(
        "backward", words.at(node), names.where(node), told, fix, node.op.name, index,
        _operands(node, words),
    )  # fmt: skip
