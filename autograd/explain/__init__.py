"""Why an operation failed: an error that names it, its operands, the fault and the mend.

The array libraries word their errors differently, and know no names.  So their messages are not
read: the fault is found in the operands' shapes, dtypes and values and in the parameters, and
the text is the same on every backend.

    ShapeError: matmul: inner sizes differ, 64 and 32
      hidden       (8, 64) float32   encoder.act  train.py:41
      head.weight  (32, 10) float32
      matmul needs (..., n, k) @ (..., k, m).
"""

from __future__ import annotations

from typing import Any, NoReturn

from backends import BackendError

from .. import names
from ..errors import AutogradError, DomainError
from ..node import Node, Op, current
from .call import Call, Fault
from .indices import index_faults
from .matrices import matrix_faults
from .numbers import float_faults, number_faults
from .sequences import sequence_faults
from .shapes import shape_faults

__all__ = ["explain", "explain_rule", "refuse", "reraise"]


def explain(
    op: Op, inputs: tuple[Node, ...], params: dict[str, Any], error: Exception
) -> Exception:
    """The error to raise where `error` came out of an op's forward.

    An error that teaches already, or that no operand can be blamed for, stays what it is; one
    whose cause is not found gets a note with the operands.
    """
    if isinstance(error, (AutogradError, BackendError, MemoryError, RecursionError)):
        return error
    try:
        call = Call.of(op, inputs, params)
        fault = _fault(call, error)
        if fault is not None:
            return fault.kind(f"{op.name}: {fault.headline}\n{call.operands()}\n  {fault.mend}")
        error.add_note(f"{op.name} of\n{call.operands()}")
    except Exception as blunder:  # the first error is the one that matters: it must come through
        error.add_note(f"(no explanation for {op.name}: {blunder!r})")
    return error


def refuse(kind: type[AutogradError], headline: str, mend: str, *operands: Any) -> AutogradError:
    """An error in the same form, for what is seen to be wrong before any op runs.

    `headline` begins with the function's name; operands that are no nodes have no line.
    """
    nodes = [x for x in operands if isinstance(x, Node)]
    known = names.Names((), names.user_frame(), [current().scope, *(x.scope for x in nodes)])
    lines = [names.table(known.fields(x) for x in nodes)] if nodes else []
    return kind("\n".join([headline, *lines, f"  {mend}"]))


def reraise(node: Node, error: Exception) -> NoReturn:
    """Raise what `explain_rule` makes of an error that came up in a backward pass, at a node."""
    explained = explain_rule(node, error)
    try:
        if explained is error:
            raise error
        raise explained from None
    finally:
        del error, explained  # an error holds this frame: the frame must not hold the error


def explain_rule(node: Node, error: Exception) -> Exception:
    """The error to raise where the gradient rule of a node's op failed, in a backward pass.

    It names the forward line.  A number's slope that is infinite or undefined is a DomainError;
    what the operands cannot be blamed for stays what it is, and gets a note.
    """
    if isinstance(error, (AutogradError, BackendError, MemoryError, RecursionError)):
        return error
    op = node.op
    if op is None:  # a hook of a leaf, which is the user's own
        return error
    known = names.Names((), names.user_frame(), [x.scope for x in (node, *node.inputs)])
    rows = names.table(known.fields(x) for x in (node, *node.inputs))
    if isinstance(error, (ArithmeticError, ValueError)) and not node.is_array:
        at = ", ".join(str(x.raw) for x in node.inputs)
        return DomainError(
            f"backward: {op.name} has no finite slope at {at}\n{rows}\n"
            "  Keep the input away from there, say with clip or by adding 1e-12."
        )
    if node.is_array and isinstance(error, ValueError):  # a matrix that only the rule inverts
        for fault in matrix_faults(Call.of(op, node.inputs, node.params)):
            return fault.kind(f"backward: {op.name}: {fault.headline}\n{rows}\n  {fault.mend}")
    error.add_note(f"in the gradient of {op.name}\n{rows}")
    return error


def _fault(call: Call, error: Exception) -> Fault | None:
    """The first fault that the operands and params have."""
    floats = isinstance(error, (ArithmeticError, Warning))
    searches = (shape_faults, index_faults, matrix_faults, sequence_faults, number_faults)
    for search in (float_faults,) if floats else searches:
        for fault in search(call):
            return fault
    return None
