"""From a tape to a straight line: chains of +, -, * and `dot` become single sums of products.

`b + w1 * x1 + w2 * x2` is four operations and one step.  Sums are added up in the order of the
tape, so that the numbers stay the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...node import Op
from .line import Function, Line
from .tape import Tape

__all__ = ["straighten"]

ONE, MINUS = -1, -2
"""The factors 1 and -1, in the place of an entry."""

VARIANTS = 16
"""So many different constant exponents get code of their own; more share that of `pow`."""


def straighten(tape: Tape) -> tuple[Line, list[int]]:
    """The line of a tape, and the number on it of each entry that is still there (else -1).

    The first numbers of the line are the tape's leaves, in their order.
    """
    sums, functions = _Sums(tape).found, _functions(tape)
    line = Line(_in_order(functions.values()))
    number = [-1] * len(tape.ops)
    for i in tape.leaves:
        number[i] = line.given()
    for i, value in tape.constants.items():
        number[i] = line.constant(value)
    factors = {ONE: line.constant(1.0), MINUS: line.constant(-1.0)}
    for i, op in enumerate(tape.ops):
        if i in sums:
            number[i] = line.sum([number[x] if x >= 0 else factors[x] for x in sums.pop(i)])
        elif i in functions:
            inputs = [number[x] for x in tape.inputs[i]]
            if len(functions[i].op.inputs) > len(inputs):  # `pow` in the place of `power`
                inputs.append(line.constant(float(tape.params[i]["n"])))
            number[i] = line.call(functions[i], inputs)
        elif op is None and tape.inputs[i]:
            number[i] = line.sum([number[tape.inputs[i][0]], factors[ONE]])
        if not tape.flows[i] and number[i] >= 0:
            line.stops.add(number[i])
    return line, number


def _functions(tape: Tape) -> dict[int, Function]:
    """The function of each entry that is no part of a sum."""
    found = {
        i: Function(op, tuple(tape.params[i].items()))
        for i, op in enumerate(tape.ops)
        if op is not None and op.elementwise and op.name not in LINEAR
    }
    powers = [f for f in set(found.values()) if f.op.name == "power"]
    if len(powers) > VARIANTS:
        general = dict.fromkeys(powers, Function(Op.table["pow"]))
        return {i: general.get(f, f) for i, f in found.items()}
    return found


def _in_order(functions: Iterable[Function]) -> list[Function]:
    """Each function once, in an order that does not depend on the tape."""
    return sorted(set(functions), key=lambda f: (f.op.name, repr(f.params)))


LINEAR = frozenset("add sub neg mul dot identity".split())
"""The ops that sums of products are made of."""


class _Sums:
    """Reads sums of products off a tape: entry → its factors, a₁, b₁, a₂, b₂, …

    A sum that one later sum alone uses becomes a part of it.
    """

    def __init__(self, tape: Tape) -> None:
        self.found: dict[int, list[int]] = {}
        self.tape = tape
        self.uses = [0] * len(tape.ops)
        for inputs in tape.inputs:
            for x in inputs:
                self.uses[x] += 1
        for root in tape.roots:
            self.uses[root] += 2  # it stays, whoever uses it
        for i, op in enumerate(tape.ops):
            if op is not None and op.name in LINEAR:
                self.found[i] = getattr(self, op.name)(i, *tape.inputs[i])

    def add(self, i: int, x: int, y: int) -> list[int]:
        if self._size(i, y) > self._size(i, x):
            x, y = y, x
        terms = self._begin(i, x)
        terms += self.found.pop(y) if self._size(i, y) == 2 else (y, ONE)
        return terms

    def sub(self, i: int, x: int, y: int) -> list[int]:
        return [*self._begin(i, x), y, MINUS]

    def neg(self, i: int, x: int) -> list[int]:
        return [x, MINUS]

    def mul(self, i: int, x: int, y: int) -> list[int]:
        return [x, y]

    def identity(self, i: int, x: int) -> list[int]:
        return [x, ONE]

    def dot(self, i: int, bias: int, *terms: int) -> list[int]:
        factors, n = self._begin(i, bias), len(terms) // 2
        for pair in zip(terms[:n], terms[n:], strict=True):
            factors += pair
        return factors

    def _size(self, i: int, x: int) -> int:
        """How long the sum x is, if it can become a part of the sum i; else 0."""
        if self.uses[x] != 1 or x not in self.found or self.tape.flows[x] != self.tape.flows[i]:
            return 0
        return len(self.found[x])

    def _begin(self, i: int, x: int) -> list[int]:
        """The terms of a sum that begins with x."""
        return self.found.pop(x) if self._size(i, x) else [x, ONE]
