"""What is noticed while a function of `Value`s is called once, to become a program.

The numbers that a call computes with are `Value`s, and the graph shows what becomes of them.  A
number that leaves the graph (`float(x)`, `x.data`, the truth of `x > 0`) would be the same in
every later run, and one that is put in from outside (`p.data = …`) would be lost: both are
refused.  Those doors of `Value` are watched as long as some function is being called for its
program, so that reading `x.data` costs nothing at any other time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ... import names
from ...intake import array_of
from ...node import Node, Op, current, history, record_everything, tick
from ...value import Value
from ..errors import CaptureError
from ..hollow import evaluated

__all__ = ["Watch"]


class Watch:
    """The watcher of one call: see `record_everything`."""

    def __init__(self) -> None:
        self.start = tick()
        self.arguments: dict[Node, int] = {}
        """The leaves that stand for numbers among the arguments, with their place there."""
        self.copies: dict[Node, Node] = {}
        """Leaves made of the data of another node: no gradient flows between them."""
        self.passes: list[tuple[int, Node, float]] = []
        """(tick, root, gradient of it) of each call of `backward`."""
        self.forgotten: dict[Node, int] = {}
        """When the gradient of a leaf was last set to None."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record everything that is computed in this block, and watch it."""
        with _watched(), record_everything(self):
            yield

    def refuse(self, what: str, mend: str) -> NoReturn:
        """Give up the call: this cannot be followed."""
        raise CaptureError(f"jit: {what}, at {names.here()}. {mend}")

    def computes(self, op: Op, inputs: tuple[Node, ...], params: dict[str, Any]) -> Any:
        """The raw result of an operation on tensors, which belong to no program of numbers."""
        return evaluated(op, [x.raw for x in inputs], params)

    def builds(self, what: str) -> NoReturn:
        """Weights are about to be made, which live on."""
        self.refuse(f"{what} makes its weights", "Build the model before.")

    def looks_at(self, x: Node, how: str) -> None:
        """A number leaves the graph: refused, unless it is the same in each run."""
        if not self.is_constant(x):
            self.refuse(
                f"{how} reads {names.describe(x)}, which differs from run to run",
                "Return it and read it outside; instead of `if`, choose with relu, maximum, clip …",
            )

    def copied(self, leaf: Node, x: Node, dtype: Any, backend: str | None) -> Any:
        """The data of a leaf that is made of another node's: of what is the same in each run."""
        self.looks_at(x, "Tensor()")
        return array_of(x, dtype, backend)

    def is_constant(self, x: Node) -> bool:
        """Whether a number was computed from nothing but what the function itself wrote down."""
        return not any(
            node.order < self.start or node in self.arguments or node in self.copies
            for node in history(x)
        )

    def assigns(self, x: Node) -> NoReturn:
        """A number is put into the graph from outside."""
        self.refuse(
            f"{names.describe(x)} is given new data",
            "A compiled function computes, it assigns nothing: update parameters outside of it.",
        )

    def reads_gradient(self, x: Node) -> None:
        """The gradient of a node is looked at: known is only that it was set to None."""
        since = self.forgotten.get(x)
        if since is None or any(when > since for when, _, _ in self.passes):
            self.refuse(
                f"the gradient of {names.describe(x)} is read",
                "It is a plain number, there after the call: read it outside of the function.",
            )

    def assigns_gradient(self, x: Node, g: Any) -> None:
        """The gradient of a node is set: None and 0 forget it."""
        if g is not None and not (isinstance(g, (int, float)) and g == 0):
            self.refuse(f"the gradient of {names.describe(x)} is set", "Only None and 0 can be.")
        self.forgotten[x] = tick()

    def goes_back(self, root: Node, gradient: Any, create_graph: bool) -> None:
        """A backward pass: it is not run now, but whenever the program is."""
        if create_graph:
            self.refuse("backward(create_graph=True) leaves Values in .grad", "Use autograd.grad.")
        if isinstance(gradient, Node):
            self.refuse("backward is given a Value as gradient", "Multiply the loss by it.")
        self.passes.append((tick(), root, 1.0 if gradient is None else float(gradient)))


def _watcher() -> Watch | None:
    """Who watches here: doors are open to other threads."""
    watcher = current().watcher
    return watcher if isinstance(watcher, Watch) else None


# --- the doors ---


def _reading(name: str, how: str) -> Callable[..., Any]:
    """A method of `Value` that hands its number out."""
    plain = getattr(Value, name)

    def read(self: Value) -> Any:
        if watch := _watcher():
            watch.looks_at(self, how)
        return plain(self)

    return read


def _get_data(self: Value) -> Any:
    if watch := _watcher():
        watch.looks_at(self, ".data")
    return self.raw


def _set_data(self: Value, data: Any) -> None:
    if watch := _watcher():
        watch.assigns(self)
    self.raw = data


def _get_grad(self: Value) -> Any:
    if watch := _watcher():
        watch.reads_gradient(self)
    return self._grad


def _set_grad(self: Value, grad: Any) -> None:
    if watch := _watcher():
        watch.assigns_gradient(self, grad)
    else:
        self._grad = grad


def _zero_grad(self: Value) -> None:
    _set_grad(self, None)


_backward, _init, _detach = Value.backward, Value.__init__, Value.detach


def _go_back(self: Value, gradient: Any = None, *, create_graph: bool = False) -> None:
    if (watch := _watcher()) and self.requires_grad:
        watch.goes_back(self, gradient, create_graph)
    else:
        _backward(self, gradient, create_graph=create_graph)


def _make(self: Value, data: Any, name: str | None = None, requires_grad: bool = True) -> None:
    """`Value(x)` of a number that is an argument, and so a Value already, copies it."""
    watch = _watcher() if isinstance(data, Value) else None
    _init(self, data.raw if watch else data, name, requires_grad)
    self.made_by(sys._getframe(1))
    if watch:
        watch.copies[self] = data


def _copy(self: Value) -> Value:
    copy = _detach(self)
    if watch := _watcher():
        watch.copies[copy] = self
    return copy


DOORS: dict[str, Any] = {
    "data": property(_get_data, _set_data),
    "grad": property(_get_grad, _set_grad),
    "item": _reading("item", ".item()"),
    "__float__": _reading("__float__", "float()"),
    "__int__": _reading("__int__", "int()"),
    "__bool__": _reading("__bool__", "a condition (if, and, or, not, max, sorted, …)"),
    "zero_grad": _zero_grad,
    "backward": _go_back,
    "detach": _copy,
    "__init__": _make,
}
"""What stands in the place of attributes of `Value` while somebody watches."""

OPEN = {name: vars(Value)[name] for name in DOORS}

_lock = threading.Lock()
_watching = 0


@contextmanager
def _watched() -> Iterator[None]:
    """The doors are watched in this block, of whatever thread."""
    global _watching
    with _lock:
        _watching += 1
        if _watching == 1:
            _hang(DOORS)
    try:
        yield
    finally:
        with _lock:
            _watching -= 1
            if not _watching:
                _hang(OPEN)


def _hang(doors: dict[str, Any]) -> None:
    for name, door in doors.items():
        setattr(Value, name, door)
