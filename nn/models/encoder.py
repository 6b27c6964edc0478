"""The transformer's encoder: a sequence seen as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd import Tensor
from autograd.errors import ShapeError

from .. import init
from ..layers.core import Dropout
from ..layers.embedding import Embedding
from ..layers.normalization import LayerNorm
from ..layers.position import PositionEmbedding, SinusoidalEmbedding
from ..layers.transformer import TransformerBlock
from ..module import Module, path_of

__all__ = ["Encoder"]

Layer = Callable[[Tensor], Tensor]


class Encoder(Module):
    """Ids (N, T), or without a `vocabulary` vectors (N, T, width) → (N, T, width), each place
    knowing of all others (Vaswani et al. 2017; BERT: Devlin et al. 2019).

    `positions` are "learned" (up to `context` of them), "sinusoidal", "rotary" or None, for sets.
    A `mask` (N, T) is false where a sample is padded; with `padding` it is where ids are that
    number.  Blocks are pre-norm, and a norm follows, unless `norm="post"`.

    >>> encoder = Encoder(width=32, layers=2, heads=4, vocabulary=100, padding=0)
    >>> encoder([[5, 7, 0], [9, 0, 0]]).shape
    (2, 3, 32)
    """

    takes_mask = True

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        vocabulary: int | None = None,
        context: int = 512,
        hidden: int | None = None,
        positions: str | None = "learned",
        norm: str = "pre",
        dropout: float = 0.0,
        activation: str = "gelu",
        padding: int | None = None,
        name: str | None = None,
    ) -> None:
        if padding is not None and vocabulary is None:
            raise ValueError("Encoder: padding is an id, so a vocabulary is needed; or give a mask")
        self.padding, self.name = padding, name
        self.width = width
        self.embedding = (
            None if vocabulary is None else Embedding(vocabulary, width, init.normal(std=0.02))
        )
        self.position = _positions(positions, context, width)
        self.drop = Dropout(dropout)
        self.blocks = [
            TransformerBlock(
                heads, hidden, norm, dropout=dropout, activation=activation,
                rotary=positions == "rotary", input_shape=(None, width),
            )
            for _ in range(layers)
        ]  # fmt: skip
        self.norm = LayerNorm(input_shape=(width,)) if norm == "pre" else None

    def __call__(self, x: Any, mask: Any = None) -> Tensor:
        x = x if isinstance(x, Tensor) else Tensor(x)
        if mask is None and self.padding is not None:
            mask = x != self.padding  # (N, T)
        if self.embedding is not None:
            x = self.embedding(x)  # (N, T, width)
        if x.ndim != 3 or x.shape[2] != self.width:
            raise ShapeError(
                f"{path_of(self)}: the input has shape {x.shape}; "
                + (f"(N, time, {self.width}) is needed. Put nn.Dense({self.width}) before it."
                   if self.embedding is None else "ids (N, time) are needed.")
            )  # fmt: skip
        if self.position is not None:
            x = self.position(x)
        x = self.drop(x)
        for block in self.blocks:
            x = block(x, mask=mask)  # (N, T, width)
        return x if self.norm is None else self.norm(x)


def _positions(kind: str | None, length: int, width: int) -> Layer | None:
    """What adds positions of this kind to (N, T, width); rotary ones are the attention's."""
    if kind == "learned":
        return PositionEmbedding(length, input_shape=(length, width))
    if kind == "sinusoidal":
        return SinusoidalEmbedding()
    if kind in ("rotary", None):
        return None
    raise ValueError(
        f'Encoder: positions must be "learned", "sinusoidal", "rotary" or None, not {kind!r}'
    )
