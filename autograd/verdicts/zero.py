"""Why the gradient of something is zero: which operation lets nothing through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import names
from ..node import Freed, Node, history
from ..reverse import freed_at
from . import watched
from .none import why_none
from .ways import carried_by, flowing, flows_to, hosts, nonzero
from .words import Why, Words, checked, host, np, short

__all__ = ["why_zero"]


def why_zero(p: Node, loss: Node | Callable[[], Any]) -> Why:
    """Why the gradient of p is zero everywhere, in words.

    `loss` is a tensor whose graph has not been freed, or a function without arguments that
    computes it, which is called once more.  The gradient is computed anew; nothing changes.

    >>> from autograd import Tensor, why_zero
    >>> w = Tensor([-1.0, -2.0], requires_grad=True)
    >>> why = why_zero(w, (w * 3).relu().sum())
    >>> why.kind, why.at
    ('dead', 'relu')
    >>> print(why.told)
    w: the gradient ends at relu (<doctest autograd.verdicts.zero.why_zero[2]>:1), which is 0 for \
all 2 elements.
    """
    checked(p, "why_zero")
    if not isinstance(loss, Node):
        return _judge(p, watched.run(loss).outputs) or why_none(p, loss)
    freed = next((x for x in history(loss) if x.inputs.__class__ is Freed), None)
    if freed is not None:
        words = Words([p])
        name, at = words.name(p), freed_at(freed)
        told = f"The graph of the loss was freed by backward, at {at}."
        fix = f"why_zero({name}, lambda: …), with what computes the loss, runs it again."
        return Why("freed", name, at, told, fix)
    return _judge(p, [loss]) or why_none(p, loss)


def _judge(p: Node, outputs: Sequence[Node]) -> Why | None:
    """The verdict, or None where no gradient comes to p at all."""
    nodes = history(*outputs)
    carried = carried_by(p, nodes)
    if carried.isdisjoint(outputs):
        return None
    found, words = flowing(outputs), Words([p, *nodes])
    name, line = words.name(p), names.where(p)
    if nonzero(found[p]):
        g = hosts(found[p])[0].astype("float64")
        if not np.isfinite(g).all():
            told = f"The gradient of {name} is not zero but NaN or infinite."
            return Why("not finite", name, line, told, "find_nan says where it comes from.")
        told = f"The gradient of {name} is not zero: its norm is {short(np.sqrt((g * g).sum()))}"
        share = float((g == 0).mean())
        told += f", {share:.0%} of its elements are 0." if share else "."
        return Why("present", name, line, told)
    ends = [
        (node, i)
        for node in nodes
        if node in carried and node in found and nonzero(found[node])
        for i, x in enumerate(node.inputs)
        if x in carried and not nonzero(found.get(x, 0.0))
    ]
    node, i = ends[0]
    kind, told, fix = _end(node, i, found[node], words)
    told = f"{name}: the gradient ends at {words.place(node)}, {told}."
    others = {end for end, _ in ends} - {node}
    if others:
        told += f" It ends at {len(others)} other operations, too."
    return Why(kind, words.at(node), names.where(node), told, fix)


# --- what an operation that lets nothing through does ---


def _end(node: Node, i: int, g: Any, words: Words) -> tuple[str, str, str]:
    """Kind, words and remedy for a node whose i-th input gets zeros where g arrives."""
    x = node.inputs[i]
    op = node.op
    assert op is not None
    through = flows_to(node, g)
    twice = op.name == "sub" and node.inputs[0] is node.inputs[1]
    if twice or x in through and nonzero(through[x]):
        told = "whose part is taken away again by others: they add up to 0"
        return "cancels", told, "Look whether the same is added and subtracted."
    for judge in (_activation, _choice, _product, _constant):
        found = judge(node, i, g, words)
        if found is not None:
            return found
    largest = max(float(np.abs(a.astype("float64")).max(initial=0)) for a in hosts(g))
    if largest < 1e-20:
        told = f"where {short(largest)} at most arrives, and what goes on is below all floats"
        return "underflow", told, "Gradients vanish on the way: see model.gradient_flow(x, y)."
    return "flat", f"whose slope by {words.name(x)} is 0 here", "Start from another point."


Told = tuple[str, str, str] | None


def _arriving(node: Node, g: Any) -> Any:
    """Which elements of a node's result a gradient arrives at."""
    return np.broadcast_to(hosts(g)[0] != 0, host(node.raw).shape)


