"""Laws that hold for any array: linear pulls, gradients of sums, permutations, any broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from op_cases import SMOOTH, Case, tensors

from autograd import Tensor, functions
from autograd.check import gradcheck
from autograd.errors import ShapeError
from autograd.ops import elementwise

finite = st.floats(-3, 3, width=32)
shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


def filled(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    numbers = np.random.default_rng(seed).uniform(0.5, 2, shape)
    return Tensor(np.asarray(numbers), requires_grad=True)


def pulled(z: Tensor, inputs: list[Tensor], g: Any) -> list[Any]:
    """The gradients of the inputs, given that of z."""
    for x in inputs:
        x.zero_grad()
    z.backward(Tensor(np.asarray(g)), retain_graph=True)
    return [x.grad.raw if x.grad is not None else 0.0 for x in inputs]


# --- the reverse pass is linear ---


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_pulling_back_is_linear(case: Case) -> None:
    """g ↦ uᵀJ: a sum goes to the sum, a multiple to the multiple, 0 to 0."""
    inputs = tensors(case.draw(), requires_grad=True)
    z = case(*inputs)
    floats = [x for x in inputs if x.requires_grad]
    random = np.random.default_rng(2)
    u, v = random.normal(size=(2, *z.shape))
    both = pulled(z, floats, 3 * u - v)
    for whole, a, b in zip(both, pulled(z, floats, u), pulled(z, floats, v), strict=True):
        np.testing.assert_allclose(whole, 3 * a - b, rtol=1e-10, atol=1e-12)
    for nothing in pulled(z, floats, 0 * u):
        np.testing.assert_array_equal(nothing, np.zeros_like(nothing))


@given(shapes)
def test_the_gradient_of_a_sum_is_one(shape: tuple[int, ...]) -> None:
    x = filled(shape)
    x.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.raw, np.ones(shape))


@given(st.data())
def test_the_gradient_of_a_sum_of_terms_is_the_sum_of_gradients(data: st.DataObject) -> None:
    shape = data.draw(shapes)
    x = filled(shape)
    f, g = (x.exp() * x).sum(), (x.log() / (x + 1)).sum()
    (a,), (b,) = pulled(f, [x], 1.0), pulled(g, [x], 1.0)
    (both,) = pulled(f + g, [x], 1.0)
    np.testing.assert_allclose(both, a + b, rtol=1e-13, atol=1e-13)


# --- broadcasting ---


@given(arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
@settings(max_examples=60)
def test_any_two_shapes_that_broadcast(shapes: Any) -> None:
    x, y = (filled(shape, seed) for seed, shape in enumerate(shapes.input_shapes))
    z = elementwise.div(x, y)
    assert z.shape == shapes.result_shape
    if z.size:
        assert gradcheck(elementwise.div, x, y, order=2)
    spread = np.broadcast_to(x.raw, z.shape), np.broadcast_to(y.raw, z.shape)
    gx, gy = pulled(z, [x, y], np.ones(z.shape))
    wide = [Tensor(a, requires_grad=True) for a in spread]
    for got, full in zip((gx, gy), pulled(wide[0] / wide[1], wide, np.ones(z.shape)), strict=True):
        extra = tuple(range(full.ndim - got.ndim))
        summed = full.sum(axis=extra)
        ones = tuple(i for i, n in enumerate(got.shape) if n == 1)
        np.testing.assert_allclose(got, summed.sum(axis=ones, keepdims=True), rtol=1e-13)


# --- order does not matter where it should not ---


@given(st.permutations(range(5)), st.integers(0, 3))
def test_permuting_the_input_permutes_the_gradient(order: list[int], which: int) -> None:
    f = [
        lambda x: x.logsumexp(axis=0),
        lambda x: x.prod(axis=0),
        lambda x: x.std(axis=0),
        lambda x: x.max(axis=0),
    ][which]
    x = filled((5, 2))
    (g,) = pulled(f(x), [x], [1.0, 2.0])
    y = Tensor(x.raw[order], requires_grad=True)
    (permuted,) = pulled(f(y), [y], [1.0, 2.0])
    np.testing.assert_allclose(permuted, g[order], rtol=1e-12)


@given(st.permutations(range(3)), shapes.filter(lambda s: len(s) == 3))
def test_a_permutation_and_its_inverse(order: list[int], shape: tuple[int, ...]) -> None:
    x = filled(shape)
    back = tuple(int(i) for i in np.argsort(order))
    y = x.permute(*order).permute(*back)
    np.testing.assert_array_equal(y.raw, x.raw)
    weights = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_array_equal(pulled(y, [x], weights)[0], weights)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 2))
def test_what_is_split_and_joined_is_the_same(sizes: list[int], axis: int) -> None:
    shape = [2, 3, 2]
    shape[axis] = sum(sizes)
    x = filled(tuple(shape))
    y = functions.concatenate(functions.split(x, sizes, axis=axis), axis=axis)
    np.testing.assert_array_equal(y.raw, x.raw)
    weights = np.random.default_rng(1).normal(size=shape)
    np.testing.assert_array_equal(pulled(y, [x], weights)[0], weights)


# --- two ways to the same number ---


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=2, max_side=5), elements=finite))
def test_fused_and_composed_agree(x: Any) -> None:
    pairs = [
        (lambda x: x.softmax(axis=-1), lambda x: x.exp() / x.exp().sum(axis=-1, keepdims=True)),
        (lambda x: x.log_softmax(axis=-1), lambda x: x.softmax(axis=-1).log()),
        (lambda x: x.logsumexp(axis=-1), lambda x: x.exp().sum(axis=-1).log()),
        (lambda x: x.sigmoid(), lambda x: 1 / (1 + (-x).exp())),
        (lambda x: x.softplus(), lambda x: (x.exp() + 1).log()),
        (lambda x: x.var(axis=0), lambda x: ((x - x.mean(axis=0)) ** 2).mean(axis=0)),
        (lambda x: x.mean(), lambda x: x.sum() / x.size),
        (lambda x: x.tanh(), lambda x: x.sinh() / x.cosh()),
        (lambda x: (x @ x.T) if x.ndim == 2 else x @ x,
         lambda x: functions.einsum("ik,jk->ij" if x.ndim == 2 else "i,i->", x, x)),
    ]  # fmt: skip
    for fused, composed in pairs:
        a, b = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
        y, z = fused(a), composed(b)
        np.testing.assert_allclose(y.raw, z.raw, rtol=1e-9, atol=1e-9)
        g = np.cos(np.arange(y.size)).reshape(y.shape)
        np.testing.assert_allclose(pulled(y, [a], g)[0], pulled(z, [b], g)[0], rtol=1e-8, atol=1e-8)


@given(arrays.arrays(np.float64, arrays.array_shapes(max_dims=2, max_side=5), elements=finite))
def test_sorting_is_a_permutation(x: Any) -> None:
    t = Tensor(x, requires_grad=True)
    y = t.sort(axis=-1)
    np.testing.assert_array_equal(y.raw, np.sort(x, axis=-1))
    ranks = np.broadcast_to(np.arange(x.shape[-1]), x.shape)
    (g,) = pulled(y, [t], ranks)
    np.testing.assert_array_equal(np.sort(g, axis=-1), ranks)
    np.testing.assert_array_equal(np.take_along_axis(y.raw, g.astype(int), -1), x)


index = st.one_of(
    st.integers(-3, 2),
    st.slices(3),
    st.just(None),
    st.lists(st.integers(-3, 2), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


@given(st.lists(index, min_size=1, max_size=3))
@settings(max_examples=100)
def test_indexing_is_numpys_and_its_gradient_puts_back(items: list[Any]) -> None:
    key = tuple(items)
    x = Tensor(np.arange(27.0).reshape(3, 3, 3), requires_grad=True)
    try:
        expected = x.raw[key]
    except IndexError:
        with pytest.raises((IndexError, ShapeError)):
            x[key]
        return
    y = x[key]
    np.testing.assert_array_equal(y.raw, expected)
    g = np.random.default_rng(0).normal(size=y.shape)
    into = np.zeros(x.shape)
    np.add.at(into, key, g)
    np.testing.assert_allclose(pulled(y, [x], g)[0], into, rtol=1e-13, atol=1e-15)
