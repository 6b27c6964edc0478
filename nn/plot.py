"""Pictures of trainings: curves, bars and sheets of images, in one look.

They are matplotlib Figures, which a notebook shows as they are returned and `path=` saves;
matplotlib is the extra `glassgrad[viz]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

__all__ = ["attention", "bars", "blank", "curves", "images", "plain"]

INK, FAINT, RULE = "#1f2937", "#5f6b7a", "#d8dee6"
COLOURS = ("#3b7dc4", "#b45309", "#0f766e", "#9d3c8f", "#64748b", "#c2410c")
"""Told apart by people who do not see red and green, and in grey."""


def blank(width: float, height: float) -> Any:
    """An empty matplotlib Figure of that size in inches, which a notebook shows as it is returned.

    It is no part of pyplot, which would choose a window system for it.
    """
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            png = BytesIO()
            self.savefig(png, format="png", dpi=100)
            return png.getvalue()

    return Shown(figsize=(width, height), dpi=144, layout="constrained", facecolor="white")


def plain(panel: Any, title: str = "", x: str = "", y: str = "") -> Any:
    """A matplotlib Axes without what nobody reads: its title above, light rules behind."""
    panel.set_title(title, loc="left", fontsize=11, color=INK, pad=10)
    panel.set_xlabel(x, color=FAINT, fontsize=9)
    panel.set_ylabel(y, color=FAINT, fontsize=9)
    panel.tick_params(colors=FAINT, labelsize=8.5, length=0, which="both")
    panel.grid(axis="y", color=RULE, linewidth=0.8)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(RULE)
    return panel


def curves(
    lines: Mapping[str, Any],
    title: str = "",
    x: str = "epoch",
    y: str = "",
    *,
    log: bool = False,
    path: Any = None,
    panel: Any = None,
) -> Any:
    """One line for each entry, named where it ends: values, or a pair (xs, values).

    A name that ends in " (held out)" is drawn dashed, in the colour of the name before it.
    `panel` is a matplotlib Axes to draw in, instead of a new Figure.
    """
    figure = None
    if panel is None:
        figure = blank(6.4, 3.6)
        panel = figure.subplots()
    plain(panel, title, x, y)
    if log:
        panel.set_yscale("log")
    colours: dict[str, str] = {}
    ends = []
    for name, line in lines.items():
        pair = isinstance(line, tuple) and len(line) == 2 and hasattr(line[0], "__len__")
        xs, ys = line if pair else (range(1, len(line) + 1), line)
        stem = name.removesuffix(" (held out)")
        colour = colours.setdefault(stem, COLOURS[len(colours) % len(COLOURS)])
        style = "-" if stem == name else (0, (4, 2))
        panel.plot(xs, ys, color=colour, linestyle=style, linewidth=1.8, solid_capstyle="round")
        if isinstance(xs, range):  # there is no half of an epoch
            panel.xaxis.get_major_locator().set_params(integer=True)
        ends.append([list(xs)[-1], float(list(ys)[-1]), name, colour])
    _apart(panel, ends)
    for end, place, name, colour in ends:
        panel.annotate(
            name, (end, place), xytext=(6, 0), textcoords="offset points", va="center",
            fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip
    if path is not None and figure is not None:
        figure.savefig(path)
    return panel if figure is None else figure


def _apart(panel: Any, ends: list[list[Any]]) -> None:
    """Move the heights of labels until none covers another, in the panel's own scale."""
    transform = panel.transData
    low, high = (transform.transform((0, v))[1] for v in panel.get_ylim())
    height = abs(high - low) * 0.075 or 1.0  # of a line of text
    placed = sorted(ends, key=lambda end: end[1])
    heights = [transform.transform((0, end[1]))[1] for end in placed]
    for _ in range(50):
        for i in range(len(heights) - 1):
            short = height - (heights[i + 1] - heights[i])
            if short > 1e-6:
                heights[i] -= short / 2
                heights[i + 1] += short / 2
    back = transform.inverted()
    for end, at in zip(placed, heights, strict=True):
        end[1] = back.transform((0, at))[1]


