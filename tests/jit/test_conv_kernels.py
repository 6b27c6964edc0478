"""The C kernels of convolution and pooling against the NumPy forwards, executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from op_cases import MORE

import autograd.jit.kernels.convolution
import backends.numpy
from autograd.jit.kernel import LOWERED, Kernel, Request, Target, packed
from autograd.node import Op

from harness import TARGETS, compiler, run

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
Params = dict[str, Any]
LATEST = TARGETS[-1:]


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
    fill = 0 if kernel.sums else (7 if want.dtype.kind in "iu" else np.nan)
    got = np.full(want.shape, fill, want.dtype)
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
    scale = max(np.abs(want).max(initial=0), 1.0)
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
    ((2, 11, 12, 6), (5, 3, 8), {"stride": (3, 2), "dilation": (1, 2), "padding": ((2, 0), (3, 1))}),
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


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.vector}")
@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
def test_convolutions(case: int, target: Target) -> None:
    """conv, conv_affine and the two gradients, in one dtype each."""
    shape, (*size, filters), few = CONVOLUTIONS[case]
    how, dtype = hows(shape, few), ("float32", "float64")[case % 2]
    x, w, b = numbers(case, dtype, shape, (*size, shape[-1] // how["groups"], filters), (filters,))
    _, y = request_of("conv", [x, w], how)
    (y,) = numbers(case + 1, dtype, y.shape)
    check("conv", [x, w], target, **how)
    check("conv_affine", [x, w, b], target, **how)
    check("conv_transpose", [y, w], target, shape=shape[1:-1], **how)
    check("conv_kernel", [x, y], target, size=tuple(size), **how)


OPS = ("conv", "conv_affine", "conv_transpose", "conv_kernel")


@pytest.mark.parametrize("op", OPS)
def test_the_ops_own_samples(op: str) -> None:
    entry = Op.table[op]
    cases = [*zip(entry.samples, entry.shapes, strict=True), *MORE.get(op, ())]
    for i, (how, shapes) in enumerate(cases):
        arrays = numbers(i, "float64", *shapes)
        if len(shapes[0]) == 5:
            assert LOWERED[op](request_of(op, arrays, how)[0], LATEST[0]) is None
        else:
            check(op, arrays, LATEST[0], **how)
