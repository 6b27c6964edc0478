"""A program bound to the tensors it reads and assigns, ready to be called.

What is done per call besides the work itself is written as straight Python, like the functions
that record: check that the program still holds, hand over pointers and numbers, wrap results.
`print(inspect.getsource(step.call))` shows it.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from itertools import combinations, count, islice
from typing import Any

from backends import numpy as np

from ..node import tick
from ..tensor import Tensor
from .capture import SLOT, Capture
from .program import Program

__all__ = ["FAILED", "MISS", "Bound"]

MISS, FAILED = object(), object()
"""What a call returns where the program does not hold for it, or where it found that the data are
wrong, such as an index out of range: nothing has been assigned."""

_numbers = count()


class Bound:
    """One specialisation of a function: its program, and how to run it.

    `call(leaves)` takes what the structure of arguments holds, and returns what the function
    would, or `MISS`: where a tensor has other data, shape or dtype than was recorded, or what a
    recording said that it depends on has changed.
    """

    def __init__(self, capture: Capture, program: Program, make: Callable[[Program], Any]) -> None:
        self.outside: list[Any] = []
        """What the function found outside, kept alive: it is known by its id."""
        self.program, self.template, self.guards = program, capture.template, capture.guards
        self.runner = make(program.copy())
        self.kind: str = self.runner.kind
        shown = iter(self.runner.shown)
        for tell, n in capture.lookers:
            tell(list(islice(shown, n)))
        read = {v.value for v in program.given if v.source == "gradient"}
        self.gradients = [
            (leaf, leaf in read)
            for leaf, before in capture.before.items()
            if capture.lives(leaf) and (leaf in read or before is None)
        ]  # fmt: skip
        self.names: dict[str, Any] = {
            "MISS": MISS, "FAILED": FAILED, "Tensor": Tensor, "tick": tick, "run": self.runner.run,
            "template": capture.template, "filled": _filled, "asarray": np.asarray,
        }  # fmt: skip
        text = "\n".join(["def call(leaves):", *self._checks(capture), *self._work(capture)]) + "\n"
        filename = f"<call {next(_numbers)}>"
        linecache.cache[filename] = len(text), None, text.splitlines(True), filename
        exec(compile(text, filename, "exec"), self.names)
        self.call: Callable[[Sequence[Any]], Any] = self.names["call"]

    def _checks(self, capture: Capture) -> list[str]:
        """Lines that return MISS where the program does not hold."""
        lines = [f"    if len(leaves) != {len(capture.leaves)}: return MISS"]
        for i, kind in capture.kinds.items():
            given = f"leaves[{i}]"
            if kind.array is np.ndarray and not kind.is_tensor:  # or a number of NumPy's
                given = f"{given} if leaves[{i}].__class__ is c{i} else asarray({given})"
            lines.append(f"    x{i} = {given}{'.raw' if kind.is_tensor else ''}")
            if kind.dtype is None:
                continue
            self.names |= {f"d{i}": kind.dtype, f"c{i}": kind.array}
            lines.append(
                f"    if x{i}.shape != {kind.shape} or x{i}.dtype is not d{i} "
                f"or x{i}.__class__ is not c{i}: return MISS"
            )
            if kind.is_tensor:
                told = capture.leaves[i].requires_grad
                lines.append(f"    if leaves[{i}].requires_grad is not {told}: return MISS")
        held = [v.value for v in self.program.given if v.source == "leaf"]
        held += [w.leaf for w in self.program.writes]
        for i, leaf in enumerate({id(x): x for x in held}.values()):
            self.names |= {f"p{i}": leaf, f"r{i}": leaf.raw}
            lines.append(
                f"    if p{i}.raw is not r{i} or p{i}.requires_grad is not {leaf.requires_grad}: "
                "return MISS"
            )
        lines += self._sharing(capture)
        for i, (leaf, reads) in enumerate(self.gradients):
            owner = self._owner(capture, leaf, f"q{i}")
            lines.append(f"    if {owner}._grad is {'None' if reads else 'not None'}: return MISS")
        learning = [capture.arguments[x] for x in capture.before if x in capture.arguments]
        for i, k in combinations(learning, 2):
            lines.append(f"    if leaves[{i}] is leaves[{k}]: return MISS")
        for i, guard in enumerate(self.guards):
            self.names[f"holds{i}"] = guard
            lines.append(f"    if not holds{i}(): return MISS")
        return lines

    def _sharing(self, capture: Capture) -> list[str]:
        """Lines that return MISS where an argument shares memory with what is assigned, and did
        not in the recording, or the other way round."""
        lines = []
        for w in {id(w.leaf): w.leaf for w in self.program.writes}.values():
            for i, kind in capture.kinds.items():
                given = capture.leaves[i]
                raw = given.raw if isinstance(given, Tensor) else given
                if kind.array is np.ndarray and np.may_share_memory(raw, w.raw):
                    self.names[f"a{i}"] = raw
                    lines.append(f"    if x{i} is not a{i}: return MISS")
                elif w in capture.arguments and kind.dtype is not None:
                    lines.append(f"    if x{i} is x{capture.arguments[w]}: return MISS")
        return lines

    def _owner(self, capture: Capture, leaf: Any, name: str) -> str:
        """How the call names a tensor that has a gradient: an argument is another in each call."""
        if leaf in capture.arguments:
            return f"leaves[{capture.arguments[leaf]}]"
        self.names[name] = leaf
        return name

    def _work(self, capture: Capture) -> list[str]:
        """Lines that run the program."""
        lines, given = [], []
        for i, host in enumerate(self.program.numbers):
            self.names[f"host{i}"] = host
            lines.append(f"    n{i} = host{i}()")
        for i, var in enumerate(self.runner.inputs):
            if var.source == "argument":
                given.append(f"x{var.value}")
            elif var.source == "number":
                given.append(f"n{var.value[0]}[{var.value[1]!r}]")
            elif var.source == "leaf":
                self.names[f"g{i}"] = var.value
                given.append(f"g{i}.raw")
            else:
                given.append(f"{self._owner(capture, var.value, f'g{i}')}.grad.raw")
        results = [f"z{i}" for i in range(len(self.program.results))]
        kept = [
            (leaf, None if g is None else f"h{i}")
            for i, (leaf, g) in enumerate(self.program.gradients)
        ]
        out = results + [name for _, name in kept if name is not None]
        lines.append("    try:")
        lines.append(f"        made = run(({', '.join(given)}{',' * bool(given)}))")
        lines.append("    except (IndexError, ArithmeticError, ValueError):  # of what NumPy does")
        lines.append("        made = None  # the call as it stands, which comes next, tells it")
        lines.append("    if made is None:")
        lines += [f"        host{i}.undo()" for i in range(len(self.program.numbers))]
        lines.append("        return FAILED")
        lines += [f"    {', '.join(out)}, = made"] if out else []
        for i, write in enumerate(self.program.writes):
            self.names[f"w{i}"] = write.leaf
            lines.append(f"    w{i}.order = tick()")
        for i, (leaf, name) in enumerate(kept):
            lines.append(f"    {self._owner(capture, leaf, f'l{i}')}._grad = {name}")
        made = [f"Tensor.of({z})" for z in results]
        if self.template is SLOT:
            lines.append(f"    return {made[0]}")
        elif type(self.template) is tuple and all(x is SLOT for x in self.template):
            lines.append(f"    return {', '.join(made)},")
        else:
            tensors = f"({', '.join(made)}{',' * bool(made)})"
            lines.append(f"    return filled(template, iter({tensors}))")
        return lines


def _filled(template: Any, results: Any) -> Any:
    """What the function returned, with these tensors in the places of the first call's."""
    if template is SLOT:
        return next(results)
    if isinstance(template, dict):
        return {key: _filled(branch, results) for key, branch in template.items()}
    if isinstance(template, (list, tuple)):
        branches = [_filled(branch, results) for branch in template]
        return (
            type(template)(*branches) if hasattr(template, "_fields") else type(template)(branches)
        )
    return template
