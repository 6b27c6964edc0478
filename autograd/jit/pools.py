"""Convolutions before a max pool: what flows back through the pool stays as compact as it comes.

The gradient of a max pool puts each number at the place where the largest element was, and zeros
at all others.  The rectifier's gradient before it is taken along with the numbers; their sum, a
bias's gradient, does not ask for their places; and the convolution's own gradients are computed
from numbers and places (kernels/conv_pooled.py), so that the array of mostly zeros never exists.

Where the convolution itself computes whole windows at a time, it takes the largest of each at once,
and notes its place for the gradient.
"""

from __future__ import annotations

from typing import Any

from ..node import Op
from . import processor
from .kernel import LOWERED, Request, packed
from .kernels import conv_pooled
from .program import Program, Step, Var
from .simplify import dead_code

__all__ = ["with_pools"]


def _conv_transpose_of_put(
    xp: Any, g: Any, index: Any, w: Any, *, pool: dict[str, Any], **how: Any
) -> Any:
    """conv_transpose of what pool_put gives."""
    y = Op.table["pool_put"].forward(xp, g, index, **pool)
    return Op.table["conv_transpose"].forward(xp, y, w, **how)


def _conv_kernel_of_put(
    xp: Any, x: Any, g: Any, index: Any, *, pool: dict[str, Any], **how: Any
) -> Any:
    """conv_kernel of what pool_put gives."""
    y = Op.table["pool_put"].forward(xp, g, index, **pool)
    return Op.table["conv_kernel"].forward(xp, x, y, **how)


def _conv_max_pool(
    xp: Any, x: Any, w: Any, *b: Any, pool: dict[str, Any], epilogue: str = "", **how: Any
) -> Any:
    """max_pool of conv, or of conv_affine where there is a bias, and max_pool_index."""
    y = Op.table["conv_affine" if b else "conv"].forward(xp, x, w, *b, **how)
    y = Op.table[epilogue].forward(xp, y) if epilogue else y
    z = Op.table["max_pool"].forward(xp, y, **pool)
    return z, Op.table["max_pool_index"].forward(xp, y, z, **pool)


def _fused(name: str, forward: Any, outputs: tuple[str, ...] = ()) -> Op:
    """An operation that only a program has: it is no entry of the op table."""
    forward.__name__ = name
    made = Op(forward, samples=(), outputs=outputs)
    return Op.table.pop(made.name)


TO_IMAGE = _fused("conv_transpose_of_put", _conv_transpose_of_put)
TO_KERNEL = _fused("conv_kernel_of_put", _conv_kernel_of_put)
POOLED = _fused("conv_max_pool", _conv_max_pool, ("y", "index"))


def with_pools(program: Program) -> Program:
    """The program with max pools, and their gradients, drawn into convolutions."""
    return _pooled(dead_code(_unpooled(program)))


def _pooled(program: Program) -> Program:
    """The program with `max_pool` drawn into the convolution that nobody else reads."""
    made, uses, ends = program.made_by(), program.uses(), set(program.ends())
    gone: set[Step] = set()
    for step in program.steps:
        before = made.get(step.inputs[0]) if step.op.name == "max_pool" else None
        if before is None or before.op.name not in ("conv", "conv_affine"):
            continue
        a, z = before.output, step.output
        others = [s for s in uses[a] if s is not step]
        places = [s for s in others if s.op.name == "max_pool_index" and s.inputs == (a, z)]
        if a in ends or len(others) > 1 or len(places) < len(others):
            continue
        index = places[0].output if places else program.new(z.shape, "uint8")
        params = {**before.params, "pool": step.params}
        operands = [
            [packed(v.shape, v.dtype or "") for v in vs] for vs in (before.inputs, (z, index))
        ]
        request = Request(POOLED.name, tuple(operands[0]), tuple(operands[1]), params)
        if LOWERED[POOLED.name](request, processor.target()) is not None:
            before.op, before.params, before.outputs = POOLED, params, (z, index)
            gone |= {step, *places}
    program.steps = [step for step in program.steps if step not in gone]
    return program


