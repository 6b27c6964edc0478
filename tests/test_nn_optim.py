"""Optimizers against their papers' formulas, flat buffers, clipping, and what they refuse."""

import gc
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, random
from autograd.errors import GraphError
from nn import optim
from nn.layers import Dense, Sequential
from nn.optim import SGD, Adagrad, Adam, AdamW, RMSprop, flat
from nn.optim.optimizer import Optimizer

SHAPES = [(3, 4), (4,), (), (2, 1, 5)]


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(1)


def start(dtype: str = "float64") -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def slopes(step: int) -> list[np.ndarray]:
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape) * 10.0 ** rng.integers(-3, 2) for shape in SHAPES]


# --- one parameter at a time, as the papers have it ---


class Reference:
    """Parameters p, gradients g, step t from 1 on: `update` gives the new p."""

    def __init__(self, **facts: Any) -> None:
        self.facts, self.memory = facts, {}

    def kept(self, name: str, like: Any, initial: float = 0.0) -> Any:
        return self.memory.get(name, np.full_like(like, initial))


class Descent(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        momentum = self.facts.get("momentum", 0.0)
        v = self.memory["v"] = momentum * self.kept("v", p) + g
        return p - 0.1 * (g + momentum * v if self.facts.get("nesterov") else v)


class AdagradReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        s = self.memory["s"] = self.kept("s", p, 0.1) + g**2
        return p - 0.1 * g / (np.sqrt(s) + 1e-7)


class RMSpropReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        v = self.memory["v"] = 0.8 * self.kept("v", p) + 0.2 * g**2
        return p - 0.1 * g / (np.sqrt(v) + 1e-7)


class AdamReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        m = self.memory["m"] = 0.8 * self.kept("m", p) + 0.2 * g
        v = self.memory["v"] = 0.95 * self.kept("v", p) + 0.05 * g**2
        p = p - 0.1 * self.facts.get("decay", 0.0) * p
        m_hat, v_hat = m / (1 - 0.8**t), v / (1 - 0.95**t)
        return p - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-3)


BETAS = {"betas": (0.8, 0.95), "eps": 1e-3}
CASES: dict[str, tuple[Callable[..., Optimizer], dict[str, Any], Callable[[], Reference]]] = {
    "sgd": (SGD, {}, Descent),
    "momentum": (SGD, {"momentum": 0.9}, lambda: Descent(momentum=0.9)),
    "nesterov": (
        SGD, {"momentum": 0.9, "nesterov": True}, lambda: Descent(momentum=0.9, nesterov=True),
    ),
    "adagrad": (Adagrad, {}, AdagradReference),
    "rmsprop": (RMSprop, {"rho": 0.8}, RMSpropReference),
    "adam": (Adam, BETAS, AdamReference),
    "adamw": (AdamW, {**BETAS, "weight_decay": 0.3}, lambda: AdamReference(decay=0.3)),
}  # fmt: skip


