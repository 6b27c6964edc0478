"""Metrics that are a mean over samples: kinds of accuracy, kinds of error."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, nan, sqrt
from typing import Any

from autograd import Tensor, functions, maximum
from autograd.errors import DomainError

from ..losses.distances import normalized
from ..losses.loss import named
from .base import Metric, classes, columns, total

__all__ = [
    "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "CosineSimilarity", "Custom",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "Perplexity",
    "RootMeanSquaredError", "SparseCategoricalAccuracy", "TopKAccuracy",
]  # fmt: skip


class Mean(Metric):
    """The mean of one number per sample. A subclass writes `scores`."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.name
        self.reset()

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The numbers to average, one per sample or per element."""
        raise NotImplementedError

    def reset(self) -> None:
        self.sum, self.count = 0.0, 0

    def update(self, prediction: Tensor, target: Tensor) -> None:
        scores = self.scores(prediction, target)
        self.sum += total(scores)
        self.count += scores.size

    def result(self) -> float:
        return self.sum / self.count if self.count else nan


class BinaryAccuracy(Mean):
    """The fraction of elements on the right side of the threshold. Targets are 0 or 1."""

    name = "binary_accuracy"

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        self.threshold = threshold
        super().__init__(name)

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target = columns(prediction, target, self.name)
        return (prediction > self.threshold) == (target > 0.5)


class CategoricalAccuracy(Mean):
    """The fraction of samples whose highest score is that of their class.

    Scores are `(N, C)`; targets are labels `(N,)`, `(N, 1)` or one-hot `(N, C)`.
    """

    name = "categorical_accuracy"

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        scores, labels = classes(prediction, target, self.name, self.ignore_index)
        return scores.argmax(axis=-1) == labels


class SparseCategoricalAccuracy(CategoricalAccuracy):
    """`CategoricalAccuracy` under the name that Keras has for it with integer labels."""

    name = "sparse_categorical_accuracy"


class Accuracy(Mean):
    """Binary or categorical accuracy, by the predictions' shape.

    One score per sample, `(N,)` or `(N, 1)`, is compared with `threshold`; of several, `(N, C)`,
    the highest is the prediction.
    """

    name = "accuracy"

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        self.binary = BinaryAccuracy("accuracy", threshold)
        self.categorical = CategoricalAccuracy("accuracy")
        super().__init__(name)

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.categorical.ignore_index = self.ignore_index
        one = prediction.ndim == 1 or prediction.shape[-1] == 1
        return (self.binary if one else self.categorical).scores(prediction, target)


class TopKAccuracy(Mean):
    """The fraction of samples whose class is among the k highest scores.

    A class that ties with the k-th score counts as being among them.
    """

    def __init__(self, k: int = 5, name: str | None = None) -> None:
        self.k = k
        super().__init__(name or f"top_{k}_accuracy")

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        scores, labels = classes(prediction, target, self.name, self.ignore_index)
        if not 0 < self.k < scores.shape[-1]:
            raise DomainError(
                f"{self.name}: k = {self.k} of {scores.shape[-1]} classes; expected "
                f"1 <= k <= {scores.shape[-1] - 1}, for with all of them every answer is right"
            )
        own = functions.gather(scores, 1, labels.reshape(-1, 1))
        return (scores > own).sum(axis=-1) < self.k


class MeanAbsoluteError(Mean):
    """The mean of |prediction - target|."""

    name = "mae"

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target = columns(prediction, target, self.name)
        return (prediction - target).abs()


class MeanSquaredError(Mean):
    """The mean of (prediction - target)²."""

    name = "mse"

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target = columns(prediction, target, self.name)
        error = prediction - target
        return error * error


class RootMeanSquaredError(MeanSquaredError):
    """The root of the mean of (prediction - target)², over all samples."""

    name = "rmse"

    def result(self) -> float:
        return sqrt(super().result())


class MeanAbsolutePercentageError(Mean):
    """The mean of 100 |prediction - target| / |target|."""

    name = "mape"

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target = columns(prediction, target, self.name)
        target = target.astype(prediction.dtype)
        return 100 * (prediction - target).abs() / maximum(target.abs(), 1e-7)


class CosineSimilarity(Mean):
    """The mean cosine of the angle between prediction and target, over the last axis."""

    name = "cosine_similarity"

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        prediction, target = columns(prediction, target, self.name)
        return (normalized(prediction) * normalized(target.astype(prediction.dtype))).sum(axis=-1)


class Perplexity(Mean):
    """exp of the mean -log p of the right class: of how many equal ones it is as unsure.

    Predictions are probabilities `(…, C)`, or with `from_logits` what a softmax makes them of;
    targets are labels or one-hot.
    """

    name = "perplexity"

    def __init__(
        self,
        name: str | None = None,
        from_logits: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        self.from_logits, self.ignore_index = from_logits, ignore_index
        super().__init__(name)

    def scores(self, prediction: Tensor, target: Tensor) -> Tensor:
        scores, labels = classes(prediction, target, self.name, self.ignore_index)
        log_p = scores.log_softmax() if self.from_logits else scores.clip(low=1e-7).log()
        return -functions.gather(log_p, 1, labels.reshape(-1, 1))

    def result(self) -> float:
        mean = super().result()
        return exp(mean) if mean < 700 else inf if mean == mean else nan


class Custom(Mean):
    """The mean of what a function of (prediction, target) returns.

    It returns one number per sample, or one number that is taken for the mean of the batch.
    Parameters called `y_true` and `y_pred` are given by these names, and shapes that differ in a
    last axis of 1 are made the same, as for a loss.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.by_name = named(function)
        super().__init__(getattr(function, "__name__", type(function).__name__))

    def update(self, prediction: Tensor, target: Tensor) -> None:
        shape, given = prediction.shape, target.shape
        if shape == (*given, 1) or given == (*shape, 1):
            target = target.reshape(shape)
        if self.by_name:
            scores = self.function(y_true=target, y_pred=prediction)
        else:
            scores = self.function(prediction, target)
        if isinstance(scores, Tensor) and scores.size == len(target):
            self.sum += total(scores.reshape(-1))
        else:
            self.sum += float(scores) * len(target)
        self.count += len(target)
