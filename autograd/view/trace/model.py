"""What a trace holds: a computation as plain data, to be looked at long after it has run.

These classes are the schema, version 1; `docs/trace.md` explains it field by field.  In JSON a
field that has its default is left out, and a number that is none is "nan", "inf" or "-inf".
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from math import isfinite, isnan
from typing import Any, Literal, TypeAlias

__all__ = [
    "Event", "Excerpt", "Hist", "OpInfo", "Part", "Preview", "Scope", "Stats", "TraceNode",
    "plain", "rounded",
]  # fmt: skip

Kind: TypeAlias = Literal["value", "parameter", "input", "output", "constant"]


@dataclass(slots=True)
class Hist:
    """Counts by sign and power of two: `positive[i]` counts 2^(first+i) ≤ x < 2^(first+i+1).

    `negative[i]` counts the same of -x, and `zero` stands apart: a gradient of 0 is another thing
    than a small one.  Exponents are clipped to [-40, 40].
    """

    first: int
    negative: list[int]
    zero: int
    positive: list[int]


@dataclass(slots=True)
class Preview:
    """Some elements of an array, seen as a table: its leading axes flattened × its last axis.

    `rows` and `cols` say which rows and columns of that table the `values` are.
    """

    rows: list[int]
    cols: list[int]
    values: list[list[float]]
    shape: list[int] | None = None
    """Of the array, where the elements are whole `tile`s of it."""
    tile: list[int] | None = None
    """The axes that are rows and columns of a tile; the elements are a grid along every axis."""


@dataclass(slots=True)
class Stats:
    """What there is to say of an array: mean, std, min and max are of its finite elements."""

    norm: float
    mean: float
    std: float
    min: float
    max: float
    zeros: float
    """The share of elements that are exactly 0."""
    nan: int
    inf: int
    hist: Hist
    preview: Preview | None = None


Datum: TypeAlias = Stats | float
"""Data or a gradient: statistics of an array, or a number itself."""


@dataclass(slots=True)
class Scope:
    """A call of a module, or of a function composed of ops.

    `path` is the module's place in the outermost one, "encoder.3".  Two scopes with the same
    `alike` compute the same: equal ops on equal shapes, wired alike.
    """

    key: str
    name: str
    path: str
    parent: int
    module: bool
    alike: int = -1
    where: str = ""


@dataclass(slots=True)
class TraceNode:
    """A value and the operation that it is the result of.

    `key` is the same in every trace of the same program: "encoder.3/0/matmul#1" is the second
    matmul in the first call of encoder.3, a parameter's key its path.  `data` and `grad` are
    snapshots; a gradient of None was not computed, which is another thing than 0.
    """

    key: str
    kind: Kind
    name: str = ""
    op: str = ""
    symbol: str = ""
    """How the op is written, where that depends on its params: "^3"."""
    params: str = ""
    inputs: list[int] = field(default_factory=list)
    scope: int = -1
    shape: list[int] | None = None
    """None for a single number, [] for an array of no axes."""
    dtype: str = ""
    where: str = ""
    requires_grad: bool = False
    data: Datum | None = None
    grad: Datum | None = None
    held: int = 0
    """Bytes of its data that are kept for the backward pass."""
    parts: int = 0
    """How many results an operation with several has; they are nodes of their own."""


@dataclass(slots=True)
class OpInfo:
    """An op of the table in formulas: z is its result, g the gradient that arrives at z.

    `rules` has one vector-Jacobian product per input; None where no gradient flows.
    """

    symbol: str
    doc: str
    inputs: list[str]
    formula: str
    rules: list[str | None]


@dataclass(slots=True)
class Part:
    """What one operation adds to the gradient of one of its inputs.

    It is the `nth` of `of` contributions to it.  `local` is ∂z/∂x, where both are numbers.
    `total`, the gradient so far, is given where it is neither the first (then it is `value`) nor
    the last (then it is the node's `grad`).
    """

    input: int
    position: int
    value: Datum
    nth: int = 1
    of: int = 1
    local: float | None = None
    total: Datum | None = None


@dataclass(slots=True)
class Event:
    """A step of the backward pass: the gradient of `node` is complete, and is pulled back.

    What arrives is the node's own `grad`; the first event is the root's, whose gradient is 1.
    """

    node: int
    parts: list[Part]


@dataclass(slots=True)
class Excerpt:
    """Consecutive lines of a user's file, the first of which has the number `first`."""

    first: int
    lines: list[str]


def plain(x: Any) -> Any:
    """What JSON can say: without defaults, and with words for numbers that are none."""
    if x.__class__ in WORDS:
        return x
    if isinstance(x, float):
        return x if isfinite(x) else "nan" if isnan(x) else "inf" if x > 0 else "-inf"
    if isinstance(x, (list, tuple)):
        return [plain(value) for value in x]
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if not is_dataclass(x):
        return x
    values = ((name, getattr(x, name), default) for name, default in _defaults(x.__class__))
    return {
        name: plain(value)
        for name, value, default in values
        if value is not default and value != default
    }


def rounded(x: float) -> float:
    """A number of statistics, in six digits; single numbers keep all of theirs."""
    return float(f"{x:.6g}")


WORDS = frozenset({int, str, bool, type(None)})
"""What is plain as it is."""


@cache
def _defaults(kind: Any) -> list[tuple[str, Any]]:
    """The fields of a dataclass, and what they are unless somebody says otherwise."""
    return [
        (f.name, f.default if f.default_factory is MISSING else f.default_factory())
        for f in fields(kind)
    ]
