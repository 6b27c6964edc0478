"""One frame: what there is to say of all parameters at a step, as a line of JSON.

A step must not become slower by being looked at.  So the parameters' places in the optimizer's flat
arrays are found once; a frame copies the weights before the step, and then needs a few passes over
weights, gradients and their difference.  It is written as text at once: that is what is kept,
appended to a file and sent to a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from json import dumps
from math import isfinite, isnan, sqrt
from time import perf_counter
from typing import Any

from autograd import Tensor

from ..optim.clipping import norm as norm_of_all
from ..optim.flat import Stretch
from ..optim.optimizer import Optimizer
from .budget import Budget

__all__ = ["Look", "Parameters", "number", "numbers_by_name"]


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

    def gradients(self, found: Sequence[Sequence[Stretch]]) -> list[Any]:
        """The flat gradient of each parameter, out of what an optimizer has gathered."""
        return [_within(found[g], start, end) for g, start, end, _ in self.places]

    def left(self) -> list[Any]:
        """The flat gradient that a compiled step has left with each parameter."""
        raws = [p._grad for _, _, _, p in self.places]
        raws = [g.raw if isinstance(g, Tensor) else g for g in raws]
        return [None if g is None else g.reshape(-1) for g in raws]

    def together(self, sizes: Sequence[float | None], found: Any) -> float | None:
        """The norm of the gradients of all parameters, also of those that are not recorded."""
        if self.whole:
            there = [size for size in sizes if size is not None]
            return sqrt(sum(size * size for size in there)) if there else None
        gathered = found if found is not None else self.optimizer.gather()
        return norm_of_all(gathered) if any(gathered) else None


def _within(stretches: Sequence[Stretch], start: int, end: int) -> Any:
    for first, last, gradient in stretches:
        if first <= start and end <= last:
            return gradient[start - first : end - first]
    return None


class Look:
    """A step that is looked at: made before it, it has seen the weights; `line` tells the rest.

    `gradients` are those that the optimizer has gathered, None for a compiled step.
    """

    def __init__(self, parameters: Parameters, gradients: list[list[Stretch]] | None) -> None:
        optimizer = parameters.optimizer
        self.parameters, self.gathered = parameters, gradients
        self.step, self.lr = optimizer.steps, optimizer.lr
        self.limits = optimizer.clip_norm, optimizer.clip_value
        parameters.sizes.keep()
        self.compiled = gradients is None
        self.slopes = parameters.gradients(gradients) if gradients is not None else []
        self.probe: str | None = None
        self.extra = 0.0
        """Seconds that went into histograms."""

    def find_gradients(self) -> bool:
        """After a compiled step: whether it has left the gradients of all that learn."""
        self.slopes = self.parameters.left()
        places = self.parameters.places
        return all(
            g is not None or not p.requires_grad
            for g, (_, _, _, p) in zip(self.slopes, places, strict=True)
        )

    def line(
        self, loss: float | None, epoch: int | None, budget: Budget, logs: dict[str, float]
    ) -> str:
        """The frame as JSON, after the step."""
        parameters, sizes, slopes = self.parameters, self.parameters.sizes, self.slopes
        seen = sizes.look(slopes)
        pairs = zip(seen.changes, seen.weights, strict=True)
        # of weights that were all 0, as new biases are, any step is infinitely large: None
        updates = [change / weight if weight else None for change, weight in pairs]
        together = parameters.together(seen.gradients, self.gathered)
        parts = [
            f'"step":{self.step},"seconds":{budget.elapsed():.3f},"loss":{number(loss)},'
            f'"lr":{number(self.lr)},"weight":{numbers(seen.weights)},'
            f'"gradient":{numbers(seen.gradients)},"update":{numbers(updates)},'
            f'"zeros":{numbers(seen.zeros)}'
        ]
        if epoch is not None:
            parts.append(f'"epoch":{epoch}')
        if together is not None:
            parts.append(f'"norm":{number(together)}')
            if self._clipped(together):
                parts.append('"clipped":true')
        if logs:
            parts.append(f'"logs":{numbers_by_name(logs)}')
        if budget.allows("histograms"):
            begun = perf_counter()
            parts.append(f'"weight_hist":[{",".join(map(str, sizes.histograms(sizes.weights())))}]')
            told = [one or "null" for one in sizes.histograms(slopes)]
            parts.append(f'"gradient_hist":[{",".join(told)}]')
            self.extra = perf_counter() - begun
            budget.spend("histograms", self.extra)
        if self.probe is not None:
            parts.append(f'"probe":{self.probe}')
        return f"{{{','.join(parts)}}}"

    def _clipped(self, together: float) -> bool:
        """Whether the gradients were larger than the optimizer lets them be."""
        most, value = self.limits
        if value is not None:
            there = [g for g in self.slopes if g is not None]
            return any(float(abs(g).max()) > value for g in there)
        return most is not None and most < together
