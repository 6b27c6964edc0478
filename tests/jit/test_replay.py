"""The way without a compiler: a program's lines, the memory that they share, and how it is told."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled import assert_near, compiled, running, specialisations

import autograd as ag
import backends
import nn
from autograd import Tensor
from autograd.jit import finite, jit
from autograd.jit.capture import Capture
from autograd.jit.lines import FRESH
from autograd.jit.replay import Replay
from autograd.jit.simplify import simplified
from autograd.node import Op

ROOT = Path(__file__).parents[2]


def tensor(*shape: int, seed: int = 0, dtype: str = "float32", **facts: Any) -> Tensor:
    return Tensor(np.random.default_rng(seed).uniform(-1, 1, shape), dtype=dtype, **facts)


def replayed(function: Callable[..., Any], *args: Any) -> Any:
    """The function, to be called in a block that replays; and its source."""
    made = compiled(function, "replay", *args)
    return made, specialisations(made)[0].runner.source


def same(function: Callable[..., Any], *args: Any, rtol: float = 1e-6) -> str:
    """Compare it with the plain function, on three different arguments; returns the source."""
    made, source = replayed(function, *args)
    with running("replay"):
        for seed in range(1, 4):
            new = [
                tensor(*x.shape, seed=seed, dtype=x.dtype.name) if isinstance(x, Tensor) else x
                for x in args
            ]
            assert_near(made(*new), function(*new), rtol)
    return str(source)


# --- the lines ---


def test_a_step_is_calls_of_numpy_into_memory_that_is_there() -> None:
    source = same(
        lambda x, w, b: ((x @ w + b).relu() * 2).sum(), tensor(8, 5), tensor(5, 4), tensor(4)
    )
    body = [line.split("  #")[0].strip() for line in source.splitlines()[2:]]
    functions = [line.split("(")[0] for line in body]
    assert functions == [
        "dot", "add", "maximum", "multiply", "v" + body[4].split(" = ")[0][1:] + " = empty",
        "sum", "return " + body[4].split(" = ")[0] + ",",
    ]  # fmt: skip
    assert all("out=" in line for line in body[:4])
    assert len({line.rpartition("out=")[2] for line in body[:4]}) == 1  # one over the other


def test_an_operand_that_is_still_needed_is_not_written_over() -> None:
    same(lambda x: (x * 2 + (x * 2).exp(), (x * 2).T @ x), tensor(5, 4))
    same(lambda x: ((y := x.exp()) - y.sum(axis=0), y.reshape(10, 2)[3:].sum()), tensor(5, 4))
    same(lambda x: (y := x @ x).T * y + y, tensor(4, 4))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int32", "bool"])
def test_dtypes(dtype: str) -> None:
    def function(x: Tensor, n: float) -> Any:
        y = x.astype("float32") * 0.1
        return x + x, x * 2, y - n, x.sum(), x.max(axis=0), ag.concatenate([x, x]), x.exp()

    x = Tensor(np.random.default_rng(0).integers(0, 2, (3, 4)), dtype=dtype)
    made, _ = replayed(function, x, 0.25)
    with running("replay"):
        assert_near(made(x, 0.5), function(x, 0.5), 0)


def test_bfloat16_meets_numbers_as_a_recorded_call_does() -> None:
    x = tensor(50, dtype="bfloat16")
    made, _ = replayed(lambda x: x * 0.1 + 0.3, x)
    with running("replay"):
        assert_near(made(x), x * 0.1 + 0.3, 0)


def test_shapes_and_views() -> None:
    def function(x: Tensor) -> Any:
        y = x * 2
        turned = y.permute(2, 0, 1)
        return (
            turned.reshape(-1), y.reshape(6, 4) @ y.reshape(4, 6), turned[1:, ::-1].flip(0) + 1,
            y[0, 0, 0], y[..., None].broadcast_to((2, 3, 4, 2)).sum(axis=(0, 3)), y @ y[0].mT,
            y.max(axis=(0, 2), keepdims=True), y.mean(), x.reshape(24), turned.sum(axis=0),
        )  # fmt: skip

    same(function, tensor(2, 3, 4))
    same(lambda x: (x * x, x.sum(), x.reshape(1, 1) @ x.reshape(1, 1)), tensor())
    same(lambda x: (x * 2, x.sum(axis=0), x @ x.T, ag.concatenate([x, x])), tensor(0, 3))


def test_arguments_in_any_order_of_memory() -> None:
    made, _ = replayed(lambda x: (x.reshape(-1) * 2, x @ x.T, x.T + 1), tensor(4, 6))
    x = Tensor.of(np.asfortranarray(tensor(4, 6, seed=3).raw))
    with running("replay"):
        assert_near(made(x), (x.reshape(-1) * 2, x @ x.T, x.T + 1), 1e-6)


def test_what_is_joined_is_computed_in_its_place() -> None:
    def function(x: Tensor, y: Tensor) -> Any:
        flat = ag.concatenate([(x @ y).reshape(-1), y.reshape(-1), y.sum(axis=0)])
        return flat * flat

    source = same(function, tensor(4, 3), tensor(3, 5))
    assert "concatenate" not in source
    assert source.count("[...] = ") == 1  # y, which is given
    same(lambda x: ag.concatenate([y := x * 2, y, x, y + 1]).exp(), tensor(3, 2))
    same(lambda x: ag.concatenate([x * 2, x + 1], axis=1).exp(), tensor(3, 2))
    same(
        lambda x: (z := ag.concatenate([y := x * 2, x])) * 1.5 - (z[:3] @ y.T @ z[:3, :1])[0],
        tensor(3, 2),
    )


def test_results_are_new_in_each_call_and_nobody_elses() -> None:
    weight = tensor(3, 3)

    def function(x: Tensor) -> Any:
        y = x @ weight
        return y, y.T, x, weight, weight.T, x.reshape(9), y + 1, ag.concatenate([y, y])

    made, _ = replayed(function, tensor(3, 3))
    with running("replay"):
        first = made(tensor(3, 3, seed=1))
        kept = [x.numpy().copy() for x in first]
        second = made(tensor(3, 3, seed=2))
        x = tensor(3, 3, seed=1)
        own = made(x)
        x.raw[...] = 7
    for old, new, third, value in zip(first, second, own, kept, strict=True):
        np.testing.assert_array_equal(old.numpy(), value)
        np.testing.assert_array_equal(third.numpy(), value)
        assert not np.may_share_memory(old.raw, new.raw)
        assert not np.may_share_memory(old.raw, weight.raw)


def test_the_ops_called_fresh_never_give_an_operand_back() -> None:
    xp = backends.get("numpy")
    random = np.random.default_rng(0)
    seen = set()
    for name in FRESH & Op.table.keys():
        op = Op.table[name]
        for i, params in enumerate(op.samples):
            shapes = op.shapes[i] if op.shapes else ((2, 3),) * len(op.inputs)
            xs = [
                np.array(s) if isinstance(s, list) else random.random(s).astype("float32")
                for s in shapes
            ]
            given = {k: v for k, v in op.params.items() if v is not inspect.Parameter.empty}
            found = op.forward(xp, *xs, **given | params)
            for y in found if isinstance(found, tuple) else (found,):
                assert not any(np.may_share_memory(x, y) for x in xs), name
            seen.add(name)
    assert len(seen) > 20


# --- what is assigned ---


def test_adam_computes_in_the_memory_that_it_assigns() -> None:
    def trained(mode: str) -> tuple[Any, str]:
        ag.seed(0)
        model = nn.Sequential([nn.Dense(16, activation="relu", input_shape=(5,)), nn.Dense(1)])
        optimizer = nn.optim.Adam(model.parameters(), lr=0.01)

        def step(x: Tensor, y: Tensor) -> Tensor:
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        made, source = jit(step), ""
        with running(mode):
            losses = [made(tensor(8, 5, seed=i), tensor(8, 1, seed=-i % 7)) for i in range(6)]
            for bound in specialisations(made):
                source = bound.runner.source
        return [*losses, *model.parameters()], source

    found, source = trained("replay")
    wanted, _ = trained("off")
    assert_near(found, wanted, 1e-5)
    assert "assigned" not in source
    assert "concatenate" not in source


def test_assigned_values_are_read_before_they_are_lost() -> None:
    a, b, c = tensor(3, 3, seed=1), tensor(3, 3, seed=2), tensor(3, 3, seed=3)
    before = [x.numpy().copy() for x in (a, b, c)]

    def function(x: Tensor) -> Any:
        old, turned, more = a + 0, b + 0, c * x
        a.assign(turned)
        b.assign(old)
        c.assign(more)
        return c.T, a.sum()

    made = jit(function)
    made(tensor(3, 3))  # as it stands
    for leaf, value in zip((a, b, c), before, strict=True):
        leaf.raw[...] = value
    with running("replay"):
        made(tensor(3, 3))
    assert specialisations(made)
    np.testing.assert_array_equal(a.numpy(), before[1])
    np.testing.assert_array_equal(b.numpy(), before[0])
    np.testing.assert_allclose(c.numpy(), before[2] * tensor(3, 3).numpy(), rtol=1e-6)


def test_nothing_is_assigned_where_a_check_fails() -> None:
    weight, total = tensor(3), Tensor(np.zeros(3), dtype="float32")

    def function(x: Tensor) -> Tensor:
        y = x.log().sum()
        finite(y)
        total.assign(total + x)
        return y * weight

    made, source = replayed(function, Tensor([1.0, 2.0, 3.0]))
    assert "if not isfinite(" in source
    assert "assigned" not in source  # it is computed in its place, behind that
    before = total.numpy().copy()
    run = specialisations(made)[0].runner.run
    with np.errstate(all="ignore"):
        assert run((np.array([0, 1, 1], "float32"),)) is None
    np.testing.assert_array_equal(total.numpy(), before)
    assert run((np.ones(3, "float32"),)) is not None
    np.testing.assert_array_equal(total.numpy(), before + 1)


def test_it_runs_on_another_array_library() -> None:
    weight = tensor(4, 4)

    def function(x: Tensor) -> Any:
        y = ag.concatenate([(x @ weight).relu(), x.sum(axis=0, keepdims=True)])
        loss = (ag.gelu(y) ** 2).mean() + y.max()
        weight.assign(weight - 0.5)
        return loss, y.softmax()

    def run(backend: str) -> list[Any]:
        weight.raw = backends.get(backend).from_host(tensor(4, 4).raw.copy())
        with backends.using(backend):
            x = tensor(3, 4, seed=1).to(backend)
            capture = Capture(lambda args, _: function(*args), ((x,), {}), True)
        assert capture.program is not None
        replay = Replay(simplified(capture.program, fused=True), backend)
        found = [replay.run((x.raw,)), replay.run((x.raw,))]
        to_host = backends.get(backend).to_host
        return [to_host(raw) for raws in found if raws is not None for raw in raws]

    for a, b in zip(run("strict"), run("numpy"), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


# --- which way it goes ---


def python(code: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    start = """
        import numpy as np
        import autograd as ag
        from autograd import Tensor
        f = ag.jit(lambda x: (x * 2).sum())
        g = ag.jit(lambda x: x.exp())
        def kinds():
            for h in (f, g):
                for _ in range(3):
                    h(Tensor([1.0, 2.0]))
            return {b.kind for h in (f, g) for bs in h.known.values() for b in bs}
    """
    text = textwrap.dedent(start) + textwrap.dedent(code)
    here = {k: v for k, v in os.environ.items() if k not in ("CC", "AUTOGRAD_JIT")}
    return subprocess.run(
        [sys.executable, "-c", text], env={**here, **surroundings, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


NO_PATH = pytest.param(
    {"PATH": ""}, "", marks=pytest.mark.skipif(find_spec("ziglang") is not None, reason="ziglang")
)
BROKEN = {"CC": "/bin/false"}, "toolchain._candidates = lambda wish: iter([(wish,)])"


@pytest.mark.parametrize(("lack", "more"), [NO_PATH, BROKEN])
def test_without_a_compiler_it_replays_and_says_so_once(lack: dict[str, str], more: str) -> None:
    code = f"""
        import autograd.jit.toolchain as toolchain
        {more}
        print(kinds())
    """
    done = python(code, **lack)
    assert done.stdout.strip() == "{'replay'}", done.stderr
    assert done.stderr.count("no C compiler that works") == 1
    assert "<string>:" in done.stderr  # where the user called it
    assert "ziglang" in done.stderr
    assert "AUTOGRAD_JIT=replay" in done.stderr


def test_what_cannot_be_compiled_is_replayed() -> None:
    code = """
        import autograd.jit.build as build, autograd.jit.native as native
        import autograd.jit.plan as plan, autograd.jit.toolchain as toolchain
        toolchain.find = lambda: "a compiler"
        plan.key_of = lambda *facts: None
        def broken(*args, **facts):
            raise build.BuildError("internal compiler error")
        native.build = broken
        print(kinds())
    """
    done = python(code)
    assert done.stdout.strip() == "{'replay'}", done.stderr
    assert done.stderr.count("internal compiler error") == 1


@pytest.mark.parametrize(
    ("wish", "kinds"), [("replay", "{'replay'}"), ("off", "set()"), ("fast", "")]
)
def test_the_way_that_is_wished_is_gone_in_silence(wish: str, kinds: str) -> None:
    done = python("print(kinds())", AUTOGRAD_JIT=wish)
    assert done.stdout.strip() == kinds
    if wish == "fast":
        assert "choose off, replay or native" in done.stderr
    else:
        assert not done.stderr
