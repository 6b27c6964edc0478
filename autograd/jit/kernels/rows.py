"""Kernels that look rows up and add rows back: `embedding` and `putrows`, `getitem` and `putitem`
with index arrays, and `one_hot`.

An index out of range is taken for 0 and leaves a flag (c/checks.h): nothing outside an array is
ever touched.  What adds rows runs in parts that share no element: other columns, or other samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from ...ops.index import HERE
from ..kernel import Kernel, Operand, Request, Target, lowers
from .places import INTEGERS, NUMBERS, REALS, function, offset, sizes, spread, tagged


@dataclass(frozen=True)
class Lookup:
    """Rows of x (outer, *axes, inner) that index arrays, one for each of the axes, choose.

    They have `count` elements: z is (outer, count, inner).
    """

    outer: int
    axes: tuple[int, ...]
    inner: int
    indices: tuple[Operand, ...]
    shape: tuple[int, ...]
    """What the index arrays are broadcast to."""

    @property
    def count(self) -> int:
        """How many rows are chosen."""
        return prod(self.shape)

    @property
    def names(self) -> list[str]:
        """The C names of the index arrays."""
        return ["index"] if len(self.indices) == 1 else [f"index{i}" for i in range(len(self.axes))]

    @property
    def inputs(self) -> dict[str, str]:
        """The C names and types of the index arrays."""
        kinds = [INTEGERS[x.dtype] for x in self.indices]
        return dict(zip(self.names, kinds, strict=True))

    def row(self, i: str) -> str:
        """C for the number of the row of x that element `i` of the index arrays means."""
        found = ""
        for name, size, x in zip(self.names, self.axes, self.indices, strict=True):
            place = f"place_of({name}[{offset(i, self.shape, spread(x, self.shape))}], {size})"
            found = f"({found}) * {size} + {place}" if found else place
        return found

    def __str__(self) -> str:
        return f"{self.count} of {sizes(self.axes)} rows of {self.inner}" + (
            f", {self.outer} times" if self.outer > 1 else ""
        )


def _plain(*arrays: Operand) -> bool:
    """Whether kernels know these: elements behind one another, and of one known dtype."""
    same = len({x.dtype for x in arrays}) == 1 and arrays[0].dtype in NUMBERS
    return same and all(x.contiguous for x in arrays)


def _lookup(
    shape: tuple[int, ...], pattern: tuple[Any, ...], indices: tuple[Operand, ...]
) -> Lookup | None:
    """The lookup that x[pattern] is, for x of a shape: index arrays side by side, whole slices."""
    if sum(item is Ellipsis for item in pattern) > 1 or any(
        item is not HERE and item is not Ellipsis and item != slice(None) for item in pattern
    ):
        return None
    missing = (slice(None),) * (len(shape) - sum(item is not Ellipsis for item in pattern))
    at = pattern.index(Ellipsis) if Ellipsis in pattern else len(pattern)
    items = (*pattern[:at], *missing, *pattern[at + 1 :])
    first, n = items.index(HERE) if indices else 0, len(indices)
    if not n or items[first : first + n] != (HERE,) * n or len(items) != len(shape):
        return None
    if not prod(shape) or any(x.dtype not in INTEGERS for x in indices):
        return None
    rank = max(len(x.shape) for x in indices)
    padded = [(1,) * (rank - len(x.shape)) + x.shape for x in indices]
    chosen = tuple(next((k for k in axis if k != 1), 1) for axis in zip(*padded, strict=True))
    axes, inner = shape[first : first + n], prod(shape[first + n :])
    return Lookup(prod(shape[:first]), axes, inner, indices, chosen) if prod(chosen) else None


def _take(request: Request, target: Target, seen: Lookup | None) -> Kernel | None:
    """z (outer, count, inner): rows of x. Threads take rows of z."""
    x, z = request.inputs[0], request.outputs[0]
    if seen is None or not _plain(x, z):
        return None
    kind, rows, inner, count = NUMBERS[x.dtype], prod(seen.axes), seen.inner, seen.count
    row, copy = seen.row("i"), f"memcpy(z + i * {inner}, x + row * {inner}, {inner} * sizeof *z);"
    outer = [f"const long outer = i / {count}, at = i % {count};"] if seen.outer > 1 else []
    if outer:
        row = f"outer * {rows} + {seen.row('at')}"
    lines = [
        "for (long i = begin; i < end; i++) {",
        *[f"    {line}" for line in outer],
        f"    const long row = {row};",
        f"    {'z[i] = x[row];' if inner == 1 else copy}",
        "}",
    ]
    name = tagged(f"{request.op}_{seen.count}x{seen.inner}_of_{rows}", request, target)
    given = {"x": kind, **seen.inputs}
    return Kernel(
        name,
        function(f"z = x[…]: {seen}", name, given, {"z": kind}, lines),
        rows=seen.outer * seen.count,
        grain=max(1, 64 // seen.inner),
        headers=("vectors", "checks"),
    )


def _put(request: Request, target: Target, seen: Lookup | None) -> Kernel | None:
    """z (outer, *axes, inner): zeros with rows of g (outer, count, inner) added.

    Threads take the outer axis, or columns, where there are enough for a line of the cache each.
    """
    g, z = request.inputs[0], request.outputs[0]
    if seen is None or not _plain(g, z) or z.dtype not in REALS:
        return None
    kind, rows, inner = REALS[g.dtype], prod(seen.axes), seen.inner
    line = 8 if z.dtype == "float64" else 16
    name = tagged(f"{request.op}_{seen.count}x{inner}_to_{rows}", request, target)
    if seen.outer > 1 or inner < 2 * line:
        length, grain = seen.outer, 1
        lines = [
            f"memset(z + begin * {rows * inner}, 0, (end - begin) * {rows * inner} * sizeof *z);",
            "for (long n = begin; n < end; n++)",
            f"    for (long i = 0; i < {seen.count}; i++) {{",
            f"        const long row = n * {rows} + {seen.row('i')};",
            f"        for (long j = 0; j < {inner}; j++)",
            f"            z[row * {inner} + j] += g[(n * {seen.count} + i) * {inner} + j];",
            "    }",
        ]
    else:
        length, grain = inner, line
        lines = [
            f"for (long row = 0; row < {rows}; row++)",
            f"    memset(z + row * {inner} + begin, 0, (end - begin) * sizeof *z);",
            f"for (long i = 0; i < {seen.count}; i++) {{",
            f"    const long row = {seen.row('i')};",
            "    for (long j = begin; j < end; j++)",
            f"        z[row * {inner} + j] += g[i * {inner} + j];",
            "}",
        ]
    return Kernel(
        name,
        function(
            f"z = 0, then z[…] += g: {seen}", name, {"g": kind, **seen.inputs}, {"z": kind}, lines
        ),
        rows=length,
        grain=grain,
        flops=prod(g.shape),
        headers=("vectors", "checks"),
    )


@lowers("embedding", "getitem")
def take(request: Request, target: Target) -> Kernel | None:
    """Rows of a table, or x[…] with index arrays."""
    pattern = request.params.get("pattern", (HERE,))
    shape = request.inputs[0].shape
    return _take(request, target, _lookup(shape, pattern, request.inputs[1:]))


@lowers("putrows", "putitem")
def put(request: Request, target: Target) -> Kernel | None:
    """The transposes of `take`: rows added to a table of zeros."""
    pattern = request.params.get("pattern", (HERE,))
    shape = request.outputs[0].shape
    return _put(request, target, _lookup(shape, pattern, request.inputs[1:]))


@lowers("one_hot")
def one_hot(request: Request, target: Target) -> Kernel | None:
    """z (…, classes): 1 at the index; nowhere, where that is out of range."""
    index, z = request.inputs[0], request.outputs[0]
    classes = z.shape[-1]
    if index.dtype not in INTEGERS or z.dtype not in NUMBERS or not prod(z.shape):
        return None
    if not index.contiguous or not z.contiguous:
        return None
    kind, name = NUMBERS[z.dtype], tagged(f"one_hot_{sizes(z.shape)}", request, target)
    lines = [
        f"memset(z + begin * {classes}, 0, (end - begin) * {classes} * sizeof *z);",
        "for (long i = begin; i < end; i++)",
        f"    if (index[i] >= 0 && index[i] < {classes}) z[i * {classes} + index[i]] = 1;",
    ]
    return Kernel(
        name,
        function(
            f"z ({sizes(z.shape)}): 1 at each index",
            name,
            {"index": INTEGERS[index.dtype]},
            {"z": kind},
            lines,
        ),
        rows=prod(index.shape),
        grain=16,
    )
