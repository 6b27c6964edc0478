"""The same weights and samples for every contestant that trains a network on arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["NETS", "initial_weights", "samples"]

NETS: dict[str, dict[str, Any]] = {
    "small": {"sizes": (10, 64, 32, 1), "batch": 32, "batches": 16},
    "large": {"sizes": (784, 512, 512, 10), "batch": 128, "batches": 8},
}
"""Small has one output and a binary cross-entropy, large ten classes; both have ReLU inside."""


def initial_weights(net: str) -> list[Any]:
    """Kernel (in, out), bias (out,), and so on: Glorot uniform and zeros, float32."""
    random = np.random.default_rng(1)
    arrays = []
    for n, m in pairwise(NETS[net]["sizes"]):
        limit = (6 / (n + m)) ** 0.5
        arrays += [limit * (2 * random.random((n, m), "float32") - 1), np.zeros(m, "float32")]
    return arrays


def samples(net: str, count: int | None = None) -> tuple[Any, Any]:
    """Normal inputs (count, in) and labels that depend on them, with some noise.

    The noise keeps the loss, and with it the gradients, away from zero. Labels are float32
    (count, 1) for one output, else int64 (count,).
    """
    sizes = NETS[net]["sizes"]
    count = count or NETS[net]["batch"] * NETS[net]["batches"]
    random = np.random.default_rng(2)
    x = random.standard_normal((count, sizes[0]), "float32")
    scores = x @ random.standard_normal((sizes[0], sizes[-1]), "float32") / sizes[0] ** 0.5
    scores += 0.5 * random.standard_normal(scores.shape, "float32")
    return x, (scores > 0).astype("float32") if sizes[-1] == 1 else scores.argmax(axis=1)
