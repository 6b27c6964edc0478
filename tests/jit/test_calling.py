"""Which kernels are shared out among threads."""

from __future__ import annotations

import re

import numpy as np
from compiled import compiled, needs_compiler, specialisations

import autograd
from autograd import Tensor


@needs_compiler
def test_small_kernels_are_shared_where_large_ones_keep_the_threads_awake() -> None:
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((200, 400)).astype("f4"))

    def shared(size: int) -> list[str]:
        w = Tensor(rng.standard_normal((400, size)).astype("f4"))
        made = compiled(lambda x: ((x @ w).sum(), autograd.tanh(x) * x), "native", x)
        source = specialisations(made)[0].runner.source
        return re.findall(r"    parallel\((\w+?)_", source)

    assert shared(4) == []
    assert set(shared(400)) == {"matmul", "tanh"}
