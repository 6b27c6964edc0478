"""Who may import whom: `backends` ← `autograd` ← `nn`, and only `backends` names a library."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARIES = ("numpy", "cupy", "cupyx", "ml_dtypes")
VOCABULARY = "autograd.view.vocabulary"  # functions whose text is written out, for NumPy alone
PROGRAMS = ("nn.cli", "nn.demo")  # what a user starts, and chooses a backend for


def within(module: str, *rooms: str) -> bool:
    """Whether a module is one of these rooms or inside one."""
    return any(f"{module}.".startswith(f"{room}.") for room in rooms)


def forbidden(module: str, imported: str) -> bool:
    """Whether the house's plan forbids that import, wherever in the file it stands."""
    if within(module, "backends"):
        return within(imported, "autograd", "nn")
    if within(module, VOCABULARY):
        plain = within(imported, VOCABULARY, "numpy")
        return not plain and within(imported, "autograd", "backends", "nn", *LIBRARIES)
    if within(imported, *LIBRARIES):  # data come in as NumPy arrays, from the host's side
        return not (within(module, "nn.data") and within(imported, "numpy"))
    if within(module, "nn"):
        return within(imported, "backends") and not within(module, *PROGRAMS)
    return within(imported, "nn")


def early(module: str, imported: str) -> bool:
    """Whether the plan forbids that import at the top of the file: pictures come on demand."""
    return not within(module, "autograd.view") and within(imported, "autograd.view")


def imports(tree: ast.AST, package: str, at_top: bool) -> Iterator[str]:
    """Names that a syntax tree imports: all of them, or only those imported when it is loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: 1 - node.level or None]) if node.level else ""
            origin = ".".join(filter(None, (base, node.module)))
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (str(a.value) for a in node.args[:1] if isinstance(a, ast.Constant))
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (at_top and (later or typing)):
            yield from imports(node, package, at_top)


def violations(root: Path) -> list[str]:
    """What in the packages under `root` breaks the plan, one line each."""
    files = {}
    for path in (p for room in ("autograd", "backends", "nn") for p in (root / room).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    found, graph = [] if files else [f"no package under {root}"], {}
    for module, path in files.items():
        tree = ast.parse(path.read_text())
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        at_top = set(imports(tree, package, at_top=True))
        bad = {name for name in imports(tree, package, at_top=False) if forbidden(module, name)}
        bad |= {name for name in at_top if early(module, name)}
        found += [f"{module} imports {name}" for name in sorted(bad)]
        # `from a.b import c` loads a.b.c where that is a module, else a.b
        graph[module] = {n if n in files else n.rpartition(".")[0] for n in at_top}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found.append("circle: " + " ← ".join(error.args[1]))
    return found


def test_the_house_keeps_its_plan() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("path", "source", "told"),
    [
        ("nn/layers/core.py", "def f():\n    import numpy as np", "nn.layers.core imports numpy"),
        ("nn/models/a.py", "from cupy.linalg import inv", "nn.models.a imports cupy.linalg.inv"),
        ("nn/data/arrays.py", "import cupy", "nn.data.arrays imports cupy"),
        ("nn/train/fit.py", "from backends import use", "nn.train.fit imports backends.use"),
        ("autograd/view/svg.py", "import numpy", "autograd.view.svg imports numpy"),
        ("autograd/node.py", "from nn import Dense", "autograd.node imports nn.Dense"),
        ("autograd/node.py", "from . import view", "autograd.node imports autograd.view"),
        ("autograd/ops/a.py", "from ..view import f", "autograd.ops.a imports autograd.view.f"),
        ("autograd/a.py", "x = import_module('numpy')", "autograd.a imports numpy"),
        (
            "autograd/view/vocabulary/a.py",
            "from ..svg import f",
            "autograd.view.vocabulary.a imports autograd.view.svg.f",
        ),
        (
            "autograd/view/vocabulary/a.py",
            "import cupy",
            "autograd.view.vocabulary.a imports cupy",
        ),
        ("backends/numpy.py", "import autograd.node", "backends.numpy imports autograd.node"),
        ("autograd/c.py", "from .a import b", "circle: autograd.a ← autograd.c ← autograd.a"),
    ],
)
def test_a_breach_is_caught(tmp_path: Path, path: str, source: str, told: str) -> None:
    allowed = {
        "autograd/__init__.py": "from .a import b",
        "autograd/a.py": "from . import c\nb = 1",
        "autograd/c.py": "def draw():\n    from . import view\n    from .a import b",
        "autograd/view/__init__.py": "from . import svg\nimport backends",
        "autograd/view/svg.py": "",
        "autograd/view/vocabulary/__init__.py": "from . import a",
        "autograd/view/vocabulary/a.py": "import numpy\nfrom .b import f",
        "autograd/view/vocabulary/b.py": "import math",
        "nn/data/load.py": "import numpy",
        "nn/cli.py": "import autograd, backends",
        "backends/numpy.py": "import numpy",
    }
    for name, text in allowed.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert violations(tmp_path) == []
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(source)
    assert told in violations(tmp_path)


def test_import_autograd_loads_nothing_but_numpy() -> None:
    lazy = "cupy graphviz matplotlib ml_dtypes nn resvg_py rich safetensors sklearn torch "
    lazy += "numpy.f2py numpy.ma numpy.random numpy.testing"
    code = f"import sys, autograd; print(*set('{lazy}'.split()) & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
