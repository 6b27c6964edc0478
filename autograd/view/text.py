"""How wide text will be, without a font at hand.

An SVG names fonts, and the reader's machine picks one.  The layout needs widths before that, so
it estimates them: from Helvetica's table for the sans-serif (Arial and Liberation Sans copy it,
Segoe UI and Roboto come close), from one number for the monospace.  The estimate errs a little on
the wide side, because loose text looks fine and spilled text does not.
"""

from __future__ import annotations

from typing import Literal, TypeAlias
from unicodedata import category, east_asian_width

__all__ = ["MONO", "SANS", "SIZE", "Role", "fit", "width"]

Role: TypeAlias = Literal["name", "word", "number", "title"]
"""What a piece of text is: the name of a box, a detail, a number, the title of a frame."""

SANS = "Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif"
MONO = "ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace"
SIZE: dict[Role, float] = {"name": 13.0, "word": 11.5, "number": 12.0, "title": 12.0}
"""Font size in px by role."""

_GROUPS = {  # characters by their width in Helvetica, in thousandths of the font size
    222: "ijl",
    260: "'|",
    278: " !,./:;I[\\]ft",
    333: "()-`r{}",
    380: '"*°',
    500: "Jcksvxyz^‖",
    556: "#$0123456789?L_abdeghnopqu∂",
    584: "+<=>~×−·√",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw∇",
    778: "GOQ",
    860: "%Mm",
    1000: "@W—…∞→⟶",
}
_WIDTHS = {character: size for size, group in _GROUPS.items() for character in group}
_SLACK: dict[Role, float] = {"name": 1.1, "word": 1.05, "number": 1.0, "title": 1.1}  # bold is wide
_MONO_WIDTH = 0.61


def width(text: str, role: Role) -> float:
    """The estimated width of `text` in px."""
    units = 0.0
    for character in text:
        if character in _WIDTHS:
            units += _MONO_WIDTH if role == "number" else _WIDTHS[character] / 1000
        elif category(character) in ("Mn", "Me", "Cf"):  # combining marks take no room
            continue
        elif east_asian_width(character) in "WF":
            units += 1.05
        else:
            units += 0.65
    return units * SIZE[role] * _SLACK[role]


def fit(text: str, role: Role, room: float) -> str:
    """`text`, or as much of its beginning as fits into `room` px, and an ellipsis."""
    if width(text, role) <= room:
        return text
    low, high = 0, len(text)  # the longest beginning that fits lies in low … high
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle] + "…", role) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"
