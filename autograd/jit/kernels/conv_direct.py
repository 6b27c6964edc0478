"""The C of scans (see conv_scan.py): packed kernels, and register tiles run over rows of images."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..kernel import Kernel, Target
from .conv_scan import Phase, Scan
from .conv_text import REGISTERS, Scratch, at, block, body, each, loop, table
from .conv_tiles import Panel, Tile, cut_panels, split, tallest
from .conv_windows import Pair

__all__ = ["write"]

CACHE = 256 * 1024
"""Bytes of an image that are worked on at a time: part of a usual second-level cache."""


def write(
    name: str, told: str, scan: Scan, target: Target, flops: int, *, bias: bool = False,
    relu: bool = False,
) -> Kernel:  # fmt: skip
    """The kernel of a scan, with a bias (groups × width,) if there is one."""
    writer = _Writer(name, scan, target, bias, relu)
    source = writer.source(told)
    return Kernel(
        name, source, rows=scan.n, work=writer.scratch.size, flops=flops,
        headers=("vectors", "conv"),
    )  # fmt: skip


def strips(places: Pair, most: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Rows per tile, and its columns (size, begin, end): several rows where they are short."""
    height, width = places
    if 2 * width > most or height == 1:
        return 1, split(width, most)
    count = -(-height // (most // width))
    return -(-height // count), [(width, 0, width)]


@dataclass
class _Writer:
    """Writes one kernel; collects its tiles and its scratch memory."""

    name: str
    scan: Scan
    target: Target
    bias: bool
    relu: bool
    tiles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s = self.scan
        self.lanes = self.target.lanes(s.dtype)
        self.panels = cut_panels(s.width, self.lanes)
        self.columns = -(-s.width // self.lanes) * self.lanes  # of all panels of a group
        self.rows = len(s.taps) * s.depth  # of a panel
        self.g = "g" if s.groups > 1 else ""
        self.image, self.result = ("y", "x") if s.turned else ("x", "y")
        self.scratch = Scratch(s.dtype)
        self.height = max(p.places[0] for p in s.phases)
        self.band = self._band()
        alone = len(self.panels) == self.panels[0].count == s.groups == 1
        self.packed = s.turned or not alone or self.columns != s.width

    def source(self, told: str) -> str:
        """All of it."""
        s, real = self.scan, REGISTERS[self.scan.dtype][0]
        runs = table("runs", [run for phase in s.phases for run in phase.runs])
        packing = self._packing()
        images = loop("n", "begin", "end", 1, self._image())
        bias = f"const {real} *restrict b, " if self.bias else ""
        head = (
            f"KERNEL void {self.name}(long begin, long end,\n"
            f"        const {real} *restrict {self.image}, const {real} *restrict w, "
            f"{bias}{real} *restrict {self.result}, char *work)"
        )
        function = block(head, runs, *self.scratch.lines, packing, images)
        return "\n\n".join([*self.tiles.values(), f"/* {told} */\n{function}"]) + "\n"

    def _band(self) -> int:
        """How many rows of results are computed at a time."""
        s = self.scan
        rows = (CACHE // (s.row * s.itemsize) - s.reach) // s.stride[0] + 1
        if rows >= self.height:
            return self.height
        tall = [
            strips(phase.places, tallest(self.target, panel.vectors))[0]
            for phase in s.phases
            for panel in self.panels
        ]
        together = math.lcm(*tall)
        return max(rows // together, 1) * together

    def _packing(self) -> str:
        """w as panels, one behind the other: for each tap and channel a row."""
        s = self.scan
        if not self.packed:
            return ""
        self.scratch.array("panels", s.groups * self.rows * self.columns)
        size, parts = s.itemsize, []
        for panel in self.panels:
            o, wide = self._loop_of(panel)
            used = (panel.vectors - 1) * self.lanes + panel.last
            to = self._panel_at(panel, "panels")
            first = at("", (o, wide), panel.first)
            if s.turned:
                row = s.groups * s.depth
                source = at(f"w + (taps[t] * {s.width} + {first}) * {row}", (self.g, s.depth))
                part = block(
                    f"for (long t = 0; t < {len(s.taps)}; t++)",
                    f"pack_transposed({to} + t * {s.depth * wide}, {source},",
                    f"                {s.depth}, {row * size}, {used}, {wide * size}, {size});",
                )
            else:
                source = at("w", (self.g, s.width), (o, wide), panel.first)
                row = s.groups * s.width * size
                part = (
                    f"pack_panel({to}, {source}, {self.rows}, {row}, {used * size}, {wide * size});"
                )
            parts.append(each(o, panel.count, part))
        lines = [table("taps", s.taps) if s.turned else "", each(self.g, s.groups, *parts)]
        if self.bias and self.columns != s.width:
            self.scratch.array("bias", s.groups * self.columns)
            row = s.width * size
            lines.append(f"pack_panel(bias, b, {s.groups}, {row}, {row}, {self.columns * size});")
        return body(*lines)

    def _loop_of(self, panel: Panel) -> tuple[str, int]:
        """The name of a loop over panels, "" for one alone, and how many columns a panel has."""
        return ("o" if panel.count > 1 else ""), panel.vectors * self.lanes

    def _panel_at(self, panel: Panel, base: str) -> str:
        o, wide = self._loop_of(panel)
        whole = self.rows * self.columns
        return at(base, (self.g, whole), (o, self.rows * wide), self.rows * panel.first)

    def _image(self) -> str:
        """What is done for image n: its bands, each copied between zeros if there are borders."""
        s = self.scan
        above, _, left, right = s.borders
        channels, size = s.groups * s.depth, s.itemsize
        image, pace = s.shape[0] * s.shape[1] * channels, s.stride[0]
        banded = self.band < self.height
        top = "top" if banded else ""
        seen = at(self.image, ("n", image))
        lines = []
        if any(s.borders):
            rows = (self.band - 1) * pace + s.reach
            self.scratch.array("room", rows * s.row)
            first = at("", (top, pace), -above)
            lines.append(
                f"copy_padded(room, {seen}, {first}, {rows}, {s.shape[0]}, "
                f"{left * channels * size}, {s.shape[1] * channels * size}, "
                f"{right * channels * size});"
            )
            seen = "room"
        elif banded:
            seen = at(seen, (top, pace * s.row))
        lines.append(f"const {REGISTERS[s.dtype][0]} *seen = {seen};")
        panels = [
            each(self._loop_of(panel)[0], panel.count, self._phases(panel, banded))
            for panel in self.panels
        ]
        lines.append(each(self.g, s.groups, *panels))
        return loop("top", 0, self.height, self.band, *lines) if banded else body(*lines)

    def _phases(self, panel: Panel, banded: bool) -> str:
        """All results of a panel's filters."""
        lines, run, tap = [], 0, 0
        for phase in self.scan.phases:
            lines.append(self._tiles(panel, phase, run, tap, banded))
            run, tap = run + len(phase.runs), tap + len(phase.taps)
        return body(*lines)

    def _tiles(self, panel: Panel, phase: Phase, run: int, tap: int, banded: bool) -> str:
        s = self.scan
        o, wide = self._loop_of(panel)
        high, strip = strips(phase.places, tallest(self.target, panel.vectors))
        channels, out = s.groups * s.depth, s.groups * s.width
        spread = s.spread[0] * s.out[1] * out, s.spread[1] * out
        to = at(
            self.result, ("n", s.out[0] * s.out[1] * out), ("top" * banded, spread[0]),
            (self.g, s.width), (o, wide), panel.first + phase.to,
        )  # fmt: skip
        w = self._panel_at(panel, "panels" if self.packed else "w")
        w = at(w, tap * s.depth * wide)
        bias = at("b", (self.g, s.width), (o, wide), panel.first)
        if self.bias and self.columns != s.width:
            bias = at("bias", (self.g, self.columns), (o, wide), panel.first)

        def call(rows: int, columns: int, i: str, j: str) -> str:
            tile = Tile(
                self.name, s.dtype, rows, columns, panel.vectors, panel.last,
                (s.stride[0] * s.row, s.stride[1] * channels, 1), wide, spread,
                "bias" if self.bias else "zero", self.relu,
            )  # fmt: skip
            self.tiles.setdefault(tile.name, tile.source(self.target))
            x = at("seen", (self.g, s.depth), (i, s.stride[0] * s.row), (j, s.stride[1] * channels))
            runs = f"{len(phase.runs)}, {at('runs', run)}"
            y = at(to, (i, spread[0]), (j, spread[1]))
            return tile.call(runs, str(phase.steps), x, w, y, bias)

        def across(rows: int, i: str) -> str:
            return body(*[
                loop("j", begin, end, size, call(rows, size, i, "j"))
                if end - begin > size else call(rows, size, i, str(begin) if begin else "")
                for size, begin, end in strip
            ])  # fmt: skip

        height = phase.places[0]
        whole = height // high * high
        last = height - whole
        if banded:
            end = f"least({self.band}, {height} - top)" + (f" - {high - 1}" if high > 1 else "")
            rest = f"{whole} - top"
            return body(
                loop("i", 0, end, high, across(high, "i")),
                block(f"if ({rest} >= 0 && {rest} < {self.band})", across(last, f"({rest})"))
                if last else "",
            )  # fmt: skip
        down = loop("i", 0, whole, high, across(high, "i")) if whole > high else across(high, "")
        return body(down, across(last, str(whole)) if last else "")
