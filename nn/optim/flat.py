"""Parameters, gradients and moments as flat arrays, so that a step is a few array calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autograd import Tensor, full, names
from autograd.node import tick
from autograd.ops.shape import concatenate

__all__ = ["Flat"]

BLOCK = 32_768
"""Elements that a formula is applied to at a time.

All its operands and intermediate results then stay in a core's cache: Adam on 670,000 parameters
takes 1.3 ms, where whole arrays take 6 ms.
"""


class Flat:
    """Parameters of one dtype and backend, one behind the other in one array.

    Each parameter's `raw` becomes a view of that array: who reads or assigns the parameter
    reads or assigns the array.  `state` holds arrays of the same length, such as moments.  Those of
    16-bit parameters are float32, and so is the computation: the square of a gradient of 1e-4 would
    be 0, and Adam would divide by it.
    """

    def __init__(self, params: Sequence[Tensor], state: Mapping[str, float]) -> None:
        self.params = params
        self._pack()
        dtype = params[0].dtype
        self.half = dtype.itemsize == 2
        kind = {"dtype": "float32" if self.half else dtype, "backend": params[0].backend}
        size = self.ends[-1]
        self.state = {name: full(size, value, **kind).raw for name, value in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy's parameters are views of the copy's own array: copying parts them from it."""
        vars(self).update(state)
        self._pack()

    def _pack(self) -> None:
        self.data = concatenate(*[p.raw for p in self.params], axis=None)  # of all, flattened
        self.views: list[Any] = []
        self.ends: list[int] = []
        end = 0
        for p in self.params:
            start, end = end, end + p.size
            p.raw = self.data[start:end].reshape(p.shape)
            self.views.append(p.raw)
            self.ends.append(end)
        self._runs: dict[tuple[bool, ...], list[tuple[int, int, int, int]]] = {}

    def gradients(self) -> list[tuple[int, int, Any]]:
        """(start, end, gradient) of each stretch of the array that has one.

        Neighbours are gathered into one array; one that fills a block by itself stays as it is,
        as gathering would only copy it.
        """
        found = []
        for p, view in zip(self.params, self.views, strict=True):
            if p.raw is not view:  # somebody gave it another array
                self._take_in_again()
                return self.gradients()
            g = p._grad
            found.append(g.raw if g.__class__ is Tensor else g)
        present = tuple([g is not None for g in found])
        runs = self._runs.get(present)
        if runs is None:
            runs = self._runs[present] = self._stretches(present)
        return [
            (
                start,
                end,
                found[first].reshape(-1)
                if last == first + 1
                else concatenate(*found[first:last], axis=None),
            )
            for start, end, first, last in runs
        ]

    def _take_in_again(self) -> None:
        """Follow parameters that were given other arrays, perhaps on another backend."""
        self._pack()
        for name, array in self.state.items():
            self.state[name] = Tensor.of(array).to(self.params[0].backend).raw

    def _stretches(self, present: tuple[bool, ...]) -> list[tuple[int, int, int, int]]:
        """(start, end, first, last + 1) of the neighbours among parameters to gather."""
        runs: list[tuple[int, int, int, int]] = []
        growing = False
        for i, (has, end) in enumerate(zip(present, self.ends, strict=True)):
            start = self.ends[i - 1] if i else 0
            small = end - start < BLOCK
            if has and small and growing:
                runs[-1] = (runs[-1][0], end, runs[-1][2], i + 1)
            elif has:
                runs.append((start, end, i, i + 1))
            growing = has and small
        return runs

    def apply(
        self,
        formula: Callable[..., None],
        gradients: list[tuple[int, int, Any]],
        weight_decay: float,
        scalars: dict[str, Any],
    ) -> None:
        """Let `formula(data, gradient, *state, **scalars)` change data and state, block by block.

        `weight_decay` adds that much of the data to the gradient.
        """
        arrays = [self.data, *self.state.values()]
        for start, end, g in gradients:
            for a in range(start, end, BLOCK):
                b = min(a + BLOCK, end)
                data, *state = [array[a:b] for array in arrays]
                slope = g[a - start : b - start]
                if self.half:
                    data, slope = data.astype("float32"), slope.astype("float32")
                if weight_decay:
                    slope = slope + weight_decay * data
                formula(data, slope, *state, **scalars)
                if self.half:
                    self.data[a:b] = data
        frame = names.user_frame()
        for p in self.params:
            if p._grad is not None:
                p.order = tick()
                p.made_by(frame)

    def parts(self) -> list[tuple[str, int, Tensor]]:
        """(name, i, array) of the state that belongs to the i-th parameter, in its shape."""
        return [
            (name, i, Tensor.of(array[end - p.size : end].reshape(p.shape)))
            for name, array in self.state.items()
            for i, (p, end) in enumerate(zip(self.params, self.ends, strict=True))
        ]
