"""The lines of a program as a Python function: names, memory, and what is left to the end."""

from __future__ import annotations

import math
import re
from typing import Any

import backends
from backends import numpy as np

from ..program import Program, Var
from .line import Line, Lines, is_array
from .lower import lowered
from .places import Places, Storage

__all__ = ["Text"]


class Text:
    """The source of `step(values)` for a program, and the `names` that it is run with.

    `inputs` says what the values are: all that is given but constants, and leaves with arrays,
    which stay the same and are among the names.
    """

    def __init__(self, program: Program, xp: Any) -> None:
        self.program, self.xp = program, xp
        self.lines: Lines = lowered(program, xp)
        self.places = Places(self.lines)
        self.inputs = [v for v in program.inputs if v.source != "leaf" or not is_array(v)]
        self.memory = _memory(xp, self.places.bytes)
        self.names: dict[str, Any] = self.lines.bound
        self.arrays: dict[Var, Any] = {}
        """What lies in the same place in every call."""
        self.told: dict[Var, str] = {}
        """How each variable is called."""
        self.made: dict[tuple[Any, ...], str] = {}
        self.text: list[str] = []
        self.shown: list[Any] = []
        """What the program shows, after each run."""
        self.source = self._source()
        for function in set(re.findall(r"\b[a-z]\w*(?=\()", self.source)) - self.names.keys():
            if (found := _function(xp, function)) is not None:
                self.names[function] = found

    def _source(self) -> str:
        taken = "".join(f"{self._name(var)}, " for var in self.inputs)
        uses = self._last_reads()
        place = ""
        for i, line in enumerate(self.lines.found):
            self._line(line)
            where = str(line.place or "")
            if where and where != place and self.text:
                self.text[-1] += f"  # {where}"
                place = where
            gone = [self.told[v] for v in uses.get(i, ()) if v not in self.arrays]
            if gone:
                self.text.append(f"del {', '.join(gone)}")
        self._end()
        head = [f"{taken}= values"] if taken else []
        body = "\n    ".join([*head, *self.text])
        return f"def step(values):\n    {body}\n"

    # --- one line ---

    def _line(self, line: Line) -> None:
        inputs = [self._name(var) for var in line.inputs]
        if line.kind == "view" and self._place_of_view(line):
            return
        if line.kind == "join" and line.outputs[0] in self.places.wholes:
            self._join(line)
            return
        if line.kind == "check":
            self.text.append(line.text.format(*inputs))
            return
        if line.made:
            out = self._out(line.outputs[0])
            self.text.append(line.text.format(*inputs, out=out))
            return
        names = ", ".join(self._new_name(var) for var in line.outputs)
        self.text.append(f"{names} = {line.text.format(*inputs)}")

    def _place_of_view(self, line: Line) -> bool:
        """Whether a view is made once: of what lies in the same place in every call."""
        (x,), (out,) = line.inputs, line.outputs
        if x not in self.arrays:
            return False
        scope = {"x": self.arrays[x], "broadcast_to": self.xp.broadcast_to, "flip": self.xp.flip}
        self.arrays[out] = eval(line.text.format("x"), scope)
        told = self.made.setdefault((self.told[x], line.text), f"v{out.number}")
        self._called(out, told)
        return True

    def _join(self, line: Line) -> None:
        """Put what is not there yet in its place."""
        out, start = line.outputs[0], 0
        self._out(out)
        whole = self.arrays[out]
        for x in line.inputs:
            stop = start + x.shape[0]
            where = start * (whole.nbytes // max(len(whole), 1))
            if self.places.joined.get(self.places.root(x)) != (out, where):
                part = f"v{out.number}_{start}"
                self.names[part] = whole[start:stop]
                self.text.append(f"{part}[...] = {self._name(x)}")
            start = stop

    def _out(self, var: Var) -> str:
        """The name of the array that a line writes into."""
        storage, start = self.places.home[var]
        if storage.kind == "fresh":
            dtype = self.lines.bind(f"{var.dtype}", np.dtype(backends.dtype(var.dtype)))
            name = self._new_name(var)
            self.text.append(f"{name} = empty({var.shape}, {dtype})")
            return name
        if storage.write is not None:
            self.arrays[var] = storage.write.leaf.raw[storage.write.at]
        else:
            self.arrays[var] = self._array(var, storage, start)
        key = storage, start, var.shape, var.dtype
        return self._called(var, self.made.setdefault(key, f"v{var.number}"))

    def _array(self, var: Var, storage: Storage, start: int) -> Any:
        """A part of the memory as an array."""
        dtype = np.dtype(backends.dtype(var.dtype))
        begin = storage.offset + start
        memory = self.memory[begin : begin + math.prod(var.shape) * dtype.itemsize]
        return memory.view(dtype).reshape(var.shape)

    # --- names ---

    def _name(self, var: Var) -> str:
        """How a variable is called; what is given is bound when it is first read."""
        if var in self.told:
            return self.told[var]
        if var.source == "constant":
            return self._constant(var)
        if var.source == "leaf" and is_array(var):
            self.arrays[var] = var.value.raw
            return self._called(var, f"leaf{var.number}")
        name = f"arg{var.value}" if var.source == "argument" else f"{var.source}{var.number}"
        self.told[var] = name
        return name

    def _constant(self, var: Var) -> str:
        value = var.value
        if not is_array(var):
            text = repr(value)
            if type(value) in (bool, int, float) and math.isfinite(value):
                return self.told.setdefault(var, text if text[0] != "-" else f"({text})")
            name = self.lines.bind(f"k{var.number}", value)
            return self.told.setdefault(var, name)
        self.arrays[var] = value
        return self._called(var, f"k{var.number}")

    def _called(self, var: Var, name: str) -> str:
        """Give what lies in the same place in every call a name for good."""
        self.told[var] = name
        self.names[name] = self.arrays[var]
        return name

    def _new_name(self, var: Var) -> str:
        self.told[var] = f"v{var.number}"
        return self.told[var]

    def _last_reads(self) -> dict[int, list[Var]]:
        """Line → what a call made and nobody reads after it."""
        last: dict[Var, int] = {}
        for i, line in enumerate(self.lines.found):
            last.update(dict.fromkeys((*line.inputs, *line.outputs), i))
            if line.kind == "check":
                del last[line.outputs[0]]
        kept = set(self.program.ends())
        found: dict[int, list[Var]] = {}
        for var, i in last.items():
            if var not in kept and var in self.places.made:
                found.setdefault(i, []).append(var)
        return found

    # --- the end ---

    def _end(self) -> None:
        """Assign what the program assigns, and return the rest."""
        results = []
        copied: dict[Var, str] = {}
        ends = [*self.program.results, *[g for _, g in self.program.gradients if g is not None]]
        for var in ends:
            name = self._name(var)
            if is_array(var) and not self.places.is_own(var):
                if var not in copied:
                    copied[var] = f"z{var.number}"
                    self.text.append(f"z{var.number} = {name}.copy()")
                name = copied[var]
            results.append(name)
        self._show()
        self._assign()
        told = ", ".join(results)
        self.text.append(f"return {told},".replace("return ,", "return ()"))

    def _show(self) -> None:
        """Let what is shown lie in the same place after each call: where it does, or a copy."""
        for var in self.program.shown:
            name = self._name(var)
            if not all(self._stays(root) for root in self.places.roots(var)):
                self.arrays[var] = self.xp.empty(var.shape, np.dtype(backends.dtype(var.dtype)))
                self.text.append(f"{self._called(var, f's{var.number}')}[...] = {name}")
            self.shown.append(self.arrays[var])

    def _stays(self, var: Var) -> bool:
        """Whether an array lies in the program's own memory."""
        return var in self.places.home and self.places.home[var][0].kind == "kept"

    def _assign(self) -> None:
        """Lines for what leaves become; their old values are read before the first is lost."""
        writes = [w for w in self.program.writes if self.places.direct.get(w.value) is not w]
        values = []
        for i, write in enumerate(writes):
            name = self._name(write.value)
            roots = self.places.roots(write.value)
            if any(r.source in ("leaf", "gradient", "argument") and is_array(r) for r in roots):
                self.text.append(f"w{i} = {name}.copy()")
                name = f"w{i}"
            values.append(name)
        for i, (write, name) in enumerate(zip(writes, values, strict=True)):
            leaf = self.lines.bind(f"assigned{i}", write.leaf.raw)
            at = "..." if write.at is ... else self.lines.bind(f"at{i}", write.at)
            self.text.append(f"{leaf}[{at}] = {name}")


def _memory(xp: Any, size: int) -> Any:
    """Bytes that begin at a multiple of 64."""
    memory = xp.empty(size + 64, "uint8")
    start = -memory.ctypes.data % 64 if hasattr(memory, "ctypes") else 0
    return memory[start : start + size]


def _function(xp: Any, name: str) -> Any:
    """What a name in the text calls."""
    if name not in REDUCTIONS:
        return getattr(xp, name, None)
    if xp is backends.get("numpy"):  # a microsecond faster than `np.sum`
        return getattr(xp, REDUCTIONS[name]).reduce

    def reduce(x: Any, out: Any, **how: Any) -> None:
        out[...] = getattr(xp, name)(x, **how)

    return reduce


REDUCTIONS = {"sum": "add", "max": "maximum", "min": "minimum"}
"""The ufuncs that reduce."""
