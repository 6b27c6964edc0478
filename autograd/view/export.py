"""A drawing as a file: SVG by ourselves, PNG and PDF from that SVG, DOT for Graphviz.

PNG and PDF need a library but no program: the extras `viz` and `pdf`.  Where those are not
installed Graphviz draws instead, in its own manner, if the machine has it.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .dot import source
from .engine import RenderError, render
from .picture import Picture

__all__ = ["export"]

ZOOM = 2
"""Pixels of a PNG per px of the drawing, for the screens of today."""


def export(picture: Picture, svg: str, path: Path) -> Path:
    """Write the drawing to the path, as what its suffix says; the file appears whole or not at all.

    Raises `RenderError` where a PNG or PDF needs something that is not installed.
    """
    kind = path.suffix.lower()
    if kind == ".svg":
        data = svg.encode()
    elif kind in (".dot", ".gv"):
        data = source(picture).encode()
    elif kind == ".png":
        data = _png(svg, picture)
    elif kind == ".pdf":
        data = _pdf(svg, picture)
    else:
        raise RenderError(f"draw: cannot write {path.name}: use .svg, .png, .pdf or .dot")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return path


def _png(svg: str, picture: Picture) -> bytes:
    """Pixels: of our own drawing where resvg is installed, else by Graphviz."""
    try:
        import resvg_py
    except ImportError:
        return render(source(picture), "png")
    fonts = [str(folder) for folder in _fonts()]
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg, dpi=96, zoom=ZOOM, background="white", font_dirs=fonts
        )
    )


def _pdf(svg: str, picture: Picture) -> bytes:
    """Lines and letters, not pixels: of our own drawing where typst is installed."""
    try:
        import typst
    except ImportError:
        return render(source(picture), "pdf")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "drawing.svg").write_text(svg, encoding="utf-8")
        page = Path(folder) / "page.typ"
        page.write_text(
            '#set page(width: auto, height: auto, margin: 0pt)\n#image("drawing.svg")',
            encoding="utf-8",
        )
        return bytes(typst.compile(page, format="pdf", font_paths=_fonts(), timestamp=0))


def _fonts() -> list[Any]:
    """Where fonts lie that are not the system's: a machine without any would draw no text at all.

    matplotlib, of the same extra, brings DejaVu Sans.
    """
    found = find_spec("matplotlib")
    if found is None or found.origin is None:
        return []
    return [Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"]
