"""What a capture has seen becomes a program: nodes are steps, and data from outside variables.

A leaf may have been assigned in between, as a whole or in part, and tensors may share memory: what
is read is what stood there at that moment of the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends import namespaces, python

from .. import names
from ..dtypes import name_of
from ..node import Node, history, tick
from ..ops.index import getitem
from ..ops.shape import reshape
from ..several import Bundle, part
from ..tensor import Tensor
from .errors import CaptureError
from .program import Place, Program, Step, Var, Write

if TYPE_CHECKING:
    from .capture import Capture

__all__ = ["Reader"]


class Reader:
    """Turns the nodes of a capture into the steps of a program."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.program = program = Program(numbers=capture.hosts)
        self.vars: dict[Any, Var] = {}
        self.homes: set[str] = set()
        self.raws: dict[int, Var] = {}
        """The variable of each array, for tensors that are made of another's array."""
        self.count = 0
        results = [x for x in capture.returned if isinstance(x, Tensor)]
        gradients = [(leaf, g) for leaf, g in capture.gradients]
        wanted: list[Node] = [*results, *(value for _, _, _, value in capture.assigned)]
        wanted += capture.finite + capture.shown
        wanted += [g for _, g in gradients if isinstance(g, Node)]
        wanted += capture.copies.values()
        for node in reversed(history(*wanted) if wanted else []):
            if node.op is not None and node.op is not part:
                self._step(node)
        end = tick()
        program.results = [self._read(x, end) for x in results]
        program.checks = [self._read(x, end) for x in capture.finite]
        program.shown = [self._read(x, end) for x in capture.shown]
        program.gradients = [
            (leaf, self._read(g, end) if isinstance(g, Node) else None) for leaf, g in gradients
        ]
        for i, (moment, leaf, at, value) in enumerate(capture.assigned):
            later = [e for e in capture.assigned[i + 1 :] if e[1].raw is leaf.raw]
            if any(e[2] is ... for e in later):
                continue  # assigned as a whole again: nobody sees this one
            before = [e for e in capture.assigned[:i] if e[1].raw is leaf.raw]
            others = [e[2] for e in (*before, *later) if e[2] is not ...]
            mixed = at is not ... and len(others) < len(before)
            if mixed or any(_share(leaf.raw[at], leaf.raw[other]) for other in others):
                raise CaptureError(
                    f"jit: {names.describe(leaf)} is assigned in parts, more than once in a call"
                )
            program.writes.append(Write(leaf, at, self._read(value, moment)))

    def _new(
        self, shape: Any, dtype: Any, source: str, value: Any = None, example: Any = None
    ) -> Var:
        self.count += 1
        return Var(self.count - 1, tuple(shape), dtype, source, value, example)

    def _step(self, node: Node) -> None:
        assert node.op is not None
        inputs = tuple([self._read(x, node.order) for x in node.inputs])
        raws = node.raw if isinstance(node, Bundle) else (node.raw,)
        self._live(raws)
        outputs = tuple([self._new(*_kind(raw), "step", None, _example(raw)) for raw in raws])
        self.vars[node] = outputs[0]
        self.raws.update({id(raw): var for raw, var in zip(raws, outputs, strict=True)})
        if isinstance(node, Bundle):
            self.vars.update({(node, i): var for i, var in enumerate(outputs)})
        place = Place(node.code, node.instruction, node.scope)
        self.program.steps.append(Step(node.op, inputs, node.params, outputs, place))

    def _read(self, node: Node, when: int) -> Var:
        """The variable that a node is at that time: a leaf may have been assigned before."""
        if node.op is part:
            return self.vars[node.inputs[0], node.params["index"]]
        if node.op is not None:
            return self.vars[node]
        found: Var | None = None
        for moment, leaf, at, value in self.capture.assigned:
            if moment >= when:
                break
            if leaf is node and at is ...:
                found = self._read(value, moment)
            elif _overlap(leaf, node):
                found = self._part_of(leaf, at, value, moment, node) or found
        return self._given(node) if found is None else found

    def _part_of(self, leaf: Node, at: Any, value: Node, when: int, node: Node) -> Var | None:
        """What a tensor is whose memory lies within that of another, which was assigned; None
        where it lies beside the part that was."""
        whole = leaf.raw if at is ... else leaf.raw[at]
        if not _share(whole, node.raw):
            return None
        start, left = divmod(_address(node.raw) - _address(whole), node.raw.itemsize)
        inside = start >= 0 and start + node.raw.size <= whole.size and not left
        packed = whole.flags.c_contiguous and node.raw.flags.c_contiguous
        var = self._read(value, when)
        if not (inside and packed) or var.dtype is None or whole.dtype != node.raw.dtype:
            raise CaptureError(
                f"jit: {names.describe(node)} is read after a part of its memory was assigned"
            )
        place = Place(leaf.code, leaf.instruction, leaf.scope)
        piece = (slice(start, start + node.raw.size),)
        for op, params, shape in (
            (reshape, {"shape": (whole.size,)}, (whole.size,)),
            (getitem, {"pattern": piece}, (node.raw.size,)),
            (reshape, {"shape": node.raw.shape}, node.raw.shape),
        ):
            made = self._new(shape, var.dtype, "step")
            self.program.steps.append(Step(op, (var,), params, (made,), place))
            var = made
        return var

    def _live(self, raws: tuple[Any, ...]) -> None:
        """Note where arrays live; a program is for one place."""
        for raw in raws:
            xp = namespaces[type(raw)]
            if xp is python:
                continue
            self.homes.add(xp.name)
            if len(self.homes) > 1:
                raise CaptureError(
                    f"jit: arrays of {' and '.join(sorted(self.homes))} in one function. "
                    "Move them to one backend before: x.to(…)."
                )
            self.program.backend = xp.name

    def _given(self, node: Node) -> Var:
        if node in self.vars:
            return self.vars[node]
        capture, kind = self.capture, _kind(node.raw)
        if node in capture.copies:
            return self.vars[capture.copies[node]]
        if node in capture.arguments:
            var = self._new(*kind, "argument", capture.arguments[node], _example(node.raw))
        elif node in capture.numbers:
            var = self._new(*kind, "number", capture.numbers[node], node.raw)
        elif any(leaf is node for _, leaf, _, _ in capture.assigned):
            var = self._new(*kind, "leaf", node)
        elif any(g is node for g in capture.before.values()):
            owner = next(leaf for leaf, g in capture.before.items() if g is node)
            var = self._new(*kind, "gradient", owner)
        elif node.order < capture.start:
            var = self._new(*kind, "leaf", node)
        elif kind[1] is not None and id(node.raw) in self.raws:
            return self.raws[id(node.raw)]
        else:
            var = self._new(*kind, "constant", node.raw, _example(node.raw))
        self.vars[node] = var
        if kind[1] is not None:
            self.raws[id(node.raw)] = var
        self.program.given.append(var)
        return var


def _example(raw: Any) -> Any:
    """A computed Python number, for its type; of an array, nothing."""
    return raw if namespaces[type(raw)] is python else None


def _kind(raw: Any) -> tuple[tuple[int, ...], str | None]:
    """Shape and dtype of raw data."""
    if namespaces[type(raw)] is python:
        return (), None
    return tuple(raw.shape), name_of(raw.dtype)


def _overlap(a: Node, b: Node) -> bool:
    """Whether two tensors share memory."""
    return a is b or _share(a.raw, b.raw)


def _share(a: Any, b: Any) -> bool:
    """Whether two arrays share memory."""
    if namespaces[type(a)] is python or type(a) is not type(b):
        return False
    return bool(namespaces[type(a)].may_share_memory(a, b))


def _address(raw: Any) -> int:
    """Where in memory an array begins."""
    start: int = raw.__array_interface__["data"][0]
    return start
