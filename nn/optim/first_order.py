"""First-order optimizers, each one formula, that of its paper, applied to flat arrays."""

from __future__ import annotations

from typing import Any

from autograd.ops.elementwise import sign

from .optimizer import Optimizer, Rate

__all__ = ["SGD", "Adadelta", "Adagrad", "Lion", "RMSprop"]

# --- the formulas: parameters p, gradient g and state, changed in place and returned ---


def sgd(p: Any, g: Any, *, lr: float) -> Any:
    """Gradient descent."""
    p -= lr * g
    return (p,)


def heavy_ball(p: Any, g: Any, v: Any, *, lr: float, momentum: float, nesterov: bool) -> Any:
    """Momentum (Polyak 1964), or Nesterov's in the form of Sutskever et al. 2013."""
    v *= momentum
    v += g
    p -= lr * (g + momentum * v if nesterov else v)
    return p, v


def adagrad(p: Any, g: Any, s: Any, *, lr: float, eps: float) -> Any:
    """Steps shrink with the sum of squared gradients (Duchi et al. 2011)."""
    s += g * g
    p -= lr * g / (s**0.5 + eps)
    return p, s


def rmsprop(p: Any, g: Any, v: Any, *, lr: float, rho: float, eps: float) -> Any:
    """Steps are divided by the running root mean square of gradients (Tieleman & Hinton 2012)."""
    v *= rho
    v += (1 - rho) * g * g
    p -= lr * g / (v**0.5 + eps)
    return p, v


def adadelta(p: Any, g: Any, v: Any, u: Any, *, lr: float, rho: float, eps: float) -> Any:
    """Steps are as large as past steps were, by the gradient's size (Zeiler 2012, algorithm 1)."""
    v *= rho
    v += (1 - rho) * g * g
    step = ((u + eps) / (v + eps)) ** 0.5 * g
    u *= rho
    u += (1 - rho) * step * step
    p -= lr * step
    return p, v, u


def lion(p: Any, g: Any, m: Any, *, lr: float, beta1: float, beta2: float) -> Any:
    """The sign of a running mean of gradients (Chen et al. 2023, algorithm 2)."""
    p -= lr * sign(beta1 * m + (1 - beta1) * g)
    m *= beta2
    m += (1 - beta2) * g
    return p, m


# --- the optimizers: which formula, with which numbers ---


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted: v ← momentum · v + g; p ← p - lr · v."""

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> Any:
        self.momentum, self.nesterov = self._below_1("momentum", momentum), nesterov
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov=True needs a momentum, such as 0.9")
        self.initial = {"v": 0.0} if momentum else {}
        self.formula = heavy_ball if momentum else sgd
        super().__init__(params, lr, **options)

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        if not self.momentum:
            return {"lr": lr}
        return {"lr": lr, "momentum": self.momentum, "nesterov": self.nesterov}


class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients, which starts at `initial_accumulator`."""

    formula = staticmethod(adagrad)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        initial_accumulator: float = 0.1,
        eps: float = 1e-7,
        **options: Any,
    ) -> Any:
        start = self._at_least_0("initial_accumulator", initial_accumulator)
        self.initial = {"s": start}
        self.eps = self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        return {"lr": lr, "eps": self.eps}


class RMSprop(Optimizer):
    """Steps are divided by the running root mean square of the gradients, with memory `rho`."""

    formula = staticmethod(rmsprop)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-7,
        **options: Any,
    ) -> Any:
        self.initial = {"v": 0.0}
        self.rho, self.eps = self._below_1("rho", rho), self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        return {"lr": lr, "rho": self.rho, "eps": self.eps}


class Adadelta(RMSprop):
    """RMSprop in units of its own past steps; `lr` is a factor on them, 1 in the paper."""

    formula = staticmethod(adadelta)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        rho: float = 0.95,
        eps: float = 1e-7,
        **options: Any,
    ) -> Any:
        super().__init__(None, lr, rho, eps, **options)
        self.initial = {"v": 0.0, "u": 0.0}
        if params is not None:
            self.bind(params)


class Lion(Optimizer):
    """Each parameter moves by lr, up or down, as a running mean of its gradients says.

    It shrinks by lr · weight_decay besides.  The paper takes a rate 3 to 10 times smaller than
    Adam's, and a decay as many times larger.
    """

    formula = staticmethod(lion)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        **options: Any,
    ) -> Any:
        self.initial = {"m": 0.0}
        beta1, beta2 = betas
        self.betas = self._below_1("beta1", beta1), self._below_1("beta2", beta2)
        super().__init__(params, lr, **options)

    def decays(self, lr: float, decay: float) -> tuple[float, float]:
        return 0.0, 1 - lr * decay

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        beta1, beta2 = self.betas
        return {"lr": lr, "beta1": beta1, "beta2": beta2}
