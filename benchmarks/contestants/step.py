"""One eager training step: forward, loss, backward, Adam. Batches are ready as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from . import Contestant, repeat
from .data import NETS, initial_weights, samples

LEARNING_RATE, EPSILON = 1e-3, 1e-8


def glassgrad(net: str) -> Contestant:
    """Our `nn`, eagerly."""
    start, step = glassgrad_parts(net)
    return _contestant(start, step, lambda loss: loss.item())


def glassgrad_parts(net: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """`start()` builds model and optimizer and returns them; `step()` trains on one batch."""
    import nn
    from autograd import Tensor

    *hidden, out = NETS[net]["sizes"][1:]
    criterion = nn.binary_cross_entropy_with_logits if out == 1 else nn.cross_entropy
    model: Any = None
    optimizer: Any = None
    batches: Iterator[Any]

    def start() -> tuple[Any, Any, Any]:
        nonlocal model, optimizer, batches
        widths = iter(NETS[net]["sizes"])
        layers = [nn.Dense(m, activation="relu", input_shape=(next(widths),)) for m in hidden]
        model = nn.Sequential([*layers, nn.Dense(out, input_shape=(next(widths),))])
        for p, w in zip(model.parameters(), initial_weights(net), strict=True):
            p.assign(w)
        optimizer = nn.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON)
        batches = cycle([(Tensor(x), Tensor(y)) for x, y in _batches(net)])
        return model, criterion, optimizer

    def step() -> Any:
        x, y = next(batches)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return start, step


def torch(net: str) -> Contestant:
    """PyTorch as its tutorials write it."""
    return _torch(net)


def torch_fused(net: str) -> Contestant:
    """PyTorch with `Adam(fused=True)`, its fastest optimizer on the CPU."""
    return _torch(net, fused=True)


def _torch(net: str, **options: Any) -> Contestant:
    import torch
    from torch import nn

    torch.set_num_threads(2)
    *hidden, out = NETS[net]["sizes"][1:]
    criterion = nn.BCEWithLogitsLoss() if out == 1 else nn.CrossEntropyLoss()
    model: Any = None
    optimizer: Any = None
    batches: Iterator[Any]

    def start() -> None:
        nonlocal model, optimizer, batches
        widths = iter(NETS[net]["sizes"])
        layers = [part for m in hidden for part in (nn.Linear(next(widths), m), nn.ReLU())]
        model = nn.Sequential(*layers, nn.Linear(next(widths), out))
        with torch.no_grad():
            for p, w in zip(model.parameters(), initial_weights(net), strict=True):
                p.copy_(torch.from_numpy(w.T))
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=EPSILON, **options)
        batches = cycle([(torch.from_numpy(x), torch.from_numpy(y)) for x, y in _batches(net)])

    def step() -> Any:
        x, y = next(batches)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return _contestant(start, step, lambda loss: loss.item())


def _batches(net: str) -> list[tuple[Any, Any]]:
    (x, y), n = samples(net), NETS[net]["batch"]
    return [(x[i : i + n], y[i : i + n]) for i in range(0, len(x), n)]


def _contestant(
    start: Callable[[], Any], step: Callable[[], Any], number: Callable[[Any], float]
) -> Contestant:
    def answer() -> list[float]:
        """The loss of each of 20 steps from the initial weights."""
        start()
        return [number(step()) for _ in range(20)]

    return Contestant(repeat(step, start), answer)
