"""`fit`, `evaluate` and `predict` with compiled steps: the numbers of the uncompiled loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd.errors import DomainError
from nn.train.steps import pays

rng = np.random.default_rng(0)
X = rng.standard_normal((230, 10)).astype("float32")
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype("float32")
C = rng.integers(0, 3, 230)


def classifier(outputs: int = 1, **options: Any) -> nn.Sequential:
    autograd.seed(3)
    last = "sigmoid" if outputs == 1 else "softmax"
    model = nn.Sequential([
        nn.Dense(16, activation="relu", input_shape=(10,)),
        nn.BatchNorm(),
        nn.Dropout(0.2),
        nn.Dense(outputs, activation=last),
    ])  # fmt: skip
    loss = "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"
    model.compile(options.pop("optimizer", "adam"), loss, ["accuracy"], **options)
    return model


def trained(jit: Any, y: np.ndarray = Y, outputs: int = 1, **options: Any) -> Any:
    settings = {k: options.pop(k) for k in ("optimizer", "clip_norm") if k in options}
    model = classifier(outputs, jit=jit, **settings)
    history = model.fit(X, y, epochs=4, batch_size=32, verbose=0, **options)
    return model, history


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"clip_norm": 0.1},
        {"optimizer": nn.SGD(lr=nn.CosineDecay(0.1, 30), momentum=0.9)},
        {"optimizer": nn.AdamW(weight_decay=0.1)},
        {"validation_split": 0.2},
        {"class_weight": {0: 1.0, 1: 3.0}},
        {"sample_weight": np.abs(X[:, 0])},
    ],
)  # fmt: skip
def test_a_compiled_training_is_the_uncompiled_one(options: dict[str, Any]) -> None:
    def run(jit: bool) -> Any:
        autograd.seed(1)
        own = {k: _copy(v) if k == "optimizer" else v for k, v in options.items()}
        return trained(jit, **own)

    (eager, plain), (native, compiled) = run(False), run(True)
    assert (plain.path, compiled.path) == ("eager", "native")
    for key, numbers in plain.history.items():
        np.testing.assert_allclose(compiled.history[key], numbers, rtol=2e-4, atol=1e-5)
    for (name, a), (_, b) in zip(eager.named_tensors(), native.named_tensors(), strict=True):
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-3, atol=1e-5, err_msg=name)


def _copy(optimizer: Any) -> Any:
    from copy import deepcopy

    return deepcopy(optimizer)


def test_classes_and_predictions() -> None:
    eager, _ = trained(False, C, 3)
    native, history = trained(True, C, 3)
    assert history.path == "native"
    np.testing.assert_allclose(native.predict(X), eager.predict(X), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(native.evaluate(X, C), eager.evaluate(X, C), rtol=1e-3)


def test_a_resumed_training_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = classifier(jit=True)
    whole.fit(X, Y, epochs=4, batch_size=32, verbose=0)

    def stop(epoch: int, logs: Any) -> None:
        first.stop_training = epoch == 1

    first = classifier(jit=True)
    first.fit(X, Y, epochs=4, batch_size=32, verbose=0, checkpoint=tmp_path, callbacks=stop)
    second = classifier(jit=True)
    state = autograd.random.state()
    autograd.random.set_state(state | {"position": state["position"] + 99})  # it is put back
    nn.Checkpoint(tmp_path)
    saved = (tmp_path / "state.json").read_text().replace('"stopped": true', '"stopped": false')
    (tmp_path / "state.json").write_text(saved)
    second.fit(X, Y, epochs=4, batch_size=32, verbose=0, checkpoint=tmp_path, resume=True)
    for (name, a), (_, b) in zip(whole.named_tensors(), second.named_tensors(), strict=True):
        np.testing.assert_array_equal(b.numpy(), a.numpy(), err_msg=name)


def test_a_loss_that_is_not_finite_spoils_no_weights() -> None:
    model = nn.Sequential([nn.Dense(1, input_shape=(10,))])
    model.compile(nn.SGD(lr=1e30), "mse", jit=True)
    with pytest.raises(DomainError, match="the loss is"):
        model.fit(X, Y, epochs=5, batch_size=32, verbose=0)
    assert np.isfinite(model[0].weight.numpy()).all()


def test_who_looks_at_gradients_gets_the_uncompiled_loop() -> None:
    seen = []
    model = classifier(jit=True)
    watch = nn.LambdaCallback(after_backward=lambda batch, data: seen.append(batch))
    history = model.fit(X, Y, epochs=1, batch_size=32, verbose=0, callbacks=[watch])
    assert history.path == "eager"
    assert len(seen) == 8


def test_what_cannot_be_compiled_runs_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    class Peeks(nn.Module):
        def __init__(self) -> None:
            self.inner = nn.Dense(1, input_shape=(10,))

        def __call__(self, x: Any) -> Any:
            y = self.inner(x)
            return y if y.sum().item() > 0 else y * 1.0

    model = Peeks()
    model.compile("adam", "mse", jit=True)
    history = model.fit(X, Y.reshape(-1, 1), epochs=2, batch_size=32, verbose=2)
    assert history.path == "eager"
    assert capsys.readouterr().out.count("uncompiled: ") == 1
    assert "item()" in model._compiled.steps.reason


def test_auto_compiles_what_takes_long_enough() -> None:
    model = classifier()
    assert not pays(model, 100, 32)
    assert pays(model, 10_000, 32)
    assert not pays(model, None, 32)
    with pytest.raises(ValueError, match="jit='yes'"):
        model.compile("adam", "mse", jit="yes")


def test_off_means_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_JIT", "off")
    assert trained(True)[1].path == "eager"
    monkeypatch.setenv("AUTOGRAD_JIT", "replay")
    assert trained(True)[1].path == "replay"
