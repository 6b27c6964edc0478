"""Our op table in ONNX's words, by kind of operation."""

from . import elementwise, index, linear, network, recurrent, reduce, shape, window
from .recurrent import DEFINITIONS
from .table import RULES

__all__ = [
    "DEFINITIONS", "RULES",
    "elementwise", "index", "linear", "network", "recurrent", "reduce", "shape", "window",
]  # fmt: skip
