"""From a simplified program to a schedule of loops and kernels: what C makes of it, not NumPy."""

from __future__ import annotations

from .early import early
from .epilogues import with_epilogues
from .kernel import Target
from .pools import with_pools
from .program import Program
from .recompute import recomputed
from .schedule import Schedule, scheduled
from .simplify import dead_code
from .tables import with_tables

__all__ = ["lowered"]


PASSES = (early, with_tables, with_epilogues, with_pools, recomputed, dead_code)


def lowered(program: Program, target: Target) -> Schedule:
    """The schedule of a program for a processor; the program itself stays what it is."""
    program = program.copy()
    for change in PASSES:
        program = change(program)
    return scheduled(program, target)
