"""A computation run with everything recorded, also where a graph ends: what verdicts read.

`detach`, `no_grad`, comparisons and integers leave no node in an ordinary graph, and `.numpy()`
leaves none at all.  Here every operation is a node, and every look at the data is written down.
What is compiled runs operation by operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from .. import names, random
from ..calls import flatten
from ..errors import GraphError
from ..intake import array_of
from ..node import Node, Op, State, _state, current, record_everything
from ..tensor import Tensor
from .words import np

__all__ = ["Exit", "Seen", "run"]


class Exit(NamedTuple):
    """The data of a node left the graph: by which method, on which line."""

    node: Node
    how: str
    where: str


class Seen:
    """What a call computed: its result, how data left the graph, and who read which node.

    It stands as the watcher of a recording, and does what nobody would have done differently.
    """

    def __init__(self) -> None:
        self.result: Any = None
        self.exits: list[Exit] = []
        self.uses: dict[Node, tuple[Op, str]] = {}
        """Leaf → the first operation that read it, and its line."""
        self.finite: list[Node] = []  # what `jit` is asked to check as it runs
        self._before: dict[Node, Any] = {}

    @property
    def outputs(self) -> list[Node]:
        """The nodes among the results."""
        return [x for x in flatten(self.result) if isinstance(x, Node)]

    # --- what a watcher is told ---

    def computes(self, op: Op, inputs: tuple[Node, ...], params: dict[str, Any]) -> Any:
        for x in inputs:
            if x.op is None and x not in self.uses:
                self.uses[x] = op, names.here()
        z = self._unwatched(op.recorder(Tensor), *inputs, **params)
        if not op.outputs:
            return z.raw
        return (z[0] if isinstance(z, tuple) else z).inputs[0].raw

    def looks_at(self, node: Node, how: str) -> None:
        self.exits.append(Exit(node, how, names.here()))

    def copied(self, leaf: Node, x: Node, dtype: Any, backend: str | None) -> Any:
        self.looks_at(x, "Tensor(…)")
        return self._unwatched(array_of, x, dtype, backend)

    def assigns(self, leaf: Tensor, data: Any, at: Any) -> None:
        if isinstance(data, Node):
            self.looks_at(data, "assign")
            data = data.raw
        self._before.setdefault(leaf, leaf.raw.copy())
        leaf.raw[at] = data if hasattr(data, "dtype") else array_of(data, leaf.dtype, leaf.backend)

    def draws(self, generator: Any, op: Op, count: int, **params: Any) -> Tensor:
        drawn: Tensor = self._unwatched(
            random._drawn, op, params.pop("shape"), params.pop("dtype", ""), **params
        )
        return drawn

    def number(self, compute: Callable[[], Any]) -> NoReturn:
        raise GraphError(
            f"the function takes an optimizer's step, at {names.here()}. Give it only what "
            "computes the loss: backward is called for you, and nothing is to change."
        )

    def put_back(self) -> None:
        """Undo the assignments, such as those to running statistics."""
        for leaf, raw in self._before.items():
            leaf.raw[...] = raw

    def begins_backward(self, root: Node) -> None: ...
    def gradient(self, node: Node) -> None: ...
    def builds(self, what: str) -> None: ...
    def forgets_gradient(self, node: Node) -> None: ...
    def guard(self, holds: Callable[[], bool]) -> None: ...
    def refuse(self, what: str, mend: str) -> None: ...

    def _unwatched(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        state = current()
        token = _state.set(State(state.recording, state.scope))
        try:
            return f(*args, **kwargs)
        finally:
            _state.reset(token)


def run(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Seen:
    """Call f, and see all that it computes.

    Afterwards the random stream and the leaves that it assigned are as before.
    """
    seen, before = Seen(), random.state()
    try:
        with record_everything(seen), np.errstate(all="ignore"):
            seen.result = f(*args, **kwargs)
    finally:
        random.set_state(before)
        seen.put_back()
    return seen
