"""One eager training step: forward, loss, backward, Adam. Batches are ready as tensors."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

from . import Contestant, repeat, threads
from .data import NETS, initial_weights, samples

LEARNING_RATE, EPSILON = 1e-3, 1e-8


class Training:
    """A model, its loss, its optimizer and its batches; a step reads the same with each library."""

    def __init__(self, model: Any, criterion: Any, optimizer: Any, batches: list[Any]) -> None:
        self.model, self.criterion, self.optimizer = model, criterion, optimizer
        self.given, self.batches = batches, cycle(batches)

    def step(self) -> Any:
        """Train on the next batch; returns the loss before it."""
        x, y = next(self.batches)
        loss = self.criterion(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def glassgrad(net: str) -> Contestant:
    """Our `nn`, eagerly."""
    return _contestant(lambda: glassgrad_training(net))


def glassgrad_training(net: str) -> Training:
    """Our training, from the initial weights."""
    import nn
    from autograd import Tensor

    *hidden, out = NETS[net]["sizes"][1:]
    widths = iter(NETS[net]["sizes"])
    layers = [nn.Dense(m, activation="relu", input_shape=(next(widths),)) for m in hidden]
    model = nn.Sequential([*layers, nn.Dense(out, input_shape=(next(widths),))])
    for p, w in zip(model.parameters(), initial_weights(net), strict=True):
        p.assign(w)
    return Training(
        model,
        nn.binary_cross_entropy_with_logits if out == 1 else nn.cross_entropy,
        nn.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON),
        [(Tensor(x), Tensor(y)) for x, y in batches(net)],
    )


def torch(net: str) -> Contestant:
    """PyTorch as its tutorials write it."""
    return _contestant(lambda: torch_training(net))


def torch_fused(net: str) -> Contestant:
    """PyTorch with `Adam(fused=True)`, its fastest optimizer on the CPU."""
    return _contestant(lambda: torch_training(net, fused=True))


def torch_training(net: str, **options: Any) -> Training:
    """PyTorch's training, from the initial weights; the options are Adam's."""
    import torch
    from torch import nn

    torch.set_num_threads(threads())
    *hidden, out = NETS[net]["sizes"][1:]
    widths = iter(NETS[net]["sizes"])
    layers = [part for m in hidden for part in (nn.Linear(next(widths), m), nn.ReLU())]
    model = nn.Sequential(*layers, nn.Linear(next(widths), out))
    with torch.no_grad():
        for p, w in zip(model.parameters(), initial_weights(net), strict=True):
            p.copy_(torch.from_numpy(w.T))
    return Training(
        model,
        nn.BCEWithLogitsLoss() if out == 1 else nn.CrossEntropyLoss(),
        torch.optim.Adam(model.parameters(), LEARNING_RATE, eps=EPSILON, **options),
        [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in batches(net)],
    )


def batches(net: str) -> list[tuple[Any, Any]]:
    """All samples in batches, as arrays."""
    (x, y), n = samples(net), NETS[net]["batch"]
    return [(x[i : i + n], y[i : i + n]) for i in range(0, len(x), n)]


def _contestant(begin: Callable[[], Training]) -> Contestant:
    training = begin()

    def start() -> None:
        nonlocal training
        training = begin()

    def answer() -> list[float]:
        """The loss of each of 20 steps from the initial weights."""
        start()
        return [training.step().item() for _ in range(20)]

    return Contestant(repeat(lambda: training.step(), start), answer)
