"""Focal losses: cross-entropies that leave what is right already alone (Lin et al. 2017)."""

from __future__ import annotations

from autograd import Tensor

from .crossentropy import (
    EPSILON,
    BinaryCrossentropy,
    CategoricalCrossentropy,
    _binary_with_logits,
    _log_p,
    _logits,
    _probabilities,
)

__all__ = ["BinaryFocalCrossentropy", "CategoricalFocalCrossentropy"]


class BinaryFocalCrossentropy(BinaryCrossentropy):
    """-α (1 - p_t)^γ log p_t, where p_t is the probability of what is true (eq. 4 and 5).

    `alpha`, between 0 and 1, weighs yes by alpha and no by 1 - alpha; None weighs neither.
    """

    def __init__(
        self,
        alpha: float | None = None,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing)
        self.alpha, self.gamma = alpha, _gamma(self, gamma)

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        t = y_true.astype(y_pred.dtype)
        if s := self.label_smoothing:
            t = (1 - s) * t + s / 2
        x = _logits(self, y_pred, "sigmoid")
        if x is not None:
            p, entropy = x.sigmoid(), _binary_with_logits(x, t)
        else:
            _probabilities(self, y_pred, "sigmoid")
            p = y_pred.clip(EPSILON, 1 - EPSILON)
            entropy = -(t * p.log() + (1 - t) * (1 - p).log())
        found = (t + p - 2 * t * p) ** self.gamma * entropy  # 1 - p_t = t (1 - p) + (1 - t) p
        return (
            found if self.alpha is None else (t * self.alpha + (1 - t) * (1 - self.alpha)) * found
        )


class CategoricalFocalCrossentropy(CategoricalCrossentropy):
    """-α Σ t (1 - p)^γ log p over the last axis, for truth that is a distribution."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(from_logits, label_smoothing)
        self.alpha, self.gamma = alpha, _gamma(self, gamma)

    def elements(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        t, log_p = self._smoothed(y_pred, y_true), _log_p(self, y_pred)
        focus = (1 - log_p.exp()) ** self.gamma
        return -self.alpha * (t * focus * log_p).sum(axis=-1)


def _gamma(loss: BinaryCrossentropy | CategoricalCrossentropy, gamma: float) -> float:
    if not gamma >= 0:
        raise ValueError(f"{loss.name}: gamma must be 0 or above, not {gamma!r}")
    return float(gamma)
