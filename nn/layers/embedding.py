"""Embedding: a vector of its own for each of a number of things, such as words or characters."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, functions
from autograd.errors import DTypeError

from .. import init
from ..module import Module, path_of

__all__ = ["Embedding"]


class Embedding(Module):
    """Integers (N, …) become vectors (N, …, output_dim): rows of `weight` (input_dim, output_dim).

    With `mask_zero` the integer 0 is padding: in a `Sequential` the layers behind this one that
    take a mask are given `padding_mask(ids)`.  Elsewhere hand it on yourself:

    >>> embed = Embedding(100, 8, mask_zero=True)
    >>> ids = Tensor([[5, 7, 0], [9, 0, 0]])
    >>> embed(ids).shape, embed.padding_mask(ids).tolist()
    ((2, 3, 8), [[True, True, False], [True, False, False]])

    Losses know nothing of it: with an output per step, give `fit` sample_weight=ids != 0, or mark
    the labels of padding by the loss's `ignore_index`.

    An integer outside [0, input_dim) is an error, on every backend.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embedding_init: str | init.Initializer = "uniform",
        mask_zero: bool = False,
        name: str | None = None,
    ) -> None:
        for what, n in (("input_dim", input_dim), ("output_dim", output_dim)):
            if isinstance(n, bool) or not isinstance(n, int) or n < 1:
                raise ValueError(f"Embedding: {what} must be a whole number from 1 on, not {n!r}")
        self.input_dim, self.output_dim = input_dim, output_dim
        self.mask_zero, self.name = mask_zero, name
        draw = init.get(embedding_init)
        self.weight = self._parameter("weight", draw, (input_dim, output_dim))

    def __call__(self, ids: Any) -> Tensor:
        found: Tensor = functions.embedding(self.weight, self._integers(ids))
        return found

    def _integers(self, ids: Any) -> Tensor:
        """The ids as integers; floats that are whole numbers, as a table may have them, will do."""
        ids = ids if isinstance(ids, Tensor) else Tensor(ids, backend=self.weight.backend)
        if ids.dtype.kind in "iu":
            return ids
        whole = ids.astype("int64")
        if ids.dtype.kind == "b" or not bool((whole == ids).all()):
            raise DTypeError(
                f"{path_of(self)}: ids count the rows of the table, so they are integers, not "
                f"{ids.dtype}. Embed what is categorical; numbers go into a Dense layer."
            )
        return whole

    def padding_mask(self, ids: Any) -> Tensor | None:
        """Where ids are not 0, or None without `mask_zero`."""
        return self._integers(ids) != 0 if self.mask_zero else None

    def describe(self) -> str:
        return f"{self.input_dim} → {self.output_dim}{', 0 is padding' if self.mask_zero else ''}"
