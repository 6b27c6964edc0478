"""The trace: what one computation did, forward and backward, as plain data.

    >>> from autograd import Value
    >>> from autograd.view import GraphTrace
    >>> a, b = Value(2.0, name="a"), Value(-3.0, name="b")
    >>> trace = GraphTrace.of(a * b)
    >>> [(node.key, node.grad) for node in trace.nodes]
    [('a', -3.0), ('b', 2.0), ('mul#0', 1.0)]

The page, the stepper, the recorder of a training and whoever compares two runs start from it.  It
holds snapshots: what changes afterwards does not change it.  `docs/trace.md` is its schema.
"""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, ClassVar, Literal

import backends

from ...node import Node
from .alike import mark_alike
from .capture import Captured
from .model import Event, Excerpt, OpInfo, Scope, TraceNode, plain
from .program import Listed

__all__ = ["GraphTrace"]

host = backends.get("numpy")


@dataclass(slots=True)
class GraphTrace:
    """A computation: nodes behind their inputs, the calls they are in, and the backward pass.

    `notes` say what is not there, and why.
    """

    FORMAT: ClassVar[str] = "glassgrad-trace"
    VERSION: ClassVar[int] = 1

    title: str
    kind: Literal["values", "tensors", "program"]
    nodes: list[TraceNode]
    scopes: list[Scope] = field(default_factory=list)
    ops: dict[str, OpInfo] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    root: int | None = None
    notes: list[str] = field(default_factory=list)
    sources: dict[str, list[Excerpt]] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        x: Any,
        gradient: Any = None,
        *,
        frame: FrameType | None = None,
        preview: int | None = None,
    ) -> GraphTrace:
        """The trace of all that x was computed from: a Value, a Tensor, a jitted function.

        The backward pass is taken for it, with `gradient` (1 for a single number) arriving at x.
        Nothing changes by it: no `.grad` is written, the graph is not freed.  Variables of `frame`
        (the caller's by default) lend their names.  `preview` elements of each array are kept, by
        default the more the smaller the graph.

        Raises GraphError where the graph was freed already.
        """
        if hasattr(x, "_trace_"):
            return x._trace_()  # type: ignore[no-any-return]
        if not isinstance(x, Node):
            raise TypeError(
                f"GraphTrace: expected a Value or Tensor that was computed, or a jitted function, "
                f"got {type(x).__name__}. For a model, take its loss or its output: model(x)."
            )
        with host.errstate(all="ignore"):  # what is not finite is shown, not warned of
            return cls._captured(Captured([x], gradient, frame or sys._getframe(1), preview))

    @classmethod
    def still(cls, *roots: Node, frame: FrameType | None = None) -> GraphTrace:
        """The trace of what these were computed from as it is: with the gradients there are.

        No backward pass is taken.
        """
        with host.errstate(all="ignore"):
            frame = frame or sys._getframe(1)
            return cls._captured(Captured(roots, frame=frame, preview=0, still=True))

    @classmethod
    def _captured(cls, found: Captured) -> GraphTrace:
        x = found.root
        mark_alike(found.scopes, found.told)
        return cls(
            title=found.names.title(x) or ("Tensor" if x.is_array else "Value"),
            kind="tensors" if x.is_array else "values",
            nodes=found.told,
            scopes=found.scopes,
            ops=found.ops,
            events=found.events,
            root=found.number[x],
            notes=found.notes,
            sources=found.sources,
            made=made_by(x),
        )

    @classmethod
    def listed(cls, found: Listed, title: str, told: str) -> GraphTrace:
        """The trace of a compiled program; `told` says in a few words what it is."""
        mark_alike(found.scopes, found.nodes)
        return cls(
            title=title,
            kind="program",
            nodes=found.nodes,
            scopes=found.scopes,
            ops=found.ops,
            notes=[f"{told}. Numbers of single steps stay in registers and are not shown."],
            sources=found.sources,
            made=made_by(None),
        )

    def plain(self) -> dict[str, Any]:
        """The trace as JSON can say it: dicts, lists, numbers and texts."""
        return {"format": self.FORMAT, "version": self.VERSION, **plain(self)}

    def json(self) -> str:
        """The trace as a JSON text."""
        return json.dumps(self.plain(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    def node(self, key: str) -> TraceNode:
        """The node with this key."""
        return next(node for node in self.nodes if node.key == key)

    def __repr__(self) -> str:
        return f"<GraphTrace of {self.title}: {len(self.nodes)} nodes, {len(self.events)} events>"


def made_by(x: Node | None) -> dict[str, str]:
    """What made the numbers: for a reader who wonders about them later."""
    return {
        "glassgrad": _version(),
        "python": platform.python_version(),
        "backend": "python" if x is None or not x.is_array else backends.name_of(x.raw),
    }


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("glassgrad")
    except metadata.PackageNotFoundError:
        return "unknown"
