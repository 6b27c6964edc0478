"""The array libraries behind one flag.

    >>> import backends
    >>> backends.current().name
    'numpy'
    >>> with backends.using("numpy"):
    ...     pass

A backend is a module: its library's namespace plus the few things libraries disagree on
(`scatter_add`, `to_host`, `from_host`, `synchronize`, `memory`, `erf`, `sigmoid`). The default is
`numpy`, or what the environment variable `AUTOGRAD_BACKEND` says. It is kept in a context
variable, so threads and asyncio tasks may differ.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from importlib import import_module
from os import environ
from types import ModuleType
from typing import Any

from . import python, source
from .errors import BackendError

__all__ = [
    "NAMES", "BackendError", "current", "dtype", "get", "name_of", "namespaces", "use", "using",
]  # fmt: skip

NAMES = ("numpy", "cupy", "strict")
"""The backends that can be chosen. `strict` is a pretended GPU for tests: see its docstring."""


class _Namespaces(dict[type, ModuleType]):
    """Type of the raw data → the module that computes with it; arrays register on first use."""

    def __missing__(self, kind: type) -> ModuleType:
        for base in kind.__mro__[:-1]:
            root = base.__module__.partition(".")[0]
            if base in self:
                self[kind] = self[base]
            elif root in NAMES:  # arrays that came before `use`, and NumPy's scalars
                self[kind] = get(root)
            if kind in self:
                return self[kind]
        raise BackendError(
            f"no backend computes with {kind.__module__}.{kind.__qualname__}: "
            f"expected a Python number or an array of {', '.join(NAMES)}"
        )


namespaces = _Namespaces(
    dict.fromkeys((float, int, bool, complex, Fraction), python) | {source.Code: source}
)

_loaded: dict[str, ModuleType] = {}
_current: ContextVar[str | None] = ContextVar("backend", default=None)


def get(name: str) -> ModuleType:
    """The backend of that name, loaded and checked; a `BackendError` says what it lacks."""
    if name not in _loaded:
        if name not in NAMES:
            raise BackendError(f"unknown backend {name!r}: choose one of {', '.join(NAMES)}")
        module = import_module(f"backends.{name}")
        module.check()
        namespaces[module.array_type] = module
        _loaded[name] = module
    return _loaded[name]


def current() -> ModuleType:
    """The backend that new tensors live on."""
    return get(_current.get() or environ.get("AUTOGRAD_BACKEND") or "numpy")


def chosen() -> str | None:
    """What `use` or `using` said last; None where the environment or the default decides."""
    return _current.get()


def use(name: str) -> None:
    """Put new tensors on this backend from now on."""
    _current.set(get(name).name)


@contextmanager
def using(name: str) -> Iterator[ModuleType]:
    """Put new tensors on this backend inside the block."""
    token = _current.set(get(name).name)
    try:
        yield get(name)
    finally:
        _current.reset(token)


def dtype(dtype: Any) -> Any:
    """A dtype by name or object; "bfloat16" is ml_dtypes', which every backend understands."""
    if str(dtype) == "bfloat16":
        from ml_dtypes import bfloat16

        return bfloat16
    return dtype


def name_of(raw: Any) -> str:
    """The name of the backend that computes with this raw data."""
    return str(namespaces[type(raw)].name)
