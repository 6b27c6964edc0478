"""Data made to order: shapes in the plane, and pairs of strings. The same seed gives the same."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import numpy as np

from autograd import random

__all__ = ["addition", "circles", "dates", "moons", "spirals"]


@contextmanager
def _seeded(seed: int | None) -> Iterator[None]:
    """Draw from the stream of a seed; without one, from `autograd.seed`'s."""
    if seed is None:
        yield
        return
    with random.using(random.Generator(seed)):
        yield


def _points(
    parts: list[tuple[np.ndarray, np.ndarray]], noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Curves of points as x (N, 2) float32 and the number of the curve as y (N,), shuffled."""
    x = np.concatenate([np.stack(part, 1) for part in parts])
    y = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])
    x = x + noise * random.normal(x.shape, dtype="float64", backend="numpy").numpy()
    order = random.permutation(len(x))
    return x[order].astype("float32"), y[order]


def moons(n: int = 200, noise: float = 0.1, seed: int | None = None) -> tuple[np.ndarray, ...]:
    """Two half circles that reach into each other: x (n, 2) float32, y (n,) int64, 0 or 1.

    Both have radius 1; to each point is added a normal error of standard deviation `noise`.
    """
    with _seeded(seed):
        out, into = (math.pi * np.linspace(0, 1, m) for m in (n // 2, n - n // 2))
        upper = (np.cos(out), np.sin(out))
        lower = (1 - np.cos(into), 0.5 - np.sin(into))
        return _points([upper, lower], noise)


def circles(
    n: int = 200, noise: float = 0.05, factor: float = 0.5, seed: int | None = None
) -> tuple[np.ndarray, ...]:
    """Two circles about one centre: x (n, 2) float32, y (n,) int64, 0 outside (radius 1), 1 inside.

    The inner radius is `factor`.
    """
    with _seeded(seed):
        angles = [2 * math.pi * np.arange(m) / m for m in (n // 2, n - n // 2)]
        parts = [(r * np.cos(a), r * np.sin(a)) for r, a in zip((1.0, factor), angles, strict=True)]
        return _points(parts, noise)


def spirals(
    n: int = 300, classes: int = 2, turns: float = 1.0, noise: float = 0.02, seed: int | None = None
) -> tuple[np.ndarray, ...]:
    """Arms that wind about the origin: x (n, 2) float32, and y (n,) int64, the arm.

    Each has n / classes points; its radius grows from 0 to 1 in so many `turns`.
    """
    with _seeded(seed):
        parts = []
        for k in range(classes):
            r = np.linspace(0, 1, (n + k) // classes)
            angle = 2 * math.pi * (turns * r + k / classes)
            parts.append((r * np.cos(angle), r * np.sin(angle)))
        return _points(parts, noise)


def addition(n: int, digits: int = 3, seed: int | None = None) -> tuple[list[str], list[str]]:
    """Sums as text, and their results: ("12+345", "357"), with numbers of up to so many digits.

    How many digits a number has is drawn first, so that short ones are not rare. Sums may repeat.
    """
    with _seeded(seed):
        lengths = _integers(1, digits + 1, (n, 2))
        u = random.uniform((n, 2), dtype="float64", backend="numpy").numpy()
    low = np.where(lengths == 1, 0, 10 ** (lengths - 1))
    numbers = (low + u * (10**lengths - low)).astype(int)
    return [f"{a}+{b}" for a, b in numbers], [str(a + b) for a, b in numbers]


MONTHS = (
    "January February March April May June July August September October November December"
).split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def dates(n: int, seed: int | None = None) -> tuple[list[str], list[str]]:
    """Dates as people write them, and in ISO 8601: ("Wed, 3 June 1998", "1998-06-03").

    They lie between 1950 and 2049, and come in eight ways of writing, each equally often.
    """
    first, last = date(1950, 1, 1).toordinal(), date(2049, 12, 31).toordinal()
    with _seeded(seed):
        days = _integers(first, last + 1, (n,))
        ways = _integers(0, 8, (n,))
    found = [date.fromordinal(int(day)) for day in days]
    written = [_ways(day)[way] for day, way in zip(found, ways, strict=True)]
    return written, [day.isoformat() for day in found]


def _ways(day: date) -> list[str]:
    month, weekday, d, y = MONTHS[day.month - 1], WEEKDAYS[day.weekday()], day.day, day.year
    return [
        f"{d} {month} {y}", f"{month} {d}, {y}", f"{d} {month[:3]} {y}", f"{month[:3]} {d} {y}",
        f"{weekday}, {d} {month} {y}", f"{weekday[:3]}, {d} {month} {y}",
        f"{d}.{day.month}.{y}", f"{day.month:02}/{d:02}/{y}",
    ]  # fmt: skip


def _integers(low: int, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """Whole numbers spread evenly over [low, high)."""
    u = random.uniform(shape, dtype="float64", backend="numpy").numpy()
    return low + (u * (high - low)).astype("int64")
