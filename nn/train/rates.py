"""`lr_find`: at which learning rates does the loss fall?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from autograd import random
from autograd.errors import DomainError

from ..data.arrays import Data, quiet
from ..mode import training
from ..plot import blank, plain
from .arguments import count, known, source_of
from .history import HELD_OUT, TRAIN, sparkline
from .source import Source

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["LearningRates", "lr_find"]

MEMORY = 0.9
"""How much of the running mean of the losses one step keeps."""

DIVERGED = 4.0
"""The search ends where the loss is so many times its best."""


@dataclass
class LearningRates:
    """The loss, smoothed, at each learning rate that was tried, and the one to begin with.

    `suggestion` is a tenth of the rate at which the loss is lowest: there it falls fast, and well
    before it diverges (Smith 2017).  It is None where the loss does not fall.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float | None

    def __repr__(self) -> str:
        ends = f"{self.rates[0]:.1e} to {self.rates[-1]:.1e}"
        told = f"try lr={self.suggestion:.1e}" if self.suggestion else "at none of them it falls"
        return f"loss at learning rates from {ends}: {sparkline(self.losses)}  {told}"

    def plot(self, path: Any = None) -> Any:
        """Draw the loss over the learning rate, and save it if a path is given.

        Returns matplotlib's Figure; matplotlib is the extra `glassgrad[viz]`.
        """
        figure = blank(4.8, 3.4)
        panel = figure.subplots()
        panel.plot(self.rates, self.losses, color=TRAIN, linewidth=1.8, solid_capstyle="round")
        panel.set_xscale("log")
        if self.suggestion:
            at = self.losses[self.rates.index(self.suggestion)]
            panel.plot([self.suggestion], [at], "o", color=HELD_OUT, markersize=6)
            panel.annotate(
                f"try {self.suggestion:.1e}", (self.suggestion, at), xytext=(-8, -4),
                textcoords="offset points", ha="right", va="top", fontsize=8.5, color=HELD_OUT,
            )  # fmt: skip
        low = min(self.losses)
        top = max(self.losses[: self.losses.index(low) + 1])  # where it diverges is cut off
        panel.set_ylim(low - 0.1 * (top - low or 1), top + 0.3 * (top - low or 1))
        plain(panel, "loss by learning rate", "learning rate")
        if path is not None:
            figure.savefig(path, dpi=144)
        return figure


def lr_find(
    model: Module,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
) -> LearningRates:
    """Train with a learning rate that grows at each step, and see where the loss falls.

    The rate goes from `low` to `high` by equal factors, one batch each (Smith, "Cyclical learning
    rates for training neural networks", 2017, section 3.3), and ends early when the loss has grown
    to four times its best.  Losses are running means, corrected for their start at 0.  The model,
    its optimizer and the random stream are afterwards as they were.
    """
    compiled = known(model, "lr_find")
    if not 0 < low < high < math.inf:
        raise ValueError(f"lr_find: low={low} and high={high} do not bound rates above 0")
    steps = count("steps", steps)
    source = source_of(model, x, y, batch_size, shuffle=True)
    compiled.prepare(model, source.first())
    optimizer = compiled.bound(model)
    before = model.state_dict(), optimizer.state_dict(), random.state()
    scale = deepcopy(compiled.scale)
    schedule = optimizer.schedule
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    try:
        with training(True), quiet():
            for batch in _repeated(source, steps):
                rate = low * (high / low) ** (len(rates) / max(steps - 1, 1))
                optimizer.lr = rate
                _, loss = compiled.measure(model, batch)
                mean = MEMORY * mean + (1 - MEMORY) * loss.item()
                smooth = mean / (1 - MEMORY ** (len(rates) + 1))
                best = min(losses, default=math.inf)
                if not math.isfinite(smooth) or (best > 0 and smooth > DIVERGED * best):
                    break
                rates.append(rate)
                losses.append(smooth)
                optimizer.zero_grad()
                (loss if scale is None else scale(loss)).backward()
                optimizer.step() if scale is None else scale.step(optimizer)
    finally:
        optimizer.zero_grad()
        model.load_state_dict(before[0])
        if schedule is not None:
            optimizer.lr = schedule
        optimizer.load_state_dict(before[1])
        random.set_state(before[2])
    if not rates:
        raise DomainError(f"lr_find: the loss is not finite even before the first step, {mean}")
    return LearningRates(rates, losses, _suggested(rates, losses))


def _repeated(source: Source, steps: int) -> Iterator[Data]:
    """So many batches, in as many epochs as that takes."""
    done = epoch = 0
    while done < steps:
        source.begin(epoch)
        for batch in source.batches(0):
            if done == steps:
                return
            done += 1
            yield batch
        epoch += 1
        if source.dry:
            return


def _suggested(rates: list[float], losses: list[float]) -> float | None:
    """A tenth of the rate at which the loss is lowest, where the loss has fallen at all.

    That it has is said when its lowest is further below the early losses than they are apart: at
    the smallest rates nothing is learned yet, and what differs is noise.
    """
    early = losses[: max(len(losses) // 3, 1)]
    lowest = min(losses)
    if median(early) - lowest <= max(early) - min(early):
        return None
    end = rates[losses.index(lowest)]
    return max((rate for rate in rates if rate <= end / 10), default=None)
