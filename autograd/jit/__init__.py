"""`jit`: a function recorded once, compiled, and run as often as you like.

    @autograd.jit
    def step(x, y):
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

The first two calls run as they stand, and are recorded.  If both recordings are the same program,
it is compiled, and later calls with arguments of the same shapes and dtypes run the program.
"""

from __future__ import annotations

import os
import warnings
from collections import OrderedDict
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import backends

from ..calls import flatten
from ..node import current
from ..tensor import Tensor
from .capture import Capture
from .compare import difference
from .errors import CaptureError
from .program import Program
from .replay import Replay
from .run import MISS, Bound
from .simplify import simplified

__all__ = ["CaptureError", "Jitted", "facts", "jit"]

KEPT = 16
"""Specialisations of one function that are kept; the least recently used goes."""

TRIALS = 5
"""Calls that are recorded until two in a row agree."""

facts: list[Callable[[], Any]] = [lambda: current().recording, backends.current]
"""What else a recording depends on, such as whether a model trains; asked before each call."""


def mode() -> str:
    """`AUTOGRAD_JIT`: "native" (the default), "replay" or "off"."""
    wish = os.environ.get("AUTOGRAD_JIT", "native")
    if wish not in ("native", "replay", "off"):
        raise ValueError(f"AUTOGRAD_JIT is {wish!r}; choose off, replay or native")
    return wish


class Jitted:
    """A function that is recorded, compiled and run: see `jit`."""

    def __init__(self, function: Callable[..., Any], strict: bool = True) -> None:
        update_wrapper(self, function)
        self.function, self.strict = function, strict
        self.known: OrderedDict[Any, Bound | Trial] = OrderedDict()
        self.last: tuple[list[Any], Bound] | None = None
        """The specialisation that ran last, and the facts then."""
        self.reason: str | None = None
        """Why it runs as it stands, if it cannot be compiled."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.reason is not None or current().watcher is not None:
            return self.function(*args, **kwargs)
        flat = not kwargs and _all_leaves(args)
        leaves: Any = args if flat else flatten((args, kwargs))
        now = [fact() for fact in facts]
        last = self.last
        if last is not None and now == last[0] and flat:
            result = last[1].call(leaves)
            if result is not MISS:
                return result
        key = tuple([_key(x) for x in leaves]), tuple(now), _shape(args), _shape(kwargs)
        known = self.known.get(key)
        if isinstance(known, Bound):
            result = known.call(leaves)
            if result is not MISS:
                self.known.move_to_end(key)
                if flat:
                    self.last = now, known
                return result
        if mode() == "off":
            return self.function(*args, **kwargs)
        return self._record(key, known if isinstance(known, Trial) else Trial(), args, kwargs)

    def _record(self, key: Any, trial: Trial, args: Any, kwargs: Any) -> Any:
        capture = Capture(lambda a, k: self.function(*a, **k), (args, kwargs), self.strict)
        if capture.program is None:
            self._give_up(capture.reason or "it cannot be recorded")
            return capture.result
        program = capture.program
        if trial.program is not None:
            trial.difference = difference(trial.program, program)
            if trial.difference is None:
                self.known[key] = Bound(capture, simplified(program), _runner)
                self.known.move_to_end(key)
                while len(self.known) > KEPT:
                    self.known.popitem(last=False)
                return capture.result
        trial.program, trial.calls = program, trial.calls + 1
        self.known[key] = trial
        if trial.calls == TRIALS:
            self._give_up(f"it computes something else in each call: {trial.difference}")
        return capture.result

    def _give_up(self, reason: str) -> None:
        self.reason = reason
        self.known.clear()
        warnings.warn(
            f"{getattr(self, '__name__', 'function')} runs without being compiled: {reason}",
            stacklevel=names_level(),
        )


def names_level() -> int:
    """How many frames up the user's line is, for a warning."""
    return 4


def _runner(program: Program) -> Any:
    """What runs a program: native code, else NumPy."""
    if mode() == "native":
        from .native import Native

        return Native(program)
    return Replay(program)


def _all_leaves(args: tuple[Any, ...]) -> bool:
    """Whether no argument is a structure, or anything but a tensor."""
    return all([x.__class__ is Tensor for x in args])


class Trial:
    """A function recorded, but not yet twice the same."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self.calls = 0
        self.difference: str | None = None


def _key(x: Any) -> Any:
    """What a program takes for granted of an argument."""
    if isinstance(x, Tensor):
        return x.raw.shape, x.raw.dtype, x.requires_grad
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return x.shape, x.dtype
    return float if isinstance(x, float) else x


def _shape(tree: Any) -> Any:
    """How arguments are nested."""
    if isinstance(tree, dict):
        return tuple([(key, _shape(branch)) for key, branch in tree.items()])
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple([_shape(branch) for branch in tree])
    return None


def jit(function: Callable[..., Any]) -> Jitted:
    """Compile a function of tensors, which may call modules, `backward` and optimizers."""
    return Jitted(function)
