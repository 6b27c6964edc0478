"""Attention: each place of a sequence looks at others and takes from them what it needs."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, arange, no_grad, random, zeros
from autograd.errors import GraphError, ShapeError
from autograd.functions import attention, attention_weights, rotary
from autograd.names import path
from autograd.node import current, history

from .. import init
from ..module import Module, path_of
from .core import Dense

__all__ = ["KeyValueCache", "MultiHeadAttention", "attention_maps"]


class KeyValueCache:
    """The keys and values of the places seen so far, so that one more costs only itself.

    There is room for `length` places, taken at the first call; without a length for those of the
    first call alone, as cross-attention needs it.  It is for use under `no_grad`.
    """

    def __init__(self, length: int | None = None) -> None:
        self.room, self.length = length, 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def extend(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Add the keys and values (B, H, T, D) of T more places; those of all come back."""
        if current().recording and (k.requires_grad or v.requires_grad):
            raise GraphError(
                "KeyValueCache: what it keeps has no history, so no gradient would flow through "
                "it. Generate under `with no_grad():`, and train without a cache."
            )
        end = self.length + k.shape[2]
        room = end if self.room is None else self.room
        if end > room:
            raise ShapeError(
                f"KeyValueCache: {self.length} places are held and {k.shape[2]} more are given, "
                f"but there is room for {room}. Start a new cache with the last places only."
            )
        if self._keys is None or self._values is None:
            self.room = room
            self._keys, self._values = [
                zeros(*x.shape[:2], room, x.shape[3], dtype=x.dtype, backend=x.backend)
                for x in (k, v)
            ]  # (B, H, room, D)
        here = (slice(None), slice(None), slice(self.length, end))
        self._keys.assign(k, at=here)
        self._values.assign(v, at=here)
        self.length = end
        return self.held()

    def held(self) -> tuple[Tensor, Tensor]:
        """The keys and values (B, H, length, D) of all places so far."""
        if self._keys is None or self._values is None:
            raise GraphError("KeyValueCache: nothing is held yet; extend it first")
        return self._keys[:, :, : self.length], self._values[:, :, : self.length]


