"""One training step of a convolutional, a recurrent and a transformer network, with Adam.

cnn   28×28×1 → conv 3×3, 32 → conv 3×3, 64 → max-pool 2 → dense 128 → 10, batch 64
lstm  embedding 65 → 128, LSTM of 128, 64 steps, batch 32, head 65 at every step
gpt   4 layers, width 128, 4 heads, context 64, batch 16, vocabulary 65, pre-norm, exact GELU

Both libraries begin with the same weights: the shapes below, Glorot uniform, biases 0, scales 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import Contestant, repeat, resident
from .step import EPSILON, LEARNING_RATE, Training

VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS = 65, 64, 128, 4, 4


def shapes(net: str) -> list[tuple[int, ...]]:
    """Of the parameters, in the order and layout of our `nn`."""
    if net == "cnn":
        return [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (9216, 128), (128,), (128, 10), (10,)]
    if net == "lstm":
        return [(VOCABULARY, WIDTH), (WIDTH, 4 * WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH,),
                (WIDTH, VOCABULARY), (VOCABULARY,)]  # fmt: skip
    raise NotImplementedError(net)


def weights(net: str) -> list[Any]:
    """Kernels (…, in, out) by Glorot's rule, biases 0."""
    random = np.random.default_rng(1)
    arrays = []
    for shape in shapes(net):
        if len(shape) == 1:
            arrays.append(np.zeros(shape, "float32"))
            continue
        fans = prod(shape[:-2]) * (shape[-2] + shape[-1])
        limit = (6 / fans) ** 0.5
        arrays.append(random.uniform(-limit, limit, shape).astype("float32"))
    return arrays


def batches(net: str) -> list[tuple[Any, Any]]:
    """Eight batches: images and classes, or ids and the ids that follow them."""
    random = np.random.default_rng(2)
    if net == "cnn":
        return [
            (random.standard_normal((64, 28, 28, 1)).astype("float32"), random.integers(0, 10, 64))
            for _ in range(8)
        ]
    size = 32 if net == "lstm" else 16
    text = random.integers(0, VOCABULARY, (8, size, CONTEXT + 1))
    return [(ids[:, :-1].copy(), ids[:, 1:].copy()) for ids in text]


# --- ours ---


def glassgrad(net: str) -> Contestant:
    """Our `nn`, eagerly."""
    import nn
    from autograd import Tensor

    imported = resident()

    def begin() -> Training:
        model = _ours(net)
        model(Tensor(batches(net)[0][0][:1]))
        for p, w in zip(model.parameters(), weights(net), strict=True):
            p.assign(w)
        return Training(
            model,
            nn.cross_entropy,
            nn.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON),
            [(Tensor(x), Tensor(y)) for x, y in batches(net)],
        )

    return _contestant(begin, imported)


def _ours(net: str) -> Any:
    import nn

    if net == "cnn":
        return nn.Sequential([
            nn.Conv2D(32, 3, activation="relu"), nn.Conv2D(64, 3, activation="relu"),
            nn.MaxPooling2D(2), nn.Flatten(), nn.Dense(128, activation="relu"), nn.Dense(10),
        ])  # fmt: skip
    if net == "lstm":
        return nn.Sequential([
            nn.Embedding(VOCABULARY, WIDTH), nn.LSTM(WIDTH, return_sequences=True),
            nn.Dense(VOCABULARY),
        ])  # fmt: skip
    raise NotImplementedError(net)


# --- PyTorch ---


def torch(net: str) -> Contestant:
    """PyTorch as its tutorials write it, with its own layout."""
    import torch

    torch.set_num_threads(2)
    imported = resident()

    def begin() -> Training:
        model = _theirs(net)
        parameters = [p for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            for p, w in zip(parameters, _their_weights(net), strict=True):
                p.copy_(torch.from_numpy(np.ascontiguousarray(w)))
        return Training(
            model,
            _cross_entropy,
            torch.optim.Adam(parameters, LEARNING_RATE, eps=EPSILON),
            [(_their_batch(net, x), torch.from_numpy(y)) for x, y in batches(net)],
        )

    return _contestant(begin, imported)


def _theirs(net: str) -> Any:
    from torch import nn

    if net == "cnn":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip
    if net == "lstm":

        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(VOCABULARY, WIDTH)
                self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
                self.lstm.bias_hh_l0.requires_grad_(False).zero_()  # ours has one bias, not two
                self.head = nn.Linear(WIDTH, VOCABULARY)

            def forward(self, ids: Any) -> Any:
                return self.head(self.lstm(self.embedding(ids))[0])

        return Net()
    raise NotImplementedError(net)


def _their_weights(net: str) -> list[Any]:
    """The same weights in PyTorch's layout: (out, in, …)."""
    arrays = weights(net)
    if net == "cnn":
        places = arrays[4].reshape(12, 12, 64, 128)  # channels come first there when flattened
        arrays[4] = places.transpose(2, 0, 1, 3).reshape(9216, 128)
        return [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T for w in arrays]
    if net == "lstm":
        return [arrays[0], *[w.T for w in arrays[1:]]]
    raise NotImplementedError(net)


def _their_batch(net: str, x: Any) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if net == "cnn" else x)


def _cross_entropy(logits: Any, y: Any) -> Any:
    from torch.nn import functional

    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))


# --- both ---


def _contestant(begin: Callable[[], Training], imported: int) -> Contestant:
    training = begin()

    def start() -> None:
        nonlocal training
        training = begin()

    def answer() -> list[float]:
        """The loss of each of 10 steps from the initial weights."""
        start()
        return [training.step().item() for _ in range(10)]

    return Contestant(repeat(lambda: training.step(), start), answer, {"imported": imported})
