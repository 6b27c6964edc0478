"""Callbacks: plain objects, or functions, that `fit` calls at its turns.

An object has any of these methods, whose names are Keras's:

    on_train_begin(logs)              on_train_end(logs)
    on_epoch_begin(epoch, logs)       on_epoch_end(epoch, logs)
    on_train_batch_begin(batch, logs) on_train_batch_end(batch, logs)
    set_model(model)

A function is called as `function(epoch, logs)` at the end of each epoch.  `logs` maps "loss",
"val_loss" and the metrics to numbers.  `model.stop_training = True` ends the training after the
epoch under way.

    >>> def stop_when_good(epoch, logs):
    ...     model.stop_training = logs["val_loss"] < 0.1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["Callbacks"]

TURNS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin",
    "on_train_batch_end",
)  # fmt: skip


class Callbacks:
    """The callbacks of one training, several, one or None, by the turn at which they are called."""

    def __init__(self, callbacks: Any, model: Any) -> None:
        if not isinstance(callbacks, (list, tuple)):
            callbacks = [] if callbacks is None else [callbacks]
        self.on: dict[str, list[Callable[..., Any]]] = {turn: [] for turn in TURNS}
        for callback in callbacks:
            methods = {turn: getattr(callback, turn) for turn in TURNS if hasattr(callback, turn)}
            if not methods and callable(callback) and not isinstance(callback, type):
                methods = {"on_epoch_end": callback}
            if not methods:
                raise TypeError(
                    f"callback {callback!r:.60} is neither a function nor an object with one of "
                    f"the methods {', '.join(TURNS)}"
                )
            if hasattr(callback, "set_model"):
                callback.set_model(model)
            for turn, method in methods.items():
                self.on[turn].append(method)

    def __call__(self, turn: str, *facts: Any) -> None:
        """It is the turn of those that wait for it."""
        for call in self.on[turn]:
            call(*facts)
