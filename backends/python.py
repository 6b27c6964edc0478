"""Python's own numbers as a backend: what a scalar `Value` computes with.

A float is an array of shape `()`. Where `math` and NumPy use different names, NumPy's is taken,
so that one forward function serves both. Rational operations keep a `fractions.Fraction` exact.
"""

import builtins
import math
from collections.abc import Callable
from math import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    erf,
    exp,
    expm1,
    inf,
    isfinite,
    log,
    log1p,
    nan,
    sin,
    sinh,
    sqrt,
    tan,
    tanh,
)
from typing import Any

__all__ = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh",
    "erf", "exp", "expm1", "floor", "invert", "log", "log1p", "logical_and", "logical_or",
    "logical_xor", "maximum", "minimum", "name", "normal_cdf", "normal_pdf", "round", "sigmoid",
    "sign", "sin", "sinh", "sqrt", "tan", "tanh", "to_host", "where", "xlogy",
]  # fmt: skip

name = "python"
abs = abs


def _whole(step: Callable[[Any], int]) -> Callable[[Any], Any]:
    """A step function whose result is of the type of x, as arrays have it; inf and NaN stay."""
    return lambda x: type(x)(step(x)) if isfinite(x) else x


floor, ceil, round = _whole(math.floor), _whole(math.ceil), _whole(builtins.round)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two numbers, of the type of x; NaN if either is NaN."""
    return x if x > y or x != x else type(x)(y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two numbers, of the type of x; NaN if either is NaN."""
    return x if x < y or x != x else type(x)(y)


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y."""
    return x if condition else y


def sign(x: Any) -> Any:
    """-1, 0 or 1, of the type of x; NaN stays NaN."""
    return x if x != x else type(x)((x > 0) - (x < 0))


def normal_cdf(x: Any) -> Any:
    """Distribution function of the standard normal."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


def normal_pdf(x: Any) -> Any:
    """Density of the standard normal."""
    return exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def sigmoid(x: Any) -> Any:
    """Logistic function, without overflow."""
    return 1 / (1 + exp(-x)) if x > -709 else exp(x)


def xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0; NaN for a negative y, as arrays have it."""
    if x == 0:
        return 0.0
    return x * (log(y) if y > 0 else -inf if y == 0 else nan)


def logical_and(x: Any, y: Any) -> bool:
    """Whether both numbers are non-zero."""
    return bool(x) and bool(y)


def logical_or(x: Any, y: Any) -> bool:
    """Whether at least one number is non-zero."""
    return bool(x) or bool(y)


def logical_xor(x: Any, y: Any) -> bool:
    """Whether just one number is non-zero."""
    return bool(x) != bool(y)


def invert(x: Any) -> Any:
    """Logical not of a truth value; bitwise not of an integer."""
    return not x if isinstance(x, bool) else ~x


def to_host(x: Any) -> Any:
    """The number itself: it already lives on the host."""
    return x
