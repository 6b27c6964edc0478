"""The C compiler: which one there is, that it works, and with which flags.

Taken is the first that works of $CC, cc, gcc, clang and the wheel `ziglang` (a whole compiler that
pip installs).  That it works is tried: a small library with vectors is compiled, loaded and called.
The trial is made once per compiler and processor and noted on disk, so that later processes start
no program.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from .kernel import Target
from .processor import processor, target
from .store import stores

__all__ = ["REMEDY", "Compiler", "Trouble", "find", "headers", "tried"]

SECONDS = 600.0
"""After so long a compiler is taken to hang."""

COMMON = (
    "-std=gnu11 -O3 -fPIC -shared -pthread -fno-math-errno -fno-trapping-math -ffp-contract=fast "
    "-fopenmp-simd"
).split()
OWN = {"gcc": ["-fno-predictive-commoning"], "zig": ["-fno-sanitize=undefined"]}
NATIVE = ("-march=native", "-mcpu=native", "")  # not every compiler knows the first for every CPU
REMEDY = {
    "darwin": "xcode-select --install, or pip install ziglang",
    "linux": "pip install ziglang, or install gcc (Debian, Ubuntu: apt install gcc libc6-dev)",
}.get(sys.platform, "pip install ziglang")

headers = Path(__file__).parent / "c"
"""The folder of the C headers that programs include."""


class Trouble(Exception):
    """A compiler that could not do its work: its own words."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: `family` is gcc, clang, zig or other, `native` its flag for this processor."""

    command: tuple[str, ...]
    family: str
    version: str
    native: str

    def __str__(self) -> str:
        return f"{self.family} ({self.version}, {shlex.join(self.command)})"

    def flags(self, target: Target) -> list[str]:
        """The flags for a library of vectors of that width."""
        flags = [*COMMON, *OWN.get(self.family, []), f"-DVB={target.vector}", f"-I{headers}"]
        if sys.platform == "linux":  # a function named like one of libc must not become that one
            flags.append("-Wl,-Bsymbolic")
        if processor().machine in ("x86_64", "amd64"):
            if target.vector < processor().target.vector:
                level = "x86-64-v3" if target.vector == 32 else "x86-64-v2"
                return [*flags, f"-march={level.replace('-', '_') if self.zig else level}"]
            if target.vector == 64:  # else both compilers split vectors in two
                flags.append("-mprefer-vector-width=512")
        return [*flags, self.native] if self.native else flags

    @property
    def zig(self) -> bool:
        """Whether it is the wheel's."""
        return self.family == "zig"

    def compile(self, source: Path, library: Path, flags: Sequence[str]) -> None:
        """Compile a C file into a library, in the library's folder.

        Raises `Trouble`, and OSError where the folder cannot take what is written.
        """
        command = [*self.command, *flags, source.name, "-o", library.name, "-lm"]
        status, told = run(command, library.parent)
        if "No space left" in told or "quota exceeded" in told:
            raise OSError(f"{library.parent}: no space left on device")
        if status < 0:
            raise Trouble(f"was ended by {signal.Signals(-status).name}: is there enough memory?")
        if status:
            raise Trouble(told.strip() or f"ended with status {status} and said nothing")
        if not library.exists() or not whole(library.read_bytes()):
            raise OSError(f"{library.parent}: the compiler wrote no whole library there")


