"""The report: a table for the terminal, one for the README, and everything in JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from time import sleep
from typing import Any

from .arena import THREADS
from .rows import Line, figures

__all__ = ["busy", "machine", "markdown", "save", "show"]

HERE = Path(__file__).parent
HEADINGS = ("what", "Glassgrad", "peers", "ratio", "target", "")
PEERS = ("micrograd", "torch", "keras", "jax", "tensorflow", "numpy")


def busy() -> float | None:
    """The share of the processors that others take just now, over a second; None if unknown."""
    statistics = Path("/proc/stat")
    if not statistics.exists():
        return None

    def times() -> tuple[int, int]:
        user, nice, system, idle, waiting, *rest = map(
            int, statistics.read_text().partition("\n")[0].split()[1:9]
        )
        return user + nice + system + sum(rest), idle + waiting

    worked, idled = times()
    sleep(1)
    worked, idled = (after - before for after, before in zip(times(), (worked, idled), strict=True))
    return worked / max(1, worked + idled)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": THREADS,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PEERS},
        "blas": _blas(),
    }


def _cpu() -> str:
    """The processor as the system calls it, with its family and model: names say little."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    pairs = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
    facts = {name.strip(): value.strip() for name, _, value in reversed(pairs)}
    name = facts.get("model name", platform.machine())
    return f"{name}, family {facts.get('cpu family', '?')} model {facts.get('model', '?')}"


def _version(name: str) -> str:
    for distribution in (name, f"{name}-cpu", f"{name}_cpu"):
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def _blas() -> str:
    """What NumPy multiplies matrices with."""
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def show(lines: list[Line], facts: dict[str, Any]) -> None:
    """Print the table and what it depends on."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="right" if heading == "ratio" else "left")
    for line in lines:
        table.add_row(*_cells(line), style=None if line.met else "bold yellow")
    console.print(table)
    console.print(_footnote(facts), highlight=False, soft_wrap=True)


def markdown(lines: list[Line], facts: dict[str, Any]) -> str:
    """The table for the README."""
    rows = [HEADINGS, ("---", "---", "---", "---:", "---", "---"), *map(_cells, lines)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"<!-- written by `make bench` -->\n{table}\n\n{_footnote(facts)}\n"


def save(lines: list[Line], facts: dict[str, Any]) -> None:
    """Write `results.json` and `RESULTS.md` beside this file."""
    everything = {"machine": facts, "lines": [asdict(line) for line in lines]}
    (HERE / "results.json").write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    (HERE / "RESULTS.md").write_text(markdown(lines, facts))


def _cells(line: Line) -> tuple[str, ...]:
    ratio = "" if line.ratio is None else f"{figures(line.ratio)}×"
    verdict = {True: "met", False: "missed", None: "not comparable"}[line.met]
    return line.what, line.ours, line.peers, ratio, line.target, verdict


def _footnote(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {facts[name]}" for name in ("python", *PEERS))
    taken = max((share for share in facts["busy"] if share is not None), default=0)
    doubt = (
        f" OTHER PROGRAMS TOOK {taken:.0%} OF THE PROCESSORS: DO NOT TRUST THESE FIGURES."
        if taken > 0.1
        else ""
    )
    return (
        f"Medians of up to {facts['rounds']} interleaved rounds, each contestant in its own "
        f"process, with {facts['threads']} threads where nothing else is said; ratios to the "
        f"fastest peer. {facts['cpu']}, {facts['cores']} cores, {facts['system']}; {versions}; "
        f"NumPy's BLAS: {facts['blas']}." + doubt
    )
