"""The C kernels of convolution and pooling against the NumPy forwards, executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from harness import TARGETS, compiler, run
from op_cases import MORE

import autograd.jit.kernels.convolution
import autograd.jit.kernels.pooling  # noqa: F401
import backends.numpy
from autograd.jit.kernel import LOWERED, Kernel, Request, Target, packed
from autograd.node import Op

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
Params = dict[str, Any]
BY_TARGET = [pytest.param(t, id=f"{t.vector}") for t in TARGETS]


def request_of(op: str, arrays: Sequence[np.ndarray], params: Params) -> tuple[Request, np.ndarray]:
    """A request for contiguous arrays, and what NumPy answers."""
    own = {k: v for k, v in params.items() if k not in ("epilogue", "winograd")}
    want = Op.table[op].forward(backends.numpy, *arrays, **own)
    inputs = tuple(packed(a.shape, str(a.dtype)) for a in arrays)
    return Request(op, inputs, (packed(want.shape, str(want.dtype)),), params), want


def computed(
    kernel: Kernel, target: Target, arrays: Sequence[np.ndarray], want: np.ndarray
) -> np.ndarray:
    """What the kernel computes, its rows cut in two where there are two."""
    got = np.full(want.shape, 0 if kernel.sums else 111, want.dtype)
    cuts = (kernel.rows // 2,) if kernel.rows > 1 else ()
    run(kernel, target, [*arrays, got], cuts)
    return got


def check(op: str, arrays: Sequence[np.ndarray], target: Target, **params: Any) -> Kernel:
    """The kernel's numbers are NumPy's, up to the order of a sum."""
    request, want = request_of(op, arrays, params)
    kernel = LOWERED[op](request, target)
    assert kernel is not None
    got = computed(kernel, target, arrays, want)
    if want.dtype.kind in "iu":
        np.testing.assert_array_equal(got, want)
        return kernel
    scale = max(np.abs(want[np.isfinite(want)]).max(initial=0), 1.0)
    close = {"float32": 2e-5, "float64": 2e-13}[str(want.dtype)]
    np.testing.assert_allclose(got, want, rtol=close, atol=close * scale)
    return kernel


def numbers(seed: int, dtype: str, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Normal numbers in these shapes."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


# --- convolution ---

CONVOLUTIONS: tuple[tuple[tuple[int, ...], tuple[int, ...], Params], ...] = (
    ((2, 9, 9, 1), (3, 3, 32), {}),
    ((2, 8, 7, 3), (3, 3, 20), {"padding": 1}),
    ((3, 6, 5, 17), (3, 3, 33), {"padding": ((1, 2), (0, 1))}),
    ((2, 9, 11, 4), (3, 2, 5), {"stride": 2, "padding": 1}),
    ((2, 12, 10, 3), (3, 3, 18), {"dilation": 2, "padding": 2}),
    (
        (2, 11, 12, 6),
        (5, 3, 8),
        {"stride": (3, 2), "dilation": (1, 2), "padding": ((2, 0), (3, 1))},
    ),
    ((2, 5, 6, 24), (1, 1, 70), {}),
    ((2, 5, 6, 3), (1, 1, 4), {"stride": 2}),
    ((2, 1, 1, 5), (1, 1, 3), {}),
    ((1, 3, 3, 2), (3, 3, 1), {}),
    ((2, 30, 2, 3), (3, 2, 40), {"padding": 1}),
    ((2, 60, 8), (3, 24), {}),
    ((2, 50, 3), (5, 7), {"stride": 2, "padding": 4, "dilation": 3}),
    ((1, 40, 90, 64), (3, 3, 8), {"padding": 1}),
    ((2, 7, 6, 12), (3, 3, 18), {"groups": 3, "padding": 1}),
    ((2, 7, 6, 32), (2, 2, 64), {"groups": 2, "stride": 2}),
    ((2, 7, 6, 19), (3, 3, 19), {"groups": 19, "padding": 1}),
    ((2, 8, 7, 5), (3, 2, 15), {"groups": 5, "padding": ((1, 0), (2, 1)), "stride": 2}),
    ((2, 40, 6), (31, 12), {"groups": 6, "padding": 15}),
    ((3, 9, 10, 20), (3, 3, 37), {"padding": 1}),
    ((2, 26, 26, 32), (3, 3, 64), {}),
    ((5, 7, 7, 16), (3, 3, 16), {"padding": ((2, 2), (3, 0))}),
    ((24, 3, 3, 17), (3, 3, 18), {"padding": 1}),
)


def hows(shape: tuple[int, ...], how: Params) -> Params:
    """The op's own params, of these few."""
    axes = len(shape) - 2
    pair = {k: how.get(k, 1) for k in ("stride", "dilation")}
    sizes = {k: v if isinstance(v, tuple) else (v,) * axes for k, v in pair.items()}
    padding = how.get("padding", 0)
    if not isinstance(padding, tuple):
        padding = ((padding, padding),) * axes
    return {**sizes, "padding": padding, "groups": how.get("groups", 1)}


