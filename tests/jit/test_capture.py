"""What `jit` takes for granted, what it refuses, and what a call leaves as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from compiled import assert_near, by_mode, compiled, needs_compiler, raws, running, specialisations

import autograd
import nn
from autograd import Tensor
from autograd.jit import KEPT, CaptureError, finite, jit
from autograd.jit.capture import Capture

NEAR = 1e-5


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def tensor(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(array(*shape, seed=seed))


def weight(*shape: int, seed: int = 5) -> Tensor:
    return Tensor(array(*shape, seed=seed), requires_grad=True)


# --- what cannot be recorded ---


def _branch(x: Tensor) -> Tensor:
    if x.sum() > 0:
        return x
    return -x


def _loop(x: Tensor) -> Tensor:
    while (x * x).sum() > 1:
        x = x / 2
    return x


REFUSED: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "if": (_branch, "bool"),
    "while": (_loop, "bool"),
    "item": (lambda x: x * x.sum().item(), "item"),
    "float": (lambda x: x * float(x.sum()), "float"),
    "int": (lambda x: x * int(x.sum()), "item"),
    "tolist": (lambda x: x * x.tolist()[0], "numpy"),
    "numpy": (lambda x: x * Tensor(np.exp(x.numpy())), "numpy"),
    "array": (lambda x: x + Tensor(np.asarray(x.detach())), "numpy"),
    "a place in a list": (lambda x: x * [1.0, 2.0, 3.0][x.argmax()], "item"),
    "in": (lambda x: x if 1.0 in x else -x, ""),
    "max of Python": (lambda x: max(x[0], x[1]), "bool"),
    "format": (lambda x: x * len(f"{x.sum():.2f}"), ""),
    "data": (lambda x: x * Tensor(x.data), ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_data_that_leave_the_graph_are_refused_with_line_and_remedy(name: str) -> None:
    function, how = REFUSED[name]
    step = jit(function)
    with pytest.raises(CaptureError) as told:
        step(tensor(3))
    text = str(told.value)
    assert text.startswith("jit: ")
    assert "test_capture.py:" in text, "the line"
    assert how in text
    assert "Return it and read it outside" in text


@by_mode
def test_printing_is_no_use_of_data(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    def function(x: Tensor) -> Tensor:
        print(x)
        return x * 2

    step = compiled(function, mode, tensor(3))
    capsys.readouterr()
    step(tensor(3))
    assert capsys.readouterr().out == "", "what is compiled prints nothing"


@by_mode
def test_data_that_are_the_same_in_each_call_may_be_looked_at(mode: str) -> None:
    def function(x: Tensor) -> Tensor:
        scale = Tensor([2.0, 3.0])
        return x * scale if scale.sum() > 4 else x * scale.sum().item()

    x = tensor(2)
    assert_near(compiled(function, mode, x)(x), function(x), NEAR)


def test_what_is_random_by_numpy_is_no_constant() -> None:
    random = np.random.default_rng(0)
    step = jit(lambda x: x * Tensor(random.normal(size=3).astype("float32")))
    with pytest.raises(CaptureError, match=r"a constant was .* and is"):
        step(tensor(3))
    step = jit(lambda x: x * random.normal())
    with pytest.raises(CaptureError, match=r"a constant was .* and is"):
        step(tensor(3))


def test_a_counter_is_no_constant() -> None:
    count = [0]

    def function(x: Tensor) -> Tensor:
        count[0] += 1
        return x * count[0]

    step = jit(function)
    with pytest.raises(CaptureError, match=r"computes something else in each call.*constant"):
        step(tensor(3))


def test_another_number_of_steps_in_each_call_is_refused() -> None:
    kept: list[Tensor] = []

    def function(x: Tensor) -> Tensor:
        kept.append(x * 2)
        return sum(kept[1:], kept[0])

    step = jit(function)
    with pytest.raises(CaptureError):
        step(tensor(3))


def test_an_array_that_is_assigned_is_refused() -> None:
    state = Tensor(np.zeros(3, "float32"))
    step = jit(lambda x: state.assign(np.ones(3, "float32")) + x)
    with pytest.raises(CaptureError, match="array that is no tensor"):
        step(tensor(3))
    assert state.tolist() == [0, 0, 0]


# --- what may change between calls ---


@by_mode
def test_numbers_of_the_closure_are_looked_at_before_each_call(mode: str) -> None:
    scale, flag = 2.0, False

    def function(x: Tensor) -> Tensor:
        return x * scale if flag else x + scale

    x = tensor(3)
    step = compiled(function, mode, x)
    for scale in (2.0, 3.0, 4.0):  # noqa: B007  # the function reads it
        for flag in (True, False):  # noqa: B007
            with running(mode):
                for _ in range(2):
                    assert_near(step(x), function(x), NEAR)


FACTOR = 2.0


@by_mode
def test_numbers_of_the_module_are_looked_at_before_each_call(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def function(x: Tensor) -> Tensor:
        return x * FACTOR

    x = tensor(3)
    step = compiled(function, mode, x)
    for factor in (2.0, 5.0, 7.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        with running(mode):
            assert_near(step(x), x * factor, NEAR)
            assert_near(step(x), x * factor, NEAR)


@by_mode
def test_parameters_that_are_assigned_outside_are_seen(mode: str) -> None:
    w, x = weight(3), tensor(3)
    step = compiled(lambda x: x * w, mode, x)
    w.assign(array(3, seed=9))
    assert_near(step(x), x * w, NEAR)
    w.raw[0] = 77
    assert_near(step(x), x * w, NEAR)
    w.data = array(3, seed=10)  # perhaps another array
    with running(mode):
        assert_near(step(x), x * w, NEAR)
        assert_near(step(x), x * w, NEAR)


@by_mode
def test_other_shapes_and_dtypes_are_other_programs(mode: str) -> None:
    step = jit(lambda x: (x * 2).sum(axis=0))
    with running(mode):
        for x in (tensor(4, 3), tensor(2, 3), Tensor(array(4, 3), dtype="float64"),
                  Tensor(np.arange(6).reshape(2, 3))):  # fmt: skip
            for _ in range(3):
                assert_near(step(x), (x * 2).sum(axis=0), NEAR)
    assert len(specialisations(step)) == 4


@by_mode
def test_a_last_batch_that_is_smaller(mode: str) -> None:
    w = weight(3, 2)
    sizes = [4, 4, 4, 1] * 3

    def train(how: str) -> Tensor:
        w.assign(array(3, 2, seed=5))
        optimizer = nn.SGD([w], 0.1)

        @jit
        def step(x: Tensor) -> Tensor:
            loss = ((x @ w) ** 2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        with running(how):
            losses = [step(tensor(n, 3, seed=i)) for i, n in enumerate(sizes)]
        assert len(specialisations(step)) == (2 if how != "off" else 0)
        return autograd.stack([*losses, w.sum()])

    assert_near(train(mode), train("off"), NEAR)


@by_mode
def test_the_least_recently_used_program_goes(mode: str) -> None:
    step = jit(lambda x: x * 2)
    with running("replay" if mode == "replay" else "native"):
        for n in range(1, KEPT + 5):
            step(tensor(n))
            assert_near(step(tensor(n)), tensor(n) * 2, NEAR)
    assert len(step.known) == KEPT


@by_mode
def test_tensors_and_models_of_the_closure_may_be_others(mode: str) -> None:
    model, table = nn.MLP(3, [2]), tensor(2)

    def function(x: Tensor) -> Tensor:
        return model(x) + table

    step = compiled(function, mode, tensor(4, 3))
    with running(mode):
        for i in range(3):
            model, table = nn.MLP(3, [2]), tensor(2, seed=i)
            for seed in range(3):
                assert_near(step(tensor(4, 3, seed=seed)), function(tensor(4, 3, seed=seed)), NEAR)


@by_mode
def test_what_is_another_in_each_call_is_to_be_an_argument(mode: str) -> None:
    held, scale = tensor(3), 0.0

    def function(x: Tensor) -> Tensor:
        return x * scale + held

    step = jit(function)
    told = r"jit: .*held.*Pass it as an argument"
    with running(mode), pytest.raises(CaptureError, match=told):  # noqa: PT012
        for i in range(40):
            held, scale = tensor(3, seed=i), float(i)
            assert_near(step(tensor(3)), function(tensor(3)), NEAR)
    assert len(specialisations(step)) <= 1


@by_mode
def test_shapes_that_come_once_are_not_remembered_forever(mode: str) -> None:
    step = jit(lambda x: x * 2)
    with running(mode):
        for n in range(1, 400):
            step(tensor(n))
    assert len(step.known) < 200


@by_mode
def test_more_arguments_or_gradients_are_another_program(mode: str) -> None:
    def function(x: Tensor, y: Tensor | None = None) -> Tensor:
        z = (x * x if y is None else x * y).sum()
        if z.requires_grad:
            z.backward()
        return z

    step = compiled(function, mode, tensor(3))
    with running(mode):
        for _ in range(3):
            assert_near(step(tensor(3)), function(tensor(3)), NEAR)
            assert_near(step(tensor(3), tensor(3)), function(tensor(3), tensor(3)), NEAR)
            x, y = weight(3), weight(3)
            step(x)
            function(y)
            assert_near(x.grad, y.grad, NEAR)


@by_mode
def test_no_gradient_flows_into_a_graph_outside(mode: str) -> None:
    w = weight(3)

    def function(h: Tensor) -> Tensor:
        loss = (h * h).sum()
        loss.backward()
        return loss

    step = jit(function)
    with running(mode):
        with pytest.raises(CaptureError, match="argument 0, which was computed outside"):
            step(w * 2)
        assert w.grad is None
        step((w * 2).detach().requires_grad_())
        step((w * 2).detach().requires_grad_())


# --- gradients ---


@by_mode
def test_gradients_add_up_until_they_are_forgotten(mode: str) -> None:
    w, other = weight(3), weight(3)

    def function(w: Tensor, x: Tensor) -> Tensor:
        loss = (w * w * x).sum()
        loss.backward()
        return loss

    step = compiled(lambda x: function(w, x), mode, tensor(3))
    w.zero_grad()
    other.assign(w.raw)
    with running(mode):
        for i in range(4):
            x = tensor(3, seed=i)
            assert_near(step(x), function(other, x), NEAR)
            assert_near(w.grad, other.grad, NEAR)
        w.zero_grad()
        other.zero_grad()
        step(tensor(3, seed=8))
        function(other, tensor(3, seed=8))
        assert_near(w.grad, other.grad, NEAR)


@by_mode
@pytest.mark.parametrize("looked_at", [True, False])
def test_gradients_add_up_to_those_from_before(looked_at: bool, mode: str) -> None:
    found = []
    for how in (mode, "off"):
        w = weight(3)

        @jit
        def step(x: Tensor, w: Tensor = w) -> Tensor:
            loss = (w * w * x).sum()
            loss.backward()
            return loss

        with running(how):
            for i in range(6):
                step(tensor(3, seed=i))
                if looked_at:
                    assert w.grad is not None
                if i == 3:
                    w.grad = Tensor([1.0, 2.0, 3.0])
        found.append(w.grad)
    assert_near(*found, NEAR)


@by_mode
def test_arguments_get_gradients_of_their_own(mode: str) -> None:
    def function(x: Tensor) -> Tensor:
        loss = (x * x).sum()
        loss.backward()
        return loss

    def argument(seed: int) -> Tensor:
        return weight(3, seed=seed)

    step = jit(function)
    with running(mode):
        for seed in range(4):
            x, y = argument(seed), argument(seed)
            step(x)
            function(y)
            assert_near(x.grad, y.grad, NEAR)
            step(x)
            function(y)
            assert_near(x.grad, y.grad, NEAR)


@by_mode
def test_frozen_parameters(mode: str) -> None:
    model = nn.MLP(3, [4, 2])
    layers = list(model.parameters())
    optimizer = nn.SGD(model.parameters(), 0.1)

    @jit
    def step(x: Tensor) -> Tensor:
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    x = tensor(5, 3)
    with running(mode):
        for frozen in (False, True, False):
            layers[0].requires_grad_(not frozen)
            for _ in range(3):
                before = raws(layers)
                step(x)
                changed = [bool((a != b).any()) for a, b in zip(before, raws(layers), strict=True)]
                assert changed == [not frozen, True, True, True]


@by_mode
def test_training_and_evaluation_are_two_programs(mode: str) -> None:
    model = nn.Sequential([nn.Dense(4, input_shape=(3,)), nn.BatchNorm(), nn.Dropout(0.5)])
    x = tensor(6, 3)
    model(x)
    step = jit(lambda x: model(x))
    with running(mode):
        for _ in range(3):
            with nn.mode.training(True):
                step(x)
            with nn.mode.training(False):
                assert_near(step(x), model(x), NEAR)
    assert len(specialisations(step)) == 2


@by_mode
def test_recording_or_not_is_part_of_what_is_compiled(mode: str) -> None:
    w = weight(3)
    step = jit(lambda x: x * w)
    with running(mode):
        for _ in range(3):
            step(tensor(3))
            with autograd.no_grad():
                assert not step(tensor(3)).requires_grad


# --- arguments and results ---


class Pair(NamedTuple):
    left: Any
    right: Any


@by_mode
def test_arguments_and_results_may_be_nested(mode: str) -> None:
    def function(batch: dict[str, Any], *rest: Any, scale: float, name: str = "a") -> Any:
        x, y = batch["x"], batch["more"][0]
        z = x * scale + y if name == "a" else x
        return {"z": z, "pair": Pair(z + 1, [rest[0] - z, None]), "told": ("a", 3), "same": z}

    def arguments(seed: int) -> tuple[Any, ...]:
        return {"x": tensor(3, seed=seed), "more": [array(3, seed=seed + 1)]}, tensor(3), None

    step = jit(function)
    with running(mode):
        for seed in range(4):
            got = step(*arguments(seed), scale=0.5 * seed)
            want = function(*arguments(seed), scale=0.5 * seed)
            assert_near(got, want, NEAR)
            assert (type(got["pair"]), got["told"], got["pair"].right[1]) == (Pair, ("a", 3), None)
        step(*arguments(7), scale=1.5, name="b")
        got = step(*arguments(7), scale=1.5, name="b")
        assert_near(got, function(*arguments(7), scale=1.5, name="b"), NEAR)
    assert len(specialisations(step)) == 2


@by_mode
@pytest.mark.parametrize(
    "values",
    [(1, 2), (True, 1), (1, True), (0.5, 1.5), (1, 1.0), (0, False), (None, 0), ("a", "b")],
)
def test_numbers_and_words_as_arguments(values: tuple[Any, Any], mode: str) -> None:
    def function(x: Tensor, value: Any) -> Any:
        known = value if isinstance(value, (int, float)) and type(value) is not bool else 3
        return x * known, type(value).__name__ == "bool"

    step = jit(function)
    with running(mode):
        for value in (*values, *values, *values):
            if not isinstance(value, float):  # which is recorded as a tensor
                got, want = step(tensor(3), value), function(tensor(3), value)
                assert got[1] == want[1], value
                assert_near(got, want, NEAR)


@by_mode
@pytest.mark.parametrize("number", [np.float32(2.5), np.float64(2.5), np.int64(2), np.array(2.5)])
def test_numbers_of_numpy_as_arguments(number: Any, mode: str) -> None:
    def function(x: Tensor, y: Any) -> Tensor:
        return x * y

    x = Tensor(array(3), dtype=getattr(number, "dtype", "float32"))
    step = compiled(function, mode, x, number)
    more = number * 2 if number.shape == () else number
    with running(mode):
        assert_near(step(x, more), Tensor(x.raw * more, dtype=x.dtype), NEAR)


@by_mode
def test_arrays_in_any_order_of_memory(mode: str) -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        return (x * 2).sum(axis=0) + y

    step = compiled(function, mode, tensor(4, 6), tensor(6))
    plain, row = array(4, 6, seed=1), array(6, seed=2)
    wide = np.zeros((8, 12), "float32")
    wide[::2, ::-2] = plain
    shifted = np.frombuffer(b"x" + plain.tobytes(), "float32", offset=1).reshape(4, 6)
    fixed = plain.copy()
    fixed.setflags(write=False)
    want = function(Tensor.of(plain), Tensor.of(row))
    for x in (plain, np.asfortranarray(plain), wide[::2, ::-2], shifted, fixed):
        with running(mode):
            assert_near(step(Tensor.of(x), Tensor.of(row)), want, NEAR)


@by_mode
def test_results_are_new_arrays(mode: str) -> None:
    w, x = weight(3), tensor(3)
    step = compiled(lambda x: (x, w, x * 1, w * 1, x.reshape(3, 1), Tensor([1.0])), mode, x)
    first, kept = step(x), raws(step(x))
    for result in first:
        result.raw[...] = 99
    assert_near(list(step(x)), [Tensor(raw) for raw in kept], NEAR)
    assert_near([x, w], [tensor(3), weight(3)], NEAR)


@by_mode
def test_results_may_show_one_another(mode: str) -> None:
    def function(x: Tensor) -> Any:
        y = x * 2
        joined = autograd.concatenate([y, x.exp()], axis=0)
        return y, y, y[::-1], y.T, y[1, 2], joined, joined[1:4] + y, (joined * 2)[3:], x[0, 0]

    x = tensor(3, 4)
    step = compiled(function, mode, x)
    x = tensor(3, 4, seed=1)
    assert_near(step(x), function(x), NEAR)


@by_mode
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint64", "bool"])
def test_results_of_dtypes_that_c_has_or_has_not(dtype: str, mode: str) -> None:
    state = Tensor(np.ones((3, 2)), dtype=dtype)

    def function(x: Tensor) -> Any:
        y = x.astype(dtype)
        with autograd.no_grad():
            state.assign(y)
        return y, y.T, y[1:], autograd.concatenate([y, y], axis=1), state, y.astype("float32")

    x = Tensor(np.arange(6.0).reshape(3, 2))
    assert_near(compiled(function, mode, x)(x), function(x), NEAR)


@by_mode
def test_an_argument_that_shares_memory_with_what_is_assigned(mode: str) -> None:
    w = weight(4)

    def function(x: Tensor) -> Tensor:
        with autograd.no_grad():
            w.assign(w * 2 + x)
            return x * 3

    step = compiled(function, mode, tensor(4))
    for make in (lambda: w, lambda: Tensor.of(w.raw), lambda: Tensor.of(w.raw[::-1])):
        found = []
        for call in (step, function):
            w.assign(array(4, seed=5))
            with running(mode):
                x = make()
                before = x.raw.copy()
                found.append((call(x).raw.copy(), w.raw.copy()))
        np.testing.assert_allclose(found[0][1], found[1][1], rtol=NEAR)
        # the very memory of w: a result that shows it may be computed before or after
        after = [before * 3, found[1][0]]
        assert any(np.allclose(found[0][0], want, rtol=NEAR) for want in after)


@by_mode
def test_the_same_tensor_twice(mode: str) -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        return x - y * 2

    x, y = tensor(3), tensor(3, seed=1)
    for first, then in (((x, x), (x, y)), ((x, y), (x, x))):
        step = compiled(function, mode, *first)
        with running(mode):
            assert_near(step(*then), function(*then), NEAR)


@by_mode
def test_methods_kwargs_and_functions_that_are_compiled_within(mode: str) -> None:
    inner = jit(lambda x: x.exp())

    class Holder:
        def __init__(self, scale: float) -> None:
            self.w = Tensor([scale])

        @jit
        def call(self, x: Tensor, *, power: int = 1) -> Tensor:
            return inner(x**power) * self.w

    a, b = Holder(2.0), Holder(3.0)
    with running(mode):
        for _ in range(3):
            for power in (1, 2):
                for holder in (a, b):
                    got = holder.call(tensor(3), power=power)
                    assert_near(got, (tensor(3) ** power).exp() * holder.w, NEAR)


@by_mode
def test_gradients_as_results(mode: str) -> None:
    def f(w: Tensor, x: Tensor) -> Tensor:
        return ((w @ x).tanh() ** 3).sum()

    w, x = tensor(2, 3), tensor(3, seed=1)
    step = compiled(autograd.value_and_grad(f), mode, w, x)
    assert_near(step(w, x), autograd.value_and_grad(f)(w, x), NEAR)
    step = compiled(lambda x: autograd.hessian(lambda x: f(w, x))(x), mode, x)
    assert_near(step(x), autograd.hessian(lambda x: f(w, x))(x), 1e-4)


@by_mode
@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (), (1,), (1, 1, 1)])
def test_small_and_empty_shapes(shape: tuple[int, ...], mode: str) -> None:
    def function(x: Tensor) -> Any:
        return x * 2 + 1, x.sum(), (x.sin() + x).sum(axis=-1) if x.ndim else x, x.reshape(-1)

    x = tensor(*shape)
    assert_near(compiled(function, mode, x)(x), function(x), NEAR)


# --- what goes wrong in a call ---


def _classifier() -> tuple[Any, Any, Callable[[Any, Any], Any]]:
    model = nn.Sequential([nn.Dense(6, "relu", input_shape=(4,)), nn.BatchNorm(), nn.Dense(3)])
    optimizer = nn.Adam(model.parameters(), 0.01)

    def step(x: Tensor, y: Tensor) -> Tensor:
        loss = finite(nn.cross_entropy(model(x), y))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return model, optimizer, step


@by_mode
@pytest.mark.parametrize("label", [3, -1, 10**9])
def test_a_label_out_of_range_raises_as_it_does_uncompiled_and_changes_nothing(
    label: int, mode: str
) -> None:
    model, optimizer, function = _classifier()
    x, y = tensor(5, 4), Tensor([0, 1, 2, 1, 0])
    with nn.mode.training(True), running(mode):
        step = compiled(function, mode, x, y)
        wrong = Tensor([0, 1, label, 1, 0])
        with pytest.raises(Exception) as want:  # noqa: PT011  # whatever it raises
            nn.cross_entropy(model(x), wrong)
        before, steps = raws([t for _, t in model.named_tensors()]), optimizer.steps
        with pytest.raises(type(want.value)) as told:
            step(x, wrong)
        assert str(label) in str(told.value)
        after = raws([t for _, t in model.named_tensors()])
        weights = len(list(model.parameters()))
        assert optimizer.steps == steps
        for p in model.parameters():
            assert p.grad is None
        assert len(after) >= weights
        step(x, y)
        assert optimizer.steps == steps + 1
        names = [name for name, _ in model.named_tensors()]
        for name, a, b in zip(names, before, after, strict=True):
            if "moving" not in name and "running" not in name:  # which a forward pass alone moves
                np.testing.assert_array_equal(a, b, err_msg=name)


@by_mode
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_changes_no_weights(value: float, mode: str) -> None:
    w = weight(3)
    optimizer = nn.Adam([w], 0.1)
    ran: list[str] = []

    def function(x: Tensor) -> Tensor:
        ran.append("uncompiled")
        loss = finite((w * x).sum())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    step = compiled(function, mode, tensor(3))
    before, steps = w.raw.copy(), optimizer.steps
    ran.clear()
    x = tensor(3)
    x.raw[1] = value
    with running(mode), np.errstate(all="ignore"):
        found = step.attempt(x)
    assert found is autograd.jit.MISS, "the caller is to run it uncompiled"
    assert ran == []
    np.testing.assert_array_equal(w.raw, before)
    assert optimizer.steps == steps
    with running(mode):
        step(tensor(3))
    assert ran == []
    assert (w.raw != before).all()


@by_mode
def test_a_matrix_that_is_singular_raises_as_it_does_uncompiled(mode: str) -> None:
    w = weight(3, 3)
    optimizer = nn.Adam([w], 0.1)

    def function(x: Tensor) -> Tensor:
        loss = (autograd.linalg.inv(x) * w).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    step = compiled(function, mode, tensor(3, 3))
    singular = Tensor(np.zeros((3, 3), "float32"))
    before, steps = w.raw.copy(), optimizer.steps
    with running(mode):
        with pytest.raises(Exception) as want:  # noqa: PT011  # whatever it raises
            autograd.linalg.inv(singular)
        with pytest.raises(type(want.value)):
            step(singular)
        assert optimizer.steps == steps
        np.testing.assert_array_equal(w.raw, before)
        step(tensor(3, 3))
    assert optimizer.steps == steps + 1


class TroubleError(Exception):
    pass


@by_mode
def test_an_exception_while_recording_leaves_everything_as_it_was(mode: str) -> None:
    model = nn.Sequential([nn.Dense(4, input_shape=(3,)), nn.BatchNorm(), nn.Dropout(0.5)])
    w = weight(3)
    optimizer = nn.Adam(model.parameters(), 0.1)
    calls, fails = [0], 2

    def function(x: Tensor) -> Tensor:
        calls[0] += 1
        loss = (model(x) ** 2).mean() + autograd.random.normal((2,)).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with autograd.no_grad():
            w.assign(w + 1)
        if calls[0] == fails:  # while it is recorded
            raise TroubleError
        return loss

    step = jit(function)
    with nn.mode.training(True), running(mode):
        function(tensor(5, 3))
        tensors = [*[t for _, t in model.named_tensors()], w]
        before, steps = raws(tensors), optimizer.steps
        state = optimizer.state_dict()
        autograd.seed(3)
        with pytest.raises(TroubleError):
            step(tensor(5, 3))
        drawn = autograd.random.uniform((3,)).tolist()
        autograd.seed(3)
        assert drawn == autograd.random.uniform((3,)).tolist(), "random numbers are put back"
        for a, b in zip(before, raws(tensors), strict=True):
            np.testing.assert_array_equal(a, b)
        assert optimizer.steps == steps
        for key, value in optimizer.state_dict().items():
            np.testing.assert_array_equal(value, state[key], err_msg=key)
        assert all(p.grad is None for p in model.parameters())
        step(tensor(5, 3))  # and it can be recorded after all
    assert len(specialisations(step)) == 1


@by_mode
def test_recording_changes_nothing(mode: str) -> None:
    """Three calls are three steps, though the function is called twice more to be recorded."""
    w = weight(2)
    count = Tensor(np.zeros((), "float32"))

    def function(x: Tensor) -> Tensor:
        with autograd.no_grad():
            count.assign(count + 1)
            w.assign(w + x)
        return count * 1

    step = jit(function)
    with running(mode):
        assert [step(tensor(2)).item() for _ in range(5)] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(w.raw, weight(2).raw + 5 * array(2), rtol=1e-5)


@by_mode
def test_leaves_may_take_each_others_values(mode: str) -> None:
    found = []
    for how in (mode, "off"):
        a, b, c = (Tensor(array(3, seed=i)) for i in range(3))

        def function(
            x: Tensor, a: Tensor = a, b: Tensor = b, c: Tensor = c
        ) -> tuple[Tensor, Tensor]:
            before = a + 0
            a.assign(b)
            b.assign(c)
            c.assign(before + x)
            return a * 1, b + c

        step = jit(function)
        with running(how):
            results = [step(tensor(3, seed=i)) for i in range(5)]
        found.append([results, a, b, c])
    assert_near(*found, NEAR)


@by_mode
def test_several_threads_call_the_same_function(mode: str) -> None:
    def function(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        z = (x @ y).tanh()
        return z, (z.softmax(axis=-1) * x).sum(axis=0)

    step = compiled(function, mode, tensor(40, 40), tensor(40, 40))
    wrong: list[str] = []

    def work(seed: int) -> None:
        with running(mode):
            for i in range(60):
                x, y = tensor(40, 40, seed=seed * 100 + i), tensor(40, 40, seed=i)
                try:
                    assert_near(step(x, y), function(x, y), 1e-4)
                except AssertionError as error:
                    wrong.append(str(error))
                    return

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    with running(mode):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[0]


@by_mode
def test_several_threads_begin_at_once(mode: str) -> None:
    step = jit(lambda x: (x * 2).sum(axis=0))
    found: list[bool] = []

    def work() -> None:
        for i in range(20):
            x = tensor(3, 1 + i % 4, seed=i)
            found.append(bool(np.allclose(step(x).raw, (x.raw * 2).sum(0), rtol=1e-5)))

    with running(mode):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 80


@needs_compiler
def test_off_runs_as_it_stands() -> None:
    ran = []
    step = jit(lambda x: (ran.append(1), x * 2)[1])
    with running("off"):
        for _ in range(5):
            step(tensor(3))
    assert len(ran) == 5
    with running("nonsense"), pytest.raises(ValueError, match="off, replay or native"):
        step(tensor(3))


# --- training steps that are written in other ways ---


def _batches(*shape: int) -> Callable[[int], tuple[Tensor, ...]]:
    return lambda i: (tensor(*shape, seed=i), tensor(*shape, seed=i + 50))


def _in_place() -> Any:
    w = weight(4)

    def step(x: Tensor, y: Tensor) -> Tensor:
        nonlocal w
        loss = ((x * w - y) ** 2).mean()
        g = autograd.gradients(loss, w)
        with autograd.no_grad():
            w -= 0.1 * g
        return loss

    return step, [w], _batches(6, 4)


def _by_hand() -> Any:
    model = nn.MLP(4, [8, 1])
    parameters = list(model.parameters())

    def step(x: Tensor, y: Tensor) -> Any:
        loss = (model(x) ** 2).mean()
        loss.backward()
        with autograd.no_grad():
            norm = sum(((p.grad**2).sum() for p in parameters), Tensor(0.0)).sqrt()
            for p in parameters:
                p.assign(p - 0.1 * p.grad / (norm + 1))
                p.grad = None
        return loss, norm

    return step, parameters, _batches(6, 4)


def _rivals() -> Any:
    forger, judge = nn.MLP(4, [8, 4]), nn.MLP(4, [8, 1])
    first, second = nn.Adam(forger.parameters(), 0.01), nn.Adam(judge.parameters(), 0.01)

    def step(noise: Tensor, x: Tensor) -> Any:
        made = forger(noise)
        found = judge(x).softplus().mean() + (-judge(made.detach())).softplus().mean()
        found.backward()
        second.step()
        second.zero_grad()
        fooled = judge(made).softplus().mean()
        fooled.backward()
        first.step()
        first.zero_grad()
        second.zero_grad()
        return found, fooled

    return step, [*forger.parameters(), *judge.parameters()], _batches(6, 4)


def _several_backwards() -> Any:
    model = nn.MLP(4, [8, 1], activation="tanh")
    optimizer = nn.SGD(model.parameters(), 0.1, momentum=0.9)

    def step(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        z = model(y)
        z.abs().mean().backward(retain_graph=True)
        (z**2).mean().backward()
        for p in model.parameters():
            p.grad = p.grad.clip(-0.05, 0.05)
        optimizer.step()
        return z.sum()

    return step, list(model.parameters()), _batches(6, 4)


def _gradient_of_a_gradient() -> Any:
    model = nn.MLP(4, [8, 1], activation="tanh")
    optimizer = nn.Adam(model.parameters(), 0.01)

    def step(x: Tensor, y: Tensor) -> Tensor:
        slope = autograd.grad(lambda x: model(x).sum())(x)
        loss = (model(y) ** 2).mean() + ((slope**2).sum(axis=-1) - 1).abs().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, list(model.parameters()), _batches(6, 4)


def _follower() -> Any:
    online, target = nn.MLP(4, [8, 3]), nn.MLP(4, [8, 3])
    optimizer = nn.Adam(online.parameters(), 0.01)

    def step(x: Tensor, y: Tensor) -> Tensor:
        with autograd.no_grad():
            wanted = target(y).max(axis=-1)
        chosen = target(x).argmax(axis=-1, keepdims=True)
        loss = ((online(x).gather(1, chosen).reshape(-1) - wanted) ** 2).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with autograd.no_grad():
            for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                slow.assign(0.9 * slow + 0.1 * fast)
        return loss

    return step, [*online.parameters(), *target.parameters()], _batches(6, 4)


def _hooks_and_checkpoints() -> Any:
    model = nn.MLP(4, [8, 8, 1])
    optimizer = nn.SGD(model.parameters(), 0.1)
    next(iter(model.parameters())).register_hook(lambda g: g * 0.5)

    def step(x: Tensor, y: Tensor) -> Tensor:
        z = autograd.checkpoint(model, x)
        z.register_hook(lambda g: g * 2)
        loss = (z**2).mean() + (y * 0).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, list(model.parameters()), _batches(6, 4)


@by_mode
@pytest.mark.parametrize(
    "make",
    [_in_place, _by_hand, _rivals, _several_backwards, _gradient_of_a_gradient, _follower,
     _hooks_and_checkpoints],
)  # fmt: skip
def test_steps_of_other_kinds(make: Callable[[], Any], mode: str) -> None:
    found = []
    for how in (mode, "off"):
        autograd.seed(3)
        function, state, batch = make()
        step = jit(function)
        with running(how):
            results = [step(*batch(i)) for i in range(5)]
        assert [bound.kind for bound in specialisations(step)] == [mode] * (how != "off")
        found.append([results, state])
    assert_near(*found, 2e-4)


def test_what_reads_gradients_outside_of_the_graph_is_refused() -> None:
    model = nn.MLP(4, [2])
    optimizer, scale = nn.SGD(model.parameters(), 0.1), nn.optim.LossScale()

    def function(x: Tensor) -> Tensor:
        loss = (model(x) ** 2).mean()
        scale(loss).backward()
        scale.step(optimizer)
        optimizer.zero_grad()
        return loss

    step = jit(function)
    with pytest.raises(CaptureError, match="reads the gradients"):
        step(tensor(3, 4))


# --- a recording has no numbers ---


def test_a_mask_that_chooses_is_refused_unless_it_is_constant() -> None:
    x, y = tensor(2, 3), tensor(2, 3)
    step = jit(lambda x: x[x > 0])
    with pytest.raises(
        CaptureError, match=r"indexing reads greater .* which differs from call to call"
    ):
        step(x)
    corners = jit(lambda x: x[np.array([[True, False, False], [False, False, True]])])
    assert corners(x).shape == (2,)
    np.testing.assert_array_equal(corners(y).numpy(), y.numpy()[[0, 1], [0, 2]])


def test_constants_are_computed_where_they_are_read() -> None:
    def function(x: Tensor) -> Tensor:
        steps = (Tensor([1.0, 2.0]) * 3).cumsum(axis=0)
        return x * 2 if steps[1].item() == 9 else x

    step, x = compiled(function, "replay", tensor(3)), tensor(3, seed=5)
    np.testing.assert_array_equal(step(x).numpy(), 2 * x.numpy())


def test_recording_touches_no_memory() -> None:
    big = 2**40  # elements: 4 TiB
    x = Tensor.of(np.lib.stride_tricks.as_strided(np.zeros(1, "float32"), (big,), (0,)))
    seen = []

    def function(x: Tensor) -> Tensor:
        z = x * 2 + x
        seen.append(z.shape)
        return z.exp()

    Capture(lambda a, _: function(*a), ((x,), {}))
    assert seen == [(big,)]


def test_what_looks_at_a_recordings_data_by_the_back_door_is_told() -> None:
    step = jit(lambda x: x * float(np.max((x * 2).raw)))
    with pytest.raises(CaptureError, match=r"max asks for the numbers of .* at test_capture.py"):
        step(tensor(3))


def test_shapes_that_do_not_fit_are_explained_as_ever() -> None:
    w = weight(4, 5)
    step = autograd.jit.Jitted(lambda x: x @ w, at_once=True)
    with pytest.raises(autograd.ShapeError, match="matmul: inner sizes differ, 3 and 4"):
        step(tensor(2, 3))


# --- what outlives a recording ---


@by_mode
def test_weights_that_are_not_there_yet_are_made_by_a_call_that_runs_as_it_stands(
    mode: str,
) -> None:
    def train(how: str) -> list[Tensor]:
        autograd.seed(7)
        model = nn.Sequential([nn.Dense(4, activation="tanh"), nn.Dropout(0.5), nn.Dense(2)])
        step = jit(lambda x: (model(x) ** 2).sum())
        with running(how), nn.mode.training(True):
            losses = [step(tensor(3, 5, seed=i)) for i in range(4)]
        assert len(specialisations(step)) == (how != "off")
        return losses

    assert_near(train(mode), train("off"), NEAR)


class Looked(nn.Module):
    """Keeps what it last saw, and a table that it makes when it is first called."""

    def __init__(self) -> None:
        self.table: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        if self.table is None:
            self.table = autograd.arange(x.shape[-1]).astype("float32") / 10
        self.seen = x * 2
        return self.seen + self.table


@by_mode
def test_attributes_that_a_recording_leaves_have_numbers(mode: str) -> None:
    module, x = Looked(), tensor(2, 3)
    step = compiled(lambda x: module(x).sum(), mode, x)
    assert_near(module.seen, x * 2, NEAR)
    assert module.seen.is_leaf
    y = tensor(2, 3, seed=4)
    want = (y * 2 + Tensor([0.0, 0.1, 0.2])).sum()
    assert_near(step(y), want, NEAR)
    assert_near(module(y).sum(), want, NEAR)  # uncompiled, with what is left of the recordings


class Carrying(nn.Module):
    """Carries a state from call to call, which no program can."""

    def __init__(self) -> None:
        self.dense, self.state = nn.Dense(3, input_shape=(3,)), Tensor(np.zeros((1, 3), "float32"))

    def __call__(self, x: Tensor) -> Tensor:
        z = (self.dense(x) + 0.5 * self.state.detach()).tanh()
        self.state = z.mean(axis=0, keepdims=True)
        return z


def test_a_model_that_carries_a_state_is_trained_uncompiled() -> None:
    for wish in (True, False):
        autograd.seed(1)
        model = Carrying()
        model.compile(optimizer="sgd", loss="mse", jit=wish)
        x = array(16, 3)
        history = model.fit(x, x, batch_size=4, epochs=2, shuffle=False, verbose=0)
        assert history.path == "eager"
        assert np.isfinite(history.history["loss"]).all()
        assert np.isfinite(model.state.numpy()).all()


def test_after_an_error_nothing_hollow_is_left() -> None:
    kept: list[Tensor] = []

    def function(x: Tensor) -> float:
        kept.append(x * 3)
        return float(kept[-1].sum())

    step = jit(function)
    with pytest.raises(CaptureError):
        step(tensor(3))
    np.testing.assert_array_equal((kept[0] + 0).numpy(), tensor(3).numpy() * 3)


def test_printing_while_recording_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    def function(x: Tensor) -> Tensor:
        z = x * 2
        print(z, f"{z!r}")
        return z

    compiled(function, "replay", tensor(3))
    told = capsys.readouterr().out
    assert "0." not in told
    assert "being recorded" in told


@by_mode
@pytest.mark.parametrize("bad", [2.0, -1.0, np.nan, np.inf])
def test_what_a_loss_refuses_is_refused_by_a_compiled_step_which_changes_nothing(
    bad: float, mode: str
) -> None:
    model = nn.Sequential([nn.Dense(2, activation="sigmoid", input_shape=(3,))])
    optimizer, loss_of = nn.SGD(model.parameters(), 0.1), nn.BinaryCrossentropy()

    def function(x: Tensor, y: Tensor) -> Tensor:
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    x, labels = tensor(4, 3), np.ones((4, 2), "float32")
    step = compiled(function, mode, x, Tensor(labels))
    before = raws(list(model.parameters()))
    labels[2, 1] = bad
    with running(mode), pytest.raises(autograd.DomainError, match=r"y_true\[2, 1\]"):
        step(x, Tensor(labels))
    scaled = jit(lambda p, by: nn.BinaryCrossentropy()(p * by, p))
    probable = Tensor([0.5, 0.75])
    with running(mode):
        scaled(probable, 1.0)
        if not np.isnan(bad):
            with pytest.raises(autograd.DomainError, match="which is no probability"):
                scaled(probable, bad)
    for was, is_ in zip(before, raws(list(model.parameters())), strict=True):
        np.testing.assert_array_equal(was, is_)


@by_mode
def test_a_tensor_that_is_cut_off_in_the_function_is_a_leaf_there(mode: str) -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        h = (x * 2).detach().requires_grad_()
        loss = (h**3).sum()
        loss.backward()
        assert h.grad is not None
        return loss, h.grad * 2

    step = compiled(function, mode, tensor(3))
    for seed in range(2):
        x = tensor(3, seed=seed)
        assert_near(step(x), function(x), NEAR)


# --- what would otherwise be that of the first call, in each call ---


@by_mode
def test_a_tensor_made_of_an_argument_or_of_what_was_computed_is_no_constant(mode: str) -> None:
    def function(x: Any, a: float) -> list[Any]:
        twice = Tensor(Tensor(x) * 2)
        leaf = Tensor(twice.sin(), requires_grad=True)
        (leaf * leaf).sum().backward()
        return [twice * 3, Tensor(a) + twice, Tensor(x, dtype="float64"), leaf, leaf.grad]

    for make in (lambda i: tensor(3, seed=i), lambda i: array(3, seed=i)):
        step = compiled(function, mode, make(0), 0.5)
        with running(mode):
            for i in range(3):
                assert_near(step(make(i), 0.1 * i), function(make(i), 0.1 * i), NEAR)


NUMBERS: dict[str, Callable[[Tensor, Any], Any]] = {
    "a list": lambda x, a: x * Tensor([a, a, 1.0]),
    "a bound": lambda x, a: x.clip(-a, a),
    "a slice": lambda x, a: x[: x.argmax()],
    "a shape": lambda x, a: x.reshape(x.argmax() * 0 + 3),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_tensor_where_an_operation_expects_numbers_is_refused(name: str) -> None:
    with pytest.raises(CaptureError, match="differs from call to call"):
        jit(NUMBERS[name])(tensor(3), 0.5)


@by_mode
def test_arithmetic_of_numbers(mode: str) -> None:
    def function(x: Tensor, a: float) -> list[Any]:
        return [x * (a / 2.0), x * (1.0 / a), x * autograd.sqrt(a), x * autograd.exp(a), x * a**2.0]

    step = compiled(function, mode, tensor(3), 1.0)
    with running(mode):
        for a in (1.0, 0.3, 2.5):
            assert_near(step(tensor(3), a), function(tensor(3), a), NEAR)


def test_numbers_that_a_dtype_has_not_are_the_error_of_eager() -> None:
    x = Tensor(np.ones(3, "uint8"))
    with pytest.raises(autograd.DomainError):
        jit(lambda x: (x + 1, x + 300))(x)


@by_mode
def test_params_that_are_equal_but_of_other_types(mode: str) -> None:
    def function(x: Tensor) -> list[Any]:
        signs = [1 / autograd.clip(x, 0.0, 1.0), 1 / autograd.clip(x, -0.0, 1.0)]
        return [x[0], x[False], x[1], x[True], *signs]

    x = Tensor([[-1.0, 2.0], [3.0, -4.0]])
    with np.errstate(divide="ignore"):
        assert_near(compiled(function, mode, x)(x), function(x), NEAR)


@by_mode
def test_masks_with_the_same_bytes_and_other_shapes(mode: str) -> None:
    def function(x: Tensor) -> list[Any]:
        return [x[np.array([True, False, True])], x[np.array([[True], [False], [True]])]]

    x = tensor(3, 1)
    assert_near(compiled(function, mode, x)(x), function(x), NEAR)


def test_results_that_are_others_in_each_call_are_refused() -> None:
    count = [0]

    class Out:
        def __init__(self, loss: Tensor) -> None:
            self.loss = loss

    def counting(x: Tensor) -> Any:
        count[0] += 1
        return x * 2, count[0]

    def generating(x: Tensor) -> Any:
        yield x * 2

    for function in (counting, generating, lambda x: Out(x * 2), lambda x: {x * 2}):
        with pytest.raises(CaptureError, match="Return tensors, in tuples, lists or dicts"):
            jit(function)(tensor(3))


def test_what_is_assigned_to_in_turns_is_refused() -> None:
    buffers, count = [Tensor(array(3)), Tensor(array(3))], [0]

    def function(x: Tensor) -> Tensor:
        count[0] += 1
        if x.ndim == 1:
            buffers[count[0] % 2].assign(x)
        else:
            buffers[0].assign(x.sum(), at=count[0] % 3)
        return x * 2

    for x in (tensor(3), tensor(3, 3)):
        with pytest.raises(CaptureError, match="assigns"):
            jit(function)(x)


@by_mode
def test_an_argument_that_is_assigned_is_that_of_each_call(mode: str) -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        x.assign(x + 1)
        return y * 2

    found = []
    for make in (jit, lambda f: f):
        a, b = tensor(3, seed=1), tensor(3, seed=2)
        step, results = make(function), []
        with running(mode):
            for pair in ((a, b), (a, b), (b, a), (a, a), (a, b), (b, a)):
                results += [step(*pair), Tensor(a.raw.copy()), Tensor(b.raw.copy())]
        found.append(results)
    assert_near(*found, NEAR)


def test_arguments_without_a_hash_are_refused() -> None:
    with pytest.raises(CaptureError, match="an argument is a set, which has no hash"):
        jit(lambda x, chosen: x * len(chosen))(tensor(3), {1, 2})


def test_values_beside_tensors_are_refused() -> None:
    with pytest.raises(CaptureError, match="argument 0 is a Value"):
        jit(lambda a, x: (a * 2, x * 3))(autograd.Value(2.0), tensor(3))


def test_dtypes_that_do_not_fit_are_told_with_names_and_shapes() -> None:
    def function(x: Tensor) -> Tensor:
        return x * weights

    weights, x = Tensor(np.ones(3)), tensor(2, 3)
    told = []
    for call in (function, jit(function)):
        with pytest.raises(autograd.DTypeError) as error:
            call(x)
        told.append(str(error.value))
    assert "weights  (3,) float64" in told[1]
    assert told[1].count("(2, 3) float32") == 1


@by_mode
def test_complex_numbers_meet_python_numbers(mode: str) -> None:
    z = Tensor(np.array([1 + 2j, 3 - 1j], "complex64"))
    step = compiled(lambda z: z + 1.5, mode, z)
    np.testing.assert_allclose(step(z).numpy(), z.numpy() + 1.5)


STREAMS: dict[str, Callable[[], Any]] = {
    "bits": lambda: autograd.random.bits(3),
    "permutation": lambda: autograd.random.permutation(3),
    "seed": lambda: autograd.seed(3),
    "state": autograd.random.state,
    "set_state": lambda: autograd.random.set_state({}),
    "using": lambda: autograd.random.using(autograd.random.Generator(0)).__enter__(),
}


@pytest.mark.parametrize("name", STREAMS)
def test_what_a_recording_cannot_show_of_the_random_stream_is_refused(name: str) -> None:
    before = autograd.random.state()
    with pytest.raises(CaptureError, match=f"random.{name}"):
        jit(lambda x: (STREAMS[name](), x * 2)[1])(tensor(3))
    assert autograd.random.state() == before


@by_mode
def test_gradients_of_leaves_that_the_function_makes_end_with_the_call(mode: str) -> None:
    def function(x: Tensor) -> list[Any]:
        w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
        (w * w * x).sum().backward()
        return [w * 1, w.grad]

    step = compiled(function, mode, tensor(3))
    with running(mode):
        for i in range(3):
            assert_near(step(tensor(3, seed=i)), function(tensor(3, seed=i)), NEAR)
    assert len(specialisations(step)) == 1


@needs_compiler
def test_numbers_that_are_computed_reach_the_steps_that_numpy_computes() -> None:
    def function(x: Tensor, a: float) -> Tensor:
        return (x / (2 * (a + 1))).astype("float32")

    x = Tensor(array(4), dtype="float16")
    step = compiled(function, "native", x, 0.5)
    for a in (0.5, 3.0):
        assert_near(step(x, a), function(x, a), 1e-3)
