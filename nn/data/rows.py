"""What samples can be taken from, a batch at a time: arrays, files, tables, datasets."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from autograd import Tensor
from autograd.errors import ShapeError

from .arrays import as_array, each, is_several, rows_of
from .frames import is_table

__all__ = ["Dataset", "Rows", "is_array", "is_dataset", "rows"]


class Rows(Protocol):
    """Samples by their number."""

    def __len__(self) -> int:
        """How many there are."""

    def take(self, index: np.ndarray) -> Any:
        """The samples of these numbers, as arrays `(len(index), ...)` in new memory."""


def is_array(data: Any) -> bool:
    """Whether it is data all in one: numbers, lists, an array of any library, a table."""
    lists = (list, tuple, dict, range, str, bytes, int, float, Tensor)
    return (
        isinstance(data, lists)
        or hasattr(data, "__array__")
        or hasattr(data, "__dlpack__")
        or is_table(data)
    )


def is_dataset(data: Any) -> bool:
    """Whether it has samples by number, as PyTorch's map-style datasets do, and is no array."""
    has = all(hasattr(type(data), name) for name in ("__len__", "__getitem__"))
    return has and not is_array(data)


def rows(data: Any, name: str) -> Rows:
    """The samples in any of these; several inputs come as a tuple or dict of them."""
    paths = (str, os.PathLike)
    if is_several(data) or (isinstance(data, tuple) and any(isinstance(x, paths) for x in data)):
        return Several(data, name)
    if isinstance(data, paths):
        data = _open(data, name)
    if isinstance(data, Tensor):
        return _sized(InTensor(data), data.shape, name)
    if is_dataset(data):
        return _sized(Dataset(data), (len(data),), name)
    if isinstance(data, np.memmap):
        return _sized(Mapped(data), data.shape, name)
    array = as_array(data, name)
    return _sized(InMemory(array), array.shape, name)


def _open(path: Any, name: str) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ValueError(
            f"{name}: {os.fspath(path)} is no .npy file of numbers ({error}). "
            "numpy.save writes one; of an .npz file give its arrays, numpy.load(path)['x']."
        ) from error


def _sized(rows: Rows, shape: tuple[int, ...], name: str) -> Rows:
    if not shape:
        raise ShapeError(f"{name} is one number: expected samples, (N, ...)")
    if not all(shape):
        raise ShapeError(f"{name} is empty: its shape is {shape}, there is nothing to learn")
    return rows


class InMemory:
    """Samples in an array of the host."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def take(self, index: np.ndarray) -> Any:
        """The rows, copied."""
        return rows_of(self.array, index)


class InTensor:
    """Samples in a Tensor, on any backend; their batches stay there."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.backend = tensor.detach(), tensor.backend

    def __len__(self) -> int:
        return len(self.tensor)

    def take(self, index: np.ndarray) -> Tensor:
        """The rows, copied on their device."""
        there = Tensor(index, backend=self.backend)
        return Tensor.of(rows_of(self.tensor.raw, there.raw))


FORGET = 1 << 26
"""After how many bytes read from a file its pages are dropped from this process's memory."""
AROUND = 1 << 16
"""How many bytes more than the one asked for the system may map at once (Linux: 16 pages)."""


class Mapped(InMemory):
    """Samples in a file that is mapped into memory: only the rows asked for are read.

    Pages once read would count as this process's memory until somebody else needs it; they are
    let go regularly, and stay in the system's file cache.
    """

    def __init__(self, array: np.memmap) -> None:
        super().__init__(np.asarray(array))  # batches are plain arrays
        self.read = 0
        self.forget = self._forget(array)

    def take(self, index: np.ndarray) -> Any:
        """The rows, read from the file."""
        batch = self.array[index]
        self.read += batch.nbytes + len(index) * AROUND
        if self.read > FORGET:
            self.read = 0
            self.forget()
        return batch

    @staticmethod
    def _forget(array: np.memmap) -> Callable[[], Any]:
        file: Any = array
        while isinstance(file, np.ndarray):
            file = file.base
        # what was written to a copy-on-write map ("c") is nowhere else, and has to stay
        if array.mode == "c" or not (hasattr(file, "madvise") and hasattr(mmap, "MADV_DONTNEED")):
            return lambda: None
        return lambda: file.madvise(mmap.MADV_DONTNEED)


class Dataset:
    """Samples that an object gives one by one, `dataset[i]`: PyTorch's map-style protocol.

    A sample is an array, or a tuple of arrays and numbers (x, y), or a dict of them.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def take(self, index: np.ndarray) -> Any:
        """The samples side by side; those of different shapes are a ShapeError."""
        samples = [self.dataset[int(i)] for i in index]
        return _side_by_side(samples, index, "")


def _side_by_side(samples: list[Any], index: np.ndarray, part: str) -> Any:
    first = samples[0]
    if isinstance(first, dict):
        return {
            key: _side_by_side([sample[key] for sample in samples], index, f"{part}[{key!r}]")
            for key in first
        }
    if isinstance(first, (tuple, list)):
        fields = zip(*samples, strict=True)
        return tuple(
            _side_by_side(list(field), index, f"{part}[{i}]") for i, field in enumerate(fields)
        )
    arrays = [np.asarray(sample) for sample in samples]
    for i, array in zip(index, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise ShapeError(
                f"dataset[{int(i)}]{part} has shape {array.shape}, but dataset[{int(index[0])}]"
                f"{part} has {arrays[0].shape}: samples of a batch have one shape. "
                "nn.data.pad_sequences makes sequences equally long; crop or resize images."
            )
    return np.stack(arrays)


class Several:
    """Samples of several inputs, which are of one length."""

    def __init__(self, inputs: Any, name: str) -> None:
        items = inputs.items() if isinstance(inputs, dict) else enumerate(inputs)
        found = {key: rows(value, f"{name}[{key!r}]") for key, value in items}
        if not found:
            raise ShapeError(f"{name} is empty: there is nothing to learn from")
        lengths = {key: len(value) for key, value in found.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError(f"{name} has inputs of different lengths: {lengths}")
        self.length = next(iter(lengths.values()))
        self.inputs = found if isinstance(inputs, dict) else tuple(found.values())

    def __len__(self) -> int:
        return self.length

    def take(self, index: np.ndarray) -> Any:
        """The samples of each input."""
        return each(lambda input: input.take(index), self.inputs)
