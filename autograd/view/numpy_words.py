"""Operations and constants in NumPy's words, for the derivative as code."""

from __future__ import annotations

import ast
import re
from typing import Any

import backends
from backends import namespaces

from ..jit.formula import Put, literal
from ..jit.program import Place, Step, Var
from ..node import Node
from ..several import Bundle

__all__ = ["constant", "grouped", "identifier", "on_host", "seed_text", "step_of", "words"]

host = backends.get("numpy")

WORDS = {
    "mean": "np.mean(x, axis=axis, keepdims=keepdims)",
    "var": "np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)",
    "std": "np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)",
    "norm": "np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))",
    "softmax_cross_entropy": "np.log(np.sum(np.exp(x - np.max(x, -1, keepdims=True)), -1)) + "
    "np.max(x, -1) - np.take_along_axis(x, index[..., None], -1)[..., 0]",
    "softmax_cross_entropy_grad": "g[..., None] * (np.exp(x - np.max(x, -1, keepdims=True)) / "
    "np.sum(np.exp(x - np.max(x, -1, keepdims=True)), -1, keepdims=True) - "
    "(index[..., None] == np.arange(x.shape[-1])))",
    "softmax": "np.exp(x - np.max(x, axis, keepdims=True)) / "
    "np.sum(np.exp(x - np.max(x, axis, keepdims=True)), axis, keepdims=True)",
    "log_softmax": "x - np.max(x, axis, keepdims=True) - "
    "np.log(np.sum(np.exp(x - np.max(x, axis, keepdims=True)), axis, keepdims=True))",
}
"""What NumPy has words for, though the op's own forward is longer: it is made for speed, for 16-bit
numbers, for infinities."""


def words(node: Node, told: list[ast.expr], params: dict[str, ast.expr]) -> str | None:
    """An operation in NumPy's words, where it has some."""
    op = node.op
    assert op is not None
    if op.name == "sum_to":
        shape, wanted = node.inputs[0].shape, node.params["shape"]
        extra = len(shape) - len(wanted)
        axes = (*range(extra), *(i + extra for i, n in enumerate(wanted) if n != shape[i + extra]))
        summed = f"np.sum({ast.unparse(told[0])}, axis={axes}, keepdims=True)"
        return f"{summed}.reshape({wanted})" if extra else summed
    if op.name not in WORDS:
        return None
    names = dict(zip(op.inputs, told, strict=True)) | params
    put = Put(names).visit(ast.parse(WORDS[op.name], mode="eval").body)
    return ast.unparse(ast.fix_missing_locations(put))


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
    return ast.parse(text, mode="eval").body


def grouped(expression: ast.expr) -> str:
    text = ast.unparse(expression)
    return f"({text})" if isinstance(expression, (ast.IfExp, ast.Compare, ast.BoolOp)) else text


def seed_text(root: Node, name: str) -> str:
    return f"np.ones_like({name})" if root.is_array else "1.0"


def on_host(raw: Any) -> Any:
    space = namespaces[type(raw)]
    return raw if getattr(raw, "dtype", None) is None else host.asarray(space.to_host(raw))
