"""Convolution and pooling as functions: what they compute, how much room they take, and what they
say when they cannot. Value and gradient of each op are in `test_ops.py`."""

from __future__ import annotations

import tracemalloc
from typing import Any

import naive_windows as naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import backends
from autograd import (
    DTypeError,
    ShapeError,
    Tensor,
    avg_pool,
    conv,
    conv_transpose,
    grad,
    max_pool,
    ones,
    view,
)
from autograd.ops import convolution as c

RNG = np.random.default_rng(0)


def drawn(*shape: int, dtype: str = "float64") -> Tensor:
    return Tensor(RNG.normal(size=shape), dtype=dtype)


@st.composite
def problems(draw: Any) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """The shapes of an input and a kernel that fits it, and how the windows lie."""
    rank, number = draw(st.integers(1, 3)), lambda low, high: draw(st.integers(low, high))
    groups, per_group, filters = number(1, 3), number(1, 2), number(1, 2)
    size = [number(1, 3) for _ in range(rank)]
    dilation = [number(1, 2) for _ in range(rank)]
    padding = [(number(0, 2), number(0, 2)) for _ in range(rank)]
    room = [
        max(d * (k - 1) + 1 - sum(p), 1) + number(0, 3)
        for k, d, p in zip(size, dilation, padding, strict=True)
    ]
    how = {
        "stride": tuple(number(1, 3) for _ in range(rank)),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
        "groups": groups,
    }
    return (2, *room, groups * per_group), (*size, per_group, groups * filters), how


@given(problems())
def test_convolution_is_what_its_definition_says(problem: Any) -> None:
    x_shape, w_shape, how = problem
    x, w = drawn(*x_shape), drawn(*w_shape)
    z = conv(x, w, **how)
    np.testing.assert_allclose(z.numpy(), naive.conv(x.numpy(), w.numpy(), **how), atol=1e-12)


@given(problems())
def test_the_three_operations_are_one_trilinear_form(problem: Any) -> None:
    x_shape, w_shape, how = problem
    x, w = drawn(*x_shape), drawn(*w_shape)
    z = c.conv(x, w, **how)
    y = drawn(*z.shape)
    form = (z * y).sum().item()
    pulled = c.conv_transpose(y, w, shape=x_shape[1:-1], **how)
    kernel = c.conv_kernel(x, y, size=w_shape[:-2], **how)
    assert (x * pulled).sum().item() == pytest.approx(form, abs=1e-11)
    assert (w * kernel).sum().item() == pytest.approx(form, abs=1e-11)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("workspace", [1, 200, 2000])
