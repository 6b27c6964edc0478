"""Products of matrices, and the loss that sits on top of them."""

from __future__ import annotations

from ..graph import Graph, Ref
from .table import rule, same

same(matmul="MatMul", det="Det")


@rule
def affine(g: Graph, z: Ref, x: Ref, w: Ref, b: Ref) -> Ref:
    if x.ndim == 2 and b.ndim == 1:
        return g("Gemm", x, w, b)
    return g("Add", g("MatMul", x, w), b)


@rule
def einsum(g: Graph, z: Ref, *xs: Ref, subscripts: str) -> Ref:
    return g("Einsum", *xs, equation=subscripts)


@rule
def softmax_cross_entropy(g: Graph, z: Ref, x: Ref, index: Ref) -> Ref:
    last = g.ints([-1])
    index = g("Unsqueeze", g.cast(index, "int64"), last)
    chosen = g("GatherElements", g("LogSoftmax", x, axis=-1), index, axis=-1)
    return g("Neg", g("Squeeze", chosen, last))


# --- Fourier transforms, of pairs on the last axis in ONNX too ---


def _dft(g: Graph, x: str, axis: int, inverse: int = 0, onesided: int = 0) -> Ref:
    """The axis is an input since version 20."""
    old = g.opset < 20
    made = g(
        "DFT", x, None, None if old else g.number(axis, "int64"), inverse=inverse,
        onesided=onesided, axis=axis if old else None,
    )  # fmt: skip
    return Ref(made)


@rule
def fft(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return _dft(g, x, axis % (x.ndim - 1))


@rule
def ifft(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return _dft(g, x, axis % (x.ndim - 1), inverse=1)


@rule
def rfft(g: Graph, z: Ref, x: Ref, axis: int) -> Ref:
    return _dft(g, g("Unsqueeze", x, g.ints([-1])), axis % x.ndim, onesided=1)
