"""Where the results of lines lie: made once, before the first call, and used by every call.

What is needed at different times may share memory, and a line may write over an operand that
nobody needs any more.  What a call hands out is new each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import backends
from backends import numpy as np

from ..packing import packed
from ..program import Var, Write
from .line import Line, Lines, is_array

__all__ = ["Places", "Storage"]


@dataclass(eq=False)
class Storage:
    """Memory for arrays, from its first line to its last.

    It is "kept" between calls, "fresh" in each, or that of the leaf which a "write" assigns.
    """

    kind: str
    bytes: int
    first: int
    last: int
    offset: int = 0
    write: Write | None = None


class Places:
    """The storage of each array that lines write: `home`, with the offset in it.

    `joined` are those that lie in the result of a "join", one of `wholes`, from the start on, with
    the offset there; `direct` are the writes that need no copy.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines, self.program = lines, lines.program
        self.end = len(lines.found)
        self.made: dict[Var, tuple[int, Line]] = {
            var: (i, line) for i, line in enumerate(lines.found) for var in line.outputs
        }
        self.last = self._last_uses()
        self.handed_out = {
            root for var in self._results() for root in self.roots(var) if self._is_made(root)
        }
        self.home: dict[Var, tuple[Storage, int]] = {}
        self.joined: dict[Var, tuple[Var, int]] = {}
        self.direct: dict[Var, Write] = {}
        self.wholes: set[Var] = set()
        for i, line in enumerate(lines.found):
            if line.kind == "join":
                self._plan_join(i, line)
        for write in self.program.writes:
            self._plan_write(write)
        for i, line in enumerate(lines.found):
            if line.made:
                self._settle(i, line)
        kept = list(dict.fromkeys(s for s, _ in self.home.values() if s.kind == "kept"))
        offsets, self.bytes = packed([(s.bytes, s.first, s.last) for s in kept])
        for storage, offset in zip(kept, offsets, strict=True):
            storage.offset = offset

    # --- who shares memory with whom ---

    def root(self, var: Var) -> Var:
        """What a view is a view of, in the end."""
        while var in self.made and self.made[var][1].kind == "view":
            var = self.made[var][1].inputs[0]
        return var

    def roots(self, var: Var) -> set[Var]:
        """All in whose memory an array lies, or may lie."""
        return self._roots[var]

    def _find_roots(self) -> dict[Var, set[Var]]:
        found: dict[Var, set[Var]] = {}
        for line in self.lines.found:
            for var in line.inputs:
                found.setdefault(var, {var})
            for var in line.outputs:
                own = set() if line.kind == "view" else {var}
                shared = line.inputs if line.kind in ("view", "shared") else ()
                found[var] = own.union(*(found[x] for x in shared if is_array(x)))
        for var in self.program.ends():
            found.setdefault(var, {var})
        return found

    def _last_uses(self) -> dict[Var, int]:
        """The last line that reads each array, through whatever view; `end` is after all."""
        self._roots = self._find_roots()
        last: dict[Var, int] = {}
        for i, line in enumerate(self.lines.found):
            for var in (*line.outputs, *line.inputs):
                for root in self.roots(var):
                    last[root] = i
        writes = [write.value for write in self.program.writes]
        for var in (*self._results(), *self.program.shown, *writes):
            for root in self.roots(var):
                last[root] = self.end
        return last

    def _results(self) -> Iterator[Var]:
        yield from self.program.results
        yield from (g for _, g in self.program.gradients if g is not None)

    def _is_made(self, var: Var) -> bool:
        return var in self.made and self.made[var][1].made

    def is_own(self, var: Var) -> bool:
        """Whether a result lies in memory that each call has for itself, and nobody else has."""
        kinds = [self.made[root][1].kind if root in self.made else "" for root in self.roots(var)]
        return all(kind in ("into", "within", "join", "new", "number") for kind in kinds)

    # --- plans ---

    def _plan_join(self, at: int, line: Line) -> None:
        """Let what is joined be computed where it belongs, if it can be."""
        whole, start = line.outputs[0], 0
        if whole in self.handed_out:
            return
        for x in line.inputs:
            root = self.root(x)
            free = root not in self.handed_out and root not in self.joined
            kind = self.made[root][1].kind if root in self.made else ""
            if free and kind in ("into", "within") and self._is_all_of(x, root):
                self.joined[root] = whole, start
                self.wholes.add(whole)
                self.last[whole] = max(self.last[whole], self.last[root])
            start += math.prod(x.shape) * _itemsize(x)

    def _is_all_of(self, x: Var, root: Var) -> bool:
        """Whether a view shows all elements of its root, in order."""
        return math.prod(x.shape) == math.prod(root.shape) and self.lines.is_whole(x)

    def _plan_write(self, write: Write) -> None:
        """Let what a leaf becomes be computed in its place, if nobody needs the old value then.

        Nothing may follow that could fail: it would leave the leaf half assigned.
        """
        value, leaf = write.value, write.leaf
        at, line = self.made.get(value, (0, None))
        if line is None or not line.made or line.kind == "join" or value in self.handed_out:
            return
        if value in self.joined or value in self.direct:
            return
        if value in self.program.checks or value in self.program.shown:
            return
        place = leaf.raw[write.at]
        if getattr(place, "shape", None) != value.shape or str(place.dtype) != value.dtype:
            return
        overlap = self.lines.xp.may_share_memory
        if not overlap(place, leaf.raw):  # an index that makes a copy
            return
        for other in self.program.writes:
            if other is not write and overlap(other.leaf.raw, place):
                return
        for var in self.program.given:
            if not is_array(var) or var.source == "constant":
                continue
            elsewhere = var.source == "leaf" and not overlap(var.value.raw, place)
            if not elsewhere and not self._is_read_before(var, at, line, write):
                return
        if all(rest.kind not in ("new", "shared", "check") for rest in self.lines.found[at + 1 :]):
            self.direct[value] = write

    def _is_read_before(self, var: Var, at: int, line: Line, write: Write) -> bool:
        """Whether nobody reads what is given after this line, nor out of order within it."""
        last = self.last.get(var, -1)
        if last < at:
            return True
        if last > at or line.kind != "within":
            return False
        same = var.source != "leaf" or var.value is write.leaf and write.at is ...
        return same and all(x is var for x in line.inputs if var in self.roots(x))

    def _settle(self, at: int, line: Line) -> None:
        """Find the place of what a line writes."""
        out = line.outputs[0]
        if out in self.joined:
            whole, start = self.joined[out]
            self.home[out] = self._storage(whole, at), start
        elif out in self.direct:
            write = self.direct[out]
            self.home[out] = Storage("write", 0, at, self.end, write=write), 0
        elif line.kind == "within" and out not in self.handed_out and self._over(out, at, line):
            pass
        else:
            self.home[out] = self._storage(out, at), 0

    def _over(self, out: Var, at: int, line: Line) -> bool:
        """Whether the result is written over an operand, which nobody needs any more."""
        for x in line.inputs:
            root = self.root(x)
            if root not in self.home or x.dtype != out.dtype or x.shape != out.shape:
                continue
            storage, start = self.home[root]
            others = [y for y in line.inputs if y is not x and root in self.roots(y)]
            if storage.kind != "kept" or storage.last > at or others:
                continue
            if self._is_all_of(x, root):
                storage.last = self.last[out]
                self.home[out] = storage, start
                return True
        return False

    def _storage(self, var: Var, at: int) -> Storage:
        if var not in self.home:
            kind = "fresh" if var in self.handed_out else "kept"
            size = math.prod(var.shape) * _itemsize(var)
            self.home[var] = Storage(kind, size, at, self.last[var]), 0
        return self.home[var][0]


def _itemsize(var: Var) -> int:
    return int(np.dtype(backends.dtype(var.dtype)).itemsize)
