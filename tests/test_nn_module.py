"""Modules: what the walk finds and calls it, weights in and out, modes, the summary."""

import gc
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograd import Tensor, no_grad, random
from autograd.errors import GraphError, ShapeError
from autograd.node import current
from nn import weights
from nn.activations import ReLU
from nn.layers import Dense, Dropout, Flatten, Sequential
from nn.mode import training
from nn.module import Module, path_of, watch


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(7)


class Net(Module):
    def __init__(self) -> None:
        self.head = Dense(2, input_shape=(4,))
        self.blocks = [
            {"first": Dense(4, input_shape=(3,))},
            (Sequential([Dense(4, input_shape=(4,)), ReLU()]),),
        ]
        self.scale = Tensor([2.0], requires_grad=True)
        self.mean = Tensor([0.5, 0.5])
        self.facts = {"units": [4, 4], "name": "net"}

    def __call__(self, x: Tensor) -> Tensor:
        x = self.blocks[0]["first"](x)
        x = self.blocks[1][0](x)
        out = self.head(x) * self.scale - self.mean
        if out.requires_grad:
            self.last = out
        return out


def test_the_walk_names_all_in_the_order_of_definition() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "head.weight", "head.bias", "blocks.0.first.weight", "blocks.0.first.bias",
        "blocks.1.0.0.weight", "blocks.1.0.0.bias", "scale",
    ]  # fmt: skip
    assert [name for name, _ in net.named_buffers()] == ["mean"]
    assert [name for name, _ in net.named_modules()] == [
        "", "head", "blocks.0.first", "blocks.1.0", "blocks.1.0.0", "blocks.1.0.1",
    ]  # fmt: skip
    assert net.parameters()[0] is net.head.weight
    assert [id(b) for b in net.buffers] == [id(net.mean)]
    assert net.count_parameters() == 10 + 16 + 20 + 1


def test_a_result_that_is_kept_is_neither_parameter_nor_buffer() -> None:
    net = Net()
    before = set(net.state_dict())
    net(Tensor(np.ones((2, 3), "f")))
    assert net.last.op is not None
    assert set(net.state_dict()) == before


def test_shared_and_circular_attributes_come_once() -> None:
    class Tied(Module):
        def __init__(self) -> None:
            self.a = Dense(3, input_shape=(3,))
            self.b = self.a
            self.again = [self.a.weight]
            self.me = self
            self.again.append(self.again)

    tied = Tied()
    assert [name for name, _ in tied.named_parameters()] == ["a.weight", "a.bias"]
    assert len(tied.modules()) == 2


def test_layers_in_sequential_are_called_by_name_or_place() -> None:
    model = Sequential([Dense(3, input_shape=(2,), name="hidden"), ReLU(), Dense(1)])
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "2.weight", "2.bias"]
    assert model["hidden"] is model[0]
    assert model["2"] is model[2]
    with pytest.raises(KeyError, match=r"no layer is named 'head'; named are \['hidden'\]"):
        model["head"]
    with pytest.raises(ValueError, match="two layers are named 'hidden'"):
        model.add(Dense(3, name="hidden"))
    with pytest.raises(ValueError, match=r"not a number and has no dot: 'a\.b'"):
        model.add(Dense(3, name="a.b"))
    with pytest.raises(TypeError, match=r"layer 3 must be a module, such as Dense\(…\)"):
        model.add(Dense)  # type: ignore[arg-type]


# --- scope ---


def test_nodes_know_the_module_that_made_them_and_its_caller() -> None:
    model = Sequential([Dense(3, activation="relu", input_shape=(2,)), Dense(1)])
    out = model(Tensor(np.ones((4, 2), "f")))
    scope = out.scope
    assert scope is not None
    assert scope.name == "Dense"
    assert scope.owner is model[1]
    assert scope.parent is not None
    assert scope.parent.owner is model
    assert scope.parent.parent is None
    code, instruction = scope.parent.where
    assert code.co_name == "test_nodes_know_the_module_that_made_them_and_its_caller"
    assert instruction > 0
    assert current().scope is None


def test_a_call_of_super_does_not_open_a_second_scope() -> None:
    class Twice(Dense):
        def __call__(self, x: Tensor) -> Tensor:
            return super().__call__(x) * 2

    layer = Twice(3, input_shape=(2,))
    out = layer(Tensor(np.ones((1, 2), "f")))
    inner = out.inputs[0]
    assert out.scope is inner.scope
    assert out.scope is not None
    assert out.scope.name == "Twice"
    assert out.scope.parent is None


def test_the_scope_ends_when_a_layer_fails() -> None:
    layer = Dense(3, input_shape=(2,))
    with pytest.raises(ShapeError):
        layer(Tensor(np.ones((1, 5), "f")))
    assert current().scope is None


def test_a_module_keeps_no_cycle_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        model = Sequential([Dense(3, activation="relu", input_shape=(2,)), Dense(1)])
        loss = model(Tensor(np.ones((4, 2), "f"))).sum()
        loss.backward()
        seen = weakref.ref(model)
        del model, loss
        assert seen() is None
    finally:
        gc.enable()


