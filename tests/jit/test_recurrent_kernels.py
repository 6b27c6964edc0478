"""The kernels of recurrent networks against the ops' own forwards, in NumPy."""

import ctypes
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import harness
import numpy as np
import pytest

import autograd.jit.kernels.recurrent as recurrent
from autograd.jit.kernel import LOWERED, Kernel, Request, Target, packed
from autograd.node import Op
from backends import numpy as xp

pytestmark = pytest.mark.skipif(harness.compiler() is None, reason="there is no C compiler")

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
STATES = {"lstm": 2, "gru": 1, "rnn": 1}


@dataclass(frozen=True)
class Case:
    """A network, and where its samples are cut."""

    op: str
    sizes: tuple[int, int, int, int]
    dtype: str = "float32"
    condition: bool = False
    params: tuple[tuple[str, Any], ...] = ()
    cuts: tuple[int, ...] = ()
    rows: int = 0
    """The rows of the table that x is made of, if it is."""

    def inputs(self) -> list[np.ndarray]:
        """x, or a table and indices; w, u, b, the first states and the condition."""
        draw = np.random.default_rng(sum(self.sizes))
        (n, t, c, h), gates = self.sizes, GATES[self.op]
        bias = (2, gates * h) if self.op == "gru" else (gates * h,)
        shapes = [(n, t, c), (c, gates * h), (h, gates * h), bias, *[(n, h)] * STATES[self.op]]
        scale = 1 / np.sqrt(max(c, h))
        arrays = [
            (draw.normal(size=s) * (scale if i in (1, 2) else 1)).astype(self.dtype)
            for i, s in enumerate(shapes)
        ]
        if self.condition:
            arrays.append(draw.random((n, t)) < 0.7)
        if self.rows:
            table = draw.normal(size=(self.rows, c)).astype(self.dtype)
            arrays[:1] = [table, draw.integers(-self.rows, self.rows, (n, t))]
        return arrays

    def kernels(self, target: Target) -> tuple[Kernel, Kernel]:
        """The network's kernel, and the one of its gradient."""
        given = [packed(x.shape, str(x.dtype)) for x in self.inputs()]
        op = f"embedding_{self.op}" if self.rows else self.op
        forward = LOWERED[op](Request(op, tuple(given), (), dict(self.params)), target)
        n, t, _, h = self.sizes
        results = [packed(s, self.dtype) for s in [(n, t, h), *[(n, h)] * STATES[self.op]]]
        kept = [packed(s, self.dtype) for s in forward.kept]
        inputs = (*results, *results, *kept, *given)
        gradient = LOWERED[f"{op}_grad"](
            Request(f"{op}_grad", inputs, (), dict(self.params)), target
        )
        return forward, gradient


