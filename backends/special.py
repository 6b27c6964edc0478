"""Functions that array libraries lack, written once against any of them."""

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
    """The polynomial with these coefficients, highest power first, at x."""
    total = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


def erf(xp: Any, x: Any) -> Any:
    """Error function of a real array, within two units in the last place.

    Half-precision input is computed in float32; the result has the dtype of x.
    """
    if x.dtype.itemsize < 4:
        y = erf(xp, x.astype("float32"))
        return y.astype(x.dtype) if x.dtype.kind in "fV" else y
    a = xp.abs(x)
    near = xp.minimum(a, 1.0)
    y = near + near * _horner(_NEAR, near * near)
    if x.size and not a.max() <= 1.0:
        far = xp.minimum(xp.maximum(a, 1.0), 6.0)
        erfc = xp.exp(-far * far) * (_horner(_FAR[0], far) / _horner(_FAR[1], far))
        y = xp.where(a <= 1.0, y, 1.0 - erfc)
    return xp.copysign(y, x)


_LOWEST = {"e": -11.0, "f": -88.0, "E": -88.0, "F": -88.0}
"""Where exp(-x) is about to overflow, by the dtype's letter: float16, float32, bfloat16, …"""


def sigmoid(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), held where exp(-x) would overflow."""
    return 1 / (1 + xp.exp(-xp.maximum(x, _LOWEST.get(x.dtype.char, -709.0))))


def xlogy(xp: Any, x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0, whatever y is."""
    return x * xp.log(xp.where(x == 0, xp.ones_like(y), y))
