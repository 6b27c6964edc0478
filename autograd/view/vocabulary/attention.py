"""Attention, softmax(scale · q kᵀ + mask) v, and the rotation that tells it places."""

import numpy as np

from .activations import softmax


def attention_weights(q, k, mask=0, causal=False, scale=None):
    """P = softmax(scale · q kᵀ + mask): how much each query looks at each key."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    scores = scale * (q @ k.swapaxes(-1, -2)) + mask
    if causal:  # no query sees a later key
        n, m = scores.shape[-2:]
        scores = np.where(np.tri(n, m, m - n, dtype=bool), scores, -np.inf)
    return softmax(scores)


def attention(q, k, v, mask=0, causal=False, scale=None):
    """P v: each query's mean of the values, weighted by its keys."""
    return attention_weights(q, k, mask, causal, scale) @ v


def attention_grad(g, q, k, v, mask=0, causal=False, scale=None):
    """The gradients of `attention`: dv = Pᵀ g, dP = g vᵀ, dS = P · (dP - Σ P · dP)."""
    p = attention_weights(q, k, mask, causal, scale)
    dp = g @ v.swapaxes(-1, -2)
    ds = p * (dp - (p * dp).sum(axis=-1, keepdims=True))
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    gq, gk = scale * (ds @ k), scale * (ds.swapaxes(-1, -2) @ q)
    gv, gmask = p.swapaxes(-1, -2) @ g, sum_to(ds, np.shape(mask))
    return gq, gk, gv, gmask


def sum_to(x, shape):
    """x summed along the axes along which an array of this shape is broadcast to it."""
    x = x.sum(axis=tuple(range(x.ndim - len(shape))))
    return x.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def rotary(x, index, base=10000.0):
    """x (..., T, D), each pair (i, i + D/2) turned by the angle index · base^(-2i/D)."""
    half = x.shape[-1] // 2
    angle = index[..., None] * base ** (-np.arange(half) / half)
    cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
