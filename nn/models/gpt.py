"""GPT: a transformer that predicts the next token from those before it."""

from __future__ import annotations

import math
from typing import Any

from autograd import Tensor, cat, no_grad
from autograd.errors import ShapeError

from .. import init
from ..layers.attention import KeyValueCache
from ..layers.core import Dense, Dropout
from ..layers.embedding import Embedding
from ..layers.normalization import LayerNorm
from ..layers.position import PositionEmbedding
from ..layers.transformer import TransformerBlock
from ..mode import training
from ..module import Module
from .generation import Chooser, prompt, sampler, seeded

__all__ = ["GPT"]

Caches = list[tuple[KeyValueCache, KeyValueCache]]


class GPT(Module):
    """Ids (N, T) → logits (N, T, vocabulary) of the id that comes next, at each place, from what
    stands there and before (Radford et al. 2019, the GPT-2 layout).

    T is at most `context`.  Positions are learned, or with `rotary` a turn of queries and keys.
    With `tied` the table of the embedding also reads the result, as in GPT-2.  Weights start as
    normal numbers of deviation 0.02, those that lead back into the stream smaller by √(2 layers).

    >>> model = GPT(vocabulary=65, context=64, width=128, layers=4, heads=4)
    >>> model.count_parameters()
    809856
    >>> model([[1, 2, 3]]).shape
    (1, 3, 65)
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        width: int,
        layers: int,
        heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        activation: str = "gelu",
        rotary: bool = False,
        tied: bool = True,
        name: str | None = None,
    ) -> None:
        if layers < 1:
            raise ValueError(f"GPT: layers must be 1 or more, not {layers}")
        self.vocabulary, self.context, self.name = vocabulary, context, name
        small = init.normal(std=0.02)
        smaller = init.normal(std=0.02 / math.sqrt(2 * layers))
        self.embedding = Embedding(vocabulary, width, small)
        self.position = None if rotary else PositionEmbedding(context, small, (context, width))
        self.drop = Dropout(dropout)
        self.blocks = [
            TransformerBlock(
                heads, hidden, causal=True, dropout=dropout, activation=activation, rotary=rotary,
                kernel_init=small, output_init=smaller, input_shape=(context, width),
            )
            for _ in range(layers)
        ]  # fmt: skip
        self.norm = LayerNorm(input_shape=(width,))
        self.head = None if tied else Dense(
            vocabulary, use_bias=False, kernel_init=small, input_shape=(width,)
        )  # fmt: skip

    def __call__(self, ids: Any, caches: Caches | None = None) -> Tensor:
        past = caches[0][0].length if caches else 0
        x = self.embedding(ids)  # (N, T, width)
        if x.ndim != 3 or past + x.shape[1] > self.context:
            raise ShapeError(
                f"GPT: ids of shape {x.shape[:-1]}; (N, T) with T up to {self.context - past} is "
                "needed" + (f" behind {past} in the caches" if past else "")
            )
        if self.position is not None:
            x = self.position(x, past)
        x = self.drop(x)
        for i, block in enumerate(self.blocks):
            x = block(x, caches=caches[i] if caches else None)  # (N, T, width)
        x = self.norm(x)
        return x @ self.embedding.weight.T if self.head is None else self.head(x)  # (N, T, V)

    def caches(self, length: int | None = None) -> Caches:
        """Empty caches, one per block, for up to `length` places, `context` unless given."""
        return [block.caches(length or self.context) for block in self.blocks]

    @no_grad()
    def generate(
        self,
        ids: Any,
        n: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Tensor:
        """Ids (T,) or (N, T) with n more behind them, each drawn from what the model expects.

        Temperature 0 takes the likeliest; else the logits are divided by it, only the `top_k`
        likeliest count, and of those the fewest that together have probability `top_p`.  The same
        `seed` draws the same.  Keys and values are kept, so a token costs O(context); where the
        context is full, the model goes on with the later half of it.
        """
        if n < 0:
            raise ValueError(f"generate: n is how many ids to add, not {n}")
        choose = sampler(temperature, top_k, top_p)
        told, alone = prompt(ids, self.embedding.weight.backend)
        with seeded(seed), training(False):
            told = self._continued(told, n, choose)
        return told[0] if alone else told

    def _continued(self, ids: Tensor, n: int, choose: Chooser) -> Tensor:
        new, caches = ids[:, -self.context :], self.caches()  # (N, T)
        for _ in range(n):
            if caches[0][0].length + new.shape[1] > self.context:
                new, caches = ids[:, -max(self.context // 2, 1) :], self.caches()
            logits = self(new, caches)[:, -1]  # (N, V)
            new = choose(logits).reshape(-1, 1)  # (N, 1)
            ids = cat([ids, new.astype(ids.dtype)], axis=1)
        return ids
