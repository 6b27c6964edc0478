"""Arrays of a recording: a shape and a dtype, without numbers and without memory.

A recording asks only what an operation makes of shapes.  That is found by trying the operation,
once for each kind of operands: elementwise ones on a single element, the others on arrays of the
same shapes that repeat one number (PyTorch's meta tensors and JAX's abstract evaluation do the
same by a rule per operation; `Op.shape` holds such a rule where trying would take long).
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from backends import namespaces, python
from backends import numpy as np

from .. import names
from ..node import EVERYTHING, Node, Op, State, _state
from ..several import Bundle, part
from ..tensor import Tensor
from . import outcomes
from .errors import CaptureError
from .outcomes import Kind

__all__ = ["Hollow", "Shapes", "evaluated", "filled", "outcome"]


class Hollow(np.ndarray):  # type: ignore[misc]
    """An array that has no numbers: whoever asks for them has missed that this is a recording."""

    how: tuple[Op, list[Any], dict[str, Any], int]
    """Operation, raw operands and params that it would be computed by, and which result it is."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        raise self._asked(ufunc.__name__)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function in (np.zeros_like, np.ones_like, np.full_like):
            return function(
                np.broadcast_to(np.zeros((), self.dtype), self.shape), *args[1:], **options
            )
        if function in (np.may_share_memory, np.shares_memory):
            return False
        raise self._asked(function.__name__)

    def __str__(self) -> str:
        return f"{self.shape} being recorded"

    def _asked(self, who: str) -> CaptureError:
        return CaptureError(
            f"jit: {who} asks for the numbers of an array {self.shape}, at {names.here()}, but a "
            "recording has none. Compute with the tensor itself."
        )


class Shapes:
    """The watcher of a recording of which only shapes matter: see `record_everything`."""

    def computes(self, op: Op, inputs: tuple[Node, ...], params: dict[str, Any]) -> Any:
        """What comes out, without numbers."""
        return outcome(op, [x.raw for x in inputs], params)


def _hollow(kind: Kind, *how: Any) -> Hollow:
    """An array of this kind; no two are the same object."""
    made: Hollow = Hollow(kind.shape, kind.dtype, bytes(16), 0, (0,) * len(kind.shape))
    made.how = how
    return made


def filled(raw: Any) -> Any:
    """What a hollow array would hold, computed after all; other data as they are."""
    found: dict[int, Any] = {}
    stack = [raw]
    while stack:
        x = stack[-1]
        if x.__class__ is not Hollow or id(x) in found:
            stack.pop()
            continue
        op, raws, params, which = x.how
        missing = [y for y in raws if y.__class__ is Hollow and id(y) not in found]
        if missing:
            stack += missing
            continue
        result = evaluated(op, [found.get(id(y), y) for y in raws], params)
        found[id(x)] = result[which] if isinstance(result, tuple) else result
    return found.get(id(raw), raw)


def outcome(op: Op, raws: list[Any], params: dict[str, Any]) -> Any:
    """The raw result of an operation in a recording, a tuple where it has several: hollow arrays.

    Numbers that are computed from numbers are what they are; so are arrays that live on a device.
    """
    kinds: list[Any] = []
    arrays = False
    chosen = op.inputs.index("index") if "index" in op.inputs else len(raws)
    for i, raw in enumerate(raws):
        if isinstance(raw, np.ndarray):
            arrays = True
            kinds.append(Kind(raw.shape, raw.dtype))
            if i >= chosen and raw.dtype.kind == "b":  # a constant: its data choose
                kinds[-1] = raw.shape, raw.tobytes()
        else:
            if namespaces[type(raw)] is not python:
                return evaluated(op, raws, params)
            kinds.append(type(raw))
            if type(raw) is int and not 0 <= raw < 128:  # not every dtype has it
                kinds[-1] = int, raw
    if not arrays and not op.name.startswith("random_"):
        return op(*raws, **params)
    found = outcomes.find(op, kinds, params)
    if found is None:
        start = perf_counter()
        found = _found(op, raws, kinds, params)
        outcomes.note(op, kinds, params, found, perf_counter() - start)
    if found.__class__ is Kind:
        return _hollow(found, op, raws, params, 0)
    if isinstance(found, tuple):
        return tuple([_hollow(kind, op, raws, params, i) for i, kind in enumerate(found)])
    return found


def _found(op: Op, raws: list[Any], kinds: list[Any], params: dict[str, Any]) -> Any:
    """What kind the results have."""
    with np.errstate(all="ignore"):
        if op.elementwise and not any(0 in kind.shape for kind in kinds if isinstance(kind, Kind)):
            shapes = [kind.shape for kind in kinds if isinstance(kind, Kind)]
            try:
                shape = np.broadcast_shapes(*shapes)
            except ValueError:  # the whole operation says what is wrong
                pass
            else:
                few = [
                    np.ones((1,) * len(k.shape), k.dtype) if isinstance(k, Kind) else raw
                    for raw, k in zip(raws, kinds, strict=True)
                ]
                return Kind(shape, evaluated(op, few, params).dtype)
        like = [
            _like(k) if isinstance(k, Kind) else raw for raw, k in zip(raws, kinds, strict=True)
        ]
        result = evaluated(op, like, params)
    if isinstance(result, tuple):
        return tuple([Kind(raw.shape, raw.dtype) for raw in result])
    return Kind(result.shape, result.dtype) if isinstance(result, np.ndarray) else result


def _like(kind: Kind) -> Any:
    """An array of a kind that every operation can take: zeros as labels and indices, and matrices
    that can be inverted."""
    shape, dtype = kind
    if dtype.kind in "iub":
        return np.broadcast_to(np.zeros((), dtype), shape)
    if len(shape) > 1 and shape[-1] == shape[-2]:
        return np.broadcast_to(np.eye(shape[-1], dtype=dtype), shape)
    return np.broadcast_to(np.ones((), dtype), shape)


def evaluated(op: Op, raws: list[Any], params: dict[str, Any]) -> Any:
    """The result of the operation itself, with its errors: raw, and all that it keeps."""
    token = _state.set(State(EVERYTHING, None))
    try:
        nodes = [raw if isinstance(raw, Node) else Tensor.of(raw) for raw in raws]
        z = op.recorder(Tensor)(*nodes, **params)
    finally:
        _state.reset(token)
    first: Any = z[0] if isinstance(z, tuple) else z
    bundle = first.inputs[0] if first.op is part else first
    return bundle.raw if isinstance(bundle, Bundle) else first.raw
