"""Draw a graph: in a notebook, to a file, or as text for Graphviz."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..node import Node
from .graph import picture
from .picture import Picture, Rankdir
from .svg import svg

if TYPE_CHECKING:
    import graphviz

__all__ = ["Drawing", "draw", "draw_dot"]


class Drawing:
    """A drawn graph: shown by a notebook, saved with `save`, and as text in `svg`."""

    def __init__(self, picture: Picture, wrap: float | None = None) -> None:
        self.picture, self.wrap = picture, wrap

    @cached_property
    def svg(self) -> str:
        """The drawing as one self-contained SVG that follows the reader's light or dark mode."""
        return svg(self.picture, self.wrap)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing; the suffix says as what: .svg, .png, .pdf or .dot."""
        from .export import export

        return export(self.picture, self.svg, Path(path))

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.picture.boxes)} boxes: save('graph.svg') to look at it>"


def draw(
    *roots: Node, rankdir: Rankdir = "LR", wrap: float | None = None, depth: int | None = None
) -> Drawing:
    """Draw all that these nodes were computed from, with data, gradients and modules.

    >>> from autograd import Value
    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = a * b
    >>> c.backward()
    >>> draw(c)
    <Drawing of 4 boxes: save('graph.svg') to look at it>

    Needs nothing but Python.  Gradients that were not computed are shown as "—".  A long drawing
    continues in a new row, after `wrap` pixels if that is given (900 suits a column of text).
    What lies deeper than `depth` calls of modules is folded to a box per call, of calls in a row
    that compute the same to one: `draw(loss, depth=1)` shows a GPT's blocks as "×12".
    """
    return Drawing(_picture(roots, rankdir, sys._getframe(1), depth), wrap)


def draw_dot(root: Node, format: str = "svg", rankdir: Rankdir = "LR") -> graphviz.Digraph:
    """Draw as micrograd's `draw_dot` does: a `graphviz.Digraph` of the graph behind `root`.

    Its `render`, `save` and `source` are Graphviz's; in a notebook it shows itself also where no
    `dot` is installed, by our own layout.
    """
    from .digraph import NotebookDigraph

    return NotebookDigraph.of(_picture((root,), rankdir, sys._getframe(1)), format)


def _picture(
    roots: tuple[Any, ...], rankdir: Rankdir, frame: FrameType, depth: int | None = None
) -> Picture:
    if len(roots) == 1 and hasattr(roots[0], "_picture_"):
        return roots[0]._picture_(rankdir)  # type: ignore[no-any-return]
    for root in roots:
        if not isinstance(root, Node):
            raise TypeError(
                f"draw: expected a Value or Tensor that was computed, got {type(root).__name__}. "
                "For a model, draw its loss or its output: draw(model(x))."
            )
    return picture(*roots, rankdir=rankdir, depth=depth, frame=frame)
