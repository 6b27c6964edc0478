"""Callbacks: plain objects, or functions, that `fit` calls at its turns.

An object has any of these methods, whose names are Keras's, but for the last two:

    on_train_begin(logs)              on_train_end(logs)
    on_epoch_begin(epoch, logs)       on_epoch_end(epoch, logs)
    on_train_batch_begin(batch, logs) on_train_batch_end(batch, logs)
    set_model(model)
    after_backward(batch, data)       the gradients are there, the step is not made yet
    on_not_finite(error)              the loss is NaN; with this method fit ends, and does not raise

A function is called as `function(epoch, logs)` at the end of each epoch.  `logs` maps "loss",
"val_loss" and the metrics to numbers.  `model.stop_training = True` ends the training after the
epoch under way.

    >>> def stop_when_good(epoch, logs):
    ...     model.stop_training = logs["val_loss"] < 0.1

What an object would have to remember for a training to go on after a crash it tells by
`state_dict()`, a dict of numbers, texts, lists and arrays, and takes by `load_state_dict(state)`,
after `on_train_begin`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Callback", "Callbacks", "LambdaCallback"]

TURNS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin",
    "on_train_batch_end", "after_backward", "on_not_finite",
)  # fmt: skip


class Callback:
    """What knows the model that is trained, as `self.model`.  A subclass has turns."""

    model: Module

    def set_model(self, model: Any) -> None:
        """`fit` tells which model it trains."""
        self.model = model

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class LambdaCallback(Callback):
    """Functions by the turn at which they are called.

    LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(self, **turns: Callable[..., Any]) -> None:
        unknown = [turn for turn in turns if turn not in TURNS]
        if unknown or not turns:
            told = f"no turn is called {', '.join(unknown)}" if unknown else "no turn is given"
            raise TypeError(f"LambdaCallback: {told}; there are {', '.join(TURNS)}")
        vars(self).update(turns)


class Callbacks:
    """The callbacks of one training, several, one or None, by the turn at which they are called."""

    def __init__(self, callbacks: Any, model: Any) -> None:
        if not isinstance(callbacks, (list, tuple)):
            callbacks = [] if callbacks is None else [callbacks]
        self.all = list(callbacks)
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

    @property
    def _stateful(self) -> list[Any]:
        return [c for c in self.all if hasattr(c, "state_dict") and hasattr(c, "load_state_dict")]

    def state_dict(self) -> list[dict[str, Any]]:
        """What each of those that remember something remembers, with the name of its class."""
        return [{"type": type(c).__name__, "state": c.state_dict()} for c in self._stateful]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Let each remember what `state_dict` told; other callbacks than then are a ValueError."""
        then = [state["type"] for state in states]
        now = [type(callback).__name__ for callback in self._stateful]
        if then != now:
            raise ValueError(
                f"the callbacks that remember something were {', '.join(then) or 'none'}, and are "
                f"{', '.join(now) or 'none'}: give the same, in the same order, to go on"
            )
        for callback, state in zip(self._stateful, states, strict=True):
            callback.load_state_dict(state["state"])
