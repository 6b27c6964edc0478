"""The picture: what the engine recorded, to be looked at.

`draw(x)` shows all that x was computed from; `draw_dot(x)` gives it as a `graphviz.Digraph`.
"""

from .drawing import Drawing, draw, draw_dot
from .engine import RenderError
from .trace import GraphTrace

__all__ = ["Drawing", "GraphTrace", "RenderError", "draw", "draw_dot"]
