"""Optimizers.  Each is one formula, that of its paper, applied to flat arrays (see `flat.py`).

    optimizer = Adam(model.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

Defaults are Keras's.  A parameter without a gradient is left alone, moments and all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from autograd import Tensor, no_grad
from autograd.errors import GraphError
from autograd.ops.elementwise import clip, sqrt

from .flat import Flat
from .names import lookup

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "get"]

# --- the formulas: parameters p, gradient g and state → new parameters and state ---


def sgd(p: Any, g: Any, *, lr: float) -> tuple[Any, ...]:
    """Gradient descent."""
    return (p - lr * g,)


def heavy_ball(
    p: Any, g: Any, v: Any, *, lr: float, momentum: float, nesterov: bool
) -> tuple[Any, ...]:
    """Momentum (Polyak 1964), or Nesterov's in the form of Sutskever et al. 2013."""
    v = momentum * v + g
    return p - lr * (g + momentum * v if nesterov else v), v


def adagrad(p: Any, g: Any, s: Any, *, lr: float, eps: float) -> tuple[Any, ...]:
    """Steps shrink with the sum of squared gradients (Duchi et al. 2011)."""
    s = s + g * g
    return p - lr * g / (sqrt(s) + eps), s


def rmsprop(p: Any, g: Any, v: Any, *, lr: float, rho: float, eps: float) -> tuple[Any, ...]:
    """Steps are divided by the running root mean square of gradients (Tieleman & Hinton 2012)."""
    v = rho * v + (1 - rho) * g * g
    return p - lr * g / (sqrt(v) + eps), v


def adam(
    p: Any, g: Any, m: Any, v: Any, *, lr: float, beta1: float, beta2: float, eps: float
) -> tuple[Any, ...]:
    """Adam (Kingma & Ba 2015, algorithm 1); lr and eps come with the bias correction in them."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * m / (sqrt(v) + eps), m, v


def adamw(
    p: Any, g: Any, m: Any, v: Any, *, decay: float, **scalars: float
) -> tuple[Any, ...]:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2)."""
    return adam(p * (1 - decay), g, m, v, **scalars)

# --- the optimizers: which formula, with which numbers ---


class Optimizer:
    """What optimizers share.  A subclass names its formula, its state and the formula's numbers.

    `params` are tensors or a module; they may come later, with `bind`, as `compile` does it.
    `lr` may be set at any time.  Gradients are clipped, element by element to ±`clip_value` or
    all together to a Euclidean norm of at most `clip_norm`, before anything else is done with
    them.  `weight_decay` adds weight_decay · p to the gradient, except in AdamW.
    """

    formula: Callable[..., tuple[Any, ...]]
    initial: ClassVar[dict[str, float]] = {}
    """The state that the formula keeps beside the parameters → what it starts as."""

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        *,
        weight_decay: float = 0.0,
        clip_value: float | None = None,
        clip_norm: float | None = None,
    ) -> None:
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

    def _at_least_0(self, what: str, number: Any) -> float:
        if isinstance(number, Tensor):
            number = number.item()
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < math.inf:
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
        with no_grad():
            gradients = [group.gradients() for group in self.groups]
            if self.clip_value is not None or self.clip_norm is not None:
                gradients = self._clipped(gradients)
            scalars = self.scalars()
            for group, found in zip(self.groups, gradients, strict=True):
                group.apply(self.formula, found, self.weight_decay, scalars)

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        """Gradients within the limits; a norm that is no number leaves them as they are."""
        if (limit := self.clip_value) is not None:
            gradients = [
                [(a, b, clip(g, low=-limit, high=limit)) for a, b, g in found]
                for found in gradients
            ]
        if (limit := self.clip_norm) is not None:
            norm = math.sqrt(sum(float(g @ g) for found in gradients for _, _, g in found))
            if norm > limit:
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
        self.steps, self.lr = int(state["steps"]), float(state["lr"])
        for group in self.groups:
            for name, i, array in group.parts():
                place = next(k for k, p in enumerate(self.params) if p is group.params[i])
                array.assign(state[f"{name}.{place}"].astype(array.dtype))

    def __repr__(self) -> str:
        return f"{self.name}(lr={self.lr:g}, {len(self.params)} parameters, {self.steps} steps)"


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted: v ← momentum · v + g; p ← p - lr · v."""

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        self.momentum, self.nesterov = self._below_1("momentum", momentum), nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum, such as 0.9")
        self.initial = {"v": 0.0} if momentum else {}
        self.formula = heavy_ball if momentum else sgd
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        if not self.momentum:
            return {"lr": self._lr}
        return {"lr": self._lr, "momentum": self.momentum, "nesterov": self.nesterov}


class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients, which starts at `initial_accumulator`."""

    formula = staticmethod(adagrad)

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        initial_accumulator: float = 0.1,
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        start = self._at_least_0("initial_accumulator", initial_accumulator)
        self.initial = {"s": start}
        self.eps = self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        return {"lr": self._lr, "eps": self.eps}


class RMSprop(Optimizer):
    """Steps are divided by the running root mean square of the gradients, with memory `rho`."""

    formula = staticmethod(rmsprop)
    initial: ClassVar[dict[str, float]] = {"v": 0.0}

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        self.rho, self.eps = self._below_1("rho", rho), self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        return {"lr": self._lr, "rho": self.rho, "eps": self.eps}


class Adam(Optimizer):
    """Running means of gradients over the root of those of their squares, bias-corrected."""

    formula = staticmethod(adam)
    initial: ClassVar[dict[str, float]] = {"m": 0.0, "v": 0.0}

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        beta1, beta2 = betas
        self.betas = self._below_1("beta1", beta1), self._below_1("beta2", beta2)
        self.eps = self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        """With the corrections of both means, 1 - βᵗ, moved into lr and eps."""
        beta1, beta2 = self.betas
        root = math.sqrt(1 - beta2**self.steps)
        rate = self._lr * root / (1 - beta1**self.steps)
        return {"lr": rate, "beta1": beta1, "beta2": beta2, "eps": self.eps * root}


class AdamW(Adam):
    """Adam that shrinks each parameter by lr · weight_decay itself, whatever its gradient."""

    formula = staticmethod(adamw)

    def __init__(
        self, params: Any = None, lr: float = 1e-3, weight_decay: float = 0.004, **options: Any
    ) -> None:
        self.decay = self._at_least_0("weight_decay", weight_decay)
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        return {**super().scalars(), "decay": self._lr * self.decay}


_BY_NAME: dict[str, type[Optimizer]] = {
    "sgd": SGD, "rmsprop": RMSprop, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW,
}  # fmt: skip


def get(
    optimizer: str | Optimizer | type[Optimizer], params: Any = None, **options: Any
) -> Optimizer:
    """The optimizer of that name, or the one given, bound to the parameters if there are some.

    One that is theirs already keeps its moments.  `options` go to an optimizer that is made here.
    """
    if not isinstance(optimizer, Optimizer):
        made = lookup("optimizer", _BY_NAME, optimizer)(params, **options)
        if not isinstance(made, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, not {type(made).__name__}")
        return made
    if params is not None:
        params = list(params.parameters() if hasattr(params, "parameters") else params)
        if list(map(id, params)) != list(map(id, optimizer.params)):
            optimizer.bind(params)
    return optimizer
