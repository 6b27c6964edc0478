"""A rectifier behind a convolution is done with while the numbers are in registers."""

from __future__ import annotations

from .loops import is_loop
from .program import Program

__all__ = ["with_epilogues"]


def with_epilogues(program: Program) -> Program:
    """The program with `relu` drawn into the convolution before it, if nobody else reads that."""
    made, uses, ends = program.made_by(), program.uses(), set(program.ends())
    gone = set()
    for step in program.steps:
        if step.op.name != "relu":
            continue
        x, z = step.inputs[0], step.output
        before = made.get(x)
        if before is None or before.op.name not in ("conv", "conv_affine") or x in ends:
            continue
        plain = x.dtype in ("float32", "float64") and 3 <= len(x.shape) <= 4
        if not plain or len(uses[x]) != 1 or is_loop(before):
            continue
        before.params = {**before.params, "epilogue": "relu"}
        before.outputs = (z,)
        gone.add(step)
    program.steps = [step for step in program.steps if step not in gone]
    return program
