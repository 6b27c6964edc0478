"""The kernels of attention and of rows that indices choose, against the ops' NumPy forwards."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any

import harness
import numpy as np
import pytest

import autograd.jit.kernels.along
import autograd.jit.kernels.attention
import autograd.jit.kernels.rows  # noqa: F401
from autograd.jit.kernel import LOWERED, Kernel, Operand, Request, Target
from autograd.node import Op
from autograd.ops.index import HERE
from backends import numpy as xp

pytestmark = pytest.mark.skipif(harness.compiler() is None, reason="there is no C compiler")


def operand(x: np.ndarray | int) -> Operand:
    if isinstance(x, int):
        return Operand((), "number", ())
    return Operand(x.shape, str(x.dtype), tuple(s // x.itemsize for s in x.strides))


def kernel_of(op: str, inputs: Any, outputs: Any, params: Any, target: Target) -> Kernel:
    request = Request(op, tuple(map(operand, inputs)), tuple(map(operand, outputs)), params)
    kernel = LOWERED[op](request, target)
    assert kernel is not None
    return kernel


@dataclass(frozen=True, eq=False)
class Heads:
    """An attention to be tried: q (*lead, queries, width), k and v (*lead, keys, …)."""

    lead: tuple[int, ...] = (2, 2)
    queries: int = 5
    keys: int = 5
    width: int = 8
    value_width: int = 0
    mask: tuple[int, ...] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    joined: bool = False
    """Whether q, k and v are parts of one array (B, T, 3, H, D)."""
    odd: str = ""
    """What is odd: "unseen" rows of the mask, a "nan" in q, scores that are "large"."""

    def __str__(self) -> str:
        lead = "x".join(map(str, self.lead))
        named = f"{lead}_{self.queries}x{self.keys}x{self.width}_{self.dtype}{self.odd}"
        return named + "_causal" * bool(self.params.get("causal")) + "_mask" * bool(self.mask)

    @property
    def all_params(self) -> dict[str, Any]:
        return {"causal": False, "scale": None, **self.params}

    @cache  # noqa: B019
    def arrays(self) -> tuple[np.ndarray, ...]:
        """q, k, v, mask; z, logs; g and the four gradients."""
        draw = np.random.default_rng(self.queries * self.keys + self.width)
        wide = self.value_width or self.width

        def some(*shape: int) -> np.ndarray:
            return draw.normal(size=shape).astype(self.dtype)

        if self.joined:
            b, h = self.lead
            joint = some(b, self.queries, 3, h, self.width)
            q, k, v = (joint[:, :, i].swapaxes(1, 2) for i in range(3))
            g = some(b, self.queries, h, wide).swapaxes(1, 2)
        else:
            q, g = some(*self.lead, self.queries, self.width), some(*self.lead, self.queries, wide)
            k, v = some(*self.lead, self.keys, self.width), some(*self.lead, self.keys, wide)
        mask = some(*self.mask) if self.mask is not None else 0
        if self.odd == "unseen":
            mask = np.where(draw.random(mask.shape) < 0.5, -np.inf, mask).astype(self.dtype)
            mask[..., 0, :] = -np.inf
        if self.odd == "nan":
            q[..., 1, 0] = np.nan
        if self.odd == "large":
            q *= 100
        with np.errstate(all="ignore"):
            z, logs = attention_op(q, k, v, mask, **self.all_params)
            given = (g, z, logs, q, k, v, mask)
            grads = Op.table["attention_grad"].forward(xp, *given, **self.all_params)
        return q, k, v, mask, z, logs, g, *(np.asarray(x) for x in grads)

    def outputs(self) -> list[np.ndarray]:
        """Where the gradients go: as q, k and v lie."""
        q, k, v, mask = self.arrays()[:4]
        if self.joined:
            b, h = self.lead
            joint = np.full((b, self.queries, 3, h, self.width), 7, self.dtype)
            made = [joint[:, :, i].swapaxes(1, 2) for i in range(3)]
        else:
            made = [np.full(x.shape, 7, self.dtype) for x in (q, k, v)]
        return [*made, np.zeros(np.shape(mask), self.dtype)]

    def kernels(self, target: Target) -> tuple[Kernel, Kernel]:
        q, k, v, mask, z, logs, g, *_ = self.arrays()
        params = self.all_params
        forward = kernel_of("attention", (q, k, v, mask), (z, logs), params, target)
        given = (g, z, logs, q, k, v, mask)
        gradient = kernel_of("attention_grad", given, self.outputs(), params, target)
        return forward, gradient


def attention_op(*arrays: Any, **params: Any) -> Any:
    return Op.table["attention"].forward(xp, *arrays, **params)


CAUSAL = {"causal": True}
ATTENTIONS = [
    Heads(),
    Heads((1,), 1, 1, 1),
    Heads((2, 3), 4, 6, 2, mask=()),
    Heads((3,), 1, 7, 3, 5, params={"scale": 0.3}),
    Heads((2, 2), 64, 64, 32, params=CAUSAL, joined=True),
    Heads((2, 3), 33, 33, 17, params=CAUSAL, joined=True),
    Heads((2, 1), 100, 100, 16, params=CAUSAL),
    Heads((1, 2), 130, 70, 40, 9, params=CAUSAL),
    Heads((1, 2), 70, 130, 8, 24, params={"causal": True, "scale": -0.7}),
    Heads((2,), 150, 20, 4, mask=(150, 20)),
    Heads((2, 3), 19, 23, 8, mask=(2, 1, 1, 23), odd="unseen"),
    Heads((2, 3), 19, 23, 8, mask=(23,)),
    Heads((2, 3), 19, 19, 8, mask=(3, 1, 19), params=CAUSAL, joined=True),
    Heads((2, 3), 20, 20, 12, mask=(2, 3, 20, 20), odd="unseen"),
    Heads((2,), 40, 40, 16, odd="nan"),
    Heads((2,), 40, 40, 16, odd="large"),
    Heads((), 6, 9, 70),
    Heads((1,), 70, 1100, 5),
    Heads((2, 2), 37, 37, 6, params=CAUSAL, dtype="float64", joined=True),
    Heads((2, 2), 70, 40, 9, 3, mask=(70, 1), dtype="float64", odd="unseen"),
]


def call(library: Any, kernel: Kernel, arrays: list[np.ndarray], cuts: tuple[int, ...]) -> None:
    """Run one of several kernels of a library, in parts."""
    function = getattr(library, f"run_{kernel.name}")
    function.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    pointers = (ctypes.c_void_p * len(arrays))(
        *[x.ctypes.data if isinstance(x, np.ndarray) else None for x in arrays]
    )
    work = np.full(kernel.work + 64, 255, "u1")  # NaN, to whoever reads what nobody wrote
    start = work.ctypes.data + -work.ctypes.data % 64
    bounds = [0, *[cut for cut in cuts if cut < kernel.rows], kernel.rows]
    for begin, end in pairwise(bounds):
        function(begin, end, pointers, start)


def together(kernels: dict[Kernel, int], target: Target) -> Any:
    """A library of kernels, and of how many arrays each takes."""
    headers = dict.fromkeys(["checks", *[h for kernel in kernels for h in kernel.headers]])
    source = "".join(f'#include "{header}.h"\n' for header in headers)
    for kernel, count in kernels.items():
        pointers = "".join(f"a[{i}], " for i in range(count))
        source += (
            f"{kernel.source}\nvoid run_{kernel.name}(long begin, long end, void **a, char *work) "
            f"{{ {kernel.name}(begin, end, {pointers}work); }}\n"
        )
    source += "int flag(void) { int bad = glassgrad_bad; glassgrad_bad = 0; return bad; }\n"
    return harness.load(source, target)


@cache
def attentions(target: Target) -> Any:
    pairs = [case.kernels(target) for case in ATTENTIONS]
    return together({kernel: (6, 11)[i] for pair in pairs for i, kernel in enumerate(pair)}, target)


@pytest.mark.parametrize("target", harness.TARGETS, ids=lambda t: f"{t.vector * 8}bit")
@pytest.mark.parametrize("case", ATTENTIONS, ids=str)
def test_attention(case: Heads, target: Target) -> None:
    library, (forward, gradient) = attentions(target), case.kernels(target)
    q, k, v, mask, z, logs, g, *grads = case.arrays()
    close = {"rtol": 2e-5, "atol": 2e-5} if case.dtype == "float32" else {"rtol": 1e-11}
    made = [np.empty_like(z), np.empty_like(logs)]
    call(library, forward, [q, k, v, mask, *made], cuts=(1, 3))
    np.testing.assert_allclose(made[0], z, **close, err_msg="z")
    np.testing.assert_allclose(made[1], logs, **close, err_msg="logs")

    outputs = case.outputs()
    call(library, gradient, [g, z, logs, q, k, v, mask, *outputs], cuts=(1, 3))
    assert gradient.sums == ((3,) if case.mask else ())
    for name, ours, theirs in zip(("gq", "gk", "gv", "gmask"), outputs, grads, strict=True):
        size = np.max(np.abs(theirs), initial=1, where=np.isfinite(theirs))
        share = 1e-13 if case.dtype == "float64" else 1e-3 if case.odd == "large" else 3e-6
        np.testing.assert_allclose(ours, theirs, **{**close, "atol": share * size}, err_msg=name)


def test_a_key_that_is_not_seen_changes_nothing() -> None:
    case, target = Heads((1,), 40, 40, 16, params=CAUSAL), harness.TARGETS[2]
    q, k, v, mask, z, logs, *_ = case.arrays()
    k = k.copy()
    k[:, 20:] = np.nan
    made = [np.empty_like(z), np.empty_like(logs)]
    kernel = case.kernels(target)[0]
    call(together({kernel: 6}, target), kernel, [q, k, v, mask, *made], cuts=())
    np.testing.assert_allclose(made[0][:, :20], z[:, :20], rtol=1e-5, atol=1e-5)
    assert np.isnan(made[0][:, 20:]).all()


def test_attention_without_the_gradient_of_the_mask() -> None:
    case, target = Heads((2,), 9, 9, 4, mask=(9, 9)), harness.TARGETS[1]
    q, k, v, mask, z, logs, g, *grads = case.arrays()
    outputs, given = case.outputs()[:3], (g, z, logs, q, k, v, mask)
    kernel = kernel_of("attention_grad", given, outputs, case.all_params, target)
    call(together({kernel: 10}, target), kernel, [*given, *outputs], cuts=())
    for ours, theirs in zip(outputs, grads, strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_what_attention_declines() -> None:
    z = np.zeros((2, 5, 8), "float32")
    logs, none = np.zeros((2, 1, 5), "float32"), 0
    lower, target = LOWERED["attention"], harness.TARGETS[0]

    def asked(*arrays: Any) -> Kernel | None:
        given = [operand(x) for x in arrays]
        return lower(Request("attention", tuple(given[:4]), tuple(given[4:]), {}), target)

    turned = np.zeros((2, 8, 5), "float32").swapaxes(1, 2)
    assert asked(z, z, z, none, z, logs)
    assert not asked(z, turned, z, none, z, logs)  # a row's numbers lie apart
    assert not asked(z, z[:, :0], z[:, :0], none, z, logs)
    half = z.astype("float16")
    assert not asked(half, half, half, none, half, logs)
    assert not asked(z, z, z, np.zeros((5, 5)), z, logs)


# --- everything else: an op, its inputs and its parameters ---


@dataclass(frozen=True, eq=False)
class Lookup:
    op: str
    inputs: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    ints: str = "int64"

    def __str__(self) -> str:
        shapes = [x if isinstance(x, tuple) else np.shape(x) for x in self.inputs]
        return f"{self.op}_{'_'.join('x'.join(map(str, s)) for s in shapes)}_{self.ints}"

    def arrays(self) -> list[np.ndarray]:
        draw, kind = np.random.default_rng(5), self.ints
        return [
            np.array(x, kind)
            if not isinstance(x, tuple)
            else draw.normal(size=x).astype(self.dtype)
            for x in self.inputs
        ]

    def expected(self) -> np.ndarray:
        z = Op.table[self.op].forward(xp, *self.arrays(), **self.params)
        return z if self.op == "rotary" else np.ascontiguousarray(z)

    def kernel(self, target: Target) -> Kernel:
        z = self.expected()
        return kernel_of(self.op, self.arrays(), (z,), self.params, target)


def drawn(rows: int, *shape: int) -> list[Any]:
    return np.random.default_rng(rows).integers(-rows, rows, shape).tolist()


ROW = slice(None)
LOOKUPS = [
    Lookup("embedding", ((5, 3), [[0, -1], [4, 2]])),
    Lookup("embedding", ((65, 128), drawn(65, 4, 16)), ints="int32"),
    Lookup("embedding", ((7,), [3, 0, 6, 6]), dtype="float64", ints="uint8"),
    Lookup("embedding", ((3, 2, 2), 1)),
    Lookup("putrows", ((2, 2, 3), [[0, -1], [0, 2]]), {"rows": 5}),
    Lookup("putrows", ((4, 16, 128), drawn(6, 4, 16)), {"rows": 6}, ints="int32"),
    Lookup("putrows", ((50, 37), drawn(3, 50)), {"rows": 3}, dtype="float64"),
    Lookup("putrows", ((6,), drawn(3, 6)), {"rows": 3}),
    Lookup("getitem", ((4, 5, 3), drawn(5, 2, 3)), {"pattern": (ROW, HERE)}),
    Lookup("getitem", ((4, 5), drawn(4, 6), drawn(5, 6)), {"pattern": (HERE, HERE)}),
    Lookup("getitem", ((2, 4, 5), drawn(4, 3, 1), drawn(5, 6)), {"pattern": (..., HERE, HERE)}),
    Lookup("getitem", ((4, 5, 2), drawn(2, 3)), {"pattern": (..., HERE)}, ints="int8"),
    Lookup("putitem", ((4, 6, 3), drawn(5, 6)), {"pattern": (ROW, HERE), "shape": (4, 5, 3)}),
    Lookup("putitem", ((6,), drawn(4, 6), drawn(5, 6)),
           {"pattern": (HERE, HERE), "shape": (4, 5)}),
    Lookup("gather", ((3, 4), drawn(4, 3, 2)), {"axis": 1}),
    Lookup("gather", ((3, 4), drawn(3, 5, 2)), {"axis": 0}, ints="int32"),
    Lookup("gather", ((2, 5, 3), drawn(5, 2, 1, 3)), {"axis": -2}),
    Lookup("gather", ((6,), drawn(6, 9)), {"axis": 0}),
    Lookup("putalong", ((3, 2), drawn(4, 3, 2)), {"axis": 1, "shape": (3, 4)}),
    Lookup("putalong", ((5, 2), drawn(3, 5, 2)), {"axis": 0, "shape": (3, 4)}),
    Lookup("putalong", ((1, 6, 2), drawn(5, 1, 6, 2)), {"axis": 1, "shape": (1, 5, 3)}),
    Lookup("putalong", ((9,), drawn(4, 9)), {"axis": 0, "shape": (4,)}, dtype="float64"),
    Lookup("scatter_add", ((3, 4), drawn(4, 2, 7), (2, 7)), {"axis": 1}),
    Lookup("one_hot", ([2, 0, -1, 3, 9],), {"classes": 4}),
    Lookup("one_hot", (drawn(9, 3, 5),), {"classes": 9, "dtype": "float64"}, ints="int32"),
    Lookup("rotary", ((3, 4), [0, 1, 5])),
    Lookup("rotary", ((2, 3, 9, 34), drawn(70000, 9)), ints="int32"),
    Lookup("rotary", ((2, 3, 4, 16), drawn(50, 2, 1, 4)), {"base": 100.0}),
    Lookup("rotary", ((2, 5, 6), drawn(5000, 2, 5)), dtype="float64"),
]  # fmt: skip


@cache
def lookups(target: Target) -> Any:
    return together({case.kernel(target): len(case.inputs) + 1 for case in LOOKUPS}, target)


@pytest.mark.parametrize("target", harness.TARGETS, ids=lambda t: f"{t.vector * 8}bit")
@pytest.mark.parametrize("case", LOOKUPS, ids=str)
def test_lookup(case: Lookup, target: Target) -> None:
    library, kernel, expected = lookups(target), case.kernel(target), case.expected()
    made = np.full_like(expected, 7)
    call(library, kernel, [*case.arrays(), made], cuts=(1, 2, 5))
    tolerance = 1e-6 if case.dtype == "float32" else 1e-10
    np.testing.assert_allclose(made, expected, rtol=tolerance, atol=tolerance)
    assert not library.flag()


@pytest.mark.parametrize("bad", [5, -6, 2**40])
@pytest.mark.parametrize("op", ["embedding", "putrows", "gather", "putalong"])
def test_index_out_of_range(op: str, bad: int) -> None:
    """Nothing outside is read or written, and it is told."""
    target = harness.TARGETS[1]
    near = {"embedding": {}, "putrows": {"rows": 5}, "gather": {"axis": 0}}
    params: dict[str, Any] = near.get(op, {"axis": 0, "shape": (5, 2)})
    index = np.array([[1, 1], [4, 4]] if "a" in op[1:4] else [1, 4])
    first = np.ones((2, 2) if op.startswith("put") else (5, 2), "float32")
    z = np.asarray(Op.table[op].forward(xp, first, index, **params))
    kernel = kernel_of(op, (first, index), (z,), params, target)
    library = together({kernel: 3}, target)
    index.reshape(-1)[0] = bad
    room = np.zeros((3, *z.shape), "float32")
    call(library, kernel, [first, index, room[1]], cuts=())
    assert library.flag()
    assert not room[0].any()
    assert not room[2].any()
    index.reshape(-1)[0] = -5
    call(library, kernel, [first, index, room[1]], cuts=())
    assert not library.flag()


def test_what_lookups_decline() -> None:
    x, index = operand(np.zeros((4, 5), "float32")), operand(np.zeros(3, "int64"))

    def asked(pattern: tuple[Any, ...], *indices: Operand) -> Kernel | None:
        request = Request("getitem", (x, *indices), (x,), {"pattern": pattern})
        return LOWERED["getitem"](request, harness.TARGETS[0])

    assert asked((HERE,), index)
    assert not asked((slice(1, 2), 0))
    assert not asked((0, HERE), index)
    assert not asked((slice(1, 2), HERE), index)
    assert not asked((HERE,), replace(index, dtype="bool"))
