"""Attention, transformer blocks and GELU beside PyTorch's, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograd import Tensor, attention, gelu, random
from nn.layers import MultiHeadAttention, TransformerBlock

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

F = torch.nn.functional
RNG = np.random.default_rng(6)
ROUGH = {"float32": 1e-5, "float64": 1e-12}


def pair(*shape: int, dtype: str = "float64") -> tuple[Tensor, Any]:
    x = RNG.normal(size=shape).astype(dtype)
    return Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)


def near(ours: Any, theirs: Any, rough: float = 1e-12) -> None:
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=rough, atol=rough)


def backward(z: Tensor, y: Any) -> None:
    g = RNG.normal(size=z.shape).astype(z.dtype)
    z.backward(Tensor(g))
    y.backward(torch.tensor(g))


MASK = RNG.random((2, 1, 6, 6)) < 0.7
MASK[..., 0] = True
CASES: dict[str, dict[str, Any]] = {
    "plain": {}, "causal": {"causal": True}, "scale": {"scale": 0.3}, "boolean": {"mask": MASK},
    "added": {"mask": RNG.normal(size=(3, 6, 6))},
}  # fmt: skip


@pytest.mark.parametrize("dtype", ROUGH)
@pytest.mark.parametrize("case", CASES)
def test_scaled_dot_product_attention(case: str, dtype: str) -> None:
    options = CASES[case]
    inputs = [pair(2, 3, 6, 4, dtype=dtype) for _ in range(3)]
    mask = options.get("mask")
    if mask is not None and mask.dtype.kind == "f":
        mask = mask.astype(dtype)
    z = attention(*[a for a, _ in inputs], mask, options.get("causal", False), options.get("scale"))
    y = F.scaled_dot_product_attention(
        *[b for _, b in inputs], None if mask is None else torch.tensor(mask),
        is_causal=options.get("causal", False), scale=options.get("scale"),
    )  # fmt: skip
    near(z, y, ROUGH[dtype])
    backward(z, y)
    for a, b in inputs:
        near(a.grad, b.grad, ROUGH[dtype])


def hand_over(layer: MultiHeadAttention, theirs: Any, width: int) -> None:
    """PyTorch's weights, (out, in) and q, k and v in one, for our layer."""
    weight, bias = theirs.in_proj_weight.detach().numpy(), theirs.in_proj_bias.detach().numpy()
    state = {}
    for i, name in enumerate(("query", "key", "value")):
        own = slice(i * width, (i + 1) * width)
        state[f"{name}.weight"], state[f"{name}.bias"] = weight[own].T, bias[own]
    state["output.weight"] = theirs.out_proj.weight.detach().numpy().T
    state["output.bias"] = theirs.out_proj.bias.detach().numpy()
    layer.load_state_dict(state)


def shaken(module: Any) -> Any:
    """With no weight or bias at the 0 or 1 that it starts as."""
    with torch.no_grad():
        for p in module.parameters():
            p += 0.3 * torch.randn_like(p)
    return module


def _double(module: Any) -> Any:
    return shaken(module.double())


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_multi_head_attention(cross: bool, padded: bool) -> None:
    theirs = _double(torch.nn.MultiheadAttention(8, 2, batch_first=True))
    ours = MultiHeadAttention(2, input_shape=(None, 8)).astype("float64")
    hand_over(ours, theirs, 8)
    a, b = pair(3, 5, 8)
    c, d = pair(3, 6, 8) if cross else (a, b)
    mask = np.arange(c.shape[1]) < np.array([[6], [4], [2]])  # true where it is no padding
    z = ours(a, c if cross else None, mask=mask if padded else None)
    y, _ = theirs(b, d, d, key_padding_mask=torch.tensor(~mask) if padded else None)
    near(z, y)
    backward(z, y)
    near(a.grad, b.grad)
    if cross:
        near(c.grad, d.grad)
    near(ours.query.weight.grad, theirs.in_proj_weight.grad[:8].T)
    near(ours.output.bias.grad, theirs.out_proj.bias.grad)


def block_of(theirs: Any, norm: str, cross: bool) -> TransformerBlock:
    """Our block with the weights of PyTorch's layer."""
    block = TransformerBlock(
        2, hidden=12, norm=norm, cross=cross, causal=cross, input_shape=(None, 8)
    ).astype("float64")
    hand_over(block.attention, theirs.self_attn, 8)
    norms = [block.attention_norm, block.dense_norm]
    if cross:
        hand_over(block.cross, theirs.multihead_attn, 8)
        norms.insert(1, block.cross_norm)
    for i, own in enumerate(norms):
        other = getattr(theirs, f"norm{i + 1}")
        own.load_state_dict({k: p.detach().numpy() for k, p in other.named_parameters()})
    for own, other in ((block.expand, theirs.linear1), (block.reduce, theirs.linear2)):
        weight, bias = other.weight.detach().numpy(), other.bias.detach().numpy()
        own.load_state_dict({"weight": weight.T, "bias": bias})
    return block


OPTIONS = {"dim_feedforward": 12, "dropout": 0.0, "activation": F.gelu, "batch_first": True}


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_encoder_layer(norm: str) -> None:
    theirs = _double(torch.nn.TransformerEncoderLayer(8, 2, norm_first=norm == "pre", **OPTIONS))
    ours = block_of(theirs, norm, cross=False)
    a, b = pair(3, 5, 8)
    z, y = ours(a), theirs(b)
    near(z, y)
    backward(z, y)
    near(a.grad, b.grad, 1e-11)
    near(ours.expand.weight.grad, theirs.linear1.weight.grad.T, 1e-11)
    near(ours.attention_norm.weight.grad, theirs.norm1.weight.grad, 1e-11)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_decoder_layer(norm: str) -> None:
    theirs = _double(torch.nn.TransformerDecoderLayer(8, 2, norm_first=norm == "pre", **OPTIONS))
    ours = block_of(theirs, norm, cross=True)
    (a, b), (c, d) = pair(3, 5, 8), pair(3, 6, 8)
    later = torch.nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
    z, y = ours(a, c), theirs(b, d, tgt_mask=later)
    near(z, y)
    backward(z, y)
    near(a.grad, b.grad, 1e-11)
    near(c.grad, d.grad, 1e-11)


def test_gelu_in_single_precision_is_as_exact_as_theirs() -> None:
    random.seed(0)
    x = np.concatenate([np.linspace(-12, 12, 4801), [-1e30, -1e4, 1e4, 1e30]]).astype("f")
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    exact = torch.tensor(x.astype("f8"), requires_grad=True)
    z, y, w = gelu(a), F.gelu(b), F.gelu(exact)
    for result in (z, y, w):
        result.sum().backward()
    ordinary = slice(0, 4801)
    for ours, theirs, true in ((z, y, w), (a.grad, b.grad, exact.grad)):
        want = true.detach().numpy()[ordinary]
        mine = np.abs(ours.numpy()[ordinary] - want).max()
        other = np.abs(theirs.detach().numpy()[ordinary] - want).max()
        assert mine <= max(2 * other, 1e-6)
    np.testing.assert_array_equal(z.numpy()[-4:], [-0.0, -0.0, np.float32(1e4), np.float32(1e30)])
