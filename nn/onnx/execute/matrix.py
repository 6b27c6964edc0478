"""Products of matrices, and what is made of them."""

from __future__ import annotations

import math
from typing import Any

import autograd as ag
from autograd import Tensor, fft, linalg

from .table import Call, dtype_named, ints, onnx_op


@onnx_op("MatMul")
def matmul(x: Tensor, y: Tensor) -> Tensor:
    return x @ y


@onnx_op("Gemm")
def gemm(
    a: Tensor, b: Tensor, c: Tensor | None = None, *,
    alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, broadcast: int = 0,
) -> Tensor:  # fmt: skip
    """alpha a b + beta c, with a or b turned."""
    a, b = a.T if transA else a, b.T if transB else b
    if alpha == beta == 1 and c is not None and c.ndim == 1:
        return ag.affine(a, b, c)
    z = a @ b if alpha == 1 else alpha * (a @ b)
    return z if c is None else z + (c if beta == 1 else beta * c)


@onnx_op("Einsum")
def einsum(*xs: Tensor, equation: str) -> Tensor:
    return ag.einsum(equation, *xs)


@onnx_op("Det")
def det(x: Tensor) -> Tensor:
    return linalg.det(x)


# --- Fourier transforms: ONNX has complex numbers as pairs on the last axis, and so have we ---


@onnx_op("DFT")
def dft(
    x: Tensor, dft_length: Tensor | None = None, axis: Any = None, *,
    inverse: int = 0, onesided: int = 0, call: Call,
) -> Tensor:  # fmt: skip
    """Along an axis of x (…, 1 or 2), of real numbers or of pairs.

    One-sided, it gives the first half of the spectrum of real numbers, or takes it (`inverse`).
    """
    given = ints(axis)[0] if axis is not None else -2 if call.opset >= 20 else 1
    along, n = given % x.ndim, None if dft_length is None else ints(dft_length)[0]
    if onesided:
        return fft.irfft(x, n, along).expand_dims(-1) if inverse else fft.rfft(x[..., 0], n, along)
    x = x if x.shape[-1] == 2 else _pairs(x)
    return fft.ifft(x, n, along) if inverse else fft.fft(x, n, along)


def _pairs(x: Tensor) -> Tensor:
    """Real numbers (…, 1) as complex ones (…, 2)."""
    return ag.concatenate([x, ag.zeros_like(x)], axis=-1)


@onnx_op("STFT")
def stft(
    signal: Tensor, frame_step: Tensor, window: Tensor | None = None,
    frame_length: Tensor | None = None, *, onesided: int = 1,
) -> Tensor:  # fmt: skip
    step = int(frame_step.item())
    size = int(frame_length.item()) if frame_length is not None else window.shape[0]
    count = (signal.shape[1] - size) // step + 1
    places = (ag.arange(count) * step).reshape(count, 1) + ag.arange(size)
    frames = signal[:, places]  # (batch, frames, size, parts)
    if window is not None:
        frames = frames * window.reshape(size, 1)
    if onesided:
        return fft.rfft(frames[..., 0])
    return fft.fft(frames if frames.shape[-1] == 2 else _pairs(frames))


@onnx_op("MelWeightMatrix")
def mel_weight_matrix(
    num_mel_bins: Tensor, dft_length: Tensor, sample_rate: Tensor,
    lower_edge_hertz: Tensor, upper_edge_hertz: Tensor, *, output_datatype: int = 1,
) -> Tensor:  # fmt: skip
    """Triangles that are even on the mel scale, 2595 log10(1 + f / 700), over the spectrum."""
    bins, length = int(num_mel_bins.item()), int(dft_length.item())
    low, high = (
        2595 * math.log10(1 + edge.item() / 700) for edge in (lower_edge_hertz, upper_edge_hertz)
    )
    step = (high - low) / (bins + 2)
    hertz = [700 * (10 ** ((low + i * step) / 2595) - 1) for i in range(bins + 2)]
    edges = [int((length + 1) * f // sample_rate.item()) for f in hertz]
    rows = [[0.0] * bins for _ in range(length // 2 + 1)]
    for i in range(bins):
        left, centre, right = edges[i : i + 3]
        for j in range(left, centre + 1):
            rows[j][i] = (j - left) / (centre - left) if centre > left else 1.0
        for j in range(centre, right):
            if right > centre:
                rows[j][i] = (right - j) / (right - centre)
    return Tensor(rows, dtype=dtype_named(output_datatype))
