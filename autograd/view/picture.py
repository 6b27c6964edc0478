"""A drawing before it is drawn: boxes, arrows and clusters, without pixels or file formats.

Everything that turns a graph into something to look at starts from a `Picture`: the text for
Graphviz, our own `layout` and `svg`.  A picture says what is shown and in which words; where
things go and what they look like is decided later.

    Picture(
        boxes=(Box("a", "input", (("a", "data 2.0000", "grad —"),)), Box("b", "op", ("tanh",))),
        arrows=(Arrow("a", "b"),),
    )
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ..errors import AutogradError

__all__ = ["Arrow", "Box", "Cluster", "Kind", "Picture", "PictureError", "Rankdir", "Row"]

Kind: TypeAlias = Literal["value", "op", "parameter", "input", "output", "constant"]
Rankdir: TypeAlias = Literal["LR", "TB"]
Row: TypeAlias = str | tuple[str, ...]
"""One row of text in a box.  A tuple is a row of cells, as in Graphviz's records.

A cell such as `"data 2.0000"` holds a word and a number; the last space divides them.
"""


class PictureError(AutogradError, ValueError):
    """A picture that contradicts itself: an arrow to nowhere, two boxes of one key."""


@dataclass(frozen=True, slots=True)
class Box:
    """One node of the drawing.

    `key` identifies it and is never shown.  The first of `lines` is its name, the others are
    details; "" stands for no name.  An op is drawn as a pill around its name.  `cluster` is the
    key of the innermost cluster that holds the box.

    `tone` colours the box by the size of its gradient: `log10` of the norm.  `-inf` is a gradient
    of exactly zero, `nan` and `inf` one that is broken, and `None` one that was never computed.
    Each of the three looks different from every number, and from the others.
    """

    key: str
    kind: Kind
    lines: tuple[Row, ...]
    cluster: str | None = None
    tone: float | None = None
    tooltip: str = ""

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """`lines` with every row as a tuple of cells."""
        return tuple((line,) if isinstance(line, str) else line for line in self.lines)


@dataclass(frozen=True, slots=True)
class Arrow:
    """From the box `tail` to the box `head`: data that flows forward, or a gradient back."""

    tail: str
    head: str
    label: str = ""
    kind: Literal["data", "gradient"] = "data"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame with a title around boxes and other clusters: a module and what it computed."""

    key: str
    title: str
    parent: str | None = None
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn.  Two equal pictures give the same drawing, to the last byte.

    `rankdir` is the direction in which data flows: "LR" to the right, "TB" down.  Arrows into one
    box are drawn in the order in which they are listed, so list the operands of `a @ b` as a, b.
    `tone_label` says what the boxes' `tone` measures.

    Raises `PictureError` where keys are used twice or lead nowhere.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    rankdir: Rankdir = "LR"
    title: str = ""
    tone_label: str = "gradient norm"

    def __post_init__(self) -> None:
        if self.rankdir not in get_args(Rankdir):
            raise PictureError(f"rankdir must be 'LR' or 'TB', not {self.rankdir!r}")
        boxes = _distinct("boxes", (box.key for box in self.boxes))
        clusters = _distinct("clusters", (cluster.key for cluster in self.clusters))
        for box in self.boxes:
            if box.kind not in get_args(Kind):
                kinds = ", ".join(get_args(Kind))
                raise PictureError(f"box {box.key!r}: no kind {box.kind!r}; there are {kinds}")
            if box.cluster is not None and box.cluster not in clusters:
                raise PictureError(f"box {box.key!r}: no cluster {box.cluster!r}")
        for arrow in self.arrows:
            for end in (arrow.tail, arrow.head):
                if end not in boxes:
                    raise PictureError(f"arrow {arrow.tail!r} -> {arrow.head!r}: no box {end!r}")
        self._check_nesting()

    def _check_nesting(self) -> None:
        parents = {cluster.key: cluster.parent for cluster in self.clusters}
        sound: set[str] = set()
        for key in parents:
            path: dict[str, None] = {}
            at: str | None = key
            while at is not None and at not in sound:
                if at in path:
                    raise PictureError(f"cluster {at!r} lies inside itself: {' in '.join(path)}")
                if at not in parents:
                    raise PictureError(f"cluster {[*path][-1]!r}: no cluster {at!r} to lie in")
                path[at] = None
                at = parents[at]
            sound.update(path)


def _distinct(what: str, keys: Iterable[str]) -> set[str]:
    """The set of `keys`, or an error that names one used twice."""
    counts = Counter(keys)
    for key, times in counts.items():
        if times > 1:
            raise PictureError(f"{what}: {times} of them have the key {key!r}; keys must differ")
    return set(counts)
