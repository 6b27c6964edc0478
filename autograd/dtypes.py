"""The dtype policy: float32 unless told otherwise, and nothing is upcast or lost in silence.

Python numbers are weak: they take the dtype of the array they meet.  Integers and truth values
that meet floats become that float dtype.  Two different float dtypes are an error that names
both.  Integers that an operation turns into fractions become float32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import backends
from backends import BackendError, namespaces, python

from . import names
from .errors import DTypeError
from .node import Node, Op

__all__ = ["DEFAULT", "agree", "dtype_of", "is_float", "name_of", "settle", "space"]

DEFAULT = "float32"


def dtype_of(raw: Any) -> Any:
    """The dtype of raw data; None for a Python number, which is weak."""
    return getattr(raw, "dtype", None)


@lru_cache(maxsize=64)
def name_of(dtype: Any) -> str:
    """The name of a dtype; NumPy puts it together anew each time, which takes microseconds."""
    return str(dtype.name)


def is_float(dtype: Any) -> bool:
    """Whether a gradient can flow through this dtype: real floats, and complex for checks."""
    return dtype is not None and (dtype.kind in "fc" or dtype.name == "bfloat16")


def space(*raws: Any) -> Any:
    """The namespace of the first operand that is an array."""
    for raw in raws:
        xp = namespaces[type(raw)]
        if xp is not python:
            return xp
    return python


def agree(op: Op, nodes: tuple[Node, ...]) -> tuple[Any, ...]:
    """The raw operands, converted so that their dtypes agree, or an error naming them."""
    raws = [x.raw for x in nodes]
    kinds = {(raw.__class__, dtype_of(raw)) for raw in raws}
    if len(kinds) == 1 and None not in next(iter(kinds)):  # arrays of one dtype, as most often
        return tuple(raws)
    arrays = [raw for raw in raws if dtype_of(raw) is not None]
    if not arrays:
        return tuple(raws)
    if len({namespaces[type(raw)] for raw in arrays}) > 1:
        raise BackendError(_mixed(op, nodes, "backends", lambda raw: backends.name_of(raw)))
    floats = {raw.dtype for raw in arrays if is_float(raw.dtype)}
    if len(floats) > 1:
        raise DTypeError(_mixed(op, nodes, "dtypes", lambda raw: str(raw.dtype)))
    if not floats:
        if not any(isinstance(raw, float) for raw in raws):
            return tuple(raws)
        floats = {space(*arrays).dtype(DEFAULT)}  # integers that meet a Python float
    (dtype,) = floats
    if dtype.kind == "V":  # bfloat16, before which Python numbers are not weak
        xp = space(*arrays)
        raws = [xp.asarray(raw, dtype=dtype) if dtype_of(raw) is None else raw for raw in raws]
    return tuple([
        raw if dtype_of(raw) is None or raw.dtype == dtype else raw.astype(dtype) for raw in raws
    ])  # fmt: skip


def _mixed(op: Op, nodes: tuple[Node, ...], what: str, tell: Any) -> str:
    found = list(dict.fromkeys(tell(x.raw) for x in nodes if dtype_of(x.raw) is not None))
    lines = "\n".join(f"  {names.describe(x)}" for x in nodes if dtype_of(x.raw) is not None)
    mend = (
        f'Move one of them: x.to("{found[0]}").'
        if what == "backends"
        else f'Convert one of them: x.astype("{found[0]}").'
    )
    kinds = " and ".join(found)
    return f"{op.name}: the operands have different {what}, {kinds}\n{lines}\n  {mend}"


def settle(op: Op, raw: Any, *raws: Any, **params: Any) -> Any:
    """An op's raw result as an array, and as one that nothing has silently upcast."""
    arrays = [r for r in raws if dtype_of(r) is not None]
    if not arrays:
        return raw
    xp = namespaces[type(raw)]
    if xp is python:
        xp = space(*arrays)
    if not isinstance(raw, xp.array_type):
        raw = xp.asarray(raw)
    if raw.dtype.kind in "fV":
        floats = [r.dtype for r in arrays if is_float(r.dtype)]
        if not floats and raw.dtype.itemsize < 4:  # the exponential of a bool, in half precision
            raw = op.forward(xp, *[r.astype(DEFAULT) for r in arrays], **params)
        dtype = floats[0] if floats else xp.dtype(DEFAULT)
        if raw.dtype != dtype and dtype.kind != "c":
            raw = raw.astype(dtype)
    return raw
