"""One eager `add` of two (32, 64) float32 Tensors, beside NumPy's own in the same process."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from . import Contestant


def glassgrad() -> Contestant:
    """Three times k additions: NumPy's, recorded, and under `no_grad`."""
    import numpy as np

    from autograd import Tensor, no_grad

    a, b = np.random.default_rng(0).standard_normal((2, 32, 64)).astype("float32")
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)

    def time(a: Any, b: Any, k: int) -> float:
        begin = perf_counter()
        for _ in range(k):
            a + b
        return (perf_counter() - begin) / k

    def run(k: int) -> dict[str, float]:
        numpy, recorded = time(a, b, k), time(x, y, k)
        with no_grad():
            unrecorded = time(x, y, k)
        return {"seconds": numpy + recorded + unrecorded, "numpy": numpy,
                "recorded": recorded, "no_grad": unrecorded}  # fmt: skip

    def answer() -> list[float]:
        return [float(np.abs((x + y).numpy() - (a + b)).max()), float((x + y).requires_grad)]

    return Contestant(run, answer)
