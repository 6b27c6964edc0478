"""What could go wrong without a word: results of unusual input, each against NumPy or by hand."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import DTypeError, GraphError, ShapeError, Tensor, Value, draw, no_grad


def test_functions_of_small_integers_keep_their_params() -> None:
    x = np.array([[1, 2], [3, 5]], "int8")
    wide = Tensor(x.astype("float32"))
    for f in (autograd.softmax, autograd.log_softmax, autograd.logsumexp):
        assert np.allclose(f(Tensor(x), axis=0).raw, f(wide, axis=0).raw, atol=1e-6)


def test_einsum_with_a_repeated_label_keeps_its_axes() -> None:
    x = np.random.default_rng(0).normal(size=(3, 3, 2))
    for subscripts in ("iij->j", "iij->ij", "iij->ji"):
        found = autograd.einsum(subscripts, Tensor(x)).raw
        np.testing.assert_allclose(found, np.einsum(subscripts, x))


def test_einsum_broadcasts_axes_of_size_1_there_and_back() -> None:
    x = Tensor(np.ones((2, 1)), requires_grad=True)
    y = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    autograd.einsum("ij,jk->ik", x, y).sum().backward()
    assert x.grad.shape == (2, 1)
    np.testing.assert_array_equal(y.grad.raw, np.full((3, 4), 2.0))


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float32"])
def test_descending_order_of_every_dtype(dtype: str) -> None:
    x = np.array([0, 1, 0, 1], dtype) if dtype == "bool" else np.array([0, 2, 1, 2], dtype)
    values, places = Tensor(x).topk(2)
    assert places.tolist() == [1, 3]  # equal elements in their old order
    assert values.tolist() == [x[1], x[3]]


def test_no_gradient_flows_through_integers() -> None:
    x = Tensor([1.5, 2.5], requires_grad=True)
    assert not x.astype("int64").requires_grad
    assert x.astype("float64").requires_grad


def test_running_sums_count_truth_and_do_not_wrap_or_stall() -> None:
    assert Tensor([True] * 3).cumsum(axis=0).tolist() == [1, 2, 3]
    assert Tensor(np.array([100, 100], "int8")).cumsum(axis=0).tolist() == [100, 200]
    for dtype in ("float16", "bfloat16"):
        assert float(Tensor([1.0] * 4096, dtype=dtype).cumsum(axis=0)[-1]) == 4096


def test_products_with_infinity_have_their_gradient() -> None:
    x = Tensor([np.inf, 2.0], requires_grad=True)
    x.prod().backward()
    assert x.grad.tolist() == [2.0, np.inf]


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused(label: int) -> None:
    with pytest.raises(ShapeError, match=rf"label {label}, at \[0\], is outside \[0, 3\)"):
        autograd.softmax_cross_entropy(Tensor([[1.0, 2.0, 3.0]]), Tensor([label]))
    with pytest.raises(ShapeError, match=r"one_hot: .* outside \[0, 3\)"):
        autograd.one_hot(Tensor([label]), 3)


def test_labels_do_not_broadcast_and_are_integers() -> None:
    with pytest.raises(ShapeError, match=r"labels of shape \(1,\) for logits of shape \(3, 2\)"):
        autograd.softmax_cross_entropy(Tensor(np.ones((3, 2))), Tensor([0]))
    with pytest.raises(ShapeError, match="or no integers"):
        autograd.one_hot(Tensor([0.0]), 2)


def test_a_copy_holds_its_own_array() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        other.assign([0.0, 0.0])
        assert x.tolist() == [1.0, 2.0]
        assert other.order != x.order
        assert (other.name, other.requires_grad) == ("x", True)
    with pytest.raises(GraphError, match=r"Copy x\.detach\(\)"):
        copy.deepcopy(x * 2)


def test_leaves_do_not_share_the_array_of_their_gradient() -> None:
    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    seed = Tensor([1.0])
    (a + b).backward(seed)
    a.grad.assign([0.0])
    assert (b.grad.tolist(), seed.tolist()) == ([1.0], [1.0])


def test_the_hook_of_a_leaf_that_was_assigned_since_is_called() -> None:
    a, b = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    seen: list[Any] = []
    b.register_hook(lambda g: seen.append(g.tolist()))
    y = (a + b).sum()
    b.assign([0.0])
    y.backward()
    assert seen == [[1.0]]


def test_ties_of_fractions_are_halved_exactly() -> None:
    x, y = Value(Fraction(1, 3)), Value(Fraction(1, 3))
    (x.maximum(y) * Fraction(1, 3)).backward()
    assert x.grad == y.grad == Fraction(1, 6)


def test_setting_infinity_leaves_other_gradients_finite() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    x.at[0].set(np.inf)[1].backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_a_list_of_computed_tensors_is_not_cut_off_unnoticed() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match=r"autograd\.stack"):
        Tensor([w[0] * 2, w[1] * 2])
    with no_grad():
        assert Tensor([w[0] * 2, w[1] * 2]).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("data", [[[1], [1, 2]], ["a"], [None], 2**70])
def test_what_is_no_array_of_numbers_is_refused_with_advice(data: Any) -> None:
    with pytest.raises(DTypeError, match="rectangular"):
        Tensor(data)


def test_an_unknown_dtype_is_named() -> None:
    with pytest.raises(DTypeError, match="float33"):
        Tensor([1.0], dtype="float33")


def test_a_constant_value_has_no_backward() -> None:
    with pytest.raises(GraphError, match="is a constant"):
        (Value(1.0) > 0).backward()


def test_gradients_of_numbers_along_an_axis_and_of_empty_products() -> None:
    x = Tensor(2.0, requires_grad=True)
    for f in (Tensor.sum, Tensor.prod, Tensor.max, Tensor.logsumexp):
        x.zero_grad()
        f(x, axis=-1).backward()
        assert x.grad.item() == 1
    y = Tensor(np.ones((2, 3, 0)), requires_grad=True)
    w = Tensor(np.ones((0, 4)), requires_grad=True)
    (y @ w).sum().backward()
    assert (y.grad.shape, w.grad.shape) == ((2, 3, 0), (0, 4))


def test_numbers_are_formatted_as_numbers() -> None:
    assert f"{Tensor(1.5):.3f} {Value(2.0):.1f}" == "1.500 2.0"


def test_a_picture_that_nobody_could_look_at_is_refused() -> None:
    x = Value(1.0)
    for _ in range(20_001):
        x = x + 1
    with pytest.raises(GraphError, match="more than the 20,000"):
        draw(x)


def test_pytorchs_names_for_operators() -> None:
    x, y = Tensor([1.0, 3.0]), Tensor([2.0, 2.0])
    assert x.add(y).tolist() == [3.0, 5.0]
    assert x.greater(y).tolist() == [False, True]
    assert x.where(x > y, y).tolist() == [2.0, 3.0]
    assert ((+x) // y).tolist() == [0.0, 1.0]
    assert round(x / y).tolist() == [0.0, 2.0]
