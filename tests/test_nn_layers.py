"""Dense and its kind, activations and initialisers, against their formulas."""

import math

import numpy as np
import pytest

from autograd import Tensor, no_grad, random
from autograd.errors import ShapeError
from nn import activations, init
from nn.layers import Dense, Dropout, Flatten, Sequential
from nn.mode import training


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(3)


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("f")


# --- layers ---


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (3,)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_is_an_affine_map_of_the_last_axis(shape: tuple[int, ...], use_bias: bool) -> None:
    layer = Dense(4, activation="tanh", use_bias=use_bias, bias_init="ones")
    x = array(*shape)
    out = layer(Tensor(x))
    expected = np.tanh(x @ layer.weight.numpy() + (1 if use_bias else 0))
    np.testing.assert_allclose(out.numpy(), expected, rtol=2e-6, atol=1e-6)
    assert out.dtype == np.float32
    assert (layer.bias is None) is not use_bias


def test_weights_are_made_where_the_first_input_is() -> None:
    layer = Dense(4)
    out = layer(Tensor(array(2, 3), backend="strict"))
    assert out.backend == layer.weight.backend == layer.bias.backend == "strict"


def test_gradients_of_a_small_network_are_the_measured_ones() -> None:
    model = Sequential([Dense(3, "tanh", input_shape=(2,)), Dense(2, "sigmoid"), Dense(1)])
    for layer in model:
        layer.weight = Tensor(layer.weight.numpy(), requires_grad=True, dtype="float64")
        layer.bias = Tensor(layer.bias.numpy() + 0.1, requires_grad=True, dtype="float64")
    x = Tensor(array(4, 2), dtype="float64")

    def loss() -> Tensor:
        return (model(x) ** 2).mean()

    loss().backward()
    step = 1e-6
    for p in model.parameters():
        grad = p.grad.numpy()
        for at in np.ndindex(p.shape):
            sides = []
            for sign in (1, -1):
                moved = p.numpy().copy()
                moved[at] += sign * step
                kept = p.numpy().copy()
                with no_grad():
                    p.assign(moved)
                    sides.append(loss().item())
                    p.assign(kept)
            assert grad[at] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-8)


def test_dense_of_the_wrong_width_names_layer_axis_and_widths() -> None:
    model = Sequential([Dense(8, input_shape=(10,)), Dense(2)], name="net")
    with pytest.raises(ShapeError) as told:
        model(Tensor(array(3, 7)))
    text = str(told.value)
    assert text.startswith("0 (Dense): the last axis of the input must have 10 features, got 7")
    assert "(3, 7) float32" in text
    assert "(10, 8) float32" in text
    assert "Dense(8, input_shape=(7,))" in text
    assert told.value.__cause__ is None


def test_dense_on_images_asks_for_flatten() -> None:
    with pytest.raises(ShapeError, match=r"Put nn.Flatten\(\) before it"):
        Dense(8, input_shape=(784,))(Tensor(array(2, 28, 28)))


@pytest.mark.parametrize("units", [0, -1, 2.0, "3", True])
def test_dense_wants_a_number_of_units(units: object) -> None:
    with pytest.raises(ValueError, match="units must be a whole number"):
        Dense(units)  # type: ignore[arg-type]


def test_dense_refuses_an_initialiser_of_another_shape() -> None:
    with pytest.raises(ShapeError, match=r"the initialiser made \(2,\) for weight \(3, 4\)"):
        Dense(4, kernel_init=lambda shape: Tensor([1.0, 2.0]), input_shape=(3,))


def test_flatten_joins_all_axes_but_the_first() -> None:
    x = array(2, 3, 4)
    np.testing.assert_array_equal(Flatten()(Tensor(x)).numpy(), x.reshape(2, 12))


def test_dropout_drops_a_share_and_keeps_the_mean() -> None:
    layer = Dropout(0.3)
    x = Tensor(np.ones(40_000, "f"), requires_grad=True)
    y = layer(x)
    assert set(np.unique(y.numpy())) == {0.0, np.float32(1 / 0.7)}
    assert (y.numpy() == 0).mean() == pytest.approx(0.3, abs=0.01)  # 4 standard deviations
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    with training(False):
        assert layer(x) is x
    assert layer.eval()(x) is x
    with training(True):
        assert layer(x) is not x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("rate", [-0.1, 1.0, 30])
