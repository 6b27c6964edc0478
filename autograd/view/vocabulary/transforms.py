"""Fourier transforms of pairs of real numbers, functions of matrices, sums over all paths."""

import math

import numpy as np


def as_complex(x):
    """Pairs (..., 2) of real and imaginary parts as complex numbers."""
    return x[..., 0] + 1j * x[..., 1]


def as_pairs(c):
    """Complex numbers as pairs (..., 2) of real and imaginary parts."""
    return np.stack([c.real, c.imag], axis=-1)


def mirrored(x, n, axis, factor):
    """The frequencies 0 < k < n / 2 of n real numbers, which stand for two each, times a factor."""
    y = np.moveaxis(x.copy(), axis % (x.ndim - 1), 0)
    y[1 : (n + 1) // 2] *= factor
    return np.moveaxis(y, 0, axis % (x.ndim - 1))


def cofactor(x):
    """det(x) · inv(x)ᵀ, also of a singular x = U S Vᵀ: each singular value is left out once."""
    u, s, vh = np.linalg.svd(x)
    others = np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]).prod(axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return sign[..., None, None] * (u * others[..., None, :]) @ vh


def expm(x):
    """The matrix exponential Σ xᵏ / k!: of a small x / 2ᵐ, then squared m times."""
    size = np.abs(x).sum(axis=-2).max(initial=0)
    m = max(math.frexp(size)[1] + 1, 0)
    z = term = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
    for k in range(1, 19):
        term = term @ (x / 2**m) / k
        z = z + term
    for _ in range(m):
        z = z @ z
    return z


def ctc_alphas(e, skips):
    """(N, T, S): the log-probability of all paths that are in a state at a time.

    A path stays, moves to the next state or, where `skips` is 0, to the one after that.
    """
    e, never = np.maximum(e, -1e30), -1e30
    n, steps, states = e.shape
    a = np.full((n, steps, states + 2), never, e.dtype)  # two states more, in which no path is
    a[:, 0, 2:4] = e[:, 0, :2]
    for t in range(1, steps):
        stay, move, skip = a[:, t - 1, 2:], a[:, t - 1, 1:-1], a[:, t - 1, :-2] + skips
        a[:, t, 2:] = np.logaddexp(np.logaddexp(stay, move), skip) + e[:, t]
    return np.where(a > never / 2, a, never)[..., 2:]
