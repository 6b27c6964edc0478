"""Derivatives that are computed beside the function, in the forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compiled import assert_near, compiled, needs_compiler, specialisations

import autograd
from autograd import Tensor

X = Tensor(np.linspace(-3, 3, 24, dtype="f4").reshape(4, 6))
W = np.linspace(-1, 1, 36, dtype="f4").reshape(6, 6)


def step_of(activation: Any, *, again: bool) -> Any:
    """A loss whose gradient asks for the activation's operand in other ways, too, or not."""
    v, w = Tensor(W, requires_grad=True), Tensor(W[::-1].copy(), requires_grad=True)

    def step(x: Tensor) -> Any:
        h = x @ v
        z = activation(h) @ w
        loss = ((z * h) if again else z).sum()
        loss.backward()
        found = loss, v.grad, w.grad
        v.grad = w.grad = None
        return found

    return step


def places(made: Any, op: str) -> list[int]:
    """The places of the loops that compute an op, among all kernels."""
    order = specialisations(made)[0].runner.schedule.order
    steps = [getattr(kind, "steps", ()) for kind in order]
    return [i for i, some in enumerate(steps) if op in [step.op.name for step in some]]


@needs_compiler
@pytest.mark.parametrize(
    ("activation", "derivative"), [(autograd.gelu, "normal_pdf"), (autograd.softplus, "sigmoid")]
)
@pytest.mark.parametrize("again", [False, True])
def test_a_derivative_is_kept_in_its_operands_stead(
    activation: Any, derivative: str, again: bool
) -> None:
    step = step_of(activation, again=again)
    made = compiled(step, "native", X)
    assert_near(made(X), step(X), 1e-5)
    forward = activation is autograd.gelu  # the others share no work with their derivative
    assert [at < 2 for at in places(made, derivative)] == [forward]
