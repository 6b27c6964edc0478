"""Reading the arguments of `fit`, `evaluate` and their like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import TYPE_CHECKING, Any

from autograd import Tensor
from autograd.errors import GraphError, ShapeError

from ..data import Data, DataLoader, Place, is_batches, is_lazy
from ..data.arrays import load
from .checkpoint import Checkpoint, exists, read
from .compiled import Compiled
from .source import Arrays, Source, Stream

if TYPE_CHECKING:
    from ..module import Module

__all__ = [
    "batch_of", "check_samples", "checkpoint_of", "count", "gives_batches", "held_out_of", "known",
    "lazily", "loaded", "place_of", "source_of", "stream_of",
]  # fmt: skip


def known(model: Module, method: str) -> Compiled:
    """What the model was compiled with; GraphError if it was not."""
    if model._compiled is None:
        raise GraphError(
            f'{method}: compile the model first, model.compile(optimizer="adam", loss="mse")'
        )
    return model._compiled


def place_of(model: Module) -> Place:
    """Where, and in which floats, the model computes."""
    return Place.of([] if model.unbuilt() else model.parameters())


def loaded(model: Module, place: Place, x: Any, y: Any, weight: Any, name: str = "") -> Data:
    """Samples and targets for this model, checked."""
    data = load(x, y, weight, place, (f"{name}x", f"{name}y"))
    check_samples(model, data.x, f"{name}x")
    return data


def check_samples(model: Module, x: Any, name: str) -> None:
    """Raise ShapeError where x is one sample without the batch axis, or bare numbers."""
    shape = model.input_shape
    if not shape or not isinstance(x, Tensor) or not (x.shape == shape or x.ndim == 1):
        return
    told = f"{name} has shape {x.shape}: expected samples, (N, {', '.join(map(str, shape))})"
    if shape == (1,):
        raise ShapeError(f"{told}. Numbers become samples by x.reshape(-1, 1)")
    if x.shape == shape:
        raise ShapeError(f"{told}. One sample becomes a batch of one by x[None]")
    raise ShapeError(told)


def held_out_of(
    model: Module, place: Place, given: Any, size: int | None, epochs: int, steps: int | None
) -> Source:
    """Batches of `validation_data`, whatever that is."""
    if isinstance(given, Data):
        return Arrays(given, batch_of(size))
    if gives_batches(given):
        return stream_of(place, given, epochs, steps, "validation_steps", name="validation: ")
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ValueError("validation_data: expected (x, y) or (x, y, sample_weight)")
    x, y, *weight = given
    x, y, *weight = lazily(x, y, weight[0] if weight else None, batch_of(size))
    if gives_batches(x, y):
        return stream_of(place, x, epochs, steps, "validation_steps", name="validation: ")
    data = loaded(model, place, x, y, weight[0], "validation ")
    return Arrays(data, batch_of(size), steps=steps)


def source_of(
    model: Module,
    x: Any,
    y: Any,
    batch_size: int | None,
    sample_weight: Any = None,
    shuffle: bool = False,
    steps: int | None = None,
) -> Source:
    """Batches cut from arrays, or those that x gives."""
    place, size = place_of(model), batch_of(batch_size)
    x, y, sample_weight = lazily(x, y, sample_weight, size, shuffle)
    if gives_batches(x, y):
        return stream_of(place, x, 1, steps, "steps")
    return Arrays(loaded(model, place, x, y, sample_weight), size, shuffle, steps)


def gives_batches(x: Any, y: Any = None) -> bool:
    """Whether x, alone, gives batches: a generator, a DataLoader, an iterable that is no array."""
    if not is_batches(x):
        return False
    if y is not None and not isinstance(x, Iterator):  # one of numbers is told with the arrays
        raise ValueError(f"a {type(x).__name__} gives batches with their targets: leave y out")
    return y is None


def lazily(
    x: Any, y: Any, sample_weight: Any, size: int, shuffle: bool = False
) -> tuple[Any, Any, Any]:
    """x, y and weights, or one DataLoader of them where they are to be read a batch at a time."""
    if not (is_lazy(x) or is_lazy(y)):
        return x, y, sample_weight
    loader = DataLoader(x, y, batch_size=size, shuffle=shuffle, sample_weight=sample_weight)
    return loader, None, None


def stream_of(
    place: Place,
    given: Any,
    epochs: int,
    steps: int | None,
    option: str,
    weigh: Callable[[Data], Data] | None = None,
    name: str = "",
) -> Stream:
    """The batches that an object gives; it must be able to give them for so many epochs."""
    if steps is not None:
        steps = count(option, steps)
    elif epochs > 1 and isinstance(given, Iterator):
        raise ValueError(
            f"{name}a {type(given).__name__} gives its batches once, which is not enough for "
            f"{epochs} epochs. Say how many make an epoch, {option}=…, or give what can be "
            "iterated over again: a DataLoader, or an object whose __iter__ begins anew."
        )
    return Stream(given, place, steps, weigh, name)


def checkpoint_of(
    given: Any, resume: bool, place: Place
) -> tuple[Checkpoint | None, dict[str, Any] | None]:
    """Where to write checkpoints, and the state to go on from."""
    if given is None:
        if resume:
            raise ValueError('fit: resume=True needs to know the folder, checkpoint="run"')
        return None, None
    saved = given if isinstance(given, Checkpoint) else Checkpoint(given)
    if not exists(saved.folder):
        return saved, None
    if not resume:
        raise ValueError(
            f"fit: {saved.folder} holds a training already; resume=True goes on with it. To begin "
            "anew, name another folder or delete that one."
        )
    return saved, read(saved.folder, place.backend)


def count(name: str, n: Any) -> int:
    """A whole number from 1 on."""
    try:
        found = index(n)
    except TypeError:
        found = 0
    if found < 1:
        raise ValueError(f"{name}={n!r}: expected a whole number from 1 on")
    return found


def batch_of(size: int | None) -> int:
    """The size of a batch, 32 where none is given."""
    return 32 if size is None else count("batch_size", size)
