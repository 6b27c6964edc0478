"""The examples run, and come to what they promise."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_every_example_is_tested() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"custom_loop.py", "expression.py", "hessian.py"}


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
