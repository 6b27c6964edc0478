"""Why a gradient is None or zero: the cut or the operation that stops it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, Value, maximum, no_grad, where, why_none, why_zero
from autograd.errors import GraphError

rng = np.random.default_rng(0)


def array(*shape: int) -> Tensor:
    return Tensor(rng.normal(size=shape).astype("float32"))


def line_of(text: str) -> str:
    """The place of the only line of this file that ends with a mark."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (number,) = [i for i, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    return f"test_gradients.py:{number}"


w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
v = Tensor([1.0, 2.0, 3.0], requires_grad=True)


# --- None -----------------------------------------------------------------------------------


def under_no_grad() -> Tensor:
    with no_grad():
        hidden = w * 2  # no_grad
    return (hidden * v).sum()


NONE: dict[str, tuple[Callable[[], Tensor], str]] = {
    "detach": (lambda: ((w * 2).detach() * v).sum(), "detach()"),
    "no_grad": (under_no_grad, "under no_grad()"),
    "comparison": (lambda: ((w > 1) * v).sum(), "greater"),
    "integer": (lambda: (w.astype("int64").astype("float32") * v).sum(), "astype"),
    "left the graph": (lambda: (Tensor(w.numpy()) * v).sum(), "numpy()"),
    "unused": (lambda: (v * 2).sum(), "It uses v"),
    "not called": (lambda: (w * v).sum(), "backward() was not called"),
}


@pytest.mark.parametrize("kind", NONE)
def test_a_cut_is_named(kind: str) -> None:
    loss, told = NONE[kind]
    why = why_none(w, loss)
    assert why.kind == kind, str(why)
    assert told in str(why)
    assert "w" in str(why)


def test_the_line_of_the_cut_is_named() -> None:
    assert why_none(w, under_no_grad).where == line_of("no_grad")


def test_argmax_and_item_leave_the_graph() -> None:
    why = why_none(w, lambda: v[w.argmax()].sum())
    assert (why.kind, why.at) == ("left the graph", "argmax")
    assert why_none(w, lambda: (v * w.sum().item()).sum()).kind == "left the graph"


def test_a_finished_graph_says_what_it_can() -> None:
    loss = (w.detach() * v).sum()
    why = why_none(w, loss)
    assert why.kind == "unused"
    assert "mul (test_gradients.py" in why.told  # where a constant enters
    assert "lambda" in why.fix
    loss.backward()
    assert why_none(w, loss).kind == "freed"
    v.zero_grad()


def test_what_the_tensor_itself_says() -> None:
    hidden = w * 2
    assert why_none(hidden).kind == "interior"
    assert "hidden.retain_grad()" in why_none(hidden).fix
    assert why_none(Tensor([1.0])).kind == "unrequested"
    assert why_none(Tensor([1])).kind == "integer"
    assert why_none(w.detach()).kind == "constant"
    assert why_none(w).kind == "unknown"


def test_a_rebound_name() -> None:
    u = Tensor([1.0], requires_grad=True)
    u = u - 0.1 * u  # rebound
    why = why_none(u)
    assert (why.kind, why.where) == ("replaced", line_of("rebound"))
    assert "u.assign" in why.fix


def test_values() -> None:
    a, b = Value(1.0), Value(2.0)
    assert why_none(a, lambda: b * 3).kind == "unused"
    assert why_none(a, lambda: a * b).kind == "not called"
    assert why_zero(a, (a * -1).relu()).kind == "dead"


# --- zero -----------------------------------------------------------------------------------

mask = Tensor([0.0, 0.0, 0.0])

ZERO: dict[str, tuple[Callable[[], Tensor], str, str]] = {
    "relu": (lambda: (w * -1).relu().sum(), "dead", "relu"),
    "sigmoid": (lambda: (w * 100).sigmoid().sum(), "saturated", "all its results are 1"),
    "tanh": (lambda: (w * -100).tanh().sum(), "saturated", "all its results are -1"),
    "mask": (lambda: (w * v * mask).sum(), "masked", "mask (3,) float32"),
    "zeros": (lambda: (w * (v - v)).sum(), "times zero", "sub (3,) float32 from 0 to 0"),
    "where": (lambda: where(w > 5, w, v).sum(), "selects", "holds for 0%"),
    "clip": (lambda: w.clip(-1.0, 0.5).sum(), "selects", "(-1.0 to 0.5)"),
    "maximum": (lambda: maximum(w, v * 10).sum(), "selects", "the other operand"),
    "round": (lambda: w.round().sum(), "step", "slope is 0 everywhere"),
    "underflow": (lambda: (w * 1e-30 * 1e-30).sum(), "underflow", "below all floats"),
    "softmax of one": (lambda: w.reshape(3, 1).softmax(axis=-1).sum(), "constant", "one element"),
    "cancels": (lambda: (w - w).sum(), "cancels", "add up to 0"),
    "square at 0": (lambda: ((w * 0) ** 2).sum(), "flat", "slope at 0"),
}


@pytest.mark.parametrize("name", ZERO)
def test_what_lets_nothing_through_is_named(name: str) -> None:
    loss, kind, told = ZERO[name]
    for why in (why_zero(w, loss), why_zero(w, loss())):
        assert why.kind == kind, str(why)
        assert told in str(why)
        assert why.where.startswith("test_gradients.py:")
    assert w.grad is None  # nothing was changed


