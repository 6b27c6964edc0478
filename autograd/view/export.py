"""A drawing as a file: SVG and DOT by ourselves, PNG and PDF with help."""

from __future__ import annotations

from pathlib import Path

from .dot import source
from .engine import RenderError, render
from .picture import Picture

__all__ = ["export"]


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
        data = render(source(picture), "pdf")
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
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, dpi=96, zoom=2, background="white"))
