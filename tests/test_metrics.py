"""Metrics, against scikit-learn, over batches of uneven size."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as peer

from autograd import Tensor
from autograd.errors import DomainError, ShapeError
from nn import metrics

rng = np.random.default_rng(7)
N, C = 203, 5

SCORE = rng.random(N).round(2)  # rounding makes ties
TRUTH = (SCORE + rng.normal(0, 0.4, N) > 0.5).astype(int)
SCORES = rng.random((N, C))
SHARES = SCORES / SCORES.sum(1, keepdims=True)
LABELS = np.where(rng.random(N) < 0.6, SCORES.argmax(1), rng.integers(0, C - 1, N))
REAL = rng.normal(1e3, 1.0, (N, 2))
GUESS = REAL + rng.normal(0, 0.7, (N, 2))
GUESSED, CHOSEN = (SCORE > 0.5).astype(int), SCORES.argmax(1)


def streamed(metric: metrics.Metric, prediction: Any, target: Any) -> float:
    """The metric over batches of 1, 2, 3, … samples, in float64."""
    metric.reset()
    start, size = 0, 1
    while start < len(target):
        stop = start + size
        metric.update(Tensor(prediction[start:stop]), Tensor(target[start:stop]))
        start, size = stop, size + 1
    return metric.result()


BINARY: dict[str, Callable[[], float]] = {
    "accuracy": lambda: peer.accuracy_score(TRUTH, GUESSED),
    "binary_accuracy": lambda: peer.accuracy_score(TRUTH, GUESSED),
    "precision": lambda: peer.precision_score(TRUTH, GUESSED),
    "recall": lambda: peer.recall_score(TRUTH, GUESSED),
    "f1": lambda: peer.f1_score(TRUTH, GUESSED),
    "auc": lambda: peer.roc_auc_score(TRUTH, SCORE),
    "average_precision": lambda: peer.average_precision_score(TRUTH, SCORE),
    "balanced_accuracy": lambda: peer.balanced_accuracy_score(TRUTH, GUESSED),
    "mcc": lambda: peer.matthews_corrcoef(TRUTH, GUESSED),
    "cohen_kappa": lambda: peer.cohen_kappa_score(TRUTH, GUESSED),
    "mean_iou": lambda: peer.jaccard_score(TRUTH, GUESSED, average="macro"),
}
SEVERAL: dict[str, Callable[[], float]] = {
    "accuracy": lambda: peer.accuracy_score(LABELS, CHOSEN),
    "categorical_accuracy": lambda: peer.accuracy_score(LABELS, CHOSEN),
    "sparse_categorical_accuracy": lambda: peer.accuracy_score(LABELS, CHOSEN),
    "top_2_accuracy": lambda: peer.top_k_accuracy_score(LABELS, SCORES, k=2),
    "precision": lambda: peer.precision_score(LABELS, CHOSEN, average="macro"),
    "recall": lambda: peer.recall_score(LABELS, CHOSEN, average="macro"),
    "f1": lambda: peer.f1_score(LABELS, CHOSEN, average="macro"),
    "balanced_accuracy": lambda: peer.balanced_accuracy_score(LABELS, CHOSEN),
    "mcc": lambda: peer.matthews_corrcoef(LABELS, CHOSEN),
    "cohen_kappa": lambda: peer.cohen_kappa_score(LABELS, CHOSEN),
    "mean_iou": lambda: peer.jaccard_score(LABELS, CHOSEN, average="macro"),
    "perplexity": lambda: np.exp(peer.log_loss(LABELS, SHARES, labels=range(C))),
}
NUMBERS: dict[str, Callable[[], float]] = {
    "mae": lambda: peer.mean_absolute_error(REAL, GUESS),
    "mse": lambda: peer.mean_squared_error(REAL, GUESS),
    "rmse": lambda: peer.mean_squared_error(REAL, GUESS) ** 0.5,
    "r2": lambda: peer.r2_score(REAL, GUESS),
    "mape": lambda: 100 * peer.mean_absolute_percentage_error(REAL, GUESS),
    "cosine_similarity": lambda: np.diag(peer.pairwise.cosine_similarity(REAL, GUESS)).mean(),
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("column", [False, True])
def test_one_score_per_sample(name: str, column: bool) -> None:
    score = SCORE[:, None] if column else SCORE
    assert streamed(metrics.get(name), score, TRUTH) == pytest.approx(BINARY[name](), abs=1e-12)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("one_hot", [False, True])
def test_several_classes(name: str, one_hot: bool) -> None:
    truth = np.eye(C, dtype=int)[LABELS] if one_hot else LABELS
    assert streamed(metrics.get(name), SHARES, truth) == pytest.approx(SEVERAL[name](), abs=1e-12)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    assert streamed(metrics.get(name), GUESS, REAL) == pytest.approx(NUMBERS[name](), rel=1e-9)


def test_a_small_last_batch_weighs_no_more_than_its_samples() -> None:
    accuracy = metrics.Accuracy()
    accuracy.update(Tensor([1.0, 1.0, 1.0]), Tensor([1, 1, 1]))
    accuracy.update(Tensor([1.0]), Tensor([0]))
    assert accuracy.result() == 0.75


def test_millions_of_samples_do_not_stop_the_count() -> None:
    # 2^24 + 1 is no float32: a sum in float32 would stay where it is
    mean = metrics.MeanAbsoluteError()
    mean.sum, mean.count = float(2**24), 2**24
    mean.update(Tensor([1.0]), Tensor([0.0]))
    assert mean.sum == 2**24 + 1


@pytest.mark.parametrize("scores", [[0.2, 0.2, 0.2], [3.0, 2.0, 1.0], [1.0, 1.0, 2.0]])
def test_auc_with_ties(scores: list[float]) -> None:
    truth = [1, 0, 1]
    assert metrics.AUC()(scores, truth) == pytest.approx(peer.roc_auc_score(truth, scores))


def test_what_is_not_defined_is_nan() -> None:
    assert math.isnan(metrics.AUC()([0.1, 0.9], [1, 1]))
    assert math.isnan(metrics.R2()([0.1], [0.2]))
    assert all(math.isnan(metrics.get(name).result()) for name in metrics.NAMES)


def test_r2_of_a_constant_target() -> None:
    assert metrics.R2()([1.0, 1.0], [1.0, 1.0]) == peer.r2_score([1.0, 1.0], [1.0, 1.0]) == 1
    assert metrics.R2()([1.0, 2.0], [1.0, 1.0]) == peer.r2_score([1.0, 1.0], [1.0, 2.0]) == 0


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_a_class_that_is_nowhere_is_left_out(name: str) -> None:
    labels, chosen = LABELS % 3, CHOSEN % 4  # class 3 is only predicted, class 4 is nowhere
    function = getattr(peer, f"{name}_score")
    expected = function(labels, chosen, average="macro", zero_division=0)
    assert streamed(metrics.get(name), np.eye(C)[chosen], labels) == pytest.approx(expected)


def test_nothing_of_nothing_is_0() -> None:
    assert metrics.F1()([0.1], [0]) == 0
    assert metrics.Precision()([0.1], [1]) == 0
    assert metrics.Recall()([0.1], [0]) == 0


def test_logits_are_compared_with_0() -> None:
    assert metrics.get("accuracy", logits=True)([0.2, -0.2], [1, 0]) == 1
    assert metrics.get("precision", logits=True)([0.2, -0.2], [1, 0]) == 1
    assert metrics.get("accuracy")([0.2, -0.2], [1, 0]) == 0.5


def test_a_function_is_a_metric() -> None:
    def worst(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().max()

    def each(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs()

    assert metrics.get(worst).name == "worst"
    assert metrics.get(worst)([1.0, 2.0], [0.0, 0.0]) == 2
    assert metrics.get(each)([1.0, 2.0], [0.0, 0.0]) == 1.5
    assert metrics.get(metrics.F1).name == "f1"
    assert metrics.get("acc").name == "acc"


@pytest.mark.parametrize(
    ("metric", "prediction", "target", "error", "told"),
    [
        ("accuracy", (4, 1), (3,), ShapeError, "accuracy: predictions (4, 1) and targets (3,)"),
        ("mse", (4, 2), (4,), ShapeError, "expected the same, or (N, 1) with (N,)"),
        ("top_5_accuracy", (4, 5), (4,), DomainError, "k = 5 of 5 classes; expected 1 <= k <= 4"),
        ("auc", (4, 2), (4, 2), ShapeError, "auc: expected one score per sample, got (4, 2)"),
        ("categorical_accuracy", (4, 1), (4,), ShapeError, "C >= 2 classes, got (4, 1)"),
        ("f1", (4, 3), (4, 2), ShapeError, "expected labels (4,) or one-hot (4, 3)"),
    ],
)
def test_what_does_not_fit_is_told(
    metric: str, prediction: Any, target: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as caught:
        metrics.get(metric)(np.zeros(prediction), np.zeros(target, dtype=int))
    assert told in str(caught.value)


def test_a_label_out_of_range_is_told() -> None:
    with pytest.raises(DomainError, match=r"accuracy: label 7 is outside \[0, 3\)"):
        metrics.get("accuracy")([[0.1, 0.2, 0.7]], [7])


def test_an_unknown_metric_is_told() -> None:
    with pytest.raises(ValueError, match="'acuracy' is unknown; did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(TypeError, match="metric must be a name"):
        metrics.get(3)


def test_classes_may_not_change_in_number() -> None:
    f1 = metrics.F1()
    f1.update(Tensor([[0.1, 0.9]]), Tensor([1]))
    with pytest.raises(ShapeError, match="3 classes, after batches with 2"):
        f1.update(Tensor([[0.1, 0.9, 0.0]]), Tensor([1]))


def test_the_confusion_matrix_itself() -> None:
    found = metrics.confusion_matrix(SCORES, LABELS)
    np.testing.assert_array_equal(found, peer.confusion_matrix(LABELS, CHOSEN, labels=range(C)))
    assert found.dtype == np.int64
    halves = metrics.ConfusionMatrix()
    streamed(halves, SCORES, LABELS)
    assert halves.matrix == found.tolist()
    assert metrics.confusion_matrix([0.9, 0.2, 0.7], [1, 0, 0]).tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("name", ["mcc", "cohen_kappa", "balanced_accuracy", "mean_iou"])
def test_one_class_alone(name: str) -> None:
    found = metrics.get(name)([0.9, 0.8, 0.7], [1, 1, 1])
    assert math.isnan(found) if name == "cohen_kappa" else found == float(name != "mcc")


@pytest.mark.parametrize(
    "name", ["accuracy", "top_2_accuracy", "f1", "mcc", "mean_iou", "perplexity"]
)
def test_padding_does_not_count(name: str) -> None:
    scores, labels = SHARES[:60].reshape(10, 6, C), LABELS[:60].reshape(10, 6).copy()
    padded = np.arange(6) >= np.arange(10)[:, None] % 7
    labels[padded] = -100
    metric = metrics.get(name, ignore_index=-100)
    kept = metrics.get(name)
    expected = kept(scores[~padded], labels[~padded])
    assert streamed(metric, scores, labels) == pytest.approx(expected, abs=1e-12)
    nothing = metrics.get(name, ignore_index=-100)(scores[:1], labels[:1] * 0 - 100)
    assert nothing == 0 if name == "f1" else math.isnan(nothing)
    with pytest.raises(DomainError, match="label -100 is outside"):
        metrics.get(name)(scores, labels)


def test_perplexity_of_logits_is_that_of_their_softmax() -> None:
    logits = 3 * rng.normal(size=(N, C))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = np.exp(peer.log_loss(LABELS, p, labels=range(C)))
    assert metrics.get("perplexity", logits=True)(logits, LABELS) == pytest.approx(expected)
