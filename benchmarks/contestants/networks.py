"""One training step of a convolutional, a recurrent and a transformer network, with Adam.

cnn   28×28×1 → conv 3×3, 32 → conv 3×3, 64 → max-pool 2 → dense 128 → 10, batch 64
lstm  embedding 65 → 128, LSTM of 128, 64 steps, batch 32, head 65 at every step
gpt   4 layers, width 128, 4 heads, context 64, batch 16, vocabulary 65, pre-norm, exact GELU

Both libraries begin with the same weights: Glorot uniform, biases 0, scales 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from . import Contestant, repeat, resident, threads
from .step import EPSILON, LEARNING_RATE, Training

VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS = 65, 64, 128, 4, 4


def parameters(net: str) -> list[tuple[str, tuple[int, ...]]]:
    """("kernel", "bias" or "scale", shape) of each, as our `nn` orders and lays them."""

    def dense(n: int, m: int) -> list[tuple[str, tuple[int, ...]]]:
        return [("kernel", (n, m)), ("bias", (m,))]

    if net == "cnn":
        first: list[tuple[str, tuple[int, ...]]] = [("kernel", (3, 3, 1, 32)), ("bias", (32,))]
        second: list[tuple[str, tuple[int, ...]]] = [("kernel", (3, 3, 32, 64)), ("bias", (64,))]
        return [*first, *second, *dense(9216, 128), *dense(128, 10)]
    if net == "lstm":
        cell = [("kernel", (WIDTH, 4 * WIDTH)), *dense(WIDTH, 4 * WIDTH)]
        return [("kernel", (VOCABULARY, WIDTH)), *cell, *dense(WIDTH, VOCABULARY)]
    tables = [("kernel", (VOCABULARY, WIDTH)), ("kernel", (CONTEXT, WIDTH))]
    norm = [("scale", (WIDTH,)), ("bias", (WIDTH,))]
    attention = dense(WIDTH, WIDTH) * 4  # queries, keys, values, output
    thinking = [*dense(WIDTH, 4 * WIDTH), *dense(4 * WIDTH, WIDTH)]
    return [*tables, *(norm + attention + norm + thinking) * LAYERS, *norm]


def weights(net: str) -> list[Any]:
    """Kernels (…, in, out) by Glorot's rule, scales 1, biases 0."""
    random = np.random.default_rng(1)
    arrays = []
    for kind, shape in parameters(net):
        if kind != "kernel":
            arrays.append(np.full(shape, float(kind == "scale"), "float32"))
            continue
        fans = prod(shape[:-2]) * (shape[-2] + shape[-1])
        limit = (6 / fans) ** 0.5
        arrays.append(limit * (2 * random.random(shape, "float32") - 1))
    return arrays


def batches(net: str) -> list[tuple[Any, Any]]:
    """Eight batches: images and classes, or ids and the ids that follow them."""
    random = np.random.default_rng(2)
    if net == "cnn":
        return [
            (random.standard_normal((64, 28, 28, 1), "float32"), random.integers(0, 10, 64))
            for _ in range(8)
        ]
    size = 32 if net == "lstm" else 16
    text = random.integers(0, VOCABULARY, (8, size, CONTEXT + 1))
    return [(ids[:, :-1].copy(), ids[:, 1:].copy()) for ids in text]


# --- ours ---


def glassgrad(net: str) -> Contestant:
    """Our `nn`, eagerly."""
    import nn  # noqa: F401  # what is imported is not what a step takes

    return _contestant(lambda: glassgrad_training(net), resident())


def glassgrad_training(net: str) -> Training:
    """Our training, from the initial weights."""
    import nn
    from autograd import Tensor

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
    return nn.GPT(VOCABULARY, CONTEXT, WIDTH, LAYERS, HEADS)


# --- PyTorch ---


def torch(net: str) -> Contestant:
    """PyTorch as its tutorials write it, with its own layout."""
    import torch
    import torch._dynamo  # so does the first optimizer, and 150 MB are no part of a step

    torch.set_num_threads(threads())
    return _contestant(lambda: torch_training(net), resident())


def torch_training(net: str, channels_last: bool = False, **options: Any) -> Training:
    """PyTorch's training, from the initial weights; the options are Adam's.

    With `channels_last` images and the weights of convolutions lie in memory as ours do.
    """
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = _theirs(net)
    parameters = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for p, w in zip(parameters, torch_weights(net), strict=True):
            p.copy_(torch.from_numpy(np.ascontiguousarray(w)))
    return Training(
        model.to(memory_format=layout),
        _cross_entropy,
        torch.optim.Adam(parameters, LEARNING_RATE, eps=EPSILON, **options),
        [(_their_batch(net, x, layout), torch.from_numpy(y)) for x, y in batches(net)],
    )


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
    return _their_gpt()


def _their_gpt() -> Any:
    """A GPT in PyTorch, in the manner of nanoGPT (Karpathy 2022)."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention_norm, self.dense_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.expand, self.reduce = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x: Any) -> Any:
            n, t, c = x.shape
            q, k, v = (
                part.view(n, t, HEADS, c // HEADS).transpose(1, 2)
                for part in self.qkv(self.attention_norm(x)).split(c, dim=2)
            )
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.output(y.transpose(1, 2).reshape(n, t, c))
            return x + self.reduce(functional.gelu(self.expand(self.dense_norm(x))))

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.position = nn.Embedding(CONTEXT, WIDTH)
            self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)

        def forward(self, ids: Any) -> Any:
            x = self.embedding(ids) + self.position(torch.arange(ids.shape[1]))
            for block in self.blocks:
                x = block(x)
            return self.norm(x) @ self.embedding.weight.T  # the head shares the table

    return GPT()


def torch_weights(net: str) -> list[Any]:
    """The same weights in PyTorch's layout: (out, in, …)."""
    arrays = weights(net)
    if net == "cnn":
        places = arrays[4].reshape(12, 12, 64, 128)  # channels come first there when flattened
        arrays[4] = places.transpose(2, 0, 1, 3).reshape(9216, 128)
        return [w.transpose(3, 2, 0, 1) if w.ndim == 4 else w.T for w in arrays]
    if net == "lstm":
        return [arrays[0], *[w.T for w in arrays[1:]]]
    found, rest = arrays[:2], iter(arrays[2:])
    for _ in range(LAYERS):  # theirs: both norms, then one matrix for queries, keys and values
        first = [next(rest), next(rest)]
        kernels, biases = zip(*[(next(rest).T, next(rest)) for _ in range(4)], strict=True)
        second = [next(rest), next(rest)]
        dense = [w.T for w in (next(rest) for _ in range(4))]
        qkv = [np.concatenate(kernels[:3]), np.concatenate(biases[:3])]
        found += [*first, *second, *qkv, kernels[3], biases[3], *dense]
    return [*found, *rest]


def _their_batch(net: str, x: Any, layout: Any) -> Any:
    import torch

    if net != "cnn":
        return torch.from_numpy(x)
    return torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)


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
