"""How much of a training's time goes into recording it."""

from __future__ import annotations

from time import perf_counter

__all__ = ["SHARE", "Budget"]

SHARE = 0.02
"""Of the training's time, at most, goes into frames with histograms and probes.  What comes after
them is slower for a moment, for the processor has other things at hand: that is as much again."""


FLOOR, APART = 0.005, 10
"""Seconds that a training may spend on each of histograms and probes whatever it takes itself: one
of a second, too, is looked at closely.  Each waits ten times as long as the one before took, and a
probe also a tenth of the time so far: the few there are shall not all come at the beginning."""


class Budget:
    """Seconds spent since the recording began, by what for.

    Frames are taken at their steps, whatever they cost.  What they leave of the `SHARE` is for
    histograms and probes, half for each, and the `FLOOR` in any case.
    """

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.begun = before, perf_counter()
        self.spent = {"frames": 0.0, "histograms": 0.0, "probes": 0.0, "graph": 0.0}
        self.last: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    def elapsed(self) -> float:
        """Seconds of the training, with those before it was taken up again."""
        return self.before + perf_counter() - self.begun

    def spend(self, what: str, seconds: float) -> None:
        """So long it took."""
        self.spent[what] += seconds
        self.last[what], self.ended[what] = seconds, perf_counter()

    def allows(self, what: str, first: float = 0.0) -> bool:
        """Whether there is time for one more, if it takes as long as the last, or `first`.

        A first that costs nothing is always allowed.
        """
        cost, now = self.last.get(what, first), perf_counter()
        after = self.spent[what] + cost
        left = SHARE * (now - self.begun) - self.spent["frames"]
        if not cost or after <= left / 2:
            return True
        apart = max(APART * cost, (now - self.begun) / APART if what == "probes" else 0.0)
        return after <= FLOOR and now - self.ended.get(what, self.begun) >= apart
