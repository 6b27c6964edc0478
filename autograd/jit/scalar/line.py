"""A straight line of steps, each of which computes one number from numbers before it.

A step is a sum of products, Σ aᵢ bᵢ, or a function such as tanh.  Sums of products are all that
+, -, * and `dot` are; so are the gradients that meet in a number, whence the backward pass is a
straight line of the same steps, and is appended to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ...node import Op

__all__ = ["ADD", "FIRST", "GIVEN", "SUM", "Function", "Line"]

GIVEN, SUM, ADD, FIRST = -1, 0, 1, 2
"""Kinds of numbers: given from outside, Σ aᵢ bᵢ (its inputs are a₁, b₁, a₂, …), Σ aᵢ; from FIRST
on they count the functions of the line."""


@dataclass(frozen=True)
class Function:
    """An elementwise op with its params, or the rule of one of its inputs.

    A rule takes the gradient, the op's result, and its inputs.
    """

    op: Op
    params: tuple[tuple[str, Any], ...] = ()
    rule: int | None = None

    def __call__(self, xp: Any, *args: Any) -> Any:
        """Compute with the namespace of a backend, which is that of the arguments."""
        if self.rule is None:
            return self.op.forward(xp, *args, **dict(self.params))
        rule = self.op.rules[self.rule]
        assert rule is not None
        return rule(*args, **dict(self.params))

    @property
    def inputs(self) -> list[str]:
        """What its arguments are called."""
        return self.op.inputs if self.rule is None else ["g", "z", *self.op.inputs]

    @property
    def rules(self) -> dict[int, Function]:
        """The functions of a gradient, by the inputs that it flows to."""
        return {
            i: Function(self.op, self.params, i)
            for i, rule in enumerate(self.op.rules)
            if rule is not None
        }


class Line:
    """Numbers, some of which are given, and the steps that compute the others.

    `kinds` and `inputs` have an entry for each number.  `functions` are those that its steps
    use, with their rules.
    """

    def __init__(self, functions: Collection[Function]) -> None:
        self.kinds: list[int] = []
        self.inputs: list[Sequence[int]] = []
        self.constants: dict[int, float] = {}
        self.stops: set[int] = set()
        """Numbers that no gradient flows back through."""
        every = [g for f in functions for g in (f, *f.rules.values())]
        self.functions = {f: FIRST + i for i, f in enumerate(every)}
        self._named = {kind: f for f, kind in self.functions.items()}
        self._known: dict[str, int] = {}

    def given(self) -> int:
        """A number from outside."""
        return self._new(GIVEN, ())

    def constant(self, value: float) -> int:
        """A number that is always the same; each is there once."""
        told = repr(value)  # which tells -0.0 from 0.0
        if told not in self._known:
            self._known[told] = self.given()
            self.constants[self._known[told]] = value
        return self._known[told]

    def sum(self, pairs: Sequence[int]) -> int:
        """Σ aᵢ bᵢ of pairs a₁, b₁, a₂, b₂, …, added up in this order."""
        one = self.constant(1.0)
        if {one}.issuperset(pairs[1::2]):
            return self._new(ADD, pairs[::2])
        return self._new(SUM, pairs)

    def call(self, function: Function, inputs: Sequence[int]) -> int:
        """A function of numbers."""
        return self._new(self.functions[function], inputs)

    def _new(self, kind: int, inputs: Sequence[int]) -> int:
        self.kinds.append(kind)
        self.inputs.append(inputs)
        return len(self.kinds) - 1

    def gradients(
        self, roots: Sequence[int], wanted: Sequence[int]
    ) -> tuple[list[int], list[int | None]]:
        """Append the backward pass: the gradients of the wanted numbers, given those of the roots.

        Returns the numbers to be given, one per root, and the gradients; None is 0.  The pass
        is that of every reverse mode: from the youngest number to the oldest, what each user
        contributes to a gradient is there when its turn comes.
        """
        one, end = self.constant(1.0), max(roots) + 1
        needed = self._needing(wanted, end)
        seeds = [self.given() for _ in roots]
        found: dict[int, list[int]] = {}
        for root, seed in zip(roots, seeds, strict=True):
            found.setdefault(root, []).extend((seed, one))
        gradients: dict[int, int] = {}
        for i in range(end - 1, -1, -1):
            pairs = found.pop(i, None)
            if pairs is None or not needed[i]:
                continue
            g = pairs[0] if len(pairs) == 2 and pairs[1] == one else self.sum(pairs)
            gradients[i] = g
            kind, inputs = self.kinds[i], self.inputs[i]
            if kind == ADD:
                for x in inputs:
                    if needed[x]:
                        found.setdefault(x, []).extend((g, one))
            elif kind == SUM:
                for a, b in zip(inputs[::2], inputs[1::2], strict=True):
                    if needed[a]:
                        found.setdefault(a, []).extend((g, b))
                    if needed[b]:
                        found.setdefault(b, []).extend((g, a))
            elif kind >= FIRST:
                for place, rule in self._named[kind].rules.items():
                    if needed[x := inputs[place]]:
                        part = self.call(rule, (g, i, *inputs))
                        found.setdefault(x, []).extend((part, one))
        return seeds, [gradients.get(x) for x in wanted]

    def _needing(self, wanted: Sequence[int], end: int) -> bytearray:
        """Which of the first numbers depend on a wanted one, in a way that has a gradient."""
        needed = bytearray(end)
        for x in wanted:
            if x < end:
                needed[x] = 1
        for i, inputs in enumerate(self.inputs[:end]):
            if inputs and i not in self.stops:
                if self.kinds[i] >= FIRST:
                    inputs = [inputs[place] for place in self._named[self.kinds[i]].rules]
                if any(map(needed.__getitem__, inputs)):
                    needed[i] = 1
        return needed
