"""A C compiler at work: its flags, one run of it, and whether what it wrote is whole."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .kernel import Target
from .processor import processor

__all__ = ["HEADERS", "Compiler", "CompilerError", "run"]

HEADERS = Path(__file__).parent / "c"
"""The folder of the C headers that programs include."""

SECONDS = 600.0
"""After so long a compiler is taken to hang."""

COMMON = (
    "-std=gnu11 -O3 -fPIC -shared -fno-math-errno -fno-trapping-math -ffp-contract=fast "
    "-fopenmp-simd -Wno-psabi"
).split()
OWN = {"gcc": ["-fno-predictive-commoning"], "zig": ["-fno-sanitize=undefined"]}


class CompilerError(Exception):
    """A compiler could not do its work; the message is its own, shortened."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    `family` is gcc, clang, zig or other; `native` its flag for "this very processor", or "";
    `identity` differs where its files or the processor do.
    """

    command: tuple[str, ...]
    family: str
    version: str
    native: str
    identity: str

    def __str__(self) -> str:
        return f"{shlex.join(self.command)}: {self.version}"

    @property
    def zig(self) -> bool:
        """Whether it is the one that the wheel `ziglang` brings."""
        return self.family == "zig"

    def flags(self, target: Target) -> list[str]:
        """The flags for a library whose vectors are that wide."""
        flags = [*COMMON, *OWN.get(self.family, []), f"-DVB={target.vector}", f"-I{HEADERS}"]
        if sys.platform != "win32":
            flags.append("-pthread")
        if sys.platform == "linux":  # a function named like one of libc must not become that one
            flags.append("-Wl,-Bsymbolic")
        if processor().machine in ("x86_64", "amd64"):
            if target.vector < processor().target.vector:
                level = "x86-64-v3" if target.vector == 32 else "x86-64-v2"
                return [*flags, "-march=" + (level.replace("-", "_") if self.zig else level)]
            if target.vector == 64:  # else compilers cut these vectors in two
                flags.append("-mprefer-vector-width=512")
        return [*flags, self.native] if self.native else flags

    def compile(self, source: Path, library: Path, flags: Sequence[str]) -> None:
        """Compile a C file into a library in the same folder.

        Raises `CompilerError`, and OSError where the folder does not take what is written.
        """
        command = [*self.command, *flags, source.name, "-o", library.name, "-lm"]
        status, told = run(command, library.parent)
        if "No space left" in told or "quota exceeded" in told:
            raise OSError(f"{library.parent}: no space left on the device")
        if status < 0:
            raise CompilerError(
                f"was ended by {signal.Signals(-status).name}: is there enough memory?"
            )
        if status:
            raise CompilerError(_shortened(told) or f"ended with status {status} and said nothing")
        if not library.exists() or not whole(library.read_bytes()):
            raise OSError(f"{library.parent}: the compiler left no whole library there")


def run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a compiler in a folder, which takes its temporary files too; its status and words.

    What ends the wait (too long, Ctrl-C) ends the compiler, and the programs that it started.
    """
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)}
    environment["ZIG_LOCAL_CACHE_DIR"] = str(folder / "zig")
    environment.setdefault("ZIG_GLOBAL_CACHE_DIR", str(folder.parent / "zig"))
    posix = sys.platform != "win32"
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=0 if posix else None,
        )
    except OSError as error:
        raise CompilerError(f"does not start: {error.strerror}") from None
    try:
        told, _ = process.communicate(timeout=SECONDS)
    except BaseException as error:
        with suppress(OSError):
            if posix:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise CompilerError(f"gave no answer for {SECONDS:g} seconds") from None
        raise
    return process.returncode, told


def whole(library: bytes) -> bool:
    """Whether a library is as long as it says: loading one that is cut off can end the process.

    Read is ELF's header: the table of sections, and of segments with their places and lengths.
    Other formats are not read.
    """
    if sys.platform != "linux":
        return len(library) > 0
    if library[:6] != b"\x7fELF\x02\x01" or len(library) < 64:  # 64 bits, little endian
        return False

    def number(at: int, size: int) -> int:
        return int.from_bytes(library[at : at + size], "little")

    ends = [number(40, 8) + number(58, 2) * number(60, 2)]
    first, size, count = number(32, 8), number(54, 2), number(56, 2)
    ends += [
        number(at + 8, 8) + number(at + 32, 8) for at in range(first, first + size * count, size)
    ]
    return max(ends) <= len(library)


def _shortened(told: str, lines: int = 6) -> str:
    """The first error of a compiler, and what stands below it."""
    found = told.strip().splitlines()
    first = next((i for i, line in enumerate(found) if "error" in line.lower()), 0)
    kept = [line[:200] for line in found[first : first + lines]]
    more = len(found) - first - len(kept)
    return "\n".join([*kept, f"({more} more lines)"] if more > 0 else kept)
