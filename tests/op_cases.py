"""Every op of the table with inputs to try it on: its samples, its shapes, its domain's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd.functions  # noqa: F401  (enters the last ops into the table)
from autograd import Tensor
from autograd.node import Op
from autograd.ops.index import HERE

Spec = tuple[int, ...] | list[Any]
"""A shape to fill with numbers, or the very numbers of an index."""

SHAPES: dict[int, tuple[tuple[tuple[int, ...], ...], ...]] = {
    1: (((2, 3),), ((),), ((0, 3),)),
    2: (((2, 3), (2, 3)), ((2, 3), (3,)), ((1, 3), (2, 1)), ((), (2, 3)), ((2, 3), (1, 1)),
        ((), ()), ((0, 3), (3,)), ((2, 0), (1, 1))),
    3: (((2, 3), (2, 3), (2, 3)), ((3,), (2, 1), ()), ((2, 1), (), (1, 3)), ((), (), ()),
        ((0, 3), (3,), ())),
}  # fmt: skip
"""What elementwise ops of one, two and three inputs are tried on."""

Params = dict[str, Any]
MORE: dict[str, tuple[tuple[Params, tuple[Spec, ...]], ...]] = {
    "sum": (({}, ((),)), ({"axis": 0}, ((0, 3),)), ({"axis": (0, -1)}, ((2, 3, 2),)),
            ({"axis": ()}, ((2, 3),))),
    "mean": (({}, ((),)), ({"axis": (0, -1)}, ((2, 3, 2),)), ({"axis": ()}, ((2, 3),))),
    "var": (({}, ((),)), ({"axis": (-1,), "keepdims": True}, ((2, 3),))),
    "std": (({"axis": (1,), "ddof": 1}, ((2, 3),)),),
    "norm": (({}, ((),)), ({}, ((3,),))),
    "max": (({}, ((),)), ({"axis": (0, -1)}, ((2, 3, 2),))),
    "min": (({}, ((),)), ({"axis": -2, "keepdims": True}, ((2, 3, 2),))),
    "prod": (({}, ((),)), ({"axis": 0}, ((0, 3),)), ({"axis": 1}, ((3, 1),)),
             ({"axis": (0, -1)}, ((2, 3, 2),))),
    "cumsum": (({"axis": 1}, ((2, 3, 2),)), ({"axis": 0}, ((0, 3),))),
    "cumprod": (({"axis": 1}, ((2, 3, 2),)), ({"axis": 0}, ((1,),)), ({"axis": 0}, ((0, 3),))),
    "logsumexp": (({}, ((),)), ({"axis": (0, -1)}, ((2, 3, 2),))),
    "softmax": (({"axis": 1}, ((2, 3, 2),)),),
    "log_softmax": (({"axis": 1}, ((2, 3, 2),)),),
    "argmax": (({"axis": 1, "keepdims": True}, ((2, 3),)),),
    "argsort": (({"descending": True}, ((2, 5),)),),
    "reshape": (({"shape": ()}, ((1, 1),)), ({"shape": (3, 0)}, ((0, 2),))),
    "transpose": (({"axes": (-1, 0, 1)}, ((2, 3, 4),)), ({"axes": None}, ((),))),
    "broadcast_to": (({"shape": (2, 3)}, ((),)), ({"shape": (0, 3)}, ((1, 3),)),
                     ({"shape": (2, 1)}, ((1,),))),
    "sum_to": (({"shape": ()}, ((2, 3),)), ({"shape": (1, 3)}, ((0, 3),)),
               ({"shape": (2, 3)}, ((2, 3),))),
    "flip": (({}, ((),)), ({"axis": -1}, ((2, 3),))),
    "roll": (({"shift": 4}, ((2, 3),)), ({"shift": -1, "axis": -1}, ((2, 3),))),
    "pad": (({"width": ((0, 0), (0, 2))}, ((0, 3),)),),
    "concatenate": (({"axis": -1}, ((2, 3), (2, 0), (2, 1))), ({"axis": 0}, ((2,),))),
    "getitem": (
        ({"pattern": (HERE, HERE)}, ((3, 4), [2, 0, 2], [1, 1, 1])),
        ({"pattern": (HERE, slice(None), HERE)}, ((2, 3, 4), [1, 0], [[3], [3]])),
        ({"pattern": (HERE,)}, ((2, 2), [[True, False], [True, True]])),
        ({"pattern": (slice(None), HERE)}, ((2, 3), [True, False, True])),
        ({"pattern": (Ellipsis, HERE, None)}, ((2, 3), [-1, 0])),
        ({"pattern": (1, 2)}, ((3, 4),)),
    ),
    "putitem": (
        ({"pattern": (HERE,), "shape": (2, 2)}, ((3,), [[True, False], [True, True]])),
        ({"pattern": (HERE, HERE), "shape": (3, 4)}, ((3,), [2, 0, 2], [1, 1, 1])),
        ({"pattern": (1, 2), "shape": (3, 4)}, ((),)),
    ),
    "setitem": (
        ({"pattern": (HERE,)}, ((2, 2), (3,), [[True, False], [True, True]])),
        ({"pattern": (slice(None), 1)}, ((3, 4), ())),
        ({"pattern": (HERE,)}, ((3, 4), (4,), [2, 0])),
        ({"pattern": (HERE,)}, ((3, 4), (3, 4), [2, 0, 2])),
    ),
    "additem": (
        ({"pattern": (HERE,)}, ((2, 2), (3,), [[True, False], [True, True]])),
        ({"pattern": (HERE,)}, ((3, 4), (4,), [2, 2])),
        ({"pattern": (slice(1, None),)}, ((3, 4), ())),
    ),
    "gather": (({"axis": -1}, ((2, 3), [[1], [-1]])),),
    "matmul": (({}, ((3,), (5, 3, 4))), ({}, ((5, 2, 3), (3,))), ({}, ((2, 3), (5, 3, 4))),
               ({}, ((2, 1, 2, 3), (5, 3, 4))), ({}, ((0, 3), (3, 4))), ({}, ((2, 0), (0, 4)))),
    "affine": (({}, ((3,), (3, 4), (4,))), ({}, ((2, 3), (3, 4), ())),
               ({}, ((0, 3), (3, 4), (4,)))),
    "einsum": (({"subscripts": "ij->"}, ((2, 3),)), ({"subscripts": "ij->ji"}, ((2, 3),)),
               ({"subscripts": "i,j,k->kij"}, ((2,), (3,), (2,))),
               ({"subscripts": "bij,bjk->ik"}, ((2, 2, 3), (2, 3, 2)))),
    "softmax_cross_entropy": (({}, ((2, 2, 3), [[0, 2], [1, 1]])), ({}, ((3,), 1))),
    "one_hot": (({"classes": 3, "dtype": "float64"}, ([[0, 2], [1, 1]],)),),
}  # fmt: skip
"""Corners that an entry's own samples leave out: 0-d, no elements, several axes, index twice."""


