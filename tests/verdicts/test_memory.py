"""What a graph keeps in memory, checked against what is really allocated, and graphs that grow."""

from __future__ import annotations

import gc
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, Value, held, passes
from autograd.node import history
from autograd.verdicts import growth
from autograd.verdicts.held import held_by_node

rng = np.random.default_rng(0)


class Block(nn.Module):
    """x + dropout(Dense(relu(Dense(x))))"""

    def __init__(self, width: int) -> None:
        self.rise, self.fall = nn.Dense(width, activation="relu"), nn.Dense(width)
        self.drop = nn.Dropout(0.3)

    def __call__(self, x: Any) -> Any:
        return x + self.drop(self.fall(self.rise(x)))


def blocks() -> tuple[nn.Sequential, Tensor]:
    autograd.seed(0)
    model = nn.Sequential([Block(128), Block(128), Block(128), nn.LayerNorm(), nn.Dense(1)])
    model.build((128,))
    return model, Tensor(rng.normal(size=(256, 128)).astype("float32"))


def lstm() -> tuple[nn.Sequential, Tensor]:
    autograd.seed(0)
    model = nn.Sequential([nn.LSTM(64, return_sequences=True), nn.Dense(1)])
    model.build((20, 32))
    return model, Tensor(rng.normal(size=(64, 20, 32)).astype("float32"))


def cnn() -> tuple[nn.Sequential, Tensor]:
    autograd.seed(0)
    model = nn.Sequential([nn.Conv2D(16, 3, activation="relu"), nn.MaxPool2D(2), nn.Flatten(),
                           nn.Dense(1)])  # fmt: skip
    model.build((24, 24, 3))
    return model, Tensor(rng.normal(size=(16, 24, 24, 3)).astype("float32"))


@pytest.mark.parametrize("make", [blocks, lstm, cnn])
def test_it_is_what_is_really_allocated(make: Callable[[], Any]) -> None:
    model, x = make()
    (model(x) ** 2).mean()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    loss = (model(x) ** 2).mean()
    gc.collect()
    allocated = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    found = held(loss)
    assert found.total == pytest.approx(allocated, rel=0.05)
    assert found.parameters == sum(p.raw.nbytes for p in model.parameters())
    assert found.data == x.raw.nbytes
    assert 0 < found.read < found.total
    assert sum(row.bytes for row in found.rows) == found.total


def test_rows_are_named_and_checkpoints_recommended() -> None:
    model, x = blocks()
    found = held((model(x) ** 2).mean())
    one = 256 * 128 * 4
    relu = next(row for row in found.rows if row.op == "relu")
    assert (relu.module, relu.bytes, relu.read) == ("2.rise", one, one)
    assert relu.where.startswith("test_memory.py:")
    affine = next(row for row in found.rows if row.op == "affine")
    assert affine.read == 0  # neither relu nor dropout reads what it gets
    assert set(found.saving) >= {"0", "1", "2"}
    assert "checkpoint of" in str(found)
    masks = [row for row in found.rows if row.op == "constant"]
    assert {(row.module, row.bytes) for row in masks} == {(f"{i}.drop", one) for i in range(3)}


def test_a_checkpoint_frees_what_was_promised() -> None:
    model, x = blocks()
    saving = held((model(x) ** 2).mean()).saving["1"]
    plain = held((model(x) ** 2).mean()).total
    h = autograd.checkpoint(model[1], model[0](x))
    shorter = held((model[4](model[3](model[2](h))) ** 2).mean()).total
    assert plain - shorter == pytest.approx(saving, rel=0.01)


def test_views_count_with_their_base() -> None:
    x = Tensor(np.zeros((100, 50), "float32"), requires_grad=True)
    y = x * 2
    nodes = history(y.reshape(50, 100).T.sum())
    kept = held_by_node(nodes)
    assert kept[y] == 20_000
    assert sum(kept.values()) == 20_000 + 4
    assert held(x.reshape(-1)).total == 0  # a view of a parameter


