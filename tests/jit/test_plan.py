"""What is kept on disk beside libraries: how programs are run, what operations make of shapes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled import needs_compiler
from op_cases import CASES, Case, tensors

import autograd
import nn
from autograd import Tensor
from autograd.jit import jit, outcomes, plan, pool
from autograd.jit.capture import Capture
from autograd.jit.hollow import Hollow, evaluated, outcome
from autograd.jit.program import Program
from autograd.node import Op, elementwise

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where things are kept during a test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    outcomes._on_disk.cache_clear()
    outcomes._new.clear()
    yield tmp_path / "glassgrad" / "jit"
    outcomes._on_disk.cache_clear()
    outcomes._new.clear()


def program(function: Callable[..., Any], *args: Any) -> Program:
    found = Capture(lambda a, _: function(*a), (args, {})).program
    assert found is not None
    return found


# --- what a plan is found by ---


def test_two_recordings_have_one_key(folder: Path) -> None:
    model = nn.MLP(4, [8, 3])
    x, y = Tensor(np.ones((5, 4), "float32")), Tensor([0, 1, 2, 0, 1])

    def step(x: Tensor, y: Tensor) -> Tensor:
        return nn.cross_entropy(model(x), y)

    assert plan.key_of(program(step, x, y)) == plan.key_of(program(step, x, y)) is not None


def _views(together: bool) -> Callable[[Tensor], Any]:
    memory = np.zeros(8, "float32")
    a, b = Tensor.of(memory[:4]), Tensor.of(memory[2:6] if together else np.zeros(4, "float32"))
    return lambda x: x + a * b


def _transposed(order: str) -> Callable[[Tensor], Any]:
    w = Tensor.of(np.asarray(np.ones((4, 4), "float32"), order=order))  # type: ignore[call-overload]
    return lambda x: x @ w


def _assigned(at: Any) -> Callable[[Tensor], Any]:
    w = Tensor.of(np.zeros((2, 4), "float32"))

    def function(x: Tensor) -> None:
        w.assign(x, at)

    return function


X = Tensor(np.ones(4, "float32"))
PAIRS: dict[str, list[tuple[Callable[..., Any], Tensor]]] = {
    "operation": [(lambda x: x.exp(), X), (lambda x: x.sin(), X)],
    "params": [(lambda x, k=k: x.sum(axis=0, keepdims=k), X) for k in (False, True)],
    "order of inputs": [(lambda x: x - x.exp(), X), (lambda x: x.exp() - x, X)],
    "shape": [(lambda x: x * 2, X), (lambda x: x * 2, Tensor(np.ones(5, "float32")))],
    "dtype": [(lambda x: x * 2, X), (lambda x: x * 2, Tensor(np.ones(4)))],
    "number": [(lambda x: x * 2, X), (lambda x: x * 3, X)],
    "type of a number": [(lambda x: x * 2, X), (lambda x: x * 2.0, X)],
    "constant": [(lambda x, n=n: x * np.arange(n, n + 4, dtype="f4"), X) for n in (0, 1)],
    "result": [(lambda x, k=k: (x * 2, x * 3)[k], X) for k in (0, 1)],
    "neighbours in memory": [(_views(True), X), (_views(False), X)],
    "strides": [(_transposed("C"), X), (_transposed("F"), X)],
    "place": [(_assigned((0,)), X), (_assigned((1,)), X)],
}  # fmt: skip


@pytest.mark.parametrize("what", PAIRS)
def test_other_programs_have_other_keys(what: str, folder: Path) -> None:
    keys = [plan.key_of(program(function, x)) for function, x in PAIRS[what]]
    assert None not in keys
    assert keys[0] != keys[1]


def test_other_surroundings_have_other_keys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = program(lambda x: x * 2, X)
    keys = [plan.key_of(doubled)]
    for patch in (
        lambda: monkeypatch.setattr(pool, "threads", lambda: 31),
        lambda: monkeypatch.setattr(plan, "_engine", lambda: "another version"),
        lambda: monkeypatch.setattr(plan.processor, "target", lambda: plan.processor.Target(16, 8)),
    ):
        patch()
        keys.append(plan.key_of(doubled))
    keys.append(plan.key_of(doubled, data=32))  # as in another build of Python
    assert len(set(keys)) == 5


def test_what_is_not_ours_has_no_key(folder: Path) -> None:
    @elementwise
    def plan_test_op(xp: Any, x: Any) -> Any:
        """Twice."""
        return x + x

    plan_test_op.vjp(lambda g, z, x: 2 * g)
    try:
        assert plan.key_of(program(plan_test_op, X)) is None
    finally:
        del Op.table["plan_test_op"]


# --- a second process ---

STEP = """
    import sys, json, numpy as np, autograd, nn
    from autograd import Tensor
    autograd.seed(0)
    model = nn.Sequential([nn.Conv2D(3, 3, activation="relu", input_shape=(8, 8, 1)), nn.Flatten(),
                           nn.Dropout(0.2), nn.Dense(4)])
    optimizer = nn.Adam(model.parameters(), 0.01)
    @autograd.jit
    def step(x, y):
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss
    random = np.random.default_rng(0)
    x, y = Tensor(random.normal(size=(6, 8, 8, 1)).astype("f4")), Tensor(random.integers(0, 4, 6))
    losses = [step(x, y).item().hex() for _ in range(4)]
    scheduled = "autograd.jit.schedule" in sys.modules
    runner = step.last[1].runner
    seconds = runner.library.seconds if runner.kind == "native" else None
    print(json.dumps([losses, scheduled, seconds, step.source, str(step.explain())]))
