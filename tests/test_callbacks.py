"""Callbacks: when they stop, save, slow down and write; what they remember; what they say."""

import csv
import math
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.errors import DomainError

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4)).astype("float32")
YES = (X[:, 0] > 0).astype("float32")


def compiled(**options: Any) -> nn.Sequential:
    autograd.seed(0)
    model = nn.Sequential([
        nn.Dense(8, activation="relu", input_shape=(4,)), nn.Dense(1, activation="sigmoid")
    ])  # fmt: skip
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", **options})
    return model


class Told:
    """A model and logs of an invented training: what a callback is told, without a training."""

    def __init__(self, callback: Any, lr: float = 1.0) -> None:
        self.callback, self.epoch, self.stop_training = callback, 0, False
        self.optimizer = nn.SGD(lr=lr)
        self.weights = 0.0
        callback.set_model(self)
        callback.on_train_begin({})

    def state_dict(self) -> dict[str, Any]:
        return {"w": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weights = state["w"]

    def tell(self, *values: float, name: str = "val_loss") -> "Told":
        for value in values:
            self.weights = value
            self.callback.on_epoch_end(self.epoch, {"loss": 0.0, name: value})
            self.epoch += 1
            if self.stop_training:
                break
        return self


# --- early stopping -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({}, [3, 2, 2, 1], 3),
        ({"patience": 2}, [3, 2, 2, 1, 1, 1, 1], 6),
        ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2, 0], 2),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2, 1, 1, 1], 7),
        ({"mode": "max", "patience": 1}, [1, 2, 3, 3, 5], 4),
        ({"mode": "max"}, [1, 2, 1.9], 3),
        ({"patience": 1}, [3, 2, math.nan, 1], 3),
    ],
)
def test_early_stopping(options: dict[str, Any], values: list[float], epochs: int) -> None:
    told = Told(nn.EarlyStopping(**options)).tell(*values)
    assert told.epoch == epochs
    assert told.stop_training
    assert not Told(nn.EarlyStopping(**options)).tell(*values[: epochs - 1]).stop_training


def test_the_best_weights_come_back() -> None:
    stopping = nn.EarlyStopping(patience=2, restore_best=True)
    told = Told(stopping).tell(5, 4, 6, 7, 8)
    assert (told.epoch, told.weights) == (4, 7)
    stopping.on_train_end({})
    assert (told.weights, stopping.best, stopping.best_epoch, stopping.restored) == (4, 4, 1, 1)
    told.callback.on_train_begin({})  # and anew
    assert (stopping.best, stopping.wait, stopping.weights) == (math.inf, 0, None)


def test_early_stopping_in_fit_keeps_the_best_epoch() -> None:
    noise = rng.integers(0, 2, 64)
    model = compiled(optimizer=nn.Adam(lr=0.05))
    stopping = nn.EarlyStopping(patience=4, restore_best=True)
    history = model.fit(X, noise, epochs=200, validation_split=0.5, callbacks=stopping, verbose=0)
    assert len(history.epoch) < 200
    best = min(history.history["val_loss"])
    assert stopping.best_epoch == history.history["val_loss"].index(best) == len(history.epoch) - 5
    assert model.evaluate(X[32:], noise[32:]) == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "mode"),
    [("val_accuracy", "max"), ("auc", "max"), ("val_binary_accuracy", "max"), ("val_mse", "min"),
     ("val_sparse_categorical_accuracy", "max"), ("top_5_accuracy", "max"), ("loss", "min"),
     ("val_r2", "max"), ("val_sparse_categorical_crossentropy", "min")],
)  # fmt: skip
def test_what_is_better_follows_from_the_name(name: str, mode: str) -> None:
    assert nn.EarlyStopping(name).mode == mode


@pytest.mark.parametrize("make", [nn.EarlyStopping, nn.ReduceLROnPlateau])
def test_a_number_that_is_missing_is_told_with_those_that_are_there(make: Any) -> None:
    model = compiled(metrics=["accuracy"])
    with pytest.raises(ValueError, match=r"'val_loss' is not among .* loss, accuracy\. Give fit"):
        model.fit(X, YES, callbacks=make(), verbose=0)
    with pytest.raises(ValueError, match=r"'acuracy' is not .*, loss, accuracy$"):
        model.fit(X, YES, callbacks=make(monitor="acuracy"), verbose=0)


# --- learning rates -----------------------------------------------------------------------


def test_the_rate_is_reduced_on_a_plateau() -> None:
    reduce = nn.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.2)
    told = Told(reduce)
    rates = []
    for value in [3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1]:
        told.tell(value)
        rates.append(told.optimizer.lr)
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2, 0.2]


def test_the_rate_follows_a_schedule() -> None:
    rates: list[float] = []

    def watch(epoch: int, logs: Any) -> None:
        rates.append(model.optimizer.lr)

    model = compiled()
    for schedule in (lambda epoch: 0.1 / (epoch + 1), lambda epoch, lr: lr / 2):
        scheduler = nn.LearningRateScheduler(schedule)
        model.fit(X, YES, epochs=3, callbacks=[scheduler, watch], verbose=0)
    assert rates == pytest.approx([0.1, 0.05, 0.1 / 3, 0.1 / 6, 0.1 / 12, 0.1 / 24])


