"""The verdict on the flow of gradients: planted faults are found, sound networks are left alone."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from nn.train import flow
from nn.train.layers import VANISHES

rng = np.random.default_rng(0)
X = rng.normal(size=(256, 10)).astype("float32")
YES = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype("int64")
KIND = np.digitize(X[:, 0], [-1, 0, 1])
NUMBER = 2 * X[:, :1] + np.sin(X[:, 1:2])
BINARY, SPARSE = "binary_crossentropy", "sparse_categorical_crossentropy"


def trained(
    layers: list[Any],
    y: Any = YES,
    loss: Any = BINARY,
    plant: Callable[[nn.Sequential], object] | None = None,
    optimizer: Any = "adam",
    epochs: int = 2,
    x: Any = X,
) -> flow.Flow:
    """The verdict at the end of a short training, with a fault planted before it."""
    autograd.seed(1)
    model = nn.Sequential(layers)
    model.build((10,))
    if plant:
        plant(model)
    model.compile(optimizer, loss)
    found: flow.Flow = model.fit(x, y, epochs=epochs, verbose=0).flow
    return found


def deep(
    n: int, activation: str | None, width: int = 32, init: Any = "glorot_uniform"
) -> list[Any]:
    """n hidden layers and a probability."""
    hidden = [nn.Dense(width, activation=activation, kernel_init=init) for _ in range(n)]
    return [*hidden, nn.Dense(1, activation="sigmoid")]


# --- planted faults -----------------------------------------------------------------------


@pytest.mark.parametrize("n", [8, 20])
def test_many_sigmoids_are_too_deep(n: int) -> None:
    found = trained(deep(n, "sigmoid"))
    assert found.verdict == "vanishes"
    assert "too deep" in found.cause
    assert "ReLU" in found.fix
    sizes = [layer.gradient for layer in found.layers]
    at = [layer.name for layer in found.layers].index(found.at)
    assert sizes[at] < VANISHES * max(sizes) <= 10 * sizes[at + 1]


def test_small_initial_weights() -> None:
    found = trained(deep(8, "tanh", init=nn.init.normal(0.0, 0.02)))
    assert found.verdict == "vanishes"
    assert "are small, 2" in found.cause


def test_large_initial_weights() -> None:
    layers = deep(8, None, width=64, init=nn.init.normal(0.0, 1.0))
    found = trained(layers, optimizer=nn.SGD(lr=0.0))
    assert found.verdict == "explodes"
    assert "each of 5 layers multiplies it" in found.cause
    assert "weights of 7 are large, 1.0e+00" in found.cause
    assert "clip_norm" in found.fix


def test_a_layer_of_dead_relus() -> None:
    found = trained(deep(4, "relu"), plant=lambda m: m[1].bias.assign(-1e3))
    assert (found.verdict, found.at) == ("vanishes", "1")
    assert "|g| 0.0e+00" in found.cause
    assert "100% of its ReLU units are dead" in found.cause
    assert [layer.gradient for layer in found.layers[:2]] == [0, 0]


def test_a_layer_of_almost_only_dead_relus() -> None:
    bias = np.full(32, -1e3, "float32")
    bias[:2] = 0.1
    found = trained(deep(4, "relu"), plant=lambda m: m[2].bias.assign(bias))
    assert (found.verdict, found.at) == ("blocked", "2")
    assert "94% of its ReLU units are dead" in found.cause


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturation(activation: str) -> None:
    found = trained(
        deep(3, activation), plant=lambda m: m[0].weight.assign(m[0].weight.numpy() * 1e3)
    )
    assert found.verdict in ("blocked", "vanishes")
    assert found.at == "0"
    assert "saturated" in found.cause
    assert re.search(f"its {activation} is (99|100)% saturated", found.cause)


def test_inputs_that_were_not_scaled() -> None:
    found = trained(deep(3, "tanh"), x=X * 1000)
    assert found.verdict in ("blocked", "vanishes")
    assert found.at == "0"
    assert "saturated" in found.cause
    assert "scale inputs" in found.fix


def test_a_learning_rate_that_kills() -> None:
    found = trained(deep(3, "relu"), optimizer=nn.Adam(lr=10.0), epochs=3)
    assert found.verdict != "healthy"
    assert "lower the learning rate" in found.fix


def test_a_place_deep_in_a_model_of_ones_own() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.encoder = [nn.Dense(16, activation="relu") for _ in range(3)]
            self.head = nn.Dense(1)

        def __call__(self, x: Any) -> Any:
            for layer in self.encoder:
                x = layer(x)
            return self.head(x)

    autograd.seed(0)
    model = Model()
    model.build((10,))
    model.encoder[1].bias.assign(-1e3)
    model.compile("sgd", "mse")
    found = model.fit(X, NUMBER, verbose=0).flow
    assert (found.verdict, found.at) == ("vanishes", "encoder.1")
    assert str(found).startswith("gradient flow: vanishes at encoder.1: |g| 0.0e+00, 0 of head's;")
    assert "\n" not in str(found)


def test_a_loss_that_is_flat() -> None:
    model = nn.Sequential([nn.Dense(1, bias_init=nn.init.constant(9.0), input_shape=(10,))])
    model[0].weight.assign(0.0)
    model.compile("sgd", "hinge")
    found = model.fit(X, np.ones((256, 1)), verbose=0).flow
    assert found.verdict == "none"
    assert "flat" in str(found)


# --- sound networks -----------------------------------------------------------------------

SOUND: dict[str, tuple[list[Any], Any, Any]] = {
    "one layer": ([nn.Dense(1)], NUMBER, "mse"),
    "relu": (deep(2, "relu"), YES, BINARY),
    "ten layers": (deep(10, "relu", init="he_normal"), YES, BINARY),
    "three sigmoids": (deep(3, "sigmoid"), YES, BINARY),
    "tanh": ([nn.Dense(64, "tanh"), nn.Dense(4, "softmax")], KIND, SPARSE),
    "dropout": ([nn.Dense(64, "gelu"), nn.Dropout(0.5), nn.Dense(1)], NUMBER, "mae"),
    "selu": (deep(12, "selu", init="lecun_normal"), YES, BINARY),
    "hinge": ([nn.Dense(64, "relu"), nn.Dense(1)], YES[:, None], "hinge"),
    "wide to narrow": ([nn.Dense(512, "relu"), nn.Dense(2, "relu"), nn.Dense(1)], NUMBER, "mse"),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_network_is_healthy(name: str) -> None:
    layers, y, loss = SOUND[name]
    found = trained(layers, y, loss, epochs=8)
    assert found.verdict == "healthy", str(found)
    assert str(found).startswith("gradient flow: healthy (|g| ")
    assert len(found.layers) == sum(isinstance(layer, nn.Dense) for layer in layers)


def test_an_overfitted_network_is_healthy() -> None:
    found = trained(deep(2, "relu", width=128), epochs=60)
    assert found.verdict == "healthy", str(found)
    assert found.layers[0].gradient < 1e-3  # little is left, but it arrives


# --- the measurement ----------------------------------------------------------------------


def test_what_is_measured_is_the_gradient_before_the_activation() -> None:
    model = nn.Sequential([nn.Dense(5, "tanh", input_shape=(10,)), nn.Dense(1)])
    model.compile("sgd", "mse")
    batch = nn.data.arrays.Data(Tensor(X[:8]), Tensor(NUMBER[:8].astype("float32")))
    first, second = flow.measure(model, model._compiled, batch).layers
    w, v = (layer.weight.numpy().astype("float64") for layer in model)
    hidden = np.tanh(X[:8].astype("float64") @ w)
    out = 2 * (hidden @ v - NUMBER[:8]) / 8
    below = out @ v.T * (1 - hidden**2)
    assert second.gradient == pytest.approx(np.sqrt((out**2).mean()), rel=1e-5)
    assert first.gradient == pytest.approx(np.sqrt((below**2).mean()), rel=1e-5)
    assert first.weights == pytest.approx(np.sqrt((w**2).mean()), rel=1e-5)


def test_measuring_leaves_no_trace() -> None:
    model = nn.Sequential([nn.Dense(5, "tanh", input_shape=(10,)), nn.Dropout(0.5), nn.Dense(1)])
    model.compile("sgd", "mse")
    batch = nn.data.arrays.Data(Tensor(X[:8]), Tensor(NUMBER[:8].astype("float32")))
    given = Tensor(np.ones((10, 5), "float32"))
    model[0].weight.grad = given
    state = autograd.random.state()
    flow.measure(model, model._compiled, batch)
    assert model[0].weight.grad is given
    assert model[2].weight.grad is None
    assert autograd.random.state() == state


def test_a_weight_used_through_a_view_is_still_that_weight() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            self.code = nn.init.glorot_uniform((10, 4)).requires_grad_()

        def __call__(self, x: Any) -> Any:
            return (x @ self.code).tanh() @ self.code.T

    model = Tied()
    model.compile("sgd", "mse")
    assert [layer.name for layer in model.fit(X, X, verbose=0).flow.layers] == ["code"]


def test_a_batch_norm_is_judged_as_it_trains_and_keeps_its_statistics() -> None:
    autograd.seed(0)
    deep = [layer for _ in range(20)
            for layer in (nn.Dense(16), nn.BatchNorm(), nn.Sigmoid())]  # fmt: skip
    model = nn.Sequential([nn.Dense(16, input_shape=(X.shape[1],)), *deep, nn.Dense(1)])
    model.compile("adam", "mse")
    model.build((X.shape[1],))
    before = {path: tensor.numpy().copy() for path, tensor in model.named_tensors()}
    drawn = autograd.random.state()
    told = model.gradient_flow(X[:64], NUMBER[:64])
    assert told.verdict == "healthy", told
    assert autograd.random.state() == drawn
    for path, tensor in model.named_tensors():
        np.testing.assert_array_equal(tensor.numpy(), before[path])
        assert tensor.grad is None


def test_a_recurrent_network_is_judged_too() -> None:
    autograd.seed(0)
    model = nn.Sequential([nn.LSTM(8, return_sequences=True), nn.GRU(8), nn.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(32, 10, 3)).astype("float32")
    told = model.gradient_flow(x, x[:, -1, :1])
    assert told.verdict == "healthy", told
    assert [layer.name for layer in told.layers] == ["0", "1", "2"]
