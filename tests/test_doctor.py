"""`glassgrad doctor`: every obstacle is told with its remedy, on machines unlike this one."""

import ctypes
import json
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import backends
from backends import doctor, nvidia
from backends.doctor import Finding
from backends.nvidia import Driver

R525 = Driver((12, 0), ("NVIDIA T4",))
R580 = Driver((13, 0), ("NVIDIA H200",))
CUDA12, CUDA13 = {"cupy-cuda12x": "14.2.0"}, {"cupy-cuda13x": "14.2.0"}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask anew in each test, and of a machine whose environment says nothing."""
    monkeypatch.setattr(doctor, "cupy", doctor.cupy.__wrapped__)
    monkeypatch.delenv("AUTOGRAD_BACKEND", raising=False)
    monkeypatch.delenv("CC", raising=False)


# --- what stands between CuPy and a GPU ----------------------------------------------------


@pytest.mark.parametrize(
    ("wheels", "driver", "detail", "fix", "broken"),
    [
        ({}, Driver(), "no NVIDIA driver", "install its driver", False),
        (CUDA13, Driver(), "no NVIDIA driver", "install its driver", True),
        ({}, R580, "CuPy is not installed; driver for CUDA 13.0, NVIDIA H200", "[cuda13]", False),
        ({}, R525, "CuPy is not installed", "pip install 'glassgrad[cuda12]'", False),
        ({}, Driver((14, 1), ("X",)), "CuPy is not installed", "[cuda13]", False),
        ({}, Driver((11, 4), ("K80",)), "driver for CUDA 11.4, K80", "update the NVIDIA", False),
        (CUDA12 | CUDA13, R525, "installed 2 times: cupy-cuda12x, cupy-cuda13x", "[cuda12]", True),
        (CUDA12 | CUDA13, Driver(), "installed 2 times", "uninstall cupy-cuda12x cupy", True),
        (CUDA13, R525, "cupy-cuda13x 14.2.0 needs CUDA 13; driver for CUDA 12.0", "R580", True),
        (CUDA13, R525, "needs CUDA 13", "pip uninstall cupy-cuda13x && pip install", True),
        (CUDA12, Driver((11, 4), ("K80",)), "needs CUDA 12", "update the NVIDIA driver", True),
        (CUDA12, Driver((13, 0)), "CUDA 13.0, no device", "nvidia-smi should list", True),
        ({}, Driver((13, 0), error="no device (CUDA error 100)"), "error 100", "-smi", False),
    ],
)
def test_each_obstacle_is_named_with_its_remedy(
    wheels: dict[str, str], driver: Driver, detail: str, fix: str, broken: bool
) -> None:
    found = nvidia.obstacle(wheels, driver)
    assert found is not None
    assert detail in found.detail
    assert fix in found.fix
    assert found.broken is broken


@pytest.mark.parametrize(
    ("wheels", "driver"),
    [(CUDA12, R525), (CUDA12, R580), (CUDA13, R580), ({"cupy": "14.2.0"}, R525)],
)
def test_no_obstacle_where_wheel_and_driver_fit(wheels: dict[str, str], driver: Driver) -> None:
    assert nvidia.obstacle(wheels, driver) is None


class FakeCuda:
    """The five functions of `libcuda` that are asked, for a machine of two devices."""

    def __init__(self, version: int = 13020, init: int = 0) -> None:
        self.version, self.init = version, init

    def cuDriverGetVersion(self, out: Any) -> int:  # noqa: N802
        out._obj.value = self.version
        return 0

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.init

    def cuGetErrorString(self, code: int, out: Any) -> int:  # noqa: N802
        out._obj.value = b"no CUDA-capable device is detected" if code == 100 else None
        return 0

    def cuDeviceGetCount(self, out: Any) -> int:  # noqa: N802
        out._obj.value = 2
        return 0

    def cuDeviceGet(self, out: Any, index: int) -> int:  # noqa: N802
        out._obj.value = index
        return 0

    def cuDeviceGetName(self, name: Any, size: int, device: ctypes.c_int) -> int:  # noqa: N802
        name.value = b"device %d" % device.value
        return 0


def test_the_driver_describes_itself() -> None:
    assert nvidia.interrogate(FakeCuda()) == Driver((13, 2), ("device 0", "device 1"))
    none = nvidia.interrogate(FakeCuda(12040, init=100))
    assert none == Driver((12, 4), error="no CUDA-capable device is detected (CUDA error 100)")
    assert "unknown error (CUDA error 999)" in str(nvidia.interrogate(FakeCuda(init=999)))


def test_only_cupy_itself_counts_as_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["cupy-cuda12x", "CuPy", "cupy-rocm-5-0", "cupyimg", "cupy-backends-x", None]
    present = [SimpleNamespace(metadata={"Name": name}, version="1") for name in names]
    monkeypatch.setattr(metadata, "distributions", lambda: present)
    assert set(nvidia.wheels()) == {"cupy-cuda12x", "cupy", "cupy-rocm-5-0"}


def test_cupy_is_not_imported_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "wheels", lambda: CUDA13)
    monkeypatch.setattr(nvidia, "driver", lambda: R525)
    monkeypatch.setattr(doctor.importlib, "import_module", lambda name: pytest.fail(name))
    assert doctor.cupy().ok is False


@pytest.mark.parametrize(
    ("total", "ok", "told"), [(6, True, "NVIDIA H200"), (7, False, "0, 1, 2 and 3 is not 6")]
)
def test_cupy_must_compute(
    monkeypatch: pytest.MonkeyPatch, total: int, ok: bool, told: str
) -> None:
    array = SimpleNamespace(sum=lambda: total)
    monkeypatch.setattr(nvidia, "wheels", lambda: CUDA13)
    monkeypatch.setattr(nvidia, "driver", lambda: R580)
    monkeypatch.setattr(doctor, "get", lambda name: None)
    monkeypatch.setattr(
        doctor.importlib, "import_module", lambda name: SimpleNamespace(arange=lambda n: array)
    )
    found = doctor.cupy()
    assert found.ok is ok
    assert told in found.detail


# --- the other findings --------------------------------------------------------------------


def test_a_finding_that_is_not_ok_must_say_how_to_mend_it() -> None:
    for ok in (False, None):
        with pytest.raises(ValueError, match="does not say how to mend"):
            Finding("compiler", ok, "not found")


def test_this_machine_can_be_examined() -> None:
    found = doctor.findings()
    assert doctor.healthy(found)
    by_name = {finding.name: finding for finding in found}
    assert len(by_name) == len(found)
    assert "BLAS" in by_name["numpy"].detail
    assert "core" in by_name["machine"].detail
    assert {f"backend {name}" for name in backends.NAMES} <= set(by_name)


def test_the_default_backend_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_BACKEND", "abacus")
    found = doctor.chosen_backend()
    assert not doctor.healthy([found])
    assert "unknown backend 'abacus'" in found.detail
    assert "numpy, cupy, strict" in found.fix


def test_a_foreign_autograd_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert doctor.foreign_autograd().ok
    origin = tmp_path / "autograd" / "__init__.py"
    monkeypatch.setattr(doctor, "find_spec", lambda name: SimpleNamespace(origin=str(origin)))
    assert f"imports from {origin.parent}" in doctor.foreign_autograd().detail
    monkeypatch.setattr(metadata, "version", lambda name: "1.9.1")
    assert "distribution 'autograd' 1.9.1" in doctor.foreign_autograd().detail


def test_packages_are_told_by_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["numpy>=2.0", 'no-such-lib>=1; extra == "viz"', 'torch==2; extra == "oracle"']
    monkeypatch.setattr(metadata, "requires", lambda name: required)
    core, data, viz = doctor.packages()
    assert (core.ok, data.ok, viz.ok) == (True, True, None)
    assert core.detail.startswith("numpy 2")
    assert (viz.detail, viz.fix) == ("missing: no-such-lib", "pip install 'glassgrad[viz]'")
    monkeypatch.setattr(metadata, "requires", lambda name: ["no-such-lib"])
    assert doctor.packages()[0].ok is False


def test_numpy_that_does_not_import_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("libopenblas.so.0: cannot open shared object file")

    monkeypatch.setattr(doctor.importlib, "import_module", broken)
    found = doctor.numpy()
    assert found.ok is False
    assert "libopenblas" in found.detail


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_the_first_compiler_that_runs_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    assert doctor.compiler().ok is None
    program(tmp_path, "clang", "echo clang version 19.1")
    program(tmp_path, "cc", "echo broken >&2; exit 1")
    assert doctor.compiler() == Finding("compiler", True, "clang: clang version 19.1")
    program(tmp_path, "mycc", 'echo "mycc 1 $1"')
    monkeypatch.setenv("CC", "mycc -m64")
    assert doctor.compiler().detail == "mycc -m64: mycc 1 -m64"
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC")
    monkeypatch.setattr(doctor, "find_spec", lambda name: object())
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "clang"))
    assert doctor.compiler().detail.endswith("-m ziglang cc: clang version 19.1")


def test_dot_speaks_on_its_error_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert doctor.dot().ok is None
    program(tmp_path, "dot", "echo dot - graphviz version 12 >&2")
    assert doctor.dot() == Finding("dot", True, "dot - graphviz version 12")


# --- the report ----------------------------------------------------------------------------

FOUND = [
    Finding("python", True, "CPython 3.11"),
    Finding("dot", None, "not found", "install graphviz [optional]"),
    Finding("default backend", False, "abacus", "choose numpy"),
]


def test_the_table_shows_every_finding_and_fix() -> None:
    table = doctor.report(FOUND)
    assert all(f.name in table and f.detail in table and f.fix in table for f in FOUND)


def test_without_rich_the_report_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    lines = doctor.report(FOUND).splitlines()
    assert lines[:3] == ["python: CPython 3.11", "dot: not found", f"    {FOUND[1].fix}"]


def test_json_holds_everything() -> None:
    assert [Finding(**f) for f in json.loads(doctor.report(FOUND, as_json=True))] == FOUND


def test_main_fails_where_the_default_backend_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "findings", lambda: FOUND)
    assert doctor.main() == 1
    assert "choose numpy" in capsys.readouterr().out
