"""The backward pass: what it adds where, what it frees, and what it refuses."""

import asyncio

import numpy as np
import pytest

import autograd
from autograd import GraphError, ShapeError, Tensor, Value, enable_grad, no_grad
from autograd.node import history


def leaf(*data, **options):
    return Tensor(list(data), requires_grad=True, **options)


# --- what is added where ---


def test_leaves_add_up_until_zeroed():
    x = leaf(1.0, 2.0)
    for n in (1, 2, 3):
        (x * x).sum().backward()
        assert x.grad.tolist() == [2.0 * n, 4.0 * n]
    x.zero_grad()
    assert x.grad is None


def test_grad_can_be_set_and_is_checked():
    x = leaf(1.0, 2.0)
    x.grad = [5.0, 5.0]
    (x * 2).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]
    with pytest.raises(ShapeError, match="gradient of its own shape"):
        x.grad = [1.0]


def test_computed_tensors_get_a_gradient_only_where_the_graph_is_kept():
    x = leaf(1.0, 2.0)
    h = x * x
    h.sum().backward()
    assert h.grad is None
    h = x * x
    y = (h * 3).sum()
    for _ in range(2):  # anew each time, not added up
        y.backward(retain_graph=True)
        assert h.grad.tolist() == [3.0, 3.0]
    assert y.grad.item() == 1.0


def test_retain_grad_keeps_one():
    x = leaf(1.0, 2.0)
    h, k = x * x, x * 3
    h.retain_grad()
    (h * k).sum().backward()
    assert h.grad.tolist() == [3.0, 6.0]
    assert k.grad is None


def test_values_keep_their_graph_and_start_computed_gradients_anew():
    a, b = Value(2.0), Value(-3.0)
    c = a * b
    d = c * c + a
    d.backward()
    assert (d.grad, c.grad, a.grad, b.grad) == (1.0, -12.0, 37.0, -24.0)
    d.backward()
    assert (d.grad, c.grad, a.grad, b.grad) == (1.0, -12.0, 74.0, -48.0)


@pytest.mark.parametrize("make", [lambda x: leaf(x), Value])
def test_diamonds_and_the_same_input_twice(make):
    x = make(3.0)
    a = x * x  # the same input twice
    b = a + a  # and again, computed
    c = a * b  # 2 x⁴, by two paths
    (c + x).sum().backward() if isinstance(c, Tensor) else (c + x).backward()
    g = x.grad.item() if isinstance(x, Tensor) else x.grad
    assert g == 8 * 27 + 1


def test_a_deep_net_of_diamonds_visits_each_node_once():
    x = y = leaf(1.0)
    for _ in range(64):
        y = (y + y) * 0.5
    y.sum().backward()  # 2⁶⁴ paths
    assert x.grad.item() == 1.0


def test_a_gradient_can_be_given():
    x = leaf(1.0, 2.0)
    (x * x).backward(Tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]
    x.zero_grad()
    (x * x).backward([0.0, 1.0])
    assert x.grad.tolist() == [0.0, 4.0]


def test_backward_of_a_leaf():
    x = Tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_what_needs_no_gradient_gets_none():
    x, data = leaf(1.0, 2.0), Tensor([3.0, 4.0])
    (x * data + 1).sum().backward()
    assert data.grad is None
    frozen = leaf(1.0).requires_grad_(False)
    (x[0] * frozen).sum().backward()
    assert frozen.grad is None


def test_detach_cuts():
    x = leaf(3.0)
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [3.0]


def test_history_is_newest_first_and_topological():
    x = leaf(1.0)
    y = (x * 2 + x.exp()).sum()
    nodes = history(y)
    assert [n.order for n in nodes] == sorted((n.order for n in nodes), reverse=True)
    place = {n: i for i, n in enumerate(nodes)}
    assert all(place[n] < place[i] for n in nodes for i in n.inputs)
    assert nodes[0] is y
    assert x in place


# --- freed graphs ---


def test_a_second_backward_names_both_places():
    x = leaf(1.0)
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(GraphError, match=r"freed by the backward pass at test_reverse.py:\d+") as e:
        loss.backward()
    assert "loss  () float32" in str(e.value)
    assert "retain_graph=True" in str(e.value)
    assert x.grad.tolist() == [2.0]


