"""What all losses share: reading the truth, checking it, reducing to one number."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, ClassVar

from autograd import Tensor, maximum, names, where
from autograd.errors import DomainError, ShapeError
from autograd.node import current, scope

__all__ = ["Custom", "Loss", "check_range", "only_within", "truth"]


class Loss:
    """What losses share: reading the truth, and reducing.  A subclass writes `elements`."""

    checked = False
    """Set this where all labels are known to be in range, and they are not looked at again."""

    sparse: ClassVar[bool] = False
    """Whether truth is classes by their number, one fewer axis than the prediction."""

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        """The loss of each element or sample, (N, …), for shapes that fit."""
        raise NotImplementedError(f"{type(self).__name__} has no `elements(y_pred, y_true)`")

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        """The truth as a tensor of the shape that this loss compares with the prediction."""
        return _same_shape(self, y_pred, truth(y_true, y_pred))

    def check(self, y_pred: Tensor, y_true: Tensor) -> None:
        """Raise DomainError for truth that cannot be; by default all is possible."""

    def losses(self, y_pred: Tensor, y_true: Any) -> Tensor:
        """The loss of each element or sample, (N, …), for whatever is given."""
        if y_pred.__class__ is not Tensor:
            y_pred = Tensor(y_pred)
        y_true = self.align(y_pred, y_true)
        if not y_pred.size:
            raise ShapeError(f"{self.name}: the batch is empty, {y_pred.shape}; it has no mean")
        if not self.checked:
            self.check(y_pred, y_true)
        return self.elements(y_pred, y_true)

    def per_sample(self, y_pred: Tensor, y_true: Any) -> Tensor:
        """The loss of each sample, (N,): the mean over what the sample has."""
        found, kept = self.losses(y_pred, y_true), self.kept(y_pred, y_true)
        if found.ndim == 1:
            return found
        found = found.reshape(found.shape[0], -1)
        if kept is None:
            return found.mean(axis=1)
        count = kept.reshape(found.shape).sum(axis=1)
        return found.sum(axis=1) / maximum(count, 1).astype(found.dtype)

    def kept(self, y_pred: Tensor, y_true: Any) -> Tensor | None:
        """Truth values (N, …): which elements count; None for all of them."""
        return None

    def __call__(self, y_pred: Tensor, y_true: Any, sample_weight: Any = None) -> Tensor:
        """The mean over the batch; with weights (N,), or (N, T) for sequences, Σ wᵢ lossᵢ / N.

        Dividing by N and not by Σ wᵢ keeps the gradient of a batch of light samples small.
        Weights that are truth values are a mask: the mean is over what is True.
        """
        if current().watcher is None:
            return self._mean(y_pred, y_true, sample_weight)
        with scope(self.name, None, names.calling()):
            return self._mean(y_pred, y_true, sample_weight)

    def _mean(self, y_pred: Tensor, y_true: Any, sample_weight: Any) -> Tensor:
        found, kept = self.losses(y_pred, y_true), self.kept(y_pred, y_true)
        if sample_weight is not None:
            weight = self._weights(found, sample_weight)
            if weight.dtype.kind != "b":
                found = found * weight
            else:
                kept = weight if kept is None else weight & kept
        if kept is None:
            return found.mean()
        if kept.shape != found.shape:
            kept = kept.broadcast_to(found.shape)
        # what does not count may be anything, even NaN
        return where(kept, found, 0.0).sum() / maximum(kept.sum(), 1).astype(found.dtype)

    def _weights(self, found: Tensor, given: Any) -> Tensor:
        """Weights as they are multiplied with the losses; ShapeError where they do not fit."""
        weight = truth(given, found)
        if not found.ndim:
            raise ShapeError(
                f"{self.name}: it gives one number for the whole batch, which sample or class "
                "weights cannot weigh. Let it return one per sample, (N,)."
            )
        if weight.shape != found.shape[: weight.ndim] or not weight.ndim:
            also = f", or {found.shape}" if found.ndim > 1 else ""
            raise ShapeError(
                f"{self.name}: sample_weight has shape {weight.shape}, but there are "
                f"{found.shape[0]} samples; it must be {found.shape[:1]}{also}"
            )
        return weight.reshape(*weight.shape, *(1,) * (found.ndim - weight.ndim))

    @property
    def name(self) -> str:
        """The class's name, for errors."""
        return type(self).__name__

    def __repr__(self) -> str:
        facts = ", ".join(f"{key}={value!r}" for key, value in vars(self).items())
        return f"{self.name}({facts})"


