"""The loop over the batches: `fit` without its reading of arguments."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from time import perf_counter
from typing import TYPE_CHECKING

from ..data.arrays import Data, quiet
from ..mode import training
from .compiled import Compiled
from .finite import examine, not_finite
from .progress import Progress
from .tally import Tally

if TYPE_CHECKING:
    from ..module import Module
    from .run import Run

__all__ = ["epoch", "evaluate"]


def epoch(run: Run) -> dict[str, float]:
    """The batches of an epoch that are still to come, learning from each."""
    model, compiled, tally, told, shown = run.model, run.compiled, run.tally, run.told, run.shown
    optimizer, measure, scale = compiled.optimizer, compiled.measure, compiled.scale
    begins, ends = told.on["on_train_batch_begin"], told.on["on_train_batch_end"]
    backs = told.on["after_backward"]
    steps = compiled.steps if compiled.steps is not None and not backs else None
    observer = optimizer.observer
    saves = run.checkpoint is not None and run.checkpoint.within_epochs
    compiled.look_at(model)
    optimizer.zero_grad()  # one that an interrupted step, or a backward by hand, left behind
    with training(True), quiet():
        for batch in run.source.batches(run.batch):
            if begins:
                told("on_train_batch_begin", run.batch, {})
            size = len(batch)
            if run.debug:
                examine(run, batch)
            seen = (
                observer is not None
                and optimizer.steps >= observer.next
                and observer.due(optimizer)
            )
            made = steps.train(batch) if steps is not None else None
            if made is not None:
                prediction, loss = made
                tally.add(loss, size, prediction, batch.y)
            else:
                prediction, loss = measure(model, batch)
                tally.add(loss, size, prediction, batch.y)
                if tally.bad is not None:
                    raise not_finite(model, loss, run.epoch, tally.bad, batch)
                if not compiled.checked:
                    compiled.find_strays(model, loss)
                (loss if scale is None else scale(loss)).backward()
                if not compiled.checked:
                    compiled.check(model)
                if backs:
                    told("after_backward", run.batch, batch)
                if scale is None:
                    optimizer.step()
                else:
                    scale.step(optimizer)
            if compiled.missed:
                compiled.tell_missed(model, batch)
            run.batch += 1
            run.seen += size
            if ends:
                told("on_train_batch_end", run.batch - 1, tally.logs())
            if seen:
                observer.see(run, loss, batch)
            if made is None:
                optimizer.zero_grad()
            if perf_counter() >= shown.due:
                shown.draw(run.seen, run.batch, tally.logs(final=False))
            if saves:
                run.save_if_due()
    shown.over(run.seen)
    logs = tally.logs()
    if tally.bad is not None:
        raise not_finite(model, None, run.epoch, tally.bad)
    return logs


def evaluate(
    model: Module, compiled: Compiled, batches: Iterable[Data], shown: Progress | None = None
) -> dict[str, float]:
    """Loss and metrics over the data, learning nothing; an epoch under way keeps its own sums."""
    tally = Tally([copy(metric) for metric in compiled.metrics])
    seen = 0
    compiled.look_at(model)
    # Recorded, as in training: a cross-entropy then sees the logits behind a sigmoid or softmax,
    # and its numbers are those of training.  From probabilities alone they end at -log 1e-7 = 16.
    with training(False), quiet():
        for step, batch in enumerate(batches):
            made = compiled.steps.measure(batch) if compiled.steps is not None else None
            prediction, loss = made or compiled.measure(model, batch)
            tally.add(loss.detach(), len(batch), prediction, batch.y)
            seen += len(batch)
            if shown and perf_counter() >= shown.due:
                shown.draw(seen, step + 1, tally.logs(final=False))
    if shown:
        shown.over(seen)
    return tally.logs()