def test_a_gradient_that_is_not_zero() -> None:
    assert why_zero(w, (w * v).sum()).kind == "present"
    assert why_zero(w, lambda: (w - 1).log().sum()).kind == "not finite"
    assert why_zero(w, lambda: v.sum()).kind == "unused"  # it is None


# --- in models ------------------------------------------------------------------------------


class Encoder(nn.Module):
    """A model of one's own with a cut in it."""

    def __init__(self) -> None:
        self.body = [nn.Dense(4, input_shape=(4,)) for _ in range(2)]
        self.head = nn.Dense(1, input_shape=(4,))
        self.spare = nn.Dense(4, input_shape=(4,))

    def __call__(self, x: Any) -> Any:
        hidden = self.body[0](x).detach()  # cut
        return self.head(self.body[1](hidden))


def test_the_module_behind_a_cut() -> None:
    model, x = Encoder(), array(8, 4)
    why = why_none(model.body[0].weight, lambda: model(x).sum())
    assert (why.kind, why.where) == ("detach", line_of("cut"))
    assert str(why).startswith("body.0.weight: through ")
    why = why_none(model.spare.weight, lambda: model(x).sum())
    assert (why.kind, why.at) == ("unused", "spare.weight")
    assert "It uses body.0.weight, body.1.weight" in why.told
    model.head.freeze()
    assert why_none(model.head.weight).kind == "frozen"


def test_a_parameter_that_was_replaced() -> None:
    model, x = Encoder(), array(8, 4)
    old = model.body[1].weight
    model.body[1].weight = Tensor(np.ones((4, 4), "float32"), requires_grad=True)
    why = why_none(old, lambda: model(x).sum())
    assert (why.kind, why.at) == ("replaced", "body.1.weight")


def cnn() -> nn.Sequential:
    model = nn.Sequential([
        nn.Conv2D(4, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(2)
    ])  # fmt: skip
    model.build((8, 8, 1))
    return model


def test_a_dead_convolution() -> None:
    autograd.seed(0)
    model = cnn()
    model[0].bias.assign(-1e3)
    why = why_zero(model[0].weight, lambda: model(array(4, 8, 8, 1)).sum())
    assert (why.kind, why.at) == ("dead", "0")
    assert "all 4 units" in why.told


def test_a_head_of_zeros_starves_an_lstm() -> None:
    autograd.seed(0)
    model = nn.Sequential([nn.LSTM(4), nn.Dense(1, kernel_init="zeros")])
    model.build((5, 3))
    why = why_zero(model[0].weight, lambda: model(array(2, 5, 3)).sum())
    assert (why.kind, why.at) == ("times zero", "1")
    assert "1.weight (4, 1) float32 from 0 to 0" in why.told


def gpt(**options: Any) -> nn.GPT:
    autograd.seed(0)
    return nn.GPT(vocabulary=11, context=6, width=8, layers=2, heads=2, **options)


def test_a_masked_loss_of_a_gpt() -> None:
    model, ids = gpt(), Tensor(rng.integers(0, 11, (2, 6)))
    nothing = Tensor(np.zeros((2, 6), "float32"))

    def loss() -> Tensor:
        each = autograd.softmax_cross_entropy(model(ids), ids)
        return (each * nothing).mean()  # masked

    name, p = model.named_parameters()[0]
    why = why_zero(p, loss)
    assert (why.kind, why.where) == ("masked", line_of("masked"))
    assert why.told.startswith(f"{name}: the gradient ends at mul")
    assert "nothing" in why.told


def test_fit_says_what_cuts_parameters_off() -> None:
    model = Encoder()
    model.compile("sgd", "mse")
    x = rng.normal(size=(8, 4)).astype("float32")
    with pytest.warns(UserWarning, match="does not reach body.0.weight") as told:
        model.fit(x, x[:, :1], epochs=2, verbose=0)
    (warning,) = told
    text = str(warning.message)
    assert f"detach() ({line_of('cut')})" in text
    assert "The loss does not use spare.weight" in text
    assert warning.filename == __file__


def test_the_first_step_of_a_loop_of_ones_own() -> None:
    model, x = Encoder(), array(8, 4)
    optimizer = nn.SGD(model)
    model(x).sum().backward()
    with pytest.warns(UserWarning, match=r"SGD\.step: model\.body\.0\.weight, .*why_none"):
        optimizer.step()
    optimizer.zero_grad()
    model(x).sum().backward()
    optimizer.step()  # it is told once
    with pytest.warns(UserWarning, match=r"call loss\.backward\(\)"):
        nn.Adam(cnn()).step()
    optimizer = nn.SGD(model := cnn())
    model[3].weight = Tensor(np.ones((36, 2), "float32"), requires_grad=True)
    model(array(2, 8, 8, 1)).sum().backward()
    with pytest.warns(UserWarning, match="The model has other tensors in their place"):
        optimizer.step()


def test_a_step_inside_the_function_is_refused() -> None:
    model = cnn()
    optimizer = nn.SGD(model)

    def step() -> Tensor:
        loss = model(array(2, 8, 8, 1)).sum()
        loss.backward()
        optimizer.step()
        return loss

    with pytest.raises(GraphError, match="takes an optimizer's step"):
        why_none(model[0].weight, step)


@pytest.mark.parametrize("ask", [why_none, lambda p: why_zero(p, lambda: None)])
def test_what_is_no_tensor_is_refused(ask) -> None:
    with pytest.raises(TypeError, match="expected a Tensor or Value, got Dense"):
        ask(nn.Dense(3))
