"""Attention and its layers: what the fused operation computes, masks, caches, places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import backends
from autograd import Tensor, attention, attention_weights, gradients, no_grad, random, rotary
from autograd.errors import DTypeError, GraphError, ShapeError
from nn.layers import (
    KeyValueCache,
    MultiHeadAttention,
    PositionEmbedding,
    RotaryEmbedding,
    SinusoidalEmbedding,
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(4)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(numbers(*shape, seed=seed), requires_grad=True)


def qkv(lead: tuple[int, ...] = (2, 3), T: int = 5, S: int = 5, D: int = 4) -> list[Tensor]:
    shapes = ((T, D), (S, D), (S, D))
    return [leaf(*lead, *shape, seed=i) for i, shape in enumerate(shapes)]


# --- the operation ---

MASKS: dict[str, Any] = {
    "none": None,
    "padding": np.array([True, True, False, True, False]),
    "boolean": np.random.default_rng(1).random((2, 1, 5, 5)) < 0.6,
    "added": numbers(3, 5, 5, seed=9),
    "none seen": np.array([[True] * 5, [False] * 5, [True] * 5, [False] * 5, [True] * 5]),
}


@pytest.mark.parametrize("workspace", [2**22, 2**10, 2**5])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_it_is_its_definition(
    mask: str, causal: bool, workspace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value and gradients, whatever parts the scores are cut into."""
    monkeypatch.setattr(backends.get("numpy"), "workspace", workspace)
    inputs = [*qkv(), *([Tensor(MASKS[mask], requires_grad=True)] if mask == "added" else [])]
    given = inputs[3] if mask == "added" else MASKS[mask]
    q, k, v = inputs[:3]
    z = attention(q, k, v, given, causal=causal)
    y = attention_weights(q, k, given, causal=causal) @ v
    np.testing.assert_allclose(z.numpy(), y.numpy(), rtol=1e-13, atol=1e-14)
    g = Tensor(numbers(*z.shape, seed=7))
    found, expected = gradients(z, inputs, g), gradients(y, inputs, g)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13)


def test_weights_are_shares_of_what_may_be_seen() -> None:
    q, k, _ = qkv()
    p = attention_weights(q, k, MASKS["padding"], causal=True).numpy()
    assert (p[..., ~MASKS["padding"]] == 0).all()
    assert (np.triu(p, 1) == 0).all()
    np.testing.assert_allclose(p.sum(-1), 1)


def test_a_query_that_sees_no_key_gets_nothing_and_changes_nothing() -> None:
    q, k, v = inputs = qkv()
    z = attention(q, k, v, MASKS["none seen"])
    assert (z.numpy()[:, :, [1, 3]] == 0).all()
    (z * z).sum().backward()
    for x in inputs:
        assert x.grad is not None
        assert np.isfinite(x.grad.numpy()).all()
    assert (q.grad.numpy()[:, :, [1, 3]] == 0).all()
    none = attention(q, k, v, np.zeros((5, 5), bool), causal=True)
    assert (none.numpy() == 0).all()


def test_truth_values_are_minus_infinity_where_false() -> None:
    q, k, v = qkv()
    seen = MASKS["boolean"]
    added = attention(q, k, v, Tensor(np.where(seen, 0, -np.inf)))
    np.testing.assert_array_equal(attention(q, k, v, seen).numpy(), added.numpy())


@pytest.mark.parametrize("T", [1, 2, 5, 7])
def test_causal_is_what_the_last_queries_would_see(T: int) -> None:
    """With fewer queries than keys the last stand side by side; of more, the first see nothing."""
    q, k, v = qkv(T=7)
    whole = attention(q[:, :, -5:], k, v, causal=True).numpy()
    some = attention(q[:, :, -T:], k, v, causal=True).numpy()
    np.testing.assert_allclose(some[:, :, -5:], whole[:, :, -T:], rtol=1e-13)
    assert (some[:, :, : max(T - 5, 0)] == 0).all()


