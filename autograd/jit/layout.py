"""Where the elements of a variable lie: a view of a buffer, with strides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backends import numpy as np

from .kernel import Operand
from .program import Step

__all__ = [
    "Buffer", "View", "element_strides", "itemsize", "may_alias", "packed_strides", "viewed",
]  # fmt: skip

VIEWS = frozenset("reshape transpose broadcast_to getitem flip identity detach".split())
"""Ops whose result can be another view of the same elements."""


class Buffer:
    """Memory for some elements of one dtype.

    `kind` says whose it is: "temporary" (in the arena), "argument", "leaf", "gradient" (of a
    leaf), "constant", or "result" (made anew for each call).  `owner` is the array, or the place
    among the arguments; `order` numbers the buffers that are no temporaries.
    """

    __slots__ = ("dtype", "kind", "offset", "order", "owner", "size", "within")

    def __init__(self, kind: str, dtype: str, size: int, owner: Any = None) -> None:
        self.kind, self.dtype, self.size, self.owner = kind, dtype, size, owner
        self.within: tuple[Buffer, int] | None = None
        """A larger buffer that this one is a stretch of, and the element where it begins."""
        self.offset = -1
        self.order = -1

    def root(self) -> tuple[Buffer, int]:
        """The buffer that really exists, and where in it this one begins, in elements."""
        buffer, start = self, 0
        while buffer.within is not None:
            start += buffer.within[1]
            buffer = buffer.within[0]
        return buffer, start

    def meets(self, other: Buffer) -> bool:
        """Whether it has elements in common with another of its dtype."""
        (x, i), (y, k) = self.root(), other.root()
        return x is y and i < k + other.size and k < i + self.size

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.size * itemsize(self.dtype)


def itemsize(dtype: str) -> int:
    """Bytes of one element."""
    return 1 if dtype == "bool" else 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize


def packed_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of an array in C order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def element_strides(raw: Any) -> tuple[int, ...]:
    """The strides of an array, in elements."""
    return tuple([s // raw.itemsize for s in raw.strides])


@dataclass(frozen=True)
class View:
    """Elements of a buffer: the first at `offset`, the others by strides, all in elements."""

    buffer: Buffer
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def whole(cls, buffer: Buffer, shape: tuple[int, ...]) -> View:
        """All of a buffer, in C order."""
        return cls(buffer, 0, shape, packed_strides(shape))

    def root(self) -> tuple[Buffer, int]:
        """The buffer that really exists, and where in it this view begins, in elements."""
        buffer, start = self.buffer.root()
        return buffer, start + self.offset

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie one behind the other, in C order."""
        return self.operand.contiguous

    @property
    def operand(self) -> Operand:
        """How a kernel sees it."""
        return Operand(self.shape, self.buffer.dtype, self.strides)


def may_alias(step: Step) -> bool:
    """Whether an op moves no element, so that its result may be a view."""
    return step.op.name in VIEWS and len(step.inputs) == 1 and step.inputs[0].dtype is not None


def viewed(step: Step, view: View) -> View | None:
    """The result of an op that may alias, as a view of its operand; None if elements must move.

    NumPy itself says which, on an array of bytes with these strides that is never read.
    """
    memory = np.lib.stride_tricks.as_strided(np.empty(1, "i1"), view.shape, view.strides)
    if step.op.name == "reshape":
        try:
            made = np.reshape(memory, step.output.shape, copy=False)
        except ValueError:
            return None
    else:
        params = step.params
        if step.op.name == "getitem" and Ellipsis not in params["pattern"]:
            params = {"pattern": (*params["pattern"], Ellipsis)}  # a view also of one element
        made = step.op.forward(np, memory, **params)
        if not np.may_share_memory(made, memory):
            return None
    start = memory.__array_interface__["data"][0]
    at = made.__array_interface__["data"][0] - start
    return View(view.buffer, view.offset + at, made.shape, made.strides)
