"""Every name that the engine asks of a backend, looked up in CuPy itself: no GPU is needed.

CuPy imports without a driver. Where its wheel is not installed, the names are still held against
the list of the strict backend, and that list was held against CuPy wherever it is installed.
"""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from backends import BackendError, nvidia, strict

ROOT = Path(__file__).parents[1]

needs_wheel = pytest.mark.skipif(
    find_spec("cupy") is None,
    reason="no CuPy wheel (pip install 'glassgrad[cuda13]'; it needs no GPU for this)",
)


class Use(NamedTuple):
    """A name asked of `xp`, and how: the number of arguments (-1 for a * or no call), keywords."""

    name: str
    count: int
    keywords: frozenset[str]
    where: str


def uses(paths: list[Path]) -> Iterator[Use]:
    """Every `xp.name` and `xp.name(…)` in these files."""
    for path in paths:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):  # a function that computes on the host and says so
            if isinstance(node, ast.FunctionDef) and "xp = backends.get('numpy')" in ast.unparse(
                node
            ):
                node.body.clear()
        calls = {n.func: n for n in ast.walk(tree) if isinstance(n, ast.Call)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or ast.unparse(node.value) != "xp":
                continue
            count, keywords = -1, frozenset[str]()
            if call := calls.get(node):
                starred = any(isinstance(a, ast.Starred) for a in call.args)
                count = -1 if starred else len(call.args)
                keywords = frozenset(k.arg for k in call.keywords if k.arg)
            yield Use(node.attr, count, keywords, f"{path.relative_to(ROOT)}:{node.lineno}")


SOURCES = [*(ROOT / "autograd").rglob("*.py"), *(ROOT / "nn").rglob("*.py")]
SOURCES.append(ROOT / "backends" / "special.py")
USES = list(uses(SOURCES))


def unfit(use: Use, backend: Any) -> str | None:
    """Why the backend cannot serve this use, if it cannot."""
    function = getattr(backend, use.name, None)
    if function is None:
        return f"{use.where}: there is no {use.name}"
    if use.count < 0 or not callable(function) or isinstance(function, type):
        return None
    if not inspect.isroutine(function) and hasattr(function, "nin"):  # CuPy's ufunc
        if use.count == function.nin and use.keywords <= {"dtype", "out"}:
            return None
        return f"{use.where}: {use.name} takes {function.nin} arrays, not {use.count}"
    try:
        inspect.signature(function).bind(*[None] * use.count, **dict.fromkeys(use.keywords))
    except ValueError:  # compiled, and silent about its arguments
        return None
    except TypeError as error:
        return f"{use.where}: {use.name}: {error}"
    return None


def test_the_engine_asks_only_for_names_that_strict_lists() -> None:
    assert len(USES) > 100
    names = strict.FUNCTIONS | strict.CONSTANTS | set(vars(strict))
    names |= {"from_dlpack"}  # which is asked of a device that DLPack knows
    assert [f"{u.where}: xp.{u.name}" for u in USES if u.name not in names] == []


@needs_wheel
def test_cupy_serves_every_use() -> None:
    assert list(filter(None, (unfit(use, backend()) for use in USES))) == []


@needs_wheel
def test_cupy_has_all_that_strict_lists() -> None:
    missing = [n for n in strict.FUNCTIONS | strict.CONSTANTS if not hasattr(backend(), n)]
    assert missing == []
    array = backend().array_type
    public = [n for n in (*strict.METHODS, *vars(strict.Array)) if not n.startswith("_")]
    assert len(public) > 20
    assert [n for n in public if not hasattr(array, n)] == []


def test_both_backends_keep_the_contract() -> None:
    contract = (
        "name array_type check to_host from_host synchronize memory scatter_add erf xlogy "
        "normal_cdf normal_pdf sigmoid windows workspace".split()
    )
    tree = ast.parse((ROOT / "backends" / "cupy.py").read_text())
    in_cupy = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    in_cupy |= {ast.unparse(t) for n in tree.body if isinstance(n, ast.Assign) for t in n.targets}
    for word in contract:
        assert word in in_cupy
        assert word in vars(strict)


def test_a_use_that_cupy_cannot_serve_is_found(tmp_path: Path) -> None:
    def argsort(a: Any, axis: int = -1) -> None: ...

    library = ModuleType("library")
    vars(library).update(argsort=argsort, pi=3.14)
    assert unfit(Use("argsort", 1, frozenset({"axis"}), "f.py:1"), library) is None
    assert unfit(Use("pi", -1, frozenset(), "f.py:1"), library) is None
    assert "no nanmax" in str(unfit(Use("nanmax", 1, frozenset(), "f.py:1"), library))
    assert "kind" in str(unfit(Use("argsort", 1, frozenset({"kind"}), "f.py:1"), library))
    assert "too many" in str(unfit(Use("argsort", 3, frozenset(), "f.py:1"), library))


def backend() -> Any:
    """The module `backends.cupy`, without asking whether there is a GPU."""
    return importlib.import_module("backends.cupy")


# --- which part is missing ---


@pytest.mark.parametrize(
    ("wheels", "driver", "told"),
    [
        ({}, nvidia.Driver(), "no NVIDIA driver"),
        ({}, nvidia.Driver((13, 0), ("H200",)), "CuPy is not installed"),
        ({}, nvidia.Driver((13, 0)), "no device"),
        ({"cupy-cuda12x": "14.2", "cupy-cuda13x": "14.2"}, nvidia.Driver(), "installed 2 times"),
        ({"cupy-cuda13x": "14.2"}, nvidia.Driver((12, 4), ("A100",)), "needs CUDA 13"),
        ({"cupy-cuda13x": "14.2"}, nvidia.Driver((13, 0), ("H200",)), "does not import"),
    ],
)
def test_a_missing_part_is_named(
    monkeypatch: pytest.MonkeyPatch, wheels: dict[str, str], driver: nvidia.Driver, told: str
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it fails, as without a wheel
    monkeypatch.delitem(sys.modules, "backends.cupy", raising=False)
    monkeypatch.setattr(nvidia, "wheels", lambda: wheels)
    monkeypatch.setattr(nvidia, "driver", lambda: driver)
    with pytest.raises(BackendError, match=told):
        importlib.import_module("backends.cupy")


@needs_wheel
def test_a_kernel_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "wheels", lambda: {"cupy-cuda13x": "14.2"})
    monkeypatch.setattr(nvidia, "driver", lambda: nvidia.Driver((13, 0), ("H200",)))

    def broken(*_: int) -> None:
        raise RuntimeError("libnvrtc.so.13: cannot open shared object file")

    monkeypatch.setattr(backend().cupy, "arange", broken)
    with pytest.raises(BackendError, match=r"(?s)H200.*libnvrtc.*cupy-cuda13x\[ctk\]"):
        backend().check()
