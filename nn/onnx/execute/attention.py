"""Attention in its forms, and the recurrences that stand in for it."""

from __future__ import annotations

import math
from typing import Any

import autograd as ag
from autograd import Tensor

from .table import dtype_named, onnx_op


def _heads(x: Tensor, count: int) -> Tensor:
    """(N, T, heads · D) as (N, heads, T, D)."""
    return x.reshape(x.shape[0], x.shape[1], count, -1).permute(0, 2, 1, 3)


def _joined(x: Tensor) -> Tensor:
    """(N, heads, T, D) as (N, T, heads · D)."""
    x = x.permute(0, 2, 1, 3)
    return x.reshape(*x.shape[:2], -1)


def _bias(mask: Tensor | None, tk: int, dtype: Any) -> Any:
    """A mask as what is added to scores; keys that it does not speak of are not seen."""
    if mask is None:
        return 0.0
    if mask.dtype.kind == "b":
        mask = ag.where(mask, ag.zeros((), dtype=dtype), -math.inf)
    missing = tk - mask.shape[-1]
    if missing:
        mask = ag.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, missing)], -math.inf)
    return mask


@onnx_op("Attention")
def attention(
    q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None,
    past_key: Tensor | None = None, past_value: Tensor | None = None,
    nonpad_kv_seqlen: Tensor | None = None, *, is_causal: int = 0, q_num_heads: int | None = None,
    kv_num_heads: int | None = None, scale: float | None = None, softcap: float = 0.0,
    softmax_precision: int | None = None, qk_matmul_output_mode: int = 0,
    left_window_size: int = -1, right_window_size: int = -1,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """softmax(scale · q kᵀ + bias) v, with a cache of keys and values, and the scores on the way.

    Of queries that stand behind `offset` others, i sees key j where j <= i + offset (causal), and
    at most so far to the left and right of itself.
    """
    packed = q.ndim == 3
    if packed:
        q = _heads(q, q_num_heads or 1)
        k, v = (_heads(x, kv_num_heads or 1) for x in (k, v))
    if past_key is not None and past_value is not None:
        k = ag.concatenate([past_key, k], axis=2)  # (N, H, Tk, D)
        v = ag.concatenate([past_value, v], axis=2)
    tq, tk, dtype = q.shape[2], k.shape[2], q.dtype
    present = k, v
    groups = q.shape[1] // k.shape[1]
    if groups > 1:  # several heads of queries share one of keys
        k, v = ag.repeat(k, groups, 1), ag.repeat(v, groups, 1)
    root = math.sqrt(1 / math.sqrt(q.shape[3]) if scale is None else scale)
    raw = (q * root) @ (k.mT * root)  # (N, H, Tq, Tk)
    scores = ag.tanh(raw / softcap) * softcap if softcap else raw
    bias = _bias(attn_mask, tk, dtype) + _places_seen(
        tq, tk, past_key, nonpad_kv_seqlen, bool(is_causal), left_window_size, right_window_size
    ).astype(dtype)
    biased = scores + bias
    wide = biased if softmax_precision is None else biased.astype(dtype_named(softmax_precision))
    blind = (bias.max(axis=-1, keepdims=True) == -math.inf) if bias.ndim else None
    p = ag.softmax(wide, axis=-1).astype(dtype)
    p = p if blind is None else ag.where(blind, 0, p)
    y = p @ v  # (N, H, Tq, E)
    told = (raw, scores, biased, p)[qk_matmul_output_mode]
    return _joined(y) if packed else y, *present, told


def _places_seen(
    tq: int, tk: int, past_key: Tensor | None, lengths: Tensor | None, causal: bool,
    left: int, right: int,
) -> Tensor:  # fmt: skip
    """0 where a query may see a key and -inf where not: (Tq, Tk), or (N, 1, Tq, Tk)."""
    offset: Any = 0 if past_key is None else past_key.shape[2]
    if lengths is not None and past_key is None:
        offset = lengths.reshape(-1, 1, 1, 1) - tq
    i, j = ag.arange(tq).reshape(tq, 1), ag.arange(tk)
    ahead = j - (i + offset)  # how far key j lies ahead of query i
    seen = ag.ones(ahead.shape, dtype="bool")
    if causal:
        seen = seen & (ahead <= 0)
    if left >= 0:
        seen = seen & (ahead >= -left)
    if right >= 0:
        seen = seen & (ahead <= right)
    if lengths is not None:
        seen = seen & (j < lengths.reshape(-1, 1, 1, 1))
    return ag.where(seen, ag.zeros(()), -math.inf)


@onnx_op("LinearAttention")
def linear_attention(
    q: Tensor, k: Tensor, v: Tensor, past_state: Tensor | None = None,
    decay: Tensor | None = None, beta: Tensor | None = None, *, q_num_heads: int,
    kv_num_heads: int, scale: float = 0.0, update_rule: str = "gated_delta", chunk_size: int = 64,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """S ← exp(g) S + k ⊗ v (or, with a delta rule, β (v - Sᵀ k) for v); o = scale · qᵀ S."""
    kind = q.dtype
    kept = kind if past_state is None else past_state.dtype
    q, k, v = (
        _heads(x.astype("float32"), n)
        for x, n in ((q, q_num_heads), (k, kv_num_heads), (v, kv_num_heads))
    )
    size, groups = (q.shape[0], kv_num_heads, k.shape[3], v.shape[3]), q_num_heads // kv_num_heads
    s = ag.zeros(size) if past_state is None else past_state.astype("float32")
    scale = scale or 1 / math.sqrt(k.shape[3])
    g = None if decay is None else _heads(decay.astype("float32"), kv_num_heads)
    b = None if beta is None else _heads(beta.astype("float32"), beta.shape[-1])
    rows = []
    for t in range(q.shape[2]):
        kt, vt = k[:, :, t], v[:, :, t]  # (N, H, D), (N, H, E)
        if g is not None:
            s = s * ag.exp(g[:, :, t]).expand_dims(-1)
        if b is not None:
            vt = b[:, :, t] * (vt - ag.einsum("bhdm,bhd->bhm", s, kt))
        s = s + kt.expand_dims(-1) * vt.expand_dims(-2)  # (N, H, D, E)
        rows.append(scale * ag.einsum("bhd,bhdm->bhm", q[:, :, t], ag.repeat(s, groups, 1)))
    return _joined(ag.stack(rows, axis=2)).astype(kind), s.astype(kept)


@onnx_op("CausalConvWithState")
def causal_conv_with_state(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, past_state: Tensor | None = None, *,
    activation: str = "none",
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Each channel's own window over what came before; the last k - 1 places are the state."""
    k = weight.shape[2]
    if past_state is None:
        past_state = ag.zeros((*x.shape[:2], k - 1), dtype=x.dtype)
    row = ag.concatenate([past_state, x], axis=2)  # (N, C, k - 1 + T)
    n = x.shape[2]
    wide, w = row.astype("float32"), weight.astype("float32")
    z = wide[:, :, :n] * w[:, 0, 0:1]
    for i in range(1, k):
        z = z + wide[:, :, i : i + n] * w[:, 0, i : i + 1]
    z = z if bias is None else z + bias.astype("float32").reshape(-1, 1)
    z = ag.functions.silu(z) if activation in ("silu", "swish") else z
    return z.astype(x.dtype), row[:, :, row.shape[2] - (k - 1) :]


@onnx_op("RotaryEmbedding")
def rotary_embedding(
    x: Tensor, cos: Tensor, sin: Tensor, position_ids: Tensor | None = None, *,
    interleaved: int = 0, num_heads: int = 0, rotary_embedding_dim: int = 0,
) -> Tensor:  # fmt: skip
    """Pairs of each row turned by an angle that its place gives (Su et al. 2021)."""
    packed = x.ndim == 3
    x = _heads(x, num_heads) if packed else x  # (N, H, T, D)
    width = rotary_embedding_dim or x.shape[-1]
    turned, rest = x[..., :width], x[..., width:]
    if position_ids is not None:
        cos, sin = cos[position_ids], sin[position_ids]
    cos, sin = (t[:, :, : width // 2].expand_dims(1) for t in (cos, sin))  # (N, 1, T, D/2)
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
    else:
        a, b = turned[..., : width // 2], turned[..., width // 2 :]
    re, im = cos * a - sin * b, sin * a + cos * b
    if interleaved:
        turned = ag.stack([re, im], axis=-1).reshape(turned.shape)
    else:
        turned = ag.concatenate([re, im], axis=-1)
    z = ag.concatenate([turned, rest], axis=-1) if rest.shape[-1] else turned
    return _joined(z) if packed else z
