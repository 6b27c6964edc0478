"""What a compiled function says about itself: kernels, times, memory, text that runs, pictures."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from compiled import needs_compiler, running
from op_cases import OPS, cases, tensors

import autograd
import backends
import nn
from autograd import Tensor, Value
from autograd.jit import CaptureError, Jitted, jit
from autograd.jit.explain import short
from autograd.jit.footprint import bytes_text
from autograd.jit.profile import _Copies
from autograd.node import Op

RNG = np.random.default_rng(0)


def floats(*shape: int) -> Tensor:
    return Tensor(RNG.standard_normal(shape).astype("f"))


def trainer(layers: list[Any], x: Tensor, y: Tensor, **options: Any) -> SimpleNamespace:
    """A model, its optimizer, and a compiled step of training, called twice."""
    autograd.seed(0)
    model = nn.Sequential(layers)
    model(x)
    optimizer = nn.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = nn.losses.SparseCategoricalCrossentropy(from_logits=True)

    @jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        logits = model(x)
        loss: Tensor = loss_of(logits, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    with running(options.get("mode", "native")):
        step(x, y)
        step(x, y)
    return SimpleNamespace(step=step, model=model, optimizer=optimizer, x=x, y=y)


def everything(made: SimpleNamespace) -> list[Any]:
    """All that a call could change, copied."""
    state = [x.copy() for x in made.model.state_dict().values()]
    numbers = made.optimizer.state_dict()
    state += [np.array(x) for x in numbers.values()]
    return [*state, repr(autograd.random.state())]


def classes(n: int, *shape: int) -> Tensor:
    return Tensor(RNG.integers(0, n, shape))


@pytest.fixture(scope="module")
def mlp() -> SimpleNamespace:
    layers = [nn.Dense(16, activation="relu"), nn.Dropout(0.5), nn.Dense(3)]
    return trainer(layers, floats(8, 5), classes(3, 8))


@pytest.fixture(scope="module")
def cnn() -> SimpleNamespace:
    layers = [
        nn.Conv2D(4, 3, activation="relu"), nn.BatchNorm(), nn.MaxPool2D(2), nn.Flatten(),
        nn.Dense(3),
    ]  # fmt: skip
    return trainer(layers, floats(4, 8, 8, 1), classes(3, 4))


class Sorted(nn.Module):
    """A layer with a step that has no kernel."""

    def __call__(self, x: Tensor) -> Tensor:
        return x.cumsum(axis=1)


@pytest.fixture(scope="module")
def lstm() -> SimpleNamespace:
    layers = [nn.Embedding(11, 8), nn.LSTM(8, return_sequences=True), Sorted(), nn.Dense(11)]
    return trainer(layers, classes(11, 4, 6), classes(11, 4, 6))


@pytest.fixture(params=["mlp", "cnn", "lstm"])
def made(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


# --- explain ---


@needs_compiler
def test_kernels_say_what_they_do_and_whose_they_are(mlp: SimpleNamespace) -> None:
    told = mlp.step.explain()
    order = mlp.step.last[1].runner.schedule.order
    assert told.path == "native"
    assert len(told.kernels) == len(order)
    first = told.kernels[0]
    assert first.name.startswith("affine_nn_8x16x5")
    assert (first.where, first.ops, first.what) == ("kernel", ("affine",), ("0: Dense",))
    assert first.flops == 2 * 8 * 16 * 5
    assert first.read == 4 * (8 * 5 + 5 * 16 + 16)
    assert first.written == 4 * 8 * 16
    adam = told.kernels[-1]
    assert (adam.where, adam.what) == ("loop", ("Adam",))
    assert adam.written == 3 * 4 * sum(p.size for p in mlp.model.parameters())
    assert {k.where for k in told.kernels} <= {"loop", "kernel", "fill"}
    assert any(k.what == ("∂ 0: Dense",) for k in told.kernels)


@needs_compiler
def test_every_kernel_of_a_step_has_a_line_of_the_users(mlp: SimpleNamespace) -> None:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    for kernel in mlp.step.explain().kernels:
        assert kernel.lines, kernel
        for line in kernel.lines:
            name, _, number = line.partition(":")
            assert name == "test_explain.py"
            assert re.search(r"model\(x\)|loss_of|optimizer\.step|backward", lines[int(number) - 1])


@needs_compiler
def test_names_of_kernels_are_functions_of_the_source(made: SimpleNamespace) -> None:
    for kernel in made.step.explain().kernels:
        if kernel.where in ("loop", "kernel"):
            assert re.search(rf"\b{kernel.name}\(", made.step.source), kernel.name


@needs_compiler
def test_explanations_fit_a_screen(made: SimpleNamespace) -> None:
    for told in (made.step.explain(), made.step.explain(profile=True)):
        assert max(map(len, str(told).splitlines())) <= 100
        assert repr(told) == str(told)
        assert "native code" in str(told)
        assert str(told).splitlines()[-1].split()[0] == "all"
        assert told.table().count("\n") == len(told.kernels) + 3


@needs_compiler
def test_a_step_left_to_numpy_is_told(lstm: SimpleNamespace) -> None:
    hosts = [k for k in lstm.step.explain().kernels if k.where == "NumPy"]
    assert hosts[0].name == "cumsum"
    assert all(k.flops is None for k in hosts)
    assert f"{len(hosts)} of them by NumPy" in str(lstm.step.explain())


@needs_compiler
def test_profiles_measure_and_change_nothing(made: SimpleNamespace) -> None:
    before = everything(made)
    for given in ((), (made.x, made.y)):
        told = made.step.explain(*given, profile=True)
        assert all(k.seconds is not None and k.seconds >= 0 for k in told.kernels)
        assert sum(k.share or 0 for k in told.kernels) == pytest.approx(1)
        assert 0 < (told.seconds or 0) < 1
        assert "time" in str(told)
    for a, b in zip(before, everything(made), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_compiler
def test_the_next_call_is_as_if_nobody_had_looked() -> None:
    def run(look: bool) -> list[float]:
        layers = [nn.Dense(4, activation="tanh"), nn.Dropout(0.3), nn.Dense(3)]
        x = Tensor(np.linspace(-1, 1, 30, dtype="f").reshape(6, 5))
        made = trainer(layers, x, Tensor(np.arange(6) % 3))
        losses = []
        for _ in range(3):
            if look:
                made.step.explain(profile=True)
                made.step.values(made.x, made.y)
                made.step.memory()
                autograd.draw(made.step)
            losses.append(made.step(made.x, made.y).item())
        return losses

    assert run(False) == run(True)


@needs_compiler
def test_made_up_arguments_that_cannot_be_are_said() -> None:
    @jit
    def f(x: Tensor) -> Tensor:
        return autograd.jit.finite((x - 1e30) * 1e30).sum()  # type: ignore[attr-defined]

    ones = Tensor(np.full(3, 1e30, "f"))
    f(ones)
    f(ones)
    with pytest.raises(ValueError, match="Give it a batch of yours"):
        f.explain(profile=True)
    assert f.explain(ones, profile=True).measured


def test_copies_of_views_are_views_of_the_copy() -> None:
    flat = np.arange(12.0)
    arrays = [flat[2:8].reshape(2, 3), flat, flat[::-2], np.arange(3.0), np.zeros((0, 2))]
    copies = _Copies(arrays)
    found = [copies.of(x) for x in arrays]
    for a, b in zip(arrays, found, strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.may_share_memory(a, b)
    found[1][...] = 0
    assert not found[0].any()
    assert not found[2].any()
    assert found[3].any()
    assert flat.any()
    copies.refresh()
    np.testing.assert_array_equal(found[0], arrays[0])


# --- which path, and why ---


def test_what_it_is_in_a_line() -> None:
    @jit
    def f(x: Tensor) -> Tensor:
        return (x * 2).exp()

    x = floats(3)
    assert repr(f) == "<jit f: not called yet>"
    with running("off"):
        f(x)
    with running("replay"):
        with pytest.raises(CaptureError, match=r"jit: f has no source: "):
            _ = f.source
        assert f.explain().path == "eager"
        f(x)
        assert repr(f) == "<jit f: replay, 1 specialisation, 2 steps>"
        assert "since AUTOGRAD_JIT is replay" in str(f.explain())
        f(floats(4))
        f(floats(4))
        assert "2 specialisations" in repr(f)
    with running("off"):
        other = jit(lambda x: x * 2)
        other(x)
        assert "AUTOGRAD_JIT is off" in str(other.explain())
        assert str(other.explain()).startswith("<lambda>: as it stands, since ")


def test_a_function_that_cannot_be_compiled_says_why() -> None:
    f = Jitted(lambda x: x * x.sum().item(), strict=False)
    x = floats(3)
    f(x)
    f(x)
    assert f.reason is not None
    assert "item()" in f.reason
    told = f.explain()
    assert (told.path, told.why, told.kernels) == ("eager", f.reason, ())
    assert "runs as it stands" in repr(f)
    with pytest.raises(CaptureError, match="has no python"):
        _ = f.python


def test_examples_choose_the_specialisation() -> None:
    @jit
    def f(x: Tensor) -> Tensor:
        return (x * 2).exp()

    with running("replay"):
        for n in (3, 4):
            f(floats(n))
            f(floats(n))
        assert f.explain().arguments == ("x float32 4",)
        assert f.explain(floats(3)).arguments == ("x float32 3",)
        f(floats(3))
        assert f.explain().arguments == ("x float32 3",)
        assert f.explain(floats(7)).arguments == ("x float32 7",)  # compiled for it, not run
        assert "3 specialisations" in repr(f)


@pytest.mark.parametrize("mode", [pytest.param("native", marks=needs_compiler), "replay"])
def test_functions_of_values(mode: str) -> None:
    @jit
    def f(x: Value, y: Value) -> Value:
        return (x * y + 1).tanh()

    with running(mode):
        for _ in range(3):
            f(Value(0.5), Value(2.0))
    assert f"{mode}, 1 program of Values" in repr(f)
    assert "a tape of" in str(f.explain())
    assert "run_tape" in f.source
    with pytest.raises(CaptureError, match="a tape of Values has none"):
        f.memory()


def test_programs_of_another_backend() -> None:
    with backends.using("strict"):
        w = Tensor(np.ones((4, 2), "f"), requires_grad=True)

        @jit
        def f(x: Tensor) -> Tensor:
            return (x @ w).relu().sum()

        x = Tensor(np.ones((3, 4), "f"))
        for _ in range(2):
            want = f(x)
        told = f.explain(profile=True)
        assert "strict, step by step, since its arrays are on strict" in str(told)
        assert {k.where for k in told.kernels} == {"strict"}
        assert f.memory().parameters == 32
        names: dict[str, Any] = {}
        exec(f.python, names)
        assert names["f"](**f.values(x))["result"] == want.item()
        assert len(autograd.draw(f).picture.boxes) > 4


# --- as text ---


def standalone(folder: Path, text: str, values: dict[str, Any]) -> dict[str, Any]:
    """What the text's function returns, in a process of its own."""
    (folder / "saved.py").write_text(text, encoding="utf-8")
    (folder / "values").write_bytes(pickle.dumps(values))
    name = re.search(r"^def (\w+)\(", text, re.MULTILINE)
    assert name is not None
    code = f"""
import pickle
import numpy as np
from saved import {name[1]}
np.savez("found.npz", **{name[1]}(**pickle.load(open("values", "rb"))))
"""
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = ['.', {str(root)!r}]\n{code}"],
        cwd=folder, check=True,
    )  # fmt: skip
    return dict(np.load(folder / "found.npz"))


