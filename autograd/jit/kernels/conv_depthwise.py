"""Depthwise convolutions: one channel per group, so that nothing is summed over channels.

Vectors of channels are multiplied as they lie.  Where a channel has several filters, the image is
copied with each channel repeated as often; the gradient to the image is added up in the end.
"""

from __future__ import annotations

from dataclasses import replace

from ..kernel import Kernel
from .conv_scan import Phase, Scan, backward, forward
from .conv_text import REGISTERS, Scratch, at, block, body, loop, table
from .conv_windows import Windows

__all__ = ["suits", "write", "write_weights"]

WRITTEN_OUT = 25
"""So many taps are written one by one; more are a loop."""


def suits(seen: Windows) -> bool:
    """Whether each group is one channel."""
    return seen.depth == 1 < seen.groups


def write(
    name: str, told: str, seen: Windows, *, turned: bool = False, bias: bool = False,
    relu: bool = False,
) -> Kernel:  # fmt: skip
    """The kernel of conv, with a bias (O,) if there is one; turned, that of conv_transpose."""
    wide = replace(seen, channels=seen.filters, groups=seen.filters)
    scan = backward(wide) if turned else forward(wide)
    scratch, many = Scratch(seen.dtype), seen.width
    real = REGISTERS[seen.dtype][0]
    o = seen.filters
    phases, run = [], 0
    places = scan.out[0] * scan.out[1]
    to = at("y" if not turned else "x", ("n", places * o))
    lines: list[str] = []
    if turned and many > 1:
        scratch.array("all", places * o)
        to = "all"
    seen_at = _image("y" if turned else "x", scan, scratch, 1 if turned else many, lines)
    for phase in scan.phases:
        phases.append(_phase(phase, scan, run, to, "b[c]" if bias else "0", relu))
        run += len(phase.taps)
    folded = ""
    if turned and many > 1:
        folded = body(
            f"{real} *restrict sum = x + n * {places * seen.channels};",
            loop("c", 0, places * seen.channels, 1, body(
                "sum[c] = 0;", loop("k", 0, many, 1, f"sum[c] += all[c * {many} + k];"),
            )),
        )  # fmt: skip
    images = loop(
        "n", "begin", "end", 1, *lines, f"const {real} *seen = {seen_at};", *phases, folded
    )
    runs = [at_ for phase in scan.phases for at_ in phase.runs]
    taps = [tap * o for phase in scan.phases for tap in phase.taps]
    inputs = ("y", "w") if turned else ("x", "w", "b") if bias else ("x", "w")
    return _kernel(name, told, seen, scratch, inputs, "x" if turned else "y",
                   table("runs", runs), table("taps", taps), images)  # fmt: skip


def write_weights(name: str, told: str, seen: Windows) -> Kernel:
    """The kernel of conv_kernel, which adds to w (*size, 1, O)."""
    wide = replace(seen, channels=seen.filters, groups=seen.filters)
    scan, scratch, o = forward(wide), Scratch(seen.dtype), seen.filters
    real = REGISTERS[seen.dtype][0]
    (phase,) = scan.phases
    lines: list[str] = []
    seen_at = _image("x", scan, scratch, seen.width, lines)
    if len(phase.taps) <= WRITTEN_OUT:
        added = _simd(o, *[
            f"w[{at('c', t * o)}] += from[{at('c', run)}] * given[c];"
            for t, run in enumerate(phase.runs)
        ])  # fmt: skip
    else:
        added = loop(
            "t", 0, len(phase.taps), 1, _simd(o, f"w[t * {o} + c] += from[runs[t] + c] * given[c];")
        )
    height, width = phase.places
    place = body(
        f"const {real} *restrict from = {_corner(scan)};",
        f"const {real} *restrict given = y + ((n * {height} + i) * {width} + j) * {o};",
        added,
    )
    images = loop(
        "n", "begin", "end", 1, *lines, f"const {real} *seen = {seen_at};",
        loop("i", 0, height, 1, loop("j", 0, width, 1, place)),
    )  # fmt: skip
    return _kernel(name, told, seen, scratch, ("x", "y"), "w", table("runs", phase.runs), images)


def _kernel(
    name: str, told: str, seen: Windows, scratch: Scratch, inputs: tuple[str, ...], output: str,
    *lines: str,
) -> Kernel:  # fmt: skip
    real = REGISTERS[seen.dtype][0]
    pointers = ", ".join(f"const {real} *restrict {name}" for name in inputs)
    head = (
        f"KERNEL void {name}(long begin, long end,\n"
        f"        {pointers}, {real} *restrict {output}, char *work)"
    )
    source = f"/* {told} */\n{block(head, *scratch.lines, *lines)}\n"
    return Kernel(
        name, source, rows=seen.n, work=scratch.size, flops=seen.flops,
        headers=("vectors", "conv"), sums=(0,) if output == "w" else (),
    )  # fmt: skip


def _image(name: str, scan: Scan, scratch: Scratch, many: int, lines: list[str]) -> str:
    """Where image n is read, after lines that put zeros around it and repeat its channels."""
    h, w = scan.shape
    o, size = scan.groups, scan.itemsize
    image = at(name, ("n", h * w * o // many))
    if many > 1:
        scratch.array("repeated", h * w * o)
        lines.append(loop("c", 0, h * w * o, 1, f"repeated[c] = ({image})[c / {many}];"))
        image = "repeated"
    if not any(scan.borders):
        return image
    above, below, left, right = scan.borders
    scratch.array("room", (above + h + below) * scan.row)
    lines.append(
        f"copy_padded(room, {image}, {-above}, {above + h + below}, {h}, {left * o * size}, "
        f"{w * o * size}, {right * o * size});"
    )
    return "room"


def _corner(scan: Scan) -> str:
    return at("seen", ("i", scan.stride[0] * scan.row), ("j", scan.stride[1] * scan.groups))


def _simd(n: int, *statements: str) -> str:
    return body("#pragma omp simd", loop("c", 0, n, 1, *statements))


def _phase(phase: Phase, scan: Scan, first: int, to: str, start: str, relu: bool) -> str:
    """All results of a phase, whose first run is the table's `first`."""
    o = scan.groups
    real = REGISTERS[scan.dtype][0]
    finish = "now[c] = now[c] < 0 ? 0 : now[c];" if relu else ""
    if len(phase.taps) <= WRITTEN_OUT:
        terms = [
            f"from[{at('c', run)}] * w[{at('c', tap * o)}]"
            for run, tap in zip(phase.runs, phase.taps, strict=True)
        ]
        total = " +\n        ".join([*([start] if start != "0" or not terms else []), *terms])
        inner = _simd(o, f"{real} sum = {total};",
                      f"now[c] = {'sum < 0 ? 0 : sum' if relu else 'sum'};")  # fmt: skip
    else:
        inner = body(
            _simd(o, f"now[c] = {start};"),
            loop("t", first, first + len(phase.taps), 1,
                 _simd(o, "now[c] += from[runs[t] + c] * w[taps[t] + c];")),
            _simd(o, finish) if relu else "",
        )  # fmt: skip
    height, width = phase.places
    row, column = scan.spread[0] * scan.out[1] * o, scan.spread[1] * o
    place = body(
        f"const {real} *restrict from = {_corner(scan)};",
        f"{real} *restrict now = {at(to, phase.to, ('i', row), ('j', column))};",
        inner,
    )
    return loop("i", 0, height, 1, loop("j", 0, width, 1, place))
