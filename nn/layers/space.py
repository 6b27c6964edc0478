"""Arguments of layers that work on spatial axes, and the shape of what they are given."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.errors import ShapeError

from ..module import Module, path_of

__all__ = ["check_rank", "count", "name_of", "paddings", "sizes", "times"]

AXES = {1: "steps", 2: "height, width"}
"""What the spatial axes are called, by their number."""


def sizes(kind: str, what: str, wish: Any, rank: int) -> tuple[int, ...]:
    """A whole number from 1 on for all spatial axes, or one for each, as a tuple.

    >>> sizes("Conv2D", "kernel_size", 3, 2)
    (3, 3)
    """
    found = tuple(wish) if isinstance(wish, (tuple, list)) else (wish,) * rank
    if len(found) != rank or not all(type(n) is int and n > 0 for n in found):
        several = f", or {rank} of them" if rank > 1 else ""
        raise ValueError(f"{kind}: {what} must be a whole number from 1 on{several}, not {wish!r}")
    return found


def count(kind: str, what: str, wish: Any) -> int:
    """A whole number from 1 on."""
    return sizes(kind, what, wish, 1)[0]


def paddings(kind: str, wish: Any, rank: int) -> Any:
    """A padding that has a name, in lower case; an explicit one as it is."""
    valid = ("valid", "same", "causal") if rank == 1 and kind == "Conv1D" else ("valid", "same")
    if not isinstance(wish, str):
        return wish
    if wish.lower() not in valid:
        raise ValueError(
            f"{kind}: padding {wish!r} is unknown. Valid: {', '.join(valid)}, or a number of "
            "elements, for all sides or for each"
        )
    return wish.lower()


def check_rank(layer: Module, x: Any, rank: int) -> Tensor:
    """x as a tensor; an error where it is not (N, *spatial, channels) with so many spatial axes."""
    x = x if isinstance(x, Tensor) else Tensor(x)
    if x.ndim == rank + 2:
        return x
    mend = f"Reshape it to {rank + 2} axes."
    if x.ndim == rank + 1:
        mend = "Of one sample make a batch: x[None]. Where there is one channel: x[..., None]."
    raise ShapeError(
        f"{path_of(layer)}: the input must be (N, {AXES[rank]}, channels), with {rank + 2} axes, "
        f"got {x.ndim}\n  input   {x.shape} {x.dtype}\n  {mend}"
    )


def times(numbers: tuple[int, ...]) -> str:
    """(3, 3) as "3×3"."""
    return "×".join(map(str, numbers))


def name_of(function: Any) -> str:
    """What an activation is called."""
    return getattr(function, "__name__", type(function).__name__)
