"""Names and constants as Python, for the derivative as code."""

from __future__ import annotations

import ast
import re
from typing import Any

import backends
from backends import namespaces

from ..jit.formula import literal
from ..jit.program import Place, Step, Var
from ..node import Node
from ..several import Bundle

__all__ = ["constant", "grouped", "identifier", "on_host", "seed_text", "step_of"]

host = backends.get("numpy")


def step_of(node: Node) -> Step:
    """A node as a step of a program, which formulas are written from."""
    assert node.op is not None
    inputs = tuple([_var(x) for x in node.inputs])
    raws = node.raw if isinstance(node, Bundle) else (node.raw,)
    outputs = tuple([_variable(raw) for raw in raws])
    return Step(node.op, inputs, node.params, outputs, Place(None, 0, None))


def _var(node: Node) -> Var:
    return _variable(node.raw[0] if isinstance(node, Bundle) else node.raw)


def _variable(raw: Any) -> Var:
    dtype = getattr(raw, "dtype", None)
    return Var(0, tuple(getattr(raw, "shape", ())), None if dtype is None else str(dtype), "step")


def identifier(wish: str) -> str:
    """A name as Python can have it: "0.weight" is layer0_weight."""
    name = re.sub(r"\W+", "_", wish).strip("_") or "x"
    return f"layer{name}" if name[0].isdigit() else name


def constant(raw: Any) -> ast.expr | None:
    """A number, or an array of one number alone, as Python; None for other data."""
    if getattr(raw, "dtype", None) is None:
        return literal(raw)
    array = on_host(raw)
    dtype = array.dtype.name
    if dtype == "bfloat16" or not array.size or (array != array.flat[0]).any():
        return None
    told = re.sub(r"\b(nan|inf)\b", r"np.\1", repr(array.flat[0].item()))
    text = f"np.full({array.shape}, {told}, np.{dtype})" if array.shape else f"np.{dtype}({told})"
    if array.shape and (filled := {"0.0": "zeros", "1.0": "ones"}.get(told)):
        text = f"np.{filled}({array.shape}, np.{dtype})"
    return ast.parse(text, mode="eval").body


def grouped(expression: ast.expr) -> str:
    text = ast.unparse(expression)
    return f"({text})" if isinstance(expression, (ast.IfExp, ast.Compare, ast.BoolOp)) else text


def seed_text(root: Node, name: str) -> str:
    return f"np.ones_like({name})" if root.is_array else "1.0"


def on_host(raw: Any) -> Any:
    space = namespaces[type(raw)]
    return raw if getattr(raw, "dtype", None) is None else host.asarray(space.to_host(raw))
