"""Faults of the numbers themselves: outside an op's domain, too large, or of the wrong dtype.

Python's numbers raise here; arrays give inf or nan in silence, as every array library has it,
unless NumPy was told to raise (`np.errstate(all="raise")`, or warnings made errors).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import backends

from ..errors import DomainError, DTypeError
from .call import Call, Fault

__all__ = ["float_faults", "number_faults"]


class Domain(NamedTuple):
    """Which numbers operand `place` of an op may be; `mend` may speak of it as {}."""

    place: int
    valid: Callable[[Any], Any]
    text: str
    mend: str


_AWAY = "Keep it away from 0, say by adding 1e-12, or choose with where before dividing."
DOMAINS = {
    "div": Domain(1, lambda y: y != 0, "a divisor ≠ 0", _AWAY),
    "mod": Domain(1, lambda y: y != 0, "a divisor ≠ 0", _AWAY),
    "log": Domain(0, lambda x: x > 0, "x > 0", "Keep it there: {}.clip(low=1e-12)."),
    "log1p": Domain(0, lambda x: x > -1, "x > -1", "Keep it there: {}.clip(low=-1 + 1e-12)."),
    "sqrt": Domain(0, lambda x: x >= 0, "x ≥ 0", "Keep it there: {}.clip(low=0.0)."),
    "asin": Domain(0, lambda x: abs(x) <= 1, "-1 ≤ x ≤ 1", "Keep it there: {}.clip(-1.0, 1.0)."),
    "acos": Domain(0, lambda x: abs(x) <= 1, "-1 ≤ x ≤ 1", "Keep it there: {}.clip(-1.0, 1.0)."),
    "acosh": Domain(0, lambda x: x >= 1, "x ≥ 1", "Keep it there: {}.clip(low=1.0)."),
    "atanh": Domain(0, lambda x: abs(x) < 1, "-1 < x < 1", "Keep it there, away from the ends."),
}


def number_faults(call: Call) -> Iterator[Fault]:
    """What is wrong with the operands' numbers and their dtypes."""
    yield from _truth_values(call)
    yield from _powers(call)
    domain = DOMAINS.get(call.op.name)
    if domain is not None:
        yield from _outside(call, domain)
    yield from _infinite(call)


def float_faults(call: Call) -> Iterator[Fault]:
    """Why floating-point arithmetic failed: the same, or else a result beyond all floats."""
    yield from number_faults(call)
    yield from _not_finite(call)
    yield from _too_large(call)


def _outside(call: Call, domain: Domain) -> Iterator[Fault]:
    raw, name = call.inputs[domain.place].raw, call.name(domain.place)
    mend = f"{call.op.name} needs {domain.text}. {domain.mend.format(name)}"
    if getattr(raw, "dtype", None) is None:
        if not domain.valid(raw):
            yield Fault(DomainError, f"{raw} is outside the domain, {domain.text}", mend)
        return
    host = backends.namespaces[type(raw)].to_host(raw)
    wrong = backends.get("numpy").argwhere(~domain.valid(host))
    if len(wrong):
        place = tuple(int(i) for i in wrong[0])
        first = f"the first is {host[place].item()} at {list(place)}"
        headline = f"{len(wrong)} of {host.size} elements are outside {domain.text}, {first}"
        yield Fault(DomainError, headline, mend)


def _powers(call: Call) -> Iterator[Fault]:
    if call.op.name not in ("power", "pow"):
        return
    x = call.inputs[0].raw
    n = call.params["n"] if call.op.name == "power" else call.inputs[1].raw
    if getattr(x, "dtype", None) is None:
        if x == 0 and getattr(n, "dtype", None) is None and n < 0:
            mend = f"A negative power needs x ≠ 0. {_AWAY}"
            yield Fault(DomainError, f"0 to the power {n}", mend)
    elif x.dtype.kind in "iu":
        mend = f'Convert it: {call.name(0)}.astype("float32").'
        yield Fault(DTypeError, f"integers to the power {_power(n)} are not integers", mend)


def _power(n: Any) -> str:
    return str(n) if getattr(n, "dtype", None) is None else f"of {n.dtype}"


def _truth_values(call: Call) -> Iterator[Fault]:
    """Arithmetic on truth values, which the libraries refuse or make a logical operation."""
    if call.op.name in ("sub", "neg", "argsort", "sign"):
        for i in range(len(call.inputs)):
            dtype = call.dtype(i)
            if dtype is not None and dtype.kind == "b":
                mend = f'Make numbers of them: {call.name(i)}.astype("float32").'
                headline = f"{call.name(i)} holds truth values, which have no arithmetic"
                yield Fault(DTypeError, headline, mend)


def _infinite(call: Call) -> Iterator[Fault]:
    """Steps and waves of one number that is inf or nan."""
    if call.op.name in ("floor", "ceil", "round", "sin", "cos", "tan"):
        raw = call.inputs[0].raw
        if getattr(raw, "dtype", None) is None and not math.isfinite(raw):
            mend = f"{call.op.name} needs a finite number: look where {raw} came from."
            yield Fault(DomainError, f"{raw} is not finite", mend)


def _not_finite(call: Call) -> Iterator[Fault]:
    """An array that holds inf or nan already, which this op can only pass on."""
    xp = backends.get("numpy")
    for i, x in enumerate(call.inputs):
        if getattr(x.raw, "dtype", None) is not None:
            host = backends.namespaces[type(x.raw)].to_host(x.raw)
            wrong = xp.argwhere(~xp.isfinite(host))
            if len(wrong):
                place = tuple(int(k) for k in wrong[0])
                headline = f"{call.name(i)} holds {host[place].item()} at {list(place)}"
                yield Fault(DomainError, headline, "Look where that came from.")


def _too_large(call: Call) -> Iterator[Fault]:
    raws = [x.raw for x in call.inputs]
    dtype = next((raw.dtype for raw in raws if hasattr(raw, "dtype")), None)
    if dtype is None:
        given = ", ".join([*map(str, raws), *map(str, call.params.values())])
        headline = f"the result for {given} is larger than any float, 1.8e308"
    else:
        headline = f"some results are outside the range of {dtype}"
    mend = "Use smaller numbers: exp(x - max) as softmax and logsumexp do, or work with logarithms."
    yield Fault(DomainError, headline, mend)
