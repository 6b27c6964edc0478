"""Operations with several results, and fused ones: recorded, differentiated, freed, drawn."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Tensor, draw, grad, hvp, no_grad
from autograd.check import gradcheck
from autograd.errors import GraphError, RuleError
from autograd.node import Op, op
from autograd.ops import elementwise as e
from autograd.ops import reduce as r


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    """Ops that a test enters into the table leave it again."""
    before = dict(Op.table)
    yield
    Op.table.clear()
    Op.table.update(before)


def polar() -> Op:
    """Two results of two inputs."""

    @op(outputs=("radius", "angle"))
    def polar(xp: Any, x: Any, y: Any) -> Any:
        """Length and direction of (x, y)."""
        return xp.sqrt(x * x + y * y), xp.arctan2(y, x)

    def rule(g: Any, z: Any, x: Any, y: Any) -> Any:
        (gr, ga), (r, _) = g, z
        return gr * x / r - ga * y / (r * r), gr * y / r + ga * x / (r * r)

    return polar.vjp_joint(rule)


def fused() -> Op:
    """x / |x|, which keeps |x| for a fused gradient."""

    @op(outputs=("z",), keeps=("norm",))
    def unit(xp: Any, x: Any) -> Any:
        """x over its length."""
        norm = xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))
        return x / norm, norm

    @op
    def unit_grad(xp: Any, g: Any, y: Any, norm: Any, x: Any) -> Any:
        """The gradient of unit."""
        return (g - y * xp.sum(g * y, axis=-1, keepdims=True)) / norm

    def definition(g: Any, y: Any, norm: Any, x: Any) -> Any:
        norm = e.sqrt(r.sum(x * x, axis=-1, keepdims=True))
        y = x / norm
        return (g - y * r.sum(g * y, axis=-1, keepdims=True)) / norm

    unit_grad.vjp_of(definition)
    return unit.vjp_joint(lambda g, z, x: (unit_grad(*g, *z, x),))


def points(seed: int = 0) -> list[Tensor]:
    random = np.random.default_rng(seed)
    return [Tensor(random.uniform(0.5, 2, (2, 3)), requires_grad=True) for _ in range(2)]


def test_several_results_are_recorded_as_parts_of_one_node() -> None:
    x, y = points()
    radius, angle = polar()(x, y)
    np.testing.assert_allclose(radius.numpy(), np.hypot(x.numpy(), y.numpy()))
    assert radius.op is angle.op is Op.table["part"]
    assert radius.inputs == angle.inputs
    assert radius.inputs[0].inputs == (x, y)
    assert radius.requires_grad


def test_raw_data_and_no_grad_only_compute() -> None:
    x, y = points()
    polar_ = polar()
    radius, angle = polar_(x.numpy(), y.numpy())
    assert isinstance(radius, np.ndarray)
    with no_grad():
        assert [z.op for z in polar_(x, y)] == [None, None]
    np.testing.assert_array_equal(polar_(x.detach(), y.detach())[1].numpy(), angle)
    assert isinstance(fused()(x.numpy()), np.ndarray)


def test_gradients_are_right_to_second_order() -> None:
    assert gradcheck(polar(), *points(), order=2)
    assert gradcheck(fused(), points()[0], order=2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_result_that_is_not_used_has_gradient_zero(which: int) -> None:
    polar_ = polar()
    assert gradcheck(lambda x, y: polar_(x, y)[which], *points(), order=2)


def test_any_order() -> None:
    unit = fused()

    def f(x: Any) -> Any:
        return (unit(x) ** 3 * Tensor(np.arange(3.0))).sum()

    def plain(x: Any) -> Any:
        return ((x / (x * x).sum(axis=-1, keepdims=True).sqrt()) ** 3 * np.arange(3.0)).sum()

    x, v = points()
    third = [grad(lambda x, f=f: (hvp(f, x, v.detach()) ** 2).sum())(x.detach())
             for f in (f, plain)]  # fmt: skip
    np.testing.assert_allclose(third[0].numpy(), third[1].numpy(), rtol=1e-9)


def test_one_result_used_twice() -> None:
    unit = fused()

    def f(x: Any) -> Any:
        z = unit(x)
        return z * z.sum() + z

    assert gradcheck(f, points()[0], order=2)


def test_a_second_backward_and_assigned_inputs_are_told() -> None:
    x, y = points()
    polar_ = polar()
    radius, angle = polar_(x, y)
    radius.sum().backward()
    with pytest.raises(GraphError, match="freed"):
        angle.sum().backward()
    radius, angle = polar_(x, y)
    loss = (radius + angle).sum()
    x.assign(x.numpy() * 2)
    with pytest.raises(GraphError, match="assigned"):
        loss.backward()


def test_retained_graphs_give_the_parts_their_gradients() -> None:
    x, y = points()
    radius, angle = polar()(x, y)
    (radius * 2).sum().backward(retain_graph=True)
    np.testing.assert_array_equal(radius.grad.numpy(), np.full((2, 3), 2.0))
    (angle * 3).sum().backward()


def test_what_is_kept_cannot_be_differentiated_in_silence() -> None:
    @op(outputs=("z",), keeps=("root",))
    def rooted(xp: Any, x: Any) -> Any:
        """x to the power 3/2."""
        root = xp.sqrt(x)
        return x * root, root

    rooted.vjp_joint(lambda g, z, x: (g[0] * 1.5 * z[1],))
    x = points()[0]
    rooted(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1.5 * x.numpy() ** 0.5)
    with pytest.raises(RuleError, match="what the op keeps"):
        hvp(lambda x: rooted(x).sum(), x.detach(), points()[1].detach())


def test_dtypes_are_settled_and_nothing_is_left_to_the_cycle_collector() -> None:
    x = Tensor([[3.0, 4.0]], requires_grad=True, dtype="float16")
    polar_, unit = polar(), fused()
    assert str(unit(x).dtype) == "float16"
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            radius, angle = polar_(*points())
            (unit(radius) * angle).sum().backward()
        del radius, angle
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_it_is_drawn_as_one_operation_with_several_results() -> None:
    x, y = points()
    radius, angle = polar()(x, y)
    svg = draw(radius + angle).svg
    assert svg.count(">polar<") == 1
    assert ">part<" not in svg
    assert "radius" in svg
    assert autograd.draw_dot(radius + angle).source.count("label=polar") == 1
