"""From a simplified program to a schedule of loops and kernels: what C makes of it, not NumPy."""

from __future__ import annotations

from .epilogues import with_epilogues
from .kernel import Target
from .program import Program
from .recompute import recomputed
from .schedule import Schedule
from .simplify import dead_code
from .tables import with_tables

__all__ = ["lowered"]


def lowered(program: Program, target: Target) -> Schedule:
    """The schedule of a program for a processor; the program itself stays what it is."""
    return Schedule(dead_code(recomputed(with_epilogues(with_tables(program.copy())))), target)
