"""`python -m benchmarks`: measure every row, print the table, write the results."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from . import report
from .arena import Arena, Failed, pinned
from .rows import ROWS, Line


def main() -> int:
    """Returns 1 if a contestant failed or contestants disagree, whatever the figures are."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure Glassgrad beside its peers. A full run writes benchmarks/RESULTS.md "
        "and results.json; one with --only or --quick just prints.",
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW",
                        help=f"these rows: {', '.join(ROWS)}")  # fmt: skip
    parser.add_argument("--rounds", type=int, default=Arena.rounds, metavar="N",
                        help="how often each contestant is measured (default %(default)s)")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="3 short rounds: a rough idea")
    parser.add_argument("--where", choices=("step", "large", "fit", "scalar"),
                        help="instead, tell where the time of our own step goes")  # fmt: skip
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {options.rounds}")
    cores = pinned()
    if options.where:
        from . import where

        where.tell(options.where)
        return 0
    arena = Arena(rounds=options.rounds)
    if options.quick:
        arena = replace(arena, rounds=min(3, options.rounds), seconds=0.05)
    facts = report.machine(cores) | {"rounds": arena.rounds, "seconds each": arena.seconds}
    lines, failed = _measure(options.only or list(ROWS), arena)
    report.show(lines, facts)
    if not (options.only or options.quick or failed):
        report.save(lines, facts)
    return 1 if failed else 0


def _measure(rows: list[str], arena: Arena) -> tuple[list[Line], bool]:
    lines, failed = [], False
    for row in rows:
        print(f"measuring {row} …", file=sys.stderr, flush=True)
        try:
            lines += ROWS[row](arena)
        except Failed as error:
            failed = True
            print(f"{row}: {error}", file=sys.stderr)
            lines.append(Line(row, "failed", "", False))
    return lines, failed


sys.exit(main())