@needs_compiler
def test_the_python_runs_by_itself(made: SimpleNamespace, tmp_path: Path) -> None:
    text, values = made.step.python, made.step.values(made.x, made.y)
    assert list(values)[:2] == ["x", "y"]
    found = standalone(tmp_path, text, values)
    loss = made.step(made.x, made.y)
    np.testing.assert_allclose(found["result"], loss.numpy(), rtol=1e-5)
    group = made.optimizer.groups[0]
    np.testing.assert_allclose(found["parameters"], group.data, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["m"], group.state["m"], rtol=1e-3, atol=1e-6)


@needs_compiler
def test_the_python_speaks_of_the_users_things(mlp: SimpleNamespace, cnn: SimpleNamespace) -> None:
    text = mlp.step.python
    assert re.search(r"^def step\(x, y, \*, ", text, re.MULTILINE)
    assert "layer0_weight = parameters[0:80].reshape(5, 16)" in text
    assert "x @ layer0_weight + layer0_bias" in text
    assert re.search(r"# 0: Dense  test_explain\.py:\d+  logits = model\(x\)", text)
    assert "logits = " in text
    assert "# ∂ 2: Dense" in text
    assert "conv" in cnn.step.python
    assert max(map(len, text.splitlines())) <= 100


@needs_compiler
def test_the_listing_is_aligned(made: SimpleNamespace) -> None:
    lines = made.step.ir.splitlines()
    assert lines[0].startswith("step(x, y): ")
    begin, end = lines.index("steps"), lines.index("ends")
    steps = lines[begin + 1 : end]
    assert len(steps) == len(made.step.last[1].program.steps)
    assert all(len(line) <= 100 for line in lines)
    assert len({line.index("test_explain.py:") for line in steps}) == 1
    assert any(line.startswith("  logits = affine(") for line in steps)
    assert "  parameters ← " in made.step.ir


