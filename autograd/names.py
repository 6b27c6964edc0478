"""Who a node is: its variable, its place in the model, and the line that made it.

Recording keeps two facts per node, the code and the instruction that made it, and the module call
it was made in.  All else is found here, when somebody asks: the file and line from the code's
table of positions, the variable by reading the source around that position, the module's path
from the outermost module's own list of its parts.  Pictures, errors and reports share the names.

    >>> from autograd import Tensor, names
    >>> w = Tensor([[1.0, 2.0]], requires_grad=True)
    >>> hidden = w * 3
    >>> names.title(w), names.variable(hidden)
    ('w', 'hidden')
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from os import sep
from os.path import abspath, dirname, join
from types import CodeType, FrameType
from typing import Any

import backends

from . import places
from .node import Node, Scope, current

__all__ = [
    "Names", "bound", "calling", "calls", "describe", "here", "path", "place", "table", "title",
    "told", "user_frame", "variable", "where",
]  # fmt: skip

_ROOT = dirname(dirname(abspath(__file__)))
HOUSE = (
    *(join(_ROOT, package) + sep for package in ("autograd", "nn", "backends")),
    *("<Tensor.", "<Value."),  # the recording functions that `record.py` writes
    contextlib.__file__,  # between a decorator made of a context and what it decorates
)
"""How the names of the files begin that are not the user's."""


@cache
def _inside(filename: str) -> bool:
    return filename.startswith(HOUSE)


# --- where ---


def user_frame() -> FrameType | None:
    """The innermost running frame that is the user's.  Let go of it: it holds all its locals."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _inside(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def calling() -> tuple[CodeType, int] | None:
    """The user's call that is running: the `where` of a scope."""
    frame = user_frame()
    return None if frame is None else (frame.f_code, frame.f_lasti)


def here() -> str:
    """The user's line that is running, as "train.py:41"."""
    frame = user_frame()
    return "" if frame is None else f"{places.label(frame.f_code.co_filename)}:{frame.f_lineno}"


def where(node: Node) -> str:
    """The user's line that the node's data comes from, or "" where nobody knows.

    For a computed node that is the line that recorded it or, where that line is in a module of
    `nn`, the line that called the module; for a leaf, the line that last assigned it.
    """
    made = place(node)
    return told(*made) if made else ""


def told(code: CodeType, instruction: int) -> str:
    """A place in a program as "train.py:41", or "" where its line is not known."""
    line = places.line(code, instruction)
    return f"{places.label(code.co_filename)}:{line}" if line else ""


def place(node: Node) -> tuple[CodeType, int] | None:
    """The innermost code of the user's that led to the node, and the instruction in it."""
    if node.code is not None and not _inside(node.code.co_filename):
        return node.code, node.instruction
    for scope in calls(node.scope):
        if scope.where is not None and not _inside(scope.where[0].co_filename):
            return scope.where
    return None


def calls(scope: Scope | None) -> Iterator[Scope]:
    """A scope and those around it, from the inside out."""
    while scope is not None:
        yield scope
        scope = scope.parent


# --- variables ---


def variable(node: Node) -> str | None:
    """The variable or attribute that the node was assigned to by the line that computed it."""
    if node.code is None or _inside(node.code.co_filename):
        return None
    return places.assigned(node.code, node.instruction)


def bound(node: Node, frame: FrameType) -> str | None:
    """The variable of a running frame that holds the node now."""
    return next((name for name, value in _visible(frame) if value is node), None)


def _visible(frame: FrameType) -> Iterator[tuple[str, Any]]:
    """What the code of a frame can name: its variables, what they hold, its `self`, its globals."""
    plain = {
        name: x
        for name, x in frame.f_locals.items()
        if name.isidentifier() and not name.startswith("__")
    }
    globals_ = {name: x for name, x in frame.f_globals.items() if not name.startswith("_")}
    yield from plain.items()
    yield from globals_.items()
    attributes = getattr(plain.get("self"), "__dict__", {})
    yield from ((f"self.{name}", x) for name, x in attributes.items())
    for name, x in (plain | globals_).items():
        if isinstance(x, (list, tuple)) and len(x) <= 1000:
            yield from ((f"{name}[{i}]", item) for i, item in enumerate(x))
        elif isinstance(x, dict) and len(x) <= 1000:
            yield from ((f"{name}[{key!r}]", item) for key, item in x.items())


# --- everything about the nodes of a graph ---


