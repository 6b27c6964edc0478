"""Layers that lead data around others: around them, beside them, together again, into shape.

>>> from nn.layers import Dense
>>> block = Residual([Dense(8, "relu"), Dense(8)])
>>> towers = [Parallel([Dense(4), Dense(6)]), Concatenate()]
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, ClassVar

from autograd import Tensor, concatenate
from autograd.errors import ShapeError
from autograd.functions import axis_of

from ..module import Module, path_of
from .core import Sequential, called

__all__ = [
    "Add", "Concatenate", "Identity", "Lambda", "Multiply", "Parallel", "Permute", "Rescaling",
    "Reshape", "Residual",
]  # fmt: skip

Layer = Callable[[Any], Any]


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x)


def _layer(layer: Any, owner: str) -> Layer:
    """A layer, where a list of layers stands for a `Sequential`."""
    if isinstance(layer, (list, tuple)):
        return Sequential(layer)
    if isinstance(layer, type) or not callable(layer):
        raise TypeError(f"{owner}: a module is needed, or a list of modules, not {layer!r:.60}")
    found: Layer = layer
    return found


def _several(x: Any, module: Module) -> list[Tensor]:
    """The tensors that a layer is to put together."""
    if not isinstance(x, (list, tuple)) or not x:
        given = f"one {x.shape}" if isinstance(x, Tensor) else repr(x)[:60]
        raise TypeError(
            f"{path_of(module)}: a list of tensors is needed, not {given}. Parallel gives one, and "
            f"so does {type(module).__name__}()([a, b])."
        )
    return [_tensor(item) for item in x]


# --- around and beside ---


class Residual(Module):
    """shortcut(x) + inner(x), so that gradients also go around (He et al. 2016).

    `inner` is a module, or a list of them to be called in a row.  Without a `shortcut` x itself is
    added, and then inner must keep its shape.  A mask of padding goes to whichever takes one.
    """

    def __init__(self, inner: Any, shortcut: Any = None, name: str | None = None) -> None:
        self.inner = _layer(inner, "Residual")
        self.shortcut = None if shortcut is None else _layer(shortcut, "Residual")
        self.name = name

    @property
    def takes_mask(self) -> bool:
        """Whether one of the two ways takes a mask of padding."""
        return any(getattr(way, "takes_mask", False) for way in (self.inner, self.shortcut))

    def __call__(self, x: Any, mask: Any = None) -> Any:
        x = _tensor(x)
        z = called(self.inner, x, mask)
        way = x if self.shortcut is None else called(self.shortcut, x, mask)
        if z.shape != way.shape:
            raise self._misfit(x, z, way)
        return way + z

    def _misfit(self, x: Tensor, z: Tensor, way: Tensor) -> ShapeError:
        by = "x" if self.shortcut is None else "shortcut(x)"
        width = max(len(by), len("inner(x)"))
        mend = "The two are added, so their shapes must be the same."
        if z.ndim == x.ndim and z.shape[:-1] == x.shape[:-1]:
            mend = f"Add a projection: Residual(inner, shortcut=nn.Dense({z.shape[-1]}))."
        elif z.ndim == x.ndim == 4 and z.shape[0] == x.shape[0]:
            strides = {-(-n // m) for n, m in zip(x.shape[1:3], z.shape[1:3], strict=True) if m}
            stride = f", strides={strides.pop()}" if len(strides) == 1 else ""
            mend = (
                f"Add a projection: Residual(inner, shortcut=nn.Conv2D({z.shape[-1]}, 1{stride}))."
            )
        return ShapeError(
            f"{path_of(self)}: {z.shape} cannot be added to {way.shape}\n"
            f"  {'inner(x)':{width}}  {z.shape} {z.dtype}\n"
            f"  {by:{width}}  {way.shape} {way.dtype}\n  {mend}"
        )


class Parallel(Module):
    """What each branch makes of x, as a list; of a list of as many, each branch takes its own.

    >>> from nn.layers import Dense
    >>> tower = Sequential([Parallel([Dense(4), Dense(6)]), Concatenate()])
    >>> tower(Tensor([[1.0, 2.0]])).shape
    (1, 10)
    """

    def __init__(self, branches: Sequence[Any], name: str | None = None) -> None:
        if not len(branches):
            raise ValueError("Parallel: there are no branches")
        self.branches = [_layer(branch, "Parallel") for branch in branches]
        self.name = name
        names = [key for key, _ in self.members()]
        for key in names:
            if names.count(key) > 1 or "." in key:
                raise ValueError(
                    f"Parallel: a branch is named {key!r}; each needs a name of its own, "
                    "without a dot"
                )

    def members(self) -> list[tuple[str, Any]]:
        """The branches by name or place: "tower.1.weight"."""
        named = [(getattr(b, "name", None) or str(i), b) for i, b in enumerate(self.branches)]
        return named + [item for item in vars(self).items() if item[0] != "branches"]

    @property
    def takes_mask(self) -> bool:
        """Whether some branch takes a mask of padding, which then goes to each that does."""
        return any(getattr(branch, "takes_mask", False) for branch in self.branches)

    def __call__(self, x: Any, mask: Any = None) -> list[Any]:
        if not isinstance(x, (list, tuple)):
            return [called(branch, x, mask) for branch in self.branches]
        if len(x) != len(self.branches):
            raise ShapeError(
                f"{path_of(self)}: {len(x)} inputs for {len(self.branches)} branches. Give as many "
                "as there are branches, or one tensor, which all of them take."
            )
        return [called(branch, item, mask) for branch, item in zip(self.branches, x, strict=True)]


# --- together again ---


class Concatenate(Module):
    """A list of tensors, one behind the other along an axis; their other axes must agree."""

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        self.axis, self.name = axis, name

    def __call__(self, x: Any) -> Tensor:
        tensors = _several(x, self)
        axis = axis_of(self.axis, tensors[0], path_of(self))
        rest = {(*t.shape[:axis], *t.shape[axis + 1 :]) for t in tensors}
        if len(rest) > 1 or len({t.ndim for t in tensors}) > 1:
            raise _unlike(self, tensors, f"all axes but {self.axis} must have the same sizes")
        joined: Tensor = concatenate(tensors, axis=axis)
        return joined

    def describe(self) -> str:
        return f"axis {self.axis}"


class _Merge(Module):
    """One tensor made of a list of tensors of one shape, two at a time."""

    merge: ClassVar[Callable[[Any, Any], Any]]

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def __call__(self, x: Any) -> Tensor:
        tensors = _several(x, self)
        if len({t.shape for t in tensors}) > 1:
            raise _unlike(self, tensors, "all must have the same shape; project those that differ")
        merged: Tensor = reduce(type(self).merge, tensors)
        return merged


class Add(_Merge):
    """The sum of a list of tensors of one shape."""

    merge = operator.add


class Multiply(_Merge):
    """The product, element by element, of a list of tensors of one shape: one gates the others."""

    merge = operator.mul


def _unlike(module: Module, tensors: Sequence[Tensor], needs: str) -> ShapeError:
    lines = "\n".join(f"  input {i}  {t.shape} {t.dtype}" for i, t in enumerate(tensors))
    return ShapeError(f"{path_of(module)}: the shapes of the inputs differ\n{lines}\n  {needs}.")


# --- into shape ---


class Identity(Module):
    """x itself."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def __call__(self, x: Any) -> Any:
        return x


