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

BIAS = 1023
"""What the exponent of a float64 is stored above."""


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
    nans = 0 if sound is x else int(host.isnan(x).sum())
    norm, mean, std, low, high = 0.0 if not x.size else nan, nan, nan, nan, nan
    if sound.size:
        low, high = float(sound.min()), float(sound.max())
        largest = max(-low, high)
        scale = largest if largest > 1e100 or 0 < largest < 1e-100 else 1.0  # squares of both end
        scaled = sound if scale == 1.0 else sound / scale
        norm = scale * sqrt(float((scaled * scaled).sum()))
        mean, std = scale * float(scaled.mean()), scale * float(scaled.std())
    hist = histogram(sound)
    return Stats(
        rounded(norm), rounded(mean), rounded(std), rounded(low), rounded(high),
        zeros=rounded(hist.zero / x.size) if x.size else 0.0,
        nan=nans,
        inf=int(x.size - sound.size) - nans,
        hist=hist,
        preview=elements(array, preview) if preview and array.ndim and array.size else None,
    )  # fmt: skip


def histogram(x: Any) -> Hist:
    """How many numbers of a flat array of finite float64 are of which sign and size."""
    first_bits = (x.view("uint64") >> 52).view("int64")  # the sign, and 11 bits of the exponent
    counts = host.bincount(first_bits, minlength=4096).reshape(2, 2048)
    tiny = x[first_bits & 2047 == 0] if counts[:, 0].any() else x[:0]
    counts[:, 0] = (tiny > 0).sum(), (tiny < 0).sum()  # below 2^-1022, and none of them 0
    zero = int(x.size - counts.sum())
    low, high = BIAS - EXPONENTS, BIAS + EXPONENTS
    sides = counts[:, low : high + 1].copy()
    sides[:, 0] += counts[:, :low].sum(axis=1)
    sides[:, -1] += counts[:, high + 1 :].sum(axis=1)
    there = sides.any(axis=0).nonzero()[0]
    if not there.size:
        return Hist(0, [], zero, [])
    begin, end = int(there[0]), int(there[-1]) + 1
    positive, negative = sides[:, begin:end].tolist()
    return Hist(begin - EXPONENTS, negative, zero, positive)
