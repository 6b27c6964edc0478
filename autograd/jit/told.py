"""What a compiled function says about itself: `source`, `python`, `ir`, `explain()`, `memory()`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..calls import flatten
from ..node import Node
from .errors import CaptureError

if TYPE_CHECKING:
    from ..view.picture import Picture, Rankdir
    from ..view.trace import GraphTrace
    from .explain import Explanation
    from .footprint import Footprint
    from .python_text import PythonText
    from .run import Bound
    from .words import Words

__all__ = ["Told"]


class Told:
    """What of `Jitted` is there to be read.

    It is about the specialisation that ran last or, where arguments are given, about the one for
    arguments like these, which is compiled if there is none yet.  Nothing is run or changed.
    """

    function: Callable[..., Any]
    known: Any
    last: Any
    scalars: Any
    reason: str | None

    @property
    def source(self) -> str:
        """The C that runs or, where there is no compiler, the Python."""
        if self.scalars:
            return str(next(reversed(self.scalars.values())).machine.source)
        return str(self._bound("source").runner.source)

    @property
    def python(self) -> str:
        """The program as NumPy to read, save and run: a function of named arrays (see `values`)."""
        return self._text("python").text

    @property
    def ir(self) -> str:
        """The program, a line for each step: operation, shape, dtype, module, the user's line."""
        from .listing import listing

        bound = self._bound("ir")
        return listing(bound.program, self._words(bound), self._name)

    def values(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What the function in `python` is called with, for these arguments: copies, by name."""
        text = self._text("values", args, kwargs)
        return text.values([getattr(x, "raw", x) for x in flatten((args, kwargs))])

    def explain(self, *args: Any, profile: bool = False, **kwargs: Any) -> Explanation:
        """How it runs, and what its kernels do; with `profile` also how long each takes.

        That compiles it once more and runs it on copies: weights stay as they are.  Arguments
        that are not given are made up then, as noise and as indices of 0.
        """
        from .explain import explain

        given = flatten((args, kwargs))
        bound = self._found(args, kwargs) if given else self._latest()
        return explain(self, bound, given or None, profile)

    def memory(self, *args: Any, **kwargs: Any) -> Footprint:
        """The bytes it takes, by whose they are, and what lies in the arena when."""
        from .footprint import footprint

        bound = self._bound("memory", args, kwargs)
        runner = bound.runner
        schedule = getattr(runner, "schedule", None)
        program = bound.program if schedule is None else schedule.program
        arena = runner.rendered.arena if schedule is not None else None
        return footprint(program, self._words(bound), schedule, arena)

    def __repr__(self) -> str:
        return f"<jit {self._name}: {self._told()}>"

    def _picture_(self, rankdir: Rankdir) -> Picture:
        """What `draw` draws."""
        from ..view.kernels import picture

        bound = self._bound("draw")
        schedule = getattr(bound.runner, "schedule", None)
        program = bound.program if schedule is None else schedule.program
        title = f"{self._name}: {self._told()}"
        return picture(program, schedule, self._words(bound), rankdir, title)

    def _trace_(self) -> GraphTrace:
        """What `explore` shows."""
        from ..view.trace import GraphTrace
        from ..view.trace.program import Listed

        bound = self._bound("explore")
        found = Listed(bound.program, self._words(bound))
        return GraphTrace.listed(found, self._name, self._told())

    # --- which specialisation ---

    @property
    def _name(self) -> str:
        return str(getattr(self.function, "__name__", "step"))

    def _told(self) -> str:
        """In a few words, what it is."""
        if self.reason is not None:
            return f"runs as it stands: {self.reason}"
        if self.scalars:
            kind, n = next(iter(self.scalars.values())).machine.kind, len(self.scalars)
            return f"{kind}, {n} program{'s' * (n != 1)} of Values"
        bound, n = self._latest(), sum(map(len, self.known.values()))
        if bound is None:
            return self._not_yet()
        order = getattr(getattr(bound.runner, "schedule", None), "order", None)
        what = "kernel" if order is not None else "step"
        count = len(bound.program.steps if order is None else order)
        told = [(n, "specialisation"), (count, what)]
        return ", ".join([bound.kind, *(f"{n} {x}{'s' * (n != 1)}" for n, x in told)])

    def _not_yet(self) -> str:
        """Why there is nothing compiled."""
        from .runners import mode

        if mode() == "off":
            return "runs as it stands: AUTOGRAD_JIT is off"
        if not self.known:
            return "not called yet"
        return "called once; it is compiled when arguments of these shapes come again"

    def _latest(self) -> Bound | None:
        """The specialisation that ran last."""
        if self.last is not None:
            bound: Bound = self.last[1]
            return bound
        found: list[Bound] = [bounds[-1] for bounds in self.known.values() if bounds]
        return found[-1] if found else None

    def _found(self, args: Any, kwargs: Any) -> Bound | None:
        """The specialisation for arguments like these; it is compiled if need be."""
        if self.reason is not None or self.scalars is not None:
            return None
        key = self._key(args, kwargs)  # type: ignore[attr-defined]
        known: list[Bound] = self.known.get(key) or [self._compiled(key, args, kwargs)]  # type: ignore[attr-defined]
        return known[-1]

    def _bound(self, what: str, args: Any = (), kwargs: Any = None) -> Bound:
        """The specialisation asked about, or an error that says why there is none."""
        kwargs = kwargs or {}
        bound = self._found(args, kwargs) if flatten((args, kwargs)) else self._latest()
        if bound is None:
            told = self._told() if not self.scalars else "a tape of Values has none"
            raise CaptureError(f"jit: {self._name} has no {what}: {told}")
        return bound

    # --- names ---

    def _text(self, what: str, args: Any = (), kwargs: Any = None) -> PythonText:
        from .python_text import PythonText

        bound = self._bound(what, args, kwargs)
        return PythonText(bound.program, self._words(bound), self._name)

    def _words(self, bound: Bound) -> Words:
        from .words import Words

        return Words(bound.program, self._arguments(bound), _outside(self.function))

    def _arguments(self, bound: Bound) -> list[str]:
        """The names of what the structure of arguments holds, from left to right."""
        key = next((key for key, bounds in self.known.items() if bound in bounds), None)
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):  # some callables have none
            parameters = []
        if key is None:
            return []
        leaves, _, args, kwargs = key
        stars = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        names = [p.name for p in parameters if p.kind not in stars]
        rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "argument")
        found: list[str] = []
        for i, branch in enumerate(args[1]):
            found += _named(branch, names[i] if i < len(names) else f"{rest}{i}")
        for name, branch in kwargs:
            found += _named(branch, name)
        return found if len(found) == len(leaves) else []


def _outside(function: Any) -> dict[int, str]:
    """The tensors that a function finds outside, by their identity: its names for them."""
    try:
        found = inspect.getclosurevars(function)
    except (TypeError, ValueError):  # no plain function
        return {}
    names: dict[int, str] = {}
    for name, x in {**found.nonlocals, **found.globals}.items():
        if isinstance(x, Node):
            names.setdefault(id(x), name)
        elif isinstance(x, (list, tuple)):
            names |= {id(y): f"{name}[{i}]" for i, y in enumerate(x) if isinstance(y, Node)}
        elif isinstance(x, dict):
            names |= {id(y): f"{name}[{k!r}]" for k, y in x.items() if isinstance(y, Node)}
    return names


def _named(shape: Any, name: str) -> Iterator[str]:
    """Names for what an argument of this structure holds: batch, batch_0, batch_image."""
    if shape is None:
        yield name
    elif shape and isinstance(shape[0], type):
        for i, branch in enumerate(shape[1]):
            yield from _named(branch, f"{name}_{i}")
    else:
        for key, branch in shape:
            yield from _named(branch, f"{name}_{key}")
