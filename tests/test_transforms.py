"""Functional derivatives: against each other, against finite differences, and nested."""

import contextvars
import tracemalloc
from collections import namedtuple
from fractions import Fraction

import numpy as np
import pytest

import autograd
from autograd import (
    AutogradError,
    DTypeError,
    GraphError,
    ShapeError,
    Tensor,
    Value,
    checkpoint,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    value_and_grad,
    vjp,
)


def tensor(*shape, seed=0, **options):
    return Tensor(np.random.default_rng(seed).normal(size=shape), **options)


A, B = tensor(3, 4, seed=1), tensor(4, 2, seed=2)


def network(x):
    """From (3,) to (2,), not linear and not symmetric in its inputs."""
    return ((x @ A).tanh() @ B).exp()


def loss(x):
    return (network(x) ** 2).sum() + (x[0] * x[1]).sin()


def numeric_jacobian(f, x, step=1e-6):
    columns = []
    for k in range(x.size):
        bump = np.zeros(x.size)
        bump[k] = step
        up, down = (f(Tensor(x.numpy() + s * bump.reshape(x.shape))).numpy() for s in (1, -1))
        columns.append((up - down) / (2 * step))
    return np.stack(columns, axis=-1)


def close(x, y, **tolerance):
    np.testing.assert_allclose(
        *(v.numpy() if isinstance(v, Tensor) else v for v in (x, y)),
        **({"rtol": 1e-10, "atol": 1e-12} | tolerance),
    )


# --- values ---


def test_each_transform_agrees_with_finite_differences():
    x, v = tensor(3), tensor(3, seed=5)
    expected = numeric_jacobian(network, x)
    close(jacobian(network)(x), expected, rtol=1e-6)
    y, pull = vjp(network, x)
    close(y, network(x))
    g = tensor(2, seed=6)
    close(pull(g)[0], g.numpy() @ expected, rtol=1e-6)
    y, dy = jvp(network, x, v)
    close(y, network(x))
    close(dy, expected @ v.numpy(), rtol=1e-6)
    close(hessian(loss)(x), numeric_jacobian(grad(loss), x), rtol=1e-5)
    close(hvp(loss, x, v), hessian(loss)(x).numpy() @ v.numpy())


def test_value_and_grad_gives_the_value_once_and_leaves_grad_alone():
    calls = []

    def f(x):
        calls.append(1)
        return (x * x).sum()

    x = Tensor([1.0, 2.0], requires_grad=True)
    value, gradient = value_and_grad(f)(x)
    assert (value.item(), gradient.tolist(), len(calls)) == (5.0, [2.0, 4.0], 1)
    assert x.grad is None


def test_argnums_choose_and_structures_come_back():
    point = namedtuple("point", "x y")

    def f(p, scale, q):
        return (p["w"] * p["b"][0] * scale).sum() + q.x * q.y * q.y

    p = {"w": Tensor([1.0, 2.0]), "b": [Tensor(3.0), None]}
    q = point(2.0, np.float32(5.0))
    by_p, by_q = grad(f, argnums=(0, -1))(p, 10, q)
    assert by_p["w"].tolist() == [30.0, 30.0]
    assert by_p["b"][0].item() == 30.0
    assert by_p["b"][1] is None
    assert type(by_q) is point
    assert (by_q.x.item(), by_q.y.item()) == (25.0, 20.0)
    assert grad(f, argnums=1)(p, 10.0, q).item() == 9.0


def test_keyword_arguments_and_aux():
    def f(x, *, power):
        y = x**power
        return y.sum(), {"y": y, "note": "kept"}

    (value, aux), gradient = value_and_grad(f, has_aux=True)(Tensor([1.0, 2.0]), power=3)
    assert value.item() == 9.0
    assert aux["note"] == "kept"
    assert aux["y"].tolist() == [1.0, 8.0]
    assert not aux["y"].requires_grad
    assert gradient.tolist() == [3.0, 12.0]


def test_what_does_not_matter_has_gradient_zero():
    a, b = grad(lambda x, y: (x * 2).sum(), argnums=(0, 1))(Tensor([1.0]), Tensor([[1.0, 2.0]]))
    assert a.tolist() == [2.0]
    assert b.tolist() == [[0.0, 0.0]]
    assert hessian(lambda x: (x * 3).sum())(Tensor([1.0, 2.0])).tolist() == [[0, 0], [0, 0]]
    assert jvp(lambda x: Tensor(1.0), 2.0, 1.0)[1].item() == 0.0


def test_dtype_is_kept():
    for dtype in ("float16", "float32", "float64"):
        x = Tensor([1.0, 2.0], dtype=dtype)
        f = lambda x: (x**3).sum()  # noqa: E731
        made = [grad(f)(x), hessian(f)(x), jvp(f, x, x)[1], hvp(f, x, x), jacobian(f)(x)]
        assert [str(t.dtype) for t in made] == [dtype] * 5


