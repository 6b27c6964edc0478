"""Every network in JAX: forward, loss, gradients and Adam as one jitted pure function.

The state (parameters, both moments, the count of steps) is donated, so that XLA updates it in
place. Layouts are those that JAX programs use: images NHWC, `lax.scan` over the places of a text.
Steps are begun without waiting for the one before, and waited for at the end of a measurement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax, nn
from jax import numpy as jnp

from . import Contestant, resident
from .networks import HEADS, LAYERS, WIDTH
from .step import EPSILON, LEARNING_RATE
from .training import batches, weights, whole_steps

BETAS = 0.9, 0.999


def jitted(net: str) -> Contestant:
    """`jax.jit` of the whole step."""
    imported = resident()
    criterion = binary_cross_entropy if net == "small" else cross_entropy

    def measure(w: Any, x: Any, y: Any) -> Any:
        return criterion(NETWORKS[net](w, x), y)

    def advance(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        w, m, v, t = state
        loss, g = jax.value_and_grad(measure)(w, x, y)
        return adam(w, m, v, t + 1, g), loss

    step = jax.jit(advance, donate_argnums=0)
    given = [(jnp.asarray(x), jnp.asarray(y)) for x, y in batches(net)]
    state: Any = None

    def restore() -> None:
        nonlocal state
        arrays = joined(net, weights(net))
        w, m, v = (list(map(jnp.array, group)) for group in (arrays, *[zeros(arrays)] * 2))
        state = w, m, v, jnp.zeros((), "int32")

    def train(x: Any, y: Any) -> Any:
        nonlocal state
        state, loss = step(state, x, y)
        return loss

    def finish() -> None:
        jax.block_until_ready(state)

    return whole_steps(train, given, restore, {"imported": imported}, finish=finish)


def zeros(arrays: list[Any]) -> list[Any]:
    """As many zeros of those shapes."""
    return [np.zeros_like(array) for array in arrays]


def adam(w: Any, m: Any, v: Any, t: Any, g: Any) -> tuple[Any, ...]:
    """The state after step number t with the gradients g (Kingma & Ba 2015, algorithm 1)."""
    a, b = BETAS
    m = jax.tree.map(lambda m, g: a * m + (1 - a) * g, m, g)
    v = jax.tree.map(lambda v, g: b * v + (1 - b) * g * g, v, g)
    first, second = 1 - a**t, 1 - b**t

    def moved(p: Any, m: Any, v: Any) -> Any:
        return p - LEARNING_RATE * (m / first) / (jnp.sqrt(v / second) + EPSILON)

    return jax.tree.map(moved, w, m, v), m, v, t


def binary_cross_entropy(logits: Any, y: Any) -> Any:
    """The mean of it, stable for logits of any size."""
    return jnp.mean(jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def cross_entropy(logits: Any, y: Any) -> Any:
    """The mean of it over all places; y holds the number of the class."""
    logs = nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(logs, y[..., None], axis=-1))


# --- the networks: parameters and inputs → logits ---


def dense(w: Any, x: Any) -> Any:
    """Layers of ReLU, none behind the last."""
    for i in range(0, len(w), 2):
        x = x @ w[i] + w[i + 1]
        x = x if i + 2 == len(w) else nn.relu(x)
    return x


def cnn(w: Any, x: Any) -> Any:
    """Images (N, 28, 28, 1)."""
    for kernel, bias in (w[0:2], w[2:4]):
        sizes = ("NHWC", "HWIO", "NHWC")
        x = nn.relu(lax.conv_general_dilated(x, kernel, (1, 1), "VALID", None, None, sizes) + bias)
    n, h, _, c = x.shape
    x = x.reshape(n, h // 2, 2, h // 2, 2, c).max((2, 4))  # faster here than `reduce_window`
    return dense(w[4:], x.reshape(n, -1))


def lstm(w: Any, ids: Any) -> Any:
    """Ids (N, T); places come first from the beginning on, and their product is one for all."""
    table, kernel, recurrent, bias, *head = w

    def cell(carry: Any, z: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ recurrent, 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        h = nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    z = table[ids.T] @ kernel + bias
    nothing = jnp.zeros((len(ids), WIDTH), z.dtype)
    _, h = lax.scan(cell, (nothing, nothing), z)
    return dense(head, h.swapaxes(0, 1))


def gpt(w: Any, ids: Any) -> Any:
    """Ids (N, T); queries, keys and values are one product, the head shares the table."""
    table, places, *rest = w
    (n, t), c = ids.shape, WIDTH
    hidden = jnp.where(jnp.tril(jnp.ones((t, t), bool)), 0, -jnp.inf)
    x = table[ids] + places[:t]
    for i in range(LAYERS):
        own = rest[12 * i : 12 * i + 12]
        qkv = norm(x, *own[0:2]) @ own[2] + own[3]
        q, k, v = qkv.reshape(n, t, 3, HEADS, c // HEADS).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(-1, -2) * (c // HEADS) ** -0.5 + hidden
        y = (nn.softmax(scores) @ v).swapaxes(1, 2).reshape(n, t, c)
        x = x + y @ own[4] + own[5]
        y = nn.gelu(norm(x, *own[6:8]) @ own[8] + own[9], approximate=False)
        x = x + y @ own[10] + own[11]
    return norm(x, *rest[-2:]) @ table.T


def norm(x: Any, scale: Any, bias: Any, eps: float = 1e-5) -> Any:
    """Standardised over the last axis."""
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + eps) + bias


def joined(net: str, arrays: list[Any]) -> list[Any]:
    """The weights with a GPT's queries, keys and values in one matrix, and one bias."""
    if net != "gpt":
        return arrays
    found, rest = arrays[:2], arrays[2:]
    for i in range(LAYERS):
        own = rest[16 * i : 16 * i + 16]
        qkv = [np.concatenate(own[first:8:2], axis=-1) for first in (2, 3)]
        found += [*own[:2], *qkv, *own[8:]]
    return found + rest[-2:]


NETWORKS: dict[str, Callable[[Any, Any], Any]] = {
    "small": dense, "large": dense, "cnn": cnn, "lstm": lstm, "gpt": gpt,
}  # fmt: skip
