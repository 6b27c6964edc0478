"""Discrete Fourier transforms, with a complex number as a pair of real ones.

The engine computes with real numbers, so an array of n complex ones is (..., n, 2): real parts at
[..., 0], imaginary parts at [..., 1]; `axis` counts the axes without that of the pairs.

Each transform is linear, and its rule is the adjoint, which is a transform again: with F the
matrix exp(-2πi jk / n), the adjoint of z → F z is g → conj(F)ᵀ g = n · ifft(g).  A real signal has
conj(z_k) = z_(n-k), so `rfft` tells each pair of such frequencies once: `mirrored` weighs them.
"""

from typing import Any

from ..node import op
from .precision import like, wide


def _complex(x: Any) -> Any:
    x = wide(x)
    return x[..., 0] + 1j * x[..., 1]


def _pairs(xp: Any, c: Any) -> Any:
    return xp.stack([xp.real(c), xp.imag(c)], axis=-1)


def _place(axis: int, ndim: int) -> int:
    """The axis from the front, in an array of complex numbers with this many axes."""
    return axis % ndim


@op(samples=({"axis": 0}, {"axis": -1}), shapes=(((4, 2),), ((3, 5, 2),)), needs="pairs (..., 2)")
def fft(xp: Any, x: Any, *, axis: int = -1) -> Any:
    """Σ_j x_j exp(-2πi jk / n) along an axis, of pairs (..., 2)."""
    return like(x, _pairs(xp, xp.fft.fft(_complex(x), axis=axis)))[0]


@op(samples=({"axis": 0}, {"axis": -1}), shapes=(((4, 2),), ((3, 5, 2),)), needs="pairs (..., 2)")
def ifft(xp: Any, x: Any, *, axis: int = -1) -> Any:
    """Σ_k x_k exp(2πi jk / n) / n along an axis, of pairs (..., 2): undoes `fft`."""
    return like(x, _pairs(xp, xp.fft.ifft(_complex(x), axis=axis)))[0]


def _length(x: Any, axis: int) -> int:
    """How many complex numbers stand along an axis of pairs."""
    return int(x.shape[_place(axis, x.ndim - 1)])
fft.vjp(lambda g, z, x, axis: _length(x, axis) * ifft(g, axis=axis))
ifft.vjp(lambda g, z, x, axis: fft(g, axis=axis) / _length(x, axis))


@op(samples=({"axis": 0}, {"axis": -1}, {"axis": 1}), shapes=(((4,),), ((3, 5),), ((2, 6, 3),)))
def rfft(xp: Any, x: Any, *, axis: int = -1) -> Any:
    """`fft` of n real numbers along an axis: pairs, of the frequencies 0 … n // 2 only."""
    return like(x, _pairs(xp, xp.fft.rfft(wide(x), axis=axis)))[0]


@op(samples=({"n": 6, "axis": 0}, {"n": 5, "axis": -1}), shapes=(((4, 2),), ((2, 3, 2),)),
    needs="pairs (..., n // 2 + 1, ..., 2)")  # fmt: skip
def irfft(xp: Any, x: Any, *, n: int, axis: int = -1) -> Any:
    """The n real numbers along an axis whose `rfft` is x."""
    return like(x, xp.fft.irfft(_complex(x), n=n, axis=axis))[0]


@op(samples=({"n": 6, "axis": 0, "factor": 2.0}, {"n": 5, "axis": -1, "factor": 0.5}),
    shapes=(((4, 2),), ((2, 3, 2),)))  # fmt: skip
def mirrored(xp: Any, x: Any, *, n: int, axis: int, factor: float) -> Any:
    """The frequencies that stand for two of a real signal, 0 < k < n / 2, times a factor."""
    inside = (slice(None),) * _place(axis, x.ndim - 1) + (slice(1, (n + 1) // 2),)
    y = x.copy()
    y[inside] *= factor
    return y
mirrored.vjp(lambda g, z, x, n, axis, factor: mirrored(g, n=n, axis=axis, factor=factor))


def _rfft_rule(g: Any, z: Any, x: Any, axis: int) -> Any:
    n = x.shape[axis]
    return n * irfft(mirrored(g, n=n, axis=_place(axis, x.ndim), factor=0.5), n=n, axis=axis)


def _irfft_rule(g: Any, z: Any, x: Any, n: int, axis: int) -> Any:
    return mirrored(rfft(g, axis=axis), n=n, axis=_place(axis, g.ndim), factor=2.0) / n
rfft.vjp(_rfft_rule)
irfft.vjp(_irfft_rule)
