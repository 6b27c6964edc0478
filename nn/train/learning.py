"""What the course of a training says: does the model learn, and what it learns, does it hold?

Read off the losses per epoch alone.  A model *overfits* from the epoch on after which the loss on
held-out data no longer falls while that on the training data does (Prechelt, "Early stopping, but
when?", 1998).  It *underfits* where even the training loss stays where it began.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log
from statistics import median
from typing import Any

from autograd import Tensor

from ..data import Data
from ..losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

__all__ = ["Learning", "constant_loss", "judge"]

FEWEST = 5
"""How many epochs it takes to say anything."""

FALLS = 0.02
"""Losses that changed by less than this share have not changed."""


@dataclass
class Learning:
    """The verdict: "healthy", "overfitting", "underfitting", or "unknown" where it is too early.

    Printed it is one line.  `best` is the epoch with the lowest validation loss, counted from 0,
    `gap` the validation loss less the training loss, of the last epoch.
    """

    verdict: str
    told: str = ""
    fix: str = ""
    best: int | None = None
    gap: float | None = None

    def __str__(self) -> str:
        told = f" ({self.told})" if self.verdict == "healthy" else f": {self.told}"
        return f"learning: {self.verdict}{told if self.told else ''}" + (
            f"; {self.fix}" if self.fix else ""
        )


def judge(
    course: dict[str, list[float]],
    epochs: Sequence[int],
    optimizer: Any = None,
    kept: int | None = None,
    constant: float | None = None,
) -> Learning:
    """The verdict on losses by epoch.

    `kept` is the epoch whose weights a callback put back, `constant` the loss of the best constant
    answer, if that is known.
    """
    train, held_out = course.get("loss", []), course.get("val_loss", [])
    if len(train) < FEWEST or not all(map(isfinite, train)):
        return Learning("unknown")
    stuck = _stuck(train, optimizer, constant)
    paired = len(held_out) == len(train) and all(map(isfinite, held_out))
    if not paired:
        return stuck or Learning("healthy", _course(train))
    at = held_out.index(min(held_out))
    best, gap = epochs[at], held_out[-1] - train[-1]
    if _overfits(train, held_out, at):
        end = _level(held_out)
        rises = end - held_out[at] > FALLS * abs(held_out[at])
        told = (
            f"validation loss {'rose' if rises else 'stayed'} from epoch {best + 1} on "
            f"({held_out[at]:.3g} → {end:.3g}) while training loss fell "
            f"({train[at]:.3g} → {train[-1]:.3g})"
        )
        fix = "try dropout, weight decay, more data, or EarlyStopping(restore_best=True)"
        if kept is not None:
            fix = f"the weights are those of epoch {kept + 1} again"
        return Learning("overfitting", told, fix, best, gap)
    if constant is not None and _memorises(_level(train), _level(held_out), constant):
        told = (
            f"validation loss fell to {_level(held_out):.3g} only while training loss fell to "
            f"{_level(train):.3g} (one answer for all has {constant:.3g})"
        )
        fix = "try dropout, weight decay, a smaller model or more data"
        return Learning("overfitting", told, fix, best, gap)
    if stuck is not None:
        stuck.best, stuck.gap = best, gap
        return stuck
    where = "the last epoch" if at == len(train) - 1 else f"epoch {best + 1}"
    told = f"{_course(train)}, validation {held_out[-1]:.3g}, best in {where}"
    return Learning("healthy", told, "", best, gap)


def _course(losses: list[float]) -> str:
    return f"training loss {losses[0]:.3g} → {losses[-1]:.3g}"


def _level(losses: list[float]) -> float:
    """Where the losses are at the end: the middle one of the last three."""
    return median(losses[-3:])


def _noise(losses: list[float]) -> float:
    """How far a loss is off its own trend: the typical second difference, 0 on a straight line."""
    return median(
        abs(a - 2 * b + c) for a, b, c in zip(losses, losses[1:], losses[2:], strict=False)
    )


def _overfits(train: list[float], held_out: list[float], at: int) -> bool:
    """Whether, since the best epoch, what is trained on got better, and what is held out did not.

    A rise counts that stands out of the noise.  No rise, but a standstill, counts where the
    training loss has fallen to less than half meanwhile, and below half of the other.
    """
    since = len(held_out) - 1 - at
    if since < 3:
        return False
    scale = max(abs(train[at]), abs(held_out[at]))
    fell = train[at] - _level(train)
    rise = _level(held_out) - held_out[at]
    if fell > FALLS * abs(train[at]) and rise > max(0.05 * scale, 3 * _noise(held_out)):
        return True
    return since >= FEWEST and fell > 0.5 * abs(train[at]) and _level(train) < 0.5 * held_out[at]


def _memorises(train: float, held_out: float, constant: float) -> bool:
    """Whether less than half of what was learned, beyond one answer for all, holds elsewhere."""
    return train < 0.5 * held_out and constant - held_out < 0.5 * (constant - train)


def _stuck(train: list[float], optimizer: Any, constant: float | None) -> Learning | None:
    """A verdict on a training loss that tells of no learning, with the likely reason.

    It is no better than a constant answer would be or, where that is not known, than it was.
    """
    start, end = train[0], _level(train)
    known = constant is not None
    mark = constant if constant is not None else start
    if mark - end > FALLS * abs(mark):
        return None
    course = f"({start:.3g} → {end:.3g} in {len(train)} epochs)"
    told = f"training loss did not fall {course}"
    if known:
        told = f"training loss {course} is no better than one answer for all, {constant:.3g}"
    steps = [abs(b - a) for a, b in pairwise(train)]
    rate, usual = _rates(optimizer)
    now = f", {rate:.2g}," if rate is not None else ""
    if end > 1.1 * mark or median(steps) > 0.05 * abs(mark):
        fix = f"the learning rate{now} is likely too high"
        if known and start > end and rate is not None and usual is not None and rate < usual / 3:
            fix = f"the learning rate{now} is likely too low"
    elif rate is not None and usual is not None and rate < usual / 3:
        fix = f"the learning rate{now} is likely too low"
    else:
        fix = "the model is too small or its gradients vanish, or the inputs tell nothing"
    return Learning("underfitting", told, f"{fix}; nn.lr_find shows which rates would do")


def constant_loss(loss: Any, data: Data) -> float | None:
    """The loss of always giving the answer that is best on average, for losses where it is known.

    It is the variance for a squared error, the entropy of the classes for a cross-entropy.
    """
    y = data.y
    if (
        data.weight is not None
        or getattr(loss, "label_smoothing", False)
        or not isinstance(y, Tensor)
    ):
        return None
    if type(loss) is MeanSquaredError:
        y = y.astype("float64")
        return float(((y - y.mean(axis=0)) ** 2).mean().item())
    if type(loss) is BinaryCrossentropy:
        shares = y.astype("float64").reshape(len(y), -1).mean(axis=0).tolist()
        return sum(_entropy([p, 1 - p]) for p in shares) / len(shares)
    if type(loss) is CategoricalCrossentropy and y.ndim == 2:
        return _entropy(y.astype("float64").mean(axis=0).tolist())
    if type(loss) is SparseCategoricalCrossentropy:
        counts = Counter(y.reshape(-1).tolist())
        counts.pop(loss.ignore_index, None)
        return _entropy([n / counts.total() for n in counts.values()])
    return None


def _entropy(shares: list[float]) -> float:
    """-Σ p log p."""
    return -sum(p * log(p) for p in shares if p > 0)


def _rates(optimizer: Any) -> tuple[float | None, float | None]:
    """The learning rate, and the one that such an optimizer has unless told otherwise."""
    if optimizer is None or optimizer.schedule is not None:
        return None, None
    default = inspect.signature(type(optimizer)).parameters.get("lr")
    usual = default.default if default is not None else None
    return float(optimizer.lr), usual if isinstance(usual, float) else None
