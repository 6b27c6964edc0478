"""What steps of training do to many arrays, looked at again and again: norms, zeros, histograms.

A training that is recorded asks for these every few steps, of the same parameters, and must not
become slower by it.  So nothing is decided per look that the shapes decide; norms are found in one
pass over the data, in C where there is a compiler (`jit/c/sizes.c`); and histograms are of at most
`SAMPLE` elements of an array, whose first bits are their sign and power of two, all arrays counted
by one call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from math import inf, sqrt
from typing import Any, NamedTuple

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
    square = float(x.dot(x))
    if square in (0.0, inf) and x.dtype.itemsize < 8:
        wide = x.astype("float64")
        square = float(wide.dot(wide))
    return sqrt(square) if square >= 0 else square


FLAGS = ("-O2", "-ftree-vectorize")
"""With -O3 GCC unrolls the lanes of a sum before it makes a vector of them: ten times slower."""


class Seen(NamedTuple):
    """What a look at a step tells of each array; None of those that have no gradient."""

    weights: list[float]
    """Norms before the step."""
    changes: list[float]
    """Norms of what the step has changed."""
    gradients: list[float | None]
    zeros: list[float | None]
    """Which share of the gradient's elements is exactly 0."""


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
        changes = [flat - copy for flat, copy in zip(self.flats, self.before, strict=True)]
        return Seen(
            [norm(x) for x in self.weights()],
            [norm(changes[which][start:end]) for which, start, end in self.places],
            [None if g is None else norm(g) for g in gradients],
            [None if g is None else _zeros(g) for g in gradients],
        )

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
        self.function, self.sizes = function, sizes
        self.parts = []
        for which, flat in enumerate(sizes.flats):
            own = [i for i, place in enumerate(sizes.places) if place[0] == which]
            n = len(own)
            starts = (ctypes.c_long * n)(*[sizes.places[i][1] for i in own])
            counts = (ctypes.c_long * n)(*[sizes.places[i][2] - sizes.places[i][1] for i in own])
            slopes, told = (ctypes.c_void_p * n)(), (ctypes.c_double * (4 * n))()
            arguments = (
                ctypes.c_long(n), starts, counts, ctypes.c_void_p(_address(sizes.before[which])),
                ctypes.c_void_p(_address(flat)), slopes, told,
            )  # fmt: skip
            self.parts.append((own, counts, slopes, told, arguments))

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
        if not all(g is None or _plain(g) for g in gradients):
            return None
        count = len(gradients)
        weights, changes = [0.0] * count, [0.0] * count
        slopes: list[float | None] = [None] * count
        zeros: list[float | None] = [None] * count
        for own, sizes, pointers, told, arguments in self.parts:
            pointers[:] = [None if (g := gradients[i]) is None else _address(g) for i in own]
            self.function(*arguments)
            found = told[:]
            for k, i in enumerate(own):
                w, d, g, zero = found[4 * k : 4 * k + 4]
                weights[i], changes[i] = sqrt(w), sqrt(d)
                if zero >= 0:
                    slopes[i], zeros[i] = sqrt(g), zero / sizes[k]
        return Seen(weights, changes, slopes, zeros)


def _plain(x: Any) -> bool:
    """Whether an array is one that the C function reads."""
    return type(x) is host.ndarray and x.dtype == "float32" and x.flags.c_contiguous


def _address(x: Any) -> int:
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(x))
    except (TypeError, ValueError):  # it may not be written to, or is empty
        return int(x.ctypes.data)


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
