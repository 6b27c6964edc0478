"""What a caller gives as data, made an array of a backend."""

from __future__ import annotations

from typing import Any

import backends
from backends import namespaces

from . import names
from .dtypes import DEFAULT, dtype_of
from .errors import DTypeError, GraphError
from .node import Node, current

__all__ = ["array_of"]


def array_of(data: Any, dtype: Any, backend: str | None) -> Any:
    """A new array of the data: numbers in lists, an array of any library, or a node.

    Numbers and what lies in the host's memory go to `backend`, the current one by default; an
    array on a device stays there unless told otherwise.  Floats become float32, except those
    that come as an array.
    """
    dtype = backends.dtype(dtype)
    if isinstance(data, Node):
        data = data.raw
    target = backends.current() if backend is None else backends.get(backend)
    if hasattr(data, "__dlpack__") or hasattr(data, "__array__") or dtype_of(data) is not None:
        try:
            xp = namespaces[type(data)]
        except backends.BackendError:  # of a library that is not ours
            data = _foreign(data)
            xp = namespaces[type(data)]
        if backend is None and xp.name != "numpy":
            target = xp
        if target is not xp:
            data = target.from_host(xp.to_host(data))
        raw = _array(target, data, dtype)
    else:
        raw = _array(target, _plain(data), dtype)
        if dtype is None and raw.dtype == target.float64:
            raw = raw.astype(DEFAULT)
    if raw.dtype.kind in "OUSMm":
        raise _no_numbers(data, dtype)
    return raw


def _array(xp: Any, data: Any, dtype: Any) -> Any:
    try:
        return xp.array(data, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_numbers(data, dtype) from error


def _no_numbers(data: Any, dtype: Any) -> DTypeError:
    wanted = "numbers" if dtype is None else f"numbers that {dtype} can hold"
    return DTypeError(
        f"Tensor: expected {wanted}, got {type(data).__name__} {data!r:.60}. "
        "Nested lists must be rectangular, and a dtype is one like float32, float64 or int64."
    )


def _foreign(data: Any) -> Any:
    """An array of another library as one of ours, by DLPack or else by NumPy's protocol."""
    if hasattr(data, "__dlpack__"):
        host = data.__dlpack_device__()[0] == 1
        return backends.get("numpy" if host else "cupy").from_dlpack(data)
    return data.__array__()


def _plain(data: Any) -> Any:
    """Lists of tensors or values as lists of numbers and arrays."""
    if isinstance(data, (list, tuple)):
        return [_plain(item) for item in data]
    if not isinstance(data, Node):
        return data
    if data.op is not None and data.requires_grad and current().recording:
        raise GraphError(
            f"Tensor: a list holds {names.describe(data)}, which was computed; a new tensor would "
            "cut it off unnoticed. Use autograd.stack(list), or x.detach() if that is meant."
        )
    watcher = current().watcher
    if watcher is not None:
        watcher.looks_at(data, "Tensor([…]), where autograd.stack([…]) would not,")
    return namespaces[type(data.raw)].to_host(data.raw)
