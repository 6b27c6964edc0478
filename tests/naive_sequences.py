"""Recurrent networks as the papers have them: one sample, one step, one number of a gate at a time.

Slow and plain, in NumPy: what the fused operations are held against.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit as sigmoid


def _over(step: Callable[..., Any], x: Any, state: list[Any], mask: Any, reverse: bool) -> Any:
    """`step(x_t, *state)` over each sample's real steps: every h, then the last state."""
    n, count, _ = x.shape
    state = [s.copy() for s in state]
    y = np.zeros((n, count, state[0].shape[1]))
    for i in range(n):
        for t in range(count)[:: -1 if reverse else 1]:
            if mask is None or mask[i, t]:
                for s, new in zip(state, step(x[i, t], *[s[i] for s in state]), strict=True):
                    s[i] = new
            y[i, t] = state[0][i]
    return (y, *state)


def lstm(
    x: Any, w: Any, u: Any, b: Any, h: Any, c: Any, mask: Any = None, reverse: bool = False
) -> Any:
    def step(x: Any, h: Any, c: Any) -> Any:
        i, f, g, o = np.split(x @ w + h @ u + b, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    return _over(step, x, [h, c], mask, reverse)


def gru(x: Any, w: Any, u: Any, b: Any, h: Any, mask: Any = None, reverse: bool = False) -> Any:
    def step(x: Any, h: Any) -> Any:
        p, q = np.split(x @ w + b[0], 3), np.split(h @ u + b[1], 3)
        z, r = sigmoid(p[0] + q[0]), sigmoid(p[1] + q[1])
        return (z * h + (1 - z) * np.tanh(p[2] + r * q[2]),)

    return _over(step, x, [h], mask, reverse)


def rnn(
    x: Any, w: Any, u: Any, b: Any, h: Any, mask: Any = None, reverse: bool = False,
    activation: str = "tanh",
) -> Any:  # fmt: skip
    squash = np.tanh if activation == "tanh" else lambda z: np.maximum(z, 0)
    return _over(lambda x, h: (squash(x @ w + h @ u + b),), x, [h], mask, reverse)
