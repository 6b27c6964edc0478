"""What a caller gives as data, made an array of a backend."""

from __future__ import annotations

from typing import Any

import backends
from backends import namespaces

from .dtypes import DEFAULT, dtype_of
from .errors import DTypeError
from .node import Node

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
        raw = target.array(data, dtype=dtype)
    else:
        raw = target.array(_plain(data), dtype=dtype)
        if dtype is None and raw.dtype == target.float64:
            raw = raw.astype(DEFAULT)
    if raw.dtype.kind in "OUSMm":
        raise DTypeError(
            f"Tensor: expected numbers, got {type(data).__name__} {data!r:.60}. "
            "Nested lists must be rectangular and hold numbers only."
        )
    return raw


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
    return backends.namespaces[type(data.raw)].to_host(data.raw) if isinstance(data, Node) else data
