"""What runs a straight line: a compiled library, or NumPy where there is no compiler.

Both have a memory, one double per number of the line, and run groups of steps on it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from ctypes import c_int64, c_void_p
from functools import partial
from typing import Any

import backends

from ..build import BuildError, build
from .levels import Groups, arrange
from .line import ADD, SUM, Line
from .source import ENTRY, source_of

__all__ = ["Machine"]


class Machine:
    """Runs a line, which may grow at its end between runs.

    `native` says whether it must be compiled (True), must not, or is if that can be done (None).
    """

    def __init__(self, line: Line, native: bool | None = None) -> None:
        self.line = line
        self.place: list[int] = []
        self.memory: Any = backends.get("numpy").zeros(0)
        self.library: Any = None
        self.source = source_of(line)
        self.reason = ""
        """Why there is no library, if one was wished for."""
        if native is not False:
            try:  # no fused multiply-add: the sums are those of Python
                self.library = build(self.source, ENTRY, flags=["-ffp-contract=off"])
            except BuildError as error:
                if native:
                    raise
                self.reason = str(error)
        self.groups: list[Groups] = []
        self.bound: list[Callable[[], None]] = []
        self.append()

    @property
    def kind(self) -> str:
        """What runs: "native" or "replay"."""
        return "native" if self.library else "replay"

    def append(self) -> int:
        """Take in what is new at the end of the line; returns the number to `run` it by."""
        np = backends.get("numpy")
        begin, old = len(self.place), self.memory
        self.groups.append(arrange(self.line, begin, self.place))
        self.memory = np.zeros(len(self.place))
        self.memory[:begin] = old
        for i, value in self.line.constants.items():
            self.memory[self.place[i]] = value
        bind = _native if self.library else _numpy
        self.bound = [bind(self, groups) for groups in self.groups]
        return len(self.groups) - 1

    def run(self, number: int) -> None:
        """Run the steps of one `append`; 0 are those of the line at first."""
        self.bound[number]()

    def places(self, numbers: Sequence[int]) -> Any:
        """Where in memory numbers of the line are, as an array to index it by."""
        return backends.get("numpy").array([self.place[i] for i in numbers], "int64")

    def write(self, raws: Sequence[float]) -> None:
        """Set the first numbers of the line."""
        struct.pack_into(f"{len(raws)}d", self.memory, 0, *raws)


def _native(machine: Machine, groups: Groups) -> Callable[[], None]:
    """The groups as a call of the library; who holds it holds the arrays that it works on."""
    held = groups.table, groups.index, machine.memory
    table, index, memory = [c_void_p(array.ctypes.data) for array in held]
    run = partial(getattr(machine.library, ENTRY), table, c_int64(len(groups.table)), index, memory)
    run.held = held  # type: ignore[attr-defined]
    return run


def _numpy(machine: Machine, groups: Groups) -> Callable[[], None]:
    """The groups as calls of NumPy."""
    np = backends.get("numpy")
    memory, calls = machine.memory, []
    functions = {kind: function for function, kind in machine.line.functions.items()}
    for kind, steps, inputs, result, at in groups.table.tolist():
        index = groups.index[at : at + steps * inputs].astype("int64").reshape(inputs, steps)
        out = memory[result : result + steps]
        if kind == ADD:
            calls.append(partial(_add, np, memory, index, out))
        elif kind == SUM:
            calls.append(partial(_sum, np, memory, index[::2].copy(), index[1::2].copy(), out))
        else:
            calls.append(partial(_call, functions[kind], np, memory, index, out))

    def run() -> None:
        with np.errstate(all="ignore"):
            for call in calls:
                call()

    return run


def _add(np: Any, memory: Any, index: Any, out: Any) -> None:
    np.add.reduce(memory[index], axis=0, out=out)


def _sum(np: Any, memory: Any, a: Any, b: Any, out: Any) -> None:
    np.add.reduce(memory[a] * memory[b], axis=0, out=out)


def _call(function: Any, np: Any, memory: Any, index: Any, out: Any) -> None:
    out[...] = function(np, *memory[index])
