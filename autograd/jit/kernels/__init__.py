"""Kernels that are written for one operation, and not made of loops: see `kernel.py`.

Importing this registers all of them.
"""

from . import (
    attention,
    conv_pooled_image,
    conv_pooled_weights,
    convolution,
    draws,
    gemm,
    pooling,
    recurrent,
    rows,
)

__all__ = [
    "attention", "conv_pooled_image", "conv_pooled_weights", "convolution", "draws", "gemm",
    "pooling", "recurrent", "rows",
]  # fmt: skip
