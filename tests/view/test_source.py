"""The derivative as code computes what the engine computes, with NumPy alone, and is readable."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from op_cases import CASES, SMOOTH, Case, tensors

import autograd
import nn
from autograd import AutogradError, Tensor, Value, source
from autograd.jit.formula import expression
from autograd.node import Op, op, record_everything
from autograd.ops.ctc import ctc_alphas
from autograd.ops.pooling import max_pool, max_pool_index
from autograd.view import GraphTrace, Source
from autograd.view.numpy_literals import identifier
from autograd.view.numpy_words import SPECIAL, WORDS
from autograd.view.vocabulary import FUNCTIONS, returned
from nn import scalar

NUMPY = {"math", "numpy", "numpy.lib.stride_tricks"}
HOW = (
    "the derivative as code has no NumPy for it. Give it a line in WORDS of "
    "autograd/view/numpy_words.py, or a function of its name in autograd/view/vocabulary."
)
NEVER_WRITTEN = {
    "part": "a result's name stands for it",
    "random_hits": "only a program draws anew; what a graph has drawn is data",
    "random_normal": "as random_hits",
    "random_uniform": "as random_hits",
    "recomputed": "it calls the user's own function again",
}

TOLERANCES = {
    "float64": {"rtol": 1e-9, "atol": 1e-12},
    "float32": {"rtol": 1e-3, "atol": 1e-4},
    "float16": {"rtol": 3e-2, "atol": 1e-1},
}


def alone(written: Source, what: str) -> tuple[Any, dict[str, Any]]:
    """(result, gradients), computed where there is NumPy and neither the engine nor a backend."""
    nodes = list(ast.walk(ast.parse(written.text)))
    imported = {n.name for x in nodes if isinstance(x, ast.Import) for n in x.names}
    others = [x for x in nodes if isinstance(x, ast.ImportFrom) and x.module not in NUMPY]
    assert not others, f"{what}, {', '.join(n.name for x in others for n in x.names)}: {HOW}"
    assert imported <= NUMPY
    assert max(map(len, written.text.splitlines())) <= 110
    assert len(written.text.splitlines()) == len(written.lines)

    def found(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in ("autograd", "backends", "nn"):
            raise ImportError(f"{what}: {HOW}")
        return __import__(name, *rest)

    space: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": found}}
    exec(compile(written.text, "<derivative>", "exec"), space)
    return space[written.name](**written.arguments)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_code_of_every_op_computes_the_gradients_of_backward(case: Case, dtype: str) -> None:
    if case.op is ctc_alphas and dtype == "float16":
        pytest.skip("log 0 is a number there whose sums are beyond float16")
    inputs = tensors(case.draw(dtype), requires_grad=True)
    for i, x in enumerate(inputs):
        x.name = f"x{i}"
    loss = case(*inputs).sum()
    value, gradients = alone(source(loss), case.op.name)
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(value, loss.item(), **tolerance)
    loss.backward()
    expected = {x.name: x.grad.numpy() for x in inputs if x.grad is not None}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], **tolerance)
        assert gradient.shape == expected[name].shape
        assert gradient.dtype == expected[name].dtype or dtype == "float16"


@pytest.mark.parametrize("case", [c for c in CASES if not c.op.differentiable], ids=str)
def test_code_of_every_op_without_a_gradient_computes_its_result(case: Case) -> None:
    """A rule may use it, as that of max_pool uses max_pool_index."""
    w = Tensor(1.0, requires_grad=True, name="w", dtype="float64")
    inputs = tensors(case.draw())
    if case.op is max_pool_index:  # it looks for the largest, which are no random numbers
        inputs[1] = max_pool(inputs[0], **case.params)
    with record_everything():
        z = case(*inputs).reshape(-1).astype("float64")
        loss = (w * z * Tensor(np.arange(1.0, z.size + 1), dtype="float64")).sum()
    value, _ = alone(source(loss), case.op.name)
    assert value == loss.item()


def test_every_op_of_the_table_has_words() -> None:
    own = [x for x in Op.table.values() if x.__module__.startswith(("autograd.", "nn."))]
    known = {*WORDS, *SPECIAL, *FUNCTIONS, *NEVER_WRITTEN, "getitem"}
    without = [x.name for x in own if x.name not in known and not expression(x)]
    assert not without, f"{', '.join(without)}: {HOW}"


def test_functions_of_the_vocabulary_return_all_results_of_their_op() -> None:
    for x in Op.table.values():
        if x.name in FUNCTIONS and x.outputs:
            made = returned(x.name) or x.outputs[:1]
            assert {*x.outputs} <= {*made} <= {*x.outputs, *x.keeps}, x.name


def models():
    yield "mlp", nn.Sequential([nn.Dense(4, activation="relu"), nn.Dense(1)]), (5, 3)
    yield "cnn", nn.Sequential([nn.Conv2D(2, 3), nn.MaxPool2D(2), nn.Flatten()]), (2, 6, 6, 1)
    yield "lstm", nn.LSTM(3), (2, 4, 3)
    yield "gru", nn.GRU(3), (2, 4, 3)
    yield "norms", nn.Sequential([nn.LayerNorm(), nn.BatchNorm(), nn.Dropout(0.5)]), (4, 3)
    yield "attention", nn.TransformerBlock(2, 8), (2, 3, 4)


@pytest.mark.parametrize(
    ("model", "shape"), [x[1:] for x in models()], ids=[x[0] for x in models()]
)
def test_code_of_models_computes_their_gradients(model, shape) -> None:
    autograd.seed(1)
    x = autograd.random.normal(shape)
    loss = (model(x) ** 2).mean()
    value, gradients = alone(source(loss), type(model).__name__)
    assert value == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    expected = {identifier(name): p.grad.numpy() for name, p in model.named_parameters()}
    assert gradients.keys() == expected.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=2e-4, atol=1e-6)
        assert gradient.dtype == np.float32


RUN = """
import sys
import numpy as np
from derived import loss_and_gradients
value, gradients = loss_and_gradients(**np.load("arguments.npz"))
print(float(value), {"autograd", "backends", "nn"} & {*sys.modules})
"""


def test_the_code_is_a_file_that_runs_without_the_engine(tmp_path) -> None:
    model = nn.Sequential([nn.Conv2D(2, 3), nn.MaxPool2D(2), nn.Flatten(), nn.Dense(1)])
    loss = (model(autograd.random.normal((2, 6, 6, 1))) ** 2).mean()
    written = source(loss)
    (tmp_path / "derived.py").write_text(written.text, encoding="utf-8")
    (tmp_path / "run.py").write_text(RUN)
    np.savez(tmp_path / "arguments.npz", **written.arguments)
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    value, engine = done.stdout.split()
    assert float(value) == pytest.approx(loss.item())
    assert engine == "set()"


def test_functions_of_the_text_are_about_no_node() -> None:
    loss = (nn.LSTM(3)(autograd.random.normal((2, 4, 3))) ** 2).mean()
    written = source(loss)
    lines = written.text.splitlines()
    end = lines.index("def lstm(x, w, u, b, h, c, condition=None, reverse=False):")
    assert any(x.startswith("def lstm_grad(") for x in lines[end:])
    assert not any(written.lines[end:])
    (line,) = [i for i, x in enumerate(lines[:end]) if "= lstm_grad(" in x]
    named = [GraphTrace.of(loss).nodes[i].name for i in written.lines[line]]
    assert {"weight", "recurrent_weight", "bias"} <= {*named}


def test_one_line_takes_all_results_of_an_operation() -> None:
    x = Tensor([[1.0, 3.0]], requires_grad=True, name="x")
    text = str(source((nn.LayerNorm()(x) ** 2).sum()))
    assert ", y, scale = layer_norm(x, weight, bias" in text
    assert " d_x, d_weight, d_bias = layer_norm_grad(" in text


def test_gradients_that_meet_are_added() -> None:
    """Query, key and value of one tensor: the second and the third come on top of the first."""
    x = Tensor(np.random.default_rng(0).normal(size=(3, 2)), requires_grad=True, name="x")
    loss = (autograd.functions.attention(x, x, x) ** 2).sum()
    _, gradients = alone(source(loss), "attention")
    loss.backward()
    np.testing.assert_allclose(gradients["x"], x.grad.numpy(), rtol=1e-5)


def test_an_operation_of_your_own_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it has a name of the vocabulary, which the text needs too."""
    monkeypatch.setattr(Op, "table", dict(Op.table))

    def times(xp: Any, x: Any) -> Any:
        factor = 3
        return factor * x

    own = op(times).vjp(lambda g, z, x: 3 * g)
    monkeypatch.setattr(sys.modules[__name__], "times", own, raising=False)
    x = Tensor(np.ones((1, 2, 3), "float32"), requires_grad=True, name="x")
    loss = nn.LSTM(2)(own(x)).sum()
    written = source(loss)
    assert f"from {__name__} import times as times_op" in written.text
    value, gradients = written.run()
    assert value == pytest.approx(loss.item())
    loss.backward()
    np.testing.assert_allclose(gradients["x"], x.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_a_checkpoint_is_imported() -> None:
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    written = source(autograd.checkpoint(lambda x: x * x, x).sum())
    assert "import recomputed" in written.text
    assert written.run()[0] == 5


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
