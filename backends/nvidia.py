"""What stands between CuPy and a GPU, told without importing CuPy.

CuPy's own errors name the part that failed last, seldom the part at fault. So the wheels are read
from the installed metadata, and NVIDIA's driver is asked directly through `libcuda`.
"""

import ctypes
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import NamedTuple

__all__ = ["Driver", "Obstacle", "driver", "obstacle", "wheels"]

_UPDATE = "update the NVIDIA driver (R525 or newer serves CUDA 12, R580 or newer CUDA 13)"


@dataclass(frozen=True)
class Driver:
    """NVIDIA's driver as it describes itself.

    `cuda` is the newest CUDA that it serves, (13, 0) for R580, or None where there is no driver;
    `error` is what it said when it could not start.
    """

    cuda: tuple[int, int] | None = None
    devices: tuple[str, ...] = ()
    error: str = ""

    def __str__(self) -> str:
        if not self.cuda:
            return "no NVIDIA driver"
        names = self.error or ", ".join(self.devices) or "no device"
        return f"driver for CUDA {self.cuda[0]}.{self.cuda[1]}, {names}"


class Obstacle(NamedTuple):
    """Why CuPy cannot work here, and what would mend it.

    `broken` tells something installed that cannot work from something that is only not there.
    """

    detail: str
    fix: str
    broken: bool


@cache
def driver() -> Driver:
    """Ask the driver for its version and its devices."""
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Driver()
    return interrogate(cuda)


def interrogate(cuda: ctypes.CDLL) -> Driver:
    """Put five questions of the CUDA driver API to an open `libcuda`."""
    number, said = ctypes.c_int(), ctypes.c_char_p()
    cuda.cuDriverGetVersion(ctypes.byref(number))
    version = divmod(number.value // 10, 100)  # 13020 is CUDA 13.2
    code = cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(number))
    if code:
        cuda.cuGetErrorString(code, ctypes.byref(said))
        text = (said.value or b"unknown error").decode()
        return Driver(version, error=f"{text} (CUDA error {code})")
    devices = []
    for index in range(number.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
        cuda.cuDeviceGet(ctypes.byref(device), index)
        cuda.cuDeviceGetName(name, len(name), device)
        devices.append(name.value.decode())
    return Driver(version, tuple(devices))


def wheels() -> dict[str, str]:
    """Installed CuPy distributions and their versions. Two of them overwrite each other."""
    pattern = re.compile(r"cupy(-cuda\w+|-rocm[\w-]+)?", re.IGNORECASE)
    named = ((d.metadata["Name"] or "", d.version) for d in metadata.distributions())
    return {name.lower(): version for name, version in named if pattern.fullmatch(name)}


def obstacle(wheels: Mapping[str, str], driver: Driver) -> Obstacle | None:
    """The first thing that keeps these wheels from computing with this driver, or None."""
    served = driver.cuda[0] if driver.cuda else 0
    install = f"pip install 'glassgrad[cuda{min(served, 13)}]'" if served >= 12 else _UPDATE
    if len(wheels) > 1:
        fix = f"pip uninstall {' '.join(wheels)}; then, for a GPU: {install}"
        return Obstacle(f"CuPy is installed {len(wheels)} times: {', '.join(wheels)}", fix, True)
    broken = bool(wheels)
    if not driver.cuda:
        fix = "on a machine with an NVIDIA GPU install its driver; elsewhere use numpy"
        return Obstacle("no NVIDIA driver on this machine", fix, broken)
    if driver.error or not driver.devices:
        fix = "nvidia-smi should list a GPU: see CUDA_VISIBLE_DEVICES, a container's --gpus all"
        return Obstacle(str(driver), fix, broken)
    if not wheels:
        return Obstacle(f"CuPy is not installed; {driver}", install, broken)
    [(wheel, version)] = wheels.items()
    built = re.search(r"-cuda(\d\d)", wheel)
    if built and int(built[1]) > served:
        fix = f"{_UPDATE}, or: pip uninstall {wheel} && {install}" if served >= 12 else _UPDATE
        return Obstacle(f"{wheel} {version} needs CUDA {built[1]}; {driver}", fix, broken)
    return None