class Reshape(Module):
    """Each sample in another shape, the batch axis aside; one size may be -1."""

    def __init__(self, shape: Sequence[int], name: str | None = None) -> None:
        self.shape, self.name = tuple(shape), name
        if sum(n < 0 for n in self.shape) > 1:
            raise ValueError(f"Reshape: at most one size may be -1, in {self.shape}")

    def __call__(self, x: Any) -> Tensor:
        x = _tensor(x)
        size, known = math.prod(x.shape[1:]), math.prod(n for n in self.shape if n >= 0)
        if size % known if -1 in self.shape and known else size != known:
            raise ShapeError(
                f"{path_of(self)}: samples of shape {x.shape[1:]} have {size} numbers, "
                f"{self.shape} takes {'multiples of ' if -1 in self.shape else ''}{known}"
            )
        rest = tuple(size // known if n < 0 else n for n in self.shape)
        return x.reshape(x.shape[0], *rest)

    def describe(self) -> str:
        return str(self.shape)


class Permute(Module):
    """The axes of each sample in another order, counted from 1 as in Keras; 0 is the batch axis,
    which stays: `Permute((2, 1))` turns (N, a, b) into (N, b, a)."""

    def __init__(self, dims: Sequence[int], name: str | None = None) -> None:
        self.dims, self.name = tuple(dims), name
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute: {self.dims} must name each axis of a sample once, 1 to {len(self.dims)}"
            )

    def __call__(self, x: Any) -> Tensor:
        x = _tensor(x)
        if x.ndim != len(self.dims) + 1:
            raise ShapeError(
                f"{path_of(self)}: the input {x.shape} has {max(x.ndim - 1, 0)} axes behind the "
                f"batch axis, {self.dims} names {len(self.dims)}"
            )
        return x.permute(0, *self.dims)

    def describe(self) -> str:
        return str(self.dims)


class Lambda(Module):
    """Any function of tensors as a layer; what it computes with operations has a gradient."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        if isinstance(function, type) or not callable(function):
            raise TypeError(f"Lambda: a function is needed, not {function!r:.60}")
        self.function, self.name = function, name

    def __call__(self, x: Any) -> Any:
        return self.function(x)

    def describe(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)


class Rescaling(Module):
    """x · scale + offset: `Rescaling(1 / 255)` brings bytes into [0, 1]."""

    def __init__(self, scale: float, offset: float = 0.0, name: str | None = None) -> None:
        self.scale, self.offset, self.name = float(scale), float(offset), name

    def __call__(self, x: Any) -> Tensor:
        return _tensor(x) * self.scale + self.offset

    def describe(self) -> str:
        return f"x · {self.scale:g} + {self.offset:g}"
