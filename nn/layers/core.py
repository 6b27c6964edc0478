"""The first layers: dense, in a row, dropped out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from autograd import Tensor, random
from autograd.errors import DTypeError, ShapeError
from autograd.ops.linear import affine

from .. import activations, init
from ..module import Module, path_of

__all__ = ["Dense", "Dropout", "Flatten", "Sequential"]

_affine = affine.recorder(Tensor)


class Dense(Module):
    """activation(x @ weight + bias), for x (…, in) and a result (…, units).

    `weight` (in, units) and `bias` (units,) are made at the first call, or at once where
    `input_shape=(in,)` is given.

    >>> layer = Dense(64, activation="relu", input_shape=(10,))
    >>> layer.weight.shape
    (10, 64)
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable[[Tensor], Tensor] | None = None,
        use_bias: bool = True,
        kernel_init: str | init.Initializer = "glorot_uniform",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
        *,
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
    ) -> None:
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise ValueError(f"Dense: units must be a whole number from 1 on, not {units!r}")
        if isinstance(activation, int):
            raise TypeError(
                f"Dense({units}, {activation}): behind the units comes the activation. The size of "
                f"the input is not said, the first input tells it: Dense({activation}), or "
                f"Dense({activation}, input_shape=({units},))."
            )
        self.units, self.name = units, name
        self.activation = activations.get(activation)
        self.kernel_init, self.bias_init = init.get(kernel_init), init.get(bias_init)
        self.use_bias = use_bias
        self.regularize(weight=kernel_regularizer, bias=bias_regularizer)
        self.constrain(weight=kernel_constraint, bias=bias_constraint)
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self.weight is not None

    def build(self, input_shape: tuple[int, ...]) -> Dense:
        """Make the weights for samples of this shape, whose last axis is the one that counts."""
        shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        if not shape or shape[-1] < 1:
            raise ShapeError(
                f"{path_of(self)}: input_shape {shape} has no features; (features,) is needed"
            )
        self.input_shape = shape
        self.weight = self._parameter("weight", self.kernel_init, (shape[-1], self.units))
        if self.use_bias:
            self.bias = self._parameter("bias", self.bias_init, (self.units,))
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the weights in the shape that a state dict has them."""
        if "weight" in state and len(state["weight"].shape) == 2:
            self.build((state["weight"].shape[0],))

    def __call__(self, x: Tensor) -> Tensor:
        weight = self.weight
        if weight is None:
            x = x if isinstance(x, Tensor) else Tensor(x)
            self.build(x.shape[1:] or x.shape).to(x.backend)
            weight = self.weight
        bias = self.bias
        try:
            z = x @ weight if bias is None else _affine(x, weight, bias)
        except (ShapeError, DTypeError) as error:
            raise self._explained(x, error) from None
        return self.activation(z)

    def _explained(self, x: Any, error: Exception) -> Exception:
        """A product that failed, as the layer sees it."""
        x = x if isinstance(x, Tensor) else Tensor(x)
        assert self.weight is not None
        width, dtype = self.weight.shape[0], self.weight.dtype
        facts = f"  input   {x.shape} {x.dtype}\n  weight  {self.weight.shape} {dtype}\n"
        if x.dtype != dtype and isinstance(error, DTypeError):
            return DTypeError(
                f"{path_of(self)}: the input is {x.dtype}, the weights are {dtype}\n{facts}"
                f'  Convert the input: x.astype("{dtype}"), or Tensor(x, dtype="{dtype}").'
            )
        if x.ndim and x.shape[-1] == width:
            return error
        given = x.shape[-1] if x.ndim else "one number"
        hint = ""
        if x.ndim > 2 and math.prod(x.shape[1:]) == width:
            hint = " Put nn.Flatten() before it."
        elif x.ndim == 1 and width == 1:
            hint = " Samples of one number each are (N, 1): x.reshape(-1, 1)."
        elif x.ndim == 1:
            hint = f" Samples are (N, {width}), and one sample is (1, {width})."
        elif x.ndim:
            hint = f" Did you mean Dense({self.units}, input_shape=({given},))?"
        return ShapeError(
            f"{path_of(self)}: the last axis of the input must have {width} features, got {given}\n"
            f"{facts} {hint}"
        )

    def describe(self) -> str:
        width = "?" if self.weight is None else self.weight.shape[0]
        act = "" if self.activation is activations.linear else f", {_name(self.activation)}"
        return f"{width} → {self.units}{act}{'' if self.use_bias else ', no bias'}"


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def called(layer: Callable[..., Any], x: Any, mask: Any) -> Any:
    """What a layer makes of x; it is given the mask if it takes one."""
    if mask is not None and getattr(layer, "takes_mask", False):
        return layer(x, mask=mask)
    return layer(x)


class Sequential(Module):
    """Layers one after the other: what each gives, the next takes.

    A layer is known by its `name` where it has one, else by its place: "0.weight",
    "hidden.weight".  Where the first layer knows its `input_shape`, all layers are built at once.

    A `mask` (N, T) of padding goes to every layer that takes one, such as `LSTM`, as long as there
    are steps (N, T, …); an `Embedding(mask_zero=True)` makes one for the layers behind it.
    """

    def __init__(
        self, layers: Sequence[Callable[[Any], Any]] = (), name: str | None = None
    ) -> None:
        self.name = name
        self.layers: list[Callable[[Any], Any]] = []
        for layer in layers:
            self._append(layer)
        self._build_if_known()

    def add(self, layer: Callable[[Any], Any]) -> None:
        """Append a layer."""
        self._append(layer)
        self._build_if_known()

    def _append(self, layer: Callable[[Any], Any]) -> None:
        if isinstance(layer, type) or not callable(layer):
            wanted = f"{layer.__name__}(…)" if isinstance(layer, type) else "nn.Dense(…)"
            raise TypeError(
                f"Sequential: layer {len(self.layers)} must be a module, such as {wanted}, "
                f"not {layer!r:.60}"
            )
        name = getattr(layer, "name", None)
        if name is not None and (name.isdigit() or "." in name):
            raise ValueError(f"Sequential: a layer's name is not a number and has no dot: {name!r}")
        if any(key == name and other is not layer for key, other in self.members()):
            raise ValueError(f"Sequential: two layers are named {name!r}; give one another name")
        self.layers.append(layer)

    def _build_if_known(self) -> None:
        first = self.layers[0] if self.layers else None
        known = self.input_shape or getattr(first, "input_shape", None)
        if known is not None and self.unbuilt():
            self.build(known)
        self.input_shape = known

    def members(self) -> list[tuple[str, Any]]:
        """The layers by name or place, then what a subclass keeps beside them."""
        layers = [
            (getattr(layer, "name", None) or str(i), layer) for i, layer in enumerate(self.layers)
        ]
        return layers + [item for item in vars(self).items() if item[0] != "layers"]

    @property
    def takes_mask(self) -> bool:
        """Whether some layer takes a mask of padding."""
        return any(getattr(layer, "takes_mask", False) for layer in self.layers)

    def padding_mask(self, x: Any) -> Any:
        """The mask that the first layer makes of its input, for layers behind this module."""
        make = getattr(self.layers[0], "padding_mask", None) if self.layers else None
        return make(x) if make is not None else None

    def __call__(self, x: Any, mask: Any = None) -> Any:
        if mask is not None and not self.takes_mask:
            raise TypeError(f"{path_of(self)}: a mask is given, but no layer takes one")
        for layer in self.layers:
            make = getattr(layer, "padding_mask", None)
            if mask is None and make is not None:
                mask = make(x)
            if mask is None:
                x = layer(x)
                continue
            x = called(layer, x, mask)
            if isinstance(x, Tensor) and x.ndim < 3:
                mask = None  # the steps are gone
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

    def __getitem__(self, i: int | str) -> Any:
        """The layer of that place, or of that name."""
        if not isinstance(i, str):
            return self.layers[i]
        found = dict(self.members()).get(i)
        if not isinstance(found, Module):
            names = [layer.name for layer in self.layers if getattr(layer, "name", None)]
            raise KeyError(f"Sequential: no layer is named {i!r}; named are {names}")
        return found


class Flatten(Module):
    """All axes of a sample as one: (N, 28, 28) becomes (N, 784)."""

    def __init__(self, input_shape: tuple[int, ...] | None = None, name: str | None = None) -> None:
        self.input_shape, self.name = input_shape, name

    def __call__(self, x: Tensor) -> Tensor:
        return (x if isinstance(x, Tensor) else Tensor(x)).flatten(1)


class Dropout(Module):
    """Each element is 0 with probability `rate` while training, and the others grow to make up
    for it (Srivastava et al. 2014, in the inverted form); nothing happens outside training."""

    def __init__(self, rate: float, name: str | None = None) -> None:
        if not 0 <= rate < 1:
            raise ValueError(
                f"Dropout: rate {rate} is outside [0, 1); it is the share of elements that go"
            )
        self.rate, self.name = rate, name

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if not self.rate or not self.training:
            return x
        return x * random.dropout_mask(x.shape, 1 - self.rate, x.dtype, x.backend)

    def describe(self) -> str:
        return f"{self.rate:g}"
