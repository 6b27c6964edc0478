"""Learning-rate schedules: functions of how many steps have been taken.

    optimizer = Adam(model.parameters(), lr=CosineDecay(1e-3, steps=10_000, warmup=500))

A schedule is a plain function, step → rate; these are objects of it, that can be printed, compared,
pickled and drawn: `plt.plot(schedule.values())`.  The optimizer asks its schedule with its own
count of steps, 0 before the first, so that whoever restores the optimizer restores the rate.

`steps` counts steps, not epochs: `epochs * ceil(samples / batch_size)`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, fields
from typing import Any

__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseSqrtDecay", "MultiStepDecay",
    "OneCycle", "PolynomialDecay", "ReduceOnPlateau", "Schedule", "StepDecay",
]  # fmt: skip


@dataclass(frozen=True)
class Schedule:
    """A rate that is a function of the step.  A subclass writes `rate`.

    `lr` is the rate at the top.  In the first `warmup` steps it grows towards that, in equal
    parts and from above 0 (Goyal et al. 2017, §2.2); what `rate` says begins after them.
    """

    lr: float

    warmup = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check(field.name, getattr(self, field.name))

    def _check(self, name: str, value: Any) -> None:
        """Raise ValueError for a number below 0, and for 0 where it is a length of time."""
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers:
            low = 1 if name in LENGTHS else 0
            whole = name not in (*LENGTHS, "warmup", "at") or isinstance(number, int)
            if (
                isinstance(number, bool)
                or not isinstance(number, (int, float))
                or not low <= number < math.inf
                or not whole
            ):
                kind = "a number" if name not in (*LENGTHS, "warmup", "at") else "a whole number"
                raise ValueError(
                    f"{type(self).__name__}: {name} must be {kind} from {low} on, not {number!r}"
                )

    def __call__(self, step: int) -> float:
        """The rate of the step that follows `step` others."""
        if step < self.warmup:
            return self.lr * (step + 1) / (self.warmup + 1)
        return self.rate(step - self.warmup)

    def rate(self, step: int) -> float:
        """The rate, `step` steps after the warm-up."""
        raise NotImplementedError(f"{type(self).__name__} has no `rate(step)`")

    def values(self, steps: int | None = None) -> list[float]:
        """The rates of the first steps, to be looked at: of all, where it has an end."""
        steps = steps or getattr(self, "steps", None)
        if steps is None:
            raise ValueError(f"{type(self).__name__} has no end: values(steps) says how many")
        return [self(step) for step in range(steps)]


LENGTHS = ("steps", "every", "first")


def _share(step: int, steps: int) -> float:
    """How much of the way is done, 1 at the end and after it."""
    return min(step / steps, 1.0) if steps > 0 else 1.0


# --- in stairs ---


@dataclass(frozen=True)
class StepDecay(Schedule):
    """lr · factor^⌊step / every⌋."""

    every: int
    factor: float = 0.1
    warmup: int = 0

    def rate(self, step: int) -> float:
        return self.lr * self.factor ** (step // self.every)


@dataclass(frozen=True)
class MultiStepDecay(Schedule):
    """Times `factor` at each of the steps `at`, which are counted from the first."""

    at: tuple[int, ...]
    factor: float = 0.1
    warmup: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", tuple(sorted(self.at)))  # a list will do
        super().__post_init__()

    def rate(self, step: int) -> float:
        return self.lr * self.factor ** bisect_right(self.at, step + self.warmup)


# --- smoothly ---


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """lr · factor^(step / every)."""

    every: int
    factor: float
    warmup: int = 0

    def rate(self, step: int) -> float:
        return float(self.lr * self.factor ** (step / self.every))


@dataclass(frozen=True)
class PolynomialDecay(Schedule):
    """From lr to `end`, as (1 - share of the way)^power; in a straight line with power 1.

    `steps` counts the warm-up in.
    """

    steps: int
    end: float = 0.0
    power: float = 1.0
    warmup: int = 0

    def rate(self, step: int) -> float:
        left = 1 - _share(step, self.steps - self.warmup)
        return float(self.end + (self.lr - self.end) * left**self.power)


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """From lr to `end` along half a cosine (Loshchilov & Hutter 2017, eq. 5 without restarts).

    `steps` counts the warm-up in.

    >>> schedule = CosineDecay(1.0, steps=5, warmup=1)
    >>> [round(rate, 2) for rate in schedule.values(6)]
    [0.5, 1.0, 0.85, 0.5, 0.15, 0.0]
    """

    steps: int
    end: float = 0.0
    warmup: int = 0

    def rate(self, step: int) -> float:
        half = 0.5 * (1 + math.cos(math.pi * _share(step, self.steps - self.warmup)))
        return self.end + (self.lr - self.end) * half


@dataclass(frozen=True)
class CosineDecayRestarts(Schedule):
    """Half a cosine again and again (Loshchilov & Hutter 2017, eq. 5).

    The first takes `first` steps; each next one is `longer` times as long, and begins at `factor`
    times the height.
    """

    first: int
    longer: int = 2
    factor: float = 1.0
    end: float = 0.0
    warmup: int = 0

    def rate(self, step: int) -> float:
        length, top = self.first, self.lr
        while step >= length:
            step -= length
            length *= max(self.longer, 1)
            top *= self.factor
        return self.end + (top - self.end) * 0.5 * (1 + math.cos(math.pi * step / length))


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up to lr and down again, once, along cosines (Smith & Topin 2018).

    It begins at lr / `low`, is at its top after the share `rise` of the `steps`, and ends at
    lr / (low · `final`), in its last step.
    """

    steps: int
    rise: float = 0.3
    low: float = 25.0
    final: float = 1e4

    def rate(self, step: int) -> float:
        start, top = self.lr / self.low, self.rise * self.steps - 1
        if step <= top:
            return _along(start, self.lr, step / top if top > 0 else 1.0)
        down = (step - top) / (self.steps - 1 - top) if self.steps - 1 > top else 1.0
        return _along(self.lr, start / self.final, min(down, 1.0))