@pytest.mark.parametrize("workspace", [2**22, 2**8])
def test_no_gradient_comes_from_the_future(workspace: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends.get("numpy"), "workspace", workspace)
    for t in range(5):
        q, k, v = inputs = qkv()
        attention(q, k, v, causal=True)[:, :, t].sum().backward()
        for x in inputs:
            assert x.grad is not None
            assert (x.grad.numpy()[:, :, t + 1 :] == 0).all()
            assert (x.grad.numpy()[:, :, t] != 0).any()


@pytest.mark.parametrize("size", [1e4, 1e18])
def test_large_scores_do_not_overflow(size: float) -> None:
    q, k, v = (x.detach().astype("float32") for x in qkv())
    z = attention(q * size, k * size, v)
    winner = (q @ k.transpose(-1, -2)).argmax(axis=-1).numpy()  # (2, 3, 5)
    chosen = np.take_along_axis(v.numpy(), winner[..., None], axis=2)
    np.testing.assert_allclose(z.numpy(), chosen, rtol=1e-6)


def test_nan_is_not_hidden() -> None:
    q, k, v = qkv((1,))
    q.assign(np.nan, at=(0, 2, 0))
    z = attention(q, k, v).numpy()
    assert np.isnan(z[0, 2]).all()
    assert np.isfinite(z[0, [0, 1, 3, 4]]).all()


