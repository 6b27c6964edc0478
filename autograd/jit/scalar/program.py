"""A function of `Value`s as a program: called once, then replayed on its tape."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from ... import names
from ...calls import flatten, rebuild
from ...node import Node
from ...value import Value
from ..errors import CaptureError
from .call import Run
from .machine import Machine
from .straighten import straighten
from .tape import Tape
from .watch import Watch

__all__ = ["ScalarProgram"]


class ScalarProgram:
    """What `function(*args)` computes with `Value`s, to be run again with other numbers.

    Among what lists, tuples and dicts in `args` hold, Values and floats may differ from run to
    run; all else is part of the program.  Values that the function finds outside are read anew
    in each run.  The Values that a run returns have a `backward()`, which is replayed too; one
    that the function calls itself is part of each run, and adds to the gradients of the leaves.

        program = ScalarProgram(loss, (x, y))
        program.run(x, y).backward()

    It runs as C or through NumPy: see `Machine`.  Sums and products are the function's own to
    the last bit, functions such as exp within some units in the last place.  Where a result or a
    gradient is not finite, it is computed once more as the function would, for the error.
    """

    def __init__(
        self, function: Callable[..., Any], args: Sequence[Any] = (), native: bool | None = None
    ) -> None:
        self.name = getattr(function, "__name__", "function")
        watch, tree = Watch(), list(args)
        given = [_stand_in(watch, i, x) for i, x in enumerate(flatten(tree))]
        with watch.watching():
            returned = function(*rebuild(tree, iter(given)))
        leaves = flatten(returned)
        results = [x for x in leaves if isinstance(x, Value)]
        self.tape = Tape(watch, [*results, *(root for _, root, _ in watch.passes)])
        self.kinds = [type(x.raw) for x in results]
        self.fixed = [None if isinstance(x, Value) else x for x in leaves]
        self.template = rebuild(returned, iter([0] * len(leaves)))
        """How what is returned is nested, and what of it is no Value."""

        self.line, number = straighten(self.tape)
        self.machine = Machine(self.line, native)
        self.roots = [number[root] for root in self.tape.roots]
        self.flows = [self.tape.flows[root] for root in self.tape.roots[: len(results)]]
        self.at = self.machine.places(self.roots[: len(results)])
        self.leaves = list(self.tape.leaves.values())
        """Values that live outside, and the places of arguments."""
        self.takes = any(isinstance(leaf, int) for leaf in self.leaves)
        self.wanted = [i for i, x in enumerate(self.tape.leaves) if self.tape.flows[x]]
        """The places of the leaves that have a gradient."""
        self.pulls: dict[tuple[int, ...], _Pull] = {}
        self.passes = [self._pass(watch, len(results) + i) for i in range(len(watch.passes))]
        self.forgotten = [watch.arguments.get(x, x) for x in watch.forgotten]
        self.loaded: Any = None
        """The leaves' numbers that the memory holds."""
        self.lock = threading.RLock()

    def _pass(self, watch: Watch, root: int) -> tuple[int, float, list[int]]:
        """A backward pass of each run: its root, the gradient of that, and who adds it up."""
        when, _, seed = watch.passes[root - len(self.flows)]
        gone = {watch.arguments.get(x, x) for x, since in watch.forgotten.items() if since > when}
        reached = self.tape.before(self.tape.roots[root])
        entries = list(self.tape.leaves)
        kept = [i for i in self.wanted if entries[i] in reached and self.leaves[i] not in gone]
        for i in kept:
            _outermost(self.leaves[i])
        return root, seed, kept

    # --- running ---

    def run(self, *args: Any) -> Any:
        """What the function returns for these arguments, nested as the first ones were."""
        return self(flatten(list(args)))

    def __call__(self, arguments: Sequence[Any] = ()) -> Any:
        """What the function returns; the arguments come as `flatten` gives them."""
        nodes: Sequence[Any] = self.leaves
        if self.takes:
            nodes = [_argument(arguments[x]) if isinstance(x, int) else x for x in nodes]
        raws = [x.raw for x in nodes]
        with self.lock:
            self._load(raws)
            values = self.machine.memory[self.at].tolist()
            found = [self.pull(raws, [root], [seed]) for root, seed, _ in self.passes]
        if not all(map(isfinite, values)):
            self._eager(raws)  # says what went wrong, unless that is what comes of the numbers
        for x in self.forgotten:
            (arguments[x] if isinstance(x, int) else x)._grad = None
        for (_, _, kept), gradients in zip(self.passes, found, strict=True):
            self._add(nodes, kept, gradients)
        values = [
            x if kind is float else kind(x) for kind, x in zip(self.kinds, values, strict=True)
        ]
        results = iter(Run(self, raws).results(values, [nodes[i] for i in self.wanted]))
        filled = [next(results) if x is None else x for x in self.fixed]
        return filled[0] if self.template == 0 else rebuild(self.template, iter(filled))

    def _add(self, nodes: Sequence[Any], kept: Sequence[int], gradients: Sequence[float]) -> None:
        """Add gradients to those that the leaves have, as `backward` does."""
        at = dict(zip(self.wanted, gradients, strict=True))
        for i in kept:
            x = nodes[i]
            if self.takes:
                _outermost(x)
            x._grad = at[i] if x._grad is None else x._grad + at[i]

    def _load(self, raws: Sequence[Any]) -> None:
        """Bring the memory to where it is after a run with these numbers."""
        if self.loaded is not raws:
            self.machine.write(raws)
            self.machine.run(0)
            self.loaded = raws

    def pull(self, raws: Sequence[Any], roots: Sequence[int], gs: Sequence[float]) -> list[float]:
        """The gradients of the wanted leaves, given those of some roots, of the run with `raws`."""
        key = tuple(roots)
        with self.lock:
            pull = self.pulls.get(key)
            if pull is None:
                pull = self.pulls[key] = _Pull(self, key)
            self._load(raws)
            self.machine.memory[pull.seeds] = gs
            self.machine.run(pull.number)
            found: list[float] = self.machine.memory[pull.gradients].tolist()
        if not isfinite(sum(found)):
            outputs = self._eager(raws)
            for root, g in zip(roots, gs, strict=True):
                outputs[root].backward(g)  # says where a slope is infinite, if one is
        return found

    def _eager(self, raws: Sequence[Any]) -> list[Value]:
        """The roots as the function computes them, from leaves that are called as its own are."""
        points = [Value(raw) for raw in raws]
        for point, leaf in zip(points, self.leaves, strict=True):
            if isinstance(leaf, Node):
                point.code, point.instruction, point.extra = leaf.code, leaf.instruction, leaf.extra
        return self.tape.eager(points)


