"""From a compiled program to a `Picture` of it: a frame around what each kernel computes.

Boxes are what lies in memory: arguments, weights, results, and what one kernel leaves for another.
What stays in registers has none, so an arrow between two pills of one frame is a value that is
never written.  Views (a transpose, a reshape) are the words on an arrow: they cost nothing.

What is read again much later, as activations are by the backward pass, has another box there:
arrows across all of it would leave nothing to be seen.
"""

from __future__ import annotations

from typing import Any

from ..errors import GraphError
from .graph import LIMIT
from .picture import Arrow, Box, Cluster, Kind, Picture, Rankdir
from .trace.formulas import SYMBOLS

__all__ = ["picture"]

KINDS: dict[str, Kind] = {
    "argument": "input", "leaf": "value", "gradient": "input", "number": "constant",
    "constant": "constant", "step": "constant",
}  # fmt: skip
"""What is given, by where it comes from; a step outside of all kernels computes a number."""
FAR, MANY = 3, 8
"""What was last read more than `FAR` kernels before gets another box; of more than `MANY` such that
are gathered at once only the number is told."""
RUNS = {"Loop": "loop", "Call": "kernel", "Host": "NumPy", "Fill": "fill"}


def picture(
    program: Any, schedule: Any, words: Any, rankdir: Rankdir = "LR", title: str = ""
) -> Picture:
    """The picture of a program; `schedule` has its kernels, or is None where NumPy runs it.

    `words` names what is in it (see `jit/words.py`).  Without kernels the frames are modules.
    """
    if len(program.steps) > LIMIT:
        raise GraphError(
            f"draw: the program has {len(program.steps):,} steps, more than the {LIMIT:,} that "
            "anybody could look at"
        )
    drawn = _Drawn(program, schedule, words)
    parts = tuple(drawn.boxes), tuple(drawn.arrows), tuple(drawn.clusters)
    return Picture(*parts, rankdir, title)


