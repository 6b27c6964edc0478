"""Known ways to a NaN, and the form that avoids them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..explain.numbers import DOMAINS
from ..node import Node
from .ways import hosts
from .words import Words, host, np, short

__all__ = ["backward", "forward"]

SLOPES = {
    "sqrt": "1 / (2 √x)", "log": "1 / x", "log1p": "1 / (1 + x)", "div": "1 / y and -x / y²",
    "power": "n xⁿ⁻¹", "pow": "y xʸ⁻¹", "asin": "1 / √(1 - x²)", "acos": "-1 / √(1 - x²)",
    "acosh": "1 / √(x² - 1)", "atanh": "1 / (1 - x²)", "xlogy": "log y and x / y",
}  # fmt: skip
"""Slopes that are infinite or undefined somewhere."""

SAFE = {
    "sqrt": ("{x} > 0", "sqrt({c})"), "log": ("{x} > 0", "log({c})"),
    "log1p": ("{x} > -1", "log1p({c})"), "div": ("{y} != 0", "{x} / {c}"),
    "power": ("{x} > 0", "{c} ** {n}"), "pow": ("{x} > 0", "pow({c}, {y})"),
    "asin": ("abs({x}) < 1", "asin({c})"), "acos": ("abs({x}) < 1", "acos({c})"),
    "acosh": ("{x} > 1", "acosh({c})"), "atanh": ("abs({x}) < 1", "atanh({c})"),
    "exp": ("{x} < 80", "exp({c})"),
}  # fmt: skip
"""When it is safe, and the operation on what was chosen before."""

INSIDE = {"acosh": "2", "asin": "0", "acos": "0", "atanh": "0", "log1p": "0", "exp": "0"}
"""A harmless number; 1 elsewhere."""

CHOOSERS = ("where", "maximum", "minimum", "clip", "relu", "max", "min", "mul", "index", "gather")


def forward(
    node: Node, index: tuple[int, ...], nodes: Sequence[Node], words: Words, told: str
) -> tuple[str, str]:
    """What is told of an operation whose result is the first that is not finite, and the mend."""
    op = node.op
    assert op is not None
    name = op.name
    given = [_at(x, index, node) for x in node.inputs]
    if name in ("power", "pow") and given[0] is not None and given[0] <= 0:
        told += f" {short(given[0])} has no such power."
        return told, _safe(node, words)
    domain = DOMAINS.get(name)
    if domain is not None:
        x = given[domain.place]
        if x is not None and not domain.valid(x):
            told += f" It is of {short(x)}, and {name} needs {domain.text}."
            hides = next((n for n in nodes if n.op is not None and n.op.name == "mul"
                          and any(x is node for x in n.inputs)), None)  # fmt: skip
            if hides is not None:
                told += f" {words.place(hides)} does not hide it: 0 · inf is NaN."
                return told, _safe(node, words)
            x = node.inputs[domain.place]
            return told, domain.mend.format(words.name(x) if _named(x, words) else "x")
    if name in ("softmax", "log_softmax", "logsumexp", "attention"):
        told += " A row of nothing but -inf has none."
        return told, "Leave at least one element of each row unmasked."
    numbers = [x for x in given if x is not None]
    if any(np.isinf(x) for x in numbers):
        told += f" It is of {' and '.join(map(short, numbers))}, which has no value."
        return told, "Keep infinities out of arithmetic: choose with where, after it."
    if name in ("exp", "expm1", "sinh", "cosh"):
        told += f" {name}({short(numbers[0]) if numbers else '…'}) is larger than any float."
        return told, "Subtract the largest first, as softmax and logsumexp do, or use logarithms."
    told += " The result is larger than any float."
    return told, "Scale the operands down; lower the learning rate, or compile with clip_norm=1."


def backward(
    node: Node, x: Node, index: tuple[int, ...], found: dict[Node, Any], nodes: Sequence[Node],
    words: Words, told: str,
) -> tuple[str, str]:  # fmt: skip
    """The same of an operation whose rule gives the first gradient that is not finite."""
    op = node.op
    assert op is not None
    given = [_at(y, index, node) for y in node.inputs]
    g = _element(hosts(found[node])[0], index)
    steep = op.name in SLOPES or node.shape == x.shape and given[0] is not None
    numbers = " and ".join(short(v) for v in given if v is not None)
    if op.name in SLOPES:
        told += f" Its slope {SLOPES[op.name]} at {numbers} is not finite."
    if g == 0 and steep:
        chooser = _chooser(node, index, found, nodes)
        by = f"{words.place(chooser)} takes another branch there" if chooser is not None else ""
        told += f" {by + ', so' if by else 'There'} the gradient that arrives is 0,"
        told += " and 0 · inf is NaN."
        return told, _safe(node, words)
    if op.name in SLOPES:
        return told, _away(node, words)
    told += f" It is larger than any float: {short(g)} arrives." if g is not None else ""
    return told, "Scale the loss down, or compile with clip_norm=1."


def _at(x: Node, index: tuple[int, ...], node: Node) -> Any:
    """The element of an operand that goes into the element of a result, where that is known."""
    if isinstance(x.raw, tuple) or isinstance(node.raw, tuple):
        return None
    raw = host(x.raw)
    if node.op is None or not node.op.elementwise and raw.shape != host(node.raw).shape:
        return None
    return _element(raw, index)


def _element(raw: Any, index: tuple[int, ...]) -> Any:
    """The element at an index of what it broadcasts with."""
    if raw.ndim > len(index):
        return None
    short_index = index[len(index) - raw.ndim :]
    place = tuple(0 if n == 1 else i for i, n in zip(short_index, raw.shape, strict=True))
    if any(i >= n for i, n in zip(place, raw.shape, strict=True)):
        return None
    return raw[place].astype("float64")


def _chooser(
    node: Node, index: tuple[int, ...], found: dict[Node, Any], nodes: Sequence[Node]
) -> Node | None:
    """The operation that sends a 0 back to this element of a node's result."""
    current: Node | None = node
    while current is not None:
        readers = [n for n in nodes if any(x is current for x in n.inputs) and n in found]
        for reader in readers:
            g = _element(hosts(found[reader])[0], index)
            if reader.op is not None and reader.op.name in CHOOSERS and (g is None or g != 0):
                return reader
        current = readers[-1] if readers else None
    return None


