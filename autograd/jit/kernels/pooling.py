"""Kernels of pooling: windows whose taps are seen one after another, all channels at a time.

What lies beyond the border is a number that does not count, in a copy of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ops.window import places
from ..kernel import Kernel, Request, Target, lowers
from .conv_text import REGISTERS, Scratch, at, block, body, loop, table

__all__ = ["gather", "scatter"]

WRITTEN_OUT = 16
"""So many taps are written one by one; more are a loop."""

INTEGERS = {f"{u}int{n}": f"{u}int{n}_t" for u in ("", "u") for n in (8, 16, 32, 64)}
"""The C types of indices."""


@dataclass(frozen=True)
class _Pool:
    """Windows over n images (height, width) of `channels`; one axis is two, the first of length 1.

    `room` is the height and width with the padding, of which `before` lies above and left.
    """

    n: int
    shape: tuple[int, int]
    channels: int
    size: tuple[int, int]
    stride: tuple[int, int]
    before: tuple[int, int]
    room: tuple[int, int]
    out: tuple[int, int]
    dtype: str

    @property
    def runs(self) -> list[int]:
        """Where the taps lie, seen from the window's corner."""
        row = self.room[1] * self.channels
        return [
            p * row + q * self.channels for p in range(self.size[0]) for q in range(self.size[1])
        ]

    @property
    def padded(self) -> bool:
        return self.room != self.shape

    @property
    def apart(self) -> bool:
        """Whether windows do not overlap."""
        return all(s >= k for s, k in zip(self.stride, self.size, strict=True))

    @property
    def covered(self) -> bool:
        """Whether each element lies in exactly one window."""
        whole = tuple(m * s for m, s in zip(self.out, self.stride, strict=True))
        return self.stride == self.size and whole == self.room

    def label(self, op: str) -> str:
        """A name for the kernel, and no two that differ have the same."""
        parts = [
            (self.n, *self.shape, self.channels),
            self.size,
            self.stride,
            self.before,
            self.room,
        ]
        words = ["x".join(map(str, part)) for part in parts]
        return f"{op}_{words[0]}_size{words[1]}_stride{words[2]}_before{words[3]}_in{words[4]}"


def _pool(request: Request, x: Sequence[int]) -> _Pool | None:
    """The windows of a request over x (N, *spatial, C), if it is one that can be compiled."""
    how, arrays = request.params, (*request.inputs, *request.outputs)
    dtype = request.inputs[0].dtype
    if dtype not in REGISTERS or len(x) not in (3, 4) or not all(a.contiguous for a in arrays):
        return None
    if not all(a.dtype == dtype or a.dtype in INTEGERS for a in arrays):
        return None
    one = ((1,), ((0, 0),)) if len(x) == 3 else ((), ())
    shape = *one[0], *x[1:-1]
    size, stride = (*one[0], *how["size"]), (*one[0], *how["stride"])
    padding = (*one[1], *how["padding"])
    out = places(shape, size, stride, padding, (1, 1))
    if min(*shape, *size, *out, x[-1]) <= 0 or min(map(min, padding)) < 0:
        return None
    (h, w), ((a, b), (c, d)) = shape, padding
    return _Pool(
        x[0], (h, w), x[-1], (size[0], size[1]), (stride[0], stride[1]), (a, c),
        (a + h + b, c + w + d), (out[0], out[1]), dtype,
    )  # fmt: skip


@lowers("max_pool", "max_pool_index", "pool_take", "sum_pool")
def gather(request: Request, target: Target) -> Kernel | None:
    """What is computed for each window from its elements in x (N, *spatial, C)."""
    pool = _pool(request, request.inputs[0].shape)
    if pool is None:
        return None
    real, scratch = REGISTERS[pool.dtype][0], Scratch(pool.dtype)
    (h, w), (_, rw), c = pool.shape, pool.room, pool.channels
    names = {"max_pool_index": ("y",), "pool_take": ("index",)}.get(request.op, ())
    seen, copies = at("x", ("n", h * w * c)), []
    if pool.padded:
        scratch.array("room", pool.room[0] * rw * c)
        fill = "-INFINITY" if request.op.startswith("max") else "0"
        (above, left), whole = pool.before, pool.room[0] * rw * c
        copies = [
            _simd("e", whole, f"room[e] = {fill};"),
            loop("i", 0, h, 1, f"memcpy(room + {above * rw * c + left * c} + i * {rw * c}, "
                 f"{seen} + i * {w * c}, {w * c} * sizeof *x);"),
        ]  # fmt: skip
        seen = "room"
    images = loop(
        "n", "begin", "end", 1, *copies, f"const {real} *seen = {seen};",
        _places(
            pool, f"const {real} *restrict from = {_corner('seen', pool)};",
            f"long place = ((n * {pool.out[0]} + i) * {pool.out[1]} + j) * {c};",
            _folded(pool, request.op, real),
        ),
    )  # fmt: skip
    result = "index" if request.op == "max_pool_index" else "z"
    return _kernel(request, pool, scratch, ("x", *names), result, images)