@pytest.mark.parametrize("block", [1, 5, 32_768])
@pytest.mark.parametrize("case", CASES)
def test_twenty_steps(case: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "BLOCK", block)
    make, options, reference = CASES[case]
    params = [Tensor(array, requires_grad=True) for array in start()]
    optimizer = make(params, lr=0.1, **options)
    expected, references = start(), [reference() for _ in SHAPES]
    for step in range(1, 21):
        for p, g in zip(params, slopes(step), strict=True):
            p.grad = g
        optimizer.step()
        expected = [
            r.update(p, g, step) for r, p, g in zip(references, expected, slopes(step), strict=True)
        ]
        for p, e in zip(params, expected, strict=True):
            np.testing.assert_allclose(p.numpy(), e, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_a_parameter_without_gradient_is_left_alone(case: str) -> None:
    make, options, reference = CASES[case]
    params = [Tensor(array, requires_grad=True) for array in start()]
    optimizer = make(params, lr=0.1, **options)
    expected, references = start(), [reference() for _ in SHAPES]
    for step in range(1, 7):
        absent = step % 5  # one of them, or none
        for i, g in enumerate(slopes(step)):
            params[i].grad = None if i == absent else g
            if i != absent:
                expected[i] = references[i].update(expected[i], g, step)
        optimizer.step()
    for p, e in zip(params, expected, strict=True):
        np.testing.assert_allclose(p.numpy(), e, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_dtype_stays(case: str, dtype: str) -> None:
    make, options, _ = CASES[case]
    params = [Tensor(a, requires_grad=True, dtype=dtype) for a in start()]
    optimizer = make(params, lr=0.1, clip_norm=1.0, clip_value=0.5, **options)
    for p in params:
        p.grad = np.full(p.shape, 0.25)
    optimizer.step()
    for p, old in zip(params, start(dtype), strict=True):
        assert p.dtype == dtype
        assert np.isfinite(p.numpy()).all()
        assert (p.numpy() < old).all()


def test_weight_decay_adds_to_the_gradient_except_in_adamw() -> None:
    for make, decayed in ((SGD, True), (Adam, True), (AdamW, False)):
        p, q = (Tensor([2.0, -3.0], requires_grad=True, dtype="float64") for _ in range(2))
        one, two = make([p], lr=0.1, weight_decay=0.5), make([q], lr=0.1, weight_decay=0.0)
        p.grad = [1.0, 1.0]
        q.grad = [1.0 + 0.5 * 2.0, 1.0 - 0.5 * 3.0] if decayed else [1.0, 1.0]
        if not decayed:
            q.assign(q.numpy() * (1 - 0.1 * 0.5))
        one.step()
        two.step()
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-12)


# --- clipping ---


def moved(**limits: float) -> np.ndarray:
    """How far one step of gradient descent with lr 1 goes, as a flat array."""
    params = [Tensor(array, requires_grad=True) for array in start()]
    optimizer = SGD(params, lr=1.0, **limits)
    for p, g in zip(params, slopes(3), strict=True):
        p.grad = g
    optimizer.step()
    return np.concatenate([(a - p.numpy()).ravel() for a, p in zip(start(), params, strict=True)])


def test_clipping() -> None:
    g = np.concatenate([a.ravel() for a in slopes(3)])
    norm = np.linalg.norm(g)
    np.testing.assert_allclose(moved(clip_norm=norm / 4), g / 4, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(moved(clip_norm=norm * 4), g, rtol=1e-9, atol=1e-12)
    limit = np.abs(g).max() / 3
    np.testing.assert_allclose(
        moved(clip_value=limit), np.clip(g, -limit, limit), rtol=1e-9, atol=1e-12
    )
    both = moved(clip_value=limit, clip_norm=1e-3)
    assert np.linalg.norm(both) == pytest.approx(1e-3)


def test_the_global_norm_spans_dtypes() -> None:
    a = Tensor([0.0], requires_grad=True)
    b = Tensor([0.0], requires_grad=True, dtype="float64")
    optimizer = SGD([a, b], lr=1.0, clip_norm=1.0)
    assert len(optimizer.groups) == 2
    a.grad, b.grad = [3.0], [4.0]
    optimizer.step()
    assert a.item() == pytest.approx(-0.6)
    assert b.item() == pytest.approx(-0.8)
    assert a.dtype == np.float32


def test_the_norm_of_half_precision_does_not_overflow() -> None:
    p = Tensor(np.zeros(4), requires_grad=True, dtype="float16")
    p.grad = np.full(4, 3e4)
    SGD([p], lr=1.0, clip_norm=1.0).step()
    np.testing.assert_allclose(p.numpy(), np.full(4, -0.5), rtol=1e-2)


def test_a_norm_that_is_not_finite_leaves_the_other_gradients_as_they_are() -> None:
    p = Tensor([0.0, 0.0], requires_grad=True)
    p.grad = [math.inf, 0.5]
    SGD([p], lr=1.0, clip_norm=1.0).step()
    assert p.tolist() == [-math.inf, -0.5]


# --- flat buffers ---


def net() -> Sequential:
    return Sequential([Dense(5, "tanh", input_shape=(3,)), Dense(4, "tanh"), Dense(1)])


def test_parameters_are_views_of_one_array_and_stay_assignable() -> None:
    model = net()
    before = model.state_dict()
    optimizer = Adam(model.parameters())
    (group,) = optimizer.groups
    assert group.data.shape == (model.count_parameters(),)
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.numpy(), before[name])
        assert np.shares_memory(p.raw, group.data)
    model[2].bias.assign(7.0)
    assert group.data[-1] == 7.0


def test_a_parameter_that_moved_out_is_taken_in_again() -> None:
    model = net()
    optimizer = Adam(model.parameters(), lr=0.1)
    for _ in range(2):
        model(Tensor(np.ones((2, 3), "f"))).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        weight = model[0].weight
        weight.raw = weight.raw.copy()  # as `to` does
        other = Tensor(weight.raw, requires_grad=True)
    model(Tensor(np.ones((2, 3), "f"))).sum().backward()
    optimizer.step()
    assert np.shares_memory(weight.raw, optimizer.groups[0].data)
    assert not np.array_equal(weight.numpy(), other.numpy())
    assert optimizer.steps == 3


def test_a_graph_made_before_a_step_must_not_be_used_after_it() -> None:
    model = net()
    optimizer = SGD(model.parameters(), lr=0.1)
    x = Tensor(np.ones((2, 3), "f"))
    first, second = model(x).sum(), model(x).sum()
    first.backward()
    optimizer.step()
    with pytest.raises(GraphError, match=r"(?s)assigned.*test_nn_optim\.py"):
        second.backward()


@pytest.mark.parametrize("case", CASES)
def test_training_stays_on_the_device_and_gives_the_same(case: str) -> None:
    make, options, _ = CASES[case]
    x = np.random.default_rng(0).normal(size=(16, 3)).astype("f")
    found = {}
    for backend in ("numpy", "strict"):  # which refuses every hidden transfer
        random.seed(2)
        model = net().to(backend)
        optimizer = make(model, lr=0.05, clip_norm=0.5, clip_value=0.3, **options)
        for _ in range(3):
            (model(Tensor(x, backend=backend)) ** 2).mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        found[backend] = model.state_dict()
    for name, array in found["numpy"].items():
        np.testing.assert_allclose(found["strict"][name], array, rtol=1e-6, atol=1e-7)


def test_moments_follow_a_model_that_moves() -> None:
    found = []
    for moves in (False, True):
        random.seed(2)
        model = net()
        optimizer = Adam(model, lr=0.05)
        backend = "numpy"
        for step in range(4):
            if moves and step in (1, 3):
                backend = "strict" if step == 1 else "numpy"
                model.to(backend)
            x = Tensor(np.ones((2, 3), "f"), backend=backend)
            (model(x) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(model.state_dict())
    for name, array in found[0].items():
        np.testing.assert_allclose(found[1][name], array, rtol=1e-6, atol=1e-7)


def test_large_and_small_parameters_are_stepped_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for block in (4, 10_000):
        monkeypatch.setattr(flat, "BLOCK", block)
        random.seed(9)
        model = net()
        optimizer = Adam(model.parameters(), lr=0.05)
        for _ in range(3):
            (model(Tensor(np.ones((2, 3), "f"))) ** 2).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        found.append(model.state_dict())
    for name, array in found[0].items():
        np.testing.assert_array_equal(array, found[1][name])


def test_learning_goes_down_and_leaves_no_garbage() -> None:
    model = net()
    optimizer = Adam(model.parameters(), lr=0.02)
    x = np.random.default_rng(0).normal(size=(64, 3)).astype("f")
    y = Tensor(np.sin(x.sum(1, keepdims=True)))
    losses = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(150):
            loss = ((model(Tensor(x)) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        del loss
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert losses[-1] < 0.1 * losses[0]


# --- settings ---


def test_lr_can_be_set_at_any_time() -> None:
    p = Tensor([1.0], requires_grad=True)
    optimizer = SGD([p])
    assert optimizer.lr == 0.01
    optimizer.lr = 0.5
    p.grad = [1.0]
    optimizer.step()
    assert p.item() == 0.5
    for wrong in (-1.0, math.nan, math.inf, "fast", True):
        with pytest.raises(ValueError, match="SGD: lr must be a number from 0 on"):
            optimizer.lr = wrong  # type: ignore[assignment]
    assert optimizer.lr == 0.5


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: SGD(momentum=1.0), r"SGD: momentum must be in \[0, 1\)"),
        (lambda: SGD(nesterov=True), "nesterov=True needs a momentum"),
        (lambda: Adam(betas=(0.9, 1.5)), r"Adam: beta2 must be in \[0, 1\)"),
        (lambda: Adam(eps=-1.0), "Adam: eps must be a number from 0 on"),
        (lambda: RMSprop(rho=1.0), "RMSprop: rho must be in"),
        (lambda: Adagrad(initial_accumulator=-0.1), "initial_accumulator must be a number"),
        (lambda: AdamW(weight_decay=-0.1), "weight_decay must be a number"),
        (lambda: SGD(clip_norm=0.0), "clip_norm must be above 0 or None"),
        (lambda: SGD(clip_value=-1.0), "clip_value must be above 0 or None"),
    ],
)
def test_settings_out_of_range(make: Callable[[], Optimizer], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_what_is_no_parameter_is_refused() -> None:
    p = Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="there are no parameters"):
        Adam([])
    with pytest.raises(TypeError, match=r"Write Adam\(lr=0.001\)"):
        Adam(0.001)
    with pytest.raises(TypeError, match="parameter 1 is a result"):
        Adam([p, p * 2])
    with pytest.raises(TypeError, match="parameter 0 is a list"):
        Adam([[1.0]])
    with pytest.raises(GraphError, match="cannot have weights before"):
        Adam(Sequential([Dense(2)]))
    with pytest.raises(GraphError, match=r"step\(\) needs parameters"):
        Adam().step()


def test_by_name_with_keras_defaults() -> None:
    found = {name: optim.get(name) for name in optim.BY_NAME}
    assert {name: o.lr for name, o in found.items()} == {
        "sgd": 0.01, "rmsprop": 0.001, "adagrad": 0.001, "adam": 0.001, "adamw": 0.001,
    }  # fmt: skip
    adam = found["adam"]
    assert isinstance(adam, Adam)
    assert (adam.betas, adam.eps) == ((0.9, 0.999), 1e-7)
    with pytest.raises(ValueError, match="optimizer 'adm' is unknown; did you mean 'adam'"):
        optim.get("adm")
    with pytest.raises(TypeError, match="optimizer must be an Optimizer, not dict"):
        optim.get(lambda params: {})  # type: ignore[arg-type]


def test_get_binds_once_and_then_keeps_the_moments() -> None:
    model = net()
    mine = Adam(lr=0.5)
    assert optim.get(mine) is mine
    assert mine.params == []
    assert optim.get(mine, model.parameters()) is mine
    model(Tensor(np.ones((2, 3), "f"))).sum().backward()
    mine.step()
    assert optim.get(mine, model).steps == 1
    assert optim.get(mine, net()).steps == 0
    made = optim.get("sgd", model, clip_norm=2.0, lr=0.25)
    assert (made.lr, made.clip_norm, len(made.params)) == (0.25, 2.0, 6)


@pytest.mark.parametrize("case", CASES)
def test_state_goes_round(case: str) -> None:
    make, options, _ = CASES[case]

    def run(params: list[Tensor], optimizer: Optimizer, steps: range) -> None:
        for step in steps:
            for p, g in zip(params, slopes(step), strict=True):
                p.grad = g
            optimizer.step()

    params = [Tensor(array, requires_grad=True) for array in start()]
    optimizer = make(params, lr=0.1, **options)
    run(params, optimizer, range(1, 4))
    state = optimizer.state_dict()
    again = [Tensor(p.numpy(), requires_grad=True) for p in params]
    resumed = make(again, lr=0.9, **options)
    resumed.load_state_dict(state)
    run(params, optimizer, range(4, 7))
    run(again, resumed, range(4, 7))
    for p, q in zip(params, again, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


def test_a_state_of_something_else_is_refused() -> None:
    adam = Adam(net())
    state = adam.state_dict()
    state["m.0"] = np.zeros(3)
    del state["v.1"]
    state["x.1"] = np.zeros(3)
    with pytest.raises(ValueError, match="Adam cannot take this state") as told:
        adam.load_state_dict(state)
    for fault in ("missing     v.1", "unexpected  x.1", "shape       m.0: (3, 5) here, (3,) given"):
        assert fault in str(told.value)
