"""What a convolution's kernels must know of it: sizes, steps and borders, of one or two axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...ops.window import places
from ..kernel import Operand, Request

__all__ = ["Windows", "windows"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Windows over n images (height, width) of `channels`; `out` of them give `filters` each.

    One spatial axis is two, the first of length 1.  `before` is the padding above and left.
    """

    n: int
    shape: Pair
    channels: int
    size: Pair
    out: Pair
    filters: int
    stride: Pair
    before: Pair
    dilation: Pair
    groups: int
    dtype: str

    @property
    def taps(self) -> int:
        """How many elements a window has, per channel."""
        return math.prod(self.size)

    @property
    def depth(self) -> int:
        """Channels per group."""
        return self.channels // self.groups

    @property
    def width(self) -> int:
        """Filters per group."""
        return self.filters // self.groups

    @property
    def reach(self) -> Pair:
        """How far a window goes."""
        (kh, kw), (dh, dw) = self.size, self.dilation
        return (kh - 1) * dh + 1, (kw - 1) * dw + 1

    @property
    def borders(self) -> tuple[int, int, int, int]:
        """Zeros above, below, left and right of an image, as far as windows see them."""
        (h, w), (oh, ow), (sh, sw), (rh, rw) = self.shape, self.out, self.stride, self.reach
        above, left = self.before
        below = max((oh - 1) * sh + rh - above - h, 0)
        right = max((ow - 1) * sw + rw - left - w, 0)
        return above, below, left, right

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.n * math.prod(self.out) * self.taps * self.depth * self.filters

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return 8 if self.dtype == "float64" else 4

    def label(self, op: str, **more: Any) -> str:
        """A name for the kernel that says it all: no two that differ have the same."""
        (h, w), (kh, kw) = self.shape, self.size
        words = [op, f"{self.n}x{h}x{w}x{self.channels}", f"{kh}x{kw}x{self.filters}"]
        plain = {"stride": (1, 1), "before": (0, 0), "dilation": (1, 1)}
        for name, usual in plain.items():
            value = getattr(self, name)
            if value != usual:
                words.append(f"{name}{value[0]}x{value[1]}")
        if self.out != places(self.shape, self.size, self.stride, ((0, 0), (0, 0)), self.dilation):
            words.append(f"to{self.out[0]}x{self.out[1]}")
        if self.groups > 1:
            words.append(f"groups{self.groups}")
        words += [name for name, said in more.items() if said]
        return "_".join([*words, "f64" if self.dtype == "float64" else "f32"])

    def told(self) -> str:
        """The same for a reader."""
        (h, w), (kh, kw), (oh, ow) = self.shape, self.size, self.out
        text = f"x ({self.n}, {h}, {w}, {self.channels}), w ({kh}, {kw}, {self.depth}, "
        text += f"{self.filters}), y ({self.n}, {oh}, {ow}, {self.filters})"
        if self.stride != (1, 1):
            text += f", stride {self.stride}"
        if self.before != (0, 0):
            text += f", padding {self.before}"
        if self.dilation != (1, 1):
            text += f", dilation {self.dilation}"
        return text + (f", {self.groups} groups" if self.groups > 1 else "")


def windows(
    request: Request, x: Sequence[int], size: Sequence[int], filters: int
) -> Windows | None:
    """The windows of a request over x (N, *spatial, C), if it is one that can be compiled."""
    how, dtype = request.params, request.outputs[0].dtype
    if dtype not in ("float32", "float64") or len(x) not in (3, 4):
        return None
    if not all(_plain(a, dtype) for a in (*request.inputs, *request.outputs)):
        return None
    spatial = tuple(x[1:-1])
    stride, dilation, padding = how["stride"], how["dilation"], how["padding"]
    out = places(spatial, tuple(size), stride, padding, dilation)
    if min(*spatial, *size, *out, x[-1], filters) <= 0 or min(map(min, padding)) < 0:
        return None

    def pair(sizes: Sequence[int], first: int = 1) -> Pair:
        return (sizes[0], sizes[1]) if len(sizes) == 2 else (first, sizes[0])

    seen = Windows(
        x[0], pair(spatial), x[-1], pair(size), pair(out), filters, pair(stride),
        pair([p[0] for p in padding], 0), pair(dilation), how["groups"], dtype,
    )  # fmt: skip
    return _flat(seen)


def _plain(a: Operand, dtype: str) -> bool:
    return a.dtype == dtype and a.contiguous


def _flat(seen: Windows) -> Windows:
    """Windows of one element that leave nothing out: all places of an image are one row."""
    if seen.size == seen.stride == (1, 1) and seen.shape == seen.out and seen.before == (0, 0):
        row = (1, math.prod(seen.shape))
        return replace(seen, shape=row, out=row, dilation=(1, 1))
    return seen
