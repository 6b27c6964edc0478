"""What the source says at the place where an instruction was compiled from.

A code object knows the line and column of each of its instructions; the syntax tree knows what
stands there.  Files, IPython cells, doctests and the newer REPL have source to read; where there
is none, every answer is None.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Iterator
from itertools import islice
from os import sep
from types import CodeType

__all__ = ["assigned", "label", "line", "operands", "syntax"]

Place = tuple[int, int, int, int]
"""Line and column (in UTF-8 bytes) of the start and of the end."""


def label(filename: str) -> str:
    """How people call a file: `train.py`, or `In[3]` for a notebook's cell."""
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        cell = shell and shell.compile.format_code_name(filename)
        if cell:
            return str(cell[1])
    return filename.rpartition(sep)[2]


def line(code: CodeType, instruction: int) -> int | None:
    """The line of an instruction, given by its offset in the code."""
    place = _positions(code, instruction)
    return place[0] if place else None


def assigned(code: CodeType, instruction: int) -> str | None:
    """The name that the value of an instruction is assigned to: `h` in `self.h = x @ w`."""
    text, place = _read(code.co_filename), _exact(code, instruction)
    return text.targets.get(place) if text and place else None


def syntax(filename: str) -> ast.Module | None:
    """The syntax tree of a file."""
    text = _read(filename)
    return text.tree if text else None


def operands(code: CodeType, instruction: int) -> tuple[str, list[str]] | None:
    """The operator or function called by an instruction, and its operands, as written.

    ("@", ["x", "w.T"]) for `x @ w.T`, and ("reshape", ["h", "3"]) for `h.reshape(3)`.
    """
    text, place = _read(code.co_filename), _exact(code, instruction)
    found = text.calls.get(place) if text and place else None
    if isinstance(found, ast.BinOp):
        return SYMBOLS[type(found.op)], [ast.unparse(x) for x in (found.left, found.right)]
    if isinstance(found, ast.Call):
        given = found.args
        if given and isinstance(given[0], (ast.List, ast.Tuple)):  # concatenate([a, b])
            given = [*given[0].elts, *given[1:]]
        if isinstance(found.func, ast.Attribute):
            return found.func.attr, [ast.unparse(x) for x in (found.func.value, *given)]
        if isinstance(found.func, ast.Name):
            return found.func.id, [ast.unparse(x) for x in given]
    return None


SYMBOLS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**",
    ast.Mod: "%", ast.FloorDiv: "//", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^",
    ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip


def _positions(code: CodeType, instruction: int) -> tuple[int | None, ...] | None:
    return next(islice(code.co_positions(), instruction // 2, None), None)


def _exact(code: CodeType, instruction: int) -> Place | None:
    place = _positions(code, instruction)
    if place is None or None in place:
        return None
    line, end_line, column, end_column = place
    return line, column, end_line, end_column  # type: ignore[return-value]


class _Text:
    """The assignments and calls of a file by place."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.targets: dict[Place, str] = {}
        self.calls: dict[Place, ast.expr] = {}
        self.tree: ast.Module | None = None
        try:
            self.tree = ast.parse("".join(lines))
        except SyntaxError:  # a template, or a file edited into something else meanwhile
            return
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.BinOp, ast.Call)):
                for place in _places(node):
                    self.calls[place] = node
            for target, value in _assignments(node):
                name = _target(target)
                if name is not None:
                    for place in _places(value):
                        self.targets[place] = name


_texts: dict[str, _Text] = {}


def _read(filename: str) -> _Text | None:
    lines = linecache.getlines(filename)
    known = _texts.get(filename)
    if lines and (known is None or known.lines is not lines):
        known = _texts[filename] = _Text(lines)
    return known if lines else None


def _places(node: ast.expr | ast.stmt) -> Iterator[Place]:
    """Where the instruction that computes an expression says that it stands."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    end = (node.end_lineno, node.end_col_offset)
    yield (node.lineno, node.col_offset, *end)
    match node:  # in a chain over several lines, a method call stands where its name does
        case ast.Call(func=ast.Attribute(attr=attr, end_lineno=int(n), end_col_offset=int(column))):
            yield (n, column - len(attr.encode()), *end)


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | ast.stmt]]:
    """Pairs of a target and the expression whose value it gets."""
    match node:
        case ast.Assign(targets=[target, *_], value=value):
            yield from _pairs(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield from _pairs(target, value)
        case ast.NamedExpr(target=target, value=value):
            yield from _pairs(target, value)
        case ast.AugAssign(target=target):  # x += y computes where the statement stands
            yield target, node


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    match target, value:
        case ((ast.Tuple() | ast.List()), (ast.Tuple() | ast.List())):
            if len(target.elts) == len(value.elts):
                for t, v in zip(target.elts, value.elts, strict=True):
                    yield from _pairs(t, v)
        case _, ast.IfExp(body=body, orelse=orelse):
            yield from _pairs(target, body)
            yield from _pairs(target, orelse)
        case _:
            yield target, value


def _target(target: ast.expr) -> str | None:
    match target:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return None
