"""`python -m benchmarks`: measure every row, print the table, write the results."""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress
from dataclasses import replace

from . import chart, report
from .arena import Arena, ContestError, pinned
from .jit_rows import JIT_ROWS
from .rows import ROWS, Line

ALL = ROWS | JIT_ROWS
WHERE = ("step", "large", "fit", "scalar")


def main() -> int:
    """Returns 1 if a contestant failed or contestants disagree, whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure Glassgrad beside its peers. A full run writes benchmarks/RESULTS.md, "
        "results.json and jit.svg; one with --only or --quick just prints.",
    )
    option = parser.add_argument
    option("--only", nargs="+", choices=ALL, metavar="ROW", help=f"these rows: {', '.join(ALL)}")
    option("--rounds", type=int, default=Arena.rounds, help="measurements of each (default 9)")
    option("--quick", action="store_true", help="3 short rounds: a rough idea")
    option("--where", choices=WHERE, help="instead, tell where the time of our own step goes")
    option("--chart", action="store_true", help="instead, draw jit.svg from results.json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    if options.chart:
        try:
            print(chart.draw())
        except (LookupError, OSError) as error:
            parser.error(str(error))
        return 0
    cores = pinned()
    if options.where:
        from . import where

        where.tell(options.where)
        return 0
    arena = Arena(rounds=options.rounds)
    if options.quick:
        arena = replace(arena, rounds=min(3, options.rounds), seconds=0.05)
    before = report.busy()
    lines, failed = _measure(options.only or list(ALL), arena)
    facts = report.machine() | {
        "pinned to": cores, "rounds": arena.rounds, "seconds each": arena.seconds,
        "busy": [before, report.busy()],
    }  # fmt: skip
    report.show(lines, facts)
    if not (options.only or options.quick or failed):
        report.save(lines, facts)
        with suppress(LookupError):  # no peer is there
            chart.draw()
    return 1 if failed else 0


def _measure(rows: list[str], arena: Arena) -> tuple[list[Line], bool]:
    lines, failed = [], False
    for row in rows:
        print(f"measuring {row} …", file=sys.stderr, flush=True)
        try:
            lines += [replace(line, row=row) for line in ALL[row](arena)]
        except ContestError as error:
            failed = True
            print(f"{row}: {error}", file=sys.stderr)
            lines.append(Line(row, "failed", "", False, row=row))
    return lines, failed


sys.exit(main())
