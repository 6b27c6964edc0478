"""A `Picture` as text for Graphviz."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .picture import Box, Cluster, Picture
from .style import LIGHT, LIGHT_HEAT
from .svg import Scale

if TYPE_CHECKING:
    import graphviz

__all__ = ["fill", "source"]

RING = "3"
"""Width of a border that tells the size of a gradient."""


def source(picture: Picture) -> str:
    """The picture as DOT text."""
    import graphviz

    graph = graphviz.Digraph()
    fill(graph, picture)
    return str(graph.source)


def fill(graph: graphviz.Digraph, picture: Picture) -> None:
    """Put the picture into an empty `graphviz.Digraph`."""
    graph.attr("graph", rankdir=picture.rankdir, fontname="Helvetica", bgcolor="transparent")
    graph.attr("node", fontname="Helvetica", fontsize="11", height="0.35", margin="0.12,0.05")
    graph.attr("edge", arrowsize="0.6", color=LIGHT["line"])
    scale = Scale(picture)
    frames: dict[str | None, Any] = {None: graph}
    for cluster in _outermost_first(picture.clusters):
        frames[cluster.key] = type(graph)(name=f"cluster {cluster.key}")
        frames[cluster.key].attr(
            label=cluster.title,
            labeljust="l",
            fontsize="11",
            fontcolor=LIGHT["faint"],
            style="rounded,filled",
            color=LIGHT["edge"],
            fillcolor="#5b708812",
        )
    for box in picture.boxes:
        frames[box.cluster].node(box.key, **_node(box, scale))
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


def _node(box: Box, scale: Scale) -> dict[str, str]:
    fill, border, ink = LIGHT[box.kind].split()
    dashed = ",dashed" if box.kind == "constant" else ""
    look = {
        "shape": "box" if box.kind == "op" else "record",
        "style": f"filled,rounded{dashed}",
        "fillcolor": fill,
        "color": border,
        "fontcolor": ink,
        "tooltip": box.tooltip or " ",
        **_ring(box, scale),
    }
    if box.kind == "op":
        return look | {"label": _escape(" ".join(cell for row in box.rows for cell in row))}
    told = [row for row in box.rows if any(row)]
    rows = "|".join("{" + "|".join(map(_escape, row)) + "}" for row in told)
    return look | {"label": rows if len(told) == 1 else "{" + rows + "}"}


def _ring(box: Box, scale: Scale) -> dict[str, str]:
    """The border that tells the size of a gradient: its colour, or how it is broken."""
    match scale.classes(box.tone):
        case ("still",):
            return {"color": LIGHT["faint"], "penwidth": "2", "style": "filled,rounded,dotted"}
        case ("broken",):
            return {"color": LIGHT["alarm"], "penwidth": RING, "style": "filled,rounded,dashed"}
        case ("hot", step):
            return {"color": LIGHT_HEAT[int(step[1:])], "penwidth": RING}
    return {}


def _escape(text: str) -> str:
    """Text with the characters that structure a record label made harmless."""
    special: Iterable[str] = '\\{}|<>"'
    for c in special:
        text = text.replace(c, "\\" + c)
    return text
