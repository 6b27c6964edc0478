"""`explore`: what it shows, and that it leaves everything as it was."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

import autograd
import backends
import nn
from autograd import Tensor, Value, explore
from autograd.view import GraphTrace, Page


def payload(page: Page) -> dict:
    kind, data = re.search(
        r'<script type="([^"]+)" id="glassgrad-data">(.*?)</script>', page.html, re.DOTALL
    ).groups()
    if kind == "application/gzip+base64":
        data = gzip.decompress(base64.b64decode(data)).decode()
    return json.loads(data)


def model() -> nn.Sequential:
    autograd.seed(0)
    net = nn.Sequential([nn.Dense(4, activation="relu"), nn.BatchNorm(), nn.Dense(3, "softmax")])
    net.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return net


def test_a_page_holds_the_trace_and_asks_for_nothing() -> None:
    a = Value(2.0, name="a")
    squared = a * a
    page = explore(squared)
    told = payload(page)
    assert (
        told["traces"] == [GraphTrace.of(a * a, frame=None).plain()] or told["traces"][0]["nodes"]
    )
    assert told["format"] == "glassgrad-page"
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page.html)[1]
    assert "default-src 'none'" in policy
    assert "connect-src 'none'" in policy
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.html)


def test_a_page_without_data_is_small() -> None:
    assert len(Page([]).html.encode()) < 150_000


def test_text_of_the_user_cannot_end_the_script() -> None:
    x = Value(1.0, name="</script><script>alert(1)</script>")
    page = explore(x * 2)
    assert "<script>alert" not in page.html
    assert payload(page)["traces"][0]["nodes"][0]["name"] == x.name


def test_a_large_page_is_compressed() -> None:
    x = Value(1.0)
    for _ in range(3000):
        x = x * 1.001
    page = explore(x)
    assert "gzip+base64" in page.html
    assert len(payload(page)["traces"][0]["nodes"]) == 6001


def test_of_a_module_it_shows_the_call() -> None:
    net = model()
    told = explore(net, Tensor(np.ones((2, 5), "float32"), name="x")).traces[0]
    assert told.nodes[0].name == "x"
    assert "is not one number" in told.notes[0]


def test_of_a_compiled_model_it_shows_the_loss_and_changes_nothing() -> None:
    net = model()
    x, y = np.ones((4, 5), "float32"), np.array([0, 1, 2, 0])
    net.evaluate(x, y)
    before = {k: v.copy() for k, v in net.state_dict().items()}
    random = autograd.random.state()
    page = explore(net, x, y)
    assert page.traces[0].events
    assert page.traces[0].node("0.weight").grad.norm >= 0
    after = net.state_dict()
    assert all(np.array_equal(before[k], after[k]) for k in before)
    assert autograd.random.state() == random
    assert all(p.grad is None for p in net.parameters())


def test_of_a_function_it_shows_what_it_returns() -> None:
    page = explore(lambda a, b: (a * b, "more"), Value(2.0), Value(3.0))
    assert page.traces[0].nodes[-1].data == 6


def test_a_small_computation_of_arrays_is_there_as_numbers_too() -> None:
    w = Tensor([[0.1, 0.2], [0.3, 0.4]], requires_grad=True, name="w")
    loss = (Tensor([[1.0, 1.0]]) @ w).tanh().sum()
    arrays, numbers = explore(loss).traces
    assert (arrays.kind, numbers.kind) == ("tensors", "values")
    loss.backward()
    told = {node.key: node.grad for node in numbers.nodes}
    np.testing.assert_allclose(
        [[told[f"w[{i},{j}]"] for j in range(2)] for i in range(2)], w.grad.numpy(), rtol=1e-6
    )


def test_the_derivative_as_code_is_there() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    code = payload(explore(loss))["code"]
    assert "def loss_and_gradients(w):" in code["text"]
    assert len(code["lines"]) == len(code["text"].splitlines())


def test_of_a_compiled_step_it_shows_the_program() -> None:
    layer = nn.Dense(2)
    step = autograd.jit(lambda x: (layer(x) ** 2).sum())
    x = autograd.ones((3, 4))
    layer(x)
    step(x)
    assert explore(step).traces[0].kind == "program"


def test_a_page_is_saved_whole_and_only_as_html(tmp_path: Path) -> None:
    page = explore(Value(1.0) * 2)
    path = page.save(tmp_path / "new" / "page.html")
    assert path.read_text(encoding="utf-8") == page.html
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    with pytest.raises(ValueError, match=r"a page is an \.html file"):
        page.save(tmp_path / "page.svg")


def test_a_notebook_shows_it_in_a_frame_that_can_do_nothing_else() -> None:
    shown = explore(Value(1.0) * 2)._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert 'sandbox="allow-scripts allow-downloads"' in shown


def test_what_was_not_computed_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a Value or Tensor"):
        explore([1, 2, 3])


def test_arrays_on_a_device_are_looked_at_without_a_hidden_transfer() -> None:
    with backends.using("strict"):
        net = nn.Sequential([nn.Conv2D(2, 3, activation="relu"), nn.Flatten(), nn.Dense(2)])
        loss = (net(autograd.ones((2, 5, 5, 1))) ** 2).mean()
        page = explore(loss)
        value, _ = autograd.source(loss).run()
    assert page.traces[0].made["backend"] == "strict"
    assert page.traces[0].events
    assert value == pytest.approx(loss.item())