def test_jacobian_of_structures_and_shapes():
    def f(x, y):
        return {"sum": x.sum() * y, "outer": autograd.outer(x, y * x)}

    by_x, by_y = jacobian(f, argnums=(0, 1))(tensor(3), tensor(3, seed=1))["outer"]
    assert by_x.shape == by_y.shape == (3, 3, 3)
    assert jacobian(f)(tensor(3), tensor(3))["sum"].shape == (3, 3)
    assert jacobian(lambda x: x.reshape(2, 3))(tensor(3, 2)).shape == (2, 3, 3, 2)


def test_several_primals():
    f = lambda x, y: (x * y).sin()  # noqa: E731
    x, y = tensor(3), tensor(3, seed=1)
    u, v = tensor(3, seed=2), tensor(3, seed=3)
    cosine = np.cos(x.numpy() * y.numpy())
    close(jvp(f, (x, y), (u, v))[1], cosine * (u.numpy() * y.numpy() + x.numpy() * v.numpy()))
    products = hvp(lambda x, y: f(x, y).sum(), (x, y), (u, v))
    blocks = hessian(lambda x, y: f(x, y).sum(), (0, 1))(x, y)
    whole = np.block([[block.numpy() for block in row] for row in blocks])
    expected = whole @ np.concatenate([u.numpy(), v.numpy()])
    close(np.concatenate([p.numpy() for p in products]), expected)


# --- nesting ---


@pytest.mark.parametrize("order", range(1, 6))
def test_gradients_of_gradients(order):
    f, expected = lambda x: x**5, [5.0, 20.0, 60.0, 120.0, 120.0]
    for _ in range(order):
        f = grad(f)
    assert f(1.0).item() == expected[order - 1]


def test_no_confusion_between_nested_variables():
    # d/dx (x · d/dy (x + y)) = 1: a system that mixes up x and y says 2.
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0).item() == 1.0
    # The same tensor as both variables, at the same point.
    assert grad(lambda x: grad(lambda y: x * y)(x))(3.0).item() == 1.0
    # jvp inside jvp, with the outer variable closed over.
    inner = lambda x: jvp(lambda y: x * y * y, x, Tensor(1.0))[1]  # noqa: E731
    assert jvp(inner, Tensor(3.0), Tensor(1.0))[1].item() == 12.0  # (2 x²)' = 4 x


def test_every_pair_of_transforms_composes():
    x, v = tensor(3), tensor(3, seed=4)
    h = hessian(loss)(x).numpy()
    close(jacobian(grad(loss))(x), h)
    close(jacobian(lambda x: jacobian(loss)(x))(x), h)
    close(jacobian(lambda x: vjp(loss, x)[1](Tensor(1.0, dtype="float64"))[0])(x), h)
    close(grad(lambda x: jvp(loss, x, v)[1])(x), h @ v.numpy())
    close(jvp(grad(loss), x, v)[1], h @ v.numpy())
    third = jacobian(hessian(loss))(x)
    assert third.shape == (3, 3, 3)
    close(third, third.numpy().transpose(2, 0, 1), atol=1e-10)
    close(jacobian(lambda v: hvp(loss, x, v))(v), h)


def test_a_gradient_is_in_the_graph_of_what_it_depends_on():
    x = Tensor([1.0, 2.0], requires_grad=True)
    w = Tensor(3.0, requires_grad=True)
    penalty = (grad(lambda x: (w * x**3).sum())(x) ** 2).sum()  # Σ (3 w x²)²
    penalty.backward()
    assert w.grad.item() == 2 * 9 * 3 * (1 + 16)
    assert x.grad.tolist() == [36 * 9 * 1.0, 36 * 9 * 8.0]


def test_a_gradient_is_not_recorded_without_need():
    x = Tensor([1.0, 2.0])
    for y in (*value_and_grad(lambda x: (x * x).sum())(x), jvp(lambda x: x * x, x, x)[1]):
        assert not y.requires_grad
    with no_grad():
        y = Tensor([1.0], requires_grad=True)
        value, g = value_and_grad(lambda y: (y * y).sum())(y)
        assert (g.tolist(), g.requires_grad, value.requires_grad) == ([2.0], False, False)


def test_an_outer_graph_survives_the_gradients_inside_it():
    a = Tensor([1.0, 2.0], requires_grad=True)
    b = a * 2
    with no_grad():
        assert grad(lambda x: (x * b).sum())(Tensor([1.0, 1.0])).tolist() == [2.0, 4.0]
    b.sum().backward()
    assert a.grad.tolist() == [2.0, 2.0]


