"""A program's steps as lines, op by op: what has no rule here is one call of the op itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from backends import python, source

from ...dtypes import settle
from ...node import Op
from ..program import Program, Step, Var
from .line import Lines, is_array
from .trace import PLAIN, elementwise

__all__ = ["FRESH", "computed", "lowered"]

FRESH = frozenset(
    """attention attention_grad batch_norm batch_norm_grad conv conv_affine conv_kernel
    conv_transpose embedding gru gru_grad layer_norm layer_norm_grad log_softmax logsumexp lstm
    lstm_grad max_pool max_pool_index one_hot pool_put pool_take putitem putrows rms_norm
    rms_norm_grad rnn rnn_grad rotary softmax softmax_cross_entropy softmax_cross_entropy_grad
    standardize standardize_grad sum_pool sum_unpool where""".split()
)
"""Ops whose results never lie in the memory of an operand."""


def lowered(program: Program, xp: Any) -> Lines:
    """The lines of a program."""
    lines = Lines(program, xp)
    checked = set(program.checks)
    for step in program.steps:
        lines.place = step.place
        mark = len(lines.found)
        rule = RULES.get(step.op.name, elementwise if step.op.elementwise else None)
        if not is_array(step.output) and len(step.outputs) == 1:
            _number(lines, step)
        elif rule is None or not rule(lines, step):
            del lines.found[mark:]
            _call(lines, step)
        checked.difference_update(step.outputs)
        if program.checks and not checked:
            checked = {step.output}  # never empty again
            _checks(lines)
    if program.checks and not any(line.kind == "check" for line in lines.found):
        _checks(lines)
    return lines


def _checks(lines: Lines) -> None:
    lines.place = None
    for var in dict.fromkeys(lines.program.checks):
        if var.dtype == "bool":
            text = "if not {0}.all().item(): return None"
        elif not is_array(var) or var.dtype in PLAIN and math.prod(var.shape) == 1:
            lines.bind("isfinite", math.isfinite)
            value = "{0}.item()" if is_array(var) else "{0}"
            text = f"if not isfinite({value}): return None"
        else:
            name = lines.bind("finite", lambda x: bool(lines.xp.isfinite(x).all()))
            text = f"if not {name}({{0}}): return None"
        lines.write("check", text, (var,), (), None)


def _number(lines: Lines, step: Step) -> None:
    """A number computed from numbers: with Python's signs where the op is written with them."""
    places = [source.Code(f"{{{i}}}") for i in range(len(step.inputs))]
    text = ""
    if step.op.elementwise and all(type(p) in (int, float) for p in step.params.values()):
        text = str(step.op.forward(source, *places, **step.params))
    if not text or "xp." in text or "not" in text or "True" in text:
        name = lines.bind(f"op_{step.op.name}", step.op)
        text = f"{name}.forward(python, {_arguments(lines, step)})"
        lines.bind("python", python)
    lines.write("number", text, step.inputs, (), None, step.output)


def _call(lines: Lines, step: Step) -> None:
    """The op itself, as a recorded call computes it."""
    op, name = step.op, lines.bind(f"op_{step.op.name}", step.op)
    xp = lines.xp

    def call(op: Op, *inputs: Any, **params: Any) -> Any:
        if op.name in LABELS and xp.name == "numpy":  # elsewhere it would wait for the device
            _check_labels(*LABELS[op.name](*inputs, **params))
        return computed(op, xp, inputs, params)

    lines.bound.setdefault("call", call)
    text = f"call({name}, {_arguments(lines, step)})"
    kind = "new" if op.name in FRESH else "shared"
    lines.write(kind, text, step.inputs, (), None, step.output)
    lines.found[-1].outputs = step.outputs


def _check_labels(labels: Any, count: int) -> None:
    """Raise IndexError unless labels count from 0: NumPy would count negative ones from the end."""
    if labels.size and not 0 <= labels.min().item() <= labels.max().item() < count:
        raise IndexError("a label of no class")


LABELS: dict[str, Callable[..., tuple[Any, int]]] = {
    "softmax_cross_entropy": lambda x, index: (index, x.shape[-1]),
    "softmax_cross_entropy_grad": lambda g, x, index: (index, x.shape[-1]),
    "one_hot": lambda index, classes, **how: (index, classes),
    "embedding": lambda x, index: (index, x.shape[0]),
    "putrows": lambda g, index, rows: (index, rows),
}
"""Op → the labels among its operands, and how many of them there are."""


