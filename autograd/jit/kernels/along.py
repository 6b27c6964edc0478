"""Kernels of lookups along an axis, z[i, j] = x[i, index[i, j]] for axis 1: `gather`, and back
`putalong` and `scatter_add`.  Threads take parts of an axis; those of a sum, not the index's own.
"""

from __future__ import annotations

from math import prod

from ..kernel import Kernel, Operand, Request, Target, lowers
from .places import INTEGERS, NUMBERS, REALS, function, sizes, tagged


def _sum(strides: tuple[int, ...], skip: int = -1) -> str:
    """C for where the element (i0, i1, …) lies, but for one axis."""
    terms = [(k, stride) for k, stride in enumerate(strides) if k != skip and stride]
    return " + ".join(f"i{k}" if n == 1 else f"i{k} * {n}" for k, n in terms) or "0"


def _loops(shape: tuple[int, ...], cut: int, statement: str) -> list[str]:
    """A statement for each element of an index array, of which threads take parts of an axis."""
    lines = []
    for k, n in enumerate(shape):
        begin, end = ("begin", f"i{k} < end && i{k} < {n}") if k == cut else ("0", f"i{k} < {n}")
        lines.append(f"{' ' * 4 * k}for (long i{k} = {begin}; {end}; i{k}++)")
    return [*lines, f"{' ' * 4 * len(shape)}{statement}"]


def _found(index: Operand, x: Operand, axis: int) -> str:
    """C for where the element of x lies that an element of `index` chooses."""
    chosen = f"place_of(index[{_sum(index.strides)}], {x.shape[axis]})"
    step = "" if x.strides[axis] == 1 else f" * {x.strides[axis]}"
    others = _sum(x.strides, axis)
    return f"{chosen}{step}" if others == "0" else f"{others} + {chosen}{step}"


@lowers("gather")
def gather(request: Request, target: Target) -> Kernel | None:
    """z[i, j] = x[i, index[i, j]] for axis 1, and so on."""
    x, index = request.inputs
    z, axis = request.outputs[0], request.params["axis"] % len(x.shape)
    if x.dtype != z.dtype or x.dtype not in NUMBERS or index.dtype not in INTEGERS:
        return None
    if not x.shape or not prod(x.shape) or not prod(index.shape):
        return None
    kind, name = NUMBERS[x.dtype], tagged(f"gather_{sizes(index.shape)}", request, target)
    lines = _loops(index.shape, 0, f"z[{_sum(z.strides)}] = x[{_found(index, x, axis)}];")
    comment = f"z ({sizes(z.shape)}): elements of x ({sizes(x.shape)}) along axis {axis}"
    given = {"x": kind, "index": INTEGERS[index.dtype]}
    return Kernel(
        name,
        function(comment, name, given, {"z": kind}, lines),
        rows=index.shape[0],
        headers=("vectors", "checks"),
    )


@lowers("putalong", "scatter_add")
def putalong(request: Request, target: Target) -> Kernel | None:
    """z[i, index[i, j]] += g[i, j] for axis 1, and so on; z begins as zeros or as x."""
    index, g = request.inputs[-2:]
    if request.op == "putalong":
        g, index = request.inputs
    before, z = request.inputs[:-2], request.outputs[0]
    axis = request.params["axis"] % len(z.shape)
    same = all(x.dtype == z.dtype for x in (*before, g)) and z.dtype in REALS
    if not same or index.dtype not in INTEGERS or not all(a.contiguous for a in (*before, z)):
        return None
    if not prod(z.shape) or not prod(index.shape):
        return None
    cut = next((k for k, n in enumerate(z.shape) if k != axis and n > 1), -1)
    rows = z.shape[cut] if cut >= 0 else 1
    outer, inner = prod(z.shape[: max(cut, 0)]), prod(z.shape[cut + 1 :])
    start = f"begin * {inner}" if outer == 1 else f"(n * {rows} + begin) * {inner}"
    count = f"(end - begin) * {inner} * sizeof *z"
    first = f"memcpy(z + {start}, x + {start}, {count});"
    if not before:
        first = f"memset(z + {start}, 0, {count});"
    lines = [f"for (long n = 0; n < {outer}; n++) {first}" if outer > 1 else first]
    lines += _loops(index.shape, cut, f"z[{_found(index, z, axis)}] += g[{_sum(g.strides)}];")
    kind = NUMBERS[z.dtype]
    given = {"g": kind, "index": INTEGERS[index.dtype]}
    if before:
        given = {"x": kind, "index": INTEGERS[index.dtype], "g": kind}
    name = tagged(f"{request.op}_{sizes(index.shape)}", request, target)
    comment = f"z ({sizes(z.shape)}): {sizes(index.shape)} elements added along axis {axis}"
    return Kernel(
        name,
        function(comment, name, given, {"z": kind}, lines),
        rows=rows,
        grain=64 if inner == 1 else 1,
        flops=prod(g.shape),
        headers=("vectors", "checks"),
    )
