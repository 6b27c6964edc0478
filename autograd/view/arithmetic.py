"""Arithmetic that comes out the same, to the last bit, here and in the page's TypeScript.

Layouts compare sums with one another, so a sum that differs in its last bit can change the order
of two boxes.  Python's own `sum` adds floats with a correction from 3.12 on, and its `round` goes
by the decimal digits of a number; neither is what JavaScript does.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from math import floor
from operator import add

__all__ = ["hundredths", "total"]


def total(numbers: Iterable[float]) -> float:
    """The sum of `numbers`, added one after another."""
    return reduce(add, numbers, 0.0)


def hundredths(number: float) -> float:
    """`number` to two decimals; halves go up."""
    return floor(number * 100 + 0.5) / 100
