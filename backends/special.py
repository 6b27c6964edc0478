"""Functions that array libraries lack, written once against any of them."""

import math
from typing import Any

# Up to 1: erf(x) = x + x p(x²), where p interpolates erf(√y) / √y - 1 at the 12 Chebyshev nodes of
# [0, 1]; its own rounding weighs little beside x.  Beyond: erf(x) = 1 - exp(-x²) P(x)/Q(x), the
# second of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23
# (1969), made for erfc up to 4; erfc is so small there that erf = 1 - erfc is right up to 6, from
# where it is 1.  Coefficients: highest power first.
_NEAR = (
    -7.795898827002142e-10, 1.3720064546777686e-08, -1.6208483801871705e-07, 1.6447424703317362e-06,
    -1.492473690741966e-05, 0.00012055294904839707, -0.0008548325975389692, 0.0052239776071164225,
    -0.02686617064323777, 0.11283791670945006, -0.37612638903183543, 0.12837916709551256,
)  # fmt: skip
_FAR = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    """The polynomial with these coefficients, highest power first, at x; in one array, in place:
    with a new one for each term it takes ten times as long."""
    total = coefficients[0] * x
    for c in coefficients[1:-1]:
        total += c
        total *= x
    total += coefficients[-1]
    return total


def erf(xp: Any, x: Any) -> Any:
    """Error function of a real array, within two units in the last place.

    Half-precision input is computed in float32; the result has the dtype of x.
    """
    if x.dtype.itemsize < 4:
        y = erf(xp, x.astype("float32"))
        return y.astype(x.dtype) if x.dtype.kind in "fV" else y
    a = xp.abs(x)
    near = xp.clip(a, 0.0, 1.0)
    y = _horner(_NEAR, near * near)
    y *= near
    y += near
    if x.size and not a.max() <= 1.0:
        far = xp.clip(a, 1.0, 6.0)
        erfc = _horner(_FAR[0], far)
        erfc /= _horner(_FAR[1], far)
        far *= -far
        erfc *= xp.exp(far)
        y = xp.where(a <= 1.0, y, 1.0 - erfc)
    return xp.copysign(y, x)


# In float32 the distribution function is ½ + ½ tanh(x R(x²)), the form that the tanh approximation
# of GELU has with R of degree 1. Of degree 6, fitted for the smallest error of tanh on [0, 6.2], it
# is right to the last bit of ½: 7e-8. Highest power first.
_CDF = (
    1.7561706132711163e-9, -1.322633356733809e-7, 3.964744377060655e-6, -5.530619353514345e-5,
    -3.259497587277996e-5, 3.633308457410568e-2, 7.978849414603579e-1,
)  # fmt: skip


def normal_cdf(xp: Any, x: Any) -> Any:
    """Distribution function of the standard normal: ½ + ½ erf(x / √2), in the dtype of x."""
    if x.dtype.itemsize < 4 and x.dtype.kind in "fV":
        return normal_cdf(xp, x.astype("float32")).astype(x.dtype)
    if x.dtype != "float32":
        return 0.5 + 0.5 * erf(xp, x * math.sqrt(0.5))
    x = xp.clip(x, -7.0, 7.0)  # where it is 0 and 1
    z = _horner(_CDF, x * x)
    z *= x
    z = xp.tanh(z)
    z *= 0.5
    z += 0.5
    return z


_PDF = {"f": 15.0, "d": 39.0}
"""From where the normal density is 0, by the dtype's letter."""


def normal_pdf(xp: Any, x: Any) -> Any:
    """Density of the standard normal, exp(-x²/2) / √2π, in the dtype of x."""
    if x.dtype.itemsize < 4 and x.dtype.kind in "fV":
        return normal_pdf(xp, x.astype("float32")).astype(x.dtype)
    end = _PDF.get(x.dtype.char, 39.0)
    x = xp.clip(x, -end, end)  # the square must not overflow
    z = x * x
    z *= -0.5
    z = xp.exp(z)
    z *= 1 / math.sqrt(2 * math.pi)
    return z


_LOWEST = {"e": -11.0, "f": -88.0, "E": -88.0, "F": -88.0}
"""Where exp(-x) is about to overflow, by the dtype's letter: float16, float32, bfloat16, …"""


def sigmoid(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), held where exp(-x) would overflow."""
    return 1 / (1 + xp.exp(-xp.maximum(x, _LOWEST.get(x.dtype.char, -709.0))))


def xlogy(xp: Any, x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0, whatever y is."""
    return x * xp.log(xp.where(x == 0, xp.ones_like(y), y))


def windows(x: Any, size: Any, out: Any, stride: Any, dilation: Any) -> tuple[Any, Any]:
    """Shape and strides of the view (N, *out, *size, C) of x (N, *spatial, C) by windows."""
    batch, *steps, channel = x.strides
    moves = [n * s for n, s in zip(steps, stride, strict=True)]
    taps = [n * d for n, d in zip(steps, dilation, strict=True)]
    return (len(x), *out, *size, x.shape[-1]), (batch, *moves, *taps, channel)
