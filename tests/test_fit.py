"""`compile`, `fit`, `evaluate`, `predict`: the loop is the loop, and every mistake is named."""

import inspect
import io
import re
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.errors import AutogradError, DomainError, DTypeError, GraphError, ShapeError
from nn.data.arrays import Data, Place, incoming
from nn.train import progress as bars
from nn.train.history import History, sparkline

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 4))
YES = (X[:, 0] > 0).astype(int)
KIND = np.digitize(X[:, 0], [-0.5, 0.5])
NUMBER = X @ [1.0, 2.0, 3.0, 4.0]


def network(outputs: int = 1, activation: str | None = "sigmoid", seed: int = 0) -> nn.Sequential:
    autograd.seed(seed)
    return nn.Sequential([
        nn.Dense(8, activation="relu", input_shape=(4,)), nn.Dense(outputs, activation=activation)
    ])  # fmt: skip


def compiled(**options: Any) -> nn.Sequential:
    model = network()
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", **options})
    return model


# --- the mission's example ----------------------------------------------------------------


def test_the_missions_example(capsys: pytest.CaptureFixture[str]) -> None:
    X_train, X_test = rng.normal(size=(600, 10)), rng.normal(size=(50, 10))
    y_train = (X_train.sum(1) > 0).astype(int)
    model = nn.Sequential(
        [
            nn.Dense(64, activation="relu", input_shape=(10,)),
            nn.Dense(32, activation="relu"),
            nn.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(X_train, y_train, epochs=10, batch_size=32)
    predictions = model.predict(X_test)
    assert predictions.shape == (50, 1)
    assert predictions.dtype == np.float32
    assert predictions.flags.writeable
    assert ((predictions > 0) & (predictions < 1)).all()
    assert ((predictions[:, 0] > 0.5) == (X_test.sum(1) > 0)).mean() > 0.8
    assert history.history["loss"][-1] < 0.6 * history.history["loss"][0]
    assert history.history["accuracy"][-1] > 0.9
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("epoch  1/10  loss 0.")
    assert lines[-1].startswith("gradient flow: healthy")


# --- fit is the loop one would write ------------------------------------------------------


def test_fit_is_the_hand_written_loop() -> None:
    model, twin = network(), network()
    model.compile("adam", "binary_crossentropy")
    history = model.fit(X, YES, epochs=3, batch_size=16, shuffle=False, verbose=0)

    optimizer, loss_function = nn.Adam(twin.parameters()), nn.BinaryCrossentropy()
    x, y = X.astype("float32"), YES.astype("float32")
    means = []
    for _ in range(3):
        total = 0.0
        for start in range(0, 100, 16):
            batch = slice(start, start + 16)
            loss = loss_function(twin(Tensor(x[batch])), Tensor(y[batch]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item() * len(x[batch])
        means.append(total / 100)
    assert history.history["loss"] == pytest.approx(means, rel=1e-6)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-5, atol=1e-7)


def test_shuffle_follows_the_seed_and_shows_each_sample_once() -> None:
    seen: list[list[float]] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            self.w = Tensor([[1.0]], requires_grad=True)

        def __call__(self, x: Any) -> Any:
            if self.training:
                seen[-1] += x.numpy()[:, 0].tolist()
            return x @ self.w

    numbers = np.arange(50.0)[:, None]

    def order(shuffle: bool) -> list[float]:
        seen.append([])
        autograd.seed(5)
        model = Spy()
        model.compile(nn.SGD(lr=0.0), "mse")
        model.fit(numbers, numbers, batch_size=7, shuffle=shuffle, verbose=0)
        return seen[-1][:50]  # behind them come those that the gradient flow is told from

    assert order(False) == numbers[:, 0].tolist()
    assert order(True) == order(True) != order(False)
    assert sorted(order(True)) == numbers[:, 0].tolist()


def test_epochs_are_shuffled_anew() -> None:
    data = Data(Tensor(X), Tensor(YES))
    assert data.shuffled().tolist() != data.shuffled().tolist()


def test_fit_goes_on_where_it_stopped() -> None:
    once, twice = compiled(), compiled()
    once.fit(X, YES, epochs=4, shuffle=False, verbose=0)
    twice.fit(X, YES, epochs=2, shuffle=False, verbose=0)
    history = twice.fit(X, YES, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
    assert history.epoch == [2, 3]
    for p, q in zip(once.parameters(), twice.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_layers_make_their_weights_in_fit() -> None:
    model = nn.Sequential([nn.Dense(8, activation="relu"), nn.Dense(1)])
    model.compile("adam", "mse")
    model.fit(X, NUMBER, verbose=0)
    assert [p.shape for p in model.parameters()] == [(4, 8), (8,), (8, 1), (1,)]
    assert model.optimizer.steps == 4


def test_the_learning_rate_can_be_set() -> None:
    model = compiled()
    model.optimizer.lr = 0.0
    before = [p.numpy().copy() for p in model.parameters()]
    model.fit(X, YES, verbose=0)
    assert all((p.numpy() == b).all() for p, b in zip(model.parameters(), before, strict=True))


def test_clipping_is_handed_on() -> None:
    assert compiled(clip_norm=1.0).optimizer.clip_norm == 1
    assert compiled(clip_value=0.5).optimizer.clip_value == 0.5


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "bool", "uint8"])
def test_dtypes_that_come_in(dtype: str) -> None:
    model = compiled()
    model.fit((X > 0).astype(dtype), YES.astype("int8"), verbose=0)
    assert model.predict(np.ones((2, 4), dtype)).dtype == np.float32


def test_a_float64_model_stays_one() -> None:
    model = nn.scalar.MLP(4, [3, 1]).to_array()
    model.compile("sgd", "mse")
    model.fit(X, NUMBER, verbose=0)
    assert model.predict(X).dtype == np.float64


def test_lists_and_tensors_come_in() -> None:
    model = compiled()
    model.fit(X.tolist(), YES.tolist(), verbose=0)
    model.fit(Tensor(X), Tensor(YES), verbose=0)
    assert model.predict(X[:2].tolist()).shape == (2, 1)
    np.testing.assert_array_equal(model.predict(Tensor(X)), model.predict(X))


def test_arrays_are_not_copied_and_not_changed() -> None:
    x = X.astype("float32")
    before = x.copy()
    assert incoming(x, "x", Place("numpy")).raw is x
    compiled().fit(x, YES, verbose=0)
    np.testing.assert_array_equal(x, before)


def test_dropout_drops_in_training_only() -> None:
    model = nn.Sequential([nn.Dropout(0.5), nn.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, NUMBER, verbose=0)
    np.testing.assert_array_equal(model.predict(X), model.predict(X))
    assert model.training  # what fit and predict set, they have taken back


# --- validation, weights ------------------------------------------------------------------


def test_validation_split_takes_the_last_samples() -> None:
    model, twin = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    split = model.fit(X, YES, epochs=2, validation_split=0.25, shuffle=False, verbose=0)
    held_out = (X[75:], YES[75:])
    given = twin.fit(X[:75], YES[:75], epochs=2, validation_data=held_out, shuffle=False, verbose=0)
    assert split.history == given.history
    assert list(split.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    last = [split.history[key][-1] for key in ("val_loss", "val_accuracy")]
    assert model.evaluate(*held_out) == pytest.approx(last)


def test_evaluate_has_three_forms() -> None:
    model = compiled()
    loss = model.evaluate(X, YES, batch_size=7)
    assert loss == pytest.approx(nn.BinaryCrossentropy()(model(Tensor(X, dtype="float32")),
                                                         Tensor(YES)).item(), rel=1e-6)  # fmt: skip
    assert model.evaluate(X, YES, return_dict=True) == {"loss": pytest.approx(loss)}
    model = compiled(metrics=["accuracy", "auc"])
    assert len(model.evaluate(X, YES)) == 3
    assert set(model.evaluate(X, YES, return_dict=True)) == {"loss", "accuracy", "auc"}


def test_sample_weights_weigh() -> None:
    weight = np.linspace(0, 2, 100)
    model = compiled()
    per_sample = nn.BinaryCrossentropy().per_sample(model(Tensor(X, dtype="float32")), Tensor(YES))
    expected = (per_sample.numpy() * weight).mean()
    assert model.evaluate(X, YES, sample_weight=weight) == pytest.approx(expected, rel=1e-5)
    first = model.fit(X, YES, batch_size=100, sample_weight=weight, verbose=0).history["loss"][0]
    assert first == pytest.approx(expected, rel=1e-5)


def test_samples_of_weight_0_teach_nothing() -> None:
    model, twin = compiled(optimizer="sgd"), compiled(optimizer="sgd")
    weight = (np.arange(100) < 50) * 2.0
    model.fit(X, YES, batch_size=100, sample_weight=weight, verbose=0)
    twin.fit(X[:50], YES[:50], batch_size=100, verbose=0, shuffle=False)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("labels", [KIND, KIND[:, None], np.eye(3)[KIND]])
def test_class_weights_are_sample_weights(labels: Any) -> None:
    loss = "categorical_crossentropy" if labels.shape == (100, 3) else None
    loss = loss or "sparse_categorical_crossentropy"
    histories = []
    for options in (
        {"class_weight": {0: 3.0, 2: 0.5}},
        {"sample_weight": np.choose(KIND, [3.0, 1.0, 0.5])},
    ):
        model = network(3, "softmax")
        model.compile("adam", loss)
        model.optimizer.lr = 1e-2
        autograd.seed(9)
        histories.append(model.fit(X, labels, epochs=2, verbose=0, **options).history)
    assert histories[0] == histories[1]


# --- callbacks ----------------------------------------------------------------------------


def test_callbacks_are_called_at_their_turns() -> None:
    calls: list[Any] = []

    class Everything:
        def set_model(self, model: Any) -> None:
            calls.append(("model", model))

        def __getattr__(self, turn: str) -> Callable[..., None]:
            if not turn.startswith("on_"):
                raise AttributeError(turn)
            return lambda *facts: calls.append((turn, *[f for f in facts if isinstance(f, int)]))

    model = compiled()
    model.fit(X, YES, epochs=2, batch_size=50, callbacks=[Everything()], verbose=0)
    assert calls[0] == ("model", model)
    batch = [("on_train_batch_begin", 0), ("on_train_batch_end", 0),
             ("on_train_batch_begin", 1), ("on_train_batch_end", 1)]  # fmt: skip
    epochs = [[("on_epoch_begin", e), *batch, ("on_epoch_end", e)] for e in (0, 1)]
    assert calls[1:] == [("on_train_begin",), *epochs[0], *epochs[1], ("on_train_end",)]


def test_a_function_is_a_callback_and_can_stop_the_training() -> None:
    model = compiled(metrics=["accuracy"])
    seen = []

    def stop(epoch: int, logs: dict[str, float]) -> None:
        seen.append((epoch, set(logs)))
        model.stop_training = epoch == 2

    history = model.fit(X, YES, epochs=9, validation_split=0.1, callbacks=[stop], verbose=0)
    assert history.epoch == [0, 1, 2]
    assert seen[0] == (0, {"loss", "accuracy", "val_loss", "val_accuracy"})
    assert model.fit(X, YES, epochs=2, verbose=0).epoch == [0, 1]


def test_what_is_no_callback_is_told() -> None:
    with pytest.raises(TypeError, match="neither a function nor an object with one of"):
        compiled().fit(X, YES, callbacks=[3], verbose=0)


# --- batches by hand ----------------------------------------------------------------------


def test_train_on_batch_is_one_step() -> None:
    model, twin = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    loss, accuracy = model.train_on_batch(X, YES)
    history = twin.fit(X, YES, batch_size=100, shuffle=False, verbose=0).history
    assert [[loss], [accuracy]] == [history["loss"], history["accuracy"]]
    np.testing.assert_array_equal(model.predict_on_batch(X), twin.predict(X, batch_size=100))
    assert set(model.train_on_batch(X, YES, return_dict=True)) == {"loss", "accuracy"}


# --- mistakes -----------------------------------------------------------------------------

BROKEN = X.copy()
BROKEN[3, 2] = np.nan
INFINITE = NUMBER.copy()
INFINITE[[5, 9]] = np.inf

MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"y": YES[:98]}, ShapeError, "x has 100 samples, y has 98: expected one target per sample"),
    ({"x": X[:0], "y": YES[:0]}, ShapeError, "x is empty: its shape is (0, 4)"),
    ({"x": BROKEN}, DomainError, "x[3, 2] is nan. A model cannot learn from it"),
    ({"y": INFINITE}, DomainError, "y[5] is inf, the first of 2 such values"),
    ({"x": X * 1e300}, DomainError, "too large for float32: rescale x"),
    ({"x": [[1, 2], [3]]}, ShapeError, "x is ragged"),
    ({"x": iter(X)}, DTypeError, "expected an array or a list, such as list(x)"),
    ({"x": X.astype(str)}, DTypeError, "x holds <U"),
    ({"y": np.array(["cat", "dog"] * 50)}, DTypeError, "np.unique(y, return_inverse=True)[1]"),
    ({"x": 3.0}, ShapeError, "x is one number, 3.0: expected samples"),
    ({"y": None}, ShapeError, "y is None: expected a target for each sample of x"),
    ({"x": X[:, :3]}, ShapeError, "must have 4 features, got 3"),
    ({"y": np.zeros((100, 2))}, ShapeError, "prediction and truth differ in shape"),
    ({"y": YES + 1}, DomainError, "is 2, outside [0, 1]"),
    ({"batch_size": 0}, ValueError, "batch_size=0: expected a whole number from 1 on"),
    ({"batch_size": 2.5}, ValueError, "batch_size=2.5: expected a whole number"),
    ({"epochs": 0}, ValueError, "epochs=0: expected a whole number from 1 on"),
    ({"initial_epoch": 1}, ValueError, "initial_epoch=1 is outside [0, 1)"),
    ({"validation_split": 1.0}, DomainError, "validation_split=1: expected 0 <= valid"),
    ({"validation_split": -0.5}, DomainError, "validation_split=-0.5: expected 0 <= valid"),
    ({"validation_split": 0.999}, ShapeError, "of 100 samples leaves none to train on"),
    ({"validation_data": X}, ValueError, "validation_data: expected (x, y) or (x, y, sample"),
    ({"validation_data": (X, YES[:1])}, ShapeError, "validation y has 1"),
    ({"validation_data": (BROKEN, YES)}, DomainError, "validation x[3, 2] is nan"),
    ({"validation_data": (X, YES * 3)}, DomainError, "is 3, outside [0, 1]"),
    ({"sample_weight": [1.0]}, ShapeError, "sample_weight has shape (1,): expected one number"),
    ({"sample_weight": np.arange(100) - 1}, DomainError, "sample_weight[0] is -1: a weight is 0"),
    ({"class_weight": {2: 1.0}}, DomainError, "class_weight names [2], of which y has none"),
    ({"class_weight": {1: -1.0}}, DomainError, "a weight is a finite number, 0 or larger"),
    ({"y": NUMBER, "class_weight": {1: 1.0}}, ShapeError, "class_weight needs y to hold classes"),
    ({"verbose": 3}, ValueError, "verbose=3: expected 0 (silent), 1 (bar), 2 (lines)"),
]


@pytest.mark.parametrize(("change", "error", "told"), MISTAKES)
def test_a_mistake_in_fit_is_told(
    change: dict[str, Any], error: type[Exception], told: str
) -> None:
    model = compiled()
    before = [p.numpy().copy() for p in model.parameters()]
    with pytest.raises(error) as caught:
        model.fit(**{"x": X, "y": YES, "verbose": 0, **change})
    assert told in str(caught.value)
    assert isinstance(caught.value, (AutogradError, ValueError))
    for p, b in zip(model.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.numpy(), b)  # no step was made


def test_labels_are_checked_before_the_first_step_at_their_own_place() -> None:
    model = network(3, "softmax")
    model.compile("adam", "sparse_categorical_crossentropy")
    labels = KIND.copy()
    labels[77] = 3
    with pytest.raises(DomainError, match=r"y_true\[77\] is 3, outside \[0, 2\]"):
        model.fit(X, labels, verbose=0)
    assert model.fit(X, KIND, verbose=0).epoch == [0]
    with pytest.raises(DomainError, match="is 3"):  # and the next time again
        model.evaluate(X, labels)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"loss": None}, ValueError, "compile: loss is missing"),
        ({"loss": "mes"}, ValueError, "did you mean 'mse'"),
        ({"optimizer": "adma"}, ValueError, "did you mean 'adam'"),
        ({"metrics": ["auk"]}, ValueError, "did you mean 'auc'"),
        ({"metrics": ["auc", "auc"]}, ValueError, "auc would be told twice"),
        ({"optimizer": nn.Adam(), "clip_norm": 1.0}, ValueError, "Adam(clip_norm=1.0)"),
    ],
)
def test_a_mistake_in_compile_is_told(
    options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as caught:
        compiled(**options)
    assert told in str(caught.value)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch"])
def test_a_model_that_is_not_compiled_says_so(method: str) -> None:
    with pytest.raises(GraphError, match=f"{method}: compile the model first"):
        getattr(network(), method)(X, YES)


def test_parameters_that_the_loss_does_not_reach_are_named() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.used, self.forgotten = nn.Dense(1), nn.Dense(1, input_shape=(4,))

        def __call__(self, x: Any) -> Any:
            return self.used(x)

    model = Forgetful()
    model.compile("adam", "mse")
    with pytest.warns(UserWarning, match=r"not reach forgotten\.weight, forgotten\.bias") as told:
        model.fit(X, NUMBER, epochs=2, verbose=0)
    assert len(told) == 1
    model.forgotten.freeze()
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, NUMBER, verbose=0)


