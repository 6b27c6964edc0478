"""What a model computes, recorded, with the batch size left open.

The graph that the engine records *is* the model; only its sizes are those of one batch.  So the
model is recorded three times, on 2, 3 and 5 samples, and the recordings are laid on one another:
a number that is the same in all is a constant, one that grows evenly with the batch is a `Size`
(a N + b), and anything else cannot be exported and is named.  The third recording checks what the
first two suggest; different samples in each uncover what was computed behind the graph's back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograd import Tensor, names
from autograd.node import Node, record_everything

from ..mode import training

__all__ = ["BATCHES", "ExportError", "Size", "Trace", "trace"]

BATCHES = (2, 3, 5)
"""The numbers of samples that a model is recorded with."""


class ExportError(ValueError):
    """The model does something that ONNX has no words for; the message lists all of it."""


class Size(int):
    """A whole number that depends on the batch size N: `grows` · N + `fixed`.

    As an int it has the value of the first recording.
    """

    grows: int
    fixed: int

    def __new__(cls, grows: int, fixed: int) -> Size:
        size = super().__new__(cls, grows * BATCHES[0] + fixed)
        size.grows, size.fixed = grows, fixed
        return size

    def __str__(self) -> str:
        factor = "N" if self.grows == 1 else f"{self.grows}*N"
        return factor + (f"{self.fixed:+d}" if self.fixed else "")

    __repr__ = __str__


class _DifferError(Exception):
    """Numbers of the recordings that no a N + b explains."""


def merged(values: Sequence[Any]) -> Any:
    """One value for those of the recordings: the same, or with a `Size` where it is a N + b."""
    first = values[0]
    if isinstance(first, (tuple, list)) and len({len(v) for v in values}) == 1:
        return type(first)([merged(each) for each in zip(*values, strict=True)])
    if isinstance(first, dict) and all(v.keys() == first.keys() for v in values):
        return {key: merged([v[key] for v in values]) for key in first}
    if isinstance(first, slice):
        return slice(*[merged([getattr(v, k) for v in values]) for k in ("start", "stop", "step")])
    if all(type(v) is type(first) and v == first for v in values):
        return first
    if all(isinstance(v, (int, float)) and v == int(v) for v in values):
        grows = (values[1] - values[0]) / (BATCHES[1] - BATCHES[0])
        fixed = values[0] - grows * BATCHES[0]
        if grows == int(grows) and values[2] == grows * BATCHES[2] + fixed:
            return Size(int(grows), int(fixed))
    raise _DifferError


@dataclass
class Trace:
    """A recorded model: its nodes, oldest first, and what of them depends on the batch size."""

    inputs: list[Tensor]
    outputs: list[Tensor]
    nodes: list[Node]
    rows: dict[Node, tuple[Node, ...]]
    """Each node, and what it is in every recording."""
    shapes: dict[Node, tuple[int, ...]] = field(default_factory=dict)
    params: dict[Node, dict[str, Any]] = field(default_factory=dict)
    constants: dict[Node, Any] = field(default_factory=dict)
    """Leaves that are no input: an array, a Python number, or a `Size`; see `Grown`."""


@dataclass
class Grown:
    """A constant as large as the batch: a `sample` array, repeated to `shape`."""

    sample: Any
    shape: tuple[int, ...]


def trace(
    model: Callable[..., Any], batch: Callable[[int, int], list[Tensor]], known: set[Node]
) -> Trace:
    """Record `model(*batch(number of samples, which recording))`; `known` leaves may be anything.

    Raises `ExportError` with a line for each thing that depends on more than the batch size.
    """
    runs = [_record(model, batch(n, i)) for i, n in enumerate(BATCHES)]
    ends = [[*outputs, *inputs] for inputs, outputs in runs]
    if len({len(nodes) for nodes in ends}) > 1:
        raise ExportError("export_onnx: the model gives another number of results per batch")
    table = names.Names([node for nodes in ends for node in nodes])
    found: dict[Node, tuple[Node, ...]] = {}
    stack = list(zip(*ends, strict=True))
    while stack:
        rows = stack.pop()
        if rows[0] in found:
            continue
        found[rows[0]] = rows
        if len({(row.op, len(row.inputs)) for row in rows}) > 1:
            raise ExportError(
                "export_onnx: the model computes in another way for another batch: once\n"
                + "\n  and once\n".join(f"    {table.describe(row)}" for row in rows)
                + "\n  An `if` on data or on the batch size cannot be exported. Use where(…)."
            )
        stack += zip(*[row.inputs for row in rows], strict=True)
    nodes = sorted(found, key=lambda node: node.order)
    told = names.Names(nodes)
    inputs, outputs = runs[0]
    given = known | set(inputs)
    result = Trace(inputs, outputs, nodes, found)
    faults = []
    for node in nodes:
        rows = found[node]
        try:
            if node.op is not None or node in given:
                result.shapes[node] = merged([_shape(row) for row in rows])
                result.params[node] = merged([row.params for row in rows])
            else:
                result.constants[node] = _constant([row.raw for row in rows])
        except _DifferError:
            faults.append(f"  {told.describe(node)}  {_values(rows)}")
    if faults:
        raise ExportError(
            "export_onnx: these depend on the data, or on the batch size in another way than "
            "a N + b\n" + "\n".join(faults) + "\n  Compute them with operations on tensors, "
            "without .item(), .numpy(), float(…) or new tensors made of such numbers."
        )
    return result


def _record(model: Callable[..., Any], inputs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    with training(False), record_everything():
        outputs = _leaves(model(*inputs))
    return inputs, outputs


def _leaves(results: Any) -> list[Tensor]:
    """The tensors of nested tuples, lists and dicts, in order."""
    if isinstance(results, Tensor):
        return [results]
    if isinstance(results, dict):
        results = results.values()
    elif not isinstance(results, (tuple, list)):
        raise ExportError(
            f"export_onnx: the model gives {type(results).__name__}, not a tensor or tensors"
        )
    return [x for item in results if item is not None for x in _leaves(item)]


def _shape(node: Node) -> Any:
    return tuple(tuple(x.shape) for x in node.raw) if isinstance(node.raw, tuple) else node.shape


def _values(rows: Sequence[Node]) -> str:
    told = [str(row.raw if row.op is None and not row.shape else _shape(row)) for row in rows]
    return " / ".join(told)


def _constant(raws: Sequence[Any]) -> Any:
    """What a constant of the recordings is: itself, a `Size`, or an array that grows."""
    first = raws[0]
    if not hasattr(first, "shape"):
        return merged(raws)
    if len({raw.shape for raw in raws}) == 1:
        if all(bool((raw == first).all()) for raw in raws):
            return first
        if not first.shape:
            return merged([raw.item() for raw in raws])
        raise _DifferError
    shape = merged([raw.shape for raw in raws])
    open_axes = [i for i, n in enumerate(shape) if isinstance(n, Size)]
    one = tuple(slice(0, 1) if i in open_axes else slice(None) for i in range(len(shape)))
    sample = first[one]
    if not all(bool((raw == sample).all()) for raw in raws):
        raise _DifferError
    return Grown(sample, shape)
