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
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from autograd import functions, no_grad

from ..data import Data
from ..data.arrays import arrived, check_present, split
from ..mode import training
from . import flow, loop
from .arguments import (
    batch_of,
    check_samples,
    checkpoint_of,
    count,
    gives_batches,
    held_out_of,
    known,
    lazily,
    loaded,
    place_of,
    source_of,
    stream_of,
)
from .callbacks import Callbacks
from .compiled import Compiled
from .flow import Flow
from .history import History
from .progress import Progress, progress
from .run import Run
from .source import Arrays, Source, Stream

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Fit"]


class Fit:
    """The training methods of a `Module`."""

    stop_training = False
    """Set by a callback: `fit` ends after the epoch under way."""

    _compiled: Compiled | None = None

    def compile(
        self: Module,
        optimizer: Any = "adam",
        loss: Any = None,
        metrics: Any = (),
        clip_norm: float | None = None,
        clip_value: float | None = None,
        accumulate: int | None = None,
        mixed_precision: str | None = None,
        jit: bool | str = "auto",
    ) -> None:
        """Choose how to train.

        `optimizer` is a name ("adam", "sgd", …) or an `nn.optim.Optimizer`; `loss` a name
        ("mse", "binary_crossentropy", …), an `nn.losses` object or a function of (prediction,
        target); `metrics` a list of names, `nn.metrics` objects or such functions.  `clip_norm`
        limits the norm of all gradients together, `clip_value` each of their elements.

        With `accumulate=n` a step is made after every n batches, by the mean of their gradients.
        `mixed_precision`, "float16" or "bfloat16", makes the weights of a model that is built
        this dtype; the optimizer adds up its steps in float32, and float16 gets a loss scale.

        `jit` compiles the steps to native code: True, False, or "auto", which does so for a
        training that would take more than about a third of a second.  What cannot be compiled runs
        operation by operation, and `fit` says why.
        """
        if jit not in (True, False, "auto"):
            raise ValueError(f'compile: jit={jit!r}; there is True, False and "auto"')
        if loss is None:
            raise ValueError(
                'compile: loss is missing. Yes or no: "binary_crossentropy"; one of several '
                'classes: "sparse_categorical_crossentropy"; a number: "mse".'
            )
        if mixed_precision not in (None, "float16", "bfloat16"):
            raise ValueError(
                f'compile: mixed_precision={mixed_precision!r}; there is "float16" and "bfloat16"'
            )
        options = {"clip_norm": clip_norm, "clip_value": clip_value, "accumulate": accumulate}
        made = Compiled(optimizer, loss, metrics, options, mixed_precision, jit)
        if mixed_precision is not None:
            self.parameters()  # says which layers have no weights yet
            self.astype(mixed_precision)
        self._compiled = made

    @property
    def optimizer(self) -> Any:
        """The optimizer that `compile` was given or made; its `lr` can be set."""
        return known(self, "optimizer").optimizer  # type: ignore[arg-type]

    def fit(
        self: Module,
        x: Any,
        y: Any = None,
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
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        checkpoint: Any = None,
        resume: bool = False,
        debug: bool = False,
        live: bool | str = False,
    ) -> History:
        """Train on samples x `(N, ...)` with targets y, and tell how it went.

        x and y are NumPy arrays, nested lists or Tensors, and batches are of 32 samples where
        nothing else is said.  Or x alone gives batches (x, y) or (x, y, sample_weight): a
        DataLoader, a generator, any iterable, of which `steps_per_epoch` make an epoch where it
        has no end.  Held out for validation are `validation_data`, (x, y), (x, y, sample_weight)
        or what gives batches, or the last `validation_split` of the samples.  `class_weight` maps
        a class to how much its samples count.

        With `checkpoint`, a folder or an `nn.Checkpoint`, all that the training needs to go on is
        written there after each epoch.  With `resume` as well, it goes on from what the folder
        holds, if anything, and ends with the same weights, to the bit, as if it had never stopped.

        With `debug` nothing is compiled, and each batch is searched before its step: the first
        operation that makes a NaN or an infinity, forward or backward, is a NotFiniteError that
        names it.  A batch takes about twice as long as any uncompiled one.
        With `live` a page on this machine shows the training as it goes, at a URL that is printed,
        or "open" in a browser at once; the history's `server` serves it until it is closed.

        Raises ShapeError, DTypeError or DomainError for data that cannot be learned from, and
        NotFiniteError, a DomainError, as soon as the loss is not finite.
        """
        compiled = known(self, "fit")
        epochs, place = count("epochs", epochs), place_of(self)
        if not 0 <= initial_epoch < epochs:
            raise ValueError(
                f"fit: initial_epoch={initial_epoch} is outside [0, {epochs}), the epochs"
            )
        weigh = None
        if class_weight:
            weigh = partial(compiled.weighed, class_weight=class_weight, place=place)
        saved, state = checkpoint_of(checkpoint, resume, place)
        source: Source
        held_out: Source | None = None
        if not validation_split:  # what is split has to be at hand
            x, y, sample_weight = lazily(x, y, sample_weight, batch_of(batch_size), shuffle)
        if gives_batches(x, y):
            for name, given in (
                ("sample_weight", sample_weight), ("validation_split", validation_split or None),
            ):  # fmt: skip
                if given is not None:
                    raise ValueError(f"fit: {name} is for arrays; x gives batches as they are")
            source = stream_of(place, x, epochs, steps_per_epoch, "steps_per_epoch", weigh)
        else:
            size = batch_of(batch_size)
            data = loaded(self, place, x, y, sample_weight)
            rest: Data | None = None
            if validation_data is None and validation_split:
                data, rest = split(data, validation_split)
                held_out = Arrays(rest, size)
            if class_weight:  # they shape what is learned; what is held out is told as it is
                data = compiled.weighed(data, class_weight, place)
                check_present(data, class_weight, compiled.loss.sparse)
            source = Arrays(data, size, shuffle, steps_per_epoch)
        if validation_data is not None:
            held_out = held_out_of(
                self, place, validation_data, batch_size, epochs, validation_steps
            )
        if state is None or isinstance(source, Arrays):
            compiled.prepare(
                self, source.first(), held_out.first() if held_out is not None else None
            )
        server = None
        if live:
            from ..watch.live import live as shown_live

            callbacks, server = shown_live(callbacks, live)
        told = Callbacks(callbacks, self)
        self.stop_training = False
        shown = progress(verbose, "epoch", epochs, source.samples, source.steps)
        run = Run(self, compiled, source, told, shown, held_out, saved, debug)
        run.epoch, run.history.server = initial_epoch, server
        # arrays were checked as a whole; what comes in batches is checked batch by batch
        given = [source, *([held_out] if held_out is not None else [])]
        whole = all(isinstance(one, Arrays) for one in given)
        steps = source.steps
        batches = None if steps is None else steps * epochs
        paths = compiled.steps_for(self, batches, batch_of(batch_size))
        paths.on = paths.on and not debug
        compiled.loss.checked, before = whole, compiled.loss.checked
        observer = compiled.optimizer.observer
        try:
            run.train(epochs, state)
        finally:
            compiled.loss.checked = before
            if compiled.optimizer.observer is not observer:  # it came with this training
                compiled.optimizer.observer.end()
                compiled.optimizer.observer = observer
            shown.close()
        return run.history

    def evaluate(
        self: Module,
        x: Any,
        y: Any = None,
        *,
        batch_size: int | None = None,
        sample_weight: Any = None,
        steps: int | None = None,
        return_dict: bool = False,
        verbose: Any = 0,
    ) -> Any:
        """The loss on these samples, or [loss, metric, …], or a dict of them by name.

        x may also give batches, as in `fit`, of which `steps` are taken.
        """
        compiled = known(self, "evaluate")
        source = source_of(self, x, y, batch_size, sample_weight, steps=steps)
        shown = progress(verbose, "", 1, source.samples, source.steps)
        try:
            shown.begin(0)
            compiled.build(self, source.first())
            compiled.steps_for(self, source.steps, batch_of(batch_size))
            logs = loop.evaluate(self, compiled, source.batches(0), shown)
            shown.end(logs)
        finally:
            shown.close()
        return _told(logs, return_dict)

    def gradient_flow(self: Module, x: Any, y: Any, *, sample_weight: Any = None) -> Flow:
        """How the gradients of this batch flow through the model, as `fit` tells it at its end.

            print(model.gradient_flow(X[:256], y[:256]))

        Nothing changes by it: not the weights, their gradients, nor running statistics.
        """
        compiled = known(self, "gradient_flow")
        data = loaded(self, place_of(self), x, y, sample_weight)
        compiled.prepare(self, data)
        return flow.measure(self, compiled, data)

    def _explored_(self: Module, x: Any, y: Any = None) -> Any:
        """What `explore(model, x, y)` shows: the loss, as in training; without y, the output."""
        if y is None:
            return self(x)
        compiled = known(self, "explore")
        data = loaded(self, place_of(self), x, y, None)
        compiled.prepare(self, data)
        with flow.traced(self, compiled, data) as loss:
            return loss

    def predict(
        self: Module,
        x: Any,
        *,
        batch_size: int | None = None,
        steps: int | None = None,
        verbose: Any = 0,
    ) -> Any:
        """The model's outputs for these samples, as one NumPy array.

        x may also give batches, of x or of (x, y), of which `steps` are taken.
        """
        place, size = place_of(self), batch_of(batch_size)
        x, _, _ = lazily(x, None, None, size)
        source: Source
        if gives_batches(x):
            source = Stream(x, place, steps, with_targets=False)
        else:
            data = Data(arrived(x, "x", place))
            check_samples(self, data.x, "x")
            source = Arrays(data, size)
        shown = progress(verbose, "", 1, source.samples, source.steps)
        outputs, seen = [], 0
        try:
            shown.begin(0)
            source.first()
            with no_grad(), training(False):
                for step, batch in enumerate(source.batches(0)):
                    outputs.append(self(batch.x))
                    seen += len(batch)
                    if perf_counter() >= shown.due:
                        shown.draw(seen, step + 1, {})
                whole = outputs[0] if len(outputs) == 1 else functions.concatenate(outputs)
            shown.over(seen)
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
        compiled = known(self, "train_on_batch")
        place = place_of(self)
        data = loaded(self, place, x, y, sample_weight)
        if class_weight:
            data = compiled.weighed(data, class_weight, place)
        compiled.prepare(self, data)
        compiled.steps_for(self, 1, len(data))
        source = Arrays(data, len(data))
        run = Run(self, compiled, source, Callbacks((), self), Progress("", 1, len(data)))
        return _told(loop.epoch(run), return_dict)

    def predict_on_batch(self: Module, x: Any) -> Any:
        """The model's outputs for one batch, as a NumPy array."""
        return self.predict(x, batch_size=len(x))


def _told(logs: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return logs
    return list(logs.values()) if len(logs) > 1 else logs["loss"]
