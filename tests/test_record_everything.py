"""`record_everything`: the whole computation, also what no gradient goes through."""

from __future__ import annotations

from typing import Any

import pytest

from autograd import Tensor, functions, no_grad
from autograd.node import history, record_everything


def ops(*outputs: Any) -> list[str]:
    """The operations that led to the outputs, newest first."""
    return [node.op.name for node in history(*outputs) if node.op is not None]


def test_comparisons_and_constants_are_recorded() -> None:
    x = Tensor([1.0, -2.0])
    with record_everything():
        y = functions.leaky_relu(x)
        best = x.argmax()
    assert ops(y) == ["where", "mul", "greater"]
    assert ops(best) == ["argmax"]
    assert not functions.leaky_relu(x).requires_grad


def test_no_grad_inside_hides_nothing() -> None:
    x = Tensor([1.0, 2.0])
    with record_everything():
        with no_grad():
            y = x * 2
        z = y + 1
    assert ops(z) == ["add", "mul"]
    with no_grad():
        assert ops(x * 2) == []


def test_detach_is_seen() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with record_everything():
        y = x.detach() + (x * 2).detach()
    assert sorted(ops(y)) == ["add", "detach", "detach", "mul"]


@pytest.mark.parametrize("make", [lambda x: x, lambda x: x * 2])
def test_detach_is_a_constant_elsewhere(make: Any) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = make(x).detach()
    assert not y.requires_grad
    assert y.op is None
    assert not y.inputs


def test_a_detached_leaf_does_not_change_with_it() -> None:
    x = Tensor([1.0, 2.0])
    y = x.detach()
    x.assign([5.0, 6.0])
    assert y.tolist() == [1.0, 2.0]
