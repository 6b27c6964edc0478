"""The checker, checked: it must let right gradients pass and catch wrong ones, and say where."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import pytest
from op_cases import OPS, Case, cases, tensors

from autograd import Tensor, Value, no_grad, reverse
from autograd.check import gradcheck
from autograd.errors import DTypeError, GraphError, RuleError
from autograd.node import Op
from autograd.ops import elementwise, linear, reduce
from autograd.ops import shape as shapes


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).normal(size=shape), dtype="float64")


def with_rules(op: Op, *rules: Any) -> Op:
    """The op with other rules; None keeps the one at that place."""
    other = copy(op)
    other.on, other.pulls, other.scalar_pull = {}, {}, None
    other.rules = tuple(rule or old for rule, old in zip(rules, op.rules, strict=True))
    return other


# --- what is right passes ---


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x: (x @ x.T).tanh().sum(), [(3, 4)]),
        (lambda x, y: (x / (y * y + 1)).softmax(axis=-1), [(2, 3), (3,)]),
        (lambda x: (x.sum(axis=0), x.exp()), [(2, 2)]),
        (lambda x: x.abs().sqrt(), [(4,)]),  # not analytic: central differences judge
        (lambda x: x, [(2,)]),
        (lambda x, y: y * 2, [(2,), (3,)]),
        (lambda x: x.sort()[::-1], [(5,)]),
        (lambda x: (x * 2).topk(2), [(5,)]),
        (lambda x: x.reshape(-1).cumsum(axis=0), [(0, 3)]),
    ],
)
def test_right_gradients_pass(f: Callable[..., Any], shapes: list[tuple[int, ...]]) -> None:
    assert gradcheck(f, *(tensor(*shape, seed=i) for i, shape in enumerate(shapes)), order=2)


def test_large_functions_are_checked_along_random_directions() -> None:
    assert gradcheck(lambda x, w: (x @ w).tanh(), tensor(40, 30), tensor(30, 50), order=2)


def test_functions_of_values_pass() -> None:
    assert gradcheck(lambda x, y: (x * y).tanh() / (x**2 + 1), Value(0.3), Value(-2.0), order=2)


def test_params_and_constants_are_passed_on() -> None:
    assert gradcheck(reduce.sum, tensor(2, 3), axis=1, keepdims=True)
    assert gradcheck(linear.softmax_cross_entropy, tensor(2, 3), Tensor([0, 2]), order=2)


def test_nothing_else_is_touched() -> None:
    weight, x = Tensor([2.0], dtype="float64", requires_grad=True), tensor(3)
    with no_grad():
        assert gradcheck(lambda x: (x * weight).exp(), x, order=2)
    assert weight.grad is None
    assert x.grad is None
    assert not x.requires_grad


# --- what is wrong is caught ---


@pytest.mark.parametrize("shape", [(), (3,), (90, 90)])
def test_an_error_of_a_thousandth(shape: tuple[int, ...]) -> None:
    tanh = with_rules(elementwise.tanh, lambda g, z, x: g * (1 - z * z) * 1.001)
    with pytest.raises(RuleError, match=r"tanh: the gradient is wrong"):
        gradcheck(tanh, tensor(*shape))
    with pytest.raises(RuleError, match=r"tanh: the gradient is wrong"):
        gradcheck(tanh, Value(0.5))


def test_an_error_of_a_thousandth_where_only_differences_measure() -> None:
    absolute = with_rules(elementwise.abs, lambda g, z, x: g * elementwise.sign(x) * 0.999)
    with pytest.raises(RuleError, match="by a difference"):
        gradcheck(absolute, tensor(3))


def test_a_wrong_sign() -> None:
    with pytest.raises(RuleError, match=r"by +y\[0\]"):
        gradcheck(
            with_rules(elementwise.sub, None, lambda g, z, x, y: g), tensor(2), tensor(2, seed=1)
        )


def test_a_missing_sum_over_what_was_broadcast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reverse, "sum_to", lambda g, shape: g)
    add = with_rules(elementwise.add, None, None)  # a fresh one, whose pull is yet to be written
    with pytest.raises(RuleError, match=r"gradient of y is \(2, 3\) float64, but y is \(3,\)"):
        gradcheck(add, tensor(2, 3), tensor(3))


def test_a_sum_that_forgets_rows() -> None:
    affine = with_rules(linear.affine, None, None, lambda g, z, x, w, b: g[0])
    with pytest.raises(RuleError, match=r"affine: the gradient is wrong\n +by +b\["):
        gradcheck(affine, tensor(2, 3), tensor(3, 4), tensor(4))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3)])
def test_a_transposed_gradient(shape: tuple[int, int]) -> None:
    with pytest.raises(RuleError, match="exp"):
        gradcheck(
            with_rules(elementwise.exp, lambda g, z, x: shapes.transpose(g * z)), tensor(*shape)
        )


def test_a_gradient_that_is_right_and_its_own_gradient_is_not() -> None:
    def rule(g: Any, z: Any, x: Any) -> Any:
        return g * (z.detach() if isinstance(z, Tensor) else z)

    exp = with_rules(elementwise.exp, rule)
    assert gradcheck(exp, tensor(2))
    with pytest.raises(RuleError, match=r"the gradient of exp: the gradient is wrong\n +by +x"):
        gradcheck(exp, tensor(2), order=2)


ZERO = ("sign", "floor", "ceil", "round")
"""Ops whose gradient is 0, and a thousandth more of it too."""


@pytest.mark.parametrize(
    "case", [cases(op)[0] for op in OPS if any(op.rules) and op.name not in ZERO], ids=str
)
def test_every_wrong_rule_of_the_table_is_caught(case: Case) -> None:
    """Each rule in turn a thousandth too large, at numbers of the op's domain."""
    for i, rule in enumerate(case.op.rules):
        if rule is None:
            continue
        rules: list[Any] = [None] * len(case.op.rules)
        rules[i] = lambda g, *args, rule=rule, **params: rule(g * 1.001, *args, **params)
        told = rf"{case.op.name}: the gradient is wrong\n +by +{case.op.inputs[i]}"
        with pytest.raises(RuleError, match=told):
            gradcheck(with_rules(case.op, *rules), *tensors(case.draw()), **case.params)


