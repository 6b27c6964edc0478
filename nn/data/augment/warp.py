"""Images (N, H, W, C) turned, zoomed and shifted: each new pixel is read between old ones."""

from __future__ import annotations

from math import pi

from autograd import Tensor, arange, clip, cos, floor, minimum, sin

from .base import uniform
from .images import ImageAugmentation

__all__ = ["RandomAffine", "RandomRotation", "RandomTranslation", "RandomZoom"]


class RandomAffine(ImageAugmentation):
    """Each image turned, zoomed and shifted by random amounts, in one step.

    It turns by an angle in [-degrees, degrees), about the middle; grows by a factor in
    [1 - zoom, 1 + zoom); and moves by up to `height` and `width` times its own size.  One step
    blurs less than one step each.  What comes in from outside is `fill`: "constant", 0, or
    "reflect", the image mirrored at its edge.
    """

    def __init__(
        self,
        degrees: float = 0.0,
        zoom: float = 0.0,
        height: float = 0.0,
        width: float = 0.0,
        fill: str = "constant",
    ) -> None:
        if fill not in ("constant", "reflect"):
            raise ValueError(
                f'{type(self).__name__}: fill={fill!r}: expected "constant" or "reflect"'
            )
        if not 0 <= zoom < 1:
            raise ValueError(f"{type(self).__name__}: zoom={zoom!r} is outside [0, 1)")
        self.degrees, self.zoom, self.height, self.width = degrees, zoom, height, width
        self.fill = fill

    def change(self, x: Tensor) -> Tensor:
        n, h, w, _ = x.shape
        angle = uniform(x, -pi * self.degrees / 180, pi * self.degrees / 180)  # (N,)
        grow = uniform(x, 1 - self.zoom, 1 + self.zoom)
        down = uniform(x, -h * self.height, h * self.height)
        right = uniform(x, -w * self.width, w * self.width)
        angle, grow, down, right = (a.reshape(n, 1, 1) for a in (angle, grow, down, right))
        # where a new pixel comes from: the inverse of turning, growing and moving, seen from the
        # middle of the image
        middle = (h - 1) / 2, (w - 1) / 2
        rows = arange(h, dtype="float32", backend=x.backend).reshape(1, h, 1) - middle[0] - down
        columns = arange(w, dtype="float32", backend=x.backend).reshape(1, 1, w) - middle[1] - right
        c, s = cos(angle) / grow, sin(angle) / grow
        return bilinear(
            x,
            c * rows - s * columns + middle[0],  # (N, H, W)
            s * rows + c * columns + middle[1],
            self.fill,
        )


class RandomRotation(RandomAffine):
    """Each image turned about its middle by an angle in [-degrees, degrees)."""

    def __init__(self, degrees: float, fill: str = "constant") -> None:
        super().__init__(degrees=degrees, fill=fill)


class RandomZoom(RandomAffine):
    """Each image larger or smaller by a factor in [1 - zoom, 1 + zoom), its shape kept."""

    def __init__(self, zoom: float, fill: str = "constant") -> None:
        super().__init__(zoom=zoom, fill=fill)


class RandomTranslation(RandomAffine):
    """Each image moved by up to `height` and `width`, as parts of its own size."""

    def __init__(self, height: float, width: float, fill: str = "constant") -> None:
        super().__init__(height=height, width=width, fill=fill)


def bilinear(x: Tensor, rows: Tensor, columns: Tensor, fill: str) -> Tensor:
    """Images (N, H, W, C) read at places (N, H', W') between their pixels: (N, H', W', C).

    The four pixels around a place count by their nearness, (1 - Δrow)(1 - Δcolumn).
    """
    n, h, w, channels = x.shape
    pixels = x.reshape(n * h * w, channels)
    first = arange(n, backend=x.backend).reshape(n, 1, 1) * (h * w)  # (N, 1, 1)
    top, left = floor(rows), floor(columns)  # (N, H', W')
    lower, right = rows - top, columns - left
    top, left = top.astype("int64"), left.astype("int64")
    total = None
    for i, row_weight in ((top, 1 - lower), (top + 1, lower)):
        for j, column_weight in ((left, 1 - right), (left + 1, right)):
            weight = row_weight * column_weight
            if fill == "constant":
                inside = (i >= 0) & (i < h) & (j >= 0) & (j < w)
                weight = weight * inside.astype("float32")
                row, column = clip(i, 0, h - 1), clip(j, 0, w - 1)
            else:
                row, column = _mirrored(i, h), _mirrored(j, w)
            pixel = pixels[first + row * w + column]  # (N, H', W', C)
            part = pixel * weight.reshape(*weight.shape, 1).astype(x.dtype)
            total = part if total is None else total + part
    assert total is not None
    return total


def _mirrored(i: Tensor, n: int) -> Tensor:
    """Places … -2 -1 | 0 1 … n-1 | n n+1 … as … 1 0 | 0 1 … n-1 | n-1 n-2 …"""
    i = i % (2 * n)
    return minimum(i, 2 * n - 1 - i)
