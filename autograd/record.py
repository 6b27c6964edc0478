"""The functions that apply an op to nodes and record it, written once and generated per op.

Recording is the hot path of an eager engine, so nothing is decided per call that can be decided
when the op is defined: how many inputs it has, whether its dtypes must agree, what its params
are called.  For a `Value` the op's own forward and rules, run on source text, become the code.
`print(inspect.getsource(Tensor.__add__))` shows what was written.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from inspect import Parameter
from os.path import abspath, dirname, join
from typing import Any

from backends import namespaces, python, source
from backends.source import Code

from .node import NO_PARAMS, Op, current, tick
from .several import bundled

__all__ = ["SELECTORS", "Recorder", "pull", "scalar_pull"]

SELECTORS = ("condition", "index")
"""Inputs of these names choose elements; their dtype need not agree with the others'."""

WIDE = ("logs",)
"""Inputs of these names keep their dtype, which is wider than that of half-precision operands."""

_HERE = dirname(abspath(__file__))
HOUSE = frozenset(
    join(_HERE, f"{name}.py")
    for name in "operators tensor value functions windows linalg fft node calls".split()
)
"""Files of methods and functions made of ops: a node's place in the code is their caller's."""

_APPLY = """\
def make(op, forward):
    def apply({signature}):
        {lift}
        state = current()
        {compute}
        z = new({kind})
        z.raw = raw
        z.order = tick()
        z._grad = z.extra = None
        recording = state.recording
        if {tracked}:
            z.op = op
            z.inputs = {inputs}
            z.params = {params}
            z.requires_grad = {needed}
            z.scope = state.scope
            frame = getframe(1)
            {skip}
            z.code = frame.f_code
            z.instruction = frame.f_lasti
        else:
            z.op = z.code = z.scope = None
            z.inputs = ()
            z.params = NO_PARAMS
            z.requires_grad = False
        return z
    return apply
"""

_APPLY_SEVERAL = """\
def make(op, forward):
    def apply({signature}):
        {lift}
        state = current()
        {compute}
        recording = state.recording
        if {tracked}:
            frame = getframe(1)
            {skip}
            return bundled(op, raw, {inputs}, {params}, {needed}, state.scope, frame)
        return op.handed_out([{kind}.of(x) for x in raw])
    return apply
"""

_PULL = """\
def make({rules}):
    def pull(node, gradient, found, through, raw):
        {inputs}, = node.inputs
        order = node.order
        if {stale}: check_fresh(node)
        if raw: result = node.raw; {raws}
        else: result = node; {nodes}
        {gradients}
    return pull
"""

_GRADIENT = """\
if {x}.requires_grad and (through is None or {x}.order in through):
            pulled = {x}_rule(gradient, result, {args}{params})
            {unbroadcast}
            found[{x}] = found[{x}] + pulled if {x} in found else pulled
        """

_SCALAR_PULL = """\
def make():
    def pull(z, g):
        {inputs} = z.inputs
        {raws}
        r = z.raw
        {gradients}
    return pull
"""


def _lines(lines: list[str], indent: int) -> str:
    return ("\n" + " " * indent).join(lines) or "pass"


def _write(name: str, text: str, names: dict[str, Any]) -> Callable[..., Any]:
    """Run generated source and return its `make`; tracebacks and `inspect` can read the text."""
    filename = f"<{name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    made: dict[str, Any] = {}  # its own: threads share the names
    exec(compile(text, filename, "exec"), names, made)
    make: Callable[..., Any] = made["make"]
    return make


