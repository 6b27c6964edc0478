"""What this machine has, what it lacks, and how to mend it: `glassgrad doctor`.

Each check is a function that returns one `Finding` (or several) and raises nothing, on any machine.
CuPy is imported only where one wheel is installed, a driver answers and the two fit: see `nvidia`.
"""

import importlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from . import NAMES, BackendError, get, nvidia


@dataclass(frozen=True)
class Finding:
    """One line of the report: `ok` is True, False (a fault) or None (not there, and optional)."""

    name: str
    ok: bool | None
    detail: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.ok is not True and not self.fix:
            raise ValueError(f"finding {self.name!r} is not ok and does not say how to mend it")


def findings() -> list[Finding]:
    """Every check, from the ground up."""
    return [
        python(),
        machine(),
        memory(),
        numpy(),
        *packages(),
        foreign_autograd(),
        *(cupy() if name == "cupy" else backend(name) for name in NAMES),
        chosen_backend(),
        compiler(),
        dot(),
    ]


def healthy(found: list[Finding]) -> bool:
    """Whether the backend that new tensors would live on works."""
    return next(f.ok is True for f in found if f.name == "default backend")


# --- the machine --------------------------------------------------------------------------


def python() -> Finding:
    """Version, implementation, and whether threads run in parallel."""
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    detail = f"{platform.python_implementation()} {platform.python_version()}"
    return Finding("python", True, f"{detail}, {'with' if gil else 'without'} a GIL")


def machine() -> Finding:
    """System, processor, and how many of its cores this process may use."""
    named = ""
    if (info := Path("/proc/cpuinfo")).exists():
        named = "".join(re.findall(r"model name\s*: (.*)", info.read_text())[:1])
    elif sys.platform == "darwin":
        named = _first_line("sysctl", "-n", "machdep.cpu.brand_string") or ""
    present = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    cores = f"{usable} of {present} cores" if usable < present else f"{present} cores"
    processor = named or platform.processor() or platform.machine()
    system = f"{platform.system()} {platform.machine()}"
    return Finding("machine", True, f"{system}, {processor}, {cores}")


def memory() -> Finding:
    """Memory in GiB: what is there, what is free."""
    told = Path("/proc/meminfo")
    if told.exists():
        kib = dict(re.findall(r"(MemTotal|MemAvailable):\s+(\d+)", told.read_text()))
        gib = {key: int(value) / 2**20 for key, value in kib.items()}
        free = f", {gib['MemAvailable']:.1f} free" if "MemAvailable" in gib else ""
        return Finding("memory", True, f"{gib['MemTotal']:.1f} GiB{free}")
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        bytes_ = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return Finding("memory", True, f"{bytes_ / 2**30:.1f} GiB")
    return Finding("memory", True, "not told by this system")


# --- the installation ---------------------------------------------------------------------


def numpy() -> Finding:
    """NumPy's version, the BLAS that multiplies its matrices, and that one's threads."""
    try:
        library = importlib.import_module("numpy")
        blas = library.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except Exception as error:  # a broken wheel can raise anything; the report must go on
        return Finding("numpy", False, f"does not import: {error}", "pip install --upgrade numpy")
    detail = f"{library.__version__}, BLAS {blas.get('name')} {blas.get('version', '')}".rstrip()
    return Finding("numpy", True, f"{detail}, {_blas_threads()}")


def _blas_threads() -> str:
    if find_spec("threadpoolctl"):
        pools = importlib.import_module("threadpoolctl").threadpool_info()
        counts = {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"}
        if counts:
            return f"{max(counts)} threads"
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        if value := os.environ.get(name):
            return f"{name}={value}"
    return "as many threads as cores"


def packages() -> list[Finding]:
    """What Glassgrad requires, and the extras that a user (not a developer) may want."""
    try:
        required = metadata.requires("glassgrad") or []
    except metadata.PackageNotFoundError:
        fix = "pip install --editable . (in the folder of pyproject.toml)"
        return [Finding("glassgrad", None, "runs from a folder, not installed", fix)]
    groups: dict[str, list[str]] = {"": [], "data": [], "viz": []}
    for line in required:
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"](.+?)['\"]", line)
        groups.get(extra[1] if extra else "", []).append(name)
    return [_group(extra, names) for extra, names in groups.items()]


def _group(extra: str, names: list[str]) -> Finding:
    there = {name: version for name in names if (version := _version(name))}
    missing = [name for name in names if name not in there]
    label, target = (f"extra {extra}", f"'glassgrad[{extra}]'") if extra else ("core", "glassgrad")
    if missing:
        fix = f"pip install {target}"
        return Finding(label, None if extra else False, f"missing: {', '.join(missing)}", fix)
    return Finding(label, True, ", ".join(f"{name} {version}" for name, version in there.items()))


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def foreign_autograd() -> Finding:
    """HIPS's package also installs an `autograd`: whichever comes first on the path wins."""
    fix = "pip uninstall autograd, then install Glassgrad again"
    if version := _version("autograd"):
        detail = f"the distribution 'autograd' {version} also installs a package of that name"
        return Finding("autograd", False, detail, fix)
    spec = find_spec("autograd")
    ours = Path(__file__).resolve().parents[1] / "autograd"
    found = Path(spec.origin).resolve().parent if spec and spec.origin else None
    if found != ours:
        return Finding("autograd", False, f"imports from {found}, expected {ours}", fix)
    return Finding("autograd", True, "imports Glassgrad's own, no other is installed")


