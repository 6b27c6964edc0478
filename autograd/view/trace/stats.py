"""Statistics of an array: a snapshot that is small, however large the array."""

from __future__ import annotations

from math import nan, sqrt
from typing import Any

import backends
from backends import namespaces

from ...node import Node
from .model import Datum, Hist, Stats, rounded
from .preview import elements

__all__ = ["EXPONENTS", "datum", "histogram", "stats"]

host = backends.get("numpy")

EXPONENTS = 40
"""Powers of two beyond 2^±40 are counted with those."""


def datum(raw: Any, preview: int = 0) -> Datum | None:
    """A single number itself, or the statistics of an array with at most so many of its elements.

    None for complex numbers, which have no picture.
    """
    if isinstance(raw, Node):
        raw = raw.raw
    if getattr(getattr(raw, "dtype", None), "kind", "") == "c" or isinstance(raw, complex):
        return None
    if not getattr(raw, "shape", ()):
        return float(raw.item() if hasattr(raw, "item") else raw)
    return stats(host.asarray(namespaces[type(raw)].to_host(raw)), preview)


def stats(array: Any, preview: int = 0) -> Stats:
    """The statistics of a NumPy array of numbers, with a table of `preview` elements at most."""
    x = array.astype("float64").ravel()
    finite = host.isfinite(x)
    sound = x if finite.all() else x[finite]
    nans = int(host.isnan(x).sum())
    norm, mean, std, low, high = 0.0 if not x.size else nan, nan, nan, nan, nan
    if sound.size:
        largest = float(abs(sound).max())
        scale = largest if largest > 1e100 or 0 < largest < 1e-100 else 1.0  # squares of both end
        norm = scale * sqrt(float(host.dot(sound / scale, sound / scale)))
        mean, std = float(sound.mean()), float(scale * (sound / scale).std())
        low, high = float(sound.min()), float(sound.max())
    return Stats(
        rounded(norm), rounded(mean), rounded(std), rounded(low), rounded(high),
        zeros=rounded(float((x == 0).mean())) if x.size else 0.0,
        nan=nans,
        inf=int(x.size - sound.size) - nans,
        hist=histogram(sound),
        preview=elements(array, preview) if preview and array.ndim and array.size else None,
    )  # fmt: skip


def histogram(x: Any) -> Hist:
    """How many numbers of a flat array of finite float64 are of which sign and size."""
    sizes = x[x != 0]
    exponents = host.clip(host.frexp(sizes)[1] - 1, -EXPONENTS, EXPONENTS)  # frexp: 0.5 ≤ m < 1
    zero = int(x.size - sizes.size)
    if not sizes.size:
        return Hist(0, [], zero, [])
    first = int(exponents.min())
    count = int(exponents.max()) - first + 1
    signs = [
        host.bincount(exponents[side] - first, minlength=count).tolist()
        for side in (sizes < 0, sizes > 0)
    ]
    return Hist(first, signs[0], zero, signs[1])