class _Drawn:
    """Boxes, arrows and frames, as they are found."""

    def __init__(self, program: Any, schedule: Any, words: Any) -> None:
        self.program, self.words = program, words
        self.boxes: list[Box] = []
        self.arrows: list[Arrow] = []
        self.clusters: list[Cluster] = []
        self.kernels = _kernels(program, schedule, words)
        self.made = program.made_by()
        self.home = {v: key for key, _, steps in self.kernels for s in steps for v in s.outputs}
        """The frame in which a variable is computed."""
        self.pills: dict[Any, str] = {}
        self.memory: dict[Any, str] = {}
        """Variable → the box that stands for its memory, the last one if there are several."""
        self.read: dict[str, int] = {}
        """Box → the last kernel that it has an arrow to or from."""
        self.at = 0
        """The kernel that is being drawn."""
        self.assigned: dict[Any, list[str]] = {}
        for write in program.writes:
            self.assigned.setdefault(self._root(write.value), []).append(words.leaf(write.leaf))
        self.ends = {self._root(v) for v in program.outputs()}
        self.stored = self._stored()
        for at, (key, title, steps) in enumerate(self.kernels):
            self.at = at
            self._kernel(key, title, steps)
        for var in dict.fromkeys([*self.ends, *self.assigned]):
            if var not in self.pills and var not in self.memory:
                self._memory_of(var)  # what no kernel computed: an argument that is returned

    # --- what lies where ---

    def _root(self, var: Any) -> Any:
        """What a variable is a view of."""
        while var not in self.home and self._is_view(var):
            var = self.made[var].inputs[0]
        return var

    def _is_view(self, var: Any) -> bool:
        step = self.made.get(var)
        return step is not None and var.dtype is not None and len(step.inputs) == 1

    def _stored(self) -> set[Any]:
        """What a kernel computes and others read, or the caller gets."""
        found = set(self.ends)
        for key, _, steps in self.kernels:
            for step in steps:
                roots = map(self._root, step.inputs)
                found |= {v for v in roots if v in self.home and self.home[v] != key}
        for step in self.program.steps:
            if step.op.name == "concatenate" and step.output not in self.home:
                found |= {self._root(v) for v in step.inputs}
        return found

    # --- what is drawn ---

    def _kernel(self, key: str, title: str, steps: list[Any]) -> None:
        lines = dict.fromkeys(filter(None, (self.words.origin(s).line for s in steps)))
        self.clusters.append(Cluster(key, title, None, ", ".join(lines)))
        for i, step in enumerate(steps):
            pill = f"{key} {i}"
            if step.op.name == "identity" and len(steps) > 1:  # the store at the end of a loop
                self.pills[step.output] = self.pills[step.inputs[0]]
                continue
            origin = self.words.origin(step)
            told = "  ".join(filter(None, (step.op.name, origin.line, origin.text)))
            self.boxes.append(Box(pill, "op", (_symbol(step),), key, tooltip=told))
            for var in step.inputs:
                if var.dtype is not None or var.source != "constant":
                    self.arrows.append(Arrow(*self._source(var, key, pill)))
            for var in step.outputs:
                self.pills[var] = pill
                if var in self.stored:
                    box = f"memory of {var.number} {pill}"
                    kind: Kind = "output" if var in self.ends else "value"
                    self.boxes.append(self._box(box, var, kind, origin.line))
                    self.arrows.append(Arrow(pill, box))
                    self.memory[var] = box
                    self.read[box] = self.at

    def _source(self, var: Any, key: str, head: str = "") -> tuple[str, str, str]:
        """Tail, head and label of an arrow from a variable into a frame."""
        done: list[str] = []
        while var not in self.home and self._is_view(var):
            done.insert(0, self.made[var].op.name)
            var = self.made[var].inputs[0]
        label = ", ".join(dict.fromkeys(done))
        if self.home.get(var, "") == key and var in self.pills:
            return self.pills[var], head, label
        if var in self.pills and var not in self.memory:
            return self.pills[var], head, label
        return self._memory_of(var), head, label

    def _memory_of(self, var: Any) -> str:
        """The box of a variable's memory; it is drawn here, unless it is not far from here."""
        known = self.memory.get(var)
        if known is not None and not self._is_far(known):
            self.read[known] = self.at
            return known
        box = self.memory[var] = f"memory of {var.number} at {self.at}"
        self.read[box] = self.at
        if known is not None:
            self.boxes.append(self._again(box, known, var))
            return box
        together = var in self.made and var.dtype is not None
        kind = "value" if together else KINDS[var.source]
        if var.source == "leaf" and var.value.requires_grad:
            kind = "parameter"
        if var in self.ends:
            kind = "output"
        self.boxes.append(self._box(box, var, kind, ""))
        if together:  # computed in its place among others, as gradients are
            self._gather(box, self.made[var].inputs)
        return box

    def _is_far(self, box: str) -> bool:
        return self.at - self.read[box] > FAR

    def _again(self, key: str, box: str, var: Any) -> Box:
        """A second box for what has one far from here."""
        old = next(b for b in self.boxes if b.key == box)
        name = old.rows[0][0]
        if not name and var in self.home:
            number = [k for k, _, _ in self.kernels].index(self.home[var])
            name = f"from {number + 1}"
        kind: Kind = "value" if old.kind == "output" else old.kind
        return Box(key, kind, ((name,), *old.rows[1:]), None, tooltip=old.tooltip)

    def _gather(self, box: str, parts: Any) -> None:
        """Arrows from what is put one behind the other, but for what is too far and too many."""
        known = [self.memory.get(self._root(x)) for x in parts]
        far = [x for x, b in zip(parts, known, strict=True) if b is not None and self._is_far(b)]
        if len(far) > MANY:
            told = f"{box}: others"
            self.boxes.append(Box(told, "value", ((f"{len(far)} arrays",),), None))
            self.arrows.append(Arrow(told, box))
            parts = [x for x in parts if x not in far]
        for x in parts:
            self.arrows.append(Arrow(*self._source(x, "", box)))

    def _box(self, key: str, var: Any, kind: Kind, tip: str) -> Box:
        shape = "×".join(map(str, var.shape)) or "scalar"
        name = self.words.name(var)
        if var in self.assigned:
            name = ", ".join(f"{leaf} ←" for leaf in dict.fromkeys(self.assigned[var]))
        if var.dtype is None:
            name = _number(var, self.made, self.words)
            return Box(key, kind, ((name,),), None, tooltip="a number that Python computes")
        if var.source == "constant" and var.size and (var.value == var.value.flat[0]).all():
            name = f"{'all ' * bool(var.shape)}{float(var.value.flat[0]):.4g}"
        return Box(key, kind, ((name,), (f"{shape} {var.dtype}",)), None, tooltip=tip)


def _kernels(program: Any, schedule: Any, words: Any) -> list[tuple[str, str, list[Any]]]:
    """(key, title, steps) of each frame."""
    if schedule is None:
        found: dict[str, list[Any]] = {}
        for step in program.steps:
            found.setdefault(words.origin(step).what, []).append(step)
        return [(f"module {i}", what, steps) for i, (what, steps) in enumerate(found.items())]
    kernels = []
    for i, kind in enumerate(schedule.order):
        if not hasattr(kind, "steps") and not hasattr(kind, "step"):
            continue  # a fill, which computes nothing
        steps = list(kind.steps) if hasattr(kind, "steps") else [kind.step]
        told = list(dict.fromkeys(filter(None, (words.origin(s).what for s in steps))))
        what = f": {told[0]}" if told else ""
        more = f" +{len(told) - 1}" if len(told) > 1 else ""
        kernels.append((f"kernel {i}", f"{i + 1} {RUNS[type(kind).__name__]}{what}{more}", steps))
    return kernels


def _symbol(step: Any) -> str:
    """How an op is written in its pill."""
    if step.op.name == "power":
        return f"^{step.params['n']:g}"
    return str(SYMBOLS.get(step.op.name, step.op.name))


def _number(var: Any, made: Any, words: Any) -> str:
    """A Python number as a formula of those that are given: 1 − beta1."""
    if var not in made:
        return str(words.name(var) or repr(var))
    step = made[var]
    told = [_number(x, made, words) for x in step.inputs]
    symbol = SYMBOLS.get(step.op.name, step.op.name)
    if len(told) == 2 and step.op.name in SYMBOLS:
        return f"{told[0]} {symbol} {told[1]}"
    return f"{symbol}({', '.join(told)})"