def _activation(node: Node, i: int, g: Any, words: Words) -> Told:
    name = node.op.name if node.op else ""
    if name not in ("relu", "sigmoid", "tanh", "erf", "softmax", "log_softmax"):
        return None
    z = host(node.raw)
    if name == "relu":
        return "dead", _dead(z), "Lower the learning rate, or try he_normal or LeakyReLU."
    if name in ("softmax", "log_softmax"):
        axis = node.params.get("axis", -1)
        if isinstance(axis, int) and z.shape and z.shape[axis] == 1:
            told = "which is constant: its axis has one element"
            return "constant", told, "One output wants a sigmoid; softmax needs two or more."
    low = 0.0 if name in ("sigmoid", "softmax") else -1.0
    if ((z == low) | (z == 1))[_arriving(node, g)].all():
        fix = "Scale inputs and initial weights down, or give the logits to the loss."
        return "saturated", f"which is saturated: {_values(z)}", fix
    return None


def _dead(z: Any) -> str:
    if z.ndim < 2:
        return f"which is 0 for all {z.size} elements"
    units = z.reshape(-1, z.shape[-1]).max(axis=0) <= 0
    samples = z.size // z.shape[-1]
    if units.all():
        return f"which is 0 for all {len(units)} units and {samples} samples: they are dead"
    return f"which is 0 wherever a gradient arrives; {units.mean():.0%} of its units are dead"


def _values(z: Any) -> str:
    low, high = short(z.min()), short(z.max())
    return f"all its results are {low}" if low == high else f"its results are {low} or {high}"


def _choice(node: Node, i: int, g: Any, words: Words) -> Told:
    name = node.op.name if node.op else ""
    if name in ("sign", "floor", "ceil", "round"):
        fix = "Use a smooth stand-in, or x + (round(x) - x).detach() to let gradients pass."
        return "step", "a step, whose slope is 0 everywhere", fix
    if name == "where":
        told = f"which takes the other branch wherever a gradient arrives ({_branch(node, i)})"
        return "selects", told, "Look at the condition."
    if name == "clip":
        x = host(node.inputs[0].raw)
        limits = " to ".join(str(node.params[k]) for k in ("low", "high"))
        told = f"outside whose limits ({limits}) all lies: from {short(x.min())} to "
        return "selects", told + short(x.max()), "Widen the limits, or scale its input."
    if name in ("maximum", "minimum"):
        other = words.operand(node, 1 - i)
        told = f"which takes the other operand wherever a gradient arrives: {other}"
        return "selects", told, "This operand never wins: scale it, or use a softer choice."
    return None


def _branch(node: Node, i: int) -> str:
    holds = float(host(node.inputs[0].raw).mean())
    return f"its condition holds for {holds:.0%}, this is the branch for {i == 1}"


PRODUCTS = ("mul", "matmul", "affine", "conv", "conv_transpose", "einsum", "outer")


def _product(node: Node, i: int, g: Any, words: Words) -> Told:
    name = node.op.name if node.op else ""
    if name not in PRODUCTS:
        return None
    for j, y in enumerate(node.inputs[:2]):
        if j == i:
            continue
        raw = host(y.raw)
        zeros = raw == 0
        if name == "mul":
            zeros = np.broadcast_to(zeros, host(node.raw).shape)[_arriving(node, g)]
        if not zeros.all():
            continue
        if not y.requires_grad and y.is_array and set(np.unique(raw).tolist()) <= {0, 1}:
            told = f"a product with the mask {words.operand(node, j)}: it is 0 where it counts"
            return "masked", told, "Look at the mask: nothing is left of the batch."
        told = f"a product with {words.operand(node, j)}: it is 0 throughout"
        return "times zero", told, "Start from weights that are not 0, or look where it comes from."
    return None


def _constant(node: Node, i: int, g: Any, words: Words) -> Told:
    name, x = node.op.name if node.op else "", host(node.inputs[i].raw)
    if name == "power" and not x.any():
        told = f"whose slope at 0 is 0: {words.operand(node, i)}"
        return "flat", told, "Start from another point."
    if name == "softmax_cross_entropy" and i == 0 and x.shape[-1] == 1:
        told = "which is constant: there is one class"
        return "constant", told, "One output wants binary_crossentropy."
    return None
