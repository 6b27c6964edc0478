"""Sequences as samples: windows of a series, texts of different lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from autograd.errors import DTypeError, ShapeError

from .arrays import as_array

__all__ = ["next_tokens", "pad_sequences", "windows"]


def windows(
    series: Any, length: int, horizon: int = 1, step: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of a series, and what followed each: x (N, length, F) and y (N, horizon[, F]).

    >>> x, y = windows(np.arange(6.0), length=3)
    >>> x[..., 0].tolist(), y[:, 0].tolist()
    ([[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]], [3.0, 4.0, 5.0])

    The series is (T,), one number in each time step, or (T, F).  Windows begin every `step` steps.
    Both results are read-only views of the series and take no memory.  To hold out the end, cut
    the series first, not the windows, which overlap.
    """
    series = as_array(series, "series")
    if series.ndim not in (1, 2):
        raise ShapeError(f"windows: a series is (T,) or (T, F), not {series.shape}")
    whole = _positive("windows", length=length, horizon=horizon, step=step)
    if len(series) < whole - step:
        raise ShapeError(
            f"windows: length {length} + horizon {horizon} do not fit in {len(series)} time steps"
        )
    table = series.reshape(len(series), -1)
    pieces = sliding_window_view(table, length + horizon, axis=0)[::step]  # (N, F, length+horizon)
    pieces = pieces.transpose(0, 2, 1)  # (N, length+horizon, F)
    x, y = pieces[:, :length], pieces[:, length:]
    return x, y[..., 0] if series.ndim == 1 else y


def next_tokens(tokens: Any, length: int, step: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of a text, and the same shifted by one token, which a language model predicts.

    >>> x, y = next_tokens([5, 6, 7, 8, 9], length=2)
    >>> x.tolist(), y.tolist()
    ([[5, 6], [7, 8]], [[6, 7], [8, 9]])

    x and y are (N, length), read-only views of the (T,) integers.  A piece begins every `step`
    tokens: by default where the last one ended.
    """
    tokens = as_array(tokens, "tokens")
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise DTypeError(
            f"next_tokens: expected integers (T,), got {tokens.dtype} {tokens.shape}. "
            "A tokenizer makes them: CharTokenizer(text).encode(text)"
        )
    step = length if step is None else step
    _positive("next_tokens", length=length, step=step)
    if len(tokens) <= length:
        raise ShapeError(f"next_tokens: length {length} does not fit in {len(tokens)} tokens")
    pieces = sliding_window_view(tokens, length + 1)[::step]  # (N, length + 1)
    return pieces[:, :-1], pieces[:, 1:]


def pad_sequences(
    sequences: Sequence[Any],
    length: int | None = None,
    value: float = 0,
    padding: str = "post",
    truncating: str = "post",
) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of different lengths in one array, and a mask that is True where they are.

    >>> padded, mask = pad_sequences([[7, 8, 9], [5]])
    >>> padded.tolist(), mask.sum(1).tolist()
    ([[7, 8, 9], [5, 0, 0]], [3, 1])

    Each sequence is (t,) or (t, F); the result is (N, length[, F]), in the dtype that holds them
    all, and the mask (N, length).  `length` is that of the longest by default.  `padding` and
    `truncating` say at which end, "post" or "pre", values are added and cut off.
    """
    for name, end in (("padding", padding), ("truncating", truncating)):
        if end not in ("post", "pre"):
            raise ValueError(f'pad_sequences: {name}={end!r}: expected "post" or "pre"')
    arrays = [as_array(s, f"sequences[{i}]") for i, s in enumerate(sequences)]
    if not arrays:
        raise ShapeError("pad_sequences: there are no sequences")
    full = [a for a in arrays if a.size] or arrays
    inner = full[0].shape[1:]
    for i, a in enumerate(arrays):
        if not a.ndim or a.size and a.shape[1:] != inner:
            raise ShapeError(
                f"pad_sequences: sequences[{i}] has shape {a.shape}: expected "
                f"(t{''.join(f', {n}' for n in inner)}), as the others"
            )
    if length is None:
        length = max(1, *map(len, arrays))
    _positive("pad_sequences", length=length)
    dtype = np.result_type(*full)  # an empty list would be float
    if np.array(value).astype(dtype) != value:
        raise DTypeError(f"pad_sequences: value {value} does not fit in {dtype}")
    padded = np.full((len(arrays), length, *inner), value, dtype)
    mask = np.zeros((len(arrays), length), bool)
    for row, kept, a in zip(padded, mask, arrays, strict=True):
        part = a[:length] if truncating == "post" else a[max(0, len(a) - length) :]
        if len(part):
            place = slice(len(part)) if padding == "post" else slice(length - len(part), None)
            row[place], kept[place] = part, True
    return padded, mask


def _positive(who: str, **counts: int) -> int:
    """The sum of counts that are all 1 or more."""
    for name, n in counts.items():
        if not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"{who}: {name}={n!r}: expected a whole number from 1 on")
    return sum(counts.values())
