"""The gradient to a convolution's kernel by register tiles.

    w[e, o] = Σ x[place of the window + e] · y[place, o]       over images and places

for all elements e of a window.  A tile holds some elements times some filters and runs over the
places of a few rows, which stay in the first-level cache while all tiles pass over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..kernel import Kernel, Target
from .conv_direct import strips
from .conv_text import REGISTERS, Scratch, at, block, body, each, loop, table
from .conv_tiles import Panel, Tile, cut_panels, tallest
from .conv_windows import Windows

__all__ = ["write"]

CACHE = 24 * 1024
"""Bytes of y that all tiles pass over: most of a usual first-level cache."""


def write(name: str, told: str, seen: Windows, target: Target) -> Kernel:
    """The kernel of conv_kernel, which adds to w (*size, C / groups, O)."""
    writer = _Writer(name, seen, target)
    source = writer.source(told)
    return Kernel(
        name, source, rows=seen.n, work=writer.scratch.size, flops=seen.flops,
        headers=("vectors", "conv"), sums=(0,),
    )  # fmt: skip


@dataclass
class _Writer:
    """Writes one kernel.

    The elements of a window are `parts` × `lines` × `length`: lines of elements that lie one
    behind the other, all at the same distance, and parts of those, again at the same distance.
    """

    name: str
    seen: Windows
    target: Target
    tiles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s = self.seen
        self.lanes = self.target.lanes(s.dtype)
        self.scratch = Scratch(s.dtype)
        self.g = "g" if s.groups > 1 else ""
        self.borders = s.borders
        _, _, left, right = self.borders
        self.row = (left + s.shape[1] + right) * s.channels
        self.columns = s.filters  # of y, or of its copy
        if s.width % self.lanes:
            self.columns = s.filters - s.width + -(-s.width // self.lanes) * self.lanes
        down = s.dilation[0] * self.row
        if s.groups == 1 and (s.dilation[1] == 1 or s.size[1] == 1):
            self.parts, self.part, self.lines, self.line = 1, 0, s.size[0], down
            self.length = s.size[1] * s.channels
        else:
            self.parts, self.part, self.lines = s.size[0], down, s.size[1]
            self.line, self.length = s.dilation[1] * s.channels, s.depth
        self.p = "p" if self.parts > 1 else ""
        per_row = s.out[1] * s.filters * s.itemsize
        self.band = min(max(CACHE // per_row, 1), s.out[0])
        self.piece = s.out[1]  # of a row of places, where a row is too long
        if per_row > 2 * CACHE:
            self.piece = min(max(CACHE // (s.filters * s.itemsize), 64), s.out[1])

    def source(self, told: str) -> str:
        """All of it."""
        s, real = self.seen, REGISTERS[self.seen.dtype][0]
        images = loop("n", "begin", "end", 1, self._image())
        runs = table("runs", [i * s.stride[0] * self.row for i in range(self.band)])
        head = (
            f"KERNEL void {self.name}(long begin, long end,\n"
            f"        const {real} *restrict x, const {real} *restrict y, {real} *restrict w, "
            "char *work)"
        )
        function = block(head, runs, *self.scratch.lines, images)
        return "\n\n".join([*self.tiles.values(), f"/* {told} */\n{function}"]) + "\n"

    def _image(self) -> str:
        """What is done for image n."""
        s, real = self.seen, REGISTERS[self.seen.dtype][0]
        above, below, left, right = self.borders
        size, places = s.itemsize, s.out[0] * s.out[1]
        seen = at("x", ("n", s.shape[0] * s.shape[1] * s.channels))
        given = at("y", ("n", places * s.filters))
        copies = []
        if any(self.borders):
            rows = above + s.shape[0] + below
            self.scratch.array("room", rows * self.row)
            copies.append(
                f"copy_padded(room, {seen}, {-above}, {rows}, {s.shape[0]}, "
                f"{left * s.channels * size}, {s.shape[1] * s.channels * size}, "
                f"{right * s.channels * size});"
            )
            seen = "room"
        if self.columns != s.filters:
            self.scratch.array("wide", places * self.columns)
            row = s.filters * size
            copies.append(
                f"pack_panel(wide, {given}, {places}, {row}, {row}, {self.columns * size});"
            )
            given = "wide"
        top = "top" if self.band < s.out[0] else ""
        left_over = "from" if self.piece < s.out[1] else ""
        seen = at(
            seen, (top, s.stride[0] * self.row), (left_over, s.stride[1] * s.channels)
        )  # fmt: skip
        given = at(given, (top, s.out[1] * self.columns), (left_over, self.columns))
        panels = [
            each(o, panel.count, each(self.p, self.parts, self._tiles(panel)))
            for panel in cut_panels(s.width, self.lanes)
            for o in ["o" if panel.count > 1 else ""]
        ]
        inner = body(
            f"const {real} *seen = {seen};",
            f"const {real} *given = {given};",
            each(self.g, s.groups, *panels),
        )
        if left_over:
            inner = loop(left_over, 0, s.out[1], self.piece, inner)
        if top:
            inner = loop(top, 0, s.out[0], self.band, inner)
        return body(*copies, inner)

    def _tiles(self, panel: Panel) -> str:
        """A panel's filters times all elements of a part."""
        s = self.seen
        wide = panel.vectors * self.lanes
        o = "o" if panel.count > 1 else ""
        high, strip = strips((self.lines, self.length), tallest(self.target, panel.vectors))
        filters = (self.g, s.width), (o, wide), panel.first
        runs = str(self.band)
        if s.out[0] % self.band:
            runs = f"least({self.band}, {s.out[0]} - top)"
        steps = str(self.piece)
        if s.out[1] % self.piece:
            steps = f"least({self.piece}, {s.out[1]} - from)"
        part, line = self.lines * self.length * s.filters, self.length * s.filters

        def call(rows: int, columns: int, i: str, j: str) -> str:
            tile = Tile(
                self.name, s.dtype, rows, columns, panel.vectors, panel.last,
                (self.line, 1, s.stride[1] * s.channels), self.columns, (line, s.filters), "sum",
            )  # fmt: skip
            self.tiles.setdefault(tile.name, tile.source(self.target))
            x = at("seen", (self.g, s.depth), (self.p, self.part), (i, self.line), (j, 1))
            y = at("given", *filters)
            w = at("w", *filters, (self.p, part), (i, line), (j, s.filters))
            return tile.call(f"{runs}, runs", steps, x, y, w)

        def across(rows: int, i: str) -> str:
            return body(*[
                loop("j", begin, end, size, call(rows, size, i, "j"))
                if end - begin > size else call(rows, size, i, str(begin) if begin else "")
                for size, begin, end in strip
            ])  # fmt: skip

        whole = self.lines // high * high
        last = self.lines - whole
        down = loop("i", 0, whole, high, across(high, "i")) if whole > high else across(high, "")
        return body(down, across(last, str(whole)) if last else "")
