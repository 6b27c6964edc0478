"""`Optimizer`: what all optimizers share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from autograd import Tensor, clip
from autograd.errors import GraphError

from ..data.arrays import quiet
from .flat import Flat

__all__ = ["Optimizer"]

MEANT = {
    "learning_rate": "lr", "epsilon": "eps", "beta_1": "betas=(beta1, beta2)",
    "beta_2": "betas=(beta1, beta2)", "clipnorm": "clip_norm", "clipvalue": "clip_value",
}  # fmt: skip
"""Options by the names that other libraries have for them."""


class Optimizer:
    """What optimizers share.  A subclass names its formula, its state and the formula's numbers.

    `params` are tensors or a module; they may come later, with `bind`, as `compile` does it.
    `lr` may be set at any time.  Gradients are clipped, element by element to ±`clip_value` or
    all together to a Euclidean norm of at most `clip_norm`, before anything else is done with
    them.  `weight_decay` adds weight_decay · p to the gradient, except in AdamW.
    """

    formula: Callable[..., None]
    initial: Mapping[str, float] = MappingProxyType({})
    """The state that the formula keeps beside the parameters → what it starts as."""

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        *,
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            meant = [f"{k} ({MEANT[k]} here)" if k in MEANT else k for k in unknown]
            raise TypeError(f"{self.name}: unknown option {', '.join(meant)}")
        self.lr = lr
        self.weight_decay = self._at_least_0("weight_decay", weight_decay)
        for name, limit in (("clip_value", clip_value), ("clip_norm", clip_norm)):
            if limit is not None and not limit > 0:
                raise ValueError(f"{self.name}: {name} must be above 0 or None, not {limit!r}")
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.steps = 0
        self.params: list[Tensor] = []
        self.groups: list[Flat] = []
        if params is not None:
            self.bind(params)

    @property
    def name(self) -> str:
        """The class's name, for errors."""
        return type(self).__name__

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = self._at_least_0("lr", lr)

    @property
    def learning_rate(self) -> float:
        """`lr`, by Keras's name."""
        return self._lr

    @learning_rate.setter
    def learning_rate(self, lr: float) -> None:
        self.lr = lr

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

    def bind(self, params: Any) -> Optimizer:
        """Optimize these tensors, or those of a module, from the start."""
        if isinstance(params, (int, float)):
            raise TypeError(
                f"{self.name}({params}): the parameters come first. Write {self.name}(lr={params}) "
                f"for a learning rate, or {self.name}(model.parameters(), lr={params})."
            )
        if hasattr(params, "parameters"):
            params = params.parameters()
        self.params = list({id(p): p for p in params}.values())
        if not self.params:
            raise GraphError(
                f"{self.name}: there are no parameters. A model whose layers wait for their first "
                "input has none yet: call it on a batch, or give input_shape, before this."
            )
        for i, p in enumerate(self.params):
            if not isinstance(p, Tensor) or p.op is not None:
                what = "a result" if isinstance(p, Tensor) else f"a {type(p).__name__}"
                raise TypeError(
                    f"{self.name}: parameter {i} is {what}; only tensors made with "
                    "requires_grad=True can be optimized"
                )
        self.steps = 0
        self.groups = self._grouped()
        return self

    def _grouped(self) -> list[Flat]:
        kinds: dict[Any, list[Tensor]] = {}
        for p in self.params:
            kinds.setdefault((p.backend, p.dtype), []).append(p)
        return [Flat(members, self.initial) for members in kinds.values()]

    def scalars(self) -> dict[str, Any]:
        """The numbers of the formula at the current step."""
        return {"lr": self._lr}

    def step(self) -> None:
        """Change each parameter that has a gradient, and mark it as changed."""
        if not self.groups:
            raise GraphError(
                f"{self.name}: step() needs parameters; use {self.name}(model.parameters())"
            )
        self.steps += 1
        gradients = [group.gradients() for group in self.groups]
        if self.clip_value is not None or self.clip_norm is not None:
            gradients = self._clipped(gradients)
        scalars = self.scalars()
        for group, found in zip(self.groups, gradients, strict=True):
            group.apply(self.formula, found, self.weight_decay, scalars)

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        """Gradients within the limits; a norm that is not finite leaves them as they are."""
        if (limit := self.clip_value) is not None:
            gradients = [
                [(a, b, clip(g, low=-limit, high=limit)) for a, b, g in found]
                for found in gradients
            ]
        if (limit := self.clip_norm) is not None:
            norm = _norm([g for found in gradients for _, _, g in found])
            if limit < norm < math.inf:
                gradients = [
                    [(a, b, g * (limit / norm)) for a, b, g in found] for found in gradients
                ]
        return gradients

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for p in self.params:
            p._grad = None

    def state_dict(self) -> dict[str, Any]:
        """{"steps": …, "lr": …, "m.0": array of the first parameter's m, …}, arrays on the host."""
        arrays = {}
        for group in self.groups:
            for name, i, array in group.parts():
                place = next(k for k, p in enumerate(self.params) if p is group.params[i])
                arrays[f"{name}.{place}"] = array.numpy().copy()
        return {"steps": self.steps, "lr": self.lr, **arrays}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict` was taken, with the same parameters in the same order."""
        own = self.state_dict()
        state = {key: Tensor(a).numpy() if isinstance(a, list) else a for key, a in state.items()}
        faults = [f"missing     {key}" for key in own if key not in state]
        faults += [f"unexpected  {key}" for key in state if key not in own]
        faults += [
            f"shape       {key}: {own[key].shape} here, {state[key].shape} given"
            for key in own
            if key in state and getattr(own[key], "shape", ()) != getattr(state[key], "shape", ())
        ]
        if faults:
            raise ValueError(
                f"load_state_dict: {self.name} cannot take this state\n  " + "\n  ".join(faults)
            )
        self.lr, self.steps = float(state["lr"]), int(state["steps"])
        for group in self.groups:
            for name, i, array in group.parts():
                place = next(k for k, p in enumerate(self.params) if p is group.params[i])
                array.assign(state[f"{name}.{place}"].astype(array.dtype))

    def __repr__(self) -> str:
        return f"{self.name}(lr={self.lr:g}, {len(self.params)} parameters, {self.steps} steps)"


def _norm(gradients: list[Any]) -> float:
    """The Euclidean norm of all together; squares beyond single precision are taken again."""
    with quiet():
        square = sum(map(_square, gradients))
        if square == math.inf:
            square = sum(_square(g.astype("float64")) for g in gradients)
    return math.sqrt(square)


def _square(g: Any) -> float:
    """The squared norm of a flat gradient, in single precision at least."""
    if g.dtype.itemsize == 2:
        g = g.astype("float32")
    return float((g @ g).item())
