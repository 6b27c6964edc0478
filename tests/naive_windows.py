"""Convolution and pooling as their definitions say, one window at a time: slow, and plainly right.

`x` is (N, *spatial, C), `w` (*size, C / groups, O) and `z` (N, *places, O or C).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Index = tuple[int, ...]


def windows(
    shape: Index, size: Index, stride: Index, padding: Any, dilation: Index | None = None
) -> Iterator[tuple[Index, list[tuple[int, Index]]]]:
    """Each window's place, and its taps as (number, spatial index) where they lie in the array."""
    dilation = dilation or (1,) * len(size)
    out = []
    for n, k, s, (a, b), d in zip(shape, size, stride, padding, dilation, strict=True):
        out.append(len(range(0, n + a + b - d * (k - 1), s)))
    for place in np.ndindex(*out):
        seen = []
        for number, tap in enumerate(np.ndindex(*size)):
            at = tuple(
                p * s + t * d - a
                for p, s, t, d, (a, _) in zip(place, stride, tap, dilation, padding, strict=True)
            )
            if all(0 <= i < n for i, n in zip(at, shape, strict=True)):
                seen.append((number, at))
        yield place, seen


def terms(shape: Index, size: Index, c: int, o: int, groups: int, **how: Any) -> Iterator[Any]:
    """All (place, spatial index, tap, channel, channel in group, filter) that belong together."""
    for place, seen in windows(shape, size, **how):
        for number, at in seen:
            tap = tuple(int(i) for i in np.unravel_index(number, size))
            for group, i, j in np.ndindex(groups, c // groups, o // groups):
                yield place, at, tap, group * (c // groups) + i, i, group * (o // groups) + j


def places(shape: Index, size: Index, **how: Any) -> Index:
    """How many windows there are along each axis."""
    found = [place for place, _ in windows(shape, size, **how)]
    return tuple(max(axis) + 1 for axis in zip(*found, strict=True))


def conv(x: Any, w: Any, groups: int, **how: Any) -> Any:
    size, o = w.shape[:-2], w.shape[-1]
    z = np.zeros((len(x), *places(x.shape[1:-1], size, **how), o))
    for place, at, tap, c, i, j in terms(x.shape[1:-1], size, x.shape[-1], o, groups, **how):
        z[:, *place, j] += x[:, *at, c] * w[*tap, i, j]
    return z


def conv_affine(x: Any, w: Any, b: Any, **how: Any) -> Any:
    return conv(x, w, **how) + b


def conv_transpose(z: Any, w: Any, shape: Index, groups: int, **how: Any) -> Any:
    size, channels = w.shape[:-2], w.shape[-2] * groups
    x = np.zeros((len(z), *shape, channels))
    for place, at, tap, c, i, j in terms(shape, size, channels, w.shape[-1], groups, **how):
        x[:, *at, c] += z[:, *place, j] * w[*tap, i, j]
    return x


def conv_kernel(x: Any, z: Any, size: Index, groups: int, **how: Any) -> Any:
    w = np.zeros((*size, x.shape[-1] // groups, z.shape[-1]))
    shape = x.shape[1:-1]
    for place, at, tap, c, i, j in terms(shape, size, x.shape[-1], z.shape[-1], groups, **how):
        w[*tap, i, j] += x[:, *at, c] @ z[:, *place, j]
    return w


def max_pool(x: Any, **how: Any) -> Any:
    z = np.zeros((len(x), *places(x.shape[1:-1], **how), x.shape[-1]))
    for place, seen in windows(x.shape[1:-1], **how):
        z[:, *place] = np.max([x[:, *at] for _, at in seen], axis=0)
    return z


def max_pool_index(x: Any, z: Any, size: Index, **how: Any) -> Any:
    index = np.full(z.shape, np.prod(size) - 1, dtype="uint8")
    for place, seen in windows(x.shape[1:-1], size, **how):
        for number, at in reversed(seen):
            index[:, *place][x[:, *at] == z[:, *place]] = number
    return index


def pool_take(x: Any, index: Any, **how: Any) -> Any:
    z = np.zeros(index.shape)
    for place, seen in windows(x.shape[1:-1], **how):
        for number, at in seen:
            z[:, *place] += x[:, *at] * (index[:, *place] == number)
    return z


def pool_put(z: Any, index: Any, shape: Index, **how: Any) -> Any:
    x = np.zeros((len(z), *shape, z.shape[-1]))
    for place, seen in windows(shape, **how):
        for number, at in seen:
            x[:, *at] += z[:, *place] * (index[:, *place] == number)
    return x


def sum_pool(x: Any, **how: Any) -> Any:
    z = np.zeros((len(x), *places(x.shape[1:-1], **how), x.shape[-1]))
    for place, seen in windows(x.shape[1:-1], **how):
        z[:, *place] = sum(x[:, *at] for _, at in seen)
    return z


def sum_unpool(z: Any, shape: Index, **how: Any) -> Any:
    x = np.zeros((len(z), *shape, z.shape[-1]))
    for place, seen in windows(shape, **how):
        for _, at in seen:
            x[:, *at] += z[:, *place]
    return x


REFERENCE = {
    f.__name__: f
    for f in (
        conv, conv_affine, conv_transpose, conv_kernel,
        max_pool, max_pool_index, pool_take, pool_put, sum_pool, sum_unpool,
    )
}  # fmt: skip
"""By the names of the table."""
