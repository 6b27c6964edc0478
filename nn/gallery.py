"""The gallery: the programs in `examples/` that train a model, by name, with what they must reach.

Such a program is a file to be read.  It begins with a docstring whose first line is its title, and
has three names that are looked for here:

    GOAL = [("accuracy", ">=", 0.99), ("accuracy", ">=", "scikit-learn")]
    RESULT = "{accuracy:.1%} of the held-out digits are read right"

    def main(out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
        …train, write pictures and weights into the folder `out`, print what was found…
        return {"accuracy": 0.994, "scikit-learn": 0.981}

A goal compares a result with a number, or with another result.

    python -m nn.gallery        trains them all, and writes down what they reached, for the README
"""

from __future__ import annotations

import ast
import importlib.util
import json
import operator
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

__all__ = ["Example", "examples", "main", "missed", "recorded", "table"]

COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


@dataclass(frozen=True)
class Example:
    """One program of the gallery."""

    name: str
    path: Path
    title: str

    def load(self) -> Any:
        """The program as a module, whose `main` has not run."""
        name = f"glassgrad_example_{self.name}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses and worker processes look a class's module up
        spec.loader.exec_module(module)
        return module

    def run(self, out: Path, epochs: int | None = None, seed: int = 0) -> dict[str, float]:
        """Train, in the folder `out`; what `main` returned, and the seconds that it took."""
        from threadpoolctl import threadpool_limits  # comes with scikit-learn

        module = self.load()
        out.mkdir(parents=True, exist_ok=True)
        start = perf_counter()
        # these matrices are small: a second thread gains little, and waits where others compute
        with threadpool_limits(1):
            results = module.main(out, epochs=epochs, seed=seed)
        return {**results, "seconds": round(perf_counter() - start, 1)}

    def told(self, results: dict[str, float]) -> str:
        """The results in the program's own words."""
        told: str = self.load().RESULT.format(**results)
        return told

    def missed(self, results: dict[str, float]) -> list[str]:
        """What the results do not reach of the program's goal, in words."""
        return missed(self.load().GOAL, results)


def folder() -> Path:
    """Where the programs lie: in the installed package, or in a checkout beside it."""
    here = Path(__file__).resolve().parent
    installed = here / "examples"
    return installed if installed.is_dir() else here.parent / "examples"


def examples() -> dict[str, Example]:
    """The programs with a `main`, a `GOAL` and a `RESULT`, by name."""
    found = {}
    for path in sorted(folder().glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        names |= {t.id for node in tree.body if isinstance(node, ast.Assign)
                  for t in node.targets if isinstance(t, ast.Name)}  # fmt: skip
        if {"main", "GOAL", "RESULT"} <= names:
            title = (ast.get_docstring(tree) or "").partition("\n")[0]
            found[path.stem] = Example(path.stem, path, title)
    return found


def missed(goal: list[tuple[str, str, Any]], results: dict[str, float]) -> list[str]:
    """The comparisons that do not hold."""
    faults = []
    for name, relation, other in goal:
        bound = results[other] if isinstance(other, str) else other
        if not COMPARISONS[relation](results[name], bound):
            of = f" ({other})" if isinstance(other, str) else ""
            faults.append(f"{name} is {results[name]:g}, which is not {relation} {bound:g}{of}")
    return faults


# --- all of them, and what they reached ---


def recorded() -> dict[str, dict[str, float]]:
    """What each program reached when all were last trained."""
    found: dict[str, dict[str, float]] = json.loads((folder() / "results.json").read_text())
    return found


def table(results: dict[str, dict[str, float]]) -> str:
    """The results as a table for the README."""
    lines = ["| `glassgrad train` | what | reached | seconds |", "| --- | --- | --- | ---: |"]
    for name, example in examples().items():
        if name in results:
            told = example.told(results[name])
            file = f"[{name}](examples/{name}.py)"
            lines.append(f"| {file} | {example.title} | {told} | {results[name]['seconds']:.0f} |")
    return "\n".join(lines)


def _show(told: str) -> None:
    """Print the table and, in a checkout, put it into the README."""
    print(f"\n{told}\n")
    readme = folder().parent / "README.md"
    if readme.exists():
        before, begin, rest = readme.read_text(encoding="utf-8").partition("<!-- gallery -->\n")
        _, end, behind = rest.partition("\n<!-- end -->")
        if begin and end:
            readme.write_text(f"{before}{begin}{told}{end}{behind}", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Train the named programs, or all; 1 if one missed its goal."""
    named = list(sys.argv[1:] if argv is None else argv)
    chosen = {name: e for name, e in examples().items() if not named or name in named}
    results = recorded() if named and (folder() / "results.json").exists() else {}
    faults = []
    for name, example in chosen.items():
        print(f"\n== {name}: {example.title}", flush=True)
        results[name] = example.run(Path("glassgrad-train") / name)
        print(f"{results[name]['seconds']:.0f} s", flush=True)
        faults += [f"{name}: {fault}" for fault in example.missed(results[name])]
    rounded = {name: {k: float(f"{v:.4g}") for k, v in found.items()}
               for name, found in sorted(results.items())}  # fmt: skip
    (folder() / "results.json").write_text(json.dumps(rounded, indent=1) + "\n")
    _show(table(rounded))
    for fault in faults:
        print(f"goal missed: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
