"""Data on their way in: checked once, moved to the backend once, then cut into batches.

This room alone of `nn` knows NumPy, because that is what data arrive as.  What comes out are
Tensors in the dtype and on the backend that the model computes with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any, NamedTuple

import numpy as np

from autograd import Tensor
from autograd.errors import DomainError, DTypeError, ShapeError
from autograd.random import permutation

from .frames import filled, is_table, matrix

__all__ = [
    "Data", "Place", "arrived", "as_array", "check_present", "each", "incoming", "is_on_host",
    "is_several", "load", "quiet", "rows_of", "split", "weight_of", "weights",
]  # fmt: skip


class Place(NamedTuple):
    """Where a model computes, and in which floats."""

    backend: str
    dtype: Any = "float32"

    @classmethod
    def of(cls, parameters: list[Tensor]) -> Place:
        """That of the first parameter, or where new tensors live if there is none yet."""
        if parameters:
            return cls(parameters[0].backend, parameters[0].dtype)
        return cls(Tensor(0.0).backend)


def incoming(data: Any, name: str, place: Place, rows: Any = None) -> Tensor:
    """Anything array-like as a Tensor `(N, ...)`: floats in the place's dtype, integers unchanged.

    Nested lists, NumPy arrays, data frames and Tensors of any backend are taken, without a copy
    where that is possible.  Text, ragged lists, no samples, NaN and infinity are errors; of what
    was taken from `rows` of something larger, they tell that row.
    """
    tensor = data.detach() if isinstance(data, Tensor) else Tensor.of(as_array(data, name))
    if not tensor.ndim:
        raise ShapeError(f"{name} is one number, {tensor.item()!r}: expected samples, (N, ...)")
    if not tensor.size:
        raise ShapeError(f"{name} is empty: its shape is {tensor.shape}, there is nothing to learn")
    moved = tensor if tensor.backend == place.backend else tensor.to(place.backend)
    if moved.dtype.kind in "iub":
        return moved
    if moved.dtype != place.dtype:
        with quiet():  # what overflows is infinite, and named below
            moved = moved.astype(place.dtype)
    # NaN and infinity both survive in one of the two extremes, which need no array in between
    if not (isfinite(moved.min().item()) and isfinite(moved.max().item())):
        raise DomainError(_flaw(name, tensor.numpy(), moved, rows))
    return moved


def as_array(data: Any, name: str) -> np.ndarray:
    """Anything array-like on the host as an array of numbers; a memory-mapped one stays on disk."""
    if isinstance(data, Iterator):
        kind = type(data).__name__
        raise DTypeError(f"{name} is a {kind}: expected an array or a list, such as list({name})")
    try:
        array = matrix(data, name) if is_table(data) else filled(np.asarray(data))
    except ShapeError:
        raise
    except ValueError:  # NumPy's "inhomogeneous shape"
        raise ShapeError(f"{name} is ragged: its nested lists must have the same length") from None
    if array.dtype.kind not in "fiubV" or array.dtype.names:
        first = f", {array.flat[0]!r:.40} first" if array.size else ""
        raise DTypeError(
            f"{name} holds {array.dtype}{first}: expected numbers. "
            f"Names of classes become integers by np.unique({name}, return_inverse=True)[1]."
        )
    return array


def _flaw(name: str, array: np.ndarray, moved: Tensor, rows: Any = None) -> str:
    bad = np.argwhere(~np.isfinite(moved.numpy().astype("float64")))
    place = tuple(int(i) for i in bad[0])
    value = float(array[place])
    if rows is not None:
        place = (int(rows[place[0]]), *place[1:])
    told = f"{name}[{', '.join(map(str, place))}] is {value:g}"
    if isfinite(value):
        return f"{told}, too large for {moved.dtype}: rescale {name}, (x - mean) / std"
    count = "" if len(bad) == 1 else f", the first of {len(bad)} such values"
    fix = f"drop or fill the sample: {name}[np.isfinite({name})" + (
        f".reshape(len({name}), -1).all(1)]" if array.ndim > 1 else "]"
    )
    return f"{told}{count}. A model cannot learn from it; {fix}"


def each(apply: Callable[[Any], Any], inputs: Any) -> Any:
    """`apply` to the one array, or to each of several in a tuple or dict, in the same order."""
    if isinstance(inputs, dict):
        return {key: each(apply, value) for key, value in inputs.items()}
    if isinstance(inputs, tuple):
        return tuple([each(apply, value) for value in inputs])
    return apply(inputs)


def is_several(inputs: Any) -> bool:
    """Whether these are several inputs of a model: a dict, or a tuple of arrays."""
    if isinstance(inputs, tuple):
        return bool(inputs) and all(hasattr(x, "shape") or is_several(x) for x in inputs)
    return isinstance(inputs, dict)


def rows_of(raw: Any, index: Any) -> Any:
    """These rows of an array, in a new array."""
    if isinstance(raw, np.ndarray) and not raw.flags.c_contiguous:
        return raw[index]  # `take` would first copy the whole array into one piece
    return raw.take(index, 0)


@dataclass(slots=True)
class Data:
    """Samples, their targets and their weights: Tensors on one backend, with one length.

    A model of several inputs has a tuple or a dict of Tensors as x.  It unpacks as `x, y = data`,
    or `x, y, weight = data` where samples are weighted, or `(x,) = data` without targets.
    """

    x: Any
    y: Any = None
    weight: Tensor | None = None

    @property
    def first(self) -> Tensor:
        """The first of the inputs, for what they have in common."""
        found = self.x
        while found.__class__ is not Tensor:
            found = next(iter(found.values())) if isinstance(found, dict) else found[0]
        one: Tensor = found
        return one

    def __len__(self) -> int:
        x = self.x  # what `first` finds, most often, without the call
        samples: int = (x if x.__class__ is Tensor else self.first).raw.shape[0]
        return samples

    def __iter__(self) -> Iterator[Any]:
        yield self.x
        if self.y is not None:
            yield self.y
        if self.weight is not None:
            yield self.weight

    def each(self, apply: Callable[[Tensor], Tensor]) -> Data:
        """The data with `apply` done to each of their tensors."""
        x, y, weight = self.x, self.y, self.weight
        return Data(
            apply(x) if x.__class__ is Tensor else each(apply, x),
            apply(y) if y.__class__ is Tensor else None if y is None else each(apply, y),
            None if weight is None else apply(weight),
        )

    def part(self, start: int, stop: int) -> Data:
        """Samples start..stop: views, without a copy."""
        return self.each(lambda tensor: Tensor.of(tensor.raw[start:stop]))

    def rows(self, index: Any) -> Data:
        """The samples of these numbers, an array of integers on the same backend."""
        return self.each(lambda tensor: Tensor.of(rows_of(tensor.raw, index)))

    def batches(self, size: int, order: Tensor | None = None) -> Iterator[Data]:
        """Batches of `size` samples, the last perhaps smaller, in the given order of samples."""
        for start in range(0, len(self), size):
            if order is None:
                yield self.part(start, start + size)
            else:
                yield self.rows(order.raw[start : start + size])

    def shuffled(self) -> Tensor:
        """A new random order of the samples, on their backend; see `autograd.seed`."""
        return Tensor(permutation(len(self)), dtype="int64", backend=self.first.backend)


def load(
    x: Any, y: Any, sample_weight: Any, place: Place, names: tuple[str, str] = ("x", "y")
) -> Data:
    """Samples, targets and weights, checked and moved; lengths that differ are a `ShapeError`."""
    if y is None:
        raise ShapeError(f"{names[1]} is None: expected a target for each sample of {names[0]}")
    data = Data(arrived(x, names[0], place), arrived(y, names[1], place))
    if len(Data(data.y)) != len(data):
        raise ShapeError(
            f"{names[0]} has {_samples(len(data))}, {names[1]} has {len(Data(data.y))}: "
            f"expected one target per sample ({names[0]} {_shape(data.x)}, "
            f"{names[1]} {_shape(data.y)})"
        )
    if sample_weight is None:
        return data
    return replace(data, weight=weight_of(sample_weight, len(data), place))


def arrived(data: Any, name: str, place: Place, rows: Any = None) -> Any:
    """What `incoming` gives, or of several inputs a dict or tuple of it; one length for all."""
    if not is_several(data):
        return incoming(data, name, place, rows)
    items = data.items() if isinstance(data, dict) else enumerate(data)
    found = {key: arrived(value, f"{name}[{key!r}]", place, rows) for key, value in items}
    if not found:
        raise ShapeError(f"{name} is empty: there is nothing to learn")
    lengths = {key: len(Data(value)) for key, value in found.items()}
    if len(set(lengths.values())) > 1:
        raise ShapeError(f"{name} has inputs of different lengths, {lengths}")
    return found if isinstance(data, dict) else tuple(found.values())


def weight_of(sample_weight: Any, n: int, place: Place) -> Tensor:
    """The weights of n samples, (n,), or of the steps of n sequences, (n, T).

    They are numbers of 0 or more in the place's dtype; truth values stay what they are, a mask.
    """
    weight = incoming(sample_weight, "sample_weight", place)
    if weight.shape == (n, 1):
        weight = weight.reshape(-1)
    if len(weight) != n:
        raise ShapeError(
            f"sample_weight has shape {weight.shape}: expected one number per sample, ({n},), or "
            f"one per step of a sequence, ({n}, T)"
        )
    if weight.dtype.kind == "b":
        return weight
    if weight.min().item() < 0:
        lowest = np.unravel_index(weight.numpy().argmin(), weight.shape)
        raise DomainError(
            f"sample_weight[{', '.join(map(str, lowest))}] is {weight.min().item():g}: a weight "
            "is 0 or larger"
        )
    return weight.astype(place.dtype)


def _shape(x: Any) -> Any:
    return each(lambda tensor: tensor.shape, x)


def _samples(n: int) -> str:
    return f"{n} sample{'s' if n != 1 else ''}"


def weights(
    data: Data, class_weight: Mapping[int, float], place: Place, sparse: bool = False
) -> Data:
    """The data with each sample weighted by its class as well; a class not named weighs 1.

    Targets are integers `(N,)` or `(N, 1)`, or one-hot `(N, C)`.  Where the loss takes classes by
    their number, `sparse`, they may be `(N, T)`, of sequences, and so are the weights.
    """
    labels = _labels(data, sparse)
    if not isinstance(class_weight, Mapping):
        raise TypeError(
            f"class_weight={class_weight!r:.40}: expected a dict, from each class to how much its "
            "samples count, such as {0: 1.0, 1: 5.0}"
        )
    wrong = {c: w for c, w in class_weight.items() if not (isfinite(w) and w >= 0)}
    if wrong:
        raise DomainError(f"class_weight {wrong}: a weight is a finite number, 0 or larger")
    weight = np.ones(labels.shape)
    for label, w in class_weight.items():
        weight[labels == label] = w
    by_class = Tensor(weight.astype("float32"), backend=place.backend).astype(place.dtype)
    if data.weight is None:
        return replace(data, weight=by_class)
    axes = max(by_class.ndim, data.weight.ndim)  # (N,) and (N, T) must not meet as (T,) and (N, T)
    own, of_class = [w.reshape(*w.shape, *[1] * (axes - w.ndim)) for w in (data.weight, by_class)]
    return replace(data, weight=own.astype(place.dtype) * of_class)


def check_present(data: Data, class_weight: Mapping[int, float], sparse: bool = False) -> None:
    """Raise DomainError for a class that no sample has: it is misnamed."""
    present = np.unique(_labels(data, sparse)).astype(int).tolist()
    unknown = [c for c in class_weight if c not in present]
    if unknown:
        raise DomainError(f"class_weight names {unknown}, of which y has none: it holds {present}")


def _labels(data: Data, sparse: bool) -> np.ndarray:
    """The class of each sample, (N,), or of each step of a sequence, (N, T)."""
    y = data.y.numpy()
    if y.shape[1:] == (1,):
        y = y[:, 0]
    labels = y if sparse or y.ndim == 1 else y.argmax(-1)
    if labels.ndim > (2 if sparse else 1) or (labels != labels.round()).any():
        raise ShapeError(f"class_weight needs y to hold classes, (N,) or (N, C); y is {y.shape}")
    return labels


def split(data: Data, fraction: float) -> tuple[Data, Data]:
    """The data without their last `fraction`, and that fraction, before any shuffling."""
    if not 0 < fraction < 1:
        raise DomainError(f"validation_split={fraction:g}: expected 0 <= validation_split < 1")
    held = ceil(len(data) * fraction)
    if held == len(data):
        raise ShapeError(
            f"validation_split={fraction:g} of {_samples(len(data))} leaves none to train on"
        )
    return data.part(0, len(data) - held), data.part(len(data) - held, len(data))


def is_on_host(tensor: Tensor) -> bool:
    """Whether reading a number of this tensor costs no wait for a device."""
    return isinstance(tensor.raw, (np.ndarray, np.generic, float))


def quiet() -> np.errstate:
    """No warnings from NumPy in this block, where infinity and NaN are looked for and named."""
    return np.errstate(all="ignore")
