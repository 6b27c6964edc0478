"""Convolution and pooling: x (N, *spatial, C), windows of a size, y (N, *places, O)."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def windows(x, size, stride=1, padding=0, dilation=1, value=0):
    """What each window over x sees: (N, *places, C, *size)."""
    axes = len(size)
    padding = np.broadcast_to(padding, (axes, 2))
    x = np.pad(x, [(0, 0), *padding, (0, 0)], constant_values=value)
    dilation = np.broadcast_to(dilation, axes)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation)]
    seen = sliding_window_view(x, reach, tuple(range(1, 1 + axes)))
    steps = [slice(None, None, s) for s in np.broadcast_to(stride, axes)]
    taps = [slice(None, None, d) for d in dilation]
    return seen[(slice(None), *steps, slice(None), *taps)]


def from_tap(tap, places, stride, dilation=1):
    """Where in a padded array all windows have their element `tap`: a slice with a step."""
    stride, dilation = [np.broadcast_to(s, len(tap)) for s in (stride, dilation)]
    at = zip(np.multiply(tap, dilation), places, stride)
    return slice(None), *[slice(t, t + (m - 1) * s + 1, s) for t, m, s in at]


def with_room(n, shape, padding, channels, dtype):
    """Zeros (N, *shape, C) with their padding, and where in them what is not padding lies."""
    padding = np.broadcast_to(padding, (len(shape), 2))
    x = np.zeros((n, *(shape + padding.sum(axis=1)), channels), dtype)
    return x, (slice(None), *[slice(a, a + m) for m, (a, _) in zip(shape, padding)])


def conv(x, w, stride=1, padding=0, dilation=1, groups=1):
    """y[n, p, o] = Σ x[n, p · stride + t · dilation, c] w[t, c, o], over taps t and channels c."""
    size = w.shape[:-2]
    seen = windows(x, size, stride, padding, dilation)  # (N, *places, C, *size)
    w = np.moveaxis(w, -2, 0)  # (C, *size, O)
    parts = zip(np.split(seen, groups, axis=x.ndim - 1), np.split(w, groups, axis=-1))
    return np.concatenate([np.tensordot(s, k, len(size) + 1) for s, k in parts], axis=-1)


def conv_transpose(y, w, shape, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv` to x: each y adds its multiple of the kernel to its window."""
    x, inside = with_room(len(y), shape, padding, groups * w.shape[-2], y.dtype)
    for tap in np.ndindex(w.shape[:-2]):
        parts = zip(np.split(y, groups, axis=-1), np.split(w[tap], groups, axis=-1))
        pulled = np.concatenate([g @ k.T for g, k in parts], axis=-1)
        x[from_tap(tap, y.shape[1:-1], stride, dilation)] += pulled
    return x[inside]


def conv_kernel(x, y, size, stride=1, padding=0, dilation=1, groups=1):
    """The gradient of `conv` to w: Σ over images and places of window times y."""
    size = np.broadcast_to(size, x.ndim - 2)
    seen = windows(x, size, stride, padding, dilation)  # (N, *places, C, *size)
    all_places = [range(x.ndim - 1)] * 2
    parts = zip(np.split(seen, groups, axis=x.ndim - 1), np.split(y, groups, axis=-1))
    w = np.concatenate([np.tensordot(s, g, all_places) for s, g in parts], axis=-1)
    return np.moveaxis(w, 0, -2)  # (*size, C, O)


def max_pool(x, size, stride, padding=0):
    """The largest element of each window."""
    size = np.broadcast_to(size, x.ndim - 2)
    seen = windows(x, size, stride, padding, value=-np.inf)
    return seen.max(axis=tuple(range(x.ndim, seen.ndim)))


def max_pool_index(x, size, stride, padding=0):
    """The place in each window of its largest element, the first where several are."""
    size = np.broadcast_to(size, x.ndim - 2)
    seen = windows(x, size, stride, padding, value=-np.inf)
    return seen.reshape(*seen.shape[: x.ndim], size.prod()).argmax(axis=-1)


def pool_take(x, index, size, stride, padding=0):
    """The element of each window at the place `index` in it."""
    size = np.broadcast_to(size, x.ndim - 2)
    seen = windows(x, size, stride, padding)
    seen = seen.reshape(*seen.shape[: x.ndim], size.prod())
    return np.take_along_axis(seen, index[..., None], axis=-1)[..., 0]


def pool_put(y, index, shape, size, stride, padding=0):
    """Zeros with each y added to its window, at the place `index` in it."""
    x, inside = with_room(len(y), shape, padding, y.shape[-1], y.dtype)
    for i, tap in enumerate(np.ndindex(*np.broadcast_to(size, y.ndim - 2))):
        x[from_tap(tap, y.shape[1:-1], stride)] += np.where(index == i, y, 0)
    return x[inside]


def sum_pool(x, size, stride, padding=0):
    """The sum of each window."""
    seen = windows(x, np.broadcast_to(size, x.ndim - 2), stride, padding)
    return seen.sum(axis=tuple(range(x.ndim, seen.ndim)))


def sum_unpool(y, shape, size, stride, padding=0):
    """Zeros with each y added to all of its window."""
    x, inside = with_room(len(y), shape, padding, y.shape[-1], y.dtype)
    for tap in np.ndindex(*np.broadcast_to(size, y.ndim - 2)):
        x[from_tap(tap, y.shape[1:-1], stride)] += y
    return x[inside]
