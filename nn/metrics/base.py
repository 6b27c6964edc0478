"""What a metric is, and how predictions and targets are brought to one shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from autograd import Tensor, no_grad
from autograd.errors import DomainError, ShapeError

__all__ = ["Metric", "classes", "columns", "total"]


class Metric(ABC):
    """Something to report about predictions. A subclass writes `reset`, `update` and `result`."""

    name: str = "metric"
    live: ClassVar[bool] = True
    """Whether `result` is cheap enough to be shown while an epoch runs."""
    ignore_index: int | None = None
    """Labels of this number, such as the padding of sequences, do not count; None for none."""

    @abstractmethod
    def reset(self) -> None:
        """Forget all samples."""

    @abstractmethod
    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Take in a batch."""

    @abstractmethod
    def result(self) -> float:
        """The value over all samples since `reset`; NaN where it is not defined."""

    def __call__(self, prediction: Any, target: Any) -> float:
        """The value over these samples alone."""
        self.reset()
        with no_grad():
            self.update(*[x if isinstance(x, Tensor) else Tensor(x) for x in (prediction, target)])
        return self.result()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


def columns(prediction: Tensor, target: Tensor, who: str) -> tuple[Tensor, Tensor]:
    """Both as (N, C), C = 1 for one number per sample; other differences are a `ShapeError`."""
    shapes = [(*x.shape, 1) if x.ndim == 1 else x.shape for x in (prediction, target)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"{who}: predictions {prediction.shape} and targets {target.shape} differ in shape; "
            "expected the same, or (N, 1) with (N,)"
        )
    return prediction.reshape(shapes[0]), target.reshape(shapes[1])


def classes(
    prediction: Tensor, target: Tensor, who: str, ignore: int | None = None
) -> tuple[Tensor, Tensor]:
    """Scores (N, C) and integer labels (N,), of integer or one-hot targets, all axes before as one.

    Samples whose label is `ignore` are left out.
    """
    if prediction.ndim < 2 or prediction.shape[-1] < 2:
        raise ShapeError(f"{who}: expected scores (N, C), C >= 2 classes, got {prediction.shape}")
    count = prediction.shape[-1]
    if target.shape == prediction.shape:
        return prediction.reshape(-1, count), target.argmax(axis=-1).reshape(-1)
    if target.shape not in (prediction.shape[:-1], (*prediction.shape[:-1], 1)):
        raise ShapeError(
            f"{who}: targets {target.shape} do not fit scores {prediction.shape}; expected labels "
            f"{prediction.shape[:-1]} or one-hot {prediction.shape}"
        )
    prediction, target = prediction.reshape(-1, count), target.reshape(-1)
    if ignore is not None:
        kept = target != ignore
        prediction, target = prediction[kept], target[kept]
    if not target.size:
        return prediction, target.astype("int64")
    low, high = target.min().item(), target.max().item()
    if low < 0 or high >= count:
        wrong = low if low < 0 else high
        raise DomainError(
            f"{who}: label {wrong} is outside [0, {count}), the {count} classes. If it marks what "
            f"is not to count: metric.ignore_index = {wrong}; a metric asked for by name takes "
            "that of the loss."
        )
    return prediction, target.astype("int64")


def total(x: Tensor, axis: int | None = None) -> Any:
    """The sum as Python floats, formed in float64 so that millions of samples add up exactly."""
    return x.astype("float64").sum(axis=axis).tolist()
