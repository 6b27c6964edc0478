"""Losses: how far predictions are from the truth, as one number to make small.

    loss = MeanSquaredError()
    loss(y_pred, y_true)                  the mean over the batch
    loss(y_pred, y_true, sample_weight)   Σ wᵢ lossᵢ / N, as Keras has it
    loss.per_sample(y_pred, y_true)       (N,), one number per sample

The prediction comes first, as in PyTorch.  Shapes must be the same; the one exception is truth
(N,) for a prediction (N, 1), which is read as (N, 1): broadcasting would compare each prediction
with every sample, in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from autograd import Tensor

from ..names import lookup
from .functions import (
    OF_FUNCTION,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
)
from .loss import Custom, Loss
from .standard import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    Huber,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)

__all__ = [
    "Loss", "BinaryCrossentropy", "CategoricalCrossentropy", "Hinge", "Huber", "KLDivergence",
    "MeanAbsoluteError", "MeanSquaredError", "SparseCategoricalCrossentropy",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss",
    "l1_loss", "mse_loss",
]  # fmt: skip

BY_NAME: dict[str, type[Loss]] = {
    "mse": MeanSquaredError, "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError, "huber": Huber,
    "binary_crossentropy": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "hinge": Hinge, "kl_divergence": KLDivergence,
}  # fmt: skip


def get(loss: str | Loss | type[Loss] | Callable[..., Tensor]) -> Loss:
    """The loss of that name, or of that function of prediction and truth."""
    found = OF_FUNCTION.get(loss, lambda: lookup("loss", BY_NAME, loss))()
    if isinstance(found, type):
        found = found()
    return found if isinstance(found, Loss) else Custom(found)
