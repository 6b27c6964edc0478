"""Functions of single numbers, and softmax."""

import math

import numpy as np


def sigmoid(x):
    """The logistic function σ(x)."""
    return 1 / (1 + np.exp(-x))


def erf(x):
    """2/√π ∫₀ˣ exp(-t²) dt, for each element."""
    kind = np.result_type(np.asarray(x), np.float32)
    return np.vectorize(math.erf, otypes=[kind])(x)


def normal_pdf(x):
    """The density φ of the normal distribution."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def normal_cdf(x):
    """The normal distribution function Φ(x) = ∫ φ up to x."""
    return (1 + erf(x / math.sqrt(2))) / 2


def logsumexp(x, axis=None, keepdims=False):
    """log Σ exp(x); the largest is taken out of the sum, so that nothing overflows."""
    top = np.max(x, axis=axis, keepdims=True, initial=-1e30)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return total if keepdims else np.squeeze(total, axis=axis)


def softmax(x, axis=-1):
    """exp(x) / Σ exp(x); 0 where all of x is -inf."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-1e30))
    return e / np.maximum(np.sum(e, axis=axis, keepdims=True), 1)
