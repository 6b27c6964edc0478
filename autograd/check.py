"""Gradients, measured: does a rule agree with the function whose derivative it claims to be?

Nudge the input along a direction v, and see how far the result moves along a direction u. With
the Jacobian matrix J of the function that is the number uᵀJv, and there are two ways to it:

    (uᵀJ) v     one reverse pass from u, then a product with v      claimed
    uᵀ (Jv)     the function at x and a little further along v      measured

For small functions u and v run over all axes, so that every element of J is compared; for large
ones over a few random directions of length 1, which no wrong element is likely to escape.

Measuring knows two methods. The central difference (f(x + hv) - f(x - hv)) / 2h serves any
function, to about eight digits. The complex step Im f(x + ihv) / h (Squire & Trapp, SIAM Review
40, 1998) subtracts nothing, so h may be 1e-20 and no digit is lost; but it needs a function that
computes with complex numbers and is analytic, which abs is not. So it is believed where the
central difference confirms its leading digits, and nowhere else.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from random import Random
from typing import Any

import backends
from backends import namespaces

from .dtypes import is_float
from .errors import DTypeError, GraphError, RuleError
from .node import Node, Op, enable_grad, history, no_grad
from .reverse import sweep

__all__ = ["gradcheck"]

np = backends.get("numpy")  # what is compared is compared on the host, in float64

WHOLE = 4096
"""Up to so many elements of J, all are compared."""

COMPLEX_STEP = 1e-20
STEP = np.finfo(np.float64).eps ** (1 / 3)
"""Of central differences: there, rounding (ε/h) and curvature (h²) cost about the same."""


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    tolerance: float | None = None,
    directions: int = 8,
    seed: int = 0,
    **params: Any,
) -> bool:
    """Compare the gradients of `f(*inputs, **params)` with measured ones; True, or a `RuleError`.

    f: an op, or a function of Tensors or Values that returns one or several of them. It is called
        often, and must return the same each time.
    inputs: every float64 Tensor and every Value among them is checked, of any shape; what should
        stay constant is given as integers, as a plain array or by closure.
    order: 2 checks the gradient's own gradient too, with respect to the inputs and to what flows
        into the reverse pass.
    tolerance: the relative error allowed; 1e-9 where the complex step measures, else 1e-5.
    directions, seed: how many random directions stand for a Jacobian of more than 4096 elements.

    >>> from autograd import Tensor
    >>> from autograd.ops.elementwise import tanh
    >>> gradcheck(tanh, Tensor([0.5, -1.0], dtype="float64"), order=2)
    True
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order is 1 or 2, not {order!r}")
    labels = _labels(f, len(inputs))
    for label, x in zip(labels, inputs, strict=True):
        _require_float64(label, x)
    function = _Function(_name(f), lambda *xs: f(*xs, **params), inputs, labels)
    function.primitive = isinstance(f, Op)
    if not function.checked or not function.outputs(function.call(*inputs)):
        raise GraphError(
            f"gradcheck: {function.name} has no gradient to check: it needs a float64 Tensor or a "
            "Value among its inputs, and a float result."
        )
    random = Random(seed)
    _compare(function, tolerance, directions, random)
    if order == 2:
        _compare(_gradient(function, random), tolerance, directions, random)
    return True