def test_a_loss_that_is_nan_stops_before_the_step_and_names_its_source() -> None:
    class Root(nn.Module):
        def __call__(self, x: Any) -> Any:
            return (x - 0.2).log()

    model = nn.Sequential([nn.Dense(3, activation="sigmoid"), Root(), nn.Dense(1)])
    model.build((4,))
    model.compile("sgd", "mse")
    before = model[0].weight.numpy().copy()
    with pytest.raises(nn.NotFiniteError) as caught:
        model.fit(X * 9, NUMBER, verbose=0)
    assert "the loss is nan in epoch 1, batch 1." in str(caught.value)
    told = str(caught.value)
    assert re.search(r"not finite: forward: log in layer 1 \(test_fit\.py:\d+\) makes .* NaN", told)
    assert re.search(r"\n  sub \(32, 3\) float32 from -0\.\d+ to 0\.\d+\n", told)
    assert "Lower the learning rate" in told
    assert caught.value.index == 0
    assert caught.value.batch[0].shape == (32, 4)
    np.testing.assert_array_equal(model[0].weight.numpy(), before)


def test_a_training_that_diverges_is_told() -> None:
    model = network(activation=None)
    model.compile(nn.SGD(lr=1e6), "mse")
    with pytest.raises(DomainError, match=r"the loss is (inf|nan) in epoch 1, batch \d") as caught:
        model.fit(X, NUMBER, batch_size=10, verbose=0)
    assert "Lower the learning rate" in str(caught.value)


