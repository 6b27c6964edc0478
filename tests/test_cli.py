"""The commands: `glassgrad`, and the guards behind `make oracle` and `make notebooks`."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

import backends
from nn import cli

ROOT = Path(__file__).parents[1]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for the digits demonstration and keeps what it was called with."""
    called: dict[str, Any] = {}
    for name in ("digits", "moons"):
        module = ModuleType(f"nn.demo.{name}")
        module.main = lambda name=name, **wishes: called.update(wishes, model=name)  # type: ignore
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "nn.demo", ModuleType("nn.demo"))
    monkeypatch.delenv("AUTOGRAD_BACKEND", raising=False)
    return called


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line with which the command refuses, with status 2."""
    try:
        status = cli.main(argv)
    except SystemExit as end:
        status = end.code
    assert status == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_demo_hands_its_options_on(demo: dict[str, Any], tmp_path: Path) -> None:
    wishes = ["--model", "moons", "--backend", "numpy", "--epochs", "3", "--seed", "7"]
    assert cli.main(["demo", *wishes, "--out", str(tmp_path / "new")]) == 0
    told = {"model": "moons", "backend": "numpy", "epochs": 3, "seed": 7}
    assert demo == told | {"out": tmp_path / "new"}


def test_demo_has_defaults(demo: dict[str, Any]) -> None:
    assert cli.main(["demo"]) == 0
    out = Path("glassgrad-demo/digits")
    assert demo == {"model": "digits", "backend": None, "epochs": None, "seed": 0, "out": out}


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--backend", "cupi"], "'cupi' is none of numpy, cupy, strict; did you mean cupy?"),
        (["--backend", "tpu"], "'tpu' is none of numpy, cupy, strict (see"),
        (["--model", "mnist"], "'mnist' is none of digits, moons"),
        (["--epochs", "0"], "argument --epochs: 0 is less than 1"),
        (["--epochs", "many"], "'many' is not a whole number"),
        (["--seed", "-1"], "argument --seed: -1 is less than 0"),
        (["--out", __file__], "test_cli.py is a file, a folder is needed"),
        (["--out", f"{__file__}/a/b"], "test_cli.py is a file, a folder is needed"),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    demo: dict[str, Any], capsys: pytest.CaptureFixture[str], argv: list[str], told: str
) -> None:
    assert told in refused(capsys, "demo", *argv)
    assert demo == {}


def test_a_backend_that_cannot_work_says_why(
    demo: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unusable(name: str) -> ModuleType:
        raise backends.BackendError(f"{name}: no NVIDIA driver")

    monkeypatch.setattr(backends, "get", unusable)
    assert refused(capsys, "demo", "--backend", "cupy") == "glassgrad demo: cupy: no NVIDIA driver"
    monkeypatch.setenv("AUTOGRAD_BACKEND", "elsewhere")
    assert refused(capsys, "demo") == "glassgrad demo: elsewhere: no NVIDIA driver"
    assert demo == {}


def test_a_missing_extra_is_named(
    demo: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def needs(name: str) -> None:
        def main(**_: object) -> None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr(sys.modules["nn.demo.digits"], "main", main)

    needs("sklearn.datasets")
    assert refused(capsys, "demo").endswith("pip install 'glassgrad[data]'")
    needs("nn.layers")  # a fault of ours is not disguised as a missing extra
    with pytest.raises(ModuleNotFoundError, match=r"nn\.layers"):
        cli.main(["demo"])


def test_a_folder_that_cannot_be_written_is_one_line(
    demo: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "/proc/a")

    monkeypatch.setattr(sys.modules["nn.demo.digits"], "main", main)
    assert refused(capsys, "demo") == "glassgrad demo: /proc/a: Permission denied"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "nn.cli", "doctor", "--json"]
    ended = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writes)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert re.match(r"glassgrad \d+\.\d+\.\d+", capsys.readouterr().out)
    assert cli.main([]) == 0
    told = capsys.readouterr().out
    assert all(text in told for text in ("demo", "doctor", "--backend cupy", "AUTOGRAD_BACKEND"))


def test_version_of_a_folder_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise cli.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(cli.metadata, "version", missing)
    assert re.fullmatch(r"\d+\.\d+\.\d+ \(not installed\)", cli.version())


def test_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    names = {finding["name"] for finding in json.loads(capsys.readouterr().out)}
    assert {"python", "numpy", "backend cupy", "default backend", "compiler", "dot"} <= names


# --- GLASSGRAD_REQUIRE ---------------------------------------------------------------------

SKIPS_IN_A_TEST = """
import pytest
@pytest.mark.oracle
def test_peer():
    pytest.importorskip("no_such_peer")
def test_other():
    pytest.skip("not required")
"""
SKIPS_AS_A_FILE = """
import pytest
pytestmark = pytest.mark.oracle
pytest.importorskip("no_such_peer")
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", [SKIPS_IN_A_TEST, SKIPS_AS_A_FILE])
@pytest.mark.parametrize("required", ["oracle", "gpu", ""])
def test_a_required_suite_may_not_be_skipped(tmp_path: Path, source: str, required: str) -> None:
    shutil.copy(ROOT / "tests/conftest.py", tmp_path)
    (tmp_path / "test_peer.py").write_text(source)
    (tmp_path / "test_sound.py").write_text("def test_sound():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "--rootdir", tmp_path]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])  # where conftest's plugin lies
    environment = {"GLASSGRAD_REQUIRE": required, "PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [*command, tmp_path], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    must_fail = required == "oracle"
    assert ("this suite must run here, and was skipped" in done.stdout) is must_fail
    assert (done.returncode != 0) is must_fail, done.stdout


# --- notebooks/execute.py ------------------------------------------------------------------


def notebook(folder: Path, *cells: str) -> Path:
    path = folder / "lesson.ipynb"
    cells_ = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells_), path)
    return path


def execute(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "notebooks/execute.py", path]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.slow
def test_a_notebook_keeps_its_outputs_and_forgets_the_machine(tmp_path: Path) -> None:
    path = notebook(tmp_path, f"print('{ROOT}/nn', object())", "6 * 7")
    done = execute(path)
    assert done.returncode == 0, done.stderr
    first, second = nbformat.read(path, as_version=4).cells
    assert first.outputs[0].text == "nn <object object at 0x…>\n"
    assert second.outputs[0].data["text/plain"] == "42"
    assert "execution" not in first.metadata
    assert "version" not in nbformat.read(path, as_version=4).metadata.language_info


@pytest.mark.slow
def test_a_drawing_is_kept_as_pixels_which_github_shows(tmp_path: Path) -> None:
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20"/>'
    path = notebook(tmp_path, f"from IPython.display import SVG\nSVG({drawing!r})")
    done = execute(path)
    assert done.returncode == 0, done.stderr
    (output,) = nbformat.read(path, as_version=4).cells[0].outputs
    assert output.data.keys() == {"image/png", "text/plain"}
    assert output.metadata["image/png"] == {"width": 30}


@pytest.mark.slow
def test_a_notebook_that_fails_is_left_as_it_was(tmp_path: Path) -> None:
    path = notebook(tmp_path, "print('before')", "1 / 0")
    before = path.read_text()
    done = execute(path)
    assert done.returncode == 1
    assert "lesson.ipynb: a cell failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert path.read_text() == before
