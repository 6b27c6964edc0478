"""The process one contestant runs in: `python -m benchmarks.worker MODULE:FACTORY[:ARGUMENT]`.

Reads requests from standard input and answers on standard output, a line of JSON each.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from .contestants import Contestant, resident, threads


def main(specification: str) -> None:
    """Serve requests until the pipe closes."""
    if hasattr(os, "sched_setaffinity"):  # the arena's first cores, as many as it has threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: threads()])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes elsewhere
    module, factory, *argument = specification.split(":")
    make = getattr(import_module(f"benchmarks.contestants.{module}"), factory)
    contestant: Contestant = make(*argument)
    requests: dict[str, Callable[..., Any]] = {
        "answer": contestant.answer,
        "facts": lambda: contestant.facts,
        "run": contestant.run,
        "peak": lambda: _peak(contestant),
        "first": contestant.first,
        "leftovers": lambda steps: _leftovers(contestant.run, steps),
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(requests[name](*arguments)), file=answers, flush=True)


def _peak(contestant: Contestant) -> int:
    """Bytes that the program took at most for 30 repetitions, above what its imports took."""
    contestant.run(30)
    return resident(peak=True) - int(contestant.facts["imported"])


def _leftovers(run: Callable[[int], Any], repetitions: int) -> float:
    """Unreachable objects per repetition that only the cycle collector would find."""

    def left(k: int) -> int:
        gc.collect()
        gc.disable()
        try:
            run(k)
            return gc.collect()
        finally:
            gc.enable()

    once = left(repetitions)  # what setting up leaves behind cancels out
    return (left(2 * repetitions) - once) / repetitions


if __name__ == "__main__":
    main(sys.argv[1])
