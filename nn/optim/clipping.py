"""Gradients kept within limits, before anything is done with them."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, clip, where

from ..data.arrays import quiet
from .flat import Stretch

__all__ = ["clipped", "clipped_tensors", "norm"]


def clipped(
    gradients: list[list[Stretch]], value: float | None, most: float | None
) -> list[list[Stretch]]:
    """Elements within ±value, then a norm of all together of at most `most` (Pascanu et al. 2013).

    A norm that is not finite leaves them as they are: scaled by it, all would be 0 or NaN.
    """
    if value is not None:
        gradients = [
            [(a, b, clip(g, low=-value, high=value)) for a, b, g in found] for found in gradients
        ]
    if most is not None:
        size = norm(gradients)
        if most < size < math.inf:
            gradients = [[(a, b, g * (most / size)) for a, b, g in found] for found in gradients]
    return gradients


def clipped_tensors(
    gradients: list[list[tuple[slice, Tensor]]], value: float | None, most: float | None
) -> list[list[tuple[slice, Tensor]]]:
    """`clipped`, of tensors, for who records it."""
    if value is not None:
        gradients = [[(at, g.clip(-value, value)) for at, g in found] for found in gradients]
    if most is not None:
        squares = [(g * g).sum() for found in gradients for _, g in found]
        size = sum(squares[1:], squares[0]).sqrt()
        share = where((size > most) & (size < math.inf), most / size, 1.0)
        gradients = [[(at, g * share) for at, g in found] for found in gradients]
    return gradients


def norm(gradients: list[list[Stretch]]) -> float:
    """The Euclidean norm of all together; squares beyond single precision are taken again."""
    arrays = [g for found in gradients for _, _, g in found]
    with quiet():
        square = sum(map(_square, arrays))
        if square == math.inf:
            square = sum(_square(g.astype("float64")) for g in arrays)
    return math.sqrt(square)


def _square(g: Any) -> float:
    return float((g @ g).item())