# --- what it says ---


def test_the_place_is_named() -> None:
    def rule(g: Any, z: Any, x: Any, y: Any) -> Any:
        wrong = np.ones(x.shape)
        wrong[1, 2] = 1.001
        return g * y * wrong

    x, y = Tensor(np.ones((2, 3)), dtype="float64"), Tensor([2.0, 3.0, 4.0], dtype="float64")
    with pytest.raises(RuleError) as caught:
        gradcheck(with_rules(elementwise.mul, rule, None), x, y)
    assert str(caught.value) == (
        "mul: the gradient is wrong\n"
        "  by         x[1, 2]\n"
        "  of         result[1, 2]\n"
        "  expected   4      by the complex step\n"
        "  got        4.004  by the reverse pass\n"
        "  they differ by 0.001 of the larger, where 1e-09 is allowed"
    )


def test_the_place_is_named_in_a_large_input_too() -> None:
    def rule(g: Any, z: Any, x: Any) -> Any:
        wrong = np.ones(x.shape)
        wrong[61, 7] = 1.1
        return g * wrong * elementwise.cos(x)

    with pytest.raises(RuleError, match=r"by +x\[61, 7\]\n +of +a random mix"):
        gradcheck(with_rules(elementwise.sin, rule), tensor(80, 90))


def test_the_op_to_blame_is_named() -> None:
    sigmoid = with_rules(elementwise.sigmoid, lambda g, z, x: g * z)

    def gate(signal: Tensor, control: Tensor) -> Tensor:
        return (signal * sigmoid(control)).tanh()

    with pytest.raises(RuleError, match=r"gate.*\n +by +control(.*\n)+.*sigmoid: the gradient"):
        gradcheck(gate, tensor(2), tensor(2, seed=1))


@pytest.mark.parametrize(
    ("f", "told"),
    [
        (lambda x: x.relu(), r"slopes are 0 and 1: likely a kink"),
        (lambda x: x.floor(), r"a kink or a jump"),
        (lambda x: x.sqrt(), "not finite"),
        (lambda x: x.detach().exp(), r"detach\(\), \.data or no_grad\(\)"),
        (lambda x: Tensor(x.data) * 2, "cut"),
    ],
)
def test_a_likely_cause_is_named(f: Callable[..., Any], told: str) -> None:
    with pytest.raises(RuleError, match=told):
        gradcheck(f, Tensor([0.0], dtype="float64"))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_low_precision_is_refused_with_advice(dtype: str) -> None:
    with pytest.raises(DTypeError, match=rf'y is {dtype}.*\n? *.*astype\("float64"\)'):
        gradcheck(lambda x, y: x * y, tensor(2), Tensor([1.0, 2.0], dtype=dtype))


@pytest.mark.parametrize("inputs", [(), (Tensor([1, 2]),), (3.0,), (tensor(2),)])
def test_nothing_to_check_is_said(inputs: tuple[Any, ...]) -> None:
    with pytest.raises(GraphError, match="no gradient to check"):
        gradcheck(lambda *xs: Tensor([1]) if not xs else xs[0] > 0, *inputs)


def test_randomness_is_noticed() -> None:
    random = np.random.default_rng(0)
    with pytest.raises(GraphError, match="something else each time"):
        gradcheck(lambda x: x * random.normal(), tensor(2))


def test_orders_are_one_and_two() -> None:
    with pytest.raises(ValueError, match="order is 1 or 2, not 3"):
        gradcheck(elementwise.exp, tensor(2), order=3)
