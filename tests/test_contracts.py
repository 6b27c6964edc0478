"""What every operation owes the engine, tested for each entry of the table.

It writes into nothing that it is given; a graph leaves nothing to the cycle collector and keeps
nothing alive; a leaf that is assigned before its gradient is taken is told; a gradient can be
differentiated again in single precision, recorded, checkpointed or forwards.
"""

from __future__ import annotations

import builtins
import dis
import gc
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from op_cases import CASES, SMOOTH, Case, tensors

import backends
from autograd import Tensor, checkpoint, jvp
from autograd.errors import GraphError
from autograd.node import RESERVED, Op, _data_read, history
from autograd.operators import recorded
from autograd.record import pull

by_case = pytest.mark.parametrize("case", CASES, ids=str)
by_smooth_case = pytest.mark.parametrize("case", SMOOTH, ids=str)
xp = backends.get("numpy")


def _tuple(z: Any) -> tuple[Any, ...]:
    return z if isinstance(z, tuple) else (z,)


def frozen(array: Any) -> Any:
    """A copy that cannot be written to."""
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


# --- nothing that is given is written to ---


def _ruled(case: Case, g: Any, result: Any, arrays: list[Any]) -> tuple[Any, ...]:
    """What the rules of an op make of raw data."""
    params = {**case.op.params, **case.params}
    if case.op.joint is not None:
        return case.op.joint(g, result, *arrays, **params)
    return tuple([rule(g, result, *arrays, **params) for rule in case.op.rules if rule])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@by_case
def test_forwards_and_rules_write_into_nothing_they_are_given(case: Case, dtype: str) -> None:
    arrays = [frozen(a) for a in case.draw(dtype)]
    params = {**case.op.params, **case.params}
    raw = case.op.forward(xp, *arrays, **params)
    result = tuple([frozen(r) for r in raw]) if isinstance(raw, tuple) else frozen(raw)
    if not case.op.differentiable:
        return
    outputs = _tuple(result)[: len(case.op.outputs) or 1]
    random = np.random.default_rng(1)
    gs = tuple([frozen(random.normal(size=r.shape).astype(r.dtype)) for r in outputs])
    found = _ruled(case, gs if case.op.outputs else gs[0], result, arrays)
    assert any(gx is not None for gx in found)


VIEWS = "reshape transpose broadcast_to flip getitem einsum identity detach".split()
"""Ops whose result may be the memory of an input; what they keep would have to be copied."""


@by_case
def test_results_that_are_views_are_known(case: Case) -> None:
    arrays = case.draw()
    params = {**case.op.params, **case.params}
    for z in _tuple(case.op.forward(xp, *arrays, **params)):
        assert case.op.name in VIEWS or not any(np.may_share_memory(z, a) for a in arrays)


# --- memory ---


@contextmanager
def _no_collector() -> Iterator[None]:
    gc.freeze()  # what is there already takes no time to look at
    gc.disable()
    try:
        yield
        assert gc.collect() == 0, "cycles are left over"
    finally:
        gc.enable()
        gc.unfreeze()


def _curved(z: Tensor) -> Tensor:
    """A loss whose gradient depends on z; what stands for log 0 cannot be squared."""
    return (z * z.clip(-1e3, 1e3) * 0.5).sum()


@pytest.mark.parametrize("how", ["plain", "retain_graph", "create_graph"])
@by_smooth_case
def test_graphs_free_themselves(case: Case, how: str) -> None:
    arrays = case.draw()
    case(*tensors(arrays))  # what is written on first use is kept
    with _no_collector():
        xs = tensors(arrays, requires_grad=True)
        z = case(*xs)
        inner = [weakref.ref(node) for node in history(z) if node.op is not None]
        _curved(z).backward(**({} if how == "plain" else {how: True}))
        del z
        if how == "create_graph":  # the leaves' gradients lead back to it
            for x in xs:
                x.zero_grad()
        assert all(ref() is None for ref in inner)


def test_what_an_op_keeps_is_freed_though_one_of_its_results_lives_on() -> None:
    lstm = Op.table["lstm"]
    x = Tensor(np.ones((2, 3, 2)), requires_grad=True)
    weights = [Tensor(np.ones(s)) for s in ((2, 8), (2, 8), (8,), (2, 2), (2, 2))]
    y, _, c = lstm(x, *weights)
    gates = weakref.ref(c.inputs[0].raw[4])
    y.sum().backward()
    assert gates() is None
    assert c.shape == (2, 2)


# --- data that was assigned ---


def test_what_a_rule_reads_is_read_off_its_code() -> None:
    def rule(g: Any, z: Any, x: Any, y: Any) -> Any:
        twice = g * 2  # a store and a load, which Python 3.13 makes one instruction
        return x * twice + y.ndim

    assert _data_read(rule, ["result", "x", "y"]) == {"x"}