class _Function:
    """A function whose inputs and results are seen as flat arrays of float64 on the host."""

    primitive = False

    def __init__(
        self, name: str, call: Callable[..., Any], inputs: Sequence[Any], labels: Sequence[str]
    ) -> None:
        self.name, self.call, self.inputs, self.labels = name, call, inputs, labels
        self.checked = [i for i, x in enumerate(inputs) if _is_smooth(x)]
        self.points = {i: _flat(inputs[i]) for i in self.checked}

    def outputs(self, result: Any) -> list[Node]:
        """The results that may have a gradient; indices and truth values have none."""
        return [z for z in (result if isinstance(result, (tuple, list)) else [result])
                if _is_smooth(z)]  # fmt: skip

    @cached_property
    def rest(self) -> Any:
        """The flat result where nothing is moved."""
        return self.at(self.checked[0], self.points[self.checked[0]])

    def at(self, place: int, point: Any) -> Any:
        """The flat result with one input moved to a point; a complex one makes all complex."""
        inputs = list(self.inputs)
        for i in self.checked:
            here = point if i == place else self.points[i].astype(point.dtype)
            inputs[i] = _leaf(inputs[i], here)
        with no_grad():
            results = [_flat(z) for z in self.outputs(self.call(*inputs))]
        return np.concatenate(results) if results else np.zeros(0)

    def slope(self, place: int, v: Any, before: float = 1, behind: float = 1) -> Any:
        """How the flat result moves along v: the central difference, or a one-sided one."""
        x = self.points[place]
        h = STEP * max(1.0, np.abs(x[v != 0]).max(initial=0))
        return (self.at(place, x + behind * h * v) - self.at(place, x - before * h * v)) / (
            (before + behind) * h
        )

    def measure(self, place: int, vs: Any) -> tuple[Any, bool]:
        """The rows Jv, and whether the complex step measured them."""
        with np.errstate(all="ignore"):
            rows = np.stack([self.slope(place, v) for v in vs])
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")  # "the imaginary part is discarded"
                    exact = [self.at(place, self.points[place] + COMPLEX_STEP * 1j * v) for v in vs]
                    exact = np.stack(exact).imag / COMPLEX_STEP
            except Exception:  # it does not compute with complex numbers: the rows must do
                return rows, False
            noise = 1e-7 * self.scale(rows)
        return (exact, True) if _agree(rows, exact, 1e-5, noise).all() else (rows, False)

    def scale(self, rows: Any) -> Any:
        """The size of the numbers from which differences are taken: rounding goes with it."""
        return np.abs(np.concatenate([rows.ravel(), self.rest])).max(initial=0)

    def pull(self, us: Any) -> dict[int, Any]:
        """For each checked input the rows uᵀJ, by the reverse pass."""
        inputs = list(self.inputs)
        for i in self.checked:
            inputs[i] = _same(inputs[i])
        with enable_grad():
            outputs = self.outputs(self.call(*inputs))
        leaves = [inputs[i] for i in self.checked]
        rows: dict[int, list[Any]] = {i: [] for i in self.checked}
        for u in us:
            try:
                found = sweep(outputs, _split(u, outputs), wanted=leaves, retain_graph=True)
            except Exception as error:
                raise RuleError(f"{self.name}: the reverse pass failed: {error}") from error
            for i, row in rows.items():
                row.append(self._row(i, found.get(inputs[i])))
        return {i: np.stack(row) for i, row in rows.items()}

    def _row(self, place: int, g: Any) -> Any:
        """One gradient as a flat array, once its shape and dtype are seen to be the input's."""
        x = self.inputs[place]
        if g is None:
            return np.zeros(self.points[place].size)
        if x.is_array and (g.shape != x.shape or g.dtype != x.dtype):
            raise RuleError(
                f"{self.name}: the gradient of {self.labels[place]} is {g.shape} {g.dtype}, but "
                f"{self.labels[place]} is {x.shape} {x.dtype}; a gradient is like its input"
            )
        return np.asarray(namespaces[type(g)].to_host(g), dtype=np.float64).ravel()


def _compare(f: _Function, tolerance: float | None, directions: int, random: Random) -> None:
    """Compare all uᵀJv, claimed and measured, and complain about the worst."""
    if not f.checked:
        return
    rest = f.rest
    if not np.array_equal(rest, f.at(f.checked[0], f.points[f.checked[0]]), equal_nan=True):
        raise GraphError(
            f"gradcheck: {f.name} returns something else each time it is called, so differences "
            "measure chance. Seed its randomness inside the function."
        )
    size = sum(x.size for x in f.points.values())
    whole = rest.size * size <= WHOLE
    us = _directions(rest.size, whole, directions, random)
    pulled = f.pull(us) if len(us) else {}
    for place, rows in pulled.items():
        vs = _directions(f.points[place].size, whole, directions, random)
        if not len(vs):
            continue
        got, (measured, exact) = rows @ vs.T, f.measure(place, vs)
        expected = us @ measured.T
        relative, noise = (1e-9, 1e-12) if exact else (1e-5, 1e-8)
        allowed = relative if tolerance is None else tolerance
        right = _agree(expected, got, allowed, noise * f.scale(expected))
        if not right.all():
            miss = np.where(right, -1, np.nan_to_num(np.abs(expected - got), nan=np.inf))
            j, k = np.unravel_index(miss.argmax(), miss.shape)
            if not whole:
                vs, k = _narrow(f, place, us[j], vs[k], rows[j])
            raise RuleError(_complaint(f, place, us[j], vs[k], rows[j], exact and whole, allowed))


