"""Every op of the table with inputs to try it on: its samples, its shapes, its domain's numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import autograd.functions
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


def _windows(axes: int = 1, **more: Any) -> Params:
    """The params of a convolution whose windows lie side by side, without padding."""
    plain = {"stride": (1,) * axes, "padding": ((0, 0),) * axes, "dilation": (1,) * axes}
    return {**plain, **more}


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
    "attention": (({}, ((2, 3), (0, 3), (0, 2), ())), ({}, ((0, 3), (4, 3), (4, 2), (1, 4))),
                  ({"causal": True}, ((2, 1, 1, 3, 2), (2, 1, 1, 5, 2), (2, 1, 1, 5, 1), (3, 5)))),
    "rotary": (({}, ((0, 3, 2), [4, 5, 6])),),
    "softmax_cross_entropy": (({}, ((2, 2, 3), [[0, 2], [1, 1]])), ({}, ((3,), 1))),
    "softmax_cross_entropy_grad": (({}, ((2, 2), (2, 2, 3), [[0, 2], [1, 1]])),
                                   ({}, ((), (3,), 1))),
    "embedding": (({}, ((3, 2), 1)), ({}, ((3,), [[2, 0], [2, 2]])), ({}, ((2, 0, 3), [1, 1]))),
    "putrows": (({"rows": 3}, ((2,), 1)), ({"rows": 3}, ((2, 2), [[2, 0], [2, 2]])),
                ({"rows": 4}, ((0, 3), np.zeros(0, int)))),
    "lstm": (({}, ((0, 2, 2), (2, 4), (1, 4), (4,), (0, 1), (0, 1))),
             ({}, ((1, 1, 1), (1, 8), (2, 8), (8,), (1, 2), (1, 2)))),
    "gru": (({}, ((0, 2, 2), (2, 3), (1, 3), (2, 3), (0, 1))),),
    "rnn": (({"activation": "relu"}, ((2, 2, 2), (2, 3), (3, 3), (3,), (2, 3))),
            ({}, ((0, 2, 2), (2, 1), (1, 1), (1,), (0, 1)))),
    "one_hot": (({"classes": 3, "dtype": "float64"}, ([[0, 2], [1, 1]],)),),
    "conv": (
        (_windows(groups=1), ((0, 4, 2), (3, 2, 3))),
        (_windows(axes=3, groups=1), ((1, 3, 2, 3, 2), (2, 2, 2, 2, 1))),
        (_windows(axes=2, groups=3), ((1, 3, 4, 3), (2, 2, 1, 6))),
        (_windows(axes=2, groups=2), ((1, 2, 3, 8), (1, 1, 4, 2))),
        ({"stride": (3,), "padding": ((2, 4),), "dilation": (2,), "groups": 1},
         ((1, 4, 5), (2, 5, 1))),
    ),
    "conv_transpose": (
        (_windows(groups=1, shape=(4,)), ((0, 2, 3), (3, 2, 3))),
        ({**_windows(groups=1, shape=(9,)), "stride": (3,)}, ((1, 3, 2), (2, 1, 2))),
        (_windows(axes=2, groups=2, shape=(3, 3)), ((1, 2, 2, 4), (2, 2, 4, 4))),
    ),
    "conv_kernel": (
        (_windows(groups=1, size=(3,)), ((0, 4, 2), (0, 2, 3))),
        (_windows(axes=2, groups=3, size=(2, 2)), ((1, 3, 4, 3), (1, 2, 3, 6))),
    ),
    "max_pool": (
        ({"size": (2, 1, 2), "stride": (2, 1, 1), "padding": ((0, 0),) * 3}, ((1, 2, 2, 3, 1),)),
        ({"size": (2,), "stride": (3,), "padding": ((1, 1),)}, ((1, 6, 2),)),
    ),
    "sum_pool": (({"size": (2,), "stride": (3,), "padding": ((1, 1),)}, ((0, 6, 2),)),),
}  # fmt: skip
"""Corners that an entry's own samples leave out: 0-d, no elements, several axes, index twice."""


def _ruled_by_its_diagonal(x: Any) -> Any:
    """A matrix that is far from singular; its symmetric part has positive eigenvalues, apart."""
    m, n = x.shape[-2:]
    return x + np.eye(m, n) * 4 * np.arange(1, n + 1)


FORMED: dict[str, Callable[[Any], Any]] = dict.fromkeys(
    "inv solve det cofactor slogdet cholesky eigh svd qr".split(), _ruled_by_its_diagonal
)
"""How the first input of an op is formed from random numbers, where not any will do."""


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
                numbers = np.asarray(random.uniform(low, high, spec))
                formed = FORMED.get(self.op.name) if i == 0 else None
                arrays.append((formed(numbers) if formed else numbers).astype(dtype))
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
