"""Random numbers by counting: the same on every backend, from a seed and a position.

The stream of a seed is the words 0, 1, 2, … of 32 bits, and word i is a function of the seed and
of i alone: lane i mod 4 of Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers:
as easy as 1, 2, 3", SC 2011) with the seed as its key and i div 4 as its counter. So a draw only
needs to know where it starts, and takes what follows:

    draw            words per value    value
    uniform         1 (float64: 2)     the top 24 bits (53) over 2²⁴ (2⁵³)
    normal          2 (float64: 4)     √(-2 log(1 - u)) cos 2πv  for uniform u and v
    bernoulli       1                  1 where the top 24 bits over 2²⁴ are below p
    permutation     2                  the order that sorts 64-bit keys

Two draws of n values are one draw of 2n values; how many words are computed ahead, and on which
device, changes nothing. Words and uniform numbers agree bit for bit between backends, normal ones
to the last bits of their library's log and cos.

    >>> from autograd import random, seed
    >>> seed(1)
    >>> random.uniform(3)
    Tensor([0.89025915 0.8946847  0.5857259 ])
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

import backends

from .dtypes import DEFAULT
from .errors import DTypeError, ShapeError
from .functions import sizes_of
from .node import Op, current
from .ops.random import (
    TOP,
    doubled,
    hits,
    philox,
    random_hits,
    random_normal,
    random_uniform,
    unit,
    words,
    words_of,
)  # fmt: skip
from .ops.random import normal as normal_of
from .tensor import Tensor

__all__ = [
    "Generator", "bernoulli", "bits", "dropout_mask", "normal", "permutation", "philox", "seed",
    "set_state", "state", "uniform", "using",
]  # fmt: skip

ALGORITHM = "philox4x32-10"


class Generator:
    """A seed, and the position in its stream: the whole state of randomness.

    Threads that share a generator get different parts of its stream. `ahead` is how many words
    are computed at a time on the host, so that a small draw only takes a slice.
    """

    __slots__ = ("_ahead", "_ahead_size", "_ahead_start", "_lock", "ahead", "key", "position")

    def __init__(self, seed: int | None = None, ahead: int = 16384) -> None:
        self.ahead = ahead
        self._lock = Lock()
        self.restart(int.from_bytes(os.urandom(8), "big") if seed is None else seed)

    def restart(self, key: int, position: int = 0) -> None:
        """Go to a position of a seed's stream."""
        for what, number, end in (("seed", key, 64), ("position", position, 66)):
            if not isinstance(number, int) or not 0 <= number < 2**end:
                raise ValueError(f"random: a {what} is an integer in [0, 2**{end}), not {number!r}")
        with self._lock:
            self.key, self.position = key, position
            self._ahead: Any = None
            self._ahead_start, self._ahead_size = position, 0

    def take(self, xp: Any, n: int) -> Any:
        """The next n words, (n,) uint32, on the backend xp; not to be changed in place."""
        host = backends.get("numpy")
        with self._lock:
            key, start = self.key, self.position
            self.position += n
            if n <= self.ahead:
                offset = start - self._ahead_start
                if offset + n > self._ahead_size:
                    self._ahead, self._ahead_start = words(host, key, start, self.ahead), start
                    self._ahead_size, offset = self.ahead, 0
                part = self._ahead[offset : offset + n]
                return part if xp is host else xp.from_host(part)
        return words(xp, key, start, n)

    def skip(self, n: int) -> tuple[int, int]:
        """Leave the next n words to whoever asked: the key, and the place of the first."""
        with self._lock:
            start = self.position
            self.position += n
            return self.key, start

    def back(self, n: int) -> None:
        """Go n words back: they were taken in vain."""
        with self._lock:
            self.position -= n


_shared = Generator()
_own: ContextVar[Generator | None] = ContextVar("autograd.random", default=None)


def _generator() -> Generator:
    return _own.get() or _shared


@contextmanager
def using(generator: Generator) -> Iterator[Generator]:
    """Draw from this generator inside the block, whatever other threads and tasks do."""
    _unrecorded("using draws from another stream", "Enter the block outside.")
    token = _own.set(generator)
    try:
        yield generator
    finally:
        _own.reset(token)


def seed(n: int) -> None:
    """Begin the stream of this seed, an integer in [0, 2⁶⁴), at its first word.

    All threads share one generator, unless they are `using` their own. Its first seed is taken
    from the operating system.
    """
    _unrecorded("seed begins a stream", "Begin it outside.")
    _generator().restart(n)


def state() -> dict[str, Any]:
    """Where the stream stands, as something JSON can hold."""
    _unrecorded("state() is asked where the stream stands", "Ask it outside.")
    generator = _generator()
    return {"algorithm": ALGORITHM, "key": generator.key, "position": generator.position}


def set_state(state: dict[str, Any]) -> None:
    """Go on from where `state()` was read."""
    _unrecorded("set_state moves the stream", "Move it outside.")
    if not isinstance(state, dict) or state.get("algorithm") != ALGORITHM:
        raise ValueError(f"random: state() returns a state of {ALGORITHM}, this is {state!r}")
    _generator().restart(state["key"], state["position"])


