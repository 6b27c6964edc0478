"""Graphs inside graphs, sequences of tensors, and values that may be missing.

A sequence is a Python list here, a missing value None.
"""

from __future__ import annotations

from typing import Any

import autograd as ag
from autograd import Tensor

from .table import Call, UnsupportedError, ints, onnx_op


def run(graph: Any, call: Call, inputs: list[Any]) -> list[Any]:
    """The results of a graph inside a node; it sees the values around the node."""
    return list(graph({**call.environment, **dict(zip(graph.inputs, inputs, strict=True))}))


@onnx_op("If")
def if_(condition: Tensor, *, then_branch: Any, else_branch: Any, call: Call) -> tuple[Any, ...]:
    return tuple(run(then_branch if condition.item() else else_branch, call, []))


@onnx_op("Loop")
def loop(
    count: Tensor | None, condition: Tensor | None, *states: Any, body: Any, call: Call
) -> tuple[Any, ...]:
    """Final states, then what each round gave besides, stacked."""
    limit = None if count is None else int(count.item())
    going, i, values = condition, 0, list(states)
    rounds: list[list[Any]] = []
    while (limit is None or i < limit) and (going is None or going.item()):
        going, *results = run(body, call, [Tensor(i, dtype="int64"), going, *values])
        values, gathered = results[: len(states)], results[len(states) :]
        rounds.append(gathered)
        i += 1
    extra = len(body.outputs) - 1 - len(states)
    if extra and not rounds:
        raise UnsupportedError("a loop that never runs, whose stacked results have no known shape")
    return (*values, *[ag.stack(column) for column in zip(*rounds, strict=True)])


@onnx_op("Scan")
def scan(
    *inputs: Any, body: Any, num_scan_inputs: int,
    scan_input_axes: list[int] | None = None, scan_input_directions: list[int] | None = None,
    scan_output_axes: list[int] | None = None, scan_output_directions: list[int] | None = None,
    directions: list[int] | None = None, call: Call,
) -> tuple[Any, ...]:  # fmt: skip
    """Final states, then what each round gave besides, stacked. Version 8 did so per sample."""
    if call.opset < 9:
        return _scan_samples(inputs[1:], body, num_scan_inputs, directions, call)
    count = len(inputs) - num_scan_inputs
    states, scanned = list(inputs[:count]), inputs[count:]
    axes = scan_input_axes or [0] * num_scan_inputs
    backwards = scan_input_directions or [0] * num_scan_inputs
    rounds = []
    n = scanned[0].shape[axes[0]]
    for i in range(n):
        slices = [
            x[(slice(None),) * (axis % x.ndim) + (n - 1 - i if back else i,)]
            for x, axis, back in zip(scanned, axes, backwards, strict=True)
        ]
        results = run(body, call, [*states, *slices])
        states = results[:count]
        rounds.append(results[count:])
    columns = list(zip(*rounds, strict=True))
    axes_out = scan_output_axes or [0] * len(columns)
    back_out = scan_output_directions or [0] * len(columns)
    stacked = [
        ag.stack(column[::-1] if back else column, axis=axis)
        for column, axis, back in zip(columns, axes_out, back_out, strict=True)
    ]
    return (*states, *stacked)


def _scan_samples(
    inputs: tuple[Any, ...], body: Any, scans: int, directions: list[int] | None, call: Call
) -> tuple[Any, ...]:
    later = Call(call.kind, call.name, 9, call.outputs, call.environment)
    samples = [
        scan(
            *[x[b] for x in inputs], body=body, num_scan_inputs=scans,
            scan_input_directions=directions, call=later,
        )
        for b in range(inputs[0].shape[0])
    ]  # fmt: skip
    return tuple(ag.stack(column) for column in zip(*samples, strict=True))


# --- sequences ---


@onnx_op("SequenceConstruct")
def sequence_construct(*xs: Tensor) -> tuple[list[Tensor]]:
    return (list(xs),)


@onnx_op("SequenceEmpty")
def sequence_empty(*, dtype: int = 1) -> tuple[list[Tensor]]:
    return ([],)


@onnx_op("SequenceInsert")
def sequence_insert(
    sequence: list[Any], x: Any, position: Tensor | None = None
) -> tuple[list[Any]]:
    at = len(sequence) if position is None else ints(position)[0]
    at = at + len(sequence) if at < 0 else at
    return ([*sequence[:at], x, *sequence[at:]],)


@onnx_op("SequenceErase")
def sequence_erase(sequence: list[Any], position: Tensor | None = None) -> tuple[list[Any]]:
    at = -1 if position is None else ints(position)[0]
    return ([x for i, x in enumerate(sequence) if i != at % len(sequence)],)


@onnx_op("SequenceAt")
def sequence_at(sequence: list[Any], position: Tensor) -> Any:
    return sequence[ints(position)[0]]


@onnx_op("SequenceLength")
def sequence_length(sequence: list[Any]) -> Tensor:
    return Tensor(len(sequence), dtype="int64")


@onnx_op("SplitToSequence")
def split_to_sequence(
    x: Tensor, split: Tensor | None = None, *, axis: int = 0, keepdims: int = 1
) -> tuple[list[Tensor]]:
    if split is None:
        parts = ag.split(x, 1, axis)
        return ([part if keepdims else part.squeeze(axis) for part in parts],)
    return (ag.split(x, ints(split) if split.ndim else int(split.item()), axis),)


@onnx_op("ConcatFromSequence")
def concat_from_sequence(sequence: list[Tensor], *, axis: int, new_axis: int = 0) -> Tensor:
    return ag.stack(sequence, axis) if new_axis else ag.concatenate(sequence, axis)


# --- what may be missing ---


@onnx_op("Optional")
def optional(x: Any = None, *, type: Any = None) -> Any:
    return (x,)


@onnx_op("OptionalHasElement")
def optional_has_element(x: Any = None) -> Tensor:
    return Tensor(x is not None, dtype="bool")


@onnx_op("OptionalGetElement")
def optional_get_element(x: Any) -> Any:
    return (x,)