def _along(a: float, b: float, share: float) -> float:
    """From a to b along half a cosine."""
    return b + (a - b) * 0.5 * (1 + math.cos(math.pi * share))


@dataclass(frozen=True)
class InverseSqrtDecay(Schedule):
    """lr · √(warmup / step) after a warm-up to lr (Vaswani et al. 2017, §5.3, "Noam").

    With lr = (width · warmup)^-½ it is the paper's.
    """

    warmup: int = 4000

    def rate(self, step: int) -> float:
        start = self.warmup + 1
        return float(self.lr * math.sqrt(start / (step + start)))


# --- by how it goes ---


class ReduceOnPlateau:
    """Times `factor` where a figure has not become better for more than `patience` looks.

        schedule = ReduceOnPlateau(1e-3, patience=5)
        optimizer = Adam(model.parameters(), lr=schedule)
        for epoch in range(epochs):
            ...
            schedule.update(validation_loss)

    Better is smaller by the share `threshold`, or with mode="max" larger.  After a change it waits
    for `cooldown` looks.  What it has seen is part of the optimizer's `state_dict`.
    """

    def __init__(
        self,
        lr: float,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        cooldown: int = 0,
        end: float = 0.0,
        mode: str = "min",
    ) -> None:
        if not 0 < factor < 1:
            raise ValueError(f"ReduceOnPlateau: factor must be between 0 and 1, not {factor!r}")
        if mode not in ("min", "max"):
            raise ValueError(f'ReduceOnPlateau: mode is "min" or "max", not {mode!r}')
        self.lr, self.factor, self.patience, self.threshold = lr, factor, patience, threshold
        self.cooldown, self.end, self.mode = cooldown, end, mode
        self.best: float | None = None
        self.bad = self.resting = 0

    def __call__(self, step: int) -> float:
        """The rate as it is now, whatever the step."""
        return self.lr

    def update(self, figure: Any) -> float:
        """Look at the figure of an epoch; the rate that follows from it."""
        figure = float(figure)
        if math.isnan(figure):
            raise ValueError("ReduceOnPlateau: the figure is NaN, neither better nor worse")
        if self._better(figure):
            self.best, self.bad = figure, 0
        else:
            self.bad += 1
        if self.resting:
            self.resting, self.bad = self.resting - 1, 0
        if self.bad > self.patience:
            self.lr = max(self.lr * self.factor, self.end)
            self.resting, self.bad = self.cooldown, 0
        return self.lr

    def _better(self, figure: float) -> bool:
        if self.best is None:
            return True
        margin = abs(self.best) * self.threshold
        return figure < self.best - margin if self.mode == "min" else figure > self.best + margin

    def state_dict(self) -> dict[str, Any]:
        """What changes as it runs."""
        best = math.nan if self.best is None else self.best
        return {"lr": self.lr, "best": best, "bad": self.bad, "resting": self.resting}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        best = float(state["best"])
        self.lr, self.best = float(state["lr"]), None if math.isnan(best) else best
        self.bad, self.resting = int(state["bad"]), int(state["resting"])

    def __repr__(self) -> str:
        return f"ReduceOnPlateau(lr={self.lr:g}, factor={self.factor:g}, patience={self.patience})"
