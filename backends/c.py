"""C text as a backend: run an op's forward function on `C` and it writes a C expression.

    >>> from backends import c
    >>> x, y = c.C("x", "float32"), c.C("y", "float32")
    >>> print(1 - c.tanh(x * y) ** 2)
    (1.0f - square_f32(tanh_f32(x * y)))

The functions it calls are those of `autograd/jit/c/maths.h`. Which dtype each step computes in is
NumPy's own answer, with one difference: what NumPy would compute in half precision (the
exponential of a truth value) is computed in float32.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NoReturn

import numpy

from . import namespaces
from .c_text import SUFFIXES, TYPES, bare, literal
from .errors import BackendError

__all__ = ["SUFFIXES", "TYPES", "C", "bare", "literal", "name", "write"]

name = "c"

_STRONG = {float: "float64", int: "int64", bool: "bool"}


class C:
    """A C expression and its dtype's name.

    A dtype of None is a Python number, which takes the dtype of what it meets: its `value`, or,
    where it is a variable, its `kind`: float (in C a double), int (int64_t) or bool.
    """

    __slots__ = ("dtype", "kind", "text", "value")

    shape = ()

    def __init__(
        self, text: str, dtype: str | None = None, kind: type = float, value: Any = None
    ) -> None:
        if dtype is not None and dtype not in TYPES:
            raise BackendError(f"c: {text} is {dtype}, with which C does not compute")
        self.text, self.dtype, self.kind, self.value = text, dtype, kind, value

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"C({self.text!r}, {self.dtype!r})"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"c: whether {self.text} holds is not known before the program runs")

    __hash__ = object.__hash__

    @property
    def strong(self) -> str:
        """The dtype to compute in where nothing else says one."""
        return self.dtype or _STRONG[self.kind]

    def astype(self, dtype: Any) -> C:
        """The expression converted to a dtype."""
        to = str(dtype)
        if self.dtype == to:
            return self
        if self.value is not None:
            return C(literal(self.value, to), to)
        if self.strong == to:
            return C(self.text, to)
        if to == "bool":
            return C(f"({self.text} != 0)", to)
        return C(f"({TYPES.get(to, to)}){self.text}", to)

    def __neg__(self) -> C:
        return _ufunc("negative", self)

    def __pos__(self) -> C:
        return self

    def __abs__(self) -> C:
        return _ufunc("abs", self)

    def __invert__(self) -> C:
        return _ufunc("invert", self)

    def __pow__(self, n: Any) -> C:
        return _power(self, _lift(n))

    def __rpow__(self, x: Any) -> C:
        return _power(_lift(x), self)


def _lift(x: Any) -> C:
    """A number as C text; what is C text already, itself."""
    if isinstance(x, C):
        return x
    if type(x) in _STRONG:
        small = abs(x) < 2**63 or type(x) is float
        return C(literal(x, _STRONG[type(x)] if small else "float64"), None, type(x), x)
    if hasattr(x, "dtype") and not x.ndim:
        return C(literal(x.item(), str(x.dtype)), str(x.dtype))
    raise BackendError(f"c: {type(x).__qualname__} is no C expression: {x!r:.60}")


# --- dtypes: NumPy's own rules ---

_ASKED = dict.fromkeys(("sigmoid", "erf", "normal_cdf", "normal_pdf"), "exp") | {
    "xlogy": "arctan2", "round": "rint",
}  # fmt: skip
"""Functions that are no NumPy functions, and which of those has the same dtypes."""


@cache
def _dtypes(function: str, kinds: tuple[Any, ...]) -> tuple[str, ...]:
    """The dtypes that a function computes in, and its result's; `kinds` are dtypes' names, and
    the types of Python numbers."""
    ufunc = getattr(numpy, _ASKED.get(function, function))
    found = ufunc.resolve_dtypes(
        (*(k if k in (float, int) else numpy.dtype(k) for k in kinds), None)
    )
    return tuple("float32" if d == "float16" else str(d) for d in found)


def _ufunc(function: str, *operands: Any) -> C:
    """A function of NumPy's applied to expressions."""
    xs = [_lift(x) for x in operands]
    weak = all(x.dtype is None for x in xs)
    *into, out = _dtypes(function, tuple((x.strong if weak else x.dtype or x.kind) for x in xs))
    if function in _COMPARED:
        constant = _beyond(function, xs, into[0])
        if constant is not None:
            return constant
    text = _written(function, into[0], [x.astype(d).text for x, d in zip(xs, into, strict=True)])
    if function in _COMPARED and into[0] != into[1]:  # int64 and uint64
        x, y = xs
        text = f"((__int128){x.text} {_COMPARED[function][0]} (__int128){y.text})"
    if not weak:
        return C(text, out)
    return C(text, None, {"f": float, "b": bool}.get(out[0], int))


# --- text ---

_INFIX = {"add": "+", "subtract": "-", "multiply": "*", "true_divide": "/"}
_BITS = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}
_LOGIC = {"logical_and": "&", "logical_or": "|", "logical_xor": "^"}
_OF_TRUTH = {"add": "|", "maximum": "|", "multiply": "&", "minimum": "&"}
_COMPARED: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "less": ("<", operator.lt), "less_equal": ("<=", operator.le), "greater": (">", operator.gt),
    "greater_equal": (">=", operator.ge), "equal": ("==", operator.eq),
    "not_equal": ("!=", operator.ne),
}  # fmt: skip
_NAMES = {
    "add": "add", "subtract": "sub", "multiply": "mul", "negative": "neg", "remainder": "mod",
    "floor_divide": "floordiv", "left_shift": "shl", "right_shift": "shr", "power": "pow",
}  # fmt: skip


