"""One frame: what there is to say of all parameters at a step.

A step must not become slower by being looked at.  So the parameters' places in the optimizer's flat
arrays are found once; a frame copies the weights before the step, and then needs a few passes over
weights, gradients and their difference.  It becomes text when somebody reads it: a file that it is
appended to, or a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from json import dumps
from math import hypot, isfinite, isnan
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from autograd import Tensor

from ..optim.clipping import norm as norm_of_all
from ..optim.flat import Stretch
from ..optim.optimizer import Optimizer
from .budget import Budget

if TYPE_CHECKING:
    from autograd.sizes import Seen

__all__ = ["Frame", "Look", "Parameters", "number", "numbers_by_name"]


Gathered = list[list[Stretch]]
"""The gradients of an optimizer's groups, in flat arrays."""


def number(x: float | None) -> str:
    """A number as JSON, with five digits; null for None, and a word for what is no number."""
    if x is None:
        return "null"
    if isfinite(x):
        return f"{x:.5g}"
    return '"nan"' if isnan(x) else '"inf"' if x > 0 else '"-inf"'


def numbers(xs: Sequence[float | None]) -> str:
    """A list of them as JSON."""
    try:
        text = _template(len(xs)) % tuple(xs)
    except TypeError:  # some are None
        text = "none"
    return f"[{','.join([number(x) for x in xs])}]" if "n" in text else text


@cache
def _template(count: int) -> str:
    return f"[{','.join(['%.5g'] * count)}]"


def numbers_by_name(xs: dict[str, float]) -> str:
    """Numbers by name as a JSON object."""
    return f"{{{','.join([f'{dumps(name)}:{number(x)}' for name, x in xs.items()])}}}"


class Parameters:
    """The parameters of an optimizer that are recorded, as flat arrays.

    `wanted` says of a name whether it is.  `shown` lists (name, shape, layer) of those that are.
    """

    def __init__(
        self, optimizer: Optimizer, names: dict[int, str], wanted: Callable[[str], bool]
    ) -> None:
        from autograd.sizes import Sizes

        self.optimizer = optimizer
        self.found: Gathered = []
        self.slopes: list[Any] = []
        self.groups = list(optimizer.groups)
        self.places: list[tuple[int, int, int, Tensor]] = []
        """(group, start, end) in that group's flat array, and the parameter."""
        self.shown: list[dict[str, Any]] = []
        order = {id(p): i for i, p in enumerate(optimizer.params)}
        found = []
        for g, group in enumerate(self.groups):
            for p, end in zip(group.params, group.ends, strict=True):
                name = names.get(id(p)) or f"parameter.{order[id(p)]}"
                if wanted(name):
                    found.append((order[id(p)], name, (g, end - p.size, end, p)))
        for _, name, place in sorted(found, key=lambda one: one[0]):
            self.places.append(place)
            self.shown.append(
                {
                    "name": name,
                    "shape": list(place[3].shape),
                    "layer": name.rpartition(".")[0],
                }
            )
        self.whole = len(self.places) == len(optimizer.params)
        self.sizes = Sizes(
            [group.exact for group in self.groups], [place[:3] for place in self.places]
        )

    @property
    def hold(self) -> bool:
        """Whether these are still the optimizer's arrays: it may have been bound anew."""
        now, arrays = self.optimizer.groups, self.sizes.flats
        return len(now) == len(arrays) and all(
            group.exact is array for group, array in zip(now, arrays, strict=True)
        )

    def gradients(self, found: Gathered) -> list[Any]:
        """The flat gradient of each parameter, out of what an optimizer has gathered.

        A compiled step leaves them in the same arrays each time.
        """
        if found is not self.found:
            self.found = found
            self.slopes = [_within(found[g], start, end) for g, start, end, _ in self.places]
        return self.slopes

    def forget(self) -> None:
        """Hold the last gradients no longer."""
        self.found, self.slopes = [], []
        self.sizes.forget()

    def together(self, found: Gathered) -> float | None:
        """The norm of the gradients of all parameters, also of those that are not recorded."""
        return norm_of_all(found) if any(found) else None


