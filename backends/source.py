"""Source text as a backend: run an op's forward function on `Code` and it writes its expression.

>>> from backends import source
>>> x, y = source.Code("x"), source.Code("y")
>>> print(1 - source.tanh(x * y) ** 2)
(1 - (xp.tanh((x * y)) ** 2))
"""

from collections.abc import Callable
from typing import Any

name = "source"


class Code(str):
    """A piece of source text; its operators write longer pieces."""

    __slots__ = ()
    shape = ()

    def __neg__(self) -> "Code":
        return Code(f"(-{self})")

    def __invert__(self) -> "Code":
        return Code(f"(not {self})")

    def __abs__(self) -> "Code":
        return Code(f"xp.abs({self})")

    __hash__ = str.__hash__


def _infix(symbol: str) -> Callable[[Any, Any], Code]:
    return lambda x, y: Code(f"({x} {symbol} {y})")


def _swapped(symbol: str) -> Callable[[Any, Any], Code]:
    return lambda x, y: Code(f"({y} {symbol} {x})")


for _method, _symbol in {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "and": "&", "or": "|", "xor": "^",
}.items():  # fmt: skip
    setattr(Code, f"__{_method}__", _infix(_symbol))
    setattr(Code, f"__r{_method}__", _swapped(_symbol))

for _method, _symbol in {
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
}.items():  # fmt: skip
    setattr(Code, f"__{_method}__", _infix(_symbol))


def __getattr__(function: str) -> Callable[..., Code]:
    """Any function of the namespace, as text: `source.exp(x)` writes `xp.exp(x)`."""
    if function.startswith("__"):
        raise AttributeError(function)
    return lambda *args: Code(f"xp.{function}({', '.join(map(str, args))})")
