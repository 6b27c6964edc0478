"""Penalties in the loss, limits on weights after each step, averages of weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, random
from nn import constraints, regularizers
from nn.optim import EMA, SGD, Adam
from nn.regularizers import penalty

W = np.array([[3.0, -4.0, 0.0], [4.0, 3.0, 0.0]])


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(1)


def net(**options: Any) -> nn.Sequential:
    return nn.Sequential([nn.Dense(4, "tanh", input_shape=(3,), **options), nn.Dense(2)])


# --- penalties ---


@pytest.mark.parametrize(
    ("rule", "value", "slope"),
    [
        (nn.L1(0.5), 0.5 * 14, 0.5 * np.sign(W)),
        (nn.L2(0.5), 0.5 * 50, W),
        (nn.L1L2(0.1, 0.2), 1.4 + 10, 0.1 * np.sign(W) + 0.4 * W),
        ("l1", 0.14, 0.01 * np.sign(W)),
        ("l2", 0.5, 0.02 * W),
        (nn.L2, 0.5, 0.02 * W),
        ("l1_l2", 0.64, 0.01 * np.sign(W) + 0.02 * W),
        (lambda w: (w**2).mean(), 50 / 6, W / 3),
    ],
)
def test_rules_have_keras_values(rule: Any, value: float, slope: Any) -> None:
    w = Tensor(W, requires_grad=True)
    found = regularizers.get(rule)(w)
    found.backward()
    assert found.item() == pytest.approx(value)
    np.testing.assert_allclose(w.grad.numpy(), slope)


def test_a_layer_names_its_penalties() -> None:
    model = net(kernel_regularizer=nn.L2(0.1), bias_regularizer="l1")
    first = model[0]
    first.bias.assign(np.ones(4, "f"))
    expected = 0.1 * (first.weight.numpy() ** 2).sum() + 0.04
    found = penalty(model)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert penalty(net()) == 0.0
    model[1].regularize(weight="l2")
    more = 0.01 * (model[1].weight.numpy() ** 2).sum()
    assert penalty(model).item() == pytest.approx(expected + more, rel=1e-5)
    first.freeze()  # what is not trained is not penalised
    assert penalty(model).item() == pytest.approx(more, rel=1e-5)


def test_a_layer_that_waits_for_its_input_has_its_rules_already() -> None:
    layer = nn.Dense(4).regularize(weight="l2", bias=None)
    assert penalty(layer) == 0.0
    layer(Tensor(np.ones((2, 3), "f")))
    assert penalty(layer).item() > 0


def test_a_loop_that_adds_the_penalty_shrinks_the_weights() -> None:
    x, y = Tensor(np.ones((8, 3), "f")), Tensor(np.ones((8, 2), "f"))
    norms = []
    for factor in (0.0, 0.1):
        random.seed(3)
        model = net(kernel_regularizer=nn.L2(factor))
        optimizer = SGD(model, lr=0.1)
        for _ in range(50):
            loss = nn.mse_loss(model(x), y) + penalty(model)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        norms.append(np.linalg.norm(model[0].weight.numpy()))
    assert norms[1] < 0.5 * norms[0]


def test_what_is_no_rule_is_told() -> None:
    with pytest.raises(ValueError, match="regularizer 'l3' is unknown"):
        nn.Dense(2, kernel_regularizer="l3")
    with pytest.raises(ValueError, match="L2: l2 must be a number from 0 on, not -1"):
        nn.L2(-1)
    with pytest.raises(AttributeError, match="Dense has no parameter 'kernel' of its own; it has"):
        penalty(nn.Dense(2, input_shape=(2,)).regularize(kernel="l2"))
    with pytest.raises(AttributeError, match="constrain: Dense has no parameter 'kernel'"):
        nn.Dense(2, input_shape=(2,)).constrain(kernel="non_neg").parameters()


# --- constraints ---

CONSTRAINTS: list[tuple[Any, Callable[[Any], Any]]] = [
    (nn.MaxNorm(2.0), lambda w: w * np.array([0.4, 0.4, 1.0])),
    (nn.MaxNorm(4.5, axis=(0, 1)), lambda w: w * 4.5 / np.sqrt(50)),
    ("max_norm", lambda w: w * np.array([0.4, 0.4, 1.0])),
    (nn.UnitNorm(), lambda w: w / np.array([5.0, 5.0, 1.0])),
    ("non_neg", lambda w: np.maximum(w, 0)),
    (nn.MinMax(-1.0, 3.5), lambda w: np.clip(w, -1, 3.5)),
]


@pytest.mark.parametrize(("rule", "expected"), CONSTRAINTS)
@pytest.mark.parametrize("backend", ["numpy", "strict"])
def test_constraints(rule: Any, expected: Any, backend: str) -> None:
    found = constraints.get(rule)(Tensor(W, backend=backend))
    np.testing.assert_allclose(found.numpy(), expected(W), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_optimizer_keeps_weights_to_what_is_allowed(dtype: str) -> None:
    model = net(kernel_constraint=nn.MaxNorm(0.5), bias_constraint="non_neg").astype(dtype)
    optimizer = Adam(model.parameters(), lr=0.5)
    x = Tensor(np.ones((2, 3)), dtype=dtype)
    for _ in range(5):
        model(x).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        norms = np.linalg.norm(model[0].weight.numpy().astype("f"), axis=0)
        assert norms.max() <= 0.5 * (1 + 1e-3)
        assert model[0].bias.numpy().min() >= 0
    assert np.linalg.norm(model[1].weight.numpy().astype("f")) > 1


def test_a_constraint_is_kept_in_fit() -> None:
    model = net(kernel_constraint="non_neg")
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3), "f"), -np.ones((4, 2), "f"), verbose=0)
    assert model[0].weight.numpy().min() == 0


def test_constraints_out_of_range() -> None:
    with pytest.raises(ValueError, match="MaxNorm: most must be above 0"):
        nn.MaxNorm(0)
    with pytest.raises(ValueError, match="MinMax: low must be below high"):
        nn.MinMax(1.0, 0.0)
    with pytest.raises(
        ValueError, match="constraint 'maxnorn' is unknown; did you mean 'max_norm'"
    ):
        nn.Dense(2, kernel_constraint="maxnorn")


# --- averages ---


def test_an_average_of_weights() -> None:
    model = net()
    ema = EMA(model, decay=0.9)
    expected = {path: p.numpy().copy() for path, p in model.named_parameters()}
    for step in range(3):
        for path, p in model.named_parameters():
            p.assign(p.numpy() + np.float32(step + 1))
            expected[path] = 0.9 * expected[path] + 0.1 * p.numpy()
        ema.update()
    before = model.state_dict()
    with ema.swapped():
        for path, p in model.named_parameters():
            np.testing.assert_allclose(p.numpy(), expected[path], rtol=1e-5)
    for path, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[path])
    again = EMA(model, decay=0.9)
    again.load_state_dict(ema.state_dict())
    again.apply()
    np.testing.assert_allclose(model[0].weight.numpy(), expected["0.weight"], rtol=1e-5)
    with pytest.raises(ValueError, match=r"differ in 1\.bias"):
        again.load_state_dict({k: v for k, v in ema.state_dict().items() if k != "1.bias"})


def test_an_average_of_halves_is_kept_in_float32() -> None:
    model = net().astype("float16")
    ema = EMA(model, decay=0.999)
    model[1].bias.assign(np.ones(2, "float16"))
    for _ in range(10):
        ema.update()
    average = ema.averages["1.bias"].numpy()
    np.testing.assert_allclose(average, 1 - 0.999**10, rtol=1e-4)
    with ema.swapped():
        assert model[1].bias.dtype == np.float16


def test_as_a_callback_it_averages_after_every_batch() -> None:
    model = net()
    model.compile("sgd", "mse")
    ema, seen = EMA(decay=0.5), []
    with pytest.raises(ValueError, match="EMA: it has no model yet"):
        ema.update()

    class Watch:
        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            seen.append(model[1].bias.numpy().copy())

    model.fit(
        np.ones((6, 3), "f"), np.ones((6, 2), "f"), batch_size=2, callbacks=[ema, Watch()],
        verbose=0,
    )  # fmt: skip
    expected = np.zeros(2)
    for bias in seen:
        expected = 0.5 * expected + 0.5 * bias
    np.testing.assert_allclose(ema.averages["1.bias"].numpy(), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"EMA: decay must be in \[0, 1\)"):
        EMA(decay=1.0)
