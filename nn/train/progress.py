"""Showing how a training goes: a live bar for a person, one line per epoch for a log.

The bar is redrawn at most ten times a second, and says how long the whole training still takes.
"""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import Any

__all__ = ["Progress", "progress"]

INTERVAL = 0.1
"""Seconds between two drawings of the bar."""

SHOWN = 12
"""How many finished epochs a notebook's cell shows."""

Logs = dict[str, float]


def progress(
    verbose: Any, title: str, rounds: int, samples: int | None, steps: int | None = None
) -> Progress:
    """What shows `rounds` passes over that many samples or batches, each called `title`.

    `verbose` is 0 for nothing, 1 for a live bar (where the output cannot be overwritten, as in a
    pipe, lines), 2 for one line per epoch, "auto" for 1.
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f'verbose={verbose!r}: expected 0 (silent), 1 (bar), 2 (lines) or "auto"')
    kind: type[Progress] = Lines
    if not verbose:
        kind = Progress
    elif verbose != 2:
        if _in_notebook():
            kind = Notebook
        elif sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            kind = Terminal
    return kind(title, rounds, samples, steps)


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")  # IPython in a terminal has none


def numbers(logs: Logs) -> str:
    """Losses and metrics in a row."""
    return "  ".join(f"{key} {number(value)}" for key, value in logs.items())


def number(x: float) -> str:
    """Four decimals, or a power of ten where these would show nothing or too much."""
    return f"{x:.4f}" if x == 0 or 1e-3 <= abs(x) < 1e4 else f"{x:.2e}"


def duration(seconds: float) -> str:
    """25 ms, 3.2 s, 1:05 or 2:10:00."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Shows nothing, and keeps the time for those that do."""

    def __init__(
        self, title: str, rounds: int, samples: int | None, steps: int | None = None
    ) -> None:
        self.title, self.rounds, self.samples, self.steps = title, rounds, samples, steps
        self.round = self.first = 0
        self.seen, self.skipped = 0, 0
        self.started = self.round_started = perf_counter()
        self.seconds = 0.0
        """How long the last pass took, without what came after it."""
        self.due = float("inf")
        """When the next drawing is due, on the clock of `perf_counter`."""

    def start(self, first: int) -> None:
        """The first pass that will be shown, where the ones before were done another time."""
        self.first = first

    def begin(self, round: int, seen: int = 0) -> None:
        """A pass over the data begins, the first being 0; so many samples of it are done."""
        self.round, self.round_started, self.skipped = round, perf_counter(), seen

    def draw(self, seen: int, step: int, logs: Logs) -> None:
        """So many samples and batches of this pass are done."""

    def over(self, seen: int) -> None:
        """All samples have been seen; what follows, such as validation, is not counted as speed."""
        self.seconds = max(perf_counter() - self.round_started, 1e-9)
        self.seen = seen - self.skipped

    def end(self, logs: Logs) -> None:
        """The pass is over, and all that is told of it is known."""

    def say(self, text: str) -> None:
        """A last remark."""

    def close(self) -> None:
        """Leave the screen in order, also after an error."""

    def head(self) -> str:
        """epoch  3/10"""
        if self.rounds == 1 and not self.title:
            return ""
        width = len(str(self.rounds))
        return f"{self.title} {self.round + 1:>{width}}/{self.rounds}"

    def line(self, logs: Logs) -> str:
        """What remains to be said of a finished pass."""
        parts = [self.head(), numbers(logs), f"{self.seen / self.seconds:,.0f} samples/s"]
        parts.append(duration(perf_counter() - self.round_started))
        return "  ".join(part for part in parts if part)

    def share(self, seen: int, step: int) -> float | None:
        """How much of this pass is done, in [0, 1], or None where its length is not known."""
        if self.samples:
            return seen / self.samples
        return min(step / self.steps, 1.0) if self.steps else None

    def status(self, seen: int, step: int) -> str:
        """Samples per second and time left, of a pass under way."""
        now = perf_counter()
        rate = (seen - self.skipped) / max(now - self.round_started, 1e-9)
        share = self.share(seen, step)
        if share is None:
            return f"batch {step}  {rate:,.0f} samples/s"
        done, all = self.round - self.first + share, self.rounds - self.first
        left = (now - self.started) * (all - done) / max(done, 1e-9)
        return f"{rate:,.0f} samples/s  {duration(left)} left"


