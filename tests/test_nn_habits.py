"""What people do by habit from Keras, PyTorch and Python: it works, or the mistake is told."""

import copy
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.errors import DomainError, DTypeError, GraphError, ShapeError
from nn import init

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 4))
YES = (X[:, 0] > 0).astype(int)
KIND = np.digitize(X[:, 0], [-0.5, 0.5])
NUMBER = X @ [1.0, 2.0, 3.0, 4.0]


def network(outputs: int = 1, activation: str | None = "sigmoid") -> nn.Sequential:
    autograd.seed(0)
    return nn.Sequential([
        nn.Dense(8, activation="relu", input_shape=(4,)), nn.Dense(outputs, activation=activation)
    ])  # fmt: skip


def compiled(**options: Any) -> nn.Sequential:
    model = network()
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", **options})
    return model


def same(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.parameters(), b.parameters(), strict=True)
    return all(np.array_equal(p.numpy(), q.numpy()) for p, q in pairs)


# --- copies -------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_learns_on_as_the_original_does(copied: Any) -> None:
    model = compiled(metrics=["accuracy", "auc"])
    model.fit(X, YES, shuffle=False, verbose=0)
    twin, still = copied(model), copied(model)
    for each in (model, twin):
        each.fit(X, YES, shuffle=False, verbose=0)
    assert same(model, twin)
    assert not same(model, still)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_frozen_layers_can_be_unfrozen(copied: Any) -> None:
    twin = copied(network().freeze())
    assert not twin.trainable
    assert twin.count_parameters(trainable=False) == 49
    assert twin.unfreeze().count_parameters(trainable=True) == 49


def test_a_copy_of_model_and_optimizer_together_learns() -> None:
    model = network()
    optimizer = nn.Adam(model.parameters(), lr=0.1)
    twin, twins_optimizer = copy.deepcopy((model, optimizer))
    for m, o in ((model, optimizer), (twin, twins_optimizer)):
        nn.BinaryCrossentropy()(m(Tensor(X, dtype="float32")), YES).backward()
        o.step()
    assert same(model, twin)
    assert not same(twin, network())


@pytest.mark.parametrize(
    "chosen",
    [
        *init._BY_NAME.values(), init.constant(3.0), init.uniform(-1, 1), init.normal(0, 2),
        init.truncated_normal(0, 2), init.orthogonal(2.0),
    ],
)  # fmt: skip
def test_initialisers_can_be_pickled(chosen: Any) -> None:
    autograd.seed(1)
    drawn = chosen((3, 5)).numpy()
    autograd.seed(1)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(chosen))((3, 5)).numpy(), drawn)


# --- own losses and metrics ---------------------------------------------------------------


def squared(prediction: Any, target: Any) -> Any:
    return (prediction - target) ** 2


def keras_squared(y_true: Any, y_pred: Any) -> Any:
    return (y_pred - y_true) ** 2


def ahead(y_true: Any, y_pred: Any) -> Any:
    """By how much predictions are too large: wrong way round, it would change its sign."""
    return (y_pred - y_true).mean()


def test_an_own_loss_or_metric_sees_columns_against_columns() -> None:
    model = network(activation=None)
    losses = []
    for loss in ("mse", squared, keras_squared):
        model.compile("sgd", loss, metrics=[squared, ahead])
        losses += [model.evaluate(X, target) for target in (NUMBER, NUMBER[:, None])]
    error = model.predict(X)[:, 0] - NUMBER
    expected = [(error**2).mean(), (error**2).mean(), error.mean()]
    np.testing.assert_allclose(losses, [expected] * 6, rtol=1e-5)