def computed(op: Op, xp: Any, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """An op's results on raw data, all that it keeps among them, as a recorded call has them."""
    narrow = [x.dtype for x in inputs if hasattr(x, "dtype") and x.dtype.kind == "V"]
    if narrow:  # bfloat16, before which Python numbers are not weak
        inputs = tuple([x if hasattr(x, "dtype") else xp.asarray(x, narrow[0]) for x in inputs])
    raw = op.forward(xp, *inputs, **params)
    if op.outputs:
        n = len(op.outputs)
        return (*[settle(op, r, *inputs, **params) for r in raw[:n]], *raw[n:])
    return raw if "dtype" in op.params else settle(op, raw, *inputs, **params)


def _arguments(lines: Lines, step: Step) -> str:
    """The operands and parameters of a call."""
    told = [f"{{{i}}}" for i in range(len(step.inputs))]
    for key, value in step.params.items():
        text = _literal(value)
        if text is None:
            text = lines.bind(f"{key}{step.output.number}", value)
        told.append(f"{key}={text}")
    return ", ".join(told)


def _literal(value: Any) -> str | None:
    """A parameter as Python, or None."""
    if isinstance(value, (tuple, list)):
        parts = [_literal(x) for x in value]
        if None in parts:
            return None
        told = ", ".join(map(str, parts)) + "," * (len(parts) == 1)
        return f"({told})" if isinstance(value, tuple) else f"[{told.rstrip(',')}]"
    if isinstance(value, slice):
        return _literal_slice(value)
    plain = value is None or type(value) in (bool, int, float) or value is ...
    text = repr(value) if plain or type(value) is str and value.isidentifier() else "nan"
    return None if text in ("nan", "inf", "-inf") else text


def _literal_slice(value: slice) -> str | None:
    ends = value.start, value.stop, value.step
    return repr(value) if all(x is None or type(x) is int for x in ends) else None


# --- ops with a rule ---


def _plain(*vars_: Var) -> bool:
    """Whether all are arrays of one dtype that NumPy computes with directly."""
    return vars_[0].dtype in PLAIN and all(v.dtype == vars_[0].dtype for v in vars_)


def _matmul(lines: Lines, step: Step) -> bool:
    x, y = step.inputs
    out = step.output
    if not _plain(x, y, out) or not x.shape or not y.shape:
        return False
    if len(y.shape) == 2 < len(x.shape):
        z = _product(lines, _rows(lines, x), y)
        lines.reshape(z, out.shape, out)
    elif len(x.shape) == len(y.shape) == 2:
        _product(lines, x, y, out)
    else:
        lines.write("into", "matmul({0}, {1}, out={out})", (x, y), out.shape, out.dtype, out)
    return True


def _rows(lines: Lines, x: Var) -> Var:
    """(..., n) as a matrix (rows, n)."""
    return lines.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _product(lines: Lines, x: Var, y: Var, out: Var | None = None) -> Var:
    """The product of two matrices: `dot` calls the same BLAS as `matmul`, in half the time."""
    shape = x.shape[0], y.shape[1]
    return lines.write("into", "dot({0}, {1}, out={out})", (x, y), shape, x.dtype, out)


def _affine(lines: Lines, step: Step) -> bool:
    x, w, b = step.inputs
    out = step.output
    if not _plain(x, w, b, out) or len(x.shape) < 2 or len(w.shape) != 2 or len(b.shape) != 1:
        return False
    z = _product(lines, _rows(lines, x), w)
    whole = len(x.shape) == 2
    b = lines.element(b) if lines.is_one(b) else b
    text = "add({0}, {1}, out={out})"
    z = lines.write("within", text, (z, b), z.shape, z.dtype, out if whole else None)
    if not whole:
        lines.reshape(z, out.shape, out)
    return True


def _reduce(lines: Lines, step: Step) -> bool:
    (x,) = step.inputs
    axis, keepdims = step.params.get("axis"), step.params.get("keepdims", False)
    out = step.output
    if not _plain(x, out) or _literal(axis) is None and axis is not None or not x.shape:
        return False
    if step.op.name == "sum" and axis in (0, (0,)) and len(x.shape) == 2 and lines.is_whole(x):
        ones = lines.full(1.0, (1, x.shape[0])[not keepdims :], out.dtype or "")
        if ones.shape:
            _columns(lines, ones, x, out)
            return True
    how = f"axis={axis!r}, keepdims=True" if keepdims else f"axis={axis!r}"
    text = f"{step.op.name}({{0}}, {how}, out={{out}})"
    lines.write("into", text, (x,), out.shape, out.dtype, out)
    return True


def _columns(lines: Lines, ones: Var, x: Var, out: Var) -> None:
    """Sums of columns as a product with ones, in a third of the time."""
    lines.write("into", "dot({0}, {1}, out={out})", (ones, x), out.shape, out.dtype, out)


def _reshape(lines: Lines, step: Step) -> bool:
    lines.reshape(step.inputs[0], step.output.shape, step.output)
    return True


def _transpose(lines: Lines, step: Step) -> bool:
    axes = step.params.get("axes")
    return _viewed(lines, step, "{0}.T" if axes is None else f"{{0}}.transpose({axes})")


def _broadcast(lines: Lines, step: Step) -> bool:
    text = f"broadcast_to({{0}}, {step.output.shape!r})"
    return is_array(step.inputs[0]) and _viewed(lines, step, text)


def _same(lines: Lines, step: Step) -> bool:
    return is_array(step.inputs[0]) and _viewed(lines, step, "{0}")


def _flip(lines: Lines, step: Step) -> bool:
    return _viewed(lines, step, f"flip({{0}}, {step.params.get('axis')!r})")


def _getitem(lines: Lines, step: Step) -> bool:
    pattern = step.params["pattern"]
    if len(step.inputs) > 1 or any(isinstance(p, bool) for p in pattern):
        return False
    pattern = pattern if any(p is ... for p in pattern) else (*pattern, ...)
    told = _literal(pattern)
    return told is not None and _viewed(lines, step, f"{{0}}[{told}]")


def _viewed(lines: Lines, step: Step, text: str) -> bool:
    lines.view(text, step.inputs[0], step.output.shape, step.output)
    return True


def _sign(lines: Lines, step: Step) -> bool:
    """Of what is not negative, as a rectifier's result: 0 or 1, in half the time of `sign`."""
    (x,), out = step.inputs, step.output
    if x not in lines.positive or not _plain(x, out):
        return elementwise(lines, step)
    up = lines.write("within", "ceil({0}, out={out})", (x,), x.shape, x.dtype)
    one = lines.full(1.0, x.shape, x.dtype or "")
    lines.write("within", "minimum({0}, {1}, out={out})", (up, one), x.shape, x.dtype, out)
    return True


def _relu(lines: Lines, step: Step) -> bool:
    lines.positive.add(step.output)
    return elementwise(lines, step)


def _astype(lines: Lines, step: Step) -> bool:
    (x,), out = step.inputs, step.output
    if not is_array(x):
        return False
    lines.write("into", "{out}[...] = {0}", (x,), out.shape, out.dtype, out)
    return True


def _concatenate(lines: Lines, step: Step) -> bool:
    xs, out = step.inputs, step.output
    axis = step.params["axis"]
    if not all(is_array(x) and x.dtype == out.dtype for x in xs):
        return False
    told = ", ".join(f"{{{i}}}" for i in range(len(xs)))
    text = f"concatenate(({told},), axis={axis}, out={{out}})"
    kind = "into" if axis % len(out.shape) else "join"
    lines.write(kind, text, xs, out.shape, out.dtype, out)
    return True


RULES: dict[str, Callable[[Lines, Step], bool]] = {
    "matmul": _matmul, "affine": _affine, "sum": _reduce, "max": _reduce, "min": _reduce,
    "reshape": _reshape, "transpose": _transpose, "broadcast_to": _broadcast, "detach": _same,
    "identity": _same, "flip": _flip, "getitem": _getitem, "astype": _astype,
    "concatenate": _concatenate, "relu": _relu, "sign": _sign,
}  # fmt: skip
