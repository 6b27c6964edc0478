"""Kernels of attention: `attention`, `attention_grad` and `rotary`.

Threads take heads: pairs of a sample and a head, or whatever the leading axes are.  q, k, v and
their gradients may lie in memory in any order as long as the numbers of a row lie together, so the
three may be parts of one array (B, T, 3, H, D).  The work itself is in c/attention.h: only the
rows' log-sums are kept for the gradient, which computes the weights anew.
"""

from __future__ import annotations

import math
from math import prod

from ..kernel import Kernel, Operand, Request, Target, lowers
from .gemm import gemm_work
from .places import INTEGERS, REALS, SUFFIXES, function, offset, pointer, sizes, spread, tagged

SCORES = 1 << 17
"""Bytes of scores that are worked on together, unless the keys are very many."""

FETCHED = 1 << 17
"""Bytes of the next head that are fetched while one is computed, at most."""


class Heads:
    """The heads of an attention: their sizes, and where they lie."""

    def __init__(self, request: Request, arrays: dict[str, Operand], target: Target) -> None:
        self.arrays = arrays
        self.dtype = arrays["q"].dtype
        self.masked = arrays["mask"].dtype in REALS  # a number changes no softmax
        self.scores = (*arrays["q"].shape[:-1], arrays["k"].shape[-2])  # (…, Tq, Tk)
        self.count = prod(self.scores[:-2])
        self.queries, self.keys = self.scores[-2:]
        self.width, self.value_width = arrays["q"].shape[-1], arrays["v"].shape[-1]
        self.causal = bool(request.params.get("causal"))
        scale = request.params.get("scale")
        self.scale = float(self.width**-0.5 if scale is None else scale)
        self.size = 8 if self.dtype == "float64" else 4
        lanes, step = target.lanes(self.dtype), 64 // self.size
        wanted = SCORES // (self.size * self.keys) // step * step
        self.panel = min(max(wanted, 2 * step), 4 * step, -(-self.queries // lanes) * lanes)
        """How many queries are worked on together."""
        self.gemm_work = gemm_work(target)

    @property
    def pairs(self) -> int:
        """About how many pairs of a query and a key there are in all."""
        return self.count * self.queries * self.keys // (1 + self.causal)

    def row(self, name: str) -> int:
        """From row to row of an array, in elements."""
        return self.arrays[name].strides[-2]

    def head(self, name: str, number: str = "head") -> str:
        """C for a pointer to the rows of one head; NULL for a mask that is a number."""
        x = self.arrays[name]
        if name == "mask" and not self.masked:
            return "NULL"
        strides = spread(x, self.scores) if name in ("mask", "gmask") else x.strides
        return pointer(name, number, self.scores[:-2], strides[:-2])

    def fetched(self, names: str) -> list[str]:
        """Lines that fetch the next head's rows while this one is computed, if they are few."""
        rows = {x: self.arrays[x].shape[-2:] for x in names.split()}
        if self.size * sum(map(prod, rows.values())) > FETCHED:
            return []
        suffix = SUFFIXES[self.dtype]
        lines = [
            f"attention_fetch_{suffix}({n}, {width}, {self.head(x, 'next')}, {self.row(x)});"
            for x, (n, width) in rows.items()
        ]
        return ["const long next = head + 1 < end ? head + 1 : head;", *lines]

    def mask(self, name: str) -> tuple[int, int]:
        """From query to query and from key to key of a mask, in elements."""
        query, key = spread(self.arrays[name], self.scores)[-2:]
        return query, key

    @property
    def shape(self) -> list[str]:
        """C of the attention_shape."""
        query, key = self.mask("mask")
        return [
            "static const attention_shape shape = {",
            f"    .queries = {self.queries}, .keys = {self.keys}, .width = {self.width}, "
            f".value_width = {self.value_width},",
            f"    .scale = {self.scale!r}, .causal = {int(self.causal)}, .panel = {self.panel},",
            f"    .q_row = {self.row('q')}, .k_row = {self.row('k')}, .v_row = {self.row('v')}, "
            f".z_row = {self.row('z')},",
            f"    .mask_query = {query}, .mask_key = {key}}};",
            f'_Static_assert(GEMM_WORK <= {self.gemm_work}, "scratch memory of products");',
        ]

    @property
    def widths(self) -> str:
        """The width of the queries, and that of the values if it is another."""
        other = f"_{self.value_width}" if self.value_width != self.width else ""
        return f"{self.width}{other}"

    def __str__(self) -> str:
        mask = " + mask" if self.masked else ""
        causal = ", causal" if self.causal else ""
        return (
            f"P = softmax({self.scale:.6g} q kᵀ{mask}{causal}), {self.count} heads, "
            f"{self.queries} queries x {self.keys} keys x {self.widths}"
        )

    def name(self, op: str) -> str:
        """A kernel's name, but for its tag."""
        causal = "_causal" if self.causal else ""
        sizes = f"{self.count}x{self.queries}x{self.keys}x{self.widths}"
        return f"{op}_{sizes}{causal}_{SUFFIXES[self.dtype]}"


def _heads(request: Request, names: str, target: Target) -> Heads | None:
    """The heads of a request, if kernels know such: one dtype, nothing empty, whole rows."""
    operands = (*request.inputs, *request.outputs)
    arrays = dict(zip(names.split(), operands, strict=True))
    rows = [x for name, x in arrays.items() if name not in ("mask", "gmask", "logs")]
    same = {x.dtype for x in operands} - {"number"} == {arrays["q"].dtype}
    if not same or arrays["q"].dtype not in REALS or not all(prod(x.shape) for x in operands):
        return None
    if not arrays["logs"].contiguous or any(x.shape[-1] > 1 and x.strides[-1] != 1 for x in rows):
        return None
    return Heads(request, arrays, target)


@lowers("attention")
def attention(request: Request, target: Target) -> Kernel | None:
    """softmax(scale · q kᵀ + mask) v; the scores' log-sums (…, 1, Tq) are kept."""
    heads = _heads(request, "q k v mask z logs", target)
    if heads is None:
        return None
    real, name = REALS[heads.dtype], tagged(heads.name("attention"), request, target)
    lines = [
        *heads.shape,
        "for (long head = begin; head < end; head++) {",
        *[f"    {line}" for line in heads.fetched("q k v")],
        f"    attention_head_{SUFFIXES[heads.dtype]}(",
        *[f"        {'&shape, ' * (x == 'q')}{heads.head(x)}," for x in ("q", "k", "v", "mask")],
        f"        {heads.head('z')},",
        f"        logs + head * {heads.queries}, work);",
        "}",
    ]
    inputs, outputs = dict.fromkeys(("q", "k", "v", "mask"), real), {"z": real, "logs": real}
    return Kernel(
        name,
        function(f"z = P v, {heads}", name, inputs, outputs, lines),
        rows=heads.count,
        work=heads.gemm_work + heads.size * heads.panel * (2 + heads.width + heads.keys),
        flops=2 * heads.pairs * (heads.width + heads.value_width),
        headers=("vectors", "attention"),
    )


@lowers("attention_grad")
def attention_grad(request: Request, target: Target) -> Kernel | None:
    """gq, gk, gv and gmask; a gmask that is not among the outputs is not computed.

    What a mask is broadcast over is summed: heads are `rows`, so gmask is added to.
    """
    inputs, outputs = "g z logs q k v mask", "gq gk gv gmask".split()[: len(request.outputs)]
    heads = _heads(request, " ".join([inputs, *outputs]), target)
    if heads is None:
        return None
    real, name = REALS[heads.dtype], tagged(heads.name("attention_grad"), request, target)
    wanted = len(outputs) == 4
    masked = wanted and bool(request.outputs[3].shape)
    query, key = heads.mask("gmask") if masked else (0, 0)
    rows = [f".{x}_row = {heads.row(x)}" for x in ("g", "gq", "gk", "gv")]
    lines = [
        *heads.shape,
        "static const attention_grad_shape grad = {",
        f"    {', '.join(rows)},",
        f"    .gmask_query = {query}, .gmask_key = {key}}};",
        *["if (begin == 0) *gmask = 0; /* one number for all scores */"] * (wanted and not masked),
        "for (long head = begin; head < end; head++) {",
        *[f"    {line}" for line in heads.fetched("q k v g")],
        f"    attention_grad_head_{SUFFIXES[heads.dtype]}(",
        f"        &shape, &grad, {heads.head('g')},",
        f"        logs + head * {heads.queries},",
        *[f"        {heads.head(x)}," for x in ("q", "k", "v", "mask", "gq", "gk", "gv")],
        f"        {heads.head('gmask') if masked else 'NULL'}, work);",
        "}",
    ]
    given, made = dict.fromkeys(inputs.split(), real), dict.fromkeys(outputs, real)
    wide = max(heads.width, heads.value_width)
    return Kernel(
        name,
        function(f"gradients of z = P v, {heads}", name, given, made, lines),
        rows=heads.count,
        work=heads.gemm_work + heads.size * heads.panel * (1 + wide + 2 * heads.keys),
        flops=2 * heads.pairs * (3 * heads.width + 2 * heads.value_width),
        headers=("vectors", "attention"),
        sums=(3,) if masked else (),
    )


@lowers("rotary")
def rotary(request: Request, target: Target) -> Kernel | None:
    """Rows x (…, T, D) turned by their places; a part of the places at a time.

    Angles are computed in double precision and once per place, for all rows that stand there.
    """
    x, index = request.inputs
    z = request.outputs[0]
    half, lead = x.shape[-1] // 2, x.shape[:-1]
    whole = x.strides[-1] == z.strides[-1] == 1
    if x.dtype != z.dtype or x.dtype not in REALS or index.dtype not in INTEGERS or not whole:
        return None
    if not prod(x.shape) or len(index.shape) > len(lead):
        return None
    steps = spread(index, lead)
    own = (1,) * (len(lead) - len(index.shape)) + index.shape
    others = tuple(1 if m == n else n for m, n in zip(own, lead, strict=True))

    def row(array: str, strides: tuple[int, ...]) -> str:
        at_place = pointer(array, "i", own, strides[:-1])
        at_row = offset("row", others, strides[:-1])
        return at_place if at_row == "0" else f"{at_place} + {at_row}"

    real, suffix, places = REALS[x.dtype], SUFFIXES[x.dtype], prod(index.shape)
    base = float(request.params.get("base", 10000.0))
    rows = sizes(lead)
    name = tagged(f"rotary_{rows}x{2 * half}_{suffix}", request, target)
    angles = f"rotary_angles_{suffix}({half}, index[{offset('i', own, steps)}], turns, c, s);"
    lines = [
        f"double *turns = (double *)work; /* {half} of them */",
        f"{real} *c = ({real} *)(turns + {half}), *s = c + {half};",
        f"rotary_turns({half}, {-math.log(base) / half!r}, turns);",
        "for (long i = begin; i < end; i++) {",
        f"    {angles}",
        f"    for (long row = 0; row < {prod(others)}; row++)",
        f"        rotary_row_{suffix}({half}, {row('x', x.strides)}, c, s,",
        f"            {row('z', z.strides)});",
        "}",
    ]
    comment = f"z: x ({rows}, {2 * half}), each row turned by its place, base {base:g}"
    given = {"x": real, "index": INTEGERS[index.dtype]}
    return Kernel(
        name,
        function(comment, name, given, {"z": real}, lines),
        rows=places,
        work=half * 24,
        flops=3 * prod(x.shape),
        headers=("vectors", "rotary"),
    )
