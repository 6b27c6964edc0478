"""Checkpoints: whole at any moment, exact to the bit, and only data."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from nn import files
from nn.train import checkpoint

ROOT = Path(__file__).parents[1]
rng = np.random.default_rng(0)
X = rng.normal(size=(96, 4)).astype("float32")
YES = (X[:, 0] + 0.5 * rng.normal(size=96) > 0).astype("float32")


def compiled(optimizer: Any = "adam", seed: int = 0) -> nn.Sequential:
    """A network whose course depends on the random stream, at every batch."""
    autograd.seed(seed)
    model = nn.Sequential([
        nn.Dense(8, activation="relu", input_shape=(4,)),
        nn.Dropout(0.3),
        nn.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", "auc", "f1"])
    return model


class Killed(BaseException):
    """What a test ends a training with, in the middle of a step."""


def kill_at(step: int) -> Any:
    count = 0

    def tick(batch: int, logs: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            raise Killed

    return nn.LambdaCallback(on_train_batch_end=tick)


def watchers() -> list[Any]:
    return [
        nn.EarlyStopping(patience=3, restore_best=True),
        nn.ReduceLROnPlateau(patience=0, factor=0.5),
        nn.LearningRateScheduler(lambda epoch, lr: lr * 0.9),
    ]


def train(model: nn.Sequential, folder: Any = None, callbacks: Any = (), **options: Any) -> Any:
    if folder is not None:
        options |= {"checkpoint": nn.Checkpoint(folder, every_batches=2), "resume": True}
    return model.fit(X, YES, epochs=5, batch_size=16, validation_split=0.25, verbose=0,
                     callbacks=[*watchers(), *callbacks], **options)  # fmt: skip


def same(a: nn.Module, b: nn.Module) -> None:
    assert a.optimizer.steps == b.optimizer.steps
    states = [{**m.state_dict(), **m.optimizer.state_dict()} for m in (a, b)]
    assert states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        np.testing.assert_array_equal(value, states[1][key], err_msg=key)


# --- going on -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "step"),
    [("adam", 3), ("adam", 11), ("adam", 20), ("sgd", 7), ("rmsprop", 8), ("adamw", 6)],
)
def test_a_training_that_was_left_ends_as_if_it_had_not(
    tmp_path: Path, optimizer: str, step: int
) -> None:
    whole = compiled(optimizer)
    expected = train(whole)
    with pytest.raises(Killed):
        train(compiled(optimizer), tmp_path / "run", [kill_at(step)])
    resumed = compiled(optimizer, seed=99)  # the stream, too, comes from the checkpoint
    history = train(resumed, tmp_path / "run", [kill_at(-1)])
    same(whole, resumed)
    assert history.history == expected.history
    assert history.epoch == expected.epoch
    assert history.learning == expected.learning


def test_one_kill_after_the_other(tmp_path: Path) -> None:
    whole = compiled()
    expected = train(whole)
    for number in range(30):
        model = compiled(seed=number)
        try:
            history = train(model, tmp_path, [kill_at(5)])
        except Killed:
            continue
        break
    assert number > 4
    same(whole, model)
    assert history.history == expected.history


def test_a_finished_training_has_nothing_left_to_do_and_more_epochs_go_on(tmp_path: Path) -> None:
    def fit(epochs: int, **options: Any) -> Any:
        model = compiled(seed=epochs if options else 0)
        return model, model.fit(X, YES, epochs=epochs, verbose=0, **options)

    first, history = fit(3, checkpoint=tmp_path, resume=True)
    again, told = fit(3, checkpoint=tmp_path, resume=True)
    same(first, again)
    assert told.history == history.history
    assert fit(5, checkpoint=tmp_path, resume=True)[1].epoch == [0, 1, 2, 3, 4]


def test_a_training_that_was_stopped_stays_stopped(tmp_path: Path) -> None:
    def stop(epoch: int, logs: Any) -> None:
        model.stop_training = epoch == 1

    for _ in range(2):
        model = compiled()
        told = model.fit(X, YES, epochs=9, verbose=0, callbacks=stop, checkpoint=tmp_path,
                         resume=True)  # fmt: skip
        assert told.epoch == [0, 1]


def test_layers_without_weights_get_them_from_the_checkpoint(tmp_path: Path) -> None:
    def fit() -> Any:
        model = nn.Sequential([nn.Dense(3), nn.Dense(1)])
        model.compile("adam", "mse")
        model.fit(X, YES, epochs=2, verbose=0, checkpoint=tmp_path, resume=True)
        return model

    same(fit(), fit())


class Batches:
    """Batches that can be iterated over again, and cannot say where they are."""

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, 96, 16):
            yield X[start : start + 16], YES[start : start + 16]


def endless() -> Iterator[Any]:
    source = np.random.default_rng(3)
    while True:
        rows = source.integers(0, 96, 16)
        yield X[rows], YES[rows]


@pytest.mark.parametrize(("make", "steps"), [(Batches, None), (Batches, 4), (endless, 5)])
@pytest.mark.parametrize("step", [4, 6, 9, 12])
def test_batches_are_wound_forward(tmp_path: Path, make: Any, steps: Any, step: int) -> None:
    def fit(model: nn.Sequential, **options: Any) -> Any:
        return model.fit(make(), epochs=4, steps_per_epoch=steps, verbose=0, **options)

    whole = compiled()
    expected = fit(whole)
    saved = {"checkpoint": nn.Checkpoint(tmp_path, every_batches=1), "resume": True}
    with pytest.raises(Killed):
        fit(compiled(), callbacks=kill_at(step), **saved)
    model = compiled(seed=5)
    assert fit(model, **saved).history == expected.history
    same(whole, model)


def normalised(**options: Any) -> nn.Sequential:
    autograd.seed(0)
    model = nn.Sequential([
        nn.Dense(8, input_shape=(4,), kernel_regularizer="l2"), nn.BatchNormalization(), nn.ReLU(),
        nn.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", **options})
    return model


def overflowing() -> nn.Sequential:
    """Its loss scale is too large at first: steps are left out until it has come down."""
    model = normalised(mixed_precision="float16")
    model._compiled.scale.scale = 2.0**26
    return model


@pytest.mark.parametrize(
    "make",
    [
        normalised,
        lambda: normalised(accumulate=4),
        lambda: normalised(optimizer=nn.Adam(lr=nn.optim.CosineDecay(0.01, steps=24, warmup=3))),
        lambda: normalised(optimizer=nn.SGD(momentum=0.9, clip_norm=0.1)),
        lambda: normalised(mixed_precision="bfloat16"),
        lambda: overflowing(),
    ],
    ids=["batchnorm", "accumulate", "schedule", "momentum", "bfloat16", "float16"],
)
@pytest.mark.parametrize("step", [3, 14])
def test_all_that_a_training_has_is_kept(tmp_path: Path, make: Any, step: int) -> None:
    def fit(model: nn.Sequential, *more: Any, **options: Any) -> Any:
        loader = nn.data.DataLoader(X, YES, batch_size=16, shuffle=True, prefetch=1)
        average = nn.optim.EMA(decay=0.9)
        held_out = nn.data.DataLoader(X[:40], YES[:40], shuffle=True)
        history = model.fit(loader, epochs=3, validation_data=held_out, verbose=0,
                            callbacks=[average, *more], **options)  # fmt: skip
        return history.history, average.state_dict()

    whole = make()
    losses, averages = fit(whole)
    saved = {"checkpoint": nn.Checkpoint(tmp_path, every_batches=2), "resume": True}
    with pytest.raises(Killed):
        fit(make(), kill_at(step), **saved)
    autograd.seed(77)
    model = make()
    autograd.seed(78)
    again, kept = fit(model, **saved)
    same(whole, model)
    assert again == losses
    for key, value in averages.items():
        np.testing.assert_array_equal(value, kept[key])


def test_logs_go_on_less_what_came_after_the_checkpoint(tmp_path: Path) -> None:
    """Killed at the end of an epoch: its row and points are there, its checkpoint is not."""
    pytest.importorskip("tensorboardX")
    from tensorboardX.proto.event_pb2 import SessionLog
    from test_callbacks import events

    def fit(folder: str, *more: Any) -> None:
        callbacks = [nn.CSVLogger(tmp_path / f"{folder}.csv"),
                     nn.TensorBoard(tmp_path / f"{folder}.board", histograms=0), *more]  # fmt: skip
        compiled().fit(X, YES, epochs=4, verbose=0, callbacks=callbacks,
                       checkpoint=tmp_path / folder, resume=True)  # fmt: skip

    def kill(epoch: int, logs: Any) -> None:
        if epoch == 2:
            raise Killed

    fit("whole")
    with pytest.raises(Killed):
        fit("left", kill)
    assert len((tmp_path / "left.csv").read_text().splitlines()) == 4
    fit("left")
    assert (tmp_path / "left.csv").read_text() == (tmp_path / "whole.csv").read_text()
    starts = [e.step for e in events(tmp_path / "left.board")
              if e.session_log.status == SessionLog.START]  # fmt: skip
    assert starts == [2]  # from there on TensorBoard forgets what it had


def test_on_a_device(tmp_path: Path) -> None:
    """On the pretended GPU: nothing is fetched by accident, and what was there is there again."""
    import backends

    with backends.using("strict"):
        whole = compiled()
        expected = train(whole)
        with pytest.raises(Killed):
            train(compiled(), tmp_path, [kill_at(7)])
        model = compiled(seed=5)
        history = train(model, tmp_path, [kill_at(-1)])
    same(whole, model)
    assert history.history == expected.history
    assert model.parameters()[0].backend == "strict"


def test_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0  # asked once per batch, and once when one is written
        return now

    monkeypatch.setattr(checkpoint, "monotonic", clock)
    written: list[int] = []
    saved = nn.Checkpoint(tmp_path, every_seconds=2.5)
    write = saved.write
    model = compiled()

    def count(state: dict[str, Any]) -> None:
        written.append(model.optimizer.steps)
        write(state)

    monkeypatch.setattr(saved, "write", count)
    model.fit(X, YES, batch_size=8, verbose=0, checkpoint=saved)
    assert written == [3, 6, 9, 12, 12]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_goes_on(tmp_path: Path) -> None:
    """SIGKILL at random moments, also within writing: the end is the same to the bit."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent("""
            import sys
            import numpy as np
            import autograd, nn
            folder, out = sys.argv[1:]
            rng = np.random.default_rng(0)
            X = rng.normal(size=(512, 6)).astype("float32")
            y = (X[:, 0] * X[:, 1] > 0).astype("float32")
            autograd.seed(7)
            model = nn.Sequential([
                nn.Dense(32, activation="relu", input_shape=(6,)), nn.Dropout(0.2),
                nn.Dense(1, activation="sigmoid"),
            ])
            model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
            history = model.fit(
                X, y, epochs=12, batch_size=16, validation_split=0.2, verbose=0,
                callbacks=[
                    nn.EarlyStopping(patience=12, restore_best=True),
                    nn.ReduceLROnPlateau(patience=1), nn.CSVLogger(folder + ".csv"),
                ],
                checkpoint=nn.Checkpoint(folder, every_batches=1), resume=True,
            )
            model.save_checkpoint(out)
            print(history.history)
        """)
    )

    def start(folder: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            str(script),
            str(tmp_path / folder),
            str(tmp_path / "out" / folder),
        ]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    whole = start("whole")
    expected = whole.communicate()[0]
    assert whole.returncode == 0
    chance = random.Random(4)
    kills = 0
    for _ in range(40):
        process = start("killed")
        begun = time.monotonic()
        places = []  # wait until it has gone on, then let chance choose the moment
        while process.poll() is None and len(places) < 2 and time.monotonic() - begun < 60:
            state = tmp_path / "killed" / "state.json"
            if state.exists() and state.stat().st_mtime_ns not in places:
                places.append(state.stat().st_mtime_ns)
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.3))
        process.send_signal(signal.SIGKILL)
        told = process.communicate()[0]
        if process.returncode == 0:
            break
        kills += 1
        assert checkpoint.read(tmp_path / "killed")["training"]["epoch"] <= 12
        if kills == 6:  # enough: let it come to its end
            process = start("killed")
            told = process.communicate()[0]
            break
    assert process.returncode == 0
    assert kills >= 3
    assert told == expected
    assert (tmp_path / "killed.csv").read_text() == (tmp_path / "whole.csv").read_text()
    ends = [checkpoint.read(tmp_path / "out" / name) for name in ("whole", "killed")]
    arrays: list[dict[str, Any]] = [{}, {}]
    trees = [checkpoint.pack(end, a) for end, a in zip(ends, arrays, strict=True)]
    assert trees[0] == trees[1]
    for key, array in arrays[0].items():
        np.testing.assert_array_equal(array, arrays[1][key], err_msg=key)


# --- files --------------------------------------------------------------------------------


def test_each_moment_of_writing_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended before and after every call to the system: the old state is there, or the new."""
    calls = ["open", "fsync", "replace"]
    outcomes = set()
    for last in range(12):
        folder = tmp_path / str(last)
        checkpoint.write(folder, {"n": 1, "a": np.arange(3.0)})
        with monkeypatch.context() as patch:
            left = last

            def counted(real: Any) -> Any:
                def call(*facts: Any, **options: Any) -> Any:
                    nonlocal left
                    if left == 0:
                        raise Killed
                    left -= 1
                    return real(*facts, **options)

                return call

            for name in calls:
                patch.setattr(files.os, name, counted(getattr(os, name)))
            with contextlib.suppress(Killed):
                checkpoint.write(folder, {"n": 2, "a": np.arange(4.0)})
        found = checkpoint.read(folder)
        outcomes.add(found["n"])
        assert found["a"].tolist() == list(range(2 + found["n"]))
        checkpoint.write(folder, {"n": 3, "a": np.arange(5.0)})
        assert len(list(folder.iterdir())) == 2  # nothing is left behind
        assert checkpoint.read(folder)["n"] == 3
    assert outcomes == {1, 2}


