"""The multi-layer perceptron: what most people mean by a neural network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autograd import Tensor

from ..layers.core import Dense, Sequential

__all__ = ["MLP"]


class MLP(Sequential):
    """`Dense` layers in a row: `inputs` numbers in, then layers of these sizes.

    All but the last have the activation; the last has `output`, by default none.

    >>> MLP(784, [64, 32, 10]).count_parameters()
    52650
    """

    def __init__(
        self,
        inputs: int,
        units: Sequence[int],
        activation: str | Callable[[Tensor], Tensor] | None = "relu",
        output: str | Callable[[Tensor], Tensor] | None = None,
        name: str | None = None,
    ) -> None:
        if not units:
            raise ValueError("MLP: units is empty; expected the sizes of the layers, [16, 16, 1]")
        last = len(units) - 1
        layers = [
            Dense(n, activation=output if i == last else activation) for i, n in enumerate(units)
        ]
        super().__init__(layers, name=name)
        self.build((inputs,))
