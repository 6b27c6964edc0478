"""Small helps for writing C: texts with blanks, loops, and where things lie in scratch memory."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import dedent, indent, wrap

__all__ = ["REGISTERS", "Scratch", "at", "block", "body", "each", "fill", "loop", "table"]

REGISTERS = {"float32": ("float", "vf", "f"), "float64": ("double", "vd", "d")}
"""dtype → its C type, the type of a register, and the letter in the names of loads and stores."""


def fill(text: str, **values: object) -> str:
    """A text with its ⟨names⟩ filled in.

    A name alone on its line may stand for several lines, which get its indent, or for none.
    """
    lines = []
    for line in dedent(text).strip("\n").split("\n"):
        word = line.strip()
        if word[:1] == "⟨" and word.find("⟩") == len(word) - 1:
            value = str(values[word[1:-1]])
            if value:
                lines.append(indent(value, line[: len(line) - len(word)]))
            continue
        for name, filling in values.items():
            line = line.replace(f"⟨{name}⟩", str(filling))
        lines.append(line)
    return "\n".join(lines)


def block(head: str, *statements: str) -> str:
    """A statement with what belongs to it."""
    inner = indent("\n".join(s for s in statements if s), "    ")
    return f"{head}\n{inner}" if inner.count("\n") == 0 else f"{head} {{\n{inner}\n}}"


def loop(name: str, begin: object, end: object, step: int, *statements: str) -> str:
    """for (long name = begin; name < end; name += step) with what belongs to it."""
    pace = f"{name}++" if step == 1 else f"{name} += {step}"
    return block(f"for (long {name} = {begin}; {name} < {end}; {pace})", *statements)


def each(name: str, count: int, *statements: str) -> str:
    """The statements for name = 0 … count - 1, without a loop if the name is empty."""
    return loop(name, 0, count, 1, *statements) if name else body(*statements)


def body(*statements: str) -> str:
    """Statements below each other, empty ones left out."""
    return "\n".join(s for s in statements if s)


def at(base: str, *terms: tuple[str, int] | int) -> str:
    """base + name * step + … + number: an address; what is 0, or has no name, is left out."""
    words = [base] if base else []
    for term in terms:
        name, step = (str(term), 1) if isinstance(term, int) else term
        if step and name and term != 0:
            words.append(name if step == 1 else f"{name} * {step}")
    return " + ".join(words) or "0"


def table(name: str, values: Sequence[int], kind: str = "long") -> str:
    """A C array of constants."""
    numbers = ", ".join(map(str, values)) or "0"
    line = f"static const {kind} {name}[{max(len(values), 1)}] = {{{numbers}}};"
    return "\n    ".join(wrap(line, 96))


class Scratch:
    """Arrays in a kernel's scratch memory, each at a multiple of 64 bytes."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.size, self.lines = dtype, 0, list[str]()

    def array(self, name: str, count: int) -> None:
        """Room for `count` elements, as a C variable."""
        real, size = REGISTERS[self.dtype][0], 8 if self.dtype == "float64" else 4
        line = f"{real} *restrict {name} = ({real} *)({at('work', self.size)});"
        self.size += -(-count * size // 64) * 64
        self.lines.append(line)
