"""The contestants: each a factory that sets up one program to be timed in its own process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

__all__ = ["Contestant", "repeat", "resident", "threads"]


@dataclass
class Contestant:
    """What a worker process is asked for."""

    run: Callable[[int], dict[str, float]]
    """`run(k)` does k repetitions and returns figures, by name; "seconds" is per repetition."""
    answer: Callable[[], list[float]] = field(default=list)
    """Numbers on which the contestants of a row must agree; asked for before the first run."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What else is worth telling, such as the number of nodes of the graph."""
    first: Callable[[], float] = field(default=float)
    """Seconds of the call that compiles, if asked before all else; 0 where nothing is compiled."""


def repeat(
    step: Callable[[], Any],
    start: Callable[[], Any] = lambda: None,
    finish: Callable[[], Any] = lambda: None,
) -> Callable[[int], dict[str, float]]:
    """A `run` that times `step`, after `start` and three untimed steps have set it up.

    `start` puts a model back to its initial weights: each measurement then does the same work,
    and no measurement gets as far as gradients so small that the processor handles them slowly.
    `finish` waits for steps that were only begun.
    """

    def run(k: int) -> dict[str, float]:
        start()
        for _ in range(3):
            step()
        finish()
        begin = perf_counter()
        for _ in range(k):
            step()
        finish()
        return {"seconds": (perf_counter() - begin) / k}

    return run


def threads() -> int:
    """How many threads the arena allows."""
    return int(os.environ.get("OMP_NUM_THREADS", "2"))


def resident(peak: bool = False) -> int:
    """Bytes of memory of this process, now or at most so far; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    field = "VmHWM" if peak else "VmRSS"
    (line,) = (line for line in status.read_text().splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1])