def test_pull_many_times():
    x = tensor(3)
    _, pull = vjp(network, x)
    rows = [pull(Tensor(row))[0].numpy() for row in np.eye(2)]
    close(np.stack(rows), jacobian(network)(x))


# --- values ---


def test_values():
    f = lambda a, b: a * a * b + b.sin()  # noqa: E731
    a, b = Value(2.0), Value(3.0)
    by_a, by_b = grad(f, (0, 1))(a, b)
    assert (by_a.data, by_b.data) == (12.0, 4.0 + np.cos(3.0))
    assert a.grad is None
    assert grad(grad(f))(a, b).data == 6.0
    h = hessian(lambda v: v[0] * v[0] * v[1])([a, b])
    assert [[x.data for x in row] for row in h] == [[6.0, 4.0], [4.0, 0.0]]
    assert jvp(f, (a, b), (1.0, 0.0))[1].data == 12.0
    assert [x.data for x in hvp(f, (a, b), (1.0, 0.0))] == [6.0, 4.0]
    assert grad(lambda x: x**3 / 7)(Value(Fraction(1, 2))).data == Fraction(3, 28)


# --- gradients ---


def test_gradients_of_leaves_and_computed_tensors():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * x
    found = gradients(h.sum() * 3, {"x": x, "h": h}, retain_graph=True)
    assert found["x"].tolist() == [6.0, 12.0]
    assert found["h"].tolist() == [3.0, 3.0]
    assert x.grad is h.grad is None
    assert gradients([h.sum(), h[0]], x).tolist() == [4.0, 4.0]
    y = x * 2
    assert gradients(y, x, grad_outputs=Tensor([1.0, 10.0])).tolist() == [2.0, 20.0]
    assert gradients(x, x, grad_outputs=x.detach()).tolist() == [1.0, 2.0]


def test_gradients_stop_at_what_is_asked_for():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x.exp()
    gradients((h * 2).sum(), h)
    h.sum().backward()  # the part below h was neither walked nor freed
    assert x.grad is not None


def test_gradients_create_graph():
    x = Tensor([1.0, 2.0], requires_grad=True)
    (g,) = gradients((x**3).sum(), [x], create_graph=True)
    assert gradients(g.sum(), x).tolist() == [6.0, 12.0]


def test_gradients_of_a_generator_of_inputs():
    weights = [Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)]
    assert [g.item() for g in gradients((weights[0] * weights[1]).sum(), iter(weights))] == [2, 1]


def test_unused_inputs_are_named():
    x, unused = (Tensor([1.0], requires_grad=True) for _ in range(2))
    says = r"(?s)do not depend on\n  unused .*allow_unused=True"
    with pytest.raises(GraphError, match=says) as error:
        gradients((x * 2).sum(), [x, unused])
    assert "x  (1,)" not in str(error.value)
    assert gradients((x * 2).sum(), [x, unused], allow_unused=True)[1] is None


def test_a_freed_graph_is_not_taken_for_an_unused_input():
    a = Tensor([1.0], requires_grad=True)
    b = a * 2
    b.sum().backward()
    with pytest.raises(GraphError, match="freed by the backward pass at"):
        gradients((b * 3).sum(), a)
    assert gradients((b * 3).sum(), b).tolist() == [3.0]


# --- checkpoint ---


@pytest.fixture
def parts():
    w = tensor(3, 3, requires_grad=True, name="w")
    x = tensor(2, 3, seed=1, requires_grad=True, name="x")
    return w, x


def test_checkpoint_gives_the_same_gradients_to_second_order(parts):
    w, x = parts
    hidden = w * 2  # closed over although computed, and by two paths
    bias = hidden.sum(axis=0)

    def block(x, scale):
        return ((x @ hidden).tanh() * scale + bias).sigmoid()

    def everything(apply):
        y = (apply(block, x, 3.0) ** 2).sum()
        first = gradients(y, [x, w], create_graph=True)
        second = gradients(sum((g**2).sum() for g in first), [x, w], retain_graph=True)
        return [y, *first, *second]

    plain = everything(lambda f, *args: f(*args))
    for expected, found in zip(plain, everything(checkpoint), strict=True):
        close(found, expected)


def test_checkpoint_is_one_node_and_nests(parts):
    w, x = parts
    y = checkpoint(lambda x: checkpoint(lambda u: (u @ w).tanh(), x) @ w, x)
    assert y.op.name == "recomputed"
    assert [n.name for n in y.inputs] == ["x", "w"]
    y.sum().backward()
    found = x.grad, w.grad
    x.zero_grad(), w.zero_grad()
    ((x @ w).tanh() @ w).sum().backward()
    close(found[0], x.grad)
    close(found[1], w.grad)


