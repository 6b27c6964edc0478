"""Where variables lie, as far as that is known before they are computed; and views."""

from __future__ import annotations

import math
from collections.abc import Iterable

from backends import numpy as np

from ...node import Op
from ..layout import View, element_strides, may_alias, packed_strides, viewed
from ..program import Step, Var
from .kinds import PLAIN, arrays, is_plain
from .schedule import Schedule

__all__ = ["as_view", "place_given", "place_heads", "place_results", "place_together"]

HEADS, JOINED = ("attention", "attention_grad", "rotary"), (0, 2, 1, 3)
TRANSPOSE = Op.table["transpose"]


def place_given(schedule: Schedule) -> None:
    """What is given lies where others have put it."""
    for var in arrays(schedule.program.given):
        strides, owner = packed_strides(var.shape), var.value
        if var.source == "leaf":
            strides = element_strides(var.value.raw)
        elif var.source == "constant":
            owner = np.ascontiguousarray(var.value).reshape(var.shape)
        buffer = schedule.outside(var.source, var.dtype, var.size, owner)
        schedule.views[var] = View(buffer, 0, var.shape, strides)


def place_results(schedule: Schedule, ends: Iterable[Var]) -> None:
    """What the call returns is computed in arrays that are made for it."""
    made = schedule.program.made_by()
    for var in arrays(ends):
        if var in made and not may_alias(made[var]):
            schedule.results[var] = schedule.outside("result", var.dtype, var.size)
            schedule.views[var] = View.whole(schedule.results[var], var.shape)


def place_together(schedule: Schedule) -> None:
    """What is concatenated has its place in the result, where that is one stretch of it."""
    made = schedule.program.made_by()
    for step in schedule.program.steps:
        z = step.output
        if step.op.name != "concatenate" or z.dtype not in PLAIN:
            continue
        axis = step.params["axis"] % len(z.shape)
        if math.prod(z.shape[:axis]) != 1:
            continue
        buffer, start = schedule.view(z).buffer, 0
        for x in step.inputs:
            source = x
            while source in made and made[source].op.name in ("reshape", "identity", "detach"):
                source = made[source].inputs[0]
            free = source in made and source not in schedule.views and not may_alias(made[source])
            if free and source.dtype == z.dtype:
                schedule.view(source).buffer.within = buffer, start
            start += x.size


def place_heads(schedule: Schedule) -> None:
    """Results of attention (B, H, T, D) lie as (B, T, H, D), where they are read so."""
    uses = schedule.program.uses()
    for step in schedule.program.steps:
        if step.op.name not in HEADS or not is_plain(step):
            continue
        for var in step.outputs:
            readers = [s for s in uses.get(var, ()) if s.op.name not in HEADS]
            joined = all(s.op is TRANSPOSE and s.params["axes"] == JOINED for s in readers)
            if len(var.shape) == 4 and readers and joined and var not in schedule.views:
                _, h, t, d = var.shape
                buffer = schedule.temporary(var).buffer
                schedule.views[var] = View(buffer, 0, var.shape, (t * h * d, d, h * d, 1))


def as_view(schedule: Schedule, step: Step) -> bool:
    """Let the result be a view of the operand, which needs no work; whether it can be one."""
    if not may_alias(step) or step.output in schedule.views:
        return False
    x, z = step.inputs[0], step.output
    made = viewed(step, schedule.view(x))
    if made is None:
        return False
    schedule.views[z], schedule.base[z] = made, schedule.base_of(x)
    return True
