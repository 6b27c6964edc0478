"""Numbers that a function finds outside of itself: in its closure, and among its globals.

They become part of its program.  So they are looked at before each call, and where one has changed
the function is recorded anew.  What lies deeper (attributes of objects, entries of lists) is not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

__all__ = ["outside_of"]

PLAIN = (int, float, bool, str, type(None))


def outside_of(function: Callable[..., Any]) -> Callable[[], list[Any]]:
    """What tells the plain numbers and words that a function finds outside, as they are now."""
    function = inspect.unwrap(function)
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    cells = list(getattr(function, "__closure__", None) or ())
    space = getattr(function, "__globals__", {})
    names = [name for name in _names(code) if type(space.get(name)) in PLAIN and name in space]
    if not cells and not names:
        return list

    def now() -> list[Any]:
        found = [space.get(name) for name in names]
        for cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:  # not bound yet
                continue
            if type(value) in PLAIN:
                found.append(value)
        return found

    return now


def _names(code: CodeType | None) -> list[str]:
    """The global names that some code, and the functions in it, may look up."""
    if code is None:
        return []
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _names(c)]
    return list(dict.fromkeys([*code.co_names, *inner]))
