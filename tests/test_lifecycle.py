"""Memory, depth, threads and tasks: what a graph holds, when it goes, and what stays apart."""

import asyncio
import gc
import sys
import threading
import time
import tracemalloc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import autograd
import backends
from autograd import Tensor, Value, checkpoint, grad, jvp, no_grad, value_and_grad
from autograd.node import history

# --- depth ---


def chain(x, n):
    for _ in range(n):
        x = x + 1.0
    return x


LENGTHS = [20_000, pytest.param(1_000_000, marks=pytest.mark.slow)]


@pytest.fixture
def usual_recursion_limit():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # Python's default, which other tools may have raised
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("kind", ["Value", "Tensor"])
def test_a_long_chain_records_differentiates_and_frees(kind, n):
    x = Value(1.0) if kind == "Value" else Tensor([1.0], requires_grad=True, dtype="float64")
    y = chain(x, n)
    assert y.item() == n + 1.0
    middle = weakref.ref(y.inputs[0])
    y.backward()
    assert float(x.grad) == 1.0
    del y
    assert middle() is None


@pytest.mark.usefixtures("usual_recursion_limit")
@pytest.mark.parametrize("kind", ["Value", "Tensor"])
def test_a_long_chain_frees_without_backward_and_to_second_order(kind):
    x = Value(1.0) if kind == "Value" else Tensor([1.0], requires_grad=True)
    y = chain(x, 20_000)
    last = weakref.ref(y)
    del y
    assert last() is None
    (chain(x, 5_000) * x).backward(create_graph=True)
    g, x.grad = x.grad, None
    g.backward()
    assert float(x.grad) == 2.0


# --- nothing is left to the cycle collector ---


W = np.random.default_rng(0).normal(size=(4, 4)).astype("float32")


def tensor_step():
    w, b = Tensor(W, requires_grad=True), Tensor(W[0], requires_grad=True)
    hidden = ((w @ w + b).relu() @ w)[1:, [0, 2]].softmax()
    loss = (autograd.concatenate([hidden, hidden * 2]).log().mean() - hidden.max()).exp()
    loss.backward()
    with no_grad():
        w -= 0.1 * w.grad
    w.zero_grad()


def value_step():
    ws = [Value(0.1 * i) for i in range(5)]
    loss = sum((w * 2 + 1).tanh() ** 2 for w in ws).relu()
    loss.backward()
    for w in ws:
        w.grad = None


def retained_step():
    w = Tensor(W, requires_grad=True)
    hidden = (w @ w).tanh()
    hidden.sum().backward(retain_graph=True)
    assert hidden.grad is not None


def recorded_step():
    w, v = Tensor(W, requires_grad=True), Value(2.0)
    ((w @ w).tanh() * 2).exp().sum().backward(create_graph=True)
    ((v * v).tanh() * 2).exp().backward(create_graph=True)
    w.zero_grad(), v.zero_grad()  # else they hold gradients that hold them


def second_order_step():
    w = Tensor(W, requires_grad=True)
    (w @ w).tanh().sum().backward(create_graph=True)
    penalty = (w.grad * w.grad).sum()
    w.zero_grad()
    penalty.backward()


def second_order_value_step():
    a, b = Value(2.0), Value(3.0)
    (a * b).tanh().backward(create_graph=True)
    penalty = a.grad * a.grad
    a.grad = b.grad = None
    penalty.backward()


def hooked_step():
    seen = []
    w = Tensor(W, requires_grad=True)
    hidden = (w @ w).tanh()
    hidden.register_hook(seen.append)
    remove = w.register_hook(lambda g: g * 2)
    hidden.retain_grad()
    hidden.sum().backward()
    remove()
    assert len(seen) == 1


def functional_step():
    w = Tensor(W, requires_grad=True)
    f = lambda w: (w @ w).tanh().sum()  # noqa: E731
    value_and_grad(f)(w)
    grad(lambda w: (grad(f)(w) ** 2).sum())(w)
    jvp(f, w, w.detach())
    checkpoint(f, w).backward()


def failing_step():
    w = Tensor(W, requires_grad=True)
    loss = (w @ w).sum()
    loss.backward()
    for backward, kind in (
        (loss.backward, autograd.GraphError),  # a second time
        ((Value(0.0) * 2).sqrt().backward, ArithmeticError),  # its slope at 0 is infinite
    ):
        try:
            backward()
        except kind:
            continue
        raise AssertionError("this backward pass must fail")


