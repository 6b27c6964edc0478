"""C for where the elements of strided arrays lie, and the frame of a kernel's source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod

from ..kernel import Operand, Request, Target

__all__ = [
    "INTEGERS", "NUMBERS", "REALS", "SUFFIXES", "function", "offset", "pointer", "sizes", "spread",
    "tagged",
]  # fmt: skip

REALS = {"float32": "float", "float64": "double"}
"""C's names of the numbers that kernels compute with."""
SUFFIXES = {"float32": "f32", "float64": "f64"}
"""What the names of C functions for them end in."""
INTEGERS = {
    name: f"{name}_t" for name in "int8 int16 int32 int64 uint8 uint16 uint32".split()
}  # uint64 does not fit the int64 that indices are checked as
"""C's names of the numbers that may be indices."""
NUMBERS = REALS | INTEGERS | {"uint64": "uint64_t", "bool": "unsigned char"}
"""C's names of all numbers that can be copied."""


def sizes(shape: Sequence[int]) -> str:
    """A shape, as names and comments tell it."""
    return "x".join(str(n) for n in shape)


def offset(index: str, shape: Sequence[int], strides: Sequence[int]) -> str:
    """C for where element number `index`, in C order, of an array lies.

    Axes that lie behind one another in memory are treated as one.
    """
    axes: list[tuple[int, int]] = []
    for n, stride in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if axes and axes[-1][1] == n * stride:
            axes[-1] = (axes[-1][0] * n, stride)
        else:
            axes.append((n, stride))
    terms, behind = [], prod(n for n, _ in axes)
    for i, (n, stride) in enumerate(axes):
        behind //= n
        place = index if behind == 1 else f"{index} / {behind}"
        if i:
            place = f"{place} % {n}"
        if stride == 1:
            terms.append(place)
        elif stride:
            terms.append(f"{place} * {stride}" if place == index else f"({place}) * {stride}")
    return " + ".join(terms) or "0"


def pointer(array: str, index: str, shape: Sequence[int], strides: Sequence[int]) -> str:
    """C for a pointer to element number `index` of an array, or of its leading axes."""
    place = offset(index, shape, strides)
    return array if place == "0" else f"{array} + {place}"


def spread(x: Operand, shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of an array that is broadcast to a shape."""
    missing = len(shape) - len(x.shape)
    pairs = zip(x.shape, x.strides, strict=True)
    return (0,) * missing + tuple(0 if n == 1 else stride for n, stride in pairs)


def tagged(name: str, request: Request, target: Target) -> str:
    """A kernel's name, with a tag that tells apart requests that differ in more than sizes."""
    told = repr((request.inputs, request.outputs, sorted(request.params.items()), target))
    return f"{name}_{hashlib.sha256(told.encode()).hexdigest()[:6]}"


def function(
    comment: str, name: str, inputs: dict[str, str], outputs: dict[str, str], lines: list[str]
) -> str:
    """A kernel's C: what it computes, its arrays' names and types, and the lines of its body."""
    head = [f"/* {comment} */", f"KERNEL void {name}(long begin, long end"]
    given = [f"const {kind} *restrict {array}" for array, kind in inputs.items()]
    given += [f"{kind} *restrict {array}" for array, kind in outputs.items()]
    for argument in [*given, "char *work"]:
        if len(head[-1]) + len(argument) > 94:
            head[-1] += ","
            head.append(f"        {argument}")
        else:
            head[-1] += f", {argument}"
    return "\n".join([*head]) + ") {\n" + "".join(f"    {line}\n" for line in lines) + "}\n"
