"""Recurrent layers over sequences (N, T, features): SimpleRNN, LSTM, GRU.

>>> import nn
>>> model = nn.Sequential([nn.Embedding(65, 16), nn.LSTM(32, return_sequences=True), nn.Dense(65)])

Each is one fused operation, forwards and backwards (`autograd/ops/recurrent.py`).  Results and
arguments are Keras'; PyTorch's weights are the transposes of ours, in another order of gates for
the GRU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from autograd import Tensor, arange, concatenate, ones, random, zeros
from autograd.errors import DTypeError, ShapeError
from autograd.ops import recurrent

from .. import init
from ..module import Module, path_of

__all__ = ["GRU", "LSTM", "SimpleRNN", "condition_of"]

_lstm = recurrent.lstm.recorder(Tensor)
_gru = recurrent.gru.recorder(Tensor)
_rnn = recurrent.rnn.recorder(Tensor)


class Recurrent(Module):
    """What the recurrent layers share: arguments, weights, masks and states.

    Called with x (N, T, features) a layer gives its last output (N, units), or with
    `return_sequences` all (N, T, units), and with `return_state` behind it the last state, as a
    tensor each: h (N, units) and, of an LSTM, c.  `initial_state` is such a state:

        y, *state = layer(x, initial_state=state)      # state = None at first: zeros

    To train on a long sequence in parts, pass on `[s.detach() for s in state]`.

    `mask` (N, T) says which steps of each sample are real and not padding; `lengths` (N,) says how
    many are, from the first on.  Over padding the state stays as it is, and the output repeats it,
    as in Keras.  With `reverse` time runs backwards; outputs stay at their own steps.
    `dropout` takes whole features out of a sample's inputs, the same ones at all of its steps
    (Gal & Ghahramani 2016).
    """

    gates: ClassVar[int]
    states: ClassVar[int] = 1
    takes_mask = True

    def __init__(
        self,
        units: int,
        return_sequences: bool = False,
        return_state: bool = False,
        reverse: bool = False,
        dropout: float = 0.0,
        use_bias: bool = True,
        kernel_init: str | init.Initializer = "glorot_uniform",
        recurrent_init: str | init.Initializer = "orthogonal",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise ValueError(f"{kind}: units must be a whole number from 1 on, not {units!r}")
        if not isinstance(return_sequences, bool):
            raise TypeError(
                f"{kind}: return_sequences is True or False, not {return_sequences!r}. The size of "
                f"the input is not said, the first input tells it: {kind}(units)."
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"{kind}: dropout {dropout} is outside [0, 1); it is a share")
        self.units, self.name = units, name
        self.return_sequences, self.return_state = return_sequences, return_state
        self.reverse, self.dropout, self.use_bias = reverse, dropout, use_bias
        self.kernel_init = init.get(kernel_init)
        self.recurrent_init, self.bias_init = init.get(recurrent_init), init.get(bias_init)
        self.weight: Tensor | None = None
        self.recurrent_weight: Tensor | None = None
        self.bias: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    # --- weights ---

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self.weight is not None

    def build(self, input_shape: tuple[int, ...]) -> Module:
        """Make the weights for samples (T, features), of which only the features count."""
        shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        if not shape or shape[-1] is None or shape[-1] < 1:
            raise ShapeError(f"{path_of(self)}: input_shape {shape} is not (steps, features)")
        width = self.gates * self.units
        self.weight = self._parameter("weight", self.kernel_init, (shape[-1], width))
        self.recurrent_weight = self._parameter(
            "recurrent_weight", self.recurrent_init, (self.units, width)
        )
        self.bias = self._first_bias().detach().requires_grad_() if self.use_bias else None
        return self

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One number per gate and unit."""
        return (self.gates * self.units,)

    def _first_bias(self) -> Tensor:
        return self.bias_init(self.bias_shape)

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the weights in the shape that a state dict has them."""
        if "weight" in state and len(state["weight"].shape) == 2:
            self.build((state["weight"].shape[0],))

    # --- a call ---

    def __call__(
        self, x: Any, initial_state: Any = None, mask: Any = None, lengths: Any = None
    ) -> Any:
        x = self._ready(x)
        weight, condition = self.weight, condition_of(self, x, mask, lengths)
        assert weight is not None
        assert self.recurrent_weight is not None
        state = self._state(x, initial_state)
        bias = self._zeros(x, self.bias_shape) if self.bias is None else self.bias
        if self.dropout and self.training:
            shape = (x.shape[0], 1, x.shape[2])
            x = x * random.dropout_mask(shape, 1 - self.dropout, x.dtype, x.backend)
        y, *state = self._run(x, weight, self.recurrent_weight, bias, *state, *condition)
        output = y if self.return_sequences else state[0]
        return (output, *state) if self.return_state else output

    def _run(self, *operands: Tensor) -> tuple[Tensor, ...]:
        """All outputs and the last state, of x, the weights, the first state and, maybe, a mask."""
        raise NotImplementedError

    def _ready(self, x: Any) -> Tensor:
        """The input as a tensor that fits the weights, which are made if they are not there."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 3 or 0 in x.shape[1:]:
            hint = ""
            if x.ndim == 2 and x.dtype.kind in "iu":
                hint = " Integers become vectors in an nn.Embedding before it."
            elif x.ndim == 2:
                hint = " Series of one number per step are x[..., None]; one sample is x[None]."
            raise ShapeError(
                f"{path_of(self)}: the input must be (N, steps, features)\n"
                f"  input   {x.shape} {x.dtype}\n {hint}"
            )
        if self.weight is None:
            self.build(x.shape[1:]).to(x.backend)
        weight = self.weight
        assert weight is not None
        if x.shape[-1] != weight.shape[0]:
            raise ShapeError(
                f"{path_of(self)}: each step must have {weight.shape[0]} features, got "
                f"{x.shape[-1]}\n  input   {x.shape} {x.dtype}\n  weight  {weight.shape}"
            )
        if x.dtype != weight.dtype:
            raise DTypeError(
                f"{path_of(self)}: the input is {x.dtype}, the weights are {weight.dtype}. "
                f'Convert the input: x.astype("{weight.dtype}").'
            )
        return x

    def _zeros(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        return zeros(shape, dtype=x.dtype, backend=x.backend)

    def _state(self, x: Tensor, given: Any) -> Sequence[Tensor]:
        """The first state: zeros, or what is given, of the right shapes."""
        shape = (x.shape[0], self.units)
        if given is None or len(given) == 0:
            return [self._zeros(x, shape) for _ in range(self.states)]
        state = [given] if isinstance(given, Tensor) else list(given)
        if [s.shape for s in state] != [shape] * self.states:
            wanted = " and ".join(["h", "c"][: self.states])
            raise ShapeError(
                f"{path_of(self)}: initial_state must be {wanted}, {shape} each, got "
                f"{', '.join(str(s.shape) for s in state)}"
            )
        return state

    def describe(self) -> str:
        width = "?" if self.weight is None else self.weight.shape[0]
        flags = [f for f in ("return_sequences", "return_state", "reverse") if getattr(self, f)]
        dropout = [f"dropout {self.dropout:g}"] if self.dropout else []
        return ", ".join([f"{width} → {self.units}", *flags, *dropout])


def condition_of(layer: Module, x: Tensor, mask: Any, lengths: Any) -> list[Tensor]:
    """Which steps of x (N, T, …) are real, (N, T), in a list; an empty one where all are."""
    n, count = x.shape[:2]
    if lengths is not None:
        if mask is not None:
            raise ValueError(f"{path_of(layer)}: give mask= or lengths=, not both")
        mask = _first(path_of(layer), lengths, n, count, x.backend)
    if mask is None:
        return []
    mask = mask if isinstance(mask, Tensor) else Tensor(mask, backend=x.backend)
    if mask.shape != (n, count):
        raise ShapeError(
            f"{path_of(layer)}: a mask of shape {mask.shape} for the input {x.shape}; it must "
            f"be {(n, count)}, True where a step is real"
        )
    return [mask if mask.dtype.kind == "b" else mask != 0]


def _first(path: str, lengths: Any, n: int, count: int, backend: str) -> Tensor:
    """A mask (N, T) of the first `lengths` steps of each sample."""
    lengths = lengths if isinstance(lengths, Tensor) else Tensor(lengths, backend=backend)
    if lengths.shape != (n,) or lengths.dtype.kind not in "iu":
        raise ShapeError(
            f"{path}: lengths must be {n} integers, one per sample, got {lengths.shape} "
            f"{lengths.dtype}"
        )
    for i, length in enumerate(lengths.tolist()):
        if not 0 <= length <= count:
            raise ShapeError(
                f"{path}: lengths[{i}] is {length}, but the sequences have {count} steps"
            )
    return arange(count, backend=backend) < lengths.reshape(n, 1)


class SimpleRNN(Recurrent):
    """h ← tanh(x weight + h recurrent_weight + bias), or relu (Elman 1990).

    `weight` (features, units), `recurrent_weight` (units, units), `bias` (units,).
    """

    gates = 1

    def __init__(self, units: int, activation: str = "tanh", **options: Any) -> None:
        if activation not in ("tanh", "relu"):
            raise ValueError(f'SimpleRNN: activation {activation!r} is neither "tanh" nor "relu"')
        self.activation = activation
        super().__init__(units, **options)

    def _run(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return _rnn(*operands, reverse=self.reverse, activation=self.activation)


class LSTM(Recurrent):
    """Long short-term memory: a cell c that gates write to, forget and read out.

    `weight` (features, 4·units), `recurrent_weight` (units, 4·units) and `bias` (4·units,) hold the
    gates in Keras' and PyTorch's order: input, forget, candidate, output.  The forget gate's bias
    begins at 1, so that the cell remembers at first (Jozefowicz et al. 2015).
    """

    gates, states = 4, 2

    def _first_bias(self) -> Tensor:
        bias, n = super()._first_bias(), self.units
        return concatenate([bias[:n], ones(n), bias[2 * n :]])

    def _run(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return _lstm(*operands, reverse=self.reverse)


class GRU(Recurrent):
    """Gated recurrent unit: an LSTM without a cell, and with three gates.

    `weight` (features, 3·units) and `recurrent_weight` (units, 3·units) hold the gates in Keras'
    order: update, reset, candidate (PyTorch has reset first).  `bias` (2, 3·units): one for each
    of the two products, since the reset gate stands behind the second, as in Keras and PyTorch.
    """

    gates = 3

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One bias for each of the two products."""
        return (2, 3 * self.units)

    def _run(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return _gru(*operands, reverse=self.reverse)
