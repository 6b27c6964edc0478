"""Data on their way in: batches of anything, data sets, text, series, augmentation.

loader = nn.data.DataLoader(x, y, batch_size=64, shuffle=True, prefetch=2)
x, y = nn.data.datasets.digits()
x_train, x_test, y_train, y_test = nn.data.split(x, y, 0.2, stratify=True)
tokenizer = nn.data.CharTokenizer(text)
"""

from importlib import import_module
from typing import Any

from . import datasets
from .arrays import Data, Place
from .feed import Batches, batches_of, is_batches, is_lazy
from .loader import DataLoader
from .sequences import next_tokens, pad_sequences, windows
from .splits import split
from .text import ByteTokenizer, CharTokenizer, WordTokenizer

__all__ = [
    "DataLoader", "Data", "Place", "Batches", "batches_of", "is_batches", "is_lazy",
    "split", "windows", "next_tokens", "pad_sequences",
    "CharTokenizer", "WordTokenizer", "ByteTokenizer",
    "Augment", "augment", "datasets",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Augmentations are modules, which need this package: they are loaded when asked for."""
    if name not in ("augment", "Augment"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    augment = import_module(".augment", __name__)
    return augment if name == "augment" else augment.Augment
