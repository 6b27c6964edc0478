"""Every op of the table: its value against NumPy or SciPy, its gradients against measured ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import scipy.special as special
from op_cases import CASES, SMOOTH, Case, domain, in_one, tensors

import backends
from autograd import Tensor, Value, no_grad
from autograd.check import gradcheck
from autograd.errors import ShapeError
from autograd.node import Op, history
from autograd.ops import elementwise
from autograd.ops import shape as shapes
from autograd.ops.index import fill

by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_smooth_case = pytest.mark.parametrize("case", SMOOTH, ids=str)
FLOATS = {"float16": 2e-2, "bfloat16": 1e-1, "float32": 1e-5, "float64": 1e-12}
"""Each float dtype, and how far a result of a few operations in it may be off."""


ELSEWHERE = ("to", "dot", "recomputed", "part")
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


def _sum_to(x: Any, shape: Any) -> Any:
    z = np.zeros(shape)
    for place in np.ndindex(x.shape):
        kept = place[x.ndim - len(shape) :]
        z[tuple(p if n > 1 else 0 for p, n in zip(kept, shape, strict=True))] += x[place]
    return z


REFERENCE: dict[str, Callable[..., Any]] = {
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "power": lambda x, n: np.power(x, float(n)),
    "pow": np.power,
    "xlogy": special.xlogy,
    "mod": lambda x, y: x - np.floor(x / y) * y,
    "erf": special.erf,
    "sigmoid": special.expit,
    "softplus": lambda x: -special.log_expit(-x),
    "identity": lambda x: x,
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
    "one_hot": lambda index, classes, dtype="float32": np.eye(classes, dtype=dtype)[index],
    "argsort": lambda x, axis=-1, descending=False: np.argsort(
        -x if descending else x, axis=axis, kind="stable"
    ),
    "affine": lambda x, w, b: np.matmul(x, w) + b,
    "einsum": lambda *xs, subscripts: np.einsum(subscripts, *xs),
    "softmax_cross_entropy": lambda x, index: (
        -np.take_along_axis(special.log_softmax(x, axis=-1), index[..., None], -1)[..., 0]
    ),
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
    pairs = [(z, expected)] if case.op.name != "argsort" else []  # near numbers may fall together
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
