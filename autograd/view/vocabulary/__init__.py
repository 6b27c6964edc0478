"""A vocabulary of plain NumPy functions, for what takes NumPy more than a line.

The text of those that a derivative uses stands behind it, so that it needs nothing but NumPy.  So
each is written to be read, as in its paper, and short rather than fast.  The function of an op has
the op's name; of the op's inputs and params it takes those that it names, and it returns by their
names those of the op's results, and of what the op keeps for its gradient, that it has.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType
from typing import Any

from . import activations, attention, index, norms, recurrent, transforms, windows

__all__ = ["FUNCTIONS", "returned", "texts"]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: f
    for module in (activations, index, windows, norms, attention, recurrent, transforms)
    for name, f in vars(module).items()
    if inspect.isfunction(f) and f.__module__ == module.__name__
}


@cache
def returned(name: str) -> tuple[str, ...]:
    """The names of what a function returns; none where that is one unnamed result."""
    last = _tree(name).body[-1]
    assert isinstance(last, ast.Return)
    names = last.value.elts if isinstance(last.value, ast.Tuple) else []
    return tuple([x.id for x in names if isinstance(x, ast.Name)])


def texts(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """The lines that import, and the functions of these names, each before what it uses itself."""
    imports, functions = {"import numpy as np"}, dict[str, str]()

    def add(name: str, x: Any) -> None:
        if name in functions:
            return
        if name in FUNCTIONS:
            functions[name] = _text(name)
            for used in _used(name):
                add(used, x.__globals__[used])
        elif isinstance(x, ModuleType):
            short = "" if x.__name__ == name else f" as {name}"
            imports.add(f"import {x.__name__}{short}")
        else:
            imports.add(f"from {x.__module__} import {name}")

    for name in names:
        add(name, FUNCTIONS[name])
    own = sorted(line for line in imports if "numpy" not in line)
    return [*own, *[""] * bool(own), *sorted(imports - {*own}, reverse=True)], list(
        functions.values()
    )


@cache
def _used(name: str) -> list[str]:
    """The globals that a function uses, those that it reads first in front."""
    known = FUNCTIONS[name].__globals__
    found = [x.id for x in ast.walk(_tree(name)) if isinstance(x, ast.Name) and x.id in known]
    return list(dict.fromkeys(found))


@cache
def _text(name: str) -> str:
    return inspect.getsource(FUNCTIONS[name]).replace('"""', "'''")


@cache
def _tree(name: str) -> ast.FunctionDef:
    tree = ast.parse(_text(name)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree
