"""`DataLoader`: batches of anything that has samples, in an order that can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import signature
from operator import index
from typing import Any

import numpy as np

from autograd import no_grad, random
from autograd.errors import ShapeError

from ..mode import training
from .arrays import Data, Place, arrived, weight_of
from .prefetch import ahead
from .rows import Dataset, rows

__all__ = ["DataLoader", "takes_targets"]

STRIDE = 1 << 40
"""How many words of a pass's random stream each batch may use: word 0 on is the shuffling's."""


class DataLoader:
    """Batches of samples x with targets y, for `fit` or a loop of your own.

    >>> loader = DataLoader(np.arange(10.0), np.arange(10), batch_size=4)
    >>> [y.tolist() for x, y in loader]
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]

    x and y are arrays, Tensors, lists, data frames of pandas or Polars, Arrow tables; a `.npy` file
    (its path, or `numpy.load(path, mmap_mode="r")`), which may be larger than memory: only the
    rows of a batch are read; a tuple or dict of these for a model of several inputs.  Or x alone
    is a dataset, `dataset[i]` being one sample `(x, y)`, as in PyTorch.

    A batch unpacks as `x, y`, or `x, y, weight` with `sample_weight`, or `(x,)` without targets:
    Tensors `(batch_size, ...)`, floats in float32 (or the dtype of the model that is being fitted)
    and integers unchanged; the last batch may be smaller unless `drop_last`.

    `transform(x)`, or `transform(x, y)` where it has a parameter `y`, is applied to each batch of
    arrays before it is checked and moved; `nn.data.Augment` is one.  It runs in training mode.

    With `prefetch=n` up to n batches are read and transformed ahead, in one background thread;
    batches and random numbers are the same without it.

    Randomness has a stream for each pass over the data, and a part of it for each batch.  Passes
    are numbered by `seed`, or else drawn from `autograd.seed`'s stream.  So `state_dict()` is a few
    numbers, and a loader that loads them goes on with the batch that would have come next.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        prefetch: int = 0,
        sample_weight: Any = None,
        transform: Callable[..., Any] | None = None,
        seed: int | None = None,
    ) -> None:
        self.batch_size, self.prefetch = _count(batch_size, "batch_size", 1), prefetch
        _count(prefetch, "prefetch", 0)
        self.shuffle, self.drop_last, self.seed = shuffle, drop_last, seed
        self.x = rows(x, "x")
        self.y = None if y is None else rows(y, "y")
        if self.y is not None and len(self.y) != len(self.x):
            raise ShapeError(
                f"x has {len(self.x)} samples, y has {len(self.y)}: expected one target per sample"
            )
        self.weight = None
        if sample_weight is not None:
            weight = weight_of(sample_weight, len(self.x), Place("numpy"))
            self.weight = rows(weight, "sample_weight")
        self.transform = transform
        self.with_targets = transform is not None and takes_targets(transform)
        if not len(self):
            raise ShapeError(
                f"drop_last=True leaves no batch of {self.batch_size} in {len(self.x)} samples"
            )
        self.epoch, self.batch = 0, 0
        """The pass under way, or to come; and how many batches of it have been handed out."""
        self._key: int | None = None  # of the pass's random stream, once it has begun
        self._resumed = False

    def __len__(self) -> int:
        """How many batches a pass has."""
        whole, rest = divmod(len(self.x), self.batch_size)
        return whole + bool(rest and not self.drop_last)

    @property
    def samples(self) -> int:
        """How many samples a pass has."""
        n = len(self.x)
        return n - n % self.batch_size if self.drop_last else n

    def __iter__(self) -> Iterator[Data]:
        """One pass over the data, or the rest of one after `load_state_dict`."""
        return self.batches(Place.of([]))

    def batches(self, place: Place) -> Iterator[Data]:
        """One pass, or the rest of one, with its batches where a model computes."""
        if self._key is not None and not self._resumed:  # the last pass was left in the middle
            self.epoch, self.batch, self._key = self.epoch + 1, 0, None
        self._resumed = False
        if self._key is None:
            self._key = self._new_key()
        return self._pass(place, self._key, self.batch)

    def _pass(self, place: Place, key: int, first: int) -> Iterator[Data]:
        order = np.arange(len(self.x))
        if self.shuffle:
            with random.using(_stream(key, 0)):
                order = random.permutation(len(self.x))

        def batches() -> Iterator[Data]:
            for i in range(first, len(self)):
                part = order[i * self.batch_size : (i + 1) * self.batch_size]
                yield self._load(part, place, key, i)

        for data in ahead(batches, self.prefetch) if self.prefetch else batches():
            self.batch += 1
            yield data
        self.epoch, self.batch, self._key = self.epoch + 1, 0, None

    def _load(self, index: np.ndarray, place: Place, key: int, batch: int) -> Data:
        """The batch of these samples, read, transformed, checked and moved."""
        x, y, weight = self.x.take(index), None, None
        if self.y is not None:
            y = self.y.take(index)
        elif isinstance(self.x, Dataset) and isinstance(x, tuple):
            x, y, weight = (*x, None, None)[:3]
        if self.weight is not None:
            weight = self.weight.take(index)
        if self.transform is not None:
            with random.using(_stream(key, (batch + 1) * STRIDE)), training(True), no_grad():
                x, y = self._transformed(x, y)
        data = Data(arrived(x, "x", place, index))
        if y is not None:
            data.y = arrived(y, "y", place, index)
            if len(Data(data.y)) != len(data):
                raise ShapeError(
                    f"the transform made {len(data)} samples and {len(Data(data.y))} targets of a "
                    f"batch of {len(index)}"
                )
        if weight is not None:
            data.weight = weight_of(weight, len(data), place)
        return data

    def _transformed(self, x: Any, y: Any) -> tuple[Any, Any]:
        assert self.transform is not None
        if y is None or not self.with_targets:
            return self.transform(x), y
        x, y = self.transform(x, y)
        return x, y

    # --- place and randomness ---

    def _new_key(self) -> int:
        """The key of a pass's random stream: of the seed and its number, or the next one drawn."""
        if not (self.shuffle or self.transform):
            return 0
        if self.seed is None:
            high, low = random.bits(2, "numpy").tolist()
        else:
            with random.using(_stream(self.seed, 4 * self.epoch)):
                high, low = random.bits(2, "numpy").tolist()
        return int(high) << 32 | int(low)

    def state_dict(self) -> dict[str, Any]:
        """Where it stands, as JSON: the pass, the batches of it handed out, its random stream."""
        place = {"epoch": self.epoch, "batch": self.batch, "key": self._key}
        return place | self._facts()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where `state_dict()` was read: the next pass is the rest of that one.

        A ValueError tells what has changed since, such that the batches would be others.
        """
        changed = {
            k: (state.get(k), now) for k, now in self._facts().items() if state.get(k) != now
        }
        if changed:
            told = ", ".join(f"{key} was {was}, is {now}" for key, (was, now) in changed.items())
            raise ValueError(f"load_state_dict: the loader would give other batches: {told}")
        self.epoch, self.batch, self._key = (state[name] for name in ("epoch", "batch", "key"))
        self._resumed = self._key is not None

    def _facts(self) -> dict[str, Any]:
        names = ("batch_size", "shuffle", "drop_last", "seed")
        return {"samples": len(self.x)} | {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"DataLoader({len(self.x)} samples in {len(self)} batches of {self.batch_size})"


def takes_targets(transform: Callable[..., Any]) -> bool:
    """Whether a transform has a parameter `y`, and so changes the targets too."""
    return "y" in signature(transform).parameters


def _stream(key: int, position: int) -> random.Generator:
    """A key's stream from a word on; computed in small steps, for most draws are small."""
    generator = random.Generator(key, ahead=1024)
    generator.restart(key, position)
    return generator


def _count(n: Any, name: str, least: int) -> int:
    try:
        if index(n) >= least:
            return index(n)
    except TypeError:
        pass
    raise ValueError(f"DataLoader: {name}={n!r}: expected a whole number from {least} on")
