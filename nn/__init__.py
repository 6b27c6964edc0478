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
from . import activations, init, losses, metrics, optim, scalar
from .activations import (
    ELU,
    GELU,
    SELU,
    Activation,
    HardTanh,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from .flow import Flow
from .history import History
from .layers import Dense, Dropout, Flatten, Sequential
from .losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
)
from .metrics import Metric
from .mlp import MLP
from .mode import training
from .module import Module
from .optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

__all__ = [
    "Module", "Sequential", "Dense", "MLP", "Flatten", "Dropout", "Activation",
    "ELU", "GELU", "HardTanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish", "ReLU", "SELU",
    "SiLU", "Sigmoid", "Softmax", "Softplus", "Softsign", "Tanh",
    "Loss", "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge", "Huber", "KLDivergence",
    "MeanAbsoluteError", "MeanSquaredError", "SparseCategoricalCrossentropy",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "l1_loss", "mse_loss",
    "Optimizer", "SGD", "RMSprop", "Adagrad", "Adam", "AdamW",
    "Metric", "History", "Flow", "training",
    "activations", "init", "losses", "metrics", "optim", "scalar",
]  # fmt: skip
