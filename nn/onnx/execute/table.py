"""The table of operators: ONNX's name of one → the function of tensors that computes it.

A function takes the operator's inputs as arguments (None for one that is left out) and its
attributes as keywords, under ONNX's names; what is an attribute in one version and an input in
another is one argument for both.  It gives a tensor, or a tuple where the operator has several
results.  One that must know more asks for `call`: the `Call` that it serves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd import Tensor

__all__ = [
    "DTYPES",
    "OPERATORS",
    "Call",
    "Operator",
    "UnsupportedError",
    "dtype_named",
    "ints",
    "onnx_op",
]


class UnsupportedError(ValueError):
    """An operator, or a use of one, that cannot be computed here."""


@dataclass
class Call:
    """One use of an operator in a file: what a function may ask for beside its arguments."""

    kind: str
    name: str
    opset: int
    outputs: list[str] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    """The values around a subgraph, while it is being computed."""


class Operator:
    """A function of the table, with what its signature says."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        parameters = inspect.signature(function).parameters
        self.wants_call = "call" in parameters
        self.keywords = {
            name for name, p in parameters.items()
            if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and name != "call"
        }  # fmt: skip
        self.most_inputs: float = sum(
            p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters.values()
        )
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):  # those of a convolution
            self.keywords |= OPERATORS["", "Conv"].keywords
        if any(p.kind is p.VAR_POSITIONAL for p in parameters.values()):
            self.most_inputs = float("inf")


OPERATORS: dict[tuple[str, str], Operator] = {}
"""(domain, name) → what computes it."""


def onnx_op(*names: str, domain: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table, under one name or more."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            OPERATORS[domain, name] = Operator(function)
        return function

    return enter


# --- what functions often need ---


def ints(values: Any) -> list[int]:
    """Whole numbers that come as an attribute or as a tensor."""
    if isinstance(values, Tensor):
        found = values.reshape(-1).tolist()
        return [int(n) for n in found]
    return [int(n) for n in ([values] if isinstance(values, (int, float)) else values)]


DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip


def dtype_named(code: int) -> str:
    """Our name of a dtype by ONNX's number (TensorProto.DataType)."""
    if code not in DTYPES:
        from onnx import TensorProto

        name = TensorProto.DataType.Name(code).lower()
        raise UnsupportedError(f"its dtype {name} is none of {', '.join(DTYPES.values())}")
    return DTYPES[code]


def check(condition: bool, fault: str) -> None:
    """Raise `UnsupportedError` unless the condition holds."""
    if not condition:
        raise UnsupportedError(fault)


def axes_of(axes: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the front; all where none are given."""
    if axes is None:
        return tuple(range(ndim))
    return tuple(a % ndim if ndim else 0 for a in ints(axes))


def spread(values: Sequence[Any], ndim: int) -> tuple[int, ...]:
    """The shape in which a vector of channels meets (N, C, …) of so many axes."""
    return (1, len(values), *(1,) * (ndim - 2))
