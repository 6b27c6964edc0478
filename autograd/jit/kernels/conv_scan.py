"""Convolutions by register tiles: windows that scan an image, and the transpose of that.

A convolution is one scan: each result is a sum over the runs of its window, and a run is a row of
the window, whose elements lie one behind the other.  The transpose scatters; read from where its
results stand, it gathers, which is a scan too, with the taps in reverse order.  With strides it
is several, one for each remainder of a place divided by the stride, as each remainder has taps of
its own ("sub-pixel convolution", Shi et al. 2016, read backwards).

What lies beyond an image's border is zeros, in a copy of as many rows as stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from .conv_windows import Pair, Windows

__all__ = ["Phase", "Scan", "backward", "forward"]


@dataclass(frozen=True)
class Phase:
    """One scan: `places` results, the first of them at `to`; elements all.

    A result's window is the `runs`, where they begin seen from the result's own corner, of
    `steps` elements each; `taps` are the numbers of its taps in their order.
    """

    places: Pair
    to: int
    runs: tuple[int, ...]
    steps: int
    taps: tuple[int, ...]


@dataclass(frozen=True)
class Scan:
    """Scans of an image (height, width) of groups × `depth` channels, giving groups × `width`.

    `borders` are the zeros around it (above, below, left, right); a window's corner moves by
    `stride` for each result, and results are `spread` apart in rows of `row` places.
    """

    n: int
    shape: Pair
    borders: tuple[int, int, int, int]
    stride: Pair
    spread: Pair
    out: Pair
    depth: int
    width: int
    groups: int
    dtype: str
    phases: tuple[Phase, ...]
    reach: int
    turned: bool

    @property
    def row(self) -> int:
        """Elements of a row of the image with its borders."""
        return (self.borders[2] + self.shape[1] + self.borders[3]) * self.depth * self.groups

    @property
    def taps(self) -> tuple[int, ...]:
        """The taps of all phases."""
        return tuple(t for p in self.phases for t in p.taps)

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return 8 if self.dtype == "float64" else 4


def _runs(rows: list[tuple[int, int]], columns: list[tuple[int, int]], row: int, column: int,
          whole: bool) -> tuple[tuple[int, ...], int]:  # fmt: skip
    """Runs of a window of these (tap, distance) pairs, and how many taps a run has.

    `whole` says that all channels take part, so that neighbouring places make one run.
    """
    places = [at for _, at in columns]
    if whole and places == list(range(places[0], places[0] + len(places))):
        return tuple(r * row + places[0] * column for _, r in rows), len(places)
    return tuple(r * row + c * column for (_, r), c in product(rows, places)), 1


def forward(seen: Windows) -> Scan:
    """The scan that is a convolution."""
    borders = seen.borders
    row = (borders[2] + seen.shape[1] + borders[3]) * seen.channels
    rows, columns = (
        [(t, t * d) for t in range(k)] for k, d in zip(seen.size, seen.dilation, strict=True)
    )
    runs, length = _runs(rows, columns, row, seen.channels, seen.groups == 1)
    phase = Phase(seen.out, 0, runs, length * seen.depth, tuple(range(seen.taps)))
    return Scan(
        seen.n, seen.shape, borders, seen.stride, (1, 1), seen.out, seen.depth, seen.width,
        seen.groups, seen.dtype, (phase,), seen.reach[0], turned=False,
    )  # fmt: skip


def _sides(n: int, k: int, stride: int, dilation: int, before: int) -> Iterator[
    tuple[int, int, list[tuple[int, int]]]]:  # fmt: skip
    """Per remainder of a place divided by the stride: its first place, how many there are,
    and the taps that reach them, with the result's distance, in order of that."""
    for first in range(min(stride, n)):
        taps = [
            (t, (first + before - t * dilation) // stride)
            for t in reversed(range(k))
            if (first + before - t * dilation) % stride == 0
        ]
        yield first, -(-(n - first) // stride), taps


def backward(seen: Windows) -> Scan:
    """The scans that are its transpose: of y (N, *out, filters), giving (N, *shape, channels)."""
    sides = [
        list(_sides(n, k, s, d, b))
        for n, k, s, d, b in zip(
            seen.shape, seen.size, seen.stride, seen.dilation, seen.before, strict=True
        )
    ]
    borders: list[int] = []
    for side, m in zip(sides, seen.out, strict=True):
        reached = [(at, at + count) for _, count, taps in side for _, at in taps]
        least = min((first for first, _ in reached), default=0)
        most = max((last for _, last in reached), default=0)
        borders += [max(-least, 0), max(most - m, 0)]
    row = (borders[2] + seen.out[1] + borders[3]) * seen.filters
    phases, across, reach = [], seen.shape[1] * seen.channels, 1
    for (i, height, rows), (j, width, columns) in product(*sides):
        to, runs, length = i * across + j * seen.channels, tuple[int, ...](), 1
        taps = tuple(p * seen.size[1] + q for (p, _), (q, _) in product(rows, columns))
        if rows and columns:
            moved = [(t, at + borders[0]) for t, at in rows]
            aside = [(t, at + borders[2]) for t, at in columns]
            runs, length = _runs(moved, aside, row, seen.filters, seen.groups == 1)
            reach = max(reach, *(at + 1 for _, at in moved))
        phases.append(Phase((height, width), to, runs, length * seen.width, taps))
    return Scan(
        seen.n, seen.out, (borders[0], borders[1], borders[2], borders[3]), (1, 1), seen.stride,
        seen.shape, seen.width, seen.depth, seen.groups, seen.dtype, tuple(phases), reach,
        turned=True,
    )  # fmt: skip
