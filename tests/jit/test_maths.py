"""The functions of maths.h against more precise ones, and every elementwise op written in C."""

from __future__ import annotations

import ctypes
import math
import re
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import ARCH, FLAGS, HEADERS, TARGETS, compiler, load

from autograd import Tensor
from autograd.jit.kernel import Target
from autograd.node import Op
from backends import BackendError, c

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
by_target = pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"VB{target.vector}")

Array = np.ndarray[Any, Any]

F32 = {
    "exp": 1, "log": 1, "sqrt": 0.5, "floor": 0, "ceil": 0, "round": 0, "sign": 0, "expm1": 2,
    "log1p": 2, "tanh": 2, "sigmoid": 2, "erf": 2, "sin": 2, "cos": 2, "normal_pdf": 2,
    "normal_cdf": 4, "tan": 4, "asin": 3, "acos": 3, "atan": 2, "sinh": 1, "cosh": 1, "asinh": 1,
    "acosh": 1, "atanh": 1, "square": 0.5, "cube": 1.5,
}  # fmt: skip
"""Functions of one number, and how many units in the last place a float32 result may be off."""

F32_PAIRS = {"pow": 1, "atan2": 2, "xlogy": 2, "mod": 0, "maximum": 0, "minimum": 0}

F64 = {
    "exp": 1, "expm1": 2, "log": 1, "log1p": 1.5, "sqrt": 0.5, "tanh": 2, "sigmoid": 2, "sin": 1,
    "cos": 1, "tan": 1, "asin": 1, "acos": 1, "atan": 1, "sinh": 2, "cosh": 2, "asinh": 2,
    "acosh": 2, "atanh": 2, "normal_pdf": 2,
}  # fmt: skip


# --- calling C ---


def loops(names: list[str], ctype: str, suffix: str, inputs: int = 1) -> str:
    """One exported loop for each function: `all_exp` for exp."""
    given = "".join(f", const {ctype} *restrict x{i}" for i in range(inputs))
    each = ", ".join(f"x{i}[i]" for i in range(inputs))
    return "".join(
        f"void all_{f}(long n{given}, {ctype} *restrict z) "
        f"{{ for (long i = 0; i < n; i++) z[i] = {f}_{suffix}({each}); }}\n"
        for f in names
    )


@cache
def source(ctype: str) -> str:
    """A file with all the loops of a dtype."""
    one, suffix = (F32, "f32") if ctype == "float" else ({**F64, "erf": 2, "normal_cdf": 3}, "f64")
    text = '#include "maths.h"\n' + loops(list(one), ctype, suffix)
    return text + loops(list(F32_PAIRS), ctype, suffix, 2)


