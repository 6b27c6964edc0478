"""A node is a value that remembers how it was computed.

Four ideas carry the engine, and this file holds two of them. An `Op` says what it computes and
how gradients flow back through it. A `Node` (`Value`, a number, or `Tensor`, an array) holds
data and the op, inputs and parameters it came from: never a closure, so a graph frees itself,
and everything that reads it (the reverse pass, the picture, the compiler) reads the same thing.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from copy import deepcopy
from functools import wraps
from itertools import count
from types import CodeType, FrameType
from typing import Any, ClassVar, overload

from backends import namespaces, python

from .errors import GraphError

__all__ = ["Freed", "Node", "Op", "Scope", "elementwise", "history", "no_grad", "op", "scope"]

tick: Callable[[], int] = count().__next__
"""The clock of creation: a node is younger than all that it was computed from."""


class Scope:
    """What was being called when a node was recorded: a module, or a function made of ops."""

    __slots__ = ("name", "owner", "parent", "where")

    def __init__(
        self, name: str, owner: Any, parent: Scope | None, where: tuple[CodeType, int] | None
    ) -> None:
        self.name, self.owner, self.parent, self.where = name, owner, parent, where


EVERYTHING, WATCHED = 2, 3
"""The `State.recording` of `record_everything`, and of a `no_grad` within it: what is computed
there is recorded too, but no gradient flows back through it.  Else it is True or False."""


class State:
    """What recording depends on; immutable, so that it can live in a context variable.

    A `watcher` is told of what no graph shows: assignments, random draws, data that leave it.
    """

    __slots__ = ("recording", "scope", "watcher")

    def __init__(self, recording: int, scope: Scope | None, watcher: Any = None) -> None:
        self.recording, self.scope, self.watcher = recording, scope, watcher

    def but(self, recording: int) -> State:
        """The same with another recording; inside `record_everything` all stays recorded."""
        if self.recording >= EVERYTHING:
            recording = EVERYTHING if recording else WATCHED
        return State(recording, self.scope, self.watcher)


surroundings: list[Callable[[], Any]] = []
"""What else decides what a call computes, such as whether a model trains: `jit` asks each."""

_state: ContextVar[State] = ContextVar("autograd.state", default=State(True, None))  # noqa: B039
current: Callable[[], State] = _state.get


class no_grad:
    """Compute without recording, as a block or as a decorator.

    >>> from autograd import Tensor, no_grad
    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    recording: ClassVar[int] = False

    def __call__(self, f: Any) -> Any:
        """Decorate a function; of a generator or coroutine, every step runs in the block."""
        kind = type(self)  # one block per call: threads must not share one

        @wraps(f)
        def called(*args: Any, **kwargs: Any) -> Any:
            with kind():
                return f(*args, **kwargs)

        @wraps(f)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            with kind():
                return await f(*args, **kwargs)

        @wraps(f)
        def stepped(*args: Any, **kwargs: Any) -> Any:
            steps = f(*args, **kwargs)
            advance, sent = steps.send, None
            while True:
                try:
                    with kind():
                        item = advance(sent)
                except StopIteration as end:
                    return end.value
                try:
                    advance, sent = steps.send, (yield item)
                except BaseException as thrown:
                    advance, sent = steps.throw, thrown

        if inspect.isgeneratorfunction(f):
            return stepped
        return awaited if inspect.iscoroutinefunction(f) else called

    def __enter__(self) -> None:
        self._tokens: list[Token[State]] = getattr(self, "_tokens", [])
        self._tokens.append(_state.set(current().but(self.recording)))

    def __exit__(self, *exception: object) -> None:
        _state.reset(self._tokens.pop())


class enable_grad(no_grad):
    """Record again, inside a `no_grad` block."""

    recording = True


class record_everything(no_grad):  # noqa: N801
    """Record every operation, also what needs no gradient: comparisons, and what constants give.

    For those who read a whole computation: the ONNX export, and `jit`, which watches it besides.
    """

    recording = EVERYTHING

    def __init__(self, watcher: Any = None) -> None:
        self.watcher = watcher

    def __enter__(self) -> None:
        state = current()
        self._tokens = getattr(self, "_tokens", [])
        self._tokens.append(
            _state.set(State(EVERYTHING, state.scope, self.watcher or state.watcher))
        )


