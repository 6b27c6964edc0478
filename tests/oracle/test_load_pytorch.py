"""Weights of PyTorch's modules in ours: the same outputs, for every kind of layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.pytorch import load_pytorch

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle
T = torch.nn


def same(ours: Any, theirs: Any, x: Any, first: bool = False) -> None:
    """Both answer alike; `first` gives theirs the channels first."""
    theirs.eval()
    with torch.no_grad():
        given = torch.from_numpy(np.moveaxis(x, -1, 1).copy() if first else x)
        expected = theirs(given)
    expected = (expected[0] if isinstance(expected, tuple) else expected).numpy()
    if first and expected.ndim == x.ndim:
        expected = np.moveaxis(expected, 1, -1)
    np.testing.assert_allclose(ours.eval()(Tensor(x)).numpy(), expected, rtol=2e-4, atol=2e-5)


def draw(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_an_mlp_from_a_file_with_its_layers_in_order(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    theirs = T.Sequential(*[part for n in range(11) for part in (T.Linear(5, 5), T.ReLU())],
                          T.Linear(5, 3))  # fmt: skip
    save_file(theirs.state_dict(), tmp_path / "mlp.safetensors")  # sorts the names: 0, 10, 12, 2
    ours = nn.Sequential([*[nn.Dense(5, activation="relu") for _ in range(11)], nn.Dense(3)])
    load_pytorch(ours, tmp_path / "mlp.safetensors")
    same(ours, theirs, draw(4, 5))


def test_a_cnn_with_batch_normalisation_and_flattened_images() -> None:
    theirs = T.Sequential(
        T.Conv2d(3, 4, 3, padding=1), T.BatchNorm2d(4), T.ReLU(), T.MaxPool2d(2),
        T.Conv2d(4, 8, (3, 2), stride=2, groups=2), T.Flatten(), T.Linear(32, 16), T.ReLU(),
        T.Linear(16, 2),
    )  # fmt: skip
    theirs.train()
    theirs(torch.from_numpy(draw(8, 3, 10, 8)))  # running statistics that are not 0 and 1
    ours = nn.Sequential([
        nn.Conv2D(4, 3, padding=1, input_shape=(10, 8, 3)), nn.BatchNorm(eps=1e-5), nn.ReLU(),
        nn.MaxPooling2D(2), nn.Conv2D(8, (3, 2), strides=2, groups=2), nn.Flatten(),
        nn.Dense(16, activation="relu"), nn.Dense(2),
    ])  # fmt: skip
    load_pytorch(ours, theirs, input_shape=(10, 8, 3))
    same(ours, theirs, draw(2, 10, 8, 3), first=True)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: nn.Conv1D(6, 3, groups=2), lambda: T.Conv1d(4, 6, 3, groups=2)),
        (lambda: nn.Conv1DTranspose(6, 3, strides=2),
         lambda: T.ConvTranspose1d(4, 6, 3, stride=2)),
        (lambda: nn.DepthwiseConv1D(3), lambda: T.Conv1d(4, 4, 3, groups=4)),
    ],
    ids=["grouped", "transposed", "depthwise"],
)  # fmt: skip
def test_a_convolution(ours: Any, theirs: Any) -> None:
    layer, peer = nn.Sequential([ours()]), T.Sequential(theirs())
    layer(Tensor(draw(2, 9, 4)))
    load_pytorch(layer, peer)
    same(layer, peer, draw(2, 9, 4), first=True)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_a_recurrent_layer(name: str) -> None:
    theirs = getattr(T, name)(4, 6, batch_first=True)
    ours = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.SimpleRNN}[name](6, return_sequences=True)
    load_pytorch(ours, theirs)
    same(ours, theirs, draw(3, 5, 4))


def test_an_attention() -> None:
    theirs = T.MultiheadAttention(8, 2, batch_first=True)
    T.init.normal_(theirs.in_proj_bias)
    ours = nn.MultiHeadAttention(2, input_shape=(None, 8))
    load_pytorch(ours, theirs)
    x = draw(2, 5, 8)
    with torch.no_grad():
        expected = theirs(*[torch.from_numpy(x)] * 3)[0].numpy()
    np.testing.assert_allclose(ours(Tensor(x)).numpy(), expected, rtol=1e-4, atol=1e-5)


class Block(T.Module):  # type: ignore[name-defined,misc]
    """A block of GPT-2 as it is commonly written in PyTorch."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = T.LayerNorm(width), T.LayerNorm(width)
        self.attn = T.Module()
        self.attn.c_attn, self.attn.c_proj = T.Linear(width, 3 * width), T.Linear(width, width)
        self.mlp = T.Module()
        self.mlp.c_fc, self.mlp.c_proj = T.Linear(width, 4 * width), T.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        n, t, c = x.shape
        q, k, v = (
            part.view(n, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.attn.c_attn(self.ln_1(x)).split(c, dim=2)
        )
        y = T.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn.c_proj(y.transpose(1, 2).reshape(n, t, c))
        return x + self.mlp.c_proj(T.functional.gelu(self.mlp.c_fc(self.ln_2(x))))


class GPT(T.Module):  # type: ignore[name-defined,misc]
    """A small GPT in PyTorch, whose head shares the table of its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = T.Embedding(11, 16), T.Embedding(8, 16)
        self.h = T.ModuleList([Block(16, 4) for _ in range(2)])
        self.ln_f = T.LayerNorm(16)

    def forward(self, ids: Any) -> Any:
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


NAMES = {
    "embedding": "wte", "position": "wpe", "norm": "ln_f",
    "blocks.*.attention_norm": "h.*.ln_1", "blocks.*.attention": "h.*.attn",
    "blocks.*.dense_norm": "h.*.ln_2", "blocks.*.expand": "h.*.mlp.c_fc",
    "blocks.*.reduce": "h.*.mlp.c_proj",
}  # fmt: skip


@pytest.mark.parametrize("transposed", [False, True], ids=["nanoGPT", "GPT-2"])
def test_a_gpt(transposed: bool) -> None:
    theirs = GPT()
    state = theirs.state_dict()
    if transposed:  # OpenAI's own file keeps the kernels of all but the tables as (in, out)
        state = {k: a.T.contiguous() if ".c_" in k and a.ndim == 2 else a
                 for k, a in state.items()}  # fmt: skip
    ours = nn.GPT(vocabulary=11, context=8, width=16, layers=2, heads=4)
    load_pytorch(ours, state, NAMES)
    ids = np.random.default_rng(1).integers(0, 11, (3, 8))
    same(ours, theirs, ids)


def test_mistakes_are_told_and_nothing_changes() -> None:
    theirs = T.Sequential(T.Linear(4, 3), T.ReLU(), T.Linear(3, 2))
    ours = nn.Sequential([nn.Dense(3, input_shape=(4,)), nn.Dense(5, input_shape=(3,))])
    before = ours.state_dict()
    with pytest.raises(ValueError, match=r"1\.weight: \(3, 5\) here, \(3, 2\) given"):
        load_pytorch(ours, theirs)
    named = nn.Residual(nn.Dense(4, input_shape=(4,)))
    with pytest.raises(ValueError, match=r"no weights for 'inner'.*PyTorch's are at '0', '2'"):
        load_pytorch(named, theirs)
    with pytest.raises(ValueError, match="needs 'weight_ih_l0'"):
        load_pytorch(nn.Sequential([nn.LSTM(2), nn.Dense(2)]), theirs)
    for name, array in ours.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
