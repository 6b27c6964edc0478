"""What is measured of `autograd.jit`: one function per row, as in `rows.py`.

"Compiled" is the whole training step: forward, loss, backward and Adam in one call. Beside it
stand `jax.jit` of the same step, PyTorch with and without `torch.compile`, and where nothing else
is comparable micrograd and Keras. What a peer is free to choose is chosen for speed: images
channels-last, Adam fused or not, whichever is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from .arena import Arena, Entry, contestants
from .rows import (
    KERAS,
    MICROGRAD,
    SAME_GRAPH,
    SCALAR,
    Line,
    absent,
    duration,
    megabytes,
    race,
)  # fmt: skip

__all__ = ["JIT_ROWS"]

NETS = {
    "small": "10-64-32-1, batch 32, Adam, BCE",
    "large": "784-512-512-10, batch 128, Adam, cross-entropy",
    "cnn": "cnn: conv 32, conv 64, pool, dense 128, batch 64",
    "lstm": "lstm: 128 units, 64 steps, batch 32",
    "gpt": "gpt: 4 layers of 128, context 64, batch 16",
}


def ours(net: str) -> Entry:
    """Our compiled step, which fails if it runs as anything but native code."""
    return Entry("Glassgrad", f"compiled:glassgrad:{net}")


def jax(net: str) -> Entry:
    """JAX's."""
    return Entry("JAX", f"jax_networks:jitted:{net}", ("jax",))


def eager(net: str) -> list[Entry]:
    """PyTorch's eager ones, of which the faster counts."""
    return [
        Entry("PyTorch", f"compiled:torch:{net}", ("torch",)),
        Entry("PyTorch, fused Adam", f"compiled:torch_fused:{net}", ("torch",)),
    ]


def torch_compile(net: str) -> Entry:
    """PyTorch's compiled one, which needs a C++ compiler."""
    return Entry("torch.compile", f"compiled:torch_compiled:{net}", ("torch",), commands=("g++",))


def both(arena: Arena) -> list[Arena]:
    """The arena with two threads, and with one, where fewer rounds do: nobody waits for anybody."""
    arena = replace(arena, seconds=min(0.2, arena.seconds))
    return [arena, replace(arena, threads=1, rounds=min(5, arena.rounds))]


def counted(threads: int) -> str:
    """So many threads."""
    return f"{threads} thread{'s' * (threads != 1)}"


def judged(
    line: Line,
    peers: Sequence[Entry],
    targets: dict[str, float],
    limit: float | None = None,
) -> Line:
    """The line of a race, judged by a factor for each group of peers, and a limit in seconds.

    A group are the peers whose names begin so, "" all of them; what counts is its fastest.
    """
    if not line.samples:
        return line
    medians = {
        name: median([sample["seconds"] for sample in samples])
        for name, samples in line.samples.items()
    }
    mine = medians.pop("Glassgrad")
    told, verdicts = [], []
    if limit is not None:
        told.append(f"≤ {duration(limit)}")
        verdicts.append(mine <= limit)
    for group, factor in targets.items():
        told.append(f"≥ {factor:g}× {group}".rstrip())
        running = [seconds for name, seconds in medians.items() if name.startswith(group)]
        reached = min(running) >= factor * mine if running else None
        missing = any(peer.missing for peer in peers if peer.name.startswith(group))
        verdicts.append(None if missing and reached else reached)
    line.target = ", ".join(told)
    line.met = False if False in verdicts else None if None in verdicts else True
    return line


# --- time of a step ---


def scalar(arena: Arena) -> list[Line]:
    """Loss and backward of micrograd's moons demo, recorded once and replayed."""
    few = replace(arena, rounds=min(5, arena.rounds))  # a repetition of micrograd's takes a second
    titles = {"compiled moons, micrograd's expressions": SAME_GRAPH,
              "compiled moons, nn.scalar": SCALAR}  # fmt: skip
    return race(
        few,
        {title: replace(entry, factory=f"{entry.factory}:compiled")
         for title, entry in titles.items()},
        [MICROGRAD],
        target=500,
        tolerance=1e-12,
        what=lambda timing: f": {timing.facts['nodes']:,} nodes",
    )  # fmt: skip


def step(arena: Arena, net: str, targets: dict[str, float]) -> list[Line]:
    """A compiled step beside JAX's and PyTorch's."""
    peers = [jax(net), *eager(net), torch_compile(net)]
    lines = []
    for ring in both(arena):
        title = f"compiled step {NETS[net]}, {counted(ring.threads)}"
        (line,) = race(ring, {title: ours(net)}, peers, 1, tolerance=1e-3)
        lines.append(judged(line, peers, targets))
    return lines


