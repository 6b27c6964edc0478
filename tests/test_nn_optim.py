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
from nn.optim import (
    LAMB,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Nadam,
    RMSprop,
    decayed,
    flat,
)
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


class AMSGradReference(AdamReference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        m = self.memory["m"] = 0.8 * self.kept("m", p) + 0.2 * g
        v = self.memory["v"] = 0.95 * self.kept("v", p) + 0.05 * g**2
        top = self.memory["top"] = np.maximum(self.kept("top", p), v)
        return p - 0.1 * m / (1 - 0.8**t) / (np.sqrt(top / (1 - 0.95**t)) + 1e-3)


class NadamReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        m = self.memory["m"] = 0.8 * self.kept("m", p) + 0.2 * g
        v = self.memory["v"] = 0.95 * self.kept("v", p) + 0.05 * g**2
        mu = [0.8 * (1 - 0.5 * 0.96 ** (i / 250)) for i in range(1, t + 2)]
        m_hat = mu[t] * m / (1 - np.prod(mu)) + (1 - mu[t - 1]) * g / (1 - np.prod(mu[:t]))
        return p - 0.1 * m_hat / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)


class AdadeltaReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        v = self.memory["v"] = 0.9 * self.kept("v", p) + 0.1 * g**2
        u = self.kept("u", p)
        step = np.sqrt(u + 1e-5) / np.sqrt(v + 1e-5) * g
        self.memory["u"] = 0.9 * u + 0.1 * step**2
        return p - 0.1 * step


class LionReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        m = self.kept("m", p)
        self.memory["m"] = 0.99 * m + 0.01 * g
        return p - 0.1 * (np.sign(0.9 * m + 0.1 * g) + 0.3 * p)


class LAMBReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        m = self.memory["m"] = 0.8 * self.kept("m", p) + 0.2 * g
        v = self.memory["v"] = 0.95 * self.kept("v", p) + 0.05 * g**2
        r = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3) + 0.3 * p
        size, length = np.sqrt((p**2).sum()), np.sqrt((r**2).sum())
        return p - 0.1 * (size / length if size and length else 1) * r


class AdafactorReference(Reference):
    def update(self, p: Any, g: Any, t: int) -> Any:
        beta = 1 - t**-0.8
        square = g**2 + 1e-30
        if p.ndim < 2:
            v = self.memory["v"] = beta * self.kept("v", p) + (1 - beta) * square
        else:
            rows = self.memory["r"] = beta * self.memory.get("r", 0) + (1 - beta) * square.mean(
                -1, keepdims=True
            )
            columns = self.memory["c"] = beta * self.memory.get("c", 0) + (1 - beta) * square.mean(
                -2, keepdims=True
            )
            v = rows * columns / rows.mean(-2, keepdims=True)
        u = g / np.sqrt(v)
        u = u / max(1, np.sqrt((u**2).mean()))
        return p - min(0.1, t**-0.5) * max(1e-3, np.sqrt((p**2).mean())) * u


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
    "amsgrad": (Adam, {**BETAS, "amsgrad": True}, AMSGradReference),
    "nadam": (Nadam, BETAS, NadamReference),
    "adadelta": (Adadelta, {"rho": 0.9, "eps": 1e-5}, AdadeltaReference),
    "lion": (Lion, {"weight_decay": 0.3}, LionReference),
    "lamb": (LAMB, {**BETAS, "weight_decay": 0.3}, LAMBReference),
    "adafactor": (Adafactor, {}, AdafactorReference),
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
        if step == 1:  # it is told once
            with pytest.warns(UserWarning, match="got no gradient from the first backward"):
                optimizer.step()
        else:
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
    for make, coupled in ((SGD, True), (Adam, True), (AdamW, False)):
        p, q = (Tensor([2.0, -3.0], requires_grad=True, dtype="float64") for _ in range(2))
        one, two = make([p], lr=0.1, weight_decay=0.5), make([q], lr=0.1, weight_decay=0.0)
        p.grad = [1.0, 1.0]
        q.grad = [1.0 + 0.5 * 2.0, 1.0 - 0.5 * 3.0] if coupled else [1.0, 1.0]
        if not coupled:
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
        (lambda: Adafactor(beta2_decay=0.5), r"beta2_decay must be in \[-1, 0\)"),
        (lambda: Adafactor(clip=0.0), "clip must be above 0"),
        (lambda: SGD(accumulate=0), "accumulate must be 1, 2, …, not 0"),
        (lambda: SGD(lr=lambda step: -1.0), "lr must be a number from 0 on, not -1.0"),
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
        "adadelta": 0.001, "nadam": 0.001, "lion": 0.001, "lamb": 0.001, "adafactor": 0.001,
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


