"""CuPy on an NVIDIA GPU: its own functions, and what it does otherwise than NumPy.

CuPy has bfloat16 only in part: kernels that work on one element at a time and plain reductions
know it, others compute in float32 without saying so, or refuse. The functions below give the
result the dtype of its operands, as NumPy does.

Work is queued and an error of a kernel may come later than its call. Indices out of range are
not found: they wrap around. `scatter_add` adds in any order, so its last bits may differ from run
to run.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from . import nvidia, special
from .errors import BackendError

name = "cupy"
workspace = 2**28
"""Bytes that a convolution computes with at a time."""


def _obstacle() -> BackendError | None:
    """Which part is missing or at fault (wheel, driver or device), if one is."""
    found = nvidia.obstacle(nvidia.wheels(), nvidia.driver())
    return found and BackendError(f"cupy: {found.detail}\n  {found.fix}")


try:
    import cupy
    from cupy import *  # noqa: F403
    from cupyx import errstate as _errstate
    from cupyx import scatter_add as _scatter_add
    from cupyx.scipy import special as _special
except ImportError as _error:
    raise _obstacle() or BackendError(f"cupy: its wheel does not import: {_error}") from _error

array_type = cupy.ndarray


def check() -> None:
    """Raise a `BackendError` that names what keeps CuPy from computing here, if anything does."""
    if error := _obstacle():
        raise error
    try:
        total = int((cupy.arange(4) * 2).sum())  # compiles and launches kernels
    except Exception as broken:  # CuPy raises many kinds; all of them mean "not usable"
        [wheel] = nvidia.wheels()
        raise BackendError(
            f"cupy: {nvidia.driver()}, yet its first kernel failed: {broken}\n"
            f"  CUDA's libraries come with the wheel's extra: pip install '{wheel}[ctk]'"
        ) from broken
    if total != 12:
        raise BackendError(f"cupy: {nvidia.driver()} computes 0 + 2 + 4 + 6 = {total}")


def to_host(x: Any) -> Any:
    """A copy of the array as a NumPy array; waits for the work that makes it."""
    return cupy.asnumpy(x)


def from_host(x: Any) -> Any:
    """A copy of a NumPy array on the current device."""
    return cupy.asarray(x)


def synchronize() -> None:
    """Wait until the work queued on the current stream is done."""
    cupy.cuda.get_current_stream().synchronize()


def memory() -> dict[str, int]:
    """Bytes: `used` by arrays, `held` by CuPy's pool, `free` and `total` on the device."""
    pool = cupy.get_default_memory_pool()
    free, total = cupy.cuda.runtime.memGetInfo()
    return {"used": pool.used_bytes(), "held": pool.total_bytes(), "free": free, "total": total}


# --- where CuPy's dtypes part from NumPy's ---


def _is_bfloat16(x: Any) -> bool:
    return getattr(x, "dtype", None) is not None and x.dtype.name == "bfloat16"


def _widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, computing in float32 what it is given in bfloat16, and cast back."""

    @wraps(function)
    def widened(*args: Any, **options: Any) -> Any:
        halves = [x for x in args if _is_bfloat16(x)]
        if not halves:
            return function(*args, **options)
        if "dtype" in options:
            options["dtype"] = "float32"
        wide = [x.astype("float32") if _is_bfloat16(x) else x for x in args]
        z = function(*wide, **options)
        return z.astype(halves[0].dtype) if z.dtype == cupy.float32 else z

    return widened


where = _widened(cupy.where)
tril, triu = _widened(cupy.tril), _widened(cupy.triu)
cumsum, cumprod = _widened(cupy.cumsum), _widened(cupy.cumprod)
_einsum, _matmul = _widened(cupy.einsum), _widened(cupy.matmul)


def matmul(x: Any, y: Any, out: Any = None) -> Any:
    """Matrix product; cuBLAS multiplies two matrices of bfloat16 as they are, CuPy no batches."""
    if out is not None:
        return cupy.matmul(x, y, out=out)
    return (cupy.matmul if x.ndim == y.ndim == 2 else _matmul)(x, y)


def einsum(subscripts: str, *xs: Any, optimize: bool = False) -> Any:
    """Einstein summation."""
    return _einsum(subscripts, *xs, optimize=optimize)


class _Linalg:
    """`cupy.linalg`, where a matrix that has no inverse or factor is an error, as in NumPy.

    CuPy would return NaN or worse, rather than wait for the device to tell.
    """

    def __getattr__(self, function: str) -> Callable[..., Any]:
        inner: Callable[..., Any] = getattr(cupy.linalg, function)

        @wraps(inner)
        def checked(*args: Any, **options: Any) -> Any:
            with _errstate(linalg="raise"):
                return inner(*args, **options)

        return checked


linalg = _Linalg()


@_widened
def argsort(x: Any, axis: int = -1, kind: str | None = None) -> Any:
    """Indices that sort x along an axis, equal elements in their old order; NaN comes last."""
    return cupy.argsort(x, axis, kind)


@_widened
def erf(x: Any) -> Any:
    """Error function, to the last bits of x's dtype."""
    return _special.erf(x).astype(x.dtype, copy=False)


@_widened
def normal_cdf(x: Any) -> Any:
    """Distribution function of the standard normal, in x's dtype."""
    return _special.ndtr(x).astype(x.dtype, copy=False)


@_widened
def normal_pdf(x: Any) -> Any:
    """Density of the standard normal, in x's dtype."""
    return special.normal_pdf(cupy, x)


@_widened
def sigmoid(x: Any) -> Any:
    """Logistic function, without overflow."""
    return special.sigmoid(cupy, x)


@_widened
def xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0."""
    half = cupy.float16 in (getattr(x, "dtype", None), getattr(y, "dtype", None))
    z = _special.xlogy(x, y)
    return z.astype(cupy.float16) if half else z


def add_at(z: Any, index: Any, y: Any) -> Any:
    """z, to which y has been added at the index; indices that occur twice are added twice."""
    _scatter_add(z, index, y)
    return z


@_widened
def scatter_add(x: Any, index: Any, y: Any) -> Any:
    """A copy of x with y added at the index; indices that occur twice are added twice."""
    return add_at(x.copy(), index, y)


def windows(x: Any, size: Any, out: Any, stride: Any, dilation: Any) -> Any:
    """A view (N, *out, *size, C) of x (N, *spatial, C): the windows that slide over it."""
    shape, strides = special.windows(x, size, out, stride, dilation)
    return cupy.lib.stride_tricks.as_strided(x, shape, strides)
