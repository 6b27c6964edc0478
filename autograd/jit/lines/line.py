"""Lines of Python that a program becomes: each is one call of an array library.

    dot(x, w, out=z)
    add(z, b, out=z)

A line is made before it is known where its results will lie, so its text has places for names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import backends
from backends import numpy as np

from ..program import Place, Program, Var

__all__ = ["Line", "Lines", "is_array"]

FULL = 2**18
"""Elements of the largest array that is filled with one number, see `Lines.full`."""


@dataclass(eq=False)
class Line:
    """One line: `text` has {0}, {1}, … for the inputs and {out} for the result.

    What `kind` says of the result:
    - "into": it is written into memory that is there already, which is not that of an operand;
    - "within": the same, element by element, so it may also be that of an operand;
    - "join": the inputs one behind the other, along the first axis;
    - "view": it shows the memory of the input (or a copy, if nobody knows the input's strides);
    - "new": the text gives it, as an array (or several) of its own;
    - "shared": the same, but perhaps in the memory of an input;
    - "number": a Python number;
    - "check": there is none, and the run ends here if something is not finite.
    """

    kind: str
    text: str
    inputs: tuple[Var, ...]
    outputs: tuple[Var, ...]
    place: Place | None = None

    @property
    def made(self) -> bool:
        """Whether the result is written into memory that is there already."""
        return self.kind in ("into", "within", "join")


def is_array(var: Var) -> bool:
    """Whether it is an array, not a Python number."""
    return var.dtype is not None


class Lines:
    """The lines that a program is so far, and what their text names: `bound`.

    `likes` are arrays of the same shape and strides as variables, where they are known, which have
    no memory: never read one.
    """

    def __init__(self, program: Program, xp: Any) -> None:
        self.program, self.xp = program, xp
        self.found: list[Line] = []
        self.bound: dict[str, Any] = {}
        self.place: Place | None = None
        self.likes: dict[Var, Any] = {}
        self.positive: set[Var] = set()
        """Arrays that hold nothing negative."""
        self._constants: dict[Any, Var] = {}
        for var in program.given:
            if is_array(var) and var.source in ("leaf", "constant"):
                raw = var.value.raw if var.source == "leaf" else var.value
                if getattr(raw, "strides", None) is not None:
                    self.likes[var] = _like(raw.shape, var.dtype, raw.strides)

    def write(
        self, kind: str, text: str, inputs: Sequence[Var], shape: Sequence[int],
        dtype: str | None, out: Var | None = None,
    ) -> Var:  # fmt: skip
        """Append a line; its result is `out`, or a new variable."""
        out = out or self.program.new(tuple(shape), dtype)
        self.found.append(Line(kind, text, tuple(inputs), (out,), self.place))
        if kind in ("into", "within", "join"):
            self.likes[out] = _like(out.shape, out.dtype)
        return out

    def view(self, text: str, x: Var, shape: Sequence[int], out: Var | None = None) -> Var:
        """Append a line that shows x in another way."""
        out = self.write("view", text, (x,), shape, x.dtype, out)
        if x in self.likes:
            names = {"x": self.likes[x], "flip": np.flip, "broadcast_to": np.broadcast_to}
            self.likes[out] = eval(text.format("x"), names)
        return out

    def reshape(self, x: Var, shape: tuple[int, ...], out: Var | None = None) -> Var:
        """x in another shape: a view where that is possible, else of a copy."""
        if x.shape == shape and out is None:
            return x
        like = self.likes.get(x)
        if like is not None:
            try:
                like.reshape(shape, copy=False)
            except ValueError:
                x = self.write("into", "{out}[...] = {0}", (x,), x.shape, x.dtype)
        return self.view(f"{{0}}.reshape({shape})", x, shape, out)

    def is_one(self, x: Var) -> bool:
        """Whether it is known that all elements of an array are the same one in memory."""
        like = self.likes.get(x)
        if like is None or 0 in x.shape:
            return False
        return not any(n > 1 and step for n, step in zip(x.shape, like.strides, strict=True))

    def element(self, x: Var) -> Var:
        """Such an array without its axes: NumPy's loops are then twice as fast."""
        return self.view(f"{{0}}[{'0, ' * len(x.shape)}...]", x, ()) if x.shape else x

    def is_whole(self, x: Var) -> bool:
        """Whether it is known to lie in memory as a new array would."""
        return x in self.likes and bool(self.likes[x].flags.c_contiguous)

    def number(self, value: Any) -> Var:
        """A Python number."""
        return self._constant((type(value), repr(value)), lambda: value, (), None)

    def scalar(self, value: Any, dtype: str) -> Var:
        """A number as an array of no axes, which NumPy reads in a third of the time."""
        return self.full(value, (), dtype)

    def full(self, value: Any, shape: tuple[int, ...], dtype: str) -> Var:
        """An array that holds one number.

        Compared with one as large as itself, of not too many elements, an array takes a third of
        the time that it takes with a number: NumPy has vector instructions for it.
        """
        shape = shape if math.prod(shape) <= FULL else ()
        key = repr(value), shape, dtype

        def made() -> Any:
            found = self.xp.empty(shape, dtype=backends.dtype(dtype))
            found[...] = value
            return found

        return self._constant(key, made, shape, dtype)

    def _constant(self, key: Any, made: Any, shape: tuple[int, ...], dtype: str | None) -> Var:
        if key not in self._constants:
            value = made()
            var = self.program.new(shape, dtype, "constant", value, value)
            self._constants[key] = var
            if dtype is not None:
                self.likes[var] = _like(shape, dtype)
        return self._constants[key]

    def bind(self, name: str, value: Any) -> str:
        """A name for an object in the text."""
        if self.bound.setdefault(name, value) is not value:
            name = f"{name}_{len(self.bound)}"
            self.bound[name] = value
        return name


def _like(shape: tuple[int, ...], dtype: Any, strides: Any = None) -> Any:
    """An array without memory."""
    one = np.empty(1, backends.dtype(dtype))
    if strides is None:
        size, found = one.itemsize, []
        for n in reversed(shape):
            found.append(size)
            size *= max(n, 1)
        strides = tuple(found[::-1])
    return np.lib.stride_tricks.as_strided(one, shape, strides)
