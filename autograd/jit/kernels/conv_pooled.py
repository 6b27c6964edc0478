"""Gradients of a convolution behind which a max pool takes one result of each window.

Most of what flows into the convolution's results is 0 then.  What is not is given as it flows into
the pool's results, with the tap at which each of these was found: the gradients run over these
alone, a quarter of all for windows of 2 × 2.

    to the image    for each of the pool's windows: x[all that it sees] += g · w[the filter]
    to the kernel   for each filter: w[:] += g · x[the window of what was taken]

Both keep their sums in registers, and move along the channels of the image: see
conv_pooled_image.py and conv_pooled_weights.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...ops.window import places
from ..kernel import Kernel, Request, Target
from .conv_text import REGISTERS, Scratch, at, block, loop
from .conv_windows import Pair, Windows, windows

__all__ = ["CACHE", "Pooled", "pays"]

CHANNELS = 16
"""With fewer channels most of a register would be empty."""

CACHE = 28 * 1024
"""Bytes that are passed over again and again: most of a usual first-level cache."""

WRITTEN_OUT = 512
"""So many products are written one by one at most."""


def pays(x: Sequence[int], size: Sequence[int], how: dict[str, Any], pool: dict[str, Any]) -> bool:
    """Whether it is worth it, for a convolution over x (N, *spatial, C) and the pool behind it."""
    if len(x) not in (3, 4) or x[-1] < CHANNELS or how["groups"] != 1:
        return False
    taps, window = math.prod(size), math.prod(pool["size"])
    sparse = math.prod(pool["shape"]) >= 2 * math.prod(_out(pool))
    inside = not any(map(any, pool["padding"]))
    return sparse and inside and taps > 1 and taps * window <= WRITTEN_OUT and window <= 256


def _out(pool: dict[str, Any]) -> tuple[int, ...]:
    one = (1,) * len(pool["size"])
    return places(pool["shape"], pool["size"], pool["stride"], pool["padding"], one)


@dataclass
class Pooled:
    """What the writers of both kernels share.

    A convolution, and a pool of `out` windows of this `size`, one every `stride`.  Images are read
    and written in a `room`, with zeros around them and up to whole registers of channels, unless
    they need none.
    """

    op: str
    seen: Windows
    size: Pair
    stride: Pair
    out: Pair
    target: Target

    @classmethod
    def of(
        cls, request: Request, x: Sequence[int], size: Sequence[int], filters: int, target: Target
    ) -> Any:
        """A writer for a request; None where it cannot be compiled."""
        floats = tuple(a for a in request.inputs if a.dtype != "uint8")
        seen = windows(replace(request, inputs=floats), x, size, filters)
        pool = request.params["pool"]
        if seen is None or not all(a.contiguous for a in request.inputs):
            return None

        def pair(sizes: Sequence[int]) -> Pair:
            return (sizes[0], sizes[1]) if len(sizes) == 2 else (1, sizes[0])

        sizes = pair(pool["size"]), pair(pool["stride"]), pair(_out(pool))
        return cls(request.op, seen, *sizes, target)

    def __post_init__(self) -> None:
        s = self.seen
        self.lanes = self.target.lanes(s.dtype)
        self.real, self.register, self.letter = REGISTERS[s.dtype]
        self.scratch = Scratch(s.dtype)
        self.vectors = -(-s.channels // self.lanes)  # registers of a place
        deep = self.vectors * self.lanes
        above, below, left, right = s.borders
        self.places = math.prod(self.out)
        self.room = above + s.shape[0] + below, left + s.shape[1] + right, deep
        self.copied = any(s.borders) or deep != s.channels
        self.row = self.room[1] * deep
        self.steps = self.stride[0] * s.stride[0], self.stride[1] * s.stride[1]
        (kh, kw), (dh, dw) = s.size, s.dilation
        self.taps = [(p * dh, q * dw) for p in range(kh) for q in range(kw)]
        """Where the taps of the convolution's windows lie."""
        (kh, kw), (sh, sw) = self.size, s.stride
        self.corners = [(p * sh, q * sw) for p in range(kh) for q in range(kw)]
        """Where the convolution's windows begin, one for each tap of the pool's window."""
        self.reach = tuple(
            max(c[axis] for c in self.corners) + max(t[axis] for t in self.taps) + 1
            for axis in (0, 1)
        )
        """How far all goes that the pool's window depends on."""
        self.name = s.label(f"{self.op}_{'x'.join(map(str, (*self.size, *self.stride)))}")
        self.tiles: dict[str, str] = {}

    def offset(self, i: int, j: int) -> int:
        """How far a place of the image lies behind another."""
        return i * self.row + j * self.room[2]

    def image(self) -> str:
        """Where image n is read or written."""
        if self.copied:
            self.scratch.array("room", math.prod(self.room))
            return "room"
        return at("x", ("n", math.prod(self.room)))

    def copy(self, back: bool) -> str:
        """Copy image n to the middle of the room, or back."""
        if not self.copied:
            return ""
        s, size = self.seen, self.seen.itemsize
        (h, w), c = s.shape, s.channels
        above, _, left, _ = s.borders
        together = w if self.room[2] == c else 1  # places that lie one behind the other
        room = at("room", self.offset(above, left)), self.row * size, self.room[2] * size
        image = at("x", ("n", h * w * c)), w * c * size, c * size
        ends = (*image, *room) if back else (*room, *image)
        given = ", ".join(str(x) for x in (*ends, h, w // together, together * c * size))
        return f"copy_places({given});"

    def turned(self, width: int, statement: str) -> str:
        """The statement for each filter o, tap k, and channel l of part c, which has `width`: for a
        part and a tap, filters and channels change places."""
        parts, channels = self.room[2] // width, self.seen.channels
        last = (
            str(width) if channels == self.room[2] else f"least({width}, {channels} - c * {width})"
        )
        filters = loop("o", 0, self.seen.filters, 1, loop("l", 0, last, 1, statement))
        return loop("c", 0, parts, 1, loop("k", 0, self.seen.taps, 1, filters))

    def kernel(self, arrays: Sequence[str], sums: tuple[int, ...], *lines: str) -> Kernel:
        """The kernel with this body."""
        s = self.seen
        pointers = ", ".join(arrays[:-1]) + f",\n        {arrays[-1]}"
        head = f"KERNEL void {self.name}(long begin, long end,\n        {pointers}, char *work)"
        many = "x".join(map(str, self.size))
        told = f"/* {self.op}: {s.told()}; a pool takes one of {many} */"
        text = block(head, *self.scratch.lines, *lines)
        return Kernel(
            self.name, "\n\n".join([*self.tiles.values(), f"{told}\n{text}"]) + "\n", rows=s.n,
            work=self.scratch.size, headers=("vectors", "conv", "conv_pooled"), sums=sums,
            flops=2 * s.n * self.places * s.taps * s.channels * s.filters,
        )  # fmt: skip
