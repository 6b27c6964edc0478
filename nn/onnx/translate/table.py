"""The table of translations: the name of an op of ours → what writes it in ONNX.

A rule has the form of a gradient rule: `rule(g, z, *inputs, **params)`, where g is the `Graph`, z
the result (its shape and dtype) and the inputs are `Ref`s.  It gives the name of the value that it
wrote, or one name per result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["RULES", "rule", "same"]

RULES: dict[str, Callable[..., Any]] = {}


def rule(write: Callable[..., Any]) -> Callable[..., Any]:
    """Enter a rule under its own name, without a closing underscore."""
    RULES[write.__name__.rstrip("_")] = write
    return write


def same(**kinds: str) -> None:
    """Enter ops that ONNX has too, without params, under another name."""
    for name, kind in kinds.items():
        RULES[name] = lambda g, z, *inputs, _kind=kind: g(_kind, *inputs)