def _unpooled(program: Program) -> Program:
    """The program with `pool_put` drawn into the gradients of the convolution that read it."""
    made, uses = program.made_by(), program.uses()
    puts = {s.output: s for s in program.steps if s.op.name == "pool_put"}
    if not puts:
        return program
    steps: list[Step] = []
    for step in program.steps:
        new = [step]
        if step.op.name == "mul":
            new = _masked(program, step, puts, made)
            if new[-1].op.name == "pool_put":
                puts[step.output] = new[-1]
        elif step.op.name == "reshape" and step.inputs[0] in puts:
            new = _summed(program, step, puts[step.inputs[0]], uses)
        elif step.op.name == "conv_transpose" and step.inputs[0] in puts:
            _draw_into_image(step, puts[step.inputs[0]])
        elif step.op.name == "conv_kernel" and step.inputs[1] in puts:
            _draw_into_kernel(step, puts[step.inputs[1]])
        steps += new
    program.steps = steps
    return program


def _masked(
    program: Program, step: Step, puts: dict[Var, Step], made: dict[Var, Step]
) -> list[Step]:
    """put(g) · sign(x) as put(g · sign(y)), where y is the largest element of x in each window."""
    for d, s in (step.inputs, step.inputs[::-1]):
        put, sign = puts.get(d), made.get(s)
        if put is None or sign is None or sign.op.name != "sign":
            continue
        g, index = put.inputs
        found = made.get(index)
        if (
            found is None
            or found.op.name != "max_pool_index"
            or found.inputs[0] is not sign.inputs[0]
        ):
            continue
        y = found.inputs[1]
        if not y.dtype == g.dtype == step.output.dtype:
            continue
        chosen, flowing = program.new(y.shape, y.dtype), program.new(g.shape, g.dtype)
        return [
            Step(sign.op, (y,), sign.params, (chosen,), sign.place),
            Step(step.op, (g, chosen), step.params, (flowing,), step.place),
            Step(put.op, (flowing, index), put.params, step.outputs, put.place),
        ]
    return [step]


def _summed(program: Program, step: Step, put: Step, uses: dict[Var, list[Step]]) -> list[Step]:
    """For Σ put(g) over all but channels, the rows of g behind those of put(g)."""
    z, (g, _) = step.output, put.inputs
    sums = [s for s in uses.get(z, ()) if s.op.name == "sum" and s.params["axis"] in (0, (0,))]
    if len(z.shape) != 2 or z.shape[1] != g.shape[-1] or any(map(any, put.params["padding"])):
        return [step]
    rows = program.new((g.size // g.shape[-1], g.shape[-1]), g.dtype)
    for s in sums:
        s.inputs = (rows,)
    return [step, Step(step.op, (g,), {"shape": rows.shape}, (rows,), step.place)]


def _draw_into_image(step: Step, put: Step) -> None:
    w = step.inputs[1]
    if _pays((*put.output.shape[:1], *step.output.shape[1:]), w.shape[:-2], step, put):
        step.op, step.inputs = TO_IMAGE, (*put.inputs, w)
        step.params = {**step.params, "pool": put.params}


def _draw_into_kernel(step: Step, put: Step) -> None:
    x = step.inputs[0]
    if _pays(x.shape, step.params["size"], step, put):
        step.op, step.inputs = TO_KERNEL, (x, *put.inputs)
        step.params = {**step.params, "pool": put.params}


def _pays(x: tuple[int, ...], size: tuple[int, ...], step: Step, put: Step) -> bool:
    floats = all(v.dtype in ("float32", "float64") for v in (*step.inputs, step.output))
    return (
        floats and put.inputs[1].dtype == "uint8"
        and conv_pooled.pays(x, size, step.params, put.params)
    )  # fmt: skip