@contextmanager
def scope(name: str, owner: Any = None, where: tuple[CodeType, int] | None = None) -> Iterator[Any]:
    """Nodes recorded in this block belong to `owner`: a module, or None for a function."""
    state = current()
    inner = Scope(name, owner, state.scope, where)
    token = _state.set(State(state.recording, inner, state.watcher))
    try:
        yield
    finally:
        _state.reset(token)


class Freed(tuple[()]):
    """The inputs of a node whose graph a backward pass has freed, and the place of that pass."""

    code: CodeType | None = None
    instruction: int = 0


class Node:
    """Data, and how it was computed.

    `raw` is what an op's forward computes with: a Python number or a backend's array.
    `op`, `inputs` and `params` are its history (`None`, `()`, `{}` for a leaf).  `order` is the
    tick at which its data came to be, `code` and `instruction` the place in a program that made
    it, and `scope` the module call it was made in.  What few nodes have is in `extra`: a name,
    hooks.
    """

    __slots__ = (
        "raw", "_grad", "op", "inputs", "params", "order", "requires_grad", "code",
        "instruction", "scope", "extra", "__weakref__",
    )  # fmt: skip

    is_array: ClassVar[bool]
    shape: Any
    raw: Any
    _grad: Any
    op: Op | None
    inputs: tuple[Node, ...]
    params: dict[str, Any]
    order: int
    requires_grad: bool
    code: CodeType | None
    instruction: int
    scope: Scope | None
    extra: dict[str, Any] | None

    def _leaf(self, raw: Any, requires_grad: bool) -> None:
        """Make this node a leaf: data that was given, not computed."""
        self.raw, self.requires_grad, self.order = raw, requires_grad, tick()
        self.op, self.inputs, self.params = None, (), NO_PARAMS
        self._grad = self.code = self.scope = self.extra = None

    def made_by(self, frame: FrameType | None) -> None:
        """Remember the place in a program that makes the data of this leaf."""
        if frame is not None:
            self.code, self.instruction = frame.f_code, frame.f_lasti

    def __reduce__(self) -> Any:
        """A copy, deep copy or pickle is a leaf of its own."""
        if self.op is not None:
            raise GraphError(
                f"copy: a {type(self).__name__} computed by {self.op.name} is part of a graph. "
                "Copy x.detach()."
            )
        notes = {key: fact for key, fact in (self.extra or {}).items() if key != "hooks"}
        return _copy_of_leaf, (type(self), self.raw, self.requires_grad, notes)

    def __copy__(self) -> Any:
        """A copy holds its own array: `assign` to one must not change the other."""
        return deepcopy(self)

    def __format__(self, spec: str) -> str:
        """`f"{loss:.4f}"` formats the number, where there is one."""
        return format(self.item(), spec) if spec else str(self)  # type: ignore[attr-defined]

    __hash__ = object.__hash__

    @property
    def name(self) -> str | None:
        """The name this node was given, or None: it may still have one by its place in the code."""
        return self.extra.get("name") if self.extra else None

    @name.setter
    def name(self, name: str) -> None:
        self.note("name", name)

    def note(self, key: str, value: Any) -> None:
        """Keep a rarely needed fact about this node."""
        self.extra = {**(self.extra or {}), key: value}


def _copy_of_leaf(kind: type[Node], raw: Any, requires_grad: bool, notes: dict[str, Any]) -> Node:
    copy = object.__new__(kind)
    copy._leaf(raw, requires_grad)
    copy.extra = notes or None
    return copy


NO_PARAMS: dict[str, Any] = {}


def history(*outputs: Node) -> list[Node]:
    """Every node that the outputs were computed from, newest first: a topological order.

    A node is created after its inputs, so sorting by creation sorts topologically, without
    recursion and in the same order each time.
    """
    found = {node.order: node for node in outputs}
    stack = list(outputs)
    while stack:
        for x in stack.pop().inputs:
            if x.order not in found:
                found[x.order] = x
                stack.append(x)
    return [found[order] for order in sorted(found, reverse=True)]


