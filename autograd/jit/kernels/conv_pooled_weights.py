"""The gradient to the kernel of a convolution before a max pool (see conv_pooled.py).

One filter's weights, or as many as fit, stay in registers while one goes through some rows of the
pool's windows, each of which adds the window of the image that its largest element came from.
These rows stay in the first-level cache for all filters; where they hold only some of the channels
they are copied, since places far apart would share the sets of that cache.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..kernel import Kernel, Request, Target, lowers
from .conv_pooled import CACHE, Pooled
from .conv_text import at, block, loop, table

__all__ = ["conv_kernel_of_put"]


@lowers("conv_kernel_of_put")
def conv_kernel_of_put(request: Request, target: Target) -> Kernel | None:
    """w (*size, C, O) from x (N, *spatial, C), g (N, *places, O) and its taps (N, *places, O)."""
    x, g, _ = request.inputs
    writer = _Writer.of(request, x.shape, request.params["size"], g.shape[-1], target)
    return None if writer is None else writer.written()


@dataclass
class _Writer(Pooled):
    """Writes the kernel, whose sums are `parts` × filters × taps × `part` channels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        free, taps = self.target.registers - 2, self.seen.taps
        fit = [n for n in range(1, self.vectors + 1) if self.vectors % n == 0 and n * taps <= free]
        self.registers = max(fit, default=1)
        self.parts, self.part = self.vectors // self.registers, self.registers * self.lanes
        most = min(free // self.registers, taps)
        most = -(-taps // -(-taps // most))
        self.groups = [range(k, min(k + most, taps)) for k in range(0, taps, most)]
        """Which taps have their sums in registers at a time."""
        self.line = self.room[1] * self.part  # a row of the image, for one part of the channels

    def apart(self, i: int, j: int) -> int:
        """How far a place lies behind another, in one part of the channels."""
        return i * self.line + j * self.part

    def written(self) -> Kernel:
        """For each image: some rows of windows, and for these all filters."""
        s, real, o = self.seen, self.real, self.seen.filters
        height, width = self.out
        kept = s.taps * self.part
        self.scratch.array("sums", self.parts * o * kept)
        image, some = self.image(), self._rows()
        begin = [
            f"const long rows = least({some}, {height} - top);",
            f"const {real} *seen = from + top * {self.steps[0] * self.row};",
        ]
        if self.parts > 1:
            high, more = self.steps[0], self.reach[0] - self.steps[0]
            self.scratch.array("near", (some * high + more) * self.line)
            sizes = [self.line, self.part, self.row, self.room[2]]
            near, place, row, far = (n * s.itemsize for n in sizes)
            begin += [
                f"copy_places(near, {near}, {place}, seen + c * {self.part}, {row}, {far},",
                f"            rows * {high} + {more}, {self.room[1]}, {place});",
                "seen = near;",
            ]
        calls = [
            f"{self._tile(group)}(\n"
            f"    rows, seen, given + top * {width * o} + o, found + top * {width * o} + o,\n"
            f"    sums + (c * {o} + o) * {kept} + {group[0] * self.part});"
            for group in self.groups
        ]
        filters = loop("c", 0, self.parts, 1, *begin, loop("o", 0, o, 1, *calls))
        images = loop(
            "n", "begin", "end", 1, self.copy(back=False),
            f"const {real} *from = {image}, *given = g + n * {self.places * o};",
            f"const uint8_t *found = index + n * {self.places * o};",
            loop("top", 0, height, some, filters),
        )  # fmt: skip
        clear = [f"memset(sums, 0, {self.parts * o * kept} * sizeof *sums);"]
        if self.copied:
            clear.append(f"memset(room, 0, {self.room[0] * self.row} * sizeof *room);")
        turn = self.turned(
            self.part,
            f"w[(k * {s.channels} + c * {self.part} + l) * {o} + o] += "
            f"sums[(c * {o} + o) * {kept} + k * {self.part} + l];",
        )
        arrays = [f"const {real} *restrict x", f"const {real} *restrict g"]
        arrays += ["const uint8_t *restrict index", f"{real} *restrict w"]
        return self.kernel(arrays, (0,), *clear, images, turn)

    def _rows(self) -> int:
        """Rows of windows at a time, all about as many."""
        s, (height, width) = self.seen, self.out
        row = self.line * s.itemsize
        first = (self.reach[0] - self.steps[0]) * row  # of the image, beyond the steps
        more = self.steps[0] * row + width * s.filters * (s.itemsize + 1)
        most = min(max((CACHE - first) // more, 1), height)
        return -(-height // -(-height // most))

    def _tile(self, group: range) -> str:
        """The name of a function for some rows of windows, which adds to some taps of a filter."""
        name = f"{self.name}_tile_{group.start}"
        real, letter, o = self.real, self.letter, self.seen.filters
        places = [(k, v) for k in range(len(group)) for v in range(self.registers)]
        sums = [
            (
                f"sum[{k * self.registers + v}]",
                at("from", self.apart(*self.taps[group[k]]) + v * self.lanes),
                at("w", k * self.part + v * self.lanes),
            )
            for k, v in places
        ]
        self.tiles[name] = block(
            f"KERNEL void {name}(\n        long rows, const {real} *restrict x, "
            f"const {real} *restrict g, const uint8_t *restrict index,\n"
            f"        {real} *restrict w)",
            table("where", [self.apart(*corner) for corner in self.corners]),
            f"{self.register} sum[{len(sums)}];",
            *[f"{sum_} = load{letter}({w});" for sum_, _, w in sums],
            loop("i", 0, "rows", 1, loop(
                "j", 0, self.out[1], 1,
                f"const long e = (i * {self.out[1]} + j) * {o};",
                f"const {real} given = g[e];",
                f"const {real} *from = x + i * {self.apart(self.steps[0], 0)} + "
                f"j * {self.apart(0, self.steps[1])} + where[index[e]];",
                *[f"{sum_} += given * load{letter}({x});" for sum_, x, _ in sums],
            )),
            *[f"store{letter}({w}, {sum_});" for sum_, _, w in sums],
        )  # fmt: skip
        return name
