"""`Tensor`: an array that remembers how it was computed, on any backend.

What can be computed with it is in `operators.py`; here is what it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import backends
from backends import namespaces

from . import functions, names
from .dtypes import DEFAULT, dtype_of, is_float
from .errors import AutogradError, DTypeError, GraphError, ShapeError
from .intake import array_of
from .node import NO_PARAMS, WATCHED, Node, Op, current, tick
from .operators import Operators, recorded
from .ops import shape as shapes
from .passes import passed
from .reverse import CUT, observing, sweep
from .several import Bundle


def _lift(x: Any, op: Op) -> Tensor:
    """A node of what is not one: a number stays a weak Python number."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, Node):
        raise AutogradError(
            f"{op.name}: a Tensor meets {names.describe(x)}. A Value is one number and a Tensor an "
            "array: compute with one kind; Tensor(value.data) makes a tensor of a number."
        )
    z: Tensor = object.__new__(Tensor)
    if isinstance(x, (bool, int, float, complex)):
        number: Any = x if isinstance(x, (bool, int)) else float(x) if isinstance(x, float) else x
        z._leaf(number, False)
    else:  # an array of the host stays there: moving it unasked would hide a slow transfer
        home = "numpy" if type(x).__module__ == "numpy" else None
        z._leaf(array_of(x, None, home), False)
    return z


