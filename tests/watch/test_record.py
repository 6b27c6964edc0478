"""Recording a training: what a frame says is true, and recording changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import backends
import nn
from autograd import Tensor
from nn.watch.run import Run
from nn.watch.store import FRAMES, HEADER, frames_of, thinned

rng = np.random.default_rng(0)
X = rng.normal(size=(320, 12)).astype("float32")
Y = rng.integers(0, 3, 320)


def network(*, jit: bool = False, optimizer: Any = "adam", **options: Any) -> nn.Sequential:
    """A model with all that might remember having been looked at: noise, running statistics."""
    autograd.seed(7)
    model = nn.Sequential([
        nn.Dense(16, activation="relu", input_shape=(12,)), nn.Dropout(0.2), nn.BatchNorm(),
        nn.Dense(16, activation="tanh"), nn.Dense(3),
    ])  # fmt: skip
    loss = nn.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"], jit=jit, **options)
    return model


def fit(model: nn.Sequential, callbacks: Any = (), epochs: int = 3, **options: Any) -> Any:
    return model.fit(X, Y, epochs=epochs, batch_size=32, verbose=0, callbacks=callbacks, **options)


def bits(model: nn.Module) -> dict[str, bytes]:
    """All numbers of a model."""
    return {name: tensor.numpy().tobytes() for name, tensor in model.named_tensors()}


def loop(model: nn.Module, optimizer: nn.Optimizer, steps: int = 25) -> list[float]:
    """Training as one writes it by hand."""
    told = []
    for k in range(steps):
        rows = np.arange(32) + 32 * (k % 10)
        loss = nn.cross_entropy(model(Tensor(X[rows])), Tensor(Y[rows]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        told.append(loss.item())
    return told


# --- it changes nothing -------------------------------------------------------------------


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5}, {"optimizer": "rmsprop"}])
def test_recording_does_not_change_a_bit(jit: bool, options: dict[str, Any]) -> None:
    run = nn.Record(every=3)
    before = fit(plain := network(jit=jit, **options))
    after = fit(watched := network(jit=jit, **options), [run])
    assert before.path == after.path == ("native" if jit else "eager")
    assert bits(plain) == bits(watched)
    assert before.history == after.history
    assert [frame["step"] for frame in run.frames] == list(range(0, 30, 3))
    assert run.header["notes"] == []


def test_a_loop_of_ones_own_does_not_change_a_bit() -> None:
    told = {}
    for watched in (False, True):
        model = network()
        optimizer = nn.AdamW(model.parameters(), lr=1e-2)
        if watched:
            with nn.record(model, optimizer, every=5) as run:
                told[watched] = loop(model, optimizer)
        else:
            told[watched] = loop(model, optimizer)
        told[watched].append(bits(model))
    assert told[True] == told[False]
    assert [frame["step"] for frame in run.frames] == [0, 5, 10, 15, 20]
    assert [frame["loss"] for frame in run.frames] == pytest.approx(told[True][0:-1:5], rel=1e-4)
    assert optimizer.observer is None


# --- what a frame says --------------------------------------------------------------------


@pytest.mark.parametrize("jit", [False, True])
def test_frames_say_what_numpy_finds(jit: bool) -> None:
    model = network(jit=jit, optimizer=nn.SGD(lr=0.5, clip_norm=0.05, weight_decay=0.1))
    run = nn.Record(every=1)
    seen: list[dict[str, Any]] = []

    class Beside(nn.Callback):
        """What the same steps look like from outside, in an eager training."""

        def on_train_batch_begin(self, batch: int, logs: Any) -> None:
            self.before = {n: p.numpy().astype("float64") for n, p in model.named_parameters()}

        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            now = {n: p.numpy().astype("float64") for n, p in model.named_parameters()}
            grads = {n: p.grad for n, p in model.named_parameters()}
            seen.append(
                {
                    "weight": [np.linalg.norm(w) for w in self.before.values()],
                    "update": [
                        np.linalg.norm(now[n] - w) / np.linalg.norm(w) if w.any() else None
                        for n, w in self.before.items()
                    ],
                    "gradient": [
                        None if g is None else np.linalg.norm(g.numpy()) for g in grads.values()
                    ],
                }
            )

    fit(model, [run, Beside()], epochs=1)
    assert len(run.frames) == len(seen) == 10
    for frame, truth in zip(run.frames, seen, strict=True):
        for told, true in zip(frame["weight"], truth["weight"], strict=True):
            assert told == pytest.approx(true, rel=1e-3)
        for told, true in zip(frame["update"], truth["update"], strict=True):
            assert told == (None if true is None else pytest.approx(true, rel=1e-3))
        if truth["gradient"][0] is not None:  # else the compiled step has forgotten them
            assert frame["gradient"] == pytest.approx(truth["gradient"], rel=1e-3)
        assert frame["norm"] == pytest.approx(np.linalg.norm(frame["gradient"]), rel=1e-3)
        assert frame["clipped"] is True
        assert frame["lr"] == 0.5
        assert frame["epoch"] == 0
    assert run.frames[-1]["logs"].keys() == {"loss", "accuracy"}


def test_compiled_and_eager_frames_agree() -> None:
    told = {}
    for jit in (False, True):
        run = nn.Record(every=2)
        fit(network(jit=jit, optimizer=nn.SGD(lr=0.1)), [run])
        told[jit] = run.frames
    for eager, compiled in zip(told[False], told[True], strict=True):
        for key in ("loss", "norm", "weight", "gradient"):
            assert eager[key] == pytest.approx(compiled[key], rel=1e-2, abs=1e-4)
        assert [u is None for u in eager["update"]] == [u is None for u in compiled["update"]]


def test_histograms_count_by_sign_and_power_of_two() -> None:
    model = nn.Sequential([nn.Dense(2, input_shape=(4,))])
    model[0].weight.assign(Tensor([[1.0, -1.5], [0.0, 0.26], [-8.0, 3.0], [2.0**-60, 0.9]]))
    optimizer = nn.SGD(model.parameters(), lr=0.0)
    with nn.record(model, optimizer, every=1) as run:
        for _ in range(40):
            model(Tensor([[1.0, 2.0, 3.0, 4.0]])).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    found = next(f for f in run.frames if "weight_hist" in f)
    hist = found["weight_hist"][0]
    positive = {hist["first"] + i: n for i, n in enumerate(hist["positive"]) if n}
    negative = {hist["first"] + i: n for i, n in enumerate(hist["negative"]) if n}
    assert positive == {-40: 1, -2: 1, -1: 1, 0: 1, 1: 1}
    assert negative == {0: 1, 3: 1}
    assert hist["zero"] == 1
    assert found["gradient"] == pytest.approx([np.sqrt(60), np.sqrt(2)], rel=1e-4)
    assert found["update"][0] == 0


def test_zeros_are_counted_exactly() -> None:
    model = nn.Sequential([nn.Embedding(10, 4)])
    model.build(())
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    with nn.record(model, optimizer, every=1) as run:
        model(Tensor(np.array([3, 3, 7]))).sum().backward()
        optimizer.step()
    assert run.frames[0]["zeros"] == [pytest.approx(0.8)]


def test_numbers_that_are_none_are_words() -> None:
    model = nn.Sequential([nn.Dense(1, input_shape=(2,))])
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    with nn.record(model, optimizer, every=1) as run, np.errstate(all="ignore"):
        for _ in range(2):
            (model(Tensor([[1e30, 1.0]])) * 1e30).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert [frame["gradient"][0] for frame in run.frames] == ["inf", "inf"]
    assert [frame["loss"] for frame in run.frames][1] in ("inf", "-inf", "nan")
    assert json.loads(json.dumps(run.frames)) == run.frames


# --- whose training, and how ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("filter", "names"),
    [
        ("3.*", ["3.weight", "3.bias"]),
        (["0.weight", "*.bias"], ["0.weight", "0.bias", "2.bias", "3.bias", "4.bias"]),
        (lambda name: name.startswith("4"), ["4.weight", "4.bias"]),
    ],
)
@pytest.mark.parametrize("jit", [False, True])
def test_a_filter_chooses_parameters(filter: Any, names: list[str], jit: bool) -> None:
    model, run = network(jit=jit), nn.Record(every=5, filter=filter)
    fit(model, [run], epochs=1)
    assert [one["name"] for one in run.header["parameters"]] == names
    frame, whole = run.frames[0], nn.Record(every=5)
    fit(network(jit=jit), [whole], epochs=1)
    assert len(frame["weight"]) == len(frame["zeros"]) == len(names)
    assert frame["norm"] == pytest.approx(whole.frames[0]["norm"], rel=1e-4)  # of all, all the same


def test_a_filter_that_fits_nothing_is_told_with_the_names() -> None:
    with pytest.raises(ValueError, match=r"fits no parameter; there are 0\.weight, 0\.bias"):
        fit(network(), [nn.Record(filter="encoder.*")])


def test_accumulated_gradients_are_seen_as_the_step_uses_them() -> None:
    model, run = network(accumulate=4, optimizer="sgd"), nn.Record(every=1)
    sums: list[Any] = []

    class Beside(nn.Callback):
        def after_backward(self, batch: int, data: Any) -> None:
            sums.append(model[4].weight.grad.numpy().copy())

    fit(model, [run, Beside()], epochs=1)  # 10 batches: two steps of four, and one of the rest
    assert [frame["step"] for frame in run.frames] == [0, 1, 2]
    for frame, part in zip(run.frames, (sums[:4], sums[4:8], sums[8:]), strict=True):
        at = [one["name"] for one in run.header["parameters"]].index("4.weight")
        assert frame["gradient"][at] == pytest.approx(np.linalg.norm(np.mean(part, 0)), rel=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision_is_seen_without_its_scale(dtype: str) -> None:
    told = {}
    for precision in (None, dtype):
        run = nn.Record(every=4)
        fit(network(mixed_precision=precision, optimizer="sgd"), [run], epochs=1)
        told[precision] = run.frames
    assert told[dtype][0]["loss"] == pytest.approx(told[None][0]["loss"], rel=2e-2)
    assert told[dtype][0]["norm"] == pytest.approx(told[None][0]["norm"], rel=0.1)


def test_a_loss_scale_in_a_loop_of_ones_own_is_taken_off() -> None:
    model = nn.Sequential([nn.Dense(3, input_shape=(12,))])
    model.astype("float16")
    optimizer, scale = nn.SGD(model.parameters(), lr=0.1), nn.LossScale()
    with nn.record(model, optimizer, every=1) as run:
        loss = nn.cross_entropy(model(Tensor(X[:32]).astype("float16")), Tensor(Y[:32]))
        scale(loss).backward()
        scale.step(optimizer)
    assert run.frames[0]["loss"] == pytest.approx(loss.item(), rel=1e-2)
    assert run.frames[0]["norm"] < 100


def test_frozen_parameters_have_no_gradient_and_do_not_move() -> None:
    model = network()
    model.build((12,))
    model[0].freeze()
    run = nn.Record(every=5)
    fit(model, [run], epochs=1)
    frame = run.frames[0]
    assert frame["gradient"][:2] == [None, None]
    assert frame["zeros"][:2] == [None, None]
    assert frame["update"][:2] == [0, None]  # the bias is 0
    assert frame["gradient"][-1] > 0


def test_layers_built_by_the_first_batch_are_recorded() -> None:
    model = nn.Sequential([nn.Dense(8, activation="relu"), nn.Dense(3)])
    model.compile("adam", nn.SparseCategoricalCrossentropy(from_logits=True))
    run = nn.Record(every=5)
    fit(model, [run], epochs=1)
    assert [one["shape"] for one in run.header["parameters"]] == [[12, 8], [8], [8, 3], [3]]


def test_groups_of_an_optimizer() -> None:
    model = network()
    model.build((12,))
    first, rest = model[0].parameters(), [p for m in model.layers[1:] for p in m.parameters()]
    optimizer = nn.Adam([{"params": rest, "lr": 1e-4}, {"params": first}], lr=1e-2)
    with nn.record(model, optimizer, every=5, filter=["0.weight", "4.weight"]) as run:
        loop(model, optimizer)
    names = [one["name"] for one in run.header["parameters"]]
    updates = dict(zip(names, run.frames[2]["update"], strict=True))
    assert updates["0.weight"] > 5 * updates["4.weight"] > 0


def test_steps_of_ones_own_that_are_compiled() -> None:
    model = nn.Sequential([nn.Dense(8, activation="tanh", input_shape=(12,)), nn.Dense(3)])
    model.build((12,))
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    @autograd.jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    with nn.record(model, optimizer, every=2) as run:
        for k in range(8):
            loss = step(Tensor(X[32 * k : 32 * k + 32]), Tensor(Y[32 * k : 32 * k + 32]))
            losses.append(loss.item())
    assert [frame["step"] for frame in run.frames] == [0, 2, 4, 6]
    assert [frame["loss"] for frame in run.frames] == pytest.approx(losses[::2], rel=1e-4)
    assert all(frame["update"][0] > 0 for frame in run.frames)
    assert all(frame["gradient"][0] > 0 for frame in run.frames)  # left until the next zero_grad


def test_what_a_compiled_step_hides_is_seen() -> None:
    model = nn.Sequential([nn.Dense(3, input_shape=(12,))])
    model.build((12,))
    optimizer = nn.SGD(model.parameters(), lr=0.1)

    @autograd.jit
    def step(x: Tensor, y: Tensor) -> None:
        nn.cross_entropy(model(x), y).backward()
        optimizer.step()
        optimizer.zero_grad()

    batches = [(Tensor(X[32 * k : 32 * k + 32]), Tensor(Y[32 * k : 32 * k + 32])) for k in range(4)]
    start = [p.numpy().copy() for p in model.parameters()]

    def recorded(step: Any) -> list[dict[str, Any]]:
        for p, data in zip(model.parameters(), start, strict=True):
            p.assign(data)
        optimizer.steps = 0
        with nn.record(model, optimizer, every=2) as run:
            for x, y in batches:
                step(x, y)
        assert not run.header["notes"]
        return run.frames

    compiled, plain = recorded(step), recorded(step.function)
    assert [frame["step"] for frame in compiled] == [0, 2]
    assert plain[0]["update"][1] is None  # a new bias is 0
    for one, other in zip(compiled, plain, strict=True):
        for told in ("loss", "norm", "gradient", "weight", "zeros"):
            assert one[told] == pytest.approx(other[told], rel=1e-4), told
    assert compiled[1]["update"] == pytest.approx(plain[1]["update"], rel=1e-4)


def test_two_recorders_of_one_training_are_an_error() -> None:
    model = network()
    with pytest.raises(ValueError, match="recorded already"):
        fit(model, [nn.Record(), nn.Record(every=3)])
    fit(model, [nn.Record()])  # the first has let go of it


def test_a_loss_that_is_not_finite_leaves_what_was_recorded() -> None:
    model = nn.Sequential([nn.Dense(1)])
    model.compile(nn.SGD(lr=1e30), "mse")
    run = nn.Record(every=1)
    with pytest.raises(nn.train.finite.NotFiniteError):
        model.fit(X, X[:, :1], epochs=9, verbose=0, callbacks=[run])
    assert len(run.frames) >= 1
    assert run.header["ended"] is True
    assert model.optimizer.observer is None


@pytest.mark.parametrize(
    ("options", "told"),
    [({"every": 0}, "every must be a whole number from 1 on, not 0"), ({"limit": 1}, "limit must")],
)
def test_wrong_options(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        nn.Record(**options)


# --- probes -------------------------------------------------------------------------------


def test_probes_tell_the_gradient_of_every_node() -> None:
    model, run = network(), nn.Record(every=5)
    fit(model, [run])
    probed = [frame for frame in run.frames if "probe" in frame]
    keys = {node["key"] for node in run.header["trace"]["nodes"]}
    assert probed
    for frame in probed:
        assert frame["probe"]["nodes"].keys() <= keys
        assert {"0.weight", "3.weight", "4.weight"} <= frame["probe"]["nodes"].keys()
        assert all(value > 0 for value in frame["probe"]["nodes"].values())
        assert len(frame["probe"]["activations"]) == len(run.header["activations"]) == 2
    assert [one["kind"] for one in run.header["activations"]] == ["relu", "tanh"]


def test_a_unit_is_dead_that_is_silent_in_every_probe() -> None:
    model = nn.Sequential([nn.Dense(4, activation="relu", input_shape=(12,)), nn.Dense(3)])
    model[0].bias.assign(Tensor([-1e3, -1e3, 0.0, 1e3]))
    optimizer = nn.SGD(model.parameters(), lr=0.0)
    with nn.record(model, optimizer, every=1) as run:
        loop(model, optimizer, 60)
    told = [frame["probe"]["activations"][0] for frame in run.frames if "probe" in frame]
    assert told[-1]["dead"] == 0.5
    assert 0.5 < told[-1]["saturated"] < 0.75


# --- how much is kept ----------------------------------------------------------------------


@pytest.mark.parametrize("place", [None, "run"])
def test_frames_are_bounded(place: str | None, tmp_path: Path) -> None:
    run = nn.Record(tmp_path / place if place else None, every=1, limit=8)
    fit(network(), [run], epochs=4)  # 40 steps
    assert run.every == 8
    assert [frame["step"] for frame in run.frames] == [0, 8, 16, 24, 32]
    assert run.header["every"] == 8
    assert "every second one was dropped" in run.header["notes"][0]
    assert len(run.frames[-1]["logs"]) == 2
    if place:
        assert len(nn.watch.load(tmp_path / place).frames) == 5


def test_what_an_epoch_said_survives_its_frame() -> None:
    frames = [
        {"step": s, "loss": 1.0} | ({"logs": {"accuracy": s}} if s % 3 == 0 else {})
        for s in range(8)
    ]
    kept = thinned(frames, 2)
    assert [frame["step"] for frame in kept] == [0, 2, 4, 6]
    assert [frame.get("logs") for frame in kept] == [
        {"accuracy": 0},
        {"accuracy": 3},
        None,
        {"accuracy": 6},
    ]


# --- a folder -----------------------------------------------------------------------------


def test_a_run_is_saved_and_loaded(tmp_path: Path) -> None:
    run = nn.Record(every=5)
    fit(network(), [run], validation_split=0.1)
    run.save(tmp_path / "kept")
    loaded = nn.watch.load(tmp_path / "kept")
    assert isinstance(loaded, Run)
    assert loaded.frames == run.frames
    assert loaded.header == run.header
    assert "val_loss" in loaded.frames[-1]["logs"]


def test_a_line_that_was_cut_off_is_no_frame(tmp_path: Path) -> None:
    fit(network(), [nn.Record(tmp_path, every=5)])
    whole = nn.watch.load(tmp_path).frames
    file = tmp_path / FRAMES
    data = file.read_bytes()
    file.write_bytes(data[: data.rindex(b'{"step":25,"seconds"') + 40])
    assert nn.watch.load(tmp_path).frames == whole[:-1]


@pytest.mark.parametrize("jit", [False, True])
def test_a_training_that_is_taken_up_again(tmp_path: Path, jit: bool) -> None:
    whole = nn.Record(every=4)
    fit(network(jit=jit), [whole], epochs=4)

    run, check = tmp_path / "run", tmp_path / "check"
    fit(network(jit=jit), [nn.Record(run, every=4)], epochs=2, checkpoint=check)
    with (run / FRAMES).open("ab") as file:  # frames of batches that were lost with a crash
        file.write(b'{"step":24,"loss":99}\n{"step":28,"lo')
    again = nn.Record(run, every=4)
    fit(network(jit=jit), [again], epochs=4, checkpoint=check, resume=True)
    told, true = again.frames, whole.frames
    assert [frame["step"] for frame in told] == [frame["step"] for frame in true]
    for key in ("loss", "weight", "gradient", "update", "norm", "epoch"):
        assert [frame[key] for frame in told] == [frame[key] for frame in true]
    seconds = [frame["seconds"] for frame in told]
    assert seconds == sorted(seconds)


def test_another_training_begins_its_folder_anew(tmp_path: Path) -> None:
    fit(network(), [nn.Record(tmp_path, every=1)])
    fit(network(), [nn.Record(tmp_path, every=10)])
    assert [frame["step"] for frame in nn.watch.load(tmp_path).frames] == [0, 10, 20]


@pytest.mark.parametrize(
    ("write", "error", "told"),
    [
        (lambda folder: None, FileNotFoundError, "holds no recorded training"),
        (lambda folder: (folder / HEADER).write_text("{"), ValueError, "is not JSON"),
        (
            lambda folder: (folder / HEADER).write_text("[1]"),
            ValueError,
            "is not of glassgrad-run 1",
        ),
    ],
)
def test_what_is_no_run(
    tmp_path: Path, write: Callable[[Path], Any], error: type[Exception], told: str
) -> None:
    write(tmp_path)
    with pytest.raises(error, match=told):
        nn.watch.load(tmp_path)


def test_two_runs_are_compared() -> None:
    runs = []
    for rate in (0.1, 0.01):
        run = nn.Record(every=5)
        fit(network(optimizer=nn.SGD(lr=rate)), [run])
        runs.append(run)
    told = runs[0].compare(runs[1])._page_()
    assert told["run"]["frames"] == runs[0].frames
    assert told["run"]["other"]["frames"] == runs[1].frames
    assert told["run"]["frames"][0]["loss"] == told["run"]["other"]["frames"][0]["loss"]
    assert told["run"]["frames"][2]["loss"] != told["run"]["other"]["frames"][2]["loss"]
    assert told["traces"][0].plain()["format"] == "glassgrad-trace"


def test_damaged_lines_are_passed_over() -> None:
    lines = ['{"step":0,"loss":1}', "nonsense", "[]", '{"loss":2}', '{"step":0,"logs":{"a":1}}']
    assert frames_of(lines) == [{"step": 0, "loss": 1, "logs": {"a": 1}}]


def test_arrays_on_a_device_are_recorded_without_a_hidden_transfer() -> None:
    with backends.using("strict"):
        model = nn.Sequential([nn.Dense(8, activation="relu"), nn.Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        random = np.random.default_rng(0)
        x, y = random.normal(size=(64, 4)).astype("float32"), random.integers(0, 3, 64)
        run = nn.Record(every=2)
        model.fit(x, y, epochs=3, callbacks=[run], verbose=0)
    assert not run.header["notes"]
    assert all(size > 0 for size in run.frames[-1]["gradient"])
    assert run.header["trace"]["nodes"]


def test_names_with_quotes_are_written_as_json_has_them() -> None:
    w = Tensor([1.0, 2.0], requires_grad=True, name='a "b" \\ c')

    class Model(nn.Module):
        def __init__(self) -> None:
            self.w = w

        def __call__(self, x: Tensor) -> Tensor:
            return x * self.w

    model = Model()
    optimizer = nn.SGD(model.parameters(), lr=0.1)
    with nn.record(model, optimizer, every=1) as run:
        for _ in range(30):
            (model(Tensor([1.0, 2.0])) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    assert len(run.frames) == 30