def test_a_shared_part_is_freed_with_the_first_result():
    x = leaf(1.0)
    h = x * x
    a, b = (h * 2).sum(), (h * 3).sum()
    a.backward()
    with pytest.raises(GraphError, match=r"(?s)h  .*is needed a second time"):
        b.backward()


def test_retain_graph_allows_more():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [6.0]
    with pytest.raises(GraphError, match="freed"):
        y.backward()


def test_create_graph_goes_to_any_order():
    x = leaf(2.0)
    (x**4).sum().backward(create_graph=True)
    g = x.grad
    for expected in (48.0, 48.0, 24.0, 0.0):  # 12 x², 24 x, 24, 0
        x.zero_grad()
        g.sum().backward(create_graph=True)
        g = x.grad
        assert g.tolist() == [expected]
        if not g.requires_grad:
            break
    v = Value(2.0)
    (v**4).backward(create_graph=True)
    g, v.grad = v.grad, None
    assert g.data == 32.0
    g.backward(create_graph=True)
    assert v.grad.data == 48.0


# --- hooks ---


def test_hooks_see_and_replace():
    x = leaf(1.0, 2.0)
    h = x * x
    seen = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    h.register_hook(lambda g: g * 10)
    remove = x.register_hook(lambda g: seen.append(g.tolist()))
    (h * 3).sum().backward()
    assert seen == [[3.0, 3.0], [60.0, 120.0]]
    assert x.grad.tolist() == [60.0, 120.0]
    remove()
    (x * 1).sum().backward()
    assert len(seen) == 2


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(1.0)
    calls = []
    x.register_hook(calls.append)
    (x * 2 + x * 3).sum().backward()
    assert [g.tolist() for g in calls] == [[5.0]]


def test_hooks_are_recorded_with_create_graph():
    x = leaf(3.0)
    h = x * 1
    h.register_hook(lambda g: g * x)
    h.sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    g.sum().backward()
    assert (g.tolist(), x.grad.tolist()) == ([3.0], [1.0])


def test_a_hook_must_keep_the_shape():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ShapeError, match=r"hook: returned a gradient of shape \(\) for x"):
        (x * 2).sum().backward()


def test_an_exception_in_a_hook_leaves_everything_usable():
    x = leaf(1.0)
    h = x * x

    def fails(g):
        raise ZeroDivisionError

    remove = h.register_hook(fails)
    y = h.sum()
    with pytest.raises(ZeroDivisionError):
        y.backward(retain_graph=True)
    assert (x * 2).requires_grad  # recording is on again
    remove()
    y.backward()
    assert x.grad.tolist() == [2.0]


# --- stale data ---


def assigned(x):
    x.assign([5.0, 5.0])


@pytest.mark.parametrize(
    "compute",
    [
        lambda x, w: x * w,
        lambda x, w: (x * 2) * w,
        lambda x, w: x.T @ w,
        lambda x, w: x.reshape(2, 1) * w,  # a view of x's memory
        lambda x, w: x[:] * w,
        lambda x, w: x.exp() + x.sin(),
    ],
)
def test_data_assigned_before_backward_is_found(compute):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = compute(x, w).sum()
    assigned(x)
    with pytest.raises(GraphError) as error:
        y.backward()
    message = str(error.value)
    assert "x  (2,)" in message
    assert "was assigned new data at test_reverse.py:" in message
    assert "Call backward before assigning" in message


def test_stale_data_is_found_where_it_needs_no_gradient_itself():
    w, data = leaf(3.0, 4.0), Tensor([1.0, 2.0])
    y = (data * w).sum()
    data.assign([9.0, 9.0])
    with pytest.raises(GraphError, match="was assigned new data"):
        y.backward()


def test_data_that_no_rule_reads_may_be_assigned():
    x = leaf(1.0, 2.0)
    y = ((x + 1) * 3).sum() + (5 - x).sum()
    assigned(x)
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


# --- no_grad and enable_grad ---


def test_nesting():
    x = leaf(1.0)

    def records():
        return (x * 1).requires_grad

    assert records()
    with no_grad():
        assert not records()
        with enable_grad():
            assert records()
            with no_grad():
                assert not records()
            assert records()
        assert not records()
    assert records()


def test_an_exception_restores_recording():
    x = leaf(1.0)
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert (x * 1).requires_grad


