"""Random draws: the words of a key's stream from a place on, as numbers.

The same words as on any backend, and the same numbers bit for bit; normal ones to the last bits of
the logarithm and the cosine.
"""

from __future__ import annotations

import math

from ...ops.random import TOP, words_of
from ..kernel import Kernel, Request, Target, lowers

__all__ = ["draw"]

TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t"}


@lowers("random_hits", "random_uniform", "random_normal")
def draw(request: Request, target: Target) -> Kernel | None:
    """The kernel of a draw; its inputs are the key and the place of the first word, as numbers."""
    dtype, params = request.outputs[0].dtype, request.params
    if dtype not in TYPES or params["backend"] != "numpy":
        return None
    n = math.prod(request.outputs[0].shape)
    each = words_of(request.op, 1, dtype)
    number = _number(request.op, dtype, params.get("p", 0.0))
    name = f"{request.op}_{n}_{dtype}_from_{params['offset']}"
    if request.op == "random_hits":
        name += f"_{round(params['p'] * 2**24)}"
    source = f"""\
/* {request.op}: {n} numbers, each of {each} words of the stream */
KERNEL void {name}(long begin, long end, uint64_t key, uint64_t start,
    {TYPES[dtype]} *z, char *work) {{
    (void)work;
    uint32_t space[PHILOX_WORDS + 4];
    for (long i = begin; i < end; i += PHILOX_WORDS / {each}) {{
        const uint64_t first = start + {params["offset"]} + (uint64_t)i * {each};
        const uint32_t *w = philox_words(key, first, space);
        const long m = end - i < PHILOX_WORDS / {each} ? end - i : PHILOX_WORDS / {each};
        for (long j = 0; j < m; j++) z[i + j] = {number};
    }}
}}
"""
    headers = ("vectors", "maths", "philox")
    return Kernel(name, source, rows=n, grain=256, flops=40 * n, headers=headers)


def _number(op: str, dtype: str, p: float) -> str:
    """The j-th number, of the words w."""
    if op == "random_hits":
        return f"(w[j] >> 8) < {round(p * 2**24)}u"
    if op == "random_uniform":
        return _unit(dtype, "j")
    suffix, pi = ("f32", f"{2 * math.pi!r}f") if dtype == "float32" else ("f64", repr(2 * math.pi))
    one = "1.0f" if dtype == "float32" else "1.0"
    u, v = _unit(dtype, "2 * j"), _unit(dtype, "2 * j + 1")
    return f"sqrt_{suffix}(-2 * log_{suffix}({one} - {u})) * cos_{suffix}({pi} * {v})"


def _unit(dtype: str, i: str) -> str:
    """The i-th number in [0, 1)."""
    if dtype == "float64":
        word = f"(((uint64_t)w[2 * ({i})] << 32 | w[2 * ({i}) + 1]) >> 11)"
        return f"((double){word} * 0x1p-53)"
    return f"((float)(w[{i}] >> {32 - TOP[dtype]}) * 0x1p-{TOP[dtype]}f)"
