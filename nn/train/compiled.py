"""What `compile` was given: optimizer, loss and metrics, and how they are tried on the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autograd import Tensor, no_grad
from autograd.errors import GraphError
from autograd.node import history
from autograd.verdicts.none import of_run
from autograd.verdicts.watched import run as watched
from autograd.verdicts.words import warn

from .. import losses, metrics, optim
from ..data.arrays import Data, Place, quiet, weights
from ..mode import training
from ..regularizers import penalties
from .steps import Steps, pays

if TYPE_CHECKING:
    from ..module import Module

__all__ = ["Compiled"]


class Compiled:
    """What `compile` was given."""

    def __init__(
        self,
        optimizer: Any,
        loss: Any,
        chosen: Any,
        options: dict[str, Any],
        precision: str | None = None,
        jit: bool | str = "auto",
    ) -> None:
        self.loss = losses.get(loss)
        logits = bool(getattr(self.loss, "from_logits", False))
        chosen = [chosen] if isinstance(chosen, str) or callable(chosen) else list(chosen or ())
        ignored = getattr(self.loss, "ignore_index", None)
        self.metrics = [metrics.get(metric, logits, ignored) for metric in chosen]
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
        self.scale = optim.LossScale() if precision == "float16" else None
        self.penalties: list[Any] = []
        self.checked = False
        self.missed: list[tuple[str, Tensor]] = []
        self.jit = jit
        self.steps: Steps | None = None
        self.times = 1
        """How many steps in time a sample has, if it is a sequence."""

    def __getstate__(self) -> dict[str, Any]:
        """What a copy has: all but functions that were compiled for this very model."""
        return {**vars(self), "steps": None}

    def build(self, model: Module, data: Data | None) -> None:
        """Layers that wait for their first input make their weights."""
        if data is not None and self.steps is None:
            with no_grad(), training(False), quiet():
                self.measure(model, data.part(0, 1))

    def prepare(self, model: Module, data: Data | None, *others: Data | None) -> None:
        """Look at one sample of each with the model: what cannot work fails before it begins.

        Layers that wait for their first input make their weights, the optimizer is bound to the
        parameters, and all labels are checked at once, not again in each batch.
        """
        self.look_at(model)
        with no_grad(), training(False), quiet():
            for given in filter(None, (data, *others)):
                sample = given.part(0, 1)
                self.times = sample.first.shape[1] if sample.first.ndim > 1 else 1
                try:
                    prediction, _ = self.measure(model, sample)
                    if not self.loss.checked:
                        self.loss.check(prediction, given.y)
                except Exception as error:
                    if given is not data:
                        error.add_note("  This is of the validation data; the others fit.")
                    raise
        self.bound(model)
        if not model.trainable:
            raise GraphError("all parameters are frozen: model.unfreeze() lets them learn again")

    def steps_for(self, model: Module, batches: int | None, size: int) -> Steps:
        """The compiled functions for this model, switched on where they are wanted and pay."""
        if self.steps is None:
            self.steps = Steps(model, self)
        on = pays(model, batches, size, self.times) if self.jit == "auto" else bool(self.jit)
        self.steps.on = on and self.scale is None
        return self.steps

    def bound(self, model: Module) -> optim.Optimizer:
        """The optimizer, which has this model's parameters."""
        optimizer = optim.get(self.optimizer, model.parameters())
        optimizer.checked = True  # `check` looks itself, and knows the names
        return optimizer

    def find_strays(self, model: Module, loss: Tensor) -> None:
        """Before the first backward pass: name what wants a gradient and is not in the model."""
        own = set(map(id, model.parameters()))
        strays = [
            str(tuple(x.shape))
            for x in history(loss)
            if x.op is None and x.requires_grad and id(x) not in own
        ]
        if strays:
            warn(
                f"the loss depends on parameters of shape {', '.join(strays)} that are not found "
                f"in {type(model).__name__}, and will be neither trained nor saved. Keep them, or "
                "the module they belong to, as an attribute, or in a list, tuple or dict of one."
            )

    def check(self, model: Module) -> None:
        """After the first backward pass: note the parameters that the loss does not reach."""
        self.checked = True
        self.missed = [
            (name, p) for name, p in model.named_parameters() if p.requires_grad and p.grad is None
        ]

    def tell_missed(self, model: Module, batch: Data) -> None:
        """Name them, and what keeps their gradients away: the batch is looked at once more."""
        missed, self.missed = self.missed, []
        seen = watched(self.measure, model, batch)
        whys = {
            (why.kind, why.where): why for _, p in reversed(missed) for why in [of_run(p, seen)]
        }
        reasons = "".join(f"\n  {why}" for why in reversed(whys.values()))
        warn(
            f"the loss does not reach {', '.join(name for name, _ in missed)}, which will not be "
            f"trained. If it is meant, freeze() it.{reasons}"
        )

    def weighed(self, data: Data, class_weight: Mapping[int, float], place: Place) -> Data:
        """The data with weights by class, read as the loss reads them."""
        return weights(data, class_weight, place, self.loss.sparse)

    def look_at(self, model: Module) -> None:
        """Before a pass: find the regularisers among the model's layers."""
        self.penalties = penalties(model)

    def measure(self, model: Module, batch: Data) -> tuple[Tensor, Tensor]:
        """The prediction for a batch, and its loss, one number, with what regularisers add."""
        prediction = model(batch.x)
        if batch.weight is None:
            loss = self.loss(prediction, batch.y)
        else:
            loss = self.loss(prediction, batch.y, batch.weight)
        for p, rule in self.penalties:
            loss = loss + rule(p)
        return prediction, loss
