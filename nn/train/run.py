"""`Run`: one training from its first batch to its last, which can be left and taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autograd import random

from . import checkpoint, flow, learning, loop
from .callbacks import Callbacks
from .checkpoint import Checkpoint
from .compiled import Compiled
from .finite import NotFiniteError
from .history import History
from .progress import Progress
from .source import Arrays, Source
from .tally import Tally

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Run"]


class Run:
    """All that changes while a model is trained.

    `epoch` and `batch` count those that are done, `seen` the samples of the epoch under way.
    """

    def __init__(
        self,
        model: Module,
        compiled: Compiled,
        source: Source,
        told: Callbacks,
        shown: Progress,
        held_out: Source | None = None,
        saved: Checkpoint | None = None,
        debug: bool = False,
    ) -> None:
        self.model, self.compiled, self.source = model, compiled, source
        self.told, self.shown, self.held_out, self.checkpoint = told, shown, held_out, saved
        self.debug = debug
        self.epoch = self.batch = self.seen = 0
        self.history = History()
        self.tally = Tally(compiled.metrics)

    def train(self, epochs: int, state: dict[str, Any] | None = None) -> None:
        """Train until so many epochs are done, or a callback stops it."""
        told, shown = self.told, self.shown
        if state is not None:
            checkpoint.restore(self.model, state)
        told("on_train_begin", {})
        if state is not None:
            self.restore(state)
        shown.start(self.epoch)
        if self.debug:
            shown.say("debug: each batch runs operation by operation, and is searched for NaN")
        logs = self.history.last()
        while self.epoch < epochs and not self.model.stop_training:
            if not self.batch:  # else it is taken up where it was left
                told("on_epoch_begin", self.epoch, {})
                self.source.begin(self.epoch)
                self.tally = Tally(self.compiled.metrics)
            shown.begin(self.epoch, self.seen)
            try:
                logs = loop.epoch(self)
                self.compiled.optimizer.flush()  # what gradient accumulation still holds
            except NotFiniteError as error:
                if not told.on["on_not_finite"]:
                    raise
                told("on_not_finite", error)
                break
            shown.steps = shown.steps or self.source.steps  # known after the first pass
            if self.held_out is not None:
                self.held_out.begin(self.epoch)
                found = loop.evaluate(self.model, self.compiled, self.held_out.batches(0))
                logs |= {f"val_{key}": value for key, value in found.items()}
            self.history.append(self.epoch, logs)
            shown.end(logs)
            told("on_epoch_end", self.epoch, logs)
            self.epoch, self.batch, self.seen = self.epoch + 1, 0, 0
            if self.checkpoint is not None:
                self.save()
            if self.source.dry:
                break
        told("on_train_end", logs)
        self.conclude()

    def conclude(self) -> None:
        """Say what the training has shown: how the model learns, and how its gradients flow."""
        history = self.history
        steps = self.compiled.steps
        if steps is not None:
            history.path = steps.path
            if steps.reason:
                self.shown.say(f"uncompiled: {steps.reason}")
        kept = next((c.restored for c in self.told.all if hasattr(c, "restored")), None)
        constant = None
        if isinstance(self.source, Arrays):
            constant = learning.constant_loss(self.compiled.loss, self.source.data)
        history.learning = learning.judge(
            history.history, history.epoch, self.compiled.optimizer, kept, constant
        )
        if history.learning.verdict != "unknown" and (
            self.held_out is not None or history.learning.verdict != "healthy"
        ):
            self.shown.say(str(history.learning))
        sample = self.source.sample()
        if sample is not None:
            history.flow = flow.measure(self.model, self.compiled, sample)
            self.shown.say(str(history.flow))

    # --- left, and taken up again ---

    def save_if_due(self) -> None:
        """Within an epoch: write a checkpoint if it is time for one."""
        assert self.checkpoint is not None
        if self.checkpoint.due(self.batch):
            self.save()

    def save(self) -> None:
        """Write down all that it takes to go on from here."""
        assert self.checkpoint is not None
        self.checkpoint.write({
            **checkpoint.state_of(self.model),
            "training": {
                "epoch": self.epoch,
                "batch": self.batch,
                "seen": self.seen,
                "stopped": bool(self.model.stop_training),
                "history": {"epoch": self.history.epoch, "history": self.history.history},
                "callbacks": self.told.state_dict(),
                "source": self.source.state_dict(),
                "held_out": None if self.held_out is None else self.held_out.state_dict(),
                "tally": self.tally.state_dict() if self.batch else None,
            },
        })  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Be where `save` was called; the model is already."""
        if "training" not in state:
            raise ValueError(
                "resume: the folder holds a model, but no training to go on with; "
                "model.load_checkpoint(folder) loads it"
            )
        kept = state["training"]
        self.told.load_state_dict(kept["callbacks"])
        self.source.load_state_dict(kept["source"])
        if self.held_out is not None and kept["held_out"] is not None:
            self.held_out.load_state_dict(kept["held_out"])
        random.set_state(state["random"])  # after all that draws from the stream
        self.epoch, self.batch, self.seen = kept["epoch"], kept["batch"], kept["seen"]
        self.history.epoch = kept["history"]["epoch"]
        self.history.history = kept["history"]["history"]
        self.model.stop_training = kept["stopped"]
        if kept["tally"] is not None:
            self.tally.load_state_dict(kept["tally"])
