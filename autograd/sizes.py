"""What steps of training do to many arrays, looked at again and again: norms, zeros, histograms.

A training that is recorded asks for these every few steps, of the same parameters, and must not
become slower by it.  So nothing is decided per look that the shapes decide; norms are found in one
pass over the data, in C where there is a compiler (`jit/c/sizes.c`); and histograms are of at most
`SAMPLE` elements of an array, whose first bits are their sign and power of two, all arrays counted
by one call.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Sequence
from math import inf, sqrt
from typing import Any

import backends
from backends import namespaces

__all__ = ["SAMPLE", "Seen", "Sizes", "norm"]

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
    square = (x @ x).item()
    if square in (0.0, inf) and x.dtype.itemsize < 8:
        wide = x.astype("float64")
        square = (wide @ wide).item()
    return sqrt(square) if square >= 0 else square


FLAGS = ("-O2", "-ftree-vectorize")
"""With -O3 GCC unrolls the lanes of a sum before it makes a vector of them: ten times slower."""


class Seen:
    """What a look at a step tells of each array; None of those that have no gradient."""

    __slots__ = ("told",)

    def __init__(self, told: array[float]) -> None:
        self.told = told
        """Four numbers of each; of a gradient that is missing, -1."""

    @property
    def weights(self) -> list[float]:
        """Norms before the step."""
        return self.told[0::4].tolist()

    @property
    def changes(self) -> list[float]:
        """Norms of what the step has changed."""
        return self.told[1::4].tolist()

    @property
    def gradients(self) -> list[float | None]:
        """Their norms."""
        return [None if g < 0 else g for g in self.told[2::4]]

    @property
    def zeros(self) -> list[float | None]:
        """Which share of the gradient's elements is exactly 0."""
        return [None if share < 0 else share for share in self.told[3::4]]


class Sizes:
    """Of arrays that are parts of longer flat ones: (which, start, end) of each.

    `flats` are those, which steps change in place.  `keep` copies them, and `look` compares them
    with the copies.
    """

    def __init__(self, flats: Sequence[Any], places: Sequence[tuple[int, int, int]]) -> None:
        self.flats, self.places = flats, places
        self.before = [namespaces[type(flat)].empty_like(flat) for flat in flats]
        counts = [end - start for _, start, end in places]
        self.steps = [max(1, -(-count // SAMPLE)) for count in counts]
        self.taken = [-(-count // step) for count, step in zip(counts, self.steps, strict=True)]
        self.native = _Native.of(self)

    def keep(self) -> None:
        """A step is about to be taken: copy what is there."""
        for copy, flat in zip(self.before, self.flats, strict=True):
            copy[...] = flat

    def weights(self) -> list[Any]:
        """Each array as it was kept."""
        return [self.before[which][start:end] for which, start, end in self.places]

    def look(self, gradients: Sequence[Any]) -> Seen:
        """What the step has done, with these flat gradients, of which some may be None."""
        if self.native is not None and (seen := self.native.look(gradients)) is not None:
            return seen
        told = array("d")
        for (which, start, end), before, g in zip(
            self.places, self.weights(), gradients, strict=True
        ):
            change = self.flats[which][start:end] - before
            slope = (-1.0, -1.0) if g is None else (norm(g), _zeros(g))
            told.extend((norm(before), norm(change), *slope))
        return Seen(told)

    def forget(self) -> None:
        """Hold the gradients of the last look no longer."""
        if self.native is not None:
            self.native.known = None

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


class _Native:
    """The look in C, of float32 on the host."""

    def __init__(self, function: Any, sizes: Sizes) -> None:
        places, n = sizes.places, len(sizes.places)
        counts = [end - start for _, start, end in places]

        def table(flats: Sequence[Any]) -> Any:
            starts = [_address(flats[which]) + 4 * start for which, start, _ in places]
            return (ctypes.c_void_p * n)(*starts)

        self.function = function
        self.gradients, self.told = (ctypes.c_void_p * n)(), (ctypes.c_double * (4 * n))()
        self.arguments = (
            ctypes.c_long(n), (ctypes.c_long * n)(*counts), table(sizes.before),
            table(sizes.flats), self.gradients, self.told,
        )  # fmt: skip
        self.known: Any = None
        """The gradients whose addresses are in the table."""

    @classmethod
    def of(cls, sizes: Sizes) -> _Native | None:
        """For these, where they are float32 on the host and C can be compiled."""
        from .jit.build import BuildError, build
        from .jit.compiler import HEADERS
        from .jit.runners import mode

        if mode() != "native" or not all(map(_plain, sizes.flats)):
            return None
        try:
            source = (HEADERS / "sizes.c").read_text(encoding="utf-8")
            library = build(source, "look_at_step", flags=FLAGS)
        except BuildError:  # whoever compiles the steps says so
            return None
        return cls(library.look_at_step, sizes)

    def look(self, gradients: Sequence[Any]) -> Seen | None:
        """None where a gradient is of another kind."""
        if gradients is not self.known and not self._learn(gradients):
            return None
        self.function(*self.arguments)
        return Seen(array("d", bytes(self.told)))

    def _learn(self, gradients: Sequence[Any]) -> bool:
        """Put these into the table; whether they are of the kind that the C function reads."""
        if not all(g is None or _plain(g) for g in gradients):
            return False
        self.gradients[:] = [None if g is None else _address(g) for g in gradients]
        self.known = gradients
        return True


def _plain(x: Any) -> bool:
    """Whether an array is one that the C function reads."""
    return type(x) is host.ndarray and x.dtype == "float32" and x.flags.c_contiguous


def _address(x: Any) -> int:
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(x))
    except (TypeError, ValueError):  # it may not be written to, or is empty
        return int(x.ctypes.data)


def _zeros(x: Any) -> float:
    return (x == 0).sum().item() / x.size if x.size else 0.0


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