# --- backends -----------------------------------------------------------------------------


def backend(name: str) -> Finding:
    """Whether a backend loads; its own words where it does not."""
    try:
        get(name)
    except Exception as error:  # the report must go on, whatever a library raises
        fix = "mend what the message names, or choose another with AUTOGRAD_BACKEND"
        return Finding(f"backend {name}", False, str(error) or repr(error), fix)
    return Finding(f"backend {name}", True, "usable")


def chosen_backend() -> Finding:
    """The backend that new tensors live on: AUTOGRAD_BACKEND, else numpy."""
    named = os.environ.get("AUTOGRAD_BACKEND")
    name, source = (named, "AUTOGRAD_BACKEND") if named else ("numpy", "no AUTOGRAD_BACKEND is set")
    found = cupy() if name == "cupy" else backend(name)
    if found.ok is not True:
        fix = f"{found.fix}; or set AUTOGRAD_BACKEND to one of {', '.join(NAMES)}"
        return Finding("default backend", False, f"{name} ({source}): {found.detail}", fix)
    return Finding("default backend", True, f"{name} ({source})")


@cache
def cupy() -> Finding:
    """Whether CuPy computes here; if not, which part is at fault: wheel, driver, device."""
    wheels, driver = nvidia.wheels(), nvidia.driver()
    if problem := nvidia.obstacle(wheels, driver):
        ok = False if problem.broken else None
        return Finding("backend cupy", ok, problem.detail, problem.fix)
    [(wheel, version)] = wheels.items()
    detail = f"{wheel} {version}; {driver}"
    try:
        library = importlib.import_module("cupy")
        if int(library.arange(4).sum()) != 6:  # compiles and launches a kernel
            raise BackendError("its sum of 0, 1, 2 and 3 is not 6")
        get("cupy")
    except Exception as error:  # CuPy raises many kinds; all of them mean "not usable"
        fix = f"pip install --force-reinstall '{wheel}[ctk]' ([ctk] brings CUDA's libraries)"
        return Finding("backend cupy", False, f"{type(error).__name__}: {error}; {detail}", fix)
    return Finding("backend cupy", True, detail)


# --- tools that are used where they are there ----------------------------------------------


def compiler() -> Finding:
    """The first C compiler that runs: $CC, cc, gcc, clang, or the `ziglang` wheel."""
    named = os.environ.get("CC", "")
    candidates = [shlex.split(named)] if named else []
    candidates += [["cc"], ["gcc"], ["clang"]]
    if find_spec("ziglang"):
        candidates.append([sys.executable, "-m", "ziglang", "cc"])
    for command in candidates:
        if line := _first_line(*command, "--version"):
            return Finding("compiler", True, f"{shlex.join(command)}: {line}")
    fix = "optional: install gcc or clang, or pip install ziglang"
    return Finding("compiler", None, "no C compiler found", fix)


def dot() -> Finding:
    """Graphviz's layout program."""
    if line := _first_line("dot", "-V"):
        return Finding("dot", True, line)
    fix = "optional: install graphviz; Glassgrad's own layout draws without it"
    return Finding("dot", None, "Graphviz's dot not found", fix)


def _first_line(*command: str) -> str | None:
    """The first line that a program prints, or None where it is not there or fails."""
    if not shutil.which(command[0]):
        return None
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None  # there by name, yet it does not run: the same as not there
    return next(iter((done.stdout or done.stderr).splitlines()), "")


# --- the report ---------------------------------------------------------------------------


def report(found: list[Finding], as_json: bool = False) -> str:
    """The findings as JSON, or as a table with one line of advice for each that is not ok."""
    if as_json:
        return json.dumps([asdict(f) for f in found], indent=2)
    if not find_spec("rich"):  # a broken installation is just what the doctor must survive
        return "\n".join(f"{f.name}: {f.detail}\n    {f.fix}".rstrip() for f in found) + "\n"
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    signs = {True: Text("ok", "green"), False: Text("fault", "bold red"), None: Text("-", "dim")}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("what", "", "found, and what would mend it"):
        table.add_column(heading)
    for f in found:
        fix = f"\n→ {f.fix}" if f.fix else ""
        style = "yellow" if f.ok is False else "dim"
        table.add_row(f.name, signs[f.ok], Text.assemble(f.detail, (fix, style)))
    console = Console()
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def main(as_json: bool = False) -> int:
    """Print the report; 0 where the default backend works, else 1."""
    found = findings()
    print(report(found, as_json).rstrip())
    return 0 if healthy(found) else 1


if __name__ == "__main__":  # python -m backends.doctor: works even where `nn` does not import
    sys.exit(main("--json" in sys.argv[1:]))
