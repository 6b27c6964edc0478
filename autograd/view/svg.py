"""A picture as one SVG file: no script, no font, no reference to anything outside.

It follows the reader's light or dark setting where it is opened, and paints its own paper, so it
stays readable where the page around it disagrees.  Every box says what it holds when pointed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import inf, isfinite
from xml.sax.saxutils import escape

from .frame import frame
from .layout import Layout, Rect, Route, layout
from .picture import Box, Kind, Picture
from .style import HEATS, css
from .text import SIZE, fit, width

__all__ = ["Scale", "svg"]

MARGIN = 22.0
HEADING = 32.0
KEY_ROW = 24.0
NARROW = 300.0  # no drawing is narrower than this, so that the key has room
RADIUS: dict[Kind, float] = {
    "value": 8, "parameter": 4, "input": 16, "output": 8, "constant": 8, "op": inf,
}  # fmt: skip
"""How round a box is, as far as its height permits: a pill at most."""

# What XML cannot say, not even escaped: most control characters and halves of surrogate pairs.
_UNSAYABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SUBSCRIPTS = re.compile("([₀-₉]+)([^₀-₉]*)")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

_TIPS = """\
<defs>
<marker id="glassgrad-data" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7.5" \
markerHeight="7.5" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" \
d="M.5 .7 7.6 4 .5 7.3 2.2 4z"/></marker>
<marker id="glassgrad-gradient" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="7.5" \
markerHeight="7.5" markerUnits="userSpaceOnUse" orient="auto"><path class="tip back" \
d="M.5 .7 7.6 4 .5 7.3 2.2 4z"/></marker>
</defs>"""


def svg(picture: Picture, wrap: float | None = None, key: bool = True) -> str:
    """Draw `picture`.

    `wrap` is the length in px after which a drawing goes on in a new row (see `layout`); `key`
    says below the drawing what its shapes and colours mean.
    """
    placed = layout(picture, wrap)
    scale = Scale(picture)
    wide = max(placed.width, NARROW, width(picture.title, "title") * 16 / SIZE["title"])
    entries = list(_key(picture, scale)) if key else []
    legend, legend_high = _flow(entries, wide)
    top = MARGIN + (HEADING if picture.title else 0.0)
    foot = top + placed.height + MARGIN
    wide, high = wide + 2 * MARGIN, foot + legend_high
    name = picture.title or "Computation graph"
    counts = f"{len(picture.boxes)} boxes, {len(picture.arrows)} arrows"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="glassgrad" width="{_n(wide)}" '
        f'height="{_n(high)}" viewBox="0 0 {_n(wide)} {_n(high)}" role="img" '
        f'aria-label="{_say(name)}: {counts}">',
        f"<title>{_say(name)}</title>",
        f"<style>{css()}</style>",
        _TIPS,
        f'<rect class="paper" x=".5" y=".5" width="{_n(wide - 1)}" height="{_n(high - 1)}" '
        'rx="12"/>',
    ]
    if picture.title:
        lines.append(_write(picture.title, "heading", MARGIN, MARGIN + 8, 16.0))
    lines.append(
        f'<g class="drawing" transform="translate({_n((wide - placed.width) / 2)} {_n(top)})">'
    )
    lines += _clusters(picture, placed)
    lines += _arrows(picture, placed)
    lines += (_box(box, placed.boxes[box.key], scale) for box in picture.boxes)
    lines.append("</g>")
    lines += [f'<g class="key" transform="translate({_n(MARGIN)} {_n(foot)})">', *legend, "</g>"]
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


# ----- the drawing -------------------------------------------------------------------------------


def _clusters(picture: Picture, placed: Layout) -> Iterator[str]:
    parent = {cluster.key: cluster.parent for cluster in picture.clusters}

    def depth(key: str | None) -> int:
        deep = 0
        while key is not None:
            deep, key = deep + 1, parent[key]
        return deep

    for cluster in sorted(picture.clusters, key=lambda cluster: depth(cluster.key)):
        for panel in placed.clusters[cluster.key]:
            title = fit(cluster.title, "title", panel.width - 16)
            yield (
                f'<g class="cluster"><title>{_say(cluster.tooltip or cluster.title)}</title>'
                + _rectangle(panel, 10)
                + _write(title, "title", panel.title_x, panel.y + 15, SIZE["title"])
                + "</g>"
            )


def _arrows(picture: Picture, placed: Layout) -> Iterator[str]:
    labels: dict[tuple[float, float], list[str]] = {}
    for arrow, route in zip(picture.arrows, placed.routes, strict=True):
        kind = "arrow gradient" if arrow.kind == "gradient" else "arrow"
        yield f'<path class="{kind}" marker-end="url(#glassgrad-{arrow.kind})" d="{_path(route)}"/>'
        if route.label:
            told = labels.setdefault(route.label, [])
            if arrow.label not in told:  # arrows that leave one box together share their label
                told.append(arrow.label)
    for (x, y), told in labels.items():
        yield _write(", ".join(told), "word", x, y, SIZE["word"])


def _path(route: Route) -> str:
    d = f"M{_n(route.start[0])} {_n(route.start[1])}"
    for step in route.steps:
        d += ("L" if len(step) == 2 else "C") + " ".join(_n(number) for number in step)
    return d


def _box(box: Box, rect: Rect, scale: Scale) -> str:
    set_in_type = frame(box)
    told = box.tooltip or "\n".join("  ".join(row) for row in box.rows)
    parts = [
        f'<g class="{" ".join([box.kind, *scale.classes(box.tone)])}">',
        f"<title>{_say(told)}</title>" if told else "",
        _rectangle(rect, RADIUS[box.kind], ' class="shape"'),
    ]
    for x1, y1, x2, y2 in set_in_type.rules:
        ends = (rect.x + x1, rect.y + y1, rect.x + x2, rect.y + y2)
        d = "M{} {}L{} {}".format(*map(_n, ends))
        parts.append(f'<path class="rule" d="{d}"/>')
    for span in set_in_type.spans:
        x, y = rect.x + span.x, rect.y + span.y
        parts.append(_write(span.text, span.role, x, y, SIZE[span.role], span.anchor))
    return "".join([*parts, "</g>"])


# ----- the key -----------------------------------------------------------------------------------


_DECADES = 8.0
"""Decades of gradient that the colours tell apart."""

_BELOW = 0.05
"""The share of numbers that may lie below the scale: a few that are nearly 0 do not stretch it."""


class Scale:
    """The steps of colour for the tones of a picture, from least to most.

    They span a decade at least, and at most those in which a difference means something: a
    gradient that is rounding noise would else paint all others the same.
    """

    def __init__(self, picture: Picture) -> None:
        tones = [box.tone for box in picture.boxes if box.tone is not None]
        finite = sorted(tone for tone in tones if isfinite(tone)) or [0.0]
        self.high = finite[-1]
        self.low = max(finite[int(_BELOW * len(finite))], self.high - _DECADES)
        self.below = finite[0] < self.low
        spare = max(0.0, 1.0 - (self.high - self.low)) / 2
        self.low, self.high = self.low - spare, self.high + spare
        self.hot = any(isfinite(tone) for tone in tones)
        self.still = -inf in tones
        self.broken = any(tone != -inf and not isfinite(tone) for tone in tones)

    def classes(self, tone: float | None) -> tuple[str, ...]:
        if tone is None:
            return ()
        if tone == -inf:
            return ("still",)
        if not isfinite(tone):
            return ("broken",)
        share = (tone - self.low) / (self.high - self.low)
        return ("hot", f"h{max(0, min(int(share * HEATS), HEATS - 1))}")


def _key(picture: Picture, scale: Scale) -> Iterator[tuple[float, str]]:
    """The entries of the key, each with its width and drawn with its left end at (0, 0)."""
    used = {box.kind for box in picture.boxes}
    kinds: tuple[Kind, ...] = ("input", "parameter", "constant", "value", "op", "output")
    for kind in kinds:
        if kind in used and len(used) > 1:
            swatch = _rectangle(Rect(1, -7, 24, 14), RADIUS[kind], ' class="shape"')
            yield _entry(f'<g class="{kind}">{swatch}</g>', 25.0, kind)
    if scale.hot:
        low = f"{'≤ ' * scale.below}{10**scale.low:.3g}"
        high = f"{10**scale.high:.3g}"
        start = width(f"{picture.tone_label}  {low}", "word") + 8
        steps = "".join(
            f'<rect class="h{i}" x="{_n(start + 14 * i)}" y="-6" width="14" height="12"/>'
            for i in range(HEATS)
        )
        name = _write(f"{picture.tone_label}  {low}", "word", 0, 0, SIZE["word"])
        end = start + 14 * HEATS + 8
        yield end + width(high, "word"), name + steps + _write(high, "word", end, 0, SIZE["word"])
    special = [("still", "zero")] * scale.still + [("broken", "nan or ∞")] * scale.broken
    for ring, name in special:
        mark = _rectangle(Rect(2, -6, 22, 12), 4, f' class="{ring}" fill="none"')
        yield _entry(mark, 25.0, f"{picture.tone_label} {name}")


def _entry(mark: str, wide: float, name: str) -> tuple[float, str]:
    written = _write(name, "word", wide + 7, 0, SIZE["word"])
    return wide + 7 + width(name, "word"), mark + written


def _flow(entries: Sequence[tuple[float, str]], room: float) -> tuple[list[str], float]:
    """Entries side by side, in as many rows as they need in `room` px, and the height of it all."""
    x, y = 0.0, 0.0
    lines = []
    for wide, drawn in entries:
        if x and x + wide > room:
            x, y = 0.0, y + KEY_ROW
        lines.append(f'<g transform="translate({_n(x)} {_n(y + 6)})">{drawn}</g>')
        x += wide + 20
    return lines, y + KEY_ROW + 8 if entries else 0.0


# ----- letters and figures -----------------------------------------------------------------------


def _rectangle(rect: Rect, radius: float, attributes: str = "") -> str:
    r = min(radius, rect.width / 2, rect.height / 2)
    return (
        f'<rect{attributes} x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.width)}" '
        f'height="{_n(rect.height)}" rx="{_n(r)}"/>'
    )


def _write(text: str, role: str, x: float, y: float, size: float, anchor: str = "start") -> str:
    """Text at half its height on `y`, with its `anchor` on `x`."""
    baseline = y + 0.36 * size  # half the height of a capital letter below the middle
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    said = _lowered(_say(text))
    return f'<text class="{role}" x="{_n(x)}" y="{_n(baseline)}"{side}>{said}</text>'


def _lowered(text: str) -> str:
    """Subscripts set as such: few fonts have the characters, and a viewer may take another font."""

    def lower(found: re.Match[str]) -> str:
        digits, rest = found.groups()
        low = f'<tspan dy="2" font-size=".75em">{digits.translate(_DIGITS)}</tspan>'
        return low + (f'<tspan dy="-2">{rest}</tspan>' if rest else "")

    return _SUBSCRIPTS.sub(lower, text)


def _n(number: float) -> str:
    """A coordinate, to a tenth of a px."""
    return f"{number:.1f}".removesuffix(".0")


def _say(text: str) -> str:
    """`text` as XML: markup escaped, and what XML cannot hold replaced by U+FFFD."""
    return escape(_UNSAYABLE.sub("\ufffd", text), {'"': "&quot;"})
