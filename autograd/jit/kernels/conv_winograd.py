"""3 × 3 convolutions with 16 products for four results instead of 36: Winograd's F(2 × 2, 3 × 3).

Lavin & Gray 2016, "Fast algorithms for convolutional neural networks"; the transforms and their
formulas are in c/winograd.h.  Blocks of windows are transformed to 16 planes, each plane is a
matrix product done by a register tile, and transformed back, all in the second-level cache.

In float32 the error is no larger than that of plain sums: measured against float64 with normal
numbers and 16 to 128 channels it is 0.5 to 0.9 of theirs, as sums are shorter.  But numbers meet
that plain sums keep apart: an inf or NaN reaches all of a 2 × 2 block of results, not only those
whose window sees it, and so does the rounding of a number much larger than its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..kernel import Kernel, Target
from .conv_text import REGISTERS, Scratch, at, block, body, each, loop, table
from .conv_tiles import Panel, Tile, cut_panels, split, tallest
from .conv_windows import Pair, Windows

__all__ = ["suits", "write", "write_weights"]

CACHE = 384 * 1024
"""Bytes of transformed windows and products at a time."""

TOGETHER = 24
"""Blocks at a time are a multiple of this, and all heights of tiles divide it."""


def height(target: Target, vectors: int) -> int:
    """Windows per tile."""
    return max(n for n in (12, 8, 6, 4, 3, 2, 1) if n <= max(tallest(target, vectors), 1))


def suits(seen: Windows, target: Target) -> bool:
    """Whether it can be done so, and pays: enough channels, and results in nearly all blocks."""
    plain = seen.size == (3, 3) and seen.stride == seen.dilation == (1, 1) and seen.groups == 1
    least = max(16, target.lanes(seen.dtype))
    blocks = [seen.n * ((h + 1) // 2) * ((w + 1) // 2) for h, w in (seen.shape, seen.out)]
    large = min(*seen.shape, *seen.out) >= 3 and min(blocks) >= 48  # worth transforming w for
    return plain and large and min(seen.channels, seen.filters) >= least


def write(
    name: str, told: str, seen: Windows, target: Target, *, turned: bool = False,
    bias: bool = False, relu: bool = False, pool: bool = False,
) -> Kernel:  # fmt: skip
    """The kernel of conv, with a bias (O,) if there is one; turned, that of conv_transpose.

    The transpose is a convolution too: of y with zeros around it and the taps in reverse order.
    With `pool` a block of results is a window of a max pool: the kernel gives the largest of each,
    and as bytes which of the four it is.
    """
    writer = _Results(name, seen, target, turned, bias, relu, pool)
    return _kernel(name, told, writer.source(), seen, writer)


def write_weights(name: str, told: str, seen: Windows, target: Target) -> Kernel:
    """The kernel of conv_kernel, which adds to w (3, 3, C, O)."""
    writer = _Weights(name, seen, target)
    return _kernel(name, told, writer.source(), seen, writer, sums=(0,))


def _kernel(
    name: str, told: str, source: str, seen: Windows, writer: _Writer, sums: tuple[int, ...] = ()
) -> Kernel:
    return Kernel(
        name, f"{source.replace('⟨told⟩', told)}", rows=seen.n, work=writer.scratch.size,
        flops=seen.flops, headers=("vectors", "conv", "winograd"), sums=sums,
    )  # fmt: skip


class _Writer:
    """What both writers share."""

    def __init__(self, name: str, seen: Windows, target: Target) -> None:
        self.name, self.seen, self.target = name, seen, target
        self.lanes = target.lanes(seen.dtype)
        self.scratch = Scratch(seen.dtype)
        self.real = REGISTERS[seen.dtype][0]
        self.suffix = "f64" if seen.dtype == "float64" else "f32"
        self.tiles: dict[str, str] = {}

    def wide(self, n: int) -> int:
        """n rounded up to whole registers."""
        return -(-n // self.lanes) * self.lanes

    def blocks(self, places: Pair, numbers: int) -> tuple[int, int, int]:
        """Blocks of 2 × 2 places: per image, per row, and how many are done at a time."""
        high, across = ((n + 1) // 2 for n in places)
        together = min(CACHE // (16 * numbers * self.seen.itemsize), 96)
        images = -(-self.seen.n * high * across // TOGETHER) * TOGETHER
        return high * across, across, min(max(together // TOGETHER, 2) * TOGETHER, images)

    def plane(self, count: int, name: str) -> int:
        """Sixteen planes of so many numbers, a register apart: they must not share a cache set."""
        self.scratch.array(name, 16 * (count + self.lanes))
        return count + self.lanes

    def function(self, inputs: Sequence[str], outputs: Sequence[str], *lines: str) -> str:
        """The kernel with the tiles it calls."""
        pointers = ", ".join([*(f"const {self.real} *restrict {x}" for x in inputs), *outputs])
        head = f"KERNEL void {self.name}(long begin, long end,\n        {pointers}, char *work)"
        text = block(head, table("runs", [0]), *self.scratch.lines, *lines)
        return (
            "\n\n".join([*self.tiles.values(), f"/* ⟨told⟩; Winograd F(2x2, 3x3) */\n{text}"])
            + "\n"
        )

    def tile(self, tile: Tile) -> Tile:
        """A tile, whose source is kept."""
        self.tiles.setdefault(tile.name, tile.source(self.target))
        return tile


class _Results(_Writer):
    """The results of a convolution, or turned, of its transpose."""

    def __init__(
        self, name: str, seen: Windows, target: Target, turned: bool, bias: bool, relu: bool,
        pool: bool,
    ) -> None:  # fmt: skip
        super().__init__(name, seen, target)
        self.turned, self.bias, self.relu, self.pool = turned, bias, relu, pool
        if turned:
            self.depth, self.width = seen.filters, seen.channels
            self.image, self.places = seen.out, seen.shape
            self.before = 2 - seen.before[0], 2 - seen.before[1]
        else:
            self.depth, self.width = seen.channels, seen.filters
            self.image, self.places, self.before = seen.shape, seen.out, seen.before
        if pool:  # of a last row or column that is no whole block nothing is needed
            self.places = self.places[0] // 2 * 2, self.places[1] // 2 * 2
        self.panels = cut_panels(self.width, self.lanes)

    def source(self) -> str:
        """The C of the kernel."""
        depth, columns = self.depth, self.wide(self.width)
        count, across, together = self.blocks(self.places, depth + columns)
        kernel = self._kernel()
        v = self.plane(together * depth, "seen")
        m = self.plane(together * columns, "found")
        self.scratch.array("room", 16 * depth)
        image, result = ("y", "x") if self.turned else ("x", "y")
        (h, w), (oh, ow) = self.image, self.places
        place = [
            f"long n = (first + t) / {count}, block = (first + t) % {count};",
            f"long i = block / {across} * 2, j = block % {across} * 2;",
        ]
        windows = loop(
            "t", 0, "many", 1, *place,
            f"winograd_window_{self.suffix}({at(image, ('n', h * w * depth))}, {h}, {w}, {depth},",
            f"    {at('i', -self.before[0])}, {at('j', -self.before[1])}, "
            f"seen + t * {depth}, {v}, room);",
        )  # fmt: skip
        bias = "b" if self.bias else "NULL"
        step = ow * self.width
        if self.pool:
            write = [
                f"winograd_largest_{self.suffix}(found + t * {columns}, {m}, {bias}, "
                f"{int(self.relu)},",
                f"    y + (first + t) * {self.width}, index + (first + t) * {self.width}, "
                f"{self.width});",
            ]
        else:
            write = [
                *place,
                f"winograd_result_{self.suffix}(found + t * {columns}, {m}, {bias}, "
                f"{int(self.relu)},",
                f"    {result} + n * {oh * step} + i * {step} + j * {self.width}, {step}, "
                f"{self.width}, {oh} - i, {ow} - j);",
            ]
        results = loop("t", 0, "many", 1, *write)
        products = loop("k", 0, 16, 1, *[self._product(p, v, m, columns) for p in self.panels])
        inner = loop(
            "first", f"begin * {count}", f"end * {count}", together,
            f"long many = least({together}, end * {count} - first);", windows, products, results,
        )  # fmt: skip
        inputs = (image, "w", "b") if self.bias else (image, "w")
        outputs = [f"{self.real} *restrict {result}"] + ["uint8_t *restrict index"] * self.pool
        return self.function(inputs, outputs, kernel, inner)

    def _kernel(self) -> str:
        """w, packed into panels that are transformed."""
        s, size = self.seen, self.seen.itemsize
        columns = self.wide(self.width)
        widest = max(p.vectors for p in self.panels) * self.lanes
        self.scratch.array("kernel", 16 * self.depth * columns)
        self.scratch.array("taps", 9 * self.depth * widest)
        lines = []
        for panel in self.panels:
            o, wide = ("o" if panel.count > 1 else ""), panel.vectors * self.lanes
            used = (panel.vectors - 1) * self.lanes + panel.last
            if self.turned:
                row = self.depth * size
                begin = at("", (o, wide), panel.first)
                pack = loop(
                    "t", 0, 9, 1,
                    f"pack_transposed(taps + t * {self.depth * wide}, "
                    f"w + ((8 - t) * {s.channels} + {begin}) * {self.depth},",
                    f"    {self.depth}, {row}, {used}, {wide * size}, {size});",
                )  # fmt: skip
            else:
                pack = (
                    f"pack_panel(taps, {at('w', (o, wide), panel.first)}, {9 * self.depth}, "
                    f"{self.width * size}, {used * size}, {wide * size});"
                )
            to = at("kernel", (o, self.depth * wide), self.depth * panel.first)
            transform = (
                f"winograd_kernel_{self.suffix}(taps, {self.depth * wide}, {to}, "
                f"{self.depth * columns});"
            )
            lines.append(each(o, panel.count, pack, transform))
        return body(*lines)

    def _product(self, panel: Panel, v: int, m: int, columns: int) -> str:
        """Of plane k: all windows times a panel of the kernel."""
        o, wide = ("o" if panel.count > 1 else ""), panel.vectors * self.lanes
        tall = height(self.target, panel.vectors)
        tile = self.tile(Tile(
            self.name, self.seen.dtype, 1, tall, panel.vectors, self.lanes,
            (0, self.depth, 1), wide, (0, columns),
        ))  # fmt: skip
        w = at("kernel", ("k", self.depth * columns), (o, self.depth * wide),
               self.depth * panel.first)  # fmt: skip
        call = tile.call(
            "1, runs", str(self.depth), f"seen + k * {v} + t * {self.depth}", w,
            at(f"found + k * {m} + t * {columns}", (o, wide), panel.first),
        )  # fmt: skip
        return each(o, panel.count, loop("t", 0, "many", tall, call))


class _Weights(_Writer):
    """The gradient to the kernel: products summed over all blocks, transformed at the end."""

    def source(self) -> str:
        """The C of the kernel."""
        s = self.seen
        columns = self.wide(s.filters)
        count, across, together = self.blocks(s.out, s.channels + columns)
        sums = s.channels * columns
        self.scratch.array("sums", 16 * sums)
        v = self.plane(together * s.channels, "seen")
        g = self.plane(together * columns, "given")
        self.scratch.array("room", 16 * s.channels)
        (h, w), (oh, ow) = s.shape, s.out
        step = ow * s.filters
        windows = loop(
            "t", 0, "many", 1,
            f"long n = (first + t) / {count}, block = (first + t) % {count};",
            f"long i = block / {across} * 2, j = block % {across} * 2;",
            f"winograd_window_{self.suffix}({at('x', ('n', h * w * s.channels))}, {h}, {w}, "
            f"{s.channels},",
            f"    {at('i', -s.before[0])}, {at('j', -s.before[1])}, seen + t * {s.channels}, {v}, "
            "room);",
            f"winograd_gradient_{self.suffix}(y + n * {oh * step} + i * {step} + j * {s.filters}, "
            f"{step}, {s.filters},",
            f"    {oh} - i, {ow} - j, given + t * {columns}, {g});",
        )  # fmt: skip
        products = loop("k", 0, 16, 1, *[
            self._product(p, v, g, columns) for p in cut_panels(s.filters, self.lanes)
        ])  # fmt: skip
        inner = loop(
            "first", f"begin * {count}", f"end * {count}", together,
            f"long many = least({together}, end * {count} - first);", windows, products,
        )  # fmt: skip
        clear = f"memset(sums, 0, {16 * sums} * sizeof *sums);"
        turn = loop(
            "c", 0, s.channels, 1,
            f"winograd_taps_{self.suffix}(sums + c * {columns}, {sums}, w + c * {s.filters}, "
            f"{s.channels * s.filters}, {s.filters});",
        )  # fmt: skip
        return self.function(("x", "y"), [f"{self.real} *restrict w"], clear, inner, turn)

    def _product(self, panel: Panel, v: int, g: int, columns: int) -> str:
        """Of plane k: windows times a panel of gradients, summed over the blocks."""
        s = self.seen
        o, wide = ("o" if panel.count > 1 else ""), panel.vectors * self.lanes

        def call(size: int, begin: int, end: int) -> str:
            tile = self.tile(Tile(
                self.name, s.dtype, 1, size, panel.vectors, self.lanes,
                (0, 1, s.channels), columns, (0, columns), "sum",
            ))  # fmt: skip
            to = at("sums", ("k", s.channels * columns), ("c", columns), (o, wide), panel.first)
            line = tile.call(
                "1, runs", "many", f"seen + k * {v} + c",
                at(f"given + k * {g}", (o, wide), panel.first), to,
            )  # fmt: skip
            return loop("c", begin, end, size, line)

        cut = split(s.channels, tallest(self.target, panel.vectors))
        return each(o, panel.count, *[call(*piece) for piece in cut])
