"""RNN, GRU and LSTM: by our fused operations, or step by step where an attribute asks for more.

ONNX has time first, weights (directions, gates · H, C) that multiply from the right when turned,
and gates in other orders than ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import autograd as ag
from autograd import Tensor
from autograd.ops import recurrent as ops

from .math import hard_sigmoid, thresholded_relu
from .table import check, onnx_op

_ACTIVATIONS: dict[str, tuple[Callable[..., Tensor], tuple[float, ...]]] = {
    "Relu": (Tensor.relu, ()), "Tanh": (Tensor.tanh, ()), "Sigmoid": (Tensor.sigmoid, ()),
    "Softsign": (ag.softsign, ()), "Softplus": (Tensor.softplus, ()),
    "Affine": (lambda x, a, b: a * x + b, (1.0, 0.0)),
    "LeakyRelu": (ag.leaky_relu, (0.01,)),
    "ThresholdedRelu": (lambda x, a: thresholded_relu(x, alpha=a), (1.0,)),
    "ScaledTanh": (lambda x, a, b: a * ag.tanh(b * x), (1.0, 1.0)),
    "HardSigmoid": (lambda x, a, b: hard_sigmoid(x, alpha=a, beta=b), (0.2, 0.5)),
    "Elu": (ag.elu, (1.0,)),
}  # fmt: skip
"""Activations by name, with the alpha and beta that they have unless a node says otherwise."""


@dataclass
class Cell:
    """What is done with one kind of network: its gates, its states, a step, and the fused op."""

    step: Callable[..., tuple[Tensor, ...]]
    usual: tuple[str, ...]
    """The activations that the fused op has."""
    gates: tuple[int, ...]
    """Where, among ONNX's gates, ours stand."""
    fused: Any
    states: int = 1


@dataclass
class Weights:
    """One direction's: w (G·H, C), r (G·H, H), biases of input and state (G·H,), peepholes."""

    w: Tensor
    r: Tensor
    b: Tensor
    late: Tensor
    p: Tensor | None


# --- one step each, in ONNX's order of gates ---


def _rnn_step(z: Tensor, h: Tensor, on: Weights, f: Any, **how: Any) -> tuple[Tensor]:
    """h = f(x wᵀ + h rᵀ + b)."""
    return (f[0](z + h @ on.r.T + on.late),)


def _gru_step(x: Tensor, h: Tensor, on: Weights, f: Any, **how: Any) -> tuple[Tensor]:
    """Gates z and r, then h = (1 - z) g(new) + z h (Cho et al. 2014)."""
    n, r, b = h.shape[-1], on.r, on.late
    gates = f[0](x[:, : 2 * n] + h @ r[: 2 * n].T + b[: 2 * n])
    z, reset = gates[:, :n], gates[:, n:]
    if how["linear_before_reset"]:
        new = f[1](x[:, 2 * n :] + reset * (h @ r[2 * n :].T + b[2 * n :]))
    else:
        new = f[1](x[:, 2 * n :] + (reset * h) @ r[2 * n :].T + b[2 * n :])
    return ((1 - z) * new + z * h,)


def _lstm_step(
    x: Tensor, h: Tensor, c: Tensor, on: Weights, f: Any, **how: Any
) -> tuple[Tensor, Tensor]:
    """Gates i, o, f and a new cell, with peepholes p (Gers & Schmidhuber 2000)."""
    n, p = h.shape[-1], on.p
    z = x + h @ on.r.T + on.late
    i, o, forget, new = [z[:, k : k + n] for k in range(0, 4 * n, n)]
    if p is not None:
        i, forget = i + p[:n] * c, forget + p[2 * n :] * c
    i = f[0](i)
    forget = 1 - i if how["input_forget"] else f[0](forget)
    c = forget * c + i * f[1](new)
    o = f[0](o if p is None else o + p[n : 2 * n] * c)
    return o * f[2](c), c


RNN = Cell(_rnn_step, ("Tanh",), (0,), ops.rnn)
GRU = Cell(_gru_step, ("Sigmoid", "Tanh"), (0, 1, 2), ops.gru)
LSTM = Cell(_lstm_step, ("Sigmoid", "Tanh", "Tanh"), (0, 2, 3, 1), ops.lstm, states=2)


# --- the operators ---