def test_dropout_wants_a_share(rate: float) -> None:
    with pytest.raises(ValueError, match=r"outside \[0, 1\)"):
        Dropout(rate)


# --- activations ---

X = np.array([-30.0, -2.5, -1.0, -0.3, 0.0, 0.4, 1.0, 2.0, 25.0])
SIGMOID = 1 / (1 + np.exp(-X))
ELU = np.where(X > 0, X, np.expm1(np.minimum(X, 0)))
PHI = np.array([0.5 * (1 + math.erf(x / math.sqrt(2))) for x in X])
SHIFTED = np.exp(X - X.max())
FORMULAS = {
    "linear": X,
    "relu": np.maximum(X, 0),
    "sigmoid": SIGMOID,
    "tanh": np.tanh(X),
    "softmax": SHIFTED / SHIFTED.sum(),
    "log_softmax": X - X.max() - np.log(SHIFTED.sum()),
    "softplus": np.log1p(np.exp(X)),
    "gelu": X * PHI,
    "silu": X * SIGMOID,
    "swish": X * SIGMOID,
    "elu": ELU,
    "selu": 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * ELU),
    "leaky_relu": np.where(X > 0, X, 0.01 * X),
    "mish": X * np.tanh(np.log1p(np.exp(X))),
    "softsign": X / (1 + np.abs(X)),
    "hardtanh": np.clip(X, -1, 1),
    "log_sigmoid": -np.log1p(np.exp(-X)),
}
MODULES = {
    "relu": activations.ReLU(), "sigmoid": activations.Sigmoid(), "tanh": activations.Tanh(),
    "softmax": activations.Softmax(), "log_softmax": activations.LogSoftmax(),
    "softplus": activations.Softplus(), "gelu": activations.GELU(), "silu": activations.SiLU(),
    "elu": activations.ELU(), "selu": activations.SELU(), "leaky_relu": activations.LeakyReLU(),
    "mish": activations.Mish(), "softsign": activations.Softsign(),
    "hardtanh": activations.HardTanh(), "log_sigmoid": activations.LogSigmoid(),
}  # fmt: skip


def test_every_activation_has_a_formula_here() -> None:
    assert set(FORMULAS) == set(activations._BY_NAME)
    assert set(MODULES) == set(FORMULAS) - {"linear", "swish"}


@pytest.mark.parametrize("name", FORMULAS)
def test_an_activation_by_name_and_as_a_module(name: str) -> None:
    x = Tensor(X, dtype="float64")
    expected = FORMULAS[name]
    np.testing.assert_allclose(activations.get(name)(x).numpy(), expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        activations.Activation(name)(x).numpy(), expected, rtol=1e-10, atol=1e-14
    )
    if name in MODULES:
        np.testing.assert_allclose(MODULES[name](x).numpy(), expected, rtol=1e-10, atol=1e-14)


def test_activations_with_settings() -> None:
    x = Tensor(X, dtype="float64")
    np.testing.assert_allclose(
        activations.LeakyReLU(0.2)(x).numpy(), np.where(X > 0, X, 0.2 * X), rtol=1e-12
    )
    np.testing.assert_allclose(
        activations.ELU(0.5)(x).numpy(), np.where(X > 0, X, 0.5 * ELU), rtol=1e-12
    )
    np.testing.assert_allclose(
        activations.HardTanh(-2, 0.5)(x).numpy(), np.clip(X, -2, 0.5), rtol=1e-12
    )
    square = Tensor(array(3, 4), dtype="float64")
    np.testing.assert_allclose(activations.Softmax(0)(square).numpy().sum(0), 1, rtol=1e-12)
    tanh_form = 0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)))
    np.testing.assert_allclose(
        activations.GELU(approximate=True)(x).numpy(), tanh_form, rtol=1e-9, atol=1e-14
    )


def test_an_activation_may_be_a_function_a_module_or_none() -> None:
    def double(x: Tensor) -> Tensor:
        return x * 2

    assert activations.get(double) is double
    assert activations.get(None) is activations.linear
    layer = Dense(2, activation=activations.ReLU(), input_shape=(2,))
    assert len(layer.modules()) == 2
    assert repr(Dense(2, activation=double)) == "Dense(? → 2, double)"


