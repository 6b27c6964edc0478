"""Compiled functions of arrays that live elsewhere: replayed there, with no hidden transfer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import backends
import nn
from autograd import Tensor
from autograd.jit import CaptureError


def trained(wrap: Callable[[Any], Any], backend: str) -> list[float]:
    """Losses of some steps on a backend, with dropout, norms and Adam."""
    with backends.using(backend):
        autograd.seed(0)
        model = nn.Sequential([
            nn.Dense(8, activation="relu", input_shape=(4,)),
            nn.LayerNorm(),
            nn.Dropout(0.2),
            nn.Dense(3),
        ])  # fmt: skip
        optimizer = nn.Adam(model.parameters())
        loss_of = nn.SparseCategoricalCrossentropy(from_logits=True)
        x = Tensor(np.random.default_rng(0).standard_normal((6, 4)).astype("float32"))
        y = Tensor(np.array([0, 1, 2, 0, 1, 2]))

        def step(x: Tensor, y: Tensor) -> Tensor:
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        call = wrap(step)
        losses = [call(x, y).item() for _ in range(6)]
        if call is not step:
            assert call.last[1].kind == ("native" if backend == "numpy" else "replay")
        return losses


@pytest.mark.parametrize(
    "backend", ["numpy", "strict", pytest.param("cupy", marks=pytest.mark.gpu)]
)  # fmt: skip
def test_a_step_is_the_uncompiled_one_wherever_it_runs(backend: str) -> None:
    found = trained(autograd.jit, backend)
    np.testing.assert_allclose(found, trained(lambda f: f, backend), rtol=1e-5)
    np.testing.assert_allclose(found, trained(lambda f: f, "numpy"), rtol=1e-4)


def test_arrays_of_two_backends_are_refused() -> None:
    @autograd.jit
    def moved(x: Tensor) -> Tensor:
        return x.to("strict").exp().to("numpy")

    with pytest.raises(CaptureError, match="numpy and strict"):
        moved(Tensor([1.0]))