@by_smooth_case
def test_a_gradient_is_right_or_says_that_an_input_was_assigned(case: Case) -> None:
    arrays = case.draw()
    for i, array in enumerate(arrays):
        role = case.op.inputs[min(i, len(case.op.inputs) - 1)]
        plain, xs = tensors(arrays, requires_grad=True), tensors(arrays, requires_grad=True)
        y, z = case(*plain), case(*xs)
        if not (z.requires_grad and z.size and array.size):
            continue
        g = Tensor(np.random.default_rng(1).normal(size=z.shape))
        y.backward(g)
        xs[i].assign(array * 1.1 + 0.01 if array.dtype.kind == "f" else array[::-1].copy()
                     if array.ndim else array)  # fmt: skip
        if role in case.op.saves:
            with pytest.raises(GraphError, match="assigned new data"):
                z.backward(g)
            continue
        with suppress(GraphError):  # it is a view of its input
            z.backward(g)
            for x, expected in zip(xs, plain, strict=True):
                if expected.grad is not None:
                    np.testing.assert_array_equal(x.grad.raw, expected.grad.raw)


# --- derivatives of second order, each way to them ---


def _loss_of(case: Case, dtype: str) -> tuple[Any, list[Any], list[Any]]:
    """A case as a function of its floats to a number; a point for it, and a direction."""
    arrays = case.draw(dtype, seed=2)
    places = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    random = np.random.default_rng(3)

    def f(*points: Tensor) -> Tensor:
        inputs: list[Any] = tensors(arrays)
        for i, point in zip(places, points, strict=True):
            inputs[i] = point
        return _curved(case(*inputs))

    points = [Tensor(arrays[i], dtype=dtype, requires_grad=True) for i in places]
    return f, points, [Tensor(random.normal(size=p.shape), dtype=dtype) for p in points]


def _derivatives(case: Case, dtype: str, wrap: Any = lambda f, *points: f(*points)) -> list[Any]:
    """First derivatives, the slope in a direction, and its own derivatives."""
    f, points, directions = _loss_of(case, dtype)
    wrap(f, *points).backward(create_graph=True)
    first = [p.grad for p in points]
    for p in points:
        p.zero_grad()
    slopes = [(g * v).sum() for g, v in zip(first, directions, strict=True) if g is not None]
    slope = sum(slopes[1:], slopes[0])
    if slope.requires_grad:
        slope.backward()
    found = [*first, slope, *[p.grad for p in points]]
    assert {str(g.dtype) for g in found if g is not None} == {dtype}
    return [np.zeros(()) if g is None else g.numpy() for g in found]


@by_smooth_case
def test_gradients_of_gradients_recorded_and_checkpointed(case: Case) -> None:
    exact = _derivatives(case, "float64")
    for got, want in zip(_derivatives(case, "float64", checkpoint), exact, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    for got, want in zip(_derivatives(case, "float32"), exact, strict=True):
        scale = np.abs(want).max(initial=1.0)
        np.testing.assert_allclose(got / scale, want / scale, rtol=2e-3, atol=2e-4)


@by_smooth_case
def test_derivatives_forwards(case: Case) -> None:
    f, points, directions = _loss_of(case, "float64")
    _, slope = jvp(f, tuple(points), tuple(directions))
    first = _derivatives(case, "float64")[: len(points)]
    expected = sum((g * v.numpy()).sum() for g, v in zip(first, directions, strict=True))
    np.testing.assert_allclose(slope.item(), expected, rtol=1e-8, atol=1e-10)


# --- threads ---


def test_threads_share_nothing() -> None:
    names = ("conv", "max_pool", "lstm", "attention", "layer_norm", "batch_norm", "svd")
    chosen = [case for case in SMOOTH if case.op.name in names]
    alone = [_derivatives(case, "float64") for case in chosen]
    together: list[list[Any]] = [[] for _ in range(4)]

    def work(found: list[Any]) -> None:
        found.extend(_derivatives(case, "float64") for case in chosen)

    threads = [threading.Thread(target=work, args=(found,)) for found in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in together:
        for got, want in zip(found, alone, strict=True):
            for g, w in zip(got, want, strict=True):
                np.testing.assert_allclose(g, w, rtol=1e-12, atol=1e-14)


# --- names that generated code uses ---


@pytest.mark.parametrize("name", ["z", "raw", "state", "frame", "xp", "op", "x_"])
def test_an_argument_cannot_have_a_name_of_the_generated_code(name: str) -> None:
    made: dict[str, Any] = {}
    exec(f"def clash(space, {name}): return {name}", made)
    exec(f"def clash_param(space, x, *, {name}): return x", made)
    for forward in (made["clash"], made["clash_param"]):
        with pytest.raises(ValueError, match=f"called '{name}'"):
            Op(forward)
    assert "clash" not in Op.table


def _own_names(function: Any) -> set[str]:
    """The variables that a function's code reads or writes."""
    kinds = ("FAST", "GLOBAL", "DEREF", "CLOSURE")
    steps = dis.get_instructions(function)
    read = [s.argval for s in steps if any(kind in s.opname for kind in kinds)]
    return {name for x in read for name in (x if isinstance(x, tuple) else (x,))}


@pytest.mark.parametrize("op", [*Op.table.values()], ids=lambda op: op.name)
def test_the_generated_code_uses_no_other_names(op: Op) -> None:
    given = {*op.inputs, *op.params}
    allowed = RESERVED | given | {f"{x}_" for x in given} | {f"{x}_rule" for x in given}
    written = [recorded(op)]
    if op.joint is None:
        written.append(pull(op, "array", sum_to=None, check_fresh=None))
    for function in written:
        assert _own_names(function) - set(dir(builtins)) <= allowed
