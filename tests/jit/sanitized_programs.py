"""Run compiled programs of every family with C that checks itself: see `test_sanitized.py`.

Called as a program of its own, with the sanitizers' library loaded before anything else.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from typing import Any

import numpy as np
from compiled import assert_near, compiled, running, specialisations
from op_cases import OPS
from random_programs import random_program
from test_layers_compiled import CASES, assert_same, trained
from test_ops_compiled import _arguments, _function
from test_programs import _check

import autograd
import nn
from autograd import Tensor
from autograd.errors import ShapeError
from autograd.jit import jit, native
from autograd.jit.build import build

FLAGS = ["-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]

LAYERS = ["Dropout", "BatchNorm", "Conv2D", "LSTM", "GPT"]
"""Layers that train together with the kernels of an optimizer."""

GROUPS = {
    "elementwise": [op.name for op in OPS if op.elementwise],
    "others": [op.name for op in OPS if not op.elementwise],
}


def ops(names: list[str]) -> None:
    """All cases of some ops and their gradients, in one program."""
    chosen = [op for op in OPS if op.name in names]
    functions = [_function(op, order=1) for op in chosen]

    def function(*given: Any) -> list[Any]:
        return [f(*pair) for f, pair in zip(functions, given, strict=True)]

    first, more = ([_arguments(op, "float32", 1, seed) for op in chosen] for seed in (0, 100))
    step = compiled(function, "native", *first)
    assert_near(step(*more), function(*more), 1e-4)


def odd_sizes() -> None:
    """Products, convolutions and reductions with tails of every length."""
    draws = np.random.default_rng(0)

    def drawn(*shape: int) -> Tensor:
        return Tensor(draws.normal(size=shape).astype("float32"), requires_grad=True)

    for n, m, k in ((1, 1, 1), (7, 13, 5), (33, 65, 17), (130, 70, 67)):

        def function(x: Tensor, w: Tensor, u: Tensor, v: Tensor) -> Any:
            z = (x @ w).tanh()
            loss = (z.softmax(axis=-1) * z).sum() + (x.sum(axis=0) * w.sum(axis=1)).sum()
            return [z, z @ v, u @ w, *autograd.gradients(loss, [x, w])]

        given = drawn(n, m), drawn(m, k), drawn(m), drawn(k)
        step = compiled(function, "native", *given)
        assert_near(step(*given), function(*given), 1e-4)
    plain = partial(nn.Conv2D, kernel_size=3, padding="same", activation="relu")
    for side, channels, layer in (
        (9, 1, plain(3)),
        (12, 16, plain(16)),
        (14, 5, plain(33)),
        (13, 17, nn.Sequential([plain(35), nn.MaxPool2D(2)])),
        (11, 50, nn.Sequential([nn.Conv2D(70, (2, 5)), nn.MaxPool2D(3, strides=2)])),
    ):
        x = drawn(2, side, side, channels)
        layer(x)
        weights = list(layer.parameters())

        def convolved(x: Tensor, layer: Any = layer, weights: Any = weights) -> Any:
            z = layer(x)
            return [z, *autograd.gradients((z * z).sum(), [x, *weights])]

        assert_near(compiled(convolved, "native", x)(x), convolved(x), 1e-3)


def wrong_labels() -> None:
    """Indices out of range are noticed before anything is read or written there."""
    table = Tensor(np.ones((5, 300), "float32"))
    step = jit(lambda i: autograd.embedding(table, i) * 2)
    with running("native"):
        for labels in ([0, 1], [2, 4], [5, 0], [-1, 3], [10**12, 0]):
            i = Tensor(np.array(labels))
            try:
                step(i)
            except ShapeError:
                assert not 0 <= min(labels) <= max(labels) < 5
    assert len(specialisations(step)) == 1


def main(what: str) -> None:
    """Run one group of programs."""
    native.build = partial(build, flags=FLAGS)  # type: ignore[attr-defined]
    np.seterr(all="ignore")
    if what in GROUPS:
        ops(GROUPS[what])
    elif what == "layers":
        for name in LAYERS:
            build_, make = CASES[name]
            assert_same(trained(build_, make, "native"), trained(build_, make, "off"))
    elif what == "programs":
        choices = [random.Random(seed) for seed in range(12)]
        _check([random_program(c.randrange, c.random() < 0.5, 25) for c in choices], "native")
    else:
        odd_sizes()
        wrong_labels()
    print("all is well")


if __name__ == "__main__":
    main(sys.argv[1])
