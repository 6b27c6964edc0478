"""Things chosen by name: `activation="relu"`, `optimizer="adam"`."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

__all__ = ["lookup"]


def lookup(kind: str, table: Mapping[str, Any], wish: Any) -> Any:
    """What the table has under that name; a wish that is a callable is granted as it is.

    Capitals, underscores, hyphens and spaces make no difference: "BinaryCrossentropy".

    >>> lookup("activation", {"relu": max, "tanh": min}, "rleu")
    Traceback (most recent call last):
    ValueError: activation 'rleu' is unknown; did you mean 'relu'? Valid: relu, tanh
    """
    if isinstance(wish, str):
        for name, found in table.items():
            if _plain(name) == _plain(wish):
                return found
        near = get_close_matches(wish.lower().replace("-", "_").replace(" ", "_"), table, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"{kind} {wish!r} is unknown{hint} Valid: {', '.join(table)}")
    if callable(wish):
        return wish
    raise TypeError(
        f"{kind} must be a name or something that can be called, not {type(wish).__name__} "
        f"{wish!r:.40}. Valid names: {', '.join(table)}"
    )


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c not in "_- ")
