"""Random numbers by counting, as operations: a function of a key and of a place in its stream.

`random.py` has the stream and what is drawn from it; the operations here are what a program
records of a draw, so that it draws anew, from the place then reached, each time it runs.
"""


import math
from collections.abc import Iterator
from typing import Any

import backends

from ..node import op

LOW = 0xFFFFFFFF
"""The lower half of a 64-bit word."""


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> tuple[Any, Any, Any, Any]:
    """Philox4x32-10: four random words for each counter of four words.

    The counter's words come as four uint64 arrays of numbers below 2³², which are used up; the
    result is four such arrays. A product of two words needs 64 bits, hence the dtype.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        c0 *= 0xD2511F53
        c2 *= 0xCD9E8D57
        high0, high2 = c0 >> 32, c2 >> 32
        c0 &= LOW
        c2 &= LOW
        high2 ^= c1
        high2 ^= k0
        high0 ^= c3
        high0 ^= k1
        c0, c1, c2, c3 = high2, c2, high0, c0
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW  # the golden ratio, and √3 - 1
    return c0, c1, c2, c3


def words(xp: Any, key: int, start: int, n: int) -> Any:
    """The words start, …, start + n - 1 of a key's stream, (n,) uint32, computed by xp."""
    first, skipped = divmod(start, 4)
    table = xp.empty(((skipped + n + 3) // 4, 4), dtype="uint32")  # (counters, lanes)
    for block in _blocks(xp, len(table)):
        counters = xp.arange(block.stop - block.start, dtype="uint64")
        counters += first + block.start
        zeros = [xp.zeros(counters.shape, dtype="uint64") for _ in range(2)]
        lanes = philox((counters & LOW, counters >> 32, *zeros), (key & LOW, key >> 32))
        for lane, word in enumerate(lanes):
            table[block, lane] = word
    return table.reshape(-1)[skipped : skipped + n]


def _blocks(xp: Any, n: int) -> Iterator[slice]:
    """Stretches of n numbers, such that what is computed with one stays in the cache."""
    size = xp.workspace // 256
    return (slice(i, min(i + size, n)) for i in range(0, n, size))


TOP = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}
"""How many bits of a uniform number a dtype holds exactly."""


def doubled(pairs: Any) -> Any:
    """Words as half as many uint64, the first of a pair on top."""
    pairs = pairs.astype("uint64")
    return (pairs[0::2] << 32) | pairs[1::2]


def words_of(op: str, n: int, dtype: str) -> int:
    """How many words it takes to draw n numbers."""
    return n * (2 if dtype == "float64" else 1) * (2 if op == "random_normal" else 1)


def hits(w: Any, p: float) -> Any:
    """Truth values that hold with probability p, one per word."""
    return (w >> 8) < round(p * 2**24)


def unit(w: Any, dtype: str) -> Any:
    """Numbers in [0, 1), with as many bits as the dtype holds, as float32 or float64."""
    if dtype == "float64":
        return (doubled(w) >> 11).astype("float64") * 2.0**-53
    u = (w >> (32 - TOP[dtype])).astype("float32")
    u *= 2.0 ** -TOP[dtype]
    return u


def normal(xp: Any, w: Any, dtype: str) -> Any:
    """Normal numbers by the transform of Box and Muller (1958), as float32 or float64."""
    dtype = "float64" if dtype == "float64" else "float32"
    each = words_of("random_normal", 1, dtype)
    z = xp.empty(len(w) // each, dtype=dtype)
    for block in _blocks(xp, len(z)):
        u = unit(w[each * block.start : each * block.stop], dtype)
        z[block] = xp.sqrt(-2.0 * xp.log(1.0 - u[0::2])) * xp.cos(2 * math.pi * u[1::2])
    return z


@op(samples=())
def random_hits(
    xp: Any, key: int, start: int, *, offset: int, shape: tuple[int, ...], p: float, backend: str
) -> Any:
    """Truth values of a shape, each True with probability p."""
    w = words(backends.get(backend), key, start + offset, math.prod(shape))
    return hits(w, p).reshape(shape)


@op(samples=())
def random_uniform(
    xp: Any, key: int, start: int, *, offset: int, shape: tuple[int, ...], dtype: str, backend: str
) -> Any:
    """Numbers of a shape, spread evenly over [0, 1)."""
    n = words_of("random_uniform", math.prod(shape), dtype)
    return unit(words(backends.get(backend), key, start + offset, n), dtype).reshape(shape)


@op(samples=())
def random_normal(
    xp: Any, key: int, start: int, *, offset: int, shape: tuple[int, ...], dtype: str, backend: str
) -> Any:
    """Normally distributed numbers of a shape."""
    n = words_of("random_normal", math.prod(shape), dtype)
    xp = backends.get(backend)
    return normal(xp, words(xp, key, start + offset, n), dtype).reshape(shape)


for _draw in (random_hits, random_uniform, random_normal):
    _draw.vjp(None, None)
