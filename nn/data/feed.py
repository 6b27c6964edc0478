"""Batches that somebody else makes: what `fit` takes beside arrays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from autograd.errors import ShapeError

from .arrays import Data, Place, arrived, load
from .loader import DataLoader
from .rows import is_array, is_dataset

__all__ = ["Batches", "batches_of", "is_batches", "is_lazy"]


class Batches:
    """Batches from any source, checked and in one place: `for batch in batches` is one pass.

    `len(batches)` is how many a pass has, a TypeError where the source cannot tell.  It has
    `state_dict` and `load_state_dict` where the source has them.
    """

    def __init__(self, source: Any, place: Place) -> None:
        self.source, self.place = source, place
        if hasattr(source, "state_dict"):
            self.state_dict, self.load_state_dict = source.state_dict, source.load_state_dict

    def __len__(self) -> int:
        return len(self.source)

    @property
    def samples(self) -> int | None:
        """How many samples a pass has, if that is known."""
        return getattr(self.source, "samples", None)

    def __iter__(self) -> Iterator[Data]:
        """One pass over the source; what is left, if it is a generator."""
        source = self.source
        if isinstance(source, DataLoader):
            yield from source.batches(self.place)
            return
        given = (
            iter(source)
            if hasattr(source, "__iter__")
            else map(source.__getitem__, range(len(source)))
        )
        for number, batch in enumerate(given):
            yield batch if isinstance(batch, Data) else _checked(batch, number, self.place)
        if hasattr(source, "on_epoch_end"):  # Keras: where it shuffles
            source.on_epoch_end()


def is_lazy(data: Any) -> bool:
    """Whether it holds samples that a `DataLoader` should read a batch at a time.

    That is a .npy file, a memory map, or an object with samples by number, as PyTorch's `Dataset`;
    one with an `__iter__` or Keras' `on_epoch_end` gives batches instead.
    """
    batches = hasattr(type(data), "__iter__") or hasattr(data, "on_epoch_end")
    return isinstance(data, (str, os.PathLike, np.memmap)) or (is_dataset(data) and not batches)


def is_batches(data: Any) -> bool:
    """Whether it gives batches: a loader, an iterable, a generator, a sequence of Keras' kind."""
    if is_array(data) or is_lazy(data):
        return False
    return hasattr(type(data), "__iter__") or is_dataset(data)


def batches_of(data: Any, place: Place | None = None) -> Batches:
    """What gives batches, as `Batches`: checked, and moved to `place`.

    Taken are a `DataLoader`; an iterable, generator or list of (x, y), (x, y, weight) or x;
    PyTorch's `DataLoader`; an object with `__len__` and `__getitem__` like Keras' `PyDataset`.
    What holds samples (`is_lazy`) is cut into batches of 32.
    """
    place = place or Place.of([])
    if isinstance(data, Batches):
        return Batches(data.source, place)
    if is_lazy(data):
        data = DataLoader(data)
    if not (isinstance(data, list) or is_batches(data)):
        raise TypeError(
            f"batches_of: a {type(data).__name__} gives no batches. Expected a DataLoader, or an "
            "iterable of (x, y); arrays become one by nn.data.DataLoader(x, y, batch_size=32)"
        )
    return Batches(data, place)


def _checked(batch: Any, number: int, place: Place) -> Data:
    """A batch as (x, y), (x, y, weight), (x,) or x, in a tuple or list, as Data in a place."""
    x, y, weight = (batch, None, None)
    if isinstance(batch, (tuple, list)):
        if not 1 <= len(batch) <= 3:
            raise ShapeError(
                f"batch {number} has {len(batch)} parts: expected (x, y) or (x, y, weight)"
            )
        x, y, weight = (*batch, None, None)[:3]
    names = (f"x of batch {number}", f"y of batch {number}")
    if y is None:
        return Data(arrived(x, names[0], place))
    return load(x, y, weight, place, names)
