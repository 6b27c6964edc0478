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

import warnings
from collections.abc import Iterable, Mapping
from operator import index
from time import perf_counter
from typing import TYPE_CHECKING, Any

from autograd import Tensor, functions, no_grad
from autograd.errors import DomainError, GraphError

from . import flow, losses, metrics, optim
from .callbacks import Callbacks
from .data import Data, Place, incoming, is_on_host, load, split, weights
from .history import History
from .mode import training
from .progress import Progress, progress
from .tally import Tally

if TYPE_CHECKING:
    from .module import Module

__all__ = ["Fit"]


class Compiled:
    """What `compile` was given."""

    def __init__(self, optimizer: Any, loss: Any, chosen: Any, options: dict[str, Any]) -> None:
        self.loss = losses.get(loss)
        logits = bool(getattr(self.loss, "from_logits", False))
        chosen = [chosen] if isinstance(chosen, str) or callable(chosen) else list(chosen)
        self.metrics = [metrics.get(metric, logits) for metric in chosen]
        names = ["loss", *(metric.name for metric in self.metrics)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"compile: {', '.join(twice)} would be told twice; give it another name")
        options = {key: value for key, value in options.items() if value is not None}
        if options and isinstance(optimizer, optim.Optimizer):
            raise ValueError(
                f"compile: give {', '.join(options)} to the optimizer itself, "
                f"{type(optimizer).__name__}({', '.join(f'{k}={v}' for k, v in options.items())})"
            )
        self.optimizer = optim.get(optimizer, **options)
        self.checked = False

    def prepare(self, model: Module, data: Data, *others: Data | None) -> None:
        """Look at one sample with the model, so that what cannot work fails before it begins.

        Layers that wait for their first input make their weights, the optimizer is bound to the
        parameters, and all labels are checked at once, not again in each batch.
        """
        sample = data.part(0, 1)
        with no_grad(), training(False):
            prediction = model(sample.x)
            self.measure(prediction, sample)
            for given in (data, *others):
                if given is not None and not self.loss.checked:
                    self.loss.check(prediction, given.y)
        optim.get(self.optimizer, model.parameters())

    def check(self, model: Module) -> None:
        """After the first backward pass: name the parameters that the loss does not reach."""
        self.checked = True
        missed = [
            name for name, p in model.named_parameters() if p.requires_grad and p.grad is None
        ]
        if missed:
            warnings.warn(
                f"the loss does not reach {', '.join(missed)}, which will not be trained. Is it "
                "used in __call__, or cut off by detach(), no_grad() or numpy()? If it is meant, "
                "freeze() it.",
                stacklevel=4,
            )

    def measure(self, prediction: Tensor, batch: Data) -> Tensor:
        """The loss of a batch: one number."""
        if batch.weight is None:
            return self.loss(prediction, batch.y)
        return self.loss(prediction, batch.y, batch.weight)


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
        epochs: int = 1,
        batch_size: int = 32,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        callbacks: Iterable[Any] = (),
        verbose: Any = "auto",
        initial_epoch: int = 0,
    ) -> History:
        """Train on samples x `(N, ...)` with targets y, and tell how it went.

        x and y are NumPy arrays, nested lists or Tensors.  Held out for validation are
        `validation_data`, (x, y) or (x, y, sample_weight), or the last `validation_split` of the
        samples.  `class_weight` maps a class to how much its samples count.  Raises ShapeError,
        DTypeError or DomainError for data that cannot be learned from, and DomainError as soon as
        the loss is not finite.
        """
        compiled = _compiled(self, "fit")
        epochs, batch_size = _count("epochs", epochs), _count("batch_size", batch_size)
        if not 0 <= initial_epoch < epochs:
            raise ValueError(f"fit: initial_epoch={initial_epoch} is outside [0, {epochs}), the epochs")
        place = Place.of(_built_parameters(self))
        data = load(x, y, sample_weight, place)
        if class_weight:
            data = weights(data, class_weight, place)
        held_out: Data | None = None
        if validation_data is not None:
            held_out = _held_out(validation_data, place)
        elif validation_split:
            data, held_out = split(data, validation_split)
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
                logs = _epoch(self, compiled, data.batches(batch_size, order), epoch, told, shown)
                if held_out is not None:
                    found = _evaluate(self, compiled, held_out, batch_size)
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
        batch_size: int = 32,
        sample_weight: Any = None,
        return_dict: bool = False,
        verbose: Any = 0,
    ) -> Any:
        """The loss on these samples, or [loss, metric, …], or a dict of them by name."""
        compiled = _compiled(self, "evaluate")
        data = load(x, y, sample_weight, Place.of(_built_parameters(self)))
        shown = progress(verbose, "", 1, len(data))
        try:
            shown.begin(0)
            logs = _evaluate(self, compiled, data, _count("batch_size", batch_size), shown)
            shown.end(logs)
        finally:
            shown.close()
        return _told(logs, return_dict)

    def predict(self: Module, x: Any, batch_size: int = 32, verbose: Any = 0) -> Any:
        """The model's outputs for these samples, as one NumPy array."""
        x = incoming(x, "x", Place.of(_built_parameters(self)))
        batch_size = _count("batch_size", batch_size)
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
            shown.end({})
        finally:
            shown.close()
        return whole.numpy().copy()

    def train_on_batch(
        self: Module,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch: its loss, or [loss, metric, …], before the step."""
        compiled = _compiled(self, "train_on_batch")
        place = Place.of(_built_parameters(self))
        data = load(x, y, sample_weight, place)
        if class_weight:
            data = weights(data, class_weight, place)
        compiled.prepare(self, data)
        return _told(
            _epoch(self, compiled, [data], 0, Callbacks((), self), Progress("", 1, len(data))),
            return_dict,
        )

    def predict_on_batch(self: Module, x: Any) -> Any:
        """The model's outputs for one batch, as a NumPy array."""
        return self.predict(x, batch_size=len(x))


# --- the loop -----------------------------------------------------------------------------


def _epoch(
    model: Module,
    compiled: Compiled,
    batches: Iterable[Data],
    epoch: int,
    told: Callbacks,
    shown: Progress,
) -> dict[str, float]:
    """One pass over the batches, learning from each."""
    optimizer, measure = compiled.optimizer, compiled.measure
    begins, ends = told.on["on_train_batch_begin"], told.on["on_train_batch_end"]
    tally: Tally | None = None
    done = 0
    with training(True):
        for number, batch in enumerate(batches):
            if begins:
                told("on_train_batch_begin", number, {})
            prediction = model(batch.x)
            loss = measure(prediction, batch)
            if tally is None:
                tally = Tally(compiled.metrics, is_on_host(loss))
            tally.add(loss, len(batch), prediction, batch.y)
            if tally.bad is not None:
                raise DomainError(flow.not_finite(model, loss, epoch, tally.bad))
            loss.backward()
            if not compiled.checked:
                compiled.check(model)
            optimizer.step()
            optimizer.zero_grad()
            done += len(batch)
            if ends:
                told("on_train_batch_end", number, tally.logs())
            if perf_counter() >= shown.due:
                shown.draw(done, tally.logs(final=False))
    assert tally is not None  # `load` lets no empty data pass
    logs = tally.logs()
    if tally.bad is not None:
        raise DomainError(flow.not_finite(model, None, epoch, tally.bad))
    return logs


def _evaluate(
    model: Module, compiled: Compiled, data: Data, batch_size: int, shown: Progress | None = None
) -> dict[str, float]:
    """Loss and metrics over the data, learning nothing."""
    tally: Tally | None = None
    done = 0
    with no_grad(), training(False):
        for batch in data.batches(batch_size):
            prediction = model(batch.x)
            loss = compiled.measure(prediction, batch)
            if tally is None:
                tally = Tally(compiled.metrics, is_on_host(loss))
            tally.add(loss, len(batch), prediction, batch.y)
            done += len(batch)
            if shown and perf_counter() >= shown.due:
                shown.draw(done, tally.logs(final=False))
    assert tally is not None
    return tally.logs()


# --- reading arguments --------------------------------------------------------------------


def _compiled(model: Module, method: str) -> Compiled:
    if model._compiled is None:
        raise GraphError(
            f'{method}: compile the model first, model.compile(optimizer="adam", loss="mse")'
        )
    return model._compiled


def _built_parameters(model: Module) -> list[Tensor]:
    return [] if model.unbuilt() else model.parameters()


def _held_out(given: Any, place: Place) -> Data:
    if isinstance(given, Data):
        return given
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation_data: expected (x, y) or (x, y, sample_weight)")
    x, y, *weight = given
    names = ("validation x", "validation y")
    return load(x, y, weight[0] if weight else None, place, names)


def _count(name: str, n: Any) -> int:
    """A whole number from 1 on."""
    try:
        count = index(n)
    except TypeError:
        count = 0
    if count < 1:
        raise ValueError(f"{name}={n!r}: expected a whole number from 1 on")
    return count


def _told(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    return list(logs.values()) if len(logs) > 1 else logs["loss"]
