"""An op of the table as NumPy text: `x @ w + b` for affine, with these names for its operands.

The text is the op's own forward, read from its source, where that is one expression of NumPy's
functions; else a call of the op itself.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import Any

import backends

from ..node import Op
from ..ops.index import HERE
from .program import Step

__all__ = ["Put", "expression", "formula", "index", "literal", "settled", "subscript"]

numpy: Any = backends.get("numpy").numpy  # NumPy itself


def formula(step: Step, told: list[ast.expr], params: dict[str, ast.expr]) -> tuple[str, bool]:
    """A step's right-hand side, and whether it calls the op itself, which is to be imported.

    `told` are the operands as Python, and `params` the parameters.
    """
    text, called = _special(step, told), False
    if text is None:
        text, called = _general(step, told, params)
    return settled(step, text), called


def settled(step: Step, text: str) -> str:
    """A right-hand side, in the dtype that the engine gives its result."""
    return f"np.asarray({text}, np.{step.output.dtype})" if _needs_dtype(step) else text


def _general(step: Step, told: list[ast.expr], params: dict[str, ast.expr]) -> tuple[str, bool]:
    op = step.op
    found = None if op.outputs else expression(op)
    if found is not None:
        names: dict[str, Any] = {name: told[i] for i, name in enumerate(op.inputs)}
        if op.variadic:
            names[op.inputs[-1]] = told[len(op.inputs) - 1 :]
        put = Put(names | params).visit(ast.parse(found, mode="eval").body)
        return ast.unparse(ast.fix_missing_locations(put)), False
    given = step.params
    keywords = [
        ast.keyword(name, value) for name, value in params.items()
        if op.params[name] is inspect.Parameter.empty or given[name] is not op.params[name]
    ]  # fmt: skip
    called: ast.expr = ast.Name(op.name)
    if op.outputs:  # with all that it keeps, which a plain call hands out to nobody
        called, told = ast.Attribute(called, "forward"), [ast.Name("xp"), *told]
    call = ast.Call(called, told, keywords)
    return ast.unparse(ast.fix_missing_locations(call)), True


def _special(step: Step, inputs: list[ast.expr]) -> str | None:
    """What has a sign of its own in Python."""
    name = step.op.name
    if name in ("matmul", "affine") and all(len(v.shape) > 1 for v in step.inputs[:2]):
        x, w, *rest = inputs
        product = ast.BinOp(x, ast.MatMult(), w)
        return ast.unparse(ast.BinOp(product, ast.Add(), rest[0]) if rest else product)
    if name == "getitem":
        others = iter(inputs[1:])
        pattern = step.params["pattern"]
        parts = [next(others) if p is HERE else index(p) for p in pattern]
        return None if None in parts else subscript(inputs[0], parts)
    return None


def subscript(of: ast.expr, parts: list[Any]) -> str:
    """of[…]"""
    place = parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
    return ast.unparse(ast.Subscript(of, place, ast.Load()))


def _needs_dtype(step: Step) -> bool:
    """Whether NumPy by itself would give a float result in another dtype (see `dtypes.settle`)."""
    out = step.output.dtype or ""
    if "float" not in out or step.op.outputs or "dtype" in step.op.params:
        return False
    kinds = {v.dtype for v in step.inputs if v.dtype is not None}
    return bool(kinds) and out not in kinds


@cache
def expression(op: Op) -> str | None:
    """The expression that an op's forward is, if it is one of its operands and of NumPy alone."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(op.forward))).body[0]
    except (OSError, SyntaxError, TypeError):
        return None
    if not isinstance(tree, ast.FunctionDef):
        return None
    match [x for x in tree.body if not _is_text(x)]:
        case [ast.Return(value=ast.expr() as value)]:
            known = {"xp", *op.inputs, *op.params}
            nodes = list(ast.walk(value))
            plain = all(x.id in known for x in nodes if isinstance(x, ast.Name))
            own = all(hasattr(numpy, x) for x in map(_of_namespace, nodes) if x)
            return ast.unparse(value) if plain and own else None
    return None


def _is_text(x: ast.stmt) -> bool:
    return isinstance(x, ast.Expr) and isinstance(x.value, ast.Constant)


def _of_namespace(x: ast.AST) -> str:
    """What of the namespace it is, for xp.something."""
    own = isinstance(x, ast.Attribute) and isinstance(x.value, ast.Name) and x.value.id == "xp"
    return x.attr if own and isinstance(x, ast.Attribute) else ""


class Put(ast.NodeTransformer):
    """Puts names and numbers in the place of a forward's arguments."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> Any:
        found = self.names.get(node.id, ast.Name("np") if node.id == "xp" else node)
        return ast.Tuple(found, ast.Load()) if isinstance(found, list) else found

    def visit_Starred(self, node: ast.Starred) -> Any:
        found = self.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        return found if isinstance(found, list) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        call = self.generic_visit(node)
        assert isinstance(call, ast.Call)
        call.keywords = [k for k in call.keywords if not _says_nothing(k)]
        if ast.unparse(call.func) == "np.transpose" and ast.unparse(call.args[-1]) == "None":
            return ast.Attribute(call.args[0], "T")
        if ast.unparse(call.func).endswith(".astype") and isinstance(call.args[0], ast.Constant):
            call.args = [ast.Attribute(ast.Name("np"), str(call.args[0].value))]
        return call


def _says_nothing(keyword: ast.keyword) -> bool:
    """Whether an argument of NumPy's has the value that it has anyway."""
    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
    return (keyword.arg, value) in (("axis", None), ("keepdims", False))


def index(value: Any) -> ast.expr | None:
    """A value as it stands in brackets: x[1:, ::2]."""
    if isinstance(value, slice):
        parts = [None if x is None else literal(x) for x in (value.start, value.stop, value.step)]
        return ast.Slice(*parts)
    return literal(value)


def literal(value: Any) -> ast.expr | None:
    """A value as Python text; None for one that has none, such as an array."""
    if isinstance(value, slice):
        limits = value.start, value.stop, value.step
        parts = [literal(x) for x in (limits if value.step is not None else limits[:2])]
        return None if None in parts else ast.Call(ast.Name("slice"), parts, [])  # type: ignore[arg-type]
    if isinstance(value, tuple):
        parts = [literal(x) for x in value]
        return None if None in parts else ast.Tuple(parts, ast.Load())  # type: ignore[arg-type]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        name = "nan" if value != value else "inf"
        return ast.parse(f"{'-' * (value < 0)}np.{name}", mode="eval").body
    if value is None or value is ... or type(value) in (bool, int, float, str):
        return ast.Constant(value)
    if isinstance(value, numpy.dtype):
        return ast.Attribute(ast.Name("np"), "bool" if value.name == "bool" else value.name)
    return None
