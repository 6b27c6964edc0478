"""Gradients, checked: does a rule agree with the function whose derivative it claims to be?

Nudge the input along a direction v, and see how far the result moves along a direction u. With
the Jacobian matrix J of the function that is the number uᵀJv, and there are two ways to it:

    (uᵀJ) v     one reverse pass from u, then a product with v      claimed
    uᵀ (Jv)     the function at x and a little further along v      measured

For small functions u and v run over all axes, so that every element of J is compared; for large
ones over a few random directions of length 1, which no wrong element is likely to escape.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from random import Random
from typing import Any

import backends

from .dtypes import is_float
from .errors import DTypeError, GraphError, RuleError
from .measure import Measured, agree, flat, leaf
from .node import Op, enable_grad, history

__all__ = ["gradcheck"]

np = backends.get("numpy")

WHOLE = 4096
"""Up to so many elements of J, all are compared."""

EXACT, ROUGH = (1e-9, 1e-12), (1e-5, 1e-8)
"""The relative error, and the noise, allowed by the complex step and by central differences."""


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
    order: 2 checks the gradient's own gradient too, with respect to the inputs and to g, what
        flows into the reverse pass.
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
    function = Measured(_name(f), lambda *xs: f(*xs, **params), inputs, labels)
    if not function.checked or not function.outputs(inputs):
        raise GraphError(
            f"gradcheck: {function.name} has no gradient to check: it needs a float64 Tensor or a "
            "Value among its inputs, and a float result."
        )
    random = Random(seed)
    with np.errstate(all="ignore"):  # what is not finite is said in the error
        _compare(function, tolerance, directions, random, blame=not isinstance(f, Op))
        if order == 2:
            _compare(function.gradient(random), tolerance, directions, random, blame=True)
    return True


def _require_float64(label: str, x: Any) -> None:
    dtype = getattr(getattr(x, "raw", None), "dtype", None)
    if is_float(dtype) and str(dtype) != "float64":
        raise DTypeError(
            f"gradcheck: {label} is {dtype}, in which differences are mostly rounding. Check in "
            'float64: x.astype("float64"), or Tensor(data, dtype="float64").'
        )


def _compare(
    f: Measured, tolerance: float | None, directions: int, random: Random, blame: bool
) -> None:
    """Compare every uᵀJv, claimed and measured, and complain about the worst."""
    if not np.array_equal(f.rest, f.again(), equal_nan=True):
        raise GraphError(
            f"gradcheck: {f.name} returns something else each time it is called, so differences "
            "measure chance. Seed its randomness inside the function."
        )
    size = sum(x.size for x in f.points.values())
    whole = f.rest.size * size <= WHOLE
    if not f.rest.size * size:
        return
    us = _directions(f.rest.size, whole, directions, random)
    for place, rows in f.pull(us).items():
        vs = _directions(f.points[place].size, whole, directions, random)
        if not vs.size:
            continue
        measured, exact = f.slopes(place, vs)
        expected, got = us @ measured.T, rows @ vs.T
        relative, noise = EXACT if exact else ROUGH
        allowed = relative if tolerance is None else tolerance
        right = agree(expected, got, allowed, noise * f.scale(expected))
        if not right.all():
            miss = np.where(right, -1, np.nan_to_num(np.abs(expected - got), nan=np.inf))
            j, k = np.unravel_index(miss.argmax(), miss.shape)
            v = vs[k] if whole else _narrow(f, place, us[j], vs[k], rows[j])
            cause = _cause(f) if blame else ""
            raise RuleError(_complaint(f, place, us[j], v, rows[j], allowed) + cause)


def _directions(n: int, whole: bool, count: int, random: Random) -> Any:
    """Rows of length 1 in n dimensions: all axes, or `count` at random."""
    if whole or not n:
        return np.eye(n)
    rows = np.array([[random.gauss() for _ in range(n)] for _ in range(count)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _narrow(f: Measured, place: int, u: Any, v: Any, row: Any) -> Any:
    """Halve a direction in which the derivatives differ until it is one axis, the worst."""
    left = np.arange(v.size)
    while left.size > 1:
        halves = np.array_split(left, 2)
        parts = [np.where(np.isin(np.arange(v.size), half), v, 0) for half in halves]
        misses = [abs(u @ f.slope(place, part) - row @ part) for part in parts]
        left = halves[0] if misses[0] >= misses[1] else halves[1]
    return np.eye(1, v.size, left[0])[0]


# --- what an error says ---


def _complaint(f: Measured, place: int, u: Any, v: Any, row: Any, allowed: float) -> str:
    """What is wrong, where and by how much, and a likely cause if the numbers tell one."""
    (jv,), exact = f.slopes(place, v[None])
    expected, got = float(jv @ u), float(row @ v)
    before, behind = (float(f.slope(place, v, *side) @ u) for side in ((1, 0), (0, 1)))
    off = np.abs(expected - got) / np.maximum(abs(expected), abs(got))
    by = f.labels[place] + _index(int(v.argmax()), f.inputs[place].shape)
    of = _result(f, int(u.argmax())) if np.count_nonzero(u) == 1 else "a random mix of the results"
    numbers = [f"{expected:.12g}", f"{got:.12g}"]
    width = max(map(len, numbers))
    lines = [
        f"{f.name}: the gradient is wrong",
        f"  by         {by}",
        f"  of         {of}",
        f"  expected   {numbers[0]:{width}}  by {'the complex step' if exact else 'a difference'}",
        f"  got        {numbers[1]:{width}}  by the reverse pass",
        f"  they differ by {off:.2g} of the larger, where {allowed:.3g} is allowed",
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
    return "\n".join(lines)


def _cause(f: Measured) -> str:
    """The complaint about the first op of the function whose own rule is wrong, if one is."""
    inputs = [leaf(x, f.points[i]) if i in f.points else x for i, x in enumerate(f.inputs)]
    with enable_grad():
        nodes = history(*f.outputs(inputs))
    for node in reversed(nodes):
        op = node.op
        if op is None:
            continue
        own = Measured(
            op.name,
            lambda *xs, op=op, params=node.params: op(*xs, **params),
            [leaf(x, flat(x)) for x in node.inputs],
            _labels(op, len(node.inputs)),
        )
        try:
            _compare(own, None, 4, Random(0), blame=False)
        except RuleError as error:
            return f"\nThe cause, among the ops that it is made of:\n{error}"
    return ""


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


def _result(f: Measured, j: int) -> str:
    """Which element of which result the j-th of the flat result is."""
    outputs = f.outputs([leaf(x, f.points[i]) if i in f.points else x
                         for i, x in enumerate(f.inputs)])  # fmt: skip
    for i, z in enumerate(outputs):
        size = flat(z).size
        if j < size:
            return f"result{f' {i}' if len(outputs) > 1 else ''}{_index(j, z.shape)}"
        j -= size
    raise IndexError(j)


def _index(j: int, shape: tuple[int, ...]) -> str:
    """The flat index j as one of an array of this shape; nothing for a number."""
    return f"[{', '.join(map(str, np.unravel_index(j, shape)))}]" if shape else ""
