"""A chain of a million additions, each on the one before: recorded, differentiated and freed."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from time import perf_counter
from typing import Any

from . import Contestant

LENGTH = 1_000_000


def tensors() -> Contestant:
    """Tensors of one element."""
    from autograd import Tensor

    return _contestant(lambda: Tensor([1.0], requires_grad=True))


def values() -> Contestant:
    """Values."""
    from autograd import Value

    return _contestant(lambda: Value(1.0))


def _contestant(leaf: Callable[[], Any]) -> Contestant:
    def chain(x: Any, length: int = LENGTH) -> Any:
        y = x
        for _ in range(length):
            y = y + x
        return y

    def run(k: int) -> dict[str, float]:
        sums = {"forward": 0.0, "backward": 0.0, "free": 0.0}
        for _ in range(k):
            x = leaf()
            begin = perf_counter()
            y = chain(x)
            recorded = perf_counter()
            y.backward()
            swept = perf_counter()
            sums["forward"] += recorded - begin
            sums["backward"] += swept - recorded
            y = chain(x)  # backward may have freed the other
            begin = perf_counter()
            del y
            sums["free"] += perf_counter() - begin
        return {"seconds": sum(sums.values()) / k, **{name: t / k for name, t in sums.items()}}

    def answer() -> list[float]:
        """dy/dx: one for each addition, and one for the start."""
        x = leaf()
        chain(x).backward()
        grad = x.grad
        return [grad if isinstance(grad, float) else float(grad.item())]

    def bytes_per_node(length: int = 100_000) -> float:
        x = leaf()
        tracemalloc.start()
        y = chain(x, length)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        del y
        return held / length

    facts = {"bytes": bytes_per_node(), "recursion limit": sys.getrecursionlimit()}
    return Contestant(run, answer, facts)
