"""Functions that array libraries lack, written once against any of them."""

from typing import Any

# W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969):
# erf(x) = x P(x²)/Q(x²) below 0.46875, erfc(x) = exp(-x²) P(x)/Q(x) up to 4, and
# erfc(x) = exp(-x²)/x (1/√π + P(1/x²)/(x² Q(1/x²))) beyond.  Coefficients: highest power first.
_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
_INVERSE_SQRT_PI = 0.56418958354775628695


def _horner(coefficients: tuple[float, ...], x: Any) -> Any:
    """The polynomial with these coefficients, highest power first, at x."""
    total = coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _ratio(pair: tuple[tuple[float, ...], tuple[float, ...]], x: Any) -> Any:
    numerator, denominator = pair
    return _horner(numerator, x) / _horner(denominator, x)


def erf(xp: Any, x: Any) -> Any:
    """Error function of a real array, by Cody's three rational approximations (1969).

    Half-precision input is computed in float32; the result has the dtype of x.
    """
    if x.dtype.itemsize < 4:
        return erf(xp, x.astype("float32")).astype(x.dtype)
    a = abs(x)
    near = xp.minimum(a, 0.46875)
    small = near * _ratio(_SMALL, near * near)
    if not x.size or x.dtype.kind != "c" and a.max() <= 0.46875:
        return xp.copysign(small, x)
    middle_a = xp.minimum(xp.maximum(a, 0.46875), 4.0)
    far = xp.maximum(a, 4.0)
    w = 1.0 / (far * far)
    middle = 1.0 - xp.exp(-middle_a * middle_a) * _ratio(_MIDDLE, middle_a)
    large = 1.0 - xp.exp(-far * far) / far * (_INVERSE_SQRT_PI - w * _ratio(_LARGE, w))
    y = xp.where(a <= 0.46875, small, xp.where(a <= 4.0, middle, large))
    return xp.copysign(xp.where(a == a, y, a), x)


def xlogy(xp: Any, x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0, whatever y is."""
    return x * xp.log(xp.where(x == 0, xp.ones_like(y), y))
