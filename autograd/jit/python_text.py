"""A program as Python that people read, save and run: NumPy, with their own names for things.

It is another text than the one that runs where there is no compiler (`replay.py`), which is made
for speed; both compute the same.
"""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Sequence
from typing import Any

from backends import namespaces
from backends import numpy as np

from ..node import Op
from .formula import formula, index, literal, subscript
from .line_breaks import WIDE, folded
from .program import Program, Step, Var, Write
from .words import Words, size

__all__ = ["PythonText"]

ORDER = ("argument", "leaf", "gradient", "number", "constant")
SMALL = 16
"""Constants of at most so many elements are written out."""


class PythonText:
    """The text of a program, as the function `name`.

    `taken` maps the function's arguments to the variables they stand for, or to what they are; see
    `values`.
    """

    def __init__(self, program: Program, words: Words, name: str) -> None:
        self.program, self.words = program, words
        self.name = name if name.isidentifier() else "step"
        self.used = {*keyword.kwlist, *dir(builtins), *Op.table, "np", "xp", self.name}
        self.told: dict[Var, ast.expr] = {}
        self.taken: dict[str, Any] = {}
        self.imports: dict[str, str] = {}
        self.lines: list[str] = []
        self.returned: dict[str, str] = {}
        self.heading = ("", "")
        self.shown = ""
        for var in sorted(program.given, key=lambda v: ORDER.index(v.source)):
            if var not in self.told:
                self._given(var)
        for step in program.steps:
            self._step(step)
        self.ends = self._ends()
        while self.lines and not self.lines[0]:
            del self.lines[0]

    @property
    def text(self) -> str:
        """All of it."""
        imports = ["import numpy as np", *[""] * bool(self.imports)]
        for module in sorted(set(self.imports.values())):
            ops = ", ".join(sorted(op for op, home in self.imports.items() if home == module))
            imports.append(f"from {module} import {ops}")
        first = [n for n, v in self.taken.items() if isinstance(v, Var) and v.source == "argument"]
        rest = [name for name in self.taken if name not in first]
        arguments = ", ".join([*first, *["*"] * bool(rest), *rest])
        head = folded(f"def {self.name}({arguments}):", "        ")
        return "\n".join(
            [*self._about(first, rest), *imports, "", "", head, *self.lines, *self.ends, ""]
        )

    def values(self, arguments: Sequence[Any]) -> dict[str, Any]:
        """What to call the function with, for the leaves of a call's arguments: copies."""
        numbers = [host() for host in self.program.numbers]
        for host in reversed(self.program.numbers):
            host.undo()
        found = {}
        for name, x in self.taken.items():
            if not isinstance(x, Var):
                found[name] = x
            elif x.source == "number":
                found[name] = numbers[x.value[0]][x.value[1]]
            else:
                raw: Any = x.value
                if x.source == "argument":
                    raw = arguments[x.value]
                elif x.source == "gradient":
                    raw = np.zeros(x.shape, x.dtype) if raw.grad is None else raw.grad
                raw = getattr(raw, "raw", raw)
                found[name] = raw if x.dtype is None else _on_host(raw).copy()
        return found

    # --- what is given ---

    def _given(self, var: Var) -> None:
        if var.source == "constant" and (written := self._written(var)) is not None:
            self.told[var] = written
            return
        name = self._free(self.words.name(var) or f"{var.source}{var.number}")
        self.told[var] = ast.Name(name)
        larger = self._larger(var)
        if larger is None:
            self.taken[name] = var
            return
        whole, start = larger
        shape = "" if len(var.shape) == 1 else f".reshape({', '.join(map(str, var.shape))})"
        of = ast.unparse(self.told[whole])
        self.lines.append(f"    {name} = {of}[{start}:{start + var.size}]{shape}")

    def _written(self, var: Var) -> ast.expr | None:
        """A constant as Python, if it is small."""
        if var.dtype is None:
            return literal(var.value)
        raw = np.asarray(_on_host(var.value))
        if var.dtype == "bfloat16" or not raw.size:
            return None
        if raw.size > 1 and (raw == raw.flat[0]).all():
            return _called("np.full", var.shape, raw.flat[0].item(), var.dtype)
        return None if raw.size > SMALL else _called("np.array", raw.tolist(), var.dtype)

    def _larger(self, var: Var) -> tuple[Var, int] | None:
        """A flat leaf in whose memory this one lies, and where: all parameters of an optimizer."""
        if self.program.backend != "numpy" or var.source != "leaf":
            return None
        raw = var.value.raw
        if not raw.flags.c_contiguous:
            return None
        for other in self.program.given:
            if other.source != "leaf" or len(other.shape) != 1 or other.size <= var.size:
                continue
            whole = other.value.raw
            if whole.dtype != raw.dtype or not whole.flags.c_contiguous:
                continue
            start = (raw.ctypes.data - whole.ctypes.data) // raw.itemsize
            if 0 <= start <= other.size - var.size:
                if other not in self.told:
                    self._given(other)
                return other, start
        return None

    # --- steps ---

    def _step(self, step: Step) -> None:
        self._head(step)
        op = step.op
        params = {key: self._param(step, key, value) for key, value in step.params.items()}
        inputs = [self.told[var] for var in step.inputs]
        right, called = formula(step, inputs, params)
        if called:
            self.imports[op.name] = op.__module__
        if called and op.outputs:
            self.imports["numpy as xp"] = "backends"
        out, names = step.output, []
        for var in step.outputs:
            name = self.words.name(var) if var is out else ""
            self.told[var] = ast.Name(self._free(name or f"v{var.number}"))
            names.append(ast.unparse(self.told[var]))
        line = f"    {', '.join(names)} = {right}"
        if out.shape and len(line) < WIDE - 24:
            line = f"{line}  # {out.shape}"
        self.lines.append(folded(line, "        "))

    def _head(self, step: Step) -> None:
        """A comment, where steps of another origin begin."""
        origin = self.words.origin(step)
        if (origin.what, origin.line) == self.heading:
            return
        self.heading = origin.what, origin.line
        told = [origin.what, origin.line]
        if origin.line != self.shown:
            told.append(origin.text)
            self.shown = origin.line
        comment = "  ".join(filter(None, told))
        self.lines += ["", f"    # {comment}"[:WIDE]] if comment else [""]

    def _param(self, step: Step, key: str, value: Any) -> ast.expr:
        written = literal(value)
        if written is None:
            name = self._free(f"{key}{step.output.number}")
            self.taken[name] = value
            written = ast.Name(name)
        return written

    def _free(self, wish: str) -> str:
        """An identifier like this that nothing has yet."""
        name = re.sub(r"\W+", "_", wish).strip("_") or "x"
        name = f"layer{name}" if name[0].isdigit() else name
        found, i = name, 2
        while found in self.used:
            found, i = f"{name}_{i}", i + 1
        self.used.add(found)
        return found

    # --- what comes out ---

    def _ends(self) -> list[str]:
        program, lines = self.program, [""]
        for var in program.checks:
            says = self._says(var)
            held = says if var.dtype == "bool" else f"np.isfinite({says})"
            lines.append(f"    if not {held}.all():")
            lines.append('        raise FloatingPointError("not finite: nothing is assigned")')
        several = len(program.results) > 1
        for i, var in enumerate(program.results):
            self._returned(f"result{i if several else ''}", self._says(var))
        for leaf, gradient in program.gradients:
            if gradient is not None:
                self._returned(f"{self.words.leaf(leaf)}.grad", self._says(gradient))
        parts: dict[int, str] = {}
        for write in program.writes:
            if write.at is not ...:
                lines += self._part(write, parts)
            else:
                self._returned(self.words.leaf(write.leaf), self._says(write.value))
        keys = [f"        {key!r}: {value}," for key, value in self.returned.items()]
        return [*lines, "    return {", *keys, "    }"]

    def _returned(self, wish: str, value: str) -> None:
        """Return a value, under a key that nothing has yet."""
        key, i = wish, 2
        while key in self.returned:
            key, i = f"{wish} {i}", i + 1
        self.returned[key] = value

    def _part(self, write: Write, parts: dict[int, str]) -> list[str]:
        """Lines that put a value into a part of what is assigned; `parts` are those begun."""
        lines, leaf = [], write.leaf
        if id(leaf) not in parts:
            old = self._free(self.words.leaf(leaf))
            self.taken[old] = leaf.raw
            new = parts[id(leaf)] = self._free(f"new_{old}")
            lines.append(f"    {new} = {old}.copy()")
            self._returned(self.words.leaf(leaf), new)
        at = write.at if isinstance(write.at, tuple) else (write.at,)
        place = [index(x) for x in at]
        if None in place:
            name = self._free("place")
            self.taken[name], place = write.at, [ast.Name(name)]
        return [
            *lines,
            f"    {subscript(ast.Name(parts[id(leaf)]), place)} = {self._says(write.value)}",
        ]

    def _says(self, var: Var) -> str:
        return ast.unparse(self.told[var])

    # --- what it is about ---

    def _about(self, first: list[str], rest: list[str]) -> list[str]:
        """The text at the top: what goes in."""
        lines = [f'"""`{self.name}`: what autograd.jit made of it, as NumPy.', ""]
        wide = max(map(len, self.taken), default=0)
        for name in [*first, *rest]:
            x = self.taken[name]
            if isinstance(x, Var):
                kind = f"{x.dtype} {size(x.shape)}" if x.dtype else "number"
                title = self.words.title(x) if x.source == "leaf" else x.source
                title = "" if title in (name, kind) else title
            else:
                kind, title = type(x).__name__, "fixed"
            lines.append(f"    {name:<{wide}}  {kind:<22}  {title}".rstrip())
        return [
            *lines,
            "",
            "It assigns nothing: what the call would is in the dict it returns.",
            '"""',
            "",
        ]


def _on_host(raw: Any) -> Any:
    return namespaces[type(raw)].to_host(raw)


def _called(function: str, *args: Any) -> ast.expr:
    """A call with plain arguments, the last of which is a dtype's name."""
    told = ", ".join(re.sub(r"\b(nan|inf)\b", r"np.\1", repr(x)) for x in args[:-1])
    return ast.parse(f"{function}({told}, np.{args[-1]})", mode="eval").body