def test_two_do_not_set_one_rate() -> None:
    model = compiled(optimizer=nn.Adam(lr=lambda step: 1e-3))
    for callback in (nn.LearningRateScheduler(lambda epoch: 0.1), nn.ReduceLROnPlateau("loss")):
        with pytest.raises(ValueError, match=r"the learning rate of Adam follows .* already"):
            model.fit(X, YES, callbacks=callback, verbose=0)


# --- files --------------------------------------------------------------------------------


def test_weights_are_saved_every_so_many_epochs(tmp_path: Path) -> None:
    model = compiled()
    saver = nn.ModelCheckpoint(tmp_path / "a" / "{epoch:02d}-{loss:.1f}.safetensors", every=2)
    losses = model.fit(X, YES, epochs=5, callbacks=saver, verbose=0).history["loss"]
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == [f"{e:02d}-{losses[e - 1]:.1f}.safetensors" for e in (2, 4)]


def test_only_the_best_weights_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "best.safetensors"
    model = compiled(optimizer=nn.Adam(lr=0.05))
    noise = rng.integers(0, 2, 64)
    saver = nn.ModelCheckpoint(path, save_best_only=True)
    history = model.fit(X, noise, epochs=30, validation_split=0.5, callbacks=saver, verbose=0)
    best = min(history.history["val_loss"])
    assert model.evaluate(X[32:], noise[32:]) > best + 0.01
    assert model.load(path).evaluate(X[32:], noise[32:]) == pytest.approx(best, rel=1e-6)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_table_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "log.csv"
    model = compiled(metrics=["accuracy"])
    history = model.fit(X, YES, epochs=3, validation_split=0.25, callbacks=nn.CSVLogger(path),
                        verbose=0)  # fmt: skip
    head, *body = rows(path)
    assert head == ["epoch", *history.history, "lr"]
    assert [float(row[1]) for row in body] == history.history["loss"]
    assert [row[0] for row in body] == ["0", "1", "2"]
    assert {row[-1] for row in body} == {"0.001"}
    fit = {"epochs": 4, "initial_epoch": 3, "validation_split": 0.25, "verbose": 0}
    model.fit(X, YES, callbacks=nn.CSVLogger(path, append=True), **fit)
    assert [row[0] for row in rows(path)] == ["epoch", "0", "1", "2", "3"]
    model.fit(X, YES, callbacks=nn.CSVLogger(path), **fit)
    assert [row[0] for row in rows(path)] == ["epoch", "3"]
    compiled().fit(X, YES, verbose=0, callbacks=nn.CSVLogger(path))
    with pytest.raises(ValueError, match=r"log\.csv has the columns epoch, .* none for val_loss"):
        compiled().fit(X, YES, verbose=0, callbacks=nn.CSVLogger(path, append=True),
                       validation_split=0.5)  # fmt: skip


def test_rows_that_a_checkpoint_does_not_know_are_dropped(tmp_path: Path) -> None:
    logger = nn.CSVLogger(tmp_path / "log.csv")
    told = Told(logger).tell(1.125)
    state = logger.state_dict()
    told.tell(2.125, 3.125)
    logger.on_train_begin({})
    logger.load_state_dict(state)
    told.epoch = 1
    told.tell(4.0)
    assert [row[2] for row in rows(tmp_path / "log.csv")] == ["val_loss", "1.125", "4.0"]


