"""Convolutions, channels last: x (N, *spatial, channels), weight (*size, channels, filters).

They see a small window of the input at a time and use the same weights at every place (LeCun et
al. 1989).  `padding` is "valid" (windows lie inside), "same" (as many places as elements, divided
by the strides), for series also "causal", or explicit: an int, one per spatial axis, or one pair
(before, after) per spatial axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from autograd import Tensor
from autograd.errors import DTypeError, ShapeError
from autograd.windows import conv, conv_transpose

from .. import activations, init
from ..module import Module, path_of
from .space import check_rank, count, name_of, paddings, sizes, times

__all__ = ["Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose"]

Activation = str | Callable[[Tensor], Tensor] | None


class Convolution(Module):
    """What the convolutions share: windows, weights that wait for the first input, errors.

    A subclass says what shape its kernel has for so many channels, for how many channels a kernel
    is, and how it convolves.
    """

    rank: ClassVar[int]
    """The number of spatial axes."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        dilation_rate: Any,
        activation: Activation,
        use_bias: bool,
        kernel_init: str | init.Initializer,
        bias_init: str | init.Initializer,
        input_shape: tuple[int, ...] | None,
        name: str | None,
    ) -> None:
        kind = type(self).__name__
        self.kernel_size = sizes(kind, "kernel_size", kernel_size, self.rank)
        self.strides = sizes(kind, "strides", strides, self.rank)
        self.padding = paddings(kind, padding, self.rank)
        self.dilation_rate = sizes(kind, "dilation_rate", dilation_rate, self.rank)
        self.activation, self.use_bias, self.name = activations.get(activation), use_bias, name
        self.kernel_init, self.bias_init = init.get(kernel_init), init.get(bias_init)
        self.weight: Tensor | None = None
        self.bias: Tensor | None = None
        if input_shape is not None:
            self.build(input_shape)

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """The weight's shape for an input of so many channels."""
        raise NotImplementedError

    def channels(self, kernel: tuple[int, ...]) -> int:
        """The channels of the input that a kernel of this shape is for."""
        raise NotImplementedError

    def outputs(self, kernel: tuple[int, ...]) -> int:
        """The channels of the output: what the bias is for."""
        return kernel[-1]

    def convolve(self, x: Tensor) -> Tensor:
        """The convolution of x with the weight, plus the bias."""
        raise NotImplementedError

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self.weight is not None

    def build(self, input_shape: tuple[int, ...]) -> Convolution:
        """Make the weights for samples of this shape, (*spatial, channels)."""
        shape = (input_shape,) if isinstance(input_shape, int) else tuple(input_shape)
        if not shape or shape[-1] < 1:
            raise ShapeError(
                f"{path_of(self)}: input_shape {shape} has no channels; (*spatial, channels) is "
                "needed"
            )
        self.input_shape = shape if len(shape) == self.rank + 1 else None
        kernel = self.kernel_shape(shape[-1])
        self.weight = self._parameter("weight", self.kernel_init, kernel)
        if self.use_bias:
            self.bias = self._parameter("bias", self.bias_init, (self.outputs(kernel),))
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the weights in the shape that a state dict has them."""
        if "weight" in state and len(state["weight"].shape) == self.rank + 2:
            self.build((self.channels(state["weight"].shape),))

    def __call__(self, x: Tensor) -> Tensor:
        x = check_rank(self, x, self.rank)
        if self.weight is None:
            self.build(x.shape[1:]).to(x.backend)
            assert self.weight is not None
        if x.shape[-1] != self.channels(self.weight.shape):
            raise self._other_channels(x)
        try:
            z = self.convolve(x)
        except ShapeError as error:  # the window does not fit
            raise ShapeError(f"{path_of(self)}: {error}") from None
        except DTypeError:
            raise self._other_dtype(x) from None
        return self.activation(z)

    def _other_channels(self, x: Tensor) -> ShapeError:
        assert self.weight is not None
        wanted, given = self.channels(self.weight.shape), x.shape[-1]
        mend = (
            f"Give it {wanted} channels, or make a new {type(self).__name__}: it takes as many as "
            "it is first called with."
        )
        if x.shape[1] == wanted:
            order = (0, *range(2, x.ndim), 1)
            mend = f"Channels come last here: x.permute{order}."
        return ShapeError(
            f"{path_of(self)}: the last axis of the input must have {wanted} channels, got {given}"
            f"\n  input   {x.shape} {x.dtype}\n  weight  {self.weight.shape} {self.weight.dtype}\n"
            f"  {mend}"
        )

    def _other_dtype(self, x: Tensor) -> DTypeError:
        assert self.weight is not None
        dtype = self.weight.dtype
        return DTypeError(
            f"{path_of(self)}: the input is {x.dtype}, the weights are {dtype}\n"
            f"  input   {x.shape} {x.dtype}\n  weight  {self.weight.shape} {dtype}\n"
            f'  Convert the input: x.astype("{dtype}"), or Tensor(x, dtype="{dtype}").'
        )

    def describe(self) -> str:
        known = self.weight is not None
        inputs = self.channels(self.weight.shape) if known else "?"
        outputs = self.outputs(self.weight.shape) if known else getattr(self, "filters", "?")
        facts = [
            f"{inputs} → {outputs}",
            times(self.kernel_size),
            f"strides {times(self.strides)}" if max(self.strides) > 1 else "",
            f"dilation {times(self.dilation_rate)}" if max(self.dilation_rate) > 1 else "",
            f"{self.groups} groups" if getattr(self, "groups", 1) > 1 else "",
            str(self.padding) if self.padding != "valid" else "",
            "" if self.activation is activations.linear else name_of(self.activation),
            "" if self.use_bias else "no bias",
        ]
        return ", ".join(filter(None, facts))


class _Conv(Convolution):
    """activation(convolution of x with weight + bias)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_init: str | init.Initializer = "glorot_uniform",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        self.filters = count(kind, "filters", filters)
        self.groups = count(kind, "groups", groups)
        if filters % groups:
            raise ValueError(
                f"{kind}: {groups} groups do not divide {filters} filters; use a multiple of "
                f"{groups}, such as {filters + -filters % groups}"
            )
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_init,
            bias_init, input_shape, name,
        )  # fmt: skip

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """(*size, channels / groups, filters)."""
        if channels % self.groups:
            raise ShapeError(
                f"{path_of(self)}: {self.groups} groups do not divide the {channels} channels of "
                "the input, its last axis. Choose groups that divide channels and filters."
            )
        return (*self.kernel_size, channels // self.groups, self.filters)

    def channels(self, kernel: tuple[int, ...]) -> int:
        """As the groups have together."""
        return kernel[-2] * self.groups

    def convolve(self, x: Tensor) -> Tensor:
        """By `autograd.conv`."""
        assert self.weight is not None
        return conv(
            x, self.weight, self.bias, self.strides, self.padding, self.dilation_rate, self.groups
        )


class Conv1D(_Conv):
    """activation(convolution of x with weight + bias) for series x (N, steps, channels).

    `weight` is (size, channels / groups, filters), the result (N, places, filters).
    `padding="causal"` keeps what comes later out of each place.

    >>> Conv1D(32, 5, padding="causal", input_shape=(100, 3)).weight.shape
    (5, 3, 32)
    """

    rank = 1


class Conv2D(_Conv):
    """activation(convolution of x with weight + bias) for images x (N, height, width, channels).

    `weight` is (height, width, channels / groups, filters), the result (N, *places, filters).

    >>> Conv2D(32, 3, activation="relu", input_shape=(28, 28, 1)).weight.shape
    (3, 3, 1, 32)
    """

    rank = 2


class _Transposed(Convolution):
    """activation(transposed convolution of x with weight + bias)."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        output_padding: Any = None,
        dilation_rate: Any = 1,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_init: str | init.Initializer = "glorot_uniform",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        self.filters = count(type(self).__name__, "filters", filters)
        self.output_padding = output_padding
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, kernel_init,
            bias_init, input_shape, name,
        )  # fmt: skip

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """(*size, filters, channels)."""
        return (*self.kernel_size, self.filters, channels)

    def channels(self, kernel: tuple[int, ...]) -> int:
        """The last axis: seen from the input, the kernel is transposed."""
        return kernel[-1]

    def outputs(self, kernel: tuple[int, ...]) -> int:
        """The last axis but one."""
        return kernel[-2]

    def convolve(self, x: Tensor) -> Tensor:
        """By `autograd.conv_transpose`."""
        assert self.weight is not None
        return conv_transpose(
            x, self.weight, self.bias, self.strides, self.padding, self.dilation_rate,
            output_padding=self.output_padding,
        )  # fmt: skip


class Conv1DTranspose(_Transposed):
    """A convolution run backwards, which makes a series `strides` times as long.

    x (N, steps, channels), weight (size, filters, channels), result (N, longer, filters).
    """

    rank = 1


class Conv2DTranspose(_Transposed):
    """A convolution run backwards, which makes an image `strides` times as large.

    x (N, height, width, channels), weight (*size, filters, channels), result (N, *larger, filters).

    >>> Conv2DTranspose(16, 3, strides=2, padding="same", input_shape=(7, 7, 64)).weight.shape
    (3, 3, 16, 64)
    """

    rank = 2
