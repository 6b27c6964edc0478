"""Things chosen by name: `activation="relu"`, `optimizer="adam"`."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

__all__ = ["lookup"]


def lookup(kind: str, table: Mapping[str, Any], wish: Any) -> Any:
    """What the table has under that name; a wish that is a callable is granted as it is.

    >>> lookup("activation", {"relu": max, "tanh": min}, "rleu")
    Traceback (most recent call last):
    ValueError: activation 'rleu' is unknown; did you mean 'relu'? Valid: relu, tanh
    """
    if isinstance(wish, str):
        if wish in table:
            return table[wish]
        near = get_close_matches(wish.lower().replace("-", "_").replace(" ", "_"), table, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"{kind} {wish!r} is unknown{hint} Valid: {', '.join(table)}")
    if callable(wish):
        return wish
    raise TypeError(
        f"{kind} must be a name or something that can be called, not {type(wish).__name__} "
        f"{wish!r:.40}. Valid names: {', '.join(table)}"
    )