class Tensor(Operators):
    """An array, and how it was computed.

    >>> w = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> loss = (w * w).sum()
    >>> loss.backward()
    >>> w.grad
    Tensor([[2. 4.]
            [6. 8.]])

    `data` is a number, nested lists or an array, which is copied; floats become float32 unless
    they come as an array or `dtype` says otherwise.  `requires_grad` asks for a gradient.
    """

    __slots__ = ()
    __array_ufunc__ = None  # NumPy leaves `array + tensor` to us
    __array_priority__ = 1000
    is_array: ClassVar[bool] = True

    def __init__(
        self,
        data: Any,
        requires_grad: bool = False,
        dtype: Any = None,
        backend: str | None = None,
        name: str | None = None,
    ) -> None:
        watcher = current().watcher if isinstance(data, Node) else None
        if watcher is None:
            raw = array_of(data, dtype, backend)
        else:
            raw = watcher.copied(self, data, dtype, backend)
        self._leaf(raw, False)
        self.made_by(sys._getframe(1))
        if requires_grad:
            self.requires_grad_()
        if name is not None:
            self.name = name

    @classmethod
    def of(cls, raw: Any, requires_grad: bool = False) -> Tensor:
        """A Tensor that holds just this raw array, without a copy."""
        z: Tensor = object.__new__(cls)
        z.raw, z.requires_grad, z.order = raw, requires_grad, tick()
        z.op, z.inputs, z.params = None, (), NO_PARAMS
        z._grad = z.code = z.scope = z.extra = None
        return z

    # --- what it is ---

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return getattr(self.raw, "shape", ())

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(getattr(self.raw, "size", 1))

    @property
    def dtype(self) -> Any:
        """The dtype; None for a Python number that took part in a computation."""
        return dtype_of(self.raw)

    @property
    def backend(self) -> str:
        """The name of the backend the array lives on."""
        return backends.name_of(self.raw)

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed."""
        return self.op is None

    @property
    def data(self) -> Any:
        """The array, to be read: a read-only view.  `assign` is the one way to change it."""
        self._looked_at("data")
        view = self.raw.view()
        if hasattr(view, "flags") and hasattr(view.flags, "writeable"):
            view.flags.writeable = False
        return view

    @data.setter
    def data(self, data: Any) -> None:
        self.assign(data)

    @property
    def grad(self) -> Tensor | None:
        """The gradient of the last backward passes, or None where none has been."""
        g = self._grad
        if g is not None and not isinstance(g, Node):
            g = self._grad = Tensor.of(namespaces[type(g)].asarray(g))  # NumPy makes 0-d a scalar
        return g

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is not None:
            gradient = (
                gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=self.dtype)
            )
            if gradient.shape != self.shape:
                raise ShapeError(
                    f"grad: {names.describe(self)} needs a gradient of its own shape, "
                    f"not {gradient.shape}. Reshape it, or set None to forget it."
                )
        self._grad = gradient

    # --- to and from elsewhere ---

    def numpy(self) -> Any:
        """The array on the host, as a NumPy array: read-only, without a copy where it can be."""
        self._looked_at("numpy()")
        array = namespaces[type(self.raw)].to_host(self.raw)
        if isinstance(self.raw, (bool, int, float)):
            return backends.get("numpy").asarray(array)
        array = array.view()
        array.flags.writeable = False
        return array

    def _looked_at(self, how: str) -> None:
        """Tell who watches a recording that its data were read, which no graph shows."""
        watcher = current().watcher
        if watcher is not None:
            watcher.looks_at(self, how)

    def _leave_the_graph(self, who: str) -> None:
        """Refuse to hand out the array of what a gradient is asked for."""
        if self.requires_grad and current().recording:
            raise GraphError(
                f"{who} asked for the array of {names.describe(self)}, which would leave the graph "
                "unnoticed. Use x.detach(), or x.numpy() if that is meant."
            )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._leave_the_graph("NumPy")
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"{array.dtype} cannot become {dtype} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        self._leave_the_graph("DLPack")
        self._looked_at("DLPack")
        return self.raw.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.raw.__dlpack_device__()

    def item(self) -> Any:
        """The one element, as a Python number."""
        if self.size != 1:
            raise ShapeError(
                f"item: {names.describe(self)} has {self.size} elements, not one. "
                "Use .tolist() or .numpy(), or reduce it first."
            )
        self._looked_at("item()")
        return self.raw.item() if hasattr(self.raw, "item") else self.raw

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.numpy().tolist()

    def to(self, backend: str) -> Tensor:
        """The same array on another backend; the gradient finds its way back."""
        return functions.to(self, backend)

    def detach(self) -> Tensor:
        """The same data without its history: a constant.

        A leaf's array is copied, for `assign` may change it later.
        """
        if self.op is None and current().recording < 2:
            return Tensor.of(self.raw.copy())
        return _detach(self)  # which `record_everything` records

    def clone(self) -> Tensor:
        """A copy that is part of the graph."""
        return self * 1

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for a gradient, or no longer."""
        if requires_grad and not is_float(self.dtype):
            raise DTypeError(
                f"requires_grad: {names.describe(self)} holds {self.dtype}; only floats have a "
                'gradient. Use Tensor(data, dtype="float32").'
            )
        if self.op is not None and not requires_grad:
            raise GraphError(
                f"requires_grad: {names.describe(self)} was computed. Use detach() to cut it off."
            )
        self.requires_grad = requires_grad
        return self

    # --- change, by one door ---

    def assign(self, data: Any, at: Any = ...) -> Tensor:
        """Put new data into this leaf, in place, or only into the part `at`.

        A graph that still needs the old data will say so when it is differentiated.
        """
        if self.op is not None:
            raise GraphError(
                f"assign: {names.describe(self)} was computed; only leaves can be assigned. "
                "Bind a new tensor instead: x = x + y."
            )
        new = data.raw if isinstance(data, Node) else data
        xp = namespaces[type(self.raw)]
        if not isinstance(new, (xp.array_type, bool, int, float)):
            new = array_of(data, self.dtype, self.backend)
        watcher = current().watcher
        if watcher is not None:
            watcher.assigns(self, data, at)
        part = self.raw if at is ... else self.raw[at]
        if getattr(new, "shape", ()) not in (part.shape, ()):
            raise ShapeError(
                f"assign: {names.describe(self)} cannot take data of shape {new.shape}"
                + ("" if at is ... else f" at {at}")
                + f". Give it shape {part.shape}, or one number."
            )
        if dtype_of(new) is not None and new.dtype != self.dtype:
            raise DTypeError(
                f"assign: {names.describe(self)} cannot take {new.dtype} data. "
                f'Convert it: data.astype("{self.dtype}").'
            )
        if watcher is None:
            self.raw[at] = new
        self.touch()
        return self

    def touch(self) -> None:
        """Say that the data is new as of now: graphs made before must not use it."""
        self.order = tick()
        self.made_by(names.user_frame())

    # --- gradients ---

    def backward(
        self,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Add to `.grad` of every leaf that requires it the gradient of this tensor.

        `gradient` is ∂loss/∂self, 1 where self is one number.  The graph is freed on the way
        unless it is retained; a retained graph also gets the gradients of all computed tensors,
        to be looked at.  With `create_graph` the gradients can be differentiated again.
        """
        if not self.requires_grad:
            raise GraphError(
                f"backward: {names.describe(self)} was not computed from anything that requires a "
                "gradient. Create its inputs with requires_grad=True, outside no_grad()."
            )
        seed = self._seed(gradient)
        watcher, observer = current().watcher, observing.get()
        if observer is not None and watcher is None:
            retain_graph = observer(self) or retain_graph
        if watcher is not None:
            watcher.begins_backward(self)
        keep = retain_graph or create_graph
        found = sweep(
            [self], [seed], create_graph=create_graph, retain_graph=retain_graph, keep=keep
        )
        if watcher is None:
            passed(self, seed.order, len(found) if keep else 0)
        given = {id(seed.raw)}
        for node, g in found.items():
            if node.op in CUT:
                if node.requires_grad:
                    if watcher is not None:
                        watcher.gradient(node)
                    recorded = isinstance(g, Node)
                    if not recorded and (id(g) in given or g.base is not None):
                        g = g.copy()  # no other array's memory: one of them may be assigned
                    given.add(id(g))
                    old = node._grad
                    if old is not None and not recorded and isinstance(old, Node):
                        old = old.raw
                    node._grad = g if old is None else old + g
            elif not (node.extra and "retain" in node.extra):  # that has been kept already
                # As data: a recorded gradient would lead back to its own node, a cycle.
                node._grad = g.raw if isinstance(g, Node) and watcher is None else g

    def _seed(self, gradient: Any) -> Tensor:
        xp = namespaces[type(self.raw)]
        if gradient is None:
            if self.size != 1:
                raise ShapeError(
                    f"backward: {names.describe(self)} is not one number. Reduce it, with .sum() "
                    "or .mean(), or pass gradient=, the gradient of the loss by it."
                )
            one = xp.asarray(1, dtype=self.dtype)
            return Tensor.of(one.reshape(self.shape) if self.shape else one)
        seed = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=self.dtype)
        if seed.shape != self.shape:
            raise ShapeError(
                f"backward: the gradient has shape {seed.shape}, but {names.describe(self)} "
                f"has {self.shape}. Give it that shape."
            )
        return seed

    def zero_grad(self) -> None:
        """Forget the gradient."""
        watcher = current().watcher
        if watcher is not None:
            watcher.forgets_gradient(self)
        self._grad = None

    def retain_grad(self) -> None:
        """Keep `.grad` of this computed tensor in the next backward passes."""
        self.note("retain", True)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Callable[[], None]:
        """Call `hook(gradient)` when a backward pass reaches this tensor.

        What it returns, if anything, goes on as the gradient.  Returns a function that removes
        the hook.
        """
        hooks: dict[int, Any] = dict((self.extra or {}).get("hooks", {}))
        key = tick()
        self.note("hooks", {**hooks, key: hook})

        def remove() -> None:
            left = {k: h for k, h in (self.extra or {})["hooks"].items() if k != key}
            self.note("hooks", left)

        return remove

    # --- in-place operators ---

    def _update(self, new: Tensor) -> Tensor:
        """`x += y`: under `no_grad` a leaf changes in place, else x becomes a new tensor."""
        if self.op is not None or not self.requires_grad:
            return new
        if current().recording not in (False, WATCHED):
            raise GraphError(
                f"in-place update of {names.describe(self)}, a leaf that requires a gradient. "
                "Put it under `with no_grad():` to change the leaf, or write x = x + y."
            )
        return self.assign(new)

    def __iadd__(self, y: Any) -> Tensor:  # type: ignore[misc]
        return self._update(self + y)

    def __isub__(self, y: Any) -> Tensor:  # type: ignore[misc]
        return self._update(self - y)

    def __imul__(self, y: Any) -> Tensor:  # type: ignore[misc]
        return self._update(self * y)

    def __itruediv__(self, y: Any) -> Tensor:  # type: ignore[misc]
        return self._update(self / y)

    # --- Python's protocols ---

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(
                f"len: {names.describe(self)} is one number, it has no length. "
                "Use .item() for the number, or reshape(1)."
            )
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ShapeError(
                f"bool: {names.describe(self)} has {self.size} truth values, not one. "
                "Use .any() or .all()."
            )
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype is not None and self.dtype.kind not in "iu":
            raise DTypeError(f"index: {names.describe(self)} is not an integer")
        return int(self.item())

    def __repr__(self) -> str:
        if dtype_of(self.raw) is None:
            return f"Tensor({self.raw})"
        array = namespaces[type(self.raw)].to_host(self.raw)
        text = str(array).replace("\n", "\n" + " " * len("Tensor("))
        facts = []
        if str(self.dtype) != DEFAULT:
            facts.append(f"dtype={self.dtype}")
        if self.backend != "numpy":
            facts.append(f"backend={self.backend!r}")
        if self.op is not None:
            facts.append(f"op={self.op.name}")
        elif self.requires_grad:
            facts.append("requires_grad=True")
        return f"Tensor({', '.join([text, *facts])})"

    # --- other readings ---

    def values(self) -> Any:
        """The computation of this tensor as scalar `Value`s, in nested lists of its shape."""
        from .expand import values

        return values(self)


recorded.bind(Tensor, lift=_lift)
_detach = shapes.detach.recorder(Tensor)
Bundle.kind = Tensor
