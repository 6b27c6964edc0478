"""Neural networks on the engine: layers, losses, optimizers, and the training of models.

>>> import nn
>>> model = nn.Sequential([
...     nn.Dense(64, activation="relu", input_shape=(10,)),
...     nn.Dense(1, activation="sigmoid"),
... ])
>>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
"""

from typing import TYPE_CHECKING, NoReturn

# first, so that a foreign `autograd` is named before anything is imported from it
from . import engine as engine

# isort: split
from . import (
    activations,
    constraints,
    data,
    init,
    layers,
    losses,
    metrics,
    models,
    onnx,
    optim,
    plot,
    regularizers,
    scalar,
    train,
    watch,
)  # fmt: skip
from .activations import *
from .constraints import MaxNorm, MinMax, NonNeg, UnitNorm
from .habits import of_name
from .layers import *
from .losses import *
from .metrics import Metric
from .mode import training
from .models import *
from .module import Module
from .onnx import export_onnx, import_onnx
from .optim import *
from .pytorch import load_pytorch
from .regularizers import L1, L1L2, L2
from .train import *
from .watch import Record, record

__all__ = [
    "L1", "L1L2", "L2", "MaxNorm", "Metric", "MinMax", "Module", "NonNeg", "Record",
    "UnitNorm", "export_onnx", "import_onnx", "load_pytorch", "record", "training",
    *activations.__all__, *layers.__all__, *losses.__all__, *models.__all__, *optim.__all__,
    *train.__all__,
    "activations", "constraints", "data", "init", "layers", "losses", "metrics", "models", "onnx",
    "optim", "plot", "regularizers", "scalar", "train", "watch",
]  # fmt: skip

if not TYPE_CHECKING:  # type checkers know all names, and shall tell the wrong ones

    def __getattr__(name: str) -> NoReturn:
        """A name that is not here, with what other libraries' users mean by it."""
        hint = "" if name[:1] == "_" else of_name(name, __all__)
        raise AttributeError(f"module 'nn' has no attribute {name!r}{hint}")