def _within(stretches: Sequence[Stretch], start: int, end: int) -> Any:
    for first, last, gradient in stretches:
        if first <= start and end <= last:
            return gradient[start - first : end - first]
    return None


class Look:
    """A step that is looked at: made before it, it has seen the weights; `frame` tells the rest.

    `gradients` are the optimizer's, which a compiled step has yet to compute.
    """

    def __init__(self, parameters: Parameters, gradients: Gathered) -> None:
        optimizer = parameters.optimizer
        self.parameters, self.gathered = parameters, gradients
        self.step, self.lr = optimizer.steps, optimizer.lr
        self.limits = optimizer.clip_norm, optimizer.clip_value
        parameters.sizes.keep()
        self.slopes = parameters.gradients(gradients)
        self.fleeting = False
        """Whether these gradients were made for this step alone, and nobody else needs them."""
        self.probe: str | None = None
        self.extra = 0.0
        """Seconds that went into histograms."""

    def frame(
        self, loss: float | None, epoch: int | None, budget: Budget, logs: dict[str, float]
    ) -> Frame:
        """What is to be said of it, after the step."""
        parameters, sizes = self.parameters, self.parameters.sizes
        seen, more = sizes.look(self.slopes), ""
        if budget.allows("histograms"):
            begun = perf_counter()
            for name, arrays in (("weight", sizes.weights()), ("gradient", self.slopes)):
                told = [one or "null" for one in sizes.histograms(arrays)]
                more += f',"{name}_hist":[{",".join(told)}]'
            self.extra = perf_counter() - begun
            budget.spend("histograms", self.extra)
        if self.probe is not None:
            more += f',"probe":{self.probe}'
        together = None if parameters.whole else parameters.together(self.gathered)
        limit, value = self.limits
        if value is not None and any(g is not None and abs(g).max() > value for g in self.slopes):
            limit = 0.0
        if self.fleeting:
            parameters.forget()
        seconds = budget.elapsed()
        return Frame(self.step, seconds, loss, self.lr, seen, together, limit, epoch, logs, more)


class Frame(NamedTuple):
    """What there is to say of a step; as text it is the JSON that is kept.

    `together` is the norm of all gradients, where some of them were not seen; they were clipped
    where it is above the `limit`.  `more` is JSON already.
    """

    step: int
    seconds: float
    loss: float | None
    lr: float
    seen: Seen
    together: float | None
    limit: float | None
    epoch: int | None
    logs: dict[str, float]
    more: str

    def __str__(self) -> str:
        seen, weights, gradients = self.seen, self.seen.weights, self.seen.gradients
        # of weights that were all 0, as new biases are, any step is infinitely large: None
        pairs = zip(seen.changes, weights, strict=True)
        updates = [change / weight if weight else None for change, weight in pairs]
        parts = [
            f'"step":{self.step},"seconds":{self.seconds:.3f},"loss":{number(self.loss)},'
            f'"lr":{number(self.lr)},"weight":{numbers(weights)},'
            f'"gradient":{numbers(gradients)},"update":{numbers(updates)},'
            f'"zeros":{numbers(seen.zeros)}'
        ]
        if self.epoch is not None:
            parts.append(f'"epoch":{self.epoch}')
        norm = _together(gradients) if self.together is None else self.together
        if norm is not None:
            parts.append(f'"norm":{number(norm)}')
            if self.limit is not None and self.limit < norm:
                parts.append('"clipped":true')
        if self.logs:
            parts.append(f'"logs":{numbers_by_name(self.logs)}')
        return f"{{{','.join(parts)}{self.more}}}"


def _together(sizes: list[float | None]) -> float | None:
    """The norm of several gradients, by theirs."""
    there = [size for size in sizes if size is not None]
    return hypot(*there) if there else None
