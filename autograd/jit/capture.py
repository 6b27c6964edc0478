"""Capture: a function is called once with everything recorded, and what was recorded is a program.

The call computes no numbers, only shapes and dtypes (`hollow.py`), and assigns nothing; afterwards
random numbers are put back, and gradients are what they were.  Only what a graph can show is
followed.  Data that leave it (`item()`, `bool()`, a NumPy array) could differ in the next call, and
are refused: with an error where `strict`, else `reason` says why there is no program.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn, Protocol

from backends import BackendError
from backends import numpy as np

from .. import names
from ..calls import flatten, rebuild
from ..dtypes import DEFAULT, agree, dtype_of
from ..errors import DTypeError
from ..explain import explain
from ..node import NO_PARAMS, Node, Op, history, record_everything, tick
from ..ops.shape import detach
from ..tensor import Tensor
from ..value import Value
from .agree import alike
from .errors import CaptureError, TooEarly
from .hollow import Hollow, filled, outcome
from .program import Program
from .reader import Reader

__all__ = ["Capture"]


class Host(Protocol):
    """Computes numbers before each run."""

    def __call__(self) -> dict[str, Any]: ...

    def undo(self) -> None: ...


class Kind(NamedTuple):
    """What an argument is like: a tensor or an array, its shape and dtype (None: a number), and
    the class of the array, which tells its backend."""

    is_tensor: bool
    shape: tuple[int, ...]
    dtype: Any
    array: Any = None


class Capture:
    """The watcher of one call, and the program made of it.

    `function(*args)` is called; among what lists, tuples and dicts in `args` hold, tensors are
    the arguments of the program and floats are numbers of it; the rest is part of the program.
    """

    def __init__(self, function: Callable[..., Any], args: Any, strict: bool = True) -> None:
        self.strict = strict
        self.reason: str | None = None
        self.start = tick()
        self.arguments: dict[Node, int] = {}
        self.substitutes: set[Node] = set()
        """Those that are not the caller's own: no gradient can be left there."""
        self.kinds: dict[int, Kind] = {}
        """What each argument was like."""
        self.numbers: dict[Node, tuple[int, str]] = {}
        self.copies: dict[Node, Tensor] = {}
        """Leaves made of the data of another tensor → what they hold."""
        self.hosts: list[Host] = []
        self.stream: _Stream | None = None
        self.assigned: list[tuple[int, Tensor, Any, Node]] = []
        """(tick, leaf, place in it, new value), in the order of the program."""
        self.guards: list[Callable[[], bool]] = []
        self.before: dict[Node, Any] = {}
        """The gradient that each leaf had before the call touched it; ABSENT if that is unread."""
        self.finite: list[Node] = []
        """What must be finite for the call to count."""
        self.loss: Node | None = None
        """Where the last backward pass began."""
        self.shown: list[Node] = []
        """What somebody looks at after each run."""
        self.lookers: list[tuple[Callable[[list[Any]], None], int]] = []
        """Who is told where the next so many of these lie."""
        self.made: list[weakref.ref[Hollow]] = []
        self.orders: dict[Node, int] = {}
        """The order that each leaf had before it was assigned, or got a gradient."""
        self.undone: list[Callable[[], None]] = []
        self.returned: list[Any] = []
        self.gradients: list[tuple[Node, Any]] = []
        self.leaves = flatten(args)
        self.program: Program | None = None
        try:
            nodes = [self._argument(i, leaf) for i, leaf in enumerate(self.leaves)]
            with record_everything(self):
                returned = function(*rebuild(args, iter(nodes)))
            self.returned = flatten(returned)
            self.gradients = [(leaf, leaf._grad) for leaf in self.before if self.lives(leaf)]
            if self.reason is not None:  # the function caught the error that said so
                raise CaptureError(self.reason)
            self.program = Reader(self).program
            self.template = rebuild(returned, iter([_still(x) for x in self.returned]))
            del returned
        except CaptureError as error:
            if strict or isinstance(error, TooEarly):
                raise
            self.reason = str(error)
        finally:
            for undo in reversed(self.undone):
                undo()
            self._let_go()

    def lives(self, leaf: Node) -> bool:
        """Whether a leaf was there before the call, or is given to it; not made by the call."""
        return leaf in self.arguments or self.orders[leaf] < self.start

    def _let_go(self) -> None:
        """Forget the graph: the program has what it needs.

        A tensor that is left all the same, as an attribute of a module say, is computed after all,
        and belongs to no graph.
        """
        seen = self.returned, self.gradients, self.assigned, self.finite, self.shown
        for nodes in (*seen, self.undone):
            nodes.clear()
        self.copies.clear()
        self.loss = None
        left = [array for ref in self.made if (array := ref()) is not None]
        nodes = [x for x in gc.get_referrers(*left) if isinstance(x, Node)] if left else []
        for node in nodes:
            if node.raw.__class__ is Hollow:
                node.raw = filled(node.raw)
        for node in nodes:
            node.requires_grad &= not any(x.requires_grad for x in node.inputs)
            node.op, node.inputs, node.params = None, (), NO_PARAMS

    def _argument(self, i: int, leaf: Any) -> Any:
        """What the function is given for an argument: a leaf of the graph, where that is data."""
        if isinstance(leaf, float):
            node = Tensor.of(float(leaf))
            self.kinds[i] = Kind(False, (), None)
        elif isinstance(leaf, Tensor) or hasattr(leaf, "dtype"):
            raw = leaf.raw if isinstance(leaf, Tensor) else leaf
            if isinstance(raw, np.generic):  # a number of NumPy's
                raw = np.asarray(raw)
            if not raw.dtype.isnative:
                self.refuse(f"argument {i} has the byte order of another machine", "Convert it.")
            node = leaf if isinstance(leaf, Tensor) and leaf.op is None else Tensor.of(raw)
            if isinstance(leaf, Tensor):
                node.requires_grad = leaf.requires_grad
            self.kinds[i] = Kind(isinstance(leaf, Tensor), raw.shape, raw.dtype, type(raw))
        elif isinstance(leaf, Value):
            self.refuse(f"argument {i} is a Value, and no tensor", "Pass a float, or a tensor.")
        else:
            return leaf
        if node in self.arguments:  # the same tensor twice: two arguments all the same
            node = Tensor.of(node.raw, node.requires_grad)
        self.arguments[node] = i
        if node is not leaf:
            self.substitutes.add(node)
        return node

    # --- what it is told while the function runs ---

    def refuse(self, what: str, mend: str) -> NoReturn:
        """Give up the call: this cannot be followed."""
        self.reason = f"jit: {what}, at {names.here()}. {mend}"
        raise CaptureError(self.reason)

    def builds(self, what: str) -> NoReturn:
        """Weights are about to be made, which live on: the call has to run as it stands first."""
        raise TooEarly(f"jit: {what} has no weights yet, at {names.here()}")

    def computes(self, op: Op, inputs: tuple[Node, ...], params: dict[str, Any]) -> Any:
        """The raw result of an operation, as far as a recording has one."""
        for x in inputs[op.inputs.index("index") :] if "index" in op.inputs else ():
            if x.raw.dtype.kind == "b":  # how many elements it chooses is in its data
                self.looks_at(x, "indexing")
        for name, x in _nodes(params):  # it would be a number of this call, in each
            self.looks_at(x, f"{op.name}({name}=…)")
        try:
            raw = outcome(op, [x.raw for x in inputs], params)
        except Exception as error:  # of operands that have no names
            if isinstance(error, (DTypeError, BackendError)):  # which says it with the names
                agree(op, tuple([inputs[i] for i in alike(op, len(inputs))]))
            cause = error.__context__
            raise explain(
                op, inputs, params, cause if isinstance(cause, Exception) else error
            ) from None
        for array in raw if isinstance(raw, tuple) else (raw,):
            if array.__class__ is Hollow:
                self.made.append(weakref.ref(array))
        return raw

    def copied(self, leaf: Node, x: Node, dtype: Any, backend: str | None) -> Any:
        """The data of a leaf that is made of another tensor's: no gradient flows between them."""
        if not isinstance(x, Tensor):
            self.refuse("a Value becomes a Tensor", "Compute with tensors.")
        held: Tensor = detach(x)
        if dtype_of(x.raw) is None:  # a Python number, which becomes an array
            held = held * Tensor.of(np.ones(()))
            dtype = dtype or {bool: "bool", int: "int64"}.get(type(x.raw), DEFAULT)
        if dtype is not None:
            held = held.astype(dtype)
        self.copies[leaf] = held = held if backend is None else held.to(backend)
        return held.raw

    def looks_at(self, node: Node, how: str) -> None:
        """Data are read: refused, unless they are the same in each call."""
        if not self._constant(node):
            self.refuse(
                f"{how} reads {names.describe(node)}, which differs from call to call",
                "Return it and read it outside, or choose with autograd.where instead of `if`.",
            )
        node.raw = filled(node.raw)

    def _constant(self, node: Node) -> bool:
        """Whether a node was computed from nothing but what the function itself wrote down."""
        for x in history(node):
            if x.op is None and (x in self.arguments or x in self.numbers or x.order < self.start):
                return False
            if x in self.copies and not self._constant(self.copies[x]):
                return False
            if x.op is None and any(leaf is x for _, leaf, _, _ in self.assigned):
                return False
            if x.op is not None and x.op.name.startswith("random_"):
                return False
        return True

    def assigns(self, leaf: Tensor, data: Any, at: Any) -> None:
        """A leaf would get new data now, and does so in the program."""
        order = leaf.order
        self.orders.setdefault(leaf, order)
        if at is not ... and leaf.raw.__class__ is Hollow:
            self.refuse(
                f"assign: a part of {names.describe(leaf)}, which is made of a computed tensor",
                "Choose with autograd.where instead.",
            )
        self.undone.append(lambda: setattr(leaf, "order", order))
        if isinstance(data, (bool, int, float)):
            data = Tensor.of(data)
        elif not isinstance(data, Node):
            self.refuse(
                f"assign: {names.describe(leaf)} is given an array that is no tensor, and would be "
                "given the same one in each call",
                "Compute it with tensors.",
            )
        self.assigned.append((tick(), leaf, at, data))

    def begins_backward(self, root: Node) -> None:
        """A backward pass begins here."""
        self.loss = root

    def gradient(self, leaf: Node) -> Any:
        """The gradient of a leaf is read, to be used or added to: as a tensor, or None."""
        if leaf not in self.before:
            self.orders.setdefault(leaf, leaf.order)
            if leaf in self.substitutes:
                self.refuse(
                    f"backward comes to argument {self.arguments[leaf]}, which was computed "
                    "outside, or is given twice",
                    "Pass x.detach(), or compute it in the function.",
                )
            self._keep(leaf)
            if leaf._grad is not None and not isinstance(leaf._grad, Node):
                leaf._grad = Tensor.of(leaf._grad)
            self.before[leaf] = leaf._grad
        return leaf._grad

    def _keep(self, leaf: Node) -> None:
        old = leaf._grad
        self.undone.append(lambda: setattr(leaf, "_grad", old))

    def guard(self, holds: Callable[[], bool]) -> None:
        """The program is only right as long as this holds; it is asked before each run."""
        self.guards.append(holds)

    def forgets_gradient(self, leaf: Node) -> None:
        """The gradient of a leaf is about to be set to None, whatever it was."""
        if leaf not in self.before:
            self.orders.setdefault(leaf, leaf.order)
            self._keep(leaf)
            self.before[leaf] = ABSENT

    def shows(self, tensors: list[Any], tell: Callable[[list[Any]], None]) -> None:
        """Somebody may look at these after each run, until the next.

        `tell` is called once, before the first, with the arrays in which they will lie.
        """
        self.shown += tensors
        self.lookers.append((tell, len(tensors)))

    def number(self, compute: Host) -> dict[str, Any]:
        """Numbers that Python computes before each call, as tensors to compute with.

        `compute` is called now, and again before each run; `compute.undo()` takes the last call
        back.  Truth values stay what they are.
        """
        self.hosts.append(compute)
        self.undone.append(compute.undo)
        found: dict[str, Any] = {}
        for name, value in compute().items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                found[name] = value
                continue
            node = found[name] = Tensor.of(value)
            self.numbers[node] = len(self.hosts) - 1, name
        return found

    def draws(self, generator: Callable[[], Any], op: Op, count: int, **params: Any) -> Tensor:
        """Random numbers are drawn, with so many words of the stream of `generator()`."""
        if self.stream is None:
            self.stream = _Stream(generator)
            self.stream.at = self.number(self.stream)
        stream = self.stream
        owner = generator()
        owner.skip(count)
        self.undone.append(lambda: owner.back(count))
        offset, stream.count = stream.count, stream.count + count
        drawn: Tensor = op(stream.at["key"], stream.at["start"], offset=offset, **params)
        return drawn


class _Stream:
    """Before each run, the key and place of the random words that the program takes."""

    def __init__(self, generator: Callable[[], Any]) -> None:
        self.generator, self.count = generator, 0
        self.at: dict[str, Any] = {}

    def __call__(self) -> dict[str, Any]:
        self.owner = self.generator()
        self.taken = self.count
        key, start = self.owner.skip(self.count)
        return {"key": key, "start": start}

    def undo(self) -> None:
        """Put the words of the last call back."""
        self.owner.back(self.taken)


def _nodes(params: dict[str, Any]) -> Iterator[tuple[str, Node]]:
    """Tensors that stand where an operation expects numbers, with the param's name."""
    for name, value in params.items():
        for x in value if isinstance(value, (tuple, list)) else (value,):
            for item in (x.start, x.stop, x.step) if isinstance(x, slice) else (x,):
                if isinstance(item, Node):
                    yield name, item


ABSENT = object()


def _still(x: Any) -> Any:
    """A result's place in what the function returns: `SLOT` for a tensor, else the thing itself."""
    return SLOT if isinstance(x, Tensor) else x


SLOT = object()
"""The place of a tensor in what a function returned."""
