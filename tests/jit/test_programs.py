"""Random programs (see `random_programs.py`), natively, by replay and as they stand: all agree.

`GLASSGRAD_PROGRAMS=10000 pytest tests/jit/test_programs.py -k seeds` runs so many of them, and
`GLASSGRAD_FIRST=5000` begins at another seed.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from compiled import by_mode, raws, running, specialisations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_programs import Program, random_program

from autograd.dtypes import is_float
from autograd.jit import Jitted

COUNT = int(os.environ.get("GLASSGRAD_PROGRAMS", "120"))
FIRST = int(os.environ.get("GLASSGRAD_FIRST", "0"))
TOGETHER = 20
"""Programs that are compiled as one function."""
NEAR = {"float64": 1e-9, "float32": 1e-3, "float16": 2e-2}
"""How far off a smooth value may be, as a part of the program's largest."""


class Trial:
    """A program with leaves that it may assign, and numbers to run it on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.leaves = [
            g.place(0).requires_grad_(self._learns(g.dtype)) if g.kind == "leaf" else None
            for g in program.given
        ]  # fmt: skip

    def _learns(self, dtype: str) -> bool:
        return self.program.differentiated and is_float(np.dtype(dtype))

    def begin(self, seed: int) -> list[Any]:
        """Arguments; the leaves are what they are at the start."""
        draws, arguments = np.random.default_rng(seed), []
        for given_, leaf in zip(self.program.given, self.leaves, strict=True):
            drawn = given_.draw(draws)
            if leaf is not None:
                leaf.assign(drawn)
                leaf.grad = None
            elif given_.kind == "number":
                arguments.append(drawn)
            else:
                learns = self._learns(given_.dtype) and not self.program.stored
                arguments.append(given_.place(drawn).requires_grad_(learns))
        return arguments

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """What the program returns."""
        rest = iter(arguments)
        return self.program.run([next(rest) if x is None else x for x in self.leaves])

    def left(self) -> tuple[list[Any], list[Any]]:
        """What a run leaves behind: the leaves, and their gradients."""
        leaves = [x for x in self.leaves if x is not None]
        return raws(leaves), raws([x.grad for x in leaves if x.grad is not None])

    def compare(self, got: list[Any], want: list[Any]) -> None:
        """What one run returned and left against another's: exact values are equal."""
        program = self.program
        returned = [program.exact[i] for i in program.returned]
        exact = [
            *returned,
            *[False] * (len(want[0]) - len(returned)),  # gradients
            *[
                all(program.exact[value] for leaf, value, _ in program.assigned if leaf == i)
                for i, x in enumerate(self.leaves)
                if x is not None
            ],
            *[False] * len(want[2]),
        ]
        mine, others = [*got[0], *got[1], *got[2]], [*want[0], *want[1], *want[2]]
        floats = [x for x in others if x.dtype.kind == "f"]
        size = max([np.abs(x[np.isfinite(x)]).max(initial=0.0) for x in floats], default=0.0)
        narrow = any("float32" in line.told for line in program.lines)
        kinds = {x.dtype.name for x in floats} | ({"float32"} if narrow else set())
        near = max([NEAR[kind] for kind in kinds], default=0.0)
        for a, b, same in zip(mine, others, exact, strict=True):
            told = f"\n{program}"
            assert (a.shape, a.dtype) == (b.shape, b.dtype), told
            if same or a.dtype.kind != "f":
                np.testing.assert_array_equal(a, b, err_msg=told)
            else:
                np.testing.assert_allclose(a, b, rtol=near, atol=near * size, err_msg=told)


def _check(programs: Sequence[Program], mode: str) -> None:
    """Compile programs as one function; run it on numbers that it was not made with."""
    trials = [Trial(program) for program in programs]

    def function(arguments: list[list[Any]]) -> list[list[Any]]:
        return [trial.run(given_) for trial, given_ in zip(trials, arguments, strict=True)]

    step = Jitted(function, at_once=True)
    with running(mode), np.errstate(all="ignore"):
        step([trial.begin(1) for trial in trials])
        got = step([trial.begin(2) for trial in trials])
        found = [(raws(x), *t.left()) for x, t in zip(got, trials, strict=True)]
        want = function([trial.begin(2) for trial in trials])
        expected = [(raws(x), *t.left()) for x, t in zip(want, trials, strict=True)]
    assert [bound.kind for bound in specialisations(step)] == [mode]
    for trial, mine, others in zip(trials, found, expected, strict=True):
        trial.compare(mine, others)


def _told(program: Program, mode: str) -> str | None:
    """What goes wrong with one program, if anything does."""
    try:
        _check([program], mode)
    except Exception as error:
        return f"{type(error).__name__}: {error}\n{program}"
    return None


def _seeded(seed: int) -> Program:
    choices = random.Random(seed)
    return random_program(choices.randrange, seed % 2 == 0, 5 + choices.randrange(46))


@by_mode
@pytest.mark.parametrize("start", range(FIRST, FIRST + COUNT, TOGETHER))
def test_programs_of_seeds(start: int, mode: str) -> None:
    programs = [_seeded(seed) for seed in range(start, min(start + TOGETHER, FIRST + COUNT))]
    try:
        _check(programs, mode)
    except Exception:
        alone = {start + i: _told(program, mode) for i, program in enumerate(programs)}
        wrong = [f"seed {seed}: {told}" for seed, told in alone.items() if told]
        if wrong:
            pytest.fail("\n\n".join(wrong))
        raise


@by_mode
@settings(max_examples=15, suppress_health_check=[*HealthCheck])
@given(choices=st.randoms(use_true_random=False), wide=st.booleans(), count=st.integers(1, 12))
def test_small_programs(mode: str, choices: random.Random, wide: bool, count: int) -> None:
    """Those that hypothesis draws, and makes as small as it can where they fail."""
    _check([random_program(choices.randrange, wide, count)], mode)
