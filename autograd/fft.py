"""Fourier transforms, with gradients: of real signals, and of complex ones as pairs.

    >>> from autograd import Tensor, fft
    >>> x = Tensor([1.0, 2.0, 3.0, 4.0])
    >>> fft.rfft(x).shape
    (3, 2)
    >>> fft.irfft(fft.rfft(x))
    Tensor([1. 2. 3. 4.])

The engine computes with real numbers.  So n complex numbers are a tensor (..., n, 2), with their
real parts at [..., 0] and imaginary parts at [..., 1]; `axis` does not count the axis of the pairs.
`n` is the length of the signal, which is cut or filled up with zeros to it.  Factors are those of
`numpy.fft`: none forward, 1 / n backward.

A convolution around a circle is a product of frequencies:

    irfft(multiply(rfft(x), rfft(y)), n=len(x))
"""

from __future__ import annotations

from typing import Any

from . import functions
from .errors import ShapeError
from .explain import refuse
from .ops import fourier as f
from .ops.reduce import norm
from .tensor import Tensor

__all__ = [
    "conjugate", "fft", "fft2", "ifft", "ifft2", "irfft", "irfft2", "magnitude", "multiply", "rfft",
    "rfft2",
]  # fmt: skip


def fft(x: Any, n: int | None = None, axis: int = -1) -> Any:
    """Σ_j x_j exp(-2πi jk / n), for complex x (..., n, 2)."""
    x, axis = _pairs(x, axis, "fft")
    return f.fft(_fitted(x, n, axis, "fft"), axis=axis)


def ifft(x: Any, n: int | None = None, axis: int = -1) -> Any:
    """Σ_k x_k exp(2πi jk / n) / n, for complex x (..., n, 2): undoes `fft`."""
    x, axis = _pairs(x, axis, "ifft")
    return f.ifft(_fitted(x, n, axis, "ifft"), axis=axis)


def rfft(x: Any, n: int | None = None, axis: int = -1) -> Any:
    """The frequencies (..., n // 2 + 1, 2) of real numbers (..., n); the others mirror them."""
    x = x if isinstance(x, Tensor) else Tensor(x)
    axis = functions.axis_of(axis, x, "rfft")
    return f.rfft(_fitted(x, n, axis, "rfft"), axis=axis)


def irfft(x: Any, n: int | None = None, axis: int = -1) -> Any:
    """The n real numbers that have these frequencies (..., n // 2 + 1, 2): undoes `rfft`.

    n and n + 1 numbers have equally many frequencies if n is even; without `n` it is taken to be.
    """
    x, axis = _pairs(x, axis, "irfft")
    n = 2 * (x.shape[axis] - 1) if n is None else n
    if n < 1:
        raise _too_short(n, "irfft", x)
    return f.irfft(_fitted(x, n // 2 + 1, axis, "irfft"), n=n, axis=axis)


def fft2(x: Any) -> Any:
    """`fft` along both axes of complex matrices (..., m, n, 2)."""
    return fft(fft(x), axis=-2)


def ifft2(x: Any) -> Any:
    """Undoes `fft2`."""
    return ifft(ifft(x), axis=-2)


def rfft2(x: Any) -> Any:
    """The frequencies (..., m, n // 2 + 1, 2) of real matrices (..., m, n)."""
    return fft(rfft(x), axis=-2)


def irfft2(x: Any, n: int | None = None) -> Any:
    """Undoes `rfft2`; n is the length of a row."""
    return irfft(ifft(x, axis=-2), n)


# --- complex numbers ---


def multiply(x: Any, y: Any) -> Any:
    """The products of complex numbers (..., 2)."""
    x, y = _complex(x, "multiply"), _complex(y, "multiply")
    (a, b), (c, d) = (x[..., 0], x[..., 1]), (y[..., 0], y[..., 1])
    return functions.stack([a * c - b * d, a * d + b * c], axis=-1)


def conjugate(x: Any) -> Any:
    """The conjugates of complex numbers (..., 2)."""
    x = _complex(x, "conjugate")
    return functions.stack([x[..., 0], -x[..., 1]], axis=-1)


def magnitude(x: Any) -> Any:
    """The absolute values (...) of complex numbers (..., 2); at 0 their gradient is 0."""
    x = _complex(x, "magnitude")
    return norm(x, axis=-1)


# --- reading arguments ---


def _complex(x: Any, name: str) -> Any:
    """Complex numbers as a tensor of pairs."""
    x = x if isinstance(x, Tensor) else Tensor(x)
    if not x.ndim or x.shape[-1] != 2:
        mend = (
            "Complex numbers are pairs (..., 2). For real numbers there is rfft; or pair them with "
            "zeros: autograd.stack([x, 0 * x], axis=-1)."
        )
        raise refuse(ShapeError, f"{name}: {x.shape} holds no complex numbers", mend, x)
    return x


def _pairs(x: Any, axis: int, name: str) -> tuple[Any, int]:
    """The same, and an axis of theirs counted from the front."""
    x = _complex(x, name)
    ndim = x.ndim - 1
    if not -ndim <= axis < ndim:
        mend = f"Without the axis of the pairs it has {ndim}."
        raise refuse(ShapeError, f"{name}: axis {axis} is outside [{-ndim}, {ndim})", mend, x)
    return x, axis % ndim


def _fitted(x: Any, n: int | None, axis: int, name: str) -> Any:
    """x with n elements along an axis: cut, or with zeros behind it."""
    size = x.shape[axis]
    n = size if n is None else n
    if n < 1:
        raise _too_short(n, name, x)
    if n < size:
        return x[(slice(None),) * axis + (slice(n),)]
    if n == size:
        return x
    return functions.pad(x, [(0, n - size if i == axis else 0) for i in range(x.ndim)])


def _too_short(n: int, name: str, x: Any) -> Exception:
    mend = "A signal has one element or more; n is its length."
    return refuse(ShapeError, f"{name}: n = {n} elements", mend, x)
