"""The verdict on the losses: overfitting, underfitting and healthy trainings, each planted."""

from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from nn.data import Data
from nn.train.learning import Learning, constant_loss, judge


def verdict(train: Any, held_out: Any = None, optimizer: Any = None) -> Learning:
    course = {"loss": [float(x) for x in train]}
    if held_out is not None:
        course["val_loss"] = [float(x) for x in held_out]
    return judge(course, range(len(course["loss"])), optimizer)


def data(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype("float32")
    return x, (x[:, 0] + noise * rng.normal(size=n) > 0).astype("float32")


def network(optimizer: Any, width: int = 64) -> nn.Sequential:
    autograd.seed(0)
    model = nn.Sequential([
        nn.Dense(width, activation="relu", input_shape=(10,)), nn.Dense(1, activation="sigmoid")
    ])  # fmt: skip
    model.compile(optimizer, "binary_crossentropy")
    return model


# --- real trainings -----------------------------------------------------------------------


def test_overfitting_is_told_with_its_epoch_and_cures(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data(80, noise=1.5)
    model = network(nn.Adam(lr=0.01))
    history = model.fit(x, y, epochs=60, validation_split=0.5, verbose=2)
    found, held_out = history.learning, history.history["val_loss"]
    assert found.verdict == "overfitting"
    assert held_out[found.best] == min(held_out)
    assert found.gap == held_out[-1] - history.history["loss"][-1]
    line = capsys.readouterr().out.splitlines()[-2]
    assert line == str(found)
    assert line.startswith(
        f"learning: overfitting: validation loss rose from epoch {found.best + 1} on "
        f"({min(held_out):.3g} → "
    )
    assert "while training loss fell" in line
    assert line.endswith("weight decay, more data, or EarlyStopping(restore_best=True)")
    assert str(found) in repr(history)


def test_after_early_stopping_the_weights_are_those_of_the_best_epoch() -> None:
    x, y = data(80, noise=1.5)
    model = network(nn.Adam(lr=0.01))
    stopping = nn.EarlyStopping(patience=15, restore_best=True)
    found = model.fit(x, y, epochs=90, validation_split=0.5, callbacks=stopping, verbose=0).learning
    assert found.verdict == "overfitting"
    assert found.fix == f"the weights are those of epoch {stopping.best_epoch + 1} again"


def test_what_is_learned_by_heart_is_told_though_no_loss_rises() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 10)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype("float32")
    model = network("adam")
    model.layers.insert(1, nn.Dense(64, activation="relu"))
    history = model.fit(x[:100], y[:100], epochs=60, verbose=0, validation_data=(x[300:], y[300:]))
    assert history.learning.verdict == "overfitting"
    assert "validation loss fell to 0.6" in history.learning.told
    assert "(one answer for all has 0.69" in history.learning.told


def test_a_healthy_training(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = data(800, noise=0.1)
    model = network("adam")
    history = model.fit(x, y, epochs=12, validation_split=0.25, verbose=2)
    assert history.learning.verdict == "healthy"
    line = capsys.readouterr().out.splitlines()[-2]
    assert line.startswith("learning: healthy (training loss 0.")
    assert ", validation 0." in line
    model.fit(x, y, epochs=12, verbose=2)  # without validation there is nothing to tell
    assert "learning:" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("optimizer", "fix"),
    [
        (nn.Adam(lr=1e-7), "1e-07, is likely too low"),
        (nn.SGD(lr=1e-6), "1e-06, is likely too low"),
        (nn.Adam(lr=300.0), "3e+02, is likely too high"),
        (nn.SGD(lr=20.0), "20, is likely too high"),
    ],
)
def test_underfitting_names_the_rate(
    optimizer: Any, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = data(400, noise=1.0)
    history = network(optimizer, width=8).fit(x, y, epochs=8, verbose=2)
    assert history.learning.verdict == "underfitting"
    line = capsys.readouterr().out.splitlines()[-2]
    assert "in 8 epochs) is no better than one answer for all, 0.69" in line
    assert fix in line
    assert line.endswith("nn.lr_find shows which rates would do")


def test_inputs_that_tell_nothing() -> None:
    x, _ = data(1000, noise=0.1)
    y = np.random.default_rng(5).integers(0, 2, 1000)
    found = network("adam", width=1).fit(x, y, epochs=20, verbose=0, validation_split=0.1).learning
    assert found.verdict == "underfitting"
    assert "or the inputs tell nothing" in found.fix


def test_what_has_learned_all_is_not_underfitting() -> None:
    x, y = data(400, noise=0.01)
    model = network("adam")
    model.fit(x, y, epochs=30, verbose=0)
    model.optimizer.lr = 1e-9
    assert model.fit(x, y, epochs=8, verbose=0).learning.verdict == "healthy"


def test_the_best_constant_answer() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.choice(3, 60, p=[0.2, 0.3, 0.5])
    shares = np.bincount(kinds) / 60
    entropy = -(shares * np.log(shares)).sum()
    number = rng.normal(size=(60, 2))
    yes = (kinds == 2) * 1.0
    for loss, y, constant in (
        (nn.SparseCategoricalCrossentropy(), kinds, entropy),
        (nn.CategoricalCrossentropy(from_logits=True), np.eye(3)[kinds], entropy),
        (nn.MeanSquaredError(), number, number.var(0).mean()),
        (nn.BinaryCrossentropy(), yes, -(yes.mean() * np.log(yes.mean())
                                         + (1 - yes.mean()) * np.log(1 - yes.mean()))),
        (nn.MeanAbsoluteError(), number, None),
    ):  # fmt: skip
        found = constant_loss(loss, Data(Tensor(number), Tensor(y)))
        assert found == (None if constant is None else pytest.approx(constant))
    padded = Tensor(np.concatenate([kinds, [-1] * 50]))  # what is ignored is no class
    ignoring = nn.SparseCategoricalCrossentropy(ignore_index=-1)
    assert constant_loss(ignoring, Data(padded, padded)) == pytest.approx(entropy)
    weighted = Data(Tensor(number), Tensor(number), Tensor(yes))
    assert constant_loss(nn.MeanSquaredError(), weighted) is None


# --- courses ------------------------------------------------------------------------------

FALLING = [0.7 * 0.9**i + 0.1 for i in range(30)]
NOISE = np.random.default_rng(0).normal(size=30)


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [
        ([x + 0.05 for x in FALLING], "healthy"),
        ([0.8 - 0.05 * min(i, 8) + 0.02 * max(i - 8, 0) for i in range(30)], "overfitting"),
        (0.5 + 0.05 * NOISE, "overfitting"),  # a standstill, while training goes on
        (np.array(FALLING) + 0.03 * NOISE, "healthy"),  # noise is no rise
        ([x * 0.5 for x in FALLING], "healthy"),  # dropout: better without
        ([0.4] * 30, "overfitting"),
    ],
)
def test_courses(held_out: Any, expected: str) -> None:
    assert verdict(FALLING, held_out).verdict == expected


def test_noise_alone_is_seldom_overfitting() -> None:
    """Of two hundred flat noisy validations beside a slow training, few are misjudged."""
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        train = 0.5 - 0.004 * np.arange(30) + 0.01 * rng.normal(size=30)
        held_out = 0.5 - 0.003 * np.arange(30) + 0.03 * rng.normal(size=30)
        wrong += verdict(train, held_out).verdict != "healthy"
    assert wrong <= 4


def test_slow_overfitting_is_found_in_noise() -> None:
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        train = 0.7 * 0.93 ** np.arange(40) + 0.01 * rng.normal(size=40)
        rise = np.maximum(np.arange(40) - 10, 0) * 0.008
        held_out = 0.7 * 0.9 ** np.minimum(np.arange(40), 10) + rise + 0.01 * rng.normal(size=40)
        found += verdict(train, held_out).verdict == "overfitting"
    assert found >= 196


@pytest.mark.parametrize(
    "losses", [[1.0, 0.9, 0.8, 0.7], [1.0, float("nan"), 1.0, 1.0, 1.0, 1.0], []]
)
def test_too_little_to_judge(losses: list[float]) -> None:
    assert verdict(losses).verdict == "unknown"


def test_a_rate_that_follows_a_schedule_is_not_blamed() -> None:
    optimizer = nn.Adam()
    optimizer.lr = lambda step: 1e-9
    assert (
        "the learning rate" not in str(verdict([1.0] * 9, None, optimizer)).partition(";")[2][:60]
    )
