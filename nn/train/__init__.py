"""Training: the loop behind `fit`, what it shows, and what it finds out about gradients."""

from .callbacks import Callback, LambdaCallback
from .checkpoint import Checkpoint
from .finite import NotFiniteError, TerminateOnNaN
from .flow import Flow
from .history import History
from .learning import Learning
from .logs import CSVLogger, TensorBoard
from .monitor import EarlyStopping, LearningRateScheduler, ModelCheckpoint, ReduceLROnPlateau
from .rates import LearningRates, lr_find
from .search import Tuning, tune

__all__ = [
    "Flow", "History", "Learning", "Checkpoint",
    "Callback", "CSVLogger", "EarlyStopping", "LambdaCallback", "LearningRateScheduler",
    "ModelCheckpoint", "ReduceLROnPlateau", "TensorBoard", "TerminateOnNaN",
    "LearningRates", "NotFiniteError", "Tuning", "lr_find", "tune",
]  # fmt: skip
