"""`graphviz.Digraph`, shown by our own layout where Graphviz itself is not installed."""

from __future__ import annotations

from typing import Any

import graphviz

from .dot import fill
from .engine import RenderError, render
from .picture import Picture
from .svg import svg

__all__ = ["NotebookDigraph"]


class NotebookDigraph(graphviz.Digraph):  # type: ignore[misc]
    """A Digraph that can always show itself."""

    picture: Picture

    @classmethod
    def of(cls, picture: Picture, format: str) -> NotebookDigraph:
        """The Digraph of this picture, to be rendered in this format unless told otherwise."""
        graph = cls(format=format)
        fill(graph, picture)
        graph.picture = picture
        return graph

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        return {"image/svg+xml": self._repr_image_svg_xml()}

    def _repr_image_svg_xml(self) -> str:
        try:
            return render(self.source, "svg").decode()
        except RenderError:
            return svg(self.picture)