def run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a compiler in a folder, which also takes its temporary files; its status and words.

    Whatever ends the wait (too long, Ctrl-C) ends the compiler and what it started.
    """
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)}
    environment["ZIG_LOCAL_CACHE_DIR"] = str(folder / "zig")
    environment.setdefault("ZIG_GLOBAL_CACHE_DIR", str(folder.parent / "zig"))
    group = {} if sys.platform == "win32" else {"process_group": 0}
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", **group,
        )  # fmt: skip
    except OSError as error:
        raise Trouble(f"does not start: {error.strerror}") from None
    try:
        told, _ = process.communicate(timeout=SECONDS)
    except BaseException as error:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL) if group else process.kill()
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Trouble(f"gave no answer for {SECONDS:.0f} seconds") from None
        raise
    return process.returncode, told


def whole(library: bytes) -> bool:
    """Whether an ELF file is as long as its own tables say; loading a cut one can end the process.

    Other formats are only looked at for being there.
    """
    if library[:6] != b"\x7fELF\x02\x01":  # 64 bits, little endian
        return sys.platform != "linux" and len(library) > 0
    number = lambda at, size: int.from_bytes(library[at : at + size], "little")  # noqa: E731
    ends = [number(40, 8) + number(58, 2) * number(60, 2)]  # of the sections' table
    start, size = number(32, 8), number(54, 2)
    for at in range(start, start + size * number(56, 2), size):  # each segment: offset and length
        ends.append(number(at + 8, 8) + number(at + 32, 8))
    return len(library) >= max(ends)


# --- finding one ---------------------------------------------------------------------------


def find() -> Compiler | None:
    """The compiler of this machine, or None; `tried()` says what was wrong with the others."""
    return _find(os.environ.get("CC", ""), os.environ.get("PATH", ""))[0]


def tried() -> dict[str, str]:
    """Compilers that are there and do not work, each with the reason."""
    return _find(os.environ.get("CC", ""), os.environ.get("PATH", ""))[1]


@lru_cache(maxsize=8)
def _find(cc: str, path: str) -> tuple[Compiler | None, dict[str, str]]:
    failed: dict[str, str] = {}
    for command in _candidates(cc):
        try:
            return _known(command) or _probe(command), failed
        except (Trouble, OSError) as error:
            failed[shlex.join(command)] = _short(str(error))
    return None, failed


def _candidates(cc: str) -> Iterator[tuple[str, ...]]:
    """Commands that exist, each once; `cc` is commonly a link to gcc or clang."""
    seen = set()
    for words in ([*shlex.split(cc)], ["cc"], ["gcc"], ["clang"]):
        program = shutil.which(words[0]) if words else None
        if not program or (command := (program, *words[1:])) in seen or _mac_stub(program):
            continue
        if len(command) > 1 or os.path.realpath(program) not in seen:
            yield command
        seen |= {command, os.path.realpath(program)}
    if (wheel := find_spec("ziglang")) and wheel.submodule_search_locations:
        program = shutil.which("zig", path=wheel.submodule_search_locations[0])
        yield (program, "cc") if program else (sys.executable, "-m", "ziglang", "cc")


def _mac_stub(program: str) -> bool:
    """Whether this is macOS's stand-in, which opens a window that offers to install a compiler."""
    if sys.platform != "darwin" or not program.startswith("/usr/bin/"):
        return False
    return subprocess.run(["xcode-select", "-p"], capture_output=True, check=False).returncode != 0


PROBE = """
#include "vectors.h"
#include <pthread.h>
float probe(float *x, int n) {
    vf both = loadf(x) * loadf(x), swapped = __builtin_shufflevector(both, both, SWAPPED);
    float sum = 0;
#pragma omp simd reduction(+:sum)
    for (int i = 0; i < n; i++) sum += x[i];
    storef(x, swapped);
    return sum + x[0] + sqrtf(x[1]);
}
"""


def _note(command: tuple[str, ...]) -> str:
    """The name of the note about a compiler: it changes when a file of it, or the CPU, does."""
    parts = [PROBE, processor().identity, str(target()), *command]
    for word in command:
        if found := shutil.which(word):
            status = os.stat(found)
            parts += [os.path.realpath(found), str(status.st_mtime_ns), str(status.st_size)]
    return "compiler-" + hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _known(command: tuple[str, ...]) -> Compiler | None:
    """A compiler that an earlier process tried."""
    for store in stores():
        match store.read_note(_note(command)):
            case {"family": str(family), "version": str(version), "native": str(native)}:
                return Compiler(command, family, version, native)
    return None


def _probe(command: tuple[str, ...]) -> Compiler:
    """Try a compiler; raises `Trouble` where it does not do what programs need."""
    from .build import try_compiler

    error: Exception = Trouble("was not tried")
    for store in stores():
        try:
            with store.scratch() as folder:
                version = _version(command, folder)
            for native in NATIVE:
                compiler = Compiler(command, *version, native)
                try:
                    try_compiler(compiler, store)
                except Trouble as trouble:
                    error = error if native != NATIVE[0] else trouble
                    continue
                facts = {"family": compiler.family, "version": compiler.version, "native": native}
                store.write_note(_note(command), facts)
                return compiler
        except OSError as found:
            error = found
    raise error


def _version(command: tuple[str, ...], folder: Path) -> tuple[str, str]:
    """Family and version of a compiler, by its own words."""
    status, told = run([*command, "--version"], folder)
    if status:
        raise Trouble(told.strip() or f"--version ended with status {status}")
    line = next(iter(told.splitlines()), "")
    if "ziglang" in command or Path(command[0]).stem == "zig":
        return "zig", line
    if "clang" in told:
        return "clang", line
    return ("gcc", line) if "Free Software Foundation" in told else ("other", line)


def _short(words: str) -> str:
    raise NotImplementedError
