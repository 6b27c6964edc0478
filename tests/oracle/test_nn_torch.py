"""Losses, optimizers, initialisers and whole networks beside PyTorch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, random
from nn import activations, init, losses
from nn.layers import Dense, Sequential
from nn.losses import BinaryCrossentropy, CategoricalCrossentropy, Huber, KLDivergence
from nn.optim import SGD, Adagrad, Adam, AdamW, RMSprop

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.oracle

F = torch.nn.functional
RNG = np.random.default_rng(8)
SCORES, TRUTH = RNG.normal(size=(6, 4)) * 3, RNG.normal(size=(6, 4)) * 3
BITS, LABELS = RNG.integers(0, 2, (6, 4)), RNG.integers(0, 4, 6)


def probabilities(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


P, DISTRIBUTION = probabilities(SCORES), probabilities(TRUTH)

LOSSES: dict[str, tuple[Any, Callable[..., Any], Any, Any]] = {
    "mse": (losses.mse_loss, F.mse_loss, SCORES, TRUTH),
    "l1": (losses.l1_loss, F.l1_loss, SCORES, TRUTH),
    "huber": (Huber(0.7), lambda x, t: F.huber_loss(x, t, delta=0.7), SCORES, TRUTH),
    "bce": (losses.binary_cross_entropy, F.binary_cross_entropy, P, BITS * 1.0),
    "bce, soft": (BinaryCrossentropy(), F.binary_cross_entropy, P, DISTRIBUTION),
    "bce with logits": (
        losses.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits,
        20 * SCORES, BITS * 1.0,
    ),
    "cross entropy": (losses.cross_entropy, F.cross_entropy, 20 * SCORES, LABELS),
    "cross entropy, soft": (losses.cross_entropy, F.cross_entropy, SCORES, DISTRIBUTION),
    "categorical": (
        CategoricalCrossentropy(True), F.cross_entropy, SCORES, np.eye(4)[LABELS],
    ),
    "kl": (
        KLDivergence(), lambda p, t: F.kl_div(p.log(), t, reduction="batchmean"), P, DISTRIBUTION,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", LOSSES)
def test_losses_and_their_gradients(case: str, dtype: str) -> None:
    ours, theirs, pred, true = LOSSES[case]
    true = true.astype(dtype) if true.dtype.kind == "f" else true
    x = Tensor(pred.astype(dtype), requires_grad=True)
    y = torch.tensor(pred.astype(dtype), requires_grad=True)
    mine, expected = ours(x, Tensor(true)), theirs(y, torch.tensor(true))
    mine.backward()
    expected.backward()
    close = {"rtol": 1e-5, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(mine.item(), expected.item(), **close)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), **close)


T = torch.optim
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any], Any, dict[str, Any]]] = {
    "sgd": (SGD, {}, T.SGD, {}),
    "momentum": (SGD, {"momentum": 0.9, "weight_decay": 0.02}, T.SGD,
                 {"momentum": 0.9, "weight_decay": 0.02}),
    "nesterov": (SGD, {"momentum": 0.9, "nesterov": True}, T.SGD,
                 {"momentum": 0.9, "nesterov": True}),
    "adagrad": (Adagrad, {"initial_accumulator": 0.1, "eps": 1e-6}, T.Adagrad,
                {"initial_accumulator_value": 0.1, "eps": 1e-6}),
    "rmsprop": (RMSprop, {"rho": 0.95, "eps": 1e-6, "weight_decay": 0.1}, T.RMSprop,
                {"alpha": 0.95, "eps": 1e-6, "weight_decay": 0.1}),
    "adam": (Adam, {"eps": 1e-4}, T.Adam, {"eps": 1e-4}),
    "adam, decay": (Adam, {"betas": (0.8, 0.99), "weight_decay": 0.1}, T.Adam,
                    {"betas": (0.8, 0.99), "weight_decay": 0.1, "eps": 1e-7}),
    "adamw": (AdamW, {"weight_decay": 0.1}, T.AdamW, {"weight_decay": 0.1, "eps": 1e-7}),
}  # fmt: skip


def twins(dtype: str) -> tuple[Sequential, Any]:
    """A network here and the same in PyTorch, with the same weights."""
    ours = Sequential([Dense(8, "tanh", input_shape=(5,)), Dense(6, "relu"), Dense(1)])
    theirs = torch.nn.Sequential(
        torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 6), torch.nn.ReLU(),
        torch.nn.Linear(6, 1),
    ).to(getattr(torch, dtype))  # fmt: skip
    for dense, linear in zip(ours, theirs[::2], strict=True):
        dense.weight = Tensor(dense.weight.numpy(), dtype=dtype, requires_grad=True)
        dense.bias = Tensor(dense.bias.numpy(), dtype=dtype, requires_grad=True)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(dense.weight.numpy().T.copy()))
            linear.bias.copy_(torch.from_numpy(dense.bias.numpy().copy()))
    return ours, theirs


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("case", OPTIMIZERS)
def test_twenty_steps_of_a_network(case: str, clip: float | None) -> None:
    make, options, torch_make, torch_options = OPTIMIZERS[case]
    random.seed(4)
    ours, theirs = twins("float64")
    mine = make(ours.parameters(), lr=0.05, clip_norm=clip, **options)
    other = torch_make(theirs.parameters(), lr=0.05, **torch_options)
    rng = np.random.default_rng(1)
    for _ in range(20):
        x, y = rng.normal(size=(16, 5)), rng.normal(size=(16, 1))
        losses.mse_loss(ours(Tensor(x)), Tensor(y)).backward()
        F.mse_loss(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        if clip is not None:
            norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), np.inf).item()
            for p in theirs.parameters():
                p.grad *= min(1.0, clip / norm)
        mine.step()
        other.step()
        mine.zero_grad()
        other.zero_grad()
    expected = [p.detach().numpy() for p in theirs.parameters()]
    for p, e in zip(ours.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.numpy(), e.T, rtol=1e-7, atol=1e-9)


def test_float32_training_stays_close_over_twenty_steps() -> None:
    random.seed(4)
    ours, theirs = twins("float32")
    mine, other = Adam(ours.parameters()), T.Adam(theirs.parameters(), eps=1e-7)
    rng = np.random.default_rng(1)
    for _ in range(20):
        x, y = rng.normal(size=(16, 5)).astype("f"), rng.normal(size=(16, 1)).astype("f")
        losses.mse_loss(ours(Tensor(x)), Tensor(y)).backward()
        F.mse_loss(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        mine.step()
        other.step()
        mine.zero_grad()
        other.zero_grad()
    expected = [p.detach().numpy() for p in theirs.parameters()]
    for p, e in zip(ours.parameters(), expected, strict=True):
        np.testing.assert_allclose(p.numpy(), e.T, rtol=1e-4, atol=2e-5)


INITIALISERS = {
    "glorot_uniform": torch.nn.init.xavier_uniform_,
    "glorot_normal": torch.nn.init.xavier_normal_,
    "he_uniform": lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_normal": lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu"),
    "lecun_uniform": lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="linear"),
    "lecun_normal": lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="linear"),
    "orthogonal": torch.nn.init.orthogonal_,
}


@pytest.mark.parametrize("name", INITIALISERS)
def test_initialisers_draw_from_the_same_distribution(name: str) -> None:
    random.seed(12)
    torch.manual_seed(12)
    ours = np.sort(init.get(name)((160, 250)).numpy().ravel())
    theirs = np.sort(INITIALISERS[name](torch.empty(250, 160)).numpy().ravel())
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    both = np.concatenate([ours, theirs])
    shares = [np.searchsorted(a, both, side="right") / a.size for a in (ours, theirs)]
    distance = np.abs(shares[0] - shares[1]).max()  # Kolmogorov and Smirnov's
    assert distance < 1.95 * np.sqrt(2 / ours.size)  # passed by chance but once in a thousand


TWINS = {
    "relu": F.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": F.softplus,
    "softmax": lambda x: F.softmax(x, -1), "log_softmax": lambda x: F.log_softmax(x, -1),
    "gelu": F.gelu, "silu": F.silu, "swish": F.silu, "elu": F.elu, "selu": F.selu,
    "leaky_relu": F.leaky_relu, "mish": F.mish, "softsign": F.softsign, "hardtanh": F.hardtanh,
    "log_sigmoid": F.logsigmoid, "linear": lambda x: x,
}  # fmt: skip


@pytest.mark.parametrize("name", activations._BY_NAME)
def test_activations_and_their_gradients_also_at_kinks(name: str) -> None:
    points = np.array([-40.0, -3.0, -1.0, -0.2, 0.0, 0.3, 1.0, 2.5, 15.0])
    slopes = RNG.normal(size=points.shape)
    x, y = Tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    mine, expected = activations.get(name)(x), TWINS[name](y)
    mine.backward(slopes)
    expected.backward(torch.tensor(slopes))
    np.testing.assert_allclose(mine.numpy(), expected.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-7, atol=1e-9)
