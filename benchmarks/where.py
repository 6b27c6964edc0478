"""Where the time of one step goes: `python -m benchmarks --where step|large|fit|scalar`.

Three instruments, since a deterministic profiler would distort what it measures here. Phases are
timed in place, each by its median. The ops of one recorded step are replayed one by one: the
forward alone, the recorded call (the rest of it is what recording costs), the gradient rules. And
a timer interrupts the program every fifth of a millisecond and notes the line it is at.
"""

from __future__ import annotations

import linecache
import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from time import perf_counter
from types import CodeType, FrameType
from typing import Any

from .arena import ROOT
from .contestants import data, repeat
from .contestants.fit import BATCH, BATCHES
from .contestants.fit import glassgrad as fit_contestant
from .contestants.scalar import demo
from .contestants.step import glassgrad_training

__all__ = ["tell"]

MICROSECOND = 1e-6


def tell(what: str) -> None:
    """Print where the time goes in a step of that kind."""
    {"step": lambda: _step("small"), "large": lambda: _step("large"),
     "fit": _fit, "scalar": _scalar}[what]()  # fmt: skip


def _step(net: str) -> None:
    training = glassgrad_training(net)
    phases: dict[str, list[float]] = defaultdict(list)
    for _ in range(_count(_time(training.step))):
        clock = [perf_counter()]
        x, y = next(training.batches)
        clock.append(perf_counter())
        out = training.model(x)
        clock.append(perf_counter())
        loss = training.criterion(out, y)
        clock.append(perf_counter())
        training.optimizer.zero_grad()
        clock.append(perf_counter())
        loss.backward()
        clock.append(perf_counter())
        training.optimizer.step()
        clock.append(perf_counter())
        names = ("next batch", "model", "loss", "zero_grad", "backward", "optimizer.step")
        for name, begin, end in zip(names, clock, clock[1:], strict=False):
            phases[name].append(end - begin)
    medians = {name: median(times) for name, times in phases.items()}
    whole = sum(medians.values())
    sizes = "-".join(map(str, data.NETS[net]["sizes"]))
    print(f"one step of {sizes}, batch {data.NETS[net]['batch']}: {_us(whole)} µs\n")
    _table(("phase", "µs", "%"), ((n, _us(t), f"{t / whole:.0%}") for n, t in medians.items()))

    recorded, rules = _ops(training)
    forward = medians["model"] + medians["loss"]
    sweep = medians["backward"] - rules
    print(f"modules and losses, beyond the ops they record: {_us(forward - recorded)} µs")
    print(f"the sweep, beyond the rules it applies:         {_us(sweep)} µs\n")
    _lines(training.step, whole)


def _ops(training: Any) -> tuple[float, float]:
    """Replay the ops of one step; returns the seconds of all recorded calls and of all rules."""
    from autograd import no_grad
    from autograd.node import history
    from backends import namespaces

    x, y = next(training.batches)
    loss = training.criterion(training.model(x), y)
    loss.backward(retain_graph=True)
    rows: list[tuple[str, ...]] = []
    sums = [0.0, 0.0, 0.0]
    for z in reversed(history(loss)):
        op = z.op
        if op is None:
            continue
        inputs, params, raws = z.inputs, z.params, [x.raw for x in z.inputs]
        xp = namespaces[type(z.raw)]
        g = getattr(z._grad, "raw", z._grad)
        recorder = op.recorder(type(z))

        def rules(op: Any = op, g: Any = g, z: Any = z, raws: Any = raws) -> None:
            if op.joint is not None:
                op.joint(g, z.raw, *raws, **z.params)
            for x, rule in zip(z.inputs, op.rules, strict=False):
                if rule is not None and x.requires_grad:
                    rule(g, z.raw, *raws, **z.params)

        def forward(op: Any = op, xp: Any = xp, raws: Any = raws, params: Any = params) -> None:
            op.forward(xp, *raws, **params)

        def record(recorder: Any = recorder, inputs: Any = inputs, params: Any = params) -> None:
            recorder(*inputs, **params)

        bare = _time(forward)
        full = _time(record)
        with no_grad():
            back = _time(rules)
        shapes = " ".join(str(x.shape).replace(" ", "") for x in inputs)
        rows.append((op.name, _us(bare), _us(full - bare), _us(back), shapes))
        for i, seconds in enumerate((bare, full - bare, back)):
            sums[i] += seconds
    rows.append(("sum", *map(_us, sums), ""))
    _table(("op", "forward", "recording", "rules", "inputs"), rows)
    return sums[0] + sums[1], sums[2]


def _fit() -> None:
    """`fit` per batch, beside the bare step of the same net."""
    contestant = fit_contestant()
    bare = _time(glassgrad_training("small").step)
    contestant.run(1)
    per_batch = min(contestant.run(5)["seconds"] for _ in range(5))
    print(f"fit, per batch of {BATCH}, over 5 epochs of {BATCHES}: {_us(per_batch)} µs")
    print(f"a bare step of the same net:                  {_us(bare)} µs")
    print(f"fit above the bare step:                      {_us(per_batch - bare)} µs\n")
    _lines(lambda: contestant.run(5), per_batch, steps=5 * BATCHES)


