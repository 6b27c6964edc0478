"""The last backward passes: noticing, for next to nothing, that a graph grows with each.

A weak reference to the loss is kept.  Where nothing holds on to it, the loss of five passes ago is
dead by now; where it is not, or where graphs get larger and larger, `verdicts.growth` looks why.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple
from weakref import ref

from .node import Node

__all__ = ["STEPS", "Pass", "passed"]

STEPS = 5
"""So many passes in a row must have left more behind."""


class Pass(NamedTuple):
    """A backward pass: its loss, the clock when it began, and how many nodes its graph kept."""

    loss: ref[Node]
    began: int
    kept: int


_last: deque[Pass] = deque(maxlen=STEPS + 1)
_wait = _pause = 0


def passed(loss: Node, began: int, kept: int) -> None:
    """A backward pass has ended; `kept` is 0 where its graph was freed."""
    _last.append(Pass(ref(loss), began, kept))
    first = _last[0]
    if (first.loss() is not None or 0 < first.kept < kept) and len(_last) > STEPS:
        _look()


def _look() -> None:
    """Ask for a verdict; where there is none, less and less often, for looking takes time."""
    global _wait, _pause
    if _wait:
        _wait -= 1
        return
    from .verdicts.growth import tell_growth

    _pause = 2 * _pause + STEPS
    _wait = _pause
    tell_growth(list(_last))