def params(**given: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(given.items())


CASES = [
    Case("lstm", (1, 1, 1, 1)),
    Case("lstm", (3, 5, 7, 9), "float64", cuts=(1,)),
    Case("lstm", (70, 4, 5, 33), cuts=(3, 67)),
    Case("lstm", (4, 6, 3, 17), condition=True, params=params(reverse=True), cuts=(2,)),
    Case("lstm", (2, 300, 16, 32)),
    Case("lstm", (5, 9, 7, 12), cuts=(2,), rows=6),
    Case("gru", (1, 1, 1, 1), "float64"),
    Case("gru", (5, 7, 3, 19), cuts=(2,)),
    Case("gru", (4, 6, 18, 16), condition=True, params=params(reverse=True)),
    Case("gru", (66, 9, 2, 11), "float64", condition=True, cuts=(33,)),
    Case("rnn", (1, 2, 1, 1), params=params(activation="relu")),
    Case("rnn", (5, 6, 35, 40), params=params(activation="tanh"), cuts=(4,)),
    Case("rnn", (3, 6, 4, 9), "float64", True, params(activation="relu", reverse=True), (1, 2)),
    Case("gru", (67, 3, 5, 18), "float64", True, params(reverse=True), (1,), rows=4),
    Case("rnn", (3, 4, 20, 6), params=params(activation="tanh"), rows=30),
    Case("rnn", (65, 5, 4, 13), condition=True, params=params(activation="tanh")),
]


@cache
def library(target: Target) -> ctypes.CDLL:
    """All kernels of the cases in one library: one call of the compiler."""
    kernels = [k for case in CASES for k in case.kernels(target)]
    parts = [f'#include "{header}.h"\n' for header in kernels[0].headers]
    for kernel in kernels:
        count = kernel.source[: kernel.source.index("{")].count("*restrict")
        pointers = "".join(f"a[{i}], " for i in range(count))
        parts.append(
            f"{kernel.source}\nvoid run_{kernel.name}(long begin, long end, void **a, char *work) "
            f"{{ {kernel.name}(begin, end, {pointers}work); }}\n"
        )
    return harness.load("".join(parts), target)


def call(kernel: Kernel, target: Target, arrays: list[np.ndarray], cuts: tuple[int, ...]) -> None:
    """Run a kernel, cut at these samples."""
    function = getattr(library(target), f"run_{kernel.name}")
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    work = np.full(kernel.work + 64, 255, "u1")
    start = work.ctypes.data + -work.ctypes.data % 64
    bounds = [0, *cuts, kernel.rows]
    for begin, end in pairwise(bounds):
        function(begin, end, pointers, start)


def forwards(case: Case, inputs: list[np.ndarray], flowing: list[np.ndarray]) -> list[np.ndarray]:
    """What NumPy gives: the results, then the gradients of the inputs."""
    told, results = dict(case.params), 1 + STATES[case.op]
    plain = [inputs[0][inputs[1]], *inputs[2:]] if case.rows else inputs
    made = Op.table[case.op].forward(xp, *plain, **told)
    gradients = Op.table[f"{case.op}_grad"].forward(
        xp, *flowing, *made[:results], *made[results:], *plain, **told
    )
    if not case.rows:
        return [*made[:results], *gradients]
    of_table = Op.table["putrows"].forward(xp, gradients[0], inputs[1], rows=case.rows)
    return [*made[:results], of_table, *gradients[1:]]


def compare(case: Case, target: Target, inputs: list[np.ndarray]) -> None:
    """The two kernels, one behind the other, against NumPy; NaN must come where NumPy has it."""
    draw = np.random.default_rng(1)
    (n, t, _, h), count = case.sizes, 1 + STATES[case.op]
    flowing = [draw.normal(size=s).astype(case.dtype) for s in [(n, t, h), *[(n, h)] * (count - 1)]]
    wanted = forwards(case, inputs, flowing)
    forward, gradient = case.kernels(target)
    found = [np.full(y.shape, -1, case.dtype) for y in wanted]
    kept = [np.full(shape, -1, case.dtype) for shape in forward.kept]
    for i in gradient.sums:
        found[count + i][...] = 0
    results, gradients = found[:count], found[count:]
    call(forward, target, [*inputs, *results, *kept], case.cuts)
    call(gradient, target, [*flowing, *results, *kept, *inputs, *gradients], case.cuts)
    rtol, atol = (1e-5, 2e-6) if case.dtype == "float32" else (1e-12, 1e-13)
    for i, (y, z) in enumerate(zip(found, wanted, strict=True)):
        most = np.nanmax(abs(z), initial=1) if i >= count else 0.2  # sums of many terms
        np.testing.assert_allclose(y, z, rtol=rtol, atol=5 * atol * most)


@pytest.mark.parametrize("target", harness.TARGETS, ids=lambda t: f"{t.vector}")
@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: f"{c.op}-{'x'.join(map(str, c.sizes))}-{c.dtype}"
)
def test_a_network_and_its_gradient(case: Case, target: Target) -> None:
    compare(case, target, case.inputs())


@pytest.mark.parametrize("case", [c for c in CASES if not c.condition and not c.rows], ids=repr)
def test_nan_and_large_numbers(case: Case) -> None:
    inputs = case.inputs()
    inputs[0][0, -1] *= 1000
    compare(case, harness.TARGETS[1], inputs)
    inputs[0][-1, -1] = np.nan
    compare(case, harness.TARGETS[1], inputs)


def test_what_has_no_kernel() -> None:
    target = harness.TARGETS[0]
    shapes = [(2, 3, 4), (4, 8), (2, 8), (8,), (2, 2), (2, 2)]
    whole = [packed(s, "float32") for s in shapes]
    assert LOWERED["lstm"](Request("lstm", tuple(whole), ()), target) is not None
    half = [packed(s, "float16") for s in shapes]
    assert LOWERED["lstm"](Request("lstm", tuple(half), ()), target) is None
    numbers = [*whole, packed((2, 3), "float32")]
    assert LOWERED["lstm"](Request("lstm", tuple(numbers), ()), target) is None
    empty = [packed((2, 0, 4), "float32"), *whole[1:]]
    assert LOWERED["lstm"](Request("lstm", tuple(empty), ()), target) is None
    turned = [recurrent.Operand((2, 3, 4), "float32", (1, 2, 6)), *whole[1:]]
    assert LOWERED["lstm"](Request("lstm", tuple(turned), ()), target) is None
