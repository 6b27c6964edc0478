"""Augmentation of sequences: measurements (N, T, F) and tokens (N, T)."""

from __future__ import annotations

from autograd import Tensor, arange, floor, random, where
from autograd.errors import DTypeError

from ...module import path_of
from .base import Augmentation, uniform

__all__ = ["Scaling", "TimeMask", "TokenDropout"]


class Scaling(Augmentation):
    """Each sequence, and each of its features, times a factor drawn from a normal distribution of
    mean 1 (Um et al. 2017, "Data augmentation of wearable sensor data")."""

    axes, ndim = "sequences (N, T, F)", (3,)

    def __init__(self, std: float = 0.1) -> None:
        self.std = std

    def change(self, x: Tensor) -> Tensor:
        n, _, features = x.shape
        return x * random.normal(
            (n, 1, features), 1.0, self.std, dtype=x.dtype, backend=x.backend
        )  # (N, 1, F)


class TimeMask(Augmentation):
    """`count` stretches of each sequence, of 0 to `length` steps, replaced by `fill`.

    Park et al., "SpecAugment", Interspeech 2019, section 2: the length t of a stretch is drawn
    from [0, length], and its begin from [0, T - t].
    """

    axes, ndim = "sequences (N, T, F)", (3,)

    def __init__(self, length: int, count: int = 1, fill: float = 0.0) -> None:
        self.length, self.count, self.fill = length, count, fill

    def change(self, x: Tensor) -> Tensor:
        n, steps, _ = x.shape
        longest = min(self.length, steps)
        time = arange(steps, dtype="float32", backend=x.backend)  # (T,)
        for _ in range(self.count):
            t = floor(uniform(x) * (longest + 1))  # (N,)
            begin = floor(uniform(x) * (steps + 1 - t)).reshape(n, 1)
            gone = (time >= begin) & (time < begin + t.reshape(n, 1))  # (N, T)
            x = where(gone.reshape(n, steps, 1), self.fill, x)
        return x


class TokenDropout(Augmentation):
    """Each token replaced by `token`, such as the one for unknown words, with probability `rate`.

    Bowman et al., "Generating sentences from a continuous space", 2016, section 3.1.
    """

    axes, ndim = "tokens (N, T)", (2,)

    def __init__(self, rate: float, token: int) -> None:
        if not 0 <= rate <= 1:
            raise ValueError(f"TokenDropout: rate={rate!r} is a probability, from 0 to 1")
        self.rate, self.token = rate, token

    def check(self, x: Tensor) -> None:
        if x.dtype.kind not in "iu":
            raise DTypeError(f"{path_of(self)}: expected tokens, integers (N, T), got {x.dtype}")

    def change(self, x: Tensor) -> Tensor:
        return where(uniform(x, shape=x.shape) < self.rate, self.token, x)
