"""Normalisation: y = (x - mean) · scale, with scale = 1 / √(variance + eps)."""

import numpy as np


def standardize(x, eps=1e-5):
    """x with mean 0 and variance 1 along its last axis."""
    scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True) + eps)
    z = (x - x.mean(axis=-1, keepdims=True)) * scale
    return z, scale


def standardize_grad(g, y, scale):
    """scale · (g - mean(g) - y · mean(g · y)): what changes mean or variance leaves y as it is."""
    mean, slope = [m.mean(axis=-1, keepdims=True) for m in (g, g * y)]
    return scale * (g - mean - y * slope)


def layer_norm(x, w, b, eps=1e-5):
    """w · y + b, where y is x with mean 0 and variance 1 along its last axis."""
    y, scale = standardize(x, eps)
    z = w * y + b
    return z, y, scale


def layer_norm_grad(g, y, scale, w):
    """The gradients of `layer_norm`."""
    rows = tuple(range(g.ndim - 1))
    gx = standardize_grad(g * w, y, scale)
    gw, gb = (g * y).sum(axis=rows), g.sum(axis=rows)
    return gx, gw, gb


def rms_norm(x, w, eps=1e-5):
    """w · y, where y is x with a mean square of 1 along its last axis."""
    scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)
    y = x * scale
    z = w * y
    return z, y, scale


def rms_norm_grad(g, y, scale, w):
    """The gradients of `rms_norm`."""
    gy = g * w
    gx = scale * (gy - y * (gy * y).mean(axis=-1, keepdims=True))
    gw = (g * y).sum(axis=tuple(range(g.ndim - 1)))
    return gx, gw


def batch_norm(x, w, b, eps=1e-3):
    """w · y + b, where y is x with mean 0 and variance 1 over all axes but the last."""
    rows = tuple(range(x.ndim - 1))
    mean, var = x.mean(axis=rows), x.var(axis=rows)
    scale = 1 / np.sqrt(var + eps)
    z = w * (x - mean) * scale + b
    return z, mean, var, scale


def batch_norm_grad(g, gm, gv, m, scale, x, w):
    """The gradients of `batch_norm`, where g, gm and gv flow into z, mean and var."""
    rows, count = tuple(range(g.ndim - 1)), g[..., 0].size
    y = (x - m) * scale
    gw, gb = (g * y).sum(axis=rows), g.sum(axis=rows)
    gx = w * scale * (g - gb / count - y * gw / count) + (gm + 2 * gv * (x - m)) / count
    return gx, gw, gb
