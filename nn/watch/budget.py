"""How much of a training's time goes into recording it."""

from __future__ import annotations

from time import perf_counter

__all__ = ["SHARE", "Budget"]

SHARE = 0.03
"""Of the training's time, at most, goes into frames with histograms and probes; a fiftieth more is
what a step may take longer that leaves its gradients."""


class Budget:
    """Seconds spent since the recording began, by what for.

    Frames are taken at their steps, whatever they cost.  What they leave of the `SHARE` is for
    histograms and probes, half for each.
    """

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.begun = before, perf_counter()
        self.spent = {"frames": 0.0, "histograms": 0.0, "probes": 0.0}
        self.last: dict[str, float] = {}

    def elapsed(self) -> float:
        """Seconds of the training, with those before it was taken up again."""
        return self.before + perf_counter() - self.begun

    def spend(self, what: str, seconds: float) -> None:
        """So long it took."""
        self.spent[what] += seconds
        self.last[what] = seconds

    def allows(self, what: str, first: float = 0.0) -> bool:
        """Whether there is time for one more, if it takes as long as the last, or `first`.

        A first that costs nothing is always allowed.
        """
        cost = self.last.get(what, first)
        left = SHARE * (perf_counter() - self.begun) - self.spent["frames"]
        return not cost or self.spent[what] + cost <= left / 2
