"""From a compiled program to a `Picture` of it: a frame around what each kernel computes.

Boxes are what lies in memory: arguments, weights, results, and what one kernel leaves for another.
What stays in registers has none, so an arrow between two pills of one frame is a value that is
never written.  Views (a transpose, a reshape) are the words on an arrow: they cost nothing.
"""

from __future__ import annotations

from typing import Any

from .graph import LIMIT, SYMBOLS
from .picture import Arrow, Box, Cluster, Kind, Picture, PictureError, Rankdir

__all__ = ["picture"]

KINDS: dict[str, Kind] = {
    "argument": "input", "leaf": "value", "gradient": "input", "number": "constant",
    "constant": "constant",
}  # fmt: skip
RUNS = {"Loop": "loop", "Call": "kernel", "Host": "NumPy", "Fill": "fill"}


def picture(program: Any, schedule: Any, words: Any, rankdir: Rankdir = "LR") -> Picture:
    """The picture of a program; `schedule` has its kernels, or is None where NumPy runs it.

    `words` names what is in it (see `jit/words.py`).
    """
    if len(program.steps) > LIMIT:
        raise PictureError(
            f"draw: the program has {len(program.steps):,} steps, more than the {LIMIT:,} that "
            "anybody could look at"
        )
    drawn = _Drawn(program, schedule, words)
    return Picture(
        tuple(drawn.boxes), tuple(drawn.arrows), tuple(drawn.clusters), rankdir,
        title=f"{len(drawn.clusters)} kernels" if schedule is not None else "",
    )  # fmt: skip


class _Drawn:
    def __init__(self, program: Any, schedule: Any, words: Any) -> None:
        self.program, self.schedule, self.words = program, schedule, words
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.clusters: list[Cluster] = []
        self.ends = set(program.ends())
        self.home: dict[Any, str] = {}
        """The key of what an arrow from a variable begins at: a box, or the pill that computes it."""
        self.where: dict[Any, str | None] = {}
        """Variable → the frame of the kernel that computes it."""
        self.view_of: dict[Any, tuple[Any, str]] = {}
        self.seen = self._read_elsewhere()
        for key, title, steps in self._kernels():
            self._kernel(key, title, steps)
        self._writes()

    def _kernels(self) -> Any:
        """(key of its frame, title, steps) of each kernel, in order; the views between them."""
        if self.schedule is None:
            for step in self.program.steps:
                yield None, "", [step]
            return
        inside = {id(s) for kind in self.schedule.order for s in _steps(kind)}
        for step in self.program.steps:  # what no kernel computes is a view, or a number
            if id(step) not in inside and step.output in self.schedule.base:
                self.view_of[step.output] = step.inputs[0], step.op.name
        for i, kind in enumerate(self.schedule.order):
            steps = _steps(kind)
            if not steps:
                continue
            told = list(dict.fromkeys(filter(None, (self.words.origin(s).what for s in steps))))
            more = f" +{len(told) - 1}" if len(told) > 1 else ""
            what = f": {told[0]}{more}" if told else ""
            yield f"kernel {i}", f"{i + 1} {RUNS[type(kind).__name__]}{what}", steps

    def _read_elsewhere(self) -> set[Any]:
        """The variables that lie in memory: another kernel reads them, or the caller gets them."""
        if self.schedule is None:
            return {v for s in self.program.steps for v in s.outputs}
        found = {self.schedule.base.get(v, v) for v in self.ends}
        for kind in self.schedule.order:
            steps = _steps(kind)
            own = {v for s in steps for v in s.outputs}
            for step in steps:
                found |= {self.schedule.base.get(v, v) for v in step.inputs} - own
        return found

    def _kernel(self, key: str | None, title: str, steps: list[Any]) -> None:
        if key is not None:
            lines = dict.fromkeys(filter(None, (self.words.origin(s).line for s in steps)))
            self.clusters.append(Cluster(key, title, None, ", ".join(lines)))
        for step in steps:
            out = step.outputs[0]
            pill = f"op {out.number} {id(step)}"
            origin = self.words.origin(step)
            tip = "  ".join(filter(None, (str(step), origin.line, origin.text)))
            if step.op.name == "identity" and key is not None and out not in self.seen:
                for var in step.inputs:  # a copy to where it belongs: the write says it
                    self._source(var)
                continue
            self.boxes.append(Box(pill, "op", (_symbol(step),), key, tooltip=tip))
            for var in step.inputs:
                if var.dtype is not None or var.source != "constant":
                    tail, label = self._source(var)
                    self.arrows.append(Arrow(tail, pill, label))
            for var in step.outputs:
                self.home[var] = pill
                if var in self.seen and (var is out or self._is_read(var)):
                    box = f"value {var.number} {id(step)}"
                    kind: Kind = "output" if var in self.ends else "value"
                    self.boxes.append(self._box(box, var, kind, None, origin.line))
                    self.arrows.append(Arrow(pill, box))
                    self.home[var] = box

    def _is_read(self, var: Any) -> bool:
        return var in self.ends or any(var in s.inputs for s in self.program.steps)

    def _source(self, var: Any) -> tuple[str, str]:
        """Where an arrow from a variable begins, and what is done to it on the way for nothing."""
        done: list[str] = []
        while var in self.view_of:
            var, name = self.view_of[var]
            done.insert(0, name)
        if var not in self.home:
            key = f"given {var.number}"
            kind = KINDS.get(var.source, "value")
            if var.source == "leaf" and var.value.requires_grad:
                kind = "parameter"
            self.boxes.append(self._box(key, var, kind, None, ""))
            self.home[var] = key
        return self.home[var], ", ".join(dict.fromkeys(done))

    def _box(self, key: str, var: Any, kind: Kind, cluster: str | None, tip: str) -> Box:
        name = self.words.name(var)
        shape = "×".join(map(str, var.shape)) or "scalar"
        facts = f"{shape} {var.dtype}" if var.dtype is not None else "number"
        rows = ((name,), (facts,)) if name else (("",), (facts,))
        return Box(key, kind, rows, cluster, tooltip=tip)

    def _writes(self) -> None:
        """What the call assigns: an arrow back would cross everything, so it is a box of its own."""
        for i, write in enumerate(self.program.writes):
            key = f"write {i}"
            name = self.words.leaf(write.leaf)
            tail, label = self._source(write.value)
            self.boxes.append(Box(key, "output", ((f"{name} ←",),), None, tooltip="assigned"))
            self.arrows.append(Arrow(tail, key, label))


def _steps(kind: Any) -> list[Any]:
    """The steps of a kernel; those that only move elements inside of a fill are none."""
    if hasattr(kind, "steps"):
        return list(kind.steps)
    return [kind.step] if hasattr(kind, "step") else []


def _symbol(step: Any) -> str:
    """How an op is written in its pill."""
    if step.op.name == "power":
        return f"^{step.params['n']:g}"
    return SYMBOLS.get(step.op.name, step.op.name)
