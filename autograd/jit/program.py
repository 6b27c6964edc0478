"""A program: a recorded computation as straight-line steps.  The tape is the IR is the picture.

    %4 = affine(%0, %1, %2)      float32 (32, 64)    hidden = layer(x)   train.py:12

Each step is an op of the table applied to variables; each variable is given a value once.  What
the steps begin with is given from outside: arguments of the call, tensors that live on between
calls, constants, and numbers that Python computes before each call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any

from .. import names
from ..node import Op, Scope

__all__ = ["Place", "Program", "Step", "Var", "Write"]


class Var:
    """One value of a program.

    `dtype` is its name, or None for a Python number, which takes the dtype of what it meets.
    `source` says where it comes from: "argument", "leaf", "gradient" (of a leaf), "constant",
    "number" or "step"; `value` is then the argument's place, the tensor, the constant itself, or
    (owner, name) of a number.  Of a Python number `example` is the value that was recorded.
    """

    __slots__ = ("dtype", "example", "number", "shape", "source", "value")

    def __init__(
        self, number: int, shape: tuple[int, ...], dtype: str | None, source: str,
        value: Any = None, example: Any = None,
    ) -> None:  # fmt: skip
        self.number, self.shape, self.dtype = number, shape, dtype
        self.source, self.value, self.example = source, value, example

    @property
    def size(self) -> int:
        """How many elements it has."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    def __repr__(self) -> str:
        if self.source == "constant" and not self.shape:
            return f"{getattr(self.value, 'item', lambda: self.value)()!r:.20}"
        return f"%{self.number}"


@dataclass(frozen=True)
class Place:
    """Where in a program a step was recorded."""

    code: CodeType | None
    instruction: int
    scope: Scope | None

    def __str__(self) -> str:
        return names.where(self)  # type: ignore[arg-type]  # it has what of a node is asked for


@dataclass(eq=False)
class Step:
    """An op applied to variables; `outputs` are its results, and what it keeps behind them."""

    op: Op
    inputs: tuple[Var, ...]
    params: dict[str, Any]
    outputs: tuple[Var, ...]
    place: Place
    late: bool = False
    """Whether it is computed again for the step behind it, and begins a loop of its own."""

    @property
    def output(self) -> Var:
        """The only result."""
        return self.outputs[0]

    def __str__(self) -> str:
        told = [*map(repr, self.inputs), *(f"{k}={v!r:.40}" for k, v in self.params.items())]
        results = ", ".join(map(repr, self.outputs))
        first = self.output
        kind = f"{first.dtype or 'number'} {first.shape}"
        return f"{results} = {self.op.name}({', '.join(told)})".ljust(60) + f"  {kind}"


@dataclass(eq=False)
class Write:
    """A tensor that a call assigns: its value after the call, for the whole or the part `at`."""

    leaf: Any
    at: Any
    value: Var


@dataclass(eq=False)
class Program:
    """What a call computes.

    `numbers` are functions that Python calls before each run, in this order; each returns a dict
    whose entries are the variables with source "number".  `results` are what the call returns,
    `writes` what it assigns, `gradients` what it leaves in `.grad`.
    """

    steps: list[Step] = field(default_factory=list)
    given: list[Var] = field(default_factory=list)
    numbers: list[Any] = field(default_factory=list)
    results: list[Var] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    gradients: list[tuple[Any, Var | None]] = field(default_factory=list)
    checks: list[Var] = field(default_factory=list)
    """What must be finite or, if truth values, true: else the run counts for nothing."""
    shown: list[Var] = field(default_factory=list)
    """What lies in the same memory after each run, for who looks at it before the next."""
    backend: str = "numpy"
    """Where its arrays live."""
    count: int = 0

    @property
    def inputs(self) -> list[Var]:
        """What is given anew for each run: all that is given but constants."""
        return [var for var in self.given if var.source != "constant"]

    def outputs(self) -> Iterator[Var]:
        """What the caller gets: returned, left in `.grad` or assigned."""
        yield from self.results
        for _, gradient in self.gradients:
            if gradient is not None:
                yield gradient
        for write in self.writes:
            yield write.value

    def ends(self) -> Iterator[Var]:
        """All that somebody needs but the steps."""
        yield from self.outputs()
        yield from self.checks
        yield from self.shown

    def copy(self) -> Program:
        """The same program, to be changed without changing this one; they share variables."""
        return replace(
            self, steps=[replace(step) for step in self.steps], given=list(self.given),
            results=list(self.results), writes=[replace(write) for write in self.writes],
            gradients=list(self.gradients), checks=list(self.checks), shown=list(self.shown),
        )  # fmt: skip

    def new(
        self, shape: tuple[int, ...], dtype: str | None, source: str = "step", value: Any = None,
        example: Any = None,
    ) -> Var:  # fmt: skip
        """A variable that there was not yet."""
        if not self.count:
            known = [v.number for s in self.steps for v in (*s.inputs, *s.outputs)]
            self.count = 1 + max([v.number for v in self.given] + known, default=-1)
        self.count += 1
        return Var(self.count - 1, tuple(shape), dtype, source, value, example)

    def swap_ends(self, swapped: dict[Var, Var]) -> None:
        """What is returned, assigned or left in `.grad` is another variable now."""
        self.results = [swapped.get(v, v) for v in self.results]
        self.checks = [swapped.get(v, v) for v in self.checks]
        self.shown = [swapped.get(v, v) for v in self.shown]
        for write in self.writes:
            write.value = swapped.get(write.value, write.value)
        self.gradients = [(p, g if g is None else swapped.get(g, g)) for p, g in self.gradients]

    def made_by(self) -> dict[Var, Step]:
        """The step that computes each variable."""
        return {var: step for step in self.steps for var in step.outputs}

    def uses(self) -> dict[Var, list[Step]]:
        """The steps that read each variable."""
        found: dict[Var, list[Step]] = {}
        for step in self.steps:
            for var in dict.fromkeys(step.inputs):
                found.setdefault(var, []).append(step)
        return found

    def __str__(self) -> str:
        lines = [
            f"{var!r} = {var.source} {names_of(var)}".ljust(60)
            + f"  {var.dtype or 'number'} {var.shape}"
            for var in self.given
            if var.source != "constant" or var.shape
        ]
        lines += [f"{step}  {step.place}".rstrip() for step in self.steps]
        lines += [f"return {', '.join(map(repr, self.results))}"]
        lines += [f"{names_of_leaf(w.leaf)} ← {w.value!r}" for w in self.writes]
        return "\n".join(lines)


def names_of(var: Var) -> str:
    """How a variable from outside is called."""
    if var.source == "leaf":
        return names_of_leaf(var.value)
    if var.source == "number":
        return str(var.value[1])
    return str(var.value) if var.source == "argument" else ""


def names_of_leaf(leaf: Any) -> str:
    """A tensor by its name, else by its shape."""
    return leaf.name or f"tensor {tuple(leaf.shape)}"