class Recorder:
    """Writes the recording functions of one kind of node.

    `explain` turns a failure into an error that teaches; for arrays, `agree` reconciles the dtypes
    of the operands and `settle` the result's.
    """

    def __init__(self, kind: str, **helpers: Callable[..., Any]) -> None:
        self.kind = kind
        self.names: dict[str, Any] = dict(
            helpers, HOUSE=HOUSE, NO_PARAMS=NO_PARAMS, bundled=bundled, current=current,
            getframe=sys._getframe, namespaces=namespaces, new=object.__new__, python=python,
            tick=tick, __name__=__name__,
        )  # fmt: skip
        if "agree" not in helpers:
            self.names["xp"] = python

    def bind(self, kind: type, lift: Callable[[Any, Op], Any]) -> None:
        """Tell the written functions their class, and the op table that it is a kind of node.

        `lift(x, op)` makes a node of an operand that is not one.
        """
        self.names |= {self.kind: kind, "lift": lift}
        Op.kinds[kind] = self

    def __call__(self, op: Op, swapped: bool = False) -> Callable[..., Any]:
        """The recording function of an op; `swapped` takes two operands in the other order."""
        name = f"{self.kind}.{op.name}{' swapped' if swapped else ''}"
        apply: Callable[..., Any] = _write(name, self._source(op, swapped), self.names)(
            op, op.forward
        )
        apply.__doc__, apply.__name__ = op.__doc__, op.name
        apply.__qualname__ = f"{self.kind}.{op.name}"
        apply.__module__ = f"autograd.{self.kind.lower()}"  # where pickle looks for the method
        return apply

    def _source(self, op: Op, swapped: bool) -> str:
        fixed = op.inputs[:-1] if op.variadic else op.inputs
        rest = op.inputs[-1] if op.variadic else ""
        signature = fixed[:: -1 if swapped else 1] + ([f"*{rest}"] if rest else [])
        signature += [p if d is Parameter.empty else f"{p}={d!r}" for p, d in op.params.items()]
        lift = [f"if {x}.__class__ is not {self.kind}: {x} = lift({x}, op)" for x in fixed]
        if rest:
            lift.append(
                f"{rest} = [x if x.__class__ is {self.kind} else lift(x, op) for x in {rest}]"
            )
        rules = [op.joint] * len(op.inputs) if op.joint else op.rules
        some = [
            f"any([x.requires_grad for x in {x}])" if x == rest else f"{x}.requires_grad"
            for x, rule in zip(op.inputs, rules, strict=True)
            if rule is not None and x not in SELECTORS
        ]
        arrays = "agree" in self.names
        inputs = f"({', '.join(fixed + ([f'*{rest}'] if rest else []))},)"
        params = "{" + ", ".join(f"{p!r}: {p}" for p in op.params) + "}"
        params = params if op.params else "NO_PARAMS"
        compute = [
            "try:",
            *[f"    {x}" for x in (_arrays(op, fixed, rest) if arrays else [_scalar(op)])],
            "except Exception as error:",
            f"    raise explain(op, {inputs}, {params}, error) from None",
        ]
        if arrays:
            settle = _settle_all(op, fixed) if op.outputs else _settle(op, fixed, rest)
            compute = [
                "if state.watcher is not None:",
                f"    raw = state.watcher.computes(op, {inputs}, {params})",
                "else:",
                *[f"    {x}" for x in (*compute, settle) if x],
            ]
        return (_APPLY_SEVERAL if op.outputs else _APPLY).format(
            kind=self.kind,
            signature=", ".join(signature),
            lift=_lines(lift, 8),
            compute=_lines(compute, 8),
            inputs=inputs,
            params=params,
            tracked=_tracked(op, some if arrays else []),
            needed=_needed(op, some),
            skip="while frame.f_code.co_filename in HOUSE: frame = frame.f_back" if arrays else "",
        )


def _tracked(op: Op, some: list[str]) -> str:
    """When the result is recorded: every computed number is, an array if an input asks for it."""
    if not op.differentiable:
        return "recording > 1"  # `record_everything`
    if "dtype" in op.params and some:  # no gradient flows through integers
        some = [f"({' or '.join(some)}) and is_float(raw.dtype)"]
    some = [*some, "recording > 1"] if some else []
    return f"recording and ({' or '.join(some)})" if some else "recording"


def _needed(op: Op, some: list[str]) -> str:
    """Whether a gradient flows back through what is recorded."""
    if not op.differentiable or not some:
        return "False"
    some = [f"({' or '.join(some)})", *["is_float(raw.dtype)"] * ("dtype" in op.params)]
    return f"recording == 1 or recording == 2 and {' and '.join(some)}"


def _arrays(op: Op, fixed: list[str], rest: str) -> list[str]:
    """How an array op computes its raw result."""
    keywords = "".join(f", {p}={p}" for p in op.params)
    if rest and rest not in SELECTORS:
        return [
            f"raws = agree(op, {rest})",
            "xp = space(*raws)",
            f"raw = forward(xp, *raws{keywords})",
        ]
    raws = [f"{x}_" for x in fixed]
    lines = [f"{x}_ = {x}.raw" for x in fixed]
    alike = [x for x in fixed if x not in (*SELECTORS, *WIDE)]
    if len(alike) > 1:
        first = alike[0]
        same = " and ".join(
            f"{first}_.__class__ is {x}_.__class__ and {first}_.dtype is {x}_.dtype"
            for x in alike[1:]
        )
        pair = ", ".join(f"{x}_" for x in alike)
        lines += [
            f"try: same = {same}",
            "except AttributeError: same = False  # all are Python numbers",
            f"if not same: {pair} = agree(op, ({', '.join(alike)}))",
        ]
    expression = _expression(op, raws)
    if "xp" in expression:
        lines.append(f"xp = namespaces[{raws[0]}.__class__]")
        if len(raws) > 1:
            lines.append(f"if xp is python: xp = space({', '.join(raws)})")
    if rest:
        expression = f"forward(xp, {', '.join(raws)}, *[x.raw for x in {rest}]{keywords})"
    return [*lines, f"raw = {expression}"]


