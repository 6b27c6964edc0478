"""Kernels compiled one at a time by the system's compiler and called through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from autograd.jit.kernel import Kernel, Target

HEADERS = Path(__file__).resolve().parents[2] / "autograd" / "jit" / "c"
FLAGS = (
    "-std=gnu11 -O3 -fPIC -shared -Wall -Wno-unknown-pragmas -fno-math-errno -fno-trapping-math "
    "-ffp-contract=fast -fno-predictive-commoning -fopenmp-simd"
).split()
TARGETS = [Target(16, 16), Target(32, 16), Target(64, 32)]
ARCH = {16: "x86-64-v2", 32: "x86-64-v3", 64: "x86-64-v4"}


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@cache
def load(source: str, target: Target) -> ctypes.CDLL:
    """C source as a loaded library; `#include "vectors.h"` and its like are found."""
    folder = Path(tempfile.mkdtemp(prefix="kernel-"))
    name = hashlib.sha256(source.encode()).hexdigest()[:12]
    (folder / f"{name}.c").write_text(source)
    wide = ["-mprefer-vector-width=512"] if target.vector == 64 else []
    command = [
        compiler() or "cc", *FLAGS, f"-march={ARCH[target.vector]}", *wide, f"-DVB={target.vector}",
        f"-I{HEADERS}", str(folder / f"{name}.c"), "-o", str(folder / f"{name}.so"), "-lm",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{done.stderr}\n{source}")
    return ctypes.CDLL(str(folder / f"{name}.so"))


def source_of(kernel: Kernel, count: int) -> str:
    """A file with the kernel and an exported function that calls it with `count` arrays."""
    includes = "".join(f'#include "{header}.h"\n' for header in kernel.headers)
    pointers = "".join(f"a[{i}], " for i in range(count))
    return (
        f"{includes}\n{kernel.source}\n"
        f"void run(long begin, long end, void **a, char *work) "
        f"{{ {kernel.name}(begin, end, {pointers}work); }}\n"
    )


def run(
    kernel: Kernel,
    target: Target,
    arrays: Sequence[np.ndarray],
    cuts: Sequence[int] = (),
) -> None:
    """Call a kernel with its inputs and outputs, in one piece or cut at these rows."""
    library = load(source_of(kernel, len(arrays)), target)
    library.run.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    pointers = (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
    work = np.empty(kernel.work + 64, "u1")
    start = work.ctypes.data + -work.ctypes.data % 64
    bounds = [0, *cuts, kernel.rows]
    for begin, end in pairwise(bounds):
        library.run(begin, end, pointers, start)