def test_a_name_that_is_none_of_them_is_told_with_the_nearest() -> None:
    with pytest.raises(
        ValueError, match="activation 'rleu' is unknown; did you mean 'relu'"
    ) as told:
        Dense(2, activation="rleu")
    assert "softplus" in str(told.value)
    with pytest.raises(TypeError, match=r"activation must be a name .* not int 3"):
        activations.get(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="initialiser 'glorot' is unknown"):
        Dense(2, kernel_init="glorot")


# --- initialisers ---

SCALED = {
    "glorot_uniform": 2 / (300 + 200), "glorot_normal": 2 / (300 + 200),
    "he_uniform": 2 / 300, "he_normal": 2 / 300,
    "lecun_uniform": 1 / 300, "lecun_normal": 1 / 300,
}  # fmt: skip


@pytest.mark.parametrize("name", SCALED)
def test_scaled_initialisers_have_their_variance_and_form(name: str) -> None:
    w = init.get(name)((300, 200)).numpy()
    std = math.sqrt(SCALED[name])
    n = w.size
    assert w.dtype == np.float32
    assert abs(w.mean()) < 4 * std / math.sqrt(n)
    assert w.std() == pytest.approx(std, rel=0.01)
    kurtosis = ((w / std) ** 4).mean()
    assert kurtosis == pytest.approx(1.8 if name.endswith("uniform") else 3.0, abs=0.15)
    if name.endswith("uniform"):
        assert np.abs(w).max() <= math.sqrt(3) * std * (1 + 1e-6)


def test_fans_count_the_window_of_a_convolution() -> None:
    assert init.fans((3, 5, 16, 32)) == (240, 480)
    assert init.fans((7,)) == (7, 7)
    assert init.fans(()) == (1, 1)


def test_given_and_plain_initialisers() -> None:
    assert (init.get("zeros")((2, 3)).numpy() == 0).all()
    assert (init.get("ones")((2, 3)).numpy() == 1).all()
    assert (init.constant(-1.5)((2, 3)).numpy() == -1.5).all()
    u = init.uniform(-2, 3)((20_000,)).numpy()
    assert u.min() >= -2
    assert u.max() < 3
    assert u.mean() == pytest.approx(0.5, abs=0.05)
    z = init.normal(1.0, 0.5)((20_000,)).numpy()
    assert z.mean() == pytest.approx(1, abs=0.02)
    assert z.std() == pytest.approx(0.5, rel=0.03)
    t = init.truncated_normal(1.0, 0.5)((20_000,)).numpy()
    assert np.abs(t - 1).max() <= 1.0
    assert t.std() == pytest.approx(0.5 * 0.8796256610342398, rel=0.03)


@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3), (2, 2, 3, 5)])
def test_orthogonal_matrices_are(shape: tuple[int, ...]) -> None:
    w = init.orthogonal(2.0)(shape).numpy().reshape(-1, shape[-1]).astype("d") / 2
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, np.eye(len(product)), atol=2e-7)


def test_orthogonal_even_if_nearly_parallel_vectors_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hilbert = 1 / (1 + np.add.outer(np.arange(7.0), np.arange(7.0)))  # condition 5e8
    monkeypatch.setattr(random, "normal", lambda *_: Tensor(hilbert))
    w = init.orthogonal()((7, 7)).numpy().astype("d")
    np.testing.assert_allclose(w @ w.T, np.eye(7), atol=5e-7)


def test_orthogonal_matrices_turn_both_ways() -> None:
    """Of all rotations and reflections alike: half have determinant -1, diagonals no bias."""
    drawn = [init.orthogonal()((3, 3)).numpy() for _ in range(300)]
    negative = np.mean([np.linalg.det(w) < 0 for w in drawn])
    assert negative == pytest.approx(0.5, abs=0.12)  # 4 standard deviations
    assert np.mean(drawn, axis=0) == pytest.approx(np.zeros((3, 3)), abs=0.14)


def test_initialisers_follow_the_seed() -> None:
    random.seed(11)
    a = init.get("he_normal")((4, 4)).numpy()
    random.seed(11)
    np.testing.assert_array_equal(a, init.get("he_normal")((4, 4)).numpy())
