"""A program bound to the tensors it reads and assigns, ready to be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..calls import rebuild
from ..node import tick
from ..tensor import Tensor
from .capture import SLOT, Capture
from .program import Program

__all__ = ["Bound"]


class Bound:
    """One specialisation of a function: its program, and how to run it.

    `fits()` tells whether what the program takes for granted still holds: the tensors it reads
    have the arrays they had, and what a recording said that it depends on has not changed.
    """

    def __init__(self, capture: Capture, program: Program, make: Callable[[Program], Any]) -> None:
        self.program, self.template = program, capture.template
        self.guards = capture.guards
        self.runner = make(program)
        self.kind: str = self.runner.kind
        held = [(v.value, v.value.raw) for v in program.given if v.source == "leaf"]
        held += [(w.leaf, w.leaf.raw) for w in program.writes]
        self.leaves = list({id(leaf): (leaf, raw) for leaf, raw in held}.values())
        self.needs = [(leaf, leaf.requires_grad) for leaf, _ in self.leaves]
        read = {v.value for v in program.given if v.source == "gradient"}
        self.gradients = [
            (leaf, leaf in read) for leaf, had in capture.before.items() if leaf in read or had is None
        ]
        self.given = [(v.source, v.value) for v in program.inputs]
        self.results = len(program.results)

    def fits(self) -> bool:
        """Whether the program may be run."""
        for leaf, raw in self.leaves:
            if leaf.raw is not raw:
                return False
        for leaf, needs in self.needs:
            if leaf.requires_grad is not needs:
                return False
        for leaf, read in self.gradients:
            if (leaf._grad is not None) is not read:
                return False
        return all([guard() for guard in self.guards])

    def __call__(self, arguments: list[Any]) -> Any:
        """What the function returns for these raw arguments; what it assigns is assigned."""
        numbers = [compute() for compute in self.program.numbers]
        values = []
        for source, value in self.given:
            if source == "argument":
                values.append(arguments[value])
            elif source == "leaf":
                values.append(value.raw)
            elif source == "number":
                values.append(numbers[value[0]][value[1]])
            elif source == "gradient":
                values.append(getattr(value._grad, "raw", value._grad))
        found = iter(self.runner.run(values))
        results = [Tensor.of(next(found)) for _ in range(self.results)]
        for write in self.program.writes:
            write.leaf.order = tick()
        for leaf, gradient in self.program.gradients:
            leaf._grad = None if gradient is None else next(found)
        rest = iter(results)
        return _filled(self.template, rest)


def _filled(template: Any, results: Any) -> Any:
    """What the function returned, with these tensors in the places of the first call's."""
    if template is SLOT:
        return next(results)
    leaves: list[Any] = []

    def collect(tree: Any) -> None:
        if isinstance(tree, dict):
            for branch in tree.values():
                collect(branch)
        elif isinstance(tree, (list, tuple)):
            for branch in tree:
                collect(branch)
        elif tree is not None:
            leaves.append(next(results) if tree is SLOT else tree)

    collect(template)
    return rebuild(template, iter(leaves))
