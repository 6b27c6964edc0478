"""Every op of the table under `jit`: value, gradient and gradient of the gradient, on new inputs.

All that an op is tried on is one function, so that there is one compilation per op and dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from compiled import assert_near, by_mode, compiled, needs_compiler, specialisations
from op_cases import OPS, Case, cases, tensors

from autograd import Tensor, gradients
from autograd.node import Op

NEAR = {"float64": 1e-11, "float32": 2e-5}
"""How far off a result may be, as a part of the largest of all results of its case."""

by_op = pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)


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
