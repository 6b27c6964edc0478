"""`Record`: what happens to weights and gradients while a model trains, every few steps.

    model.fit(x, y, epochs=20, callbacks=[nn.Record("run")])      # or, in a loop of one's own,
    with nn.record(model, optimizer, every=10) as run:
        ...

It looks on through two doors: the optimizer shows each step, with its gradients, and `backward` the
loss.  Nothing is patched and nothing changed: the training ends with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from json import dumps
from time import perf_counter
from typing import Any

from autograd.reverse import observing

from ..train.callbacks import Callback
from ..train.flow import traced
from .budget import Budget
from .frames import Look, Parameters, numbers_by_name
from .probe import FEW, SAMPLES, Probe
from .run import Run
from .store import FORMAT, VERSION, Folder, Memory, thinned

__all__ = ["Filter", "Record", "record"]

Filter = str | Iterable[str] | Callable[[str], bool] | None
"""Which parameters: names or patterns such as "encoder.*", or a function of the name."""


FIRST = 2e-3
"""Seconds per parameter that the first probe takes, about: it also describes the graph."""


class Record(Callback, Run):
    """Stores a frame every so many steps: a callback of `fit`, and a block around any other loop.

    A frame holds the loss, the learning rate, the norm of all gradients and whether it was clipped;
    and of each parameter the norms of weight and gradient, which share of the gradient is exactly
    0, and how large the step was that the optimizer really made, by the size of the weight.
    Histograms, and probes of the whole graph (see `probe`), come with as many frames as their
    time allows: see `budget`.

    Frames are kept in memory, or in a `folder`, in which they survive the process; a training that
    goes on (`fit(resume=True)`) goes on there.  `filter` chooses parameters.  There are at most
    `limit` frames: beyond, every second one is dropped, and from then on `every` is twice as large.
    """

    def __init__(
        self, folder: Any = None, every: int = 10, filter: Filter = None, limit: int = 2000
    ) -> None:
        for name, value, least in (("every", every, 1), ("limit", limit, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"Record: {name} must be a whole number from {least} on, not {value!r}"
                )
        super().__init__(Memory() if folder is None else Folder(folder))
        self.every, self.limit = every, limit
        self.filter, self.wanted = filter, _wanted(filter)
        self.optimizer: Any = None
        self.epoch: int | None = None

    # --- whose, and from when to when ---

    def begin(self, model: Any, optimizer: Any) -> None:
        """Look on from now.  Frames of the same training are kept, those of another forgotten."""
        if optimizer.observer not in (None, self):
            raise ValueError(
                f"{type(self).__name__}: this training is recorded already, by "
                f"{optimizer.observer!r}. Take one of the two."
            )
        self.model, self.optimizer = model, optimizer
        self.parameters: Parameters | None = None
        self.probe = Probe()
        self.look: Look | None = None
        """The step that is being recorded, from before it until its frame is written."""
        self.expected = self.retained = False
        self.loss: Any = None
        self.seen: Any = None
        """What `fit` was compiled with, and its last batch that was recorded."""
        self.logged: dict[str, Any] = {}
        frames = self._kept(optimizer.steps)
        self.count, self.last = len(frames), frames[-1]["step"] if frames else -1
        self.next = self.last + 1
        self.budget = Budget(frames[-1]["seconds"] if frames else 0.0)
        self.notes: list[str] = []
        self.started = datetime.now().astimezone().isoformat(timespec="seconds")
        if frames:
            told = self.store.header
            self.every = max(self.every, told["every"])
            self.started, self.notes = told["started"], list(told["notes"])
        optimizer.observer = self

    def _kept(self, step: int) -> list[dict[str, Any]]:
        """The frames before a step, of what the store holds; later ones are dropped."""
        if not self.store.changed:
            return []
        kept = [frame for frame in self.frames if frame["step"] < step]
        self._replace(kept)
        return kept

    def _replace(self, frames: list[dict[str, Any]]) -> None:
        self.store.replace([dumps(frame, separators=(",", ":")) for frame in frames])

    def _bound(self) -> Parameters:
        """The optimizer's parameters as they are now; the header lists them."""
        if self.parameters is None or not self.parameters.hold:
            names = {id(p): name for name, p in self.model.named_parameters()}
            self.parameters = Parameters(self.optimizer, names, self.wanted)
            if not self.parameters.shown:
                raise ValueError(
                    f"Record: filter={self.filter!r} fits no parameter; there are "
                    f"{', '.join(names.values()):.300}"
                )
            self._write_header()
        return self.parameters

    def _write_header(self, ended: bool = False) -> None:
        header: dict[str, Any] = {
            "format": FORMAT, "version": VERSION, "title": type(self.model).__name__,
            "every": self.every, "started": self.started,
            "parameters": self.parameters.shown if self.parameters is not None else [],
            "activations": self.probe.activations, "notes": self.notes,
        }  # fmt: skip
        if self.probe.trace:
            header["trace"] = self.probe.trace
        if ended:
            header["ended"] = True
        self.store.write_header(header)

    def note(self, text: str) -> None:
        """Say in the header what is missing, once."""
        if text not in self.notes:
            self.notes.append(text)
            self._write_header()

    def end(self) -> None:
        """Look on no longer."""
        if self.look is not None:
            self._finish()
        self.optimizer.observer = None
        if self.seen is not None and "probes" not in self.budget.last:
            told = self._probe_batch()  # a short training, too, shows its graph
            if told is not None:
                self.store.append(f'{{"step":{self.last},"probe":{told}}}')
        self.seen = None
        if self.parameters is not None:
            self._write_header(ended=True)
        self.store.close()
        self.parameters, self.loss = None, None

    # --- a loop of one's own ---

    def __enter__(self) -> Record:
        if self.optimizer is None:
            raise TypeError("Record: of which training? with nn.record(model, optimizer) as run:")
        self.begin(self.model, self.optimizer)
        self._token = observing.set(self._backward)
        return self

    def __exit__(self, *exception: object) -> None:
        observing.reset(self._token)
        self.end()

    def _backward(self, loss: Any) -> bool:
        """`backward` is called on a loss; whether its graph shall be retained, for a probe."""
        if not self._is_due(self.optimizer):
            return False
        self.loss = loss
        self.retained = not self.expected and self.budget.allows("probes", 0.0)
        return self.retained

    def log(self, **facts: Any) -> None:
        """Numbers to go with this step's frame, or the last one's, such as a loss held out."""
        told = {name: float(x.item() if hasattr(x, "item") else x) for name, x in facts.items()}
        if self.look is not None or self.last < 0:
            self.logged |= told
        else:
            self._amend(told)

    def _amend(self, logs: dict[str, float]) -> None:
        self.store.append(f'{{"step":{self.last},"logs":{numbers_by_name(logs)}}}')

    # --- `fit` ---

    def on_train_begin(self, logs: dict[str, float]) -> None:
        self.begin(self.model, self.model.optimizer)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float]) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        if self.last >= 0:
            self._amend(logs)

    def due(self, optimizer: Any) -> bool:
        """Whether the next step is recorded; `see` will be called after it."""
        self.expected = self._is_due(optimizer)
        return self.expected

    def see(self, run: Any, loss: Any, batch: Any) -> None:
        """A batch of `fit` is done, of which `due` has said that it is to be seen."""
        self.loss, self.expected = loss, False
        if self.look is not None:
            self.seen = run.compiled, batch
            if self.budget.allows("probes", FIRST * len(self._bound().places)):
                self.look.probe = self._probe_batch()
            self._finish()

    # --- what an optimizer shows ---

    def _is_due(self, optimizer: Any) -> bool:
        return optimizer.steps > self.last and optimizer.steps % self.every == 0

    def before(self, optimizer: Any, gradients: Any, loss: Any = None) -> None:
        """A step is about to be taken."""
        if self.look is not None:
            self._finish()  # a compiled step, of which nobody told the end
        if self._is_due(optimizer):
            parameters, begun = self._bound(), perf_counter()
            self.look = Look(parameters, gradients)
            self.loss = self.loss if loss is None else loss
            self.next = 0  # the next step ends this look, if nobody else does
            self.budget.spend("frames", perf_counter() - begun)
            if self.retained:
                self.retained = False
                self.look.probe = self._probe(self.loss)

    def after(self, optimizer: Any) -> None:
        """The step has been taken, operation by operation; in `fit`, more is to come."""
        if self.look is not None:
            self.look.fleeting = True
            if not self.expected:
                self._finish()

    def cancel(self) -> None:
        """A compiled step was not taken after all."""
        self.look = None

    def _probe_batch(self) -> str | None:
        """A probe of some samples of the last batch of `fit`."""
        compiled, batch = self.seen
        try:
            if not self.probe.keys:
                with traced(self.model, compiled, batch.part(0, FEW)) as loss:
                    self._describe(loss)
            begun = perf_counter()
            with traced(self.model, compiled, batch.part(0, SAMPLES)) as loss:
                told = self.probe.take(loss)
            self.budget.spend("probes", perf_counter() - begun)
        except Exception as error:
            return self._without_probes(error)
        return told

    def _probe(self, loss: Any) -> str | None:
        """What the graph behind the loss of a loop of one's own shows."""
        try:
            if not self.probe.keys:
                self._describe(loss)
            begun = perf_counter()
            told = self.probe.take(loss)
            self.budget.spend("probes", perf_counter() - begun)
        except Exception as error:
            return self._without_probes(error)
        return told

    def _describe(self, loss: Any) -> None:
        """Put the graph behind a loss into the header."""
        begun = perf_counter()
        self.probe.begin(loss)
        self._write_header()
        self.budget.spent["graph"] += perf_counter() - begun

    def _without_probes(self, error: Exception) -> None:
        """No reason to lose a training."""
        self.budget.last["probes"] = float("inf")
        why = str(error).partition("\n")[0]
        self.note(f"the graph could not be probed, {type(error).__name__}: {why}")

    def _finish(self) -> None:
        """Write the frame of the step that was taken."""
        look, self.look = self.look, None
        assert look is not None
        begun = perf_counter()
        loss = None if self.loss is None else _number(self.loss)
        self.store.append(look.frame(loss, self.epoch, self.budget, self.logged))
        self.last, self.count, self.logged, self.loss = look.step, self.count + 1, {}, None
        if self.count > self.limit:
            self._thin()
        self.next = look.step - look.step % self.every + self.every
        self.budget.spend("frames", perf_counter() - begun - look.extra)

    def _thin(self) -> None:
        """Half of the frames, and from now on half as often."""
        self.every *= 2
        kept = thinned(self.frames, self.every)
        self._replace(kept)
        self.count = len(kept)
        self.note(f"of more than {self.limit} frames every second one was dropped")
        self._write_header()

    def __repr__(self) -> str:
        where = f"{str(self.store.path)!r}, " if isinstance(self.store, Folder) else ""
        return f"{type(self).__name__}({where}every={self.every})"


def record(
    model: Any,
    optimizer: Any = None,
    *,
    every: int = 10,
    filter: Filter = None,
    folder: Any = None,
    limit: int = 2000,
) -> Record:
    """Record the training of a model, in whatever loop, while a block runs.

        with nn.record(model, optimizer, every=10, filter="encoder.*") as run:
            for x, y in batches:
                loss = loss_function(model(x), y)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
        run.explore()

    `optimizer` may be left out where the model was compiled with one.  See `Record`.
    """
    made = Record(folder, every, filter, limit)
    made.model = model
    made.optimizer = model.optimizer if optimizer is None else optimizer
    return made


def _number(loss: Any) -> float:
    """A loss, which is a Tensor or, of a compiled step, an array."""
    scale = (getattr(loss, "extra", None) or {}).get("scale", 1.0)
    return float(loss.item()) / float(scale)


def _wanted(filter: Filter) -> Callable[[str], bool]:
    if filter is None:
        return lambda name: True
    if callable(filter):
        return filter
    patterns = [filter] if isinstance(filter, str) else list(filter)
    return lambda name: any(name == p or fnmatchcase(name, p) for p in patterns)
