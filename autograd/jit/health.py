"""What `glassgrad doctor` tells about jit: the path it takes here, and how to get a faster one."""

from __future__ import annotations

from backends.doctor import Finding

from . import pool, toolchain
from .processor import target
from .store import Store, user_folder

__all__ = ["findings"]


def findings() -> list[Finding]:
    """The compiler with the width of its vectors and its threads, and the folder of programs."""
    return [_compiler(), _folder()]


def _compiler() -> Finding:
    try:
        compiler, kind, threads = toolchain.find(), target(), pool.threads()
    except ValueError as error:  # one of AUTOGRAD_JIT_… says what cannot be
        return Finding("jit", False, str(error), "correct that variable, or unset it")
    failed = "".join(f"; {command} {why}" for command, why in toolchain.tried().items())
    if compiler is None:
        return Finding("jit", None, f"NumPy, since no C compiler works{failed}", toolchain.REMEDY)
    vectors = f"vectors of {kind.vector} bytes"
    plural = "s" * (threads != 1)
    return Finding("jit", True, f"C by {compiler}; {vectors}, {threads} thread{plural}{failed}")


def _folder() -> Finding:
    try:
        store = Store(user_folder())
        return Finding("jit cache", True, f"{store.folder}: {store.usage()}")
    except OSError as error:
        fix = "mend that, or set XDG_CACHE_HOME: until then each process compiles anew"
        return Finding("jit cache", None, f"none is kept: {error}", fix)
