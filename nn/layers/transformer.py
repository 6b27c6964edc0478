"""The transformer's block: look around, then think, each beside a way around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd import Tensor
from autograd.errors import ShapeError

from .. import init
from ..module import Module, path_of
from .attention import KeyValueCache, MultiHeadAttention
from .core import Dense, Dropout
from .normalization import LayerNorm

__all__ = ["TransformerBlock"]

Caches = tuple[KeyValueCache, KeyValueCache]
"""Those of a block: of its self-attention and of its cross-attention."""


class TransformerBlock(Module):
    """Self-attention, cross-attention if `cross`, and two dense layers (Vaswani et al. 2017, 3.1).

        norm="pre":   x = x + part(norm(x))        trains without warm-up (Xiong et al. 2020)
        norm="post":  x = norm(x + part(x))        as in the paper

    x (N, T, width) keeps its shape.  The dense layers have `hidden` units in between, 4 · width
    unless given, and `activation`.  `causal` lets no place see a later one; `dropout` drops from
    what each part adds, and from the attention's weights.  With `cross` it is called with the
    `context` (N, S, width) that it looks at, as a decoder is.

    >>> block = TransformerBlock(4, input_shape=(None, 32))
    >>> block.count_parameters()
    12704
    """

    takes_mask = True

    def __init__(
        self,
        heads: int,
        hidden: int | None = None,
        norm: str = "pre",
        causal: bool = False,
        cross: bool = False,
        dropout: float = 0.0,
        activation: str | Callable[[Tensor], Tensor] | None = "gelu",
        rotary: bool = False,
        use_bias: bool = True,
        kernel_init: str | init.Initializer = "glorot_uniform",
        output_init: str | init.Initializer | None = None,
        input_shape: tuple[int | None, ...] | None = None,
        name: str | None = None,
    ) -> None:
        if norm not in ("pre", "post"):
            raise ValueError(f'TransformerBlock: norm must be "pre" or "post", not {norm!r}')
        self.norm, self.name, self.hidden = norm, name, hidden
        self.activation, self.use_bias = activation, use_bias
        self.kernel_init = kernel_init
        self.output_init = kernel_init if output_init is None else output_init

        def attention(**options: Any) -> MultiHeadAttention:
            return MultiHeadAttention(
                heads, dropout=dropout, use_bias=use_bias, kernel_init=kernel_init,
                output_init=output_init, **options,
            )  # fmt: skip

        self.attention_norm = LayerNorm()
        self.attention = attention(causal=causal, rotary=rotary)
        self.cross_norm = LayerNorm() if cross else None
        self.cross = attention() if cross else None
        self.dense_norm = LayerNorm()
        self.expand: Dense | None = None
        self.reduce: Dense | None = None
        self.drop = Dropout(dropout)
        if input_shape is not None:
            self.build(input_shape)

    @property
    def built(self) -> bool:
        """Whether the width of the input is known."""
        return self.expand is not None

    def build(self, input_shape: tuple[int | None, ...]) -> TransformerBlock:
        """Make the parameters for samples (T, width)."""
        width = input_shape[-1]
        if not width:
            raise ShapeError(f"{path_of(self)}: input_shape {input_shape} must end in the width")
        self.input_shape = (None, width)  # type: ignore[assignment]
        hidden = self.hidden or 4 * width
        for norm in (self.attention_norm, self.cross_norm, self.dense_norm):
            if norm is not None:
                norm.build((width,))
        for attention in (self.attention, self.cross):
            if attention is not None:
                attention.build((None, width))
        self.expand = Dense(
            hidden, self.activation, self.use_bias, self.kernel_init, input_shape=(width,)
        )
        self.reduce = Dense(width, None, self.use_bias, self.output_init, input_shape=(hidden,))
        return self

    def build_from(self, state: dict[str, Any]) -> None:
        """Make the parameters in the shapes that a state dict has them."""
        if "expand.weight" in state:
            width, self.hidden = state["expand.weight"].shape
            self.build((None, width))

    def __call__(
        self,
        x: Tensor,
        context: Tensor | None = None,
        *,
        mask: Any = None,
        context_mask: Any = None,
        caches: Caches | None = None,
    ) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if (context is None) != (self.cross is None):
            raise ShapeError(
                f"{path_of(self)}: "
                + ("a context is needed; call it with (x, context)" if context is None
                   else "a context is given, but there is no cross-attention; use cross=True")
            )  # fmt: skip
        if self.expand is None:
            self.build(x.shape).to(x.backend)
        own, other = (None, None) if caches is None else caches
        x = self._around(x, self.attention_norm, self.attention, mask=mask, cache=own)
        if self.cross is not None and self.cross_norm is not None:
            x = self._around(
                x, self.cross_norm, self.cross, context, mask=context_mask, cache=other
            )
        return self._around(x, self.dense_norm, self._think)

    def _around(
        self, x: Tensor, norm: LayerNorm, part: Callable[..., Tensor], *rest: Any, **options: Any
    ) -> Tensor:
        """x and what a part of the block adds to it, normalised before or after."""
        if self.norm == "pre":
            return x + self.drop(part(norm(x), *rest, **options))
        return norm(x + self.drop(part(x, *rest, **options)))

    def _think(self, x: Tensor) -> Tensor:
        assert self.expand is not None
        assert self.reduce is not None
        return self.reduce(self.drop(self.expand(x)))  # (N, T, width) → (N, T, hidden) → back

    def caches(self, length: int) -> Caches:
        """Empty caches for generating up to `length` places."""
        return KeyValueCache(length), KeyValueCache()

    def describe(self) -> str:
        return f"{self.attention.describe()}, {self.norm}-norm"