class MultiHeadAttention(Module):
    """Several attentions side by side, each in a projection of its own (Vaswani et al. 2017, 3.2).

        head h = softmax(q_h k_hᵀ / √key_dim + mask) v_h        output = [head 1, head 2, …] Wᵒ

    `layer(x)` is self-attention: x (N, T, width) looks at itself.  `layer(x, context)` is
    cross-attention: x looks at context (N, S, features).  The result is (N, T, width).

    `key_dim` is the size of a head, width / heads unless given, and `context_dim` the number of
    features of a context that is not as wide as x.  `causal` hides what comes later.
    `mask` is true where a place may be looked at, or a float to add to the scores: (N, S) for
    samples of different length, (N, T, S), or (N, heads, T, S).  A place that may look at nothing
    gets zeros, before the output's bias.  `rotary` turns queries and keys by their places, so that
    their product tells the distance.  `dropout` drops weights of the attention while training.

    >>> layer = MultiHeadAttention(4, input_shape=(None, 32))
    >>> [path for path, _ in layer.named_parameters()][:3]
    ['query.weight', 'query.bias', 'key.weight']
    """

    takes_mask = True

    def __init__(
        self,
        heads: int,
        key_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        causal: bool = False,
        rotary: bool = False,
        context_dim: int | None = None,
        kernel_init: str | init.Initializer = "glorot_uniform",
        output_init: str | init.Initializer | None = None,
        input_shape: tuple[int | None, ...] | None = None,
        name: str | None = None,
    ) -> None:
        for what, n in (("heads", heads), ("key_dim", 1 if key_dim is None else key_dim)):
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise ValueError(f"MultiHeadAttention: {what} is a whole number from 1, not {n!r}")
        if not 0 <= dropout < 1:
            raise ValueError(f"MultiHeadAttention: dropout {dropout} is outside [0, 1)")
        if rotary and key_dim is not None and key_dim % 2:
            raise ValueError(f"MultiHeadAttention: rotary turns pairs; key_dim {key_dim} is odd")
        self.heads, self.key_dim, self.dropout, self.name = heads, key_dim, dropout, name
        self.use_bias, self.causal, self.rotary = use_bias, causal, rotary
        self.context_dim = context_dim
        self.kernel_init = kernel_init
        self.output_init = kernel_init if output_init is None else output_init
        self.query: Dense | None = None
        self.key: Dense | None = None
        self.value: Dense | None = None
        self.output: Dense | None = None
        if input_shape is not None:
            self.build(input_shape)

    @property
    def built(self) -> bool:
        """Whether the width of the input is known."""
        return self.query is not None

    def build(self, input_shape: tuple[int | None, ...]) -> MultiHeadAttention:
        """Make the projections for samples (T, width)."""
        width = input_shape[-1]
        if not width:
            raise ShapeError(f"{path_of(self)}: input_shape {input_shape} must end in the width")
        if self.key_dim is None:
            if width % self.heads:
                raise ShapeError(
                    f"{path_of(self)}: {self.heads} heads do not share a width of {width} evenly. "
                    f"Give key_dim, the size of a head, or a width that is a multiple."
                )
            self.key_dim = width // self.heads
            if self.rotary and self.key_dim % 2:
                raise ShapeError(f"{path_of(self)}: rotary turns pairs; {self.key_dim} is odd")
        self.input_shape = (None, width)  # type: ignore[assignment]
        inner, source = self.heads * self.key_dim, self.context_dim or width

        def dense(inputs: int, units: int, draw: Any = self.kernel_init) -> Dense:
            return Dense(units, None, self.use_bias, draw, input_shape=(inputs,))

        self.query, self.key, self.value = [dense(n, inner) for n in (width, source, source)]
        self.output = dense(inner, width, self.output_init)
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the projections in the shapes that a state dict has them."""
        if "query.weight" in state and "key.weight" in state:
            width, inner = state["query.weight"].shape
            self.key_dim, self.context_dim = inner // self.heads, state["key.weight"].shape[0]
            self.build((None, width))

    def __call__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Any = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if x.ndim != 3:
            raise ShapeError(
                f"{path_of(self)}: the input has shape {x.shape}; (N, time, features) is needed"
            )
        if self.query is None:
            self.build(x.shape).to(x.backend)
        assert self.query is not None
        assert self.output is not None
        past = 0 if cache is None else cache.length
        q = self._turned(self._split(self.query(x)), past)  # (N, H, T, D)
        k, v = self._keys_and_values(x, context, cache)  # (N, H, S, D)
        z = self._attend(q, k, v, self._mask(mask, q, k))  # (N, H, T, D)
        N, H, T, D = z.shape
        return self.output(z.permute(0, 2, 1, 3).reshape(N, T, H * D))  # (N, T, width)

    def _split(self, x: Tensor) -> Tensor:
        """(N, T, H · D) as heads (N, H, T, D)."""
        N, T, _ = x.shape
        assert self.key_dim is not None
        return x.reshape(N, T, self.heads, self.key_dim).permute(0, 2, 1, 3)

    def _turned(self, x: Tensor, past: int) -> Tensor:
        """Heads (N, H, T, D) turned by their places, if that is wanted."""
        if not self.rotary:
            return x
        return rotary(x, arange(past, past + x.shape[2], backend=x.backend))

    def _keys_and_values(
        self, x: Tensor, context: Tensor | None, cache: KeyValueCache | None
    ) -> tuple[Tensor, Tensor]:
        """Those of x, behind those in the cache, or those of a context, which stay as they are."""
        if context is not None and cache is not None and cache.length:
            return cache.held()
        assert self.key is not None
        assert self.value is not None
        source = x if context is None else context
        past = 0 if cache is None else cache.length
        k = self._turned(self._split(self.key(source)), past)  # (N, H, S, D)
        v = self._split(self.value(source))  # (N, H, S, D)
        return (k, v) if cache is None else cache.extend(k, v)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
        if not self.dropout or not self.training:
            return attention(q, k, v, mask, causal=self.causal)
        p = attention_weights(q, k, mask, causal=self.causal)  # (N, H, T, S)
        return p * random.dropout_mask(p.shape, 1 - self.dropout, p.dtype, p.backend) @ v

    def _mask(self, mask: Any, q: Tensor, k: Tensor) -> Any:
        """The mask with axes (N, H, T, S), of which some have size 1."""
        if mask is None:
            return None
        mask = mask if isinstance(mask, Tensor) else Tensor(mask, backend=q.backend)
        N, H, T, S = *q.shape[:3], k.shape[2]
        first, *rest = mask.shape or (0,)
        shape = {2: (first, 1, 1, *rest), 3: (first, 1, *rest)}.get(mask.ndim, mask.shape)
        if len(shape) != 4 or any(
            m not in (1, n) for m, n in zip(shape, (N, H, T, S), strict=True)
        ):
            raise ShapeError(
                f"{path_of(self)}: a mask of shape {mask.shape} for queries (N, T) = {(N, T)} and "
                f"keys (N, S) = {(N, S)}. It must be (N, S), true for what is no padding, or "
                "(N, T, S), or (N, heads, T, S); one for all samples is mask[None]."
            )
        return mask.reshape(shape)

    def describe(self) -> str:
        facts = [f"{self.heads} heads"]
        facts += [f"of {self.key_dim}"] if self.key_dim else []
        return " ".join(facts) + "".join(
            f", {what}" for what in ("causal", "rotary") if getattr(self, what)
        )


@no_grad()
def attention_maps(result: Tensor) -> dict[str, Tensor]:
    """How much every place looked at every other, in all attentions that led to a result:
    (N, heads, T, S) by the path of the layer, in the order of the computation.

    They are read from the record: each attention is a node, with queries, keys and mask as inputs.

    >>> layer = MultiHeadAttention(2, input_shape=(None, 4))
    >>> maps = attention_maps(layer(zeros(1, 3, 4)))
    >>> [(name, p.shape) for name, p in maps.items()]
    [('MultiHeadAttention', (1, 2, 3, 3))]
    """
    maps: dict[str, Tensor] = {}
    calls: dict[str, int] = {}
    for node in reversed(history(result)):
        if node.op is not None and node.op.name == "attention":
            q, k, _, mask = node.inputs
            name = path(node) or "MultiHeadAttention"
            calls[name] = calls.get(name, 0) + 1
            name += f" ({calls[name]})" if calls[name] > 1 else ""  # a layer that is called again
            seen = mask if mask.shape else None  # the same number for all changes nothing
            maps[name] = attention_weights(q, k, seen, **node.params)
    if not maps:
        raise GraphError(
            "attention_maps: no attention is in the history of this result. Compute it with "
            "gradients recorded, not under no_grad, and with dropout off: model.eval()"
        )
    return maps