@cache
def build(ctype: str, target: Target) -> tuple[ctypes.CDLL, str]:
    """The loops of a dtype, compiled, and what gcc tells of those it has vectorised."""
    folder = Path(tempfile.mkdtemp(prefix="maths-"))
    (folder / "loops.c").write_text(source(ctype))
    wide = ["-mprefer-vector-width=512"] if target.vector == 64 else []
    tells = ["-fopt-info-vec-optimized"] if is_gcc() else []
    done = subprocess.run(
        [compiler() or "cc", *FLAGS, f"-march={ARCH[target.vector]}", *wide, *tells,
         f"-I{HEADERS}", str(folder / "loops.c"), "-o", str(folder / "loops.so"), "-lm"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return ctypes.CDLL(str(folder / "loops.so")), done.stderr


@cache
def is_gcc() -> bool:
    """Whether the compiler is GNU's."""
    macros = [compiler() or "cc", "-dM", "-E", "-x", "c", "/dev/null"]
    told = subprocess.run(macros, capture_output=True, text=True, check=True).stdout
    return "__GNUC__" in told and "__clang__" not in told


def call(library: ctypes.CDLL, name: str, *xs: Array, dtype: Any = None) -> Array:
    """What an exported loop computes."""
    z = np.empty(xs[0].shape, dtype or xs[0].dtype)
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (*xs, z)]
    getattr(library, name)(ctypes.c_long(z.size), *pointers)
    return z


# --- accuracy ---


def every_size(dtype: str, count: int) -> Array:
    """Numbers of every exponent, the first and last of each, both signs; ±0, ±inf and NaN."""
    bits, exponents, whole = (23, 255, "u4") if dtype == "float32" else (52, 2047, "u8")
    random = np.random.default_rng(0)
    mantissa = random.integers(0, 1 << bits, (exponents, count), whole)
    mantissa[:, :3] = [0, 1, (1 << bits) - 1]
    x = (mantissa | (np.arange(exponents, dtype=whole)[:, None] << np.array(bits, whole))).ravel()
    x = x.view(dtype)
    usual = [random.uniform(-m, m, 100 * count) for m in (1.5, 20, 110, 750)]
    return np.concatenate([x, -x, [np.inf, -np.inf, np.nan], *usual]).astype(dtype)


def each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python's, for arrays."""
    return lambda x: np.fromiter(map(function, x.tolist()), "f8", x.size)


def sigmoid(x: Array) -> Array:
    """In whatever precision x has."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def normal_pdf(x: Array) -> Array:
    """In whatever precision x has."""
    return np.exp(-x * x / 2) / np.sqrt(4 * np.arccos(x.dtype.type(0)))


def normal_cdf(x: Array) -> Array:
    """erfc(y) / 2 with y = -x / √2, whose rounding would be multiplied by x², corrected."""
    y = -x.astype(np.longdouble) * np.sqrt(np.longdouble(0.5))
    rounded = y.astype("f8")
    lost = np.where(np.isfinite(y), y - rounded, 0).astype("f8")
    return (each(math.erfc)(rounded) - 2 / math.sqrt(math.pi) * np.exp(-(rounded**2)) * lost) / 2


TRUE: dict[str, Callable[..., Array]] = {
    "sigmoid": sigmoid, "normal_pdf": normal_pdf, "erf": each(math.erf), "round": np.rint,
    "normal_cdf": normal_cdf, "cube": lambda x: x * x * x,
    "xlogy": lambda x, y: x * np.log(np.where(x == 0, 1, y)),
}  # fmt: skip
"""The functions that NumPy has not, or not by this name."""


def ulps(z: Array, true: Array) -> Array:
    """How far z is from the true results, in units in the last place of its dtype."""
    with np.errstate(all="ignore"):
        rounded = true.astype(z.dtype)
        both = np.isfinite(rounded) & np.isfinite(z)
        unit = np.spacing(np.abs(np.where(both, rounded, 1)))
        off = np.abs(z.astype(true.dtype) - true) / unit
        same = (z == rounded) | (np.isnan(z) & np.isnan(true))
    return np.where(both, off, np.where(same, 0, np.inf))


def assert_close(name: str, limit: float, z: Array, true: Array, *xs: Array) -> None:
    off = ulps(z, true)
    worst = int(np.argmax(off))
    at = [float(x[worst]) for x in xs]
    assert off[worst] <= limit + 0.01, (
        f"{name}{at}: {z[worst]}, not {true[worst]}, {off[worst]} ulp"
    )


@by_target
def test_float32_over_the_whole_range(target: Target) -> None:
    library, x = build("float", target)[0], every_size("float32", 60)
    for name, limit in F32.items():
        with np.errstate(all="ignore"):
            true = (TRUE.get(name) or getattr(np, name))(x.astype("f8"))
        assert_close(name, limit, call(library, f"all_{name}", x), true, x)


@by_target
def test_float32_functions_of_two_numbers(target: Target) -> None:
    library, x, random = build("float", target)[0], every_size("float32", 10), np.random
    corners = np.array([0, -0.0, 1, -1, 2, 0.5, -3, np.inf, -np.inf, np.nan, 1e-45, 3e38], "f")
    near_one = random.default_rng(1).uniform(0.9, 1.1, 9999).astype("f")
    pairs = [(x, random.default_rng(2).permutation(x)), (near_one, 1e4 * (near_one - 1)),
             tuple(a.ravel() for a in np.meshgrid(corners, corners))]  # fmt: skip
    for a, b in pairs:
        for name, limit in F32_PAIRS.items():
            wide = "f4" if name == "mod" else "f8"  # the exact remainder is that of the dtype
            with np.errstate(all="ignore"):
                true = (TRUE.get(name) or getattr(np, name))(a.astype(wide), b.astype(wide))
            assert_close(name, limit, call(library, f"all_{name}", a, b), true, a, b)


@by_target
def test_float64(target: Target) -> None:
    if np.finfo(np.longdouble).eps == np.finfo("f8").eps:
        pytest.skip("this machine has no more precise numbers to compare with")
    library, x = build("double", target)[0], every_size("float64", 10)
    for name, limit in F64.items():
        with np.errstate(all="ignore"):
            true = (TRUE.get(name) or getattr(np, name))(x.astype(np.longdouble))
        assert_close(name, limit, call(library, f"all_{name}", x), true, x)


@by_target
def test_the_error_function_in_float64(target: Target) -> None:
    library, x = build("double", target)[0], every_size("float64", 10)
    assert_close("erf", 3, call(library, "all_erf", x), TRUE["erf"](x), x)
    with np.errstate(all="ignore"):
        true = TRUE["normal_cdf"](x)
    assert_close("normal_cdf", 8, call(library, "all_normal_cdf", x), true, x)


VECTORS = {
    "float": """exp expm1 log log1p sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
        erf normal_cdf normal_pdf sigmoid floor ceil round sign pow atan2 xlogy maximum minimum""",
    "double": "exp expm1 log log1p tanh sigmoid erf normal_cdf normal_pdf xlogy maximum",
}  # fmt: skip


@by_target
@pytest.mark.parametrize("ctype", list(VECTORS))
def test_loops_become_loops_over_vectors(target: Target, ctype: str) -> None:
    if not is_gcc():
        pytest.skip("only gcc tells in this way what it has vectorised")
    told = build(ctype, target)[1]
    size = f"using {target.vector} byte vectors"
    lines = {int(n) for n in re.findall(rf"loops\.c:(\d+):.*{size}", told)}
    found = {
        name for i, line in enumerate(source(ctype).splitlines(), 1) if i in lines
        for name in re.findall(r"all_(\w+)", line)
    }  # fmt: skip
    assert set(VECTORS[ctype].split()) <= found


# --- the op table ---


CASES = [
    (f"{op.name}_{i}", op, params)
    for op in Op.table.values() if op.elementwise
    for i, params in enumerate(op.samples)
]  # fmt: skip

ROUGH = ("normal_cdf", "gelu", "softplus", "sigmoid", "binary_cross_entropy_with_logits")
"""Ops whose result in NumPy is right to the last bits of 1, or of x, not of itself."""


def operands(op: Op, dtype: str) -> list[Array]:
    """Numbers from an op's domain and beyond, each corner with each."""
    random = np.random.default_rng(0)
    count = len(op.inputs)
    if dtype == "bool":
        corners: list[Any] = [False, True]
    elif dtype.startswith("float"):
        corners = [0, -0.0, 1, -1, 0.5, 2.5, -3.5, 90, -110, np.inf, -np.inf, np.nan]
    else:
        ends = np.iinfo(dtype)
        corners = [0, 1, 2, 3, 7, 50, ends.max] + [-1, -2, -3, -ends.max] * (ends.min < 0)
        if op.name == "pow":  # NumPy refuses a negative power of an integer
            corners = [0, 1, 2, 3, 7]
    grid = np.meshgrid(*[np.array(corners, dtype)] * count)
    low = 0 if dtype.startswith("uint") or op.name == "pow" else -5
    return [np.concatenate([a.ravel(), random.uniform(low, 5, 200).astype(dtype)]) for a in grid]


def written(dtype: str) -> tuple[str, dict[str, tuple[list[Array], Array]]]:
    """A C file with a loop for every op and sample, and by name its operands and true results.

    An op that NumPy refuses for the dtype must be refused by the C backend too.
    """
    text, expected = '#include "maths.h"\n', {}
    for name, op, params in CASES:
        arrays = operands(op, dtype)
        xs = [c.C(x, dtype) for x in op.inputs]
        try:
            with np.errstate(all="ignore"):
                true = op(*[Tensor(a, dtype=dtype) for a in arrays], **params).raw
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                c.write(op, xs, params, dtype)
            continue
        if true.dtype == "float16":  # NumPy's round of a truth value
            true = true.astype("float32")
        z = c.write(op, xs, params, str(true.dtype))
        ctype = c.TYPES[dtype]
        given = "".join(f", const {ctype} *restrict all_{x}" for x in op.inputs)
        each = "".join(f"        const {ctype} {x} = all_{x}[i];\n" for x in op.inputs)
        text += (
            f"void {name}(long n{given}, {c.TYPES[z.dtype]} *restrict z) {{\n"
            f"    for (long i = 0; i < n; i++) {{\n{each}"
            f"        z[i] = {c.bare(z.text)};\n    }}\n}}\n"
        )
        expected[name] = arrays, true
    return text, expected


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int8", "uint32", "bool"])
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_every_elementwise_op_is_written_in_c(dtype: str) -> None:
    text, expected = written(dtype)
    library = load(text, TARGETS[-1])
    assert len(expected) > len(CASES) / 2
    for name, op, _ in CASES:
        if name not in expected:
            continue
        arrays, true = expected[name]
        z = call(library, name, *arrays, dtype=true.dtype)
        if true.dtype.kind != "f":
            np.testing.assert_array_equal(z, true, name)
            continue
        # of small integers NumPy computes parts of softplus in half precision
        eps = 1e-3 if dtype == "int8" and op.name in ROUGH else 8 * np.finfo(true.dtype).eps
        with np.errstate(all="ignore"):
            size = np.prod([1 + np.abs(a.astype("f8")) for a in arrays], axis=0)
        size = np.where(np.isfinite(size), size, 1) if op.name in ROUGH else 0
        close = np.isclose(z, true, rtol=eps, atol=eps * size, equal_nan=True)
        wrong = np.flatnonzero(~close)[:3]
        assert close.all(), (name, [a[wrong] for a in arrays], z[wrong], true[wrong])


# --- what the op table does not ask for ---


def evaluate(results: list[c.C], **given: Array) -> list[Array]:
    """The values of C expressions in the given arrays' elements."""
    declared = "".join(
        f", const {c.TYPES[str(a.dtype)]} *restrict all_{k}" for k, a in given.items()
    )
    each = "".join(f"const {c.TYPES[str(a.dtype)]} {k} = all_{k}[i]; " for k, a in given.items())
    text = '#include "maths.h"\n' + "".join(
        f"void f{i}(long n{declared}, {c.TYPES[z.strong]} *restrict z) "
        f"{{ for (long i = 0; i < n; i++) {{ {each}z[i] = {z}; }} }}\n"
        for i, z in enumerate(results)
    )
    library = load(text, TARGETS[0])
    return [call(library, f"f{i}", *given.values(), dtype=z.strong) for i, z in enumerate(results)]


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64", "bool", "float32"])
@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_operators_are_numpys(dtype: str) -> None:
    if dtype == "bool":
        numbers: list[Any] = [False, True]
    elif dtype == "float32":
        numbers = [0.0, -0.0, 1.5, -2.25, 7.0, 3e38, np.inf, -np.inf, np.nan]
    else:
        ends = np.iinfo(dtype)
        numbers = [0, 1, 2, 5, 9, 63, 64, ends.max - 1, ends.max] + [-1, -3, ends.min] * (
            ends.min < 0
        )
    x, y = (a.ravel() for a in np.meshgrid(*[np.array(numbers, dtype)] * 2))
    formulas: list[Callable[[Any, Any], Any]] = [
        lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y,
        lambda x, y: x // y, lambda x, y: x % y, lambda x, y: x & y, lambda x, y: x | y,
        lambda x, y: x ^ y, lambda x, y: x << y, lambda x, y: x >> y, lambda x, y: -x,
        lambda x, y: ~x, lambda x, y: abs(x), lambda x, y: x < y, lambda x, y: x == y,
        lambda x, y: 3 - x, lambda x, y: x * 2.5, lambda x, y: x**4, lambda x, y: x**2 + y**1,
        lambda x, y: x < 300, lambda x, y: x <= -1, lambda x, y: x == 2**40, lambda x, y: x + True,
    ]  # fmt: skip
    if dtype != "bool":  # which NumPy cannot compare with so large a number
        formulas += [lambda x, y: x < 2**70]
    true, asked = [], []
    for i, formula in enumerate(formulas):
        try:
            with np.errstate(all="ignore"):
                true.append((i, formula(x, y)))
        except (TypeError, OverflowError):
            with pytest.raises((TypeError, OverflowError)):
                formula(c.C("x", dtype), c.C("y", dtype))
        else:
            asked.append(formula(c.C("x", dtype), c.C("y", dtype)))
    for z, (i, expected) in zip(evaluate(asked, x=x, y=y), true, strict=True):
        assert z.dtype == expected.dtype, i
        np.testing.assert_allclose(z, expected, rtol=3e-7 if z.dtype == "f" else 0, err_msg=str(i))


def test_numbers_are_written_exactly() -> None:
    numbers = [0.1, -1 / 3, 1e-45, 3.4028235e38, 1e39, -math.inf, math.nan, 0.0, 1e22, 7]
    for dtype in ("float32", "float64"):
        texts = [c.C(c.literal(a, dtype), dtype) for a in numbers]
        found = evaluate(texts, x=np.zeros(1, "f"))
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal([z[0] for z in found], np.array(numbers, dtype))
    whole = [np.iinfo("int64").min, np.iinfo("int64").max, -5]
    texts = [c.C(c.literal(a, "int64"), "int64") for a in whole]
    assert [int(z[0]) for z in evaluate(texts, x=np.zeros(1, "f"))] == whole
    assert c.literal(0.1, "float32") == "0.1f"


def test_a_variable_number_is_weak() -> None:
    x, rate = c.C("x", "float32"), c.C("rate", kind=float)
    assert str(x - rate * 2) == "(x - (float)(rate * 2.0))"
    assert str(c.maximum(x, rate)) == "maximum_f32(x, (float)rate)"
    assert (rate + 1).dtype is None
    assert (c.C("n", "int32") * c.C("k", kind=int)).dtype == "int32"


def test_what_c_cannot_do_is_told() -> None:
    with pytest.raises(BackendError, match="x is float16"):
        c.C("x", "float16")
    with pytest.raises(TypeError, match=r"x < 1\.0f"):
        bool(c.C("x", "float32") < 1)
    with pytest.raises(ValueError, match="negative integer powers"):
        c.C("x", "int64") ** -1
    with pytest.raises(OverflowError):
        c.C("x", "uint8") + 300
    with pytest.raises(AttributeError):
        c.no_such_function  # noqa: B018
