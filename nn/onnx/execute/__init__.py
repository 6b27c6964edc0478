"""ONNX's operators in our words, by kind."""

from . import (
    attention,
    control,
    index,
    math,
    matrix,
    network,
    quantize,
    recurrent,
    reduce,
    resize,
    sample,
    shape,
    train,
    window,
)  # fmt: skip
from .table import OPERATORS, Call, Operator, UnsupportedError

__all__ = [
    "OPERATORS", "Call", "Operator", "UnsupportedError",
    "attention", "control", "index", "math", "matrix", "network", "quantize", "recurrent", "reduce",
    "resize", "sample", "shape", "train", "window",
]  # fmt: skip
