"""Training in 16 bits: masters in float32, scaled losses, steps that are left out."""

import numpy as np
import pytest

import nn
from autograd import Tensor, random
from nn.optim import SGD, Adafactor, Adam, LossScale


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("make", [SGD, Adam, Adafactor])
def test_steps_too_small_for_16_bits_add_up(make: type, dtype: str) -> None:
    p = Tensor(np.full((4, 4), 100.0), dtype=dtype, requires_grad=True)
    optimizer = make([p], lr=1e-4 if make is Adafactor else 0.01)
    for _ in range(200):  # of about 0.01 each, where the spacing at 100 is 1/16 or 1/2
        p.grad = np.ones((4, 4))
        optimizer.step()
    assert p.dtype.name == dtype
    np.testing.assert_allclose(
        p.numpy().astype("f"), 98.0, atol=0.26 if dtype == "bfloat16" else 0.04
    )


def test_a_parameter_that_was_assigned_counts_and_not_its_old_master() -> None:
    p = Tensor([1.0, 1.0], dtype="float16", requires_grad=True)
    optimizer = SGD([p], lr=1e-4)
    for _ in range(3):
        p.grad = [1.0, 1.0]
        optimizer.step()
    p.assign(np.array([5.0], "float16"), at=slice(1, 2))
    p.grad = [1.0, 1.0]
    optimizer.step()
    (master,) = (array for name, _, array in optimizer.groups[0].parts() if name == "master")
    np.testing.assert_allclose(master.numpy(), [1 - 4e-4, 5 - 1e-4], rtol=1e-6)


def test_masters_are_saved() -> None:
    def run(optimizer: Adam, steps: int) -> None:
        for _ in range(steps):
            for p in optimizer.params:
                p.grad = np.linspace(-1, 1, p.size)
            optimizer.step()

    one = Adam([Tensor(np.ones(5), dtype="float16", requires_grad=True)], lr=1e-4)
    run(one, 3)
    again = Tensor(one.params[0].numpy(), requires_grad=True)
    two = Adam([again], lr=1e-4)
    two.load_state_dict(one.state_dict())
    run(one, 5)
    run(two, 5)
    np.testing.assert_array_equal(one.state_dict()["master.0"], two.state_dict()["master.0"])


def test_gradients_too_small_for_float16_are_seen() -> None:
    x = Tensor([1.0], dtype="float16", requires_grad=True)
    scale = LossScale(2.0**15)

    def loss() -> Tensor:
        return (x * 1e-4 * 1e-4).sum()  # a slope of 1e-8, which is 0 in float16

    loss().backward()
    assert x.grad.item() == 0
    x.zero_grad()
    optimizer = SGD([x], lr=1e5)
    scale(loss()).backward()
    assert scale.step(optimizer)
    assert x.item() == pytest.approx(1 - 1e-3, rel=1e-3)


def test_a_step_with_an_infinite_gradient_is_left_out() -> None:
    p = Tensor([1.0], requires_grad=True)
    optimizer, scale = Adam([p], lr=0.1), LossScale(8.0, every=2)
    taken = []
    for g in (np.inf, np.nan, 1.0, 1.0, 1.0):
        p.grad = [g * scale.scale]
        taken.append(scale.step(optimizer))
    assert taken == [False, False, True, True, True]
    assert (optimizer.steps, scale.skipped, scale.scale) == (3, 2, 4.0)
    assert p.item() == pytest.approx(0.7, rel=1e-5)
    again = LossScale()
    again.load_state_dict(scale.state_dict())
    assert repr(again) == "LossScale(4, 2 steps skipped)"
    with pytest.raises(ValueError, match="growth above 1"):
        LossScale(growth=1.0)


def test_it_goes_with_clipping_and_accumulation() -> None:
    p = Tensor([0.0], dtype="float16", requires_grad=True)
    optimizer, scale = SGD([p], lr=1.0, clip_norm=0.5, accumulate=2), LossScale(1024.0)
    for _ in range(2):
        (scale((p * 3.0).sum())).backward()
        scale.step(optimizer)
        optimizer.zero_grad()
    assert p.item() == -0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_network_learns_in_16_bits_about_as_well(dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(128, 3)).astype("f")
    y = Tensor(np.sin(x.sum(1, keepdims=True)))
    found = {}
    for kind in ("float32", dtype):
        random.seed(5)
        model = nn.Sequential([nn.Dense(16, "tanh", input_shape=(3,)), nn.Dense(1)]).astype(kind)
        optimizer, scale = Adam(model.parameters(), lr=0.02), LossScale()
        batch = Tensor(x).astype(kind)
        for _ in range(200):
            loss = nn.mse_loss(model(batch).astype("float32"), y)
            scale(loss).backward()
            scale.step(optimizer)
            optimizer.zero_grad()
        found[kind] = loss.item()
    assert found["float32"] < 0.02
    assert found[dtype] < found["float32"] + 0.02


def test_a_model_that_became_half_behind_its_optimizer_is_followed() -> None:
    model = nn.Dense(2, input_shape=(3,))
    optimizer = Adam(model.parameters(), lr=1e-4)
    x = np.ones((2, 3), "f")
    model(Tensor(x)).sum().backward()
    optimizer.step()
    model.astype("float16")
    for _ in range(3):
        model(Tensor(x, dtype="float16")).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert model.weight.dtype == np.float16
    assert optimizer.steps == 4
