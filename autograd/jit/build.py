"""From C source to functions that can be called: compiled once, then loaded from disk.

    >>> library = build("int twice(int x) { return 2 * x; }", "twice")
    >>> library.twice(21)
    42

What a library is found by says everything it depends on: its source, the headers that it includes,
flags, compiler and processor.  Equal sources are the same library, with the same static variables.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path

from ..errors import AutogradError
from . import processor, toolchain
from .compiler import HEADERS, Compiler, CompilerError
from .kernel import Target
from .store import SUFFIX, Store, stores

__all__ = ["BuildError", "Library", "build", "known"]


class BuildError(AutogradError, RuntimeError):
    """C source that could not be made a library here: why, and what helps."""


class Library(ctypes.CDLL):
    """A loaded library: what it is found by, its file, and how long its compilation took, 0 where
    it was there already."""

    name: str
    path: Path
    seconds: float


_loaded: dict[str, Library] = {}


def build(
    source: str,
    entry: str | Sequence[str],
    *,
    target: Target | None = None,
    flags: Sequence[str] = (),
    compiler: Compiler | None = None,
) -> Library:
    """The library of a C source, which must define the functions `entry`.

    `#include "vectors.h"` finds the headers of this package.  `flags` are added to the usual ones.
    Raises `BuildError`.
    """
    entries = (entry,) if isinstance(entry, str) else tuple(entry)
    compiler = compiler or toolchain.find()
    if compiler is None:
        raise BuildError(f"there is no C compiler that works here{_reasons()}: {toolchain.REMEDY}")
    flags = (*compiler.flags(target or processor.target()), *flags)
    name = f"{re.sub(r'[^A-Za-z0-9_]', '_', entries[0])[:40]}-{_key(source, flags, compiler)}"
    library = known(name) or _made(name, source, flags, compiler)
    for function in entries:
        if not hasattr(library, function):
            raise BuildError(f"the source of {library.path.name} exports no function {function!r}")
    return _loaded.setdefault(name, library)


def _reasons() -> str:
    tried = [f"{command} {why}" for command, why in toolchain.tried().items()]
    return f" ({'; '.join(tried)})" if tried else ""


def _key(source: str, flags: Sequence[str], compiler: Compiler) -> str:
    """A hash of all that a library depends on."""
    parts = [compiler.identity, compiler.version, *flags, source]
    for header, text in sorted(_included(source).items()):
        parts += [header, text]
    return hashlib.sha256("".join(f"{len(p)}:{p}" for p in parts).encode()).hexdigest()[:32]


def _included(source: str) -> dict[str, str]:
    """The package's headers that a source includes, directly or through others, by name."""
    found: dict[str, str] = {}
    texts = [source]
    while texts:
        for header in re.findall(r'^\s*#\s*include\s+"([\w./]+)"', texts.pop(), re.MULTILINE):
            if header not in found and (HEADERS / header).is_file():
                found[header] = (HEADERS / header).read_text(encoding="utf-8")
                texts.append(found[header])
    return found


def known(name: str) -> Library | None:
    """What was built before, by this process or another."""
    if name in _loaded:
        return _loaded[name]
    for store in stores(new=False):
        if path := store.find(name):
            try:
                return _loaded.setdefault(name, _load(name, path, 0.0))
            except OSError:  # removed since, or in a place where nothing may be executed
                continue
    return None


def _made(name: str, source: str, flags: Sequence[str], compiler: Compiler) -> Library:
    """Compile, in the first folder that takes it."""
    problem: OSError | None = None
    for store in stores():
        try:
            with store.alone(name):
                if path := store.find(name):  # another process was faster
                    return _load(name, path, 0.0)
                return _compiled(store, name, source, flags, compiler)
        except CompilerError as trouble:
            raise BuildError(
                f"{name.rpartition('-')[0]}: {compiler} {trouble}\n"
                "Another compiler may do: CC=… names it, `glassgrad doctor` tells which there are."
            ) from None
        except OSError as error:
            problem = error
    raise BuildError(
        f"no folder takes what is compiled: {problem}\nSet XDG_CACHE_HOME to one that has space "
        "and lets programs run"
    )


def _compiled(
    store: Store, name: str, source: str, flags: Sequence[str], compiler: Compiler
) -> Library:
    start = time.perf_counter()
    with store.scratch() as folder:
        file, library = folder / f"{name.rpartition('-')[0]}.c", folder / f"library{SUFFIX}"
        file.write_text(source, encoding="utf-8")
        compiler.compile(file, library, flags)
        seconds = time.perf_counter() - start
        about = {"compiler": str(compiler), "flags": list(flags), "seconds": round(seconds, 3)}
        path = store.keep(name, library, source, about)
    return _load(name, path, seconds)


def _load(name: str, path: Path, seconds: float) -> Library:
    library = Library(str(path))
    library.name, library.path, library.seconds = name, path, seconds
    return library
