"""Fused operations taken apart, where one loop computes what they are made of.

What makes `softmax` or `layer_norm` fast in NumPy, few passes by hand, a compiled loop does by
itself, and together with what stands before and behind.  So they are replaced by what they mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any

from backends import numpy as np

from ..dtypes import name_of
from ..node import Node, Op, history, record_everything
from ..ops import elementwise as e
from ..ops import reduce as r
from ..ops.index import one_hot
from ..ops.shape import reshape
from ..several import Bundle, part
from ..tensor import Tensor
from .hollow import Shapes
from .program import Program, Step, Var
from .text import frozen

__all__ = ["DEFINITIONS", "FOR_NUMPY", "expanded"]

# --- what they are made of ---


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    return r.sum(x, axis=axis, keepdims=keepdims) / r.count(x.shape, axis)


def _var(x: Any, axis: Any, keepdims: bool, ddof: int) -> Any:
    n = r.count(x.shape, axis)
    centred = x - r.sum(x, axis=axis, keepdims=True) / n
    return r.sum(centred * centred, axis=axis, keepdims=keepdims) / (n - ddof)


def _std(x: Any, **how: Any) -> Any:
    return e.sqrt(_var(x, **how))


def _norm(x: Any, axis: Any, keepdims: bool) -> Any:
    return e.sqrt(r.sum(x * x, axis=axis, keepdims=keepdims))


def _shifted(x: Any, axis: Any) -> tuple[Any, Any]:
    top = r.max(x, axis=axis, keepdims=True)
    top = e.where(e.abs(top) < math.inf, top, 0.0)
    return x - top, top


def _softmax(x: Any, axis: int) -> Any:
    powers = e.exp(_shifted(x, axis)[0])
    total = r.sum(powers, axis=axis, keepdims=True)
    return powers / e.where(total == 0, 1.0, total)


def _log_softmax(x: Any, axis: int) -> Any:
    shifted, _ = _shifted(x, axis)
    total = r.sum(e.exp(shifted), axis=axis, keepdims=True)
    return shifted - e.log(e.where(total == 0, 1.0, total))


def _logsumexp(x: Any, axis: Any, keepdims: bool) -> Any:
    shifted, top = _shifted(x, axis)
    total = r.sum(e.exp(shifted), axis=axis, keepdims=True)
    z = e.where(total == 0, -math.inf, e.log(e.where(total == 0, 1.0, total)) + top)
    if keepdims:
        return z
    gone = range(x.ndim) if axis is None else [a % x.ndim for a in r._axes(axis)]
    return reshape(z, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _softmax_cross_entropy(x: Any, index: Any) -> Any:
    shifted, _ = _shifted(x, -1)  # as for the softmax of the gradient, which is then the same
    here = one_hot(index, classes=x.shape[-1], dtype="bool")
    chosen = r.sum(e.where(here, shifted, 0.0), axis=-1, keepdims=True)
    z = e.log(r.sum(e.exp(shifted), axis=-1, keepdims=True)) - chosen
    z = e.where(e.abs(r.max(x, axis=-1, keepdims=True)) < math.inf, z, math.nan)
    return reshape(z, shape=index.shape)


def _gelu(x: Any) -> Any:
    return x * e.normal_cdf(x)


def _sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 != x.shape[i + extra]
    )
    return reshape(r.sum(x, axis=axes, keepdims=True), shape=shape) if axes else x


DEFINITIONS: dict[str, Callable[..., Any]] = {
    "mean": _mean, "var": _var, "std": _std, "norm": _norm, "softmax": _softmax,
    "log_softmax": _log_softmax, "logsumexp": _logsumexp, "sum_to": _sum_to,
    "softmax_cross_entropy": _softmax_cross_entropy, "gelu": _gelu,
}  # fmt: skip
for _name in (
    "softmax_cross_entropy_grad standardize standardize_grad layer_norm layer_norm_grad rms_norm "
    "rms_norm_grad batch_norm batch_norm_grad"
).split():
    _op = Op.table[_name]
    _definition = _op.definition or _op.meaning
    assert _definition is not None
    DEFINITIONS[_name] = _definition

FOR_NUMPY = ("mean", "var", "std", "norm", "sum_to")
"""Those that NumPy computes in as many calls: apart, each can have a place for its result."""

# --- putting it in ---


def expanded(program: Program, apart: Collection[str] = DEFINITIONS.keys()) -> Program:
    """The program with these ops taken apart, by their `DEFINITIONS`."""
    known: dict[Any, _Recording] = {}
    swapped: dict[Var, Var] = {}
    steps: list[Step] = []
    waiting = program.steps[::-1]
    while waiting:
        step = waiting.pop()
        step.inputs = tuple([_final(v, swapped) for v in step.inputs])
        if step.op.name not in apart or not _plain(step):
            steps.append(step)
            continue
        kinds = tuple([
            (v.shape, v.dtype, repr(v.example) if v.dtype is None else "") for v in step.inputs
        ])  # fmt: skip
        key = step.op, kinds, frozen(step.params)
        if key not in known:
            known[key] = _Recording(step)
        inner, outputs = known[key].copied(step, program)
        waiting += inner[::-1]  # a definition may use another
        swapped.update(zip(step.outputs, outputs, strict=False))
    program.steps = steps
    program.swap_ends({v: _final(v, swapped) for v in swapped})
    return program


def _final(var: Var, swapped: dict[Var, Var]) -> Var:
    """What a variable is after all swaps: a result of a definition may be swapped again."""
    while var in swapped:
        var = swapped[var]
    return var


def _plain(step: Step) -> bool:
    """Whether it computes in one dtype that C has; half precision is summed wide, by NumPy."""
    return all(v.dtype in ("float32", "float64") for v in step.inputs if _is_float(v))


def _is_float(v: Var) -> bool:
    return v.dtype is not None and "float" in v.dtype


class _Recording:
    """A definition recorded on operands of these shapes."""

    def __init__(self, step: Step) -> None:
        points = [
            Tensor.of(
                v.example if v.dtype is None else np.broadcast_to(np.zeros((), v.dtype), v.shape)
            )
            for v in step.inputs
        ]
        with record_everything(Shapes()):
            made = DEFINITIONS[step.op.name](*points, **step.params)
        self.outputs = list(made) if isinstance(made, tuple) else [made]
        self.inputs = points
        self.nodes = [
            node for node in reversed(history(*self.outputs))
            if node.op is not None and node.op is not part
        ]  # fmt: skip

    def copied(self, like: Step, program: Program) -> tuple[list[Step], list[Var]]:
        """Its steps, applied to the operands of a step of this kind; and their results."""
        vars_: dict[Any, Var] = dict(zip(self.inputs, like.inputs, strict=True))

        def read(node: Node) -> Var:
            if node.op is part:
                return vars_[node.inputs[0], node.params["index"]]
            if node not in vars_:  # a number that the definition wrote down
                raw = node.raw
                weak = not hasattr(raw, "dtype")
                shape, dtype = ((), None) if weak else (raw.shape, name_of(raw.dtype))
                example = raw if weak else None
                vars_[node] = program.new(shape, dtype, "constant", raw, example)
                program.given.append(vars_[node])
            return vars_[node]

        steps = []
        for node in self.nodes:
            assert node.op is not None
            raws = node.raw if isinstance(node, Bundle) else (node.raw,)
            outputs = tuple([
                program.new(raw.shape, name_of(raw.dtype)) if hasattr(raw, "dtype")
                else program.new((), None, example=raw)
                for raw in raws
            ])  # fmt: skip
            inputs = tuple([read(x) for x in node.inputs])
            vars_[node] = outputs[0]
            vars_.update({(node, i): var for i, var in enumerate(outputs)})
            steps.append(Step(node.op, inputs, node.params, outputs, like.place))
        return steps, [read(x) for x in self.outputs]
