"""What can be computed with a `Tensor`: operators and methods, all of them recorded.

Each is an op of the table or a function made of ops, under the name that PyTorch has for it or,
where it has none, NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import backends

from . import functions, names
from .dtypes import agree, is_float, settle, space
from .errors import GraphError, ShapeError
from .explain import explain, refuse
from .node import Node
from .ops import elementwise, index, linear, reduce
from .ops import shape as shapes
from .record import Recorder

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["At", "Operators", "recorded"]

recorded = Recorder(
    "Tensor", explain=explain, agree=agree, is_float=is_float, settle=settle, space=space
)
"""Op → the function that applies it to tensors and records it."""

_getitem, _power, _pow = map(recorded, (index.getitem, elementwise.power, elementwise.pow))


class Operators(Node):
    """The operators and methods of a Tensor."""

    __slots__ = ()

    # --- operators ---

    __add__ = __radd__ = recorded(elementwise.add)
    __sub__, __rsub__ = recorded(elementwise.sub), recorded(elementwise.sub, swapped=True)
    __mul__ = __rmul__ = recorded(elementwise.mul)
    __truediv__, __rtruediv__ = recorded(elementwise.div), recorded(elementwise.div, swapped=True)
    __mod__, __rmod__ = recorded(elementwise.mod), recorded(elementwise.mod, swapped=True)
    __matmul__, __rmatmul__ = recorded(linear.matmul), recorded(linear.matmul, swapped=True)
    __neg__, __abs__ = recorded(elementwise.neg), recorded(elementwise.abs)
    __lt__, __le__ = recorded(elementwise.less), recorded(elementwise.less_equal)
    __gt__, __ge__ = recorded(elementwise.greater), recorded(elementwise.greater_equal)
    __eq__, __ne__ = recorded(elementwise.equal), recorded(elementwise.not_equal)
    __and__ = __rand__ = recorded(elementwise.logical_and)
    __or__ = __ror__ = recorded(elementwise.logical_or)
    __xor__ = __rxor__ = recorded(elementwise.logical_xor)
    __invert__ = recorded(elementwise.logical_not)
    __rpow__ = recorded(elementwise.pow, swapped=True)
    __hash__ = object.__hash__

    def __pow__(self, n: Any) -> Tensor:
        """Power: a number is a constant exponent, a tensor has a gradient."""
        return _power(self, n) if isinstance(n, (int, float)) else _pow(self, n)

    # --- elements by place ---

    def __getitem__(self, key: Any) -> Tensor:
        pattern, arrays = functions.split_index(key, self)
        return _getitem(self, *arrays, pattern=pattern)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise GraphError(
            f"x[…] = y would change {names.describe(self)} in place, which a graph cannot follow. "
            "Use y = x.at[…].set(value), which is differentiable, or x.assign(value, at=…) for a "
            "leaf."
        )

    @property
    def at(self) -> At:
        """`x.at[…].set(y)` and `x.at[…].add(y)`: a changed copy, with gradients."""
        return At(self)

    # --- functions of one element ---

    exp, log, sqrt = map(recorded, (elementwise.exp, elementwise.log, elementwise.sqrt))
    expm1, log1p = map(recorded, (elementwise.expm1, elementwise.log1p))
    sin, cos, tan = map(recorded, (elementwise.sin, elementwise.cos, elementwise.tan))
    asin, acos, atan = map(recorded, (elementwise.asin, elementwise.acos, elementwise.atan))
    sinh, cosh, tanh = map(recorded, (elementwise.sinh, elementwise.cosh, elementwise.tanh))
    asinh, acosh, atanh = map(recorded, (elementwise.asinh, elementwise.acosh, elementwise.atanh))
    erf, sigmoid = map(recorded, (elementwise.erf, elementwise.sigmoid))
    softplus, relu = map(recorded, (elementwise.softplus, elementwise.relu))
    abs, sign, round = map(recorded, (elementwise.abs, elementwise.sign, elementwise.round))
    floor, ceil = map(recorded, (elementwise.floor, elementwise.ceil))
    maximum, minimum = map(recorded, (elementwise.maximum, elementwise.minimum))
    clip = clamp = recorded(elementwise.clip)
    pow = __pow__

    add, sub, mul, div, neg = __add__, __sub__, __mul__, __truediv__, __neg__
    equal, not_equal, less, less_equal = __eq__, __ne__, __lt__, __le__
    greater, greater_equal, atan2 = __gt__, __ge__, recorded(elementwise.atan2)
    logical_and, logical_or, logical_xor = __and__, __or__, __xor__
    logical_not = __invert__

    def where(self, condition: Any, other: Any) -> Tensor:
        """This tensor where the condition holds, else the other."""
        return elementwise.where(condition, self, other)

    def __pos__(self) -> Any:
        return self

    def __floordiv__(self, y: Any) -> Tensor:
        return elementwise.floor(self / y)

    def __round__(self) -> Tensor:
        return elementwise.round(self)

    # --- along axes ---

    sum, mean, prod = map(recorded, (reduce.sum, reduce.mean, reduce.prod))
    max, min, norm = map(recorded, (reduce.max, reduce.min, reduce.norm))
    var, std = map(recorded, (reduce.var, reduce.std))
    argmax, argmin = map(recorded, (reduce.argmax, reduce.argmin))
    any, all = map(recorded, (reduce.any, reduce.all))
    cumsum, cumprod = map(recorded, (reduce.cumsum, reduce.cumprod))
    logsumexp, softmax = map(recorded, (reduce.logsumexp, reduce.softmax))
    log_softmax = recorded(reduce.log_softmax)
    argsort = recorded(index.argsort)

    # --- products ---

    matmul = dot = __matmul__

    # --- shape ---

    @property
    def T(self) -> Tensor:
        """All axes in opposite order."""
        return shapes.transpose(self)

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return functions.swapaxes(self, -1, -2)

    def astype(self, dtype: Any) -> Tensor:
        """The elements in another dtype; the gradient comes back in this one."""
        return shapes.astype(self, dtype=backends.dtype(dtype))

    def reshape(self, *sizes: Any) -> Tensor:
        """The same elements in another shape; one size may be -1."""
        return shapes.reshape(self, shape=functions.sizes_of(sizes))

    view = reshape

    def permute(self, *axes: Any) -> Tensor:
        """Axes in another order."""
        return shapes.transpose(self, axes=functions.sizes_of(axes))

    def transpose(self, *axes: Any) -> Tensor:
        """Two axes exchanged, as PyTorch has it; all in opposite order when none are given."""
        if len(axes) not in (0, 2):
            order = functions.sizes_of(axes)
            headline = f"transpose: {len(order)} axes, and it exchanges two, as in PyTorch"
            raise refuse(ShapeError, headline, f"Use x.permute{order} for that order.", self)
        return functions.swapaxes(self, *axes) if axes else shapes.transpose(self)

    def broadcast_to(self, *sizes: Any) -> Tensor:
        """Repeated along new axes and axes of size 1 until it has the shape."""
        return shapes.broadcast_to(self, shape=functions.sizes_of(sizes))

    expand = broadcast_to
    swapaxes, squeeze = functions.swapaxes, functions.squeeze
    expand_dims = unsqueeze = functions.expand_dims
    flatten, flip, roll, pad = functions.flatten, functions.flip, functions.roll, functions.pad
    tile, repeat, split = functions.tile, functions.repeat, functions.split
    tril, triu = recorded(shapes.tril), recorded(shapes.triu)
    diagonal, trace, outer = functions.diagonal, functions.trace, functions.outer
    sort, topk = functions.sort, functions.topk
    gather, scatter_add = functions.gather, functions.scatter_add
    take_along_axis = functions.take_along_axis


class At:
    """The place of a functional update: `x.at[1:, 0].set(y)`."""

    __slots__ = ("key", "tensor")

    def __init__(self, tensor: Any, key: Any = None) -> None:
        self.tensor, self.key = tensor, key

    def __getitem__(self, key: Any) -> At:
        return At(self.tensor, key)

    def set(self, value: Any) -> Tensor:
        """A copy of the tensor in which […] is the value."""
        pattern, arrays = functions.split_index(self.key, self.tensor)
        return index.setitem(self.tensor, value, *arrays, pattern=pattern)

    def add(self, value: Any) -> Tensor:
        """A copy of the tensor with the value added at […], also where an index occurs twice."""
        pattern, arrays = functions.split_index(self.key, self.tensor)
        return index.additem(self.tensor, value, *arrays, pattern=pattern)
