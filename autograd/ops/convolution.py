"""Convolution, its gradient to the input and its gradient to the kernel.

    y[n, p, o] = Σ x[n, p·stride + t·dilation − before, c] · w[t, c, o]   over taps t, channels c

The three operations are one trilinear form Σ y x w, read from each of its sides, so each is the
gradient of the two others: they are closed under differentiation, to any order.

    conv(x, w)            → y      (Dumoulin & Visin 2016, "A guide to convolution arithmetic")
    conv_transpose(y, w)  → x      (Zeiler et al. 2010, "Deconvolutional networks")
    conv_kernel(x, y)     → w

Shapes: x (N, *spatial, C), w (*size, C / groups, O), y (N, *places, O), for any number of spatial
axes.  With groups, channels fall into as many parts that do not mix; where a part is one channel
(a depthwise convolution) there is nothing to sum over, and products of elements do the work.
Otherwise it is done by matrix products on blocks of windows that stay in the cache (Chellapilla
et al. 2006 unrolled all of them at once).  Half precision is summed in float32.
"""

import math
from collections.abc import Iterator
from typing import Any

from ..node import op
from .precision import wide_dtype
from .reduce import sum as add_up
from .shape import reshape
from .window import Pairs, Sizes, blocks, interior, padded, places, room, taps

NARROW = 3
"""So few channels lie too close together to be copied in one go: windows are copied across."""

CASES: tuple[dict[str, Any], ...] = (
    {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1},
    {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (1, 2), "groups": 1},
    {"stride": (1, 2), "padding": ((0, 0), (1, 1)), "dilation": (1, 1), "groups": 2},
    {"stride": (2,), "padding": ((1, 1),), "dilation": (1,), "groups": 3},
)
X = ((2, 5, 4), (1, 5, 4, 2), (2, 3, 4, 4), (2, 5, 3))
W = ((3, 4, 2), (2, 2, 2, 3), (2, 2, 2, 4), (2, 1, 6))
Y = ((2, 3, 2), (1, 3, 4, 3), (2, 2, 3, 4), (2, 3, 6))


def _multiply(xp: Any, a: Any, b: Any, out: Any) -> None:
    """out = a @ b, in place where the dtypes agree."""
    if out.dtype == a.dtype:
        xp.matmul(a, b, out=out)
    else:
        out[...] = xp.matmul(a, b)


