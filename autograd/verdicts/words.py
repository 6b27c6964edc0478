"""How verdicts call nodes, numbers and places."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import backends
from backends import namespaces

from .. import names
from ..node import Node
from ..several import Bundle, part

__all__ = ["Why", "Words", "checked", "host", "np", "short", "warn"]

np = backends.get("numpy")  # what is judged is judged on the host


@dataclass(frozen=True)
class Why:
    """Why a gradient is as it is.

    `kind` is the cause in a word, `at` the name of what is to blame, `where` its line; `told` says
    it in a sentence, `fix` what to do.  Printed it is both sentences.
    """

    kind: str
    at: str
    where: str
    told: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.told} {self.fix}".rstrip()


def checked(p: Any, who: str) -> None:
    """A verdict is on a node."""
    if not isinstance(p, Node):
        raise TypeError(
            f"{who}: expected a Tensor or Value, got {type(p).__name__}. Of a model, ask about one "
            "parameter: model.named_parameters() lists them."
        )


class Words:
    """The names of a graph's nodes, in sentences.

    Parameters of modules that the loss did not call are looked for in the variables of the user's
    running frame.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        frame = names.user_frame()
        self.names = names.Names(nodes, frame)
        if frame is not None:
            for variable, x in names._visible(frame):
                if not isinstance(x, type) and hasattr(x, "named_parameters"):
                    for path, p in x.named_parameters():
                        self.names.parameters.setdefault(p, f"{variable}.{path}")

    def name(self, node: Node) -> str:
        """`encoder.3.weight`, `hidden`, or what it is: `a tensor (3, 4)`, `tanh`."""
        named = self.names.given(node) or self.names.variable(node)
        if named:
            return named
        if node.op is not None:
            return node.op.name
        line = names.where(node)
        made = f", made at {line}" if line else ""
        return f"a tensor {node.shape}{made}" if node.is_array else f"the number {short(node.raw)}"

    def place(self, node: Node) -> str:
        """What computed a node: `tanh in encoder.3 (train.py:41)`."""
        named = node.inputs[0] if node.op is part and node.inputs else node
        op = named.op.name if named.op is not None else self.name(node)
        module, line = self.names.module(node.scope), names.where(node)
        module = f"layer {module}" if module.isdigit() else module
        return op + (f" in {module}" if module else "") + (f" ({line})" if line else "")

    def at(self, node: Node) -> str:
        """The module that computed a node, or the node's own name."""
        return self.names.module(node.scope) or self.name(node)

    def operand(self, node: Node, i: int) -> str:
        """`x (8, 3) float32 from -0.2 to 3`: the i-th input of a node, and its range."""
        x, op = node.inputs[i], node.op
        if isinstance(x, Bundle) or op is None:
            return self.name(x)
        named = self.names.given(x) or self.names.variable(x)
        named = named or (x.op.name if x.op is not None else op.inputs[min(i, len(op.inputs) - 1)])
        if not x.is_array or getattr(x.raw, "dtype", None) is None:
            return f"{named} = {short(x.raw)}"
        return f"{named} {x.shape} {x.raw.dtype}{extent(x.raw)}"


def extent(raw: Any) -> str:
    """The range of an array's numbers: " from -0.2 to 3", with what is not finite counted."""
    x = host(raw)
    if not x.size or x.dtype.kind not in "fiu" and x.dtype.kind != "V":
        return ""
    x = x.astype("float64")
    ok = x[np.isfinite(x)]
    told = f" from {short(ok.min())} to {short(ok.max())}" if ok.size else ""
    for what, found in (("NaN", np.isnan(x)), ("inf", x == np.inf), ("-inf", x == -np.inf)):
        if found.any():
            told += f"{' and' if told else ''} {int(found.sum())} × {what}"
    return told


def host(raw: Any) -> Any:
    """Raw data as a NumPy array."""
    return np.asarray(namespaces[type(raw)].to_host(raw))


def warn(told: str) -> None:
    """Warn, at the user's line that is running."""
    frame = names.user_frame()
    if frame is None:
        warnings.warn(told, stacklevel=2)
        return
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(
        told, UserWarning, frame.f_code.co_filename, frame.f_lineno, registry=registry
    )


def short(x: Any) -> str:
    """A number in four digits."""
    return f"{float(x):.4g}"
