"""Losses against their formulas, their gradients against differences, and what they refuse."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, no_grad
from autograd.errors import DomainError, DTypeError, ShapeError
from nn import losses
from nn.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    ctc_loss,
)

RNG = np.random.default_rng(5)
SCORES = RNG.normal(size=(6, 4)) * 2
TRUTH = RNG.normal(size=(6, 4)) * 2
BITS = RNG.integers(0, 2, (6, 4))
LABELS = RNG.integers(0, 4, 6)
ONE_HOT = np.eye(4)[LABELS]


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def binary(p: Any, t: Any) -> Any:
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


P, DISTRIBUTION = softmax(SCORES), softmax(TRUTH)
ERROR = np.abs(SCORES - TRUTH)

# loss, prediction, truth → the loss of each element or sample
CASES: dict[str, tuple[Loss, Any, Any, Any]] = {
    "mse": (MeanSquaredError(), SCORES, TRUTH, ERROR**2),
    "mae": (MeanAbsoluteError(), SCORES, TRUTH, ERROR),
    "huber": (
        Huber(1.5), SCORES, TRUTH, np.where(ERROR < 1.5, ERROR**2 / 2, 1.5 * (ERROR - 0.75)),
    ),
    "hinge": (Hinge(), SCORES, BITS, np.maximum(1 - (2 * BITS - 1) * SCORES, 0)),
    "hinge of signs": (
        Hinge(), SCORES, np.sign(TRUTH), np.maximum(1 - np.sign(TRUTH) * SCORES, 0),
    ),
    "kl": (KLDivergence(), P, DISTRIBUTION, (DISTRIBUTION * np.log(DISTRIBUTION / P)).sum(-1)),
    "binary": (BinaryCrossentropy(), sigmoid(SCORES), BITS, binary(sigmoid(SCORES), BITS)),
    "binary logits": (BinaryCrossentropy(True), SCORES, BITS, binary(sigmoid(SCORES), BITS)),
    "categorical": (
        CategoricalCrossentropy(), P, DISTRIBUTION, -(DISTRIBUTION * np.log(P)).sum(-1),
    ),
    "categorical, unscaled": (CategoricalCrossentropy(), 3 * P, ONE_HOT, -np.log(P[ONE_HOT == 1])),
    "categorical logits": (
        CategoricalCrossentropy(True), SCORES, DISTRIBUTION, -(DISTRIBUTION * np.log(P)).sum(-1),
    ),
    "binary, smoothed": (
        BinaryCrossentropy(True, 0.2), SCORES, BITS, binary(sigmoid(SCORES), 0.8 * BITS + 0.1),
    ),
    "categorical, smoothed": (
        CategoricalCrossentropy(label_smoothing=0.2), P, ONE_HOT,
        -((0.8 * ONE_HOT + 0.05) * np.log(P)).sum(-1),
    ),
    "sparse, smoothed": (
        SparseCategoricalCrossentropy(label_smoothing=0.2), P, LABELS,
        -((0.8 * ONE_HOT + 0.05) * np.log(P)).sum(-1),
    ),
    "sparse logits, smoothed": (
        SparseCategoricalCrossentropy(True, label_smoothing=0.2), SCORES, LABELS,
        -((0.8 * ONE_HOT + 0.05) * np.log(P)).sum(-1),
    ),
    "binary focal": (
        losses.BinaryFocalCrossentropy(), sigmoid(SCORES), BITS,
        np.abs(BITS - sigmoid(SCORES)) ** 2 * binary(sigmoid(SCORES), BITS),
    ),
    "binary focal logits, balanced": (
        losses.BinaryFocalCrossentropy(0.25, 3.0, from_logits=True), SCORES, BITS,
        np.where(BITS, 0.25, 0.75) * np.abs(BITS - sigmoid(SCORES)) ** 3
        * binary(sigmoid(SCORES), BITS),
    ),
    "categorical focal": (
        losses.CategoricalFocalCrossentropy(), P, ONE_HOT,
        -0.25 * ((1 - P) ** 2 * np.log(P))[range(6), LABELS],
    ),
    "categorical focal logits": (
        losses.CategoricalFocalCrossentropy(1.0, 0.5, from_logits=True), SCORES, DISTRIBUTION,
        -(DISTRIBUTION * (1 - P) ** 0.5 * np.log(P)).sum(-1),
    ),
    "log cosh": (losses.LogCosh(), SCORES, TRUTH, np.log(np.cosh(ERROR))),
    "percentage": (
        losses.MeanAbsolutePercentageError(), SCORES, TRUTH, 100 * ERROR / np.abs(TRUTH),
    ),
    "logarithmic": (
        losses.MeanSquaredLogarithmicError(), P, DISTRIBUTION,
        (np.log1p(P) - np.log1p(DISTRIBUTION)) ** 2,
    ),
    "poisson": (losses.Poisson(), P, BITS, P - BITS * np.log(P + 1e-7)),
    "cosine": (
        losses.CosineSimilarity(), SCORES, TRUTH,
        -(SCORES * TRUTH).sum(-1) / np.linalg.norm(SCORES, axis=-1)
        / np.linalg.norm(TRUTH, axis=-1),
    ),
    "wasserstein": (losses.Wasserstein(), SCORES, np.sign(TRUTH), -np.sign(TRUTH) * SCORES),
    "info nce": (
        losses.InfoNCE(0.5), SCORES, TRUTH,
        -np.log(np.diag(softmax(
            (SCORES / np.linalg.norm(SCORES, axis=-1, keepdims=True))
            @ (TRUTH / np.linalg.norm(TRUTH, axis=-1, keepdims=True)).T / 0.5
        ))),
    ),
    "sparse": (SparseCategoricalCrossentropy(), P, LABELS, -np.log(P[range(6), LABELS])),
    "sparse logits": (
        SparseCategoricalCrossentropy(True), SCORES, LABELS, -np.log(P[range(6), LABELS]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_values(case: str) -> None:
    loss, pred, true, expected = CASES[case]
    y_pred, y_true = Tensor(pred), Tensor(true)
    per_sample = expected if expected.ndim == 1 else expected.mean(1)
    np.testing.assert_allclose(loss.per_sample(y_pred, y_true).numpy(), per_sample, rtol=1e-9)
    assert loss(y_pred, y_true).item() == pytest.approx(expected.mean(), rel=1e-9)
    weight = np.arange(6.0)
    weighted = loss(y_pred, y_true, weight).item()
    assert weighted == pytest.approx((weight * per_sample).sum() / 6, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_gradients(case: str) -> None:
    loss, pred, true, _ = CASES[case]
    y_true, weight = Tensor(true), Tensor(np.arange(1.0, 7.0))
    y_pred = Tensor(pred, requires_grad=True)
    loss(y_pred, y_true, weight).backward()
    step = 1e-6
    for at in np.ndindex(pred.shape):
        sides = []
        for sign in (1, -1):
            moved = pred.copy()
            moved[at] += sign * step
            sides.append(loss(Tensor(moved), y_true, weight).item())
        measured = (sides[0] - sides[1]) / (2 * step)
        assert y_pred.grad.numpy()[at] == pytest.approx(measured, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_float32_stays_float32(case: str) -> None:
    loss, pred, true, _ = CASES[case]
    true = true.astype("f") if true.dtype.kind == "f" else true
    y_pred = Tensor(pred.astype("f"), requires_grad=True)
    result = loss(y_pred, Tensor(true))
    result.backward()
    assert result.dtype == np.float32
    assert y_pred.grad.dtype == np.float32


# --- from the logits behind a probability ---

SURE = np.array([[40.0], [-40.0], [2.0]])


def test_cross_entropy_of_a_sigmoid_is_computed_from_its_logits() -> None:
    x = Tensor(SURE, requires_grad=True)
    y = np.array([0, 1, 1])
    loss = BinaryCrossentropy()(x.sigmoid(), y)
    assert loss.item() == pytest.approx((40 + 40 + np.log1p(np.exp(-2))) / 3, rel=1e-12)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy()[:, 0], (sigmoid(SURE[:, 0]) - y) / 3, rtol=1e-12)
    assert all(node.op.name != "sigmoid" for node in (loss, *loss.inputs) if node.op)


def test_without_a_graph_the_probability_is_clipped() -> None:
    with no_grad():
        loss = BinaryCrossentropy()(Tensor(SURE).sigmoid(), np.array([0, 1, 1]))
    far = -np.log(1e-7)
    assert loss.item() == pytest.approx((2 * far + np.log1p(np.exp(-2))) / 3, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "true"),
    [(CategoricalCrossentropy(), ONE_HOT), (SparseCategoricalCrossentropy(), LABELS)],
)
def test_cross_entropy_of_a_softmax_is_computed_from_its_logits(loss: Loss, true: Any) -> None:
    x = Tensor(30 * SCORES, requires_grad=True)
    result = loss(x.softmax(), true)
    shifted = 30 * (SCORES - SCORES.max(1, keepdims=True))
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    assert result.item() == pytest.approx(-logs[range(6), LABELS].mean(), rel=1e-12)
    assert result.item() > -np.log(1e-7) / 6  # what clipping would have hidden
    result.backward()
    np.testing.assert_allclose(x.grad.numpy(), (np.exp(logs) - ONE_HOT) / 6, rtol=1e-9, atol=1e-15)


def test_a_softmax_over_another_axis_is_taken_as_it_is() -> None:
    x = Tensor(SCORES, requires_grad=True)
    p = x.softmax(axis=0)
    expected = p.numpy() / p.numpy().sum(1, keepdims=True)
    result = CategoricalCrossentropy()(p, ONE_HOT).item()
    assert result == pytest.approx(-np.log(expected[ONE_HOT == 1]).mean(), rel=1e-9)


# --- shapes: nothing is broadcast ---


@pytest.mark.parametrize(
    "loss", [MeanSquaredError(), MeanAbsoluteError(), Huber(), Hinge(), BinaryCrossentropy()]
)
def test_truth_of_n_is_read_as_n_by_1(loss: Loss) -> None:
    pred = sigmoid(SCORES[:, :1])
    flat = loss(Tensor(pred), BITS[:, 0])
    assert flat.item() == pytest.approx(loss(Tensor(pred), BITS[:, :1]).item(), rel=1e-12)
    assert loss.per_sample(Tensor(pred), BITS[:, 0]).shape == (6,)


@pytest.mark.parametrize(
    ("pred", "true", "hint"),
    [
        ((6,), (6, 1), "Reshape one of them"),
        ((6, 4), (6,), "SparseCategoricalCrossentropy"),
        ((6, 4), (6, 1), "not broadcast"),
        ((6, 1), (5,), "not broadcast"),
        ((6, 2, 1), (6, 2), "Reshape one of them"),
    ],
)
def test_other_shapes_are_refused(pred: tuple[int, ...], true: tuple[int, ...], hint: str) -> None:
    for loss in (MeanSquaredError(), BinaryCrossentropy()):
        with pytest.raises(ShapeError, match=hint) as told:
            loss(Tensor(np.full(pred, 0.5)), Tensor(np.zeros(true)))
        assert str(pred) in str(told.value)
        assert str(true) in str(told.value)


def test_labels_are_one_number_per_sample() -> None:
    loss = SparseCategoricalCrossentropy()
    column = loss(Tensor(P), LABELS.reshape(6, 1)).item()
    assert column == pytest.approx(loss(Tensor(P), LABELS).item())
    with pytest.raises(ShapeError, match="One-hot truth needs CategoricalCrossentropy"):
        loss(Tensor(P), ONE_HOT)
    with pytest.raises(ShapeError, match=r"Labels of shape \(6,\) are needed"):
        loss(Tensor(P), LABELS[:5])
    with pytest.raises(DTypeError, match="labels must be integers, not float"):
        loss(Tensor(P), LABELS.astype("f"))


def test_an_empty_batch_has_no_mean() -> None:
    with pytest.raises(ShapeError, match="the batch is empty"):
        MeanSquaredError()(Tensor(np.zeros((0, 3))), Tensor(np.zeros((0, 3))))


def test_weights_are_one_per_sample() -> None:
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(5,\).*6 samples"):
        MeanSquaredError()(Tensor(SCORES), Tensor(TRUTH), np.ones(5))


# --- values: nothing impossible ---


@pytest.mark.parametrize(
    ("loss", "pred", "true", "told"),
    [
        (SparseCategoricalCrossentropy(), P, [0, 1, 4, 0, 0, 0], r"y_true\[2\] is 4, .*\[0, 3\]"),
        (SparseCategoricalCrossentropy(True), P, [0, -1, 0, 0, 0, 0], r"y_true\[1\] is -1"),
        (BinaryCrossentropy(), P[:, :1], [0, 1, 0, -1, 0, 0], r"y_true\[3, 0\] is -1, .*\[0, 1\]"),
        (BinaryCrossentropy(), P[:, :1], [0, 1, np.nan, 0, 0, 0], r"y_true\[2, 0\] is nan"),
        (CategoricalCrossentropy(), P, 2 * ONE_HOT, "is 2.0, outside"),
        (KLDivergence(), P, -ONE_HOT, "is -1.0, outside"),
        (Hinge(), P, 3 * BITS, "is 3, outside"),
    ],
)
def test_truth_out_of_range_is_named(loss: Loss, pred: Any, true: Any, told: str) -> None:
    with pytest.raises(DomainError, match=told):
        loss(Tensor(pred), np.array(true))


def test_labels_that_were_checked_are_not_looked_at_again(monkeypatch: Any) -> None:
    loss = SparseCategoricalCrossentropy()
    loss.checked = True
    monkeypatch.setattr(losses.crossentropy, "check_range", None)
    assert loss(Tensor(P), LABELS).item() > 0
    assert not SparseCategoricalCrossentropy().checked


# --- by name, and by function ---


@pytest.mark.parametrize("name", losses.BY_NAME)
def test_by_name(name: str) -> None:
    loss = losses.get(name)
    assert isinstance(loss, losses.BY_NAME[name])
    assert losses.get(loss) is loss
    assert type(losses.get(type(loss))) is type(loss)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'binary_crossentropy'"):
        losses.get("binary_crossentropi")
    with pytest.raises(TypeError, match="loss must be a name"):
        losses.get(None)  # type: ignore[arg-type]


def test_a_function_takes_the_prediction_first_unless_its_names_say_else() -> None:
    def ours(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - 2 * target) ** 2

    def keras(y_true: Tensor, y_pred: Tensor) -> Tensor:
        return (y_pred - 2 * y_true) ** 2

    expected = ((SCORES - 2 * TRUTH) ** 2).mean(1)
    for function in (ours, keras):
        loss = losses.get(function)
        found = loss.per_sample(Tensor(SCORES), TRUTH)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
        assert loss.name == function.__name__


def test_a_function_that_gives_one_number_cannot_be_weighed() -> None:
    loss = losses.get(lambda x, t: ((x - t) ** 2).sum())
    assert loss(Tensor(SCORES), TRUTH).item() == pytest.approx((ERROR**2).sum())
    with pytest.raises(ShapeError, match="one number for the whole batch"):
        loss(Tensor(SCORES), TRUTH, np.ones(6))


@pytest.mark.parametrize(
    ("function", "pred", "true", "expected"),
    [
        (losses.mse_loss, SCORES, TRUTH, ERROR**2),
        (losses.l1_loss, SCORES, TRUTH, ERROR),
        (losses.huber_loss, SCORES, TRUTH, np.where(ERROR < 1, ERROR**2 / 2, ERROR - 0.5)),
        (losses.binary_cross_entropy, sigmoid(SCORES), BITS, binary(sigmoid(SCORES), BITS)),
        (losses.binary_cross_entropy_with_logits, SCORES, BITS, binary(sigmoid(SCORES), BITS)),
        (losses.cross_entropy, SCORES, LABELS, -np.log(P[range(6), LABELS])),
        (losses.cross_entropy, SCORES, ONE_HOT, -np.log(P[range(6), LABELS])),
        (losses.cross_entropy, SCORES, ONE_HOT.astype(int), -np.log(P[range(6), LABELS])),
    ],
)
def test_functions(function: Callable[..., Tensor], pred: Any, true: Any, expected: Any) -> None:
    y_pred, y_true = Tensor(pred), Tensor(true)
    np.testing.assert_allclose(
        function(y_pred, y_true, reduction="none").numpy(), expected, rtol=1e-9
    )
    assert function(y_pred, y_true).item() == pytest.approx(expected.mean(), rel=1e-9)
    total = function(y_pred, y_true, reduction="sum").item()
    assert total == pytest.approx(expected.sum(), rel=1e-9)
    with pytest.raises(ValueError, match="reduction 'average' is none of mean, sum, none"):
        function(y_pred, y_true, reduction="average")


def test_huber_needs_a_distance() -> None:
    with pytest.raises(ValueError, match="delta must be above 0"):
        Huber(0)
    assert repr(Huber(2.0)) == "Huber(delta=2.0)"


@pytest.mark.parametrize(
    ("loss", "activation"),
    [(losses.cross_entropy, "softmax"), (losses.binary_cross_entropy_with_logits, "sigmoid")],
)
def test_a_loss_of_logits_refuses_what_is_activated_already(loss: Any, activation: str) -> None:
    x = Tensor([[1.0, -2.0]], requires_grad=True)
    truth = [0] if activation == "softmax" else [[0.0, 1.0]]
    with pytest.raises(ValueError, match=f"result of a {activation} already.*applied twice"):
        loss(getattr(x, activation)(), truth)
    loss(x, truth).backward()


def test_labels_that_were_right_are_looked_at_again_when_they_change() -> None:
    logits, labels = Tensor(np.zeros((2, 3), "f")), Tensor([0, 2])
    losses.cross_entropy(logits, labels)
    losses.cross_entropy(logits, labels)
    labels.assign([0, 3])
    with pytest.raises(DomainError, match=r"y_true\[1\] is 3"):
        losses.cross_entropy(logits, labels)
    narrow = Tensor(np.zeros((2, 1), "f"))
    labels.assign([0, 1])
    losses.cross_entropy(logits, labels)
    with pytest.raises(DomainError):  # right for three classes, wrong for a hinge's two
        losses.Hinge()(narrow, Tensor([[0], [3]]))


# --- sequences ---

STEPS = RNG.normal(size=(3, 5, 4))
WORDS = RNG.integers(0, 4, (3, 5))
PADDED = np.arange(5) >= np.array([[5], [2], [0]])
EACH = -np.log(np.take_along_axis(softmax(STEPS), WORDS[..., None], -1)[..., 0])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("logits", [True, False])
def test_padding_does_not_count(logits: bool, smoothing: float) -> None:
    loss = SparseCategoricalCrossentropy(logits, ignore_index=-100, label_smoothing=smoothing)
    labels = np.where(PADDED, -100, WORDS)
    x = STEPS if logits else softmax(STEPS)
    each = (1 - smoothing) * EACH - smoothing * np.log(softmax(STEPS)).mean(-1)
    y_pred = Tensor(x, requires_grad=True)
    result = loss(y_pred, labels)
    result.backward()
    assert result.item() == pytest.approx(each[~PADDED].mean(), rel=1e-9)
    assert (y_pred.grad.numpy()[PADDED] == 0).all()
    assert (y_pred.grad.numpy()[~PADDED] != 0).any(-1).all()
    per_sample = [each[0].mean(), each[1, :2].mean(), 0.0]
    np.testing.assert_allclose(loss.per_sample(Tensor(x), labels).numpy(), per_sample, rtol=1e-9)
    assert loss(Tensor(x[2:]), labels[2:]).item() == 0  # nothing counts: nothing to learn
    weighted = loss(Tensor(x), labels, np.array([1.0, 3.0, 5.0]))
    expected = (each[0].sum() + 3 * each[1, :2].sum()) / 7
    assert weighted.item() == pytest.approx(expected, rel=1e-9)
    with pytest.raises(DomainError, match=r"y_true\[1, 2\] is -100.*ignore_index"):
        SparseCategoricalCrossentropy(logits)(Tensor(x), labels)
    with pytest.raises(DomainError, match=r"y_true\[0, 0\] is 9"):
        loss(Tensor(x), np.where(PADDED, -100, 9))


def test_weights_and_masks_of_sequences() -> None:
    loss, weight = SparseCategoricalCrossentropy(True), RNG.random((3, 5))
    assert loss(Tensor(STEPS), WORDS, weight).item() == pytest.approx((weight * EACH).mean())
    assert loss(Tensor(STEPS), WORDS, ~PADDED).item() == pytest.approx(EACH[~PADDED].mean())
    rows = np.array([True, False, True])
    assert loss(Tensor(STEPS), WORDS, rows).item() == pytest.approx(EACH[rows].mean())
    wild = STEPS.copy()
    wild[PADDED] = np.nan  # what is masked may be anything
    assert loss(Tensor(wild), WORDS, ~PADDED).item() == pytest.approx(EACH[~PADDED].mean())
    error = MeanSquaredError()
    expected = (STEPS**2)[~PADDED].mean()
    assert error(Tensor(STEPS), 0 * STEPS, ~PADDED).item() == pytest.approx(expected)
    with pytest.raises(
        ShapeError, match=r"shape \(5,\), but there are 3.*must be \(3,\), or \(3, 5\)"
    ):
        loss(Tensor(STEPS), WORDS, np.ones(5))


def test_smoothing_out_of_range() -> None:
    for make in (BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy):
        with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\), not 1"):
            make(label_smoothing=1)
    with pytest.raises(ValueError, match="gamma must be 0 or above"):
        losses.BinaryFocalCrossentropy(gamma=-1.0)


# --- embeddings ---


def test_contrastive() -> None:
    pairs, same = RNG.normal(size=(6, 2, 3)), RNG.integers(0, 2, 6)
    d = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=-1)
    expected = np.where(same, d**2, np.maximum(1.7 - d, 0) ** 2)
    loss = losses.Contrastive(1.7)
    np.testing.assert_allclose(loss.per_sample(Tensor(pairs), same).numpy(), expected, rtol=1e-6)
    with pytest.raises(ShapeError, match="expected pairs of embeddings"):
        loss(Tensor(pairs[:, 0]), same)
    with pytest.raises(ShapeError, match="holds no pairs"):
        loss(Tensor(np.ones((6, 3, 2))), same)
    with pytest.raises(DomainError, match="1 says the same"):
        loss(Tensor(pairs), same + 1)


def test_triplets_are_the_hardest_of_the_batch() -> None:
    points, labels = RNG.normal(size=(7, 3)), np.array([0, 0, 1, 1, 2, 0, 1])
    d = np.linalg.norm(points[:, None] - points, axis=-1)
    same = labels[:, None] == labels
    expected = np.maximum(np.where(same, d, 0).max(1) - np.where(same, np.inf, d).min(1) + 0.4, 0)
    x = Tensor(points, requires_grad=True)
    loss = losses.Triplet(0.4)
    np.testing.assert_allclose(loss.per_sample(x, labels).numpy(), expected, rtol=1e-9)
    loss(x, labels).backward()
    assert np.isfinite(x.grad.numpy()).all()
    alone = loss(x, np.zeros(7, int))
    alone.backward()
    assert alone.item() == 0
    assert np.isfinite(x.grad.numpy()).all()


# --- alignments that are not known ---


def brute(p: Any, labels: list[int]) -> float:
    """-log of the sum over all paths (T, classes) that collapse to the labels."""
    total = 0.0
    for path in np.ndindex(*(p.shape[1],) * len(p)):
        merged = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        if [c for c in merged if c] == labels:
            total += np.prod([p[t, c] for t, c in enumerate(path)])
    return -np.log(total) if total else np.inf


@pytest.mark.parametrize("labels", [[1], [1, 2], [1, 1], [2, 1, 2], [2, 2, 1]])
def test_ctc_sums_over_all_paths(labels: list[int]) -> None:
    x = RNG.normal(size=(2, 5, 3))
    expected = [brute(softmax(row), labels) for row in x]
    padded = np.array([labels + [0] * (4 - len(labels))] * 2)
    found = losses.CTC().per_sample(Tensor(x), padded)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)
    log_p = Tensor(np.log(softmax(x)), requires_grad=True)
    found = ctc_loss(log_p, padded, [5, 4], [len(labels)] * 2, reduction="none")
    np.testing.assert_allclose(found.numpy(), [expected[0], brute(softmax(x[1])[:4], labels)])
    found.sum().backward()
    assert (log_p.grad.numpy()[1, 4] == 0).all()  # beyond the sequence's length
    np.testing.assert_allclose(log_p.grad.numpy()[0].sum(-1), -1)  # one state at each time


def test_ctc_that_does_not_fit() -> None:
    x = Tensor(RNG.normal(size=(1, 3, 4)), requires_grad=True)
    with pytest.raises(DomainError, match=r"y_true\[0\] has 3 labels, which need 4 steps"):
        losses.CTC()(x, [[1, 1, 2]])
    with pytest.raises(DomainError, match="has the blank, 0, between labels"):
        losses.CTC()(x, [[1, 0, 2]])
    with pytest.raises(DomainError, match="The model predicts 4 classes"):
        losses.CTC()(x, [[1, 7]])
    with pytest.raises(ShapeError, match=r"expected logits \(N, T, classes\)"):
        losses.CTC()(x, [1, 2])
    with pytest.raises(DomainError, match=r"ctc_loss: input_lengths\[0\] is 9, outside \[1, 3\]"):
        ctc_loss(x, [[1]], [9], [1])
    result = ctc_loss(x.log_softmax(), [[1, 1, 2]], [3], [3])
    result.backward()
    assert result.item() == np.inf
    assert (x.grad.numpy() == 0).all()


def test_ctc_of_nothing_said_is_the_chance_of_blanks() -> None:
    x = RNG.normal(size=(1, 3, 4))
    found = ctc_loss(Tensor(np.log(softmax(x))), [[0]], [3], [0], reduction="sum")
    assert found.item() == pytest.approx(-np.log(softmax(x)[0, :, 0]).sum())
