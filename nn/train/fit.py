"""`compile`, `fit`, `evaluate`, `predict`: training a model without writing the loop.

Every `Module` has these methods.  What they do is the loop that one would write by hand,

    for batch in data.batches(batch_size, data.shuffled()):
        loss = loss_function(model(batch.x), batch.y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

with the data checked first, losses and metrics added up, and each mistake named where it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from time import perf_counter
from typing import TYPE_CHECKING, Any

from autograd import Tensor, functions, no_grad
from autograd.errors import GraphError, ShapeError

from ..data.arrays import Data, Place, check_present, incoming, load, split, weights
from ..mode import training
from . import flow, loop
from .callbacks import Callbacks
from .history import History
from .loop import Compiled
from .progress import Progress, progress

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Fit"]


class Fit:
    """The training methods of a `Module`."""

    stop_training = False
    """Set by a callback: `fit` ends after the epoch under way."""

    _compiled: Compiled | None = None

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        metrics: Any = (),
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        """Choose how to train.

        `optimizer` is a name ("adam", "sgd", …) or an `nn.optim.Optimizer`; `loss` a name
        ("mse", "binary_crossentropy", …), an `nn.losses` object or a function of (prediction,
        target); `metrics` a list of names, `nn.metrics` objects or such functions.  `clip_norm`
        limits the norm of all gradients together, `clip_value` each of their elements.
        """
        if loss is None:
            raise ValueError(
                'compile: loss is missing. Yes or no: "binary_crossentropy"; one of several '
                'classes: "sparse_categorical_crossentropy"; a number: "mse".'
            )
        options = {"clip_norm": clip_norm, "clip_value": clip_value}
        self._compiled = Compiled(optimizer, loss, metrics, options)

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given or made; its `lr` can be set."""
        return _compiled(self, "optimizer").optimizer  # type: ignore[arg-type]

    def fit(
        self: Module,
        x: Any,
        y: Any,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        callbacks: Any = (),
        verbose: Any = "auto",
        initial_epoch: int = 0,
    ) -> History:
        """Train on samples x `(N, ...)` with targets y, and tell how it went.

        x and y are NumPy arrays, nested lists or Tensors, and batches are of 32 samples where
        nothing else is said.  Held out for validation are `validation_data`, (x, y) or
        (x, y, sample_weight), or the last `validation_split` of the samples.  `class_weight` maps
        a class to how much its samples count.  Raises ShapeError, DTypeError or DomainError for
        data that cannot be learned from, and DomainError as soon as the loss is not finite.
        """
        compiled = _compiled(self, "fit")
        epochs, batch_size = _count("epochs", epochs), _batch(batch_size)
        if not 0 <= initial_epoch < epochs:
            raise ValueError(
                f"fit: initial_epoch={initial_epoch} is outside [0, {epochs}), the epochs"
            )
        place = _place(self)
        data = _load(self, place, x, y, sample_weight)
        held_out: Data | None = None
        if validation_data is not None:
            held_out = _held_out(self, place, validation_data)
        elif validation_split:
            data, held_out = split(data, validation_split)
        if class_weight:  # they shape what is learned; what is held out is told as it is
            data = weights(data, class_weight, place)
            check_present(data, class_weight)
        told = Callbacks(callbacks, self)
        compiled.prepare(self, data, held_out)
        history = History()
        self.stop_training = False
        shown = progress(verbose, "epoch", epochs, len(data))
        compiled.loss.checked, before = True, compiled.loss.checked
        try:
            told("on_train_begin", {})
            logs: dict[str, float] = {}
            for epoch in range(initial_epoch, epochs):
                told("on_epoch_begin", epoch, {})
                shown.begin(epoch)
                order = data.shuffled() if shuffle else None
                logs = loop.epoch(
                    self, compiled, data.batches(batch_size, order), epoch, told, shown
                )
                if held_out is not None:
                    found = loop.evaluate(self, compiled, held_out, batch_size)
                    logs |= {f"val_{key}": value for key, value in found.items()}
                history.append(epoch, logs)
                shown.end(logs)
                told("on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
            history.flow = flow.measure(self, compiled, next(data.batches(flow.SAMPLES, order)))
            shown.say(str(history.flow))
            told("on_train_end", logs)
        finally:
            compiled.loss.checked = before
            shown.close()
        return history

    def evaluate(
        self: Module,
        x: Any,
        y: Any,
        *,
        batch_size: int | None = None,
        sample_weight: Any = None,
        return_dict: bool = False,
        verbose: Any = 0,
    ) -> Any:
        """The loss on these samples, or [loss, metric, …], or a dict of them by name."""
        compiled = _compiled(self, "evaluate")
        data = _load(self, _place(self), x, y, sample_weight)
        batch_size = _batch(batch_size)
        shown = progress(verbose, "", 1, len(data))
        try:
            shown.begin(0)
            logs = loop.evaluate(self, compiled, data, batch_size, shown)
            shown.end(logs)
        finally:
            shown.close()
        return _told(logs, return_dict)

    def predict(self: Module, x: Any, *, batch_size: int | None = None, verbose: Any = 0) -> Any:
        """The model's outputs for these samples, as one NumPy array."""
        x, batch_size = incoming(x, "x", _place(self)), _batch(batch_size)
        _check_samples(self, x, "x")
        shown = progress(verbose, "", 1, len(x))
        outputs = []
        try:
            shown.begin(0)
            with no_grad(), training(False):
                for start in range(0, len(x), batch_size):
                    outputs.append(self(Tensor.of(x.raw[start : start + batch_size])))
                    if perf_counter() >= shown.due:
                        shown.draw(start, {})
                whole = outputs[0] if len(outputs) == 1 else functions.concatenate(outputs)
            shown.over()
            shown.end({})
        finally:
            shown.close()
        return whole.numpy().copy()

    def train_on_batch(
        self: Module,
        x: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch: its loss, or [loss, metric, …], before the step."""
        compiled = _compiled(self, "train_on_batch")
        place = _place(self)
        data = _load(self, place, x, y, sample_weight)
        if class_weight:
            data = weights(data, class_weight, place)
        compiled.prepare(self, data)
        return _told(
            loop.epoch(self, compiled, [data], 0, Callbacks((), self), Progress("", 1, len(data))),
            return_dict,
        )

    def predict_on_batch(self: Module, x: Any) -> Any:
        """The model's outputs for one batch, as a NumPy array."""
        return self.predict(x, batch_size=len(x))


# --- reading arguments --------------------------------------------------------------------


def _compiled(model: Module, method: str) -> Compiled:
    if model._compiled is None:
        raise GraphError(
            f'{method}: compile the model first, model.compile(optimizer="adam", loss="mse")'
        )
    return model._compiled


def _place(model: Module) -> Place:
    return Place.of([] if model.unbuilt() else model.parameters())


def _load(model: Module, place: Place, x: Any, y: Any, weight: Any, name: str = "") -> Data:
    data = load(x, y, weight, place, (f"{name}x", f"{name}y"))
    _check_samples(model, data.x, f"{name}x")
    return data


def _check_samples(model: Module, x: Tensor, name: str) -> None:
    """Raise ShapeError where x is one sample without the batch axis, or bare numbers."""
    shape = model.input_shape
    if not shape or not (x.shape == shape or x.ndim == 1):
        return
    told = f"{name} has shape {x.shape}: expected samples, (N, {', '.join(map(str, shape))})"
    if shape == (1,):
        raise ShapeError(f"{told}. Numbers become samples by x.reshape(-1, 1)")
    if x.shape == shape:
        raise ShapeError(f"{told}. One sample becomes a batch of one by x[None]")
    raise ShapeError(told)


def _held_out(model: Module, place: Place, given: Any) -> Data:
    if isinstance(given, Data):
        return given
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation_data: expected (x, y) or (x, y, sample_weight)")
    x, y, *weight = given
    return _load(model, place, x, y, weight[0] if weight else None, "validation ")


def _count(name: str, n: Any) -> int:
    """A whole number from 1 on."""
    try:
        count = index(n)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"{name}={n!r}: expected a whole number from 1 on")
    return count


def _batch(size: int | None) -> int:
    return 32 if size is None else _count("batch_size", size)


def _told(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    return list(logs.values()) if len(logs) > 1 else logs["loss"]
