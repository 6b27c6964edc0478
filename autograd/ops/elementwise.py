"""Operations on one element at a time.  They broadcast, and serve `Value` and `Tensor` alike.

At kinks the gradient is PyTorch's: the subgradient of smallest norm.  `docs` of each op that has
one say which; `tests/test_kinks.py` holds the table.
"""


import math
from typing import Any

from ..node import elementwise

# --- arithmetic ---


@elementwise
def add(xp: Any, x: Any, y: Any) -> Any:
    """Sum x + y."""
    return x + y
add.vjp(lambda g, z, x, y: g, lambda g, z, x, y: g)


@elementwise
def sub(xp: Any, x: Any, y: Any) -> Any:
    """Difference x - y."""
    return x - y
sub.vjp(lambda g, z, x, y: g, lambda g, z, x, y: -g)


@elementwise
def mul(xp: Any, x: Any, y: Any) -> Any:
    """Product x * y."""
    return x * y
mul.vjp(lambda g, z, x, y: g * y, lambda g, z, x, y: g * x)


@elementwise(domain=((-2, 2), (0.5, 2)))
def div(xp: Any, x: Any, y: Any) -> Any:
    """Quotient x / y."""
    return x / y
div.vjp(lambda g, z, x, y: g / y, lambda g, z, x, y: -g * z / y)


@elementwise
def neg(xp: Any, x: Any) -> Any:
    """Negation -x."""
    return -x
neg.vjp(lambda g, z, x: -g)


@elementwise(domain=(0.5, 2), samples=({"n": 2}, {"n": 3}, {"n": -1}, {"n": 0.5}, {"n": 0}))
def power(xp: Any, x: Any, *, n: Any) -> Any:
    """Power x ** n for a constant number n.  0 ** 0 is 1, with gradient 0."""
    return x**n
power.vjp(lambda g, z, x, n: g * 0 if n == 0 else g * n if n == 1 else g * (n * power(x, n=n - 1)))


@elementwise(domain=((0.5, 2), (-2, 2)))
def pow(xp: Any, x: Any, y: Any) -> Any:
    """Power x ** y.  0 ** 0 is 1, and both its gradients are 0."""
    return x**y
pow.vjp(
    lambda g, z, x, y: g * (y * x ** where(y == 0, 1, y - 1)),
    lambda g, z, x, y: g * where((x == 0) & (y >= 0), 0, xlogy(z, x)),
)