def test_without_keys_or_queries() -> None:
    q, k, v = qkv(S=0)
    z = attention(q, k, v)
    assert (z.numpy() == 0).all()
    assert z.shape == (2, 3, 5, 4)
    z.sum().backward()
    assert k.grad is not None
    assert k.grad.shape == (2, 3, 0, 4)
    assert attention(*qkv(T=0)).shape == (2, 3, 0, 4)


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        (((2, 5, 4), (2, 5, 3), (2, 5, 4)), "same width"),
        (((2, 5, 4), (2, 5, 4), (2, 6, 4)), "one value per key"),
        (((2, 5, 4), (3, 5, 4), (3, 5, 4)), "axes before"),
        (((5,), (5,), (5,)), "two axes"),
        (((2, 5, 4), (2, 6, 4), (2, 6, 4), (5, 5)), r"\(5, 5\) does not broadcast .* \(2, 5, 6\)"),
    ],
)
def test_shapes_that_do_not_fit(shapes: tuple[tuple[int, ...], ...], told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        attention(*[leaf(*shape) for shape in shapes])


def test_a_mask_of_integers_is_refused() -> None:
    with pytest.raises(DTypeError, match="mask != 0"):
        attention(*qkv(), np.ones((5, 5), int))


# --- places ---


def test_rotary_products_depend_on_the_distance_alone() -> None:
    q, k = numbers(6), numbers(6, seed=1)
    rows = [Tensor(np.tile(x, (20, 1))) for x in (q, k)]
    turned = [rotary(x, Tensor(np.arange(20))).numpy() for x in rows]
    scores = turned[0] @ turned[1].T  # (20, 20)
    for distance in (-7, 0, 3, 11):
        along = np.diagonal(scores, distance)
        np.testing.assert_allclose(along, along[0], rtol=1e-12)
    np.testing.assert_allclose(np.diagonal(scores), q @ k)
    assert np.ptp(scores[0]) > 0.1


def test_rotary_keeps_lengths_and_leaves_the_first_place() -> None:
    x = leaf(2, 3, 5, 8)
    z = RotaryEmbedding()(x)
    np.testing.assert_allclose((z * z).sum(axis=-1).numpy(), (x * x).sum(axis=-1).numpy())
    np.testing.assert_array_equal(z.numpy()[:, :, 0], x.numpy()[:, :, 0])
    np.testing.assert_allclose(RotaryEmbedding()(x[:, :, 3:], past=3).numpy(), z.numpy()[:, :, 3:])
    with pytest.raises(ShapeError, match="even"):
        RotaryEmbedding()(leaf(2, 3, 5))


def test_sinusoids_of_the_paper() -> None:
    T, width = 7, 6
    expected = np.zeros((T, width))
    for t in range(T):
        for i in range(width // 2):
            angle = t / 10000 ** (2 * i / width)
            expected[t, 2 * i : 2 * i + 2] = math.sin(angle), math.cos(angle)
    x = Tensor(np.zeros((2, T, width), "f"))
    layer = SinusoidalEmbedding()
    np.testing.assert_allclose(layer(x).numpy()[1], expected, atol=1e-6)
    np.testing.assert_allclose(layer(x[:, :2], past=5).numpy()[1], expected[5:], atol=1e-6)
    with pytest.raises(ShapeError, match="even"):
        layer(Tensor(np.zeros((2, 3, 5))))


def test_learned_places() -> None:
    layer = PositionEmbedding(4)
    x = Tensor(numbers(2, 3, 5).astype("f"))
    np.testing.assert_array_equal(layer(x).numpy(), x.numpy() + layer.weight.numpy()[:3])
    last = layer(x[:, :1], past=3)
    np.testing.assert_array_equal(last.numpy()[:, 0], x.numpy()[:, 0] + layer.weight.numpy()[3])
    layer(x).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy(), [[2.0] * 5] * 3 + [[0.0] * 5])
    with pytest.raises(ShapeError, match=r"reaches place 5, .* only 4.*PositionEmbedding\(5\)"):
        layer(x, past=2)
    again = PositionEmbedding(4)
    again.load_state_dict(layer.state_dict())
    assert again.weight.shape == (4, 5)


# --- the layer ---


def sequence(N: int = 2, T: int = 6, width: int = 8, seed: int = 0) -> Tensor:
    return Tensor(numbers(N, T, width, seed=seed).astype("f"), requires_grad=True)


def test_heads_are_attentions_side_by_side() -> None:
    layer = MultiHeadAttention(2, key_dim=3, input_shape=(None, 8))
    x = sequence()
    parts = []
    for h in range(2):
        own = slice(3 * h, 3 * h + 3)
        q, k, v = (
            x @ part.weight[:, own] + part.bias[own]
            for part in (layer.query, layer.key, layer.value)
        )
        parts.append(attention(q, k, v))
    expected = layer.output(Tensor(np.concatenate([p.numpy() for p in parts], axis=-1)))
    np.testing.assert_allclose(layer(x).numpy(), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("rotary", [False, True])
def test_a_cache_changes_nothing(rotary: bool) -> None:
    layer = MultiHeadAttention(2, causal=True, rotary=rotary)
    x = sequence()
    whole = layer(x).numpy()
    cache = KeyValueCache(8)
    with no_grad():
        pieces = [layer(x[:, a:b], cache=cache).numpy() for a, b in ((0, 3), (3, 4), (4, 6))]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-6)
    assert cache.length == 6


def test_a_cache_says_when_it_is_full_or_would_lose_a_gradient() -> None:
    layer, cache = MultiHeadAttention(2, causal=True), KeyValueCache(4)
    with pytest.raises(GraphError, match="no_grad"):
        layer(sequence(), cache=cache)
    with pytest.raises(GraphError, match="nothing is held"):
        cache.held()
    with no_grad():
        layer(sequence(T=3), cache=cache)
        with pytest.raises(ShapeError, match=r"3 places are held and 2 more .* room for 4"):
            layer(sequence(T=2), cache=cache)


def test_the_cache_of_a_context_is_read_again() -> None:
    layer, x, context = MultiHeadAttention(2), sequence(T=3), sequence(T=5, seed=1)
    whole, cache = layer(x, context).numpy(), KeyValueCache()
    with no_grad():
        first = layer(x[:, :1], context, cache=cache).numpy()
        rest = layer(x[:, 1:], context * 0, cache=cache).numpy()
    np.testing.assert_allclose(np.concatenate([first, rest], axis=1), whole, atol=1e-6)


def test_padding_is_not_looked_at() -> None:
    layer = MultiHeadAttention(2)
    x = sequence(N=2, T=5)
    mask = np.array([[True] * 5, [True, True, True, False, False]])
    z = layer(x, mask=mask)
    np.testing.assert_allclose(z.numpy()[1, :3], layer(x[1:, :3]).numpy()[0], atol=1e-6)
    z[1, :3].sum().backward()
    assert (x.grad.numpy()[1, 3:] == 0).all()
    wide = np.repeat(mask[:, None], 5, axis=1)  # (N, T, S)
    for same in (mask[:, None], wide, np.repeat(wide[:, None], 2, axis=1)):
        np.testing.assert_allclose(layer(x, mask=same).numpy(), z.numpy(), atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 2), (5,), (2, 4, 5), (3, 1, 5), (2, 3, 5, 5), (2,) * 5])