class _Pull:
    """A backward pass from these roots: where it begins and ends in the machine's memory."""

    def __init__(self, program: ScalarProgram, roots: Sequence[int]) -> None:
        line, machine = program.line, program.machine
        zero = line.constant(0.0)
        seeds, found = line.gradients([program.roots[i] for i in roots], program.wanted)
        self.number = machine.append()
        self.seeds = machine.places(seeds)
        self.gradients = machine.places([zero if g is None else g for g in found])


class _Leaf:
    """A number among the arguments of a run, where a Value could be."""

    __slots__ = ("raw",)

    def __init__(self, raw: float) -> None:
        self.raw = raw


def _argument(x: Any) -> Any:
    return x if isinstance(x, Value) else _Leaf(x)


def _stand_in(watch: Watch, i: int, x: Any) -> Any:
    """What the function is given for an argument: a leaf, if that is a number."""
    if not isinstance(x, (Value, float)):
        if isinstance(x, Node) or hasattr(x, "dtype"):
            raise CaptureError(
                f"jit: argument {i} is a {type(x).__name__}. A function of Values takes Values and "
                "floats: pass x.tolist(), or compute with tensors."
            )
        return x
    leaf = Value.of(x.raw if isinstance(x, Value) else x)
    if isinstance(x, Value):
        leaf.requires_grad, leaf.extra = x.requires_grad, x.extra
        leaf.code, leaf.instruction = x.code, x.instruction
    watch.arguments[leaf] = i
    return leaf


def _outermost(x: Any) -> None:
    """Refuse a leaf that was itself computed, where only leaves get a gradient."""
    if isinstance(x, Node) and x.op is not None:
        raise CaptureError(
            f"jit: a backward() inside of the function reaches {names.describe(x)}, which was "
            "computed outside, and would have to go on there. Return the loss, and call "
            "backward() on that."
        )
