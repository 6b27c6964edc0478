"""The derivative as code computes what the engine computes, and says what it says."""

from __future__ import annotations

import numpy as np
import pytest
from op_cases import SMOOTH, Case, tensors

import autograd
import nn
from autograd import AutogradError, Tensor, Value, source
from autograd.view import GraphTrace
from nn import scalar


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_code_of_every_op_computes_the_gradients_of_backward(case: Case) -> None:
    inputs = tensors(case.draw(), requires_grad=True)
    for i, x in enumerate(inputs):
        x.name = f"x{i}"
    loss = case(*inputs).sum()
    written = source(loss)
    value, gradients = written.run()
    np.testing.assert_allclose(value, loss.item(), rtol=1e-10)
    loss.backward()
    expected = {x.name: x.grad.numpy() for x in inputs if x.grad is not None}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-9, atol=1e-12)


def models():
    yield "mlp", nn.Sequential([nn.Dense(4, activation="relu"), nn.Dense(1)]), (5, 3)
    yield "cnn", nn.Sequential([nn.Conv2D(2, 3), nn.MaxPool2D(2), nn.Flatten()]), (2, 6, 6, 1)
    yield "lstm", nn.LSTM(3), (2, 4, 3)
    yield "norms", nn.Sequential([nn.LayerNorm(), nn.BatchNorm(), nn.Dropout(0.5)]), (4, 3)
    yield "attention", nn.TransformerBlock(2, 8), (2, 3, 4)


@pytest.mark.parametrize(
    ("model", "shape"), [x[1:] for x in models()], ids=[x[0] for x in models()]
)
def test_code_of_models_computes_their_gradients(model, shape) -> None:
    autograd.seed(1)
    x = autograd.random.normal(shape)
    loss = (model(x) ** 2).mean()
    value, gradients = source(loss).run()
    assert value == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    found = list(gradients.values())
    expected = [p.grad.numpy() for p in model.parameters()]
    assert len(found) == len(expected)
    for g, e in zip(sorted(found, key=np.sum), sorted(expected, key=np.sum), strict=True):
        np.testing.assert_allclose(g, e, rtol=2e-4, atol=1e-6)


def test_code_of_numbers() -> None:
    model = scalar.MLP(2, [3, 1])
    out = model([Value(1.0), Value(-2.0)]).tanh()
    value, gradients = source(out).run()
    out.backward()
    assert value == pytest.approx(out.data)
    for name, p in model.named_parameters():
        assert gradients[name.replace(".", "_").replace("[", "_").rstrip("]")] == p.grad


def test_the_code_of_a_function() -> None:
    def f(x, w):
        hidden = x @ w
        return (hidden * hidden).sum()

    x, w = Tensor([[1.0, 2.0]]), Tensor([[3.0], [4.0]], requires_grad=True)
    written = source(f, x, w)
    assert "hidden = " in str(written)
    assert "d_hidden = d_hidden + " in str(written)
    value, gradients = written.run()
    assert value == 121
    assert [g.tolist() for g in gradients.values()] == [[[22.0], [44.0]]]


def test_lines_say_which_nodes_they_are_about() -> None:
    a = Tensor([1.0, 2.0], requires_grad=True, name="a")
    squared = a * a
    loss = squared.sum()
    written, trace = source(loss), GraphTrace.of(loss)
    lines = written.text.splitlines()
    assert len(lines) == len(written.lines)
    line = next(i for i, text in enumerate(lines) if text.strip().startswith("squared = "))
    assert [trace.nodes[i].name for i in written.lines[line]] == ["squared"]
    line = next(i for i, text in enumerate(lines) if "d_a = d_a + " in text)
    assert [trace.nodes[i].key for i in written.lines[line]] == ["mul#0", "a"]


def test_code_is_no_wider_than_a_page_and_python_reads_it() -> None:
    gpt = nn.models.GPT(vocabulary=11, context=6, width=8, layers=2, heads=2)
    text = str(source((gpt(np.zeros((2, 6), int)) ** 2).mean()))
    compile(text, "<derivative>", "exec")
    assert max(map(len, text.splitlines())) <= 110


@pytest.mark.parametrize("what", [Tensor([1.0]), Tensor([1.0, 2.0], requires_grad=True) * 2])
def test_what_is_not_one_number_with_a_gradient_is_refused(what) -> None:
    with pytest.raises(AutogradError, match="one number that was computed"):
        source(what)


def test_a_graph_that_nobody_would_read_is_refused() -> None:
    x = Value(1.0)
    for _ in range(2000):
        x = x * 1.01 + 1
    with pytest.raises(AutogradError, match="more than the 3,000"):
        source(x)
