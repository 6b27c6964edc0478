"""Normalisation beside PyTorch: values, gradients and running statistics over several steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.mode import training

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(4)


def numbers(*shape: int) -> np.ndarray:
    return (RNG.normal(size=shape) * 3 + 1).astype("f")


def first(x: np.ndarray) -> Any:
    """Channels where PyTorch has them."""
    return torch.tensor(np.moveaxis(x, -1, 1).copy())


def last(x: Any) -> np.ndarray:
    return np.moveaxis(x.detach().numpy(), 1, -1)


CLOSE = {"rtol": 2e-4, "atol": 2e-5}


@pytest.mark.parametrize("shape", [(16, 5), (4, 6, 5), (4, 6, 7, 5), (64, 8, 8, 32)])
def test_batch_norm_over_several_steps(shape: tuple[int, ...]) -> None:
    kind = (torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)[len(shape) - 2]
    channels, count = shape[-1], int(np.prod(shape[:-1]))
    ours, theirs = nn.BatchNorm(0.8, 1e-3, input_shape=(channels,)), kind(channels, 1e-3, 0.2)
    for mine, its in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        start = numbers(channels)
        mine.assign(start)
        its.data = torch.tensor(start)
    for _ in range(3):
        x, g = numbers(*shape), numbers(*shape)
        a, b = Tensor(x, requires_grad=True), first(x).requires_grad_()
        ours.zero_grad()
        theirs.zero_grad()
        y, z = ours(a), theirs(b)
        y.backward(Tensor(g))
        z.backward(first(g))
        np.testing.assert_allclose(y.numpy(), last(z), **CLOSE)
        np.testing.assert_allclose(a.grad.numpy(), last(b.grad), **CLOSE)
        scale = np.abs(g).sum() / channels
        for mine, its in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
            np.testing.assert_allclose(
                mine.grad.numpy() / scale, its.grad.numpy() / scale, atol=1e-5
            )
    np.testing.assert_allclose(ours.running_mean.numpy(), theirs.running_mean.numpy(), **CLOSE)
    unbiased = (ours.running_var.numpy() - 0.8**3) * count / (count - 1) + 0.8**3
    np.testing.assert_allclose(unbiased, theirs.running_var.numpy(), **CLOSE)
    theirs.running_var.data = torch.tensor(ours.running_var.numpy().copy())
    with training(False):
        np.testing.assert_allclose(ours(Tensor(x)).numpy(), last(theirs.eval()(first(x))), **CLOSE)


@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm", "GroupNorm"])
@pytest.mark.parametrize("shape", [(4, 6), (3, 7, 6), (2, 4, 5, 6)])
def test_norms_of_a_sample(kind: str, shape: tuple[int, ...]) -> None:
    ours, theirs = {
        "LayerNorm": (nn.LayerNorm(1e-5), torch.nn.LayerNorm(6, 1e-5)),
        "RMSNorm": (nn.RMSNorm(1e-5), torch.nn.RMSNorm(6, 1e-5)),
        "GroupNorm": (nn.GroupNorm(3, 1e-5), torch.nn.GroupNorm(3, 6, 1e-5)),
    }[kind]
    ours.build((6,))
    start = numbers(6)
    ours.weight.assign(start)
    theirs.weight.data = torch.tensor(start)
    x, g = numbers(*shape), numbers(*shape)
    moved = kind == "GroupNorm"
    a = Tensor(x, requires_grad=True)
    b = (first(x) if moved else torch.tensor(x)).requires_grad_()
    y, z = ours(a), theirs(b)
    y.backward(Tensor(g))
    z.backward(first(g) if moved else torch.tensor(g))
    back = last if moved else lambda t: t.detach().numpy()
    np.testing.assert_allclose(y.numpy(), back(z), **CLOSE)
    np.testing.assert_allclose(a.grad.numpy(), back(b.grad), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-3)
