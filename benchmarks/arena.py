"""Where contestants meet: one process each, the same threads, taking turns."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Arena", "Entry", "ContestError", "Timing", "environment", "pinned"]

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2


class ContestError(Exception):
    """A contestant broke down, or contestants disagree: nothing can be compared."""


@dataclass(frozen=True)
class Entry:
    """A contestant: the name it is shown by, its factory (see `worker.py`), what it imports."""

    name: str
    factory: str
    needs: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    commands: tuple[str, ...] = ()

    @property
    def missing(self) -> list[str]:
        """The packages and programs it needs that are not installed."""
        packages = [package for package in self.needs if find_spec(package) is None]
        return packages + [command for command in self.commands if shutil.which(command) is None]


@dataclass
class Timing:
    """The medians over the rounds of what a contestant measured, and every sample."""

    entry: Entry
    facts: dict[str, Any]
    samples: list[dict[str, float]] = field(default_factory=list)

    def __getitem__(self, figure: str) -> float:
        return median(sample[figure] for sample in self.samples)

    @property
    def seconds(self) -> float:
        """Median time per repetition."""
        return self["seconds"]


@dataclass(frozen=True)
class Arena:
    """How often, and for how long at a time, contestants are measured."""

    rounds: int = 9
    seconds: float = 0.3
    threads: int = THREADS

    def compete(self, entries: Iterable[Entry], tolerance: float = 0.0) -> dict[str, Timing]:
        """Time the contestants that are installed, round-robin, after they have agreed.

        The numbers they answer with may differ by `tolerance` times the largest of them.
        """
        with contestants(entries, self.threads) as workers:
            _agree(workers, tolerance)
            timings = [Timing(worker.entry, worker.ask("facts")) for worker in workers]
            counts = [self._repetitions(worker) for worker in workers]
            for turn in range(self.rounds):
                order = range(len(workers))
                for i in (*order[turn % len(order) :], *order[: turn % len(order)]):
                    timings[i].samples.append(workers[i].ask("run", counts[i]))
        return {timing.entry.name: timing for timing in timings}

    def _repetitions(self, worker: Worker) -> int:
        """How many repetitions fill one measurement; finding out also warms the worker up.

        A repetition may be of several `steps`, each of which takes the "seconds".
        """
        steps: int = worker.facts.get("steps", 1)
        count = 1
        while True:
            seconds: float = worker.ask("run", count)["seconds"] * steps
            if count * seconds > 0.25 * self.seconds:
                return max(1, round(self.seconds / seconds))
            count *= 4


@contextmanager
def contestants(entries: Iterable[Entry], threads: int = THREADS) -> Iterator[list[Worker]]:
    """The processes of those contestants that are installed, each with so many threads."""
    with ExitStack() as stack:
        installed = [entry for entry in entries if not entry.missing]
        workers = [stack.enter_context(Worker(entry, threads)) for entry in installed]
        for worker in workers:  # all are importing by now
            worker.facts = worker.ask("facts")
        yield workers


class Worker:
    """A contestant's process, seen from here."""

    def __init__(self, entry: Entry, threads: int = THREADS) -> None:
        self.entry, self.threads = entry, threads
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Worker:
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.entry.factory],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, cwd=ROOT,
            env=environment(self.threads) | dict(self.entry.environment),
        )  # fmt: skip
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.communicate()  # closing its standard input ends it
        self.errors.close()

    def ask(self, request: str, *arguments: Any) -> Any:
        """Send a request and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps([request, *arguments]) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            status = self.process.wait()
            self.errors.seek(0)
            tail = "".join(self.errors.readlines()[-12:])
            raise ContestError(
                f"{self.entry.name} ended with status {status} at {request!r}:\n{tail}"
            )
        return json.loads(answer)


def _agree(workers: list[Worker], tolerance: float) -> None:
    if not workers:
        return
    reference, *others = [(worker.entry.name, worker.ask("answer")) for worker in workers]
    scale = max(map(abs, reference[1]), default=0.0)
    for name, answer in others:
        for i, (a, b) in enumerate(zip(reference[1], answer, strict=True)):
            if not abs(a - b) <= tolerance * scale:
                raise ContestError(
                    f"{name} and {reference[0]} disagree beyond {tolerance:g} in number {i} of "
                    f"{len(answer)}: {b!r} and {a!r}. They do not compute the same thing."
                )


def environment(threads: int = THREADS) -> dict[str, str]:
    """The environment of every contestant: so many threads, the CPU only, no chatter."""
    counts = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "BLIS_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")
    return os.environ | {
        **{f"{count}_THREADS": str(threads) for count in counts},
        "AUTOGRAD_JIT": "native",
        "AUTOGRAD_JIT_THREADS": str(threads),
        "NPROC": str(threads),  # XLA's
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        "AUTOGRAD_BACKEND": "numpy",
        "PYTHONDONTWRITEBYTECODE": "",  # imports read bytecode, as they do wherever one works
    }


def pinned() -> list[int]:
    """Keep this process and all it starts on two cores, where the system lets us; which they are.

    XLA takes as many threads as the process has processors. Of processors that share a core
    only one is taken.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    chosen: dict[str, int] = {}
    for cpu in sorted(os.sched_getaffinity(0)):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        chosen.setdefault(siblings.read_text() if siblings.exists() else str(cpu), cpu)
    cores = list(chosen.values())[:THREADS]
    os.sched_setaffinity(0, cores)
    return cores
