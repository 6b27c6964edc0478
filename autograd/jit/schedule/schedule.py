"""A schedule: what runs, in order, and where every variable lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..kernel import Target
from ..layout import Buffer, View
from ..program import Program, Step, Var
from .kinds import Kind, Loop

__all__ = ["Schedule"]


@dataclass(eq=False)
class Schedule:
    """What runs, in order, and where every variable lies, for a program and a processor."""

    program: Program
    target: Target
    order: list[Kind] = field(default_factory=list)
    """What runs; before it, `numbers`."""
    numbers: list[Step] = field(default_factory=list)
    """The steps that compute with Python numbers alone."""
    commit: int = 0
    """The place from which on memory of others may be written: all checks have been made."""

    place: dict[Var, int] = field(default_factory=dict)
    """The place in `order` at which a variable is computed; none for what is given."""
    base: dict[Var, Var] = field(default_factory=dict)
    """A variable that is a view of another → that other one."""
    views: dict[Var, View] = field(default_factory=dict)
    """Where a variable lies."""

    given: list[Buffer] = field(default_factory=list)
    """The buffers that are no temporaries."""
    results: dict[Var, Buffer] = field(default_factory=dict)
    """Those of them that the call makes and returns."""
    assigned: dict[Buffer, None] = field(default_factory=dict)
    """Those of them that belong to others and are written."""
    shown: list[Var] = field(default_factory=list)
    """Temporaries that keep their places until the next run."""

    # --- the order ---

    def add(self, kind: Kind, *outputs: Var) -> None:
        """Put something at the end, which computes these variables."""
        self.order.append(kind)
        for var in outputs:
            self.place[var] = len(self.order) - 1

    def at(self, var: Var) -> int:
        """The place at which a variable is computed; -1 for what is given."""
        return self.place.get(self.base_of(var), -1)

    def base_of(self, var: Var) -> Var:
        """The variable that this one is a view of, else itself."""
        return self.base.get(var, var)

    def from_outside(self, loop: Loop) -> list[Var]:
        """What a loop reads but for what it computes itself."""
        own = loop.own
        return [var for var in loop.reads() if self.base_of(var) not in own]

    # --- memory ---

    def view(self, var: Var) -> View:
        """Where a variable lies; it is given a buffer if it has none yet."""
        if var not in self.views:
            self.views[var] = self.temporary(var)
        return self.views[var]

    def temporary(self, var: Var) -> View:
        """New memory in the arena that has room for a variable."""
        return View.whole(Buffer("temporary", var.dtype or "float64", var.size), var.shape)

    def outside(self, kind: str, dtype: str | None, size: int, owner: Any = None) -> Buffer:
        """A new buffer that is no temporary."""
        buffer = Buffer(kind, dtype or "float64", size, owner)
        buffer.order = len(self.given)
        self.given.append(buffer)
        return buffer
