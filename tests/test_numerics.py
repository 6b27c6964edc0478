"""Numbers at the edge: nothing overflows, cancels or becomes NaN where the answer is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
import scipy.special as special

from autograd import Tensor, Value, functions
from autograd.ops import elementwise, linear, reduce

INF = math.inf


def slope(f: Callable[..., Any], *inputs: Any, dtype: str = "float64") -> tuple[Any, Any]:
    """A function's value and its gradient by its first input, as arrays."""
    x = Tensor(np.asarray(inputs[0], dtype=dtype), requires_grad=True)
    z = f(x, *inputs[1:])
    z.sum().backward()
    return z.raw, x.grad.raw


# --- exponentials that would overflow ---


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("at", [0.0, 30.0, -30.0, 60000.0, -60000.0])
def test_softmax_and_its_kin_only_see_differences(dtype: str, at: float) -> None:
    base = np.array([0.0, 32.0, -64.0])  # such that base + at is exact in each dtype
    x = (base + (at // 32) * 32).astype(dtype).astype("float64")
    top = x.max()
    exact = np.exp(x - top) / np.exp(x - top).sum()
    rough = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-14}[dtype]
    z, g = slope(lambda x: x.softmax(axis=-1) * Tensor([1, 2, 3]), x, dtype=dtype)
    np.testing.assert_allclose(z, exact * [1, 2, 3], rtol=rough, atol=rough)
    assert np.isfinite(g).all()
    z, g = slope(lambda x: x.logsumexp(axis=-1), x, dtype=dtype)
    np.testing.assert_allclose(z, special.logsumexp(x), rtol=rough, atol=rough)
    np.testing.assert_allclose(g, exact, rtol=rough, atol=rough)
    z, g = slope(lambda x: x.log_softmax(axis=-1), x, dtype=dtype)
    np.testing.assert_allclose(z, special.log_softmax(x), rtol=rough, atol=rough)
    assert np.isfinite(g).all()
    z, g = slope(linear.softmax_cross_entropy, x, Tensor(1), dtype=dtype)
    np.testing.assert_allclose(z, -special.log_softmax(x)[1], rtol=rough, atol=rough)
    np.testing.assert_allclose(g, exact - [0, 1, 0], rtol=rough, atol=rough)


@pytest.mark.parametrize("f", [reduce.logsumexp, reduce.softmax, reduce.log_softmax])
def test_masked_elements_have_no_say(f: Any) -> None:
    def last(x: Any) -> Any:
        return f(x, axis=-1) if f is reduce.logsumexp else f(x, axis=-1)[:, -1]

    z, g = slope(last, [[1.0, -INF, 2.0]])
    expected, slopes = slope(last, [[1.0, 2.0]])
    np.testing.assert_allclose(z, expected)
    np.testing.assert_allclose(g, np.insert(slopes, 1, 0, axis=-1), atol=1e-16)


def test_a_row_that_is_masked_whole() -> None:
    x = [[-INF, -INF], [0.0, 0.0]]
    z, g = slope(lambda x: x.logsumexp(axis=-1), x)
    np.testing.assert_array_equal(z, [-INF, math.log(2)])
    np.testing.assert_array_equal(g, [[0, 0], [0.5, 0.5]])
    z, g = slope(lambda x: x.softmax(axis=-1), x)
    np.testing.assert_array_equal(z, [[0, 0], [0.5, 0.5]])
    np.testing.assert_array_equal(g, np.zeros((2, 2)))


def test_infinity_and_nan_are_passed_on() -> None:
    assert Tensor([INF, 1.0]).logsumexp().item() == INF
    for f in (reduce.logsumexp, reduce.softmax, reduce.log_softmax):
        assert np.isnan(f(Tensor([math.nan, 1.0]), axis=0).raw).all()
    for g in (elementwise.relu, elementwise.sigmoid, elementwise.softplus, elementwise.abs,
              elementwise.sign, elementwise.erf, elementwise.tanh):  # fmt: skip
        assert math.isnan(g(Tensor(math.nan)).item()), g
        assert math.isnan(g(Value(math.nan)).data), g


# --- tails, against fifty digits ---

TAILS = [*np.linspace(-50, 50, 81), -690.0, -100.0, 100.0, 700.0, 1e-5, -1e-5, 1e-300]


def near(got: float, exact: Decimal, ulps: float) -> bool:
    """Whether a float64 is within so many units in the last place of an exact number."""
    return abs(Decimal(got) - exact) <= Decimal(ulps) * Decimal(math.ulp(float(exact)))


@pytest.mark.parametrize("x", TAILS)
def test_tails_are_right_to_the_last_digits(x: float) -> None:
    with localcontext() as digits:
        digits.prec = 400  # enough for 1 + exp(-690)
        e = (-abs(Decimal(x))).exp()
        sigmoid = (1 if x >= 0 else e) / (1 + e)
        slope_there = e / (1 + e) ** 2
        softplus = max(Decimal(x), Decimal(0)) + (1 + e).ln()
    for node in (Value(x), Tensor(np.array(x), requires_grad=True)):
        assert near(elementwise.sigmoid(node).item(), sigmoid, 3)
        assert near(elementwise.softplus(node).item(), softplus, 3)
        assert near(functions.log_sigmoid(-node).item(), -softplus, 3)
        elementwise.softplus(node).backward()
        assert near(node.grad.item() if isinstance(node, Tensor) else node.grad, sigmoid, 3)
    g = slope(elementwise.sigmoid, x)[1]
    assert g == pytest.approx(float(slope_there), rel=1e-13, abs=3e-16)


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_cross_entropy_of_extreme_logits(target: float) -> None:
    x = np.array([-1e4, -800.0, -30.0, -1e-8, 0.0, 1e-8, 30.0, 800.0, 1e4])
    z, g = slope(elementwise.binary_cross_entropy_with_logits, x, Tensor(np.full(9, target)))
    expected = -target * special.log_expit(x) - (1 - target) * special.log_expit(-x)
    np.testing.assert_allclose(z, expected, rtol=1e-14)
    np.testing.assert_allclose(g, special.expit(x) - target, rtol=1e-13, atol=1e-16)


def test_small_differences_survive() -> None:
    x = np.array([1e-20, 1e-10, -1e-12])
    np.testing.assert_array_equal(Tensor(x).expm1().raw, np.expm1(x))
    np.testing.assert_array_equal(Tensor(x).log1p().raw, np.log1p(x))
    far = Tensor(np.array([1e8, 1e8 + 1, 1e8 + 2]))
    assert far.var().item() == pytest.approx(2 / 3, rel=1e-12)


# --- the error function ---


def exact_erf(x: float) -> Decimal:
    """erf by its power series in 120 digits."""
    with localcontext() as digits:
        digits.prec = 120
        y = Decimal(x)
        term = total = y
        for n in range(1, 400):
            term *= -y * y / n
            total += term / (2 * n + 1)
        pi = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640629")
        return 2 * total / pi.sqrt()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_within_two_units_in_the_last_place(dtype: str) -> None:
    random = np.random.default_rng(0)
    edges = [0.46875, 0.5, 1.0, 2.0, 3.999, 4.0, 4.001, 5.9, 1e-3, 1e-8, 1e-30, 0.0]
    x = np.array([*random.uniform(-6, 6, 200), *random.uniform(-1, 1, 100), *edges], dtype=dtype)
    exact = [exact_erf(float(a)) for a in x]
    unit = np.spacing(np.abs(np.array([float(e) for e in exact], dtype=dtype))).astype("float64")
    for got in (Tensor(x).erf().raw, [Tensor(a).erf().item() for a in x]):
        miss = [float(abs(Decimal(float(z)) - e)) for z, e in zip(got, exact, strict=True)]
        assert (miss <= 2 * unit).all(), x[np.argmax(miss / unit)]


def test_erf_far_out_and_in_half_precision() -> None:
    np.testing.assert_array_equal(Tensor([10.0, -INF, INF, -0.0]).erf().raw, [1, -1, 1, -0.0])
    assert np.signbit(Tensor([-0.0]).erf().raw).all()
    x = np.linspace(-4, 4, 101).astype("float16")
    np.testing.assert_array_equal(
        Tensor(x).erf().raw, special.erf(x.astype("float32")).astype("float16")
    )


# --- long sums in half precision ---


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(4096,), (4096, 2), (2, 4096)])
def test_long_sums_in_half_precision(dtype: str, shape: tuple[int, ...]) -> None:
    x = Tensor(np.ones(shape), dtype=dtype, requires_grad=True)
    for z in (x.sum(), x.sum(axis=shape.index(4096)), x.mean() * 4096):
        assert (z.numpy().astype("float64") % 4096 == 0).all(), "terms were lost"
    (x * 0.5).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy().astype("float64"), np.full(shape, 0.5))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_sums_that_float16_cannot_hold_are_divided_first(dtype: str) -> None:
    x = Tensor(np.tile([96.0, 104.0], 2048), dtype=dtype, requires_grad=True)  # 409,600 in all
    found = {f.__name__: f(x).item() for f in (reduce.mean, reduce.std, reduce.var, reduce.norm)}
    expected = {"mean": 100.0, "std": 4.0, "var": 16.0, "norm": 6405.1}
    assert found == pytest.approx(expected, rel=4e-3)
    x.norm().backward()
    np.testing.assert_allclose(x.grad.numpy().astype("f"), x.numpy().astype("f") / 6405, rtol=1e-2)
    same = Tensor(np.zeros(70_000), dtype=dtype)
    assert reduce.softmax(same).sum().item() == pytest.approx(1, rel=1e-2)
    assert reduce.logsumexp(same).item() == pytest.approx(math.log(70_000), rel=4e-3)
    assert reduce.log_softmax(same)[0].item() == pytest.approx(-math.log(70_000), rel=4e-3)
