"""On a GPU: the suite of every device, and what only a GPU can show. Run with `make gpu`."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from device_suite import DeviceSuite, tensors

import backends
from autograd import Tensor, random
from autograd.ops import linear as l

pytestmark = pytest.mark.gpu


class TestCupy(DeviceSuite):
    """Sums in another order and another exp: results agree to some last bits of their dtype."""

    device = "cupy"
    tolerance: ClassVar = {"float16": 1e-2, "bfloat16": 6e-2, "float32": 3e-5, "float64": 1e-12}
    last_wins = False


@pytest.fixture
def xp() -> Any:
    return backends.get("cupy")


def test_memory_is_told_and_given_back(xp: Any) -> None:
    before = xp.memory()
    x = Tensor(np.zeros(2**20, "float32"), backend="cupy")
    during = xp.memory()
    assert during["used"] - before["used"] == x.raw.nbytes == 2**22
    assert during["used"] <= during["held"] <= during["total"]
    assert 0 < during["free"] <= during["total"]
    del x
    xp.synchronize()
    assert xp.memory()["used"] == before["used"]


def test_cupy_arrays_come_in_as_they_are(xp: Any) -> None:
    raw = xp.arange(6, dtype="float32").reshape(2, 3)
    x = Tensor.of(raw)
    assert x.backend == "cupy"
    assert x.raw is raw
    y = Tensor(raw)
    raw += 1
    assert y.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_mixing_bare_arrays_is_refused_by_cupy_too(xp: Any) -> None:
    with pytest.raises(TypeError):
        xp.ones(3) + np.ones(3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_large_products_agree(dtype: str) -> None:
    numbers = np.random.default_rng(3)
    a, b = (numbers.normal(size=s) for s in ((8, 65, 130), (8, 130, 33)))
    given = [m.astype(backends.dtype(dtype)) for m in (a, b)]
    exact = given[0].astype("float64") @ given[1].astype("float64")
    x, y = tensors(given, "cupy")
    for found, expected in ((x @ y, exact), (x[0] @ y[0], exact[0])):
        assert found.dtype == x.dtype
        error = np.abs(found.numpy().astype("float64") - expected).max()
        assert error < {"float16": 0.05, "bfloat16": 0.4, "float32": 1e-4}[dtype]


def test_scatter_add_of_many_to_one(xp: Any) -> None:
    index = np.zeros(100_000, "int64")
    x, i, y = tensors([np.zeros(4, "float32"), index, np.ones(100_000, "float32")], "cupy")
    z = x.scatter_add(0, i, y)
    assert z.tolist() == [100_000, 0, 0, 0]
    z.sum().backward()
    assert y.grad is not None
    assert y.grad.numpy().min() == 1


def test_a_whole_epoch_stays_near_numpy() -> None:
    """Two hundred steps of a net of two layers end at the same loss, within a per mille."""
    losses = {}
    for device in ("numpy", "cupy"):
        random.seed(0)
        with backends.using(device):
            x = random.normal((256, 20))
            w = random.normal((20, 64), std=0.3).requires_grad_()
            v = random.normal((64, 5), std=0.3).requires_grad_()
            target = (x @ random.normal((20, 5))).argmax(1)
            for _ in range(200):
                loss = l.softmax_cross_entropy((x @ w).relu() @ v, target).mean()
                loss.backward()
                for p in (w, v):
                    assert p.grad is not None
                    p.assign(p.detach() - 0.2 * p.grad)
                    p.zero_grad()
            losses[device] = loss.item()
    assert losses["cupy"] == pytest.approx(losses["numpy"], rel=1e-3)
    assert losses["numpy"] < 0.3
