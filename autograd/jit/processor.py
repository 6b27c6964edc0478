"""The processor: what it is, how wide its vectors are, and how many cores a program may use.

Nothing here starts a program or imports a library: Linux tells in /proc and /sys, macOS through
`sysctlbyname`, Windows through `IsProcessorFeaturePresent`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .kernel import Target

__all__ = ["Processor", "cores", "processor", "target"]

WIDEST = 8
"""More threads than these gain nothing on the networks this is for."""

KINDS = (
    ({"avx512f", "avx512dq", "avx512bw", "avx512vl"}, Target(64, 32)),
    ({"avx2", "fma"}, Target(32, 16)),
    ({"neon"}, Target(16, 32)),
)
ANY = Target(16, 16)


@dataclass(frozen=True)
class Processor:
    """`machine` as `platform` names it; `features` in Linux's words: avx2, fma, avx512f, neon …"""

    machine: str
    name: str
    features: frozenset[str]

    @property
    def target(self) -> Target:
        """Its widest vector registers, and how many there are."""
        return next((target for needs, target in KINDS if needs <= self.features), ANY)

    @property
    def identity(self) -> str:
        """What code made for this very processor depends on."""
        return f"{self.machine}, {self.name}: {' '.join(sorted(self.features))}"


def target() -> Target:
    """What C is written for: this processor, or the width in bytes that AUTOGRAD_JIT_VECTOR says.

    A narrower vector than the processor has is what an older one would run.
    """
    told = os.environ.get("AUTOGRAD_JIT_VECTOR")
    if not told:
        return processor().target
    for _, kind in reversed(KINDS):
        if told == str(kind.vector):
            return kind if kind.vector > 16 or "neon" in processor().features else ANY
    raise ValueError(f"AUTOGRAD_JIT_VECTOR={told!r}: a vector has 16, 32 or 64 bytes")


@cache
def processor() -> Processor:
    """The processor of this machine."""
    machine = platform.machine().lower()
    name, features = machine, set[str]()
    if sys.platform == "linux":
        name, features = _linux()
    elif sys.platform == "darwin":
        name, features = _macos()
    elif sys.platform == "win32":
        name, features = _windows()
    if machine in ("arm64", "aarch64"):
        features.add("neon")  # part of every 64-bit ARM
    return Processor(machine, name, frozenset(features))


MODEL = (
    "vendor_id", "cpu family", "model", "model name", "stepping",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
)  # fmt: skip


def _linux() -> tuple[str, set[str]]:
    """The first block of /proc/cpuinfo; the others take time where there are a hundred cores."""
    told: dict[str, str] = {}
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if not line.strip() and told:
                    break
                key, _, value = line.partition(":")
                told[key.strip()] = value.strip()
    except OSError:  # a container without /proc: the compiler's own default serves
        return "unknown", set()
    name = " ".join(told[key] for key in MODEL if key in told)
    return name, set(f"{told.get('flags', '')} {told.get('Features', '')}".lower().split())


def _macos() -> tuple[str, set[str]]:
    words = f"{_sysctl('machdep.cpu.features')} {_sysctl('machdep.cpu.leaf7_features')}"
    return _sysctl("machdep.cpu.brand_string"), set(words.lower().split())


def _sysctl(name: str) -> str:
    """A text that macOS tells of itself, or ''."""
    ask = ctypes.CDLL(None).sysctlbyname
    size, text = ctypes.c_size_t(4096), ctypes.create_string_buffer(4096)
    failed = ask(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0))
    return "" if failed else text.value.decode(errors="replace")


def _windows() -> tuple[str, set[str]]:
    present = ctypes.CDLL("kernel32").IsProcessorFeaturePresent
    features = {"avx2", "fma"} if present(40) else set()  # PF_AVX2_INSTRUCTIONS_AVAILABLE
    if present(41):  # PF_AVX512F_INSTRUCTIONS_AVAILABLE; all desktop processors with it have these
        features |= {"avx512f", "avx512dq", "avx512bw", "avx512vl"}
    return os.environ.get("PROCESSOR_IDENTIFIER", "unknown"), features


# --- cores ---------------------------------------------------------------------------------


def cores() -> int:
    """How many threads can compute at the same time: cores that this process may use, at most 8.

    Two hardware threads of one core share its multipliers and count once, and a container's share
    of processor time counts too.
    """
    if hasattr(os, "sched_getaffinity"):
        usable = os.sched_getaffinity(0)
        siblings = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
        count = len({_read(siblings.format(i)) or str(i) for i in usable})
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, WIDEST, *_shares()))


def _shares() -> Iterator[int]:
    """Processor time that a container is granted, in cores: cgroups of version 2 and of 1."""
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    older = "/sys/fs/cgroup/cpu/cpu.cfs_{}_us"
    for q, p in ((quota, period), (_read(older.format("quota")), _read(older.format("period")))):
        if q.isdigit() and p.isdigit() and int(p):
            yield -(-int(q) // int(p))


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
