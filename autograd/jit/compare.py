"""Are two recordings of one function the same program?  If not, what differs is no constant."""

from __future__ import annotations

from typing import Any

from backends import namespaces, python
from backends import numpy as np

from .program import Program, Step, Var

__all__ = ["difference", "unlike"]


def difference(a: Program, b: Program) -> str | None:
    """What tells two programs apart, in words; None where nothing does."""
    if len(a.steps) != len(b.steps):
        return f"one call takes {len(a.steps)} operations, the next {len(b.steps)}"
    same: dict[Var, Var] = {}
    for x, y in zip(a.given, b.given, strict=False):
        if (x.source, x.shape, x.dtype) != (y.source, y.shape, y.dtype):
            return f"one call begins with {_told(x)}, the next with {_told(y)}"
        if x.source == "constant" and not _equal(x.value, y.value):
            return f"a constant was {_short(x.value)}, and is {_short(y.value)}"
        if x.source in ("leaf", "gradient") and x.value is not y.value and not _memory(x, y):
            return f"one call reads {_told(x)}, the next another"
        if x.source in ("argument", "number") and x.value != y.value:
            return "the calls use their arguments in different order"
        same[x] = y
    if len(a.given) != len(b.given):
        return f"one call begins with {len(a.given)} values, the next with {len(b.given)}"
    for s, t in zip(a.steps, b.steps, strict=True):
        if s.op is not t.op or _kinds(s) != _kinds(t):
            return f"{s.op.name} at {s.place} is {t.op.name} at {t.place} in the next call"
        if not _equal(s.params, t.params):
            return f"{s.op.name} at {s.place} has {s.params} in one call, {t.params} in the next"
        if [same[x] for x in s.inputs] != list(t.inputs):
            return f"{s.op.name} at {s.place} is applied to something else in the next call"
        same.update(zip(s.outputs, t.outputs, strict=True))
    if [same.get(x) for x in a.ends()] != list(b.ends()) or len(a.writes) != len(b.writes):
        return "the calls return or assign different things"
    for v, w in zip(a.writes, b.writes, strict=True):
        if v.leaf.raw is not w.leaf.raw or not _equal(v.at, w.at):
            return "one call assigns a tensor, or a part of it, the next another"
    return None


def unlike(a: Any, b: Any) -> str | None:
    """How the two calls' results differ beside their tensors, in words: of what is no tensor
    each later call returns the very same."""
    if type(a) is type(b) and isinstance(a, dict) and a.keys() == b.keys():
        return next((told for key in a if (told := unlike(a[key], b[key]))), None)
    if type(a) is type(b) and isinstance(a, (tuple, list)) and len(a) == len(b):
        return next((told for x, y in zip(a, b, strict=True) if (told := unlike(x, y))), None)
    if a is b or isinstance(a, PLAIN) and _equal(a, b):
        return None
    return (
        f"it returns {_short(a)}, and then {_short(b)}. Return tensors, in tuples, lists or dicts"
    )


PLAIN = (bool, int, float, complex, str, bytes, np.ndarray, np.generic, np.dtype)
"""Results that are what they look like: of others it is asked which object they are."""


def _kinds(step: Step) -> list[Any]:
    return [(x.shape, x.dtype) for x in step.outputs]


def _told(x: Var) -> str:
    return f"a {x.source} {x.dtype or 'number'} {x.shape}"


def _short(x: Any) -> str:
    return f"{x!r:.40}".replace("\n", " ")


def _memory(x: Var, y: Var) -> bool:
    """Whether two tensors hold the very same array."""
    a, b = getattr(x.value, "raw", None), getattr(y.value, "raw", None)
    return a is not None and a is b


def _equal(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if hasattr(a, "dtype") and not isinstance(a, type) and namespaces[type(a)] is not python:
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return bool(((a == b) | ((a != a) & (b != b))).all().item())
    return a is b or bool(a == b)
