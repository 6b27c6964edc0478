"""The compiled rows as a picture for the README: `python -m benchmarks --chart`.

A bar for each workload, from 1 to how many times as fast as its fastest peer we are, on a
logarithmic scale; to the left of 1 where we are slower. Drawn from `results.json` to `jit.svg`,
in one file for light pages and for dark ones.
"""

from __future__ import annotations

import json
from html import escape
from math import log10
from pathlib import Path
from statistics import median
from typing import Any

from autograd.view.style import DARK, LIGHT

from .rows import duration, figures

__all__ = ["draw"]

HERE = Path(__file__).parent
WORKLOADS = {
    "jit_scalar": "moons, scalars",
    "jit_fit": "fit, small MLP",
    "jit_mlp": "small MLP",
    "jit_mnist": "MNIST MLP",
    "jit_cnn": "CNN",
    "jit_lstm": "LSTM",
    "jit_gpt": "GPT",
}
"""Row → what it is called here, from top to bottom."""

FONT = "Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif"
WIDTH, LEFT, RIGHT, TOP = 760, 128, 252, 78  # of the drawing, and around the bars
BAR, GAP = 13, 14  # the height of a bar, and between workloads
FEWEST = 0.5  # where the scale begins, at the latest


def draw(results: Path = HERE / "results.json", path: Path = HERE / "jit.svg") -> Path:
    """Draw the results; returns the file. Raises LookupError where there are none to draw."""
    bars = _bars(json.loads(results.read_text())["lines"])
    if not bars:
        raise LookupError(f"{results} has no compiled rows: a full `make bench` measures them")
    path.write_text(_svg(bars))
    return path


def _bars(lines: list[dict[str, Any]]) -> dict[str, dict[int, tuple[float, str]]]:
    """For each row: threads → (times as fast, what is said of it)."""
    found: dict[str, dict[int, tuple[float, str]]] = {}
    for line in lines:
        row = line.get("row", "")
        if row not in WORKLOADS or line["ratio"] is None:
            continue
        medians = {
            name: median(sample["seconds"] for sample in samples)
            for name, samples in line["samples"].items()
        }
        (mine,) = (seconds for name, seconds in medians.items() if name.startswith("Glassgrad"))
        peers = {n: s for n, s in medians.items() if not n.startswith("Glassgrad")}
        best = min(peers, key=peers.__getitem__)
        told = f"{duration(mine)}, {best.partition(',')[0]} {duration(peers[best])}"
        found.setdefault(row, {}).setdefault(line["threads"], (line["ratio"], told))
    return {row: found[row] for row in WORKLOADS if row in found}


def _svg(bars: dict[str, dict[int, tuple[float, str]]]) -> str:
    ratios = [ratio for row in bars.values() for ratio, _ in row.values()]
    low, high = log10(min(FEWEST, *ratios)), log10(max(10, *ratios))
    bottom = TOP + sum(BAR * len(row) + GAP for row in bars.values())

    def x(ratio: float) -> float:
        return LEFT + (log10(ratio) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    parts = [
        f'<text class="title" x="20" y="32">{TITLE}</text>',
        *_key(sorted({threads for row in bars.values() for threads in row}, reverse=True)),
    ]
    for tick in (1, 10, 100, 1000, 10000):
        if tick <= 1.001 * 10**high:
            kind = "one" if tick == 1 else "rule"
            parts.append(_line(kind, x(tick), TOP - 6, bottom))
            parts.append(_text("faint", x(tick), bottom + 16, f"{tick:,}×", "middle"))
    y: float = TOP + GAP / 2
    for row, threads in bars.items():
        middle = y + BAR * len(threads) / 2
        parts.append(_text("name", LEFT - 12, middle + 4, WORKLOADS[row], "end"))
        for count, (ratio, told) in sorted(threads.items(), reverse=True):
            begin, end = sorted((x(1), x(ratio)))
            parts.append(
                f'<rect class="t{min(count, 2)}" x="{begin:.1f}" y="{y + 1:.1f}" '
                f'width="{max(end - begin, 1):.1f}" height="{BAR - 2}" rx="1.5"/>'
            )
            at = max(end, x(1)) + 7
            parts.append(
                f'<text class="number" x="{at:.1f}" y="{y + BAR - 2.5:.1f}">{figures(ratio)}×'
                f'<tspan class="faint" dx="6">{escape(told)}</tspan></text>'
            )
            y += BAR
        y += GAP
    height = bottom + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="jit" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{TITLE}">\n'
        f"<title>{TITLE}</title>\n<style>{_css()}</style>\n"
        f'<rect class="paper" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


TITLE = "Compiled training: times as fast as the fastest peer"


def _key(counts: list[int]) -> list[str]:
    """What the colours of the bars stand for."""
    parts, x = [], 20
    for count in counts:
        parts.append(
            f'<rect class="t{min(count, 2)}" x="{x}" y="45" width="18" height="11" rx="1.5"/>'
        )
        parts.append(_text("faint", x + 24, 54.5, f"{count} thread{'s' * (count != 1)}"))
        x += 100
    told = "beside the bars: our time, then that of the peer"
    return [*parts, _text("faint", x, 54.5, told)]


def _text(kind: str, x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _line(kind: str, x: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y1}" y2="{y2}"/>'


def _css() -> str:
    """Plain rules for a light page, and those of a dark one in a media query."""
    shapes = (
        f"text{{font-family:{FONT};font-size:12px}}",
        ".title{font-size:15px;font-weight:600}",
        ".name{font-size:13px;font-weight:600}",
        ".number{font-weight:600;paint-order:stroke;stroke-width:4px}",  # above the rules
        ".faint{font-weight:400}",
    )
    rules = [*shapes, *_colours(LIGHT, "#3b7dc4", "#a9c9e8")]
    dark = _colours(DARK, "#4f9cf0", "#28527f")
    scoped = ["".join(f".jit {rule}" for rule in group) for group in (rules, dark)]
    return f"{scoped[0]}@media (prefers-color-scheme:dark){{{scoped[1]}}}"


def _colours(page: dict[str, str], two: str, one: str) -> list[str]:
    """The rules of a page, with the colours of bars for two threads and for one."""
    return [
        f".paper{{fill:{page['paper']};stroke:{page['edge']}}}",
        f".title,.jit .name,.jit .number{{fill:{page['ink']}}}",
        f".number{{stroke:{page['paper']}}}",
        f".faint{{fill:{page['faint']}}}",
        f".rule{{stroke:{page['edge']}}}",
        f".one{{stroke:{page['line']};stroke-width:1.5}}",
        f".t2{{fill:{two}}}",
        f".t1{{fill:{one}}}",
    ]
