"""The sizes of many arrays, again and again: norms, zeros, and histograms of all at once.

A training that is recorded asks for these every few steps, of the same parameters, and must not
become slower by it.  So nothing is decided per call that the shapes decide, a histogram is of at
most `SAMPLE` elements of an array, and all arrays are counted by one call: an element's sign and
power of two are its first bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

import backends
from backends import namespaces

__all__ = ["SAMPLE", "Sizes", "norm"]

host = backends.get("numpy")

SAMPLE = 1024
"""Elements of an array that its histogram is of, at even distances."""

EXPONENTS = 40
"""Powers of two beyond 2^±40 are counted with those."""

SIDE = 2 * EXPONENTS + 1
ZERO, OTHER = 2 * SIDE, 2 * SIDE + 1
BINS = 2 * SIDE + 2
"""The positive, the negative, zero, and what is neither: NaN and infinities."""


def norm(x: Any) -> float:
    """The Euclidean norm of a flat array; squares beyond single precision are taken again."""
    square = float(x.dot(x))
    if square in (0.0, inf) and x.dtype.itemsize < 8:
        wide = x.astype("float64")
        square = float(wide.dot(wide))
    return sqrt(square) if square >= 0 else square


class Sizes:
    """Of arrays with so many elements each."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = counts
        self.steps = [max(1, -(-count // SAMPLE)) for count in counts]
        self.taken = [-(-count // step) for count, step in zip(counts, self.steps, strict=True)]

    def norms(self, arrays: Sequence[Any]) -> list[float | None]:
        """The norm of each flat array; None for one that is None."""
        return [None if x is None else norm(x) for x in arrays]

    def zeros(self, arrays: Sequence[Any]) -> list[float | None]:
        """The share of elements of each that are exactly 0."""
        return [None if x is None else _zeros(x) for x in arrays]

    def histograms(self, arrays: Sequence[Any]) -> list[str | None]:
        """A `Hist` of each, as JSON; elements that are no numbers are not counted."""
        there = [i for i, x in enumerate(arrays) if x is not None]
        if not there:
            return [None] * len(arrays)
        first = arrays[there[0]]
        xp = namespaces[type(first)]
        sample = xp.concatenate([arrays[i][:: self.steps[i]] for i in there])
        sample = host.asarray(xp.to_host(sample))
        if sample.dtype != "float64":
            sample = sample.astype("float32", copy=False)
        shift = 52 if sample.dtype.itemsize == 8 else 23
        bits = sample.view(f"u{sample.dtype.itemsize}") >> shift
        bins = _table(shift)[bits.astype("int64")]
        lengths = [self.taken[i] for i in there]
        bins += host.repeat(host.arange(0, BINS * len(there), BINS), lengths)
        counts = host.bincount(bins, minlength=BINS * len(there)).reshape(-1, BINS)
        told: list[str | None] = [None] * len(arrays)
        for i, row in zip(there, counts, strict=True):
            told[i] = _told(row)
        return told


def _zeros(x: Any) -> float:
    return int(namespaces[type(x)].count_nonzero(x == 0)) / x.size if x.size else 0.0


def _told(row: Any) -> str:
    """Counts by bin as JSON, from the first power of two that occurs to the last."""
    sides = row[:ZERO].reshape(2, SIDE)
    there = sides.any(axis=0).nonzero()[0]
    if not there.size:
        return f'{{"first":0,"negative":[],"zero":{row[ZERO]},"positive":[]}}'
    low, high = int(there[0]), int(there[-1]) + 1
    positive, negative = sides[:, low:high].tolist()
    first = low - EXPONENTS
    return f'{{"first":{first},"negative":{negative},"zero":{row[ZERO]},"positive":{positive}}}'


_tables: dict[int, Any] = {}


def _table(shift: int) -> Any:
    """The bin of a float by its first bits, sign and exponent; those below normal count as 0."""
    if shift not in _tables:
        count = 256 if shift == 23 else 2048
        exponents = host.arange(count) - (count // 2 - 1)
        side = host.clip(exponents, -EXPONENTS, EXPONENTS) + EXPONENTS
        side[0], side[-1] = ZERO, OTHER
        negative = side + SIDE
        negative[0], negative[-1] = ZERO, OTHER
        _tables[shift] = host.concatenate([side, negative])
    return _tables[shift]