# --- draws ---


def bits(n: int, backend: str | None = None) -> Tensor:
    """The next n words of the stream, (n,) uint32."""
    _, n = _sized(n)
    _unrecorded("bits draws words", "Draw numbers, with random.uniform.")
    return Tensor.of(_generator().take(_space(backend), n).copy())


def uniform(
    shape: Any,
    low: float = 0.0,
    high: float = 1.0,
    dtype: Any = DEFAULT,
    backend: str | None = None,
) -> Tensor:
    """Numbers spread evenly over [low, high): multiples of 2⁻²⁴ (float64: 2⁻⁵³), then scaled.

    float16 and bfloat16 take as many top bits as they can hold. Where low or high is not 0 or 1,
    rounding may reach `high`.
    """
    if not low <= high or math.isinf(high - low):
        raise ValueError(f"uniform: low {low} and high {high} do not bound an interval")
    kind = _float(dtype, "uniform")
    u = _drawn(random_uniform, shape, kind, backend)
    if (low, high) != (0.0, 1.0):
        u = u * (high - low) + low
    return u.astype(kind) if u.dtype.name != kind else u


def normal(
    shape: Any,
    mean: float = 0.0,
    std: float = 1.0,
    dtype: Any = DEFAULT,
    backend: str | None = None,
) -> Tensor:
    """Normally distributed numbers, by the transform of Box and Muller (1958).

    The farthest from the mean is 5.8 std in float32 and 8.6 std in float64.
    """
    if not std >= 0:
        raise ValueError(f"normal: std must not be negative, got {std}")
    kind = _float(dtype, "normal")
    z = _drawn(random_normal, shape, kind, backend)
    if (mean, std) != (0.0, 1.0):
        z = z * std + mean
    return z.astype(kind) if z.dtype.name != kind else z


def bernoulli(shape: Any, p: float, dtype: Any = DEFAULT, backend: str | None = None) -> Tensor:
    """1 with probability p, rounded to a multiple of 2⁻²⁴, else 0."""
    kept = _drawn(random_hits, shape, "", backend, p=_probability(p, "bernoulli"))
    found: Tensor = kept.astype(dtype)
    return found


def dropout_mask(
    shape: Any, keep: float, dtype: Any = DEFAULT, backend: str | None = None
) -> Tensor:
    """1 / keep with probability keep, else 0: a factor that leaves the mean as it is."""
    if not 0 < keep <= 1:
        raise ValueError(f"dropout_mask: keep is a probability in (0, 1], not {keep}")
    kind = _float(dtype, "dropout_mask")
    kept = _drawn(random_hits, shape, "", backend, p=_probability(keep, "dropout_mask"))
    mask: Tensor = kept.astype("float64" if kind == "float64" else DEFAULT) * (1 / keep)
    return mask.astype(kind) if mask.dtype.name != kind else mask


def permutation(n: int) -> Any:
    """0, …, n - 1 in random order, as integers on the host: the same whatever the backend.

    Sorting random keys of 64 bits; two of a million are equal with probability 3e-8.
    """
    host = backends.get("numpy")
    _, n = _sized(n)
    _unrecorded("permutation draws words", "Draw it outside, and pass it as an argument.")
    keys = doubled(_generator().take(host, 2 * n))
    return host.argsort(keys, kind="stable")


def _unrecorded(what: str, mend: str) -> None:
    """Refuse what no recording of a function can show, where there is one."""
    watcher = current().watcher
    if watcher is not None:
        watcher.refuse(f"random.{what}", mend)


def _sized(shape: Any) -> tuple[tuple[int, ...], int]:
    """A shape given as an int or a tuple, and how many elements it has."""
    sizes = sizes_of((shape,))
    if any(n < 0 for n in sizes):
        raise ShapeError(f"random: a size is negative in the shape {sizes}")
    return sizes, math.prod(sizes)


def _space(backend: str | None) -> Any:
    return backends.current() if backend is None else backends.get(backend)


def _float(dtype: Any, name: str) -> str:
    """The dtype's name, if it is one of those that random numbers come in."""
    told = str(getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype))
    if told not in TOP:
        raise DTypeError(f"{name}: random numbers come as {', '.join(TOP)}, not {told}")
    return told


def _probability(p: float, name: str) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: a probability lies in [0, 1], not {p}")
    return p


def _drawn(op: Op, shape: Any, dtype: str, backend: str | None, **params: Any) -> Tensor:
    """Numbers of a shape, as the op has them; who watches a recording is shown the op."""
    sizes, n = _sized(shape)
    xp = _space(backend)
    count = words_of(op.name, n, dtype)
    if dtype:
        params["dtype"] = dtype
    watcher = current().watcher
    if watcher is not None:
        drawn: Tensor = watcher.draws(_generator, op, count, shape=sizes, backend=xp.name, **params)
        return drawn
    w = _generator().take(xp, count)
    if op is random_hits:
        return Tensor.of(hits(w, params["p"]).reshape(sizes))
    made = normal_of(xp, w, dtype) if op is random_normal else unit(w, dtype)
    return Tensor.of(made.reshape(sizes))