@pytest.mark.parametrize("loss", [nn.binary_cross_entropy_with_logits, "hinge", nn.Hinge()])
def test_a_score_above_0_is_a_yes_where_the_loss_takes_scores(loss: Any) -> None:
    model = network(activation=None)
    model.compile("sgd", loss, metrics=["accuracy", "precision"])
    said = model.predict(X)[:, 0] > 0
    assert ((model.predict(X)[:, 0] > 0.5) != said).any()
    told = model.evaluate(X, YES, return_dict=True)
    assert told["accuracy"] == pytest.approx((said == YES).mean())
    assert told["precision"] == pytest.approx(YES[said].mean())


def test_hinge_takes_unsigned_labels() -> None:
    scores = Tensor([[0.5], [-2.0], [0.25]])
    truth = np.array([1, 1, 0], "uint8")
    assert nn.Hinge()(scores, truth).item() == pytest.approx((0.5 + 3.0 + 1.25) / 3)


# --- models of one's own ------------------------------------------------------------------


class Scaled(nn.Sequential):
    """A Sequential with a parameter beside its layers, which is one number."""

    def __init__(self) -> None:
        super().__init__([nn.Dense(1, input_shape=(4,))])
        self.scale = Tensor(2.0, requires_grad=True)

    def __call__(self, x: Any) -> Any:
        return super().__call__(x) * self.scale


def test_a_subclass_of_sequential_keeps_its_own_parameters() -> None:
    model = Scaled()
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "scale"]
    model.compile(nn.SGD(lr=0.1), "mse")
    model.fit(X, NUMBER, verbose=0)
    assert model.scale.item() != 2.0
    twin = Scaled()
    twin.load_state_dict(model.state_dict())
    assert same(model, twin)


def test_a_model_of_one_number_can_be_fitted() -> None:
    class Slope(nn.Module):
        def __init__(self) -> None:
            self.slope = Tensor(0.0, requires_grad=True)

        def __call__(self, x: Any) -> Any:
            return x * self.slope

    model = Slope()
    model.compile(nn.SGD(lr=0.5), "mse")
    history = model.fit(X[:, :1], 3 * X[:, :1], epochs=30, verbose=0)
    assert model.slope.item() == pytest.approx(3, abs=1e-3)
    assert history.flow is not None


def test_parameters_that_the_model_does_not_hold_are_named() -> None:
    outside = nn.Dense(1, input_shape=(8,))
    model = nn.Sequential([nn.Dense(8, input_shape=(4,)), lambda x: outside(x)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r"that are not found in Sequential") as told:
        model.fit(X, NUMBER, epochs=2, verbose=0)
    assert len(told) == 1
    assert "(8, 1)" in str(told[0].message)
    assert "(1,)" in str(told[0].message)


# --- losses -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outputs", "activation", "loss", "truth"),
    [
        (1, "sigmoid", "binary_crossentropy", [0]),
        (3, "softmax", "sparse_categorical_crossentropy", [1]),
        (3, "softmax", "categorical_crossentropy", [[0.0, 1.0, 0.0]]),
    ],
)
def test_a_confidently_wrong_sample_costs_the_same_in_training_and_validation(
    outputs: int, activation: str, loss: str, truth: Any
) -> None:
    model = nn.Sequential([nn.Dense(outputs, activation=activation, input_shape=(1,))])
    model[0].weight.assign(np.array([[60.0, 0.0, 0.0][:outputs]], "f"))
    model.compile(nn.SGD(lr=0.0), loss)
    x = [[1.0]]
    history = model.fit(x, truth, validation_data=(x, truth), verbose=0).history
    assert history["loss"] == pytest.approx([60.0])  # and not -log 1e-7 = 16
    assert history["val_loss"] == history["loss"]
    assert model.evaluate(x, truth) == history["loss"][0]


def test_class_weights_do_not_touch_what_is_held_out() -> None:
    kinds = np.arange(100) % 2
    model = compiled(optimizer=nn.SGD(lr=0.0))
    weight = {0: 7.0, 1: 0.5}
    history = model.fit(X, kinds, validation_split=0.2, class_weight=weight, verbose=0).history
    assert history["val_loss"] == pytest.approx([model.evaluate(X[80:], kinds[80:])])
    assert history["loss"][0] > 2 * model.evaluate(X[:80], kinds[:80])