@dataclass(frozen=True)
class Case:
    """One op, its params and what its inputs are."""

    op: Op
    specs: tuple[Spec, ...]
    params: Params = field(default_factory=dict)

    def draw(self, dtype: Any = "float64", seed: int = 0) -> list[Any]:
        """Arrays for the inputs, drawn from the op's domain; conditions and indices as they are."""
        random = np.random.default_rng(seed)
        names = [*self.op.inputs, *[self.op.inputs[-1]] * len(self.specs)]
        arrays = []
        for i, (name, spec) in enumerate(zip(names, self.specs, strict=False)):
            if not isinstance(spec, tuple):
                arrays.append(np.array(spec))
            elif name == "condition":
                arrays.append(random.random(spec) < 0.5)
            else:
                low, high = domain(self.op, i)
                arrays.append(np.asarray(random.uniform(low, high, spec)).astype(dtype))
        return arrays

    def __call__(self, *inputs: Any) -> Any:
        """The op's result; several as one, flat and one behind the other."""
        z = self.op(*inputs, **self.params)
        return in_one(z) if isinstance(z, tuple) else z

    def __str__(self) -> str:
        told = [str(list(s)) if isinstance(s, tuple) else "index" for s in self.specs]
        params = [f"{k}={v}".replace(" ", "") for k, v in self.params.items()]
        return "-".join([self.op.name, *told, *params])


def in_one(results: tuple[Any, ...]) -> Any:
    """Several results, those of floats, flat and one behind the other."""
    floats = [z for z in results if z.dtype.kind not in "iub"]
    if isinstance(floats[0], Tensor):
        return autograd.functions.concatenate([z.reshape(-1) for z in floats])
    return np.concatenate([z.reshape(-1) for z in floats])


def domain(op: Op, place: int) -> tuple[float, float]:
    """The interval that numbers for one input of an op are drawn from."""
    given: Any = op.domain
    return given[place] if isinstance(given[0], tuple) else given


def cases(op: Op) -> list[Case]:
    """Everything that an op is tried on."""
    if op.elementwise:
        shapes = SHAPES[len(op.inputs)]
        return [Case(op, specs, params) for params in op.samples for specs in shapes]
    return [
        *(Case(op, specs, params) for params, specs in zip(op.samples, op.shapes, strict=True)),
        *(Case(op, specs, params) for params, specs in MORE.get(op.name, ())),
    ]


OPS = [op for op in Op.table.values() if op.samples]
CASES = [case for op in OPS for case in cases(op)]
SMOOTH = [case for case in CASES if case.op.differentiable]


def tensors(arrays: list[Any], requires_grad: bool = False) -> list[Tensor]:
    """The arrays as tensors that, where they hold floats, ask for a gradient."""
    floats = [a.dtype.kind == "f" or a.dtype.name == "bfloat16" for a in arrays]
    return [
        Tensor(a, dtype=a.dtype, requires_grad=requires_grad and f)
        for a, f in zip(arrays, floats, strict=True)
    ]