@lowers("pool_put", "sum_unpool")
def scatter(request: Request, target: Target) -> Kernel | None:
    """Zeros (N, *shape, C), to whose windows y (N, *places, C) is added, or to one tap of each."""
    y, out = request.inputs[0], request.outputs[0]
    pool = _pool(request, out.shape)
    if pool is None:
        return None
    real, scratch = REGISTERS[pool.dtype][0], Scratch(pool.dtype)
    (h, w), (_, rw), c = pool.shape, pool.room, pool.channels
    image, whole, after = at("x", ("n", h * w * c)), pool.room[0] * rw * c, ""
    to = image
    if pool.padded:
        scratch.array("room", whole)
        to, (above, left) = "room", pool.before
        after = loop(
            "i", 0, h, 1, f"memcpy({image} + i * {w * c}, room + {above * rw * c + left * c} + "
            f"i * {rw * c}, {w * c} * sizeof *x);",
        )  # fmt: skip
    sign = "=" if pool.apart else "+="
    value = "index[place + c] == {} ? y[place + c] : 0"
    if request.op == "sum_unpool":
        value = "y[place + c]"
    if len(pool.runs) <= WRITTEN_OUT:
        lines = _simd("c", c, *[
            f"to[{at('c', run)}] {sign} {value.format(k)};" for k, run in enumerate(pool.runs)
        ])  # fmt: skip
    else:
        inner = f"to[runs[k] + c] {sign} {value.format('k')};"
        lines = loop("k", 0, len(pool.runs), 1, _simd("c", c, inner))
    images = loop(
        "n", "begin", "end", 1, f"{real} *all = {to};",
        "" if pool.covered else f"memset(all, 0, {whole} * sizeof *all);",
        _places(
            pool, f"{real} *restrict to = {_corner('all', pool)};",
            f"long place = ((n * {pool.out[0]} + i) * {pool.out[1]} + j) * {y.shape[-1]};", lines,
        ),
        after,
    )  # fmt: skip
    names = ("y", "index") if request.op == "pool_put" else ("y",)
    return _kernel(request, pool, scratch, names, "x", images)


def _corner(base: str, pool: _Pool) -> str:
    row = pool.stride[0] * pool.room[1] * pool.channels
    return at(base, ("i", row), ("j", pool.stride[1] * pool.channels))


def _simd(name: str, n: int, *statements: str) -> str:
    return body("#pragma omp simd", loop(name, 0, n, 1, *statements))


def _places(pool: _Pool, *statements: str) -> str:
    return loop("i", 0, pool.out[0], 1, loop("j", 0, pool.out[1], 1, *statements))


def _kernel(
    request: Request, pool: _Pool, scratch: Scratch, names: Sequence[str], output: str,
    images: str,
) -> Kernel:  # fmt: skip
    kinds = {**INTEGERS, **{dtype: real for dtype, (real, *_) in REGISTERS.items()}}
    pointers = [
        f"const {kinds[a.dtype]} *restrict {name}"
        for a, name in zip(request.inputs, names, strict=True)
    ]
    (out,) = request.outputs
    name = f"{pool.label(request.op)}_{out.dtype}_{'f64' if pool.dtype == 'float64' else 'f32'}"
    head = (
        f"KERNEL void {name}(long begin, long end,\n"
        f"        {', '.join(pointers)}, {kinds[out.dtype]} *restrict {output}, char *work)"
    )
    runs = table("runs", pool.runs) if len(pool.runs) > WRITTEN_OUT else ""
    told = f"/* {request.op}: windows of {pool.size}, stride {pool.stride}, of {pool.shape} */"
    source = f"{told}\n{block(head, runs, *scratch.lines, images)}\n"
    flops = pool.n * pool.out[0] * pool.out[1] * pool.channels * len(pool.runs)
    return Kernel(
        name, source, rows=pool.n, work=scratch.size, flops=flops, headers=("vectors", "pooling")
    )


def _folded(pool: _Pool, op: str, real: str) -> str:
    """The statements for a window: a fold over its taps, for all channels.

    z begins as something and becomes something else with each tap k, whose element is x.
    """
    last = len(pool.runs) - 1
    kind, start, step = {
        "max_pool": (real, "-INFINITY", "larger({z}, {x})"),
        "sum_pool": (real, "0", "{z} + {x}"),
        "pool_take": (real, "0", "index[place + c] == {k} ? {x} : {z}"),
        "max_pool_index": ("int64_t", str(last), "{x} == y[place + c] ? {k} : {z}"),
    }[op]
    taps, turns = list(enumerate(pool.runs)), f"for (long k = 0; k <= {last}; k++)"
    if op == "max_pool_index":  # the first that is equal comes last, and what it says stays
        taps, turns = taps[-2::-1], f"for (long k = {last - 1}; k >= 0; k--)"
        kind = kind if pool.dtype == "float64" else "int32_t"  # as wide as what is compared
    result = "index" if op == "max_pool_index" else "z"
    if len(pool.runs) <= WRITTEN_OUT:
        return _simd("c", pool.channels, f"{kind} now = {start};", *[
            f"now = {step.format(k=k, x=f'from[{place}]', z='now')};"
            for k, run in taps for place in [at("c", run)]
        ], f"{result}[place + c] = now;")  # fmt: skip
    kept = f"{result}[place + c]"
    each = step.format(k="k", x="from[runs[k] + c]", z=kept)
    return body(
        _simd("c", pool.channels, f"{kept} = {start};"),
        block(turns, _simd("c", pool.channels, f"{kept} = {each};")),
    )
