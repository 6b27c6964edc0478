"""The derivative of a function along a direction: measured, and as the reverse pass claims it.

Measuring knows two methods. The central difference (f(x + hv) - f(x - hv)) / 2h serves any
function, to about eight digits. The complex step Im f(x + ihv) / h (Squire & Trapp, SIAM Review
40, 1998) subtracts nothing, so h may be 1e-20 and no digit is lost; but it needs a function that
computes with complex numbers and is analytic, which abs is not. So it is believed where the
central difference confirms its leading digits, and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from random import Random
from typing import Any

import backends
from backends import namespaces

from .dtypes import is_float
from .errors import RuleError
from .node import Node, enable_grad, no_grad
from .reverse import sweep

__all__ = ["Measured", "agree", "flat", "leaf"]

np = backends.get("numpy")  # what is compared is compared on the host, in float64

COMPLEX_STEP = 1e-20
STEP = np.finfo(np.float64).eps ** (1 / 3)
"""Of central differences: there, rounding (ε/h) and curvature (h²) cost about the same."""


class Measured:
    """A function of nodes, with its inputs and results seen as flat arrays of float64.

    `checked` are the places of the inputs that hold floats, `points` their flat numbers.
    """

    def __init__(
        self, name: str, call: Callable[..., Any], inputs: Sequence[Any], labels: Sequence[str]
    ) -> None:
        self.name, self.call, self.inputs, self.labels = name, call, inputs, labels
        self.checked = [i for i, x in enumerate(inputs) if _is_smooth(x)]
        self.points = {i: flat(inputs[i]) for i in self.checked}

    def outputs(self, inputs: Sequence[Any]) -> list[Node]:
        """The results that may have a gradient; indices and truth values have none."""
        result = self.call(*inputs)
        results = result if isinstance(result, (tuple, list)) else [result]
        return [z for z in results if _is_smooth(z)]

    def at(self, place: int, point: Any) -> Any:
        """The flat result with one input moved to a point; a complex one makes all complex."""
        inputs = list(self.inputs)
        for i in self.checked:
            here = point if i == place else self.points[i].astype(point.dtype)
            inputs[i] = leaf(inputs[i], here)
        with no_grad():
            results = [flat(z) for z in self.outputs(inputs)]
        return np.concatenate(results) if results else np.zeros(0)

    def again(self) -> Any:
        """The flat result where nothing is moved, computed anew."""
        return self.at(self.checked[0], self.points[self.checked[0]])

    @cached_property
    def rest(self) -> Any:
        """The flat result where nothing is moved."""
        return self.again()

    # --- measured ---

    def slope(self, place: int, v: Any, before: float = 1, behind: float = 1) -> Any:
        """How the flat result moves along v: the central difference, or a one-sided one."""
        x = self.points[place]
        h = STEP * max(1.0, np.abs(x[v != 0]).max(initial=0))
        fore, aft = self.at(place, x + behind * h * v), self.at(place, x - before * h * v)
        return (fore - aft) / ((before + behind) * h)

    def slopes(self, place: int, vs: Any) -> tuple[Any, bool]:
        """The rows Jv of the directions, and whether the complex step measured them."""
        rows = np.stack([self.slope(place, v) for v in vs])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # "the imaginary part is discarded"
                x = self.points[place]
                ends = [self.at(place, x + COMPLEX_STEP * 1j * v) for v in vs]
        except Exception:  # it does not compute with complex numbers: the rows must do
            return rows, False
        exact = np.stack(ends).imag / COMPLEX_STEP
        confirmed = agree(rows, exact, 1e-5, 1e-7 * self.scale(rows)).all()
        return (exact, True) if confirmed else (rows, False)

    def scale(self, rows: Any) -> Any:
        """The size of the numbers from which differences are taken: rounding goes with it."""
        return np.abs(np.concatenate([rows.ravel(), self.rest])).max(initial=0)

    # --- claimed ---

    def pull(self, us: Any) -> dict[int, Any]:
        """For each checked input the rows uᵀJ, by the reverse pass."""
        inputs = list(self.inputs)
        for i in self.checked:  # the very data, in the layout that it has in memory
            inputs[i] = type(inputs[i]).of(inputs[i].raw)
            inputs[i].requires_grad = True
        with enable_grad():
            outputs = self.outputs(inputs)
        wanted = [inputs[i] for i in self.checked]
        rows: dict[int, list[Any]] = {i: [] for i in self.checked}
        for u in us:
            try:
                found = sweep(outputs, _split(u, outputs), wanted=wanted, retain_graph=True)
            except Exception as error:
                raise RuleError(f"{self.name}: the reverse pass failed: {error}") from error
            for i, row in rows.items():
                row.append(self._row(i, found.get(inputs[i])))
        return {i: np.stack(row) for i, row in rows.items()}

    def _row(self, place: int, g: Any) -> Any:
        """One gradient as a flat array, once its shape and dtype are seen to be the input's."""
        x, label = self.inputs[place], self.labels[place]
        if g is None:
            return np.zeros(self.points[place].size)
        if x.is_array and (g.shape != x.shape or g.dtype != x.dtype):
            raise RuleError(
                f"{self.name}: the gradient of {label} is {g.shape} {g.dtype}, but {label} is "
                f"{x.shape} {x.dtype}; a gradient is like its input"
            )
        return np.asarray(namespaces[type(g)].to_host(g), dtype=np.float64).ravel()

    def gradient(self, random: Random) -> Measured:
        """Its gradients, as a function of its inputs and of g, which flows in at its end."""

        def call(*inputs: Any) -> list[Node]:
            xs, gs = inputs[: len(self.inputs)], inputs[len(self.inputs) :]
            wanted = [xs[i] for i in self.checked]
            with enable_grad():
                found = sweep(self.outputs(xs), gs, wanted=wanted, create_graph=True)
            return [found[x] for x in wanted if x in found]

        xs = [leaf(x, self.points[i]) if i in self.points else x for i, x in enumerate(self.inputs)]
        outputs = self.outputs(xs)
        gs = [leaf(z, [random.gauss() for _ in range(flat(z).size)]) for z in outputs]
        labels = [f"g{i}" if len(gs) > 1 else "g" for i in range(len(gs))]
        return Measured(f"the gradient of {self.name}", call, [*xs, *gs], [*self.labels, *labels])


