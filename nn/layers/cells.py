"""Recurrent layers around others: in both directions, and over cells of one's own."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from autograd import Tensor, concatenate, stack, where
from autograd.errors import ShapeError

from ..module import Module, path_of
from .recurrent import GRU, LSTM, Recurrent, SimpleRNN, condition_of

__all__ = ["Bidirectional", "GRUCell", "LSTMCell", "RNN", "SimpleRNNCell"]


class Bidirectional(Module):
    """A recurrent layer in both directions of time (Schuster & Paliwal 1997).

    The second direction is a layer like the first with weights of its own; or give `backward`.
    Outputs are put together by `merge`: "concat" along the features, "sum", "mul", "ave", or None
    for a pair.  States come and go one behind the other: those of the first direction first.
    """

    takes_mask = True

    def __init__(
        self,
        layer: Any,
        merge: str | None = "concat",
        backward: Any = None,
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        if not hasattr(layer, "reverse"):
            raise TypeError(
                f"Bidirectional: a recurrent layer is needed, such as LSTM(64), not {layer!r:.60}"
            )
        if merge is not None and merge not in MERGES:
            known = ", ".join(map(repr, MERGES))
            raise ValueError(f"Bidirectional: merge {merge!r} is unknown. Valid: {known} or None")
        self.merge, self.name = merge, name
        self.forward_layer, self.backward_layer = layer, backward or _twin(layer)
        if self.backward_layer.reverse is layer.reverse:
            raise ValueError("Bidirectional: both layers run in the same direction of time")
        self.input_shape = input_shape or layer.input_shape
        if input_shape is not None:
            self.build(input_shape)

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Make the weights of both directions for samples (T, features)."""
        for layer in (self.forward_layer, self.backward_layer):
            layer.build(input_shape)
        self.input_shape = tuple(input_shape)
        return self

    def __call__(
        self, x: Any, initial_state: Any = None, mask: Any = None, lengths: Any = None
    ) -> Any:
        given = list(initial_state or ())
        half, padding = len(given) // 2, {"mask": mask, "lengths": lengths}
        one = self.forward_layer(x, given[:half] or None, **padding)
        other = self.backward_layer(x, given[half:] or None, **padding)
        if not self.forward_layer.return_state:
            return self._merged(one, other)
        return (self._merged(one[0], other[0]), *one[1:], *other[1:])

    def _merged(self, one: Tensor, other: Tensor) -> Any:
        return (one, other) if self.merge is None else MERGES[self.merge](one, other)

    def describe(self) -> str:
        return str(self.merge)


MERGES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda x, y: concatenate([x, y], axis=-1), "sum": lambda x, y: x + y,
    "mul": lambda x, y: x * y, "ave": lambda x, y: (x + y) / 2,
}  # fmt: skip


def _twin(layer: Any) -> Any:
    """A layer like this one, in the other direction and with weights of its own."""
    twin = deepcopy(layer)
    twin.reverse = not layer.reverse
    if isinstance(twin, Recurrent) and twin.weight is not None:
        twin.build((twin.weight.shape[0],))
    return twin


class _Cell(Recurrent):
    """One step of a recurrent layer, for loops of one's own, or for `RNN`:

        output, state = cell(x, state)        # x (N, features), output (N, units)

    A state is a tuple of tensors (N, units); None stands for zeros.
    """

    takes_mask = False

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(units, return_state=True, **options)

    def __call__(self, x: Any, state: Any = None) -> Any:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 2:
            raise ShapeError(f"{path_of(self)}: one step is (N, features), got {x.shape}")
        output, *state = super().__call__(x.reshape(x.shape[0], 1, x.shape[1]), state)
        return output, tuple(state)


class SimpleRNNCell(_Cell, SimpleRNN):
    """One step of a `SimpleRNN`: output, state = cell(x, state)."""


class LSTMCell(_Cell, LSTM):
    """One step of an `LSTM`: output, (h, c) = cell(x, (h, c))."""


class GRUCell(_Cell, GRU):
    """One step of a `GRU`: output, (h,) = cell(x, (h,))."""


class RNN(Module):
    """Any cell over a sequence (N, T, features): `output, state = cell(x, state)`, step by step.

    A cell is a module or a function of x (N, features) and a state, a tuple of tensors (N, …),
    or None at first.  Arguments and results are those of `LSTM`, but it is a loop in Python: the
    layers that have an operation of their own are many times as fast.
    """

    takes_mask = True

    def __init__(
        self,
        cell: Callable[..., Any],
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        name: str | None = None,
    ) -> None:
        if isinstance(cell, type) or not callable(cell):
            raise TypeError(
                f"RNN: a cell is needed, such as LSTMCell(64), not {cell!r:.60}. Of several, each "
                "gets an RNN of its own, with return_sequences=True for all but the last."
            )
        self.cell, self.name = cell, name
        self.return_sequences, self.return_state, self.reverse = (
            return_sequences, return_state, reverse,
        )  # fmt: skip

    def __call__(
        self, x: Any, initial_state: Any = None, mask: Any = None, lengths: Any = None
    ) -> Any:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim < 3 or not x.shape[1]:
            raise ShapeError(f"{path_of(self)}: the input must be (N, steps, …), got {x.shape}")
        condition = condition_of(self, x, mask, lengths)
        count, state = x.shape[1], initial_state
        output: Any = None
        outputs: list[Any] = [None] * count
        for t in reversed(range(count)) if self.reverse else range(count):
            new, after = self.cell(x[:, t], state)
            if condition:
                on = condition[0][:, t]
                new = _held(on, new, output)
                after = [
                    _held(on, a, b)
                    for a, b in zip(after, state or [None] * len(after), strict=True)
                ]
            output, state = new, tuple(after)
            outputs[t] = output
        found = stack(outputs, axis=1) if self.return_sequences else output
        return (found, *state) if self.return_state else found


def _held(on: Tensor, new: Tensor, old: Tensor | None) -> Tensor:
    """new (N, …) for the samples that are on (N,), for the others what was before: at first 0."""
    found: Tensor = where(
        on.reshape(on.shape[0], *[1] * (new.ndim - 1)), new, 0 if old is None else old
    )
    return found
