"""The trace says what the engine does: its gradients are those of `backward()`, for every op."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import SMOOTH, Case, tensors

import autograd
import nn
from autograd import GraphError, Tensor, Value, no_grad
from autograd.node import Op
from autograd.view import GraphTrace
from autograd.view.trace.formulas import PAPER, about
from autograd.view.trace.stats import histogram, stats
from nn import scalar

NUMBERS = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def table(told):
    """The elements of an array of which a trace has them all."""
    rows = [[NUMBERS.get(x, x) for x in row] for row in told.preview.values]
    return np.array(rows)


def mlp(*sizes: int) -> nn.Sequential:
    layers = [nn.Dense(n, activation="tanh") for n in sizes]
    return nn.Sequential(layers)


# --- the backward pass ------------------------------------------------------------------------


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradients_of_every_op_are_those_of_backward(case: Case) -> None:
    inputs = tensors(case.draw(), requires_grad=True)
    for i, x in enumerate(inputs):
        x.name = f"x{i}"
    loss = case(*inputs).sum()
    trace = GraphTrace.of(loss)
    assert all(x.grad is None for x in inputs)  # nothing was written
    loss.backward()
    for node in trace.nodes:
        if node.op or not node.requires_grad:
            continue
        expected = inputs[int(node.key[1:])].grad
        if expected is None:
            assert node.grad is None
            continue
        if not expected.shape:
            assert node.grad == pytest.approx(expected.item(), nan_ok=True)
            continue
        norm = np.linalg.norm(expected.numpy())
        assert node.grad.norm == pytest.approx(norm, rel=1e-5, nan_ok=True)
        if 0 < expected.size <= 1024:
            told = table(node.grad)
            np.testing.assert_allclose(told.ravel(), expected.numpy().ravel(), rtol=1e-5, atol=1e-9)


def test_contributions_add_up_to_the_gradient() -> None:
    a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    loss = (a * b + a * a).tanh() * a + a
    trace = GraphTrace.of(loss)
    sums: dict[int, float] = {}
    for event in trace.events:
        arriving = trace.nodes[event.node].grad
        for part in event.parts:
            assert part.value == pytest.approx(arriving * part.local)
            sums[part.input] = sums.get(part.input, 0) + part.value
            assert part.nth <= part.of
    loss.backward()
    assert {trace.nodes[i].key: s for i, s in sums.items() if not trace.nodes[i].op} == {
        "a": a.grad,
        "b": b.grad,
    }


def test_a_running_total_is_told_between_the_first_contribution_and_the_last() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    trace = GraphTrace.of((w * 2 + w * 3 + w * 4).sum())
    parts = [p for e in trace.events for p in e.parts if trace.nodes[p.input].key == "w"]
    assert [(p.nth, p.of) for p in parts] == [(1, 3), (2, 3), (3, 3)]
    assert [p.total is None for p in parts] == [True, False, True]
    assert table(parts[1].total).sum() == table(parts[0].value).sum() + table(parts[1].value).sum()


def test_events_are_in_the_order_of_backward_and_begin_at_the_root() -> None:
    trace = GraphTrace.of(mlp(4, 3, 1)(autograd.ones((5, 2))).sum())
    order = [event.node for event in trace.events]
    assert order[0] == trace.root
    assert order == sorted(order, reverse=True)


def test_a_hook_changes_the_gradient_that_is_told() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = x * 3
    y.register_hook(lambda g: g * 10)
    assert GraphTrace.of(y.sum()).node("x").grad.max == 30


def test_a_result_that_is_no_number_has_a_backward_pass_with_a_gradient_given() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = x * x
    told = GraphTrace.of(y)
    assert not told.events
    assert "is not one number" in told.notes[0]
    assert table(GraphTrace.of(y, [1.0, 10.0]).node("x").grad).tolist() == [[2, 40]]


@pytest.mark.parametrize("gradient", [0.0, 0.5, None])
def test_a_number_gets_the_gradient_that_is_given(gradient: float | None) -> None:
    a, b = Value(2, name="a"), Value(3, name="b")
    root = a * b
    told = GraphTrace.of(root, gradient).node("a").grad
    root.backward(gradient)
    assert told == a.grad == (1.0 if gradient is None else gradient) * 3


def test_where_there_is_no_backward_pass_a_note_says_why() -> None:
    x = Tensor([1.0], requires_grad=True, name="x")
    with no_grad():
        y = (x * 2).sum()
    assert "needs no gradient" in GraphTrace.of(y).notes[0]
    z = (x * x).sum()
    x.assign([5.0])
    trace = GraphTrace.of(z)
    assert not trace.events
    assert "was assigned new data at test_trace.py" in trace.notes[0]
    assert trace.nodes[0].key == "x"  # it still stands before its reader


def test_a_backward_pass_that_breaks_off_is_told_as_far_as_it_went() -> None:
    x = Value(0.0, name="x")
    trace = GraphTrace.of(x.sqrt() * 2)
    assert [trace.nodes[e.node].op for e in trace.events] == ["mul"]
    assert trace.notes == ["The backward pass ends early: float division by zero."]
    assert trace.node("x").grad is None


def test_a_freed_graph_is_refused_with_the_place_that_freed_it() -> None:
    loss = (Tensor([1.0], requires_grad=True) * 2).sum()
    loss.backward()
    with pytest.raises(GraphError, match=r"freed by the backward pass at test_trace.py:\d+"):
        GraphTrace.of(loss)


# --- what is told of nodes --------------------------------------------------------------------


def test_a_trace_is_a_snapshot() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    trace = GraphTrace.of((w * w).sum())
    before = trace.json()
    w.assign([9.0, 9.0])
    assert trace.json() == before


def test_keys_are_the_same_in_another_step_and_never_twice() -> None:
    model, x = mlp(8, 8, 1), autograd.ones((5, 3))
    first = GraphTrace.of(model(x).sum())
    for p in model.parameters():
        p.assign(p.numpy() * 2)
    second = GraphTrace.of(model(x).sum())
    keys = [node.key for node in first.nodes]
    assert keys == [node.key for node in second.nodes]
    assert len(set(keys)) == len(keys)
    assert {"0.weight", "1/0/affine#0", "2.bias"} <= set(keys)


def test_parts_that_compute_the_same_are_alike() -> None:
    gpt = nn.models.GPT(vocabulary=11, context=6, width=8, layers=4, heads=2)
    trace = GraphTrace.of(gpt(np.zeros((2, 6), int)).sum())
    blocks = [s.alike for s in trace.scopes if s.name == "TransformerBlock"]
    assert len(blocks) == 4
    assert len(set(blocks)) == 1
    dense = {s.path: s.alike for s in trace.scopes if s.name == "Dense"}
    assert dense["blocks.0.expand"] == dense["blocks.3.expand"] != dense["blocks.0.reduce"]


def test_a_call_in_a_loop_is_a_scope_per_call() -> None:
    dense = nn.Dense(3)
    x = autograd.ones((2, 3))
    model = nn.Sequential([dense, dense, dense])
    trace = GraphTrace.of(model(x).sum())
    calls = [s for s in trace.scopes if s.name == "Dense"]
    assert [s.key for s in calls] == ["0/0", "0/1", "0/2"]


def test_the_scalar_network_has_its_layers_and_names() -> None:
    model = scalar.MLP(2, [3, 1])
    out = model([Value(1.0), Value(2.0)])
    trace = GraphTrace.of(out)
    assert [s.path for s in trace.scopes] == ["", "layers.0", "layers.1"]
    assert trace.node("layers.0.neurons.2.w[1]").kind == "parameter"
    out.backward()
    assert {k: p.grad for k, p in model.named_parameters()} == {
        node.key: node.grad for node in trace.nodes if node.kind == "parameter"
    }


def test_lines_of_the_source_are_there() -> None:
    x = Tensor([1.0], requires_grad=True)
    squared = x * x  # this very line
    trace = GraphTrace.of(squared.sum())
    node = next(node for node in trace.nodes if node.name == "squared")
    label, line = node.where.split(":")
    excerpt = next(e for e in trace.sources[label] if e.first <= int(line) < e.first + len(e.lines))
    assert "this very line" in excerpt.lines[int(line) - excerpt.first]


def test_an_operation_with_several_results_has_parts() -> None:
    lstm = nn.LSTM(4)
    trace = GraphTrace.of(lstm(autograd.ones((2, 3, 5))).sum())
    several = next(node for node in trace.nodes if node.op == "lstm")
    assert several.parts == 3
    assert several.shape is several.data is None
    assert any(node.op == "part" for node in trace.nodes)
    assert any(trace.nodes[e.node].op == "lstm" for e in trace.events)


# --- as JSON ----------------------------------------------------------------------------------


def test_json_has_no_numbers_that_are_none() -> None:
    with np.errstate(all="ignore"):
        x = Tensor([0.0, -1.0, 1.0], requires_grad=True, name="x")
        trace = GraphTrace.of((x / 0).sum())
    told = json.loads(trace.json(), parse_constant=lambda name: pytest.fail(name))
    divided = next(node for node in told["nodes"] if node.get("op") == "div")
    assert (divided["data"]["nan"], divided["data"]["inf"]) == (1, 2)
    assert told["format"] == "glassgrad-trace"
    assert told["version"] == 1


def test_a_gradient_that_was_not_computed_is_not_zero() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    y = Tensor([1.0, 2.0], name="y")
    told = GraphTrace.of((x * y * 0).sum()).plain()
    nodes = {node["key"]: node for node in told["nodes"]}
    assert nodes["x"]["grad"]["norm"] == 0
    assert "grad" not in nodes["y"]


# --- statistics -------------------------------------------------------------------------------


def test_statistics_leave_out_what_is_not_finite() -> None:
    told = stats(np.array([3.0, np.nan, -4.0, np.inf, 0.0]))
    assert (told.norm, told.min, told.max, told.nan, told.inf, told.zeros) == (5, -4, 3, 1, 1, 0.2)


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_a_norm_neither_overflows_nor_vanishes(size: float) -> None:
    told = stats(np.array([3.0, 4.0]) * size)
    assert told.norm == pytest.approx(5 * size)
    assert told.std == pytest.approx(0.5 * size)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=50))
def test_a_histogram_counts_by_sign_and_power_of_two(xs: list[float]) -> None:
    told = histogram(np.array(xs, dtype="float64"))
    assert told.zero + sum(told.negative) + sum(told.positive) == len(xs)
    for i, (low, high) in enumerate(zip(told.negative, told.positive, strict=True)):
        k = told.first + i
        if -40 < k < 40:
            assert high == sum(2.0**k <= x < 2.0 ** (k + 1) for x in xs)
            assert low == sum(2.0**k <= -x < 2.0 ** (k + 1) for x in xs)


def test_a_preview_says_which_elements_it_shows() -> None:
    array = np.arange(60.0 * 40).reshape(2, 30, 40)
    told = stats(array, preview=64).preview
    flat = array.reshape(-1, 40)
    assert len(told.rows) * len(told.cols) <= 64
    assert (told.rows[0], told.rows[-1], told.cols[-1]) == (0, 59, 39)
    np.testing.assert_allclose(told.values, flat[np.ix_(told.rows, told.cols)])


TILES = {
    "a kernel": ((3, 3, 16, 32), (0, 1)),
    "a kernel of three channels": ((3, 3, 3, 16), (0, 1)),
    "images": ((64, 8, 8, 3), (1, 2)),
    "wide images": ((64, 8, 12, 1), (1, 2)),
    "channels first": ((16, 3, 3, 3), (2, 3)),
    "what pairs of a sequence see": ((2, 4, 8, 8), (2, 3)),
    "a batch of sequences": ((5, 9, 12), (1, 2)),
    "one image": ((28, 30, 3), (0, 1)),
}


@pytest.mark.parametrize("name", TILES)
def test_a_preview_of_many_axes_has_whole_tiles(name: str) -> None:
    shape, tile = TILES[name]
    array = np.random.default_rng(0).normal(size=shape)
    told = stats(array, preview=1024).preview
    assert (told.shape, told.tile) == (list(shape), list(tile))
    assert len(told.rows) * len(told.cols) <= 1024
    flat = array.reshape(-1, shape[-1])
    np.testing.assert_allclose(told.values, flat[np.ix_(told.rows, told.cols)], rtol=1e-5)
    seen = [np.unique(i) for i in np.unravel_index(told.rows, shape[:-1])] + [told.cols]
    assert np.prod([len(places) for places in seen]) == len(told.rows) * len(told.cols)
    for axis in tile:
        assert len(seen[axis]) == shape[axis]


@pytest.mark.parametrize("shape", [(7,), (7, 5), (2, 60, 40), (1, 1, 8), (2, 2, 2, 2, 2)])
def test_what_has_no_tiles_or_no_room_for_one_is_a_table(shape: tuple[int, ...]) -> None:
    told = stats(np.ones(shape), preview=1024).preview
    assert told.tile is None
    assert told.rows[-1] == np.prod(shape[:-1]) - 1


# --- formulas ---------------------------------------------------------------------------------


def test_formulas_are_the_ops_own_code() -> None:
    told = about(Op.table["tanh"])
    assert (told.formula, told.rules) == ("z = tanh(x)", ["g * (1 - z * z)"])
    assert about(Op.table["mul"]).rules == ["g * y", "g * x"]
    assert about(Op.table["where"]).rules[0] is None


def test_every_op_has_a_formula_and_a_rule_per_input() -> None:
    for op in Op.table.values():
        told = about(op)
        assert told.formula
        assert len(told.rules) == len(op.inputs), op.name


@pytest.mark.parametrize("name", ["matmul", "affine", "power", "clip", "mean"])
def test_what_textbooks_write_is_what_the_rules_compute(name: str) -> None:
    op = Op.table[name]
    case = next(c for c in SMOOTH if c.op is op and all(len(s) in (1, 2) for s in c.specs)
                and len(c.specs[0]) == 2)  # fmt: skip
    arrays = case.draw()
    z = op.forward(np, *arrays, **case.params)
    g = np.random.default_rng(0).normal(size=np.shape(z))
    names = dict(zip(op.inputs, arrays, strict=True)) | case.params | {"g": g, "z": z}
    space = {"sum": np.sum, "where": np.where, "size": np.size}
    inputs = tensors(arrays, requires_grad=True)
    found = autograd.vjp(lambda *xs: op(*xs, **case.params), *inputs)[1](Tensor(g, dtype="float64"))
    for text, gradient in zip(PAPER[name], found, strict=True):
        told = np.broadcast_to(eval(text, space, names), gradient.shape)
        np.testing.assert_allclose(told, gradient.numpy(), rtol=1e-10)
