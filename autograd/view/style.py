"""Colours and type of the drawings, for a light page and for a dark one.

Kinds are told apart by shape first and by colour second, in blue, green and amber, which the
common kinds of colour blindness leave distinct.  Gradients are a ring around the box, from
matplotlib's *plasma* (Smith and van der Walt, 2015), even in lightness; on either page a larger
gradient stands out more.

The light colours are plain rules and the dark ones follow in one media query, without custom
properties, because small renderers know only the former.  Every rule is held inside `.glassgrad`:
a drawing shown inline shares its page's style sheet.
"""

from __future__ import annotations

from typing import Any

from .text import MONO, SANS, SIZE

__all__ = ["HEATS", "LIGHT", "LIGHT_HEAT", "css", "palette"]

LIGHT = {
    "paper": "#ffffff",
    "edge": "#d8dee6",
    "ink": "#1f2937",
    "faint": "#5f6b7a",
    "line": "#8b97a6",
    "rule": "#cfd6de",
    "tint": "#5b7088",
    "alarm": "#d6006f",
    "back": "#b45309",
    "value": "#ffffff #8b97a6 #1f2937",  # fill, border, name
    "op": "#334155 #334155 #ffffff",
    "op detail": "#dbe2ea",
    "parameter": "#e3effc #3b7dc4 #123a66",
    "input": "#e2f4e8 #2f9158 #10492a",
    "output": "#fdf0d5 #b7791f #6b3f05",
    "constant": "#f1f3f6 #9aa5b3 #475363",
}
DARK = {
    "paper": "#0d1117",
    "edge": "#30363d",
    "ink": "#e6edf3",
    "faint": "#9aa4af",
    "line": "#6e7a87",
    "rule": "#3a424c",
    "tint": "#8fa6c0",
    "alarm": "#ff5fa8",
    "back": "#f0a04b",
    "value": "#171d25 #5b6672 #e6edf3",
    "op": "#c5d0dc #c5d0dc #0d1117",
    "op detail": "#323c48",
    "parameter": "#0f2744 #4f9cf0 #cfe5ff",
    "input": "#0e2c1b #3fae68 #c9f2d6",
    "output": "#3a2707 #d9992b #ffe6b3",
    "constant": "#1b222b #66717e #b6c0cb",
}
# From a small gradient to a large one.
LIGHT_HEAT = "#febe2a #f9983e #eb7655 #d9586a #c13b82 #a51f99 #8104a7 #5901a5 #2f0596".split()
DARK_HEAT = "#7d1cb8 #9410a2 #b22b8f #ca457a #de5f65 #ef7c51 #fa9b3d #febd2a #f7e425".split()
HEATS = len(LIGHT_HEAT)
"""Into how many steps gradients are divided; step k has the class `h`k."""


def palette() -> dict[str, Any]:
    """The colours as plain data, for the page."""
    return {"light": LIGHT, "dark": DARK, "heat": {"light": LIGHT_HEAT, "dark": DARK_HEAT}}


def css() -> str:
    """The style sheet of a drawing."""
    dark = "".join(_colours(DARK, DARK_HEAT))
    rules = [
        f"text{{font-family:{SANS};font-size:{SIZE['word']:g}px}}",
        f".name{{font-size:{SIZE['name']:g}px;font-weight:600}}",
        f".number{{font-family:{MONO};font-size:{SIZE['number']:g}px}}",
        f".title{{font-size:{SIZE['title']:g}px;font-weight:600}}",
        ".heading{font-size:16px;font-weight:600}",
        ".shape{stroke-width:1.25}.output .shape{stroke-width:2.25}",
        ".constant .shape{stroke-dasharray:4 3}",
        ".hot .shape,.key .hot{stroke-width:3.5;stroke-dasharray:none}",
        ".still .shape,.key .still{stroke-width:2.5;stroke-dasharray:1 4;stroke-linecap:round}",
        ".broken .shape,.key .broken{stroke-width:4;stroke-dasharray:7 3}",
        ".arrow{fill:none;stroke-width:1.4}.gradient{stroke-dasharray:5 4}",
        ".rule{stroke-width:1}.cluster rect{stroke-width:1;fill-opacity:.07;stroke-opacity:.4}",
        *_colours(LIGHT, LIGHT_HEAT),
    ]
    light = "".join(_scoped(rule) for rule in rules)
    return f"{light}@media(prefers-color-scheme:dark){{{_scoped(dark)}}}"


def _colours(c: dict[str, str], heat: list[str]) -> list[str]:
    rules = [
        f".paper{{fill:{c['paper']};stroke:{c['edge']}}}",
        f"text{{fill:{c['faint']}}}.number,.heading{{fill:{c['ink']}}}.title{{fill:{c['faint']}}}",
        f".arrow{{stroke:{c['line']}}}.tip{{fill:{c['line']}}}.rule{{stroke:{c['rule']}}}",
        f".gradient{{stroke:{c['back']}}}.tip.back{{fill:{c['back']}}}",
        f".halo{{stroke:{c['paper']};fill:{c['paper']}}}",
        f".cluster rect{{fill:{c['tint']};stroke:{c['tint']}}}",
    ]
    for kind in ("value", "op", "parameter", "input", "output", "constant"):
        fill, border, name = c[kind].split()
        rules.append(f".{kind} .shape{{fill:{fill};stroke:{border}}}.{kind} .name{{fill:{name}}}")
    rules.append(f".op .word,.op .number{{fill:{c['op detail']}}}")
    for step, colour in enumerate(heat):
        rules.append(f".h{step} .shape{{stroke:{colour}}}.key .h{step}{{fill:{colour}}}")
    rules.append(f".still .shape,.key .still{{stroke:{c['faint']}}}")
    rules.append(f".broken .shape,.key .broken{{stroke:{c['alarm']}}}")
    return rules


def _scoped(rules: str) -> str:
    """`rules` with `.glassgrad` before every selector."""
    scoped = []
    for rule in rules.split("}"):
        selectors, brace, body = rule.partition("{")
        if brace:
            selectors = ",".join(f".glassgrad {s}" for s in selectors.split(","))
            scoped.append(f"{selectors}{{{body}}}")
    return "".join(scoped)