@onnx_op("RNN")
def rnn(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None, *, hidden_size: int | None = None,
    direction: str = "forward", activations: list[str] | None = None,
    activation_alpha: list[float] | None = None, activation_beta: list[float] | None = None,
    clip: float | None = None, layout: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    act = (activations, activation_alpha, activation_beta)
    return _run(
        RNN, act, x, w, r, b, None, sequence_lens, [initial_h], direction, layout, clip
    )  # fmt: skip


@onnx_op("GRU")
def gru(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None, *, hidden_size: int | None = None,
    direction: str = "forward", activations: list[str] | None = None,
    activation_alpha: list[float] | None = None, activation_beta: list[float] | None = None,
    clip: float | None = None, layout: int = 0, linear_before_reset: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    act = (activations, activation_alpha, activation_beta)
    return _run(
        GRU, act, x, w, r, b, None, sequence_lens, [initial_h], direction, layout, clip,
        linear_before_reset=linear_before_reset,
    )  # fmt: skip


@onnx_op("LSTM")
def lstm(
    x: Tensor, w: Tensor, r: Tensor, b: Tensor | None = None, sequence_lens: Tensor | None = None,
    initial_h: Tensor | None = None, initial_c: Tensor | None = None, p: Tensor | None = None, *,
    hidden_size: int | None = None, direction: str = "forward",
    activations: list[str] | None = None, activation_alpha: list[float] | None = None,
    activation_beta: list[float] | None = None, clip: float | None = None, input_forget: int = 0,
    layout: int = 0,
) -> tuple[Tensor, ...]:  # fmt: skip
    act = (activations, activation_alpha, activation_beta)
    states = [initial_h, initial_c]
    return _run(
        LSTM, act, x, w, r, b, p, sequence_lens, states, direction, layout, clip,
        input_forget=input_forget,
    )  # fmt: skip


def _run(
    cell: Cell, act: tuple[Any, Any, Any], x: Tensor, w: Tensor, r: Tensor, b: Tensor | None,
    p: Tensor | None, lengths: Tensor | None, states: list[Tensor | None], direction: str,
    layout: int, clip: float | None, **how: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Y (T, directions, N, H) and the final states (directions, N, H), or batch first."""
    if not layout:
        x = ag.swapaxes(x, 0, 1)  # (N, T, C)
    size, total = r.shape[-1], r.shape[1]
    names = act[0] or cell.usual * w.shape[0]
    functions = _functions(names, act[1], act[2], clip)
    ys, finals = [], []
    for d in range(w.shape[0]):
        both = ag.zeros(2 * total, dtype=x.dtype) if b is None else b[d]
        on = Weights(w[d], r[d], both[:total], both[total:], None if p is None else p[d])
        first = [
            ag.zeros((x.shape[0], size), dtype=x.dtype)
            if s is None else (s[:, d] if layout else s[d])
            for s in states
        ]  # fmt: skip
        mine = slice(d * len(cell.usual), (d + 1) * len(cell.usual))
        plain = tuple(names[mine]) == cell.usual and clip is None and p is None
        reset_first = cell is GRU and not how["linear_before_reset"]
        walk = _steps if not plain or reset_first or how.get("input_forget") else _fused
        backwards = direction == "reverse" or d == 1
        y, *last = walk(cell, on, x, first, lengths, backwards, functions[mine], how)
        ys.append(y)  # (N, T, H)
        finals.append(last)
    y = ag.stack(ys, axis=2)  # (N, T, directions, H)
    ends = [ag.stack(list(s), axis=1 if layout else 0) for s in zip(*finals, strict=True)]
    return (y if layout else y.permute(1, 2, 0, 3), *ends)


def _functions(
    names: Sequence[str], alphas: list[float] | None, betas: list[float] | None, clip: float | None
) -> list[Callable[[Tensor], Tensor]]:
    """The activations; alphas and betas go to those that have one, in turn."""
    alpha, beta = iter(alphas or []), iter(betas or [])
    made = []
    for name in names:
        check(name in _ACTIVATIONS, f"its activation {name}")
        f, usual = _ACTIVATIONS[name]
        given = [next(source, value) for source, value in zip((alpha, beta), usual, strict=False)]
        made.append(_clipped(f, given, clip))
    return made


def _clipped(f: Callable[..., Tensor], given: list[float], clip: float | None) -> Any:
    return lambda x: f(x if clip is None else ag.clip(x, low=-clip, high=clip), *given)


def _real(lengths: Tensor, count: int) -> Tensor:
    """(N, T): which steps are within the length of their sample."""
    return ag.arange(count) < lengths.astype("int64").expand_dims(1)


def _fused(
    cell: Cell, on: Weights, x: Tensor, first: list[Tensor], lengths: Tensor | None,
    backwards: bool, functions: Any, how: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    """The whole sequence as one operation of ours."""
    size = first[0].shape[-1]

    def ours(a: Tensor) -> Tensor:
        """Rows (gates · H, …) with the gates in our order."""
        return ag.concatenate([a[g * size : (g + 1) * size] for g in cell.gates])

    b, late = ours(on.b), ours(on.late)
    bias = ag.stack([b, late]) if cell is GRU else b + late
    mask = [] if lengths is None else [_real(lengths, x.shape[1])]
    y, *last = cell.fused(x, ours(on.w).T, ours(on.r).T, bias, *first, *mask, reverse=backwards)
    if mask:
        y = ag.where(mask[0].expand_dims(-1), y, 0)
    return (y, *last)


def _steps(
    cell: Cell, on: Weights, x: Tensor, first: list[Tensor], lengths: Tensor | None,
    backwards: bool, functions: Any, how: Any,
) -> tuple[Tensor, ...]:  # fmt: skip
    """One step after the other."""
    count, now = x.shape[1], first
    real = None if lengths is None else _real(lengths, count)
    rows: list[Any] = [None] * count
    for t in reversed(range(count)) if backwards else range(count):
        z = x[:, t] @ on.w.T + on.b
        new = list(cell.step(z, *now, on, functions, **how))
        rows[t] = new[0]
        if real is not None:
            here = real[:, t].expand_dims(1)
            rows[t] = ag.where(here, new[0], 0)
            new = [ag.where(here, a, old) for a, old in zip(new, now, strict=True)]
        now = new
    return (ag.stack(rows, axis=1), *now)