def test_the_size_of_blocks_does_not_matter(
    workspace: int, groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one row of one image at a time to all at once."""
    x, w = drawn(3, 7, 6, 4), drawn(3, 2, 4 // groups, 8)
    how: dict[str, Any] = {"stride": (2, 1), "padding": ((1, 2), (0, 1)), "dilation": (1, 2)}
    how["groups"] = groups

    def results() -> list[Any]:
        z = c.conv_affine(x, w, ones(8, dtype="float64"), **how)
        pulled = c.conv_transpose(z, w, shape=(7, 6), **how)
        return [z.raw, pulled.raw, c.conv_kernel(x, z, size=(3, 2), **how).raw]

    whole = results()
    monkeypatch.setattr(backends.get("numpy"), "workspace", workspace)
    for blockwise, at_once in zip(results(), whole, strict=True):
        np.testing.assert_allclose(blockwise, at_once, rtol=1e-12, atol=1e-12)


def test_no_array_of_all_windows_is_made() -> None:
    x, w = ones((32, 26, 26, 32), requires_grad=True), ones((3, 3, 32, 64), requires_grad=True)
    windows = 32 * 24 * 24 * 9 * 32 * 4  # bytes
    tracemalloc.start()
    try:
        conv(x, w).sum().backward()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    results = 4 * (2 * 32 * 24 * 24 * 64 + 32 * 26 * 26 * 32)  # z, its gradient, x's gradient
    assert peak < results + windows // 3


@pytest.mark.parametrize(
    ("n", "size", "stride", "dilation", "before", "after"),
    [
        (5, 3, 1, 1, 1, 1), (5, 2, 1, 1, 0, 1), (5, 4, 1, 1, 1, 2), (6, 3, 2, 1, 0, 1),
        (5, 3, 2, 1, 1, 1), (5, 3, 1, 2, 2, 2), (7, 1, 3, 1, 0, 0), (4, 2, 3, 1, 0, 1),
    ],
)  # fmt: skip
def test_same_pads_as_tensorflow_does(
    n: int, size: int, stride: int, dilation: int, before: int, after: int
) -> None:
    x, w = drawn(1, n, 1), drawn(size, 1, 1)
    z = conv(x, w, stride=stride, padding="same", dilation=dilation)
    assert z.shape == (1, -(-n // stride), 1)
    explicit = conv(x, w, stride=stride, padding=((before, after),), dilation=dilation)
    np.testing.assert_array_equal(z.raw, explicit.raw)


def test_causal_padding_sees_nothing_of_the_future() -> None:
    w = drawn(3, 1, 1)
    jacobian = np.stack([
        grad(lambda x, i=i: conv(x, w, padding="causal", dilation=2)[0, i, 0])(drawn(1, 6, 1)).raw[
            0, :, 0
        ]
        for i in range(6)
    ])  # fmt: skip
    assert (jacobian == np.tril(jacobian)).all()
    assert (np.diag(jacobian) == w.raw[-1, 0, 0]).all()


def test_padding_in_all_its_forms() -> None:
    x, w = drawn(1, 5, 6, 1), drawn(2, 2, 1, 1)
    shapes = [conv(x, w, padding=p).shape[1:3] for p in (0, 1, (1, 2), ((0, 1), (2, 0)), "valid")]
    assert shapes == [(4, 5), (6, 7), (6, 9), (5, 7), (4, 5)]


def test_transposed_convolution_grows_by_its_stride() -> None:
    x, w = drawn(2, 5, 6, 3), drawn(3, 4, 2, 3)
    sizes = [
        conv_transpose(x, w, stride=(2, 3), **how).shape
        for how in (
            {"padding": "same"}, {}, {"padding": 1}, {"padding": 1, "output_padding": (1, 2)},
        )
    ]  # fmt: skip
    assert sizes == [(2, 10, 18, 2), (2, 11, 19, 2), (2, 9, 17, 2), (2, 10, 19, 2)]


def test_halves_are_summed_in_single_precision() -> None:
    """4097 ones are more than float16 can count one by one."""
    x, w = ones((1, 1, 4096), dtype="float16"), ones((1, 4096, 1), dtype="float16")
    z = conv(x, w)
    assert (z.dtype, z.item()) == (np.float16, 4096.0)


# --- pooling ---


def test_of_equal_elements_the_first_gets_the_gradient() -> None:
    x = Tensor([[[1.0], [1.0], [0.0], [2.0], [2.0], [2.0]]], requires_grad=True)
    max_pool(x, 3).sum().backward()
    assert x.grad is not None
    assert x.grad.raw[0, :, 0].tolist() == [1, 0, 0, 1, 0, 0]


def test_an_element_that_wins_twice_gets_both_gradients() -> None:
    x = Tensor([[[0.0], [5.0], [1.0]]], requires_grad=True)
    z = max_pool(x, 2, stride=1)
    z.backward(Tensor([[[10.0], [1.0]]]))
    assert x.grad is not None
    assert (z.tolist(), x.grad.tolist()) == ([[[5.0], [5.0]]], [[[0.0], [11.0], [0.0]]])


def test_infinite_gradients_stay_with_the_winner() -> None:
    x = Tensor([[[0.0], [5.0]]], requires_grad=True)
    max_pool(x, 2).backward(Tensor([[[float("inf")]]]))
    assert x.grad is not None
    assert x.grad.tolist() == [[[0.0], [float("inf")]]]


def test_nan_comes_through_a_pool() -> None:
    assert np.isnan(max_pool(Tensor([[[0.0], [float("nan")]]]), 2).item())


def test_padding_never_wins_and_never_counts() -> None:
    x = Tensor(-np.ones((1, 3, 3, 1)))
    assert max_pool(x, 2, padding="same").tolist() == [[[[-1]] * 2] * 2]
    assert avg_pool(x, 2, padding="same").tolist() == [[[[-1]] * 2] * 2]
    counted = avg_pool(x, 2, padding="same", count_padding=True)
    assert counted.tolist() == [[[[-1], [-0.5]], [[-0.5], [-0.25]]]]


def test_whole_numbers_are_pooled_too() -> None:
    x = Tensor([[[-3], [-7], [-5]]])
    assert max_pool(x, 2, padding="same").tolist() == [[[-3], [-5]]]


# --- pictures and errors ---


def test_a_convolution_is_drawn_and_knows_its_line() -> None:
    image, kernel = drawn(1, 4, 4, 1), drawn(3, 3, 1, 2)
    kernel.requires_grad_()
    features = conv(image, kernel, padding="same")
    loss = max_pool(features, 2).sum()
    assert loss.inputs[0].code is test_a_convolution_is_drawn_and_knows_its_line.__code__
    picture = view.draw(loss).svg
    assert all(word in picture for word in ("conv", "max_pool", "features", "kernel"))


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: conv(drawn(2, 8, 8, 4), drawn(3, 3, 3, 5)), "x has 4 channels.*is for 3"),
        (lambda: conv(drawn(2, 3, 8, 8), drawn(3, 3, 3, 5)), r"x\.permute\(0, 2, 3, 1\)"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 3, 4, 5)), "x has 3 axes.*batch"),
        (lambda: conv(drawn(8, 4), drawn(3, 4)), "no convolution"),
        (lambda: conv(drawn(2, 8, 4), drawn(9, 4, 5)), "window of 9.*axis 1 with 8 elements.*same"),
        (lambda: conv(drawn(2, 8, 4), drawn(5, 4, 5), dilation=4, padding=2),
         "window of 17.*8 elements and 4 of padding"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 2, 5), groups=2), "2 groups do not divide 5"),
        (lambda: conv(drawn(2, 8, 6), drawn(3, 2, 4), groups=2), r"2 groups of 2"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 4, 5), drawn(4)), r"bias has shape \(4,\)"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 4, 5), stride=0), "stride must be.*not 0"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 4, 5), stride=(1, 2)), r"stride.*not \(1, 2\)"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 4, 5), padding="full"), "padding.*'full'"),
        (lambda: conv(drawn(2, 8, 4), drawn(3, 4, 5), padding=-1), "padding.*-1"),
        (lambda: conv_transpose(drawn(2, 8, 4), drawn(3, 4, 5)), "x has 4 channels.*is for 5"),
        (lambda: conv_transpose(drawn(2, 1, 4), drawn(3, 5, 4), padding=2), "leaves nothing of 3"),
        (lambda: conv_transpose(drawn(2, 8, 4), drawn(3, 5, 4), groups=3), "3 groups do not"),
        (lambda: conv_transpose(drawn(2, 8, 4), drawn(3, 5, 4), stride=2, output_padding=2),
         "output_padding.*smaller than the stride"),
        (lambda: max_pool(drawn(2, 8), 2), "x has 2 axes"),
        (lambda: max_pool(drawn(2, 8, 4), 9), "window of 9 does not fit"),
        (lambda: max_pool(drawn(2, 8, 4), 2, padding=2), "lie outside"),
        (lambda: avg_pool(drawn(2, 8, 4), 0), "size must be.*not 0"),
    ],
)  # fmt: skip
def test_errors_teach(call: Any, told: str) -> None:
    with pytest.raises(ShapeError, match=f"(?s){told}"):
        call()


def test_dtypes_that_differ_are_named() -> None:
    with pytest.raises(DTypeError, match=r"(?s)conv.*float32.*float64"):
        conv(drawn(1, 4, 1, dtype="float32"), drawn(2, 1, 1))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "uint8", "int64"])
@pytest.mark.parametrize("count_padding", [False, True])
def test_means_of_windows_whose_sum_is_no_number_of_their_dtype(
    dtype: str, count_padding: bool
) -> None:
    x = Tensor(np.full((1, 64, 64, 1), 100), dtype=dtype)
    z = avg_pool(x, 64, padding=32, stride=32, count_padding=count_padding)
    assert z.dtype.name == (dtype if "float" in dtype else "float32")
    assert z[0, 1, 1, 0].item() == 100
    assert z[0, 0, 0, 0].item() == (25 if count_padding else 100)


def test_the_largest_of_truth_values_and_integers_ignores_padding() -> None:
    x = np.array([0, 0, 0, 1]).reshape(1, 4, 1)
    found = [max_pool(Tensor(x.astype(dtype)), 3, 2, 1) for dtype in ("bool", "uint8", "int16")]
    assert [z.numpy().ravel().tolist() for z in found] == [[False, True], [0, 1], [0, 1]]
    assert max_pool(Tensor(-1 - x), 3, 2, 1).numpy().ravel().tolist() == [-1, -1]