def _parts(a: Any, groups: int) -> Any:
    """(…, groups · m) as (groups, rows, m)."""
    return a.reshape(-1, groups, a.shape[-1] // groups).swapaxes(0, 1)


def _patches(
    xp: Any, x: Any, size: Sizes, out: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes,
    groups: int,
) -> Iterator[tuple[tuple[slice, ...], Any]]:  # fmt: skip
    """Block by block its place in (N, *out), and its windows as matrices (groups, rows, K · C).

    All blocks are written to one array; a window of one element needs no copy.
    """
    spatial, c = len(size), x.shape[-1] // groups
    at, tap = range(1, 1 + spatial), range(1 + spatial, 1 + 2 * spatial)
    g = 1 + 2 * spatial
    narrow = c <= NARROW
    order = (g, *tap, g + 1, 0, *at) if narrow else (g, 0, *at, *tap, g + 1)
    k, dtype, store = math.prod(size) * c, wide_dtype(x), None
    for images, bands in blocks(xp, len(x), out, math.prod(size) * x.shape[-1]):
        image = padded(xp, x[images], padding)  # (b, *room, C)
        windows = xp.windows(image, size, out, stride, dilation)  # (b, *out, *size, C)
        for rows in bands:
            seen = windows[:, rows]
            if math.prod(size) == groups == 1 and dtype == x.dtype:
                yield (images, rows), seen.reshape(1, -1, k)
                continue
            seen = seen.reshape(*seen.shape[:-1], groups, c)  # (b, *out, *size, groups, c)
            seen = xp.transpose(seen, order)  # (groups, b, *out, *size, c), or rows last
            if store is None:
                store = xp.empty(seen.size, dtype=dtype)
            patches = store[: seen.size].reshape(seen.shape)
            patches[...] = seen
            matrices = (  # (groups, rows, K · c)
                patches.reshape(groups, k, -1).swapaxes(1, 2) if narrow
                else patches.reshape(groups, -1, k)
            )  # fmt: skip
            yield (images, rows), matrices


def _conv(
    xp: Any, x: Any, w: Any, b: Any, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int
) -> Any:
    """The convolution, plus b (O,) unless that is None."""
    size = w.shape[:-2]
    out = places(x.shape[1:-1], size, stride, padding, dilation)
    z = xp.empty((len(x), *out, w.shape[-1]), dtype=x.dtype)
    dtype = wide_dtype(x)
    kernel = w.astype(dtype, copy=False)
    if _is_depthwise(w, groups):
        for images, _ in blocks(xp, len(x), out, w.shape[-1]):
            block = padded(xp, x[images], padding).astype(dtype, copy=False)
            _depthwise(xp, block, kernel, z[images], taps(size, out, stride, dilation))
            if b is not None:
                z[images] += b
        return z
    kernel = _parts(kernel, groups)  # (groups, K · c, o)
    for block, patches in _patches(xp, x, size, out, stride, padding, dilation, groups):
        part = z[block]  # (b, *out, O)
        _multiply(xp, patches, kernel, out=_parts(part, groups))
        if b is not None:
            part += b
    return z


@op(samples=CASES, shapes=tuple(zip(X, W, strict=True)),
    needs="x (N, *spatial, channels) and a kernel (*size, channels / groups, filters)")  # fmt: skip
def conv(
    xp: Any, x: Any, w: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int
) -> Any:
    """Convolution of x (N, *spatial, C) with a kernel (*size, C / groups, O)."""
    return _conv(xp, x, w, None, stride, padding, dilation, groups)


@op(samples=CASES[:2], shapes=tuple((x, w, w[-1:]) for x, w in zip(X[:2], W[:2], strict=True)),
    needs="x (N, *spatial, channels), a kernel (*size, channels / groups, filters) and (filters,)")
def conv_affine(
    xp: Any, x: Any, w: Any, b: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int
) -> Any:
    """Convolution plus a bias (O,), as one operation: it is added while a block is in the cache."""
    return _conv(xp, x, w, b, stride, padding, dilation, groups)


@op(samples=tuple({**c, "shape": x[1:-1]} for c, x in zip(CASES, X, strict=True)),
    shapes=tuple(zip(Y, W, strict=True)),
    needs="y (N, *places, filters) and a kernel (*size, channels / groups, filters)")  # fmt: skip
def conv_transpose(
    xp: Any, y: Any, w: Any, *, shape: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes,
    groups: int,
) -> Any:  # fmt: skip
    """Transposed convolution: from y (N, *places, O) to an array (N, *shape, C).

    Each element of y adds its multiple of the kernel to the window that it stands for.
    """
    out, size, c = y.shape[1:-1], w.shape[:-2], w.shape[-2] * groups
    dtype = wide_dtype(y)
    x = xp.empty((len(y), *shape, c), dtype=y.dtype)
    kernel = w.astype(dtype, copy=False)
    depthwise = _is_depthwise(w, groups)
    if not depthwise:  # (K, groups, o, c)
        kernel = kernel.reshape(-1, w.shape[-2], groups, w.shape[-1] // groups)
        kernel = xp.transpose(kernel, (0, 2, 3, 1))
    for images, bands in blocks(xp, len(y), out, c + y.shape[-1]):
        target = xp.zeros((len(y[images]), *room(shape, padding), c), dtype=dtype)
        for rows in bands:
            part = y[images, rows].astype(dtype, copy=False)  # (b, *rows, O)
            seen = target[:, rows.start * stride[0] :]
            at = taps(size, part.shape[1:-1], stride, dilation)
            if depthwise:
                _depthwise_transpose(xp, part, kernel, seen, at)
                continue
            g = _parts(part, groups)  # (groups, rows, o)
            pulled = xp.empty((groups, g.shape[1], w.shape[-2]), dtype=dtype)
            for i, tap in enumerate(at):
                xp.matmul(g, kernel[i], out=pulled)  # (groups, rows, c)
                seen[tap] += pulled.swapaxes(0, 1).reshape(*part.shape[:-1], c)
        x[images] = target[interior(shape, padding)]
    return x


@op(samples=tuple({**c, "size": w[:-2]} for c, w in zip(CASES, W, strict=True)),
    shapes=tuple(zip(X, Y, strict=True)),
    needs="x (N, *spatial, channels) and y (N, *places, filters)")  # fmt: skip
def conv_kernel(
    xp: Any, x: Any, y: Any, *, size: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes,
    groups: int,
) -> Any:  # fmt: skip
    """Convolution's gradient to its kernel: Σ over images and places of window times y."""
    out, c, o = y.shape[1:-1], x.shape[-1] // groups, y.shape[-1]
    dtype, k = wide_dtype(x), math.prod(size)
    if c == 1 < groups:
        w = xp.zeros((k, groups, o // groups), dtype=dtype)
        for images, _ in blocks(xp, len(x), out, o):
            block = padded(xp, x[images], padding).astype(dtype, copy=False)
            part = y[images].astype(dtype, copy=False)
            _depthwise_kernel(xp, block, part, w, taps(size, out, stride, dilation))
        return w.reshape(*size, 1, o).astype(x.dtype, copy=False)
    w = xp.zeros((groups, k * c, o // groups), dtype=dtype)
    for block, patches in _patches(xp, x, size, out, stride, padding, dilation, groups):
        g = _parts(y[block].astype(dtype, copy=False), groups)  # (groups, rows, o)
        w += xp.matmul(patches.swapaxes(1, 2), g)
    return w.swapaxes(0, 1).reshape(*size, c, o).astype(x.dtype, copy=False)


conv.vjp(
    lambda g, z, x, w, **how: conv_transpose(g, w, shape=x.shape[1:-1], **how),
    lambda g, z, x, w, **how: conv_kernel(x, g, size=w.shape[:-2], **how),
)
conv_affine.vjp(
    lambda g, z, x, w, b, **how: conv_transpose(g, w, shape=x.shape[1:-1], **how),
    lambda g, z, x, w, b, **how: conv_kernel(x, g, size=w.shape[:-2], **how),
    lambda g, z, x, w, b, **how: add_up(reshape(g, shape=(-1, g.shape[-1])), axis=0),
)
conv_transpose.vjp(
    lambda g, x, y, w, shape, **how: conv(g, w, **how),
    lambda g, x, y, w, shape, **how: conv_kernel(g, y, size=w.shape[:-2], **how),
)
conv_kernel.vjp(
    lambda g, w, x, y, size, **how: conv_transpose(y, g, shape=x.shape[1:-1], **how),
    lambda g, w, x, y, size, **how: conv(x, g, **how),
)

# --- one channel per group ---


def _is_depthwise(w: Any, groups: int) -> bool:
    return bool(w.shape[-2] == 1 < groups)


Taps = Iterator[tuple[slice, ...]]


def _depthwise(xp: Any, x: Any, w: Any, z: Any, at: Taps) -> None:
    """z (b, *out, C · m) = the convolution of a padded block x with w (*size, 1, C · m)."""
    c = x.shape[-1]
    kernel = w.reshape(-1, c, w.shape[-1] // c)  # (K, C, m)
    total = xp.zeros((*z.shape[:-1], *kernel.shape[1:]), dtype=x.dtype)  # (b, *out, C, m)
    product = xp.empty_like(total)
    for i, tap in enumerate(at):
        xp.multiply(x[tap][..., None], kernel[i], out=product)
        total += product
    z[...] = total.reshape(z.shape)


def _depthwise_transpose(xp: Any, z: Any, w: Any, x: Any, at: Taps) -> None:
    """Add to a padded block x what z (b, *rows, C · m) gives each window."""
    c = x.shape[-1]
    kernel = w.reshape(-1, c, w.shape[-1] // c)  # (K, C, m)
    parts = z.reshape(*z.shape[:-1], *kernel.shape[1:])  # (b, *rows, C, m)
    product = xp.empty_like(parts)
    for i, tap in enumerate(at):
        xp.multiply(parts, kernel[i], out=product)
        x[tap] += product[..., 0] if parts.shape[-1] == 1 else xp.sum(product, axis=-1)


def _depthwise_kernel(xp: Any, x: Any, z: Any, w: Any, at: Taps) -> None:
    """Add to w (K, C, m) the gradient from a padded block x and z (b, *out, C · m)."""
    parts = z.reshape(*z.shape[:-1], *w.shape[1:])  # (b, *out, C, m)
    product = xp.empty_like(parts)
    for i, tap in enumerate(at):
        xp.multiply(x[tap][..., None], parts, out=product)
        w[i] += xp.sum(product.reshape(-1, *w.shape[1:]), axis=0)
