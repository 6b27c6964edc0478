"""Augmentation of images (N, H, W, C) that looks at whole pixels: flips, crops, light, holes."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, arange, clip, flip, floor, mean, pad, random, where

from .base import Augmentation, per_sample, uniform

__all__ = ["Cutout", "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip"]


class ImageAugmentation(Augmentation):
    """A random change of images."""

    axes, ndim = "images (N, H, W, C)", (4,)


class RandomFlip(ImageAugmentation):
    """Each image mirrored with probability p: "horizontal", left and right change places,
    "vertical", or "horizontal_and_vertical", each drawn by itself."""

    def __init__(self, mode: str = "horizontal", p: float = 0.5) -> None:
        modes = ("horizontal", "vertical", "horizontal_and_vertical")
        if mode not in modes:
            raise ValueError(f"RandomFlip: mode={mode!r}: expected one of {', '.join(modes)}")
        self.mode, self.p = mode, _share("RandomFlip", p=p)

    def check(self, x: Tensor) -> None:
        """Pixels of any dtype can change places."""

    def change(self, x: Tensor) -> Tensor:
        for name, axis in (("horizontal", 2), ("vertical", 1)):
            if name in self.mode:
                chosen = (uniform(x) < self.p).reshape(-1, 1, 1, 1)  # (N, 1, 1, 1)
                x = where(chosen, flip(x, axis), x)
        return x


class RandomCrop(ImageAugmentation):
    """A piece of `height` × `width` from a random place, after `padding` pixels are put around.

    With padding=4 and the size of the image it is the usual augmentation of CIFAR (He et al. 2016,
    section 4.2).  `fill` is the value of the padding; outside training the piece is the middle.
    """

    def __init__(
        self, height: int, width: int | None = None, padding: int = 0, fill: float = 0.0
    ) -> None:
        self.height, self.width = height, height if width is None else width
        self.padding, self.fill = padding, fill

    def check(self, x: Tensor) -> None:
        """Pixels of any dtype can be cut out; there have to be enough of them."""
        room = tuple(n + 2 * self.padding for n in x.shape[1:3])
        if room[0] < self.height or room[1] < self.width:
            raise ValueError(
                f"RandomCrop: a piece of {self.height} × {self.width} does not fit into images of "
                f"{x.shape[1]} × {x.shape[2]} with padding {self.padding}"
            )

    def __call__(self, x: Any) -> Any:
        if self.training:
            return self.change(self.batch(x))
        top, left = (n - m for n, m in zip(x.shape[1:3], (self.height, self.width), strict=True))
        if top < 0 or left < 0:  # the padding is needed
            x = self.batch(x)
            x, top, left = self.padded(x), top + 2 * self.padding, left + 2 * self.padding
        top, left = top // 2, left // 2
        return x[:, top : top + self.height, left : left + self.width]

    def padded(self, x: Tensor) -> Tensor:
        """The images with their padding."""
        p = self.padding
        return pad(x, ((0, 0), (p, p), (p, p), (0, 0)), self.fill) if p else x

    def change(self, x: Tensor) -> Tensor:
        x = self.padded(x)
        n, h, w, _ = x.shape
        on = x.backend
        top = places(x, h - self.height + 1).reshape(n, 1)
        left = places(x, w - self.width + 1).reshape(n, 1)
        rows = top + arange(self.height, backend=on)  # (N, height)
        columns = left + arange(self.width, backend=on)  # (N, width)
        sample = arange(n, backend=on).reshape(n, 1, 1)
        return x[sample, rows.reshape(n, -1, 1), columns.reshape(n, 1, -1)]  # (N, height, width, C)


class RandomBrightness(ImageAugmentation):
    """x + b, with b in [-amount, amount) for each image, kept within `value_range`, if any."""

    def __init__(
        self, amount: float = 0.2, value_range: tuple[float, float] | None = (0.0, 1.0)
    ) -> None:
        self.amount, self.value_range = amount, value_range

    def change(self, x: Tensor) -> Tensor:
        b = per_sample(uniform(x, -self.amount, self.amount), x)
        return _within(x + b, self.value_range)


class RandomContrast(ImageAugmentation):
    """m + c (x - m), with m the mean of the image and c in [1 - amount, 1 + amount), kept within
    `value_range`, if any."""

    def __init__(
        self, amount: float = 0.2, value_range: tuple[float, float] | None = (0.0, 1.0)
    ) -> None:
        self.amount, self.value_range = amount, value_range

    def change(self, x: Tensor) -> Tensor:
        c = per_sample(uniform(x, 1 - self.amount, 1 + self.amount), x)
        m = mean(x, axis=(1, 2, 3), keepdims=True)  # (N, 1, 1, 1)
        return _within(m + c * (x - m), self.value_range)


class Cutout(ImageAugmentation):
    """A square hole of `size` pixels, its middle anywhere in the image, in each of the images.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout",
    2017: part of the hole may lie outside.
    """

    def __init__(self, size: int, fill: float = 0.0) -> None:
        self.size, self.fill = size, fill

    def change(self, x: Tensor) -> Tensor:
        _, h, w, _ = x.shape
        middle = (places(x, h), places(x, w))
        return where(box(x, middle, (self.size, self.size)), self.fill, x)


class RandomNoise(Augmentation):
    """Gaussian noise of standard deviation `std` on every element, kept within `value_range`,
    if any; for images as for sequences, where it is called jitter."""

    def __init__(self, std: float = 0.1, value_range: tuple[float, float] | None = None) -> None:
        self.std, self.value_range = std, value_range

    def change(self, x: Tensor) -> Tensor:
        noise = random.normal(x.shape, 0.0, self.std, dtype=x.dtype, backend=x.backend)
        return _within(x + noise, self.value_range)


def box(x: Tensor, middle: tuple[Tensor, Tensor], size: tuple[Any, Any]) -> Tensor:
    """Which pixels lie in a box about the middle, an integer (N,) per axis: (N, H, W, 1)."""
    inside = []
    for n, m, s in zip(x.shape[1:3], middle, size, strict=True):
        first = (m - s // 2).reshape(-1, 1)  # (N, 1)
        last = first + (s.reshape(-1, 1) if isinstance(s, Tensor) else s)
        pixel = arange(n, backend=x.backend)  # (n,)
        inside.append((pixel >= first) & (pixel < last))  # (N, n)
    rows, columns = inside
    return rows.reshape(*rows.shape, 1, 1) & columns.reshape(len(columns), 1, -1, 1)


def places(x: Tensor, n: int) -> Tensor:
    """A whole number in [0, n) for each sample, (N,) int64."""
    return floor(uniform(x) * n).astype("int64")


def _within(x: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    return x if value_range is None else clip(x, *value_range)


def _share(who: str, **shares: float) -> float:
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ValueError(f"{who}: {name}={share!r} is a probability, from 0 to 1")
    return next(iter(shares.values()))
