"""The gradient to the image of a convolution before a max pool (see conv_pooled.py).

For each of the pool's windows all that it depends on is a tile of places, whose sums stay in
registers for some filters, as many as have their weights in the first-level cache.  The filters
of one tap come one after the other, told by the bits of a word, so that each product's place in
the tile is known when this is written.  What is 0, as behind a rectifier, costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..kernel import Kernel, Request, Target, lowers
from .conv_pooled import CACHE, Pooled
from .conv_text import at, block, body, loop

__all__ = ["conv_transpose_of_put"]

BAND = 256 * 1024
"""Bytes of an image that are worked on at a time: part of a usual second-level cache."""

WORD = 64
"""So many filters at most are told by the bits of one word."""


@lowers("conv_transpose_of_put")
def conv_transpose_of_put(request: Request, target: Target) -> Kernel | None:
    """x (N, *shape, C) from g (N, *places, O), its taps (N, *places, O), and w (*size, C, O)."""
    w = request.inputs[-1]
    writer = _Writer.of(request, request.outputs[0].shape, w.shape[:-2], w.shape[-1], target)
    return None if writer is None else writer.written()


@dataclass
class _Writer(Pooled):
    """Writes the kernel."""

    def __post_init__(self) -> None:
        super().__post_init__()
        s = self.seen
        self.packed = s.taps * self.lanes  # weights of a filter, for one register of channels
        most = min(max(CACHE // (self.packed * s.itemsize), 1), WORD, s.filters)
        self.groups = -(-s.filters // most)
        self.some = -(-s.filters // self.groups)  # filters at a time
        self.words = self.places * len(self.corners)  # of an image

    def written(self) -> Kernel:
        """For each image: where the pool took what, then all windows."""
        s, real, o, kinds = self.seen, self.real, self.seen.filters, len(self.corners)
        size, (height, width) = s.itemsize, self.out
        self.scratch.array("weights", self.vectors * o * self.packed)
        self.scratch.array("words", 8 // size * self.groups * self.words)
        image = self.image()
        whole = self.room[0] * self.row
        find = loop(
            "f", 0, self.groups, 1,
            f"const long many = least({self.some}, {o} - f * {self.some});",
            loop(
                "e", 0, self.places, 1,
                f"taken_f{8 * size}(many, {kinds}, found + e * {o} + f * {self.some},",
                f"    given + e * {o} + f * {self.some}, taken + f * {self.words} + e * {kinds});",
            ),
        )  # fmt: skip
        add = [
            f"{self._tile(rows, columns)}(\n"
            f"    taken + f * {self.words} + i * {width * kinds}, "
            f"given + i * {width * o} + f * {self.some},\n"
            f"    weights + (c * {o} + f * {self.some}) * {self.packed}, "
            f"to + i * {self.steps[0] * self.row} + c * {self.lanes});"
            for rows, columns in self._pieces()
        ]
        band = max(BAND // (self.steps[0] * self.row * size), 1)
        rows = loop("i", "top", f"least(top + {band}, {height})", 1, *add)
        filters = loop("c", 0, self.vectors, 1, loop("f", 0, self.groups, 1, rows))
        images = loop(
            "n", "begin", "end", 1,
            f"const {real} *given = g + n * {self.places * o};",
            f"const uint8_t *found = index + n * {self.places * o};",
            f"{real} *to = {image};", f"memset(to, 0, {whole} * sizeof *to);",
            find, loop("top", 0, height, band, filters), self.copy(back=True),
        )  # fmt: skip
        arrays = [f"const {real} *restrict g", "const uint8_t *restrict index"]
        arrays += [f"const {real} *restrict w", f"{real} *restrict x"]
        taken = "uint64_t *taken = (uint64_t *)words;"
        return self.kernel(arrays, (), taken, self._pack(), images)

    def _pack(self) -> str:
        """For each register of channels and each filter, the weights of all taps."""
        s, o = self.seen, self.seen.filters
        clear = f"memset(weights, 0, {self.vectors * o * self.packed} * sizeof *weights);"
        pack = self.turned(
            self.lanes,
            f"weights[(c * {o} + o) * {self.packed} + k * {self.lanes} + l] = "
            f"w[(k * {s.channels} + c * {self.lanes} + l) * {o} + o];",
        )
        return body(clear if self.room[2] != s.channels else "", pack)

    def _pieces(self) -> list[tuple[range, range]]:
        """Rows and columns of what a window depends on, in pieces whose sums fit the registers."""
        high, wide = self.reach
        free = self.target.registers - 2
        columns = -(-wide // -(-wide // free))
        rows = max(free // columns, 1)
        rows = -(-high // -(-high // rows))
        return [
            (range(i, min(i + rows, high)), range(j, min(j + columns, wide)))
            for i in range(0, high, rows)
            for j in range(0, wide, columns)
        ]

    def _tile(self, rows: range, columns: range) -> str:
        """The name of a function for a row of windows, which adds to a piece of what each sees."""
        name = f"{self.name}_tile_{rows.start}_{columns.start}"
        real, letter, o = self.real, self.letter, self.seen.filters
        piece = [(i, j) for i in rows for j in columns]
        sums = {place: f"sum[{k}]" for k, place in enumerate(piece)}
        kept = [(sums[place], at("x", self.offset(*place))) for place in piece]
        add = []
        for kind, (p, q) in enumerate(self.corners):
            products = [
                f"{sums[place]} += given * load{letter}(from + {k * self.lanes});"
                for k, (i, j) in enumerate(self.taps) if (place := (p + i, q + j)) in sums
            ]  # fmt: skip
            if products:
                add.append(block(
                    f"for (uint64_t left = taken[{kind}]; left; left &= left - 1)",
                    "const long o = __builtin_ctzll(left);", f"const {real} given = g[o];",
                    f"const {real} *from = w + o * {self.packed};", *products,
                ))  # fmt: skip
        self.tiles[name] = block(
            f"KERNEL void {name}(\n        const uint64_t *restrict taken, "
            f"const {real} *restrict g, const {real} *restrict w,\n        {real} *restrict x)",
            loop(
                "j", 0, self.out[1], 1,
                f"{self.register} sum[{len(sums)}];",
                *[f"{sum_} = load{letter}({place});" for sum_, place in kept],
                *add,
                *[f"store{letter}({place}, {sum_});" for sum_, place in kept],
                f"taken += {len(self.corners)}, g += {o}, x += {self.offset(0, self.steps[1])};",
            ),
        )  # fmt: skip
        return name
