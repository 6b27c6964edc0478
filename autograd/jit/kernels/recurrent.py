"""Kernels of recurrent networks: lstm, gru, rnn and their gradients (c/recurrent.h has the gates).

Forwards, x w + b of many steps is one product; what is left for each step is h u, with packed
weights, and the gates.  Backwards, a step gives dz, what flows into its sums, and dh = dz uᵀ;
many steps together then give gx = dz wᵀ, gw += xᵀ dz and gu += hᵀ dz (Appleyard et al. 2016,
Optimizing Performance of Recurrent Neural Networks on GPUs).

Some samples go through all steps before the next ones do, so that their numbers stay in the
cache.  Kept for the gradient are, step by step, the states (T + 1, N, H), the gates (T, N, 4H)
where there are any, and the cells (T + 1, N, H) of an LSTM.  Threads take samples.

`embedding_lstm` and its like are an embedding and the network behind it.  Their inputs are the
table (V, C) and its indices (N, T), whole numbers of any kind, in place of x; their gradient gives
that of the table in place of gx.  x w + b is then computed for each row of the table, not for each
step of each sample: where V is small, that halves the work.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from math import prod
from string import Template

from ..kernel import Kernel, Operand, Request, Target, lowers
from .gemm import gemm_work
from .recurrent_source import FORWARD, GRADIENT

SAMPLES = 64
"""This many samples at most go through the steps together."""
FORWARD_ROWS, GRADIENT_ROWS = 128, 256
"""So many rows, steps × samples, are multiplied at once."""
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
STATES = {"lstm": ("h", "c"), "gru": ("h",), "rnn": ("h",)}
KEPT = {"lstm": ("states", "gates", "cells"), "gru": ("states", "gates"), "rnn": ("states",)}
HEADERS = ("vectors", "maths", "checks", "gemm", "recurrent")


@dataclass(frozen=True)
class Network:
    """N samples of T steps and C features; states of H numbers; V rows of a table, or 0."""

    op: str
    N: int
    T: int
    C: int
    H: int
    V: int
    dtype: str
    ids: str
    """The dtype of the table's indices."""
    condition: bool
    reverse: bool
    activation: str

    @property
    def Z(self) -> int:  # noqa: N802
        """How many sums the gates are computed from."""
        return GATES[self.op] * self.H

    @property
    def kept(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of what is kept for the gradient."""
        states, gates = (self.T + 1, self.N, self.H), (self.T, self.N, 4 * self.H)
        return (states, gates, states)[: len(KEPT[self.op])]

    @property
    def real(self) -> str:
        """C's name of the numbers."""
        return "double" if self.dtype == "float64" else "float"

    @property
    def samples(self) -> int:
        """How many samples go through the steps together."""
        return min(self.N, SAMPLES)

    @property
    def flops(self) -> int:
        """The operations of the products."""
        return 2 * (self.N * self.T * self.H + (self.V or self.N * self.T) * self.C) * self.Z

    @property
    def inputs(self) -> list[str]:
        """The network's inputs, as C declares them."""
        first = [f"const {self.ids}_t *restrict ids"] if self.V else []
        names = ["w", "u", "b", *(f"{s}0" for s in STATES[self.op])]
        last = ["const unsigned char *restrict condition"] * self.condition
        return [*self.given("table" if self.V else "x"), *first, *self.given(*names), *last]

    def given(self, *names: str) -> list[str]:
        """Arrays that are read, as C declares them."""
        return [f"const {self.real} *restrict {name}" for name in names]

    def made(self, *names: str) -> list[str]:
        """Arrays that are written."""
        return [f"{self.real} *restrict {name}" for name in names]

    def name(self, suffix: str = "") -> str:
        """A name for a C function: it tells all that the function depends on."""
        sizes = "x".join(map(str, (self.N, self.T, self.C, self.H)))
        told = [self.op + suffix, self.activation, self.dtype, sizes]
        told += [f"of_{self.V}_{self.ids}"] if self.V else []
        told += ["reverse"] * self.reverse + ["condition"] * self.condition
        return "_".join(filter(None, told))

    def scratch(self, target: Target, sizes: dict[str, tuple[int, int]]) -> tuple[str, int]:
        """Declarations of matrices in scratch memory, of these sizes, and the bytes they take;
        the rows of one that is `packed` are filled up to two vectors."""
        lines, at, wide = [], 0, 2 * target.lanes(self.dtype)
        for name, (rows, columns) in sizes.items():
            lines.append(f"    {self.real} *{name} = ({self.real} *)(work + {at});")
            if name.startswith("packed"):
                columns = -(-columns // wide) * wide
            at += -(-rows * columns * (8 if self.dtype == "float64" else 4) // 64) * 64
        return "\n".join(lines), at

    def fill(self, template: str, name: str, arrays: list[str], **values: object) -> str:
        """The lines of a template that are for this network, with its names in place."""
        given = ["long begin", "long end", *arrays, "char *work"]
        head = f"KERNEL~void~{name}({', '.join(x.replace(' ', '~') for x in given)})"
        tags = {self.op, "table" if self.V else "input"}
        tags |= {*["sum"] * (self.op != "gru"), *["only"] * self.condition}
        lines = [line.split(" //") for line in template.splitlines()]
        text = "\n".join(line for line, *wanted in lines if tags.issuperset(wanted))
        order = ", back from the last" if self.reverse else ""
        of = f", rows of a table of {self.V}" if self.V else ""
        return Template(text).substitute(
            values,
            title=f"{self.op} of {self.N} samples x {self.T} steps x {self.C} features{of}{order}",
            head="\n".join(textwrap.wrap(head, 98, subsequent_indent=" " * 8)).replace("~", " "),
            N=self.N, T=self.T, C=self.C, H=self.H, V=self.V, Z=self.Z,
            t="T - 1 - s" if self.reverse else "s",
            f="f64" if self.dtype == "float64" else "f32",
            real=self.real,
            samples=self.samples,
            activation=self.activation,
        )  # fmt: skip


def network(op: str, inputs: tuple[Operand, ...], request: Request) -> Network | None:
    """The network with these inputs, among those of a request; None where there is no kernel."""
    table = op.startswith("embedding_")
    op = op.removeprefix("embedding_")
    first, index, rest = inputs[0], inputs[1 : 1 + table], inputs[1 + table :]
    weights, condition = rest[: 3 + len(STATES[op])], rest[3 + len(STATES[op]) :]
    if first.dtype not in ("float32", "float64") or any(x.dtype != first.dtype for x in weights):
        return None
    if any(x.dtype != "bool" for x in condition):
        return None
    if any("int" not in x.dtype or len(x.shape) != 2 for x in index):
        return None
    if any(not x.contiguous or not prod(x.shape) for x in request.inputs):
        return None
    n, t = (index or inputs)[0].shape[:2]
    return Network(
        op, n, t, first.shape[-1], weights[3].shape[-1], first.shape[0] if table else 0,
        first.dtype, index[0].dtype if table else "", bool(condition),
        request.params.get("reverse", False), request.params.get("activation", ""),
    )  # fmt: skip


@lowers(*GATES, *(f"embedding_{op}" for op in GATES))
def forward(request: Request, target: Target) -> Kernel | None:
    """The kernel of a network over a sequence."""
    net = network(request.op, request.inputs, request)
    if net is None:
        return None
    most = net.samples if net.V else FORWARD_ROWS
    rows = min(most, net.samples * net.T)
    sizes = {"packed_w": (net.C, net.Z), "packed_u": (net.H, net.Z), "z": (rows, net.Z)}
    sizes |= {"sums": (net.V, net.Z)} if net.V else {"xs": (rows, net.C)}
    sizes |= {"q": (net.samples, net.Z)} if net.op == "gru" else {}
    declared, work = net.scratch(target, sizes)
    arrays = [*net.inputs, *net.made("y", *STATES[net.op], *KEPT[net.op])]
    return Kernel(
        net.name(),
        net.fill(FORWARD, net.name(), arrays, scratch=declared, rows=most),
        rows=net.N, grain=4, work=work, flops=net.flops, headers=HEADERS, kept=net.kept,
    )  # fmt: skip


@lowers(*(f"{op}_grad" for op in GATES), *(f"embedding_{op}_grad" for op in GATES))
def gradient(request: Request, target: Target) -> Kernel | None:
    """The kernel of the gradient of a network for all its inputs."""
    whole = request.op.removesuffix("_grad")
    op = whole.removeprefix("embedding_")
    states, results = STATES[op], 1 + len(STATES[op])
    kept, inputs = len(KEPT[op]), request.inputs[2 * results :]
    net = network(whole, inputs[kept:], request)
    if net is None or tuple(x.shape for x in inputs[:kept]) != net.kept:
        return None
    rows = min(GRADIENT_ROWS, net.samples * net.T)
    sizes = {"packed_w": (net.Z, net.C), "packed_u": (net.Z, net.H), "dz": (rows, net.Z)}
    sizes |= {"dq": (rows, net.Z)} if op == "gru" else {}
    sizes |= {"sums": (net.V, net.Z)} if net.V else {"xs": (rows, net.C)}
    sizes |= {"hs": (rows, net.H)} | {f"d{s}": (net.samples, net.H) for s in states}
    declared, work = net.scratch(target, sizes)
    flowing = ["gy", *(f"g{s}" for s in states)]
    arrays = [
        *net.given(*flowing, "y", *(f"{s}n" for s in states), *KEPT[op]), *net.inputs,
        *net.made("gtable" if net.V else "gx", "gw", "gu", "gb", *(f"g{s}0" for s in states)),
    ]  # fmt: skip
    source = net.fill(
        GRADIENT, net.name("_grad"), arrays, scratch=declared, rows=GRADIENT_ROWS, product=work,
        gemm_work=gemm_work(target), q="dq" if op == "gru" else "dz",
        dh="dh" if op == "gru" or net.condition else "NULL",
    )  # fmt: skip
    return Kernel(
        net.name("_grad"), source, rows=net.N, grain=4, work=work + gemm_work(target),
        flops=2 * net.flops, headers=HEADERS, sums=(0, 1, 2, 3) if net.V else (1, 2, 3),
    )  # fmt: skip
