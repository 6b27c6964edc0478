"""Operators on one element at a time."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import autograd as ag
from autograd import Tensor
from autograd.dtypes import is_float

from .table import Call, check, dtype_named, onnx_op

_SAME = {
    "Neg": ag.neg, "Exp": ag.exp, "Log": ag.log, "Sqrt": ag.sqrt, "Erf": ag.erf,
    "Sin": ag.sin, "Cos": ag.cos, "Tan": ag.tan, "Asin": ag.asin, "Acos": ag.acos,
    "Atan": ag.atan, "Sinh": ag.sinh, "Cosh": ag.cosh, "Tanh": ag.tanh, "Asinh": ag.asinh,
    "Acosh": ag.acosh, "Atanh": ag.atanh, "Sigmoid": ag.sigmoid, "Softplus": ag.softplus,
    "Relu": ag.relu, "Abs": ag.abs, "Sign": ag.sign, "Floor": ag.floor, "Ceil": ag.ceil,
    "Round": ag.round, "Softsign": ag.functions.softsign, "Mish": ag.functions.mish,
    "Not": ag.logical_not,
}  # fmt: skip

_PAIRS = {
    "Add": ag.add, "Sub": ag.sub, "Mul": ag.mul, "Equal": ag.equal, "Less": ag.less,
    "LessOrEqual": ag.less_equal, "Greater": ag.greater, "GreaterOrEqual": ag.greater_equal,
    "And": ag.logical_and, "Or": ag.logical_or, "Xor": ag.logical_xor,
}  # fmt: skip


def _one(f: Any) -> Any:
    return lambda x: f(x)


def _two(f: Any) -> Any:
    """Before version 7 the second operand was laid along an `axis` of the first."""

    def pair(x: Tensor, y: Tensor, *, broadcast: int = 0, axis: int | None = None) -> Tensor:
        if axis is not None:
            y = y.reshape(*y.shape, *(1,) * (x.ndim - axis % x.ndim - y.ndim))
        return f(x, y)

    return pair


for _name, _f in _SAME.items():
    onnx_op(_name)(_one(_f))
for _name, _f in _PAIRS.items():
    onnx_op(_name)(_two(_f))


@onnx_op("Identity")
def identity(x: Any) -> Any:
    return x


@onnx_op("Div")
def div(x: Tensor, y: Tensor, *, broadcast: int = 0, axis: int | None = None) -> Tensor:
    """Of integers the quotient without its rest, towards 0."""
    if is_float(x.dtype):
        return _two(ag.div)(x, y, broadcast=broadcast, axis=axis)
    a, b = x.raw, y.raw
    down = a // b
    if x.dtype.kind == "u":
        return Tensor.of(down)
    return Tensor.of((down + ((down < 0) & (down * b != a))).astype(a.dtype))


@onnx_op("Mod")
def mod(x: Tensor, y: Tensor, *, fmod: int = 0) -> Tensor:
    """With the sign of y, or with `fmod` that of x."""
    if not fmod:
        return Tensor.of(x.raw % y.raw) if not is_float(x.dtype) else ag.mod(x, y)
    rest = ag.abs(x) % ag.abs(y)
    return ag.where(x < 0, -rest, rest).astype(x.dtype)


@onnx_op("Pow")
def pow(x: Tensor, y: Tensor, *, broadcast: int = 0, axis: int | None = None) -> Tensor:
    """In the dtype of x."""
    if not is_float(x.dtype):
        return Tensor.of((x.raw**y.raw).astype(x.dtype))
    return _two(ag.pow)(x, y.astype(x.dtype), broadcast=broadcast, axis=axis)


@onnx_op("Sum")
def sum(*xs: Tensor) -> Tensor:
    return reduce(ag.add, xs)


@onnx_op("Mean")
def mean(*xs: Tensor) -> Tensor:
    return reduce(ag.add, xs) / len(xs)


@onnx_op("Max")
def max(*xs: Tensor) -> Tensor:
    return reduce(ag.maximum, xs)


@onnx_op("Min")
def min(*xs: Tensor) -> Tensor:
    return reduce(ag.minimum, xs)


@onnx_op("Reciprocal")
def reciprocal(x: Tensor) -> Tensor:
    return 1 / x


@onnx_op("Clip")
def clip(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    low = min if min is None or isinstance(min, float) else min.astype(x.dtype)
    high = max if max is None or isinstance(max, float) else max.astype(x.dtype)
    x = x if low is None else ag.maximum(x, low)
    return x if high is None else ag.minimum(x, high)


@onnx_op("Where")
def where(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return ag.where(condition, x, y)


@onnx_op("IsNaN")
def is_nan(x: Tensor) -> Tensor:
    return x != x


@onnx_op("IsInf")
def is_inf(x: Tensor, *, detect_negative: int = 1, detect_positive: int = 1) -> Tensor:
    up, down = x == math.inf, x == -math.inf
    if detect_negative and detect_positive:
        return up | down
    return up if detect_positive else down if detect_negative else up & down


# --- activations ---


@onnx_op("Elu")
def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return ag.elu(x, alpha)


@onnx_op("Celu")
def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return ag.maximum(x, 0) + ag.minimum(alpha * ag.expm1(x / alpha), 0)


@onnx_op("Selu")
def selu(
    x: Tensor, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805
) -> Tensor:
    return gamma * ag.elu(x, alpha)


@onnx_op("LeakyRelu")
def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return ag.leaky_relu(x, alpha)


@onnx_op("PRelu")
def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return ag.where(x < 0, slope * x, x)


@onnx_op("ThresholdedRelu")
def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return ag.where(x > alpha, x, 0)


@onnx_op("HardSigmoid")
def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    return ag.clip(alpha * x + beta, low=0.0, high=1.0)


@onnx_op("HardSwish")
def hard_swish(x: Tensor) -> Tensor:
    return x * hard_sigmoid(x, alpha=1 / 6)


@onnx_op("Swish")
def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return x * ag.sigmoid(alpha * x)


@onnx_op("Gelu")
def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return ag.gelu(x, approximate == "tanh")


@onnx_op("Shrink")
def shrink(x: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    """In x's own dtype, which may be an integer one."""
    pulled = ag.where(x < -lambd, x + bias, ag.where(x > lambd, x - bias, 0))
    return pulled.astype(x.dtype)


