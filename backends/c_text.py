"""What C calls the dtypes, and how it writes their numbers."""

from __future__ import annotations

from math import inf, isinf, isnan
from typing import Any

import numpy

__all__ = ["SUFFIXES", "TYPES", "bare", "literal"]

TYPES = {
    "float32": "float", "float64": "double", "bool": "bool",
    "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
    "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
}  # fmt: skip
"""The dtypes that C computes with, and what it calls them."""

SUFFIXES = {
    "float32": "f32", "float64": "f64", "int8": "i8", "int16": "i16", "int32": "i32",
    "int64": "i64", "uint8": "u8", "uint16": "u16", "uint32": "u32", "uint64": "u64",
}  # fmt: skip
"""How the functions of `maths.h` for a dtype end."""


def bare(text: str) -> str:
    """The text of an expression without the parentheses around all of it."""
    depth = 0
    for i, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[1:-1] if text[0] == "(" and i == len(text) - 1 else text
    return text


def literal(number: Any, dtype: str) -> str:
    """A Python number as a C constant of a dtype; one that does not fit raises, as in NumPy."""
    if dtype == "bool":
        return "true" if number else "false"
    if dtype not in ("float32", "float64"):
        whole = int(numpy.array(number, dtype))
        if whole == numpy.iinfo("int64").min:
            return "INT64_MIN"  # in C its digits are a number too large, negated
        text = f"{whole}u" if whole > numpy.iinfo("int64").max else str(whole)
        return f"({text})" if whole < 0 else text
    if isnan(number):
        return "NAN"
    with numpy.errstate(over="ignore"):
        rounded = numpy.array(number, dtype)[()]
    if isinf(rounded):
        return "INFINITY" if rounded == inf else "(-INFINITY)"
    text = str(rounded) + ("f" if dtype == "float32" else "")
    return f"({text})" if text[0] == "-" else text
