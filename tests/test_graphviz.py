"""An external engine is asked politely, stopped in time, and missed with words that help."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from autograd.view import engine
from autograd.view.engine import RenderError, render

GRAPH = 'digraph { a -> "∂L/∂a" }'
posix = pytest.mark.skipif(os.name != "posix", reason="the fake `dot` is a shell script")


def pretend(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program `dot` first on the PATH."""
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@posix
def test_it_hands_over_the_text_and_returns_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(tmp_path, 'echo "drawn as $1:"; cat', monkeypatch)
    assert render(GRAPH, "svg").decode() == f"drawn as -Tsvg:\n{GRAPH}"
    assert render(GRAPH, "png:cairo").startswith(b"drawn as -Tpng:cairo:")


@posix
def test_a_slow_engine_is_stopped_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child holds the pipe open; waiting for that would be waiting for ever."""
    left = tmp_path / "child"
    pretend(tmp_path, f"sleep 60 & echo $! > {left}; wait", monkeypatch)
    begin = time.monotonic()
    with pytest.raises(RenderError, match=r"did not finish within 0\.5 s and was stopped"):
        render(GRAPH, timeout=0.5)
    assert time.monotonic() - begin < 10
    child = int(left.read_text())
    for _ in range(100):  # a killed process is gone when its parent, now init, has noticed
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the engine's child is still alive")


@posix
def test_a_complaint_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, 'echo "syntax error in line 1" >&2; exit 1', monkeypatch)
    with pytest.raises(RenderError, match="exit code 1, and it said: syntax error in line 1"):
        render("digraph {")


@posix
def test_silence_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, "cat > /dev/null", monkeypatch)
    with pytest.raises(RenderError, match="drew no svg: exit code 0, and it said: nothing"):
        render(GRAPH)


def test_without_an_engine_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.shutil, "which", lambda program: None)
    monkeypatch.setattr(engine, "find_spec", lambda package: None)
    assert engine.engine() is None
    with pytest.raises(RenderError, match=r"no program `dot` on the PATH.*glassgrad\[viz\]"):
        render(GRAPH, "pdf")


def test_pygraphviz_stands_in_for_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.shutil, "which", lambda program: None)
    monkeypatch.setattr(engine, "find_spec", lambda package: object())
    command = engine.engine()
    assert command is not None
    assert command[0] == sys.executable
    assert "pygraphviz" in command[2]


@pytest.mark.parametrize("format", ["", "svg -o/etc/passwd", "-Tsvg", "../svg", "svg\n"])
def test_a_format_is_a_name(format: str) -> None:
    with pytest.raises(RenderError, match="is not a format of Graphviz"):
        render(GRAPH, format)


@pytest.mark.skipif(engine.engine() is None, reason="Graphviz is not installed")
def test_the_real_one_draws() -> None:
    drawn = render(GRAPH).decode()
    assert "∂L/∂a" in drawn
    assert "</svg>" in drawn
