"""Convolution, pooling and the layers made of them beside PyTorch's, with their gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nn
from autograd import Tensor, avg_pool, conv, conv_transpose, max_pool, random

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

F = torch.nn.functional
RNG = np.random.default_rng(0)


def first(x: Any) -> Any:
    """Channels first."""
    return torch.movedim(x, -1, 1)


def last(x: Any) -> Any:
    """Channels last."""
    return torch.movedim(x, 1, -1)


def kernel(w: Any) -> Any:
    """(*size, in, out) as (out, in, *size)."""
    return w.permute(-1, -2, *range(w.ndim - 2)).contiguous()


def beside(ours: Any, theirs: Any, *shapes: tuple[int, ...]) -> None:
    """Value and gradients of two functions of drawn arrays, in float64."""
    arrays = [RNG.normal(size=shape) for shape in shapes]
    a = [Tensor(x, requires_grad=True) for x in arrays]
    b = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*a), theirs(*b)
    assert y.shape == tuple(z.shape)
    np.testing.assert_allclose(y.raw, z.detach().numpy(), rtol=1e-10, atol=1e-11)
    g = RNG.normal(size=y.shape)
    y.backward(Tensor(g))
    z.backward(torch.tensor(g))
    for p, q in zip(a, b, strict=True):
        assert p.grad is not None
        np.testing.assert_allclose(p.grad.raw, q.grad.numpy(), rtol=1e-10, atol=1e-11)


@st.composite
def geometries(draw: Any) -> dict[str, Any]:
    rank, number = draw(st.integers(1, 3)), lambda low, high: draw(st.integers(low, high))
    how = {
        "size": tuple(number(1, 4) for _ in range(rank)),
        "stride": tuple(number(1, 3) for _ in range(rank)),
        "dilation": tuple(number(1, 2) for _ in range(rank)),
        "padding": tuple(number(0, 2) for _ in range(rank)),
        "groups": number(1, 3),
        "channels": number(1, 5),
        "filters": number(1, 5),
    }
    span = [d * (k - 1) + 1 for k, d in zip(how["size"], how["dilation"], strict=True)]
    least = [max(s - 2 * p, 1) for s, p in zip(span, how["padding"], strict=True)]
    how["shape"] = tuple(n + number(0, 4) for n in least)
    return how


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(geometries())
def test_convolution(case: dict[str, Any]) -> None:
    size, groups = case["size"], case["groups"]
    rank, c, o = len(size), case["channels"], groups * case["filters"]
    how = {k: case[k] for k in ("stride", "padding", "dilation", "groups")}
    f = [F.conv1d, F.conv2d, F.conv3d][rank - 1]
    beside(
        lambda x, w, b: conv(x, w, b, **how),
        lambda x, w, b: last(f(first(x), kernel(w), b, **how)),
        (2, *case["shape"], groups * c), (*size, c, o), (o,),
    )  # fmt: skip


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(geometries(), st.booleans())
def test_transposed_convolution(case: dict[str, Any], longer: bool) -> None:
    size, groups = case["size"], case["groups"]
    rank, c, o = len(size), case["channels"], case["filters"]
    how = {k: case[k] for k in ("stride", "padding", "dilation", "groups")}
    how["output_padding"] = tuple(s - 1 if longer else 0 for s in case["stride"])
    spans = zip(case["shape"], size, case["stride"], case["dilation"], case["padding"], strict=True)
    if min((n - 1) * s + d * (k - 1) + 1 - 2 * p for n, k, s, d, p in spans) < 1:
        return
    f = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][rank - 1]
    beside(
        lambda x, w, b: conv_transpose(x, w, b, **how),
        lambda x, w, b: last(f(first(x), kernel(w), b, **how)),
        (2, *case["shape"], groups * c), (*size, o, groups * c), (groups * o,),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_pools(case: dict[str, Any]) -> None:
    size, stride = case["size"], case["stride"]
    padding = tuple(min(p, k // 2) for p, k in zip(case["padding"], size, strict=True))
    shape = [max(n, k) for n, k in zip(case["shape"], size, strict=True)]
    rank, x = len(size), (2, *shape, case["channels"])
    largest = [F.max_pool1d, F.max_pool2d, F.max_pool3d][rank - 1]
    mean = [F.avg_pool1d, F.avg_pool2d, F.avg_pool3d][rank - 1]
    beside(
        lambda x: max_pool(x, size, stride, padding),
        lambda x: last(largest(first(x), size, stride, padding)), x,
    )  # fmt: skip
    for counted in (True, False):
        beside(
            lambda x, counted=counted: avg_pool(x, size, stride, padding, count_padding=counted),
            lambda x, counted=counted: last(
                mean(first(x), size, stride, padding, count_include_pad=counted)
            ),
            x,
        )


def test_ties_go_to_the_same_element() -> None:
    x = np.round(RNG.normal(size=(2, 9, 9, 3)))  # few values, many ties
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    max_pool(a, 3, stride=2).sum().backward()
    F.max_pool2d(first(b), 3, 2).sum().backward()
    assert a.grad is not None
    np.testing.assert_array_equal(a.grad.raw, b.grad.numpy())


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_upsampling(size: int, interpolation: str) -> None:
    how = {"align_corners": False} if interpolation == "bilinear" else {}
    beside(
        nn.UpSampling2D(size, interpolation=interpolation),
        lambda x: last(F.interpolate(first(x), scale_factor=size, mode=interpolation, **how)),
        (2, 3, 4, 2),
    )


def test_twenty_steps_of_a_network() -> None:
    """The same weights after twenty steps of Adam, from the same start on the same batches."""
    random.seed(1)
    ours = nn.Sequential([
        nn.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 1)),
        nn.Conv2D(6, 3, strides=2, padding=1, activation="relu"),
        nn.MaxPooling2D(2), nn.Flatten(), nn.Dense(5),
    ])  # fmt: skip
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 6, 3, 2, 1), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
    )  # fmt: skip
    head = torch.nn.Linear(math.prod((2, 2, 6)), 5)
    layers = [theirs[0], theirs[2], head]
    mine = ours.parameters()
    with torch.no_grad():
        for layer, w, b in zip(layers, mine[::2], mine[1::2], strict=True):
            layer.weight.copy_(kernel(torch.tensor(w.numpy().copy())))
            layer.bias.copy_(torch.tensor(b.numpy().copy()))
    params = [*theirs.parameters(), *head.parameters()]
    step, other = nn.Adam(mine, lr=0.01, eps=1e-8), torch.optim.Adam(params, lr=0.01)
    for _ in range(20):
        x, y = RNG.normal(size=(8, 12, 12, 1)).astype("f"), RNG.integers(0, 5, 8)
        loss = nn.cross_entropy(ours(Tensor(x)), Tensor(y))
        step.zero_grad()
        loss.backward()
        step.step()
        expected = F.cross_entropy(
            head(last(theirs(first(torch.tensor(x)))).flatten(1)), torch.tensor(y)
        )
        other.zero_grad()
        expected.backward()
        other.step()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-3)
    for layer, w in zip(layers, mine[::2], strict=True):
        expected = layer.weight.detach().numpy()
        np.testing.assert_allclose(kernel(torch.tensor(w.numpy())), expected, rtol=1e-2, atol=2e-3)