@onnx_op("Softmax", "LogSoftmax", "Hardmax")
def softmax(x: Tensor, *, axis: int | None = None, call: Call) -> Tensor:
    """Before version 13 over all axes from `axis` on, which was 1 by default, as one."""
    old = call.opset < 13
    axis = (1 if old else -1) if axis is None else axis
    flat = x.reshape(_rows(x, axis)) if old else x
    along = -1 if old else axis
    if call.kind == "Hardmax":
        best = flat.argmax(axis=along, keepdims=True)
        shape = [1] * flat.ndim
        shape[along] = flat.shape[along]
        places = ag.arange(flat.shape[along]).reshape(shape)
        z = (best == places).astype(x.dtype)
    else:
        z = ag.softmax(flat, axis=along) if call.kind == "Softmax" else flat.log_softmax(axis=along)
    return z.reshape(x.shape)


def _rows(x: Tensor, axis: int) -> tuple[int, int]:
    """The shape of x as a matrix whose columns are the axes from `axis` on."""
    axis = axis % x.ndim if axis != x.ndim else axis
    return math.prod(x.shape[:axis]), math.prod(x.shape[axis:])


# --- integers, bit by bit ---


@onnx_op("BitwiseAnd")
def bitwise_and(x: Tensor, y: Tensor) -> Tensor:
    return Tensor.of(x.raw & y.raw)


@onnx_op("BitwiseOr")
def bitwise_or(x: Tensor, y: Tensor) -> Tensor:
    return Tensor.of(x.raw | y.raw)


@onnx_op("BitwiseXor")
def bitwise_xor(x: Tensor, y: Tensor) -> Tensor:
    return Tensor.of(x.raw ^ y.raw)


@onnx_op("BitwiseNot")
def bitwise_not(x: Tensor) -> Tensor:
    return Tensor.of(~x.raw)


@onnx_op("BitShift")
def bit_shift(x: Tensor, y: Tensor, *, direction: str) -> Tensor:
    return Tensor.of(x.raw << y.raw if direction == "LEFT" else x.raw >> y.raw)


# --- dtypes ---


@onnx_op("Cast")
def cast(x: Tensor, *, to: int, saturate: int = 1, round_mode: str = "up") -> Tensor:
    return x.astype(dtype_named(to))


@onnx_op("CastLike")
def cast_like(x: Tensor, y: Tensor, *, saturate: int = 1, round_mode: str = "up") -> Tensor:
    return x.astype(y.dtype)


@onnx_op("BitCast")
def bit_cast(x: Tensor, *, to: int) -> Tensor:
    """The same bits, read as another dtype of the same size."""
    kind = Tensor(0, dtype=dtype_named(to)).dtype
    check(x.dtype.itemsize == kind.itemsize, f"{x.dtype} and {kind} differ in size")
    return Tensor.of(x.raw.view(kind))
