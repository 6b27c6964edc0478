"""Choosing the next token: greedily, or at random from the likely ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from autograd import Tensor, random, where
from autograd.errors import ShapeError

__all__ = ["Chooser", "sampler", "seeded"]

Chooser = Callable[[Tensor], Tensor]
"""Logits (N, vocabulary) → ids (N,)."""


def sampler(temperature: float, top_k: int | None, top_p: float | None) -> Chooser:
    """How to choose from logits: the likeliest at temperature 0, else at random.

    The logits are divided by the temperature; then only the `top_k` largest stay, and of those the
    fewest that together have probability `top_p` (nucleus sampling: Holtzman et al. 2020).
    """
    if not temperature >= 0:
        raise ValueError(f"generate: temperature must be 0 or more, not {temperature!r}")
    if top_k is not None and not (isinstance(top_k, int) and top_k >= 1):
        raise ValueError(f"generate: top_k is a whole number from 1 on, or None, not {top_k!r}")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"generate: top_p is a probability in (0, 1], or None, not {top_p!r}")

    def choose(logits: Tensor) -> Tensor:
        if temperature == 0:
            return logits.argmax(axis=-1)
        logits = _likely(logits / temperature, top_k, top_p)  # (N, V)
        up_to = logits.softmax(axis=-1).cumsum(axis=-1)  # (N, V): P(id <= i)
        u = random.uniform((len(logits), 1), dtype=logits.dtype, backend=logits.backend)
        below = (up_to <= u * up_to[:, -1:]).astype("int64")  # (N, V)
        return below.sum(axis=-1)  # the first id with more than u up to it

    return choose


def _likely(logits: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """Logits (N, V) with -inf for what is too unlikely."""
    if top_k is not None and top_k < logits.shape[-1]:
        least = logits.sort(descending=True)[:, top_k - 1 : top_k]  # (N, 1)
        logits = where(logits >= least, logits, -float("inf"))
    if top_p is not None and top_p < 1:
        ranked = logits.sort(descending=True)  # (N, V)
        p = ranked.softmax(axis=-1)
        before = p.cumsum(axis=-1) - p  # (N, V): how much is likelier
        least = where(before < top_p, ranked, float("inf")).min(axis=-1, keepdims=True)  # (N, 1)
        logits = where(logits >= least, logits, -float("inf"))
    return logits


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Random numbers of their own stream in this block, or with None those of everybody."""
    with nullcontext() if seed is None else random.using(random.Generator(seed)):
        yield


def prompt(ids: object, backend: str, longest: int | None = None) -> tuple[Tensor, bool]:
    """Ids as integers (N, T), and whether they were one sequence (T,)."""
    given = ids if isinstance(ids, Tensor) else Tensor(ids, backend=backend)
    if given.ndim not in (1, 2) or given.dtype.kind not in "iu" or not given.size:
        raise ShapeError(
            f"generate: the ids are {given.shape} {given.dtype}; integers (T,) or (N, T) are "
            "needed, and at least one to begin with."
        )
    if longest is not None and given.shape[-1] > longest:
        raise ShapeError(f"generate: {given.shape[-1]} ids are more than the {longest} places")
    return (given.reshape(1, -1), True) if given.ndim == 1 else (given, False)
