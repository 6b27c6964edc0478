"""Every layer, model and optimizer trained under `jit` ends where it ends uncompiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from compiled import assert_near, by_mode, compiled, needs_compiler, raws, running, specialisations

import autograd
import nn
from autograd import Tensor
from autograd.calls import flatten
from autograd.jit import jit

STEPS = 4
NEAR = 2e-4
"""How far off float32 may be after some steps, as a part of the largest number of a tensor."""

Build = Callable[[], Any]


def floats(*shape: int) -> Callable[[np.random.Generator], Tensor]:
    """A maker of float inputs of a shape."""
    return lambda random: Tensor(random.normal(size=shape).astype("float32"))


def ids(count: int, *shape: int) -> Callable[[np.random.Generator], Tensor]:
    """A maker of whole numbers below `count`."""
    return lambda random: Tensor(random.integers(0, count, shape))


def _model(*layers: Any) -> Build:
    return lambda: nn.Sequential([make() for make in layers])


class _Gate(nn.Module):
    """Two branches joined by a layer of several inputs."""

    def __init__(self, join: Any) -> None:
        self.left, self.right, self.join = nn.Dense(4), nn.Dense(4, "tanh"), join

    def __call__(self, x: Any) -> Any:
        return self.join([self.left(x), self.right(x)])


class _Cross(nn.Module):
    """Attention to a sequence of its own, with a mask."""

    def __init__(self) -> None:
        self.inner = nn.MultiHeadAttention(2, key_dim=4)

    def __call__(self, x: Any) -> Any:
        mask = Tensor(np.array([[True, True, True, False, True]] * 3))
        return self.inner(x[:, :3], x, mask=mask[:3])


L = nn.layers
WIDE, SEQUENCE, PICTURE = floats(6, 5), floats(3, 5, 4), floats(2, 6, 5, 3)

CASES: dict[str, tuple[Build, Any]] = {
    "Dense": (_model(lambda: L.Dense(4, "relu"), lambda: L.Dense(3, "tanh")), WIDE),
    "Flatten": (_model(L.Flatten, lambda: L.Dense(3, "gelu")), SEQUENCE),
    "Dropout": (_model(lambda: L.Dense(16), lambda: L.Dropout(0.4), lambda: L.Dense(2)), WIDE),
    "BatchNorm": (_model(lambda: L.Dense(4), L.BatchNorm, lambda: L.Dense(2)), WIDE),
    "GroupNorm": (_model(lambda: L.Conv2D(4, 3), lambda: L.GroupNorm(2)), PICTURE),
    "LayerNorm": (_model(lambda: L.Dense(4), L.LayerNorm, lambda: L.Dense(2)), SEQUENCE),
    "RMSNorm": (_model(lambda: L.Dense(4), L.RMSNorm, lambda: L.Dense(2)), SEQUENCE),
    "Add": (lambda: _Gate(L.Add()), WIDE),
    "Multiply": (lambda: _Gate(L.Multiply()), WIDE),
    "Concatenate": (lambda: _Gate(L.Concatenate()), WIDE),
    "Parallel": (
        lambda: nn.Sequential([L.Parallel([L.Dense(3), L.Dense(2, "elu")]), L.Concatenate()]),
        WIDE,
    ),
    "Residual": (lambda: nn.Sequential([L.Residual(L.Dense(5, "silu")), L.Dense(2)]), WIDE),
    "Identity": (_model(lambda: L.Dense(3, "softplus"), L.Identity), WIDE),
    "Lambda": (_model(lambda: L.Dense(3), lambda: L.Lambda(lambda x: x.sin() * 2)), WIDE),
    "Permute": (_model(lambda: L.Permute((2, 1)), lambda: L.Dense(3)), SEQUENCE),
    "Rescaling": (_model(lambda: L.Rescaling(0.5, 1.0), lambda: L.Dense(3, "selu")), WIDE),
    "Reshape": (_model(lambda: L.Dense(6), lambda: L.Reshape((2, 3)), lambda: L.Dense(2)), WIDE),
    "RepeatVector": (_model(lambda: L.Dense(3), lambda: L.RepeatVector(4)), WIDE),
    "Masking": (_model(L.Masking, lambda: L.GRU(4)), SEQUENCE),
    "GaussianNoise": (_model(lambda: L.Dense(4), lambda: L.GaussianNoise(0.3)), WIDE),
    "SpatialDropout1D": (_model(lambda: L.Dense(8), lambda: L.SpatialDropout1D(0.5)), SEQUENCE),
    "SpatialDropout2D": (_model(lambda: L.Dense(8), lambda: L.SpatialDropout2D(0.5)), PICTURE),
    "Conv1D": (_model(lambda: L.Conv1D(4, 3, padding="same", activation="relu")), SEQUENCE),
    "Conv2D": (
        _model(lambda: L.Conv2D(4, 3, activation="relu"), lambda: L.Conv2D(3, 2, strides=2)),
        PICTURE,
    ),
    "Conv2D grouped": (
        _model(lambda: L.Conv2D(4, 1), lambda: L.Conv2D(6, 2, groups=2, dilation_rate=2)), PICTURE,
    ),
    "Conv1DTranspose": (_model(lambda: L.Conv1DTranspose(3, 3, strides=2)), SEQUENCE),
    "Conv2DTranspose": (_model(lambda: L.Conv2DTranspose(3, 3, strides=2)), PICTURE),
    "DepthwiseConv1D": (_model(lambda: L.DepthwiseConv1D(3, depth_multiplier=2)), SEQUENCE),
    "DepthwiseConv2D": (_model(lambda: L.DepthwiseConv2D(3, padding="same")), PICTURE),
    "SeparableConv1D": (_model(lambda: L.SeparableConv1D(4, 3)), SEQUENCE),
    "SeparableConv2D": (_model(lambda: L.SeparableConv2D(4, 3)), PICTURE),
    "MaxPooling1D": (_model(lambda: L.Dense(3), lambda: L.MaxPooling1D(2)), SEQUENCE),
    "MaxPooling2D": (_model(lambda: L.Dense(3), lambda: L.MaxPooling2D(2)), PICTURE),
    "AveragePooling1D": (_model(lambda: L.Dense(3), lambda: L.AveragePooling1D(2)), SEQUENCE),
    "AveragePooling2D": (
        _model(lambda: L.Dense(3), lambda: L.AveragePooling2D(3, strides=1, padding="same")),
        PICTURE,
    ),
    "GlobalAveragePooling1D": (_model(lambda: L.Dense(3), L.GlobalAveragePooling1D), SEQUENCE),
    "GlobalAveragePooling2D": (_model(lambda: L.Dense(3), L.GlobalAveragePooling2D), PICTURE),
    "GlobalMaxPooling1D": (_model(lambda: L.Dense(3), L.GlobalMaxPooling1D), SEQUENCE),
    "GlobalMaxPooling2D": (_model(lambda: L.Dense(3), L.GlobalMaxPooling2D), PICTURE),
    "UpSampling1D": (_model(lambda: L.Dense(3), lambda: L.UpSampling1D(2)), SEQUENCE),
    "UpSampling2D": (
        _model(lambda: L.Dense(3), lambda: L.UpSampling2D(2, interpolation="bilinear")), PICTURE,
    ),
    "ZeroPadding1D": (_model(lambda: L.Dense(3), lambda: L.ZeroPadding1D(2)), SEQUENCE),
    "ZeroPadding2D": (_model(lambda: L.Dense(3), lambda: L.ZeroPadding2D((1, 2))), PICTURE),
    "Embedding": (_model(lambda: L.Embedding(7, 4), lambda: L.Dense(3)), ids(7, 4, 5)),
    "SimpleRNN": (_model(lambda: L.SimpleRNN(4, return_sequences=True)), SEQUENCE),
    "LSTM": (
        _model(lambda: L.Embedding(7, 4), lambda: L.LSTM(5, return_sequences=True),
               lambda: L.LSTM(3)),
        ids(7, 4, 5),
    ),
    "LSTM masked": (
        _model(lambda: L.Embedding(7, 4, mask_zero=True), lambda: L.LSTM(5)), ids(7, 4, 5),
    ),
    "GRU": (_model(lambda: L.GRU(4, return_sequences=True, dropout=0.3)), SEQUENCE),
    "Bidirectional": (_model(lambda: L.Bidirectional(L.LSTM(3))), SEQUENCE),
    "RNN": (_model(lambda: L.RNN(L.LSTMCell(4), return_sequences=True)), SEQUENCE),
    "GRUCell": (_model(lambda: L.RNN(L.GRUCell(4))), SEQUENCE),
    "SimpleRNNCell": (_model(lambda: L.RNN(L.SimpleRNNCell(4))), SEQUENCE),
    "MultiHeadAttention": (_model(lambda: L.MultiHeadAttention(2, causal=True)), SEQUENCE),
    "MultiHeadAttention across": (_Cross, SEQUENCE),
    "TransformerBlock": (_model(lambda: L.TransformerBlock(2, hidden=6, dropout=0.2)), SEQUENCE),
    "TransformerBlock rotary": (
        _model(lambda: L.TransformerBlock(2, norm="post", causal=True, rotary=True)), SEQUENCE,
    ),
    "PositionEmbedding": (
        _model(lambda: L.Embedding(7, 4), lambda: L.PositionEmbedding(9)), ids(7, 3, 5),
    ),
    "RotaryEmbedding": (_model(lambda: L.Dense(4), L.RotaryEmbedding), SEQUENCE),
    "SinusoidalEmbedding": (_model(lambda: L.Dense(4), L.SinusoidalEmbedding), SEQUENCE),
    "MLP": (lambda: nn.MLP(5, [6, 4, 2]), WIDE),
    "GPT": (lambda: nn.GPT(11, context=8, width=8, layers=2, heads=2, dropout=0.1), ids(11, 3, 8)),
    "Encoder": (lambda: nn.Encoder(8, 1, 2, vocabulary=11, context=8, padding=0), ids(11, 3, 6)),
    "Transformer": (lambda: nn.Transformer(9, 7, 8, 1, 2, context=8, padding=0), (
        ids(9, 3, 6), ids(7, 3, 5),
    )),
    "VisionTransformer": (
        lambda: nn.VisionTransformer((6, 6, 3), 3, 4, width=8, layers=1, heads=2),
        floats(2, 6, 6, 3),
    ),
}  # fmt: skip

SAME = {
    "BatchNormalization": "BatchNorm", "LayerNormalization": "LayerNorm",
    "Sequential": "Dense", "LSTMCell": "RNN",
    **{f"{a}Pool{n}D": f"{b}Pooling{n}D"
       for a, b in (("Max", "Max"), ("Avg", "Average"), ("GlobalAvg", "GlobalAverage"),
                    ("GlobalMax", "GlobalMax")) for n in (1, 2)},
}  # fmt: skip
"""Names of what is tried by another name, or within another."""
NO_STEPS = {"KeyValueCache", "attention_maps"}
"""What is for generating and for looking at weights."""


def trained(
    build: Build, make: Any, mode: str, optimizer: Any = None, steps: int = STEPS, **options: Any
) -> dict[str, Any]:
    """A model trained for some steps: losses, tensors, and the random numbers that come next."""
    autograd.seed(7)
    model = build()
    random = np.random.default_rng(1)
    makers = make if isinstance(make, tuple) else (make,)
    batches = [[m(random) for m in makers] for _ in range(steps)]
    with nn.mode.training(False):
        shapes = [y.shape for y in flatten(model(*batches[0]))]
    targets = [Tensor(random.normal(size=s).astype("float32")) for s in shapes]
    chosen = optimizer(model) if optimizer else nn.SGD(model.parameters(), 0.1, 0.9)
    extra = options.get("extra", lambda model: 0.0)
    after = options.get("after", lambda model: lambda: None)(model)

    def step(*inputs: Tensor) -> Tensor:
        found = flatten(model(*inputs))
        loss = nn.mse_loss(found[0], targets[0])
        for y, t in zip(found[1:], targets[1:], strict=True):
            loss = loss + nn.mse_loss(y, t)
        loss = loss + extra(model)
        loss.backward()
        chosen.step()
        chosen.zero_grad()
        after()
        return loss

    stepped = jit(step)
    with running(mode), nn.mode.training(True):
        losses = [stepped(*batch) for batch in batches]
    if mode != "off":
        assert [bound.kind for bound in specialisations(stepped)] == [mode]
    return {
        "losses": raws(losses),
        "tensors": dict(zip([n for n, _ in model.named_tensors()],
                            raws([t for _, t in model.named_tensors()]), strict=True)),
        "next": autograd.random.uniform((4,)).tolist(),
        "steps": chosen.steps,
        "model": model,
    }  # fmt: skip


def assert_same(got: dict[str, Any], want: dict[str, Any], near: float = NEAR) -> None:
    """The same training, but for rounding."""
    np.testing.assert_allclose(got["losses"], want["losses"], rtol=near)
    assert got["tensors"].keys() == want["tensors"].keys()
    for name, expected in want["tensors"].items():
        size = np.abs(expected).max(initial=0.0)
        np.testing.assert_allclose(
            got["tensors"][name], expected, rtol=near, atol=near * max(size, 0.02), err_msg=name
        )
    assert got["next"] == want["next"], "as many random numbers were drawn"
    assert got["steps"] == want["steps"]


def test_every_layer_and_model_is_tried() -> None:
    tried = {name.split()[0] for name in CASES} | set(SAME) | NO_STEPS
    assert set(nn.layers.__all__) | set(nn.models.__all__) <= tried


@by_mode
@pytest.mark.parametrize("name", CASES)
def test_a_layer_learns_the_same(name: str, mode: str) -> None:
    build, make = CASES[name]
    assert_same(trained(build, make, mode), trained(build, make, "off"))


@by_mode
def test_dropout_drops_the_very_same_elements(mode: str) -> None:
    layer = nn.Dropout(0.3)
    ones = Tensor(np.ones((50, 7), "float32"))

    def function(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return layer(x), autograd.random.normal((5, 3)), layer(x * 2)

    step = jit(function)
    found = {}
    for how in (mode, "off"):
        autograd.seed(11)
        with running(how), nn.mode.training(True):
            found[how] = [[raw.tolist() for raw in raws(step(ones))] for _ in range(3)]
    drawn, expected = np.array(found[mode][2][1]), np.array(found["off"][2][1])
    np.testing.assert_allclose(drawn, expected, rtol=1e-6)
    for mine, others in zip(found[mode], found["off"], strict=True):
        assert mine[0] == others[0]
        assert mine[2] == others[2]
    assert found[mode][0] != found[mode][1]


def _mlp() -> Any:
    return nn.MLP(5, [8, 3], activation="tanh")


def _groups(model: Any) -> nn.Optimizer:
    weights = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim < 2]
    return nn.AdamW([{"params": weights, "weight_decay": 0.1}, {"params": rest, "lr": 0.003}], 0.01)


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "SGD": lambda m: nn.SGD(m.parameters(), 0.1),
    "SGD with momentum": lambda m: nn.SGD(m.parameters(), 0.1, momentum=0.9, weight_decay=0.01),
    "SGD Nesterov": lambda m: nn.SGD(m.parameters(), 0.1, momentum=0.9, nesterov=True),
    "Adam": lambda m: nn.Adam(m.parameters(), 0.01),
    "Adam amsgrad": lambda m: nn.Adam(m.parameters(), 0.01, amsgrad=True, weight_decay=0.1),
    "Adam clipped": lambda m: nn.Adam(m.parameters(), 0.01, clip_norm=0.1),
    "AdamW": lambda m: nn.AdamW(m.parameters(), 0.01, weight_decay=0.1),
    "AdamW in groups": _groups,
    "Nadam": lambda m: nn.optim.Nadam(m.parameters(), 0.01),
    "RMSprop": lambda m: nn.RMSprop(m.parameters(), 0.01, clip_value=0.05),
    "Adagrad": lambda m: nn.optim.Adagrad(m.parameters(), 0.05),
    "Adadelta": lambda m: nn.optim.Adadelta(m.parameters(), 0.5),
    "Lion": lambda m: nn.optim.Lion(m.parameters(), 0.01, weight_decay=0.1),
    "LAMB": lambda m: nn.optim.LAMB(m.parameters(), 0.01),
    "Adafactor": lambda m: nn.optim.Adafactor(m.parameters(), 0.01),
}


def test_every_optimizer_is_tried() -> None:
    assert {kind.__name__ for kind in nn.optim.BY_NAME.values()} <= {
        name.split()[0] for name in OPTIMIZERS
    }


@by_mode
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_the_same_steps(name: str, mode: str) -> None:
    got, want = (trained(_mlp, WIDE, how, OPTIMIZERS[name]) for how in (mode, "off"))
    assert_same(got, want)


SCHEDULES: dict[str, Callable[[], Any]] = {
    "cosine": lambda: nn.CosineDecay(0.1, steps=6, warmup=2),
    "one cycle": lambda: nn.OneCycle(0.2, steps=6),
    "steps": lambda: nn.optim.StepDecay(0.2, every=2),
    "a function": lambda: lambda step: 0.1 / (1 + step),
}


@by_mode
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_followed_by_one_program(name: str, mode: str) -> None:
    def optimizer(model: Any) -> Any:
        return nn.SGD(model.parameters(), SCHEDULES[name](), momentum=0.5)

    assert_same(*(trained(_mlp, WIDE, how, optimizer, steps=6) for how in (mode, "off")))


@by_mode
def test_a_rate_that_is_set_is_used_by_the_same_program(mode: str) -> None:
    def final(how: str) -> list[Any]:
        autograd.seed(1)
        model = _mlp()
        optimizer = nn.Adam(model.parameters(), 0.1)

        @jit
        def step(x: Tensor) -> Tensor:
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss

        with running(how):
            for i in range(6):
                optimizer.lr = 0.1 / (i + 1)
                step(Tensor(np.full((2, 5), 0.1 * i, "float32")))
        assert len(specialisations(step)) == (how != "off")
        return list(model.parameters())

    assert_near(final(mode), final("off"), NEAR)


@by_mode
def test_averages_penalties_and_constraints_are_part_of_the_step(mode: str) -> None:
    averages: list[Any] = []

    def build() -> Any:
        model = nn.Sequential([
            nn.Dense(6, "relu", kernel_regularizer=nn.L1L2(0.01, 0.02), input_shape=(5,)),
            nn.Dense(3, kernel_constraint=nn.constraints.MaxNorm(0.5)),
        ])  # fmt: skip
        model(Tensor(np.zeros((1, 5), "float32")))
        return model

    def after(model: Any) -> Callable[[], None]:
        averages.append(nn.EMA(model, 0.7))
        return averages[-1].update  # type: ignore[no-any-return]

    got, want = (
        trained(build, WIDE, how, steps=5, extra=nn.regularizers.penalty, after=after)
        for how in (mode, "off")
    )
    assert_same(got, want)
    mine, others = (list(ema.averages.values()) for ema in averages)
    assert_near(mine, others, NEAR)


@needs_compiler
def test_two_hundred_steps_stay_together() -> None:
    got, want = (
        trained(_mlp, WIDE, how, OPTIMIZERS["Adam"], steps=200) for how in ("native", "off")
    )
    assert_same(got, want, 2e-3)
    assert got["losses"][-1] < 0.9 * got["losses"][0]


losses = nn.losses
LOSSES: dict[str, list[Any]] = {
    "shares": [
        losses.CategoricalCrossentropy(),
        losses.CategoricalCrossentropy(from_logits=True),
        losses.CategoricalFocalCrossentropy(),
        losses.CosineSimilarity(),
        losses.KLDivergence(),
        losses.Huber(0.1),
        losses.LogCosh(),
        losses.MeanAbsoluteError(),
        losses.MeanAbsolutePercentageError(),
        losses.MeanSquaredError(),
        losses.MeanSquaredLogarithmicError(),
        losses.Poisson(),
        losses.InfoNCE(),
        losses.huber_loss,
        losses.l1_loss,
        losses.mse_loss,
        losses.info_nce,
    ],
    "yes or no": [
        losses.BinaryCrossentropy(),
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
        losses.BinaryFocalCrossentropy(),
        losses.Hinge(),
        losses.Wasserstein(),
        losses.binary_cross_entropy,
        losses.binary_cross_entropy_with_logits,
    ],
    "class": [
        losses.SparseCategoricalCrossentropy(),
        losses.SparseCategoricalCrossentropy(from_logits=True),
        losses.cross_entropy,
        losses.Triplet(),
    ],
}


def _some_outputs(seed: int) -> list[Tensor]:
    """Outputs of a model, and what each group of `LOSSES` compares them with."""
    random = np.random.default_rng(seed)
    shares = random.uniform(0.1, 1.0, (2, 6, 4)).astype("float32")
    outputs, wanted = shares / shares.sum(axis=-1, keepdims=True)
    binary = (random.random((6, 4)) < 0.5).astype("float32")
    return [Tensor(x) for x in (outputs, wanted, binary, random.integers(0, 4, 6))]


@by_mode
def test_every_loss_and_its_gradient(mode: str) -> None:
    def function(outputs: Tensor, *wanted: Tensor) -> list[Any]:
        return [
            autograd.value_and_grad(lambda x, loss=loss, y=y: loss(x, y).sum())(outputs)
            for group, y in zip(LOSSES.values(), wanted, strict=True)
            for loss in group
        ]

    step = compiled(function, mode, *_some_outputs(0))
    given = _some_outputs(1)
    for got, want in zip(step(*given), function(*given), strict=True):
        assert_near(got, want, 2e-5)