def test_a_foreign_autograd_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = type(sys)("autograd")
    foreign.__file__ = "/elsewhere/autograd/__init__.py"
    monkeypatch.setitem(sys.modules, "autograd", foreign)
    with pytest.raises(ImportError, match=r"another package in /elsewhere.*HIPS"):
        exec(inspect.getsource(nn.engine), {})


# --- on a device --------------------------------------------------------------------------


def test_a_device_is_not_asked_in_each_batch() -> None:
    """On the pretended GPU the losses of an epoch are fetched together, and are the same."""
    import backends

    on_host, on_device = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    with backends.using("strict"):
        on_device.to("strict")
        there = on_device.fit(X, YES, epochs=2, shuffle=False, verbose=0, validation_split=0.2)
        assert isinstance(on_device.predict(X), np.ndarray)
    here = on_host.fit(X, YES, epochs=2, shuffle=False, verbose=0, validation_split=0.2)
    for key, values in here.history.items():
        assert there.history[key] == pytest.approx(values, rel=1e-5)
    assert there.flow.verdict == here.flow.verdict


def test_a_device_tells_late_but_tells() -> None:
    import backends

    with backends.using("strict"):
        model = network(activation=None)
        model.compile(nn.SGD(lr=1e6), "mse")
        with pytest.raises(DomainError, match=r"not finite in epoch 1, batch \d"):
            model.fit(X, NUMBER, batch_size=10, verbose=0)


