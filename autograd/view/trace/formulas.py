"""What an op computes, and how gradients flow back through it, as formulas people read.

They are the op's own code: its forward and its rules as they stand in the op table, with z for the
result and g for the gradient that arrives.  So they cannot say anything else than what is computed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from types import CodeType
from typing import Any

from ... import places
from ...node import Op
from .model import OpInfo

__all__ = ["SYMBOLS", "about", "symbol"]

SYMBOLS = {
    "add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "matmul": "@", "equal": "=",
    "not_equal": "≠", "less": "<", "less_equal": "≤", "greater": ">", "greater_equal": "≥",
    "dot": "Σ w·x + b", "affine": "x @ w + b", "sum_to": "sum",
}  # fmt: skip

PAPER: dict[str, list[str | None]] = {
    "matmul": ["g @ y.T", "x.T @ g"],
    "affine": ["g @ w.T", "x.T @ g", "sum(g, axis=0)"],
    "power": ["g * n * x ** (n - 1)"],
    "clip": ["where((low <= x) & (x <= high), g, 0)"],
    "mean": ["g / size(x) * size(z)"],
    "var": ["g * 2 * (x - mean(x)) / (size(x) / size(z) - ddof)"],
    "concatenate": ["the part of g that came from it"],
    "part": ["g, for this one of the results"],
    "dot": ["g, times the other factor: x for a weight w, w for an input x, 1 for b"],
    "max": ["where(x == z, g, 0), shared where several are largest"],
    "min": ["where(x == z, g, 0), shared where several are smallest"],
    "softmax_cross_entropy": ["g * (softmax(x) - one_hot(index)), over the count for a mean", None],
}
"""Rules whose code is made for every shape or for speed, as textbooks write them."""

WIDE = 160
"""A formula of more characters is told by its name: nobody reads it."""


def symbol(op: Op, params: dict[str, Any]) -> str:
    """How an op with these params is written in a picture."""
    return f"^{params['n']}" if op.name == "power" else SYMBOLS.get(op.name, op.name)


@cache
def about(op: Op) -> OpInfo:
    """An op in formulas."""
    names = [*op.inputs[:-1], f"*{op.inputs[-1]}"] if op.variadic else op.inputs
    return OpInfo(
        symbol=SYMBOLS.get(op.name, op.name),
        doc=inspect.cleandoc(op.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
        inputs=names,
        formula=f"{', '.join(op.outputs) or 'z'} = {_forward(op, names)}",
        rules=_rules(op),
    )


def _forward(op: Op, names: list[str]) -> str:
    """The forward as one expression, else a call of the op by its name."""
    tree = _tree(op.forward)
    returned = _returned(tree) if isinstance(tree, ast.FunctionDef) else None
    called = f"{op.name}({', '.join([*names, *op.params])})"
    if returned is None:
        return called
    text = ast.unparse(returned).replace("xp.", "")
    return text if len(text) <= WIDE else called


def _rules(op: Op) -> list[str | None]:
    count = len(op.inputs)
    if op.name in PAPER:
        return PAPER[op.name]
    if op.definition is not None:
        return ["the gradient of what the operation means, as a composition of ops"] * count
    if op.joint is not None:
        return _joint(op, op.joint)
    return [None if rule is None else _rule(op, rule) for rule in op.rules]


def _joint(op: Op, rule: Callable[..., Any]) -> list[str | None]:
    """One rule for all inputs: told apart where it returns a tuple of as many."""
    tree = _tree(rule)
    returned = _returned(tree) if tree is not None else None
    count = len(op.inputs)
    if isinstance(returned, ast.Tuple):
        own = [x for x in returned.elts if not isinstance(x, ast.Starred)]
        if len(own) == count or op.variadic and len(own) == count - 1:
            told = [_told(op, rule, x) for x in own]
            return [*told, *[None] * (count - len(own))]
        if own != returned.elts:  # the gradients are those that one function gives
            returned = next(x.value for x in returned.elts if isinstance(x, ast.Starred))
    return [_told(op, rule, returned)] * count


def _rule(op: Op, rule: Callable[..., Any]) -> str:
    tree = _tree(rule)
    return _told(op, rule, _returned(tree) if tree is not None else None) or "0"


def _told(op: Op, rule: Callable[..., Any], returned: ast.expr | None) -> str | None:
    """An expression in the names that the table uses: g, z and the op's own."""
    if isinstance(returned, ast.Constant) and returned.value is None:
        return None
    code = rule.__code__
    given = code.co_varnames[: code.co_argcount]
    if returned is None:
        return f"{rule.__name__.strip('_')}({', '.join(given)})"
    names = dict(zip(given, ["g", "z", *op.inputs], strict=False))
    text = ast.unparse(_Renamed(names).visit(returned))
    return text if len(text) <= WIDE else f"{rule.__name__.strip('_<>')}({', '.join(given)})"


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id.lstrip("_")))

    def visit_Starred(self, node: ast.Starred) -> Any:
        return self.visit(node.value)


def _returned(tree: ast.Lambda | ast.FunctionDef) -> ast.expr | None:
    """What a function returns, where it does nothing else."""
    if isinstance(tree, ast.Lambda):
        return tree.body
    match [x for x in tree.body if not _is_doc(x)]:
        case [ast.Return(value=ast.expr() as value)]:
            return value
    return None


def _is_doc(x: ast.stmt) -> bool:
    return isinstance(x, ast.Expr) and isinstance(x.value, ast.Constant)


def _tree(function: Any) -> ast.Lambda | ast.FunctionDef | None:
    """The syntax of a function, found in its file by where its instructions stand."""
    code = getattr(function, "__code__", None)
    tree = places.syntax(code.co_filename) if code is not None else None
    if code is None or tree is None:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            if code.co_firstlineno == min([node.lineno, *[x.lineno for x in node.decorator_list]]):
                return node
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and _is(node, code):
            return node
    return None


def _is(node: ast.Lambda, code: CodeType) -> bool:
    """Whether a code was compiled from a lambda: all its instructions stand in the body."""
    body, start = node.body, (node.body.lineno, node.body.col_offset)
    if node.lineno != code.co_firstlineno or body.end_lineno is None or body.end_col_offset is None:
        return False
    ends = (body.end_lineno, body.end_col_offset)
    return all(
        start <= (line, column) and (last, end) <= ends
        for line, last, column, end in code.co_positions()
        if line is not None and last is not None and column is not None and end
    )
