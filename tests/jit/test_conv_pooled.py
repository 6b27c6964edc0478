"""Convolutions before a max pool: kernels that run over what the pool took, and who gets them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from harness import TARGETS, compiler, run
from test_conv_kernels import hows, numbers

import autograd as ag
import backends.numpy
import nn
from autograd import Tensor
from autograd.jit import jit
from autograd.jit.kernel import LOWERED, Request, Target, packed
from autograd.jit.pools import POOLED, TO_IMAGE, TO_KERNEL
from autograd.node import Op
from autograd.ops.window import places

pytestmark = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
Params = dict[str, Any]
BY_TARGET = [pytest.param(t, id=f"{t.vector}") for t in TARGETS]

CASES: tuple[tuple[tuple[int, ...], tuple[int, ...], Params, Params], ...] = (
    ((2, 8, 8, 16), (3, 3, 20), {}, {"size": 2}),
    ((3, 7, 9, 20), (3, 3, 70), {"padding": 1}, {"size": (2, 3)}),
    ((2, 11, 12, 32), (2, 3, 5), {"padding": ((2, 0), (1, 3)), "dilation": 2}, {"size": 2}),
    ((2, 13, 14, 17), (3, 2, 33), {"stride": 2, "padding": 1}, {"size": 2, "stride": (3, 2)}),
    ((2, 12, 13, 16), (5, 5, 8), {}, {"size": 3, "stride": 2}),
    ((2, 30, 48), (3, 130), {"padding": 1}, {"size": 3}),
    ((1, 9, 10, 64), (1, 4, 1), {}, {"size": (1, 2)}),
)


@pytest.mark.parametrize("target", BY_TARGET)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_gradients(case: int, dtype: str, target: Target) -> None:
    """Against NumPy, which puts and convolves; a third of what flows is 0."""
    shape, (*size, filters), few, pooling = CASES[case]
    how, axes = hows(shape, few), len(shape) - 2
    full = places(shape[1:-1], tuple(size), how["stride"], how["padding"], how["dilation"])
    pair = {k: v if isinstance(v, tuple) else (v,) * axes for k, v in pooling.items()}
    pool = {"shape": full, "stride": pair["size"], **pair, "padding": ((0, 0),) * axes}
    out = places(full, pool["size"], pool["stride"], pool["padding"], (1,) * axes)
    x, w, g = numbers(case, dtype, shape, (*size, shape[-1], filters), (shape[0], *out, filters))
    rng = np.random.default_rng(case)
    g[rng.random(g.shape) < 0.3] = 0
    index = rng.integers(0, np.prod(pool["size"]), g.shape).astype("uint8")
    for op, arrays, more in (
        (TO_IMAGE, (g, index, w), {"shape": shape[1:-1]}),
        (TO_KERNEL, (x, g, index), {"size": tuple(size)}),
    ):
        params = {**how, **more, "pool": pool}
        want = op.forward(backends.numpy, *arrays, **params)
        inputs = tuple(packed(a.shape, str(a.dtype)) for a in arrays)
        request = Request(op.name, inputs, (packed(want.shape, dtype),), params)
        kernel = LOWERED[op.name](request, target)
        assert kernel is not None
        got = np.full(want.shape, 0 if kernel.sums else 111, dtype)
        run(kernel, target, [*arrays, got], (kernel.rows // 2,) if kernel.rows > 1 else ())
        close = {"float32": 2e-5, "float64": 2e-13}[dtype]
        np.testing.assert_allclose(got, want, rtol=close, atol=close * np.abs(want).max())


@pytest.mark.parametrize("target", BY_TARGET)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "filters", "padding", "epilogue", "bias"),
    [((3, 12, 10, 16), 20, 0, "relu", True), ((5, 9, 11, 35), 33, 1, "", False)],
)
def test_largest_of_blocks(
    shape: tuple[int, ...], filters: int, padding: int, epilogue: str, bias: bool, dtype: str,
    target: Target,
) -> None:  # fmt: skip
    """Winograd's blocks as a pool's windows, some of NaN and inf; a row and a column left over."""
    x, w, b = numbers(1, dtype, shape, (3, 3, shape[-1], filters), (filters,))
    x[0, 2, 3, 4], x[-1, -4, -4, 0] = np.nan, np.inf
    how = hows(shape, {"padding": padding})
    pool = {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}
    params = {**how, "pool": pool, **({"epilogue": epilogue} if epilogue else {})}
    arrays = [x, w, b] if bias else [x, w]
    want, _ = POOLED.forward(backends.numpy, *arrays, **params)
    shapes = tuple(packed(a.shape, str(a.dtype)) for a in arrays)
    outputs = packed(want.shape, dtype), packed(want.shape, "uint8")
    kernel = LOWERED[POOLED.name](Request(POOLED.name, shapes, outputs, params), target)
    assert kernel is not None
    got, index = np.full_like(want, 111), np.full(want.shape, 111, "uint8")
    run(kernel, target, [*arrays, got, index], (kernel.rows // 2,))
    seen = np.isfinite(got)
    assert seen[1:-1].all()
    assert np.isnan(got[0, 0, 1]).all()  # its block is all NaN in the image, so the last is taken
    assert (index[np.isnan(got)] == 3).all()
    close = {"float32": 2e-5, "float64": 2e-13}[dtype]
    np.testing.assert_allclose(got[seen], want[seen], rtol=close, atol=close * 30)
    plain = Op.table["conv"].forward(backends.numpy, x, w, **how) + (b if bias else 0)
    plain = np.maximum(plain, 0) if epilogue else plain
    n, h, v, o = np.indices(want.shape)
    at = plain[n, 2 * h + index // 2, 2 * v + index % 2, o]
    np.testing.assert_allclose(at[seen], want[seen], rtol=close, atol=close * 60)


def test_the_first_of_equal_ones() -> None:
    shape, target = (4, 10, 10, 16), TARGETS[-1]
    x, w = np.ones(shape, "float32"), np.zeros((3, 3, 16, 16), "float32")
    pool = {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0))}
    inputs = packed(x.shape, "float32"), packed(w.shape, "float32")
    y, index = np.full((4, 4, 4, 16), 111, "float32"), np.full((4, 4, 4, 16), 111, "uint8")
    outputs = packed(y.shape, "float32"), packed(y.shape, "uint8")
    params = {**hows(shape, {}), "pool": pool}
    kernel = LOWERED[POOLED.name](Request(POOLED.name, inputs, outputs, params), target)
    assert kernel is not None
    run(kernel, target, [x, w, y, index])
    assert not y.any()
    assert not index.any()


def steps_of(layers: list[Any], x: Tensor, learn: bool = True) -> tuple[list[Any], str]:
    """Losses and weights after two steps, eagerly and compiled, and the C."""
    found = []
    for compiled in (False, True):
        ag.seed(0)
        model = nn.Sequential([layer() for layer in layers])
        model(x)
        optimizer = nn.optim.SGD(model.parameters(), lr=0.05)

        def step(x: Tensor, model: Any = model, optimizer: Any = optimizer) -> Tensor:
            loss = (model(x) ** 2).mean()
            if learn:
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
            return loss

        run_step = jit(step) if compiled else step
        losses = [run_step(x).item() for _ in range(3)]
        found.append([losses, *[p.numpy().copy() for p in model.parameters()]])
    return found, run_step.source


PUT = ["conv_transpose_of_put", "conv_kernel_of_put"]


@pytest.mark.parametrize(
    ("layers", "drawn", "compact"),
    [
        ([lambda: nn.Conv2D(20, 3, activation="relu"), lambda: nn.MaxPool2D(2)], True, True),
        ([lambda: nn.Conv2D(20, 3), lambda: nn.MaxPool2D(3, strides=2)], False, True),
        ([lambda: nn.Conv2D(20, 3, padding="same"), lambda: nn.MaxPool2D(2), nn.ReLU], True, True),
        ([lambda: nn.Conv2D(20, 3), nn.Tanh, lambda: nn.MaxPool2D(2)], False, False),
        (
            [lambda: nn.Conv2D(20, 3), lambda: nn.MaxPool2D(3, strides=2, padding="same")],
            False,
            False,
        ),
        ([lambda: nn.Conv2D(20, 3), lambda: nn.MaxPool2D(3, strides=1)], False, False),
    ],
)
def test_who_gets_them(layers: list[Any], drawn: bool, compact: bool) -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((6, 12, 11, 3)).astype("float32"))
    first = lambda: nn.Conv2D(16, 3, activation="relu")  # noqa: E731
    (eager, native), source = steps_of([first, *layers, nn.Flatten, lambda: nn.Dense(4)], x)
    for a, b in zip(eager, native, strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-6)
    told = [op for op in ("conv_max_pool", *PUT) if op in source]
    assert told == [*["conv_max_pool"] * drawn, *PUT[: 2 * compact]]


def test_they_are_no_entries_of_the_table() -> None:
    assert {TO_IMAGE.name, TO_KERNEL.name, POOLED.name}.isdisjoint(Op.table)
