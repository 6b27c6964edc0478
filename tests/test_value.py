"""`Value`: micrograd's numbers digit for digit, exact fractions, any order, and the edges."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Tensor, Value, enable_grad, no_grad
from autograd.errors import AutogradError
from autograd.node import Op
from autograd.ops import elementwise, linear

# --- micrograd ---


def readme(a: Any, b: Any) -> Any:
    """The expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def test_micrograd_readme() -> None:
    a, b = Value(-4.0), Value(2.0)
    g = readme(a, b)
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"
    assert (g.data, a.grad, b.grad) == (24.70408163265306, 138.83381924198252, 645.5772594752186)


def test_micrograd_readme_in_fractions_and_in_tensors() -> None:
    a, b = Value(Fraction(-4)), Value(Fraction(2))
    g = (lambda f: f / 2 + 10 / f)((lambda x, y: _before_floats(x, y))(a, b))
    g.backward()
    assert g.data == Fraction(2421, 98)
    assert (a.grad, b.grad) == (Fraction(47620, 343), Fraction(221433, 343))
    x, y = Tensor([-4.0], dtype="float64"), Tensor([2.0], dtype="float64")
    x.requires_grad_()
    readme(x, y).backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(float(a.grad), rel=1e-15)


def _before_floats(a: Any, b: Any) -> Any:
    """`readme` up to f, which uses whole numbers only."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    return (c - d) ** 2


# --- exactness ---


class Dual:
    """A fraction and its derivative, by the rules of forward mode: an independent witness."""

    def __init__(self, x: Fraction, dx: Fraction) -> None:
        self.x, self.dx = x, dx

    def __add__(self, y: Dual) -> Dual:
        return Dual(self.x + y.x, self.dx + y.dx)

    def __sub__(self, y: Dual) -> Dual:
        return Dual(self.x - y.x, self.dx - y.dx)

    def __mul__(self, y: Dual) -> Dual:
        return Dual(self.x * y.x, self.dx * y.x + self.x * y.dx)

    def __truediv__(self, y: Dual) -> Dual:
        return Dual(self.x / y.x, (self.dx * y.x - self.x * y.dx) / (y.x * y.x))

    def __neg__(self) -> Dual:
        return Dual(-self.x, -self.dx)

    def __pow__(self, n: int) -> Dual:
        return Dual(self.x**n, n * self.x ** (n - 1) * self.dx if n else Fraction(0))

    def __abs__(self) -> Dual:
        return Dual(abs(self.x), self.dx * ((self.x > 0) - (self.x < 0)))

    def relu(self) -> Dual:
        return self if self.x > 0 else Dual(Fraction(0), Fraction(0))


BINARY: list[Callable[[Any, Any], Any]] = [
    operator.add, operator.sub, operator.mul, operator.truediv,
]  # fmt: skip
UNARY: list[Callable[[Any], Any]] = [
    operator.neg, abs, lambda x: x.relu(), lambda x: x**2, lambda x: x**3, lambda x: x**-1,
    lambda x: x**0,
]  # fmt: skip

Step = tuple[int, int, int]


def run(steps: list[Step], inputs: list[Any], number: Callable[[Any], Fraction]) -> Any:
    """A straight-line program: each step applies an op to what came before."""
    seen = list(inputs)
    for op, i, j in steps:
        x, y = seen[i % len(seen)], seen[j % len(seen)]
        if abs(number(x)) > 10**9 or abs(number(y)) > 10**9:
            continue
        if op < len(BINARY):
            if BINARY[op] is operator.truediv and number(y) == 0:
                continue
            seen.append(BINARY[op](x, y))
        else:
            if op == len(BINARY) + 5 and number(x) == 0:
                continue
            seen.append(UNARY[op - len(BINARY)](x))
    return seen[-1]


programs = st.lists(
    st.tuples(st.integers(0, len(BINARY) + len(UNARY) - 1), st.integers(0, 40), st.integers(0, 40)),
    min_size=1, max_size=25,
)  # fmt: skip
fractions = st.fractions(min_value=-5, max_value=5, max_denominator=12)


@settings(max_examples=300)
@given(programs, st.lists(fractions, min_size=2, max_size=4))
def test_gradients_of_fractions_are_exact(steps: list[Step], at: list[Fraction]) -> None:
    values = [Value(x) for x in at]
    z = run(steps, values, lambda v: v.data)
    z.backward()
    for i, value in enumerate(values):
        duals = [Dual(x, Fraction(int(i == j))) for j, x in enumerate(at)]
        dual = run(steps, duals, lambda d: d.x)
        assert z.data == dual.x
        assert (value.grad or 0) == dual.dx
        assert not isinstance(z.data, float)


@settings(max_examples=100)
@given(programs, st.lists(fractions, min_size=2, max_size=3))
def test_second_derivatives_of_fractions_are_symmetric(
    steps: list[Step], at: list[Fraction]
) -> None:
    def second(i: int, j: int) -> Fraction:
        values = [Value(x) for x in at]
        run(steps, values, lambda v: v.data).backward(create_graph=True)
        g = values[i].grad
        for v in values:
            v.zero_grad()
        if not isinstance(g, Value) or not g.requires_grad:
            return Fraction(0)
        g.backward()
        return Fraction(values[j].grad or 0)

    assert second(0, 1) == second(1, 0)


# --- any order ---


def test_derivatives_of_any_order() -> None:
    x = Value(0.7)
    y = x.sin()
    for n in range(1, 6):
        x.zero_grad()
        y.backward(create_graph=True)
        y = x.grad
        assert y.data == pytest.approx(math.sin(0.7 + n * math.pi / 2), rel=1e-14)


def test_a_polynomial_is_differentiated_away() -> None:
    x = Value(Fraction(3, 2))
    y = x**3
    expected = [Fraction(27, 4), Fraction(9), Fraction(6)]
    for value in expected:
        x.zero_grad()
        y.backward(create_graph=True)
        y = x.grad
        assert y.data == value


# --- gradients accumulate where they should ---


def test_leaves_add_up_and_the_rest_starts_anew() -> None:
    x = Value(3.0)
    y = x * x
    y.backward()
    y.backward()
    assert (x.grad, y.grad) == (12.0, 1.0)
    x.zero_grad()
    assert x.grad is None
    y.backward(gradient=0.5)
    assert x.grad == 3.0


def test_a_value_used_many_times() -> None:
    x = Value(2.0)
    y = x + x + x * x * x
    y.backward()
    assert x.grad == 2 + 3 * 4


def test_no_grad_records_nothing() -> None:
    x = Value(2.0)
    with no_grad():
        y = x * 3
        with enable_grad():
            z = x * 4
    assert (y.data, y.op, y.inputs) == (6.0, None, ())
    assert z.op is elementwise.mul
    assert x.detach().op is None


def test_a_neuron_is_one_op() -> None:
    terms = [Value(float(x)) for x in (1, 2, 3, 5, 7)]
    bias, w, x = terms[0], terms[1:3], terms[3:]
    z = linear.dot(*terms)
    assert z.data == 1 + 2 * 5 + 3 * 7
    z.backward()
    assert bias.grad == 1
    assert [v.grad for v in w] == [5, 7]
    assert [v.grad for v in x] == [2, 3]


# --- numbers and their edges ---


def test_comparisons_compare() -> None:
    a, b = Value(1.0), Value(2.0)
    assert bool(a < b)
    assert bool(a <= 1)
    assert bool(b > 1.5)
    assert bool(b <= 2)
    assert bool(a == 1)
    assert bool(a != b)
    assert not bool((a > b) | (a == b))
    assert max([a, b], key=float) is b
    assert len({a, b, a}) == 2


def test_numbers_in_and_out() -> None:
    assert isinstance(Value(3).data, float)
    assert Value(True).data == 1.0
    assert type(Value(np.float64(2)).data) is float
    assert (float(Value(2.5)), int(Value(2.5)), Value(2.5).item()) == (2.5, 2, 2.5)
    assert isinstance(Value(Fraction(1, 3)).data, Fraction)
    assert repr(Value(2.0)) == "Value(data=2, grad=—)"


@pytest.mark.parametrize("op", [elementwise.floor, elementwise.ceil, elementwise.round])
@pytest.mark.parametrize("x", [2.5, -2.5, 0.0, 7.0, math.inf, -math.inf])
def test_steps_stay_floats(op: Op, x: float) -> None:
    z = op(Value(x))
    assert isinstance(z.data, float)
    assert z.data == op(Tensor(x)).item()


@pytest.mark.parametrize(
    "f",
    [
        lambda: Value(-1.0).log(),
        lambda: Value(0.0).log(),
        lambda: Value(-1.0).sqrt(),
        lambda: Value(1.0) / 0,
        lambda: 1 / Value(0.0),
        lambda: Value(0.0) ** -1,
        lambda: Value(2.0).asin(),
        lambda: Value(0.5).acosh(),
        lambda: Value(1.0).atanh(),
        lambda: Value(-1.0).log1p(),
    ],
)
def test_outside_the_domain_is_an_error(f: Callable[[], Any]) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        f()


def test_kinds_do_not_mix() -> None:
    with pytest.raises(AutogradError, match="a Value meets"):
        Value(1.0) * Tensor([1.0])
    with pytest.raises(AutogradError, match="a Tensor meets"):
        Tensor([1.0]) * Value(1.0)
    for bad in ("1a", [1.0], None):
        with pytest.raises(TypeError, match="Value: expected one number"):
            Value(bad)


def test_a_long_chain_needs_no_recursion() -> None:
    x = Value(0.5)
    y = x
    for _ in range(20_000):
        y = y + 1.0
    y.backward()
    assert x.grad == 1.0
