"""Loss and metrics over the batches of a pass, read from the device as seldom as possible."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from autograd import Tensor, functions, no_grad

from ..data.arrays import is_on_host
from ..metrics import Metric

__all__ = ["Tally"]

CHUNK = 1 << 16
"""How many numbers of predictions are gathered before the metrics look at them."""


class Tally:
    """What is added up over a pass.

    Metrics see many small batches as one large one: the result is the same, and the cost per batch
    next to nothing.  On a device the losses wait there until somebody asks.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.loss, self.weight, self.count = 0.0, 0.0, 0
        self.bad: int | None = None
        """The first batch whose loss is not finite, as far as is known."""
        self.waiting: list[tuple[Tensor, float]] = []
        self.predictions: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.numbers = 0
        for metric in metrics:
            metric.reset()

    def add(self, loss: Tensor, weight: float, prediction: Tensor, target: Tensor) -> None:
        """Take in a batch, whose loss counts `weight` times."""
        if self.metrics:
            raw = prediction.raw
            # only the arrays are kept, not the graph behind them
            self.predictions.append(prediction if prediction.op is None else Tensor.of(raw))
            self.targets.append(target)
            self.numbers += raw.size
            if self.numbers > CHUNK:
                self.measure()
        if is_on_host(loss):
            self._take(float(loss.raw), weight)
        else:
            self.waiting.append((loss.detach(), weight))

    def _take(self, loss: float, weight: float) -> None:
        if self.bad is None and not isfinite(loss):
            self.bad = self.count
        self.loss += loss * weight
        self.weight += weight
        self.count += 1

    def settle(self) -> None:
        """Fetch the losses that wait on the device."""
        for loss, weight in self.waiting:
            self._take(loss.item(), weight)
        self.waiting.clear()

    def measure(self) -> None:
        """Let the metrics look at what has been gathered."""
        if not self.predictions:
            return
        with no_grad():
            prediction = functions.concatenate(self.predictions)
            target = functions.concatenate(self.targets)
            for metric in self.metrics:
                metric.update(prediction, target)
        self.predictions, self.targets, self.numbers = [], [], 0

    def logs(self, final: bool = True) -> dict[str, float]:
        """Loss and metrics so far; before the end only those that are cheap to tell."""
        self.settle()
        self.measure()
        found: dict[str, Any] = {"loss": self.loss / self.weight if self.weight else 0.0}
        for metric in self.metrics:
            if final or metric.live:
                found[metric.name] = metric.result()
        return found

    def state_dict(self) -> dict[str, Any]:
        """All that has been added up; what is gathered stays so, for sums to come out the same."""
        self.settle()
        return {
            "sums": [self.loss, self.weight, self.count, self.numbers],
            "predictions": self.predictions,
            "targets": self.targets,
            "metrics": [_state_of(metric) for metric in self.metrics],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there, with the same metrics."""
        self.loss, self.weight, self.count, self.numbers = state["sums"]
        self.predictions, self.targets = state["predictions"], state["targets"]
        for metric, kept in zip(self.metrics, state["metrics"], strict=True):
            if metric.name != kept.get("name", metric.name):
                raise ValueError(f"the metric was {kept['name']}, and is {metric.name}")
            if hasattr(metric, "load_state_dict"):
                metric.load_state_dict(kept)
            else:
                vars(metric).update(kept)


def _state_of(metric: Metric) -> dict[str, Any]:
    """What a metric holds: what it says itself, or its attributes but functions and metrics."""
    if hasattr(metric, "state_dict"):
        return dict(metric.state_dict())
    return {
        key: value
        for key, value in vars(metric).items()
        if not (callable(value) or isinstance(value, Metric))
    }
