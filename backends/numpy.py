"""NumPy on the CPU: its own functions, and the few things array libraries disagree on."""

from typing import Any

import numpy
from numpy import add as _add
from numpy import maximum as _maximum
from numpy import minimum as _minimum

from . import special
from .errors import BackendError

name = "numpy"
array_type = numpy.ndarray
workspace = 2**22
"""Bytes that a convolution computes with at a time: a share of the processor's cache."""


def __getattr__(function: str) -> Any:
    """NumPy's own functions, each from the first time that it is asked for.

    `from numpy import *` would load what nobody needs: numpy.f2py, numpy.testing, numpy.ma, ….
    """
    if function.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {function!r}")
    found = globals()[function] = getattr(numpy, function)
    return found


# glibc gives the memory of large arrays back to the system as they are freed, and the system then
# clears every page anew for the next training step.  Once an array of nearly 32 MiB was freed,
# mallopt(3) says, it keeps as much for reuse.  The pages of this one are never touched.
numpy.empty(2**25 - 2**16, "u1")


def check() -> None:
    """NumPy is always usable: it is the one required dependency."""


def to_host(x: Any) -> Any:
    """The array as a NumPy array; here the array itself."""
    return x


def from_host(x: Any) -> Any:
    """A NumPy array as this backend's array; here the array itself."""
    return x


def synchronize() -> None:
    """Wait for queued work; on the CPU there is none."""


def memory() -> dict[str, int]:
    """Bytes in use by this process: `{"peak": …}` of resident memory where the system tells."""
    try:
        import resource
    except ImportError as missing:
        raise BackendError("numpy: this system does not tell a process's memory") from missing
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


# `np.sum` and its kind spend a microsecond finding the ufunc that does the work.


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum over axes; of half precision in single precision, where small terms are not lost."""
    if x.dtype.itemsize == 2 and x.dtype.kind in "fV":
        return _add.reduce(x, axis=axis, keepdims=keepdims, dtype="float32").astype(x.dtype)
    return _add.reduce(x, axis=axis, keepdims=keepdims)


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element over axes."""
    return _maximum.reduce(x, axis=axis, keepdims=keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element over axes."""
    return _minimum.reduce(x, axis=axis, keepdims=keepdims)


def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """x repeated, as a view, along new axes and axes of size 1 until it has the shape."""
    if x.ndim == 0 and x.dtype.kind in "fiub":  # a loss's gradient: NumPy's own takes 4 µs
        return numpy.ndarray(shape, x.dtype, numpy.asarray(x), 0, (0,) * len(shape))
    return numpy.broadcast_to(x, shape)


def einsum(subscripts: str, *xs: Any, optimize: bool = False) -> Any:
    """Einstein summation, in single precision for bfloat16, which NumPy's own does not know."""
    wide = [x.astype("float32") if x.dtype.kind == "V" else x for x in xs]
    return numpy.einsum(subscripts, *wide, optimize=optimize)


def erf(x: Any) -> Any:
    """Error function, to the last bits of x's dtype."""
    return special.erf(numpy, x)


def normal_cdf(x: Any) -> Any:
    """Distribution function of the standard normal, in x's dtype."""
    return special.normal_cdf(numpy, x)


def normal_pdf(x: Any) -> Any:
    """Density of the standard normal, in x's dtype."""
    return special.normal_pdf(numpy, x)


def sigmoid(x: Any) -> Any:
    """Logistic function, without overflow."""
    return special.sigmoid(numpy, x)


def xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0."""
    return special.xlogy(numpy, x, y)


def add_at(z: Any, index: Any, y: Any) -> Any:
    """z, to which y has been added at the index; indices that occur twice are added twice."""
    rows = index[0] if len(index) == 1 and z.flags.c_contiguous else None
    if isinstance(rows, numpy.ndarray) and rows.dtype.kind in "iu" and z.ndim > 1:
        # NumPy adds quickly where one index counts the elements: five times as fast here
        y, width = numpy.broadcast_to(y, rows.shape + z.shape[1:]), z[:1].size
        places = rows.reshape(-1, 1).astype("int64") * width + numpy.arange(width)
        numpy.add.at(z.reshape(-1), places.reshape(-1), y.reshape(-1))
    else:
        numpy.add.at(z, index, y)
    return z


def scatter_add(x: Any, index: Any, y: Any) -> Any:
    """A copy of x with y added at the index; indices that occur twice are added twice."""
    return add_at(x.copy(), index, y)


def windows(x: Any, size: Any, out: Any, stride: Any, dilation: Any) -> Any:
    """A view (N, *out, *size, C) of x (N, *spatial, C): the windows that slide over it."""
    shape, strides = special.windows(x, size, out, stride, dilation)
    return numpy.lib.stride_tricks.as_strided(x, shape, strides)