class Lines(Progress):
    """One line per epoch: for a pipe, a log, CI."""

    def end(self, logs: Logs) -> None:
        self.say(self.line(logs))

    def say(self, text: str) -> None:
        print(text, flush=True)


class Live(Progress):
    """A bar that is drawn over and over, and above it a line per finished epoch."""

    def __init__(
        self, title: str, rounds: int, samples: int | None, steps: int | None = None
    ) -> None:
        super().__init__(title, rounds, samples, steps)
        self.due = self.started + INTERVAL

    def draw(self, seen: int, step: int, logs: Logs) -> None:
        self.show(seen, step, logs)
        self.due = perf_counter() + INTERVAL

    def show(self, seen: int, step: int, logs: Logs) -> None:
        """Draw the bar."""
        raise NotImplementedError


class Terminal(Live):
    """Drawn with rich, at the bottom of a terminal.

    Where epochs are shorter than the interval, not every one leaves its line.
    """

    def __init__(
        self, title: str, rounds: int, samples: int | None, steps: int | None = None
    ) -> None:
        from rich.console import Console
        from rich.live import Live as Screen

        super().__init__(title, rounds, samples, steps)
        self.console = Console(highlight=False)
        self.screen = Screen(console=self.console, auto_refresh=False, transient=True)
        self.screen.start()
        self.last_line = 0.0

    def show(self, seen: int, step: int, logs: Logs) -> None:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True)
        row.add_column()
        row.add_column(no_wrap=True, overflow="ellipsis")
        row.add_column(no_wrap=True, style="dim", overflow="ellipsis")
        share = self.share(seen, step)
        # of unknown length: a bar that pulses
        bar = ProgressBar(total=None if share is None else 1.0, completed=share or 0.0, width=24)
        row.add_row(self.head(), bar, numbers(logs), self.status(seen, step))
        self.screen.update(row, refresh=True)

    def end(self, logs: Logs) -> None:
        now = perf_counter()
        if now - self.last_line >= INTERVAL or self.round in (0, self.rounds - 1):
            self.last_line = now
            self.say(self.line(logs))

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        from rich.text import Text

        self.screen.update(Text(""))  # else the last bar would be drawn once more
        self.screen.stop()


class Notebook(Live):
    """Plain text in one output of the cell, replaced as it goes: a saved notebook has the last."""

    def __init__(
        self, title: str, rounds: int, samples: int | None, steps: int | None = None
    ) -> None:
        from IPython.display import display

        super().__init__(title, rounds, samples, steps)
        self.lines: list[str] = []
        self.output = display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, seen: int, step: int, logs: Logs) -> None:
        full = int(24 * (self.share(seen, step) or 0.0))
        bar = "━" * full + "╌" * (24 - full)
        self.put("  ".join([self.head(), bar, numbers(logs), self.status(seen, step)]))

    def end(self, logs: Logs) -> None:
        self.lines.append(self.line(logs))
        if perf_counter() >= self.due:
            self.put()
            self.due = perf_counter() + INTERVAL

    def say(self, text: str) -> None:
        self.lines.append(text)
        self.put()

    def close(self) -> None:
        self.put()

    def put(self, *last: str) -> None:
        """Show the lines of the first and of the latest epochs, and below them `last`."""
        lines = self.lines
        if len(lines) > SHOWN:
            lines = [*lines[:2], "  ⋮", *lines[3 - SHOWN :]]
        self.output.update({"text/plain": "\n".join([*lines, *last])}, raw=True)