def test_text_of_odd_things(tmp_path: Path) -> None:
    held = Tensor(np.zeros((3, 4), "f"), requires_grad=True)

    @jit
    def f(batch: Any, scale: float, *, flag: bool) -> Any:
        a, b = batch["a"], batch["b"]
        table = Tensor(np.arange(40, dtype="f"))
        shape = Tensor(np.array([1.0, np.inf, -np.inf, np.nan], "f"))
        held.assign((a * scale)[:, ::-1], (slice(None), slice(0, 4)))
        parts = a[1:, ::2], a[..., None], table[b], shape.flip(), (b * 2).astype("float64")
        return {"parts": parts, "sum": (a + held.detach().sum() * 0).sum() if flag else a}

    a, b = floats(3, 4), classes(40, 5)
    with running("replay"):
        for _ in range(2):
            want = f({"a": a, "b": b}, 0.5, flag=True)
        text, values = f.python, f.values({"a": a, "b": b}, 0.5, flag=True)
    assert {"batch_a", "batch_b", "scale"} <= set(values)
    found = standalone(tmp_path, text, values)
    for i, part in enumerate(want["parts"]):
        np.testing.assert_array_equal(found[f"result{i}"], part.numpy())
        assert found[f"result{i}"].dtype == part.dtype
    np.testing.assert_array_equal(found["held"], held.numpy())


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_every_op_as_text(op: Op) -> None:
    case = next(iter(cases(op)))
    given = tensors(case.draw("float32", 0), requires_grad=False)
    f = jit(lambda inputs: case(*inputs))
    with running("replay"):
        f(given)
        want = np.asarray(f(given).raw)
        names: dict[str, Any] = {}
        exec(f.python, names)
        found = names["step"](**f.values(given))["result"]
        told = [*f.ir.splitlines(), *str(f.explain()).splitlines(), *str(f.memory()).splitlines()]
    assert np.asarray(found).dtype == want.dtype
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    assert max(map(len, told)) <= 100