def test_masks_that_do_not_fit(shape: tuple[int, ...]) -> None:
    layer = MultiHeadAttention(2)
    with pytest.raises(ShapeError, match=r"mask of shape .* \(N, S\) = \(2, 5\)"):
        layer(sequence(T=5), mask=np.ones(shape, bool))


def test_cross_attention_reads_a_context_of_another_width() -> None:
    layer = MultiHeadAttention(2, context_dim=3, input_shape=(None, 8))
    x, context = sequence(T=4), sequence(T=7, width=3)
    assert layer(x, context).shape == (2, 4, 8)
    again = MultiHeadAttention(2)
    again.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(again(x, context).numpy(), layer(x, context).numpy())


def test_dropout_drops_weights_while_training_only() -> None:
    layer = MultiHeadAttention(2, dropout=0.4, input_shape=(None, 8))
    x = sequence(N=1)
    layer.eval()
    still = layer(x).numpy()
    np.testing.assert_array_equal(layer(x).numpy(), still)
    layer.train()
    with no_grad():
        drawn = np.stack([layer(x).numpy() for _ in range(600)])
    assert drawn.std(axis=0).min() > 0.01
    np.testing.assert_allclose(drawn.mean(axis=0), still, atol=0.12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_the_dtype_stays(dtype: str, dropout: float) -> None:
    layer = MultiHeadAttention(2, dropout=dropout, rotary=True, causal=True, input_shape=(None, 8))
    layer.astype(dtype)
    x = sequence().detach().astype(dtype).requires_grad_()
    z = layer(x, mask=np.ones((2, 6), bool))
    z.sum().backward()
    assert str(z.dtype) == str(x.grad.dtype) == str(layer.key.weight.grad.dtype) == dtype


def test_on_a_device_nothing_is_transferred() -> None:
    host = MultiHeadAttention(2, causal=True, rotary=True, input_shape=(None, 8))
    x, mask = sequence(), np.ones((2, 6), bool)
    expected = host(x, mask=mask)
    expected.sum().backward()
    wanted = x.grad.numpy()
    host.to("strict")
    y = Tensor(x.numpy(), backend="strict", requires_grad=True)
    with backends.get("strict").watched() as launched:
        z = host(y, mask=Tensor(mask, backend="strict"))
        z.sum().backward()
    assert not {"item", "to_host"} & set(launched)
    np.testing.assert_allclose(z.numpy(), expected.numpy(), atol=1e-6)
    np.testing.assert_allclose(y.grad.numpy(), wanted, atol=1e-6)
    cache = KeyValueCache(6)
    with no_grad():
        pieces = [host(y[:, :4], cache=cache).numpy(), host(y[:, 4:], cache=cache).numpy()]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"heads": 0}, "heads"), ({"heads": 2, "key_dim": 0}, "key_dim"),
        ({"heads": 2, "dropout": 1.0}, "dropout"),
        ({"heads": 2, "key_dim": 3, "rotary": True}, "odd"),
        ({"heads": 3, "input_shape": (None, 8)}, "3 heads do not share a width of 8"),
        ({"heads": 8, "rotary": True, "input_shape": (None, 8)}, "1 is odd"),
        ({"heads": 2, "input_shape": (None, None)}, "end in the width"),
    ],
)  # fmt: skip
def test_layers_that_cannot_be(options: dict[str, Any], told: str) -> None:
    with pytest.raises((ValueError, ShapeError), match=told):
        MultiHeadAttention(**options)


def test_an_input_without_time() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 8\); \(N, time, features\)"):
        MultiHeadAttention(2)(Tensor(np.zeros((2, 8))))