def test_checkpoint_replays_random_numbers_context_and_leaves_the_stream_alone(parts):
    _, x = parts
    mode = contextvars.ContextVar("mode", default=1.0)
    seen = []

    def noisy(x):
        seen.append(autograd.random.uniform(x.shape).astype("float64") * mode.get())
        return (x * seen[-1]).sum()

    autograd.seed(5)
    token = mode.set(2.0)
    y = checkpoint(noisy, x)
    mode.reset(token)
    after = autograd.random.state()
    y.backward()
    assert autograd.random.state() == after
    close(seen[0], seen[1])
    close(x.grad, seen[0])


def test_checkpoint_without_need_is_just_the_call(parts):
    _, x = parts
    with no_grad():
        assert checkpoint(lambda x: x * 2, x).op is None
    assert checkpoint(lambda x: x * 2, x.detach()).op is None


def test_checkpoint_keeps_nothing_inside():
    x = Tensor(np.ones(100_000), requires_grad=True)

    def chain(x):
        for _ in range(20):
            x = x.sin()
        return x

    held = []
    for apply in (lambda f, x: f(x), checkpoint):
        tracemalloc.start()
        y = apply(chain, x)
        held.append(tracemalloc.get_traced_memory()[0] / 800_000)
        tracemalloc.stop()
        assert y.shape == x.shape
    assert held[0] > 19.5
    assert held[1] < 1.5


def test_checkpoint_says_what_it_needs(parts):
    w, x = parts
    with pytest.raises(GraphError, match="must return one Tensor"):
        checkpoint(lambda x: (x, x), x)
    calls = []

    def fickle(x):
        calls.append(1)
        return x * 2 if len(calls) == 1 else x * w[:2]

    y = checkpoint(fickle, x)
    with pytest.raises(GraphError, match="did not use the first time"):
        y.sum().backward()
    stale = checkpoint(lambda x: (x @ w).sum(), x)
    w.assign(w.numpy() * 2)
    with pytest.raises(GraphError, match="was assigned new data"):
        stale.backward()


# --- errors ---


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: grad(lambda x: x * 2)(Tensor([1.0, 2.0])), ShapeError, r"shape \(2,\).*jacobian"),
        (lambda: grad(lambda x: (x, x))(1.0), ShapeError, "returned 2 tensors.*has_aux"),
        (lambda: grad(lambda x: x.item())(1.0), GraphError, "returned float 1.0.*left the graph"),
        (lambda: grad(lambda x: x > 0)(1.0), DTypeError, "returned bool"),
        (lambda: grad(lambda x: x.sum())(Tensor([1, 2])), DTypeError, "argument 0 holds int64"),
        (lambda: grad(lambda x: x, 2)(1.0), AutogradError, "names argument 2, and 1"),
        (lambda: vjp(lambda x: x, Tensor([1.0]))[1](Tensor([1.0, 2.0])), ShapeError, r"\(2,\)"),
        (lambda: jvp(lambda x: x, (Tensor([1.0]),), ()), ShapeError, "0 tangents.*for 1 tensors"),
        (
            lambda: jvp(lambda x: x, Tensor([1.0]), Tensor([1.0], dtype="float64")),
            DTypeError,
            'are float64 .*astype."float32"',
        ),
        (lambda: gradients(Tensor(1.0), Tensor(1.0)), GraphError, "requires no gradient"),
        (lambda: gradients(3.0, Tensor(1.0)), TypeError, "must be tensors or values, not 3.0"),
        (lambda: gradients([], Tensor(1.0)), AutogradError, "there are no outputs"),
    ],
)  # fmt: skip
def test_errors_teach(call, kind, says):
    with pytest.raises(kind, match=f"(?s){says}"):
        call()


def test_gradients_of_many_numbers_need_weights():
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ShapeError, match=r"not one number.*grad_outputs="):
        gradients(x * 2, x)


# --- against PyTorch ---


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")  # inside PyTorch
@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::FutureWarning:torch")
def test_agrees_with_pytorch():
    import torch

    a, b, x, v = (torch.tensor(t.numpy()) for t in (A, B, tensor(3), tensor(3, seed=4)))

    def network_(x):
        return torch.exp(torch.tanh(x @ a) @ b)

    def loss_(x):
        return (network_(x) ** 2).sum() + torch.sin(x[0] * x[1])

    ours, v_ = tensor(3), tensor(3, seed=4)
    close(jacobian(network)(ours), torch.func.jacrev(network_)(x).numpy())
    close(hessian(loss)(ours), torch.func.hessian(loss_)(x).numpy(), rtol=1e-9)
    close(jvp(network, ours, v_)[1], torch.func.jvp(network_, (x,), (v,))[1].numpy())
    close(hvp(loss, ours, v_), torch.autograd.functional.hvp(loss_, x, v)[1].numpy())