def replay(arena: Arena) -> list[Line]:
    """The step as it runs where there is no compiler: through NumPy, from the same program."""
    entry = replace(ours("small"), environment=(("AUTOGRAD_JIT", "replay"),))
    peers = [jax("small")]
    lines = []
    for ring in both(arena):
        title = f"step replayed by NumPy {NETS['small']}, {counted(ring.threads)}"
        (line,) = race(ring, {title: entry}, peers, 1, tolerance=1e-3)
        lines.append(judged(line, peers, {"JAX": 1}))
    return lines


def fit(arena: Arena) -> list[Line]:
    """`fit` with compiled steps, per batch, beside Keras 3 on each of its backends."""
    lines = []
    for ring in both(arena):
        title = f"compiled fit per batch: {NETS['small']}, accuracy, {counted(ring.threads)}"
        entry = Entry("Glassgrad", "fit:compiled")
        # Keras's Adam adds epsilon before the second moment is corrected, ours after.
        (line,) = race(ring, {title: entry}, KERAS, 1, tolerance=2e-3)
        lines.append(judged(line, KERAS, {"": 10}, limit=25e-6))
    return lines


# --- what it costs to get there ---


def first(arena: Arena) -> list[Line]:
    """The call that compiles, in a process of its own: with nothing on disk, and everything.

    Compilers are slow, and their times differ little from one call to the next: a few rounds do.
    """
    lines = []
    for net, title in NETS.items():
        entries = [ours(net), jax(net), torch_compile(net)]
        rounds = min(3, arena.rounds)
        told: dict[str, list[dict[str, float]]] = {}
        for entry in entries:
            if not entry.missing:
                times = rounds if entry.name == "Glassgrad" else 1
                told[entry.name] = [_first(entry) for _ in range(times)]
        for figure, words, limit in (
            ("cold", "nothing on disk", 3.0 if net == "gpt" else 1.0),
            ("cached", "from the disk cache", 0.05),
        ):
            medians = {
                name: median([sample[figure] for sample in samples])
                for name, samples in told.items()
            }
            mine = medians.pop("Glassgrad")
            line = Line(
                f"first compiled call, {words}: {title}", duration(mine), f"≤ {duration(limit)}",
                mine <= limit, "; ".join(f"{name} {duration(s)}" for name, s in medians.items()),
                min(medians.values()) / mine if medians else None,
                {name: [{"seconds": s[figure]} for s in samples] for name, samples in told.items()},
            )  # fmt: skip
            lines.append(line)
    return lines


def _first(entry: Entry) -> dict[str, float]:
    """Seconds with an empty folder for all that is kept on disk, and then with what is in it."""
    with TemporaryDirectory() as folder:
        kept = tuple(
            (name, str(Path(folder, name)))
            for name in ("XDG_CACHE_HOME", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
        )
        everything = (
            ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
            ("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "0"),
        )
        entry = replace(entry, environment=(*entry.environment, *kept, *everything))
        found = {}
        for figure in ("cold", "cached"):
            with contestants([entry]) as (worker,):
                found[figure] = worker.ask("first")
    return found


def memory(arena: Arena) -> list[Line]:
    """What a process takes at most for 30 compiled steps, beside PyTorch's eager ones."""
    lines = []
    for net, title in NETS.items():
        peers = eager(net)
        peaks: dict[str, float] = {}
        with contestants([ours(net), *peers]) as workers:
            peaks |= {worker.entry.name: worker.ask("peak") for worker in workers}
        mine = peaks.pop("Glassgrad")
        told = [f"{name} {megabytes(peak)}" for name, peak in peaks.items()]
        told += [absent(peer) for peer in peers if peer.missing]
        line = Line(
            f"peak memory of the compiled step, {title}", megabytes(mine), "≤ 0.6×", None,
            "; ".join(told), facts={"Glassgrad": mine, **peaks},
        )  # fmt: skip
        if mine and peaks:
            line.ratio = mine / min(peaks.values())
            line.met = line.ratio <= 0.6
        lines.append(line)
    return lines


JIT_ROWS: dict[str, Callable[[Arena], list[Line]]] = {
    "jit_scalar": scalar,
    "jit_mlp": partial(step, net="small", targets={"JAX": 3, "PyTorch": 25}),
    "jit_fit": fit,
    "jit_mnist": partial(step, net="large", targets={"": 1.2}),
    "jit_cnn": partial(step, net="cnn", targets={"": 2.5}),
    "jit_lstm": partial(step, net="lstm", targets={"": 2}),
    "jit_gpt": partial(step, net="gpt", targets={"": 1.5}),
    "jit_first": first,
    "jit_memory": memory,
    "jit_replay": replay,
}
"""Name for `--only` → the row."""