def test_a_graph_that_was_freed_says_so() -> None:
    model, x = blocks()
    loss = model(x).sum()
    loss.backward()
    assert held(loss).note.startswith("the rest was freed by backward, at test_memory.py:")


# --- growth ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    passes._last.clear()
    passes._wait = passes._pause = 0
    growth._told.clear()
    yield
    passes._last.clear()


X = Tensor(rng.normal(size=(32, 8)).astype("float32"))
Step = Callable[[nn.Module, Any], Any]


def loop(body: Step, steps: int = 12) -> list[str]:
    """The warnings of a training of one's own."""
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(4, activation="tanh"), nn.Dense(1)])
    model.build((8,))
    held_on: Any = None
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(steps):
            held_on = body(model, held_on)
            model.zero_grad()
    return [str(warning.message) for warning in told]


def added_before(model: nn.Module, total_loss: Any) -> Any:
    loss = (model(X) ** 2).mean()
    total_loss = loss if total_loss is None else total_loss + loss
    loss.backward()
    return total_loss


def added_after(model: nn.Module, total_loss: Any) -> Any:
    loss = (model(X) ** 2).mean()
    loss.backward()
    if total_loss is None:
        total_loss = 0.0
    total_loss += loss
    return total_loss


def retained(model: nn.Module, total_loss: Any) -> Any:
    loss = (model(X) ** 2).mean()
    total_loss = loss if total_loss is None else total_loss + loss
    total_loss.backward(retain_graph=True)
    return total_loss


def carried(model: nn.Module, state: Any) -> Any:
    state = model(X) if state is None else state * 0.5 + model(X)
    loss = (state**2).mean()
    loss.backward(retain_graph=True)
    return state


@pytest.mark.parametrize(
    ("body", "holder", "fix"),
    [
        (added_before, "total_loss", "total_loss += loss.item()"),
        (added_after, "total_loss", "total_loss += loss.item()"),
        (retained, "total_loss", "call backward on the loss alone"),
        (carried, "state", "state = state.detach()"),
    ],
)
def test_what_holds_a_growing_graph_is_named_once(body: Step, holder: str, fix: str) -> None:
    (told,) = loop(body)
    assert "The graph grew 5 steps running" in told
    assert f"held by `{holder}` (test_memory.py:" in told
    assert fix in told


def test_values_that_are_added_up() -> None:
    def body(_: Any, total: Any) -> Any:
        loss = (weight * 3 - 1) ** 2
        loss.backward()
        return loss if total is None else total + loss

    weight = Value(0.5)
    (told,) = loop(body)
    assert "The graph grew 5 steps running" in told


def test_a_list_of_whole_graphs() -> None:
    def body(model: nn.Module, losses: Any) -> Any:
        losses = losses or []
        h = model(X)
        for _ in range(600):
            h = h * 1.001 + 0.001
        loss = h.mean()
        loss.backward(retain_graph=True)
        losses.append(loss)
        return losses

    (told,) = loop(body, 8)
    assert "Memory grew 5 steps running: `losses` holds losses" in told


def fine_item(model: nn.Module, total: Any) -> Any:
    loss = (model(X) ** 2).mean()
    loss.backward()
    return (total or 0.0) + loss.item()


def fine_list(model: nn.Module, losses: Any) -> Any:
    loss = (model(X) ** 2).mean()
    loss.backward()
    return [*(losses or []), loss]


def fine_average(model: nn.Module, average: Any) -> Any:
    loss = (model(X) ** 2).mean()
    loss.backward()
    return loss.detach() if average is None else 0.9 * average + 0.1 * loss.detach()


def fine_state(model: nn.Module, state: Any) -> Any:
    state = model(X) if state is None else state.detach() * 0.5 + model(X)
    (state**2).mean().backward(retain_graph=True)
    return state


@pytest.mark.parametrize("body", [fine_item, fine_list, fine_average, fine_state])
def test_what_does_not_grow_is_left_alone(body: Step) -> None:
    assert loop(body, 40) == []