# --- history and progress -----------------------------------------------------------------


def test_history_is_told_drawn_and_plotted(tmp_path: Any) -> None:
    history = compiled(metrics=["accuracy"]).fit(X, YES, epochs=3, validation_split=0.2, verbose=0)
    lines = repr(history).splitlines()
    assert lines[0] == "History of 3 epochs"
    assert [line.split()[0] for line in lines[1:5]] == list(history.history)
    assert "→" in lines[1]
    assert lines[5].strip().startswith("gradient flow:")
    figure = history.plot(tmp_path / "training.png")
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["loss", "accuracy"]
    drawn = [line.get_ydata().tolist() for line in figure.axes[0].lines]
    assert drawn == [history.history["loss"], history.history["val_loss"]]
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]


def test_a_history_of_nothing_is_told() -> None:
    with pytest.raises(ValueError, match="no epoch has been trained yet"):
        History().plot()


def test_sparkline() -> None:
    assert sparkline([0.0, 1.0, 0.5]) == "▁█▅"
    assert sparkline([2.0, 2.0]) == "▁▁"
    assert sparkline([1.0, float("nan"), 2.0]) == "▁ █"
    assert len(sparkline([float(i) for i in range(500)])) == 24
    assert sparkline([float(i) for i in range(500)])[-1] == "█"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0254, "25 ms"), (3.21, "3.2 s"), (42.4, "42 s"), (65.0, "1:05"), (7801.0, "2:10:01")],
)
def test_durations(seconds: float, text: str) -> None:
    assert bars.duration(seconds) == text


