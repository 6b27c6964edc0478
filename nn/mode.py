"""Whether a model is training: what dropout and its like ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from autograd.node import surroundings

__all__ = ["mode", "training"]

mode: ContextVar[bool | None] = ContextVar("nn.mode", default=None)
"""True or False inside a `training` block; None outside, where each module's own flag counts."""
surroundings.append(mode.get)


@contextmanager
def training(on: bool) -> Iterator[None]:
    """Every module called in this block trains, or does not, whatever its own flag says.

    `fit` opens `training(True)`, `evaluate` and `predict` open `training(False)`.
    """
    token = mode.set(on)
    try:
        yield
    finally:
        mode.reset(token)
