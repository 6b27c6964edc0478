"""Every op of the table: its value against NumPy or SciPy, its gradients against measured ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import naive_sequences
import naive_windows
import numpy as np
import pytest
import scipy.linalg as linalg
import scipy.special as special
from op_cases import CASES, SMOOTH, Case, domain, in_one, tensors

import backends
from autograd import Tensor, Value, no_grad
from autograd.check import gradcheck
from autograd.errors import ShapeError
from autograd.node import Op, history
from autograd.ops import elementwise
from autograd.ops import shape as shapes
from autograd.ops.index import HERE, fill

by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_smooth_case = pytest.mark.parametrize("case", SMOOTH, ids=str)
FLOATS = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-5, "float64": 1e-12}
"""Each float dtype, and how far a result of a few operations in it may be off."""


ELSEWHERE = (
    "to", "dot", "recomputed", "part", "standardize_grad", "layer_norm_grad", "rms_norm_grad",
    "batch_norm_grad", "attention_grad", "lstm_grad", "gru_grad", "rnn_grad",
    "random_hits", "random_uniform", "random_normal",
)  # fmt: skip
"""Ops without samples: what they need is not an array of a shape. They have tests of their own."""


# --- the entry ---


@pytest.mark.parametrize("op", [*Op.table.values()], ids=lambda op: op.name)
def test_an_entry_is_complete(op: Op) -> None:
    assert op.__doc__
    assert op.__doc__.partition("\n")[0].rstrip()[-1] in ".,:;", "the first line says what it is"
    assert op.joint or len(op.rules) == len(op.inputs), "one rule per input, or None"
    for i in range(len(op.inputs)):
        low, high = domain(op, i)
        assert low < high
    for params in op.samples:
        assert set(params) <= set(op.params)
    if op.elementwise:
        assert not op.shapes, "elementwise ops are tried on shapes that broadcast"
    else:
        assert len(op.shapes) == len(op.samples)
    assert op.samples or op.name in ELSEWHERE, "an op without samples has no test"


# --- the value ---


def _put(g: Any, *index: Any, pattern: Any, shape: Any) -> Any:
    z = np.zeros(shape)
    np.add.at(z, fill(pattern, index), g)
    return z


def _set(x: Any, y: Any, *index: Any, pattern: Any) -> Any:
    z = x.copy()
    z[fill(pattern, index)] = y
    return z


def _add(x: Any, y: Any, *index: Any, pattern: Any) -> Any:
    z = x.copy()
    np.add.at(z, fill(pattern, index), y)
    return z


def _gather(x: Any, index: Any, axis: int) -> Any:
    z = np.zeros(index.shape)
    for place in np.ndindex(index.shape):
        at = list(place)
        at[axis] = index[place]
        z[place] = x[tuple(at)]
    return z


def _scatter(x: Any, index: Any, y: Any, axis: int) -> Any:
    z = x.copy()
    for place in np.ndindex(index.shape):
        to = list(place)
        to[axis] = index[place]
        z[tuple(to)] += y[place]
    return z


def _standard(x: Any, eps: float = 1e-5) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def _batch_norm(x: Any, w: Any, b: Any, eps: float = 1e-3) -> Any:
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    return (x - mean) / np.sqrt(var + eps) * w + b, mean, var


def _pairs(z: Any) -> Any:
    return np.stack([z.real, z.imag], -1)


def _mirrored(z: Any, n: int, axis: int, factor: float) -> Any:
    k = np.arange(n // 2 + 1)
    weight = np.where((k > 0) & (2 * k < n), factor, 1.0)
    return np.moveaxis(np.moveaxis(z, 0 if axis == 0 else -2, -1) * weight, -1, axis - (axis < 0))


def _sum_to(x: Any, shape: Any) -> Any:
    z = np.zeros(shape)
    for place in np.ndindex(x.shape):
        kept = place[x.ndim - len(shape) :]
        z[tuple(p if n > 1 else 0 for p, n in zip(kept, shape, strict=True))] += x[place]
    return z


def _attend(q: Any, k: Any, v: Any, mask: Any, causal: bool = False, scale: Any = None) -> Any:
    scores = np.einsum("...id,...jd->...ij", q, k) * (scale or q.shape[-1] ** -0.5) + mask
    for i, j in np.ndindex(scores.shape[-2:]):
        if causal and j - i > k.shape[-2] - q.shape[-2]:
            scores[..., i, j] = -np.inf
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    return e / np.maximum(e.sum(-1, keepdims=True), 1e-300) @ v


def _rotate(x: Any, index: Any, base: float = 10000.0) -> Any:
    half = x.shape[-1] // 2
    z = x[..., :half] + 1j * x[..., half:]
    z = z * np.exp(1j * index[..., None] * base ** (-np.arange(half) / half))
    return np.concatenate([z.real, z.imag], axis=-1)


def _ctc_alphas(e: Any, skips: Any) -> Any:
    """One state at one time after the other, in probabilities."""
    _, steps, states = e.shape
    p = np.zeros(e.shape)
    p[:, 0, :2] = np.exp(e[:, 0, :2])
    for t in range(1, steps):
        for s in range(states):
            ways = p[:, t - 1, s].copy()
            if s > 0:
                ways += p[:, t - 1, s - 1]
            if s > 1:
                ways += p[:, t - 1, s - 2] * np.exp(skips[:, s])
            p[:, t, s] = ways * np.exp(e[:, t, s])
    return np.where(p > 0, np.log(np.where(p > 0, p, 1)), -1e30)


REFERENCE: dict[str, Callable[..., Any]] = {
    "ctc_alphas": _ctc_alphas,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "power": lambda x, n: np.power(x, float(n)),
    "pow": np.power,
    "xlogy": special.xlogy,
    "mod": lambda x, y: x - np.floor(x / y) * y,
    "erf": special.erf,
    "attention": _attend,
    "rotary": _rotate,
    "gelu": lambda x: x * special.ndtr(x),
    "normal_cdf": special.ndtr,
    "normal_pdf": lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    "sigmoid": special.expit,
    "softplus": lambda x: -special.log_expit(-x),
    "identity": lambda x: x,
    "detach": lambda x: x,
    "relu": lambda x: (x + np.abs(x)) / 2,
    "binary_cross_entropy_with_logits": lambda x, t: (
        -t * special.log_expit(x) - (1 - t) * special.log_expit(-x)
    ),
    "clip": lambda x, low=None, high=None: np.clip(x, low, high),
    "var": lambda x, axis=None, keepdims=False, ddof=0: np.var(
        x, axis=axis, keepdims=keepdims, ddof=ddof
    ),
    "norm": lambda x, axis=None, keepdims=False: np.sqrt(
        np.sum(np.square(x), axis=axis, keepdims=keepdims)
    ),
    "logsumexp": special.logsumexp,
    "softmax": special.softmax,
    "log_softmax": special.log_softmax,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "sum_to": _sum_to,
    "roll": lambda x, shift, axis=None: np.roll(x, shift, axis),
    "pad": lambda x, width, value=0.0: np.pad(x, width, constant_values=value),
    "concatenate": lambda *xs, axis=0: np.concatenate(xs, axis),
    "astype": lambda x, dtype: x.astype(dtype),
    "getitem": lambda x, *index, pattern: x[fill(pattern, index)],
    "putitem": _put,
    "setitem": _set,
    "additem": _add,
    "winners": lambda x, index, pattern: np.array([False, True, True]),
    "gather": _gather,
    "putalong": lambda g, index, axis, shape: _scatter(np.zeros(shape), index, g, axis),
    "scatter_add": lambda x, index, y, axis: _scatter(x, index, y, axis),
    "embedding": lambda x, index: x[index],
    "putrows": lambda g, index, rows: _put(
        g, index, pattern=(HERE,), shape=(rows, *g.shape[index.ndim :])
    ),
    "lstm": naive_sequences.lstm,
    "gru": naive_sequences.gru,
    "rnn": naive_sequences.rnn,
    "softmax_cross_entropy_grad": lambda g, x, index: (
        g[..., None] * (special.softmax(x, axis=-1) - np.eye(x.shape[-1])[index])
    ),
    "one_hot": lambda index, classes, dtype="float32": np.eye(classes, dtype=dtype)[index],
    "argsort": lambda x, axis=-1, descending=False: np.argsort(
        -x if descending else x, axis=axis, kind="stable"
    ),
    "affine": lambda x, w, b: np.matmul(x, w) + b,
    "standardize": _standard,
    "inv": np.linalg.inv,
    "solve": np.linalg.solve,
    "det": np.linalg.det,
    "cofactor": lambda x: np.linalg.det(x)[..., None, None] * np.swapaxes(np.linalg.inv(x), -1, -2),
    "slogdet": np.linalg.slogdet,
    "cholesky": lambda x: np.linalg.cholesky((x + np.swapaxes(x, -1, -2)) / 2),
    "eigh": lambda x: np.linalg.eigh((x + np.swapaxes(x, -1, -2)) / 2),
    "svd": lambda x: np.linalg.svd(x, full_matrices=False),
    "qr": np.linalg.qr,
    "expm": linalg.expm,
    "fft": lambda z, axis: _pairs(np.fft.fft(z @ [1, 1j], axis=axis)),
    "ifft": lambda z, axis: _pairs(np.fft.ifft(z @ [1, 1j], axis=axis)),
    "rfft": lambda x, axis: _pairs(np.fft.rfft(x, axis=axis)),
    "irfft": lambda z, n, axis: np.fft.irfft(z @ [1, 1j], n=n, axis=axis),
    "mirrored": _mirrored,
    "layer_norm": lambda x, w, b, eps=1e-5: _standard(x, eps) * w + b,
    "rms_norm": lambda x, w, eps=1e-5: x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w,
    "batch_norm": _batch_norm,
    "einsum": lambda *xs, subscripts: np.einsum(subscripts, *xs),
    "softmax_cross_entropy": lambda x, index: (
        -np.take_along_axis(special.log_softmax(x, axis=-1), index[..., None], -1)[..., 0]
    ),
    **naive_windows.REFERENCE,
}
"""What NumPy and SciPy say; an op that is missing has its name in NumPy."""


@by_case
def test_value(case: Case) -> None:
    arrays = case.draw()
    reference = REFERENCE.get(case.op.name) or getattr(np, case.op.name)
    expected = reference(*arrays, **case.params)
    expected = in_one(expected) if isinstance(expected, tuple) else np.asarray(expected)
    got = case(*tensors(arrays))
    assert isinstance(got.raw, np.ndarray)
    assert (got.shape, got.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(got.raw, expected, rtol=1e-13, atol=1e-14)


@by_case
def test_raw_data_and_no_grad_only_compute(case: Case) -> None:
    arrays = case.draw()
    recorded = case(*tensors(arrays, requires_grad=True))
    assert recorded.requires_grad == case.op.differentiable
    assert (case.op in {x.op for x in history(recorded)}) == case.op.differentiable
    with no_grad():
        computed = case(*tensors(arrays, requires_grad=True))
    assert (computed.op, computed.inputs, computed.requires_grad) == (None, (), False)
    np.testing.assert_array_equal(computed.raw, recorded.raw)
    np.testing.assert_array_equal(case(*arrays), recorded.raw)


# --- the gradient ---


@by_smooth_case
def test_gradient_of_first_and_second_order(case: Case) -> None:
    assert gradcheck(case.op, *tensors(case.draw()), order=2, **case.params)


def _twins(case: Case) -> list[tuple[int, int]]:
    """Pairs of inputs that one tensor can be at once: floats of the same shape."""
    first = 1 if case.op.name == "where" else 0
    floats = [i for i, spec in enumerate(case.specs)
              if i >= first and isinstance(spec, tuple) and math.prod(spec)]  # fmt: skip
    return [(i, j) for i, j in combinations(floats, 2) if case.specs[i] == case.specs[j]]


@pytest.mark.parametrize("case", [*filter(_twins, SMOOTH)], ids=str)
def test_gradient_where_one_tensor_comes_twice(case: Case) -> None:
    for i, j in _twins(case):
        arrays = case.draw()

        def twice(x: Tensor, i: int = i, j: int = j, arrays: list[Any] = arrays) -> Tensor:
            inputs: list[Any] = tensors(arrays)
            inputs[i] = inputs[j] = x
            z: Tensor = case(*inputs)
            return z

        narrower = i if domain(case.op, i)[0] > 0 else j
        assert gradcheck(twice, *tensors([arrays[narrower]]), order=2)


@pytest.mark.parametrize("dtype", [*FLOATS])
@by_case
def test_dtype_stays(case: Case, dtype: str) -> None:
    """In every float dtype: the result's, the gradients', and near to what float64 says."""
    rounded = case.draw(backends.dtype(dtype), seed=1)
    inputs = tensors(rounded, requires_grad=True)
    exact = [Tensor(x.raw.astype("float64"), requires_grad=True) if x.requires_grad else x
             for x in inputs]  # fmt: skip
    z, expected = case(*inputs), case(*exact)
    if "dtype" not in case.params:
        assert str(z.dtype) == str(expected.dtype).replace("float64", dtype)
    # near numbers may fall together; log 0 is another number in float16
    pairs = [(z, expected)] if case.op.name not in ("argsort", "ctc_alphas") else []
    if z.requires_grad:
        z.backward(np.ones(z.shape))
        expected.backward(np.ones(z.shape))
    for x, y in zip(inputs, exact, strict=True):
        if x.grad is not None:
            assert (x.grad.dtype, x.grad.shape) == (x.dtype, x.shape)
            pairs.append((x.grad, y.grad))
    for got, want in pairs:
        np.testing.assert_allclose(
            got.raw.astype("float64"), want.raw, rtol=FLOATS[dtype], atol=FLOATS[dtype]
        )


def _scattered(a: Any) -> Any:
    """The same numbers, every second place of a larger array, backwards."""
    room = np.zeros([2 * n for n in a.shape], dtype=a.dtype)
    view = room[tuple(slice(None, None, -2) for _ in a.shape)]
    view[...] = a
    return view


@by_smooth_case
def test_memory_layout_does_not_matter(case: Case) -> None:
    plain = tensors(case.draw(), requires_grad=True)
    odd = [
        Tensor.of(_scattered(x.raw), requires_grad=x.requires_grad) if x.ndim else x.clone()
        for x in plain
    ]
    z, y = case(*plain), case(*odd)
    np.testing.assert_allclose(y.raw, z.raw, rtol=1e-14)
    g = np.random.default_rng(1).normal(size=z.shape)
    z.backward(Tensor(g, dtype="float64"))
    y.backward(Tensor.of(_scattered(g)) if z.ndim else Tensor(g, dtype="float64"))
    for a, b in zip(plain, odd, strict=True):
        if a.requires_grad and a.ndim and a.grad is not None:
            np.testing.assert_allclose(b.grad.raw, a.grad.raw, rtol=1e-13, atol=1e-15)


# --- numbers ---


NUMBERS = [case for case in CASES if case.op.elementwise and not any(case.specs)]


@pytest.mark.parametrize("case", NUMBERS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_value_is_a_tensor_of_one_number(case: Case, seed: int) -> None:
    arrays = case.draw(seed=seed)
    floats = [a.dtype.kind == "f" for a in arrays]
    values = [Value(a.item()) if f else a.item() for a, f in zip(arrays, floats, strict=True)]
    xs = tensors(arrays, requires_grad=True)
    v, z = case.op(*values, **case.params) if any(floats) else None, case.op(*xs, **case.params)
    assert v is not None
    assert v.data == pytest.approx(z.item(), rel=1e-14)
    if not case.op.differentiable:
        return
    z.backward()
    v.backward()
    first = [x.grad for x, f in zip(values, floats, strict=True) if f]
    assert first == pytest.approx(
        [x.grad.item() for x, f in zip(xs, floats, strict=True) if f], rel=1e-14
    )
    assert gradcheck(case.op, *values, order=2, **case.params)


def test_python_numbers_are_weak() -> None:
    x = Tensor([1.0, 2.0], dtype="float16")
    for z in (x + 1, 1.5 * x, x / 3, 2 - x, x**2, 2.0**x, x.maximum(0.5), x > 1, x == 1):
        assert z.dtype in (np.float16, np.bool_)
    for z in (x * True, x * (x > 1), Tensor([1, 2]) * x):
        assert z.dtype == np.float16
    assert (Tensor([1, 2]) / 2).dtype == np.float32
    assert (Tensor([1, 2]) + 1).dtype == np.int64
    assert (Tensor([True, False]) * 1.5).dtype == np.float32
    assert Tensor([4, 9]).sqrt().dtype == np.float32
    assert Tensor([1, 2]).mean().dtype == np.float32
    assert math.isclose(Tensor([1, 2]).std().item(), 0.5)


def test_numpys_numbers_are_not_strong_either() -> None:
    x = Tensor([1.0, 2.0])
    assert x.clip(np.float64(1.5)).dtype == np.float32
    assert elementwise.power(x, n=np.float64(2)).dtype == np.float32
    assert elementwise.where(x > 1, 1.5, 0.5).dtype == np.float32
    assert Tensor([1, 2]).astype("float64").dtype == np.float64


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 1), (2,), (6,)])
def test_a_shape_that_does_not_broadcast_is_not_summed_to(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="sum_to"):
        shapes.sum_to(Tensor(np.ones((2, 3))), shape=shape)


def test_of_two_elements_put_at_one_place_the_last_has_the_gradient() -> None:
    y = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    x = Tensor([0.0, 0.0])
    z = x.at[[[0, 0], [1, 0]]].set(y)
    assert z.tolist() == [4.0, 3.0]
    z.sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [[0, 0], [1, 1]]