def test_what_is_packed_comes_back() -> None:
    tree = {
        "numbers": [0.1, 1e-300, float("inf"), 2**70, True, None, "é"],
        "nested": {"pair": (1, [2.5, ()])},
        "half": np.float16([1.5]),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "none": np.zeros((0, 3)),
        "scalar": np.array(3),
        "brain": Tensor([1.0], dtype="bfloat16").numpy(),
        "tensor": Tensor([[1, 2]], dtype="int64"),
    }
    arrays: dict[str, Any] = {}
    text = json.dumps(checkpoint.pack(tree, arrays))
    back = checkpoint.unpack(json.loads(text), arrays)
    assert back["numbers"] == tree["numbers"]
    assert back["nested"] == tree["nested"]
    for key in ("half", "turned", "none", "scalar", "brain", "tensor"):
        assert back[key].dtype == tree[key].dtype
        assert back[key].tolist() == tree[key].tolist()
    assert isinstance(back["tensor"], Tensor)


@pytest.mark.parametrize(("item", "told"), [({"s": {1}}, "s is a set"), ({"f": [len]}, "f.0 is a"),
                                            ({"d": {1: 2}}, "d has the key 1")])  # fmt: skip
def test_what_cannot_be_saved_is_named(tmp_path: Path, item: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        checkpoint.write(tmp_path, item)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no checkpoint: there is no state\.json"):
        checkpoint.read(tmp_path)
    state = tmp_path / "state.json"
    for text, told in (
        ("{", "is not JSON"), ("[]", "is not of a glassgrad checkpoint"),
        (json.dumps({"format": checkpoint.FORMAT, "arrays": "../a"}), "no file of a checkpoint"),
    ):  # fmt: skip
        state.write_text(text)
        with pytest.raises(ValueError, match=told):
            checkpoint.read(tmp_path)
    checkpoint.write(tmp_path, {"a": np.arange(9.0)})
    arrays = next(tmp_path.glob("arrays-*"))
    data = bytearray(arrays.read_bytes())
    data[-1] ^= 1
    arrays.write_bytes(data)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoint.read(tmp_path)


# --- models -------------------------------------------------------------------------------


def test_a_model_with_its_optimizer(tmp_path: Path) -> None:
    model = compiled()
    model.fit(X, YES, epochs=2, verbose=0)
    model.save_checkpoint(tmp_path)
    other = compiled(seed=3)
    other.load_checkpoint(tmp_path)
    same(model, other)
    for m in (model, other):
        m.load_checkpoint(tmp_path)  # the place in the stream, for both
        m.fit(X, YES, epochs=1, verbose=0)
    same(model, other)
    with pytest.raises(ValueError, match="a model, but no training to go on with"):
        other.fit(X, YES, verbose=0, checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="training with Adam, the model is compiled with SGD"):
        compiled("sgd").load_checkpoint(tmp_path)


def test_weights_load_from_a_checkpoint_too(tmp_path: Path) -> None:
    model, other = compiled(), compiled(seed=1)
    model.fit(X, YES, verbose=0, checkpoint=tmp_path)
    other.load(tmp_path)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))


