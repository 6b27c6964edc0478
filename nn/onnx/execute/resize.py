"""Resizing, one axis after the other: a product with a matrix of weights.

Row i of the matrix says how much each old element counts for the new element i.  The matrix of an
axis follows from where i lies among the old elements, and from a kernel around that place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import axes_of, check, onnx_op

Kernel = Callable[[float], float]


def triangle(t: float) -> float:
    """Linear interpolation: elements count the less the further away they are."""
    return max(0.0, 1 - abs(t))


def cubic(t: float, a: float) -> float:
    """Cubic convolution (Keys 1981, eq. 15, with a free)."""
    t = abs(t)
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((t - 5) * t + 8) * t * a - 4 * a if t < 2 else 0.0


def place(mode: str, i: int, n: int, m: int, scale: float, roi: tuple[float, float]) -> float:
    """Where the new element i of m lies among n old ones."""
    length = scale * n  # what m would be if elements could be broken
    if mode == "align_corners":
        return 0.0 if length == 1 else i * (n - 1) / (length - 1)
    if mode == "asymmetric":
        return i / scale
    if mode == "tf_crop_and_resize":
        start, end = roi
        if length == 1:
            return (start + end) * (n - 1) / 2
        return start * (n - 1) + i * (end - start) * (n - 1) / (length - 1)
    if mode == "pytorch_half_pixel" and length == 1:
        return -0.5
    shift = n / 2 * (1 - m / length) if mode == "half_pixel_symmetric" else 0.0
    return shift + (i + 0.5) / scale - 0.5


def nearest(at: float, mode: str) -> int:
    """The old element that is taken for a place between two."""
    if mode == "floor":
        return math.floor(at)
    if mode == "ceil":
        return math.ceil(at)
    return math.ceil(at - 0.5) if mode == "round_prefer_floor" else math.floor(at + 0.5)


def row(at: float, n: int, kernel: Kernel, reach: int, squeeze: float, inside: bool) -> list[float]:
    """How much each of n elements counts at a place; those past an end are the outermost again,
    or do not count (`inside`).  A kernel squeezed by less than 1 covers more elements."""
    weights = [0.0] * n
    far = math.ceil(reach / squeeze)
    taps = [
        (k, kernel((k - at) * squeeze))
        for k in range(math.floor(at) - far, math.ceil(at) + far + 1)
    ]
    total = 0.0
    for k, weight in taps:
        if inside and not 0 <= k < n:
            continue
        weights[min(max(k, 0), n - 1)] += weight
        total += weight
    return [w / total for w in weights]


def stretched(x: Tensor, axis: int, rows: list[list[float]]) -> Tensor:
    """x with the rows' matrix applied along an axis."""
    matrix = Tensor(rows, dtype="float64").astype(x.dtype)
    return ag.swapaxes(ag.swapaxes(x, axis, x.ndim - 1) @ matrix.T, axis, x.ndim - 1)


@onnx_op("Resize")
def resize(
    x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None,
    sizes: Tensor | None = None, *, mode: str = "nearest", antialias: int = 0,
    axes: list[int] | None = None, coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch", nearest_mode: str = "round_prefer_floor",
) -> Tensor:  # fmt: skip
    along = axes_of(axes, x.ndim)
    goals = _goals(x, along, scales, sizes, keep_aspect_ratio_policy)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    region = roi.tolist() if crop and roi is not None else [0.0] * len(along) + [1.0] * len(along)
    kernel = partial(cubic, a=cubic_coeff_a) if mode == "cubic" else triangle
    outside: Any = None
    for k, (axis, (scale, m)) in enumerate(zip(along, goals, strict=True)):
        n = x.shape[axis]
        if scale == 1 and m == n and not crop:
            continue
        span = region[k], region[len(along) + k]
        at = [place(coordinate_transformation_mode, i, n, m, scale, span) for i in range(m)]
        if mode == "nearest":
            chosen = [min(max(nearest(p, nearest_mode), 0), n - 1) for p in at]
            x = x[(slice(None),) * axis + (chosen,)]
        else:
            squeeze = min(scale, 1.0) if antialias else 1.0
            reach = 2 if mode == "cubic" else 1
            x = stretched(
                x, axis, [row(p, n, kernel, reach, squeeze, bool(exclude_outside)) for p in at]
            )
        if crop:
            shape = [1] * x.ndim
            shape[axis] = m
            beyond = Tensor([not 0 <= p <= n - 1 for p in at]).reshape(shape)
            outside = beyond if outside is None else outside | beyond
    return x if outside is None else ag.where(outside, extrapolation_value, x)


def _goals(
    x: Tensor, along: tuple[int, ...], scales: Tensor | None, sizes: Tensor | None, policy: str
) -> list[tuple[float, int]]:
    """For each axis its scale and its new size."""
    if sizes is None or not sizes.size:
        check(scales is not None, "neither scales nor sizes")
        given = scales.tolist() if scales is not None else []
        return [(s, math.floor(x.shape[a] * s)) for a, s in zip(along, given, strict=True)]
    wish = [int(n) for n in sizes.tolist()]
    ratios = [m / x.shape[a] for a, m in zip(along, wish, strict=True)]
    if policy == "stretch":
        return list(zip(ratios, wish, strict=True))
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [(ratio, math.floor(ratio * x.shape[a] + 0.5)) for a in along]


@onnx_op("Upsample")
def upsample(x: Tensor, scales: Any, *, mode: str = "nearest") -> Tensor:
    """The forerunner of Resize: by the scales alone, from the corner."""
    factors = scales if isinstance(scales, Tensor) else Tensor(scales)
    return resize(
        x, None, factors, mode=mode, nearest_mode="floor",
        coordinate_transformation_mode="asymmetric",
    )  # fmt: skip
