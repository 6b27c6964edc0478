"""Facts as text that tells them apart: what is found again on disk is found by it."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from backends import numpy as np

__all__ = ["Nameless", "digest", "frozen", "told", "version"]


def digest(text: str) -> str:
    """A short name for a text that no other has."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Nameless(Exception):  # noqa: N818  # it is no error: what has no text is worked out anew
    """Something that has no text, by which it could be known again."""


def told(x: Any) -> str:
    """Params, numbers and their like as text; raises `Nameless` for other objects."""
    if isinstance(x, dict):
        return "{" + ", ".join(f"{key}: {told(value)}" for key, value in x.items()) + "}"
    if isinstance(x, (tuple, list)):
        return f"{type(x).__name__}({', '.join(map(told, x))})"
    if isinstance(x, slice):
        return f"slice({x.start}, {x.stop}, {x.step})"
    if x is None or x is ... or isinstance(x, (bool, int, float, str, np.dtype, type)):
        return repr(x)
    raise Nameless


def frozen(x: Any) -> Any:
    """Params as what can be hashed, where `told` has no text for all of them: equal for equal
    types alone, for 1 is True, and 0.0 is -0.0."""
    if isinstance(x, dict):
        return tuple([(key, frozen(value)) for key, value in x.items()])
    if isinstance(x, (tuple, list)):
        return type(x), tuple([frozen(item) for item in x])
    if isinstance(x, slice):
        return slice, frozen(x.start), frozen(x.stop), frozen(x.step)
    return type(x), repr(x) if isinstance(x, float) else x


def version(*folders: str) -> str:
    """A hash that differs where a source file in these folders does: by its size and time."""
    facts = [np.version.version]
    for folder in folders:
        for place, _, files in sorted(os.walk(folder)):
            for name in sorted(files):
                if name.endswith((".py", ".h", ".c")):
                    found = os.stat(os.path.join(place, name))
                    facts.append(f"{place} {name} {found.st_size} {found.st_mtime_ns}")
    return digest("\n".join(facts))