def _expression(op: Op, raws: list[str]) -> str:
    """The forward of an op as an expression: written out where it is one, else a call."""
    if op.elementwise and not op.params:
        return str(op.forward(source, *map(Code, raws)))
    return f"forward(xp, {', '.join(raws)}{''.join(f', {p}={p}' for p in op.params)})"


def _settle(op: Op, fixed: list[str], rest: str) -> str:
    """How the raw result of an array op is brought into line, where it needs to be."""
    if "dtype" in op.params:  # the caller's choice
        return ""
    keywords = "".join(f", {p}={p}" for p in op.params)
    if not fixed:
        return f"raw = settle(op, raw, *raws{keywords})"
    x, raws = f"{fixed[0]}_", ", ".join(f"{x}_" for x in fixed)
    differ = f"raw.__class__ is not {x}.__class__"
    if not _keeps_dtype(op):
        differ += f" or raw.dtype is not {x}.dtype"
    if fixed[0] in SELECTORS:  # `where(condition, 1.0, 0.0)`: numbers alone are no dtype to keep
        differ += f" or raw.__class__ is not {fixed[1]}_.__class__"
    return f"if {differ}: raw = settle(op, raw, {raws}{keywords})"


def _settle_all(op: Op, fixed: list[str]) -> str:
    """The same for several results; what an op keeps is its own affair."""
    raws, keywords = ", ".join(f"{x}_" for x in fixed), "".join(f", {p}={p}" for p in op.params)
    n = len(op.outputs)
    return f"raw = (*[settle(op, r, {raws}{keywords}) for r in raw[:{n}]], *raw[{n}:])"


def _keeps_dtype(op: Op) -> bool:
    """Whether the result surely has its operands' dtype: so it is if ints make an int."""
    if not op.elementwise or op.params:
        return False
    try:
        return type(op.forward(python, *[1] * len(op.inputs))) is int
    except ValueError:  # 1 is outside the domain, as for atanh
        return False


def _scalar(op: Op) -> str:
    """How an op computes its raw number."""
    if op.variadic:
        return f"raw = forward(xp, *[x.raw for x in {op.inputs[-1]}])"
    return f"raw = {_expression(op, [f'{x}.raw' for x in op.inputs])}"


def pull(op: Op, kind: str, **helpers: Callable[..., Any]) -> Callable[..., None]:
    """`pull(node, g, found, through, raw)`: add to `found` the gradient of each input of a node.

    It applies each rule to raw data or, unless `raw`, to nodes; of inputs that ask for a gradient
    and, if `through` is given, are on the way to what is wanted.  Broadcasting is undone here:
    `sum_to` brings a gradient back to the shape of its input.  `check_fresh` complains of inputs
    that were assigned since.
    """
    args = ", ".join(f"{x}_" for x in op.inputs)
    gradients = [
        _GRADIENT.format(
            x=x,
            args=args,
            params=", **node.params" if op.params else "",
            unbroadcast=f"if pulled.shape != {x}_.shape: pulled = sum_to(pulled, shape={x}_.shape)"
            if kind == "array"
            else "",
        )
        for x, rule in zip(op.inputs, op.rules, strict=True)
        if rule is not None
    ]
    text = _PULL.format(
        rules=", ".join(f"{x}_rule" for x in op.inputs),
        inputs=", ".join(op.inputs),
        stale=" or ".join(f"{x}.order > order" for x in op.inputs),
        raws="; ".join(f"{x}_ = {x}.raw" for x in op.inputs),
        nodes="; ".join(f"{x}_ = {x}" for x in op.inputs),
        gradients="".join(gradients) or "pass",
    )
    made: Callable[..., None] = _write(f"Tensor.{op.name} backward", text, dict(helpers))(*op.rules)
    return made


def scalar_pull(op: Op, names: dict[str, Any]) -> Callable[..., None] | None:
    """`pull(z, g)`: add g, pulled back through this op, to the gradients of z's inputs.

    The rules of an elementwise op, run on source text, are the body; None where they branch on
    params and cannot be written down.
    """
    if op.params or op.joint or not op.elementwise:
        return None
    numbers = [Code(f"{x}_") for x in op.inputs]
    gradients = [
        f"{x}._grad += {rule(Code('g'), Code('r'), *numbers)}"
        for x, rule in zip(op.inputs, op.rules, strict=True)
        if rule is not None
    ]
    text = _SCALAR_PULL.format(
        inputs=", ".join(op.inputs) + ",",
        raws=_lines([f"{x}_ = {x}.raw" for x in op.inputs], 8),
        gradients=_lines(gradients, 8),
    )
    pull: Callable[..., None] = _write(f"Value.{op.name} backward", text, names)()
    return pull