def test_decorators():
    x = leaf(1.0)

    @no_grad()
    def off(n):
        """Doc."""
        assert not (x * 1).requires_grad
        return n if n == 0 else off(n - 1)

    @enable_grad()
    def on():
        return (x * 1).requires_grad

    assert off(3) == 0
    assert (off.__name__, off.__doc__) == ("off", "Doc.")
    with no_grad():
        assert on()
        assert not (x * 1).requires_grad
    assert (x * 1).requires_grad


def test_a_decorated_generator_is_covered_at_every_step_and_leaks_nothing():
    x = leaf(1.0)
    log = []

    @no_grad()
    def steps(n):
        try:
            for i in range(n):
                try:
                    sent = yield (i, (x * 1).requires_grad)
                    log.append((sent, (x * 1).requires_grad))
                except KeyError as error:
                    log.append((error.args[0], (x * 1).requires_grad))
            return "end"
        finally:
            log.append(("closed", (x * 1).requires_grad))

    seen = []
    for item in steps(2):
        assert (x * 1).requires_grad  # the consumer is not affected
        seen.append(item)
    assert seen == [(0, False), (1, False)]
    assert log == [(None, False), (None, False), ("closed", False)]

    log.clear()
    one = steps(3)
    assert next(one) == (0, False)
    assert one.send("hello") == (1, False)
    assert one.throw(KeyError("oops")) == (2, False)
    with pytest.raises(StopIteration) as end:
        next(one)
    assert end.value.value == "end"
    assert log == [("hello", False), ("oops", False), (None, False), ("closed", False)]

    log.clear()
    two = steps(3)
    next(two)
    two.close()
    assert log == [("closed", False)]
    assert (x * 1).requires_grad


def test_a_decorated_coroutine_is_covered():
    x = leaf(1.0)

    @no_grad()
    async def off():
        await asyncio.sleep(0)
        return (x * 1).requires_grad

    async def main():
        return await off(), (x * 1).requires_grad

    assert asyncio.run(main()) == (False, True)


# --- refusals ---


@pytest.mark.parametrize(
    ("run", "kind", "says"),
    [
        (lambda x: (x * 2).backward(), ShapeError, "is not one number.*sum.*gradient="),
        (lambda x: x.detach().backward(), GraphError, "not computed from anything that requires"),
        (lambda x: (x * 2).backward(Tensor([1.0])), ShapeError, r"gradient has shape \(1,\)"),
        (lambda x: (x * 2).requires_grad_(False), GraphError, r"Use detach\(\)"),
        (lambda x: (x > 0).sum().backward(), GraphError, "not computed from anything"),
    ],
)
def test_refusals(run, kind, says):
    with pytest.raises(kind, match=f"(?s){says}"):
        run(leaf(1.0, 2.0))


def test_a_value_does_not_meet_a_tensor():
    for mix in (lambda: leaf(1.0) * Value(2.0), lambda: Value(2.0) * leaf(1.0)):
        with pytest.raises(autograd.AutogradError, match="compute with one kind"):
            mix()


def test_an_exception_in_a_forward_leaves_everything_usable():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError):
        x @ Tensor(np.ones((3, 3)), dtype="float32")
    y = (x * 2).sum()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_assigning_a_leaf_leaves_what_was_detached_from_it_alone() -> None:
    x, w = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    loss = (x.detach() * w).sum()
    x.assign([0.0, 0.0])
    loss.backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_dlpack_does_not_leave_the_graph_unnoticed() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(GraphError, match=r"DLPack asked for.*x\.detach\(\)"):
        np.from_dlpack(x)
    assert np.from_dlpack(x.detach()).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("at_a_leaf", [True, False])
def test_the_error_of_a_hook_is_the_users_own(at_a_leaf: bool) -> None:
    def hook(g: Tensor) -> None:
        raise KeyError("mine")

    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    (x if at_a_leaf else y).register_hook(hook)
    with pytest.raises(KeyError, match="mine"):
        y.sum().backward()


def test_a_gradient_has_memory_of_its_own() -> None:
    x, y = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.ones(6), requires_grad=True)
    seed = Tensor(np.arange(6.0))
    (x.reshape(6) + y).backward(seed)
    for one, other in ((x.grad, y.grad), (x.grad, seed), (y.grad, seed)):
        assert not np.may_share_memory(one.raw, other.raw)
    w = Tensor(np.ones(3), requires_grad=True)
    w.sum().backward()
    w.grad.assign(5.0, at=0)  # the ones of a sum's gradient are one number, seen thrice
    assert w.grad.tolist() == [5, 1, 1]