def _scalar() -> None:
    """The moons demo: phases, then recording and pulling per op over the whole graph."""
    from autograd import Value
    from autograd.node import history
    from backends import python
    from nn.scalar import MLP

    model, loss = demo(Value, MLP)

    def step() -> None:
        total = loss()
        model.zero_grad()
        total.backward()

    total = loss()
    total.backward()
    nodes = history(total)
    whole = _time(step)
    print(f"loss and backward of the moons demo, {len(nodes):,} nodes: {whole * 1e3:.1f} ms\n")
    phases = {"loss, and freeing the last": _time(loss), "history": _time(lambda: history(total)),
              "backward, history included": _time(total.backward)}  # fmt: skip
    _table(("phase", "ms", "%"), (
        (name, f"{t * 1e3:.2f}", f"{t / whole:.0%}") for name, t in phases.items()
    ))  # fmt: skip

    groups: dict[Any, list[Any]] = defaultdict(list)
    for z in nodes:
        if z.op is not None:
            groups[z.op].append(z)
    rows: list[tuple[str, ...]] = [("leaf", f"{sum(z.op is None for z in nodes):,}", "", "", "")]
    for op, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        recorder, calls = op.recorder(Value), [(z.inputs, z.params) for z in group]
        raws = [[x.raw for x in inputs] for inputs, _ in calls]

        def record(recorder: Any = recorder, calls: Any = calls) -> None:
            for inputs, params in calls:
                recorder(*inputs, **params)

        def forward(op: Any = op, raws: Any = raws, calls: Any = calls) -> None:
            for numbers, (_, params) in zip(raws, calls, strict=True):
                op.forward(python, *numbers, **params)

        def pull(op: Any = op, group: Any = group, raws: Any = raws) -> None:
            for z, numbers in zip(group, raws, strict=True):
                if op.joint is not None:
                    op.joint(1.0, z.raw, *numbers)
                for rule in op.rules:
                    if rule is not None:
                        rule(1.0, z.raw, *numbers, **z.params)

        each = [_time(f) / len(group) for f in (forward, record, pull)]
        rows.append((op.name, f"{len(group):,}", *map(_us, each)))
    _table(("op", "nodes", "forward", "recorded", "rules"), rows, "µs per node")
    _lines(step, whole)


# --- instruments ---


def _time(step: Callable[[], Any]) -> float:
    """Seconds per call, the least of several runs: what the call takes where nothing disturbs."""
    run = repeat(step)
    seconds = run(1)["seconds"]
    return min(run(_count(seconds, 0.02))["seconds"] for _ in range(9))


def _count(seconds: float, total: float = 0.5) -> int:
    return max(1, round(total / seconds))


def _lines(step: Callable[[], Any], whole: float, steps: int = 1, top: int = 30) -> None:
    """The lines that the interpreter is found at, with the time they stand for in one step."""
    if not hasattr(signal, "setitimer"):
        print("no sampling of lines: this system has no interval timer")
        return
    seen: Counter[tuple[CodeType, int]] = Counter()

    def note(number: int, frame: FrameType | None) -> None:
        if frame is not None:
            seen[frame.f_code, frame.f_lasti] += 1

    before = signal.signal(signal.SIGALRM, note)
    signal.setitimer(signal.ITIMER_REAL, 2e-4, 2e-4)
    try:
        for _ in range(_count(whole * steps, 3.0)):
            step()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    found: Counter[tuple[CodeType, int]] = Counter()
    for (code, instruction), n in seen.items():
        found[code, _line(code, instruction)] += n
    samples = found.total()
    rows = []
    for (code, line), n in found.most_common(top):
        path = Path(code.co_filename)
        place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(*path.parts[-2:])
        text = linecache.getline(code.co_filename, line).strip()
        share = n / samples
        rows.append((
            _us(whole * share), f"{share:.1%}", f"{place}:{line}", code.co_qualname, text[:60]
        ))  # fmt: skip
    _table(("µs", "%", "line", "function", "code"), rows, f"by line, {samples:,} samples")


def _line(code: CodeType, instruction: int) -> int:
    """The line of an instruction; one that has none, as a loop's jump, counts with those before."""
    found = code.co_firstlineno
    for start, _, line in code.co_lines():
        if start > instruction:
            break
        found = line or found
    return found


def _us(seconds: float) -> str:
    return f"{seconds / MICROSECOND:.2f}"


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]], title: str = "") -> None:
    """Print columns: numbers to the right, words to the left."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    if title:
        print(title)
    for row in (headings, *rows):
        cells = (
            cell.rjust(width) if _is_number(cell) or row is headings and _is_number(rows[0][i])
            else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )  # fmt: skip
        print("  ".join(cells).rstrip())
    print()


def _is_number(cell: str) -> bool:
    return cell[:1] in "-0123456789" and cell != ""
