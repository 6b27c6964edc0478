"""Parameters, gradients and moments as flat arrays, so that a step is a few array calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

from autograd import Tensor, full, functions, names
from autograd.errors import GraphError
from autograd.node import tick
from autograd.ops.elementwise import where
from autograd.ops.shape import concatenate

from ..data.arrays import is_on_host

__all__ = ["Each", "Flat", "Stretch", "put"]

Stretch = tuple[int, int, Any]
"""(start, end, gradient): a part of a flat array, and the flat gradient of it."""

BLOCK = 32_768
"""Elements that a formula is applied to at a time.

All its operands and intermediate results then stay in a core's cache: Adam on 670,000 parameters
takes 1.3 ms, where whole arrays take 6 ms.
"""


def put(x: Any, y: Any) -> Any:
    """y in the place of x: in its array, or as the tensor that stands for it in a recording."""
    if isinstance(x, Tensor):
        return y
    x[...] = y
    return x


class Flat:
    """Parameters of one dtype and backend, one behind the other in one array.

    Each parameter's `raw` becomes a view of that array: who reads or assigns the parameter
    reads or assigns the array.  `state` holds arrays of the same length, such as moments.

    For 16-bit parameters the formula works in float32, on a float32 copy, the *master*
    (Micikevicius et al. 2018, §3.1): steps smaller than half a unit in the parameter's last place
    add up there instead of being rounded away, and the square of a gradient of 1e-4 is not 0.
    `exact` is that copy, or the array itself where nothing is lost.
    """

    def __init__(self, params: Sequence[Tensor], state: Mapping[str, float]) -> None:
        self.params = params
        self._pack()
        self.state = {name: self._full(self.ends[-1], value) for name, value in state.items()}
        self.present: tuple[bool, ...] = (False,) * len(params)
        self.changed: Sequence[Tensor] = ()
        self.sum: Any = None
        """Gradients added up over several batches, and of how many batches each parameter's is."""
        self.held = [0] * len(params)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy's parameters are views of the copy's own array: copying parts them from it."""
        vars(self).update(state)
        self._pack()

    def _pack(self) -> None:
        dtypes = {str(p.dtype) for p in self.params}
        if len(dtypes) > 1:
            raise GraphError(
                f"optimizer: some of its parameters changed their dtype, to {', '.join(dtypes)}. "
                "Bind it anew, optimizer.bind(model)."
            )
        self.data = concatenate(*[p.raw for p in self.params], axis=None)  # of all, flattened
        self.views: list[Any] = []
        self.ends: list[int] = []
        end = 0
        for p in self.params:
            start, end = end, end + p.size
            p.raw = self.data[start:end].reshape(p.shape)
            self.views.append(p.raw)
            self.ends.append(end)
        self._runs: dict[tuple[bool, ...], Any] = {}
        self.half = self.data.dtype.itemsize == 2
        self.exact = self.data.astype("float32") if self.half else self.data
        self.block = BLOCK if is_on_host(self.params[0]) else end  # a GPU's kernels want it whole

    def _full(self, shape: Any, value: float) -> Any:
        """An array like the one that the formula works on."""
        return full(shape, value, dtype=self.exact.dtype, backend=self.params[0].backend).raw

    # --- gradients ---

    def gradients(self) -> list[Stretch]:
        """(start, end, gradient) of each stretch of the array that has one, float32 or wider.

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
        runs = self._among(tuple([g is not None for g in found]))
        gathered: list[Stretch] = [
            (
                start,
                end,
                found[first].reshape(-1)
                if last == first + 1
                else concatenate(*found[first:last], axis=None),
            )
            for start, end, first, last in runs
        ]
        return [(a, b, g.astype("float32")) for a, b, g in gathered] if self.half else gathered

    def _take_in_again(self) -> None:
        """Follow parameters that were given other arrays, perhaps on another backend."""
        exact, half = self.exact, self.half
        self._pack()
        if half and self.half:
            self.exact = self._moved(exact)
        self.state = {name: self._moved(array) for name, array in self.state.items()}
        self.sum = None if self.sum is None else self._moved(self.sum)

    def _moved(self, array: Any) -> Any:
        return Tensor.of(array).to(self.params[0].backend).raw.astype(self.exact.dtype)

    def _among(self, present: tuple[bool, ...]) -> list[tuple[int, int, int, int]]:
        """(start, end, first, last + 1) of the neighbours to gather, of parameters that are
        present and will have changed."""
        known = self._runs.get(present)
        if known is None:
            changed = [p for p, has in zip(self.params, present, strict=True) if has]
            known = self._runs[present] = self._stretches(present), present, changed
        runs, self.present, self.changed = known
        return runs

    def _stretches(
        self, present: tuple[bool, ...], small: bool = True
    ) -> list[tuple[int, int, int, int]]:
        """The runs of neighbours that are present; with `small` the larger ones by themselves."""
        runs: list[tuple[int, int, int, int]] = []
        growing = False
        for i, (has, end) in enumerate(zip(present, self.ends, strict=True)):
            start = self.ends[i - 1] if i else 0
            joins = not small or end - start < BLOCK
            if has and joins and growing:
                runs[-1] = (runs[-1][0], end, runs[-1][2], i + 1)
            elif has:
                runs.append((start, end, i, i + 1))
            growing = has and joins
        return runs

    def hold(self) -> None:
        """Make the array that gradients are added up in, if there is none yet."""
        if self.sum is None:
            self.sum = self._full(self.ends[-1], 0.0)

    def add(self, gradients: list[Stretch]) -> None:
        """Keep gradients, to take a step with their sum later."""
        self.hold()
        for start, end, g in gradients:
            self.sum[start:end] += g
        self.held = [n + has for n, has in zip(self.held, self.present, strict=True)]

    def take(self, share: float) -> list[Stretch]:
        """What was added since the last time, each number times `share`."""
        runs = self._among(tuple([n > 0 for n in self.held]))
        found = [(a, b, self.sum[a:b] * share) for a, b, _, _ in runs]
        self.sum[...] = 0
        self.held = [0] * len(self.params)
        return found

    # --- the step ---

    def apply(
        self,
        formula: Callable[..., None],
        gradients: list[Stretch],
        pull: float,
        shrink: float,
        scalars: dict[str, Any],
    ) -> None:
        """Let `formula(data, gradient, *state, **scalars)` change data and state, block by block.

        `pull` adds that much of the data to the gradient; `shrink` multiplies the data before.
        """
        arrays = [self.exact, *self.state.values()]
        block = self.block
        for start, end, g in gradients:
            for a in range(start, end, block):
                b = min(a + block, end)
                data, *state = [array[a:b] for array in arrays]
                slope = g if b - a == end - start else g[a - start : b - start]
                if self.half:
                    self._refresh(a, b)
                if pull:
                    slope = slope + pull * data
                if shrink != 1:
                    data *= shrink
                formula(data, slope, *state, **scalars)
                if self.half:
                    self.data[a:b] = data
        self._mark(names.user_frame())

    def _refresh(self, a: int, b: int) -> None:
        """A parameter that was assigned since the last step is not what its master rounds to."""
        now, exact = self.data[a:b].astype("float32"), self.exact[a:b]
        exact[...] = where(exact.astype(self.data.dtype).astype("float32") == now, exact, now)

    def _mark(self, frame: FrameType | None) -> None:
        """The parameters that had a gradient are new as of now, made by a program's line."""
        for p in self.changed:
            p.order = tick()
        if frame is not None:
            code, instruction = frame.f_code, frame.f_lasti
            for p in self.changed:
                p.code, p.instruction = code, instruction

    # --- the step, recorded ---

    def record(self, watcher: Any, gradients: list[Tensor | None]) -> list[tuple[slice, Tensor]]:
        """(place, flat gradient) of each stretch of parameters that have one, as tensors."""
        exact, state = self.exact, self.state
        watcher.guard(lambda: self.exact is exact and self.state is state)
        if self.half or any(p.raw is not v for p, v in zip(self.params, self.views, strict=True)):
            watcher.refuse("the optimizer's parameters have 16 bits, or moved", "Train in float32.")
        runs = self._stretches(tuple([g is not None for g in gradients]), small=False)
        flat = [g.reshape(-1) if g is not None else None for g in gradients]
        return [
            (slice(start, end), functions.concatenate(flat[first:last]))  # type: ignore[arg-type]
            for start, end, first, last in runs
        ]

    def _arrays(self) -> list[Any]:
        """What the formula changes: the parameters, and the state beside them."""
        return [self.exact, *self.state.values()]

    def apply_recorded(
        self, formula: Callable[..., Any], gradients: list[tuple[slice, Tensor]], pull: Any,
        shrink: Any, scalars: dict[str, Any],
    ) -> None:  # fmt: skip
        """`apply`, with tensors: what the formula returns is assigned."""
        leaves = [Tensor.of(array) for array in self._arrays()]
        for leaf, name in zip(leaves, ("parameters", *self.state), strict=True):
            leaf.name = name
        changed = []
        for place, g in gradients:
            whole = place == slice(0, self.ends[-1])
            data, *state = leaves if whole else [leaf[place] for leaf in leaves]
            changed.append((... if whole else place, formula(
                data if shrink is None else data * shrink,
                g if pull is None else g + pull * data, *state, **scalars,
            )))  # fmt: skip
        for at, new in changed:
            for leaf, value in zip(leaves, new, strict=True):
                leaf.assign(value, at)

    # --- what is saved ---

    def parts(self) -> list[tuple[str, int, Tensor]]:
        """(name, i, array) of the state that belongs to the i-th parameter, in its shape."""
        arrays = dict(self.state)
        if self.half:
            arrays["master"] = self.exact
        if self.sum is not None:
            arrays["sum"] = self.sum
        return [
            (name, i, Tensor.of(array[end - p.size : end].reshape(p.shape)))
            for name, array in arrays.items()
            for i, (p, end) in enumerate(zip(self.params, self.ends, strict=True))
        ]


