"""What operations make of shapes, remembered in this process and, for later ones, on disk.

To find it out an operation is tried (`hollow.py`).  That takes microseconds for most, but for a
convolution as long as in a training step: such outcomes are worth a file.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from os.path import dirname
from typing import Any, NamedTuple

import backends
from backends import numpy as np

from .. import ops
from ..dtypes import name_of
from ..node import Op
from .store import stores
from .text import Nameless, frozen, told, version

__all__ = ["Kind", "find", "note", "write"]


class Kind(NamedTuple):
    """What an array is like."""

    shape: tuple[int, ...]
    dtype: Any


KEPT = 20_000
"""So many outcomes are remembered."""

LONG = 1e-3
"""Seconds of trying from which on an outcome is worth its place on disk."""

_known: dict[Any, Any] = {}
"""Operation, operands and params → a `Kind`, a tuple of them, or a number."""
_new: dict[str, Any] = {}
"""What the disk does not know yet."""


def find(op: Op, operands: list[Any], params: dict[str, Any]) -> Any:
    """The outcome, or None; an operand is a `Kind`, the type of a number, or the data of a mask."""
    key = _key(op, operands, params)
    found = _known.get(key) if key is not None else None
    if found is None and (kept := _on_disk()) and (text := _text(op, operands, params)) in kept:
        found = tuple([_kind(*pair) for pair in kept[text]])
        found = found if op.outputs else found[0]
        _remember(key, found)
    return found


def note(op: Op, operands: list[Any], params: dict[str, Any], found: Any, seconds: float) -> None:
    """Remember an outcome, which it took so long to find."""
    _remember(_key(op, operands, params), found)
    if seconds > LONG and isinstance(found, tuple) and (text := _text(op, operands, params)):
        kinds = [found] if isinstance(found, Kind) else found
        _new[text] = [(kind.shape, name_of(kind.dtype)) for kind in kinds]


def write() -> None:
    """Put what is new on disk."""
    if not _new:
        return
    for store in stores(new=False):
        with suppress(OSError):
            kept = store.read_note(_name())  # another process may have written since
            if len(kept) < KEPT:
                store.write_note(_name(), kept | _new)
            _on_disk().update(_new)
            _new.clear()
            return


def _remember(key: Any, found: Any) -> None:
    if key is None:
        return
    if len(_known) >= KEPT:
        _known.clear()
    _known[key] = found


def _key(op: Op, operands: list[Any], params: dict[str, Any]) -> Any:
    """What an outcome is found by in this process; None where a param cannot be hashed."""
    key = op, tuple(operands), frozen(params)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _text(op: Op, operands: list[Any], params: dict[str, Any]) -> str:
    """What an outcome is found by on disk; "" where it is not."""
    if not op.__module__.startswith("autograd."):
        return ""
    with suppress(Nameless):
        kinds = [(x.shape, name_of(x.dtype)) if isinstance(x, Kind) else x for x in operands]
        return f"{op.name} {told(kinds)} {told(params)}"
    return ""


def _kind(shape: list[int], dtype: str) -> Kind:
    return Kind(tuple(shape), np.dtype(backends.dtype(dtype)))


@lru_cache(maxsize=1)
def _on_disk() -> dict[str, Any]:
    """What the disk knows, read once."""
    for store in stores(new=False):
        with suppress(OSError):
            return store.read_note(_name())
    return {}


@lru_cache(maxsize=1)
def _name() -> str:
    """The note's name: outcomes are those of one version of the operations and of NumPy."""
    return f"shapes-{version(dirname(ops.__file__), dirname(backends.__file__))}"
