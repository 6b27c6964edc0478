"""Where the batches of a training come from: arrays at hand, or something that gives batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from autograd import Tensor, random
from autograd.errors import ShapeError

from ..data import Data, Place, batches_of
from . import flow

__all__ = ["Arrays", "Source", "Stream"]


class Source(Protocol):
    """Batches by the epoch, which can be left in the middle and gone on with there."""

    samples: int | None
    """How many samples an epoch has, where that is known."""
    steps: int | None
    """How many batches an epoch has, where that is known."""
    dry: bool
    """Whether there will be no further batches."""

    def first(self) -> Data | None:
        """Something to try the model on, before the first epoch."""

    def begin(self, epoch: int) -> None:
        """An epoch begins: its order is drawn."""

    def batches(self, start: int) -> Iterator[Data]:
        """The batches of this epoch from the one of this number on."""

    def sample(self) -> Data | None:
        """Some samples, to look at the model with."""

    def state_dict(self) -> dict[str, Any]:
        """What it takes to go on within this epoch."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be within the epoch that `state_dict` was taken in."""


class Arrays:
    """Batches cut from arrays, in a new random order in each epoch if wanted.

    The order is drawn from the random stream at the epoch's begin; where in the stream that was is
    all that needs to be kept of it.
    """

    def __init__(
        self, data: Data, size: int, shuffle: bool = False, steps: int | None = None
    ) -> None:
        self.data, self.size, self.shuffle = data, size, shuffle
        whole = -(-len(data) // size)
        if steps is not None and not 1 <= steps <= whole:
            raise ValueError(f"steps={steps}: {len(data)} samples make {whole} batches of {size}")
        self.count = steps or whole
        self.steps: int | None = self.count
        self.samples: int | None = min(len(data), self.count * size)
        self.order: Tensor | None = None
        self.drawn: dict[str, Any] | None = None
        self.dry = False

    def first(self) -> Data:
        return self.data

    def begin(self, epoch: int) -> None:
        if self.shuffle:
            self.drawn = random.state()
            self.order = self.data.shuffled()

    def batches(self, start: int = 0) -> Iterator[Data]:
        """The batches of this epoch from the one of this number on."""
        data, order = self.data, self.order
        if start == self.count:
            return iter(())
        if start and order is None:
            data = data.part(start * self.size, len(data))
        elif start and order is not None:
            order = Tensor.of(order.raw[start * self.size :])
        return islice(data.batches(self.size, order), self.count - start)

    def sample(self) -> Data:
        return next(self.data.batches(flow.SAMPLES, self.order))

    def state_dict(self) -> dict[str, Any]:
        facts = {"samples": self.samples, "batch_size": self.size, "shuffle": self.shuffle}
        return {**facts, "drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for key, now in self.state_dict().items():
            if key != "drawn" and state.get(key) != now:
                raise ValueError(
                    f"the training had {key}={state.get(key)}, this has {now}: to go on in the "
                    "same order the data and batches must be the same"
                )
        if state["drawn"] is not None:
            random.set_state(state["drawn"])
            self.begin(0)


class Stream:
    """Batches from a DataLoader, a generator or another iterable of (x, y) or (x, y, weight).

    An epoch is one pass over it, or `steps` batches of an endless or repeated one.  What has
    `state_dict` and `load_state_dict`, as a DataLoader, is put back where it was; anything else is
    iterated anew up to that place.
    """

    def __init__(
        self,
        given: Any,
        place: Place,
        steps: int | None = None,
        weigh: Callable[[Data], Data] | None = None,
        name: str = "",
        with_targets: bool = True,
    ) -> None:
        self.feed, self.place, self.name = batches_of(given, place), place, name
        self.weigh, self.with_targets = weigh, with_targets
        self.kind = type(given).__name__
        self.once = isinstance(given, Iterator)
        self.limit = steps
        self.steps = steps if steps is not None else _length(given)
        self.samples = None if steps is not None else self.feed.samples
        self.taken = self.done = 0
        """How many batches were taken from it, in all and in this epoch."""
        self.iterator: Any = None
        self.ahead: list[Data] = []
        self.last: Data | None = None
        self.dry = False

    def first(self) -> Data | None:
        if self.ahead or self.dry:
            return self.ahead[0] if self.ahead else None
        feed, place = self.feed, random.state()
        before = feed.state_dict() if hasattr(feed, "state_dict") else None
        item = self._next()
        if item is None:
            raise ShapeError(f"{self.name}the {self.kind} is empty: it gives no batch")
        batch = self._checked(item)
        if before is None:
            self.ahead = [batch]
        else:  # as if nobody had looked
            if self.iterator is not None:
                self.iterator.close()
            self.iterator = None
            feed.load_state_dict(before)
            random.set_state(place)
        return batch

    def begin(self, epoch: int) -> None:
        """An epoch begins."""

    def batches(self, start: int = 0) -> Iterator[Data]:
        """The batches of this epoch from the one of this number on."""
        self.done = start
        while self.limit is None or self.done < self.limit:
            if self.ahead:
                batch = self.ahead.pop()
            else:
                item = self._next()
                if item is None:
                    break
                batch = self._checked(item)
            self.done += 1
            self.taken += 1
            self.last = batch
            yield batch
        if self.limit is None:
            self.iterator = None
            self.steps = self.steps or self.done
        elif self.done < self.limit:
            warnings.warn(
                f"{self.name}the {self.kind} ran out of batches after {self.done} of {self.limit} "
                "of an epoch; the training ends here",
                stacklevel=5,
            )

    def _next(self) -> Data | None:
        """The next item; where an epoch has its own length, after the last the first again."""
        for _ in range(2 if self.limit is not None else 1):
            if self.dry:
                return None
            if self.iterator is None:
                self.iterator = iter(self.feed)
            item: Data | None = next(self.iterator, None)
            if item is not None:
                return item
            self.iterator, self.dry = None, self.once
        return None

    def _checked(self, batch: Data) -> Data:
        """A batch with targets, where they are needed, and with the weights of its classes."""
        if self.with_targets and batch.y is None:
            raise ShapeError(
                f"{self.name}the {self.kind} gives batches of x alone: expected (x, y) or "
                "(x, y, sample_weight)"
            )
        return batch if self.weigh is None else self.weigh(batch)

    def sample(self) -> Data | None:
        return None if self.last is None else self.last.part(0, flow.SAMPLES)

    def state_dict(self) -> dict[str, Any]:
        own = self.feed.state_dict() if hasattr(self.feed, "state_dict") else None
        done = 0 if self.iterator is None else self.done
        return {"steps": self.limit, "taken": self.taken, "done": done, "loader": own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state.get("steps") != self.limit:
            raise ValueError(
                f"the training had steps_per_epoch={state.get('steps')}, this has {self.limit}"
            )
        if state["loader"] is not None and hasattr(self.feed, "load_state_dict"):
            self.feed.load_state_dict(state["loader"])
        else:  # pass over what was taken: all of a generator's, else what is of this epoch
            for _ in range(state["taken" if self.once or self.limit is not None else "done"]):
                self._next()
        self.taken = state["taken"]


def _length(given: Any) -> int | None:
    try:
        return len(given)
    except TypeError:
        return None
