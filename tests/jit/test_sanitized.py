"""Generated C under AddressSanitizer and UndefinedBehaviorSanitizer: neither finds anything.

What takes longest runs where `CI` is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _library(name: str) -> str | None:
    """The path of one of gcc's libraries, if it is there."""
    gcc = shutil.which("gcc")
    if gcc is None or sys.platform != "linux":
        return None
    told = subprocess.run([gcc, f"-print-file-name={name}"], capture_output=True, text=True)
    path = told.stdout.strip()
    return path if os.path.isabs(path) else None


LIBRARIES = [_library("libasan.so"), _library("libubsan.so")]
needs_sanitizers = pytest.mark.skipif(None in LIBRARIES, reason="gcc has no sanitizers here")


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with the sanitizers loaded before anything else."""
    settings = {
        "LD_PRELOAD": " ".join(filter(None, LIBRARIES)),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "CC": "gcc",
        "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parent, HERE))),
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=HERE.parents[1],
        env={**os.environ, **settings, **environment}, timeout=900,
    )  # fmt: skip


long = pytest.mark.skipif("CI" not in os.environ, reason="minutes: it runs where CI is set")


@needs_sanitizers
@pytest.mark.slow
@pytest.mark.parametrize(
    "what",
    [
        "sizes",
        "programs",
        *[pytest.param(w, marks=long) for w in ("elementwise", "others", "layers")],
    ],
)
def test_nothing_is_found(what: str) -> None:
    done = _run(str(HERE / "sanitized_programs.py"), what)
    told = f"{done.stdout}\n{done.stderr}"
    assert "Sanitizer" not in told, told[-6000:]
    assert "runtime error" not in told, told[-6000:]
    assert done.returncode == 0, told[-6000:]
    assert "all is well" in done.stdout


@needs_sanitizers
@pytest.mark.parametrize(
    ("body", "found"),
    [("return x[n];", "heap-buffer-overflow"), ("return (float)(1 << n);", "runtime error")],
)
def test_the_sanitizers_would_find_something(body: str, found: str) -> None:
    program = f"""
import ctypes, numpy
from autograd.jit.build import build
flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
library = build("float wrong(const float *x, long n) {{ {body} }}", "wrong", flags=flags)
x = numpy.ones(4000, "f4")
library.wrong(ctypes.c_void_p(x.ctypes.data), ctypes.c_long(4000))
"""
    done = _run("-c", program)
    assert found in done.stderr
    assert done.returncode != 0
