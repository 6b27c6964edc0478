"""Why the gradient of something is None: which cut stopped it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import names
from ..dtypes import is_float
from ..node import Freed, Node, history
from ..ops.shape import detach
from ..reverse import freed_at
from . import watched
from .watched import Seen
from .ways import carried_by, has_rule
from .words import Why, Words, checked

__all__ = ["of_run", "why_none"]


def why_none(p: Node, loss: Node | Callable[[], Any] | None = None) -> Why:
    """Why the gradient of p is None, in words.

    `loss` is the tensor that `backward` was called on or, which tells most, a function without
    arguments that computes it: it is called once more with everything recorded, so that a cut is
    seen where it was made.  An ordinary graph shows only that it ends.

    >>> from autograd import Tensor, why_none
    >>> w = Tensor([1.0, 2.0], requires_grad=True)
    >>> print(why_none(w, lambda: (w.detach() * 3).sum()))
    w: detach() (<doctest autograd.verdicts.none.why_none[2]>:1) cuts it off from the loss. \
Leave out detach(), if w is to learn from this.
    """
    checked(p, "why_none")
    if callable(loss) and not isinstance(loss, Node):
        return of_run(p, watched.run(loss))
    words = Words([p] if loss is None else [p, *history(loss)])
    return _by_itself(p, words) or _in_graph(p, loss, words)


def of_run(p: Node, seen: Seen) -> Why:
    """The same, with a loss that has been computed with everything recorded."""
    return _by_itself(p, Words([p])) or _run(p, seen)


# --- what p itself says ---


def _by_itself(p: Node, words: Words) -> Why | None:
    """What needs no loss to be seen."""
    name, line = words.name(p), names.where(p)
    at = f" ({line})" if line else ""
    if p._grad is not None:
        return Why("present", name, line, f"{name} has a gradient.")
    if p.op is not None:
        return _computed(p, words)
    if p.requires_grad:
        return None
    if "frozen" in (p.extra or ()):
        fix = "unfreeze() its module."
        return Why("frozen", name, line, f"{name} is frozen, it gets no gradient.", fix)
    if p.is_array and not is_float(getattr(p.raw, "dtype", None)):
        told = f"{name} holds {p.raw.dtype}{at}; only floats have a gradient."
        return Why("integer", name, line, told, 'Create it with dtype="float32".')
    if p.code is None and not p.name:
        told = (
            f"{name} is a constant: a result of detach(), of no_grad(), or of what needs no "
            "gradient itself."
        )
        return Why("constant", name, line, told, "Compute it where gradients are recorded.")
    told = f"{name} never asked for a gradient{at}."
    return Why("unrequested", name, line, told, "Create it with requires_grad=True.")


def _computed(p: Node, words: Words) -> Why:
    """An interior node: its gradient is not kept, or it is not the leaf that one takes it for."""
    name, line = words.name(p), names.where(p)
    own = names.variable(p)
    old = next((x for x in history(p)[1:] if own and x.requires_grad and x.op is None
                and names.variable(x) == own), None)  # fmt: skip
    if old is not None:
        told = f"{name} is no leaf any more: {line} computed a new tensor and gave it that name."
        fix = f"Change the leaf itself: `with no_grad(): {own} -= …`, or {own}.assign(…)."
        return Why("replaced", name, line, told, fix)
    told = f"{name} was computed, by {words.place(p)}; backward keeps the gradients of leaves only."
    fix = f"Call {name}.retain_grad() before backward, or backward(retain_graph=True)."
    return Why("interior", name, line, told, fix)


# --- what a finished graph says ---


def _in_graph(p: Node, loss: Node | None, words: Words) -> Why:
    name, line = words.name(p), names.where(p)
    if loss is None:
        told = f"No backward pass has reached {name}, or zero_grad() was called since."
        return Why("unknown", name, line, told, _more(name))
    nodes = history(loss)
    if p in carried_by(p, nodes):
        if loss in carried_by(p, nodes):
            told = f"The loss depends on {name}, but its backward() was not called since {name} had"
            return Why("not called", name, line, f"{told} no gradient.", "Call loss.backward().")
        return _cut(p, nodes, words)
    freed = next((x for x in nodes if x.inputs.__class__ is Freed), None)
    if freed is not None:
        at = freed_at(freed)
        told = f"The graph of the loss was freed by backward, at {at}: it shows no longer"
        return Why("freed", name, at, f"{told} what led to {name}.", _more(name))
    if not loss.requires_grad:
        told = f"The loss requires no gradient at all: {_ends(nodes, words)}"
        return Why("cut", words.name(loss), names.where(loss), told, _more(name))
    return _unused(p, nodes, words, _ends(nodes, words), _more(name))


def _ends(nodes: Sequence[Node], words: Words) -> str:
    """Where constants enter that no line of the user's made: there a cut may be."""
    consumers = [
        words.place(node)
        for node in nodes
        if any(x.op is None and not x.requires_grad and x.code is None for x in node.inputs)
    ]
    if not consumers:
        return "It was computed from constants, or under no_grad()."
    return f"Constants enter at {', '.join(dict.fromkeys(consumers[:3]))}, and a cut may be there."


