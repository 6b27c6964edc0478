"""Depthwise and separable convolutions: channels are convolved apart, then mixed."""

from __future__ import annotations

from typing import Any, ClassVar

from autograd import Tensor
from autograd.windows import conv

from .. import init
from ..module import Module
from .convolution import Activation, Conv1D, Conv2D, Convolution
from .space import count

__all__ = ["DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"]


class _Depthwise(Convolution):
    """Each channel convolved by itself, with `depth_multiplier` filters of its own."""

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        depth_multiplier: int = 1,
        dilation_rate: Any = 1,
        activation: Activation = None,
        use_bias: bool = True,
        depthwise_init: str | init.Initializer = "glorot_uniform",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        self.depth_multiplier = count(type(self).__name__, "depth_multiplier", depth_multiplier)
        super().__init__(
            kernel_size, strides, padding, dilation_rate, activation, use_bias, depthwise_init,
            bias_init, input_shape, name,
        )  # fmt: skip

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        """(*size, 1, channels · depth_multiplier)."""
        return (*self.kernel_size, 1, channels * self.depth_multiplier)

    def channels(self, kernel: tuple[int, ...]) -> int:
        """One for every `depth_multiplier` filters."""
        return kernel[-1] // self.depth_multiplier

    def convolve(self, x: Tensor) -> Tensor:
        """By `autograd.conv`, with one group per channel."""
        assert self.weight is not None
        return conv(
            x, self.weight, self.bias, self.strides, self.padding, self.dilation_rate,
            groups=x.shape[-1],
        )  # fmt: skip


class DepthwiseConv1D(_Depthwise):
    """Each channel of x (N, steps, channels) convolved by itself.

    `weight` is (size, 1, channels · depth_multiplier); the filters of one channel are neighbours.
    """

    rank = 1


class DepthwiseConv2D(_Depthwise):
    """Each channel of x (N, height, width, channels) convolved by itself.

    `weight` is (*size, 1, channels · depth_multiplier); the filters of one channel are neighbours.

    >>> DepthwiseConv2D(3, depth_multiplier=2, input_shape=(28, 28, 16)).weight.shape
    (3, 3, 1, 32)
    """

    rank = 2


class _Separable(Module):
    """A depthwise convolution, then one of size 1 that mixes the channels (Chollet 2017)."""

    depthwise_kind: ClassVar[type[_Depthwise]]
    pointwise_kind: ClassVar[type[Conv1D | Conv2D]]

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Activation = None,
        use_bias: bool = True,
        depthwise_init: str | init.Initializer = "glorot_uniform",
        pointwise_init: str | init.Initializer = "glorot_uniform",
        bias_init: str | init.Initializer = "zeros",
        input_shape: tuple[int, ...] | None = None,
        name: str | None = None,
    ) -> None:
        self.name = name
        self.depthwise = self.depthwise_kind(
            kernel_size, strides, padding, depth_multiplier, dilation_rate, use_bias=False,
            depthwise_init=depthwise_init,
        )  # fmt: skip
        self.pointwise = self.pointwise_kind(
            filters, 1, activation=activation, use_bias=use_bias, kernel_init=pointwise_init,
            bias_init=bias_init,
        )  # fmt: skip
        if input_shape is not None:
            self.build(input_shape)

    def __call__(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class SeparableConv1D(_Separable):
    """A convolution in two steps: along the steps of each channel, then across the channels."""

    depthwise_kind, pointwise_kind = DepthwiseConv1D, Conv1D


class SeparableConv2D(_Separable):
    """A convolution in two steps: within each channel, then across the channels.

    It has about 1/filters + 1/size² of the weights and the work of a `Conv2D`.
    """

    depthwise_kind, pointwise_kind = DepthwiseConv2D, Conv2D