def test_watch_sees_each_module_and_its_output_inner_ones_first() -> None:
    model = Sequential([Dense(3, input_shape=(2,)), ReLU()])
    seen: list[tuple[Module, Any]] = []
    with watch(lambda module, output: seen.append((module, output.shape))):
        model(Tensor(np.ones((4, 2), "f")))
    model(Tensor(np.ones((4, 2), "f")))
    assert seen == [(model[0], (4, 3)), (model[1], (4, 3)), (model, (4, 3))]


def test_a_module_without_call_says_so() -> None:
    class Torchy(Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(NotImplementedError, match=r"Torchy has no __call__.*Rename `forward`"):
        Torchy()(1)


# --- coming to be ---


def test_parameters_of_a_layer_that_waits_are_asked_for_in_vain() -> None:
    class Lazy(Module):
        def __init__(self) -> None:
            self.hidden = Dense(4)
            self.head = Dense(1, input_shape=(4,))

        def __call__(self, x: Tensor) -> Tensor:
            return self.head(self.hidden(x))

    lazy = Lazy()
    with pytest.raises(GraphError, match=r"parameters: hidden \(Dense\) of Lazy .*first"):
        lazy.parameters()
    assert [path for path, _ in lazy.named_parameters()] == ["head.weight", "head.bias"]
    lazy(Tensor(np.ones((2, 3), "f")))
    assert [p.shape for p in lazy.parameters()] == [(3, 4), (4,), (4, 1), (1,)]


def test_build_makes_weights_without_a_graph_and_without_training() -> None:
    model = Sequential([Flatten(), Dense(4, activation="relu"), Dropout(0.5), Dense(2)])
    assert len(model.unbuilt()) == 2
    model.build((3, 2))
    assert [p.shape for p in model.parameters()] == [(6, 4), (4,), (4, 2), (2,)]
    assert all(p.requires_grad and p.op is None for p in model.parameters())


def test_layers_added_later_are_built_as_soon_as_the_width_is_known() -> None:
    model = Sequential()
    model.add(Dense(4, input_shape=(3,)))
    model.add(Dense(2))
    assert model.parameters()[2].shape == (4, 2)
    assert len(model) == 2
    assert list(model) == [model[0], model[1]]


# --- modes ---


def test_the_mode_of_fit_wins_over_the_flag_and_the_flag_over_the_default() -> None:
    model = Sequential([Dropout(0.5)])
    inner = model[0]
    assert inner.training
    model.eval()
    assert not inner.training
    with training(True):
        assert inner.training
        with training(False):
            assert not inner.training
        assert inner.training
    assert not inner.training
    model.train()
    assert inner.training
    with training(False):
        assert not inner.training


def test_frozen_parameters_get_no_gradient_and_stay_parameters() -> None:
    model = Sequential([Dense(3, input_shape=(2,)), Dense(1)])
    x = Tensor(np.ones((4, 2), "f"))
    model(x).sum().backward()
    model[0].freeze()
    assert model[0].weight.grad is None
    model[1].zero_grad()
    model(x).sum().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad is not None
    assert len(model.parameters()) == 4
    assert model.buffers == []
    assert (model.count_parameters(True), model.count_parameters(False)) == (4, 9)
    model.unfreeze().zero_grad()
    assert all(p.grad is None for p in model.parameters())
    model(x).sum().backward()
    assert model[0].weight.grad is not None


# --- weights ---


def test_state_dict_goes_round() -> None:
    one, two = Net(), Net()
    x = Tensor(np.linspace(-1, 1, 6, dtype="f").reshape(2, 3))
    assert not np.array_equal(one(x).numpy(), two(x).numpy())
    two.load_state_dict(one.state_dict())
    np.testing.assert_array_equal(one(x).numpy(), two(x).numpy())
    state = one.state_dict()
    state["scale"][0] = 99.0  # a copy: the model does not follow
    assert one.scale.item() == 2.0


def test_what_does_not_fit_is_told_at_once_and_changes_nothing() -> None:
    net = Net()
    state = net.state_dict()
    old = {name: array.copy() for name, array in state.items()}
    state["head.bias"] = state["head.bias"] + 1
    del state["mean"]
    state["extra"] = np.zeros(3, "f")
    state["head.weight"] = np.zeros((5, 2), "f")
    state["scale"] = np.array([1])
    with pytest.raises(ValueError, match="Net cannot take these weights") as told:
        net.load_state_dict(state)
    text = str(told.value)
    assert "missing     mean" in text
    assert "unexpected  extra" in text
    assert "shape       head.weight: (4, 2) here, (5, 2) given" in text
    assert "dtype       scale: float32 here, int64 given" in text
    for name, array in net.state_dict().items():
        np.testing.assert_array_equal(array, old[name])


def test_not_strict_passes_over_names_but_never_over_shapes() -> None:
    net = Net()
    net.load_state_dict({"scale": np.array([3.0]), "other": np.zeros(1)}, strict=False)
    assert net.scale.item() == 3.0
    assert net.scale.dtype == np.float32
    with pytest.raises(ValueError, match="shape       scale"):
        net.load_state_dict({"scale": np.zeros(2, "f")}, strict=False)


def test_loading_is_seen_by_a_graph_that_needs_the_old_weights() -> None:
    layer = Dense(2, input_shape=(2,))
    loss = (layer(layer(Tensor(np.ones((1, 2), "f")))) ** 2).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(GraphError, match="assigned"):
        loss.backward()


def test_weights_on_disk(tmp_path: Path) -> None:
    net = Net()
    net.head.weight = Tensor.of(np.arange(8, dtype="f").reshape(2, 4).T).requires_grad_()
    assert not net.head.weight.raw.flags.c_contiguous
    net.save(tmp_path / "net.safetensors")
    other = Net().load(tmp_path / "net.safetensors")
    np.testing.assert_array_equal(other.head.weight.numpy(), net.head.weight.numpy())
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_layers_that_wait_take_their_width_from_the_file(tmp_path: Path) -> None:
    built = Sequential([Dense(4, input_shape=(3,)), Dense(2, use_bias=False)])
    built.save(tmp_path / "w.safetensors")
    waiting = Sequential([Dense(4), Dense(2, use_bias=False)]).load(tmp_path / "w.safetensors")
    x = Tensor(np.ones((1, 3), "f"))
    np.testing.assert_array_equal(waiting(x).numpy(), built(x).numpy())


def test_a_save_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = Net()
    path = tmp_path / "net.safetensors"
    net.save(path)
    old = path.read_bytes()
    net.scale.assign(5.0)

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(weights.files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        net.save(path)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["net.safetensors"]


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"not weights at all")
    with pytest.raises(ValueError, match=r"not a whole \.safetensors file"):
        Net().load(path)


def test_to_keeps_each_tensor_and_forgets_its_gradient() -> None:
    layer = Dense(2, input_shape=(2,))
    weight = layer.weight
    layer(Tensor(np.ones((1, 2), "f"))).sum().backward()
    assert layer.to("numpy").weight is weight
    assert weight.grad is None
    assert weight.backend == "numpy"


# --- looking at it ---


def test_summary_of_a_custom_model(capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    net.head.freeze()
    table = net.summary((3,))
    assert capsys.readouterr().out == table + "\n"
    rows = {line.split()[0]: line.split() for line in table.splitlines() if line.strip()}
    assert rows["Net"] == ["Net"]
    assert rows["head"] == ["head", "Dense", "(N,", "2)", "10", "frozen"]
    assert rows["blocks.1.0"] == ["blocks.1.0", "Sequential", "(N,", "4)", "—"]
    assert rows["blocks.1.0.0"][-1] == "20"
    assert "47 parameters, 37 trained" in table
    assert "2 numbers in buffers" in table


def test_summary_before_and_after_the_first_call(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([Dense(64, activation="relu"), Dense(1)])
    before = model.summary()
    assert "?" in before
    assert "0 parameters" in before
    assert "input_shape" in before
    model(Tensor(np.ones((2, 10), "f")))
    after = model.summary()
    assert "769 parameters" in after
    assert "output shapes are told by" in after
    told = model.summary((10,))
    assert "(N, 64)" in told
    assert "(N, 1)" in told
    assert "704" in told
    assert capsys.readouterr().out.count("Sequential") == 3


def test_summary_calls_a_model_of_several_inputs_with_tensors() -> None:
    class Add(Module):
        def __init__(self) -> None:
            self.dense = Dense(3)

        def __call__(self, x: Tensor, y: Tensor) -> Tensor:
            return self.dense(x) + self.dense(y)

    ones = Tensor(np.ones((5, 2), "f"))
    assert "(N, 3)" in Add().summary([ones, ones])


def test_summary_records_nothing_and_draws_no_dropout() -> None:
    model = Sequential([Dense(3, input_shape=(2,)), Dropout(0.5)])
    state = random.state()
    with no_grad():
        model.summary()
    assert random.state() == state


def test_repr_shows_the_layers() -> None:
    model = Sequential(
        [Dense(3, "relu", input_shape=(2,)), Dropout(0.25), Dense(1, use_bias=False)]
    )
    assert repr(model).splitlines() == [
        "Sequential(", "  0: Dense(2 → 3, relu)", "  1: Dropout(0.25)",
        "  2: Dense(3 → 1, no bias)", ")",
    ]  # fmt: skip
    assert repr(Dense(3)) == "Dense(? → 3)"


def test_path_of_names_the_place_in_the_outermost_module() -> None:
    found = []

    class Probe(Module):
        def __call__(self, x: Tensor) -> Tensor:
            found.append(path_of(self))
            return x

    model = Sequential([Sequential([Probe()], name="encoder")])
    model(Tensor([1.0]))
    Probe()(Tensor([1.0]))
    assert found == ["encoder.0 (Probe)", "Probe"]
