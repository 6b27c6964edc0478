"""Noise while training: whole channels dropped out, and normal noise added."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, random
from autograd.errors import ShapeError

from ..module import Module, path_of
from .core import Dropout

__all__ = ["GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"]


class _SpatialDropout(Dropout):
    axes: int
    layout: str

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != self.axes:
            raise ShapeError(f"{path_of(self)}: the input {x.shape} must be {self.layout}")
        if not self.rate or not self.training:
            return x
        shape = (x.shape[0], *[1] * (x.ndim - 2), x.shape[-1])
        return x * random.dropout_mask(shape, 1 - self.rate, x.dtype, x.backend)


class SpatialDropout1D(_SpatialDropout):
    """Dropout of whole channels of sequences (N, T, C): neighbours in time tell the same, so that
    dropping them one by one would drop little (Tompson et al. 2015)."""

    axes, layout = 3, "sequences (N, T, C)"


class SpatialDropout2D(_SpatialDropout):
    """Dropout of whole channels of images (N, H, W, C) (Tompson et al. 2015)."""

    axes, layout = 4, "images (N, H, W, C)"


class GaussianNoise(Module):
    """Normal noise of mean 0 added while training."""

    def __init__(self, stddev: float, name: str | None = None) -> None:
        if stddev < 0:
            raise ValueError(f"GaussianNoise: stddev {stddev} must be 0 or more")
        self.stddev, self.name = stddev, name

    def __call__(self, x: Any) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if not self.stddev or not self.training:
            return x
        return x + random.normal(x.shape, 0.0, self.stddev, x.dtype, x.backend)

    def describe(self) -> str:
        return f"{self.stddev:g}"
