"""The loop over the batches, and what it needs: `fit` without its reading of arguments."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from copy import copy
from time import perf_counter
from typing import TYPE_CHECKING, Any

from autograd import Tensor, no_grad
from autograd.errors import DomainError, GraphError
from autograd.node import history

from .. import losses, metrics, optim
from ..data.arrays import Data, is_on_host, quiet
from ..mode import training
from . import flow
from .callbacks import Callbacks
from .progress import Progress
from .tally import Tally

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Compiled", "epoch", "evaluate"]


class Compiled:
    """What `compile` was given."""

    def __init__(self, optimizer: Any, loss: Any, chosen: Any, options: dict[str, Any]) -> None:
        self.loss = losses.get(loss)
        logits = bool(getattr(self.loss, "from_logits", False))
        chosen = [chosen] if isinstance(chosen, str) or callable(chosen) else list(chosen or ())
        self.metrics = [metrics.get(metric, logits) for metric in chosen]
        names = ["loss", *(metric.name for metric in self.metrics)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(
                f"compile: {', '.join(twice)} would be told twice; give it another name"
            )
        options = {key: value for key, value in options.items() if value is not None}
        if options and isinstance(optimizer, optim.Optimizer):
            raise ValueError(
                f"compile: give {', '.join(options)} to the optimizer itself, "
                f"{type(optimizer).__name__}({', '.join(f'{k}={v}' for k, v in options.items())})"
            )
        self.optimizer = optim.get(optimizer, **options)
        self.checked = False

    def prepare(self, model: Module, data: Data, *others: Data | None) -> None:
        """Look at one sample of each with the model: what cannot work fails before it begins.

        Layers that wait for their first input make their weights, the optimizer is bound to the
        parameters, and all labels are checked at once, not again in each batch.
        """
        with no_grad(), training(False), quiet():
            for given in filter(None, (data, *others)):
                sample = given.part(0, 1)
                try:
                    prediction = model(sample.x)
                    self.measure(prediction, sample)
                    if not self.loss.checked:
                        self.loss.check(prediction, given.y)
                except Exception as error:
                    if given is not data:
                        error.add_note("  This is of the validation data; the others fit.")
                    raise
        optim.get(self.optimizer, model.parameters())
        if not model.trainable:
            raise GraphError("all parameters are frozen: model.unfreeze() lets them learn again")

    def find_strays(self, model: Module, loss: Tensor) -> None:
        """Before the first backward pass: name what wants a gradient and is not in the model."""
        own = set(map(id, model.parameters()))
        strays = [
            str(tuple(x.shape))
            for x in history(loss)
            if x.op is None and x.requires_grad and id(x) not in own
        ]
        if strays:
            warnings.warn(
                f"the loss depends on parameters of shape {', '.join(strays)} that are not found "
                f"in {type(model).__name__}, and will be neither trained nor saved. Keep them, or "
                "the module they belong to, as an attribute, or in a list, tuple or dict of one.",
                stacklevel=4,
            )

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


def epoch(
    model: Module,
    compiled: Compiled,
    batches: Iterable[Data],
    number: int,
    told: Callbacks,
    shown: Progress,
) -> dict[str, float]:
    """One pass over the batches, learning from each."""
    optimizer, measure = compiled.optimizer, compiled.measure
    begins, ends = told.on["on_train_batch_begin"], told.on["on_train_batch_end"]
    tally: Tally | None = None
    done = 0
    optimizer.zero_grad()  # one that an interrupted step, or a backward by hand, left behind
    with training(True), quiet():
        for i, batch in enumerate(batches):
            if begins:
                told("on_train_batch_begin", i, {})
            prediction = model(batch.x)
            loss = measure(prediction, batch)
            if tally is None:
                tally = Tally(compiled.metrics, is_on_host(loss))
            tally.add(loss, len(batch), prediction, batch.y)
            if tally.bad is not None:
                raise DomainError(flow.not_finite(model, loss, number, tally.bad))
            if not compiled.checked:
                compiled.find_strays(model, loss)
            loss.backward()
            if not compiled.checked:
                compiled.check(model)
            optimizer.step()
            optimizer.zero_grad()
            done += len(batch)
            if ends:
                told("on_train_batch_end", i, tally.logs())
            if perf_counter() >= shown.due:
                shown.draw(done, tally.logs(final=False))
    shown.over()
    assert tally is not None  # `load` lets no empty data pass
    logs = tally.logs()
    if tally.bad is not None:
        raise DomainError(flow.not_finite(model, None, number, tally.bad))
    return logs


def evaluate(
    model: Module, compiled: Compiled, data: Data, batch_size: int, shown: Progress | None = None
) -> dict[str, float]:
    """Loss and metrics over the data, learning nothing; an epoch under way keeps its own sums."""
    metrics = [copy(metric) for metric in compiled.metrics]
    tally: Tally | None = None
    done = 0
    # Recorded, as in training: a cross-entropy then sees the logits behind a sigmoid or softmax,
    # and its numbers are those of training.  From probabilities alone they end at -log 1e-7 = 16.
    with training(False), quiet():
        for batch in data.batches(batch_size):
            prediction = model(batch.x)
            loss = compiled.measure(prediction, batch).detach()
            if tally is None:
                tally = Tally(metrics, is_on_host(loss))
            tally.add(loss, len(batch), prediction, batch.y)
            done += len(batch)
            if shown and perf_counter() >= shown.due:
                shown.draw(done, tally.logs(final=False))
    if shown:
        shown.over()
    assert tally is not None
    return tally.logs()
