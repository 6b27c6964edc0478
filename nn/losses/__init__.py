"""Losses: how far predictions are from the truth, as one number to make small.

    loss = MeanSquaredError()
    loss(y_pred, y_true)                  the mean over the batch
    loss(y_pred, y_true, sample_weight)   Σ wᵢ lossᵢ / N, as Keras has it; a mask: over its True
    loss.per_sample(y_pred, y_true)       (N,), one number per sample

The prediction comes first, as in PyTorch.  Shapes must be the same; the one exception is truth
(N,) for a prediction (N, 1), which is read as (N, 1): broadcasting would compare each prediction
with every sample, in silence.
"""

from __future__ import annotations

from collections.abc import Callable

from autograd import Tensor

from ..names import lookup
from .crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)
from .ctc import CTC, ctc_loss
from .distances import (
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    Wasserstein,
)
from .embeddings import Contrastive, InfoNCE, Triplet, info_nce, triplet_margin_loss
from .focal import BinaryFocalCrossentropy, CategoricalFocalCrossentropy
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

__all__ = [
    "CTC", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "Contrastive", "CosineSimilarity", "Hinge", "Huber", "InfoNCE",
    "KLDivergence", "LogCosh", "Loss", "MeanAbsoluteError", "MeanAbsolutePercentageError",
    "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy",
    "Triplet", "Wasserstein", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "cross_entropy", "ctc_loss", "huber_loss", "info_nce", "l1_loss", "mse_loss",
    "triplet_margin_loss",
]  # fmt: skip

BY_NAME: dict[str, type[Loss]] = {
    "mse": MeanSquaredError, "mean_squared_error": MeanSquaredError,
    "mae": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError, "huber": Huber,
    "mape": MeanAbsolutePercentageError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
    "log_cosh": LogCosh, "poisson": Poisson, "cosine_similarity": CosineSimilarity,
    "binary_crossentropy": BinaryCrossentropy, "bce": BinaryCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "binary_focal_crossentropy": BinaryFocalCrossentropy,
    "categorical_focal_crossentropy": CategoricalFocalCrossentropy,
    "hinge": Hinge, "kl_divergence": KLDivergence, "kld": KLDivergence, "ctc": CTC,
    "contrastive": Contrastive, "triplet": Triplet, "info_nce": InfoNCE, "wasserstein": Wasserstein,
}  # fmt: skip


def get(loss: str | Loss | type[Loss] | Callable[..., Tensor]) -> Loss:
    """The loss of that name, or of that function of prediction and truth."""
    found = OF_FUNCTION.get(loss, lambda: lookup("loss", BY_NAME, loss))()
    if isinstance(found, type):
        found = found()
    return found if isinstance(found, Loss) else Custom(found)