def events(folder: Path) -> list[Any]:
    """The records of TensorBoard's files: a length, its checksum, data, their checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = []
    for path in sorted(folder.glob("events.*")):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(event_pb2.Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def test_tensorboard_gets_scalars_and_histograms(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model = compiled(metrics=["accuracy"])
    board = nn.TensorBoard(tmp_path, histograms=2)
    history = model.fit(X, YES, epochs=3, validation_split=0.25, callbacks=board, verbose=0)
    scalars: dict[str, dict[int, float]] = {}
    drawn: dict[str, list[int]] = {}
    for event in events(tmp_path):
        for value in event.summary.value:
            if value.HasField("histo"):
                drawn.setdefault(value.tag, []).append(event.step)
                assert value.histo.num == 32 or "0.weight" not in value.tag
            else:
                scalars.setdefault(value.tag, {})[event.step] = value.simple_value
    losses = dict(enumerate(history.history["val_loss"]))
    assert scalars["loss/validation"] == pytest.approx(losses, rel=1e-6)
    assert set(scalars) == {"loss/training", "loss/validation", "accuracy/training",
                            "accuracy/validation", "learning_rate"}  # fmt: skip
    names = [name for name, _ in model.named_parameters()]
    kinds = ("weights", "gradients")
    assert drawn == {f"{kind}/{name}": [0, 2] for kind in kinds for name in names}


def test_tensorboard_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r"pip install 'glassgrad\[tensorboard\]'"):
        nn.TensorBoard()


# --- not a number -------------------------------------------------------------------------


class Log(nn.Module):
    def __call__(self, x: Tensor) -> Tensor:
        return (x + 1.0).log()


class Root(nn.Module):
    """Its value is fine where its slope is not."""

    def __call__(self, x: Tensor) -> Tensor:
        return (x * 0.0).sqrt()


def of(layer: nn.Module) -> nn.Sequential:
    model = nn.Sequential([nn.Dense(3), layer, nn.Dense(1)])
    model.build((4,))
    model.compile("sgd", "mse")
    return model


def test_nan_ends_the_training_and_its_node_is_named() -> None:
    model, stop = of(Log()), nn.TerminateOnNaN()
    before = model.state_dict()
    with pytest.warns(UserWarning, match=r"not finite: forward: log in layer 1 \("):
        history = model.fit(X, YES, epochs=3, callbacks=stop, verbose=0)
    assert history.epoch == []
    assert stop.reason is not None
    assert "test_callbacks.py:" in stop.reason
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
    with pytest.raises(DomainError, match="log in layer 1"):
        of(Log()).fit(X, YES, verbose=0)


def test_a_gradient_that_is_nan_is_seen_before_the_step() -> None:
    model, stop = of(Root()), nn.TerminateOnNaN()
    before = model.state_dict()
    with pytest.warns(UserWarning, match=r"of 0\.weight is not finite in batch 1") as told:
        model.fit(X, YES, epochs=3, callbacks=stop, verbose=0)
    assert "backward: the gradient of sqrt in layer 1 (test_callbacks.py:" in str(told[0].message)
    assert "\n  mul (32, 3) float32 from 0 to 0\n" in str(told[0].message)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])


def test_a_healthy_training_is_left_alone() -> None:
    one, other = compiled(), compiled()
    autograd.seed(1)
    one.fit(X, YES, epochs=2, callbacks=nn.TerminateOnNaN(), verbose=0)
    autograd.seed(1)
    other.fit(X, YES, epochs=2, verbose=0)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


# --- the rest -----------------------------------------------------------------------------


def test_functions_at_their_turns() -> None:
    calls: list[Any] = []
    callback = nn.LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        after_backward=lambda batch, data: calls.append((batch, len(data))),
        on_epoch_end=lambda epoch, logs: calls.append(sorted(logs)),
    )
    compiled().fit(X, YES, batch_size=40, callbacks=callback, verbose=0)
    assert calls == ["begin", (0, 40), (1, 24), ["loss"]]
    with pytest.raises(TypeError, match="no turn is called on_epoch_ends; there are on_train_beg"):
        nn.LambdaCallback(on_epoch_ends=print)


def test_keras_way_of_writing_one() -> None:
    class Stop(nn.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            self.model.stop_training = epoch == 1

    assert compiled().fit(X, YES, epochs=5, callbacks=[Stop()], verbose=0).epoch == [0, 1]


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nn.EarlyStopping(patience=-1), "EarlyStopping: patience=-1: expected a whole"),
        (lambda: nn.EarlyStopping(mode="up"), "mode='up'; there is \"min\""),
        (lambda: nn.EarlyStopping(min_delta=-1.0), "min_delta=-1.0: a number from 0 on"),
        (lambda: nn.ReduceLROnPlateau(factor=1.0), "factor=1.0 must be above 0 and below 1"),
        (lambda: nn.ModelCheckpoint("model.h5"), "'model.h5' must end in .safetensors"),
        (lambda: nn.ModelCheckpoint("a.safetensors", every=0), "every=0: expected a whole number"),
        (lambda: nn.TensorBoard(histograms=-1), "histograms=-1: a whole number from 0 on"),
        (lambda: nn.Checkpoint("a", every_seconds=0), "every_seconds=0 must be above 0"),
    ],
)
def test_a_mistake_is_told(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        make()


def test_a_path_that_names_what_is_not_there() -> None:
    saver = nn.ModelCheckpoint("{val_auc}.safetensors")
    with pytest.raises(ValueError, match=r"names 'val_auc'; there are epoch, loss"):
        compiled().fit(X, YES, callbacks=saver, verbose=0)


def test_what_they_remember_comes_back() -> None:
    makers = (
        lambda: nn.EarlyStopping(patience=3, restore_best=True),
        lambda: nn.ReduceLROnPlateau(patience=1, cooldown=2, factor=0.5),
    )
    for make in makers:
        whole = Told(make()).tell(5, 4, 6, 3, 7, 8, 9)
        left = Told(make()).tell(5, 4, 6)
        right = Told(make(), lr=left.optimizer.lr)
        right.callback.load_state_dict(left.callback.state_dict())
        right.epoch = 3
        right.tell(3, 7, 8, 9)
        assert right.callback.state_dict() == whole.callback.state_dict()
        assert right.optimizer.lr == whole.optimizer.lr