STEPS = [
    tensor_step, value_step, retained_step, recorded_step, second_order_step,
    second_order_value_step, hooked_step, functional_step, failing_step,
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_step_leaves_nothing_to_the_cycle_collector(step):
    for _ in range(2):
        step()  # what is made once, such as generated code, is not what is counted
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(50):
            step()
        unreachable = gc.collect()
        grown = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert unreachable == 0
    assert grown < 25  # the interpreter and other threads make some; one a step would be fifty


def test_the_count_of_cycles_can_see_one():
    w = Tensor(W, requires_grad=True)
    (w * w).sum().backward(create_graph=True)
    gc.collect()
    gc.disable()
    try:
        del w  # its recorded gradient holds it: the one cycle that a user can make
        assert gc.collect() > 0
    finally:
        gc.enable()


# --- memory ---


MEGABYTE = 2**20


def test_memory_falls_as_backward_proceeds():
    x = Tensor(np.full(MEGABYTE // 4, 0.5, "float32"), requires_grad=True)
    held = []

    def look(g):
        held.append(tracemalloc.get_traced_memory()[0] / MEGABYTE)

    tracemalloc.start()
    y = x
    for i in range(20):
        y = y.sin()
        if i in (1, 10, 19):
            y.register_hook(look)
    loss = y.sum()
    del y
    loss.backward()
    tracemalloc.stop()
    at_end, half_way, at_start = held
    assert at_end > 19
    assert half_way < 15
    assert at_start < 7


def test_memory_falls_with_only_some_gradients_wanted():
    x = Tensor(np.full(MEGABYTE // 4, 0.5, "float32"), requires_grad=True)
    held = []
    tracemalloc.start()
    y = x.sin()
    y.register_hook(lambda g: held.append(tracemalloc.get_traced_memory()[0] / MEGABYTE))
    for _ in range(20):
        y = y.sin()
    loss = y.sum()
    del y
    autograd.gradients(loss, x)
    tracemalloc.stop()
    assert held[0] < 7


def test_no_grad_holds_nothing():
    x = Tensor(np.ones(1000), requires_grad=True)
    with no_grad():
        y = x.sin()
        inner = weakref.ref(y)
        y = y.sin()
    assert inner() is None
    assert len(history(y)) == 1


def test_a_freed_graph_keeps_no_data():
    x = Tensor(np.ones(1000), requires_grad=True)
    hidden = x.sin()
    seen = weakref.ref(hidden.raw.base if hidden.raw.base is not None else hidden.raw)
    loss = hidden.sum()
    del hidden
    loss.backward()
    assert seen() is None
    assert loss.item() > 0


# --- threads, tasks, generators ---


def test_no_grad_and_backend_stay_in_their_thread():
    x = Tensor([1.0], requires_grad=True)
    entered, leave = threading.Event(), threading.Event()
    seen = {}

    def other():
        with no_grad(), backends.using("strict"):
            entered.set()
            leave.wait(10)
            seen["other"] = ((x * 1).requires_grad, backends.current().name)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10)
    assert (x * 1).requires_grad
    assert backends.current().name == "numpy"
    with no_grad():  # and the other way round: closed here, still open there
        pass
    leave.set()
    thread.join()
    assert seen["other"] == (False, "strict")
    assert (x * 1).requires_grad


def test_one_decorated_function_in_many_threads():
    x = Tensor([1.0], requires_grad=True)
    meet = threading.Barrier(4)

    @no_grad()
    def off(i):
        meet.wait(10)  # all inside at once
        time.sleep(0.002 * i)  # and out in another order
        return (x * 1).requires_grad

    with ThreadPoolExecutor(4) as pool:
        assert not any(pool.map(off, [3, 1, 2, 0]))
        assert all(pool.map(lambda _: (x * 1).requires_grad, range(8)))


def test_no_grad_and_backend_stay_in_their_task():
    x = Tensor([1.0], requires_grad=True)

    async def quiet(started, go_on):
        with no_grad(), backends.using("strict"):
            started.set()
            await go_on.wait()
            return (x * 1).requires_grad, backends.current().name

    async def main():
        started, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(started, go_on))
        await started.wait()
        here = (x * 1).requires_grad, backends.current().name
        go_on.set()
        return here, await task

    assert asyncio.run(main()) == ((True, "numpy"), (False, "strict"))


def test_an_abandoned_generator_does_not_switch_recording_off():
    x = Tensor([1.0], requires_grad=True)

    @no_grad()
    def batches():
        while True:
            yield (x * 1).requires_grad

    source = batches()
    assert next(source) is False
    del source
    assert (x * 1).requires_grad


def train(seed):
    rng = np.random.default_rng(seed)
    x, y = Tensor(rng.normal(size=(64, 10))), Tensor(rng.integers(0, 3, 64))
    w1 = Tensor(rng.normal(size=(10, 32)), requires_grad=True)
    w2 = Tensor(rng.normal(size=(32, 3)), requires_grad=True)
    v = Value(0.5)
    for _ in range(20):
        loss = autograd.softmax_cross_entropy((x @ w1).tanh() @ w2, y).mean()
        loss.backward()
        (v.sin() * v).backward()
        with no_grad():
            for w in (w1, w2):
                w -= 0.1 * w.grad
                w.zero_grad()
    return loss.item(), w1.numpy().tobytes(), w2.numpy().tobytes(), v.grad


def test_eight_threads_give_the_bits_of_one():
    expected = [train(seed) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(train, range(8))) == expected


def test_shared_weights_in_many_threads():
    w = Tensor(W, requires_grad=True)
    f = value_and_grad(lambda w, x: ((w @ x).tanh() ** 2).sum())
    inputs = [Tensor(W * i) for i in range(8)]
    expected = [f(w, x)[1].tolist() for x in inputs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda x: f(w, x)[1].tolist(), inputs)) == expected
    assert w.grad is None
