"""A picture as one SVG file: no script, no font, no reference to anything outside.

It follows the reader's light or dark setting where it is opened, and paints its own paper, so it
stays readable where the page around it disagrees, as on a README.  Every box says what it holds
when pointed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import floor, inf, isfinite, isnan, log10
from xml.sax.saxutils import escape, quoteattr

from .frame import Frame, frame
from .layout import Layout, Rect, Route, layout
from .picture import Box, Kind, Picture
from .style import HEATS, css
from .text import SIZE, Role, fit, width

__all__ = ["svg"]

MARGIN = 24.0
HEADING = 30.0
KEY_ROW = 24.0
NARROW = 260.0  # no drawing is narrower than this, so that the key has room

# What XML cannot say, not even escaped: most control characters and half a surrogate pair.
_UNSAYABLE = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(picture: Picture, wrap: float | None = None, key: bool = True) -> str:
    """Draw `picture`.

    `wrap` is the length in px after which a drawing goes on in a new row (see `layout`); `key`
    says below the drawing what shapes and colours mean.
    """
    placed = layout(picture, wrap)
    scale = _Scale(picture)
    top = MARGIN + (HEADING if picture.title else 0.0)
    wide = max(placed.width, NARROW, width(picture.title, "name") * 1.25) + 2 * MARGIN
    entries = list(_key(picture, scale)) if key else []
    legend, legend_high = _flow(entries, wide - 2 * MARGIN)
    high = top + placed.height + MARGIN + legend_high
    left = (wide - placed.width) / 2

    name = picture.title or "Computation graph"
    summary = f"{name}: {_count(picture.boxes, 'box')}, {_count(picture.arrows, 'arrow')}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="glassgrad" width="{_n(wide)}" '
        f'height="{_n(high)}" viewBox="0 0 {_n(wide)} {_n(high)}" role="img" '
        f"aria-label={_attribute(summary)}>",
        f"<title>{_text(name)}</title>",
        f"<style>{css()}</style>",
        "<defs>" + _tip("tip", "tip") + _tip("tip-back", "tip back") + "</defs>",
        f'<rect class="paper" x=".5" y=".5" width="{_n(wide - 1)}" height="{_n(high - 1)}" rx="12"/>',
    ]
    if picture.title:
        lines.append(_words("heading", MARGIN, MARGIN + 12, picture.title, 16.0))
    lines.append(f'<g transform="translate({_n(left)} {_n(top)})">')
    lines += _clusters(picture, placed)
    lines += _arrows(picture, placed)
    lines += (_box(box, placed.boxes[box.key], scale) for box in picture.boxes)
    lines.append("</g>")
    if legend:
        lines.append(f'<g class="key" transform="translate({_n(MARGIN)} {_n(top + placed.height + MARGIN)})">')
        lines += legend
        lines.append("</g>")
    lines.append("</svg>")
    return "\n".join(lines) + "\n"
