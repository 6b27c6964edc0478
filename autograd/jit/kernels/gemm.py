"""Products of matrices: `matmul` and `affine`, and `gemm` for the kernels of other operations.

The work is done by the tiles of c/gemm.h, whose sizes and strides are arguments; what is written
here is one thin function per product, so ten products of a network share one set of tiles.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from math import prod

from ..kernel import Kernel, Operand, Request, Target, lowers

__all__ = ["gemm", "gemm_work"]

DEEP = 512
"""Steps of k at a time, GEMM_DEEP in c/gemm.h."""
A_BLOCK = 240
"""Rows of A that are packed at a time, GEMM_A_BLOCK in c/gemm.h."""
SUFFIX = {"float32": "f32", "float64": "f64"}
C_TYPE = {"float32": "float", "float64": "double"}


def tall(target: Target) -> int:
    """The rows of a register tile, GEMM_TALL in c/gemm.h."""
    return 12 if target.registers >= 32 else 6


def gemm_work(target: Target, packs_a: bool = True) -> int:
    """The bytes of scratch memory for a product; only an A that lies transposed is packed."""
    return DEEP * (2 * target.vector + 4 * A_BLOCK * packs_a)


@dataclass(frozen=True)
class Axis:
    """An axis of matrices: how many there are, and how far apart in A, B and C."""

    count: int
    a: int
    b: int
    c: int


@dataclass(frozen=True)
class Product:
    """C (m, n) = A (m, k) · B (k, n) for all matrices of some axes.

    `a_row` and `a_column` are the distances of A's rows and columns, and so on.
    """

    m: int
    n: int
    k: int
    a_row: int
    a_column: int
    b_row: int
    b_column: int
    c_row: int
    axes: tuple[Axis, ...]

    @property
    def matrices(self) -> int:
        """How many products there are."""
        return prod(axis.count for axis in self.axes)

    @property
    def a(self) -> tuple[str, int] | None:
        """How A lies, see `layout`."""
        return layout(self.m, self.k, self.a_row, self.a_column)

    @property
    def b(self) -> tuple[str, int] | None:
        """How B lies."""
        return layout(self.k, self.n, self.b_row, self.b_column)


def layout(rows: int, columns: int, row: int, column: int) -> tuple[str, int] | None:
    """("n", distance of rows), ("t", distance of columns) if transposed, None if neither is 1."""
    if column == 1 or columns == 1:
        return "n", row
    if row == 1 or rows == 1:
        return "t", column
    return None


def product(a: Operand, b: Operand, c: Operand) -> Product | None:
    """What there is to compute, with axes merged where they lie so."""
    (m, k), n = a.shape[-2:], b.shape[-1]
    if 0 in c.shape or k == 0 or (n > 1 and c.strides[-1] != 1):
        return None
    lead = len(c.shape) - 2

    def steps(x: Operand) -> list[int]:
        """The strides of the leading axes, 0 where the operand is broadcast."""
        own = [0 if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True)][:-2]
        return [0] * (lead - len(own)) + own

    axes: list[Axis] = []
    for axis in map(Axis, c.shape, steps(a), steps(b), c.strides):
        if axes and all(
            getattr(axes[-1], x) == axis.count * getattr(axis, x) for x in ("a", "b", "c")
        ):
            axes[-1] = replace(axis, count=axes[-1].count * axis.count)
        elif axis.count > 1:
            axes.append(axis)
    row, c_row = a.strides[-2], c.strides[-2]
    while axes and axes[-1].b == 0:  # the same B: more rows of one product, if they lie so
        axis = axes[-1]
        if m == 1:
            row, c_row = axis.a, axis.c
        elif (axis.a, axis.c) != (m * row, m * c_row):
            break
        m *= axes.pop().count
    return Product(m, n, k, row, a.strides[-1], b.strides[-2], b.strides[-1], c_row, tuple(axes))


def gemm(
    a: Operand,
    b: Operand,
    c: Operand,
    target: Target,
    *,
    op: str = "gemm",
    bias: bool = False,
    over_k: bool = False,
    column_sum: bool = False,
) -> Kernel | None:
    """A kernel for C (..., m, n) = A (..., m, k) · B (..., k, n), or None for strides it cannot do.

    A matrix that lies transposed has its strides swapped; leading axes broadcast. The kernel's
    arrays are a, b, [bias], c, [sums of columns].

    Args:
        op: what the name of the C function begins with.
        bias: bias (n,) is added to each row.
        over_k: its rows are the steps of k, so C is added to: for a weight's gradient whose
            samples come in parts. Without leading axes only, as is `column_sum`.
        column_sum: also give the sum over k of B, shape (n,): a bias's gradient.
    """
    p = product(a, b, c)
    if p is None or p.a is None or p.b is None or a.dtype not in SUFFIX:
        return None
    if not a.dtype == b.dtype == c.dtype or (p.axes and (over_k or column_sum)):
        return None
    if column_sum and p.b[0] == "t":
        return None
    f, T = SUFFIX[a.dtype], C_TYPE[a.dtype]
    form = p.a[0] + p.b[0]
    sizes = [p.matrices] * bool(p.axes) + [p.m, p.n, p.k]
    name = f"{op}_{form}_{'x'.join(map(str, sizes))}_{f}"
    name += "_bias" * bias + "_over_k" * over_k + "_sum" * column_sum
    if not natural(p):
        name += f"_{zlib.crc32(repr(p).encode()):08x}"
    by_columns = p.n > p.m and not p.axes and not over_k
    if by_columns:
        body = over_columns(p, form, f, bias)
    else:
        body = over_steps(p, form, f) if over_k else over_rows(p, form, f, bias)
    if column_sum:
        once = (
            f"gemm_column_sum_{f}(end - begin, {p.n}, b + begin * {p.b[1]}, {p.b[1]}, sum, 1);"
            if over_k
            else f"if (begin == 0) gemm_column_sum_{f}({p.k}, {p.n}, b, {p.b[1]}, sum, 0);"
        )
        body += f"    {once}\n"
    arrays = [f"const {T} *restrict a", f"const {T} *restrict b"]
    arrays += [f"const {T} *restrict bias"] * bias + [f"{T} *restrict c"]
    arrays += [f"{T} *restrict sum"] * column_sum
    many = f"{p.matrices} times " if p.axes else ""
    plus = " + bias" if bias else " + C" if over_k else ""
    says = f"{many}C ({p.m}, {p.n}) = A ({p.m}, {p.k}) · B ({p.k}, {p.n}){plus}"
    source = (
        f"/* {says} */\n"
        f"KERNEL void {name}(\n"
        f"    long begin, long end, {', '.join(arrays)}, char *work) {{\n"
        f"{body}}}\n"
    )
    if by_columns:
        rows, grain = p.n, 2 * target.lanes(a.dtype)
    elif over_k:
        rows, grain = p.k, 64
    else:
        rows, grain = p.matrices * p.m, p.m if p.axes and p.m < 4 * tall(target) else 4
    return Kernel(
        name,
        source,
        rows=rows,
        grain=grain,
        work=gemm_work(target, p.a[0] == "t"),
        flops=2 * p.matrices * p.m * p.n * p.k,
        headers=("vectors", "gemm"),
        sums=tuple(range(1 + column_sum)) if over_k else (),
    )


def natural(p: Product) -> bool:
    """Whether all matrices lie one behind the other, so that sizes and layout say everything."""
    a = ("n", p.k) if p.a_column == 1 else ("t", p.m)
    b = ("n", p.n) if p.b_column == 1 else ("t", p.k)
    lies = (p.a, p.b, p.c_row) == (a, b, p.n) and p.a_row == (p.k if a[0] == "n" else 1)
    whole = Axis(p.matrices, p.m * p.k, p.k * p.n, p.m * p.n)
    return lies and p.axes in ((), (whole,))


def turned(x: Operand) -> Operand:
    """The matrices transposed."""
    swap = (*range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2)
    return Operand(tuple(x.shape[i] for i in swap), x.dtype, tuple(x.strides[i] for i in swap))


def over_rows(p: Product, form: str, f: str, bias: bool) -> str:
    """The body of a kernel for some rows of C, in one matrix or through several."""
    assert p.a
    assert p.b
    init = "bias, 0" if bias else "NULL, 0"
    if not p.axes:
        return (
            f"    gemm_{form}_{f}(end - begin, {p.n}, {p.k}, a + begin * {p.a_row}, {p.a[1]},\n"
            f"                b, {p.b[1]}, c + begin * {p.c_row}, {p.c_row}, {init}, work);\n"
        )
    at = {x: place(p.axes, x) for x in ("a", "b", "c")}
    return (
        f"    for (long at = begin, next; at < end; at = next) {{\n"
        f"        const long matrix = at / {p.m}, row = at % {p.m};\n"
        f"        next = (matrix + 1) * {p.m} < end ? (matrix + 1) * {p.m} : end;\n"
        f"        gemm_{form}_{f}(next - at, {p.n}, {p.k},\n"
        f"                    a{at['a']} + row * {p.a_row}, {p.a[1]}, b{at['b']}, {p.b[1]},\n"
        f"                    c{at['c']} + row * {p.c_row}, {p.c_row}, {init}, work);\n"
        f"    }}\n"
    )


def over_columns(p: Product, form: str, f: str, bias: bool) -> str:
    """The body of a kernel for some columns of C: of a wide C threads rather share B than A."""
    assert p.a
    assert p.b
    init = "bias + begin, 0" if bias else "NULL, 0"
    return (
        f"    gemm_{form}_{f}({p.m}, end - begin, {p.k}, a, {p.a[1]}, b + begin * {p.b_column}, "
        f"{p.b[1]},\n                c + begin, {p.c_row}, {init}, work);\n"
    )


def over_steps(p: Product, form: str, f: str) -> str:
    """The body of a kernel that adds the products of some steps of k."""
    assert p.a
    assert p.b
    return (
        f"    gemm_{form}_{f}({p.m}, {p.n}, end - begin, a + begin * {p.a_column}, {p.a[1]},\n"
        f"                b + begin * {p.b_row}, {p.b[1]}, c, {p.c_row}, c, {p.c_row}, work);\n"
    )


def place(axes: tuple[Axis, ...], operand: str) -> str:
    """Where a matrix begins, in C: its number `matrix` counts through all axes."""
    terms, behind = [], 1
    for i, axis in reversed(list(enumerate(axes))):
        index = f"matrix / {behind}" if behind > 1 else "matrix"
        if i:
            index = f"{index} % {axis.count}"
        if step := getattr(axis, operand):
            terms.append(f" + {index} * {step}" if index == "matrix" else f" + ({index}) * {step}")
        behind *= axis.count
    return "".join(reversed(terms))


@lowers("matmul")
def matmul(request: Request, target: Target) -> Kernel | None:
    """x (..., n, k) @ y (..., k, m); a vector x is a row, a vector y a column."""
    (x, y), z = request.inputs, request.outputs[0]
    return gemm(*matrices(x, y, z), target, op="matmul")


@lowers("affine")
def affine(request: Request, target: Target) -> Kernel | None:
    """x (..., k) @ w (k, m) + b (m,)."""
    x, w, b = request.inputs
    n = w.shape[-1]
    if b.shape[-1:] != (n,) or prod(b.shape) != n or b.dtype != w.dtype or not b.contiguous:
        return None
    return gemm(*matrices(x, w, request.outputs[0]), target, op="affine", bias=True)


def matrices(x: Operand, y: Operand, z: Operand) -> tuple[Operand, Operand, Operand]:
    """The operands of a product with vectors made matrices."""
    if len(x.shape) == 1:
        x = Operand((1, *x.shape), x.dtype, (0, *x.strides))
        row = len(z.shape) - (len(y.shape) > 1)
        z = Operand(
            (*z.shape[:row], 1, *z.shape[row:]), z.dtype, (*z.strides[:row], 0, *z.strides[row:])
        )
    if len(y.shape) == 1:
        y = Operand((*y.shape, 1), y.dtype, (*y.strides, 0))
        z = Operand((*z.shape, 1), z.dtype, (*z.strides, 0))
    return x, y, z