# --- reading what is given ---


def truth(data: Any, like: Tensor) -> Tensor:
    """Given data as a tensor; floats that are no tensor yet take the prediction's dtype."""
    if data.__class__ is Tensor:
        return data
    tensor = Tensor(data, backend=like.backend)
    return tensor.astype(like.dtype) if tensor.dtype.kind == "f" else tensor


def _same_shape(loss: Loss, y_pred: Tensor, y_true: Tensor) -> Tensor:
    shape, given = y_pred.shape, y_true.shape
    if given == shape:
        return y_true
    if len(shape) == 2 and shape[1] == 1 and given == shape[:1]:
        return y_true.reshape(shape)
    hint = ""
    if len(given) == 1 and len(shape) == 2 and given[0] == shape[0]:
        hint = f"\n  Labels of {shape[1]} classes need SparseCategoricalCrossentropy."
    elif shape == (*given, 1) or given == (*shape, 1):
        hint = "\n  Reshape one of them: y.reshape(-1, 1), or y.reshape(-1)."
    raise ShapeError(
        f"{loss.name}: prediction and truth differ in shape, and are not broadcast\n"
        f"  y_pred  {shape} {y_pred.dtype}\n"
        f"  y_true  {given} {y_true.dtype}{hint}"
    )


def only_within(x: Tensor, low: float, high: float) -> None:
    """Of a compiled call: where an element is outside [low, high], or NaN, it does not count, and
    the call as it stands, which comes next, tells what is wrong."""
    from autograd.jit import holds

    holds((x >= low) & (x <= high) if high < math.inf else x >= low)


def check_range(
    what: str, labels: Tensor, low: float, high: float, hint: str, name: str = "y_true"
) -> None:
    """Raise DomainError for the first label outside [low, high], or NaN, naming its place.

    Labels that were found within, and not assigned since, are not looked at again.
    """
    if current().watcher is not None:
        only_within(labels, low, high)
        return
    found = (labels.order, low, high)
    if labels.extra is not None and labels.extra.get("within") == found:
        return
    raw = labels.raw
    if raw.min().item() >= low and raw.max().item() <= high:
        labels.note("within", found)
        return
    for i, label in enumerate(labels.numpy().reshape(-1).tolist()):
        if not low <= label <= high:
            place: list[int] = []
            for size in reversed(labels.shape):
                i, at = divmod(i, size)
                place.insert(0, at)
            raise DomainError(
                f"{what}: {name}[{', '.join(map(str, place))}] is {label}, outside "
                f"[{low}, {high}]. {hint}"
            )


# --- a loss made of a function ---


def named(function: Callable[..., Any]) -> bool:
    """Whether its parameters are called `y_true` and `y_pred`, as in Keras."""
    try:
        return set(inspect.signature(function).parameters) >= {"y_true", "y_pred"}
    except ValueError:  # a built-in function that does not tell
        return False


class Custom(Loss):
    """A loss made of a function of prediction and truth, that gives (N, …) or one number.

    A function whose parameters are called `y_true` and `y_pred` is called with these names, in
    whatever order it has them, so that one written for Keras works.
    """

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function
        self.by_name = named(function)

    def align(self, y_pred: Tensor, y_true: Any) -> Tensor:
        """Truth (N,) for a prediction (N, 1) is (N, 1): the function would broadcast the two."""
        target = truth(y_true, y_pred)
        shape, given = y_pred.shape, target.shape
        if shape == (*given, 1) or given == (*shape, 1):
            return target.reshape(shape)
        return target

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if self.by_name:
            return self.function(y_true=y_true, y_pred=y_pred)
        return self.function(y_pred, y_true)

    def per_sample(self, y_pred: Tensor, y_true: Any) -> Tensor:
        found = self.losses(y_pred, y_true)
        if not found.ndim:
            raise ShapeError(
                f"{self.name}: it gives one number for the whole batch, which sample or class "
                "weights cannot weigh. Let it return one per sample, (N,)."
            )
        return found.reshape(found.shape[0], -1).mean(axis=1)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)
