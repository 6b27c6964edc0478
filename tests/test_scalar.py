"""Networks of `Value`s: micrograd's interface, its numbers, and the same network of arrays."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, Value
from autograd.errors import ShapeError
from nn.demo import moons
from nn.scalar import MLP, Layer, Neuron, from_array


def test_micrograds_readme_example() -> None:
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"


def test_shape_and_names_are_micrograds() -> None:
    model = MLP(2, [2, 1])
    inner = "Layer of [ReLUNeuron(2), ReLUNeuron(2)]"
    assert repr(model) == f"MLP of [{inner}, Layer of [LinearNeuron(2)]]"
    assert len(MLP(2, [16, 16, 1]).parameters()) == 337
    assert isinstance(model([1.0, -2.0]), Value)
    assert len(Layer(2, 3)([1.0, -2.0])) == 3
    assert all(-1 <= w.data < 1 for w in Neuron(100).w)


def test_weights_follow_the_seed() -> None:
    def drawn(seed: int) -> list[float]:
        autograd.seed(seed)
        return [p.data for p in MLP(2, [3, 1]).parameters()]

    assert drawn(3) == drawn(3) != drawn(4)


def test_zero_grad() -> None:
    model = MLP(2, [2, 1])
    model([1.0, -2.0]).backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_a_wrong_number_of_inputs_is_told() -> None:
    with pytest.raises(ShapeError, match=r"ReLUNeuron\(3\): expected 3 inputs, got 2"):
        MLP(3, [4, 1])([1.0, 2.0])


@pytest.mark.parametrize("sizes", [[1], [16, 16, 1], [4, 1, 3]])
def test_the_array_network_computes_the_same(sizes: list[int]) -> None:
    autograd.seed(0)
    scalar = MLP(2, sizes)
    array = scalar.to_array()
    x = np.random.default_rng(0).normal(size=(7, 2))
    y = array(Tensor(x, dtype="float64"))
    outputs = [scalar(point) for point in x.tolist()]
    rows = [z if isinstance(z, list) else [z] for z in outputs]
    np.testing.assert_allclose(y.numpy(), [[z.data for z in row] for row in rows], rtol=1e-13)

    (y * y).sum().backward()
    sum([z * z for row in rows for z in row]).backward()
    for dense, layer in zip(array, scalar.layers, strict=True):
        slopes = [[w.grad for w in n.w] for n in layer.neurons]
        np.testing.assert_allclose(dense.weight.grad.numpy().T, slopes, rtol=1e-11, atol=1e-13)
        biases = [n.b.grad for n in layer.neurons]
        np.testing.assert_allclose(dense.bias.grad.numpy(), biases, rtol=1e-11, atol=1e-13)


def test_there_and_back_again() -> None:
    scalar = MLP(3, [4, 2])
    back = from_array(scalar.to_array())
    assert repr(back) == repr(scalar)
    assert [p.data for p in back.parameters()] == [p.data for p in scalar.parameters()]


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([nn.Dense(2, activation="tanh", input_shape=(2,)), nn.Dense(1)], "layer 0 is Dense"),
        ([nn.Dense(1, activation="relu", input_shape=(2,))], "expected Dense"),
        ([nn.Flatten(), nn.Dense(1)], "layer 0 is Flatten"),
        ([nn.Dense(1)], "no weights yet"),
    ],
)
def test_what_has_no_scalar_form_is_told(layers: list[nn.Module], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        from_array(nn.Sequential(layers))


def test_the_moons_are_learned() -> None:
    autograd.seed(1)
    angles = np.linspace(0, np.pi, 10)
    upper = np.column_stack([np.cos(angles), np.sin(angles)])
    lower = np.column_stack([1 - np.cos(angles), 0.5 - np.sin(angles)])
    X, y = np.concatenate([upper, lower]).tolist(), [-1] * 10 + [1] * 10
    model = MLP(2, [8, 8, 1])
    first, _ = moons.step(model, X, y, 1.0)
    for k in range(100):
        loss, accuracy = moons.step(model, X, y, 1.0 - 0.009 * k)
    assert accuracy == 1
    assert loss < first / 5


def test_an_array_model_has_the_activations_that_the_neurons_have() -> None:
    model = MLP(2, [3, 2, 1])
    for neuron in model.layers[0].neurons:
        neuron.nonlin = False
    model.layers[2].neurons[0].nonlin = True
    x = [1.5, -2.0]
    out = model.to_array()(Tensor([x], dtype="float64")).item()
    assert out == pytest.approx(model(x).data)
    model.layers[1].neurons[0].nonlin = False
    with pytest.raises(ValueError, match="layer 1 has neurons with and without ReLU"):
        model.to_array()
