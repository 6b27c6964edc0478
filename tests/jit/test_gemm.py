"""Matrix products in C against NumPy's: the tiles of c/gemm.h, and the kernels written on them."""

import ctypes
from itertools import pairwise, product

import harness
import numpy as np
import pytest

from autograd.jit.kernel import LOWERED, Kernel, Operand, Request, Target, packed
from autograd.jit.kernels.gemm import gemm, gemm_work, turned
from autograd.node import Op
from backends import numpy as xp

pytestmark = [
    pytest.mark.skipif(harness.compiler() is None, reason="there is no C compiler"),
    pytest.mark.parametrize("target", harness.TARGETS, ids=lambda t: f"{t.vector}-bytes"),
]
FORMS = ("nn", "nt", "tn", "tt")
TYPES = {"f32": ("float", "float32"), "f64": ("double", "float64")}
TOLERANCE = {"float32": 2e-6, "float64": 4e-15}
SIZES = [1, 2, 3, 5, 7, 8, 10, 12, 13, 16, 17, 31, 32, 33, 48, 64, 67, 130]
WORK = np.empty(1 << 19, "u1")


def exported() -> str:
    """C that exports the functions of gemm.h, so that one library serves all sizes."""
    text = [
        '#include "vectors.h"',
        '#include "gemm.h"',
        "long work_size(void) { return GEMM_WORK; }",
    ]
    for f, (T, _) in TYPES.items():
        given = f"long m, long n, long k, const {T} *a, long lda, const {T} *b, long ldb"
        given = f"({given}, {T} *c, long ldc, const {T} *init, long ldi, char *work)"
        for form in FORMS:
            text += [
                f"void {form}_{f}{given}",
                f"{{ gemm_{form}_{f}(m, n, k, a, lda, b, ldb, c, ldc, init, ldi, work); }}",
                f"void {form}_packed_{f}{given} {{",
                f"    {T} packed[gemm_packed_size_{f}(n, k) + 1];",
                f"    gemm_pack_{form[1]}_{f}(n, k, b, ldb, packed);",
                f"    gemm_{form[0]}p_{f}(m, n, k, a, lda, packed, c, ldc, init, ldi);",
                "}",
            ]
        text += [
            f"void sum_{f}(long k, long n, const {T} *b, long ldb, {T} *sum, int add)",
            f"{{ gemm_column_sum_{f}(k, n, b, ldb, sum, add); }}",
        ]
    return "\n".join(text)


def address(x: np.ndarray | None) -> ctypes.c_void_p:
    """Where an array begins, aligned for scratch memory."""
    return ctypes.c_void_p(None if x is None else x.ctypes.data)