def bars(
    groups: Mapping[str, Mapping[str, float]], title: str = "", y: str = "", *, path: Any = None
) -> Any:
    """A group of bars for each entry, a bar for each of its numbers, which stands above it."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    figure = blank(max(4.8, 0.6 + 0.62 * len(names) * len(groups)), 3.6)
    panel = plain(figure.subplots(), title, "", y)
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        places = [g + (i - (len(names) - 1) / 2) * width for g in range(len(groups))]
        heights = [group.get(name, float("nan")) for group in groups.values()]
        drawn = panel.bar(
            places, heights, width * 0.92, color=COLOURS[i % len(COLOURS)], label=name
        )
        panel.bar_label(drawn, fmt="%.3g", fontsize=8, color=INK, padding=2)
    panel.set_xticks(range(len(groups)), list(groups))
    panel.tick_params(axis="x", labelsize=9, labelcolor=INK)
    panel.grid(visible=False)  # the numbers stand on the bars
    panel.set_yticks([])
    panel.margins(y=0.12)
    if len(names) > 1:
        figure.legend(
            loc="outside lower center", ncols=len(names), frameon=False, fontsize=9, labelcolor=INK
        )
    if path is not None:
        figure.savefig(path)
    return figure


def images(
    pictures: Any,
    titles: Sequence[str] = (),
    *,
    columns: int = 10,
    title: str = "",
    size: float = 0.8,
    path: Any = None,
) -> Any:
    """A sheet of images, (N, H, W) grey or (N, H, W, 3) in colour, `size` inches each.

    Grey ones are dark where the number is large, from 0 to 1.
    """
    count = len(pictures)
    rows = -(-count // columns)
    figure = blank(size * columns, (size + (0.25 if titles else 0)) * rows + (0.5 if title else 0))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels:
        panel.set_axis_off()
    for panel, picture in zip(panels, pictures, strict=False):
        grey = {} if picture.ndim == 3 and picture.shape[-1] == 3 else {"cmap": "gray_r"}
        panel.imshow(picture.squeeze(), vmin=0, vmax=1, interpolation="nearest", **grey)
    for panel, text in zip(panels, titles, strict=False):
        panel.set_title(text, fontsize=8, color=INK, pad=3)
    if path is not None:
        figure.savefig(path)
    return figure


def attention(
    weights: Any,
    queries: Sequence[str],
    keys: Sequence[str],
    title: str = "",
    *,
    titles: Sequence[str] = (),
    columns: int = 4,
    size: float = 0.2,
    path: Any = None,
) -> Any:
    """Where heads look: weights (heads, queries, keys) as one panel each, dark where it looks.

    Queries are the rows and keys the columns, `size` inches each; both are named by their tokens.
    """
    pictures = [p.numpy() if hasattr(p, "numpy") else p for p in weights]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    wide, high = size * len(keys) + 0.35, size * len(queries) + (0.55 if titles else 0.35)
    figure = blank(wide * columns, high * rows + (0.35 if title else 0))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(pictures) :]:
        panel.set_axis_off()
    for panel, picture in zip(panels, pictures, strict=False):
        panel.imshow(picture, vmin=0, vmax=1, cmap="Blues", interpolation="nearest")
        panel.grid(visible=False)
        panel.set_xticks(range(len(keys)), keys)
        panel.set_yticks(range(len(queries)), queries)
        panel.tick_params(
            length=0, labelsize=min(8, 55 * size), labelcolor=INK, labeltop=True, labelbottom=False
        )
        for side in panel.spines.values():
            side.set_color(RULE)
    for panel, text in zip(panels, titles, strict=False):
        panel.set_title(text, fontsize=8.5, color=FAINT, pad=5)
    if path is not None:
        figure.savefig(path)
    return figure
