"""Normalisation: the fused operations against their definitions, the layers against formulas."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, grad, hvp, random
from autograd.errors import DTypeError, ShapeError
from autograd.ops import normalize
from nn.mode import training


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(3)


def array(*shape: int, seed: int = 0, mean: float = 0.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=shape) + mean).astype("f")


# --- operations ---

FUSED: dict[str, tuple[Any, Any, tuple[tuple[int, ...], ...]]] = {
    "standardize": (normalize.standardize_grad, normalize._standardize_grad, ((5, 2, 3),)),
    "layer_norm": (normalize.layer_norm_grad, normalize._layer_norm_grad, ((5, 2, 3), (3,), (3,))),
    "rms_norm": (normalize.rms_norm_grad, normalize._rms_norm_grad, ((5, 2, 3), (3,))),
    "batch_norm": (normalize.batch_norm_grad, normalize._batch_norm_grad, ((5, 2, 3), (3,), (3,))),
}


@pytest.mark.parametrize("name", FUSED)
def test_a_fused_gradient_computes_what_defines_its_own_gradients(name: str) -> None:
    fused, defined, shapes = FUSED[name]
    op = getattr(normalize, name)
    xs = [array(*s, seed=i).astype("f8") for i, s in enumerate(shapes)]
    results = op.forward(np, *xs, eps=0.01)
    first = 0 if name == "standardize" else 1
    outputs = results[: len(op.outputs)]
    gs = [array(*z.shape, seed=9 + i).astype("f8") for i, z in enumerate(outputs)]
    args = (*gs, *results[first:], *xs[: len(fused.inputs) - len(gs) - len(results[first:])])
    one, other = fused(*args, eps=0.01), defined(*map(Tensor, args), eps=0.01)
    pairs = zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]
    for a, b in pairs:
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-10, atol=1e-12)


def test_gradients_of_any_order() -> None:
    x, v = Tensor(array(4, 3), dtype="float64"), Tensor(array(4, 3, seed=1), dtype="float64")
    one, zero = Tensor(np.ones(3)), Tensor(np.zeros(3))

    def fused(x: Tensor) -> Tensor:
        return (normalize.layer_norm(x, one, zero, eps=0.1) ** 3).sum()

    def plain(x: Tensor) -> Tensor:
        y = x - x.mean(axis=-1, keepdims=True)
        return ((y / (y.var(axis=-1, keepdims=True) + 0.1).sqrt()) ** 3).sum()

    third = [grad(lambda x, f=f: (hvp(f, x, v) ** 2).sum())(x) for f in (fused, plain)]
    np.testing.assert_allclose(third[0].numpy(), third[1].numpy(), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_has_its_statistics_in_float32(dtype: str) -> None:
    x = Tensor(array(8, 64, mean=30.0) * 20, dtype=dtype)  # whose squares no float16 can hold
    w, b = Tensor(np.ones(64), dtype=dtype), Tensor(np.zeros(64), dtype=dtype)
    rough = {"float16": 5e-3, "bfloat16": 4e-2}[dtype]
    exact = x.raw.astype("f8")
    for op, axis in ((normalize.layer_norm, -1), (normalize.batch_norm, 0)):
        z = op(x, w, b, eps=1e-3)
        z = z[0] if isinstance(z, tuple) else z
        expected = (exact - exact.mean(axis, keepdims=True)) / exact.std(axis, keepdims=True)
        assert str(z.dtype) == dtype
        np.testing.assert_allclose(z.raw.astype("f8"), expected, atol=3 * rough)
    root = np.sqrt((exact**2).mean(-1, keepdims=True))
    z = normalize.rms_norm(x, w).raw.astype("f8")
    np.testing.assert_allclose(z, exact / root, rtol=2 * rough)


@pytest.mark.parametrize("shape", [(6, 3), (64, 3), (96, 8), (2, 4, 4, 2), (1, 600)])
def test_few_channels_are_folded_without_changing_a_thing(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    axes = tuple(range(len(shape) - 1))
    w, b = array(shape[-1], seed=1), array(shape[-1], seed=2)
    z, mean, var = normalize.batch_norm(x, w, b, eps=0.01)
    np.testing.assert_allclose(mean, x.mean(axes), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var, x.var(axes), rtol=1e-5, atol=1e-6)
    expected = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 0.01) * w + b
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)


def test_a_weight_that_does_not_fit_is_told() -> None:
    with pytest.raises(ShapeError, match=r"layer_norm: x \(2, 3\) has 3 features.*\(2,\)"):
        normalize.layer_norm(Tensor(array(2, 3)), Tensor(array(2)), Tensor(array(3)))


# --- batch norm ---


def test_batch_norm_standardises_each_channel_and_follows_the_statistics() -> None:
    layer = nn.BatchNorm(momentum=0.9)
    x = array(8, 5, 5, 3, mean=2.0)
    z = layer(Tensor(x)).numpy()
    np.testing.assert_allclose(z.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std((0, 1, 2)), 1, atol=1e-3)
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.1 * x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.9 + 0.1 * x.var((0, 1, 2)), rtol=1e-5)
    assert not layer.running_mean.requires_grad


def test_outside_training_the_running_statistics_serve_and_stay() -> None:
    layer = nn.BatchNorm(input_shape=(3,)).eval()
    layer.running_mean.assign(array(3))
    layer.running_var.assign(np.array([4.0, 1.0, 0.25], "f"))
    layer.weight.assign(array(3, seed=1))
    layer.bias.assign(array(3, seed=2))
    x, before = array(5, 3, seed=3), layer.state_dict()
    z = layer(Tensor(x)).numpy()
    scale = before["weight"] / np.sqrt(before["running_var"] + 1e-3)
    np.testing.assert_allclose(
        z, (x - before["running_mean"]) * scale + before["bias"], rtol=1e-5, atol=1e-6
    )
    after = layer.state_dict()
    for key, old in before.items():
        np.testing.assert_array_equal(after[key], old)


@pytest.mark.parametrize("affine", [True, False])
def test_a_frozen_batch_norm_uses_running_statistics_and_says_so(affine: bool) -> None:
    model = nn.Sequential([
        nn.Dense(3, input_shape=(2,)), nn.BatchNorm(center=affine, scale=affine), nn.Dense(1),
    ])  # fmt: skip
    model.build((2,))
    x = Tensor(array(4, 2))
    model[1].freeze()
    with training(True):
        frozen = model(x).numpy()
    with training(False):
        np.testing.assert_array_equal(model(x).numpy(), frozen)
    np.testing.assert_array_equal(model[1].running_mean.numpy(), np.zeros(3, "f"))
    row = next(row for row in str(model.summary()).splitlines() if "BatchNorm" in row)
    assert "frozen: uses running statistics" in row
    model.unfreeze()
    with training(True):
        assert not np.array_equal(model(x).numpy(), frozen)
    assert "frozen" not in str(model.summary())


def test_freezing_all_of_a_model_freezes_its_batch_norms() -> None:
    model = nn.Sequential([nn.Dense(3, input_shape=(2,)), nn.BatchNorm(center=False, scale=False)])
    model.build((2,))
    model.freeze()
    with training(True):
        model(Tensor(array(4, 2)))
    np.testing.assert_array_equal(model[1].running_var.numpy(), np.ones(3, "f"))


def test_one_sample_cannot_be_trained_on() -> None:
    model = nn.Sequential([nn.Dense(3, input_shape=(2,)), nn.BatchNorm()])
    model.build((2,))
    with pytest.raises(
        ShapeError, match=r"1 \(BatchNorm\).*no variance[^$]*\(1, 3\)[^$]*LayerNorm"
    ):
        model(Tensor(array(1, 2)))
    assert model.eval()(Tensor(array(1, 2))).shape == (1, 3)
    assert nn.BatchNorm()(Tensor(array(1, 4, 4, 2))).shape == (1, 4, 4, 2)


def test_the_statistics_are_saved_and_loaded() -> None:
    layer, other = nn.BatchNorm(), nn.BatchNorm()
    layer(Tensor(array(4, 3)))
    assert [path for path, _ in layer.named_buffers()] == ["running_mean", "running_var"]
    other.load_state_dict(layer.state_dict())
    np.testing.assert_array_equal(other.running_var.numpy(), layer.running_var.numpy())


@pytest.mark.parametrize(("center", "scale"), [(True, False), (False, True), (False, False)])
def test_without_weight_or_bias(center: bool, scale: bool) -> None:
    for layer in (nn.BatchNorm(center=center, scale=scale), nn.LayerNorm(0.1, center, scale)):
        for on in (True, False):
            with training(on):
                assert layer(Tensor(array(4, 3))).shape == (4, 3)
        assert (layer.weight is None, layer.bias is None) == (not scale, not center)
        assert len(layer.parameters()) == center + scale


def test_batch_norm_trains() -> None:
    x = array(64, 4) * [1, 10, 100, 0.1]
    y = (x[:, :1] > 0).astype("f")
    model = nn.Sequential([nn.BatchNorm(input_shape=(4,)), nn.Dense(8, "relu"), nn.Dense(1)])
    model.compile(optimizer=nn.Adam(lr=0.02), loss=nn.BinaryCrossentropy(from_logits=True))
    losses = model.fit(x.astype("f"), y, epochs=15, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    assert np.abs(model[0].running_var.numpy() - 1).max() > 1


# --- norms of a sample ---


def test_layer_norm_is_its_formula() -> None:
    layer, x = nn.LayerNorm(eps=0.1, input_shape=(4,)), array(2, 3, 4)
    layer.weight.assign(array(4, seed=1))
    layer.bias.assign(array(4, seed=2))
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 0.1)
    expected = expected * array(4, seed=1) + array(4, seed=2)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_rms_norm_is_its_formula() -> None:
    layer, x = nn.RMSNorm(eps=0.1, input_shape=(4,)), array(2, 3, 4)
    expected = x / np.sqrt((x**2).mean(-1, keepdims=True) + 0.1)
    np.testing.assert_allclose(layer(Tensor(x)).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert len(layer.parameters()) == 1


@pytest.mark.parametrize("groups", [1, 2, 6, -1])
@pytest.mark.parametrize("places", [(), (5,), (3, 4)])
def test_group_norm_standardises_each_group(groups: int, places: tuple[int, ...]) -> None:
    x = array(2, *places, 6)
    z = nn.GroupNorm(groups, eps=0.1)(Tensor(x)).numpy()
    for n in range(2):
        for g in np.split(np.arange(6), 6 if groups == -1 else groups):
            part = x[n, ..., g]
            expected = (part - part.mean()) / np.sqrt(part.var() + 0.1)
            np.testing.assert_allclose(z[n, ..., g], expected, rtol=1e-5, atol=1e-6)


# --- what does not fit ---


@pytest.mark.parametrize("kind", ["BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm"])
def test_a_wrong_width_or_dtype_is_told_with_the_path(kind: str) -> None:
    make = getattr(nn, kind)
    model = nn.Sequential([make(2) if kind == "GroupNorm" else make()])
    model.build((4,))
    with pytest.raises(ShapeError, match=rf"0 \({kind}\).*must have 4 features, got 5"):
        model(Tensor(array(2, 5)))
    with pytest.raises(DTypeError, match=r"float64.*float32[^$]*astype"):
        model(Tensor(array(2, 4).astype("f8")))
    assert "4" in repr(model[0])


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match=r"momentum 1.5 is outside \[0, 1\]"):
        nn.BatchNorm(momentum=1.5)
    with pytest.raises(ValueError, match="eps"):
        nn.LayerNorm(eps=-1)
    with pytest.raises(ShapeError, match=r"6 channels .* 4 groups.*GroupNorm\(3\)"):
        nn.GroupNorm(4)(Tensor(array(2, 6)))
    with pytest.raises(ValueError, match="groups 0"):
        nn.GroupNorm(0)
    with pytest.raises(ShapeError, match="no features"):
        nn.BatchNorm(input_shape=())


def test_keras_names() -> None:
    assert nn.BatchNormalization is nn.BatchNorm
    assert nn.LayerNormalization is nn.LayerNorm


def test_on_another_backend() -> None:
    x = Tensor(array(4, 6), backend="strict")
    for layer in (nn.BatchNorm(), nn.LayerNorm(), nn.RMSNorm(), nn.GroupNorm(3)):
        z = layer(x)
        z.sum().backward()
        assert z.backend == layer.weight.grad.backend == "strict"


@pytest.mark.parametrize(("dtype", "close"), [("float16", 0.005), ("bfloat16", 0.02)])
def test_running_statistics_of_16_bit_models_are_float32(dtype: str, close: float) -> None:
    """In 16 bits 0.99 · 1 + 0.01 · 1.3 is 1 again, and the statistics would never move."""
    model = nn.Sequential([nn.BatchNorm(), nn.Dense(2)])
    model.build((3,))
    model.astype(dtype)
    layer = model[0]
    assert [t.dtype.name for _, t in layer.named_tensors()] == [dtype] * 2 + ["float32"] * 2
    x = array(64, 3) * 1.15 + 0.5
    for _ in range(600):
        z = layer(Tensor(x, dtype=dtype))
    assert z.dtype.name == dtype
    np.testing.assert_allclose(layer.running_mean.numpy(), x.mean(0), rtol=close)
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(0), rtol=close)
    used = model.eval()(Tensor(x, dtype=dtype))
    assert used.dtype.name == dtype
    twin = pickle.loads(pickle.dumps(model))
    twin.astype("float64").astype(dtype)  # the copy knows which tensors are statistics, too
    assert twin[0].running_var.dtype.name == "float32"
    exact = (x - x.mean(0)) / np.sqrt(x.var(0) + layer.eps)
    np.testing.assert_allclose(
        layer(Tensor(x, dtype=dtype)).numpy().astype("f"), exact, atol=4 * close
    )