@pytest.mark.parametrize(
    ("outputs", "loss", "truth"),
    [
        (1, "binary_crossentropy", YES),
        (3, "sparse_categorical_crossentropy", KIND),
        (3, "categorical_crossentropy", np.eye(3)[KIND]),
    ],
)
def test_a_cross_entropy_of_what_is_no_probability_is_told(
    outputs: int, loss: str, truth: Any
) -> None:
    model = network(outputs, activation=None)
    model.compile("adam", loss)
    with pytest.raises(DomainError, match=r"no probability\. End the model with activation="):
        model.fit(X * 100, truth, verbose=0)


# --- optimizers ---------------------------------------------------------------------------


def test_trainable_and_learning_rate_as_in_keras() -> None:
    model = compiled()
    model.layers[0].trainable = False
    assert model.trainable
    assert not model.layers[0].trainable
    before = model.layers[0].weight.numpy().copy()
    model.optimizer.learning_rate = 0.25
    assert model.optimizer.lr == model.optimizer.learning_rate == 0.25
    model.fit(X, YES, verbose=0)
    np.testing.assert_array_equal(model.layers[0].weight.numpy(), before)
    model.layers[0].trainable = True
    model.fit(X, YES, verbose=0)
    assert (model.layers[0].weight.numpy() != before).any()


def test_gradients_that_were_left_behind_are_not_learned_from() -> None:
    model, twin = compiled(), compiled()
    (model(Tensor(X, dtype="float32")) * 1e3).sum().backward()
    for each in (model, twin):
        each.fit(X, YES, shuffle=False, verbose=0)
    assert same(model, twin)


def test_the_norm_of_huge_gradients_is_clipped_in_silence() -> None:
    p = Tensor(np.zeros(2, "f"), requires_grad=True)
    optimizer = nn.SGD([p], lr=1.0, clip_norm=1.0)
    (p * Tensor(np.array([3e30, 4e30], "f"))).sum().backward()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    np.testing.assert_allclose(p.numpy(), [-0.6, -0.8], rtol=1e-6)


# --- files --------------------------------------------------------------------------------


