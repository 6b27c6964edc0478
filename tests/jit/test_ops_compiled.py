"""Every op of the table under `jit`: value, gradient and gradient of the gradient, on new inputs.

All that an op is tried on is one function, so that there is one compilation per op and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from compiled import assert_near, by_mode, compiled, needs_compiler, specialisations
from op_cases import OPS, Case, tensors
from op_cases import cases as all_cases

from autograd import Tensor, gradients
from autograd.node import Op

NEAR = {"float64": 1e-11, "float32": 2e-5}
"""How far off a result may be, as a part of the largest of all results of its case."""

by_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


def cases(op: Op) -> list[Case]:
    """What an op is tried on, but for masks: how many elements they choose is in their data."""
    return [
        case for case in all_cases(op)
        if not any(np.asarray(x).dtype == bool for x in case.specs)
    ]  # fmt: skip


def _results(case: Case, inputs: list[Tensor], weights: Iterator[Tensor], order: int) -> list[Any]:
    """The op's result, the gradient of its weighted sum, and that one's: as far as there are."""
    floats = [x for x in inputs if x.requires_grad]
    found = outputs = [case(*inputs)]
    for _ in range(order):
        outputs = [y for y in outputs if y.requires_grad]
        if not outputs:
            break
        given = [next(weights) for _ in outputs]
        made = gradients(outputs, floats, given, create_graph=True, allow_unused=True)
        outputs = [g for g in made if g is not None]
        found = [*found, *outputs]
    return found


def _function(op: Op, order: int) -> Callable[..., list[list[Tensor]]]:
    """All of an op's cases as one function, of the inputs and of weights for the sums."""

    def function(inputs: list[list[Tensor]], weights: list[list[Tensor]]) -> list[list[Tensor]]:
        return [
            _results(case, given, iter(chosen), order)
            for case, given, chosen in zip(cases(op), inputs, weights, strict=True)
        ]

    return function


def _arguments(op: Op, dtype: str, order: int, seed: int) -> tuple[Any, Any]:
    """Inputs for each case, and as many weights as its results need."""
    random = np.random.default_rng(seed)

    def like(y: Tensor) -> Tensor:
        return Tensor(random.uniform(0.5, 1.5, y.shape), dtype=y.dtype)

    inputs, weights = [], []
    for i, case in enumerate(cases(op)):
        given = tensors(case.draw(dtype, seed + i), requires_grad=op.differentiable)
        chosen: list[Tensor] = []
        floats = [x for x in given if x.requires_grad]
        outputs = [case(*given)]
        for _ in range(order):
            outputs = [y for y in outputs if y.requires_grad]
            if not outputs:
                break
            chosen += [like(y) for y in outputs]
            made = gradients(
                outputs, floats, chosen[-len(outputs) :], create_graph=True, allow_unused=True
            )
            outputs = [g for g in made if g is not None]
        inputs.append(given)
        weights.append(chosen)
    return inputs, weights


def _check(op: Op, mode: str, dtype: str, order: int) -> None:
    function = _function(op, order)
    step = compiled(function, mode, *_arguments(op, dtype, order, seed=0))
    arguments = _arguments(op, dtype, order, seed=100)
    got, want = step(*arguments), function(*arguments)
    assert len(specialisations(step)) == 1, "new numbers need no new program"
    for case, mine, expected in zip(cases(op), got, want, strict=True):
        assert_near(mine, expected, NEAR[dtype], str(case))


@by_op
@by_mode
def test_value_and_gradients_of_both_orders_are_those_of_eager(op: Op, mode: str) -> None:
    _check(op, mode, "float64", order=2)


@by_op
@needs_compiler
def test_value_and_gradient_of_float32(op: Op) -> None:
    _check(op, "native", "float32", order=1)


# --- numbers that are none, or hardly any ---

ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-41, -3e38, 3e38, 87.0, -110.0]
ELEMENTWISE = [op for op in OPS if op.elementwise]
ACROSS = "sum mean var std norm max min logsumexp softmax log_softmax argmax argmin any all prod"


def _all_pairs(count: int, dtype: str) -> list[np.ndarray]:
    """So many arrays that hold each combination of odd numbers (of three operands, some)."""
    numbers = np.array(ODD, dtype)
    if count < 3:
        return [x.reshape(-1) for x in np.meshgrid(*[numbers] * count)]
    return [np.roll(np.tile(numbers, len(ODD)), 5 * i * i) for i in range(count)]


def _odd_elements(dtype: str) -> tuple[Callable[..., list[Tensor]], list[Tensor]]:
    """All elementwise ops as one function of some arrays, and the arrays."""

    def function(*arrays: Tensor) -> list[Tensor]:
        found = []
        for op in ELEMENTWISE:
            one = len(op.inputs)
            given: list[Any] = list(arrays[one * (one - 1) // 2 :][:one])
            if op.inputs[0] == "condition":
                given[0] = given[0] > 0
            found += [op(*given, **params) for params in op.samples]
        return found

    return function, [Tensor(x) for n in (1, 2, 3) for x in _all_pairs(n, dtype)]


def _odd_rows(dtype: str) -> tuple[Callable[..., list[Tensor]], list[Tensor]]:
    """All ops along an axis as one function of rows with odd numbers among others."""
    rows = np.random.default_rng(0).normal(size=(len(ODD), 37)).astype(dtype)
    for i, number in enumerate(ODD):
        rows[i, i :: 1 + i] = number
    rows[0, 1:3] = np.inf, -np.inf

    def function(x: Tensor) -> list[Tensor]:
        small = x.clip(-1e3, 1e3)
        return [
            Op.table[name](y, axis=axis)
            for name in ACROSS.split()
            for y in (x, small)
            for axis in (0, 1)
            if y is small or name not in ("var", "std", "norm", "prod", "mean", "sum")
        ]

    return function, [Tensor(rows)]


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("make", [_odd_elements, _odd_rows])
@by_mode
def test_nan_infinity_and_the_like(mode: str, make: Any, dtype: str) -> None:
    function, arrays = make(dtype)
    with np.errstate(all="ignore"):
        step = compiled(function, mode, *arrays)
        got, want = step(*arrays), function(*arrays)
    names = [op.name for op in ELEMENTWISE for _ in op.samples]
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        told = names[i] if make is _odd_elements else str(i)
        if b.dtype.kind == "f":
            near = {"float64": 1e-12, "float32": 1e-5}[dtype]
            np.testing.assert_allclose(a.raw, b.raw, rtol=near, atol=1e-37, err_msg=told)
        else:
            np.testing.assert_array_equal(a.raw, b.raw, err_msg=told)


@by_mode
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_attention_in_half_precision(dtype: str, mode: str) -> None:
    def function(*given: Tensor) -> list[Tensor]:
        points = [x.detach().requires_grad_() for x in given]
        z = Op.table["attention"](*points, 0.0, causal=True)
        return [z, *gradients(z.sum(), points)]

    random = np.random.default_rng(0)
    given = [Tensor(random.normal(size=(2, 5, 8)), dtype=dtype) for _ in range(3)]
    assert_near(compiled(function, mode, *given)(*given), function(*given), 2e-2)
