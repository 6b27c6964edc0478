"""From steps to kernels: what runs in one loop, what has a kernel of its own, what NumPy does.

Steps are taken in their order.  One that fits the loop of what it is computed from joins it, and
loops whose results only that one needs are drawn into it.  Views cost nothing.  What is put one
behind the other in memory (the gradients of all parameters, for the optimizer) is computed in its
place there, and what is assigned is computed in the memory of the tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from backends import numpy as np

from ..dtypes import name_of
from ..node import Op
from . import kernels  # noqa: F401  # which registers what it writes
from .kernel import LOWERED, Kernel, Operand, Request, Target
from .layout import Buffer, View, packed_strides, viewed
from .loops import REDUCTIONS, Plan, access, is_loop, plan, reduced_axes
from .program import Place, Program, Step, Var, Write

__all__ = ["PLAIN", "Call", "Fill", "Host", "Loop", "Schedule"]

PLAIN = frozenset(
    """float32 float64 bool int8 int16 int32 int64 uint8 uint16 uint32 uint64""".split()
)
"""Dtypes that C computes with; steps with others are left to NumPy."""


@dataclass(eq=False)
class Loop:
    """Steps in one loop (see `loops.py`)."""

    steps: list[Step]
    plan: Plan
    outputs: list[Var] = field(default_factory=list)
    """What of it lies in memory."""
    closed: bool = False
    """A copy into a part of something larger, which is read by another name."""

    def reads(self) -> list[Var]:
        return [v for s in self.steps for v in s.inputs if v.dtype is not None]


@dataclass(eq=False)
class Call:
    """A step with a kernel of its own."""

    step: Step
    kernel: Kernel
    inputs: list[View]

    def reads(self) -> list[Var]:
        return [v for v in self.step.inputs if v.dtype is not None]


@dataclass(eq=False)
class Host:
    """A step that Python computes, with NumPy."""

    step: Step

    def reads(self) -> list[Var]:
        return [v for v in self.step.inputs if v.dtype is not None]


@dataclass(eq=False)
class Fill:
    """Memory set to one number."""

    view: View
    value: float

    def reads(self) -> list[Var]:
        return []


class Schedule:
    """What runs, in order, and where every variable lies.

    `given` are the buffers that are no temporaries, `numbers` the steps that compute with Python
    numbers alone, which come first.
    """

    def __init__(self, program: Program, target: Target) -> None:
        self.program, self.target = program, target
        self.order: list[Any] = []
        self.place: dict[Var, int] = {}
        """The place in `order` at which a variable is computed; none for what is given."""
        self.views: dict[Var, View] = {}
        self.base: dict[Var, Var] = {}
        """A variable that is a view of another → that other one."""
        self.numbers: list[Step] = []
        self.given: list[Buffer] = []
        self.results: dict[Var, Buffer] = {}
        self.assigned: dict[Buffer, None] = {}
        """Memory of others that is written."""
        for var in program.given:
            self._given(var)
        self.uses = program.uses()
        self._place_results()
        self._place_together()
        for step in program.steps:
            self._take(step)
        for var in self.ends:
            if var not in self.results:
                self._copy(var, View.whole(self._buffer("result", var), var.shape))
                self.results[var] = self.given[-1]
        for var in program.checks:
            self.view(var)
        self.commit = self._last_check() + 1
        """The place from which on memory of others may be written: all checks have been made."""
        for write in self._disentangled(program.writes):
            self._store(write)
        self._tidy()

    # --- memory ---

    def _buffer(self, kind: str, var: Var, owner: Any = None) -> Buffer:
        buffer = Buffer(kind, var.dtype or "float64", var.size, owner)
        if kind != "temporary":
            buffer.order = len(self.given)
            self.given.append(buffer)
        return buffer

    def _given(self, var: Var) -> None:
        """Where a variable from outside lies."""
        if var.dtype is None:
            return
        strides, owner = packed_strides(var.shape), var.value
        if var.source == "leaf":
            strides = _strides(var.value.raw)
        elif var.source == "constant":
            owner = np.ascontiguousarray(var.value).reshape(var.shape)
        self.views[var] = View(self._buffer(var.source, var, owner), 0, var.shape, strides)

    def _place_results(self) -> None:
        """What the call returns is computed in arrays that are made for it."""
        self.ends = [*self.program.results]
        self.ends += [g for _, g in self.program.gradients if g is not None]
        self.ends = list(dict.fromkeys(self.ends))
        made = self.program.made_by()
        for var in self.ends:
            if var in made and not _may_alias(made[var]) and var.dtype is not None:
                self.results[var] = self._buffer("result", var)
                self.views[var] = View.whole(self.results[var], var.shape)

    def _place_together(self) -> None:
        """Give what is concatenated its place in the result, where that is one stretch of it."""
        made = self.program.made_by()
        for step in self.program.steps:
            z = step.output
            if step.op.name != "concatenate" or z.dtype not in PLAIN:
                continue
            axis = step.params["axis"] % len(z.shape)
            if math.prod(z.shape[:axis]) != 1:
                continue
            buffer, start = self.view(z).buffer, 0
            for x in step.inputs:
                source = x
                while source in made and made[source].op.name in ("reshape", "identity", "detach"):
                    source = made[source].inputs[0]
                free = source in made and source not in self.views and not _may_alias(made[source])
                if free and source.dtype == z.dtype:
                    self.view(source).buffer.within = buffer, start
                start += x.size

    def view(self, var: Var) -> View:
        """Where a variable lies; it is given a buffer if it has none yet."""
        if var not in self.views:
            self.views[var] = View.whole(self._buffer("temporary", var), var.shape)
        return self.views[var]

    def at(self, var: Var) -> int:
        """The place at which a variable is computed; -1 for what is given."""
        return self.place.get(self.base.get(var, var), -1)

    # --- one step after the other ---

    def _take(self, step: Step) -> None:
        if all(var.dtype is None for var in step.outputs):
            self.numbers.append(step)
            return
        if self._is_view(step):
            return
        kinds = {v.dtype for v in (*step.inputs, *step.outputs) if v.dtype is not None}
        arrays = [v for v in (*step.inputs, *step.outputs) if v.dtype is not None]
        if kinds <= PLAIN and all(v.size for v in arrays):
            name = step.op.name
            if is_loop(step) and (self._join(step) or self._reduce(step)):
                return
            if name == "concatenate":
                self._concatenate(step)
                return
            if name in ("putitem", "pad") and len(step.inputs) == 1:
                self._put(step)
                return
            if self._call(step) or self._move(step):
                return
        for var in (*step.inputs, *step.outputs):
            if var.dtype is not None:
                self.view(var)
        self._add(Host(step), *step.outputs)

    def _add(self, kind: Any, *outputs: Var) -> None:
        self.order.append(kind)
        for var in outputs:
            self.place[var] = len(self.order) - 1

    def _is_view(self, step: Step) -> bool:
        """Whether the result is a view of the operand, which then needs no work."""
        x, z = step.inputs[0] if step.inputs else step.output, step.output
        if not _may_alias(step) or z in self.views:
            return False
        made = viewed(step, self.view(x))
        if made is None:
            return False
        self.views[z], self.base[z] = made, self.base.get(x, x)
        return True

    def _join(self, step: Step) -> bool:
        """Put a step into the loop of what it is computed from, or into a new one."""
        for var in step.inputs:
            if var.dtype is not None:
                self.view(var)
        last = max([self.at(v) for v in step.inputs], default=-1)
        if last >= 0 and self._is_open(last) and not step.late:
            loop = self.order[last]
            found = self._planned([*loop.steps, step], last)
            if found is not None:
                loop.steps.append(step)
                loop.plan = found
                self.place[step.output] = last
                self._draw_in(last, step)
                return True
        found = self._planned([step], len(self.order))
        if found is None:
            return False
        self._add(Loop([step], found), step.output)
        self._draw_in(len(self.order) - 1, step)
        return True

    def _is_open(self, place: int) -> bool:
        """Whether there is a loop at this place that others may join."""
        return isinstance(self.order[place], Loop) and not self.order[place].closed

    def _planned(self, steps: list[Step], place: int) -> Plan | None:
        """The plan for a loop at this place, if what it reads is there by then."""
        own = {step.output for step in steps}
        for step in steps:
            for var in step.inputs:
                if self.base.get(var, var) not in own and self.at(var) >= place:
                    return None
        return plan(steps, self.views, self.base)

    def _reduce(self, step: Step) -> bool:
        """A reduction along axes that lie apart: those that stay are moved to the front."""
        if step.op.name not in REDUCTIONS:
            return False
        x, gone = step.inputs[0], reduced_axes(step)
        axes = (*[i for i in range(len(x.shape)) if i not in gone], *gone)
        moved = self.program.new(tuple([x.shape[i] for i in axes]), x.dtype)
        self._is_view(Step(TRANSPOSE, (x,), {"axes": axes}, (moved,), step.place))
        last = tuple(range(len(axes) - len(gone), len(axes)))
        small = Step(step.op, (moved,), {"axis": last, "keepdims": False}, step.outputs, step.place)
        if self._join(small):
            return True
        self._copy(moved, View.whole(self._buffer("temporary", moved), moved.shape))
        small.inputs = (self.order[-1].steps[0].output,)
        return self._join(small)

    def _draw_in(self, place: int, step: Step) -> None:
        """Draw loops into this one whose results nobody else has asked for so far."""
        for var in step.inputs:
            at = self.at(var)
            if at < 0 or at == place or not self._is_open(at):
                continue
            other, loop = self.order[at], self.order[place]
            own = {s.output for s in other.steps}
            if self.base.get(var, var) not in own:  # it was put together there, of several
                continue
            between = [v for kind in self.order[at + 1 : place] for v in kind.reads()]
            if any(self.base.get(v, v) in own for v in between):
                continue
            pieces = [b for v in own if v in self.views and (b := self.views[v].buffer).within]
            between += [v for v in loop.reads() if self.base.get(v, v) not in own]
            if any(self._lies_in(v, pieces) for v in between):
                continue  # as a part of something larger it is asked for
            found = self._planned([*other.steps, *loop.steps], place)
            if found is None:
                continue
            loop.steps[:0] = other.steps
            loop.plan = found
            other.steps = []
            joined = [v for v, k in self.place.items() if k < place and self._lies_in(v, pieces)]
            for drawn in (*own, *joined):
                self.place[drawn] = place

    def _lies_in(self, var: Var, pieces: list[Buffer]) -> bool:
        """Whether a variable has elements in any of these stretches of memory."""
        view = self.views.get(var)
        return view is not None and any(_meet(view.buffer, piece) for piece in pieces)

    # --- what is no loop ---

    def _call(self, step: Step) -> bool:
        """A kernel of its own; operands are copied into one piece where it asks for that."""
        write = LOWERED.get(step.op.name)
        if write is None:
            return False
        if step.op.name in HEADS:
            self._join_heads(step)
        arrays = [v for v in step.inputs if v.dtype is not None]
        outputs = tuple([self.view(v).operand for v in step.outputs])
        for pack in (False, True):
            operands = tuple([
                Operand((), "number", ()) if v.dtype is None
                else View.whole(self.view(v).buffer, v.shape).operand if pack
                else self.view(v).operand
                for v in step.inputs
            ])  # fmt: skip
            kernel = write(Request(step.op.name, operands, outputs, step.params), self.target)
            if kernel is not None:
                break
        else:
            return False
        inputs = []
        for var in arrays:
            view = self.view(var)
            if pack and not view.contiguous:
                piece = Var(-1, var.shape, var.dtype, "step")
                view = self._copy(var, View.whole(self._buffer("temporary", piece), var.shape))
            inputs.append(view)
        if kernel.kept is not None:
            for var, shape in zip(step.outputs[len(step.op.outputs) :], kernel.kept, strict=True):
                var.shape = shape
                self.views[var] = View.whole(self._buffer("temporary", var), shape)
        self._add(Call(step, kernel, inputs), *step.outputs)
        return True

    def _join_heads(self, step: Step) -> None:
        """Lay the results of attention (B, H, T, D) out as (B, T, H, D), where they are read so."""
        for var in step.outputs:
            readers = [s for s in self.uses.get(var, ()) if s.op.name not in HEADS]
            joined = all(s.op is TRANSPOSE and s.params["axes"] == JOINED for s in readers)
            if len(var.shape) == 4 and readers and joined and var not in self.views:
                _, h, t, d = var.shape
                buffer = self._buffer("temporary", var)
                self.views[var] = View(buffer, 0, var.shape, (t * h * d, d, h * d, 1))

    def _move(self, step: Step) -> bool:
        """A view that cannot be one, since elements must move, such as a reshape of a transpose."""
        if step.op.name != "reshape":
            return False
        x, z = step.inputs[0], step.output
        copy = Var(-1, x.shape, x.dtype, "step")
        self.views[copy] = View.whole(self.view(z).buffer, x.shape)
        self.base[z] = copy
        return self._join(Step(IDENTITY, (x,), {}, (copy,), step.place))

    def _copy(self, var: Var, view: View) -> View:
        """A copy of a variable at that place; the place."""
        copy = Var(-1, view.shape, view.buffer.dtype, "step")
        self.view(var)
        self.views[copy] = view
        step = Step(IDENTITY, (var,), {}, (copy,), Place(None, 0, None))
        if copy.dtype not in PLAIN:
            self._add(Host(step), copy)
            return view
        found = self._planned([step], len(self.order))
        assert found is not None, f"{step} is no loop"
        self._add(Loop([step], found, [copy], closed=True), copy)
        return view

    def _concatenate(self, step: Step) -> None:
        """Operands that do not lie in their place yet are copied there."""
        z = step.output
        view = self.view(z)
        axis, start = step.params["axis"] % len(z.shape), 0
        for x in step.inputs:
            offset = view.offset + start * view.strides[axis]
            part = View(view.buffer, offset, x.shape, view.strides)
            start += x.shape[axis]
            mine = self.view(x)
            if _root(mine) != _root(part) or not mine.contiguous:
                self._copy(x, part)
        self.place[z] = len(self.order) - 1

    def _put(self, step: Step) -> None:
        """One number everywhere, and the operand at its place."""
        x, z = step.inputs[0], step.output
        pattern, value = step.params.get("pattern"), step.params.get("value", 0.0)
        if step.op.name == "pad":
            sizes = zip(x.shape, step.params["width"], strict=True)
            pattern = tuple([slice(a, a + n) for n, (a, _) in sizes])
        view = self.view(z)
        self._add(Fill(view, value))
        look = Step(GETITEM, (z,), {"pattern": pattern}, (x,), step.place)
        part = viewed(look, view)
        assert part is not None
        self._copy(x, part)
        self.place[z] = len(self.order) - 1

    # --- what the call assigns ---

    def _last_check(self) -> int:
        """The last place at which something may be found wrong."""
        found = [self.at(v) for v in self.program.checks]
        for at, kind in enumerate(self.order):
            if isinstance(kind, Call) and "checks" in kind.kernel.headers:
                found.append(at)
            if isinstance(kind, Loop) and any(s.op.name == "one_hot" for s in kind.steps):
                found.append(at)
        return max(found, default=-1)

    def _disentangled(self, writes: list[Write]) -> list[Write]:
        """The writes, such that none reads what another has written."""
        found = []
        for write in writes:
            base = self.base.get(write.value, write.value)
            if base.source == "leaf":
                value = Var(-1, write.value.shape, write.value.dtype, "step")
                piece = View.whole(self._buffer("temporary", value), value.shape)
                self.views[value] = self._copy(write.value, piece)
                self.place[value] = len(self.order) - 1
                write = Write(write.leaf, write.at, value)
            found.append(write)
        return found

    def _store(self, write: Write) -> None:
        """Put a value into the memory of a leaf, as it is computed if that is possible."""
        raw = write.leaf.raw
        part = raw if write.at is ... else raw[write.at]
        buffer = next((b for b in self.given if b.kind == "leaf" and b.owner.raw is raw), None)
        if buffer is None:
            buffer = Buffer("leaf", name_of(raw.dtype), raw.size, write.leaf)
            buffer.order = len(self.given)
            self.given.append(buffer)
        self.assigned.setdefault(buffer)
        start = part.__array_interface__["data"][0] - raw.__array_interface__["data"][0]
        view = View(buffer, start // raw.itemsize, part.shape, _strides(part))
        self.view(write.value)
        at = self.at(write.value)
        if at >= self.commit and self._is_open(at) and self._is_unread(view, at):
            loop = self.order[at]
            copy = Var(-1, part.shape, name_of(raw.dtype), "step")
            self.views[copy] = view
            place = Place(write.leaf.code, write.leaf.instruction, None)
            step = Step(IDENTITY, (write.value,), {}, (copy,), place)
            found = self._planned([*loop.steps, step], at)
            if found is not None and found.at[step] == "full":
                loop.steps.append(step)
                loop.plan = found
                loop.outputs.append(copy)
                return
        self._copy(write.value, view)

    def _is_unread(self, view: View, place: int) -> bool:
        """Whether nobody needs the old data of this memory after this place, nor in the loop
        there, but for reading each element where it is written."""
        memory, loop = view.buffer.owner.raw, self.order[place]
        rows, cols = loop.plan.rows, loop.plan.cols
        for at, kind in enumerate(self.order[place:], place):
            for var in kind.reads():
                mine = self.views[var]
                if mine.buffer.kind != "leaf":
                    continue
                if not np.may_share_memory(mine.buffer.owner.raw, memory):
                    continue
                same = (
                    at == place and mine.buffer is view.buffer and mine.offset == view.offset
                    and access(mine.shape, mine.strides, rows, cols)
                    == access(view.shape, view.strides, rows, cols) is not None
                )  # fmt: skip
                if not same:
                    return False
        return True

    def _tidy(self) -> None:
        """Drop the loops that were drawn into others; find out what must lie in memory."""
        read = set()
        for at, kind in enumerate(self.order):
            read |= {self.base.get(v, v) for v in kind.reads() if self.at(v) != at}
        read |= {self.base.get(v, v) for v in (*self.ends, *self.program.checks)}
        for kind in self.order:
            if isinstance(kind, Loop):
                kind.outputs += [
                    s.output for s in kind.steps
                    if s.output not in kind.outputs
                    and (s.output in read or self.view(s.output).buffer.within is not None)
                ]  # fmt: skip
        self.commit -= sum(not _real(kind) for kind in self.order[: self.commit])
        self.order = [kind for kind in self.order if _real(kind)]


def _real(kind: Any) -> bool:
    """Whether it is no loop that was drawn into another."""
    return not isinstance(kind, Loop) or bool(kind.steps)


def _may_alias(step: Step) -> bool:
    """Whether an op moves no element, so that its result may be a view."""
    return len(step.inputs) == 1 and step.inputs[0].dtype is not None and step.op.name in (
        "reshape", "identity", "detach", "transpose", "broadcast_to", "getitem", "flip",
    )  # fmt: skip


def _strides(raw: Any) -> tuple[int, ...]:
    return tuple([s // raw.itemsize for s in raw.strides])


def _meet(a: Buffer, b: Buffer) -> bool:
    """Whether two buffers of one dtype have elements in common."""
    (x, i), (y, k) = a.root(), b.root()
    return x is y and i < k + b.size and k < i + a.size


def _root(view: View) -> tuple[Buffer, int]:
    """Where a view really begins."""
    buffer, start = view.buffer.root()
    return buffer, start + view.offset


HEADS, JOINED = ("attention", "attention_grad", "rotary"), (0, 2, 1, 3)

IDENTITY, GETITEM, TRANSPOSE = [Op.table[name] for name in ("identity", "getitem", "transpose")]
