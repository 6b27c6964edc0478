"""A tensor computation written out in scalars: the same data, the same gradients, for every op."""

import numpy as np
import pytest
from op_cases import SMOOTH, tensors

import autograd
from autograd import AutogradError, GraphError, Tensor, Value, checkpoint
from autograd.expand import LIMIT, expand, values
from autograd.node import Op, history

RNG = np.random.default_rng


def numbers(scalars, read):
    return np.array([read(v) for v in scalars.reshape(-1)], dtype=float).reshape(scalars.shape)


def assert_same(out, *leaves):
    """Expand the computation of `out`, and compare its data and the gradients of the leaves."""
    weights = Tensor(RNG(7).normal(size=out.shape), dtype=out.dtype)
    loss = (out * weights).sum()
    scalars = expand(out, loss)
    np.testing.assert_allclose(
        numbers(scalars[out], lambda v: v.data), out.numpy(), rtol=1e-12, atol=1e-14
    )
    for leaf in leaves:
        leaf.zero_grad()
    loss.backward()
    scalars[loss][()].backward()
    for leaf in leaves:
        found = numbers(scalars[leaf], lambda v: v.grad or 0.0)
        expected = np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


WITHOUT = {
    op.name for op in Op.table.values() if op.forward.__module__.endswith(("linalg", "fourier"))
}
WITHOUT = WITHOUT - {"mirrored"} | {"pool_take", "pool_put"}
"""Operations of LAPACK and the like, which no short formula stands for."""


FULL = [
    case
    for case in SMOOTH
    if case(*tensors(case.draw())).size
    and all(0 not in x for x in case.specs if isinstance(x, tuple))
]


@pytest.mark.parametrize("case", FULL, ids=str)
def test_every_operation(case):
    leaves = tensors(case.draw(), requires_grad=True)
    z = case(*leaves)
    if case.op.name not in WITHOUT:
        assert_same(z, *[x for x in leaves if x.requires_grad])
        return
    with pytest.raises(AutogradError, match=f"{case.op.name} has no scalar form"):
        expand(z)


def test_a_whole_network():
    x = Tensor(RNG(0).normal(size=(4, 3)))
    w1, b1 = (Tensor(RNG(i).normal(size=s), requires_grad=True) for i, s in ((1, (3, 5)), (2, 5)))
    w2 = Tensor(RNG(3).normal(size=(5, 2)), requires_grad=True)

    def scores():
        hidden = autograd.gelu(autograd.affine(x, w1, b1))
        return hidden @ w2 - hidden.mean(axis=1, keepdims=True) / (1 + hidden.std())

    loss = autograd.softmax_cross_entropy(scores(), Tensor([0, 1, 1, 0])).mean()
    assert_same(loss, w1, b1, w2)
    s = scores()
    assert_same(s.T.softmax(axis=0).max(axis=0) + s[:, 0].sort(), w1, b1, w2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.max(),
        lambda x: x.min(axis=1),
        lambda x: x.max(axis=(0, -1), keepdims=True),
        lambda x: x.relu(),
        lambda x: x.abs(),
        lambda x: (x * 0).norm(),
        lambda x: (x * 0).std(axis=0),
        lambda x: x.sigmoid(),
        lambda x: x.maximum(0.0) + x.minimum(x.T),
        lambda x: x.prod(axis=1),
        lambda x: x.cumprod(axis=0),
    ],
)
def test_kinks_ties_and_zeros(f):
    x = Tensor([[0.0, 2.0, 2.0], [-1.0, 0.0, 0.0], [2.0, -1.0, -1.0]], dtype="float64")
    x.requires_grad_()
    assert_same(f(x), x)


def test_nested_lists_of_the_shape():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (a, b), (c, d) = (x * 2).values()
    assert [v.data for v in (a, b, c, d)] == [2.0, 4.0, 6.0, 8.0]
    assert isinstance(x.sum().values(), Value)
    assert Tensor([1.0, 2.0]).values()[1].data == 2.0


def test_elements_have_names():
    w = Tensor([[1.0, 2.0]], requires_grad=True, name="weight")
    bias = Tensor(0.5, requires_grad=True)
    hidden = (w + bias).tanh()
    scalars = expand(hidden.sum())
    assert [v.name for v in scalars[w].flat] == ["weight[0,0]", "weight[0,1]"]
    assert scalars[bias][()].name == "bias"
    assert [v.name for v in scalars[hidden].flat] == ["hidden[0,0]", "hidden[0,1]"]


def test_constants_are_values_without_gradient():
    x, data = Tensor([2.0], requires_grad=True), Tensor([3.0])
    y = (x * data + 1).values()[0]
    leaves = {v.data: v.requires_grad for v in history(y) if v.op is None}
    assert leaves == {2.0: True, 3.0: False, 1: False}


def test_elements_that_only_move_stay_the_same_values():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.T.reshape(4)[1:3]
    scalars = expand(y)
    assert scalars[y][0] is scalars[x][1, 0]
    assert scalars[y][1] is scalars[x][0, 1]


def test_single_precision_and_casts():
    x = Tensor([1.1, 2.2], requires_grad=True)
    y = (x.astype("float64") * 2).sum()
    assert y.values().data == y.item()


def test_too_many_scalars_are_refused_with_their_number():
    x = Tensor(np.ones((30, 40)), requires_grad=True)
    with pytest.raises(AutogradError, match=r"74,400.*limit is 20,000"):
        (x @ x.T).values()  # two matrices of 1,200, and 2 · 30 · 30 · 40 products and sums
    with pytest.raises(AutogradError, match=f"about {2 * LIMIT:,} scalars"):
        Tensor(np.ones(LIMIT), requires_grad=True).exp().values()
    assert len(Tensor(np.ones(LIMIT // 2), requires_grad=True).exp().values()) == LIMIT // 2


def test_what_has_no_scalar_form_is_named():
    x = Tensor([1.0], requires_grad=True)
    y = checkpoint(lambda x: x * x, x)
    with pytest.raises(AutogradError, match="values: recomputed has no scalar form, for y "):
        values(y)


def test_a_graph_that_is_gone_or_stale_is_an_error():
    x = Tensor([1.0], requires_grad=True)
    y = x * x
    z = y.sum()
    z.backward()
    with pytest.raises(GraphError, match="backward has freed"):
        z.values()
    y = x * x
    x.assign([3.0])
    with pytest.raises(GraphError, match=r"(?s)x .*was assigned new data after y "):
        y.values()