def _agree(expected: Any, got: Any, relative: float, noise: float) -> Any:
    """Which elements agree to a relative error, or differ by mere noise; never those with NaN."""
    larger = np.maximum(np.abs(expected), np.abs(got))
    return np.abs(expected - got) <= relative * larger + noise


def _directions(n: int, whole: bool, count: int, random: Random) -> Any:
    """Rows of length 1 in n dimensions: all axes, or `count` at random."""
    if whole or not n:
        return np.eye(n)
    rows = np.array([[random.gauss() for _ in range(n)] for _ in range(count)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _narrow(f: _Function, place: int, u: Any, v: Any, row: Any) -> tuple[Any, int]:
    """Halve a direction along which the derivatives differ until it is one axis, the worst."""
    left = np.arange(v.size)
    while left.size > 1:
        halves = np.array_split(left, 2)
        parts = [np.where(np.isin(np.arange(v.size), half), v, 0) for half in halves]
        misses = [abs(u @ f.slope(place, part) - row @ part) for part in parts]
        left = halves[0] if misses[0] >= misses[1] else halves[1]
    return np.eye(1, v.size, left[0]), 0


def _complaint(
    f: _Function, place: int, u: Any, v: Any, row: Any, exact: bool, allowed: float
) -> str:
    """What is wrong, where, by how much, and why that may be."""
    with np.errstate(all="ignore"):
        expected = f.measure(place, v[None])[0][0] @ u
        before, behind = (f.slope(place, v, *side) @ u for side in ((1, 0), (0, 1)))
    got = row @ v
    larger = max(abs(expected), abs(got))
    index = _index(v.argmax(), f.inputs[place].shape)
    of = _place(f, u.argmax()) if np.count_nonzero(u) == 1 else "a random mix of the results"
    lines = [
        f"{f.name}: the gradient is wrong",
        f"  by           {f.labels[place]}{index}",
        f"  of           {of}",
        f"  expected     {expected:.12g}  ({'complex step' if exact else 'central difference'})",
        f"  got          {got:.12g}  (reverse pass)",
        f"  they differ  by {abs(expected - got) / larger:.2g} of it, {allowed:.2g} is allowed",
    ]
    if not np.isfinite(expected):
        lines.append("  The function is not finite next to this point: move the input away.")
    elif not abs(before - behind) <= 0.01 * max(abs(before), abs(behind)):
        lines.append(
            f"  Before and behind this point the slopes are {before:.6g} and {behind:.6g}: likely "
            "a kink or a jump. Move the input away from it."
        )
    elif not row.any():
        lines.append("  Was the graph cut, by detach(), .data or no_grad()?")
    if not f.primitive and (blame := _blame(f)):
        lines.append(f"The cause, among the ops it is made of:\n{blame}")
    return "\n".join(lines)


def _blame(f: _Function) -> str:
    """The complaint about the first op of the function whose own rule is wrong, if one is."""
    inputs = list(f.inputs)
    for i in f.checked:
        inputs[i] = _leaf(inputs[i], f.points[i])
    with enable_grad():
        nodes = reversed(history(*f.outputs(f.call(*inputs))))
    for node in nodes:
        op = node.op
        if op is None:
            continue
        made = _Function(
            op.name,
            lambda *xs, op=op, params=node.params: op(*xs, **params),
            [_same(x) for x in node.inputs],
            _labels(op, len(node.inputs)),
        )
        made.primitive = True
        try:
            _compare(made, None, 4, Random(0))
        except RuleError as error:
            return str(error)
    return ""


def _gradient(f: _Function, random: Random) -> _Function:
    """The gradients of a function, as a function of its inputs and of what flows in at its end."""

    def call(*inputs: Any) -> list[Node]:
        xs, gs = inputs[: len(f.inputs)], inputs[len(f.inputs) :]
        with enable_grad():
            outputs = f.outputs(f.call(*xs))
            leaves = [xs[i] for i in f.checked]
            found = sweep(outputs, gs, wanted=leaves, create_graph=True)
        return [found[x] for x in leaves if x in found]

    leaves = list(f.inputs)
    for i in f.checked:
        leaves[i] = _leaf(leaves[i], f.points[i])
    outputs = f.outputs(f.call(*leaves))
    gs = [_leaf(z, [random.gauss() for _ in range(_flat(z).size)])
          for z in outputs]  # fmt: skip
    labels = [f"g{i}" if len(gs) > 1 else "g" for i in range(len(gs))]
    return _Function(f"the gradient of {f.name}", call, [*leaves, *gs], [*f.labels, *labels])


# --- nodes and flat arrays ---


def _is_smooth(x: Any) -> bool:
    """Whether x is a node that holds floats."""
    if not isinstance(x, Node):
        return False
    return is_float(x.raw.dtype) if hasattr(x.raw, "dtype") else isinstance(x.raw, (float, complex))


def _require_float64(label: str, x: Any) -> None:
    dtype = getattr(getattr(x, "raw", None), "dtype", None)
    if is_float(dtype) and str(dtype) != "float64":
        raise DTypeError(
            f"gradcheck: {label} is {dtype}, in which differences are mostly rounding. Check in "
            'float64: x.astype("float64"), or Tensor(data, dtype="float64").'
        )


def _flat(x: Any) -> Any:
    """A node's numbers, flat and on the host."""
    return np.asarray(namespaces[type(x.raw)].to_host(x.raw)).ravel()


def _leaf(x: Any, numbers: Any) -> Any:
    """A leaf of the kind and shape of x, on its backend, that holds these flat numbers."""
    numbers = np.asarray(numbers).reshape(x.shape)
    leaf = type(x).of(namespaces[type(x.raw)].from_host(numbers) if x.is_array else numbers.item())
    leaf.requires_grad = True
    return leaf


def _same(x: Any) -> Any:
    """A leaf with the very data of x, in the layout that it has in memory."""
    leaf = type(x).of(x.raw)
    leaf.requires_grad = True
    return leaf


def _split(u: Any, outputs: Sequence[Any]) -> list[Any]:
    """A flat direction as the raw gradients of the outputs, in which a reverse pass begins."""
    raws, start = [], 0
    for z in outputs:
        stop = start + _flat(z).size
        raws.append(_leaf(z, u[start:stop]).raw)
        start = stop
    return raws


# --- names ---


def _name(f: Callable[..., Any]) -> str:
    """The name of a function; a lambda is told by its place in the code."""
    name = str(getattr(f, "__name__", type(f).__name__))
    code = getattr(f, "__code__", None)
    if name == "<lambda>" and code is not None:
        return f"the lambda at {code.co_filename}:{code.co_firstlineno}"
    return name


def _labels(f: Callable[..., Any], count: int) -> list[str]:
    """What the function calls its inputs."""
    try:
        names = f.inputs if isinstance(f, Op) else list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # a builtin that does not tell
        names = []
    return [names[i] if i < len(names) else f"input {i}" for i in range(count)]


def _place(f: _Function, j: int) -> str:
    """Which element of which result the j-th of the flat result is."""
    outputs = f.outputs(f.call(*[_leaf(x, f.points[i]) if i in f.points else x
                                 for i, x in enumerate(f.inputs)]))  # fmt: skip
    for i, z in enumerate(outputs):
        size = _flat(z).size
        if j < size:
            return f"result{f' {i}' if len(outputs) > 1 else ''}{_index(j, z.shape)}"
        j -= size
    raise IndexError(j)


def _index(j: int, shape: tuple[int, ...]) -> str:
    """The flat index j as one of an array of this shape; nothing for a number."""
    return f"[{', '.join(map(str, np.unravel_index(j, shape)))}]" if shape else ""
