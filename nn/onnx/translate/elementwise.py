"""Operations on one element at a time.  Both broadcast as NumPy does."""

from __future__ import annotations

import math
from typing import Any

from ..graph import Graph, Ref
from .table import rule, same

same(
    add="Add", sub="Sub", mul="Mul", neg="Neg", pow="Pow",
    exp="Exp", log="Log", sqrt="Sqrt", erf="Erf", sigmoid="Sigmoid", softplus="Softplus",
    sin="Sin", cos="Cos", tan="Tan", asin="Asin", acos="Acos", atan="Atan",
    sinh="Sinh", cosh="Cosh", tanh="Tanh", asinh="Asinh", acosh="Acosh", atanh="Atanh",
    relu="Relu", abs="Abs", sign="Sign", floor="Floor", ceil="Ceil", round="Round",
    maximum="Max", minimum="Min", equal="Equal", less="Less", less_equal="LessOrEqual",
    greater="Greater", greater_equal="GreaterOrEqual",
)  # fmt: skip


@rule
def div(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    """ONNX divides integers without a rest."""
    return g("Div", g.cast(x, z.dtype), g.cast(y, z.dtype))


@rule
def power(g: Graph, z: Ref, x: Ref, n: float) -> Ref:
    return g("Mul", x, x) if n == 2 else g("Pow", x, g.number(n, x.dtype))


@rule
def xlogy(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    zero = g.number(0, z.dtype)
    return g("Where", g("Equal", x, zero), zero, g("Mul", x, g("Log", y)))


@rule
def mod(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    """Of floats, ONNX only has the remainder with the sign of x."""
    if z.dtype.kind in "iu":
        return g("Mod", x, y)
    return g("Sub", x, g("Mul", g("Floor", g("Div", x, y)), y))


@rule
def expm1(g: Graph, z: Ref, x: Ref) -> Ref:
    """Near 0, 2 t / (1 - t) with t = tanh(x / 2), which does not cancel."""
    one = g.number(1, z.dtype)
    t = g("Tanh", g("Mul", x, g.number(0.5, z.dtype)))
    near = g("Div", g("Add", t, t), g("Sub", one, t))
    return g("Where", g("Less", g("Abs", x), one), near, g("Sub", g("Exp", x), one))


@rule
def log1p(g: Graph, z: Ref, x: Ref) -> Ref:
    """2 atanh(x / (2 + x)) near 0, which does not cancel."""
    half = g("Atanh", g("Div", x, g("Add", x, g.number(2, z.dtype))))
    far = g("Log", g("Add", x, g.number(1, z.dtype)))
    return g("Where", g("Less", g("Abs", x), g.number(0.5, z.dtype)), g("Add", half, half), far)


@rule
def normal_pdf(g: Graph, z: Ref, x: Ref) -> Ref:
    bell = g("Exp", g("Mul", g("Mul", x, x), g.number(-0.5, z.dtype)))
    return g("Mul", bell, g.number(1 / math.sqrt(2 * math.pi), z.dtype))


@rule
def normal_cdf(g: Graph, z: Ref, x: Ref) -> Ref:
    inside = g("Erf", g("Mul", x, g.number(math.sqrt(0.5), z.dtype)))
    half = g.number(0.5, z.dtype)
    return g("Add", g("Mul", inside, half), half)


@rule
def atan2(g: Graph, z: Ref, y: Ref, x: Ref) -> Ref:
    """atan(y / x), a half turn further on the left side, and 0 at the origin."""
    zero, turn = g.number(0, z.dtype), g.number(math.pi, z.dtype)
    angle = g("Atan", g("Div", y, x))
    side = g("Where", g("Less", y, zero), g("Neg", turn), turn)
    angle = g("Where", g("Less", x, zero), g("Add", angle, side), angle)
    origin = g("And", g("Equal", x, zero), g("Equal", y, zero))
    return g("Where", origin, zero, angle)


@rule
def binary_cross_entropy_with_logits(g: Graph, z: Ref, x: Ref, t: Ref) -> Ref:
    straight = g("Sub", g("Relu", x), g("Mul", x, t))
    return g("Add", straight, g("Softplus", g("Neg", g("Abs", x))))


@rule
def clip(g: Graph, z: Ref, x: Ref, low: Any, high: Any) -> Ref:
    bounds = [None if b is None else g.number(b, x.dtype) for b in (low, high)]
    return g("Clip", x, *bounds)


@rule
def where(g: Graph, z: Ref, condition: Ref, x: Ref, y: Ref) -> Ref:
    return g("Where", _truth(g, condition), x, y)


@rule
def not_equal(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    return g("Not", g("Equal", x, y))


@rule
def logical_not(g: Graph, z: Ref, x: Ref) -> Ref:
    return g("Not", _truth(g, x))


@rule
def logical_and(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    return g("And", _truth(g, x), _truth(g, y))


@rule
def logical_or(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    return g("Or", _truth(g, x), _truth(g, y))


@rule
def logical_xor(g: Graph, z: Ref, x: Ref, y: Ref) -> Ref:
    return g("Xor", _truth(g, x), _truth(g, y))


def _truth(g: Graph, x: Ref) -> Ref:
    return g.cast(x, "bool")
