"""What is measured: one function per row, each with its contestants and its target."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Any

from .arena import ROOT, THREADS, Arena, ContestError, Entry, Timing, contestants, environment

__all__ = ["ROWS", "Line", "absent", "duration", "figures", "megabytes", "race"]


@dataclass
class Line:
    """One line of the report."""

    what: str
    ours: str
    target: str
    met: bool | None
    """None where a peer is missing and nothing can be said."""
    peers: str = ""
    ratio: float | None = None
    samples: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    row: str = ""
    threads: int = THREADS


def race(
    arena: Arena,
    ours: dict[str, Entry],
    peers: list[Entry],
    target: float,
    tolerance: float,
    what: Callable[[Timing], str] = lambda timing: "",
) -> list[Line]:
    """Our programs beside the peers', judged by the fastest peer that is installed.

    `ours` has a title for each program of ours, to which `what` adds what it says of itself.
    """
    timings = arena.compete([*peers, *ours.values()], tolerance)
    running = [timings[peer.name] for peer in peers if peer.name in timings]
    fastest = min((timing.seconds for timing in running), default=None)
    told = [f"{timing.entry.name} {duration(timing.seconds)}" for timing in running]
    told += [absent(peer) for peer in peers if peer.missing]
    lines = []
    for title, entry in ours.items():
        line = Line(
            title, absent(entry), f"≥ {target:g}×", None, "; ".join(told), threads=arena.threads
        )
        if entry.name in timings:
            timing = timings[entry.name]
            line.what += what(timing)
            line.ours = duration(timing.seconds)
            line.samples = {timing.entry.name: timing.samples for timing in [timing, *running]}
            line.facts = {timing.entry.name: timing.facts for timing in [timing, *running]}
            if fastest is not None:
                line.ratio = fastest / timing.seconds
                missing = any(peer.missing for peer in peers)
                line.met = None if missing and line.ratio >= target else line.ratio >= target
        lines.append(line)
    return lines


def absent(entry: Entry) -> str:
    """What is said of a contestant that is not installed."""
    return f"{entry.name}: {', '.join(entry.missing)} not installed"


def duration(seconds: float) -> str:
    """A time in the unit that suits it, with three figures."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(seconds) >= scale:
            return f"{figures(seconds / scale)} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def figures(x: float) -> str:
    """Three significant figures, none lost to an exponent."""
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


# --- scalars ---

MICROGRAD = Entry("micrograd", "scalar:micrograd", ("micrograd",))
SAME_GRAPH = Entry("Glassgrad, same graph", "scalar:expression_for_expression", ("micrograd",))
SCALAR = Entry("Glassgrad nn.scalar", "scalar:glassgrad")


def scalar(arena: Arena) -> list[Line]:
    """Loss and backward of micrograd's moons demo: the same graph, and our `nn.scalar`."""
    return race(
        arena,
        {"scalar MLP 2-16-16-1, micrograd's expressions": SAME_GRAPH,
         "scalar MLP 2-16-16-1, nn.scalar": SCALAR},
        [MICROGRAD],
        target=12,
        tolerance=1e-12,
        what=lambda timing: f": {timing.facts['nodes']:,} nodes",
    )  # fmt: skip


# --- training ---


def step(arena: Arena, net: str, title: str, target: float) -> list[Line]:
    """One eager training step beside PyTorch's."""
    return race(
        arena,
        {f"eager step {title}": Entry("Glassgrad", f"step:glassgrad:{net}")},
        [Entry("PyTorch", f"step:torch:{net}", ("torch",)),
         Entry("PyTorch, fused Adam", f"step:torch_fused:{net}", ("torch",))],
        target,
        tolerance=1e-3,
    )  # fmt: skip


