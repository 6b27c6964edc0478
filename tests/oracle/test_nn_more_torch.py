"""Losses, optimizers and schedules that came later, beside PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor
from nn import losses, optim
from nn.losses import BinaryCrossentropy, LogCosh, Poisson, ctc_loss, triplet_margin_loss

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

F, T = torch.nn.functional, torch.optim
RNG = np.random.default_rng(9)
SCORES, TRUTH = RNG.normal(size=(3, 5, 4)) * 3, RNG.normal(size=(3, 5, 4)) * 3
LABELS = RNG.integers(0, 4, (3, 5))
LABELS[1, 2:] = LABELS[2, 4:] = -100
RATES = np.abs(SCORES) + 0.1
ROWS = [SCORES.reshape(15, 4), TRUTH.reshape(15, 4)]


def sequence(**options: Any) -> Callable[..., Any]:
    return lambda x, t: F.cross_entropy(x.transpose(1, 2), t, **options)


LOSSES: dict[str, tuple[Any, Callable[..., Any], Any, Any]] = {
    "ignored": (
        lambda x, t: losses.cross_entropy(x, t, ignore_index=-100), sequence(), SCORES, LABELS,
    ),
    "ignored, sum": (
        lambda x, t: losses.cross_entropy(x, t, "sum", ignore_index=-100),
        sequence(reduction="sum"), SCORES, LABELS,
    ),
    "smoothed": (
        lambda x, t: losses.cross_entropy(x, t, ignore_index=-100, label_smoothing=0.1),
        sequence(label_smoothing=0.1), SCORES, LABELS,
    ),
    "smoothed, soft": (
        lambda x, t: losses.cross_entropy(x, t.softmax(), label_smoothing=0.1),
        lambda x, t: F.cross_entropy(x, t.softmax(-1), label_smoothing=0.1), *ROWS,
    ),
    "bce, smoothed": (
        BinaryCrossentropy(True, label_smoothing=0.2),
        lambda x, t: F.binary_cross_entropy_with_logits(x, 0.8 * t + 0.1),
        SCORES, 1.0 * (TRUTH > 0),
    ),
    "focal": (
        losses.BinaryFocalCrossentropy(gamma=2.0, from_logits=True),
        lambda x, t: (
            F.binary_cross_entropy_with_logits(x, t, reduction="none")
            * (1 - torch.where(t == 1, x.sigmoid(), 1 - x.sigmoid())) ** 2
        ).mean(),
        SCORES, 1.0 * (TRUTH > 0),
    ),
    "poisson": (
        Poisson(), lambda x, t: F.poisson_nll_loss(x, t, log_input=False, eps=1e-7),
        RATES, np.round(RATES),
    ),
    "log cosh": (LogCosh(), lambda x, t: (x - t).cosh().log().mean(), SCORES, TRUTH),
    "cosine": (
        losses.CosineSimilarity(), lambda x, t: -F.cosine_similarity(x, t, dim=-1).mean(),
        SCORES, TRUTH,
    ),
    "info nce": (
        losses.InfoNCE(0.3),
        lambda x, t: F.cross_entropy(
            F.normalize(x) @ F.normalize(t).T / 0.3, torch.arange(len(x))
        ), *ROWS,
    ),
    "triplet": (
        lambda x, t: triplet_margin_loss(x[:5], x[5:10], x[10:], 2.0),
        lambda x, t: F.triplet_margin_loss(x[:5], x[5:10], x[10:], 2.0, eps=0), *ROWS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LOSSES)
def test_losses_and_their_gradients(case: str) -> None:
    ours, theirs, pred, true = LOSSES[case]
    x, y = Tensor(pred, requires_grad=True), torch.tensor(pred, requires_grad=True)
    mine, expected = ours(x, Tensor(true)), theirs(y, torch.tensor(true))
    mine.backward()
    expected.backward()
    np.testing.assert_allclose(mine.item(), expected.item(), rtol=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(4, 12, 5, 4), (3, 60, 20, 17)])
def test_ctc(size: tuple[int, ...], dtype: str, reduction: str) -> None:
    n, steps, classes, most = size
    rng = np.random.default_rng(n)
    scores = (3 * rng.normal(size=(n, steps, classes))).astype(dtype)
    blank = classes - 1
    labels = rng.integers(0, classes - 1, (n, most))
    lengths, label_lengths = rng.integers(2 * most, steps + 1, n), rng.integers(1, most + 1, n)
    label_lengths[0] = 0
    x, y = Tensor(scores, requires_grad=True), torch.tensor(scores, requires_grad=True)
    mine = ctc_loss(x.log_softmax(), labels, lengths, label_lengths, blank, reduction)
    expected = F.ctc_loss(
        y.log_softmax(-1).transpose(0, 1), *map(torch.tensor, (labels, lengths, label_lengths)),
        blank, reduction,
    )  # fmt: skip
    mine.sum().backward()
    expected.sum().backward()
    rough = 1e-9 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(mine.numpy(), expected.detach().numpy(), rtol=rough)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=rough, atol=rough)


OPTIMIZERS: dict[str, tuple[Any, dict[str, Any], Any, dict[str, Any]]] = {
    "adadelta": (optim.Adadelta, {"rho": 0.9, "eps": 1e-6, "weight_decay": 0.1}, T.Adadelta,
                 {"rho": 0.9, "eps": 1e-6, "weight_decay": 0.1}),
    "amsgrad": (optim.Adam, {"amsgrad": True}, T.Adam, {"amsgrad": True, "eps": 1e-7}),
    "adamw, amsgrad": (optim.AdamW, {"amsgrad": True, "weight_decay": 0.1}, T.AdamW,
                       {"amsgrad": True, "eps": 1e-7, "weight_decay": 0.1}),
    "nadam": (optim.Nadam, {"weight_decay": 0.1}, T.NAdam, {"eps": 1e-7, "weight_decay": 0.1}),
    "adafactor": (optim.Adafactor, {}, T.Adafactor, {"weight_decay": 0.0, "eps": (1e-30, 1e-3)}),
}  # fmt: skip


@pytest.mark.parametrize("case", OPTIMIZERS)
def test_thirty_steps(case: str) -> None:
    make, options, torch_make, torch_options = OPTIMIZERS[case]
    start = [RNG.normal(size=shape) for shape in ((3, 4), (4,), (2, 3, 5))]
    ours = [Tensor(p, requires_grad=True) for p in start]
    theirs = [torch.tensor(p, requires_grad=True) for p in start]
    mine = make(ours, lr=0.05, **options)
    other = torch_make(theirs, lr=0.05, **torch_options)
    for _ in range(30):
        for p, q in zip(ours, theirs, strict=True):
            g = RNG.normal(size=p.shape)
            p.grad, q.grad = g, torch.tensor(g)
        mine.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-7, atol=1e-8)


def test_groups() -> None:
    start = [RNG.normal(size=4) for _ in range(2)]
    a, b = (Tensor(p, requires_grad=True) for p in start)
    c, d = (torch.tensor(p, requires_grad=True) for p in start)
    mine = optim.AdamW([{"params": [a], "lr": 0.1}, {"params": [b], "weight_decay": 0.3}], lr=0.01)
    other = T.AdamW(
        [{"params": [c], "lr": 0.1}, {"params": [d], "weight_decay": 0.3}],
        lr=0.01, weight_decay=0.004, eps=1e-7,
    )  # fmt: skip
    for _ in range(10):
        for p, q in ((a, c), (b, d)):
            g = RNG.normal(size=4)
            p.grad, q.grad = g, torch.tensor(g)
        mine.step()
        other.step()
    for p, q in ((a, c), (b, d)):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-9)


L = T.lr_scheduler
SCHEDULES: dict[str, tuple[Any, Callable[..., Any]]] = {
    "step": (optim.StepDecay(0.3, 7, 0.5), lambda o: L.StepLR(o, 7, 0.5)),
    "multi-step": (
        optim.MultiStepDecay(0.3, (5, 20)), lambda o: L.MultiStepLR(o, [5, 20]),
    ),
    "exponential": (optim.ExponentialDecay(0.3, 1, 0.9), lambda o: L.ExponentialLR(o, 0.9)),
    "polynomial": (
        optim.PolynomialDecay(0.3, 20, power=2.0), lambda o: L.PolynomialLR(o, 20, power=2.0),
    ),
    "cosine": (
        optim.CosineDecay(0.3, 40, end=0.1), lambda o: L.CosineAnnealingLR(o, 40, eta_min=0.1),
    ),
    "restarts": (
        optim.CosineDecayRestarts(0.3, 5, end=0.1),
        lambda o: L.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.1),
    ),
    "one cycle": (optim.OneCycle(0.3, 40), lambda o: L.OneCycleLR(o, 0.3, total_steps=40)),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEDULES)
def test_schedules(case: str) -> None:
    ours, make = SCHEDULES[case]
    optimizer = T.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs, rates = make(optimizer), []
    for step in range(40):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < 39:
            theirs.step()
    np.testing.assert_allclose(ours.values(40), rates, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", [{}, {"cooldown": 3}, {"threshold": 0.1, "mode": "max"}])
def test_a_plateau(options: dict[str, Any]) -> None:
    optimizer = T.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = L.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, **options)
    ours = optim.ReduceOnPlateau(0.3, factor=0.5, patience=2, **options)
    for figure in np.abs(np.random.default_rng(3).normal(1.0, 0.1, 60)).tolist():
        theirs.step(figure)
        assert ours.update(figure) == pytest.approx(optimizer.param_groups[0]["lr"])
