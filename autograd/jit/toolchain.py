"""Which C compiler there is: the first that works of $CC, cc, gcc, clang and the wheel `ziglang`.

That it works is tried: a small library with vectors is compiled, loaded and called.  A trial that
succeeds is noted on disk, so a process that finds everything built starts no program.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .compiler import Compiler, CompilerError, run
from .processor import processor, target
from .store import SUFFIX, Store, stores

__all__ = ["REMEDY", "find", "tried"]

NATIVE = ("-march=native", "-mcpu=native", "")
"""Flags for "this very processor": not every compiler knows the first for every processor."""

REMEDY = {
    "darwin": "xcode-select --install, or pip install ziglang",
    "linux": "pip install ziglang, or install gcc (Debian, Ubuntu: apt install gcc libc6-dev)",
}.get(sys.platform, "pip install ziglang")

PROBE = """\
#include "vectors.h"
float probe(float *x, int n) {
    vf square = loadf(x) * loadf(x);
    float sum = 0;
#pragma omp simd reduction(+:sum)
    for (int i = 0; i < n; i++) sum += x[i];
    storef(x, __builtin_shufflevector(square, square, LANES));
    return sum + sqrtf(x[0]);
}
"""


def find() -> Compiler | None:
    """The compiler of this machine, or None; `tried` says what is wrong with others."""
    return _find(*_surroundings())[0]


def tried() -> dict[str, str]:
    """Compilers that come first and do not work, each with the reason."""
    return _find(*_surroundings())[1]


def _surroundings() -> tuple[str, ...]:
    asked = ("CC", "PATH", "AUTOGRAD_JIT_VECTOR", "XDG_CACHE_HOME")
    return tuple(os.environ.get(name, "") for name in asked)


@lru_cache(maxsize=16)
def _find(*surroundings: str) -> tuple[Compiler | None, dict[str, str]]:
    failed: dict[str, str] = {}
    for command in _candidates(surroundings[0]):
        try:
            return _known(command) or _try(command), failed
        except (CompilerError, OSError) as error:
            failed[shlex.join(command)] = str(error)
    return None, failed


def _candidates(cc: str) -> Iterator[tuple[str, ...]]:
    """Commands that start a compiler, each once: `cc` is most often a link to another."""
    seen: set[tuple[str, ...]] = set()
    for words in (_words(cc), ["cc"], ["gcc"], ["clang"]):
        if not words:
            continue
        program = shutil.which(words[0])
        if not program and words != _words(cc):  # a compiler that is asked for is told of
            continue
        command = (program or words[0], *words[1:])
        same = (os.path.realpath(command[0]), *words[1:])
        if same not in seen and not _mac_stub(command[0]):
            seen.add(same)
            yield command
    wheel = find_spec("ziglang")
    if wheel and wheel.submodule_search_locations:
        program = shutil.which("zig", path=wheel.submodule_search_locations[0])
        yield (program, "cc") if program else (sys.executable, "-m", "ziglang", "cc")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command, posix=sys.platform != "win32")
    except ValueError:  # a quote that is not closed
        return [command]


def _mac_stub(program: str) -> bool:
    """Whether this is macOS's stand-in, which opens a window that offers a compiler."""
    if sys.platform != "darwin" or not program.startswith("/usr/bin/"):
        return False
    asked = subprocess.run(["/usr/bin/xcode-select", "-p"], capture_output=True, check=False)
    return asked.returncode != 0


def _identity(command: tuple[str, ...]) -> str:
    """What changes when a file of the command, the processor or the trial does."""
    parts = [PROBE, processor().identity, str(target()), *command]
    for word in command:
        if program := shutil.which(word):
            status = os.stat(program)
            parts += [os.path.realpath(program), f"{status.st_mtime_ns} {status.st_size}"]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _known(command: tuple[str, ...]) -> Compiler | None:
    """A compiler that was tried before."""
    identity = _identity(command)
    for store in stores(new=False):
        match store.read_note(f"compiler-{identity}"):
            case {"family": str(family), "version": str(version), "native": str(native)}:
                return Compiler(command, family, version, native, identity)
    return None


def _try(command: tuple[str, ...]) -> Compiler:
    """Try a compiler, where there is a folder to do so; raises what went wrong."""
    problem: Exception = CompilerError("there is no folder to try it in")
    for store in stores():
        try:
            return _try_in(store, command)
        except OSError as error:  # the folder is full, or cannot be written, or nothing runs there
            problem = error
    raise problem


def _try_in(store: Store, command: tuple[str, ...]) -> Compiler:
    with store.scratch() as folder:
        identity, (family, version) = _identity(command), _version(command, folder)
        problems = []
        for native in NATIVE:
            compiler = Compiler(command, family, version, native, identity)
            try:
                _check(compiler, folder)
                break
            except CompilerError as error:
                problems.append(error)
        else:
            raise problems[0]
    facts = {"family": family, "version": version, "native": native, "command": list(command)}
    store.write_note(f"compiler-{identity}", facts)
    return compiler


def _version(command: tuple[str, ...], folder: Path) -> tuple[str, str]:
    """Family and version of a compiler, in its own words."""
    status, told = run([*command, "--version"], folder)
    line = next(iter(told.strip().splitlines()), "")
    if status:
        raise CompilerError(f"--version ends with status {status}: {line}")
    if "ziglang" in command or Path(command[0]).stem == "zig":
        return "zig", line
    if "clang" in told:
        return "clang", line
    return "gcc" if "Free Software Foundation" in told else "other", line


def _check(compiler: Compiler, folder: Path) -> None:
    """Compile, load and call the probe."""
    kind = target()
    lanes = kind.lanes("float32")
    swapped = ", ".join(str(lane) for lane in reversed(range(lanes)))
    source, library = folder / "probe.c", folder / f"probe{SUFFIX}"
    source.write_text(PROBE.replace("LANES", swapped))
    compiler.compile(source, library, compiler.flags(kind))
    numbers = (ctypes.c_float * lanes)(*range(lanes))
    probe = ctypes.CDLL(str(library)).probe
    probe.restype = ctypes.c_float
    found = probe(numbers, lanes)
    squares = [float(i * i) for i in reversed(range(lanes))]
    if list(numbers) != squares or found != sum(range(lanes)) + lanes - 1:
        raise CompilerError(f"computes wrongly: {found}, {list(numbers)}")
