"""A program as Python that runs: NumPy (or CuPy), call by call, into memory that is there already.

It is what runs where there is no compiler, and what the compiled program is tested against.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from itertools import count
from threading import Lock
from typing import Any

import backends

from .lines import Text
from .program import Program

__all__ = ["Replay"]

_numbers = count()


class Replay:
    """Runs a program through an array library.

    `run(values)` takes the values of `inputs`, in that order, assigns what the program assigns,
    and returns its results and gradients; or None where a check has failed, and nothing was
    assigned.  `source` is what runs.
    """

    kind = "replay"

    def __init__(self, program: Program, backend: str = "numpy") -> None:
        text = Text(program, backends.get(backend))
        self.program, self.inputs, self.source = program, text.inputs, text.source
        self.shown = text.shown
        """What the program shows, after each run."""
        filename = f"<step {next(_numbers)}>"
        linecache.cache[filename] = len(self.source), None, self.source.splitlines(True), filename
        exec(compile(self.source, filename, "exec"), text.names)
        self.step: Callable[[Sequence[Any]], Sequence[Any] | None] = text.names["step"]
        self.lock = Lock()

    def run(self, values: Sequence[Any]) -> Sequence[Any] | None:
        """Run it: one call at a time, for the memory is the program's."""
        with self.lock:
            return self.step(values)