def _more(name: str) -> str:
    return f"why_none({name}, lambda: …), with what computes the loss, runs it again and says more."


# --- what a second run says ---


def _run(p: Node, seen: Seen) -> Why:
    nodes = history(*seen.outputs)
    words = Words([p, *nodes])
    name, line = words.name(p), names.where(p)
    carried = carried_by(p, nodes)
    if any(y in carried for y in seen.outputs):
        told = f"The loss depends on {name}, and a gradient gets there: backward() was not called,"
        return Why("not called", name, line, f"{told} or zero_grad() since.", "Call backward().")
    if p in carried:
        return _cut(p, nodes, words)
    exits = [exit for exit in seen.exits if p in set(history(exit.node))]
    for exit in sorted(exits, key=lambda exit: exit.how == "item()"):  # which one also looks with
        told = f"{name} left the graph: {exit.how} of {words.name(exit.node)} ({exit.where})"
        fix = "Compute with tensors; stack([…]) joins them."
        told += " hands out data without their history."
        return Why("left the graph", words.name(exit.node), exit.where, told, fix)
    if p in seen.uses:
        op, at = seen.uses[p]
        told = f"{name} is used by {op.name} ({at}), but the loss does not depend on the result."
        return Why("dropped", name, at, told, "Use the result, or freeze the parameter.")
    return _unused(p, nodes, words, "", "Use it, or freeze it if that is meant.")


def _cut(p: Node, nodes: Sequence[Node], words: Words) -> Why:
    """The operations where the ways from p to the loss end."""
    carried = carried_by(p, nodes)
    ends = [x for x in nodes if x not in carried and not carried.isdisjoint(x.inputs)]
    node = ends[-1]
    i = next(i for i, x in enumerate(node.inputs) if x in carried)
    name, x = words.name(p), node.inputs[i]
    op, line, place = node.op, names.where(node), words.place(node)
    assert op is not None
    dtype = getattr(node.raw, "dtype", None)
    if op is detach:
        kind, told = "detach", f"detach(){f' ({line})' if line else ''} cuts it off from the loss."
        fix = f"Leave out detach(), if {name} is to learn from this."
    elif dtype is not None and dtype.kind in "iub" or not op.differentiable:
        truths = isinstance(node.raw, bool) or dtype is not None and dtype.kind == "b"
        kind, whole = ("comparison", "truth values") if truths else ("integer", "integers")
        told = f"{place} makes {whole} of it, which have no gradient."
        fix = "Use a smooth stand-in: softmax for argmax, sigmoid for a comparison."
    elif not has_rule(node, i):
        kind, told = "selector", f"it only chooses elements in {place}, as {op.inputs[i]}."
        fix = "What is chosen has a gradient, the choice has none: use a product with weights."
    else:
        kind, told = "no_grad", f"{place} was computed under no_grad()."
        fix = "Compute it outside the block; no_grad() is for updates and evaluation."
    if x is not p:
        told = f"through {words.name(x)}, {told}" if words.name(x) != op.name else told
    if len(ends) > 1:
        told += f" There are {len(ends)} such ends."
    return Why(kind, words.at(node), line, f"{name}: {told}", fix)


def _unused(p: Node, nodes: Sequence[Node], words: Words, told: str, fix: str) -> Why:
    """The loss does not use p at all; perhaps another in its place."""
    name, line = words.name(p), names.where(p)
    leaves = [x for x in reversed(nodes) if x.op is None and x.requires_grad]
    alike = [x for x in leaves if x.shape == p.shape]
    twin = next((x for x in alike if words.name(x) == name or
                 names.variable(x) and names.variable(x) == names.variable(p)), None)  # fmt: skip
    owned = p in words.names.parameters
    if twin is None and not owned:
        taken = [x for x in alike if x in words.names.parameters]
        twin = max(taken, key=lambda x: x.order, default=None)  # the latest to be made
    if twin is not None:
        at = names.where(twin)
        told = f"The loss does not use {name} itself, but another of its shape: {words.name(twin)}"
        told += f", made at {at}." if at else "."
        fix = "It was replaced: keep the first and assign() to it, or bind the optimizer anew."
        return Why("replaced", words.name(twin), at, told, fix)
    related = (alike or leaves)[:3]
    if not p.is_array:
        told = f"Or it uses only {name}.detach(), which leaves no trace in a graph of Values."
    near = f" It uses {', '.join(map(words.name, related))}." if related else ""
    return Why("unused", name, line, f"The loss does not use {name}.{near} {told}".rstrip(), fix)
