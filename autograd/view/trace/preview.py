"""A few elements of an array, to be drawn as a heat map."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import backends

from .model import Preview, rounded

__all__ = ["elements"]

host = backends.get("numpy")

KERNEL = 11
"""The largest side of a kernel that is told from other arrays by its shape."""

COLOURS = 4
"""So many channels at most make a last axis that is none of rows or columns."""


def elements(array: Any, most: int) -> Preview:
    """At most so many elements of an array of one axis or more.

    Of three or four axes they are whole tiles, such as the images of a batch, where one has room;
    else rows and columns of the array as a table, a square of them if there are too many.
    """
    shape = array.shape
    table = array.reshape(-1, shape[-1])
    tile = _tile(shape)
    if tile is not None and shape[tile[0]] * shape[tile[1]] <= most:
        *leading, across = _whole(shape, tile, most)
        down = host.zeros(1, dtype="int64")
        for size, picked in zip(shape[:-1], leading, strict=True):
            down = (down[:, None] * size + picked).ravel()
    else:
        tile = None
        counts = _within(table.shape, most)
        down, across = (_spread(*each) for each in zip(table.shape, counts, strict=True))
    values = [
        [rounded(x) for x in row] for row in table[down][:, across].astype("float64").tolist()
    ]
    return Preview(
        down.tolist(), across.tolist(), values,
        shape=None if tile is None else list(shape), tile=None if tile is None else list(tile),
    )  # fmt: skip


def _tile(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The axes of an array of three or four that are rows and columns of a picture.

    (size, size, channels, filters) of a kernel, (samples, height, width, channels) of images, else
    the last two; None where that would be a line.
    """
    n = len(shape)
    axes = (n - 2, n - 1)
    if n == 3 and shape[2] <= COLOURS < min(shape[:2]):
        axes = (0, 1)
    elif n == 4:
        a, b, c, d = shape
        if a == b <= KERNEL and a % 2:
            axes = (0, 1)
        elif (b == c and (c != d or c % 2 == 0)) or d <= COLOURS < min(b, c):
            axes = (1, 2)
    if n not in (3, 4) or min(shape[axes[0]], shape[axes[1]]) < 2 or 0 in shape:
        return None
    return axes


def _whole(shape: tuple[int, ...], tile: tuple[int, int], most: int) -> list[Any]:
    """Places along each axis: all of a tile, and as many tiles as there is room for."""
    others = [axis for axis in range(len(shape)) if axis not in tile]
    rows = shape[others[0]] if len(others) == 2 else 1
    room = most // prod(shape[axis] for axis in tile)
    counts = _within((rows, shape[others[-1]]), room)[-len(others) :]
    taken = dict(zip(others, counts, strict=True))
    return [_spread(size, taken.get(axis, size)) for axis, size in enumerate(shape)]


def _within(table: tuple[int, int], most: int) -> tuple[int, int]:
    """How many rows and columns of a table: a square of it, if it has that many of both."""
    rows, cols = table
    if rows * cols <= most:
        return rows, cols
    height = min(rows, max(int(sqrt(most)), most // cols))
    return height, min(cols, most // height)


def _spread(size: int, count: int) -> Any:
    """So many places, evenly from the first to the last."""
    return host.linspace(0, size - 1, count).round().astype("int64")
