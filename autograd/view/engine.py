"""Graphviz, where the machine has it: DOT text in, a picture in one of its formats out.

Our own `svg` needs none of this.  Graphviz adds PDF, PNG and the look that many know.  It always
runs as a process of its own and against the clock, because how long it takes cannot be told from
the size of a graph.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec

from ..errors import AutogradError

__all__ = ["RenderError", "engine", "render"]

# pygraphviz carries the Graphviz libraries in its wheel, though not the program.
_PYGRAPHVIZ = """\
import sys, pygraphviz
graph = pygraphviz.AGraph(string=sys.stdin.buffer.read().decode())
sys.stdout.buffer.write(graph.draw(format=sys.argv[1], prog="dot"))
"""


class RenderError(AutogradError, RuntimeError):
    """No picture: Graphviz is missing, too slow, or does not understand what it was given."""


def engine() -> list[str] | None:
    """The command that draws what it reads, the format to be added to its end; or None.

    `dot` from the PATH comes first, then the package pygraphviz, in a process of its own.
    """
    if dot := shutil.which("dot"):
        return [dot, "-T"]
    if find_spec("pygraphviz"):
        return [sys.executable, "-c", _PYGRAPHVIZ, ""]
    return None


def render(source: str, format: str = "svg", timeout: float = 20.0) -> bytes:
    """Have Graphviz draw the DOT text `source` in `format`, such as "svg", "png" or "pdf".

    Raises `RenderError` where there is no Graphviz, where it fails, and where it takes longer than
    `timeout` seconds; it is stopped then, with all that it has started.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_.]*(:[a-z0-9]+)*", format):
        raise RenderError(f"{format!r} is not a format of Graphviz; try 'svg', 'png' or 'pdf'")
    command = engine()
    if command is None:
        raise RenderError(
            f"Drawing as {format} needs Graphviz, and there is no program `dot` on the PATH. "
            "Install it (apt install graphviz, brew install graphviz, https://graphviz.org/download"
            ", or pip install pygraphviz). SVG needs nothing, PNG no more than "
            "pip install 'glassgrad[viz]', and PDF pip install 'glassgrad[pdf]'."
        )
    *head, last = command
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [*head, last + format], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        try:
            drawn, complaint = process.communicate(source.encode(), timeout)
        except BaseException as error:
            _kill(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise RenderError(
                f"Graphviz did not finish within {timeout:g} s and was stopped. Give it longer "
                "with timeout=…, or save as SVG, which our own layout draws in about linear time."
            ) from None
    if process.returncode != 0 or not drawn:
        said = complaint.decode(errors="replace").strip() or "nothing"
        raise RenderError(
            f"Graphviz ({head[0]}) drew no {format}: exit code {process.returncode}, and it said: "
            f"{said}"
        )
    return drawn


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process, and whatever it has started that could hold its pipes open."""
    if not hasattr(os, "killpg"):
        process.kill()
        return
    with suppress(ProcessLookupError):  # it has just ended by itself
        os.killpg(process.pid, signal.SIGKILL)
