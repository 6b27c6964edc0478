"""How the C of a program calls a kernel: on this thread, or on all of them where that pays."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.c import TYPES

from .kernel import Kernel
from .layout import View, itemsize

__all__ = ["Calling", "seconds"]

RATE = {"loop": 4e9, "kernel": 5e10}
"""About how many operations a second one core does, in a loop and in a kernel of its own."""

PAYS = 100e-6
"""Below so many seconds of work a second thread would be woken in vain."""


def seconds(kernel: Kernel) -> float:
    """About how long a kernel takes on one thread."""
    return kernel.flops / RATE["kernel" if kernel.source else "loop"]


@dataclass
class Calling:
    """A kernel to be called: its function, and the C of its arguments.

    `sums` are the arguments that it adds to, by their place: each thread has its own, and they are
    added up at the end.
    """

    name: str
    kernel: Kernel
    arguments: list[str]
    sums: dict[int, View]
    addresses: dict[int, str]

    @property
    def threaded(self) -> bool:
        """Whether it is worth several threads."""
        return self.kernel.rows > self.kernel.grain and seconds(self.kernel) > PAYS

    @property
    def scratch(self) -> int:
        """Bytes that each thread needs for itself."""
        sums = sum(_bytes(view) for view in self.sums.values()) if self.threaded else 0
        return -(-self.kernel.work // 64) * 64 + sums

    def lines(self) -> list[str]:
        """The call on one thread."""
        given = ", ".join([*self.arguments, "work"])
        return [*self._clears(), f"    {self.name}(0, {self.kernel.rows}, {given});"]

    def parallel(self, task: str) -> list[str]:
        """The call on several threads, by way of a task."""
        rows, grain = self.kernel.rows, self._grain
        lines = [*self._clears(), f"    parallel({task}, &frame, {rows}, {grain}, threads);"]
        if self.sums:
            lines.append(f"    for (int t = 1; t < count_parts({rows}, {grain}, threads); t++) {{")
            for place, view, at in self._own():
                kind = TYPES[view.buffer.dtype]
                more = f"(({kind} *)(work + t * WORK + {at}))"
                lines += [
                    f"        for (long i = 0; i < {math.prod(view.shape)}; i++)",
                    f"            (({kind} *){self.addresses[place]})[i] += {more}[i];",
                ]
            lines.append("    }")
        return lines

    def task(self, name: str, numbers: list[str]) -> str:
        """The function that a thread calls with its part of the rows."""
        arguments, own = list(self.arguments), []
        for place, view, at in self._own():
            kind = TYPES[view.buffer.dtype]
            real, count = self.addresses[place], math.prod(view.shape)
            own += [
                f"    {kind} *sum{place} = ({kind} *)(thread ? work + {at} : {real});",
                f"    if (thread) memset(sum{place}, 0, {count} * sizeof *sum{place});",
            ]
            arguments[place] = f"sum{place}"
        return "\n".join([
            f"static void {name}(void *context, long begin, long end, int thread) {{",
            "    const struct frame *f = context;",
            "    char *arena = f->arena, **g = f->g, *work = f->work + thread * WORK;",
            "    const double *n = f->n;",
            "    const uint64_t *u = f->u;",
            "    (void)arena, (void)g, (void)n, (void)u, (void)work;",
            *numbers, *own,
            f"    {self.name}(begin, end, {', '.join([*arguments, 'work'])});",
            "}", "",
        ])  # fmt: skip

    @property
    def _grain(self) -> int:
        """The multiple at which rows are cut: 1024 elements of a loop over single ones."""
        return self.kernel.grain if self.kernel.source or self.kernel.rows < 65536 else 1024

    def _own(self) -> list[tuple[int, View, int]]:
        """(place, view, offset in a thread's scratch memory) of each sum."""
        found, at = [], -(-self.kernel.work // 64) * 64
        for place, view in self.sums.items():
            found.append((place, view, at))
            at += _bytes(view)
        return found

    def _clears(self) -> list[str]:
        return [
            f"    memset({self.addresses[place]}, 0, "
            f"{math.prod(view.shape) * itemsize(view.buffer.dtype)});"
            for place, view in self.sums.items()
        ]  # fmt: skip


def _bytes(view: View) -> int:
    """The memory of a view in one piece, to the next cache line."""
    return -(-math.prod(view.shape) * itemsize(view.buffer.dtype) // 64) * 64
