"""Half precision, float16 and bfloat16, is computed in float32 and rounded once, at the end.

A sum of many numbers would overflow float16, which ends at 65,504, and lose small terms in
bfloat16, which has three digits; what such a sum is then divided by comes too late.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any


def is_half(x: Any) -> bool:
    """Whether an array holds float16 or bfloat16."""
    return x.dtype.itemsize == 2 and x.dtype.kind in "fV"


def wide_dtype(x: Any) -> Any:
    """The dtype to compute in: float32 for half precision, else x's own."""
    return "float32" if is_half(x) else x.dtype


def wide(x: Any) -> Any:
    """Half precision as float32; what is wider, as it is."""
    return x.astype("float32") if is_half(x) else x


def like(x: Any, *results: Any) -> tuple[Any, ...]:
    """Results that were computed wide, in the dtype of x."""
    return tuple([r.astype(x.dtype) for r in results]) if is_half(x) else results


def computed_wide(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward of an op with one input and one result, which never computes in half."""

    @wraps(forward)
    def computed(xp: Any, x: Any, **params: Any) -> Any:
        if x.dtype.itemsize == 2 and is_half(x):  # first what is quickly told: this is hot
            return forward(xp, x.astype("float32"), **params).astype(x.dtype)
        return forward(xp, x, **params)

    return computed
