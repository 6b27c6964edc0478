"""An elementwise op's forward, run on names instead of arrays: the ufuncs that it calls, in order.

NumPy would give each of them new memory.  As lines of their own, they write where there is some.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends import numpy as np
from backends import special

from ..program import Step, Var
from .line import Lines, is_array

__all__ = ["elementwise"]

PLAIN = ("float32", "float64")
NARROW = ("float16", "bfloat16")
LARGE = 16
"""From so many elements on, comparing with an array of numbers is worth its memory."""

SIGNS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
}  # fmt: skip
POWERS = {0.5: "sqrt", 1: "positive", 2: "square", -1: "reciprocal"}
"""What `x ** n` calls for these n, where x are floats."""


class UntraceableError(Exception):
    """A forward asks for something that only arrays have."""


def elementwise(lines: Lines, step: Step) -> bool:
    """Write the lines of an elementwise op; False if it cannot be taken apart."""
    if any(v.dtype in NARROW for v in (*step.inputs, *step.outputs)):
        return False  # their results are settled by rules of their own, see `dtypes.settle`
    trace = Trace(lines)
    inputs = [Symbol(trace, var) for var in step.inputs]
    try:
        found = step.op.forward(trace, *inputs, **step.params)
    except (UntraceableError, AttributeError, TypeError):
        return False
    if not isinstance(found, Symbol):
        return False
    var, out = found.var, step.output
    if (var.shape, var.dtype) != (out.shape, out.dtype):
        return False
    last = lines.found[-1] if lines.found else None
    if trace.count and last is not None and last.outputs == (var,):
        last.outputs = (out,)
        if var in lines.likes:
            lines.likes[out] = lines.likes.pop(var)
    else:
        lines.view("{0}", var, out.shape, out)
    return True


class Symbol:
    """An array or number of the program, as a forward sees it."""

    __hash__ = None  # type: ignore[assignment]  # == writes a line

    def __init__(self, trace: Trace, var: Var) -> None:
        self._trace, self.var = trace, var

    @property
    def dtype(self) -> Any:
        """The dtype, which some forwards ask for."""
        if self.var.dtype is None:
            raise UntraceableError
        return np.dtype(self.var.dtype)

    def __bool__(self) -> bool:
        raise UntraceableError

    def __neg__(self) -> Symbol:
        return self._trace.apply("negative", self)

    def __abs__(self) -> Symbol:
        return self._trace.apply("absolute", self)

    def __invert__(self) -> Symbol:
        return self._trace.apply("invert", self)

    def __pow__(self, n: Any) -> Symbol:
        if not isinstance(n, Symbol) and n in POWERS and self.var.dtype in PLAIN:
            return self._trace.apply(POWERS[n], self)
        return self._trace.apply("power", self, n)

    def __rpow__(self, x: Any) -> Symbol:
        return self._trace.apply("power", x, self)


def _infix(name: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda x, y: x._trace.apply(name, x, y)


def _swapped(name: str) -> Callable[[Symbol, Any], Symbol]:
    return lambda x, y: x._trace.apply(name, y, x)


for _method, _name in SIGNS.items():
    setattr(Symbol, f"__{_method}__", _infix(_name))
    setattr(Symbol, f"__r{_method}__", _swapped(_name))


class Trace:
    """The namespace that a forward computes with: each call of a ufunc writes a line."""

    def __init__(self, lines: Lines) -> None:
        self.lines, self.count = lines, 0

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        if not isinstance(getattr(np, name, None), np.ufunc):
            raise UntraceableError(name)
        return lambda *operands: self.apply(name, *operands)

    def where(self, condition: Any, x: Any, y: Any) -> Symbol:
        """A choice, which has no place for its result: it is an array of its own."""
        return self._write("new", np.where, "where({0}, {1}, {2})", (condition, x, y))

    def clip(self, x: Any, low: Any, high: Any) -> Symbol:
        """Both ends at a time take NumPy twice as long as one by one."""
        return self.apply("minimum", self.apply("maximum", x, low), high)

    def round(self, x: Any) -> Symbol:
        """To the nearest integer."""
        return self.apply("rint", x) if x.var.dtype in PLAIN else _refuse()

    def sigmoid(self, x: Any) -> Any:
        """Logistic function."""
        return special.sigmoid(self, x)

    def normal_cdf(self, x: Any) -> Any:
        """Distribution function of the standard normal."""
        return special.normal_cdf(self, x)

    def normal_pdf(self, x: Any) -> Any:
        """Density of the standard normal."""
        return special.normal_pdf(self, x)

    def apply(self, name: str, *operands: Any) -> Symbol:
        """The result of a ufunc."""
        places = ", ".join(f"{{{i}}}" for i in range(len(operands)))
        text = f"{name}({places}, out={{out}})"
        return self._write("within", getattr(np, name), text, operands)

    def _write(self, kind: str, function: Any, text: str, operands: tuple[Any, ...]) -> Symbol:
        vars_ = [x.var if isinstance(x, Symbol) else self.lines.number(x) for x in operands]
        arrays = [v for v in vars_ if is_array(v)]
        if not arrays:
            raise UntraceableError
        none = [np.empty(0, v.dtype) if is_array(v) else v.example for v in vars_]
        dtype = function(*none).dtype.name
        shape = np.broadcast_shapes(*[v.shape for v in vars_])
        whole = [v for v in arrays if v.shape == shape and not self.lines.is_one(v)]
        if kind == "within" and whole:
            vars_ = [self.lines.element(v) if self.lines.is_one(v) else v for v in vars_]
        kinds = {v.dtype for v in arrays}
        if kind == "within" and len(kinds) == 1 and not kinds.isdisjoint(PLAIN):
            compares = text.startswith(("maximum", "minimum"))
            size = shape if compares and arrays[0].size >= LARGE else ()
            of = arrays[0].dtype or ""
            vars_ = [v if is_array(v) else self._scalar(v, size, of) for v in vars_]
        self.count += 1
        return Symbol(self, self.lines.write(kind, text, vars_, shape, dtype))

    def _scalar(self, var: Var, shape: tuple[int, ...], dtype: str) -> Var:
        """A Python number as an array of the dtype that it takes anyway."""
        if var.source == "constant":
            return self.lines.full(var.value, shape, dtype)
        return self.lines.write("into", "{out}[...] = {0}", (var,), (), dtype)


def _refuse() -> Any:
    raise UntraceableError
