"""Samples made of two, with targets made of two: for a `DataLoader`'s transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd import Tensor, one_hot, random, where
from autograd.dtypes import is_float
from autograd.errors import DTypeError, GraphError, ShapeError

from .base import Augmentation, per_sample, uniform
from .images import box, places

__all__ = ["CutMix", "Mixup"]

QUANTILES = 4096


class Mixing(Augmentation):
    """Each sample joined with another one of its batch; λ of it stays, and λ of its target.

    Targets are floats `(N, ...)`, such as one-hot rows, or integers `(N,)` with `classes` given,
    which become one-hot. The loss to go with them is "categorical_crossentropy", or for numbers
    the one they have.
    """

    def __init__(self, alpha: float, classes: int | None = None) -> None:
        if not alpha > 0:
            raise ValueError(f"{type(self).__name__}: alpha={alpha!r} is a number above 0")
        self.alpha, self.classes = alpha, classes
        self._quantiles = beta_quantiles(alpha)

    def __call__(self, x: Any, y: Any = None) -> Any:
        if y is None:
            raise GraphError(
                f"{type(self).__name__} mixes targets too: give it to a DataLoader as transform, "
                "with y, instead of to a model as a layer"
            )
        if not self.training:
            return x, y
        x, y = self.batch(x), self.targets(y)
        partner = Tensor(random.permutation(len(x)), backend=x.backend)
        x, kept = self.mixed(x, x[partner])
        return x, self.between(y, y[partner], kept)

    def mixed(self, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """x mixed with others, and how much of each is left in it, (N,)."""
        raise NotImplementedError(f"{type(self).__name__} needs a method mixed(x, other)")

    def kept(self, x: Tensor) -> Tensor:
        """λ ~ Beta(α, α) for each sample, (N,) float32."""
        place = uniform(x).numpy().astype("float64") * QUANTILES  # in the table of quantiles
        below = place.astype(int)
        low, high = self._quantiles[below], self._quantiles[below + 1]
        drawn = low + (place - below) * (high - low)
        return Tensor(drawn.astype("float32"), backend=x.backend)

    @staticmethod
    def between(x: Tensor, other: Tensor, kept: Tensor) -> Tensor:
        """λ x + (1 - λ) other."""
        kept = per_sample(kept, x)
        return kept * x + (1 - kept) * other

    def targets(self, y: Any) -> Tensor:
        """Targets that can be mixed."""
        y = y if isinstance(y, Tensor) else Tensor.of(y)
        if is_float(y.dtype):
            return y
        if self.classes is None:
            raise DTypeError(
                f"{type(self).__name__}: y holds {y.dtype}, and classes cannot be mixed as "
                f"numbers. Say how many there are, {type(self).__name__}(classes=10), or give "
                "one-hot rows."
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = y.reshape(-1)
        if y.ndim != 1:
            raise ShapeError(f"{type(self).__name__}: labels are (N,), y is {y.shape}")
        return one_hot(y, self.classes)


class Mixup(Mixing):
    """λ x + (1 - λ) x′ with λ ~ Beta(α, α) for each sample, and the same of the targets.

    Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018,
    equation 1.
    """

    def __init__(self, alpha: float = 0.2, classes: int | None = None) -> None:
        super().__init__(alpha, classes)

    def mixed(self, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        kept = self.kept(x)
        return self.between(x, other, kept), kept


class CutMix(Mixing):
    """A box of another image put in place of each one's own, with λ ~ Beta(α, α) of it left.

    Yun, Han, Oh, Chun, Choe and Yoo, "CutMix: regularization strategy to train strong classifiers
    with localizable features", ICCV 2019, equations 1 and 2. The box has the image's proportions
    and its middle anywhere; of the targets is mixed what part of the image it really covers.
    """

    axes, ndim = "images (N, H, W, C)", (4,)

    def __init__(self, alpha: float = 1.0, classes: int | None = None) -> None:
        super().__init__(alpha, classes)

    def mixed(self, x: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        _, h, w, _ = x.shape
        side = (1 - self.kept(x)) ** 0.5
        size = tuple((side * n).astype("int64") for n in (h, w))
        covering = box(x, (places(x, h), places(x, w)), size)  # (N, H, W, 1)
        covered = covering.astype("float32").mean(axis=(1, 2, 3))
        return where(covering, other, x), 1 - covered


def beta_quantiles(alpha: float) -> np.ndarray:
    """Quantiles 0, 1/4096, …, 1 of Beta(α, α), and the last once more.

    Half of the distribution suffices, for it is symmetric. There the density s^(α-1) (1-s)^(α-1)
    may be infinite at 0; with s = v^(1/α) it becomes (1 - v^(1/α))^(α-1) / α in v, which is smooth.
    """
    s = np.linspace(0, 0.5, 1 << 14)
    v = s**alpha
    density = (1 - s) ** (alpha - 1)
    mass = np.concatenate([[0], np.cumsum(np.diff(v) * (density[1:] + density[:-1]) / 2)])
    half = np.interp(np.linspace(0, 1, QUANTILES // 2 + 1), mass / mass[-1], v) ** (1 / alpha)
    return np.concatenate([half, 1 - half[-2::-1], [1.0]])
