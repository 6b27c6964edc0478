"""Functions of `Value`s, compiled to a tape: the same numbers and gradients as without."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd import Value, grad, no_grad
from autograd.errors import DomainError, GraphError
from autograd.jit.build import BuildError
from autograd.jit.errors import CaptureError
from autograd.jit.scalar import ScalarProgram, machine
from autograd.node import Op
from nn import scalar
from tests.jit.harness import compiler

NATIVE = pytest.param(
    True, id="native", marks=pytest.mark.skipif(compiler() is None, reason="no C compiler")
)
both_ways = pytest.mark.parametrize("native", [NATIVE, pytest.param(False, id="numpy")])

SCALAR_OPS = sorted(
    (op for op in Op.table.values() if op.elementwise and op.name != "identity"),
    key=lambda op: op.name,
)


def close(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-300)


def eager(f: Callable[..., Any], args: Any, leaves: list[Value]) -> tuple[float, list[Any]]:
    """The value of a loss, and the gradients of the leaves."""
    for x in leaves:
        x.grad = None
    z = f(*args)
    z.backward()
    found = z.data, [x.grad for x in leaves]
    for x in leaves:
        x.grad = None
    return found


def check(f: Callable[..., Any], args: Any, leaves: list[Value], native: bool) -> ScalarProgram:
    """A program computes what the function does, twice over."""
    wanted = eager(f, args, leaves)
    program = ScalarProgram(f, args, native)
    for _ in range(2):
        found = eager(program.run, args, leaves)
        close(found[0], wanted[0])
        close([g or 0.0 for g in found[1]], [g or 0.0 for g in wanted[1]])
    return program


# --- every operation ---


class Sampler:
    """Every scalar op on eleven draws from its domain, with all its sample params: one program."""

    def __init__(self, native: bool) -> None:
        self.leaves = {op.name: self.draw(op, 1) for op in SCALAR_OPS}
        self.program = ScalarProgram(
            lambda: [self.apply(op, *self.leaves[op.name]) for op in SCALAR_OPS], (), native
        )

    def draw(self, op: Op, seed: int) -> tuple[list[Value], ...]:
        random.seed(f"{op.name} {seed}")
        domains: Any = (
            op.domain if isinstance(op.domain[0], tuple) else (op.domain,) * len(op.inputs)
        )
        return tuple([Value(random.uniform(*d)) for _ in range(11)] for d in domains)

    def apply(self, op: Op, *columns: list[Value]) -> Any:
        total = Value(0.0)
        for params in op.samples:
            for i, xs in enumerate(zip(*columns, strict=True)):
                total = total + (i + 1) * op.recorder(Value)(*xs, **params)
        return total


@pytest.fixture(scope="module", params=[NATIVE, pytest.param(False, id="numpy")])
def sampler(request: pytest.FixtureRequest) -> Sampler:
    return Sampler(request.param)


@pytest.mark.parametrize("place", range(len(SCALAR_OPS)), ids=[op.name for op in SCALAR_OPS])
def test_every_scalar_op_and_its_rules(sampler: Sampler, place: int) -> None:
    op = SCALAR_OPS[place]
    columns = sampler.leaves[op.name]
    leaves = [x for column in columns for x in column]
    for seed in (1, 2):
        for x, new in zip(leaves, (y for ys in sampler.draw(op, seed) for y in ys), strict=True):
            x.data = new.data
        wanted = eager(lambda: sampler.apply(op, *columns), (), leaves)
        found = eager(lambda: sampler.program.run()[place], (), leaves)
        close(found[0], wanted[0])
        close([g or 0.0 for g in found[1]], [g or 0.0 for g in wanted[1]])


@both_ways
def test_kinks_and_steps_have_the_gradients_of_eager(native: bool) -> None:
    leaves = [Value(x) for x in (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0)]

    def f() -> Any:
        z = Value(0.0)
        for x in leaves:
            z = z + x.relu() * 3 + x.abs() + x.clip(low=-0.5, high=1.0) * x.maximum(0.5)
            z = z + x.minimum(leaves[2]) * x.round() + (x > 0) * x + x.sign() + x.floor() * x.ceil()
            z = z + (x == 0.5) + ((x < 0) | (x >= 2)) * x - ((x > 0) & (x < 1)) * x % 0.3
        return z

    check(f, (), leaves, native)


@both_ways
@pytest.mark.parametrize("count", [5, 40])
def test_constant_exponents_few_and_many(count: int, native: bool) -> None:
    leaves = [Value(0.5 + i / 10) for i in range(count)]
    check(lambda: sum(x ** (i / 4 - 1) for i, x in enumerate(leaves)), (), leaves, native)


# --- networks and graphs ---


def moons_loss(model: Any, x: Any, y: Any) -> Any:
    scores = [model([Value(a), Value(b)]) for a, b in x]
    losses = [(1 + -yi * s).relu() for yi, s in zip(y, scores, strict=True)]
    return sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())


class Neuron(scalar.Neuron):
    """As micrograd writes it: a product and a sum for each input."""

    def __call__(self, x: Any) -> Value:
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        return act.relu() if self.nonlin else act


@both_ways
@pytest.mark.parametrize("neuron", [scalar.Neuron, Neuron], ids=["dot", "micrograd"])
def test_the_loss_of_moons(neuron: Any, native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalar, "Neuron", neuron)
    model = scalar.MLP(2, [7, 5, 1])
    draw = random.Random(0)
    x = [[draw.gauss(0, 1), draw.gauss(0, 1)] for _ in range(20)]
    y = [draw.choice([-1, 1]) for _ in x]
    program = check(lambda: moons_loss(model, x, y), (), model.parameters(), native)
    assert len(program.machine.groups[0].table) < 20
    wanted, gradients = eager(lambda: moons_loss(model, x, y), (), model.parameters())
    if native:  # to the last bit: no function but relu is in it
        assert eager(program.run, (), model.parameters()) == (wanted, gradients)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[float], list[tuple[str, int, int]]]:
    """Numbers for some leaves, and steps: an operation and two of the numbers before it."""
    leaves = draw(
        st.lists(st.floats(-3, 3).filter(lambda x: abs(x) > 0.01), min_size=1, max_size=6)
    )
    steps = []
    for i in range(draw(st.integers(1, 40))):
        earlier = st.integers(0, len(leaves) + i - 1)
        steps.append((draw(st.sampled_from(STEPS)), draw(earlier), draw(earlier)))
    return leaves, steps


UNARY = {"tanh", "sin", "relu", "sigmoid", "neg", "detach", "half", "next"}
STEPS = ["add", "add", "sub", "mul", "maximum", "less", *sorted(UNARY)]


def run_steps(leaves: list[Value], steps: list[tuple[str, int, int]]) -> list[Value]:
    found = list(leaves)
    for name, i, j in steps:
        x, y = found[i], found[j]
        if name == "half":
            z: Any = x * 0.5
        elif name == "next":
            z = x + 1
        elif name == "neg":
            z = -x
        elif name == "detach":
            z = x.detach()
        elif name in UNARY:
            z = getattr(x, name)()
        else:
            z = Op.table[name].recorder(Value)(x, y) * 1.0  # no bool: maximum would keep that
        found.append(z)
    return found


@both_ways
@settings(max_examples=60, deadline=None)
@given(graphs())
def test_random_graphs(native: bool, graph: tuple[list[float], list[tuple[str, int, int]]]) -> None:
    numbers, steps = graph
    leaves = [Value(x) for x in numbers]

    def f() -> list[Value]:
        found = run_steps(leaves, steps)
        every = run_steps([Value(0.5) * w], [(name, 0, 0) for name in STEPS])
        return [found[-1].tanh(), sum(found).tanh(), sum(every)]  # all ops: one library for all

    program = ScalarProgram(f, (), native)
    for shift in (0.0, 0.25):
        for x in leaves:
            x.data += shift
        wanted, found = f(), program.run()
        np.testing.assert_allclose(
            [z.data for z in found], [z.data for z in wanted], rtol=1e-12, atol=1e-12
        )
        for z, like in zip(found, wanted, strict=True):
            gradients = []
            for root in (like, z):
                for x in leaves:
                    x.grad = None
                if z.requires_grad:
                    root.backward()
                gradients.append([x.grad or 0.0 for x in leaves])
            # sums of gradients may cancel: what is exact there is the size of their terms
            np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-9, atol=1e-9)


@both_ways
def test_fan_out_and_leaves_used_twice(native: bool) -> None:
    a, b = Value(0.3), Value(-0.7)

    def f() -> Any:
        h = a * b + a
        return (h * h + h.tanh() + h * a + a * a * a) * (a + a) - (b - b * 2) / h

    check(f, (), [a, b], native)


@both_ways
def test_a_sum_of_very_many_terms(native: bool) -> None:
    x, steps = Value(1.0), 200_000

    def f() -> Any:
        y = x * 1
        for _ in range(steps):
            y = y + x
        return y

    program = ScalarProgram(f, (), native)
    y = program.run()
    y.backward()
    assert y.data == pytest.approx(1 + steps, rel=1e-9)
    assert x.grad == pytest.approx(1 + steps, rel=1e-9)


@both_ways
def test_a_long_chain_of_functions(native: bool) -> None:
    x = Value(0.5)

    def f() -> Any:
        y = x
        for _ in range(5_000):  # deeper than Python's own stack
            y = (y * 1.001 + 0.01).sin()
        return y

    check(f, (), [x], native)


# --- what changes between runs ---


@both_ways
def test_parameters_and_arguments_are_read_anew(native: bool) -> None:
    w = Value(2.0)

    def f(x: Any, pair: dict[str, Any]) -> Any:
        return (w * x + pair["a"]) * pair["b"][0]

    program = ScalarProgram(f, (3.0, {"a": Value(1.0), "b": [4.0]}), native)
    a = Value(10.0)
    w.data = 5.0
    z = program.run(7.0, {"a": a, "b": [2.0]})
    assert z.data == 90.0
    z.backward()
    assert (w.grad, a.grad) == (14.0, 2.0)


@both_ways
def test_an_argument_that_is_also_found_outside(native: bool) -> None:
    w = Value(2.0)
    program = ScalarProgram(lambda x, y: x * y * w, (Value(1.0), Value(1.0)), native)
    program.run(w, w).backward()
    assert w.grad == 12.0


@both_ways
def test_gradients_accumulate_and_flow_on(native: bool) -> None:
    w = Value(3.0)
    program = ScalarProgram(lambda x: x * x, (Value(1.0),), native)
    for expected in (12.0 * 2, 12.0 * 4):
        (program.run(w * 2) * 1.0).backward()  # 4 w²
        assert w.grad == expected


@both_ways
def test_an_older_result_has_its_own_gradient(native: bool) -> None:
    x = Value(2.0)
    program = ScalarProgram(lambda: x**3, (), native)
    old = program.run()
    x.data = 5.0
    new = program.run()
    old.backward()
    assert x.grad == 12.0
    new.backward()
    assert x.grad == 87.0


@both_ways
def test_numbers_become_values_inside(native: bool) -> None:
    w = Value(0.5)

    def f(rows: Any) -> Any:
        return sum(Value(x) * w for row in rows for x in row)

    program = ScalarProgram(f, ([[1.0, 2.0], [3.0, 4.0]],), native)
    z = program.run([[5.0, 6.0], [7.0, 8.0]])
    z.backward()
    assert (z.data, w.grad) == (13.0, 26.0)


@both_ways
def test_results_in_structures_of_any_kind(native: bool) -> None:
    x, y = Value(2.0), Value(3.0)
    program = ScalarProgram(
        lambda: {"z": (x * y, [x > y, x, "text", 7]), "none": None, "c": Value(4.0)}, (), native
    )
    found = program.run()
    assert found["z"][0].data == 6.0
    assert found["z"][1][0].data is False
    assert found["z"][1][2:] == ["text", 7]
    assert found["none"] is None
    assert found["c"].data == 4.0
    (found["z"][0] * found["z"][1][1]).backward()  # x² y
    assert (x.grad, y.grad) == (12.0, 4.0)


def test_no_backward_flows_where_none_may() -> None:
    x = Value(2.0)
    program = ScalarProgram(lambda: (x * x.detach(), x > 1), (), False)
    z, truth = program.run()
    z.backward()
    assert x.grad == 2.0
    with pytest.raises(GraphError, match="constant"):
        truth.backward()
    with no_grad():
        assert not program.run()[0].requires_grad

    def inside() -> Any:
        with no_grad():
            y = x * 3
        return y * x

    x.grad = None
    ScalarProgram(inside, (), False).run().backward()
    assert x.grad == 6.0


def test_a_leaf_that_needs_no_gradient_gets_none() -> None:
    x, fixed = Value(2.0), Value(3.0, requires_grad=False)
    ScalarProgram(lambda: x * fixed, (), False).run().backward()
    assert (x.grad, fixed.grad) == (3.0, None)


def test_results_can_be_differentiated_again() -> None:
    program = ScalarProgram(lambda x: (x**3, x * 2), (Value(1.0),), False)
    assert grad(lambda x: program.run(x)[0])(Value(2.0)).data == 12.0
    assert grad(grad(lambda x: program.run(x)[0] * program.run(x)[1]))(Value(2.0)).data == 96.0


def test_gradients_inside_of_the_function() -> None:
    x = Value(2.0)
    program = ScalarProgram(lambda: grad(lambda v: v**3)(x) + x, (), False)
    x.data = 3.0
    z = program.run()
    z.backward()
    assert (z.data, x.grad) == (30.0, 19.0)


def test_threads_may_share_a_program() -> None:
    program = ScalarProgram(lambda x: (x * x).tanh() * x, (Value(1.0),))
    wrong: list[float] = []

    def work(start: float) -> None:
        for i in range(100):
            x = Value(start + i / 100)
            z = program.run(x)
            z.backward()
            t = math.tanh(x.data**2)
            expected = t + 2 * x.data**2 * (1 - t * t)
            if abs(x.grad - expected) > 1e-9:
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(k / 4,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# --- backward inside ---


@both_ways
def test_backward_inside_is_a_part_of_each_run(native: bool) -> None:
    model = scalar.MLP(2, [4, 1])
    x, y = [[0.5, -1.0], [1.5, 0.2]], [1, -1]

    def step() -> Any:
        loss = moons_loss(model, x, y)
        model.zero_grad()
        loss.backward()
        return loss

    wanted = step().data, [p.grad for p in model.parameters()]
    program = ScalarProgram(step, (), native)
    for _ in range(2):
        for p in model.parameters():
            p.grad = 123.0
        close(program.run().data, wanted[0])
        close([p.grad for p in model.parameters()], wanted[1])
    for _ in range(3):
        for p in model.parameters():
            p.data -= 0.1 * p.grad
        assert program.run().data < wanted[0]


@both_ways
def test_backward_inside_adds_up_unless_forgotten(native: bool) -> None:
    a, b, c, unused = Value(2.0), Value(3.0), Value(4.0), Value(5.0)

    def f() -> None:
        (a * b).backward()
        b.grad = 0
        (a * b * c).backward(10.0)
        c.zero_grad()
        unused.zero_grad()

    program = ScalarProgram(f, (), native)
    assert program.run() is None
    a.grad = 1.0
    c.grad = unused.grad = 7.0
    b.grad = 100.0
    program.run()
    assert (a.grad, b.grad, c.grad, unused.grad) == (124.0, 80.0, None, None)


def test_a_leaf_reached_without_slope_gets_zero() -> None:
    x, y = Value(2.0), Value(3.0)

    def f() -> None:
        ((x > 1) * y).backward()

    ScalarProgram(f, (), False).run()
    assert (x.grad, y.grad) == (0.0, 1.0)


def test_backward_inside_ends_at_leaves() -> None:
    outside = Value(1.0) * 2

    def f(x: Any) -> None:
        (x * 3).backward()

    with pytest.raises(CaptureError, match="computed outside"):
        ScalarProgram(lambda: f(outside))
    program = ScalarProgram(f, (Value(1.0),), False)
    with pytest.raises(CaptureError, match="computed outside"):
        program.run(outside)


# --- what cannot be a program ---


w = Value(0.5, name="w")


def branch() -> Any:
    return w * 2 if w > 0 else w


def read_data() -> Any:
    return w * w.data


def read_float() -> Any:
    return w * math.sin(w)


def read_item() -> Any:
    return w * (w * 2).item()


def print_it() -> Any:
    return f"{w:.3f}"


def biggest() -> Any:
    return max(w, w * 2)


def assign() -> Any:
    w.data = 2.0


def descend() -> Any:
    (w * w).backward()
    w.data -= 0.1 * w.grad


def read_gradient() -> Any:
    (w * w).backward()
    return w * w.grad


def set_gradient() -> Any:
    w.grad = 3.0


def record_gradient() -> Any:
    (w * w).backward(create_graph=True)


@pytest.mark.parametrize(
    ("f", "told"),
    [
        (branch, "a condition"), (read_data, ".data reads"), (read_float, r"float\(\) reads"),
        (read_item, r"\.item\(\) reads"), (print_it, r"\.item\(\) reads"),
        (biggest, "a condition"), (assign, "given new data"), (descend, ".data reads"),
        (read_gradient, "the gradient of w"), (set_gradient, "the gradient of w"),
        (record_gradient, "create_graph"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_is_refused_with_its_line(f: Any, told: str) -> None:
    w.data, w.grad = 0.5, None
    line = f.__code__.co_firstlineno
    with pytest.raises(CaptureError, match=told) as caught:
        ScalarProgram(f)
    assert any(f"test_tape.py:{line + i}" in str(caught.value) for i in (1, 2))
    w.data, w.grad = 0.5, None  # nothing is watched any longer
    assert (w.data, float(w), bool(w)) == (0.5, 0.5, True)


def test_what_the_function_itself_wrote_down_may_be_looked_at() -> None:
    def f() -> Any:
        one = Value(1.0) * 2
        return w * 3 if one > 1.5 and float(one) == one.data else w

    assert ScalarProgram(f, (), False).run().data == 1.5


def test_only_the_thread_that_is_recorded_is_watched() -> None:
    seen: list[float] = []

    def look() -> None:
        x = Value(3.0)
        x.data = x.data + float(x)
        (x * 2).backward()
        seen.extend((x.data, x.grad))

    def f() -> Any:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return w * 2

    ScalarProgram(f, (), False)
    assert seen == [6.0, 2.0]


def test_other_kinds_of_numbers_and_arrays_are_refused() -> None:
    from fractions import Fraction

    with pytest.raises(CaptureError, match="Fraction"):
        ScalarProgram(lambda: Value(Fraction(1, 3)) * w, (), False)
    with pytest.raises(CaptureError, match="ndarray"):
        ScalarProgram(lambda x: x * w, (np.ones(3),), False)


# --- errors ---


@both_ways
def test_a_number_outside_the_domain_is_the_error_of_eager(native: bool) -> None:
    x = Value(2.0)
    program = ScalarProgram(lambda: x.log() + 1 / x, (), native)
    x.data = -1.0
    with pytest.raises(DomainError, match="log") as caught:
        program.run()
    assert "x  -1.0  test_tape.py" in str(caught.value)
    assert "test_tape.py" in caught.value.__notes__[0]
    x.data = math.inf
    assert program.run().data == math.inf


@both_ways
def test_a_power_that_is_not_real_is_the_error_of_eager(native: bool) -> None:
    x = Value(2.0)
    program = ScalarProgram(lambda: x**0.5, (), native)
    x.data = -1.0
    with pytest.raises(DomainError, match="no real power"):
        program.run()


@both_ways
def test_an_infinite_slope_is_the_error_of_eager(native: bool) -> None:
    x = Value(4.0)
    program = ScalarProgram(lambda: x.sqrt() * 2, (), native)
    x.data = 0.0
    z = program.run()
    with pytest.raises(DomainError, match="slope"):
        z.backward()


def test_the_source_is_the_same_for_tapes_with_the_same_functions() -> None:
    one = ScalarProgram(lambda: (w.tanh() + w.exp()) * 2, (), False)
    two = ScalarProgram(lambda: w.exp() * w.exp().tanh() + w, (), False)
    assert one.machine.source == two.machine.source
    assert "/* the gradient of tanh by x */" in one.machine.source


def test_without_a_compiler_numpy_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*args: Any, **kwargs: Any) -> Any:
        raise BuildError("there is no C compiler that works here")

    monkeypatch.setattr(machine, "build", none)
    x = Value(2.0)
    program = ScalarProgram(lambda: x * x)
    assert (program.machine.kind, program.run().data) == ("replay", 4.0)
    assert "no C compiler" in program.machine.reason
    with pytest.raises(BuildError):
        ScalarProgram(lambda: x * x, (), native=True)