def test_a_training_is_not_overwritten_and_not_mixed_up(tmp_path: Path) -> None:
    model = compiled()
    model.fit(X, YES, verbose=0, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="holds a training already; resume=True goes on"):
        model.fit(X, YES, verbose=0, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="resume=True needs to know the folder"):
        model.fit(X, YES, verbose=0, resume=True)
    for change, told in (
        ({"batch_size": 5}, "training had batch_size=32, this has 5"),
        ({"x": X[:50], "y": YES[:50]}, "training had samples=96, this has 50"),
        ({"callbacks": nn.EarlyStopping()}, "were none, and are EarlyStopping"),
    ):
        options: dict[str, Any] = {"x": X, "y": YES, **change}
        with pytest.raises(ValueError, match=told):
            model.fit(**options, epochs=2, verbose=0, checkpoint=tmp_path, resume=True)


# --- parts of other models ----------------------------------------------------------------


class Tagger(nn.Module):
    def __init__(self, outputs: int, width: int | None = 4) -> None:
        shape = None if width is None else (width,)
        self.body = nn.Sequential([nn.Dense(8, input_shape=shape), nn.Dense(8)])
        self.head = nn.Dense(outputs)
        if width is not None:
            self.build((width,))

    def __call__(self, x: Any) -> Any:
        return self.head(self.body(x))


