"""What `explain()` finds out about a specialisation."""

from __future__ import annotations

from typing import Any

from . import mode, toolchain
from .costs import kernels_of, steps_of
from .explain import Explanation
from .native import Native
from .run import Bound
from .told import Told
from .words import Words, size

__all__ = ["explain"]


def explain(jitted: Told, bound: Bound | None, arguments: Any, profile: bool) -> Explanation:
    """The facts about one specialisation, or why there is none."""
    name = jitted._name
    if jitted.scalars:
        return _of_values(jitted)
    if bound is None:
        return Explanation(name, "eager", jitted.reason or _bare(jitted._told()))
    runner: Any = bound.runner
    seconds = None
    if profile:
        from .profile import profile as measure

        seconds = measure(runner, arguments)
    words = jitted._words(bound, runner.program)
    count = sum(map(len, jitted.known.values()))
    told = _signature(words)
    if not isinstance(runner, Native):
        wish = mode()
        why = "AUTOGRAD_JIT is replay" if wish == "replay" else "there is no C compiler that works"
        kernels = steps_of(runner.program, words, seconds)
        return Explanation(
            name, "replay", why, told, tuple(kernels), count, measured=profile,
        )  # fmt: skip
    kernels = kernels_of(runner.schedule, runner.rendered.kernels, words, seconds)
    return Explanation(
        name, "native", "", told, tuple(kernels), count, runner.library.seconds,
        str(toolchain.find() or ""), runner.threads, runner.schedule.target.vector,
        runner.rendered.arena, measured=profile,
    )  # fmt: skip


def _bare(told: str) -> str:
    return told.removeprefix("runs as it stands: ")


def _signature(words: Words) -> tuple[str, ...]:
    """The arguments, with dtype and shape."""
    return tuple([
        f"{words.title(var)} {var.dtype} {size(var.shape)}" if var.dtype else words.title(var)
        for var in words.program.given if var.source == "argument"
    ])  # fmt: skip


def _of_values(jitted: Told) -> Explanation:
    """A function of `Value`s, which is one loop over a tape."""
    program = next(reversed(jitted.scalars.values()))
    machine = program.machine
    numbers = f"a tape of {len(machine.line.kinds):,} numbers, run by one loop"
    return Explanation(
        jitted._name, machine.kind, machine.reason, (numbers,),
        specialisations=len(jitted.scalars),
        compile_seconds=machine.library.seconds if machine.library else None,
    )  # fmt: skip
