"""Where a function has no derivative: the gradient we take there, row by row.

The rule is PyTorch's: of all slopes the function has around the point, the smallest in norm, then
continuity. Each row of `KINKS` is also a row of the documentation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, Value, functions
from autograd.ops import elementwise as e

INF, NAN = math.inf, math.nan

KINKS: list[tuple[str, Callable[..., Any], list[Any], list[Any]]] = [
    ("relu(0)", e.relu, [0.0], [0]),
    ("leaky_relu(0), slope 0.01", functions.leaky_relu, [0.0], [0.01]),
    ("abs(0)", e.abs, [0.0], [0]),
    ("sign(0)", e.sign, [0.0], [0]),
    ("maximum(1, 1)", e.maximum, [1.0, 1.0], [0.5, 0.5]),
    ("minimum(1, 1)", e.minimum, [1.0, 1.0], [0.5, 0.5]),
    ("clip at its lower edge", lambda x: e.clip(x, low=-1.0, high=1.0), [-1.0], [1]),
    ("clip at its upper edge", lambda x: e.clip(x, low=-1.0, high=1.0), [1.0], [1]),
    ("hardtanh(1)", functions.hardtanh, [1.0], [0]),
    ("hardtanh(-1)", functions.hardtanh, [-1.0], [0]),
    ("sqrt(0)", e.sqrt, [0.0], [INF]),
    ("log(0)", e.log, [0.0], [INF]),
    ("0 ** 0, both in the graph", e.pow, [0.0, 0.0], [0, 0]),
    ("0 ** 2, both in the graph", e.pow, [0.0, 2.0], [0, 0]),
    ("(-2) ** 2 by the exponent", e.pow, [-2.0, 2.0], [-4, NAN]),
    ("0 ** 0, constant exponent", lambda x: e.power(x, n=0), [0.0], [0]),
    ("0 ** 1, constant exponent", lambda x: e.power(x, n=1), [0.0], [1]),
    ("atan2(0, 0)", e.atan2, [0.0, 0.0], [0, 0]),
    ("xlogy(0, 0) by x", e.xlogy, [0.0, 0.0], [0, NAN]),
    ("where(x > 0, log x, 0) at 0", lambda x: e.where(x > 0, e.log(x), 0.0), [0.0], [NAN]),
]
"""Of one number each: name, function, where, gradients."""

ARRAY_KINKS: list[tuple[str, Callable[[Tensor], Tensor], list[Any], list[Any]]] = [
    ("max, two of three equal", lambda x: x.max(), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
    ("max along an axis, a tie", lambda x: x.max(axis=0), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
    ("min, all equal", lambda x: x.min(), [1.0, 1.0, 1.0, 1.0], [0.25] * 4),
    ("max with its index, a tie: the first", lambda x: x.topk(1)[0], [2.0, 2.0, 1.0], [1, 0, 0]),
    ("sort, a tie: the first", lambda x: x.sort()[0], [1.0, 3.0, 1.0], [1, 0, 0]),
    ("norm of zeros", lambda x: x.norm(), [0.0, 0.0], [0, 0]),
    ("standard deviation of constants", lambda x: x.std(), [2.0, 2.0, 2.0], [0, 0, 0]),
    ("prod with one 0", lambda x: x.prod(), [0.0, 2.0, 3.0], [6, 0, 0]),
    ("prod with two 0", lambda x: x.prod(), [0.0, 2.0, 0.0], [0, 0, 0]),
    ("cumprod with a 0", lambda x: x.cumprod(axis=0), [2.0, 0.0, 3.0], [1, 8, 0]),
    ("logsumexp of -inf", lambda x: x.logsumexp(axis=0), [-INF, -INF], [0, 0]),
    ("softmax of -inf", lambda x: x.softmax(axis=0), [-INF, -INF], [0, 0]),
]


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize(("f", "at", "expected"), [k[1:] for k in KINKS], ids=[k[0] for k in KINKS])
def test_kink_of_tensors(f: Any, at: list[float], expected: list[float]) -> None:
    for shape in ((), (2,)):
        xs = [Tensor(np.full(shape, x), requires_grad=True) for x in at]
        f(*xs).sum().backward()
        for x, g in zip(xs, expected, strict=True):
            np.testing.assert_array_equal(x.grad.raw, np.full(shape, g))


OUTSIDE = ("log(0)", "(-2) ** 2 by the exponent", "xlogy(0, 0) by x", "where(x > 0, log x, 0) at 0")
"""Where Python's own numbers raise instead: see test_value.py."""


@pytest.mark.parametrize(
    ("name", "f", "at", "expected"), [k for k in KINKS if k[0] not in (*OUTSIDE, "sqrt(0)")]
)
def test_kink_of_values(name: str, f: Any, at: list[float], expected: list[float]) -> None:
    xs = [Value(x) for x in at]
    f(*xs).backward()
    assert [x.grad for x in xs] == expected


@pytest.mark.parametrize(
    ("f", "at", "expected"), [k[1:] for k in ARRAY_KINKS], ids=[k[0] for k in ARRAY_KINKS]
)
def test_kink_of_arrays(f: Any, at: list[float], expected: list[float]) -> None:
    x = Tensor(at, requires_grad=True)
    f(x).sum().backward()
    np.testing.assert_array_equal(x.grad.raw, expected)


def test_the_guarded_where_has_a_gradient() -> None:
    x = Tensor([0.0, 2.0], requires_grad=True)
    e.where(x > 0, e.log(e.where(x > 0, x, 1.0)), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad.raw, [0, 0.5])


def test_gradients_of_gradients_at_kinks_are_finite() -> None:
    for f in (e.relu, e.abs, lambda x: x.norm(), lambda x: x.std(), lambda x: x.max()):
        x = Tensor([0.0, 0.0], dtype="float64", requires_grad=True)
        f(x * x).sum().backward(create_graph=True)
        g = x.grad
        x.zero_grad()
        g.sum().backward()
        assert np.isfinite(x.grad.raw).all()