# --- memory ---


@needs_compiler
def test_memory_adds_up(made: SimpleNamespace) -> None:
    told = made.step.memory()
    runner = made.step.last[1].runner
    weights = sum(p.raw.nbytes for p in made.model.parameters())
    assert told.parameters == weights
    assert told.state >= 2 * weights
    assert told.arguments == made.x.raw.nbytes + made.y.raw.nbytes
    assert told.results == 4
    assert told.arena == runner.rendered.arena
    assert told.one_by_one >= max(r.bytes for r in told.residents)
    assert told.kept > 0
    for i, a in enumerate(told.residents):
        assert a.offset + a.bytes <= told.arena
        for b in told.residents[:i]:
            together = a.first <= b.last and b.first <= a.last
            overlap = a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes
            assert not (together and overlap), (a, b)
    assert max(map(len, str(told).splitlines())) <= 100
    assert "█" in str(told)


def test_memory_of_a_replay() -> None:
    f = jit(lambda x: (x * 2).exp())
    with running("replay"):
        f(floats(5))
        f(floats(5))
        told = f.memory()
    assert (told.arena, told.arguments, told.results) == (None, 20, 20)
    assert "freed by NumPy" in str(told)


# --- the picture ---


@needs_compiler
def test_kernels_are_frames(made: SimpleNamespace) -> None:
    drawing = autograd.draw(made.step)
    picture = drawing.picture
    told = made.step.explain()
    framed = [k for k in told.kernels if k.where != "fill"]
    assert len(picture.clusters) == len(framed)
    for cluster, kernel in zip(picture.clusters, framed, strict=True):
        assert kernel.where in cluster.title
        assert not kernel.what or kernel.what[0] in cluster.title
    names = [box.rows[0][0] for box in picture.boxes]
    for name in ("x", "y", "logits", "loss", "parameters ←", "m ←", "lr"):
        assert name in names
    ends = {a.tail for a in picture.arrows} | {a.head for a in picture.arrows}
    assert {box.key for box in picture.boxes} == ends  # nothing stands alone
    assert all(box.cluster is not None for box in picture.boxes if box.kind == "op")
    assert drawing.svg.startswith("<svg")


def test_modules_are_frames_where_there_are_no_kernels(mlp: SimpleNamespace) -> None:
    again = trainer([nn.Dense(4), nn.Dense(3)], floats(8, 5), classes(3, 8), mode="replay")
    with running("replay"):
        titles = [cluster.title for cluster in autograd.draw(again.step).picture.clusters]
    assert {"0: Dense", "1: Dense", "∂ 0: Dense", "Adam"} <= set(titles)


# --- numbers as text ---


def texts() -> Iterator[tuple[str, str]]:
    yield short(0), "0"
    yield short(999), "999"
    yield short(1000), "1.0k"
    yield short(99_960), "100k"
    yield short(2_540_000), "2.5M"
    yield short(4.6e9), "4.6G"
    yield bytes_text(999), "999 B"
    yield bytes_text(44_100), "44.1 kB"
    yield bytes_text(4_800_000), "4.8 MB"
    yield bytes_text(3e9), "3.0 GB"


@pytest.mark.parametrize(("got", "want"), list(texts()))
def test_numbers_are_short(got: str, want: str) -> None:
    assert got == want
