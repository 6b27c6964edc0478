"""Convolution and pooling.  We have channels last; ONNX has them first, so arrays are turned.

Between two such operations the turns meet and cancel: see `tidy.py`.
"""

from __future__ import annotations

import math
from typing import Any

from ..graph import Graph, Ref
from .table import rule

Pairs = tuple[tuple[int, int], ...]


def _first(g: Graph, x: Ref) -> Ref:
    """(N, *spatial, C) with channels first."""
    return g.transpose(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def _last(g: Graph, x: str, ndim: int) -> Ref:
    """(N, C, *spatial) with channels last."""
    return g.transpose(x, (0, *range(2, ndim), 1))


def _kernel(g: Graph, w: Ref) -> Ref:
    """(*size, C / groups, O) as (O, C / groups, *size)."""
    return g.transpose(w, (w.ndim - 1, w.ndim - 2, *range(w.ndim - 2)))


def _pads(padding: Pairs) -> list[int]:
    return [before for before, _ in padding] + [after for _, after in padding]


@rule
def conv(
    g: Graph, z: Ref, x: Ref, w: Ref, b: Ref | None = None, *, stride: Any, padding: Pairs,
    dilation: Any, groups: int,
) -> Ref:  # fmt: skip
    made = g(
        "Conv", _first(g, x), _kernel(g, w), b, strides=list(stride), pads=_pads(padding),
        dilations=list(dilation), group=groups, kernel_shape=list(w.shape[:-2]),
    )  # fmt: skip
    return _last(g, made, z.ndim)


@rule
def conv_affine(g: Graph, z: Ref, x: Ref, w: Ref, b: Ref, **how: Any) -> Ref:
    return conv(g, z, x, w, b, **how)  # type: ignore[no-any-return]


@rule
def conv_transpose(
    g: Graph, z: Ref, y: Ref, w: Ref, *, shape: Any, stride: Any, padding: Pairs, dilation: Any,
    groups: int,
) -> Ref:  # fmt: skip
    """What the shape has more than the windows reach is padding at the end, or cut off there."""
    reached = [
        (n - 1) * s + (k - 1) * d + 1 - sum(p)
        for n, s, k, d, p in zip(y.shape[1:-1], stride, w.shape, dilation, padding, strict=False)
    ]
    extra = [m - n for m, n in zip(shape, reached, strict=True)]
    cut = tuple(
        (before, after - min(e, 0)) for (before, after), e in zip(padding, extra, strict=True)
    )
    grown = [max(e, 0) for e in extra]
    fits = all(e < max(s, d) for e, s, d in zip(grown, stride, dilation, strict=True))
    made = g(
        "ConvTranspose", _first(g, y), _kernel(g, w), strides=list(stride), pads=_pads(cut),
        dilations=list(dilation), group=groups, kernel_shape=list(w.shape[:-2]),
        output_padding=grown if any(grown) and fits else None,
    )  # fmt: skip
    if not fits:
        made = g("Pad", made, g.ints([0] * (2 + len(grown)) + [0, 0, *grown]), g.number(0, y.dtype))
    return _last(g, made, z.ndim)


@rule
def max_pool(g: Graph, z: Ref, x: Ref, *, size: Any, stride: Any, padding: Pairs) -> Ref:
    made = g(
        "MaxPool", _first(g, x), kernel_shape=list(size), strides=list(stride),
        pads=_pads(padding),
    )  # fmt: skip
    return _last(g, made, z.ndim)


@rule
def sum_pool(g: Graph, z: Ref, x: Ref, *, size: Any, stride: Any, padding: Pairs) -> Ref:
    made = g(
        "AveragePool", _first(g, x), kernel_shape=list(size), strides=list(stride),
        pads=_pads(padding), count_include_pad=1,
    )  # fmt: skip
    return _last(g, g("Mul", made, g.number(math.prod(size), x.dtype)), z.ndim)
