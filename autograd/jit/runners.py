"""Which way a program runs: as native code where that is wished and can be, else through NumPy."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

from ..names import HOUSE
from . import toolchain
from .program import Program
from .replay import Replay

__all__ = ["mode", "runner", "way"]

_told = False
"""Whether this process has been told why there is no native code."""


def mode() -> str:
    """`AUTOGRAD_JIT`: "native" (the default), "replay" or "off"."""
    wish = os.environ.get("AUTOGRAD_JIT", "native")
    if wish not in ("native", "replay", "off"):
        raise ValueError(f"AUTOGRAD_JIT is {wish!r}; choose off, replay or native")
    return wish


def way() -> str:
    """The mode, where there is a compiler for it; "replay" for "native" where there is none."""
    wish = mode()
    if wish == "native" and toolchain.find() is None:
        failed = "".join(f"; {command} {why}" for command, why in toolchain.tried().items())
        _warn(f"there is no C compiler that works here{failed}. To get one: {toolchain.REMEDY}.")
        return "replay"
    return wish


def runner(program: Program) -> Any:
    """What runs a program: C on the host, else the array library that its arrays belong to."""
    if program.backend != "numpy":
        return Replay(program, program.backend)
    if way() == "native":
        from .build import BuildError
        from .native import Native

        try:
            return Native(program)
        except BuildError as error:
            _warn(str(error))
    return Replay(program)


def _warn(reason: str) -> None:
    """Say once in a process that its programs run slowly, and why, at the caller's line."""
    global _told
    if _told:
        return
    _told, level, frame = True, 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(HOUSE):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"jit: {reason}\nCompiled functions run through NumPy until then, which is slower; "
        "AUTOGRAD_JIT=replay says that this is meant.",
        stacklevel=level,
    )
