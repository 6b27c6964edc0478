"""First-order optimizers, each one formula, that of its paper, applied to flat arrays."""

from __future__ import annotations

import math
from typing import Any

from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]

# --- the formulas: parameters p, gradient g and state, changed in place ---


def sgd(p: Any, g: Any, *, lr: float) -> None:
    """Gradient descent."""
    p -= lr * g


def heavy_ball(p: Any, g: Any, v: Any, *, lr: float, momentum: float, nesterov: bool) -> None:
    """Momentum (Polyak 1964), or Nesterov's in the form of Sutskever et al. 2013."""
    v *= momentum
    v += g
    p -= lr * (g + momentum * v if nesterov else v)


def adagrad(p: Any, g: Any, s: Any, *, lr: float, eps: float) -> None:
    """Steps shrink with the sum of squared gradients (Duchi et al. 2011)."""
    s += g * g
    p -= lr * g / (s**0.5 + eps)


def rmsprop(p: Any, g: Any, v: Any, *, lr: float, rho: float, eps: float) -> None:
    """Steps are divided by the running root mean square of gradients (Tieleman & Hinton 2012)."""
    v *= rho
    v += (1 - rho) * g * g
    p -= lr * g / (v**0.5 + eps)


def adam(
    p: Any, g: Any, m: Any, v: Any, *, lr: float, beta1: float, beta2: float, eps: float
) -> None:
    """Adam (Kingma & Ba 2015, algorithm 1); lr and eps come with the bias correction in them."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    p -= lr * m / (v**0.5 + eps)


def adamw(p: Any, g: Any, m: Any, v: Any, *, decay: float, **scalars: Any) -> None:
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2)."""
    p *= 1 - decay
    adam(p, g, m, v, **scalars)


# --- the optimizers: which formula, with which numbers ---


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

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        self.initial = {"v": 0.0}
        self.rho, self.eps = self._below_1("rho", rho), self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self) -> dict[str, Any]:
        return {"lr": self._lr, "rho": self.rho, "eps": self.eps}


class Adam(Optimizer):
    """Running means of gradients over the root of those of their squares, bias-corrected.

    As in Keras the correction counts the optimizer's steps, also for a parameter that had no
    gradient in some of them.
    """

    formula = staticmethod(adam)

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        self.initial = {"m": 0.0, "v": 0.0}
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