def check_convolutions(case: int, target: Target, dtype: str, ops: Sequence[str]) -> None:
    """These of conv, conv_affine and the two gradients."""
    shape, (*size, filters), few = CONVOLUTIONS[case]
    how = hows(shape, few)
    x, w, b = numbers(case, dtype, shape, (*size, shape[-1] // how["groups"], filters), (filters,))
    (y,) = numbers(case + 1, dtype, request_of("conv", [x, w], how)[1].shape)
    inputs: dict[str, tuple[list[np.ndarray], Params]] = {
        "conv": ([x, w], {}),
        "conv_affine": ([x, w, b], {}),
        "conv_transpose": ([y, w], {"shape": shape[1:-1]}),
        "conv_kernel": ([x, y], {"size": tuple(size)}),
    }
    for op in ops:
        arrays, more = inputs[op]
        check(op, arrays, target, **how, **more)


GRADIENTS = ("conv_transpose", "conv_kernel")


@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
def test_convolutions(case: int) -> None:
    """All cases, each on one target: dtypes and targets take turns."""
    first, dtype = ("conv", "conv_affine")[case % 2], ("float64", "float32")[case // 2 % 2]
    check_convolutions(case, TARGETS[case % 3], dtype, (first, *GRADIENTS))


@pytest.mark.parametrize("target", BY_TARGET)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [1, 19])
def test_convolutions_on_all_targets(case: int, dtype: str, target: Target) -> None:
    """Direct with tails of all kinds, and Winograd's."""
    check_convolutions(case, target, dtype, ("conv_affine", *GRADIENTS))


@pytest.mark.parametrize("case", [1, 16, 18, 19])
def test_relu_comes_with_the_convolution(case: int) -> None:
    """Also where it is written for Winograd's blocks, or for single channels; NaN stays NaN."""
    shape, (*size, filters), few = CONVOLUTIONS[case]
    how = hows(shape, few)
    x, w, b = numbers(
        case, "float32", shape, (*size, shape[-1] // how["groups"], filters), (filters,)
    )
    arrays = [x, w, b]
    plain, want = request_of("conv_affine", arrays, how)
    request = Request(plain.op, plain.inputs, plain.outputs, {**how, "epilogue": "relu"})
    kernel = LOWERED["conv_affine"](request, TARGETS[-1])
    assert kernel is not None
    got = computed(kernel, TARGETS[-1], arrays, want)
    np.testing.assert_allclose(got, np.maximum(want, 0), rtol=2e-5, atol=2e-4)
    arrays[2][0] = np.nan
    got = computed(kernel, TARGETS[-1], arrays, want)
    assert np.isnan(got[..., 0]).all()
    assert not np.isnan(got[..., 1:]).any()


def test_winograd_is_exact_to_rounding_and_can_be_switched_off() -> None:
    """Its error is about that of the plain sums."""
    x, w = numbers(0, "float32", (4, 18, 18, 48), (3, 3, 48, 32))
    how = hows(x.shape, {"padding": 1})
    request, _ = request_of("conv", [x, w], how)
    exact = Op.table["conv"].forward(backends.numpy, x.astype("f8"), w.astype("f8"), **how)
    errors = []
    for fast in (True, False):
        params = {**how, "winograd": fast}
        kernel = LOWERED["conv"](
            Request("conv", request.inputs, request.outputs, params), TARGETS[-1]
        )
        assert kernel is not None
        assert ("winograd" in kernel.headers) is fast
        got = computed(kernel, TARGETS[-1], [x, w], exact.astype("f4"))
        errors.append(np.sqrt(np.mean((got - exact) ** 2)))
    assert errors[0] < 2 * errors[1]


OPS = ("conv", "conv_affine", "conv_transpose", "conv_kernel")


@pytest.mark.parametrize("op", OPS)
def test_the_ops_own_samples(op: str) -> None:
    entry = Op.table[op]
    cases = [*zip(entry.samples, entry.shapes, strict=True), *MORE.get(op, ())]
    for i, (how, shapes) in enumerate(cases):
        arrays = numbers(i, "float64", *shapes)
        if len(shapes[0]) == 5:
            assert LOWERED[op](request_of(op, arrays, how)[0], TARGETS[-1]) is None
        else:
            check(op, arrays, TARGETS[-1], **how)


# --- pooling ---

POOLS: tuple[tuple[tuple[int, ...], Params], ...] = (
    ((2, 6, 8, 20), {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}),
    ((2, 7, 6, 5), {"size": (2, 3), "stride": (2, 3), "padding": ((0, 0), (0, 0))}),
    ((3, 7, 9, 17), {"size": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1))}),
    ((2, 9, 8, 3), {"size": (2, 2), "stride": (3, 3), "padding": ((0, 1), (1, 0))}),
    ((2, 14, 13), {"size": (5,), "stride": (1,), "padding": ((2, 2),)}),
    ((2, 9, 10, 4), {"size": (5, 4), "stride": (1, 2), "padding": ((2, 1), (0, 3))}),
    ((1, 20, 19, 2), {"size": (17, 16), "stride": (1, 1), "padding": ((1, 0), (0, 0))}),
)


@pytest.mark.parametrize("case", range(len(POOLS)))
def test_pooling(case: int) -> None:
    """All six on one target, with equal elements in a window, and NaN."""
    target = TARGETS[case % 3]
    shape, how = POOLS[case]
    (x,) = numbers(case, ("float32", "float64")[case % 2], shape)
    x = np.round(x * 2) / 2
    x.flat[::37] = np.nan
    x.flat[5::41] = -np.inf
    _, y = request_of("max_pool", [x], how)
    check("max_pool", [x], target, **how)
    _, index = request_of("max_pool_index", [x, y], how)
    assert index.dtype == ("int64" if case == 6 else "uint8")
    check("max_pool_index", [x, y], target, **how)
    x, y = np.nan_to_num(x, neginf=-1), np.nan_to_num(y, neginf=-1)
    check("pool_take", [x, index], target, **how)
    check("pool_put", [y, index], target, shape=shape[1:-1], **how)
    check("sum_pool", [x], target, **how)
    check("sum_unpool", [y], target, shape=shape[1:-1], **how)


def test_what_cannot_be_compiled() -> None:
    """Three axes, strided inputs and other dtypes are the caller's."""
    how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    x, w = numbers(0, "float32", (2, 9, 4), (3, 4, 5))
    request, _ = request_of("conv", [x, w], how)
    strided = replace(request.inputs[0], strides=(36, 1, 9))
    broken = Request("conv", (strided, request.inputs[1]), request.outputs, how)
    assert LOWERED["conv"](broken, TARGETS[0]) is None
    half = [replace(a, dtype="float16") for a in (*request.inputs, *request.outputs)]
    assert LOWERED["conv"](Request("conv", (half[0], half[1]), (half[2],), how), TARGETS[0]) is None
