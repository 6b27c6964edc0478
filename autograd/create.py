"""Tensors from sizes, and from arrays of other libraries without a copy."""

from __future__ import annotations

from typing import Any

import backends
from backends import BackendError, namespaces

from .dtypes import DEFAULT
from .errors import AutogradError, DTypeError, ShapeError
from .functions import sizes_of
from .tensor import Tensor

__all__ = [
    "arange", "asarray", "eye", "from_dlpack", "from_numpy", "full", "linspace", "ones",
    "ones_like", "zeros", "zeros_like",
]  # fmt: skip


def full(
    shape: Any,
    value: float,
    dtype: Any = DEFAULT,
    backend: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of this shape, an int or a tuple, with one value everywhere."""
    xp = _space(backend)
    raw = xp.full(_sizes((shape,), "full"), value, dtype=backends.dtype(dtype))
    return Tensor.of(raw).requires_grad_(requires_grad)


def zeros(
    *shape: Any, dtype: Any = DEFAULT, backend: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros: `zeros(2, 3)` or `zeros((2, 3))`."""
    return full(_sizes(shape, "zeros"), 0, dtype, backend, requires_grad)


def ones(
    *shape: Any, dtype: Any = DEFAULT, backend: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones: `ones(2, 3)` or `ones((2, 3))`."""
    return full(_sizes(shape, "ones"), 1, dtype, backend, requires_grad)


def zeros_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Zeros of the shape, backend and (unless given) dtype of x."""
    return full(x.shape, 0, x.dtype if dtype is None else dtype, x.backend)


def ones_like(x: Tensor, dtype: Any = None) -> Tensor:
    """Ones of the shape, backend and (unless given) dtype of x."""
    return full(x.shape, 1, x.dtype if dtype is None else dtype, x.backend)


def eye(n: int, m: int | None = None, dtype: Any = DEFAULT, backend: str | None = None) -> Tensor:
    """The (n, m) matrix, square by default, with ones on its diagonal."""
    return Tensor.of(_space(backend).eye(n, m, dtype=backends.dtype(dtype)))


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: Any = None,
    backend: str | None = None,
) -> Tensor:
    """start, start + step, … below stop; of one number, 0, 1, … below it.

    Integers make int64 and others float32, unless `dtype` says otherwise.
    """
    if stop is None:
        start, stop = 0, start
    if step == 0:
        raise ShapeError("arange: step is 0; it must lead from start to stop")
    if dtype is None:
        dtype = "int64" if all(isinstance(n, int) for n in (start, stop, step)) else DEFAULT
    return Tensor.of(_space(backend).arange(start, stop, step, dtype=backends.dtype(dtype)))


def linspace(
    start: float, stop: float, n: int, dtype: Any = DEFAULT, backend: str | None = None
) -> Tensor:
    """n numbers at equal distances, the first start, the last stop."""
    return Tensor.of(_space(backend).linspace(start, stop, n, dtype=backends.dtype(dtype)))


# --- arrays of other libraries ---


def asarray(
    data: Any, dtype: Any = None, backend: str | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of the data, without a copy where there can be one memory for both.

    Arrays of NumPy and CuPy, tensors of PyTorch and all that speaks DLPack share their memory:
    who changes it behind a graph's back changes its gradients.  `Tensor(data)` copies.
    """
    x = data if isinstance(data, Tensor) else _shared(data)
    if dtype is not None and x.dtype != backends.dtype(dtype):
        x = x.astype(dtype)
    if backend is not None and x.backend != backend:
        x = x.to(backend)
    return x.requires_grad_() if requires_grad and not x.requires_grad else x


from_numpy = asarray


def from_dlpack(data: Any) -> Tensor:
    """A tensor that shares the memory of whatever array speaks DLPack, on the CPU or a GPU.

    See https://dmlc.github.io/dlpack/latest/.  PyTorch's tensors that require a gradient refuse:
    pass `x.detach()`.
    """
    if not hasattr(data, "__dlpack__"):
        raise TypeError(
            f"from_dlpack: {type(data).__module__}.{type(data).__name__} has no __dlpack__. "
            "Use Tensor(data) for lists and numbers."
        )
    device = int(data.__dlpack_device__()[0])
    if device not in _DEVICES:
        raise BackendError(
            f"from_dlpack: the array is on a device of DLPack's kind {device}; those that can be "
            f"read are {', '.join(f'{d} ({name})' for d, name in _DEVICES.items())}"
        )
    xp = backends.get(_DEVICES[device])
    try:
        raw = xp.from_dlpack(data)
    except (BufferError, RuntimeError) as error:
        raise AutogradError(
            f"from_dlpack: this {type(data).__name__} of {getattr(data, 'dtype', '?')} cannot be "
            f"shared with {xp.name}: {error}. Detach it where it requires a gradient; convert it, "
            "for example to float32, where the dtype is the matter."
        ) from error
    return Tensor.of(_numbers(raw, data))


_DEVICES = {1: "numpy", 2: "cupy", 3: "numpy"}
"""Backends by DLPack's kinds of device: CPU, CUDA, and CPU memory pinned for CUDA."""


def _shared(data: Any) -> Tensor:
    if hasattr(data, "dtype"):
        try:
            xp = namespaces[type(data)]
        except BackendError:
            if hasattr(data, "__dlpack__"):
                return from_dlpack(data)
        else:
            return Tensor.of(_numbers(xp.asarray(data), data))
    if hasattr(data, "__array__"):
        return Tensor.of(_numbers(backends.get("numpy").asarray(data.__array__()), data))
    return Tensor(data)


def _numbers(raw: Any, data: Any) -> Any:
    if raw.dtype.kind in "OUSMm":
        raise DTypeError(
            f"asarray: {type(data).__name__} holds {raw.dtype}, and a tensor holds numbers. "
            'Convert it: data.astype("float32").'
        )
    return raw


def _space(backend: str | None) -> Any:
    return backends.current() if backend is None else backends.get(backend)


def _sizes(shape: tuple[Any, ...], name: str) -> tuple[int, ...]:
    sizes = sizes_of(shape)
    if any(n < 0 for n in sizes):
        raise ShapeError(f"{name}: a size is negative in {sizes}")
    return sizes