@elementwise(domain=((-2, 2), (0.5, 2)))
def xlogy(xp: Any, x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0."""
    return xp.xlogy(x, y)
xlogy.vjp(lambda g, z, x, y: g * where(x == 0, 0.0, log(y)), lambda g, z, x, y: g * x / y)


@elementwise(domain=((2, 6), (1, 2)))
def mod(xp: Any, x: Any, y: Any) -> Any:
    """Remainder x - floor(x / y) y, with the sign of y."""
    return x % y
mod.vjp(lambda g, z, x, y: g, lambda g, z, x, y: -g * floor(x / y))

# --- exponentials and powers ---


@elementwise
def exp(xp: Any, x: Any) -> Any:
    """Exponential."""
    return xp.exp(x)
exp.vjp(lambda g, z, x: g * z)


@elementwise
def expm1(xp: Any, x: Any) -> Any:
    """exp(x) - 1, exact near 0."""
    return xp.expm1(x)
expm1.vjp(lambda g, z, x: g * (z + 1))


@elementwise(domain=(0.5, 2))
def log(xp: Any, x: Any) -> Any:
    """Natural logarithm."""
    return xp.log(x)
log.vjp(lambda g, z, x: g / x)


@elementwise(domain=(-0.5, 2))
def log1p(xp: Any, x: Any) -> Any:
    """log(1 + x), exact near 0."""
    return xp.log1p(x)
log1p.vjp(lambda g, z, x: g / (1 + x))


@elementwise(domain=(0.5, 2))
def sqrt(xp: Any, x: Any) -> Any:
    """Square root."""
    return xp.sqrt(x)
sqrt.vjp(lambda g, z, x: g / (2 * z))

# --- trigonometric and hyperbolic ---


@elementwise
def sin(xp: Any, x: Any) -> Any:
    """Sine."""
    return xp.sin(x)
sin.vjp(lambda g, z, x: g * cos(x))


@elementwise
def cos(xp: Any, x: Any) -> Any:
    """Cosine."""
    return xp.cos(x)
cos.vjp(lambda g, z, x: -g * sin(x))


@elementwise(domain=(-1, 1))
def tan(xp: Any, x: Any) -> Any:
    """Tangent."""
    return xp.tan(x)
tan.vjp(lambda g, z, x: g * (1 + z * z))


@elementwise(domain=(-0.9, 0.9))
def asin(xp: Any, x: Any) -> Any:
    """Inverse sine."""
    return xp.asin(x)
asin.vjp(lambda g, z, x: g / sqrt(1 - x * x))


@elementwise(domain=(-0.9, 0.9))
def acos(xp: Any, x: Any) -> Any:
    """Inverse cosine."""
    return xp.acos(x)
acos.vjp(lambda g, z, x: -g / sqrt(1 - x * x))


@elementwise
def atan(xp: Any, x: Any) -> Any:
    """Inverse tangent."""
    return xp.atan(x)
atan.vjp(lambda g, z, x: g / (1 + x * x))


@elementwise(domain=(0.5, 2))
def atan2(xp: Any, y: Any, x: Any) -> Any:
    """Angle of the point (x, y), in (-π, π].  The gradient at the origin is 0."""
    return xp.atan2(y, x)
atan2.vjp(
    lambda g, z, y, x: g * x / where((x == 0) & (y == 0), 1, x * x + y * y),
    lambda g, z, y, x: -g * y / where((x == 0) & (y == 0), 1, x * x + y * y),
)


@elementwise
def sinh(xp: Any, x: Any) -> Any:
    """Hyperbolic sine."""
    return xp.sinh(x)
sinh.vjp(lambda g, z, x: g * cosh(x))


@elementwise
def cosh(xp: Any, x: Any) -> Any:
    """Hyperbolic cosine."""
    return xp.cosh(x)
cosh.vjp(lambda g, z, x: g * sinh(x))


@elementwise
def tanh(xp: Any, x: Any) -> Any:
    """Hyperbolic tangent."""
    return xp.tanh(x)
tanh.vjp(lambda g, z, x: g * (1 - z * z))


@elementwise
def asinh(xp: Any, x: Any) -> Any:
    """Inverse hyperbolic sine."""
    return xp.asinh(x)
asinh.vjp(lambda g, z, x: g / sqrt(x * x + 1))


@elementwise(domain=(1.5, 3))
def acosh(xp: Any, x: Any) -> Any:
    """Inverse hyperbolic cosine."""
    return xp.acosh(x)
acosh.vjp(lambda g, z, x: g / sqrt(x * x - 1))


@elementwise(domain=(-0.9, 0.9))
def atanh(xp: Any, x: Any) -> Any:
    """Inverse hyperbolic tangent."""
    return xp.atanh(x)
atanh.vjp(lambda g, z, x: g / (1 - x * x))

# --- functions of neural networks ---


@elementwise
def erf(xp: Any, x: Any) -> Any:
    """Error function 2/√π ∫₀ˣ exp(-t²) dt."""
    return xp.erf(x)
erf.vjp(lambda g, z, x: g * (2 / math.sqrt(math.pi)) * exp(-x * x))


@elementwise
def normal_pdf(xp: Any, x: Any) -> Any:
    """Density φ(x) = exp(-x²/2) / √2π of the normal distribution."""
    return xp.normal_pdf(x)
normal_pdf.vjp(lambda g, z, x: -g * z * x)


@elementwise
def normal_cdf(xp: Any, x: Any) -> Any:
    """Normal distribution function Φ(x) = ∫ φ up to x."""
    return xp.normal_cdf(x)
normal_cdf.vjp(lambda g, z, x: g * normal_pdf(x))


@elementwise
def gelu(xp: Any, x: Any) -> Any:
    """x Φ(x) (Hendrycks & Gimpel 2016), exact."""
    return x * xp.normal_cdf(x)
gelu.vjp(lambda g, z, x: g * (normal_cdf(x) + x * normal_pdf(x)))


@elementwise
def sigmoid(xp: Any, x: Any) -> Any:
    """Logistic function 1 / (1 + exp(-x)), without overflow."""
    return xp.sigmoid(x)
sigmoid.vjp(lambda g, z, x: g * z * (1 - z))


@elementwise
def softplus(xp: Any, x: Any) -> Any:
    """log(1 + exp(x)), written so that nothing overflows."""
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))
softplus.vjp(lambda g, z, x: g * sigmoid(x))


@elementwise
def relu(xp: Any, x: Any) -> Any:
    """Rectifier max(x, 0); its gradient at 0 is 0."""
    return xp.maximum(x, 0)
relu.vjp(lambda g, z, x: g * sign(z))

@elementwise
def binary_cross_entropy_with_logits(xp: Any, x: Any, t: Any) -> Any:
    """-t log σ(x) - (1 - t) log(1 - σ(x)) for a logit x and a target t in [0, 1].

    Computed as max(x, 0) - x t + log(1 + exp(-|x|)), which neither overflows nor cancels.
    """
    return xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(-xp.abs(x)))
binary_cross_entropy_with_logits.vjp(
    lambda g, z, x, t: g * (sigmoid(x) - t), lambda g, z, x, t: -g * x
)

# --- kinks, steps and choices ---


@elementwise
def abs(xp: Any, x: Any) -> Any:
    """Absolute value; its gradient at 0 is 0."""
    return xp.abs(x)
abs.vjp(lambda g, z, x: g * sign(x))


@elementwise
def sign(xp: Any, x: Any) -> Any:
    """-1, 0 or 1; its gradient is 0."""
    return xp.sign(x)


@elementwise
def maximum(xp: Any, x: Any, y: Any) -> Any:
    """The larger of x and y; where they are equal the gradient is halved."""
    return xp.maximum(x, y)
maximum.vjp(
    lambda g, z, x, y: where(x == y, g / 2, where(x > y, g, 0)),
    lambda g, z, x, y: where(x == y, g / 2, where(x > y, 0, g)),
)


@elementwise
def minimum(xp: Any, x: Any, y: Any) -> Any:
    """The smaller of x and y; where they are equal the gradient is halved."""
    return xp.minimum(x, y)
minimum.vjp(
    lambda g, z, x, y: where(x == y, g / 2, where(x < y, g, 0)),
    lambda g, z, x, y: where(x == y, g / 2, where(x < y, 0, g)),
)


@elementwise
def where(xp: Any, condition: Any, x: Any, y: Any) -> Any:
    """x where the condition holds, else y.

    Both branches are computed: a NaN gradient of the one not taken is 0 * inf = NaN, so guard
    the input (`where(x > 0, log(where(x > 0, x, 1)), 0)`), not only the result.
    """
    return xp.where(condition, x, y)
where.vjp(
    None,
    lambda g, z, condition, x, y: where(condition, g, 0),
    lambda g, z, condition, x, y: where(condition, 0, g),
)


@elementwise(samples=({"low": -1.5, "high": 1.5}, {"low": -1.0}, {"high": 1.0}))
def clip(xp: Any, x: Any, *, low: Any = None, high: Any = None) -> Any:
    """x kept between low and high, numbers or None; the gradient at either is 1."""
    x = x if low is None else xp.maximum(x, low)
    return x if high is None else xp.minimum(x, high)


def _clip_rule(g: Any, z: Any, x: Any, low: Any, high: Any) -> Any:
    g = g if low is None else where(x >= low, g, 0)
    return g if high is None else where(x <= high, g, 0)
clip.vjp(_clip_rule)


@elementwise
def floor(xp: Any, x: Any) -> Any:
    """The largest integer not above x; its gradient is 0."""
    return xp.floor(x)


@elementwise
def ceil(xp: Any, x: Any) -> Any:
    """The smallest integer not below x; its gradient is 0."""
    return xp.ceil(x)


@elementwise
def round(xp: Any, x: Any) -> Any:
    """The nearest integer, halves to even; its gradient is 0."""
    return xp.round(x)


for _step in (sign, floor, ceil, round):
    _step.vjp(lambda g, z, x: g * 0)

# --- comparisons and logic: no gradient ---


@elementwise
def equal(xp: Any, x: Any, y: Any) -> Any:
    """Whether x = y."""
    return x == y


@elementwise
def not_equal(xp: Any, x: Any, y: Any) -> Any:
    """Whether x ≠ y."""
    return x != y


@elementwise
def less(xp: Any, x: Any, y: Any) -> Any:
    """Whether x < y."""
    return x < y


@elementwise
def less_equal(xp: Any, x: Any, y: Any) -> Any:
    """Whether x ≤ y."""
    return x <= y


@elementwise
def greater(xp: Any, x: Any, y: Any) -> Any:
    """Whether x > y."""
    return x > y


@elementwise
def greater_equal(xp: Any, x: Any, y: Any) -> Any:
    """Whether x ≥ y."""
    return x >= y


@elementwise
def logical_and(xp: Any, x: Any, y: Any) -> Any:
    """Whether both are non-zero."""
    return xp.logical_and(x, y)


@elementwise
def logical_or(xp: Any, x: Any, y: Any) -> Any:
    """Whether at least one is non-zero."""
    return xp.logical_or(x, y)


@elementwise
def logical_xor(xp: Any, x: Any, y: Any) -> Any:
    """Whether just one is non-zero."""
    return xp.logical_xor(x, y)


@elementwise
def logical_not(xp: Any, x: Any) -> Any:
    """Whether it is zero."""
    return x == 0


for _relation in (
    equal, not_equal, less, less_equal, greater, greater_equal,
    logical_and, logical_or, logical_xor,
):  # fmt: skip
    _relation.vjp(None, None)
logical_not.vjp(None)