def network(arena: Arena, net: str, title: str) -> list[Line]:
    """One eager training step of a larger network beside PyTorch's: its time and its memory."""
    ours = Entry("Glassgrad", f"networks:glassgrad:{net}")
    peer = Entry("PyTorch", f"networks:torch:{net}", ("torch",))
    lines = race(arena, {f"eager step {title}": ours}, [peer], 0.5, tolerance=1e-3)
    peaks = {}
    for entry in (ours, peer):  # each in a process of its own, which has computed nothing before
        with contestants([entry]) as workers:
            peaks |= {worker.entry.name: worker.ask("peak") for worker in workers}
    mine, theirs = peaks["Glassgrad"], peaks.get("PyTorch")
    line = Line(
        f"peak memory of it, {net}", megabytes(mine), "≤ 1×", None, absent(peer), facts=peaks
    )
    if mine and theirs:
        line.peers, line.ratio = f"PyTorch {megabytes(theirs)}", mine / theirs
        line.met = line.ratio <= 1
    return [*lines, line]


def megabytes(count: float) -> str:
    """Bytes as megabytes."""
    return f"{figures(count / 1e6)} MB"


KERAS = [
    Entry(f"Keras on {name}", "fit:keras", ("keras", package), (("KERAS_BACKEND", package),))
    for name, package in {"JAX": "jax", "TensorFlow": "tensorflow", "PyTorch": "torch"}.items()
]


def fit(arena: Arena) -> list[Line]:
    """`fit` per batch, not compiled, beside Keras 3 on each of its backends."""
    title = "eager fit per batch: 10-64-32-1, batch 32, Adam, BCE, accuracy"
    # Keras's Adam adds epsilon before the second moment is corrected, ours and PyTorch's after.
    return race(arena, {title: Entry("Glassgrad", "fit:glassgrad")}, KERAS, 2, tolerance=2e-3)


# --- costs ---


def add(arena: Arena) -> list[Line]:
    """What one eager `add` costs above NumPy's own."""
    timing = arena.compete([Entry("Glassgrad", "add:glassgrad")])["Glassgrad"]
    lines = []
    for mode, title, limit in (
        ("recorded", "recorded", 1.2e-6),
        ("no_grad", "under no_grad", 0.5e-6),
    ):
        above = median(sample[mode] - sample["numpy"] for sample in timing.samples)
        lines.append(Line(
            f"add of two (32, 64) Tensors above NumPy's, {title}", duration(above),
            f"≤ {limit * 1e6:g} µs", above <= limit, f"NumPy's own {duration(timing['numpy'])}",
            samples={"Glassgrad": timing.samples},
        ))  # fmt: skip
    return lines


def recorded(arena: Arena) -> list[Line]:
    """What recording a training costs it, of the processor's time; one thread, so none waits."""
    lines, arena = [], replace(arena, threads=1, rounds=2 * arena.rounds)
    for net in ("mlp", "cnn", "lstm", "gpt"):
        for way in ("eager", "compiled"):
            entry = Entry("Glassgrad", f"recorded:glassgrad:{net}:{way}")
            timing = arena.compete([entry])[entry.name]
            above = median(sample["seconds"] / sample["without"] for sample in timing.samples) - 1
            lines.append(Line(
                f"fit with nn.Record(every=10) above without, {way} {net}", f"{above:.1%}",
                "≤ 5%", above <= 0.05, f"a step without {duration(timing['without'])}",
                ratio=1 + above, samples={entry.name: timing.samples}, threads=1,
            ))  # fmt: skip
    return lines


def page(arena: Arena) -> list[Line]:
    """The explorer in Chromium: how soon a graph is open and unfolded, how smoothly it moves."""
    lines = []
    for graph, limit in (("open", 1.0), ("chain", 2.0), ("layered", 2.0)):
        entry = Entry("Glassgrad", f"page:explorer:{graph}", ("playwright",))
        timing = replace(arena, rounds=min(5, arena.rounds)).compete([entry])[entry.name]
        told, met = duration(timing.seconds), timing.seconds <= limit
        target = f"≤ {limit:g} s"
        what = f"explore: a graph of {timing.facts['nodes']:,} nodes opened"
        if graph != "open":
            what = f"explore: {timing.facts['boxes']:,} boxes laid out and moved, {graph}"
            told += f"; {timing['whole']:.0f} frames a second, {timing['near']:.0f} near"
            target += ", ≥ 30"
            met = met and min(timing["whole"], timing["near"]) >= 30
        lines.append(Line(what, told, target, met, samples={entry.name: timing.samples}))
    return lines


