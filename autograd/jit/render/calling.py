"""How the C of a program calls a kernel: on this thread, or on all of them where that pays."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.c import TYPES

from ..kernel import Kernel
from ..layout import View, itemsize

__all__ = ["WAKES", "Calling", "seconds"]

RATE = {"loop": 4e9, "kernel": 5e10}
"""About how many operations a second one core does, in a loop and in a kernel of its own."""

WAKES = 100e-6
"""Below so many seconds of work a second thread would be woken in vain."""
PAYS = 15e-6
"""And below so many, a thread that is awake would be given a part in vain."""


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
    awake: bool
    """Whether other kernels of the program keep the threads awake."""

    @property
    def threaded(self) -> bool:
        """Whether it is worth several threads."""
        whole = any(x.startswith("u[") for x in self.arguments)  # 64 bits, which no double holds
        pays = seconds(self.kernel) > (PAYS if self.awake else WAKES)
        return self.kernel.rows > self.kernel.grain and pays and not whole

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
        pointers = [x for x in self.arguments if not _is_number(x)]
        numbers = [x for x in self.arguments if _is_number(x)]
        given = "".join(f", {{{', '.join(xs)}}}" for xs in (numbers,) if xs)
        lines = [
            *self._clears(),
            f"    parallel({task}, &(struct call){{work, {{{', '.join(pointers)}}}{given}}},",
            f"        {rows}, {grain}, threads);",
        ]
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

    def task(self, name: str) -> str:
        """The function that a thread calls with its part of the rows."""
        arguments, own = [], []
        pointers = numbers = 0
        for text in self.arguments:
            if _is_number(text):
                arguments.append(f"c->n[{numbers}]")
                numbers += 1
            else:
                arguments.append(f"c->p[{pointers}]")
                pointers += 1
        for place, view, at in self._own():
            kind, count = TYPES[view.buffer.dtype], math.prod(view.shape)
            own += [
                f"    {kind} *sum{place} = thread ? (void *)(work + {at}) : {arguments[place]};",
                f"    if (thread) memset(sum{place}, 0, {count} * sizeof *sum{place});",
            ]
            arguments[place] = f"sum{place}"
        return "\n".join([
            f"static void {name}(void *context, long begin, long end, int thread) {{",
            "    const struct call *c = context;",
            "    char *work = c->work + thread * WORK;",
            *own,
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


def _is_number(text: str) -> bool:
    """Whether an argument is a number, by its C: n12, or u[3]."""
    return text[0] in "nu" and text[1:2] in "0123456789["


def _bytes(view: View) -> int:
    """The memory of a view in one piece, to the next cache line."""
    return -(-math.prod(view.shape) * itemsize(view.buffer.dtype) // 64) * 64