def call(function, m, n, k, a, b, c, init=None, ldi=0):
    """A function of the library; arrays are padded views, whose first stride is the leading one."""
    matrices = []
    for x in (a, b, c):
        matrices += [address(x), ctypes.c_long(x.strides[0] // x.itemsize)]
    work = ctypes.c_void_p(WORK.ctypes.data + -WORK.ctypes.data % 64)
    sizes = [ctypes.c_long(i) for i in (m, n, k)]
    function(*sizes, *matrices, address(init), ctypes.c_long(ldi), work)


def draw(shape: tuple[int, ...], dtype: str, seed: int = 0, pad: int = 0) -> np.ndarray:
    """Random numbers; with `pad` the rows lie that much further apart."""
    rows = (*shape[:-1], shape[-1] + pad)
    whole = np.random.default_rng(seed).standard_normal(rows).astype(dtype)
    return whole[..., : shape[-1]] if pad else whole


def close(got: np.ndarray, want: np.ndarray, k: int) -> None:
    """Equal, within what rounding k products may do."""
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE[str(got.dtype)] * (8 + k) ** 0.75)


@pytest.mark.parametrize("f", TYPES)
@pytest.mark.parametrize("form", FORMS)
def test_all_sizes(target: Target, form: str, f: str) -> None:
    """From zeros, from a bias, and added to C; packed beforehand or not; rows with gaps or not."""
    library, dtype = harness.load(exported(), target), TYPES[f][1]
    choose = np.random.default_rng(FORMS.index(form))
    sizes = [s for s in product(SIZES, SIZES, SIZES) if choose.random() < 0.04]
    sizes += [(1, 1, 1), (300, 70, 600), (70, 300, 270), (500, 33, 100), (3, 4, 0), (4, 1, 1000)]
    for number, (m, n, k) in enumerate(sizes):
        pad = number % 3
        a = draw((m, k) if form[0] == "n" else (k, m), dtype, 1, pad)
        b = draw((k, n) if form[1] == "n" else (n, k), dtype, 2, pad)
        c, bias = draw((m, n), dtype, 3, pad), draw((n,), dtype, 4)
        want = (a if form[0] == "n" else a.T) @ (b if form[1] == "n" else b.T)
        before, gap = c.copy(), (c.base if pad else c)[..., n:].copy()
        for way in (f"{form}_{f}", f"{form}_packed_{f}"):
            function = getattr(library, way)
            c[...] = before
            call(function, m, n, k, a, b, c, c, c.strides[0] // c.itemsize)
            close(c, before + want, k)
            call(function, m, n, k, a, b, c, bias, 0)
            close(c, bias + want, k)
            call(function, m, n, k, a, b, c)
            close(c, want, k)
        np.testing.assert_array_equal((c.base if pad else c)[..., n:], gap)


@pytest.mark.parametrize("f", TYPES)
def test_column_sum(target: Target, f: str) -> None:
    library, dtype = harness.load(exported(), target), TYPES[f][1]
    for k, n in product([0, 1, 2, 7, 64], [1, 3, 16, 31, 64, 100]):
        b, total = draw((k, n), dtype, pad=1), draw((n,), dtype, 1)
        before = total.copy()
        function, given = getattr(library, f"sum_{f}"), (address(b), ctypes.c_long(n + 1))
        for add in (1, 0):
            function(ctypes.c_long(k), ctypes.c_long(n), *given, address(total), add)
            close(total, before * add + b.sum(0), k)


@pytest.mark.parametrize("form", FORMS)
def test_nan_and_infinity_stay_where_they_belong(target: Target, form: str) -> None:
    """Padding and columns that are computed twice bring none in, and lose none."""
    library = harness.load(exported(), target)
    for m, n, k in [(5, 7, 20), (13, 35, 37), (40, 40, 300), (1, 33, 9), (33, 1, 40)]:
        a, b = draw((m, k), "float32", 1), draw((k, n), "float32", 2)
        a[m // 2, k // 2], b[k - 1, n - 1], b[0, 0] = np.nan, np.inf, -np.inf
        a[np.arange(m) != m // 2, 0] = 1  # so that no infinity meets a 0
        c = np.empty((m, n), "f4")
        with np.errstate(invalid="ignore"):
            want = a @ b
        a, b = a if form[0] == "n" else a.T.copy(), b if form[1] == "n" else b.T.copy()
        for way in ("", "_packed"):
            call(getattr(library, f"{form}{way}_f32"), m, n, k, a, b, c)
            np.testing.assert_array_equal(np.isnan(c), np.isnan(want))
            np.testing.assert_array_equal(np.isinf(c), np.isinf(want))


def test_scratch_memory_is_as_large_as_the_header_says(target: Target) -> None:
    assert harness.load(exported(), target).work_size() == gemm_work(target)


def operand(x: np.ndarray) -> Operand:
    """An array as a kernel sees it."""
    return Operand(x.shape, str(x.dtype), tuple(s // x.itemsize for s in x.strides))


def transposed(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """An array whose last two axes lie exchanged in memory."""
    return draw((*shape[:-2], shape[-1], shape[-2]), dtype, seed).swapaxes(-1, -2)


def cases() -> list[tuple[str, list[np.ndarray]]]:
    """Ops and their inputs."""
    given: list[tuple[str, list[np.ndarray]]] = []
    for number, (x, y) in enumerate(
        [
            ((2, 3), (3, 4)), ((32, 10), (10, 64)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
            ((3,), (3, 4)), ((2, 3), (3,)), ((3,), (3,)), ((1, 1), (1, 1)), ((40,), (40, 33)),
            ((3,), (5, 3, 4)), ((5, 2, 3), (3,)), ((2, 5, 1, 3), (5, 3, 4)), ((37, 53), (53,)),
            ((2, 1, 7, 3), (4, 3, 5)), ((4, 2, 13, 9), (4, 2, 9, 17)), ((64, 31), (31, 1)),
            ((3, 1, 7), (7, 9)), ((6, 9), (3, 9, 4)), ((1, 20), (20, 300)), ((65, 129), (129, 65)),
        ]
    ):  # fmt: skip
        dtype = "float64" if number % 3 == 2 else "float32"
        a, b = draw(x, dtype, 1), draw(y, dtype, 2)
        given.append(("matmul", [a, b]))
        if a.ndim > 1 < b.ndim:
            given.append(("matmul", [transposed(x, dtype, 1), b]))
            given.append(("matmul", [a, transposed(y, dtype, 2)]))
            given.append(("matmul", [transposed(x, dtype, 1), transposed(y, dtype, 2)]))
        if a.ndim > 1 and b.ndim == 2:
            given.append(("affine", [a, b, draw((y[-1],), dtype, 3)]))
    x, w = draw((6, 4, 10), "float32", 1), draw((10, 12), "float32", 2)
    given += [
        ("matmul", [x[:, 1:3], w[:, 2:9]]),  # parts of arrays
        ("matmul", [x.swapaxes(0, 1), w]),
        ("matmul", [x[:, 0], w]),
        ("matmul", [x, w[:, 3]]),
        ("affine", [x[::2], w, draw((12,), "float32", 3)]),
        ("matmul", [np.broadcast_to(x[0], (3, 4, 10)), np.broadcast_to(w, (3, 10, 12))]),
    ]
    return given


def lowered(op: str, inputs: list[np.ndarray], target: Target) -> tuple[Kernel, np.ndarray]:
    """A kernel for these inputs, and what NumPy says it should give."""
    want = np.asarray(Op.table[op].forward(xp, *inputs))
    operands = tuple(operand(x) for x in inputs)
    request = Request(op, operands, (packed(want.shape, str(want.dtype)),))
    kernel = LOWERED[op](request, target)
    assert kernel is not None, (op, operands)
    return kernel, want


def run_all(
    kernels: list[Kernel], arrays: list[list[np.ndarray]], target: Target, pieces: int
) -> None:
    """Compile kernels as one file, each source once, and call them, cut in pieces."""
    text = [
        '#include "vectors.h"',
        '#include "gemm.h"',
        *{k.name: k.source for k in kernels}.values(),
    ]
    assert len({k.name for k in kernels}) == len({k.source for k in kernels}), "a name used twice"
    for number, (kernel, given) in enumerate(zip(kernels, arrays, strict=True)):
        pointers = ", ".join(f"a[{i}]" for i in range(len(given)))
        text += [
            f"void run{number}(long begin, long end, void **a, char *work)",
            f"{{ {kernel.name}(begin, end, {pointers}, work); }}",
        ]
    library = harness.load("\n".join(text), target)
    for number, (kernel, given) in enumerate(zip(kernels, arrays, strict=True)):
        pointers = (ctypes.c_void_p * len(given))(*[x.ctypes.data for x in given])
        work = np.empty(kernel.work + 64, "u1")
        start = ctypes.c_void_p(work.ctypes.data + -work.ctypes.data % 64)
        bounds = [kernel.rows * i // pieces for i in range(pieces + 1)]
        for begin, end in pairwise(bounds):
            function = getattr(library, f"run{number}")
            function(ctypes.c_long(begin), ctypes.c_long(end), pointers, start)


@pytest.mark.parametrize("pieces", [1, 3])
def test_the_ops_kernels(target: Target, pieces: int) -> None:
    made = [(*lowered(op, inputs, target), inputs) for op, inputs in cases()]
    outputs = [np.full(want.shape, np.nan, want.dtype) for _, want, _ in made]
    arrays = [[*inputs, z] for (_, _, inputs), z in zip(made, outputs, strict=True)]
    run_all([kernel for kernel, _, _ in made], arrays, target, pieces)
    for (kernel, want, inputs), got in zip(made, outputs, strict=True):
        try:
            close(got, want, inputs[0].shape[-1])
        except AssertionError as error:
            raise AssertionError(kernel.source) from error


def test_what_cannot_be_done(target: Target) -> None:
    def ask(op: str, *inputs: np.ndarray) -> Kernel | None:
        want = np.asarray(Op.table[op].forward(xp, *inputs))
        z = packed(want.shape, str(want.dtype))
        return LOWERED[op](Request(op, tuple(operand(x) for x in inputs), (z,)), target)

    x, w = draw((8, 6), "float32"), draw((3, 4), "float32")
    assert ask("matmul", x[:, ::2], w) is None  # no axis of unit stride
    assert ask("matmul", x.astype("float16")[:, :3], w.astype("float16")) is None
    assert ask("matmul", x[:0, :3], w) is None
    assert ask("affine", x[:, :3], w, x[0, :1]) is None  # one bias for all columns


@pytest.mark.parametrize("pieces", [1, 3])
def test_gradient_of_weights_and_bias(target: Target, pieces: int) -> None:
    """Over rows of the weight, or over parts of the samples, added up."""
    kernels, arrays, wants = [], [], []
    for (samples, m, n), over_k in product([(64, 30, 10), (33, 100, 65), (7, 5, 1)], [False, True]):
        x, g = draw((samples, m), "float32", 1), draw((samples, n), "float32", 2)
        z, s = packed((m, n), "float32"), packed((n,), "float32")
        a = turned(operand(x))
        made = gemm(a, operand(g), z, target, over_k=over_k, column_sum=True, op="weights")
        assert made is not None
        assert made.sums == ((0, 1) if over_k else ())
        kernels.append(made)
        arrays.append([x, g, np.zeros(z.shape, "f4"), np.zeros(s.shape, "f4")])
        wants.append((x.T @ g, g.sum(0), samples))
    run_all(kernels, arrays, target, pieces)
    for (_, _, weights, bias), (want_weights, want_bias, k) in zip(arrays, wants, strict=True):
        close(weights, want_weights, k)
        close(bias, want_bias, k)