def test_numbers() -> None:
    logs = {"loss": 0.123456, "tiny": 3e-7, "huge": 2e9, "none": 0.0}
    assert bars.numbers(logs) == "loss 0.1235  tiny 3.00e-07  huge 2.00e+09  none 0.0000"


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 3), (2, 3), ("auto", 3)])
def test_a_pipe_gets_lines(verbose: Any, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    compiled().fit(X, YES, epochs=2, verbose=verbose)
    told = capsys.readouterr().out
    assert len(told.splitlines()) == lines
    assert "\r" not in told
    assert "\x1b" not in told
    if lines:
        assert "samples/s" in told.splitlines()[0]


class Screen(io.StringIO):
    """A terminal that remembers what was written on it."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "INTERVAL", 0.0)  # draw at every batch
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    model = compiled(metrics=["accuracy", "auc"])
    model.fit(X, YES, epochs=2, batch_size=10)
    model.evaluate(X, YES, verbose=1)
    model.predict(X, verbose=1)
    told = screen.getvalue()
    assert "━" in told
    assert "left" in told
    assert "epoch 2/2  loss" in told
    assert "gradient flow: " in told
    assert told.count("\x1b[?25l") == told.count("\x1b[?25h") > 0  # the cursor is back


def test_the_screen_is_left_in_order_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    monkeypatch.setenv("TERM", "xterm")

    def fail(epoch: int, logs: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled().fit(X, YES, callbacks=[fail])
    assert screen.getvalue().count("\x1b[?25l") == screen.getvalue().count("\x1b[?25h") > 0


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    monkeypatch.setenv("TERM", "dumb")
    compiled().fit(X, YES)
    assert "\x1b" not in screen.getvalue()


def test_the_bar_is_drawn_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    drawn = []

    class Bar(bars.Live):
        def show(self, seen: int, step: int, logs: Any) -> None:
            drawn.append(now)

    monkeypatch.setattr(bars, "perf_counter", clock)
    monkeypatch.setattr("nn.train.loop.perf_counter", clock)
    monkeypatch.setattr("nn.train.fit.progress", lambda *facts: Bar(*facts[1:]))
    compiled().fit(X, YES, epochs=3, batch_size=1)
    assert 2 <= len(drawn) <= now / 0.1
    assert min(b - a for a, b in pairwise(drawn)) >= 0.1


def test_a_notebook_is_known_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    shell: Any = None
    ipython = type(sys)("IPython")
    ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not bars._in_notebook()
    shell = type("TerminalInteractiveShell", (), {})()
    assert not bars._in_notebook()
    shell.kernel = object()
    assert bars._in_notebook()


def test_a_notebook_gets_one_text_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Output:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            shown.append(bundle["text/plain"])

    def display(bundle: Any, raw: bool, display_id: bool) -> Output:
        return Output()

    monkeypatch.setattr(bars, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(bars, "INTERVAL", 0.0)
    compiled().fit(X, YES, epochs=20)
    last = shown[-1].splitlines()
    assert last[0].startswith("epoch  1/20")
    assert last[-2].startswith("epoch 20/20")
    assert last[-1].startswith("gradient flow:")
    assert len(last) == bars.SHOWN
    assert last[2].strip() == "⋮"
    assert any("━" in text for text in shown)
    assert "━" not in shown[-1]


# --- batches that come by themselves ------------------------------------------------------


class Again:
    """Batches that can be iterated over as often as one likes."""

    def __init__(self, x: Any = X, y: Any = YES, size: int = 16) -> None:
        self.batches = [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]

    def __iter__(self) -> Any:
        return iter(self.batches)


def endless() -> Any:
    while True:
        yield from Again()


def same(one: Any, other: Any) -> None:
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


FEEDS = [
    (lambda: Again(), {}),
    (lambda: endless(), {"steps_per_epoch": 7}),
    (lambda: nn.data.DataLoader(X, YES, batch_size=16), {}),
    (lambda: nn.data.DataLoader(X, YES, batch_size=16, prefetch=2), {}),
    (lambda: nn.data.DataLoader(X, YES, batch_size=16), {"steps_per_epoch": 7}),
]


@pytest.mark.parametrize(("make", "options"), FEEDS)
def test_batches_train_as_arrays_do(make: Any, options: dict[str, Any]) -> None:
    arrays, fed = compiled(metrics=["accuracy"]), compiled(metrics=["accuracy"])
    held_out = (X[:30], YES[:30])
    expected = arrays.fit(X, YES, batch_size=16, epochs=3, shuffle=False, verbose=0,
                          validation_data=held_out)  # fmt: skip
    history = fed.fit(make(), epochs=3, verbose=0, validation_data=Again(*held_out), **options)
    same(arrays, fed)
    for key, values in expected.history.items():
        assert history.history[key] == pytest.approx(values, rel=1e-6)
    assert history.flow.verdict == expected.flow.verdict


def test_weights_come_with_the_batches() -> None:
    weight = np.linspace(0, 2, 100)
    model, twin = compiled(), compiled()
    batches = [(X[i : i + 25], YES[i : i + 25], weight[i : i + 25]) for i in range(0, 100, 25)]
    model.fit(iter(batches), class_weight={1: 3.0}, verbose=0)
    twin.fit(X, YES, sample_weight=weight, class_weight={1: 3.0}, batch_size=25, shuffle=False,
             verbose=0)  # fmt: skip
    same(model, twin)


def test_evaluate_and_predict_take_batches() -> None:
    model = compiled(metrics=["accuracy"])
    expected = model.evaluate(X, YES, batch_size=16)
    assert model.evaluate(Again()) == pytest.approx(expected)
    assert model.evaluate(endless(), steps=7) == pytest.approx(expected)
    whole = model.predict(X, batch_size=16)
    np.testing.assert_array_equal(model.predict(Again()), whole)
    np.testing.assert_array_equal(model.predict(endless(), steps=7), whole)
    np.testing.assert_array_equal(model.predict(x for x, _ in Again()), whole)
    np.testing.assert_array_equal(model.predict(nn.data.DataLoader(X, batch_size=16)), whole)


def test_layers_make_their_weights_from_the_first_batch() -> None:
    model = nn.Sequential([nn.Dense(3), nn.Dense(1)])
    model.compile("adam", "mse")
    model.fit(Again(), verbose=0)
    assert model.optimizer.steps == 7


def test_a_generator_that_runs_dry_ends_the_training() -> None:
    model = compiled()
    with pytest.warns(UserWarning, match="ran out of batches after 3 of 4 of an epoch"):
        history = model.fit(iter(Again()), epochs=5, steps_per_epoch=4, verbose=0)
    assert history.epoch == [0, 1]
    assert model.optimizer.steps == 7


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"x": iter(Again()), "epochs": 2}, "gives its batches once, which is not enough for 2"),
        ({"x": iter([])}, "the list_iterator is empty: it gives no batch"),
        ({"x": iter([X])}, "gives batches of x alone"),
        ({"x": iter([(X, YES[:1])])}, "x of batch 0 has 100 samples, y of batch 0 has 1"),
        ({"x": Again(BROKEN)}, "x of batch 0[3, 2] is nan"),
        ({"x": Again(X, YES * 3)}, "is 3, outside [0, 1]"),
        ({"x": Again(), "y": YES}, "a Again gives batches with their targets: leave y out"),
        ({"x": Again(), "validation_split": 0.5}, "validation_split is for arrays"),
        ({"x": Again(), "sample_weight": YES}, "sample_weight is for arrays"),
        ({"x": Again(), "steps_per_epoch": 0}, "steps_per_epoch=0: expected a whole number"),
        ({"x": X, "y": YES, "steps_per_epoch": 9}, "steps=9: 100 samples make 4 batches of 32"),
        ({"x": X, "y": YES, "validation_data": Again(X, YES * 3)}, "is 3, outside [0, 1]"),
        ({"x": X, "y": YES, "epochs": 2, "validation_data": iter(Again())},
         "validation: a list_iterator gives its batches once"),
    ],
)  # fmt: skip
def test_a_mistake_with_batches_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises((AutogradError, ValueError)) as caught:
        compiled().fit(**{"verbose": 0, **options})
    assert told in str(caught.value)


def test_the_bar_does_without_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "INTERVAL", 0.0)
    monkeypatch.setattr(sys, "stdout", screen := Screen())
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "140")
    compiled().fit(Again(), epochs=2)
    told = screen.getvalue()
    assert "batch 3  " in told  # how far it is cannot be told in the first epoch
    assert "left" in told
    compiled().fit(endless(), steps_per_epoch=3)
    assert "samples/s" in screen.getvalue()


def test_part_of_the_batches_make_an_epoch() -> None:
    model = compiled()
    model.fit(X, YES, epochs=2, batch_size=10, steps_per_epoch=3, verbose=0)
    assert model.optimizer.steps == 6


# --- options of compile -------------------------------------------------------------------


def test_gradients_are_accumulated() -> None:
    model, twin = compiled(accumulate=4), compiled()
    model.fit(X, YES, batch_size=10, shuffle=False, epochs=2, verbose=0)
    assert model.optimizer.steps == 2 * 3  # the rest of an epoch is a step too
    for _ in range(2):
        for start, stop in ((0, 40), (40, 80), (80, 100)):
            twin.train_on_batch(X[start:stop], YES[start:stop])
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=2e-4, atol=1e-6)


def test_gradients_are_accumulated_over_batches_of_ones_own() -> None:
    model, twin = compiled(accumulate=3), compiled()
    for start in range(0, 70, 10):  # two steps, and one batch that waits
        model.train_on_batch(X[start : start + 10], YES[start : start + 10])
    assert (model.optimizer.steps, model.optimizer.waiting) == (2, 1)
    for start in (0, 30):
        twin.train_on_batch(X[start : start + 30], YES[start : start + 30])
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=2e-4, atol=1e-6)


def test_regularisers_are_part_of_the_loss() -> None:
    def fit(regularizer: Any) -> Any:
        autograd.seed(0)
        model = nn.Sequential([nn.Dense(1, input_shape=(4,), kernel_regularizer=regularizer)])
        model.compile(nn.SGD(lr=0.01), "mse")
        return model, model.evaluate(X, NUMBER), model.fit(X, NUMBER, epochs=20, verbose=0)

    plain, loss, _ = fit(None)
    held, with_penalty, history = fit("l2")
    rule = nn.regularizers.get("l2")
    start = nn.Sequential([nn.Dense(1, input_shape=(4,))])
    autograd.seed(0)
    start = nn.Sequential([nn.Dense(1, input_shape=(4,))])
    assert with_penalty == pytest.approx(loss + rule(start[0].weight).item(), rel=1e-5)
    assert np.linalg.norm(held[0].weight.numpy()) < np.linalg.norm(plain[0].weight.numpy())
    assert history.flow.verdict != "unknown"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_learns(dtype: str) -> None:
    model = compiled(optimizer=nn.Adam(lr=0.01))
    model.compile(nn.Adam(lr=0.01), "binary_crossentropy", mixed_precision=dtype)
    assert {str(p.dtype) for p in model.parameters()} == {dtype}
    losses = model.fit(X, YES, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert (model._compiled.scale is not None) is (dtype == "float16")
    with pytest.raises(ValueError, match="mixed_precision='half'; there is \"float16\""):
        model.compile("adam", "mse", mixed_precision="half")
