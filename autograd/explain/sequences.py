"""Faults of recurrent operations: sequences, weights and states whose shapes do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ShapeError
from .call import Call, Fault

__all__ = ["sequence_faults"]

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def sequence_faults(call: Call) -> Iterator[Fault]:
    """What is wrong with the operands of an op that goes over a sequence."""
    gates = GATES.get(call.op.name)
    if gates is None:
        return
    x, h = call.shapes[0], call.shapes[4]
    if len(x) != 3 or not x[1]:
        mend = "It must be (N, T, C): samples, one step or more, features."
        yield Fault(ShapeError, f"the sequence has shape {x}", mend)
        return
    (n, count, width), size = x, h[-1] if h else 0
    bias = (2, gates * size) if call.op.name == "gru" else (gates * size,)
    wanted = [x, (width, gates * size), (size, gates * size), bias, (n, size)]
    if call.op.name == "lstm":
        wanted.append((n, size))
    wanted.append((n, count))
    for i, (shape, want) in enumerate(zip(call.shapes, wanted, strict=False)):
        if shape != want:
            yield Fault(ShapeError, f"{call.name(i)} has shape {shape}, not {want}", call.needs())