def equal(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(np.array_equal(p, q) for p, q in pairs)


@pytest.mark.parametrize("width", [4, None])
def test_a_part_of_another_model(tmp_path: Path, width: Any) -> None:
    big, path = Tagger(5), tmp_path / "big.safetensors"
    big.save(path)
    small = Tagger(2, width)
    small.load(path, only="body")
    assert equal(small.body, big.body)
    assert small.head.built is (width is not None)
    body = nn.Sequential([nn.Dense(8), nn.Dense(8)])
    assert equal(body.load(path, prefix="body"), big.body)
    renamed = nn.Module()
    renamed.trunk, renamed.top = Tagger(1).body, nn.Dense(5)
    renamed.load(path, rename={"body": "trunk", "head": "top"})
    assert equal(renamed.trunk, big.body)
    assert equal(renamed.top, big.head)
    renamed.load(path, rename=lambda name: name.replace("body", "trunk").replace("head", "top"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, r"shape       head\.weight: \(8, 2\) here, \(8, 5\) given\n  shape       head\.bias"),
        ({"prefix": "boddy"}, r"no name in .* begins with 'boddy\.'; it has body\.0\.bias"),
        ({"only": ["body", "tail"]}, "has nothing at tail; it has body"),
        ({"rename": {"tail": "head"}}, "rename has tail, unlike the file; it has body"),
        ({"rename": lambda name: "x"}, "gives two tensors the name 'x'"),
        ({"rename": {"body": "trunk"}}, r"(?s)missing     body\.0.*unexpected  trunk\.0.*shape"),
    ],
)
def test_what_does_not_fit_is_told_at_once(tmp_path: Path, options: Any, told: str) -> None:
    path = tmp_path / "big.safetensors"
    Tagger(5).save(path)
    model = Tagger(2)
    before = model.state_dict()
    with pytest.raises(ValueError, match=told):
        model.load(path, **options)
    for key, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[key])
