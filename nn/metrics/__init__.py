"""Metrics: what to tell a person about a model, exact over any number of batches.

A metric adds up what it needs batch by batch (`update`) and divides once (`result`), so the last,
smaller batch weighs no more than it should.  `prediction` comes first and `target` second, as in
the losses.  Definitions are scikit-learn's, against which they are tested.
"""

from __future__ import annotations

import re
from typing import Any

from ..names import lookup
from .base import Metric
from .confusion import (
    BalancedAccuracy,
    CohenKappa,
    ConfusionMatrix,
    MatthewsCorrelation,
    MeanIoU,
    confusion_matrix,
)
from .counts import F1, Counts, Precision, Recall
from .means import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    CosineSimilarity,
    Custom,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    Perplexity,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    TopKAccuracy,
)
from .whole import AUC, R2, AveragePrecision

__all__ = [
    "AUC", "Accuracy", "AveragePrecision", "BalancedAccuracy", "BinaryAccuracy",
    "CategoricalAccuracy", "CohenKappa", "ConfusionMatrix", "CosineSimilarity", "F1",
    "MatthewsCorrelation", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU",
    "MeanSquaredError", "Metric", "Perplexity", "Precision", "R2", "Recall",
    "RootMeanSquaredError", "SparseCategoricalAccuracy", "TopKAccuracy", "confusion_matrix", "get",
]  # fmt: skip

NAMES: dict[str, type[Metric]] = {
    "accuracy": Accuracy, "acc": Accuracy, "binary_accuracy": BinaryAccuracy,
    "categorical_accuracy": CategoricalAccuracy,
    "sparse_categorical_accuracy": SparseCategoricalAccuracy,
    "precision": Precision, "recall": Recall, "f1": F1, "f1_score": F1, "auc": AUC,
    "mae": MeanAbsoluteError, "mean_absolute_error": MeanAbsoluteError,
    "mse": MeanSquaredError, "mean_squared_error": MeanSquaredError,
    "rmse": RootMeanSquaredError, "root_mean_squared_error": RootMeanSquaredError, "r2": R2,
    "mape": MeanAbsolutePercentageError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "cosine_similarity": CosineSimilarity, "perplexity": Perplexity,
    "average_precision": AveragePrecision, "balanced_accuracy": BalancedAccuracy,
    "mcc": MatthewsCorrelation, "mean_iou": MeanIoU, "mean_io_u": MeanIoU,
    "cohen_kappa": CohenKappa,
}  # fmt: skip


def get(metric: Any, logits: bool = False, ignore_index: int | None = None) -> Metric:
    """A metric by name, class, object or function of (prediction, target).

    "top_3_accuracy" is `TopKAccuracy(3)`, with any number.  Where predictions are `logits`, the
    threshold between no and yes of a metric that is asked for by name is 0 instead of 0.5.  Labels
    that a loss ignores, `ignore_index`, do not count in a metric asked for by name.
    """
    made = _made(metric, logits)
    if isinstance(metric, str):
        made.ignore_index = ignore_index
    return made


def _made(metric: Any, logits: bool) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, type) and issubclass(metric, Metric):
        return metric()
    if isinstance(metric, str) and (top := re.fullmatch(r"top_(\d+)(_accuracy)?", metric)):
        return TopKAccuracy(int(top[1]), name=metric)
    if metric == "top_k_categorical_accuracy":  # Keras's name; its k is 5
        return TopKAccuracy(name=metric)
    found = lookup("metric", NAMES, metric)
    if not isinstance(metric, str):
        return Custom(found)
    if logits and issubclass(found, (Accuracy, BinaryAccuracy, ConfusionMatrix, Counts)):
        return found(metric, threshold=0.0)
    if logits and found is Perplexity:
        return Perplexity(metric, from_logits=True)
    made: Metric = found(metric)
    return made
