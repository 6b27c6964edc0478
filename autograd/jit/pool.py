"""The threads that compiled programs share: one pool for the whole process, however many programs.

A program that includes "threads.h" computes its rows with `parallel`; `attach` gives it the pool.
The pool is C (c/pool.c), built like any program.  Where that fails, programs run on one thread.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache

from .build import BuildError, Library, build
from .compiler import HEADERS
from .processor import cores

__all__ = ["MOST", "attach", "threads", "workers"]

MOST = 32
"""What c/threads.h calls MOST_THREADS."""


def threads() -> int:
    """How many threads a program is to use: AUTOGRAD_JIT_THREADS, else the cores there are."""
    told = os.environ.get("AUTOGRAD_JIT_THREADS")
    if not told:
        return cores()
    if not told.isdecimal() or not 1 <= int(told) <= MOST:
        raise ValueError(f"AUTOGRAD_JIT_THREADS={told!r}: a number from 1 to {MOST}")
    return int(told)


def attach(program: Library) -> bool:
    """Let a program, which includes "threads.h", use the pool; whether there is one."""
    pool = shared()
    if pool is None:
        return False
    program.use_pool(ctypes.cast(pool.run_parts, ctypes.c_void_p))
    return True


def workers() -> tuple[int, int]:
    """How many threads were started beside the callers' own, and how many of them sleep."""
    pool = shared()
    return (pool.count_workers(), pool.count_sleepers()) if pool else (0, 0)


@lru_cache(maxsize=1)
def shared() -> Library | None:
    """The pool, or None where it cannot be built."""
    source = (HEADERS / "pool.c").read_text(encoding="utf-8")
    try:
        return build(source, ("run_parts", "count_workers", "count_sleepers"))
    except BuildError:
        return None
