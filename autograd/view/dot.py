"""A `Picture` as text for Graphviz."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .picture import Box, Cluster, Picture

if TYPE_CHECKING:
    import graphviz

__all__ = ["fill", "source"]

_SHAPES = {"op": "ellipse", "constant": "plaintext"}
_FILLS = {
    "parameter": "#fdf3d8", "input": "#e8f1fb", "output": "#e6f4ea", "op": "#f2f2f5",
    "value": "#ffffff", "constant": "none",
}  # fmt: skip


def source(picture: Picture) -> str:
    """The picture as DOT text."""
    import graphviz

    graph = graphviz.Digraph()
    fill(graph, picture)
    return str(graph.source)


def fill(graph: graphviz.Digraph, picture: Picture) -> None:
    """Put the picture into an empty `graphviz.Digraph`."""
    graph.attr("graph", rankdir=picture.rankdir, fontname="Helvetica", bgcolor="transparent")
    graph.attr("node", fontname="Helvetica", fontsize="11", style="filled,rounded")
    graph.attr("edge", arrowsize="0.6", color="#666677")
    frames: dict[str | None, Any] = {None: graph}
    for cluster in _outermost_first(picture.clusters):
        frames[cluster.key] = type(graph)(name=f"cluster {cluster.key}")
        frames[cluster.key].attr(label=cluster.title, color="#c8c8d4", style="rounded")
    for box in picture.boxes:
        frames[box.cluster].node(box.key, **_node(box))
    for cluster in reversed(_outermost_first(picture.clusters)):  # an inner one must be full first
        frames[cluster.parent].subgraph(frames[cluster.key])
    for arrow in picture.arrows:
        graph.edge(arrow.tail, arrow.head, label=arrow.label or None)


def _outermost_first(clusters: tuple[Cluster, ...]) -> list[Cluster]:
    """The clusters, each behind the one that holds it."""
    inner: dict[str | None, list[Cluster]] = {}
    for cluster in clusters:
        inner.setdefault(cluster.parent, []).append(cluster)
    ordered = list(inner.get(None, []))
    for cluster in ordered:
        ordered += inner.get(cluster.key, [])
    return ordered


def _node(box: Box) -> dict[str, str]:
    look = {
        "shape": _SHAPES.get(box.kind, "record"),
        "fillcolor": _FILLS[box.kind],
        "color": "#8888a0",
        "tooltip": box.tooltip or " ",
    }
    if look["shape"] == "record":
        rows = "|".join("{" + "|".join(map(_escape, row)) + "}" for row in box.rows)
        return look | {"label": rows if len(box.rows) == 1 else "{" + rows + "}"}
    return look | {"label": _escape(" ".join(cell for row in box.rows for cell in row))}


def _escape(text: str) -> str:
    """Text with the characters that structure a record label made harmless."""
    special: Iterable[str] = '\\{}|<>"'
    for c in special:
        text = text.replace(c, "\\" + c)
    return text
