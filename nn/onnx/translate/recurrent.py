"""Recurrent networks.  ONNX has time first, transposed weights, and other orders of gates.

It knows no mask: where there is one, the sequence is written out step by step, from the definition
that the operation has in our own table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from autograd.ops import recurrent

from ..graph import Graph, Ref
from .table import rule

__all__ = ["DEFINITIONS"]

DEFINITIONS: dict[str, tuple[int, Callable[..., Any]]] = {
    "lstm": (6, recurrent.lstm.meaning),
    "gru": (5, recurrent.gru.meaning),
    "rnn": (5, recurrent.rnn.meaning),
}
"""Op → how many inputs it has without a mask, and what it computes with one, made of ops."""


def _recurrent(
    g: Graph, kind: str, gates: Sequence[int], x: Ref, w: Ref, u: Ref, b: Ref, *states: Ref,
    reverse: bool, **more: Any,
) -> list[Ref]:  # fmt: skip
    """y (N, T, H) and the final states; `gates` is the order in which ONNX wants ours."""
    size = u.shape[0]
    x = g.transpose(x, (1, 0, 2))  # (T, N, C)

    def ordered(a: Ref) -> Ref:
        """(..., gates · H) with the gates in ONNX's order."""
        if list(gates) == sorted(gates):
            return a
        parts = g("Split", a, g.ints([size] * len(gates)), axis=-1, outputs=len(gates))
        return g("Concat", *[parts[i] for i in gates], axis=-1)

    zero = g.ints([0])
    w, u = (g("Unsqueeze", g.transpose(ordered(a), (1, 0)), zero) for a in (w, u))  # (1, 4H, C)
    if b.ndim == 1:  # one bias; ONNX has another for the state
        late = g("Expand", g.number(0, b.dtype), g.ints(b.shape))
        b = g("Concat", ordered(b), late, axis=0)
    else:
        b = g("Reshape", ordered(b), g.ints([-1]))
    first = [g("Unsqueeze", s, zero) for s in states]  # (1, N, H)
    y, *last = g(
        kind, x, w, u, g("Unsqueeze", b, zero), None, *first, hidden_size=size,
        direction="reverse" if reverse else "forward", outputs=1 + len(states), **more,
    )  # fmt: skip
    y = g.transpose(g("Squeeze", y, g.ints([1])), (1, 0, 2))  # (T, 1, N, H) → (N, T, H)
    return [y, *[g("Squeeze", s, zero) for s in last]]


@rule
def lstm(
    g: Graph, z: Any, x: Ref, w: Ref, u: Ref, b: Ref, h: Ref, c: Ref, *, reverse: bool
) -> list[Ref]:
    """Ours are input, forget, new, output; ONNX's input, output, forget, new."""
    return _recurrent(g, "LSTM", (0, 3, 1, 2), x, w, u, b, h, c, reverse=reverse)


@rule
def gru(g: Graph, z: Any, x: Ref, w: Ref, u: Ref, b: Ref, h: Ref, *, reverse: bool) -> list[Ref]:
    return _recurrent(g, "GRU", (0, 1, 2), x, w, u, b, h, reverse=reverse, linear_before_reset=1)


@rule
def rnn(
    g: Graph, z: Any, x: Ref, w: Ref, u: Ref, b: Ref, h: Ref, *, reverse: bool, activation: str
) -> list[Ref]:
    names = {"tanh": "Tanh", "relu": "Relu"}
    return _recurrent(
        g, "RNN", (0,), x, w, u, b, h, reverse=reverse, activations=[names[activation]]
    )