# --- groups ---


def pair() -> list[Tensor]:
    return [Tensor([2.0, -4.0], requires_grad=True, dtype="float64") for _ in range(2)]


def stepped(optimizer: Optimizer, steps: int = 1) -> None:
    for _ in range(steps):
        for p in optimizer.params:
            p.grad = [1.0, 1.0]
        optimizer.step()


def test_groups_have_rates_and_decays_of_their_own() -> None:
    a, b = pair()
    optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": b, "weight_decay": 0.25}], lr=0.1)
    stepped(optimizer)
    np.testing.assert_allclose(a.numpy(), [1.5, -4.5])
    np.testing.assert_allclose(b.numpy(), [2 - 0.1 * 1.5, -4 - 0.1 * 0.0])
    assert optimizer.params == [a, b]
    assert optimizer.grouped
    optimizer.lr = 0.2  # twice as much, for both
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0)
    optimizer.param_groups[0]["lr"] = 0.0  # as users of PyTorch do it
    before = a.numpy().copy()
    stepped(optimizer)
    np.testing.assert_array_equal(a.numpy(), before)


def test_a_decoupled_decay_of_a_group() -> None:
    a, b = pair()
    stepped(
        AdamW([{"params": [a], "weight_decay": 0.0}, {"params": [b]}], lr=0.1, weight_decay=0.5)
    )
    (c,) = pair()[:1]
    stepped(Adam([c], lr=0.1))
    np.testing.assert_allclose(a.numpy(), c.numpy(), rtol=1e-12)
    np.testing.assert_allclose(b.numpy(), c.numpy() - 0.05 * np.array([2.0, -4.0]), rtol=1e-12)


def test_matrices_decay_and_biases_do_not() -> None:
    model = net()
    optimizer = AdamW(decayed(model, 0.1))
    assert {p.ndim for p in optimizer.param_groups[0]["params"]} == {2}
    assert {p.ndim for p in optimizer.param_groups[1]["params"]} == {1}
    assert optim.get(optimizer, model.parameters()) is optimizer  # as `compile` does it
    assert len(optimizer.groups) == 2
    with pytest.raises(ValueError, match=r"none of its groups, \(3, 5\)"):
        optim.get(optimizer, net())


def test_groups_go_round_in_the_state() -> None:
    a, b = pair()
    optimizer = Adam([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)
    stepped(optimizer, 2)
    state = optimizer.state_dict()
    assert state["lr.0"] == 0.5
    c, d = (Tensor(p.numpy(), requires_grad=True) for p in (a, b))
    resumed = Adam([{"params": [c], "lr": 0.9}, {"params": [d]}], lr=0.9)
    resumed.load_state_dict(state)
    stepped(optimizer)
    stepped(resumed)
    np.testing.assert_array_equal(a.numpy(), c.numpy())
    np.testing.assert_array_equal(b.numpy(), d.numpy())


def test_groups_that_cannot_be() -> None:
    a, b = pair()
    with pytest.raises(ValueError, match=r"shape \(2,\) is in groups 0 and 1"):
        SGD([{"params": [a]}, {"params": [a, b]}])
    with pytest.raises(TypeError, match="group 0 has 'momentum'; a group's own can be lr and"):
        SGD([{"params": [a], "momentum": 0.9}])
    with pytest.raises(TypeError, match="one of those given is not"):
        SGD([{"params": [a]}, b])
    with pytest.raises(ValueError, match="lr must be a number from 0 on"):
        SGD([{"params": [a], "lr": -1.0}])
    with pytest.raises(ValueError, match=r"a group has the fixed lr 0\.5"):
        SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=lambda step: 0.1)
    mixed = SGD([{"params": [a], "lr": lambda step: 0.5}, {"params": [b]}], lr=lambda step: 0.1)
    stepped(mixed)
    np.testing.assert_allclose(a.numpy() - b.numpy(), [-0.4, -0.4])


