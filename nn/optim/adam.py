"""Adam and what has been made of it: AMSGrad, AdamW, Nadam."""

from __future__ import annotations

import math
from typing import Any

from autograd.ops.elementwise import maximum

from .flat import put
from .optimizer import Optimizer, Rate

__all__ = ["Adam", "AdamW", "Nadam"]

# --- the formulas, in place; lr and eps come with the bias correction in them ---


def adam(
    p: Any, g: Any, m: Any, v: Any, *, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Adam (Kingma & Ba 2015, algorithm 1)."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    p -= lr * m / (v**0.5 + eps)
    return p, m, v


def amsgrad(
    p: Any, g: Any, m: Any, v: Any, top: Any, *, lr: float, beta1: float, beta2: float, eps: float
) -> Any:
    """Adam that divides by the largest v so far (Reddi et al. 2018, algorithm 2)."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    top = put(top, maximum(top, v))
    p -= lr * m / (top**0.5 + eps)
    return p, m, v, top


def nadam(
    p: Any, g: Any, m: Any, v: Any, *, ahead: float, now: float, beta1: float, beta2: float,
    eps: float,
) -> Any:  # fmt: skip
    """Adam with Nesterov's momentum (Dozat 2016, algorithm 8)."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    p -= (ahead * m + now * g) / (v**0.5 + eps)
    return p, m, v


# --- the optimizers ---


class Adam(Optimizer):
    """Running means of gradients over the root of those of their squares, bias-corrected.

    As in Keras the correction counts the optimizer's steps, also for a parameter that had no
    gradient in some of them.  With `amsgrad` the mean of squares never shrinks.
    """

    formula = staticmethod(adam)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        self.initial = {"m": 0.0, "v": 0.0}
        if amsgrad:
            self.initial, self.formula = {**self.initial, "top": 0.0}, _amsgrad
        beta1, beta2 = betas
        self.betas = self._below_1("beta1", beta1), self._below_1("beta2", beta2)
        self.eps = self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        """With the corrections of both means, 1 - βᵗ, moved into lr and eps."""
        beta1, beta2 = self.betas
        root = math.sqrt(1 - beta2**self.steps)
        rate = lr * root / (1 - beta1**self.steps)
        return {"lr": rate, "beta1": beta1, "beta2": beta2, "eps": self.eps * root}


_amsgrad = amsgrad  # under a name that Adam's option does not hide


class AdamW(Adam):
    """Adam with decoupled decay: a parameter shrinks by lr · weight_decay, whatever its gradient.

    Loshchilov & Hutter 2019, algorithm 2.
    """

    def __init__(
        self, params: Any = None, lr: Rate = 1e-3, weight_decay: float = 0.004, **options: Any
    ) -> None:
        super().__init__(params, lr, weight_decay=weight_decay, **options)

    def decays(self, lr: float, decay: float) -> tuple[float, float]:
        return 0.0, 1 - lr * decay


class Nadam(Adam):
    """Adam that looks ahead along its momentum, which grows from step to step.

    μₜ = β₁ (1 - ½ · 0.96^(t / 250)), as the paper has it; Keras lets it grow 250 times as fast.
    """

    formula = staticmethod(nadam)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        self._product = (0, 1.0)  # t, μ₁ … μₜ
        super().__init__(params, lr, betas, eps, **options)

    def _momentum(self, t: int) -> float:
        return self.betas[0] * (1 - 0.5 * 0.96 ** (t / 250))

    def _momenta(self, t: int) -> float:
        """μ₁ … μₜ: from the last step's, or anew where the optimizer was bound or loaded."""
        known, product = self._product
        if known > t:
            known, product = 0, 1.0
        for i in range(known + 1, t + 1):
            product *= self._momentum(i)
        self._product = t, product
        return product

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        """With the corrections moved into the shares of m and g in the step, and into eps."""
        beta1, beta2 = self.betas
        t = self.steps
        root, product = math.sqrt(1 - beta2**t), self._momenta(t)
        mu, following = self._momentum(t), self._momentum(t + 1)
        ahead = lr * root * following / (1 - product * following)
        now = lr * root * (1 - mu) / (1 - product)
        return {
            "ahead": ahead, "now": now, "beta1": beta1, "beta2": beta2, "eps": self.eps * root,
        }  # fmt: skip
