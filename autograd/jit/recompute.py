"""What is cheap is computed again where it is read, instead of being kept from long before.

The gradient of a ReLU asks for the sign of its result, which lies in memory for the next layer
anyway; a dropout's factor is one number or 0, as a truth value says.  Kept, such arrays would be
written in the forward pass and read in the backward pass, each as large as the layer.
"""

from __future__ import annotations

from .loops import REDUCTIONS, is_loop
from .program import Program, Step, Var

__all__ = ["CHEAP", "is_view", "recomputed"]

CHEAP = frozenset(
    """sign relu neg abs clip astype add sub mul equal not_equal less less_equal greater
    greater_equal logical_not""".split()
)
"""Operations that cost less than a passage to memory, if all operands but one are numbers."""

DEEP = 4
"""So many operations in a row are computed again at most."""


def recomputed(program: Program) -> Program:
    """The program with cheap steps repeated, late, for each reader that comes long after."""
    made, uses, ends = program.made_by(), program.uses(), set(program.ends())
    at = {step: i for i, step in enumerate(program.steps)}
    operands = {step: step.inputs for step in program.steps}
    arrays = {step: [v for v in step.inputs if v.dtype is not None] for step in program.steps}
    heavy = [i for i, step in enumerate(program.steps) if not is_loop(step) and not is_view(step)]

    def kept(var: Var) -> bool:
        """Whether a variable lies in memory anyway."""
        if var.source != "step" or var in ends or not is_loop(made[var]):
            return True
        return any(not is_loop(s) for s in uses.get(var, ()))

    def chain(var: Var) -> list[Step] | None:
        """The cheap steps from something in memory to a variable."""
        found: list[Step] = []
        while not found or not kept(var):
            step = made.get(var)
            if step is None or step.op.name not in CHEAP or len(found) == DEEP:
                return None
            if len(arrays[step]) != 1:
                return None
            found.append(step)
            (var,) = arrays[step]
        return found[::-1]

    steps: list[Step] = []
    for i, reader in enumerate(program.steps):
        if is_loop(reader) and reader.op.name not in REDUCTIONS:
            for var in dict.fromkeys(reader.inputs):
                maker = made.get(var)
                if maker is None or var in ends or not all(map(is_loop, uses[var])):
                    continue
                again = chain(var)
                if again is None:
                    continue
                (base,) = arrays[again[0]]
                start = at[made[base]] if base in made else at[maker]
                if any(start < k < i for k in heavy):
                    steps += _copies(program, again, reader, var, operands)
        steps.append(reader)
    program.steps = steps
    return program


def _copies(
    program: Program, chain: list[Step], reader: Step, var: Var,
    originals: dict[Step, tuple[Var, ...]],
) -> list[Step]:  # fmt: skip
    """Copies of these steps, of which the reader reads the last instead of the variable."""
    new: dict[Var, Var] = {}
    copies = []
    for step in chain:
        z = step.output
        new[z] = program.new(z.shape, z.dtype)
        inputs = tuple([new.get(v, v) for v in originals[step]])
        copies.append(
            Step(step.op, inputs, step.params, (new[z],), step.place, late=step is chain[0])
        )
    reader.inputs = tuple([new[var] if v is var else v for v in reader.inputs])
    return copies


def is_view(step: Step) -> bool:
    """Whether the result may be another view of the operand."""
    return step.op.name in ("reshape", "transpose", "broadcast_to", "getitem", "flip", "detach")
