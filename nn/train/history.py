"""`History`: what `fit` returns, as numbers, as text and as a picture."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..plot import blank, plain

__all__ = ["History", "sparkline"]

BLOCKS = "▁▂▃▄▅▆▇█"
TRAIN, HELD_OUT = "#3b7dc4", "#b45309"
TITLES = {"auc": "AUC", "f1": "F1", "mae": "MAE", "mse": "MSE", "r2": "R²"}


def sparkline(numbers: list[float], width: int = 24) -> str:
    """A row of blocks from the smallest number (▁) to the largest (█), at most `width` of them."""
    if len(numbers) > width:
        numbers = [numbers[i * (len(numbers) - 1) // (width - 1)] for i in range(width)]
    finite = [x for x in numbers if isfinite(x)]
    if not finite:
        return " " * len(numbers)
    low, high = min(finite), max(finite)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((x - low) / step)] if isfinite(x) else " " for x in numbers)


class History:
    """The course of a training.

    `history` maps "loss", "val_loss" and each metric to one number per epoch, `epoch` lists the
    epochs, counted from 0.  `learning` is the verdict on the losses, and `flow` that on the
    gradients after the last epoch.  `path` says how the batches ran: "native", "replay" or "eager".
    `server` serves the page of `fit(live=True)`, until `server.close()`.
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.path = "eager"
        self.learning: Any = None
        self.flow: Any = None
        self.server: Any = None

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Take down the numbers of an epoch."""
        self.epoch.append(epoch)
        for key, value in logs.items():
            self.history.setdefault(key, []).append(value)

    def last(self) -> dict[str, float]:
        """The numbers of the last epoch."""
        count = len(self.epoch)
        return {k: values[-1] for k, values in self.history.items() if len(values) == count}

    def __repr__(self) -> str:
        count = len(self.epoch)
        lines = [f"History of {count} epoch{'s' if count != 1 else ''}"]
        width = max(map(len, self.history), default=0)
        for key, values in self.history.items():
            course = f"{values[0]:.4g} → {values[-1]:.4g}" if count > 1 else f"{values[0]:.4g}"
            lines.append(f"  {key:<{width}}  {sparkline(values)}  {course}")
        if self.learning is not None and self.learning.verdict != "unknown":
            lines.append(f"  {self.learning}")
        return "\n".join([*lines, *([f"  {self.flow}"] if self.flow else [])])

    def plot(self, path: Any = None) -> Any:
        """Draw loss and metrics over the epochs, one panel each, and save them if a path is given.

        Training is blue and solid, validation amber and dashed.  Returns matplotlib's Figure;
        matplotlib is the extra `glassgrad[viz]`.
        """
        if not self.epoch:
            raise ValueError("plot: no epoch has been trained yet")
        keys = [key for key in self.history if not key.startswith("val_")]
        columns = min(len(keys), 2 if len(keys) == 4 else 3)
        rows = -(-len(keys) // columns)
        figure = blank(4.8 * columns, 3.4 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(keys) :]:
            panel.set_visible(False)
        for panel, key in zip(panels, keys, strict=False):
            self._panel(panel, key)
        if path is not None:
            figure.savefig(path, dpi=144)
        return figure

    def _panel(self, panel: Any, key: str) -> None:
        """One quantity: its two lines, each named where it ends."""
        epochs = [e + 1 for e in self.epoch]
        lines = [("training", key, TRAIN, "-"), ("validation", f"val_{key}", HELD_OUT, (0, (4, 2)))]
        ends = []
        for label, name, colour, style in lines:
            if name in self.history:
                values = self.history[name]
                first = epochs[len(epochs) - len(values) :]
                panel.plot(
                    first, values, color=colour, linestyle=style, linewidth=1.8,
                    marker="o" if len(epochs) == 1 else None, solid_capstyle="round",
                )  # fmt: skip
                ends.append((values[-1], f"{label}  {values[-1]:.3g}", colour))
        plain(panel, TITLES.get(key, key.replace("_", " ")), "epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        low, high = panel.get_ylim()
        apart = (high - low) * 0.085  # the height of a line of text
        ends.sort()
        if len(ends) == 2 and ends[1][0] - ends[0][0] < apart:
            middle = (ends[0][0] + ends[1][0]) / 2
            places = [middle - apart / 2, middle + apart / 2]
        else:
            places = [end[0] for end in ends]
        for (_, text, colour), place in zip(ends, places, strict=True):
            panel.annotate(
                text, (epochs[-1], place), xytext=(6, 0), textcoords="offset points",
                va="center", fontsize=8.5, color=colour, annotation_clip=False,
            )  # fmt: skip
