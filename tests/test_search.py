"""`lr_find` and `tune`: what they suggest, and that nothing else is changed by them."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import random
from autograd.errors import DomainError, GraphError

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 6)).astype("float32")
YES = (X[:, 0] + X[:, 1] > 0).astype("float32")


def network(optimizer: Any = "adam", width: int = 16) -> nn.Sequential:
    autograd.seed(0)
    model = nn.Sequential([
        nn.Dense(width, activation="relu", input_shape=(6,)), nn.Dropout(0.1),
        nn.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(optimizer, "binary_crossentropy")
    return model


# --- the learning rate --------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_the_suggested_rate_trains_well(optimizer: str) -> None:
    found = nn.lr_find(network(optimizer), X, YES)
    assert found.suggestion in found.rates

    def loss_at(rate: float) -> float:
        model = network(optimizer)
        model.optimizer.lr = rate
        return float(model.fit(X, YES, epochs=4, verbose=0).history["loss"][-1])

    here = loss_at(found.suggestion)
    assert here < 0.4
    assert here < loss_at(found.suggestion / 100)


def test_it_leaves_everything_as_it_was() -> None:
    model = network()
    model.fit(X, YES, verbose=0)
    before, place = {**model.state_dict(), **model.optimizer.state_dict()}, random.state()
    model.optimizer.lr = before["lr"] = 0.123
    nn.lr_find(model, X, YES, steps=20)
    assert random.state() == place
    assert all(p.grad is None for p in model.parameters())
    for key, value in {**model.state_dict(), **model.optimizer.state_dict()}.items():
        np.testing.assert_array_equal(value, before[key], err_msg=key)
    assert nn.lr_find(model, X, YES, steps=20).losses == nn.lr_find(model, X, YES, steps=20).losses


def test_a_schedule_goes_on_where_it_was() -> None:
    schedule = nn.CosineDecay(0.1, steps=50, warmup=5)
    model = network(nn.Adam(lr=schedule, accumulate=3))
    model.fit(X, YES, verbose=0)
    optimizer = model.optimizer
    before = optimizer.steps, optimizer.waiting, optimizer.lr
    nn.lr_find(model, X, YES, steps=20)
    assert optimizer.schedule is schedule
    assert (optimizer.steps, optimizer.waiting, optimizer.lr) == before


def test_losses_are_scaled_in_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network("sgd")
    model.compile("sgd", "binary_crossentropy", mixed_precision="float16")
    model.fit(X, YES, verbose=0)
    assert model._compiled is not None
    before, step, largest = dict(vars(model._compiled.scale)), nn.LossScale.step, []

    def watched(scale: nn.LossScale, optimizer: nn.Optimizer) -> bool:
        largest.append(max(abs(p.grad.numpy()).max() for p in optimizer.params))
        return step(scale, optimizer)

    monkeypatch.setattr(nn.LossScale, "step", watched)
    nn.lr_find(model, X, YES, steps=5)
    assert len(largest) == 5
    assert min(largest) > 100  # about 0.1, were they not scaled
    assert vars(model._compiled.scale) == before


def test_it_ends_where_the_loss_explodes() -> None:
    model = nn.Sequential([nn.Dense(1)])
    model.compile("sgd", "mse")
    found = nn.lr_find(model, X, X[:, :1] * 3, steps=200)
    assert len(found.rates) < 200
    lowest = min(found.losses)
    assert lowest < found.losses[-1] <= 4 * lowest
    assert found.rates[0] == 1e-6
    steps = np.diff(np.log(found.rates))
    np.testing.assert_allclose(steps, steps[0])


def test_where_nothing_falls_nothing_is_suggested() -> None:
    model = network()
    model.freeze()
    model[0].weight.requires_grad_(True)
    found = nn.lr_find(model, X * 0, YES)
    assert found.suggestion is None
    assert "at none of them it falls" in repr(found)


def test_it_takes_batches_and_draws_itself(tmp_path: Path) -> None:
    batches = [(X[i : i + 30], YES[i : i + 30]) for i in range(0, 300, 30)]

    class Again:
        def __iter__(self) -> Any:
            return iter(batches)

    found = nn.lr_find(network(), Again(), steps=60)
    assert len(found.rates) > 40
    assert repr(found).startswith("loss at learning rates from 1.0e-06 to ")
    figure = found.plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")
    panel = figure.axes[0]
    assert panel.get_xscale() == "log"
    assert panel.lines[0].get_ydata().tolist() == found.losses
    assert [text.get_text() for text in panel.texts] == [f"try {found.suggestion:.1e}"]


def test_mistakes_are_told() -> None:
    with pytest.raises(ValueError, match=r"low=1 and high=0\.1 do not bound rates"):
        nn.lr_find(network(), X, YES, low=1, high=0.1)
    with pytest.raises(ValueError, match="steps=0: expected a whole number"):
        nn.lr_find(network(), X, YES, steps=0)
    with pytest.raises(GraphError, match="lr_find: compile the model first"):
        nn.lr_find(nn.Dense(1), X, YES)


# --- hyperparameters ----------------------------------------------------------------------

SPACE: dict[str, Any] = {
    "lr": (1e-4, 1e-1, "log"), "width": (2, 16), "depth": [1, 2], "dropout": (0.0, 0.4),
    "batch_size": [16, 64],
}  # fmt: skip


def build(lr: float, width: int, depth: int, dropout: float) -> nn.Sequential:
    layers = [nn.Dense(width, activation="relu") for _ in range(depth)]
    model = nn.Sequential([*layers, nn.Dropout(dropout), nn.Dense(1, activation="sigmoid")])
    model.compile(nn.Adam(lr=lr), "binary_crossentropy", metrics=["accuracy"])
    return model


def tune(trials: int, storage: Any = None, **options: Any) -> Any:
    pytest.importorskip("optuna")
    options = {"verbose": False, "epochs": 4, **options}
    return nn.tune(options.pop("build", build), options.pop("space", SPACE), X, YES,
                   trials=trials, storage=storage, **options)  # fmt: skip


def test_the_best_configuration_comes_with_its_model() -> None:
    place = random.state()
    found = tune(8)
    assert random.state() == place
    done = [trial for trial in found.trials if trial["state"] == "complete"]
    assert found.value == min(trial["value"] for trial in done)
    assert found.best == next(t["config"] for t in done if t["value"] == found.value)
    assert found.model.evaluate(X[240:], YES[240:])[0] == pytest.approx(found.value, rel=1e-5)
    for trial in found.trials:
        config = trial["config"]
        assert 1e-4 <= config["lr"] <= 1e-1
        assert config["width"] in range(2, 17)
        assert config["batch_size"] in (16, 64)
    again = tune(8)
    assert again.trials == found.trials


def test_a_metric_of_which_more_is_better() -> None:
    found = tune(5, monitor="val_accuracy")
    values = [t["value"] for t in found.trials if t["state"] == "complete"]
    assert found.value == max(values)
    rows = repr(found).splitlines()
    assert rows[0].split() == ["trial", "val_accuracy", "epoch", *SPACE]
    shown = [float(row.split()[1]) for row in rows[1 : 1 + len(values)]]
    assert shown == sorted(shown, reverse=True)


def test_a_search_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "search.journal"
    first = tune(3, path)
    asked = []

    def counted(**config: Any) -> Any:
        asked.append(config)
        return build(**config)

    second = tune(6, path, build=lambda lr, width, depth, dropout: counted(
        lr=lr, width=width, depth=depth, dropout=dropout))  # fmt: skip
    assert second.trials[:3] == first.trials
    assert len(second.trials) == 6
    assert len(asked) == 3 + 1  # and the best again, for its weights
    configs = [str(trial["config"]) for trial in second.trials]
    assert len(set(configs)) == 6  # it does not begin again with the same guesses
    assert len(list(path.parent.glob("*.safetensors"))) == 1
    third = tune(6, path)
    assert third.trials == second.trials
    np.testing.assert_array_equal(third.model.predict(X), second.model.predict(X))
    with pytest.raises(ValueError, match=r"search\.journal holds another search"):
        tune(7, path, space={**SPACE, "width": (2, 99)})


def test_a_trial_that_was_killed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "search.journal"

    class Killed(BaseException):
        pass

    def killed(**config: Any) -> Any:
        raise Killed(config)

    with pytest.raises(Killed) as caught:
        tune(3, path, build=killed)
    config = caught.value.args[0]
    found = tune(3, path)
    assert len(found.trials) == 3
    tried = found.trials[0]["config"]
    assert {key: tried[key] for key in config} == config


def test_trials_that_diverge_are_told_and_do_not_end_the_search(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wild(lr: float) -> Any:
        model = nn.Sequential([nn.Dense(1)])
        model.compile(nn.SGD(lr=lr), "mse")
        return model

    found = tune(4, build=wild, space={"lr": [0.01, 1e9]}, verbose=True)
    assert {trial["state"] for trial in found.trials} == {"complete", "diverged"}
    assert found.best == {"lr": 0.01}
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert any("diverged  lr 1e+09" in line for line in lines)
    assert any(line.endswith("← best") for line in lines)
    with pytest.raises(DomainError, match="none of 2 trials came to its end; fit: the loss is"):
        tune(2, build=wild, space={"lr": [1e9]})


def test_bad_trials_are_given_up_early() -> None:
    def slow(lr: float) -> Any:
        return network(nn.Adam(lr=lr))

    found = tune(12, build=slow, space={"lr": (1e-6, 1e-1, "log")}, epochs=8)
    given_up = [trial for trial in found.trials if trial["state"].startswith("given up after")]
    assert given_up
    assert all(trial["value"] is None for trial in given_up)
    assert all(found.best["lr"] > trial["config"]["lr"] for trial in given_up)


def test_what_cannot_be_searched_is_told() -> None:
    for span in ((1, 1), (2, 1), (0, 1, "log"), (0, 1, "lin"), [], "adam", [(8, 8)], 3):
        with pytest.raises(ValueError, match=r"tune: lr = .*; a range is"):
            tune(1, space={"lr": span})
    with pytest.raises(TypeError, match="build is called with lr, size by name, which"):
        tune(1, build=lambda lr: None, space={"lr": (0.0, 1.0), "size": [1]})
    with pytest.raises(GraphError, match="let it return the model, after"):
        tune(1, build=lambda lr: nn.Dense(1), space={"lr": (0.0, 1.0)})
    with pytest.raises(TypeError, match="the space is a dict"):
        tune(1, space=[1])


def test_optuna_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"pip install 'glassgrad\[tune\]'"):
        nn.tune(build, SPACE, X, YES)