def test_a_saved_file_has_the_rights_of_any_other_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"")
    network().save(tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors", "other"]


def test_a_model_without_weights_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(GraphError, match="0"):
        nn.Sequential([nn.Dense(3)]).save(tmp_path / "a.safetensors")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("given", ["list", "array"])
def test_weights_that_do_not_fit_change_nothing(given: str) -> None:
    model = nn.Sequential([nn.Dense(8), nn.Dense(1)])
    state = network().state_dict()
    if given == "list":
        state = {path: array.tolist() for path, array in state.items()}
    wrong = {**state, "1.bias": [1.0, 2.0]}
    with pytest.raises(ValueError, match=r"shape +1\.bias: \(1,\) here, \(2,\) given"):
        model.load_state_dict(wrong)
    assert len(model.unbuilt()) == 2
    model(Tensor(np.zeros((1, 7), "f")))  # its layers still wait for their first input
    model = nn.Sequential([nn.Dense(8), nn.Dense(1)])
    model.load_state_dict(state)
    assert same(model, network())


def test_an_optimizer_takes_lists_and_refuses_what_does_not_fit() -> None:
    model = compiled()
    model.fit(X, YES, verbose=0)
    state = model.optimizer.state_dict()
    lists = {k: a.tolist() if isinstance(a, np.ndarray) else a for k, a in state.items()}
    other = nn.Adam(network().parameters())
    with pytest.raises(ValueError, match=r"shape +m\.1: \(8,\) here, \(2,\) given"):
        other.load_state_dict({**lists, "m.1": [1.0, 2.0]})
    with pytest.raises(ValueError, match="lr must be"):
        other.load_state_dict({**lists, "lr": float("nan")})
    assert other.steps == 0
    other.load_state_dict(lists)
    for key, array in other.state_dict().items():
        np.testing.assert_array_equal(array, state[key])


def test_two_tensors_of_one_path_are_not_saved() -> None:
    model = nn.Module()
    model.parts = {"a.b": Tensor([1.0]), "a": {"b": Tensor([2.0])}}
    for wish in (model.state_dict, lambda: model.load_state_dict({})):
        with pytest.raises(ValueError, match=r"two tensors have the path 'parts\.a\.b'"):
            wish()


# --- fit and its arguments ----------------------------------------------------------------


def test_what_comes_after_y_is_named() -> None:
    model = compiled()
    for method in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(TypeError, match=r"takes (from 2 to )?3 positional arguments but 4"):
            method(X, YES, 32)  # type: ignore[operator]
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3"):
        model.predict(X, 32)  # type: ignore[misc]


def test_none_and_one_of_a_kind_are_understood() -> None:
    seen = []
    model = compiled(metrics=None)
    model.fit(X, YES, batch_size=None, callbacks=None, class_weight=None, verbose=0)
    assert model.optimizer.steps == 4
    model.fit(X, YES, callbacks=lambda epoch, logs: seen.append(epoch), verbose=0)
    assert seen == [0]
    assert model.evaluate(X, YES, batch_size=None) == model.evaluate(X, YES, batch_size=32)
    assert model.predict(X, batch_size=None).shape == (100, 1)
    column = np.linspace(0, 2, 100)[:, None]
    told = [model.evaluate(X, YES, sample_weight=weight) for weight in (column, column[:, 0])]
    assert told[0] == told[1]


def test_names_are_known_in_any_case() -> None:
    model = compiled(optimizer="Adam", loss="BinaryCrossentropy", metrics=["AUC", "F1Score"])
    assert isinstance(model.optimizer, nn.Adam)
    assert set(model.evaluate(X, YES, return_dict=True)) == {"loss", "AUC", "F1Score"}
    assert nn.losses.get("MSE").name == "MeanSquaredError"
    assert nn.metrics.get("top_k_categorical_accuracy").k == 5


def test_options_by_other_names_are_told() -> None:
    with pytest.raises(TypeError, match=r"Adam: unknown option learning_rate \(lr here\)"):
        nn.Adam(learning_rate=0.1)
    with pytest.raises(TypeError, match="SGD: unknown option rate"):
        nn.SGD(rate=0.1)


def test_class_weights_that_are_no_dict_are_told() -> None:
    with pytest.raises(TypeError, match="class_weight='balanced': expected a dict"):
        compiled().fit(X, YES, class_weight="balanced", verbose=0)


def test_a_batch_need_not_have_every_class_that_is_weighted() -> None:
    model, twin = compiled(), compiled()
    ones = np.ones(5)
    told = model.train_on_batch(X[:5], ones, class_weight={0: 5.0, 1: 2.0})
    assert told == pytest.approx(2 * twin.train_on_batch(X[:5], ones))


def test_an_evaluation_within_an_epoch_leaves_its_metrics_alone() -> None:
    model, twin = compiled(metrics=["accuracy", "auc"]), compiled(metrics=["accuracy", "auc"])

    class Look:
        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            model.evaluate(X[:3], YES[:3])

    histories = [
        m.fit(X, YES, shuffle=False, callbacks=c, verbose=0).history
        for m, c in ((model, Look()), (twin, None))
    ]
    assert histories[0] == histories[1]


def test_a_verdict_that_fails_does_not_cost_the_training() -> None:
    class Unjudged(nn.MeanSquaredError):
        def elements(self, y_pred: Any, y_true: Any) -> Any:
            if len(y_pred) > 32:
                raise KeyError("a whole epoch at once")
            return super().elements(y_pred, y_true)

    model = network()
    model.compile("sgd", Unjudged())
    history = model.fit(X, NUMBER, epochs=2, verbose=0)
    assert len(history.history["loss"]) == 2
    assert str(history.flow) == (
        "gradient flow: unknown: it could not be judged, KeyError: 'a whole epoch at once'"
    )


@pytest.mark.parametrize("given", [(X[:, :3], YES), (X, np.zeros((100, 2)))])
def test_held_out_data_that_do_not_fit_are_found_before_the_first_epoch(given: Any) -> None:
    model, begun = compiled(), []
    with pytest.raises(ShapeError) as caught:
        model.fit(X, YES, validation_data=given, callbacks=lambda *_: begun.append(1), verbose=0)
    assert "validation data" in caught.value.__notes__[0]
    assert same(model, network())
    assert not begun


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("kind", [nn.SGD, nn.Adam, nn.RMSprop, nn.AdamW, nn.Adagrad])
def test_halves_learn_as_singles_do(dtype: str, kind: Any) -> None:
    ended = []
    for d in ("float32", dtype):
        p = Tensor(np.ones(4, "f"), requires_grad=False).astype(d).detach().requires_grad_()
        optimizer = kind([p], lr=0.125)
        for _ in range(3):  # gradients whose squares are 0 in float16
            (p * Tensor(np.full(4, 1e-5, "f")).astype(d)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        assert str(p.dtype) == d
        ended.append(p.numpy().astype("float64"))
    np.testing.assert_allclose(ended[1], ended[0], rtol=2e-2)


# --- shapes, dtypes and classes that cannot be meant --------------------------------------


def test_one_sample_or_bare_numbers_are_told() -> None:
    model = compiled()
    with pytest.raises(ShapeError, match=r"\(4,\): expected samples, \(N, 4\)\. One sample .*None"):
        model.predict(X[0])
    with pytest.raises(ShapeError, match=r"x has shape \(100,\): expected samples, \(N, 4\)$"):
        model.fit(X[:, 0], YES, verbose=0)
    line = nn.Sequential([nn.Dense(1, input_shape=(1,))])
    line.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"\(N, 1\)\. Numbers .* x\.reshape\(-1, 1\)"):
        line.fit(NUMBER, NUMBER, verbose=0)
    line = nn.Sequential([nn.Dense(1)])
    line.compile("sgd", "mse")
    with pytest.raises(ShapeError, match=r"are \(N, 1\): x\.reshape\(-1, 1\)"):
        line.fit(NUMBER, NUMBER, verbose=0)
    with pytest.raises(ShapeError, match=r"Samples are \(N, 4\), and one sample is \(1, 4\)"):
        nn.Dense(2, input_shape=(4,))(Tensor(np.zeros(3, "f")))


@pytest.mark.parametrize("x", [X, Tensor(X)])
def test_doubles_into_a_layer_of_singles_are_told(x: Any) -> None:
    with pytest.raises(DTypeError, match=r'x\.astype\("float32"\), or Tensor\(x, dtype="float32"'):
        nn.Dense(3, input_shape=(4,))(x)


def test_flatten_takes_an_array() -> None:
    images = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(nn.Flatten()(images).numpy(), images.reshape(2, 6))


@pytest.mark.parametrize(
    ("loss", "truth"),
    [("sparse_categorical_crossentropy", YES), ("categorical_crossentropy", YES[:, None])],
)
def test_a_softmax_over_one_class_is_told(loss: str, truth: Any) -> None:
    model = network(1, "softmax")
    model.compile("adam", loss)
    with pytest.raises(ShapeError, match="of one class, whose softmax is always 1"):
        model.fit(X, truth, verbose=0)


def test_a_model_that_is_frozen_whole_is_told() -> None:
    model = compiled()
    model.freeze()
    with pytest.raises(GraphError, match=r"all parameters are frozen: model\.unfreeze\(\)"):
        model.fit(X, YES, verbose=0)
