"""Numbers as small integers with a scale and a zero point, and back."""

from __future__ import annotations

from typing import Any

import autograd as ag
from autograd import Tensor

from .table import check, dtype_named, onnx_op
from .window import conv

RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def _laid(s: Tensor, x: Tensor, axis: int, block_size: int) -> Tensor:
    """A scale or zero point as it meets x: one number, one per slice, or one per block."""
    if block_size:
        spread = ag.repeat(s, block_size, axis)
        return spread[(slice(None),) * (axis % x.ndim) + (slice(0, x.shape[axis]),)]
    if s.size == 1:
        return s.reshape(())
    if s.ndim == 1:
        shape = [1] * x.ndim
        shape[axis] = s.shape[0]
        return s.reshape(shape)
    return s


@onnx_op("QuantizeLinear")
def quantize_linear(
    x: Tensor, scale: Tensor, zero: Tensor | None = None, *, axis: int = 1, saturate: int = 1,
    block_size: int = 0, output_dtype: int = 0, precision: int = 0,
) -> Tensor:  # fmt: skip
    kind = str(zero.dtype) if zero is not None else dtype_named(output_dtype or 2)
    check(kind in RANGES, f"quantisation to {kind}")
    low, high = RANGES[kind]
    s = _laid(scale.astype("float32"), x, axis, block_size)
    z = ag.round(x.astype("float32") / s)
    if zero is not None:
        z = z + _laid(zero, x, axis, block_size).astype("float32")
    return ag.clip(z, low=low, high=high).astype("int32").astype(kind)


@onnx_op("DequantizeLinear")
def dequantize_linear(
    x: Tensor, scale: Tensor, zero: Tensor | None = None, *, axis: int = 1, block_size: int = 0,
    output_dtype: int = 0,
) -> Tensor:  # fmt: skip
    kind = scale.dtype if not output_dtype else dtype_named(output_dtype)
    z = x.astype("float32")
    if zero is not None:
        z = z - _laid(zero, x, axis, block_size).astype("float32")
    return (z * _laid(scale.astype("float32"), x, axis, block_size)).astype(kind)


@onnx_op("DynamicQuantizeLinear")
def dynamic_quantize_linear(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    low, high = ag.minimum(x.min(), 0.0), ag.maximum(x.max(), 0.0)
    scale = (high - low) / 255.0
    zero = ag.clip(ag.round(-low / scale), low=0, high=255).astype("int32").astype("uint8")
    return quantize_linear(x, scale, zero), scale, zero


def _whole(x: Tensor, zero: Tensor | None, axis: int = 0) -> Tensor:
    """Integers less their zero point, which may be one per row or column."""
    x = x.astype("int32")
    return x if zero is None else x - _laid(zero.astype("int32"), x, axis, 0)


@onnx_op("MatMulInteger")
def matmul_integer(
    a: Tensor, b: Tensor, a_zero: Tensor | None = None, b_zero: Tensor | None = None
) -> Tensor:
    return _whole(a, a_zero, -2) @ _whole(b, b_zero, -1)


@onnx_op("ConvInteger")
def conv_integer(
    x: Tensor, w: Tensor, x_zero: Tensor | None = None, w_zero: Tensor | None = None,
    **how: Any,
) -> Tensor:  # fmt: skip
    """Sums of products of small integers are exact in float64."""
    wide = [_whole(t, zero).astype("float64") for t, zero in ((x, x_zero), (w, w_zero))]
    return conv(*wide, **how).astype("int32")


@onnx_op("QLinearMatMul")
def qlinear_matmul(
    a: Tensor, a_scale: Tensor, a_zero: Tensor, b: Tensor, b_scale: Tensor, b_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor,
) -> Tensor:  # fmt: skip
    product = matmul_integer(a, b, a_zero, b_zero).astype("float32")
    scale = a_scale.astype("float32") * b_scale.astype("float32") / y_scale.astype("float32")
    return _rounded(product * scale, y_zero)


@onnx_op("QLinearConv")
def qlinear_conv(
    x: Tensor, x_scale: Tensor, x_zero: Tensor, w: Tensor, w_scale: Tensor, w_zero: Tensor,
    y_scale: Tensor, y_zero: Tensor, b: Tensor | None = None, **how: Any,
) -> Tensor:  # fmt: skip
    total = conv_integer(x, w, x_zero, w_zero, **how)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    if b is not None:
        total = total + b.reshape(shape)
    scale = x_scale * w_scale.reshape(shape if w_scale.size > 1 else ()) / y_scale
    return _rounded(total.astype("float32") * scale, y_zero)


def _rounded(z: Tensor, zero: Tensor) -> Tensor:
    low, high = RANGES[str(zero.dtype)]
    z = ag.round(z) + zero.astype("float32")
    return ag.clip(z, low=low, high=high).astype("int32").astype(zero.dtype)