def agree(expected: Any, got: Any, relative: float, noise: float) -> Any:
    """Which elements agree to a relative error, or differ by mere noise; never those with NaN."""
    larger = np.maximum(np.abs(expected), np.abs(got))
    return np.abs(expected - got) <= relative * larger + noise


def flat(x: Any) -> Any:
    """A node's numbers, flat and on the host; integers and fractions as floats."""
    return np.asarray(namespaces[type(x.raw)].to_host(x.raw if x.is_array else x.raw * 1.0)).ravel()


def leaf(x: Any, numbers: Any) -> Any:
    """A leaf of the kind and shape of x, on its backend, that holds these flat numbers."""
    array = np.asarray(numbers).reshape(x.shape)
    raw = namespaces[type(x.raw)].from_host(array) if x.is_array else array.item()
    new = type(x).of(raw)
    new.requires_grad = True
    return new


def _is_smooth(x: Any) -> bool:
    """Whether x is a node that holds what has a gradient: an array of floats, or a number."""
    if not isinstance(x, Node):
        return False
    return is_float(getattr(x.raw, "dtype", None)) if x.is_array else not isinstance(x.raw, bool)


def _split(u: Any, outputs: Sequence[Any]) -> list[Any]:
    """A flat direction as the gradients of the outputs, with which a reverse pass begins."""
    seeds, start = [], 0
    for z in outputs:
        stop = start + flat(z).size
        seeds.append(leaf(z, u[start:stop]))
        start = stop
    return seeds
