"""`Value`: one number that remembers how it was computed, in the manner of micrograd."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any, ClassVar

from backends import python

from . import names
from .errors import AutogradError, DomainError, GraphError
from .explain import explain, refuse, reraise
from .node import Freed, Node, Op, history, tick
from .ops import elementwise as ops
from .passes import passed
from .record import Recorder, scalar_pull
from .reverse import sweep


def _lift(x: Any, op: Op) -> Value:
    if isinstance(x, Node):
        raise AutogradError(
            f"{op.name}: a Value meets {names.describe(x)}. A Value is one number and a Tensor an "
            "array: compute with one kind, or take tensor.values() for its numbers."
        )
    z = Value(x, requires_grad=False)
    if type(x) is int:
        z.raw = x  # a float would make a float of the Fraction that it meets
    return z


_recorded = Recorder("Value", explain=explain)


class Value(Node):
    """A number, and how it was computed.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = (a * b + 1).tanh()
    >>> c.backward()
    >>> round(a.grad, 6), round(b.grad, 6)
    (-0.000545, 0.000363)

    `data` is a float, or a `fractions.Fraction` where exactness is wanted; `grad` is None until
    a backward pass has been through.
    """

    __slots__ = ()
    is_array: ClassVar[bool] = False
    shape = ()
    ndim: ClassVar[int] = 0

    data = Node.raw  # type: ignore[misc]  # the slots themselves, under the names people use
    grad = Node._grad  # type: ignore[misc]

    def __init__(self, data: Any, name: str | None = None, requires_grad: bool = True) -> None:
        if type(data) is not float and not isinstance(data, (Fraction, complex)):
            data = _number(data)
        self._leaf(data, requires_grad)
        self.made_by(sys._getframe(1))
        if name is not None:
            self.name = name

    @classmethod
    def of(cls, raw: Any) -> Value:
        """A Value that holds just this raw number."""
        z: Value = object.__new__(cls)
        z._leaf(raw, False)
        return z

    def backward(self, gradient: float | None = None, *, create_graph: bool = False) -> None:
        """Fill in `.grad` of every value that this one was computed from.

        Leaves add to the gradient they have, as parameters want it; computed values start anew.
        The graph is kept, to be looked at.  With `create_graph` the gradients are Values that
        can be differentiated again.
        """
        seed = type(self.raw)(1) if gradient is None else gradient
        if create_graph:
            self._backward_recorded(seed)
            return
        if not self.requires_grad:
            raise GraphError(
                f"backward: {names.describe(self)} is a constant: it was detached, compared, or "
                "computed under no_grad(). Call backward on what was computed from Values."
            )
        nodes = history(self)
        if nodes[0].inputs.__class__ is Freed:
            raise AutogradError("backward: this graph was freed")
        for node in nodes:
            if node.op is not None or node._grad is None:
                node._grad = 0
        self._grad += seed
        try:
            for node in nodes:
                op = node.op
                if op is not None:
                    (op.scalar_pull or _pull_of(op))(node, node._grad)
        except Exception as error:
            reraise(node, error)
        passed(self, tick(), len(nodes))

    def _backward_recorded(self, seed: Any) -> None:
        found = sweep([self], [Value(seed, requires_grad=False)], create_graph=True, keep=True)
        for node, g in found.items():
            if node.op is not None:  # as data: a recorded gradient would lead back to its own node
                node._grad = g.raw
            else:
                node._grad = g if node._grad is None else node._grad + g

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self._grad = None

    def detach(self) -> Value:
        """The same number without its history."""
        return Value.of(self.raw)

    def item(self) -> Any:
        """The number."""
        return self.raw

    def __float__(self) -> float:
        return float(self.raw)

    def __int__(self) -> int:
        return int(self.raw)

    def __bool__(self) -> bool:
        return bool(self.raw)

    def __repr__(self) -> str:
        grad = "—" if self._grad is None else _short(self._grad)
        return f"Value(data={_short(self.raw)}, grad={grad})"

    # --- operators ---

    __add__ = __radd__ = _recorded(ops.add)
    __sub__, __rsub__ = _recorded(ops.sub), _recorded(ops.sub, swapped=True)
    __mul__ = __rmul__ = _recorded(ops.mul)
    __truediv__, __rtruediv__ = _recorded(ops.div), _recorded(ops.div, swapped=True)
    __mod__, __rmod__ = _recorded(ops.mod), _recorded(ops.mod, swapped=True)
    __neg__, __abs__ = _recorded(ops.neg), _recorded(ops.abs)
    __lt__, __le__ = _recorded(ops.less), _recorded(ops.less_equal)
    __gt__, __ge__ = _recorded(ops.greater), _recorded(ops.greater_equal)
    __eq__, __ne__ = _recorded(ops.equal), _recorded(ops.not_equal)
    __and__, __or__, __xor__ = map(_recorded, (ops.logical_and, ops.logical_or, ops.logical_xor))
    __rpow__ = _recorded(ops.pow, swapped=True)
    __hash__ = object.__hash__

    def __pow__(self, n: Any) -> Any:
        """Power: with a number the exponent is a constant, with a Value it has a gradient."""
        z = _pow(self, n) if isinstance(n, Node) else _power(self, n)
        z.made_by(sys._getframe(1))
        if z.raw.__class__ is complex and self.raw.__class__ is not complex:
            raise refuse(
                DomainError,
                f"pow: {self.raw} has no real power {n}",
                "Keep the base positive, or use an integer as exponent.",
                self,
            )
        return z

    # --- functions ---

    exp, log, sqrt = map(_recorded, (ops.exp, ops.log, ops.sqrt))
    expm1, log1p = map(_recorded, (ops.expm1, ops.log1p))
    sin, cos, tan = map(_recorded, (ops.sin, ops.cos, ops.tan))
    asin, acos, atan = map(_recorded, (ops.asin, ops.acos, ops.atan))
    sinh, cosh, tanh = map(_recorded, (ops.sinh, ops.cosh, ops.tanh))
    asinh, acosh, atanh = map(_recorded, (ops.asinh, ops.acosh, ops.atanh))
    erf, sigmoid, softplus, relu = map(_recorded, (ops.erf, ops.sigmoid, ops.softplus, ops.relu))
    abs, sign, floor, ceil, round = map(
        _recorded, (ops.abs, ops.sign, ops.floor, ops.ceil, ops.round)
    )
    clip, maximum, minimum = map(_recorded, (ops.clip, ops.maximum, ops.minimum))


_recorded.bind(Value, lift=_lift)
_power, _pow = _recorded(ops.power), _recorded(ops.pow)


def _number(x: Any) -> float:
    try:
        return float(x)
    except (TypeError, ValueError):
        raise TypeError(
            f"Value: expected one number, got {type(x).__name__} {x!r:.60}. "
            "For an array use Tensor."
        ) from None


def _short(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, float) else str(x)


def _pull_of(op: Op) -> Any:
    """The function that pulls a gradient back through an op to Values; written when first used."""
    op.scalar_pull = scalar_pull(op, {"xp": python}) or _pull_by_rules
    return op.scalar_pull


def _pull_by_rules(z: Node, g: Any) -> None:
    """Pull back by the op's rules themselves: what `scalar_pull` cannot write down."""
    op = z.op
    assert op is not None
    raws = [x.raw for x in z.inputs]
    if op.joint is not None:
        for x, gx in zip(z.inputs, op.joint(g, z.raw, *raws), strict=True):
            x._grad += gx
        return
    for x, rule in zip(z.inputs, op.rules, strict=True):
        if rule is not None and x.requires_grad:
            x._grad += rule(g, z.raw, *raws, **z.params)
