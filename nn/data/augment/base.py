"""What all augmentations have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from autograd import Tensor, random
from autograd.dtypes import is_float
from autograd.errors import DTypeError, ShapeError

from ...module import Module, path_of
from ..loader import takes_targets

__all__ = ["Augment", "Augmentation"]


class Augmentation(Module):
    """A random change of a batch of samples, drawn anew for each sample, that keeps their meaning.

    It is a layer: it acts in training and lets everything pass otherwise.  Random numbers come
    from `autograd.random`, so that the same seed changes the same samples in the same way.
    """

    axes: ClassVar[str] = "(N, ...)"
    """What a batch looks like, for errors."""
    ndim: ClassVar[tuple[int, ...]] = ()
    """How many axes it may have; () for any number."""

    def __call__(self, x: Any) -> Any:
        return self.change(self.batch(x)) if self.training else x

    def change(self, x: Tensor) -> Tensor:
        """The batch, changed."""
        raise NotImplementedError(f"{type(self).__name__} needs a method change(x)")

    def batch(self, x: Any) -> Tensor:
        """The samples as a Tensor, if they are of a kind that can be changed."""
        x = x if isinstance(x, Tensor) else Tensor.of(x)
        if self.ndim and x.ndim not in self.ndim:
            hint = " Grey images (N, H, W) become (N, H, W, 1) by x[..., None]." * (
                x.ndim == 3 and 4 in self.ndim
            )
            raise ShapeError(f"{path_of(self)}: expected {self.axes}, got {x.shape}.{hint}")
        self.check(x)
        return x

    def check(self, x: Tensor) -> None:
        """Raise where elements cannot be changed: what is no float, unless a subclass differs."""
        if not is_float(x.dtype):
            raise DTypeError(
                f"{path_of(self)}: expected floats, got {x.dtype}. Bytes become floats from 0 to "
                "1 by x / 255: put a function first, Augment([lambda x: x / np.float32(255), …])"
            )


def uniform(x: Tensor, low: float = 0.0, high: float = 1.0, shape: Any = None) -> Tensor:
    """Numbers in [low, high), one per sample of x unless a shape is given, float32, beside x."""
    return random.uniform(shape or x.shape[0], low, high, backend=x.backend)


def per_sample(numbers: Tensor, x: Tensor) -> Tensor:
    """(N,) or (N, …) numbers in the shape and dtype in which they meet x, one per sample."""
    ones = (1,) * (x.ndim - numbers.ndim)
    return numbers.reshape(*numbers.shape, *ones).astype(x.dtype)


class Augment(Module):
    """Augmentations, and functions of a batch, one after the other.

        augment = Augment([RandomRotation(10), RandomTranslation(0.1, 0.1)])
        loader = DataLoader(x, y, transform=augment, prefetch=2)

    It is a `DataLoader`'s transform, or a layer of a model without `Mixup` and `CutMix`, which
    change the targets too.
    """

    def __init__(self, steps: Sequence[Callable[..., Any]], name: str | None = None) -> None:
        self.name = name
        self.steps = list(steps)
        for i, step in enumerate(self.steps):
            if isinstance(step, type) or not callable(step):
                raise TypeError(
                    f"Augment: step {i} is {step!r:.60}: expected an augmentation such as "
                    "RandomFlip(), or a function of x"
                )
        self.with_targets = [takes_targets(step) for step in self.steps]

    def __call__(self, x: Any, y: Any = None) -> Any:
        for step, with_targets in zip(self.steps, self.with_targets, strict=True):
            if with_targets and y is not None:
                x, y = step(x, y)
            else:
                x = step(x)
        return x if y is None else (x, y)

    def describe(self) -> str:
        return " → ".join(getattr(step, "__name__", type(step).__name__) for step in self.steps)
