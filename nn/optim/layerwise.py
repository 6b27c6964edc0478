"""Optimizers that look at a parameter as a whole: at its norm, or at its rows and columns."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.ops.elementwise import maximum, where

from .flat import Each
from .optimizer import Optimizer, Rate

__all__ = ["LAMB", "Adafactor"]

# --- the formulas: one parameter p, its gradient g and its state, changed in place and returned ---


def lamb(
    p: Any, g: Any, *, m: Any, v: Any, lr: float, decay: float, beta1: float, beta2: float,
    correct1: float, correct2: float, eps: float,
) -> Any:  # fmt: skip
    """Adam whose step has the parameter's own norm, times lr (You et al. 2020, algorithm 2)."""
    m *= beta1
    m += (1 - beta1) * g
    v *= beta2
    v += (1 - beta2) * g * g
    r = (m / correct1) / ((v / correct2) ** 0.5 + eps)
    update = r + decay * p
    size, length = _norm(p), _norm(update)
    trust = where((size > 0) & (length > 0), size / where(length > 0, length, 1), 1)
    p -= lr * trust * update
    return p, m, v


def adafactor(
    p: Any, g: Any, *, row: Any = None, column: Any = None, v: Any = None,
    lr: float, beta2: float, eps: float, least: float, clip: float,
) -> Any:  # fmt: skip
    """Squared gradients kept as one number per row and one per column (Shazeer & Stern 2018,
    algorithms 4 and 5): their outer product over their mean has the same sums."""
    square = g * g + eps
    if v is None:
        row += (1 - beta2) * (square.mean(axis=-1) - row)  # (…, rows)
        column += (1 - beta2) * (square.mean(axis=-2) - column)  # (…, columns)
        kept = row, column
        share = row / row.mean(axis=-1, keepdims=True)
        v = share[..., None] * column[..., None, :]  # (…, rows, columns)
    else:
        v += (1 - beta2) * (square - v)
        kept = (v,)
    update = g / v**0.5
    update = update / maximum(1.0, _rms(update) / clip)
    p -= lr * maximum(least, _rms(p)) * update
    return p, *kept


def _norm(x: Any) -> Any:
    return (x * x).sum() ** 0.5


def _rms(x: Any) -> Any:
    return (x * x).mean() ** 0.5


# --- the optimizers ---


class Layerwise(Optimizer):
    """An optimizer whose formula is given one parameter at a time, in its shape."""

    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The arrays that are kept for a parameter of this shape, by name, and their shapes."""
        raise NotImplementedError(f"{self.name} has no `shapes(shape)`")

    def flat(self, params: list[Tensor]) -> Each:
        return Each(params, self.shapes)


class LAMB(Layerwise):
    """Adam for very large batches: each parameter moves by lr times its own norm.

    `weight_decay` · p is part of the step that is brought to that norm.
    """

    formula = staticmethod(lamb)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-7,
        **options: Any,
    ) -> None:
        beta1, beta2 = betas
        self.betas = self._below_1("beta1", beta1), self._below_1("beta2", beta2)
        self.eps = self._at_least_0("eps", eps)
        super().__init__(params, lr, **options)

    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        return {"m": shape, "v": shape}

    def decays(self, lr: float, decay: float) -> tuple[float, float]:
        return 0.0, 1.0

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        beta1, beta2 = self.betas
        return {
            "lr": lr, "decay": decay, "beta1": beta1, "beta2": beta2, "eps": self.eps,
            "correct1": 1 - beta1**self.steps, "correct2": 1 - beta2**self.steps,
        }  # fmt: skip


class Adafactor(Layerwise):
    """Adam without its memory: of a matrix (n, m) it keeps n + m numbers instead of 2 n m.

    A step has `lr` times the root mean square of its parameter, or of `least` where that is
    smaller; lr is at most 1 / √t.  Updates of root mean square above `clip` are scaled down to it.
    `weight_decay` shrinks a parameter by lr · weight_decay.
    """

    formula = staticmethod(adafactor)

    def __init__(
        self,
        params: Any = None,
        lr: Rate = 1e-3,
        beta2_decay: float = -0.8,
        eps: float = 1e-30,
        least: float = 1e-3,
        clip: float = 1.0,
        **options: Any,
    ) -> None:
        if not -1 <= beta2_decay < 0:
            raise ValueError(f"Adafactor: beta2_decay must be in [-1, 0), not {beta2_decay}")
        self.beta2_decay = beta2_decay
        self.eps, self.least = self._at_least_0("eps", eps), self._at_least_0("least", least)
        self.clip = self._at_least_0("clip", clip)
        if not clip:
            raise ValueError("Adafactor: clip must be above 0; 1 is usual")
        super().__init__(params, lr, **options)

    def shapes(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        if len(shape) < 2:
            return {"v": shape}
        return {"row": shape[:-1], "column": (*shape[:-2], shape[-1])}

    def decays(self, lr: float, decay: float) -> tuple[float, float]:
        return 0.0, 1 - lr * decay

    def scalars(self, lr: float, decay: float) -> dict[str, Any]:
        return {
            "lr": min(lr, self.steps**-0.5), "beta2": 1 - self.steps**self.beta2_decay,
            "eps": self.eps, "least": self.least, "clip": self.clip,
        }  # fmt: skip
