"""Whole training steps of every network: what the contestants of the compiled rows share.

small  10-64-32-1, batch 32          large  784-512-512-10, batch 128
cnn, lstm, gpt as in `networks.py`
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from time import perf_counter
from typing import Any

from . import Contestant, networks, repeat, step
from .data import NETS, initial_weights

__all__ = ["batches", "torch_training", "torch_weights", "training", "weights", "whole_steps"]


def weights(net: str) -> list[Any]:
    """The arrays that every contestant begins with, as our `nn` orders and lays them."""
    return initial_weights(net) if net in NETS else networks.weights(net)


def torch_weights(net: str) -> list[Any]:
    """The same in PyTorch's order and layout."""
    return [w.T for w in weights(net)] if net in NETS else networks.torch_weights(net)


def batches(net: str) -> list[tuple[Any, Any]]:
    """The arrays that every contestant trains on, over and over."""
    return step.batches(net) if net in NETS else networks.batches(net)


def training(net: str) -> step.Training:
    """Ours, from the initial weights."""
    return step.glassgrad_training(net) if net in NETS else networks.glassgrad_training(net)


def torch_training(net: str, **adam: Any) -> step.Training:
    """PyTorch's, from the initial weights, with images in the layout that suits it best."""
    if net in NETS:
        return step.torch_training(net, **adam)
    return networks.torch_training(net, channels_last=net == "cnn", **adam)


def whole_steps(
    train: Callable[[Any, Any], Any],
    given: list[tuple[Any, Any]],
    restore: Callable[[], None],
    facts: dict[str, Any],
    finish: Callable[[], None] = lambda: None,
    check: Callable[[], None] = lambda: None,
) -> Contestant:
    """The contestant that calls `train(x, y)` with one batch after the other.

    `restore` puts weights and optimizer back to where they began, in place where that keeps a
    compiled step valid.
    `finish` waits for steps that were only begun. `check` raises where what has run is not what was
    meant to.
    """
    turns = cycle(given)

    def start() -> None:
        nonlocal turns
        restore()
        turns = cycle(given)

    def once() -> Any:
        x, y = next(turns)
        return train(x, y)

    def answer() -> list[float]:
        """The loss of each of 12 steps from the initial weights."""
        start()
        losses = [once().item() for _ in range(12)]
        check()
        return losses

    def first() -> float:
        """Seconds of the call that compiles."""
        start()
        begin = perf_counter()
        once()
        finish()
        taken = perf_counter() - begin
        check()
        return taken

    timed = repeat(once, start, finish)

    def run(k: int) -> dict[str, float]:
        figures = timed(k)
        check()
        return figures

    return Contestant(run, answer, facts, first)
