"""A pretended GPU for tests: NumPy inside, a device's manners outside.

Code that runs on this backend runs on CuPy as far as that can be told without a GPU. Its arrays
refuse what CuPy refuses, and also what CuPy would do at the price of a hidden transfer: to become
a number, a truth value or a NumPy array without being asked, and to meet an array of the host.
Its namespace holds only functions that CuPy is known to have; `tests/test_cupy_names.py` checks
each against CuPy itself. The two doors are `from_host` and `to_host` (and `.item()`, which a user
spells out).

    >>> from backends import strict
    >>> x = strict.from_host(numpy.ones(3, "float32"))
    >>> with strict.watched() as launched:
    ...     y = strict.exp(x) + 1
    >>> launched
    ['exp', 'add']
    >>> round(y.sum().item(), 3)  # float(y.sum()) would be a BackendError
    11.155
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import EllipsisType
from typing import Any

import numpy

from . import numpy as host
from .errors import BackendError

name = "strict"
workspace = 2**10
"""Bytes that a convolution computes with at a time: so few that tests see several blocks."""

CREATORS = frozenset("arange empty eye full linspace ones tri zeros".split())
"""Functions that make an array out of sizes and numbers."""

FUNCTIONS = CREATORS | frozenset(
    """
    abs add bitwise_and bitwise_or bitwise_xor ceil copysign cos cosh divide equal exp exp2 expm1
    floor floor_divide greater greater_equal hypot invert isfinite isinf isnan left_shift less
    less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor
    maximum minimum mod multiply negative not_equal power reciprocal remainder right_shift rint
    sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc
    acos acosh asin asinh atan atan2 atanh
    all any argmax argmin count_nonzero cumprod cumsum max mean min prod std sum var
    argsort bincount sort take take_along_axis where clip round nan_to_num
    broadcast_to concatenate copy diagonal empty_like expand_dims flip full_like imag moveaxis
    ones_like pad ravel real repeat reshape roll split squeeze stack swapaxes tile transpose tril
    triu zeros_like
    dot einsum matmul outer tensordot vdot
    may_share_memory
    """.split()
)
"""Functions that NumPy and CuPy share. Before a name is added, look it up in CuPy."""

CONSTANTS = frozenset(
    """
    bool_ complex128 complex64 dtype e finfo float16 float32 float64 iinfo inf int16 int32 int64
    int8 issubdtype nan newaxis pi promote_types result_type uint16 uint32 uint64 uint8
    """.split()
)
"""What needs no device: dtypes, questions about them, and numbers."""

METHODS = """
    all any argmax argmin astype clip copy cumprod cumsum fill flatten max mean min prod ravel
    reshape round squeeze std sum swapaxes take transpose var view
""".split()

Number = bool | int | float | complex

_watch: ContextVar[list[str] | None] = ContextVar("strict.watched", default=None)


@contextmanager
def watched() -> Iterator[list[str]]:
    """The names of what this block launches and, as "item" and "to_host", transfers."""
    launched: list[str] = []
    token = _watch.set(launched)
    try:
        yield launched
    finally:
        _watch.reset(token)


def _launch(label: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Run a function of NumPy as a kernel: noted, and silent about NaN and overflow."""
    launched = _watch.get()
    if launched is not None:
        launched.append(label)
    with numpy.errstate(all="ignore"):
        return _wrapped(function(*args, **options))


def _wrapped(result: Any) -> Any:
    """NumPy's results as arrays of the device; its scalars as arrays of shape ()."""
    if isinstance(result, (numpy.ndarray, numpy.generic)):
        return Array(numpy.asarray(result))
    return [_wrapped(r) for r in result] if isinstance(result, (list, tuple)) else result


def _told(x: Any) -> str:
    """An operand in the words of an error."""
    if isinstance(x, Array):
        return f"a strict array {x.shape} {x.dtype}"
    if isinstance(x, (numpy.ndarray, numpy.generic)):
        kind = "array" if isinstance(x, numpy.ndarray) else "scalar"
        return f"a NumPy {kind} {x.shape} {x.dtype}, which lives on the host"
    return f"{type(x).__name__} {x!r:.40}"


