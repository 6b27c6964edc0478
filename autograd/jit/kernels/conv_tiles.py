"""Register tiles: the small matrix product that all convolution kernels consist of.

    y[t, :] = start + Σ x[t] · w[:]        for T numbers of x, and w of V registers

The T · V sums stay in registers while one steps through x and the rows of w; each number of x is
read once for V products and each register of w once for T (Goto & van de Geijn 2008, "Anatomy of
high-performance matrix multiplication").  Where the T numbers lie, how far a step goes and where
the sums belong are constants of a tile, so that addresses cost nothing.

    convolution            T places of the image,    a step is a channel of the window
    gradient to a kernel   T elements of a window,   a step is a place
    Winograd's products    T windows,                a step is a channel
"""

from __future__ import annotations

from dataclasses import dataclass

from ..kernel import Target
from .conv_text import REGISTERS, fill

__all__ = ["Panel", "Tile", "cut_panels", "split", "tallest"]


@dataclass(frozen=True)
class Panel:
    """`count` panels of columns beside each other, from `first` on, `vectors` registers each.

    `first` counts elements; the last register holds `last` numbers.
    """

    first: int
    count: int
    vectors: int
    last: int


def cut_panels(n: int, lanes: int) -> list[Panel]:
    """n columns as panels of one to three registers."""
    registers, last = -(-n // lanes), n % lanes or lanes
    width = 3 if registers == 3 else 2
    full, rest = divmod(registers, width)
    found = [Panel(0, full, width, lanes)] if full else []
    if rest:
        found.append(Panel(full * width * lanes, 1, rest, last))
    elif last < lanes:
        found = [Panel(0, full - 1, width, lanes)] if full > 1 else []
        found.append(Panel((full - 1) * width * lanes, 1, width, last))
    return found


def tallest(target: Target, vectors: int) -> int:
    """The largest T: all sums, a row of w and one number of x must find a register."""
    return min((target.registers - 1 - vectors) // vectors, 24)


def split(n: int, most: int) -> list[tuple[int, int, int]]:
    """0 … n in tiles of at most `most`: (size, begin, end), with at most two sizes.

    All alike if a size above half of the largest allows it, else two sizes that differ by one.
    """
    if n <= most:
        return [(n, 0, n)]
    for size in range(most, most // 2, -1):
        if n % size == 0:
            return [(size, 0, n)]
    size, more = divmod(n, -(-n // most))
    edge = more * (size + 1)
    return [(size + 1, 0, edge), (size, edge, n)]


@dataclass(frozen=True)
class Tile:
    """A tile of `rows` × `columns` numbers of x and `vectors` registers of w.

    The steps count elements: from a number of x to the next row's or column's, how far x and w
    move per step of the sum, and where in y the sums go.  `start` is what they begin with:
    "zero", "bias" (a row for all), or "sum" (what y holds).  Of the last register of y, `last`
    numbers count.
    """

    owner: str
    dtype: str
    rows: int
    columns: int
    vectors: int
    last: int
    x_steps: tuple[int, int, int]
    w_step: int
    y_steps: tuple[int, int]
    start: str = "zero"
    relu: bool = False

    @property
    def name(self) -> str:
        """Its C function."""
        tall = f"{self.rows}x{self.columns}" if self.rows > 1 else f"{self.columns}"
        return f"{self.owner}_tile_{tall}x{self.vectors}_{self.last}"

    def source(self, target: Target) -> str:
        """The C function."""
        real, register, letter = REGISTERS[self.dtype]
        lanes = target.lanes(self.dtype)
        if self.rows == 1 or self.columns == 1:
            way = 1 if self.rows == 1 else 0
            x_at, y_at = (
                "t" if steps[way] == 1 else f"t * {steps[way]}"
                for steps in (self.x_steps, self.y_steps)
            )
        else:
            x_at, y_at = (
                f"t / {self.columns} * {row} + t % {self.columns} * {column}"
                for row, column in (self.x_steps[:2], self.y_steps)
            )
        partial = self.last != lanes
        at = f"y + {y_at} + v * {lanes}"
        load, store = f"load{letter}({at})", f"store{letter}({at}, sum[t][v])"
        if partial:
            more = f"v < {self.vectors - 1}" if self.vectors > 1 else ""
            part_load = f"load{letter}_part({at}, {self.last})"
            part_store = f"for (int l = 0; l < {self.last}; l++) ({at})[l] = sum[t][v][l]"
            load = f"{more} ? {load} : {part_load}" if more else part_load
            store = f"if ({more}) {store};\nelse {part_store}" if more else part_store
        starts = {
            "zero": f"sum[t][v] = ({register}){{0}};",
            "bias": f"sum[t][v] = load{letter}(bias + v * {lanes});",
            "sum": f"sum[t][v] = {load};",
        }
        relu = f"sum[t][v] = relu{letter}(sum[t][v]);\n" if self.relu else ""
        return fill(
            """
            /* ⟨numbers⟩ numbers of x times ⟨vectors⟩ registers of w, summed over runs of steps */
            KERNEL void ⟨name⟩(
                    long runs, const long *run, long steps, const ⟨real⟩ *restrict x,
                    const ⟨real⟩ *restrict w, ⟨bias⟩⟨real⟩ *restrict y) {
                ⟨register⟩ sum[⟨numbers⟩][⟨vectors⟩];
                UNROLL for (int t = 0; t < ⟨numbers⟩; t++)
                    UNROLL for (int v = 0; v < ⟨vectors⟩; v++)
                        ⟨start⟩
                for (long r = 0; r < runs; r++) {
                    const ⟨real⟩ *from = x + run[r];
                    for (long i = 0; i < steps; i++, from += ⟨x_step⟩, w += ⟨w_step⟩) {
                        ⟨register⟩ row[⟨vectors⟩];
                        UNROLL for (int v = 0; v < ⟨vectors⟩; v++)
                            row[v] = load⟨letter⟩(w + v * ⟨lanes⟩);
                        UNROLL for (int t = 0; t < ⟨numbers⟩; t++)
                            UNROLL for (int v = 0; v < ⟨vectors⟩; v++)
                                sum[t][v] += from[⟨x_at⟩] * row[v];
                    }
                }
                UNROLL for (int t = 0; t < ⟨numbers⟩; t++)
                    UNROLL for (int v = 0; v < ⟨vectors⟩; v++) {
                        ⟨finish⟩
                    }
            }
            """,
            name=self.name, real=real, register=register, letter=letter, lanes=lanes,
            numbers=self.rows * self.columns, vectors=self.vectors, start=starts[self.start],
            bias=f"const {real} *restrict bias, " if self.start == "bias" else "",
            x_step=self.x_steps[2], w_step=self.w_step, x_at=x_at, finish=f"{relu}{store};",
        )  # fmt: skip

    def call(self, runs: str, steps: str, x: str, w: str, y: str, bias: str = "") -> str:
        """A C statement that calls it; `runs` is how many there are and the table of them."""
        more = f"{bias}, " if self.start == "bias" else ""
        return f"{self.name}(\n    {runs}, {steps}, {x},\n    {w}, {more}{y});"
