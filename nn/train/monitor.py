"""Callbacks that watch a number: stop, keep the best, or step more carefully."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .callbacks import Callback

__all__ = ["EarlyStopping", "LearningRateScheduler", "ModelCheckpoint", "Monitor",
           "ReduceLROnPlateau"]  # fmt: skip

LARGER_IS_BETTER = ("acc", "auc", "f1", "precision", "recall", "r2", "top_")
"""How the names of metrics begin of which more is better."""


class Monitor(Callback):
    """What watches one number of the logs, and knows which of two values is better.

    `mode` is "min" or "max", or "auto": less is better, but for accuracy and its like.  A value
    counts as better where it is so by more than `min_delta`.
    """

    remembers: tuple[str, ...] = ("best", "best_epoch", "wait")
    """The attributes that `state_dict` tells."""

    def __init__(self, monitor: str, mode: str, min_delta: float) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f'{type(self).__name__}: mode={mode!r}; there is "min", "max", "auto"')
        if not 0 <= min_delta < math.inf:
            raise ValueError(f"{type(self).__name__}: min_delta={min_delta}: a number from 0 on")
        if mode == "auto":
            plain = monitor.removeprefix("val_").removeprefix("binary_")
            plain = plain.removeprefix("sparse_").removeprefix("categorical_")
            mode = "max" if plain.startswith(LARGER_IS_BETTER) else "min"
        self.monitor, self.mode, self.min_delta = monitor, mode, float(min_delta)
        self.start()

    def start(self) -> None:
        """Forget what an earlier training has shown."""
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch = -1
        self.wait = 0

    def on_train_begin(self, logs: dict[str, float]) -> None:
        self.start()

    def watched(self, logs: dict[str, float]) -> float:
        """The monitored number; a ValueError lists what there is where it is missing."""
        if self.monitor not in logs:
            hint = ""
            if self.monitor.startswith("val_") and not any(k.startswith("val_") for k in logs):
                hint = ". Give fit validation_data or validation_split"
            raise ValueError(
                f"{type(self).__name__}: {self.monitor!r} is not among the numbers of this "
                f"training, {', '.join(logs)}{hint}"
            )
        return logs[self.monitor]

    def better(self, epoch: int, value: float) -> bool:
        """Whether the value is the best so far, which is then taken down; NaN never is."""
        gain = self.best - value if self.mode == "min" else value - self.best
        if not gain > self.min_delta:
            self.wait += 1
            return False
        self.best, self.best_epoch, self.wait = value, epoch, 0
        return True

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.remembers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name in self.remembers:
            setattr(self, name, state[name])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(monitor={self.monitor!r}, mode={self.mode!r})"


class EarlyStopping(Monitor):
    """Stop when the monitored number has not become better for `patience` epochs.

    With `restore_best` the weights of the best epoch are put back when the training ends, by this
    callback or otherwise; its number is then `best_epoch`, counted from 0.
    """

    remembers = (*Monitor.remembers, "weights")

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = False,
    ) -> None:
        self.patience = _whole("EarlyStopping: patience", patience, 0)
        self.restore_best = restore_best
        super().__init__(monitor, mode, min_delta)

    def start(self) -> None:
        super().start()
        self.weights: dict[str, Any] | None = None
        self.restored: int | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.better(epoch, self.watched(logs)):
            if self.restore_best:
                self.weights = self.model.state_dict()
        elif self.wait >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float]) -> None:
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
            self.restored = self.best_epoch


class ModelCheckpoint(Monitor):
    """Save the weights every `every` epochs, or with `save_best_only` when they are the best.

    `path` may name the epoch, counted from 1, and numbers of the logs, so that earlier files stay:
    "runs/{epoch:02d}-{val_loss:.3f}.safetensors".  A whole training, with what it takes to go on,
    is saved by `fit(checkpoint=...)`.
    """

    def __init__(
        self,
        path: Any,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
        every: int = 1,
    ) -> None:
        self.path, self.save_best_only = str(path), save_best_only
        self.every = _whole("ModelCheckpoint: every", every, 1)
        if not self.path.endswith(".safetensors"):
            raise ValueError(
                f"ModelCheckpoint: {self.path!r} must end in .safetensors, which is what is written"
            )
        super().__init__(monitor, mode, 0.0)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.save_best_only:
            wanted = self.better(epoch, self.watched(logs))
        else:
            wanted = (epoch + 1) % self.every == 0
        if wanted:
            try:
                path = Path(self.path.format(epoch=epoch + 1, **logs))
            except KeyError as error:
                raise ValueError(
                    f"ModelCheckpoint: {self.path!r} names {error}; there are epoch, "
                    f"{', '.join(logs)}"
                ) from None
            path.parent.mkdir(parents=True, exist_ok=True)
            self.model.save(path)


class ReduceLROnPlateau(Monitor):
    """Multiply the learning rate by `factor` after `patience` epochs without a better number.

    After that, `cooldown` epochs are not counted; the rate does not fall below `min_lr`.
    """

    remembers = (*Monitor.remembers, "cooling")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        mode: str = "auto",
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"ReduceLROnPlateau: factor={factor} must be above 0 and below 1")
        self.factor, self.min_lr = factor, min_lr
        self.patience = _whole("ReduceLROnPlateau: patience", patience, 0)
        self.cooldown = _whole("ReduceLROnPlateau: cooldown", cooldown, 0)
        super().__init__(monitor, mode, min_delta)

    def start(self) -> None:
        super().start()
        self.cooling = 0

    def on_train_begin(self, logs: dict[str, float]) -> None:
        _without_schedule(self)
        super().on_train_begin(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        better = self.better(epoch, self.watched(logs))
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        elif not better and self.wait >= self.patience:
            optimizer = self.model.optimizer
            optimizer.lr = max(optimizer.lr * self.factor, self.min_lr)
            self.cooling, self.wait = self.cooldown, 0


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch to `schedule(epoch)` or `schedule(epoch, lr)`."""

    def __init__(self, schedule: Callable[..., float]) -> None:
        self.schedule = schedule
        try:
            needed = [
                p for p in inspect.signature(schedule).parameters.values()
                if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]  # fmt: skip
        except (TypeError, ValueError):
            raise TypeError(
                f"LearningRateScheduler: {schedule!r:.60} is not a function of (epoch) or "
                "(epoch, lr)"
            ) from None
        self.with_rate = len(needed) > 1

    def on_train_begin(self, logs: dict[str, float]) -> None:
        _without_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float]) -> None:
        optimizer = self.model.optimizer
        facts = (epoch, optimizer.lr) if self.with_rate else (epoch,)
        optimizer.lr = self.schedule(*facts)


def _without_schedule(callback: Callback) -> None:
    """Raise where two would set the learning rate."""
    optimizer = callback.model.optimizer
    if optimizer.schedule is not None:
        raise ValueError(
            f"{type(callback).__name__}: the learning rate of {optimizer.name} follows "
            f"{optimizer.schedule!r:.60} already; give the optimizer a number as lr, or leave this "
            "callback out"
        )


def _whole(what: str, n: Any, least: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < least:
        raise ValueError(f"{what}={n!r}: expected a whole number from {least} on")
    return n
