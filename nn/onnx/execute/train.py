"""Steps of optimizers, from ONNX's domain for training (still a preview)."""

from __future__ import annotations

from collections.abc import Sequence

import autograd as ag
from autograd import Tensor

from .table import onnx_op

DOMAIN = "ai.onnx.preview.training"


def _groups(tensors: tuple[Tensor, ...], kinds: int) -> list[tuple[Tensor, ...]]:
    """Per parameter: x, its gradient, and its state; they come as all x, all gradients, …"""
    n = len(tensors) // kinds
    return [tensors[i::n] for i in range(n)]


def _in_order(columns: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return tuple(x for kind in zip(*columns, strict=True) for x in kind)


@onnx_op("Adagrad", domain=DOMAIN)
def adagrad(
    rate: Tensor, step: Tensor, *tensors: Tensor, decay_factor: float = 0.0,
    epsilon: float = 0.0, norm_coefficient: float = 0.0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Duchi et al. 2011."""
    r = rate.item() / (1 + step.item() * decay_factor)
    new = []
    for x, g, h in _groups(tensors, 3):
        g = norm_coefficient * x + g
        h = h + g * g
        new.append((x - r * g / (ag.sqrt(h) + epsilon), h))
    return _in_order(new)


@onnx_op("Momentum", domain=DOMAIN)
def momentum(
    rate: Tensor, step: Tensor, *tensors: Tensor, alpha: float, beta: float, mode: str,
    norm_coefficient: float,
) -> tuple[Tensor, ...]:  # fmt: skip
    new = []
    for x, g, v in _groups(tensors, 3):
        g = norm_coefficient * x + g
        v = alpha * v + (beta if step.item() > 0 else 1.0) * g
        new.append((x - rate.item() * (g + alpha * v if mode == "nesterov" else v), v))
    return _in_order(new)


@onnx_op("Adam", domain=DOMAIN)
def adam(
    rate: Tensor, step: Tensor, *tensors: Tensor, alpha: float = 0.9, beta: float = 0.999,
    epsilon: float = 0.0, norm_coefficient: float = 0.0, norm_coefficient_post: float = 0.0,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Kingma & Ba 2015, with the corrected rate of the end of its section 2."""
    t = step.item()
    r = rate.item() * ((1 - beta**t) ** 0.5 / (1 - alpha**t) if t > 0 else 1.0)
    new = []
    for x, g, v, h in _groups(tensors, 4):
        g = norm_coefficient * x + g
        v, h = alpha * v + (1 - alpha) * g, beta * h + (1 - beta) * g * g
        x = x - r * v / (ag.sqrt(h) + epsilon)
        new.append(((1 - norm_coefficient_post) * x, v, h))
    return _in_order(new)
