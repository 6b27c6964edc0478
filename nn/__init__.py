"""Neural networks on the engine: layers, losses, optimizers, and the training of models.

>>> import nn
>>> model = nn.Sequential([
...     nn.Dense(64, activation="relu", input_shape=(10,)),
...     nn.Dense(1, activation="sigmoid"),
... ])
>>> model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
"""

# first, so that a foreign `autograd` is named before anything is imported from it
from . import engine as engine

# isort: split
from . import activations, data, init, layers, losses, metrics, models, optim, scalar, train
from .activations import *
from .layers import *
from .losses import *
from .metrics import Metric
from .mode import training
from .models import *
from .module import Module
from .optim import *
from .train import *

__all__ = [
    "Module", "Metric", "training",
    *activations.__all__, *layers.__all__, *losses.__all__, *models.__all__, *optim.__all__,
    *train.__all__,
    "activations", "data", "init", "layers", "losses", "metrics", "models", "optim", "scalar",
    "train",
]  # fmt: skip
