"""`Optimizer`: what all optimizers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from autograd import Tensor, names, no_grad
from autograd.errors import GraphError
from autograd.node import current, scope

from . import recorded, state
from .clipping import clipped
from .flat import Flat, Stretch
from .groups import listed
from .observer import Observer
from .untouched import tell_untouched

__all__ = ["Optimizer"]

MEANT = {
    "learning_rate": "lr", "epsilon": "eps", "beta_1": "betas=(beta1, beta2)",
    "beta_2": "betas=(beta1, beta2)", "beta1": "betas=(beta1, beta2)",
    "beta2": "betas=(beta1, beta2)", "clipnorm": "clip_norm", "clipvalue": "clip_value",
    "global_clipnorm": "clip_norm", "gradient_accumulation_steps": "accumulate",
    "use_ema": "nn.optim.EMA(model)", "loss_scale_factor": "nn.optim.LossScale()",
}  # fmt: skip
"""Options by the names that other libraries have for them."""

Rate = float | Callable[[int], float]
"""A learning rate: a number, or a schedule from the count of steps taken to a number."""


class Optimizer:
    """What optimizers share.  A subclass names its formula, its state and the formula's numbers.

    `params` are tensors or a module; they may come later, with `bind`, as `compile` does it.
    Groups of them may have a learning rate and a weight decay of their own, as in PyTorch:

        Adam([{"params": weights, "weight_decay": 0.1}, {"params": biases, "lr": 1e-4}], lr=1e-3)

    `lr` is a number, which may be set at any time and moves the groups' own in proportion, or a
    schedule (see `schedules`) that is read at each step.  Gradients are clipped, element by element
    to ±`clip_value` or all together to a Euclidean norm of at most `clip_norm`, before anything
    else is done with them.  `weight_decay` adds weight_decay · p to the gradient, unless the
    optimizer says otherwise.  With `accumulate=n` only every n-th `step` changes the parameters,
    by the mean of the gradients that the n found: batches n times as large, in the same memory.
    """

    formula: Callable[..., None]
    initial: Mapping[str, float] = MappingProxyType({})
    """The state that the formula keeps beside the parameters → what it starts as."""

    observer: Observer | None = None

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        *,
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        **unknown: Any,
    ) -> None:
        if unknown:
            meant = [f"{k} ({MEANT[k]} here)" if k in MEANT else k for k in unknown]
            raise TypeError(f"{self.name}: unknown option {', '.join(meant)}")
        self.param_groups: list[dict[str, Any]] = []
        self.steps = 0
        self.checked = False
        self.lr = lr
        self.weight_decay = self._at_least_0("weight_decay", weight_decay)
        for name, limit in (("clip_value", clip_value), ("clip_norm", clip_norm)):
            if limit is not None and not limit > 0:
                raise ValueError(f"{self.name}: {name} must be above 0 or None, not {limit!r}")
        self.clip_value, self.clip_norm = clip_value, clip_norm
        if isinstance(accumulate, bool) or not isinstance(accumulate, int) or accumulate < 1:
            raise ValueError(f"{self.name}: accumulate must be 1, 2, …, not {accumulate!r}")
        self.accumulate, self.waiting = accumulate, 0
        self.params: list[Tensor] = []
        self.groups: list[Flat] = []
        if params is not None:
            self.bind(params)

    @property
    def name(self) -> str:
        """The class's name, for errors."""
        return type(self).__name__

    # --- numbers that may change while it runs ---

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._rate(self._lr)

    @lr.setter
    def lr(self, lr: Rate) -> None:
        own = [group for group in self.param_groups if group.get("lr") is not None]
        if callable(lr):
            if any(not callable(group["lr"]) for group in own):
                raise ValueError(
                    f"{self.name}: lr is a schedule, but a group has the fixed lr "
                    f"{own[0]['lr']!r}. Give the group a schedule of its own, too; "
                    f"lr=lambda step: {own[0]['lr']!r} stays where it is."
                )
            self._lr: Rate = lr
            self._rate(lr)
            return
        new = self._at_least_0("lr", lr)
        old = self._lr if own else 0.0
        if old and not callable(old):
            for group in own:
                group["lr"] = group["lr"] if callable(group["lr"]) else group["lr"] * new / old
        self._lr = new

    def _rate(self, lr: Rate) -> float:
        return self._at_least_0("lr", lr(self.steps)) if callable(lr) else lr

    @property
    def learning_rate(self) -> float:
        """`lr`, by Keras's name."""
        return self.lr

    @learning_rate.setter
    def learning_rate(self, lr: Rate) -> None:
        self.lr = lr

    @property
    def schedule(self) -> Callable[[int], float] | None:
        """The schedule of the learning rate, where there is one."""
        return self._lr if callable(self._lr) else None

    def _at_least_0(self, what: str, number: Any) -> float:
        if isinstance(number, Tensor):
            number = number.item()
        if (
            isinstance(number, bool)
            or not isinstance(number, (int, float))
            or not 0 <= number < math.inf
        ):
            raise ValueError(f"{self.name}: {what} must be a number from 0 on, not {number!r:.60}")
        return float(number)

    def _below_1(self, what: str, number: Any) -> float:
        if not self._at_least_0(what, number) < 1:
            raise ValueError(f"{self.name}: {what} must be in [0, 1), not {number}")
        return float(number)

    # --- whose parameters ---

    def bind(self, params: Any) -> Optimizer:
        """Optimize these tensors, those of a module, or groups of them, from the start."""
        self.param_groups = listed(self, params)
        self.params = [p for group in self.param_groups for p in group["params"]]
        self.lr = self._lr  # a group's own beside a schedule is an error
        self.steps = self.waiting = 0
        self.checked = False
        """Whether somebody has looked for parameters that get no gradient."""
        self.groups = []
        self.own: list[dict[str, Any]] = []
        """The options of each of the `groups`, where any has some of its own."""
        for options in self.param_groups:
            kinds: dict[Any, list[Tensor]] = {}
            for p in options["params"]:
                kinds.setdefault((p.backend, p.dtype), []).append(p)
            self.groups += map(self.flat, kinds.values())
            self.own += [options] * len(kinds)
        if not self.grouped:
            self.own = []
        self.constrained = [p for p in self.params if p.extra and "constraint" in p.extra]
        return self

    def flat(self, params: list[Tensor]) -> Flat:
        """The arrays for parameters of one kind."""
        return Flat(params, self.initial)

    @property
    def grouped(self) -> bool:
        """Whether its parameters are in groups that somebody made."""
        return len(self.param_groups) > 1 or any(len(group) > 1 for group in self.param_groups)

    # --- the step ---

    def rates(self) -> list[tuple[float, float]]:
        """(learning rate, weight decay) of each of the `groups`, for the next step."""
        lr, decay = self._rate(self._lr), self.weight_decay
        if not self.own:
            return [(lr, decay)] * len(self.groups)
        return [
            (self._rate(options.get("lr", lr)), options.get("weight_decay", decay))
            for options in self.own
        ]

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        """The numbers of the formula at the current step."""
        return {"lr": lr}

    def decays(self, lr: float, decay: float) -> tuple[float, float]:
        """How much of p is added to its gradient, and by what p is multiplied before the step."""
        return decay, 1.0

    def step(self, gradients: list[list[Stretch]] | None = None, *, flush: bool = False) -> None:
        """Change each parameter that has a gradient, and mark it as changed.

        `gradients` are those that `gather` found, where somebody has changed them since.  With
        `accumulate` the step is taken at every n-th call, or with `flush` for what there is so far.
        """
        watcher = current().watcher
        if watcher is not None:
            with scope(self.name, None, names.calling()):
                recorded.take(self, watcher)
            return
        if gradients is None:
            gradients = self.gather()
            if not self.steps and not self.checked and self.accumulate == 1:
                self.checked = True
                tell_untouched(self)
        if self.accumulate > 1:
            gradients = self._accumulated(gradients, flush)
            if gradients is None:
                return
        observer = self.observer
        if observer is not None and self.steps < observer.next:
            observer = None
        if observer is not None:
            observer.before(self, gradients)
        if self.clip_value is not None or self.clip_norm is not None:
            gradients = clipped(gradients, self.clip_value, self.clip_norm)
        rates = self.rates()
        self.steps += 1  # a schedule is read before, a formula counts from 1
        for group, found, (lr, decay) in zip(self.groups, gradients, rates, strict=True):
            group.apply(self.formula, found, *self.decays(lr, decay), self.scalars(lr, decay))
        if self.constrained:
            self.constrain()
        if observer is not None:
            observer.after(self)

    def gather(self) -> list[list[Stretch]]:
        """The gradients, as (start, end, array) of each of the `groups`: what `step` takes."""
        if not self.groups:
            raise GraphError(
                f"{self.name}: step() needs parameters; use {self.name}(model.parameters())"
            )
        watcher = current().watcher
        if watcher is not None:  # as `LossScale` does
            watcher.refuse(
                f"{self.name}.gather reads the gradients, which differ from call to call",
                "Leave this step uncompiled, or train in float32, without a loss scale.",
            )
        return [group.gradients() for group in self.groups]

    def flush(self) -> None:
        """Take the step for what has been accumulated so far, as at the end of an epoch."""
        if self.waiting:
            self.step([], flush=True)

    def _accumulated(
        self, gradients: list[list[Stretch]], flush: bool
    ) -> list[list[Stretch]] | None:
        """The mean of the last gradients where it is time for the step."""
        if gradients:
            for group, found in zip(self.groups, gradients, strict=True):
                group.add(found)
            self.waiting += 1
        if self.waiting < self.accumulate and not flush:
            return None
        share, self.waiting = 1 / self.waiting, 0
        return [group.take(share) for group in self.groups]

    def constrain(self) -> None:
        """Put the parameters that have a constraint where it lets them be."""
        with no_grad():
            for p in self.constrained:
                if p.requires_grad:
                    p.assign(p.extra["constraint"](p))  # type: ignore[index]

    def zero_grad(self) -> None:
        """Forget the gradients; what has been accumulated stays."""
        watcher = current().watcher
        for p in self.params:
            if watcher is not None:
                watcher.forgets_gradient(p)
            p._grad = None

    # --- what is saved ---

    def state_dict(self) -> dict[str, Any]:
        """{"steps": …, "lr": …, "m.0": array of the first parameter's m, …}, arrays on the host.

        Groups' own rates are "lr.0", …; what a schedule remembers is "schedule.best", ….
        """
        return state.taken(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken, with the same parameters in the same order.

        A schedule stays the one that this optimizer has, and goes on at the step of the state.
        """
        state.restore(self, state_dict)

    def __repr__(self) -> str:
        return f"{self.name}(lr={self.lr:g}, {len(self.params)} parameters, {self.steps} steps)"