def _written(function: str, dtype: str, xs: list[str]) -> str:
    """A function as C, of operands that all have the dtype."""
    if function in _LOGIC:
        x, y = (text if dtype == "bool" else f"({text} != 0)" for text in xs)
        return f"({x} {_LOGIC[function]} {y})"
    infix = _BITS.get(function) or (_COMPARED[function][0] if function in _COMPARED else None)
    if dtype == "bool":
        infix = infix or _OF_TRUTH.get(function)
    elif dtype.startswith("float"):
        infix = infix or _INFIX.get(function)
    if infix:
        return f"({xs[0]} {infix} {xs[1]})"
    (x, *_) = xs
    if function == "negative" and dtype.startswith("float"):
        return f"(-{x})"
    if function == "invert":
        return f"(!{x})" if dtype == "bool" else f"({TYPES[dtype]})~{x}"
    if function == "logical_not":
        return f"({x} == 0)"
    if dtype == "bool":  # all that is left: the absolute value
        return x
    return f"{_NAMES.get(function, function)}_{SUFFIXES[dtype]}({', '.join(map(bare, xs))})"


def _beyond(function: str, xs: list[C], dtype: str) -> C | None:
    """What a comparison of integers with a number outside of their dtype's range always gives."""
    for i, x in enumerate(xs):
        if x.dtype is None and isinstance(x.value, int) and dtype.lstrip("u").startswith("int"):
            range_ = numpy.iinfo(dtype)
            if not range_.min <= x.value <= range_.max:
                other = range_.max if x.value > 0 else range_.min
                pair = (x.value, other) if i == 0 else (other, x.value)
                return C(literal(_COMPARED[function][1](*pair), "bool"), "bool")
    return None


def _power(x: C, n: C) -> C:
    """x ** n; by products where n is a small whole number, by roots where it is a half."""
    if n.value is None or x.dtype is None:
        return _ufunc("power", x, n)
    dtype, times = _dtypes("power", (x.dtype, n.kind))[-1], n.value
    if dtype.lstrip("u").startswith("int") and times < 0:
        raise ValueError("Integers to negative integer powers are not allowed.")
    x, suffix = x.astype(dtype), SUFFIXES[dtype]
    if times == 0:
        return C(literal(1, dtype), dtype)
    if times < 0 and abs(times) in (0.5, 1, 2, 3, 4):
        if times == -0.5:
            return _ufunc("true_divide", 1, _power(x, _lift(0.5)))
        return _power(_ufunc("true_divide", 1, x), _lift(-times))
    forms = {0.5: "sqrt_{0}({1})", 1: "{2}", 2: "square_{0}({1})", 3: "cube_{0}({1})",
             4: "square_{0}(square_{0}({1}))"}  # fmt: skip
    if times in forms:
        return C(forms[times].format(suffix, bare(x.text), x.text), dtype)
    return _ufunc("power", x, n)


def write(op: Any, operands: Sequence[C], params: dict[str, Any], dtype: str) -> C:
    """An op's forward as text, for operands whose dtypes agree and a result of this dtype.

    Integers of a byte, which NumPy would compute with in half precision, are float32 from the
    start where the result is: as `autograd.dtypes.settle` has it.
    """
    narrow = ("bool", "int8", "uint8")
    if dtype == "float32" and all(x.strong in narrow for x in operands):
        operands = [x.astype(dtype) for x in operands]
    result: C = _lift(op.forward(sys.modules[__name__], *operands, **params))
    return result.astype(dtype)


# --- operators, and the namespace's functions ---

for _method, _function in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}.items():  # fmt: skip
    setattr(C, f"__{_method}__", lambda x, y, f=_function: _ufunc(f, x, y))
    setattr(C, f"__r{_method}__", lambda x, y, f=_function: _ufunc(f, y, x))

for _method, _function in {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}.items():  # fmt: skip
    setattr(C, f"__{_method}__", lambda x, y, f=_function: _ufunc(f, x, y))

_FUNCTIONS = frozenset(
    """exp expm1 log log1p sqrt sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh
    erf normal_cdf normal_pdf sigmoid xlogy abs sign maximum minimum square invert negative
    logical_and logical_or logical_xor logical_not add subtract multiply""".split()
)


def __getattr__(function: str) -> Callable[..., C]:
    """A function of the namespace, as text: `c.exp(x)` writes `exp_f32(x)`."""
    if function not in _FUNCTIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {function!r}")
    return lambda *xs: _ufunc(function, *xs)


def _stepped(function: str, x: Any) -> C:
    """floor, ceil or round; a whole number stays what it is."""
    x = _lift(x)
    return _ufunc(function, x) if x.strong.startswith("float") else x


def floor(x: Any) -> C:
    """The largest integer not above x."""
    return _stepped("floor", x)


def ceil(x: Any) -> C:
    """The smallest integer not below x."""
    return _stepped("ceil", x)


def round(x: Any) -> C:
    """The nearest integer, halves to even."""
    return _stepped("round", x)


def where(condition: Any, x: Any, y: Any) -> C:
    """x where the condition holds, else y."""
    test, x, y = _lift(condition).astype("bool"), _lift(x), _lift(y)
    dtype = str(numpy.result_type(*(a.dtype or a.kind(0) for a in (x, y))))
    return C(f"({test} ? {x.astype(dtype)} : {y.astype(dtype)})", dtype)


namespaces[C] = sys.modules[__name__]
