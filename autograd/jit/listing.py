"""A program as text to read: what is given, one line per step, what comes out."""

from __future__ import annotations

from collections.abc import Sequence

from .program import Program, Step, Var
from .words import Words, size

__all__ = ["columns", "listing", "shortened"]

WIDE = 100


def listing(program: Program, words: Words, name: str) -> str:
    """The text of a program.

    %3 = affine(x, 0.weight, 0.bias)     float32  32×64    0: Dense      train.py:12
    hidden = relu(%3)                    float32  32×64    0: Dense      train.py:12
    """
    given = [
        (words.title(var), *_kind(var), var.source)
        for var in program.given if var.dtype is not None or var.source != "constant"
    ]  # fmt: skip
    steps = []
    for step in program.steps:
        origin = words.origin(step)
        steps.append((_said(step, words), *_kind(step.output), origin.what, origin.line))
    ends = [shortened(f"  return {', '.join(map(words.title, program.results))}", WIDE)]
    ends += [
        f"  check {words.title(var)} is {'true' if var.dtype == 'bool' else 'finite'}"
        for var in program.checks
    ]
    for leaf, var in program.gradients:
        if var is not None:
            ends.append(f"  {words.leaf(leaf)}.grad ← {words.title(var)}")
    if forgotten := sum(var is None for _, var in program.gradients):
        ends.append(f"  {forgotten} gradients ← None")
    for write in program.writes:
        part = "" if write.at is ... else "[…]"
        ends.append(f"  {words.leaf(write.leaf)}{part} ← {words.title(write.value)}")
    arguments = [v for v in program.given if v.source == "argument"]
    head = shortened(f"{name}({', '.join(words.title(v) for v in arguments)})", WIDE - 20)
    return "\n".join([
        f"{head}: {len(steps)} steps", "given",
        *columns(given, (0, 8, 16, 10)), "steps",
        *columns(steps, (0, 8, 14, 18, 18)), "ends", *ends,
    ])  # fmt: skip


def _said(step: Step, words: Words) -> str:
    """A step, with the names of what it is applied to."""
    told = [shortened(words.title(var), 18) for var in step.inputs]
    usual = step.op.params
    told += [f"{k}={v!r}" for k, v in step.params.items() if v is not usual.get(k, ...)]
    results = ", ".join(shortened(words.title(var), 18) for var in step.outputs)
    return f"{results} = {step.op.name}({', '.join(told)})"


def _kind(var: Var) -> tuple[str, str]:
    return (var.dtype, size(var.shape)) if var.dtype is not None else ("number", "")


def columns(
    rows: Sequence[Sequence[str]], limits: Sequence[int], right: Sequence[int] = (),
    indent: str = "  ",
) -> list[str]:  # fmt: skip
    """Rows as aligned lines; what is longer than its column's limit is shortened.

    A limit of 0 is the room that the other columns leave.  The columns whose places are in `right`
    are flush right.
    """
    if not rows:
        return []
    widest = [max(map(len, column)) for column in zip(*rows, strict=True)]
    taken = [min(a, b) for a, b in zip(widest, limits, strict=True)]
    rest = WIDE - len(indent) - sum(taken) - 2 * sum(n > 0 for n in taken)
    limits = [n or rest for n in limits]
    rows = [[shortened(x, n) for x, n in zip(row, limits, strict=True)] for row in rows]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (indent + "  ".join(
            x.rjust(n) if i in right else x.ljust(n)
            for i, (x, n) in enumerate(zip(row, wide, strict=True)) if n
        )).rstrip()
        for row in rows
    ]  # fmt: skip


def shortened(text: str, room: int) -> str:
    """A text in so many characters: what is too long loses its middle."""
    if len(text) <= room:
        return text
    end = room // 3
    return f"{text[: room - end - 1]}…{text[len(text) - end :]}"