Rule = Callable[..., Any]

RESERVED = frozenset(
    """HOUSE NO_PARAMS Tensor Value agree apply bundled check_fresh current error explain forward
    found frame getframe gradient is_float lift make namespaces new node op order pull pulled python
    raw raws recording result same settle space state sum_to through tick xp z""".split()
)
"""Names that the functions which `record.py` writes use for themselves."""


class Op:
    """What an operation computes, and one vector-Jacobian rule per input.

    `forward(xp, *inputs, **params)` computes with raw data and the namespace `xp` of a backend.
    A rule receives the gradient `g` of the result, the result and the inputs, then the params:
    fed raw data it computes, fed nodes it records, so that gradients can be differentiated,
    drawn and compiled like any graph.  A rule of None says that no gradient flows there.
    """

    table: ClassVar[dict[str, Op]] = {}
    kinds: ClassVar[dict[type, Callable[[Op], Callable[..., Any]]]] = {}
    """Kind of node → the maker of an op's recording function for it (see `record.py`)."""

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        elementwise: bool = False,
        domain: tuple[float, float] | tuple[tuple[float, float], ...] = (-2, 2),
        samples: tuple[dict[str, Any], ...] = ({},),
        shapes: tuple[tuple[Any, ...], ...] = (),
        needs: str = "",
        outputs: tuple[str, ...] = (),
        keeps: tuple[str, ...] = (),
    ) -> None:
        self.forward, self.name, self.__doc__ = forward, forward.__name__, forward.__doc__
        self.__name__, self.__module__ = self.name, forward.__module__
        self.elementwise, self.domain, self.samples = elementwise, domain, samples
        self.shapes, self.needs = shapes, needs
        self.outputs, self.keeps = outputs, keeps
        signature = list(inspect.signature(forward).parameters.values())[1:]
        self.inputs = [p.name for p in signature if p.kind is not p.KEYWORD_ONLY]
        self.variadic = any(p.kind is p.VAR_POSITIONAL for p in signature)
        self.params = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
        for taken in (*self.inputs, *self.params):
            if taken in RESERVED or taken.endswith(("_", "_rule")):
                raise ValueError(
                    f"{self.name}: its argument cannot be called {taken!r}, a name that the "
                    "recording functions use for themselves. Give it another, without _ at its end."
                )
        self.rules: tuple[Rule | None, ...] = ()
        self.joint: Rule | None = None
        self.definition: Callable[..., Any] | None = None
        self.meaning: Callable[..., Any] | None = None
        self.on: dict[type, Callable[..., Any]] = {}
        self.pulls: dict[str, Callable[..., None]] = {}
        self.scalar_pull: Callable[..., None] | None = None
        if self.name in Op.table:
            raise ValueError(f"the op table has an entry {self.name!r} already")
        Op.table[self.name] = self

    def vjp(self, *rules: Rule | None) -> Op:
        """One rule per input: `rule(g, z, *inputs, **params)` is g pulled back to that input."""
        self.rules = rules
        return self._changed()

    def vjp_joint(self, rule: Rule) -> Op:
        """One rule for all inputs at once, where they share work: it returns a tuple."""
        self.joint = rule
        return self._changed()

    def vjp_of(self, definition: Callable[..., Any]) -> Op:
        """The gradient of `definition(*inputs, **params)`, which computes the same results as a
        composition of ops: slower than rules of its own, but written once, and of any order."""
        from .several import by_definition

        self.definition = definition
        return self.vjp_joint(by_definition(definition))

    def means(self, definition: Callable[..., Any]) -> Op:
        """What a fused op computes, `definition(*inputs, **params)`, as a composition of ops.

        Whoever knows simpler ops only reads it: `tensor.values()`, the export, tests.
        """
        self.meaning = definition
        return self

    def _changed(self) -> Op:
        """What was written from the old rules is forgotten."""
        self.pulls.clear()
        self.scalar_pull = None
        return self

    @property
    def differentiable(self) -> bool:
        """Whether a gradient flows to at least one input."""
        return self.joint is not None or any(self.rules)

    @property
    def saves(self) -> frozenset[str]:
        """Whose data the rules read, of the inputs' names and "result": what backward keeps.

        Read off the rules' code, so it cannot be wrong; asking for a shape keeps no data.
        """
        if self.definition is not None:
            return frozenset(self.inputs)
        found: set[str] = set()
        for rule in (*self.rules, self.joint):
            if rule is not None:
                found |= _data_read(rule, ["result", *self.inputs])
        return frozenset(found)

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        for x in inputs:
            if isinstance(x, Node):
                return self.recorder(type(x))(*inputs, **params)
        xp = namespaces[type(inputs[0])]
        if xp is python:  # a number may stand first, with an array behind it
            for x in inputs[1:]:
                xp = namespaces[type(x)]
                if xp is not python:
                    break
        z = self.forward(xp, *inputs, **params)
        return self.handed_out(z) if self.outputs else z

    def handed_out(self, results: Sequence[Any]) -> Any:
        """What a caller gets of all that the forward returns: the outputs, or the only one."""
        return results[0] if len(self.outputs) == 1 else tuple(results[: len(self.outputs)])

    def recorder(self, kind: type) -> Callable[..., Any]:
        """The function that applies this op to nodes of that kind and records it."""
        if kind not in self.on:
            base = next((k for k in kind.__mro__ if k in Op.kinds), None)
            if base is None:
                raise TypeError(f"{self.name}: {kind.__name__} is not a kind of node")
            self.on[kind] = self.on[base] if base in self.on else Op.kinds[base](self)
        return self.on[kind]

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _data_read(rule: Rule, names: list[str]) -> set[str]:
    """Which of the arguments behind g a rule reads for more than a shape, dtype or ndim."""
    code = getattr(rule, "__code__", None)
    if code is None:
        return set(names)
    arguments = dict(zip(code.co_varnames[1 : code.co_argcount], names, strict=False))
    if code.co_flags & inspect.CO_VARARGS:
        arguments[code.co_varnames[code.co_argcount + code.co_kwonlyargcount]] = names[-1]
    read = set()
    steps = list(dis.get_instructions(code))
    for i, step in enumerate(steps):
        loaded = step.argval if isinstance(step.argval, tuple) else (step.argval,)
        if step.opname == "STORE_FAST_LOAD_FAST":  # two instructions in one, from Python 3.13 on
            loaded = loaded[1:]
        elif not step.opname.startswith(("LOAD_FAST", "LOAD_CLOSURE", "LOAD_DEREF")):
            continue
        for j, name in enumerate(loaded):
            follower = steps[i + 1] if j == len(loaded) - 1 else step
            if name in arguments and follower.argval not in ("shape", "dtype", "ndim", "size"):
                read.add(arguments[name])
    return read


@overload
def op(forward: Callable[..., Any], /) -> Op: ...
@overload
def op(**facts: Any) -> Callable[[Callable[..., Any]], Op]: ...
def op(forward: Any = None, /, **facts: Any) -> Any:
    """Enter a forward function into the op table, as a decorator with or without facts.

    `domain` is where its tests draw numbers from (one interval, or one per input), `samples` are
    params to test it with, `shapes` the inputs' shapes for each sample, `needs` what an error
    says that it needs.  A forward that returns a tuple names its `outputs`, and behind them what
    it `keeps` for its rule (see `several.py`).
    """
    return (lambda f: Op(f, **facts)) if forward is None else Op(forward, **facts)


@overload
def elementwise(forward: Callable[..., Any], /) -> Op: ...
@overload
def elementwise(**facts: Any) -> Callable[[Callable[..., Any]], Op]: ...
def elementwise(forward: Any = None, /, **facts: Any) -> Any:
    """Enter an op that works on one element at a time: it broadcasts, and serves `Value` too."""
    facts["elementwise"] = True
    return op(**facts) if forward is None else op(**facts)(forward)
