"""`jit`: a function recorded once, compiled, and run as often as you like.

    @autograd.jit
    def step(x, y):
        loss = nn.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

At its first call the function is called twice to be recorded, which changes nothing: a value that
differs from one recording to the next is no constant, and is named.  Then the program is compiled
and run.  Arguments of other shapes or dtypes run as they stand the first time, for many of them
come only once; so do functions that are given no tensor.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import update_wrapper
from operator import is_
from types import MethodType, ModuleType
from typing import Any

import backends

from ..calls import flatten
from ..node import current, surroundings
from ..tensor import Tensor
from ..value import Value
from . import outcomes
from .capture import Capture
from .compare import difference, unlike
from .errors import CaptureError, TooEarly
from .outside import Outside
from .run import FAILED, MISS, Bound
from .runners import mode, runner, way
from .scalar import ScalarProgram
from .simplify import simplified
from .told import Told

__all__ = ["CaptureError", "Jitted", "finite", "holds", "jit"]

KEPT = 16
"""Specialisations of one function that are kept; the least recently used goes."""

VARIANTS = 4
"""Specialisations for arguments of the same kind, which differ in what they depend on besides."""

TRIALS = 4
"""How often a function is recorded until two recordings in a row agree."""


class Jitted(Told):
    """A function that is recorded, compiled and run: see `jit`.

    `strict` raises `CaptureError` for what cannot be recorded; else the function runs as it stands
    from then on, and `reason` says why.  With `at_once` arguments of every kind are compiled for
    when they come for the first time.
    """

    MISS = MISS
    """What `attempt` returns where the call has to run as it stands."""

    def __init__(
        self, function: Callable[..., Any], strict: bool = True, at_once: bool = False
    ) -> None:
        update_wrapper(self, function)
        self.function, self.strict, self.at_once = function, strict, at_once
        self.known: OrderedDict[Any, list[Bound]] = OrderedDict()
        self.last: tuple[tuple[list[Any], list[Any]], Bound] | None = None
        """The specialisation that ran last; the surroundings then, and what was outside."""
        self.reason: str | None = None
        """Why it runs as it stands, if it cannot be compiled."""
        self.outside = Outside(function)
        self.seen: OrderedDict[Any, dict[Any, list[Any]]] = OrderedDict()
        """Kinds of arguments → what was outside then, with its objects: their ids stay theirs."""
        self.scalars: OrderedDict[Any, ScalarProgram] | None = None
        """The programs of a function of `Value`s."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self.attempt(*args, **kwargs)
        if result is not MISS:
            return result
        result = self.function(*args, **kwargs)
        if self.last is None and any(isinstance(x, Value) for x in flatten(result)):
            self.scalars = self.scalars or OrderedDict()
        return result

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A method of an object, which is then one of the arguments that a program is made for."""
        return self if instance is None else MethodType(self, instance)

    def attempt(self, *args: Any, **kwargs: Any) -> Any:
        """What the compiled function returns; `MISS` where it has to run as it stands."""
        if self.reason is not None or current().watcher is not None:
            return MISS
        if self.scalars is not None:
            return self._scalar(args, kwargs)
        flat = not kwargs and all(x.__class__ is Tensor for x in args)
        leaves: Any = args if flat else flatten((args, kwargs))
        facts = around, things = _surroundings(), self.outside.objects()
        last = self.last
        if last is not None and flat and around == last[0][0] and all(map(is_, things, last[0][1])):
            result = last[1].call(leaves)
            if result is not MISS:
                return result if result is not FAILED else MISS
        key = _known_as(leaves, [*around, *self.outside()], args, kwargs)
        try:
            hash(key)
        except TypeError:
            self._give_up(_unhashable(leaves))
            return MISS
        for bound in self.known.get(key, ()):
            result = bound.call(leaves)
            if result is not MISS:
                self.known.move_to_end(key)
                self.last = (facts, bound) if flat else None
                return result if result is not FAILED else MISS
        if mode() == "off" or key not in self.known and not self._at_once(leaves):
            self._meet(key)
            return MISS
        made = self._compiled(key, args, kwargs)
        self.last = (facts, made) if flat and made is not None else None
        result = made.call(leaves) if made is not None else FAILED
        return MISS if result is FAILED else result

    def _at_once(self, leaves: Any) -> bool:
        """Whether to compile for arguments of a kind that is new."""
        return self.at_once or not self.known and any(isinstance(x, Tensor) for x in leaves)

    def _scalar(self, args: Any, kwargs: Any) -> Any:
        """What the compiled function of `Value`s returns."""
        assert self.scalars is not None
        if kwargs or mode() == "off":
            return MISS
        kinds = [_key(x) for x in flatten(args)]
        key = tuple(kinds), _shape(args), tuple(_surroundings()), tuple(self.outside())
        program = self.scalars.get(key)
        if program is None:
            native = None if way() == "native" else False
            try:
                program = self.scalars[key] = ScalarProgram(self.function, args, native)
            except CaptureError as error:
                self._give_up(str(error))
                return MISS
            while len(self.scalars) > KEPT:
                self.scalars.popitem(last=False)
        return program.run(*args)

    def _key(self, args: Any, kwargs: Any) -> Any:
        """What a specialisation is found by: all that its program takes for granted."""
        now = [*_surroundings(), *self.outside()]
        return _known_as(flatten((args, kwargs)), now, args, kwargs)

    def _compiled(self, key: Any, args: Any, kwargs: Any) -> Bound | None:
        """A new specialisation; None where there can be none."""
        known = self.known.setdefault(key, [])
        if len(known) >= VARIANTS:
            self._give_up("what it depends on changes from call to call")
            return None
        program, template, different = None, None, ""
        for _ in range(TRIALS):
            try:
                capture = Capture(lambda a, k: self.function(*a, **k), (args, kwargs), self.strict)
            except TooEarly:
                return None
            if capture.program is None:
                self._give_up(capture.reason or "it cannot be recorded")
                return None
            if program is not None:
                told = difference(program, capture.program) or unlike(template, capture.template)
                if told is None:
                    break
                different = told
            program, template = capture.program, capture.template
        else:
            self._give_up(f"it computes something else in each call: {different}")
            return None
        program = simplified(capture.program, fused=way() == "replay")
        bound = Bound(capture, program, runner)
        bound.outside = self.outside.objects()
        outcomes.write()
        known.append(bound)
        while len(self.known) > KEPT:
            self.known.popitem(last=False)
        return bound

    def _meet(self, key: Any) -> None:
        """Remember a key that is new: with it the function is compiled when it comes again."""
        if key in self.known or mode() == "off":
            return
        self.known[key] = []
        now, kinds = key[1], (key[0], *key[2:])
        seen = self.seen.setdefault(kinds, {})
        if len(seen) == KEPT:  # always others, with arguments of the same kind
            start = len(_surroundings())
            told = self.outside.changed(list(seen)[-1][start:], now[start:])
            self._give_up(
                f"{told or 'what it finds outside'} differs from call to call. Pass it as an "
                "argument: a float or a tensor may change, and needs no new program."
            )
        seen[now] = self.outside.objects()
        while len(self.seen) > 8 * KEPT:
            self.seen.popitem(last=False)
        waiting = [k for k, bounds in self.known.items() if not bounds]
        if len(waiting) > 8 * KEPT:  # each came once
            del self.known[waiting[0]]

    def _give_up(self, reason: str) -> None:
        """Run the function as it stands from now on, and say why, once."""
        if self.strict:
            raise CaptureError(reason if reason.startswith("jit") else f"jit: {reason}")
        self.reason, self.last = reason, None
        self.known.clear()


def _surroundings() -> list[Any]:
    """What else a recording depends on, such as whether a model trains."""
    return [current().recording, backends.chosen(), *[ask() for ask in surroundings]]


def _known_as(leaves: Any, now: list[Any], args: Any, kwargs: Any) -> Any:
    return tuple([_key(x) for x in leaves]), tuple(now), _shape(args), _shape(kwargs)


def _key(x: Any) -> Any:
    """What a program takes for granted of an argument."""
    if isinstance(x, Value):
        return Value, x.requires_grad
    if isinstance(x, Tensor):
        return x.shape, x.dtype, x.requires_grad, x.raw.__class__
    if isinstance(x, float):  # NumPy's float64 is one
        return float
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return x.shape, x.dtype, x.__class__
    return type(x), x


def _unhashable(leaves: Any) -> str:
    """Why no program can be found for these arguments."""
    kind = next((type(x).__name__ for x in leaves if type(x).__hash__ is None), "object")
    return (
        f"an argument is a {kind}, which has no hash: a program made for it would not be found "
        "again. Freeze it, or let the function find it outside."
    )


def _shape(tree: Any) -> Any:
    """How arguments are nested."""
    if isinstance(tree, dict):
        return tuple([(key, _shape(branch)) for key, branch in tree.items()])
    if isinstance(tree, (list, tuple)):
        return type(tree), tuple([_shape(branch) for branch in tree])
    return None


def finite(x: Tensor) -> Tensor:
    """x, on condition that all of it is finite: else the call is taken back and runs uncompiled.

    What a compiled step assigns is then not assigned: a loss that is NaN spoils no weights.
    """
    watcher = current().watcher
    if watcher is not None:
        watcher.finite.append(x)
    return x


def holds(condition: Tensor) -> None:
    """On condition that all of these truth values are true: else the call is taken back, too."""
    watcher = current().watcher
    if watcher is not None:
        watcher.finite.append(condition)


def jit(function: Callable[..., Any]) -> Jitted:
    """Compile a function of tensors, which may call modules, `backward` and optimizers."""
    return Jitted(function)


class _Room(ModuleType):
    """`autograd.jit` is the decorator, and the room it lives in."""

    def __call__(self, function: Callable[..., Any]) -> Jitted:
        return jit(function)


sys.modules[__name__].__class__ = _Room