def chain(arena: Arena) -> list[Line]:
    """A million nodes, one on the other, at the default recursion limit."""
    lines = []
    short = Arena(rounds=min(3, arena.rounds), seconds=arena.seconds)
    for kind in ("Value", "Tensor"):
        entry = Entry(kind, f"chain:{kind.lower()}s")
        timing = short.compete([entry])[kind]
        told = [f"{part} {duration(timing[part])}" for part in ("forward", "backward", "free")]
        lines.append(Line(
            f"chain of 1,000,000 {kind}s, recursion limit {timing.facts['recursion limit']}",
            f"{', '.join(told)}; {timing.facts['bytes']:.0f} bytes per node", "works", True,
            samples={kind: timing.samples}, facts={kind: timing.facts},
        ))  # fmt: skip
    return lines


def leftovers(arena: Arena) -> list[Line]:
    """Objects that only the cycle collector frees, per training step, with gc disabled."""

    def count(entries: list[Entry]) -> dict[str, float]:
        with contestants(entries) as workers:
            return {
                worker.entry.name: worker.ask("leftovers", 3) / worker.facts.get("steps", 1)
                for worker in workers
            }

    programs = {"eager step": "step:glassgrad:small", "fit": "fit:glassgrad",
                "scalar loss and backward": "scalar:glassgrad"}  # fmt: skip
    ours = count([Entry(name, factory) for name, factory in programs.items()])
    peers = [MICROGRAD, Entry("PyTorch", "step:torch:small", ("torch",))]
    beside = [f"{name} {n:,.0f}" for name, n in count(peers).items()]
    return [Line(
        "objects left to the cycle collector per training step",
        ", ".join(f"{name} {n:g}" for name, n in ours.items()), "0", not any(ours.values()),
        "; ".join(beside + [absent(peer) for peer in peers if peer.missing]), facts=ours,
    )]  # fmt: skip


def imports(arena: Arena) -> list[Line]:
    """`import autograd` in a fresh interpreter, and the part of it that is NumPy's."""
    program = "; ".join((
        "from time import perf_counter as now", "begin = now()", "import numpy",
        "middle = now()", "import autograd", "print(middle - begin, now() - begin)",
    ))  # fmt: skip
    samples: list[dict[str, float]] = []
    for _ in range(arena.rounds + 1):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
        if done.returncode:
            raise ContestError(f"`{program}` failed:\n{done.stderr}")
        numpy, ours = map(float, done.stdout.split())
        samples.append({"numpy": numpy, "seconds": ours})
    timing = Timing(Entry("import", ""), {}, samples[1:])  # the first read the disk
    numpy, ours = timing["numpy"], timing.seconds
    return [Line(
        "import autograd, fresh interpreter", duration(ours), "≤ 0.2 s, NumPy most of it",
        ours <= 0.2 and numpy > ours / 2, f"NumPy {duration(numpy)}, {numpy / ours:.0%} of it",
        samples={"import": timing.samples},
    )]  # fmt: skip


ROWS: dict[str, Callable[[Arena], list[Line]]] = {
    "scalar": scalar,
    "small": partial(step, net="small", target=3, title="10-64-32-1, batch 32, Adam, BCE"),
    "large": partial(
        step, net="large", target=0.9, title="784-512-512-10, batch 128, Adam, cross-entropy"
    ),
    "cnn": partial(network, net="cnn", title="cnn: conv 32, conv 64, pool, dense 128, batch 64"),
    "lstm": partial(network, net="lstm", title="lstm: 128 units, 64 steps, batch 32"),
    "gpt": partial(network, net="gpt", title="gpt: 4 layers of 128, context 64, batch 16"),
    "fit": fit,
    "add": add,
    "recorded": recorded,
    "page": page,
    "chain": chain,
    "leftovers": leftovers,
    "import": imports,
}
"""Name for `--only` → the row."""
