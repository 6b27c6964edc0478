"""What a kernel is: one C function, and what the compiler must know to call it.

A kernel computes one operation (or several, fused) for given shapes.  Its C function is

    static void NAME(long begin, long end, inputs…, outputs…, char *work)

with one pointer per array, in the op's own order, `const T *restrict` for an input; what an op
keeps for its gradient comes behind its results.  `begin` and `end` cut the kernel's axis of
`rows`: parts of it may run on several threads at once, so what one part writes no other part
reads or writes.  A kernel that sums over its rows says what it `sums`: those outputs are added
to, and the caller clears them first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LOWERED", "Kernel", "Operand", "Request", "Target", "lowers"]


@dataclass(frozen=True)
class Target:
    """The processor that C is written for: bytes in a vector register, and how many there are."""

    vector: int = 32
    registers: int = 16

    def lanes(self, dtype: str) -> int:
        """How many numbers a register holds."""
        return self.vector // (8 if dtype == "float64" else 4)


@dataclass(frozen=True)
class Operand:
    """An array as a kernel sees it; `strides` count elements, not bytes."""

    shape: tuple[int, ...]
    dtype: str
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether its elements lie one behind the other, in C order."""
        expected = 1
        for n, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and stride != expected:
                return False
            expected *= n
        return True


def packed(shape: tuple[int, ...], dtype: str) -> Operand:
    """An operand whose elements lie one behind the other."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return Operand(shape, dtype, tuple(reversed(strides)))


@dataclass(frozen=True)
class Request:
    """An operation that wants a kernel."""

    op: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kernel:
    """A C function: see the top of this file.

    `source` defines it and the static functions it calls, `headers` are the files of `c/` it
    needs, without ".h". `rows` is the length of its axis and `grain` the multiple at which that
    is best cut; `work` is how many bytes of scratch memory each thread gives it (64-byte aligned).
    `kept` are the shapes of what it keeps, if other than the op's own; its gradient's kernel is
    then asked for with inputs of these shapes.
    """

    name: str
    source: str
    rows: int = 1
    grain: int = 1
    work: int = 0
    flops: int = 0
    headers: tuple[str, ...] = ("vectors",)
    sums: tuple[int, ...] = ()
    kept: tuple[tuple[int, ...], ...] | None = None


LOWERED: dict[str, Callable[[Request, Target], Kernel | None]] = {}
"""Op → the function that writes its kernel, or returns None where it cannot."""


def lowers(*ops: str) -> Callable[[Any], Any]:
    """Register a function that writes the kernels of these ops."""

    def register(write: Any) -> Any:
        for op in ops:
            LOWERED[op] = write
        return write

    return register
