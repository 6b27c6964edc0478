"""What a compiled step shows to who looks on: gradients and loss, where it computed them."""

from typing import Any

import numpy as np
import pytest
from compiled import by_mode, needs_compiler, running

import autograd
import nn
from autograd import Tensor

rng = np.random.default_rng(0)
X = [Tensor(rng.standard_normal((8, 5), "float32")) for _ in range(4)]
Y = [Tensor(rng.integers(0, 3, 8)) for _ in range(4)]


class Watcher:
    """Looks at each step once it is over: at the next, or when it is asked."""

    next = 0

    def __init__(self) -> None:
        self.seen: list[tuple[list[Any], Any]] = []
        self.last: Any = None

    def before(self, optimizer: Any, gradients: Any, loss: Any = None) -> None:
        self.look()
        self.last = gradients, loss

    def look(self) -> None:
        if self.last is not None:
            gradients, loss = self.last
            copies = [(a, b, g.copy()) for group in gradients for a, b, g in group]
            self.seen.append((copies, None if loss is None else float(loss)))
        self.last = None

    def after(self, optimizer: Any) -> None:
        self.look()

    def cancel(self) -> None:
        self.last = None


def network(layers: Any = None) -> Any:
    autograd.seed(0)
    model = nn.Sequential(layers or [nn.Dense(7, activation="tanh"), nn.Dense(3)])
    model.build((5,))
    return model


def steps(model: Any, optimizer: Any, jit: bool, forget: str = "after") -> Watcher:
    """Some steps, with somebody who looks on; gradients are forgotten before or after each."""
    optimizer.observer = watcher = Watcher()

    def step(x: Tensor, y: Tensor) -> None:
        if forget == "before":
            optimizer.zero_grad()
        nn.cross_entropy(model(x), y).backward()
        optimizer.step()
        if forget == "after":
            optimizer.zero_grad()

    run = autograd.jit(step) if jit else step
    for x, y in zip(X, Y, strict=True):
        run(x, y)
    watcher.look()
    if jit:
        assert run.last is not None  # it was compiled
    return watcher


def together(found: Any) -> Any:
    """The gradients one behind the other: eagerly they come in pieces."""
    return np.concatenate([g for _, _, g in found])


OPTIMIZERS = {
    "sgd": lambda p: nn.SGD(p, lr=0.1),
    "momentum, decay": lambda p: nn.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1),
    "adam, clipped": lambda p: nn.Adam(p, lr=0.01, clip_norm=0.01),
    "adamw, clipped by value": lambda p: nn.AdamW(p, lr=0.01, clip_value=1e-3),
    "groups": lambda p: nn.Adam([{"params": p[:1], "lr": 0.1}, {"params": p[1:]}], lr=0.01),
    "layer by layer": lambda p: nn.LAMB(p, lr=0.01),
}


@by_mode
@pytest.mark.parametrize("forget", ["before", "after", "never"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_and_loss(name: str, forget: str, mode: str) -> None:
    told = []
    for jit in (True, False):
        model = network()
        with running(mode):
            watcher = steps(model, OPTIMIZERS[name](model.parameters()), jit, forget)
        told.append(watcher.seen)
    assert len(told[0]) == len(told[1]) == len(X)
    for (compiled, loss), (plain, _) in zip(*told, strict=True):
        assert loss is not None
        np.testing.assert_allclose(together(compiled), together(plain), rtol=2e-4, atol=1e-6)


@by_mode
def test_one_parameter_whose_gradient_is_left(mode: str) -> None:
    """What is shown is then what `.grad` holds, elsewhere."""
    w = Tensor(np.arange(5, dtype="float32"), requires_grad=True)
    optimizer = nn.SGD([w], lr=0.1)
    optimizer.observer = watcher = Watcher()

    @autograd.jit
    def step(x: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = ((x @ w) ** 2).sum()
        loss.backward()
        optimizer.step()
        return loss

    for x in X:
        before = w.numpy().astype("float64")
        with running(mode):
            loss = step(x)
        watcher.look()
        (((_, _, g),), shown) = watcher.seen[-1]
        rows = x.numpy().astype("float64")
        np.testing.assert_allclose(g, 2 * rows.T @ (rows @ before), rtol=1e-4)
        assert shown == loss.item()
        np.testing.assert_array_equal(g, w.grad.numpy())


@needs_compiler
def test_who_looks_on_costs_no_kernel() -> None:
    """The gradients lie together for the optimizer anyway."""
    model = network()
    optimizer = nn.Adam(model.parameters(), lr=0.01)

    @autograd.jit
    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    step(X[0], Y[0])
    runner = step.last[1].runner
    assert [array.size for array in runner.shown] == [sum(p.size for p in model.parameters()), 1]
    for array in runner.shown:
        assert np.shares_memory(array, runner.arena)
    assert not [k.name for k in step.explain().kernels if k.name.startswith("copy")]
