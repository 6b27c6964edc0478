"""Layers that lead data around others, beside them, together again and into shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor, random
from autograd.errors import ShapeError
from nn.mode import training


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(3)


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("f")


# --- residual ---


def test_residual_adds_what_goes_around() -> None:
    inner, x = nn.Dense(3), Tensor(array(2, 3), requires_grad=True)
    block = nn.Residual(inner)
    np.testing.assert_array_equal(block(x).numpy(), (x + inner(x)).numpy())
    block(x).sum().backward()
    np.testing.assert_allclose(
        x.grad.numpy(), 1 + np.tile(inner.weight.numpy().sum(1), (2, 1)), rtol=1e-6
    )


def test_residual_takes_lists_and_a_projection() -> None:
    block = nn.Residual([nn.Dense(8, "relu"), nn.Dense(5)], shortcut=nn.Dense(5))
    assert block(Tensor(array(2, 3))).shape == (2, 5)
    paths = [path for path, _ in block.named_parameters()]
    assert paths[:2] == ["inner.0.weight", "inner.0.bias"]
    assert paths[-1] == "shortcut.bias"


def test_a_residual_that_changes_the_width_is_told_which_projection_to_add() -> None:
    model = nn.Sequential([nn.Dense(4), nn.Residual([nn.Dense(6)], name="block")])
    with pytest.raises(ShapeError) as info:
        model(Tensor(array(3, 2)))
    told = str(info.value)
    assert told.startswith("block (Residual): (3, 6) cannot be added to (3, 4)")
    assert "inner(x)  (3, 6) float32" in told
    assert "shortcut=nn.Dense(6)" in told


@pytest.mark.parametrize(
    ("shape", "projection"),
    [((2, 4, 4, 8), "nn.Conv2D(8, 1, strides=2)"), ((2, 4, 8, 5), "nn.Conv2D(5, 1)")],
)
def test_a_residual_of_images_is_told_its_convolution(
    shape: tuple[int, ...], projection: str
) -> None:
    block = nn.Residual(lambda x: Tensor(array(*shape)), shortcut=nn.Identity())
    with pytest.raises(ShapeError, match="shortcut") as info:
        block(Tensor(array(2, 8, 8, 3)))
    assert f"Add a projection: Residual(inner, shortcut={projection})." in str(info.value)


def test_other_misfits_are_not_broadcast() -> None:
    with pytest.raises(ShapeError, match=r"must be the same"):
        nn.Residual(lambda x: x.sum(axis=0))(Tensor(array(2, 3)))


# --- branches ---


def test_branches_beside_each_other_and_together_again() -> None:
    left, right = nn.Dense(4), nn.Dense(6, name="right")
    model = nn.Sequential([nn.Parallel([left, right]), nn.Concatenate(), nn.Dense(1)])
    x = Tensor(array(3, 2))
    assert model(x).shape == (3, 1)
    assert [path for path, _ in model.named_parameters()][:4] == [
        "0.0.weight", "0.0.bias", "0.right.weight", "0.right.bias",
    ]  # fmt: skip
    both = model[0](x)
    np.testing.assert_array_equal(both[0].numpy(), left(x).numpy())
    np.testing.assert_array_equal(
        nn.Concatenate()(both).numpy(), np.concatenate([z.numpy() for z in both], -1)
    )
    assert "Parallel" in str(model.summary((2,)))


def test_a_list_goes_to_the_branches_one_by_one() -> None:
    a, b = Tensor(array(3, 2)), Tensor(array(3, 5, seed=1))
    towers = nn.Parallel([nn.Dense(4), [nn.Dense(3, "relu"), nn.Dense(4)]])
    z = nn.Sequential([towers, nn.Add()])([a, b])
    one, other = towers([a, b])
    np.testing.assert_array_equal(z.numpy(), (one + other).numpy())
    with pytest.raises(ShapeError, match="3 inputs for 2 branches"):
        towers([a, b, a])


def test_shapes_that_do_not_go_together_are_told() -> None:
    a, b = Tensor(array(2, 3)), Tensor(array(4, 3))
    told = r"input 0  \(2, 3\) float32\n  input 1  \(4, 3\)"
    for layer, needs in ((nn.Concatenate(), "all axes but -1"), (nn.Add(), "same shape")):
        with pytest.raises(ShapeError, match=told) as info:
            layer([a, b])
        assert needs in str(info.value)
    with pytest.raises(ShapeError, match="axis 2 is outside"):
        nn.Concatenate(axis=2)([a, a])
    assert nn.Concatenate(axis=0)([a, b]).shape == (6, 3)


@pytest.mark.parametrize("layer", [nn.Add(), nn.Concatenate()])
def test_one_tensor_is_no_list(layer: Any) -> None:
    with pytest.raises(TypeError, match="a list of tensors is needed"):
        layer(Tensor(array(2, 3)))


def test_what_is_no_layer_is_told() -> None:
    with pytest.raises(TypeError, match="Residual: a module is needed"):
        nn.Residual(3)
    with pytest.raises(TypeError, match="Parallel: a module is needed"):
        nn.Parallel([nn.Dense])
    with pytest.raises(ValueError, match="no branches"):
        nn.Parallel([])
    with pytest.raises(TypeError, match="Lambda"):
        nn.Lambda("relu")
    with pytest.raises(ValueError, match="a branch is named 'a'"):
        nn.Parallel([nn.Dense(1, name="a"), nn.Dense(1, name="a")])


# --- into shape ---


def test_reshape_and_permute_leave_the_batch_alone() -> None:
    x = array(2, 3, 4)
    assert nn.Reshape((4, 3))(Tensor(x)).shape == (2, 4, 3)
    assert nn.Reshape((-1, 2))(Tensor(x)).shape == (2, 6, 2)
    assert nn.Reshape((-1,))(Tensor(array(0, 3, 4))).shape == (0, 12)
    np.testing.assert_array_equal(nn.Permute((2, 1))(Tensor(x)).numpy(), x.transpose(0, 2, 1))


@pytest.mark.parametrize(("shape", "told"), [((5, 3), "takes 15"), ((-1, 7), "multiples of 7")])
def test_a_reshape_that_does_not_fit(shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(ShapeError, match=f"have 12 numbers.*{told}"):
        nn.Reshape(shape)(Tensor(array(2, 3, 4)))


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="at most one"):
        nn.Reshape((-1, -1))
    with pytest.raises(ValueError, match="each axis of a sample once"):
        nn.Permute((0, 1))
    with pytest.raises(ShapeError, match="has 2 axes behind the batch axis"):
        nn.Permute((1,))(Tensor(array(2, 3, 4)))
    with pytest.raises(ValueError, match="stddev"):
        nn.GaussianNoise(-1)
    with pytest.raises(ShapeError, match="images"):
        nn.SpatialDropout2D(0.5)(Tensor(array(2, 3, 4)))


def test_small_layers() -> None:
    x = Tensor(array(2, 3))
    assert nn.Identity()(x) is x
    np.testing.assert_array_equal(nn.Lambda(lambda x: x * 2)(x).numpy(), 2 * x.numpy())
    pixels = nn.Rescaling(1 / 255)(Tensor(np.array([[0, 255]], "uint8")))
    np.testing.assert_allclose(pixels.numpy(), [[0, 1]])
    np.testing.assert_allclose(nn.Rescaling(2, -1)(x).numpy(), 2 * x.numpy() - 1, rtol=1e-6)


# --- noise ---


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(nn.SpatialDropout1D(0.5), (8, 5, 16)), (nn.SpatialDropout2D(0.5), (8, 4, 3, 16))],
)
def test_spatial_dropout_drops_whole_channels(layer: Any, shape: tuple[int, ...]) -> None:
    x = Tensor(np.ones(shape, "f"))
    z = layer(x).numpy()
    assert set(np.unique(z)) == {0, 2}
    places = z.reshape(shape[0], -1, shape[-1])
    assert (places == places[:, :1]).all()
    assert 0.3 < places.mean() / 2 < 0.7
    with training(False):
        assert layer(x) is x


def test_noise_is_normal_and_only_while_training() -> None:
    x = Tensor(np.zeros((100, 50), "f"))
    z = nn.GaussianNoise(0.3)(x).numpy()
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 0.3) < 0.02
    assert nn.GaussianNoise(0.3).eval()(x) is x


def test_they_say_what_they_are() -> None:
    layers = [nn.Reshape((2, 3)), nn.Permute((2, 1)), nn.Lambda(len), nn.Rescaling(0.5, 1),
              nn.GaussianNoise(0.1), nn.SpatialDropout1D(0.2), nn.Concatenate(1)]  # fmt: skip
    assert [layer.describe() for layer in layers] == [
        "(2, 3)", "(2, 1)", "len", "x · 0.5 + 1", "0.1", "0.2", "axis 1",
    ]  # fmt: skip


def test_on_another_backend() -> None:
    x = Tensor(array(2, 3, 4), backend="strict")
    for layer in (nn.SpatialDropout1D(0.5), nn.GaussianNoise(0.1), nn.Residual(nn.Dense(4))):
        assert layer(x).backend == "strict"


def test_multiply_gates() -> None:
    a, b = array(3, 4), array(3, 4)
    x, gate = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    z = nn.Multiply()([x, gate])
    np.testing.assert_array_equal(z.numpy(), a * b)
    z.sum().backward()
    assert gate.grad is not None
    np.testing.assert_array_equal(gate.grad.numpy(), a)
    assert nn.Sequential([nn.Parallel([nn.Dense(4), nn.Dense(4, "sigmoid")]), nn.Multiply()])(
        x
    ).shape == (3, 4)
    with pytest.raises(ShapeError, match=r"input 1  \(3, 3\)[^$]*same shape"):
        nn.Multiply()([x, gate[:, :3]])


def test_dropout_takes_arrays() -> None:
    model = nn.Sequential([nn.Dropout(0.5), nn.Dense(2)])
    assert model(np.ones((3, 4), "float32")).shape == (3, 2)
    assert nn.Dropout(0.5).eval()(np.ones(3, "float32")).tolist() == [1, 1, 1]
