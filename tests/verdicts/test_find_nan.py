"""The first producer of a NaN or an infinity, in the forward or the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, find_nan, jit, maximum, where

x = Tensor([4.0, 0.0, 1.0], requires_grad=True)
y = Tensor([0.0, 2.0, 1.0], requires_grad=True)
mask = Tensor([1.0, 0.0, 1.0])
rng = np.random.default_rng(0)

TRAPS: dict[str, tuple[Callable[[], Tensor], str, str, tuple[int, ...], str]] = {
    "sqrt behind where": (
        lambda: where(x > 0, x.sqrt(), 0.0).sum(), "backward", "sqrt", (1,),
        "where(ok, sqrt(where(ok, x, 1)), 0)",
    ),
    "x / 0 behind where": (
        lambda: where(y > 0, x / y, 0.0).sum(), "backward", "div", (0,),
        "ok = y != 0; where(ok, x / where(ok, y, 1), 0)",
    ),
    "power behind where": (
        lambda: where(x > 0, x**0.5, 0.0).sum(), "backward", "power", (1,),
        "where(ok, where(ok, x, 1) ** 0.5, 0)",
    ),
    "log behind maximum": (
        lambda: maximum(x.log(), -9.0).sum(), "backward", "log", (1,), "maximum (test_find_nan.py"
    ),
    "log behind clip": (
        lambda: x.log().clip(-10.0, 2.0).sum(), "backward", "log", (1,), "clip (test_find_nan.py"
    ),
    "log times a mask": (
        lambda: (x.log() * mask).sum(), "forward", "log", (1,), "0 · inf is NaN"
    ),
    "sqrt at 0": (lambda: x.sqrt().sum(), "backward", "sqrt", (1,), "x + 1e-12"),
    "exp": (lambda: (x * 100).exp().sum(), "forward", "exp", (0,), "larger than any float"),
    "log of -2": (lambda: (x - 2).log().sum(), "forward", "log", (1,), "It is of -2"),
    "overflow": (lambda: (x * 1e30 * 1e30).sum(), "forward", "mul", (0,), "larger than any float"),
    "0 / 0": (lambda: (x / y * 0 + (x - x) / (y - y)).sum(), "forward", "div", (0,), "divisor"),
    "compiled": (lambda: jit(lambda a: a.log().sum())(x - 4), "forward", "log", (0,), "x > 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_named(name: str) -> None:
    f, kind, op, index, told = TRAPS[name]
    found = find_nan(f)
    assert found is not None
    assert (found.kind, found.op, found.index) == (kind, op, index), str(found)
    assert told in str(found)
    assert found.where.startswith("test_find_nan.py:")
    assert any("float32 from" in operand for operand in found.operands)
    assert x.grad is None


def test_the_form_that_is_recommended_is_safe() -> None:
    ok = x > 0
    assert find_nan(lambda: where(ok, where(ok, x, 1.0).sqrt(), 0.0).sum()) is None
    ok = y != 0
    assert find_nan(lambda: where(ok, x / where(ok, y, 1.0), 0.0).sum()) is None


@pytest.mark.parametrize(
    "f",
    [
        lambda: x.norm(), lambda: (x * 0).norm(), lambda: (x - x).std(),
        lambda: (x + Tensor([0.0, -np.inf, 0.0])).softmax().sum(),
        lambda: where(x > 0, x, -np.inf).max(), lambda: autograd.xlogy(x, x + 1e-30).sum(),
    ],
)  # fmt: skip
def test_what_is_finite_is_left_alone(f: Callable[[], Tensor]) -> None:
    assert find_nan(f) is None


def test_the_gradient_by_an_argument_is_looked_at_where_nothing_else_asks() -> None:
    found = find_nan(lambda a: where(a > 0, a.log(), 0.0), Tensor([1.0, 0.0]))
    assert found is not None
    assert (found.kind, found.op, found.index) == ("backward", "log", (1,))


def test_what_was_given_is_named() -> None:
    bad = Tensor([1.0, np.nan])
    found = find_nan(lambda: (bad * 2).sum() + x.sum())
    assert found is not None
    assert (found.kind, found.at, found.index) == ("given", "bad", (1,))


def test_nothing_is_changed() -> None:
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(4), nn.BatchNorm(), nn.Dropout(0.5), nn.Dense(1)])
    model.build((3,))
    before, drawn = model.state_dict(), autograd.random.state()
    assert find_nan(lambda a: model(a).sum(), Tensor(np.ones((4, 3), "float32"))) is None
    assert autograd.random.state() == drawn
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


# --- in models ------------------------------------------------------------------------------


class Log(nn.Module):
    """The classic: log of what may be 0."""

    def __call__(self, a: Any) -> Any:
        return a.log()


class SafeRoot(nn.Module):
    """It looks safe, and is not."""

    def __call__(self, a: Any) -> Any:
        return where(a > 0, a.sqrt(), 0.0)


def found_in(model: nn.Module, shape: tuple[int, ...]) -> Any:
    data = Tensor(rng.normal(size=shape).astype("float32"))
    with np.errstate(all="ignore"):
        model(data)
    return find_nan(lambda: model(data).sum())


def test_in_an_mlp() -> None:
    found = found_in(nn.Sequential([nn.Dense(8, activation="relu"), Log(), nn.Dense(1)]), (4, 3))
    assert (found.kind, found.op, found.at) == ("forward", "log", "1")


def test_in_a_cnn() -> None:
    layers = [nn.Conv2D(4, 3, activation="relu"), SafeRoot(), nn.Flatten(), nn.Dense(1)]
    found = found_in(nn.Sequential(layers), (2, 8, 8, 1))
    assert (found.kind, found.op, found.at) == ("backward", "sqrt", "1")
    assert "where in layer 1" in found.told


def test_in_an_lstm() -> None:
    model = nn.Sequential([nn.LSTM(4, return_sequences=True), nn.GRU(4), nn.Dense(1)])
    model.build((5, 3))
    model[1].recurrent_weight.assign(np.nan)
    found = found_in(model, (2, 5, 3))
    assert (found.kind, found.at) == ("given", "1.recurrent_weight")


def test_in_a_gpt() -> None:
    autograd.seed(0)
    model = nn.GPT(vocabulary=11, context=6, width=8, layers=2, heads=2)
    ids = Tensor(rng.integers(0, 11, (2, 6)))
    name, p = next((n, p) for n, p in model.named_parameters() if "1" in n and p.ndim == 2)
    p.assign(np.where(np.arange(p.size).reshape(p.shape) == 5, np.inf, p.numpy()))
    found = find_nan(lambda: model(ids).sum())
    assert found is not None
    assert (found.kind, found.at) == ("given", name)


# --- in fit ---------------------------------------------------------------------------------

X = rng.normal(size=(64, 4)).astype("float32")


@pytest.mark.parametrize("jitted", [False, True])
def test_debug_stops_before_the_step(jitted: bool) -> None:
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(3, activation="relu"), SafeRoot(), nn.Dense(1)])
    model.build((4,))
    model.compile("sgd", "mse", jit=jitted)
    before = model.state_dict()
    with pytest.raises(
        nn.NotFiniteError, match=r"epoch 1, batch 1: backward: .* sqrt in layer 1"
    ) as e:
        model.fit(X, X[:, :1], verbose=0, debug=True)
    assert (e.value.epoch, e.value.index) == (0, 0)
    assert e.value.batch[0].shape == (32, 4)
    assert "where(ok, sqrt(where(ok, x, 1)), 0)" in str(e.value)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])


def test_debug_names_the_batch() -> None:
    data = abs(X) + 1
    data[40, 2] = -5
    model = nn.Sequential([Log(), nn.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(nn.NotFiniteError, match="epoch 1, batch 2: forward: log in layer 0") as e:
        model.fit(data, X[:, :1], batch_size=32, shuffle=False, verbose=0, debug=True)
    assert e.value.index == 1
    assert "at [8, 2] of (32, 4)" in str(e.value)
    np.testing.assert_array_equal(e.value.batch[0].numpy(), data[32:])


def test_debug_changes_no_bit_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    def trained(debug: bool) -> nn.Sequential:
        autograd.seed(3)
        model = nn.Sequential([nn.Dense(4), nn.BatchNorm(), nn.Dropout(0.2), nn.Dense(1)])
        model.compile("adam", "mse", jit=False)
        model.fit(X, X[:, :1], epochs=2, verbose=2 if debug else 0, debug=debug)
        return model

    one, other = trained(False), trained(True)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())
    assert capsys.readouterr().out.count("operation by operation") == 1


def test_a_loss_whose_graph_is_there_needs_no_function() -> None:
    x = Tensor([-1.0, 1.0], requires_grad=True, name="x")
    with np.errstate(all="ignore"):
        found = find_nan(x.log().sum())
    assert found is not None
    assert (found.kind, found.op, found.index) == ("forward", "log", (0,))
