"""The picture: what the engine recorded, to be looked at.

`explore(x)` is a page to walk through all that x was computed from, and through its backward pass;
`draw(x)` a still picture of it, `draw_dot(x)` the same as a `graphviz.Digraph`, and `source(x)`
its derivative as code.  What they show is in a `GraphTrace`, which is plain data.
"""

from .derivative import Source, source
from .drawing import Drawing, draw, draw_dot
from .engine import RenderError
from .explore import Page, explore
from .trace import GraphTrace

__all__ = [
    "Drawing", "GraphTrace", "Page", "RenderError", "Source", "draw", "draw_dot", "explore",
    "source",
]  # fmt: skip
