"""Computations that the page is tried on: what people look at, and what may go wrong."""

from __future__ import annotations

import numpy as np

import autograd
import nn
from autograd import Tensor, Value
from nn import scalar


def expression() -> Value:
    """The example of micrograd's README (Karpathy 2020): a and b are read many times."""
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + (b + a).relu()
    d = d + 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    return g + 10.0 / f


def fan_out() -> Value:
    """The gradient of a gets three contributions."""
    a, b, c = Value(2.0, name="a"), Value(-3.0, name="b"), Value(10.0, name="c")
    return (a * b + c).tanh() + a * c * 0.1 + a


def mlp(layers: int = 2) -> Tensor:
    """Equal layers, and a last one."""
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(8, activation="tanh") for _ in range(layers)] + [nn.Dense(1)])
    loss: Tensor = (model(ramp(5, 8)) ** 2).mean()
    return loss


def small() -> Tensor:
    """Few enough numbers to be looked at one by one."""
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(3, activation="tanh"), nn.Dense(1)])
    loss: Tensor = (model(ramp(2, 2)) ** 2).mean()
    return loss


def lstm() -> Tensor:
    """An operation with several results."""
    autograd.seed(0)
    model = nn.Sequential([nn.LSTM(6), nn.Dense(1)])
    loss: Tensor = (model(ramp(2, 4, 3)) ** 2).mean()
    return loss


def cnn() -> Tensor:
    """Convolution, pooling, cross-entropy of integer labels."""
    autograd.seed(0)
    layers = [nn.Conv2D(4, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(10)]
    model = nn.Sequential(layers)
    return nn.cross_entropy(model(ramp(2, 8, 8, 1)), Tensor(np.array([3, 4])))


def gpt(layers: int = 12) -> Tensor:
    """Blocks that fold to one row."""
    autograd.seed(0)
    model = nn.GPT(vocabulary=16, context=8, width=8, layers=layers, heads=2)
    ids = np.arange(16).reshape(2, 8)
    return nn.cross_entropy(model(Tensor(ids)), Tensor((ids + 1) % 16))


def broken() -> Tensor:
    """log(0) · 0: the logarithm is the first that is not finite."""
    x = Tensor(np.array([1.0, 0.0], dtype="float32"), requires_grad=True)
    with np.errstate(all="ignore"):
        return (x.log() * x).sum()


def masked() -> Tensor:
    """The gradient of x is NaN in places, though no value is: 0 · ∞ in the branch not taken."""
    x = Tensor(np.array([4.0, 0.0, -1.0], dtype="float32"), requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        return autograd.where(x > 0, x.relu().sqrt(), 0.0).sum()


def chain(length: int) -> Value:
    """A graph that is only deep."""
    y = Value(1.0, name="x")
    for _ in range(length):
        y = y * 0.9999
    return y


def scalar_mlp(nodes: int) -> Value:
    """A network of single numbers on as many samples as it takes to have so many nodes."""
    autograd.seed(0)
    model = scalar.MLP(8, [16, 16, 1])
    loss = Value(0.0)
    while len(autograd.node.history(loss)) < nodes:
        for _ in range(50):
            loss = loss + (model([Value(0.1 * i) for i in range(8)]) - 1.0) ** 2
    return loss


def wide_mlp() -> Value:
    """A network of some 65,000 single numbers, nearly all of them weights of one layer."""
    autograd.seed(0)
    model = scalar.MLP(2, [252, 252, 1])
    return (model([Value(0.5), Value(-0.3)]) - 1.0) ** 2


def ramp(*shape: int) -> Tensor:
    """Numbers from -1 to 1."""
    return Tensor(np.linspace(-1, 1, int(np.prod(shape)), dtype="float32").reshape(shape))