def _safe(node: Node, words: Words) -> str:
    """The same computation with its operand chosen before, not only its result."""
    op = node.op
    assert op is not None
    if op.name not in SAFE:
        return "Choose the operand with where before, not only the result after."
    condition, form = SAFE[op.name]
    given = [
        words.name(x) if _named(x, words) else n for x, n in zip(node.inputs, "xy", strict=False)
    ]
    x, y = (*given, "y")[:2]
    operand = y if op.name == "div" else x
    chosen = f"where(ok, {operand}, {INSIDE.get(op.name, '1')})"
    power = node.params.get("n")
    ok = condition.format(x=x, y=y)
    return f"Choose before: ok = {ok}; where(ok, {form.format(c=chosen, x=x, y=y, n=power)}, 0)."


def _named(x: Node, words: Words) -> bool:
    return bool(words.names.given(x) or words.names.variable(x))


def _away(node: Node, words: Words) -> str:
    """How to keep an operand from the place where the slope is infinite."""
    op = node.op
    assert op is not None
    if op.name in ("sqrt", "power", "pow", "log", "div"):
        i = 1 if op.name == "div" else 0
        x = words.name(node.inputs[i]) if _named(node.inputs[i], words) else "xy"[i]
        return f"Keep {x} away from 0, say {x} + 1e-12. {_safe(node, words)}"
    return f"Keep the operand away from there. {_safe(node, words)}"