class Each(Flat):
    """The same for a formula that asks for a parameter's shape or norm: one call per parameter.

    `shapes(shape)` names the arrays that a parameter of that shape keeps, and their shapes; the
    formula receives them by name.
    """

    def __init__(
        self,
        params: Sequence[Tensor],
        shapes: Callable[[tuple[int, ...]], Mapping[str, tuple[int, ...]]],
    ) -> None:
        super().__init__(params, {})
        self.own = [
            {name: self._full(shape, 0.0) for name, shape in shapes(p.shape).items()}
            for p in params
        ]

    def _take_in_again(self) -> None:
        super()._take_in_again()
        self.own = [{name: self._moved(a) for name, a in own.items()} for own in self.own]

    def apply(
        self,
        formula: Callable[..., None],
        gradients: list[Stretch],
        pull: float,
        shrink: float,
        scalars: dict[str, Any],
    ) -> None:
        """Let `formula(data, gradient, **state, **scalars)` change each parameter and its state."""
        for first, last, g in gradients:
            for p, end, own in zip(self.params, self.ends, self.own, strict=True):
                start = end - p.size
                if not first <= start < end <= last:
                    continue
                if self.half:
                    self._refresh(start, end)
                data = self.exact[start:end].reshape(p.shape)
                slope = g[start - first : end - first].reshape(p.shape)
                if pull:
                    slope = slope + pull * data
                if shrink != 1:
                    data *= shrink
                formula(data, slope, **own, **scalars)
                if self.half:
                    self.data[start:end] = data.reshape(-1)
        self._mark(names.user_frame())

    def parts(self) -> list[tuple[str, int, Tensor]]:
        own = [(n, i, Tensor.of(a)) for i, d in enumerate(self.own) for n, a in d.items()]
        return super().parts() + own

    def _arrays(self) -> list[Any]:
        return [self.exact, *[array for own in self.own for array in own.values()]]

    def apply_recorded(
        self, formula: Callable[..., Any], gradients: list[tuple[slice, Tensor]], pull: Any,
        shrink: Any, scalars: dict[str, Any],
    ) -> None:  # fmt: skip
        whole = Tensor.of(self.exact)
        changed: list[tuple[Tensor, Any, Any]] = []
        for place, g in gradients:
            for p, end, own in zip(self.params, self.ends, self.own, strict=True):
                start = end - p.size
                if not place.start <= start < end <= place.stop:
                    continue
                leaves = {name: Tensor.of(array) for name, array in own.items()}
                data = whole[start:end].reshape(p.shape)
                slope = g[start - place.start : end - place.start].reshape(p.shape)
                slope = slope if pull is None else slope + pull * data
                data = data if shrink is None else data * shrink
                data, *new = formula(data, slope, **leaves, **scalars)
                changed.append((whole, data.reshape(-1), slice(start, end)))
                changed += [(m, value, ...) for m, value in zip(leaves.values(), new, strict=True)]
        for leaf, value, at in changed:  # once all are computed: they lie in one array
            leaf.assign(value, at)
        self._mark(names.user_frame())
