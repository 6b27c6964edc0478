"""The examples run, and come to what they promise."""

from __future__ import annotations

import runpy
from math import isfinite
from pathlib import Path

import pytest

from nn.gallery import examples, missed

EXAMPLES = Path(__file__).parent.parent / "examples"
GALLERY = examples()


def run(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_every_example_is_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    scripts = {"custom_loop.py", "expression.py", "hessian.py"}
    assert names == scripts | {f"{name}.py" for name in GALLERY}


@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery_runs(name: str, tmp_path: Path) -> None:
    """One epoch of each; `make gallery` trains them to the end, and checks what they must reach."""
    example = GALLERY[name]
    results = example.run(tmp_path, epochs=1)
    assert example.missed(results) is not None  # every result that the goal names is there
    assert all(isfinite(value) for value in results.values())
    assert any(tmp_path.iterdir())
    assert example.title.endswith(".")


def test_a_missed_goal_is_told() -> None:
    results = {"accuracy": 0.97, "peer": 0.98}
    goal = [("accuracy", ">=", 0.9), ("accuracy", ">=", "peer"), ("accuracy", "<", 0.5)]
    assert missed(goal, results) == [
        "accuracy is 0.97, which is not >= 0.98 (peer)", "accuracy is 0.97, which is not < 0.5",
    ]  # fmt: skip


def test_expression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "∂e/∂a = 0.9293" in run("expression.py", capsys)
    assert (tmp_path / "expression.svg").read_text().startswith("<svg")


def test_custom_loop(capsys: pytest.CaptureFixture[str]) -> None:
    told = run("custom_loop.py", capsys).splitlines()[-1]
    assert float(told.partition("%")[0]) >= 94


def test_hessian(capsys: pytest.CaptureFixture[str]) -> None:
    last = run("hessian.py", capsys).splitlines()[-1]
    assert "x = (1.000000, 1.000000)" in last
