"""The kinds of things that run: loops, calls of kernels, steps for NumPy, fills."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..kernel import Kernel
from ..layout import View
from ..loops import Plan
from ..program import Step, Var

__all__ = ["PLAIN", "Call", "Fill", "Host", "Kind", "Loop", "arrays", "is_plain"]

PLAIN = frozenset(
    """float32 float64 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64""".split()
)
"""Dtypes that C computes with; steps with others are left to NumPy."""


def arrays(found: Iterable[Var]) -> list[Var]:
    """Those of the variables that are no Python numbers."""
    return [var for var in found if var.dtype is not None]


def is_plain(step: Step) -> bool:
    """Whether all arrays of a step have elements, of dtypes that C computes with."""
    return all(v.dtype in PLAIN and v.size for v in arrays((*step.inputs, *step.outputs)))


@dataclass(eq=False)
class Loop:
    """Steps in one loop (see `loops.py`)."""

    steps: list[Step]
    plan: Plan
    outputs: list[Var] = field(default_factory=list)
    """What of it lies in memory."""
    closed: bool = False
    """A copy into a part of something larger, which is read by another name."""

    @property
    def own(self) -> set[Var]:
        """What it computes."""
        return {step.output for step in self.steps}

    def reads(self) -> list[Var]:
        return arrays(v for s in self.steps for v in s.inputs)


@dataclass(eq=False)
class Call:
    """A step with a kernel of its own."""

    step: Step
    kernel: Kernel
    inputs: list[View]

    def reads(self) -> list[Var]:
        return arrays(self.step.inputs)


@dataclass(eq=False)
class Host:
    """A step that Python computes, with NumPy."""

    step: Step

    def reads(self) -> list[Var]:
        return arrays(self.step.inputs)


@dataclass(eq=False)
class Fill:
    """Memory set to one number."""

    view: View
    value: float

    def reads(self) -> list[Var]:
        return []


Kind = Loop | Call | Host | Fill
