"""Kernels that are written for one operation, and not made of loops: see `kernel.py`.

Importing this registers all of them.
"""

from . import attention, convolution, draws, gemm, pooling, recurrent, rows

__all__ = ["attention", "convolution", "draws", "gemm", "pooling", "recurrent", "rows"]