"""


def run(code: str, cache: Path) -> Any:
    surroundings = {**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=surroundings, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_compiler
def test_the_next_process_runs_the_same_without_working_it_out(tmp_path: Path) -> None:
    losses, scheduled, seconds, source, told = run(STEP, tmp_path)
    assert scheduled
    assert seconds > 0
    again = run(STEP, tmp_path)
    assert again[:4] == [losses, False, 0, source]
    assert again[4].split("\n\n")[1:] == told.split("\n\n")[1:]  # the first lines tell the time
    assert "found on disk" in again[4]


@needs_compiler
@pytest.mark.parametrize("harm", ["empty", "cut", "altered", "of another time", "no library"])
def test_a_plan_that_is_not_whole_is_made_anew(harm: str, tmp_path: Path) -> None:
    losses, *_ = run(STEP, tmp_path)
    kept = tmp_path / "glassgrad" / "jit"
    (path,) = kept.glob("plan-*.json")
    text = path.read_text()
    if harm == "empty":
        path.write_text("")
    elif harm == "cut":
        path.write_text(text[: len(text) // 2])
    elif harm == "altered":
        path.write_text(text.replace('"arena', '"arema').replace('\\"arena\\": ', '\\"arena\\": 9'))
    elif harm == "of another time":
        body = json.dumps({"library": "part0-0"})
        path.write_text(json.dumps({"plan": body, "digest": plan.digest(body)}))
    else:
        for library in kept.glob("part0-*.so"):
            library.write_bytes(library.read_bytes()[:100])
    assert path.read_text() != text or harm == "no library"
    again = run(STEP, tmp_path)
    assert again[0] == losses
    assert again[1]
    assert run(STEP, tmp_path)[:2] == [losses, False]


@needs_compiler
def test_what_numpy_computes_has_no_plan(folder: Path) -> None:
    step = jit(lambda x: autograd.sort(x) * 2)
    for _ in range(3):
        step(X)
    assert step.last is not None
    assert step.last[1].runner.plan.has_hosts
    assert not list(folder.glob("plan-*"))


# --- what operations make of shapes ---


def _masked(case: Case) -> bool:
    return any(np.asarray(x).dtype == bool for x in case.specs)


@pytest.mark.parametrize("case", [c for c in CASES if not _masked(c)], ids=str)
def test_outcomes_are_those_of_the_operation(case: Case, folder: Path) -> None:
    for dtype in ("float32", "float64"):
        raws = [x.raw for x in tensors(case.draw(dtype))]
        real, found = evaluated(case.op, raws, case.params), outcome(case.op, raws, case.params)
        assert isinstance(real, tuple) == isinstance(found, tuple)
        pairs = zip(*[x if isinstance(x, tuple) else (x,) for x in (real, found)], strict=True)
        for expected, raw in pairs:
            assert raw.__class__ is Hollow
            assert (raw.shape, raw.dtype) == (expected.shape, expected.dtype)


def test_outcomes_that_took_long_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "LONG", 0.0)
    half = autograd.Tensor(np.ones((3, 5)), dtype="bfloat16").raw
    raws, op = [half, half.T], Op.table["matmul"]
    outcomes._known.clear()
    found = outcome(op, raws, {})
    next(plan.stores()).folder.mkdir(parents=True, exist_ok=True)
    outcomes.write()
    (path,) = folder.glob("shapes-*.json")
    assert len(json.loads(path.read_text())) == 1
    outcomes._known.clear()
    outcomes._on_disk.cache_clear()
    monkeypatch.setattr("autograd.jit.hollow._found", None)  # nothing is tried again
    again = outcome(op, raws, {})
    assert (again.shape, again.dtype) == (found.shape, found.dtype) == ((3, 3), half.dtype)


def test_a_file_of_outcomes_that_is_not_whole_is_as_good_as_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "LONG", 0.0)
    next(plan.stores())
    (folder / f"{outcomes._name()}.json").write_text('{"matmul [')
    outcomes._known.clear()
    raw = np.ones((2, 3), "float32")
    assert outcome(Op.table["exp"], [raw], {}).shape == (2, 3)
    outcomes.write()
    assert len(json.loads((folder / f"{outcomes._name()}.json").read_text())) == 1