class Names:
    """The names of all nodes of a graph, found together.

    `parameters` maps each parameter of the modules that were called to its path in the outermost
    of them, "encoder.3.weight".  Where several outermost modules were called, their names come
    first.  Leaves that no module owns get the name of a variable of `frame`, if one is given;
    the frame itself is not kept.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        frame: FrameType | None = None,
        scopes: Iterable[Scope | None] = (),
    ) -> None:
        nodes = list(nodes)
        self.parameters: dict[Node, str] = {}
        self._modules: dict[int, tuple[str, Any]] = {}  # by identity, holding on to the module
        found = {id(n.scope): n.scope for n in nodes} | {id(s): s for s in scopes}
        roots = {id(root.owner): root for s in found.values() if (root := _root(s)) is not None}
        self._find_modules(list(roots.values()))
        self._results = _results(nodes)
        self._bound: dict[Node, str] = {}
        if frame is not None:
            for name, x in _visible(frame):
                if isinstance(x, Node):
                    self._bound.setdefault(x, name)

    def _find_modules(self, roots: list[Scope]) -> None:
        taken: dict[str, int] = {}
        for root in roots:
            prefix = ""
            if len(roots) > 1:
                taken[root.name] = taken.get(root.name, 0) + 1
                number = f"_{taken[root.name]}" if taken[root.name] > 1 else ""
                prefix = f"{root.name}{number}."
            for name, parameter in root.owner.named_parameters():
                self.parameters.setdefault(parameter, prefix + name)
            for name, module in root.owner.named_modules():
                path = prefix + name if name else prefix[:-1]
                self._modules.setdefault(id(module), (path, module))

    def path(self, place: Node | Scope | None) -> str:
        """The path of the module that computed a node, or that a scope is in: "encoder.3".

        It is "" in the outermost module itself, and outside any.
        """
        for scope in calls(place.scope if isinstance(place, Node) else place):
            if id(scope.owner) in self._modules:
                return self._modules[id(scope.owner)][0]
        return ""

    def module(self, scope: Scope | None) -> str:
        """What is being called in a scope: a module's path, or the name of what has none."""
        return self.path(scope) or (scope.name if scope is not None else "")

    def where(self, node: Node) -> str:
        """The user's line that the node's data comes from: see `where`."""
        return where(node)

    def given(self, node: Node) -> str | None:
        """The name that the node was given, or has as a parameter of a module."""
        return node.name or self.parameters.get(node)

    def variable(self, node: Node) -> str | None:
        """The variable that holds, or at first held, the node.

        `hidden = encoder(x)` names the one node that leaves the call of `encoder`.
        """
        name = self._bound.get(node) or variable(node)
        if name is None:
            for scope in self._results.get(node, ()):
                if scope.where is not None and not _inside(scope.where[0].co_filename):
                    name = name or places.assigned(*scope.where)
        return name

    def title(self, node: Node) -> str:
        """The best short name: given, as a parameter, of a variable, or else of the operation."""
        named = self.given(node) or self.variable(node)
        return named or (node.op.name if node.op is not None else "")

    def fields(self, node: Node, title: str = "") -> tuple[str, ...]:
        """Title, shape and dtype, module path and line: the columns of `describe`."""
        title = title or self.title(node) or type(node).__name__
        return title, _data(node), self.module(node.scope), where(node)

    def describe(self, node: Node) -> str:
        """One line: `hidden  (8, 64) float32  encoder.act  train.py:41`."""
        return "  ".join(field for field in self.fields(node) if field)


def _root(scope: Scope | None) -> Scope | None:
    """The outermost module call around a scope, itself included."""
    root = None
    for s in calls(scope):
        if hasattr(s.owner, "named_modules") and hasattr(s.owner, "named_parameters"):
            root = s
    return root


def _results(nodes: list[Node]) -> dict[Node, list[Scope]]:
    """Node → the calls, from the inside out, that it is the only node to leave."""
    read_in: dict[Node, list[set[int]]] = {}
    for node in nodes:
        around = {id(s) for s in calls(node.scope)}
        for x in node.inputs:
            read_in.setdefault(x, []).append(around)
    leaving: dict[int, list[Node]] = {}
    for node in nodes:
        for scope in calls(node.scope):
            readers = read_in.get(node, [])
            if not readers or any(id(scope) not in around for around in readers):
                leaving.setdefault(id(scope), []).append(node)
    alone = {key: left[0] for key, left in leaving.items() if len(left) == 1}
    return {
        node: [s for s in calls(node.scope) if alone.get(id(s)) is node]
        for node in nodes
        if node.scope is not None
    }


def _data(node: Node) -> str:
    """What a node holds, in a word or three: a number itself, else shape, dtype and backend."""
    raw = node.raw
    if isinstance(raw, tuple):  # all results of one operation
        return ", ".join(str(x.shape) for x in raw) + f" {raw[0].dtype}"
    if getattr(raw, "dtype", None) is None:
        return str(float(f"{raw:.6g}")) if isinstance(raw, float) else str(raw)
    backend = backends.name_of(raw)
    return f"{raw.shape} {raw.dtype}" + (f" on {backend}" if backend != "numpy" else "")


# --- about one node, for an error or a report ---


def _names_of(*nodes: Node) -> Names:
    """The names that a message of now should use: those of the user's running frame too."""
    scopes = [x.scope for node in nodes for x in (node, *node.inputs)]
    return Names((), user_frame(), [*scopes, current().scope])


def path(node: Node) -> str:
    """The path of the module that computed the node: see `Names.path`."""
    return _names_of(node).path(node)


def title(node: Node) -> str:
    """The best short name of a node: see `Names.title`."""
    return _names_of(node).title(node)


def describe(node: Node) -> str:
    """One line about a node: title, shape, dtype, module path, and the user's line.

    It never raises, for it stands in messages about other failures.
    """
    try:
        return _names_of(node).describe(node)
    except Exception:  # a module of the user's that cannot list its parts: say what is sure
        return f"{node.name or type(node).__name__}  {_data(node)}"


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of fields as indented lines with aligned columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  " + "  ".join(f.ljust(w) for f, w in zip(row, widths, strict=True) if w).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
