"""The gradient to the kernel of a convolution before a max pool (see conv_pooled.py).

One filter's weights, or as many as fit, stay in registers while one goes through some rows of the
pool's windows, each of which adds the window of the image that its largest element came from.
These rows stay in the first-level cache for all filters.
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

    def written(self) -> Kernel:
        """For each image: some rows of windows, and for these all filters."""
        s, real, o = self.seen, self.real, self.seen.filters
        height, width = self.out
        kept = s.taps * self.part
        self.scratch.array("sums", self.parts * o * kept)
        image, some = self.image(), self._rows()
        calls = [
            f"{self._tile(group)}(\n"
            f"    least({some}, {height} - top), from + top * {self.steps[0] * self.row} + "
            f"c * {self.part},\n"
            f"    given + top * {width * o} + o, found + top * {width * o} + o,\n"
            f"    sums + (c * {o} + o) * {kept} + {group[0] * self.part});"
            for group in self.groups
        ]
        filters = loop("c", 0, self.parts, 1, loop("o", 0, o, 1, *calls))
        images = loop(
            "n", "begin", "end", 1, self.copy(back=False),
            f"const {real} *from = {image}, *given = g + n * {self.places * o};",
            f"const uint8_t *found = index + n * {self.places * o};",
            loop("top", 0, height, some, filters),
        )  # fmt: skip
        clear = [f"memset(sums, 0, {self.parts * o * kept} * sizeof *sums);"]
        if self.copied:
            clear.append(f"memset(room, 0, {self.room[0] * self.row} * sizeof *room);")
        turned = f"sums[(c / {self.part} * {o} + o) * {kept} + k * {self.part} + c % {self.part}]"
        add = f"w[(k * {s.channels} + c) * {o} + o] += {turned};"
        turn = loop("k", 0, s.taps, 1, loop("c", 0, s.channels, 1, loop("o", 0, o, 1, add)))
        arrays = [f"const {real} *restrict x", f"const {real} *restrict g"]
        arrays += ["const uint8_t *restrict index", f"{real} *restrict w"]
        return self.kernel(arrays, (0,), *clear, images, turn)

    def _rows(self) -> int:
        """Rows of windows at a time, all about as many."""
        s, (height, width) = self.seen, self.out
        row = self.room[1] * self.part * s.itemsize
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
                at("from", self.offset(*self.taps[group[k]]) + v * self.lanes),
                at("w", k * self.part + v * self.lanes),
            )
            for k, v in places
        ]
        self.tiles[name] = block(
            f"KERNEL void {name}(\n        long rows, const {real} *restrict x, "
            f"const {real} *restrict g, const uint8_t *restrict index,\n"
            f"        {real} *restrict w)",
            table("where", [self.offset(*corner) for corner in self.corners]),
            f"{self.register} sum[{len(sums)}];",
            *[f"{sum_} = load{letter}({w});" for sum_, _, w in sums],
            loop("i", 0, "rows", 1, loop(
                "j", 0, self.out[1], 1,
                f"const long e = (i * {self.out[1]} + j) * {o};",
                f"const {real} given = g[e];",
                f"const {real} *from = x + i * {self.steps[0] * self.row} + "
                f"j * {self.offset(0, self.steps[1])} + where[index[e]];",
                *[f"{sum_} += given * load{letter}({x});" for sum_, x, _ in sums],
            )),
            *[f"store{letter}({w}, {sum_});" for sum_, _, w in sums],
        )  # fmt: skip
        return name
