"""How long each kernel takes: a program run on copies of all that it would change.

Native code is compiled once more, with a look at the clock behind each kernel.  Nothing that lives
on between calls is touched: weights and state are copied before, numbers are those of the
recording, and arguments that nobody gave are made up.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from typing import Any

import backends
from backends import numpy as np

from .build import build
from .lines import computed
from .native import DATA, Native
from .plan import plan_of
from .program import Program, Step, Var
from .render import render
from .replay import Replay

__all__ = ["made_up", "profile"]

ENOUGH = 0.3
"""Seconds after which a program has run often enough, once it has run `LEAST` times."""
LEAST, MOST = 5, 1000


def profile(runner: Native | Replay, arguments: Sequence[Any] | None) -> list[float]:
    """Seconds of each kernel (natively) or step (in a replay): the median of many runs.

    `arguments` are the leaves of a call's arguments; None makes some up.
    """
    given = made_up(runner.program) if arguments is None else arguments
    if isinstance(runner, Replay):
        return _replayed(runner.program, given)
    timed = _Timed(runner)
    values = [_value(var, given) for var in timed.inputs]
    found: list[list[float]] = []
    until = time.perf_counter() + ENOUGH
    while len(found) < LEAST or len(found) < MOST and time.perf_counter() < until:
        if timed.run(values) is None:
            timed.refresh()
            if timed.run(values) is None:
                raise ValueError(
                    "profile: the step takes these arguments back: an index is out of range or a "
                    "loss is not finite. Give it a batch of yours: explain(x, y, profile=True)."
                )
        found.append(timed.laps())
    return [float(x) for x in np.median(np.asarray(found), axis=0)]


def made_up(program: Program) -> dict[int, Any]:
    """Arguments that a program could be called with, by their place: noise, and indices of 0."""
    random, xp = np.random.default_rng(0), backends.get(program.backend)
    found: dict[int, Any] = {}
    for var in program.given:
        if var.source != "argument":
            continue
        if var.dtype is None:
            found[var.value] = var.example
        elif "float" in var.dtype:
            noise = random.standard_normal(var.shape)
            found[var.value] = xp.from_host(np.asarray(noise).astype(backends.dtype(var.dtype)))
        else:
            found[var.value] = xp.from_host(np.zeros(var.shape, backends.dtype(var.dtype)))
    return found


def _value(var: Var, arguments: Any) -> Any:
    """What a program is given for a variable: a copy of what lives on."""
    if var.source == "argument":
        x = arguments[var.value]
        return getattr(x, "raw", x)
    if var.source == "number":
        return var.example
    held = var.value if var.source == "leaf" else var.value._grad
    if held is None:  # the gradient that a call adds to, where there is none now
        zeros = np.zeros(var.shape, backends.dtype(var.dtype))
        return backends.get(backends.name_of(var.value.raw)).from_host(zeros)
    return getattr(held, "raw", held).copy()


class _Timed(Native):
    """A native program with a clock, which reads and assigns copies."""

    def __init__(self, native: Native) -> None:
        self.given = native.given
        self.rendered = render(native.schedule, DATA, timed=True)
        self.hosts: dict[int, float] = {}
        self.order = list(native.schedule.order)
        self.copies = _Copies([b.owner.raw for b in self.schedule.given if b.kind == "leaf"])
        library = build(self.source, [p for p in self.rendered.parts if isinstance(p, str)])
        self._bind(plan_of(self.given, self.rendered, library.name), library)
        self.clock = (ctypes.c_double * (len(self.order) + 1)).in_dll(self.library, "laps")

    def laps(self) -> list[float]:
        """How long each kernel took when it ran last."""
        return [self.hosts.get(i, self.clock[i]) for i in range(len(self.order))]

    def refresh(self) -> None:
        """Copy the weights anew."""
        self.copies.refresh()

    def _held(self, place: int) -> Any:
        return self.copies.of(super()._held(place))

    def _host(self, step: Step) -> Callable[[], None]:
        run = super()._host(step)
        at = next(i for i, kind in enumerate(self.order) if getattr(kind, "step", None) is step)

        def timed() -> None:
            start = time.perf_counter()
            run()
            self.hosts[at] = time.perf_counter() - start

        return timed


class _Copies:
    """Copies of arrays that may be views of one another, as the copies then are too."""

    def __init__(self, arrays: Sequence[Any]) -> None:
        bounds = sorted({np.lib.array_utils.byte_bounds(x) for x in arrays if x.size})
        merged: list[tuple[int, int]] = []
        for start, end in bounds:
            if merged and start < merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        self.pieces = [(start, np.empty(end - start + 64, "u1")) for start, end in merged]
        self.arrays = list(arrays)
        self.refresh()

    def refresh(self) -> None:
        """Copy everything anew."""
        for array in self.arrays:
            self.of(array)[...] = array

    def of(self, array: Any) -> Any:
        """The copy of one of the arrays."""
        low = np.lib.array_utils.byte_bounds(array)[0]
        for start, memory in self.pieces:
            if array.size and start <= low < start + memory.nbytes - 64:
                begin = (start - memory.ctypes.data) % 64  # in the same place of a cache line
                place = begin + array.ctypes.data - start
                return np.ndarray(array.shape, array.dtype, memory, place, array.strides)
        return array.copy()


def _replayed(program: Program, given: Any) -> list[float]:
    """Seconds of each step, as its array library runs it by itself."""
    xp = backends.get(program.backend)
    values = {var: _value(var, given) for var in program.inputs}
    found: list[list[float]] = []
    until = time.perf_counter() + ENOUGH
    while len(found) < LEAST or len(found) < MOST and time.perf_counter() < until:
        known = dict(values)
        times = []
        for step in program.steps:
            inputs = tuple([known.get(v, v.value) for v in step.inputs])
            xp.synchronize()
            start = time.perf_counter()
            result = computed(step.op, xp, inputs, step.params)
            xp.synchronize()
            times.append(time.perf_counter() - start)
            known.update(zip(step.outputs, result if step.op.outputs else (result,), strict=True))
        found.append(times)
    return [float(x) for x in np.median(np.asarray(found), axis=0)]