def _bare(x: Any, label: str) -> Any:
    """The NumPy array inside an argument; an error for an array that is not the device's."""
    if isinstance(x, Array):
        return x._inside
    if isinstance(x, (numpy.ndarray, numpy.generic)):
        raise BackendError(
            f"strict: {label} was given {_told(x)}. Move it first: "
            'from_host(x), or Tensor.to("strict").'
        )
    if isinstance(x, (list, tuple)):
        return type(x)([_bare(item, label) for item in x])
    return x


class Array:
    """An array on the pretended device.

    It has shape, dtype and the like for the asking, since a device's arrays keep these on the
    host; its elements leave only through `to_host` and `item`.
    """

    __slots__ = ("_inside",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, inside: Any) -> None:
        self._inside: Any = inside

    shape = property(lambda self: self._inside.shape, doc="The sizes of the axes.")
    dtype = property(lambda self: self._inside.dtype, doc="The dtype of the elements.")
    ndim = property(lambda self: self._inside.ndim, doc="The number of axes.")
    size = property(lambda self: self._inside.size, doc="The number of elements.")
    itemsize = property(lambda self: self._inside.itemsize, doc="Bytes per element.")
    nbytes = property(lambda self: self._inside.nbytes, doc="Bytes of all elements.")
    T = property(lambda self: Array(self._inside.T), doc="The axes in opposite order.")
    base = property(lambda self: self._inside.base, doc="Whose memory it shows; None: its own.")

    def __len__(self) -> int:
        return len(self._inside)

    def __repr__(self) -> str:
        return f"<strict array {self.shape} {self.dtype}>"

    def __copy__(self) -> "Array":
        return Array(self._inside.copy())

    def __deepcopy__(self, seen: Any) -> "Array":
        return Array(self._inside.copy())

    def item(self) -> Any:
        """The one element as a Python number: a transfer, and asked for."""
        return _launch("item", self._inside.item)

    def __getitem__(self, key: Any) -> Any:
        return _launch("getitem", self._inside.__getitem__, self._key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(value, (Array, Number)):
            raise BackendError(f"strict: {_told(self)} cannot take {_told(value)} at an index")
        _launch("setitem", self._inside.__setitem__, self._key(key), _bare(value, "x[…] = y"))

    def _key(self, key: Any) -> tuple[Any, ...]:
        """An index that NumPy understands; with `…`, so that an element is a view, as on a GPU."""
        items = key if isinstance(key, tuple) else (key,)
        for item in items:
            if not isinstance(item, (Array, slice, int, EllipsisType, type(None))):
                raise BackendError(
                    f"strict: {_told(self)} cannot be indexed with {_told(item)}. "
                    "Index with slices, integers or arrays of the device."
                )
        bare = tuple([_bare(item, "an index") for item in items])
        return bare if any(item is Ellipsis for item in items) else (*bare, Ellipsis)


array_type = Array

# --- what an array of a device does ------------------------------------------------------------


def _method(label: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **options: Any) -> Any:
        bare, named = _bare(args, label), {k: _bare(v, label) for k, v in options.items()}
        return _launch(label, getattr(self._inside, label), *bare, **named)

    return method


def _infix(label: str, function: Callable[[Any, Any], Any], swapped: bool) -> Callable[..., Any]:
    def method(self: Array, other: Any) -> Any:
        if isinstance(other, (numpy.ndarray, numpy.generic)):
            operands = (other, self) if swapped else (self, other)
            raise BackendError(
                f"strict: {label} of {' and '.join(map(_told, operands))}. Move one of them: "
                'from_host(x), or Tensor.to("strict").'
            )
        if not isinstance(other, (Array, Number)):
            return NotImplemented
        x, y = self._inside, _bare(other, label)
        return _launch(label, function, *((y, x) if swapped else (x, y)))

    return method


def _in_place(label: str, function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    plain = _infix(label, function, swapped=False)

    def method(self: Array, other: Any) -> Any:
        return NotImplemented if plain(self, other) is NotImplemented else self

    return method


def _prefix(label: str, function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda self: _launch(label, function, self._inside)


def _refusal(protocol: str) -> Callable[..., Any]:
    def method(self: Array, *args: Any, **options: Any) -> Any:
        raise BackendError(
            f"{protocol} of {_told(self)} is a hidden transfer from the device. Stay on it, or "
            "ask for the transfer: .item() for a number, to_host(x) or Tensor.numpy() for an array."
        )

    return method


for _label in METHODS:
    setattr(Array, _label, _method(_label))
for _label in "add sub mul truediv floordiv mod pow matmul and or xor lshift rshift".split():
    _function = getattr(operator, f"__{_label}__")
    setattr(Array, f"__{_label}__", _infix(_label, _function, swapped=False))
    setattr(Array, f"__r{_label}__", _infix(_label, _function, swapped=True))
    setattr(Array, f"__i{_label}__", _in_place(_label, getattr(operator, f"__i{_label}__")))
for _label in "lt le gt ge eq ne".split():
    setattr(Array, f"__{_label}__", _infix(_label, getattr(operator, _label), swapped=False))
for _label in "neg pos abs invert".split():
    setattr(Array, f"__{_label}__", _prefix(_label, getattr(operator, _label)))
for _label, _protocol in {
    "__array__": "NumPy's reading", "__float__": "float()", "__int__": "int()",
    "__complex__": "complex()", "__bool__": "bool()", "__index__": "use as an index",
    "__iter__": "iteration", "__contains__": "`in`", "__round__": "round()",
    "__dlpack__": "from_dlpack()", "__reduce_ex__": "pickling",
}.items():  # fmt: skip
    setattr(Array, _label, _refusal(_protocol))


def _numpy_called(self: Array, function: Any, *rest: Any, **options: Any) -> Any:
    """`__array_ufunc__` and `__array_function__`: NumPy was asked to compute with us."""
    told = " and ".join(dict.fromkeys(map(_told, _arrays_in((rest, options)))))
    raise BackendError(
        f"numpy.{function.__name__} was given {told}. Compute with the namespace of the array's "
        "backend, and with arrays of one backend."
    )


def _arrays_in(x: Any) -> Iterator[Any]:
    """The arrays in nested arguments, in order."""
    if isinstance(x, (Array, numpy.ndarray, numpy.generic)):
        yield x
    elif isinstance(x, (tuple, list, dict)):
        for item in x.values() if isinstance(x, dict) else x:
            yield from _arrays_in(item)


setattr(Array, "__array_ufunc__", _numpy_called)  # noqa: B010
setattr(Array, "__array_function__", _numpy_called)  # noqa: B010

# --- the namespace -----------------------------------------------------------------------------


def __getattr__(function: str) -> Any:
    """A function of NumPy that runs on the device's arrays and refuses any other."""
    if function in CONSTANTS:
        return getattr(host, function)
    if function not in FUNCTIONS:
        raise AttributeError(
            f"strict has no {function!r}. If CuPy has it and means the same by it, "
            "add it to backends.strict.FUNCTIONS."
        )
    inner = getattr(host, function)
    return _kernel(function, inner, function in CREATORS or isinstance(inner, numpy.ufunc))


def _kernel(label: str, inner: Callable[..., Any], free: bool = False) -> Callable[..., Any]:
    """A function on the device's arrays; unless it is free, the first argument is or holds one."""

    def kernel(*args: Any, **options: Any) -> Any:
        bare, named = _bare(args, label), {k: _bare(v, label) for k, v in options.items()}
        first = next((x for x in args if not isinstance(x, str)), None)
        given = first if isinstance(first, (list, tuple)) else [first]
        if not free and not any(isinstance(x, Array) for x in given):
            raise BackendError(
                f"strict: {label} needs an array of the device first, not {_told(first)}"
            )
        return _launch(label, inner, *bare, **named)

    kernel.__name__, kernel.__doc__ = label, f"`numpy.{label}` on the device's arrays."
    return kernel


class _Door:
    """A room of the namespace, such as `linalg`, with the functions that CuPy's has too."""

    def __init__(self, room: str, functions: str) -> None:
        self.room, self.functions = room, frozenset(functions.split())

    def __getattr__(self, function: str) -> Any:
        if function not in self.functions:
            raise AttributeError(
                f"strict.{self.room} has no {function!r}. If CuPy has it and means the same by it, "
                f"add it to backends.strict.{self.room}."
            )
        inner = getattr(getattr(host, self.room), function)
        return _kernel(f"{self.room}.{function}", inner)


linalg = _Door("linalg", "cholesky det eigh inv qr slogdet solve svd")
fft = _Door("fft", "fft ifft irfft rfft")


def array(data: Any, dtype: Any = None) -> Array:
    """A new array from numbers, nested lists or an array of the device."""
    return Array(numpy.array(_asked(data), dtype=dtype))


def asarray(data: Any, dtype: Any = None) -> Array:
    """The same, without a copy of what is an array of the device already."""
    return Array(numpy.asarray(_asked(data), dtype=dtype))


def _asked(data: Any) -> Any:
    """Data that a caller may put on the device by name: all but a bare array of the host."""
    return data if isinstance(data, list) else _bare(data, "array")


def check() -> None:
    """The pretended device is always there."""


def to_host(x: Array) -> Any:
    """A copy of the array as a NumPy array: a transfer, and asked for."""
    launched = _watch.get()
    if launched is not None:
        launched.append("to_host")
    return x._inside.copy()


def from_host(x: Any) -> Array:
    """A copy of a NumPy array, on the device."""
    if not isinstance(x, (numpy.ndarray, numpy.generic)):
        raise BackendError(f"strict: from_host needs a NumPy array, not {_told(x)}")
    launched = _watch.get()
    if launched is not None:
        launched.append("from_host")
    return Array(numpy.array(x))


def synchronize() -> None:
    """Wait for queued work; here each kernel has ended when its call returns."""


def memory() -> dict[str, int]:
    """Bytes in use by this process: the pretended device's memory is the host's."""
    return host.memory()


def erf(x: Array) -> Any:
    """Error function, to the last bits of x's dtype."""
    return _launch("erf", host.erf, _bare(x, "erf"))


def normal_cdf(x: Array) -> Any:
    """Distribution function of the standard normal, in x's dtype."""
    return _launch("normal_cdf", host.normal_cdf, _bare(x, "normal_cdf"))


def normal_pdf(x: Array) -> Any:
    """Density of the standard normal, in x's dtype."""
    return _launch("normal_pdf", host.normal_pdf, _bare(x, "normal_pdf"))


def sigmoid(x: Array) -> Any:
    """Logistic function, without overflow."""
    return _launch("sigmoid", host.sigmoid, _bare(x, "sigmoid"))


def xlogy(x: Any, y: Any) -> Any:
    """x log y, and 0 where x is 0."""
    return _launch("xlogy", host.xlogy, _bare(x, "xlogy"), _bare(y, "xlogy"))


def add_at(z: Array, index: Any, y: Any) -> Any:
    """z, to which y has been added at the index; indices that occur twice are added twice."""
    place, added = z._key(index), _bare(y, "add_at")
    _launch("add_at", host.add_at, z._inside, place, added)
    return z


def scatter_add(x: Array, index: Any, y: Any) -> Any:
    """A copy of x with y added at the index; indices that occur twice are added twice."""
    place, added = x._key(index), _bare(y, "scatter_add")
    return _launch("scatter_add", host.scatter_add, x._inside, place, added)


def windows(x: Array, size: Any, out: Any, stride: Any, dilation: Any) -> Any:
    """A view (N, *out, *size, C) of x (N, *spatial, C): the windows that slide over it."""
    return _launch("windows", host.windows, _bare(x, "windows"), size, out, stride, dilation)
