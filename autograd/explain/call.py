"""The call of an operation that failed, as the search for the fault sees it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any, NamedTuple

from .. import names, places
from ..errors import AutogradError
from ..node import Node, Op, current

__all__ = ["Call", "Fault"]

OPERATORS = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "@": "matmul", "**": "power", "%": "mod",
    "&": "logical_and", "|": "logical_or", "^": "logical_xor",
}  # fmt: skip


class Fault(NamedTuple):
    """What is wrong, as the kind of error, the rest of its first line, and its last line."""

    kind: type[AutogradError]
    headline: str
    mend: str


@dataclass(frozen=True)
class Call:
    """An op, its operands and params; `written` is how the user's line calls the operands."""

    op: Op
    inputs: tuple[Node, ...]
    params: dict[str, Any]
    known: names.Names
    written: tuple[str, ...]

    @classmethod
    def of(cls, op: Op, inputs: tuple[Node, ...], params: dict[str, Any]) -> Call:
        """The call that is failing now, with the names that the running frame gives."""
        frame = names.user_frame()
        scope = current().scope
        known = names.Names((), frame, [scope, *(x.scope for x in inputs)])
        return cls(op, inputs, params, known, _written(op, inputs, frame))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The operands' shapes."""
        return [tuple(x.shape) for x in self.inputs]

    def dtype(self, i: int) -> Any:
        """The dtype of an operand; None for a Python number."""
        return getattr(self.inputs[i].raw, "dtype", None)

    def name(self, i: int) -> str:
        """How to call an operand: by its name, as it is written, or as the op calls it."""
        x = self.inputs[i]
        named = self.known.given(x) or self.known.variable(x)
        if not named and self.written:
            named = self.written[i]
        if named:
            return named
        fixed = self.op.inputs[:-1] if self.op.variadic else self.op.inputs
        if i < len(fixed) and len(fixed[i]) > 1:
            return fixed[i]  # "index", "condition"
        if self.op.variadic and i >= len(fixed) and self.op.inputs[-1] == "index":
            return f"index {i - len(fixed) + 1}" if len(self.inputs) > len(fixed) + 1 else "index"
        return f"operand {i + 1}" if len(self.inputs) > 1 else "the operand"

    def transposed(self, i: int) -> str:
        """How to write the transpose of an operand."""
        name = self.name(i)
        if name.endswith(".T"):
            return name[:-2]
        if name.startswith("operand "):
            return f"the transpose of {name}"
        return f"{name}.T" if _PRIMARY.fullmatch(name) else f"({name}).T"

    def operands(self) -> str:
        """One aligned line per operand, and one for the module that is being called."""
        rows = [self.known.fields(x, self.name(i)) for i, x in enumerate(self.inputs)]
        lines = names.table(rows)
        scope = current().scope
        return f"{lines}\n  in {self.known.module(scope)}" if scope is not None else lines

    def needs(self) -> str:
        """What the op says that it needs, as a sentence."""
        return f"{self.op.name} needs {self.op.needs}."


_PRIMARY = re.compile(r"[\w.]+(\([^()]*\)|\[[^\[\]]*\])?")
"""A name, attribute, call or subscript: what `.T` can follow without brackets."""


def _written(op: Op, inputs: tuple[Node, ...], frame: FrameType | None) -> tuple[str, ...]:
    """The operands as the user's line has them; () where it calls something other than this op."""
    read = frame and places.operands(frame.f_code, frame.f_lasti)
    if not frame or not read or op.name not in (read[0], OPERATORS.get(read[0])):
        return ()
    held = {**frame.f_globals, **frame.f_locals}
    texts = read[1]
    if isinstance(held.get(texts[0].partition(".")[0]), ModuleType):  # linear.matmul(x, y)
        texts = texts[1:]
    if len(texts) < len(inputs):
        return ()
    for text, x in zip(texts, inputs, strict=False):
        number = getattr(x.raw, "dtype", None) is None
        if text.lstrip("-").replace(".", "").isdigit() and not number:
            return ()  # an argument that is no operand, such as an axis, stands in between
        if isinstance(held.get(text, x), Node) and held.get(text, x) is not x:
            return ()
    return tuple(text if len(text) <= 30 else "" for text in texts[: len(inputs)])
