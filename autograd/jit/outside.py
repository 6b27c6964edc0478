"""What a function finds outside of itself: in its closure, and among its globals.

It becomes part of its program: numbers and words as they are, and of everything else, such as
tensors, models and functions, which object it is.  So both are looked at before each call, and
where one has changed the function is recorded anew.  What lies deeper (attributes of objects,
entries of lists) is not.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Sequence
from types import CellType, CodeType, ModuleType
from typing import Any

__all__ = ["Outside"]

PLAIN = frozenset([int, float, bool, str, type(None)])


class Outside:
    """What `function` finds outside: called, it tells that as it is now, to be compared.

    An object is told by its `id`; who compares keeps the `objects`, so that no other gets that id.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        function = inspect.unwrap(function)
        function = getattr(function, "__func__", function)
        self.code: CodeType | None = getattr(function, "__code__", None)
        self.cells = list(getattr(function, "__closure__", None) or ())
        self.space: dict[str, Any] = getattr(function, "__globals__", {})
        self.names: list[str] | None = None

    def __call__(self) -> list[Any]:
        return [x if x.__class__ in PLAIN else id(x) for x in self.objects()]

    def objects(self) -> list[Any]:
        """What it finds."""
        if self.names is None:  # by the first call all is there
            known = [name for name in _globals(self.code) if name in self.space]
            self.names = [n for n in known if not isinstance(self.space[n], ModuleType)]
        found: list[Any] = [*map(self.space.get, self.names)]
        try:
            return [*found, *[cell.cell_contents for cell in self.cells]]
        except ValueError:  # some are not bound yet
            return [*found, *map(_content, self.cells)]

    def changed(self, before: Sequence[Any], now: Sequence[Any]) -> str:
        """The names of what is not as it was."""
        names = [*(self.names or ()), *(self.code.co_freevars if self.code else ())]
        told = [n for n, a, b in zip(names, before, now, strict=True) if a is not b and a != b]
        return ", ".join(told)


def _content(cell: CellType) -> Any:
    """What a cell holds, or None."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _globals(code: CodeType | None) -> list[str]:
    """The global names that some code, and the functions in it, look up."""
    if code is None:
        return []
    names = [i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"]
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _globals(c)]
    return list(dict.fromkeys([*names, *inner]))
