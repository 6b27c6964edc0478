"""The transformer of the paper: an encoder reads one sequence, a decoder writes another."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, cat, full, no_grad, where
from autograd.errors import ShapeError

from .. import init
from ..layers.core import Dense, Dropout
from ..layers.embedding import Embedding
from ..layers.normalization import LayerNorm
from ..layers.position import PositionEmbedding
from ..layers.transformer import Caches, TransformerBlock
from ..mode import training
from ..module import Module
from .encoder import Encoder
from .generation import prompt, sampler, seeded

__all__ = ["Transformer"]


class Transformer(Module):
    """Source ids (N, S) and target ids (N, T) → logits (N, T, target_vocabulary) of the target id
    that comes next (Vaswani et al. 2017).

    In training the target begins with a start id, and what is to be predicted is the target
    without it: `model(source, target[:, :-1])` against `target[:, 1:]`.  `padding`, an id of both
    vocabularies, fills up short sources.  Positions are learned, up to `context`.

    >>> model = Transformer(20, 12, width=32, layers=2, heads=4, context=16, padding=0)
    >>> model([[5, 6, 7, 0]], [[1, 4]]).shape
    (1, 2, 12)
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        context: int = 512,
        hidden: int | None = None,
        norm: str = "pre",
        dropout: float = 0.0,
        activation: str = "gelu",
        padding: int | None = None,
        name: str | None = None,
    ) -> None:
        self.context, self.padding, self.name = context, padding, name
        self.encoder = Encoder(
            width, layers, heads, source_vocabulary, context, hidden, norm=norm, dropout=dropout,
            activation=activation,
        )  # fmt: skip
        self.embedding = Embedding(target_vocabulary, width, init.normal(std=0.02))
        self.position = PositionEmbedding(context, input_shape=(context, width))
        self.drop = Dropout(dropout)
        self.blocks = [
            TransformerBlock(
                heads, hidden, norm, causal=True, cross=True, dropout=dropout,
                activation=activation, input_shape=(None, width),
            )
            for _ in range(layers)
        ]  # fmt: skip
        self.norm = LayerNorm(input_shape=(width,)) if norm == "pre" else None
        self.head = Dense(target_vocabulary, input_shape=(width,))

    def __call__(self, source: Any, target: Any) -> Tensor:
        source = source if isinstance(source, Tensor) else Tensor(source)
        mask = self._mask(source)  # (N, S)
        return self._decoded(target, self.encoder(source, mask=mask), mask)

    def _mask(self, source: Tensor) -> Tensor | None:
        """Where the source is no padding, (N, S)."""
        return None if self.padding is None else source != self.padding

    def _decoded(
        self, target: Any, memory: Tensor, mask: Tensor | None, caches: list[Caches] | None = None
    ) -> Tensor:
        """Logits (N, T, V) from target ids (N, T) and what the encoder made, (N, S, width)."""
        past = caches[0][0].length if caches else 0
        x = self.drop(self.position(self.embedding(target), past))  # (N, T, width)
        for i, block in enumerate(self.blocks):
            x = block(x, memory, context_mask=mask, caches=caches[i] if caches else None)
        return self.head(x if self.norm is None else self.norm(x))  # (N, T, V)

    @no_grad()
    def generate(
        self,
        source: Any,
        n: int,
        start: int,
        end: int | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """Up to n target ids for source ids (S,) or (N, S): (n,) or (N, n), without the start id.

        At temperature 0 each is the likeliest; `GPT.generate` tells of the others.  Behind an
        `end` id stand only more of them, and when all samples have one, no more are made.
        """
        if not 0 < n <= self.context:
            raise ShapeError(f"generate: n = {n} is outside [1, {self.context}], the places")
        choose = sampler(temperature, top_k, top_p)
        told, alone = prompt(source, self.embedding.weight.backend)
        with seeded(seed), training(False):
            mask = self._mask(told)
            memory = self.encoder(told, mask=mask)  # (N, S, width)
            caches = [block.caches(n) for block in self.blocks]
            kind = {"dtype": "int64", "backend": told.backend}
            new = full((told.shape[0], 1), start, **kind)  # (N, 1)
            made: list[Tensor] = []
            over = full((told.shape[0], 1), 0, **kind) != 0  # (N, 1)
            for _ in range(n):
                new = choose(self._decoded(new, memory, mask, caches)[:, -1]).reshape(-1, 1)
                if end is not None:
                    new = where(over, end, new)
                    over = over | (new == end)
                made.append(new)
                if end is not None and over.all().item():
                    break
        ids = cat(made, axis=1)  # (N, n)
        return ids[0] if alone else ids
