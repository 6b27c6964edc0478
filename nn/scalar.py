"""A neural network of single numbers, each of them a `Value`: nothing is hidden in an array.

The classes are those of Karpathy's micrograd (2020).  `to_array` turns such a network into the
`nn` model with the same weights, which computes the same outputs and the same gradients some
thousand times faster; `from_array` turns it back.

    >>> from nn.scalar import MLP
    >>> model = MLP(3, [4, 4, 1])
    >>> model
    MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3), ReLUNeuron(3), ReLUNeuron(3)], Layer of \
[ReLUNeuron(4), ReLUNeuron(4), ReLUNeuron(4), ReLUNeuron(4)], Layer of [LinearNeuron(4)]]
    >>> len(model.parameters())
    41
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograd import Tensor, Value
from autograd.errors import ShapeError
from autograd.names import calling
from autograd.node import scope
from autograd.ops.linear import dot
from autograd.random import uniform

from .activations import get, linear
from .layers.core import Dense, Sequential
from .models import mlp

__all__ = ["Layer", "MLP", "Neuron", "from_array"]

_dot = dot.recorder(Value)
"""b + w · x as one node: the same numbers as n products and n sums, in a smaller graph."""


class Module:
    """What has parameters."""

    def named_modules(self) -> list[tuple[str, Module]]:
        """This module, as "", and those within it by their paths."""
        return [("", self)]

    def named_parameters(self) -> list[tuple[str, Value]]:
        """Every number that is learned, by its path: "layers.0.neurons.1.w[2]"."""
        return []

    def parameters(self) -> list[Value]:
        """Every number that is learned."""
        return [p for _, p in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.parameters():
            p.zero_grad()


class Neuron(Module):
    """max(0, w · x + b), or w · x + b where `nonlin` is False.

    Weights start uniform in [-1, 1), drawn from the stream of `autograd.seed`; the bias at 0.
    """

    def __init__(self, nin: int, nonlin: bool = True) -> None:
        self.w = [Value(w) for w in uniform((nin,), -1.0, 1.0, dtype="float64").tolist()]
        self.b = Value(0.0)
        self.nonlin = nonlin

    def __call__(self, x: Sequence[Any]) -> Value:
        if len(x) != len(self.w):
            raise ShapeError(f"{self!r}: expected {len(self.w)} inputs, got {len(x)}")
        act = _dot(self.b, *self.w, *x)
        return act.relu() if self.nonlin else act

    def named_parameters(self) -> list[tuple[str, Value]]:
        return [*((f"w[{i}]", w) for i, w in enumerate(self.w)), ("b", self.b)]

    def parameters(self) -> list[Value]:
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Neurons side by side, all of which see the same `nin` inputs."""

    def __init__(self, nin: int, nout: int, nonlin: bool = True) -> None:
        self.neurons = [Neuron(nin, nonlin) for _ in range(nout)]

    def __call__(self, x: Sequence[Any]) -> Any:
        """The neurons' outputs: a list, or the one Value of a layer of one."""
        with scope(type(self).__name__, self):
            out = [n(x) for n in self.neurons]
        return out[0] if len(out) == 1 else out

    def named_parameters(self) -> list[tuple[str, Value]]:
        return [
            (f"neurons.{i}.{name}", p)
            for i, n in enumerate(self.neurons)
            for name, p in n.named_parameters()
        ]

    def parameters(self) -> list[Value]:
        return [p for n in self.neurons for p in n.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then layers of these sizes, the last one linear."""

    def __init__(self, nin: int, nouts: Sequence[int]) -> None:
        sizes = [nin, *nouts]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1) for i in range(len(nouts))
        ]

    def __call__(self, x: Any) -> Any:
        with scope(type(self).__name__, self, calling()):
            for i, layer in enumerate(self.layers):
                x = layer([x] if i and len(self.layers[i - 1].neurons) == 1 else x)
        return x

    def named_modules(self) -> list[tuple[str, Module]]:
        return [("", self), *((f"layers.{i}", layer) for i, layer in enumerate(self.layers))]

    def named_parameters(self) -> list[tuple[str, Value]]:
        return [
            (f"layers.{i}.{name}", p)
            for i, layer in enumerate(self.layers)
            for name, p in layer.named_parameters()
        ]

    def parameters(self) -> list[Value]:
        return [p for layer in self.layers for p in layer.parameters()]

    def to_array(self, dtype: str = "float64") -> mlp.MLP:
        """The array model that computes the same: `Dense` layers with these weights.

        In float64 its outputs and gradients are these numbers' up to the order of summation.
        """
        sizes = [len(layer.neurons) for layer in self.layers]
        model = mlp.MLP(len(self.layers[0].neurons[0].w), sizes)
        for i, (dense, layer) in enumerate(zip(model, self.layers, strict=True)):
            kinds = {n.nonlin for n in layer.neurons}
            if len(kinds) > 1:
                raise ValueError(
                    f"to_array: layer {i} has neurons with and without ReLU; a Dense layer has one "
                    "activation for all"
                )
            dense.activation = get("relu" if kinds.pop() else None)
            rows = [[w.data for w in n.w] for n in layer.neurons]  # (out, in)
            dense.weight = Tensor(list(zip(*rows, strict=True)), requires_grad=True, dtype=dtype)
            dense.bias = Tensor([n.b.data for n in layer.neurons], requires_grad=True, dtype=dtype)
        return model

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


def from_array(model: Sequential) -> MLP:
    """The scalar network with the weights of a `Sequential` of `Dense` layers.

    Each layer but the last must have ReLU and the last none, as `MLP` has it.
    """
    layers = list(model)
    for i, dense in enumerate(layers):
        wanted = Tensor.relu if i < len(layers) - 1 else linear
        if not isinstance(dense, Dense) or dense.activation is not wanted:
            kind = 'Dense(…, activation="relu")' if wanted is Tensor.relu else "Dense(…)"
            raise TypeError(f"from_array: layer {i} is {dense!r}, expected {kind}")
        if dense.weight is None:
            raise TypeError(f"from_array: layer {i} has no weights yet; call the model on a batch")
    scalar = MLP(len(layers[0].weight), [dense.units for dense in layers])
    for layer, dense in zip(scalar.layers, layers, strict=True):
        biases = [0.0] * dense.units if dense.bias is None else dense.bias.tolist()
        columns = zip(*dense.weight.tolist(), strict=True)
        for neuron, column, bias in zip(layer.neurons, columns, biases, strict=True):
            neuron.w, neuron.b = [Value(w) for w in column], Value(bias)
    return scalar