# --- accumulation ---


@pytest.mark.parametrize("case", ["sgd", "adam", "lamb"])
def test_accumulated_steps_are_those_of_a_larger_batch(case: str) -> None:
    make, options, _ = CASES[case]
    many = [Tensor(array, requires_grad=True) for array in start()]
    one = [Tensor(array, requires_grad=True) for array in start()]
    small, large = make(many, accumulate=3, **options), make(one, **options)
    for step in range(1, 7):
        for p, g in zip(many, slopes(step), strict=True):
            p.grad = g
        small.step()
        small.zero_grad()
        assert small.steps == step // 3
        if step % 3 == 0:
            for p, *gs in zip(one, *(slopes(step - k) for k in (2, 1, 0)), strict=True):
                p.grad = sum(gs) / 3
            large.step()
    for p, q in zip(many, one, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-12)


def test_what_is_left_over_is_flushed_as_the_mean_of_what_there_is() -> None:
    a, b = pair()
    optimizer = SGD([a, b], lr=1.0, accumulate=10, clip_norm=100.0)
    for g in ([1.0, 0.0], [3.0, 2.0]):
        a.grad = g
        optimizer.step()
        optimizer.zero_grad()
    np.testing.assert_array_equal(a.numpy(), [2.0, -4.0])
    optimizer.flush()
    np.testing.assert_allclose(a.numpy(), [0.0, -5.0])
    np.testing.assert_array_equal(b.numpy(), [2.0, -4.0])  # it had no gradient
    optimizer.flush()
    assert optimizer.steps == 1


def test_accumulation_goes_on_where_it_was_saved() -> None:
    def run(optimizer: Optimizer, steps: range) -> None:
        for step in steps:
            for i, (p, g) in enumerate(zip(optimizer.params, slopes(step), strict=True)):
                p.grad = None if i == 2 else g
            optimizer.step()

    one = Adam([Tensor(array, requires_grad=True) for array in start()], accumulate=3)
    run(one, range(1, 6))
    two = Adam([Tensor(p.numpy(), requires_grad=True) for p in one.params], accumulate=3)
    two.load_state_dict(one.state_dict())
    run(one, range(6, 9))
    run(two, range(6, 9))
    assert (one.steps, one.waiting) == (two.steps, two.waiting) == (2, 2)
    for p, q in zip(one.params, two.params, strict=True):
        np.testing.assert_array_equal(p.numpy(), q.numpy())


# --- shapes ---


def test_adafactor_keeps_rows_and_columns() -> None:
    p = Tensor(np.ones((2, 30, 40)), requires_grad=True)
    optimizer = Adafactor([p])
    state = optimizer.state_dict()
    assert (state["row.0"].shape, state["column.0"].shape) == ((2, 30), (2, 40))


def test_lamb_moves_by_the_norm_of_the_parameter() -> None:
    a = Tensor(np.full(4, 10.0), requires_grad=True)
    b = Tensor(np.zeros(4), requires_grad=True)
    optimizer = LAMB([a, b], lr=0.01)
    a.grad = b.grad = np.array([1.0, -2.0, 3.0, 4.0])
    optimizer.step()
    assert np.linalg.norm(a.numpy() - 10.0) == pytest.approx(0.01 * 20.0)
    np.testing.assert_allclose(np.abs(b.numpy()), 0.01, rtol=1e-5)  # Adam's step
