"""Whose a step is: the user's line that it comes from, the module, the names of its variables.

A gradient's step belongs where the operation stands whose gradient it is: the reverse pass runs
each rule in a scope of its own (see `reverse.py`).
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from .. import names, places
from ..node import Op, Scope
from .program import Place, Program, Step, Var

__all__ = ["Origin", "Words", "size"]


@dataclass(frozen=True)
class Origin:
    """Where a step comes from: "" is what nobody knows.

    `line` is the user's, as "train.py:12", and `text` what stands there; `module` is the module
    or function that was called, "0: Dense"; `gradient` says that it belongs to a gradient.
    """

    line: str = ""
    text: str = ""
    module: str = ""
    gradient: bool = False

    @property
    def what(self) -> str:
        """The module, or ∂ and the module for its gradient."""
        return f"∂ {self.module}".rstrip() if self.gradient else self.module


class Words:
    """The words for what is in a program as it was recorded, and in what was made of it.

    `arguments` are the names of the call's, in order, and `outside` those of the tensors that the
    function finds outside, by their identity.
    """

    def __init__(
        self,
        program: Program,
        arguments: Sequence[str] = (),
        outside: Mapping[int, str] | None = None,
    ) -> None:
        self.program, self.arguments, self.outside = program, arguments, outside or {}
        nodes = {var: _Node(var, arguments) for var in program.given}
        for step in program.steps:
            inputs = tuple([nodes[var] for var in step.inputs])
            for var in step.outputs:
                nodes[var] = _Node(var, arguments, step, inputs)
        # of a node they have what is asked for; that gradients or averages of a layer read a value
        # is no second use of it
        leading = _leading(program)
        found: list[Any] = [node for var, node in nodes.items() if var in leading]
        self._names = names.Names(found, None, [_called(s.place)[2] for s in program.steps])
        self._nodes = nodes
        self._owned = {v: v.value for v in program.given if v.source in ("leaf", "gradient")}

    def name(self, var: Var) -> str:
        """What the user calls a variable, or ""."""
        if var.source == "argument":
            return self._nodes[var].name or f"argument{var.value}"
        if var.source == "number":
            return str(var.value[1])
        if var in self._owned:
            mark = ".grad" if var.source == "gradient" else ""
            return f"{self.leaf(self._owned[var])}{mark}"
        node: Any = self._nodes.get(var)
        if var.source == "constant" or node is None or node.gradient:
            return ""
        return self._names.variable(node) or ""

    def leaf(self, leaf: Any) -> str:
        """A tensor that lives on between calls: as a parameter, by its name, or its variable."""
        known = self._names.given(leaf) or self.outside.get(id(leaf))
        return known or self._names.variable(leaf) or f"tensor {size(leaf.shape)}"

    def title(self, var: Var) -> str:
        """The user's name for a variable, else its number: %4."""
        return (self.name(var) if var.source != "constant" else "") or repr(var)

    def origin(self, step: Step) -> Origin:
        """Where a step comes from."""
        code, instruction, scope, gradient = _called(step.place)
        place: Any = Place(code, instruction, scope)
        line = names.where(place)
        return Origin(line, _text(place) if line else "", self._module(code, scope), gradient)

    def _module(self, code: CodeType | None, scope: Scope | None) -> str:
        """What was called: a module's path and class, else the function of ours."""
        if scope is not None:
            path = self._names.path(scope)
            return f"{path}: {scope.name}" if path else scope.name
        if code is None or not code.co_filename.startswith(names.HOUSE):
            return ""
        return re.sub(r"\W.*", "", code.co_qualname)


def _leading(program: Program) -> set[Var]:
    """What leads to the results of a call, such as a loss, and is no gradient."""
    gradients = {step for step in program.steps if _called(step.place)[3]}
    found = set(program.results or program.checks)
    if found <= {var for step in gradients for var in step.outputs}:
        found.update(var for step in gradients for var in step.inputs)
    for step in reversed(program.steps):
        if not found.isdisjoint(step.outputs) and step not in gradients:
            found.update(step.inputs)
    return found


class _Node:
    """A variable as `names` knows a node."""

    def __init__(
        self, var: Var, arguments: Sequence[str], step: Step | None = None, inputs: Any = ()
    ) -> None:
        self.inputs, self.raw = inputs, None
        self.op, self.code, self.instruction, self.scope = None, None, 0, None
        self.name = None
        self.gradient = False
        if var.source == "argument" and var.value < len(arguments):
            self.name = arguments[var.value]
        if step is not None:
            place = _called(step.place)
            self.gradient = place[3]
            if not self.gradient:
                self.op = step.op
                self.code, self.instruction, self.scope = place[:3]


def _called(place: Place) -> tuple[CodeType | None, int, Scope | None, bool]:
    """Code, instruction and scope of the operation that a step is part of, or is the gradient of;
    and which of the two."""
    code, instruction, scope, gradient = place.code, place.instruction, place.scope, False
    around = scope
    while around is not None:
        if isinstance(around.owner, Op):  # see `reverse.py`
            code, instruction = around.where or (None, 0)
            scope, gradient = around.parent, True
        around = around.parent
    return code, instruction, scope, gradient


def _text(place: Place) -> str:
    """The user's line, as it stands in the file."""
    wheres = [(place.code, place.instruction)] if place.code is not None else []
    scope = place.scope
    while scope is not None:
        wheres += [scope.where] if scope.where is not None else []
        scope = scope.parent
    for code, instruction in wheres:
        if code is not None and not code.co_filename.startswith(names.HOUSE):
            return linecache.getline(code.co_filename, places.line(code, instruction) or 0).strip()
    return ""


def size(shape: Sequence[int]) -> str:
    """A shape as people write it: 32×64, or "scalar"."""
    return "×".join(map(str, shape)) or "scalar"
