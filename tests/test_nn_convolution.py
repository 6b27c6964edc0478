"""Layers for images and series: their shapes, weights, words and errors, and that they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nn
from autograd import DTypeError, ShapeError, Tensor, no_grad, ones, random

RNG = np.random.default_rng(0)


def image(*shape: int) -> Tensor:
    return Tensor(RNG.normal(size=shape).astype("f"))


@pytest.mark.parametrize(
    ("layer", "given", "expected", "weights"),
    [
        (nn.Conv2D(4, 3), (8, 9, 2), (6, 7, 4), [(3, 3, 2, 4), (4,)]),
        (nn.Conv2D(4, (3, 2), strides=2, padding="same"), (7, 8, 2), (4, 4, 4), None),
        (nn.Conv2D(4, 3, dilation_rate=2, use_bias=False), (8, 8, 2), (4, 4, 4), [(3, 3, 2, 4)]),
        (nn.Conv2D(4, 3, groups=2), (8, 8, 6), (6, 6, 4), [(3, 3, 3, 4), (4,)]),
        (nn.Conv2D(4, 3, padding=((1, 0), (2, 2))), (8, 8, 1), (7, 10, 4), None),
        (nn.Conv2D(4, 3, padding="SAME"), (8, 8, 1), (8, 8, 4), None),
        (nn.Conv1D(4, 3), (8, 2), (6, 4), [(3, 2, 4), (4,)]),
        (nn.Conv1D(4, 3, padding="causal"), (8, 2), (8, 4), None),
        (nn.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 3), (6, 6, 6), [(3, 3, 1, 6), (6,)]),
        (nn.DepthwiseConv1D(3, padding="same"), (8, 3), (8, 3), [(3, 1, 3), (3,)]),
        (nn.SeparableConv2D(5, 3), (8, 8, 3), (6, 6, 5), [(3, 3, 1, 3), (1, 1, 3, 5), (5,)]),
        (nn.SeparableConv1D(5, 3), (8, 3), (6, 5), [(3, 1, 3), (1, 3, 5), (5,)]),
        (nn.Conv2DTranspose(4, 3, strides=2, padding="same"), (5, 6, 2), (10, 12, 4),
         [(3, 3, 4, 2), (4,)]),
        (nn.Conv2DTranspose(4, 3, strides=2), (5, 6, 2), (11, 13, 4), None),
        (nn.Conv2DTranspose(4, 3, strides=2, output_padding=1), (5, 6, 2), (12, 14, 4), None),
        (nn.Conv1DTranspose(4, 3, strides=3, padding="same"), (5, 2), (15, 4), None),
        (nn.MaxPooling2D(), (7, 8, 3), (3, 4, 3), []),
        (nn.MaxPooling2D(3, strides=1, padding="same"), (7, 8, 3), (7, 8, 3), []),
        (nn.AveragePooling2D((2, 3), padding="same"), (7, 8, 3), (4, 3, 3), []),
        (nn.MaxPooling1D(3), (7, 2), (2, 2), []),
        (nn.AveragePooling1D(), (7, 2), (3, 2), []),
        (nn.GlobalAveragePooling2D(), (7, 8, 3), (3,), []),
        (nn.GlobalMaxPooling2D(keepdims=True), (7, 8, 3), (1, 1, 3), []),
        (nn.GlobalAveragePooling1D(), (7, 3), (3,), []),
        (nn.GlobalMaxPooling1D(), (7, 3), (3,), []),
        (nn.UpSampling2D((2, 3)), (2, 2, 1), (4, 6, 1), []),
        (nn.UpSampling2D(interpolation="bilinear"), (3, 1, 2), (6, 2, 2), []),
        (nn.UpSampling1D(3), (2, 1), (6, 1), []),
        (nn.ZeroPadding2D(((1, 0), (2, 3))), (2, 2, 1), (3, 7, 1), []),
        (nn.ZeroPadding2D((1, 2)), (2, 2, 1), (4, 6, 1), []),
        (nn.ZeroPadding1D((0, 2)), (2, 1), (4, 1), []),
    ],
    ids=lambda x: repr(x) if isinstance(x, nn.Module) else "",
)  # fmt: skip
def test_shapes(layer: Any, given: tuple[int, ...], expected: Any, weights: Any) -> None:
    x = image(2, *given)
    x.requires_grad_()
    z = layer(x)
    assert z.shape == (2, *expected)
    if weights is not None:
        assert [p.shape for p in layer.parameters()] == weights
    z.sum().backward()
    assert x.grad is not None
    assert all(p.grad is not None for p in layer.parameters())


def test_upsampling_repeats_or_draws_straight_lines() -> None:
    x = Tensor([[[[0.0], [4.0]]]])
    nearest, bilinear = nn.UpSampling2D((1, 2)), nn.UpSampling2D((1, 4), interpolation="bilinear")
    assert nearest(x).raw.ravel().tolist() == [0, 0, 4, 4]
    assert bilinear(x).raw.ravel().tolist() == [0, 0, 0.5, 1.5, 2.5, 3.5, 4, 4]


def test_a_bilinear_image_of_one_value_keeps_it() -> None:
    z = nn.UpSampling2D(3, interpolation="bilinear")(ones((1, 4, 5, 2)))
    np.testing.assert_allclose(z.raw, 1)


def small(**first: Any) -> nn.Sequential:
    return nn.Sequential([
        nn.Conv2D(6, 3, padding="same", activation="relu", **first),
        nn.MaxPooling2D(),
        nn.Conv2D(8, 3, activation="relu", name="second"),
        nn.GlobalAveragePooling2D(),
        nn.Dense(3),
    ])  # fmt: skip


def test_a_model_is_built_by_its_input_shape_and_summed_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = small(input_shape=(8, 8, 2))
    table = model.summary()
    for row in ("(N, 8, 8, 6)", "(N, 4, 4, 6)", "(N, 2, 2, 8)", "(N, 8)", "114", "440"):
        assert row in table
    assert capsys.readouterr().out
    told = repr(model)
    assert "Conv2D(2 → 6, 3×3, same, relu)" in told
    assert "MaxPooling2D(2×2)" in told


def test_descriptions() -> None:
    assert repr(nn.Conv2D(4, 3, strides=2, groups=2)) == "Conv2D(? → 4, 3×3, strides 2×2, 2 groups)"
    assert repr(nn.Conv1D(4, 3, dilation_rate=2, use_bias=False, padding="causal")) == (
        "Conv1D(? → 4, 3, dilation 2, causal, no bias)"
    )
    assert repr(nn.DepthwiseConv2D(3)) == "DepthwiseConv2D(? → ?, 3×3)"
    assert repr(nn.AveragePooling2D(3, 2, "same")) == ("AveragePooling2D(3×3, strides 2×2, same)")
    assert repr(nn.UpSampling2D()) == "UpSampling2D(2×2, nearest)"
    assert repr(nn.ZeroPadding2D(1)) == "ZeroPadding2D(((1, 1), (1, 1)))"


def test_weights_of_a_saved_model_come_back_in_one_that_is_not_built() -> None:
    model, again = small(input_shape=(8, 8, 2)), small()
    x = image(3, 8, 8, 2)
    again.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(again(x).raw, model(x).raw)
    for layer in (nn.Conv2DTranspose, nn.DepthwiseConv2D):
        args: Any = (4, 3) if layer is nn.Conv2DTranspose else (3,)
        one, other = layer(*args, input_shape=(8, 8, 2)), layer(*args)
        other.load_state_dict(one.state_dict())
        np.testing.assert_array_equal(other(x).raw, one(x).raw)


def test_a_small_network_learns_which_way_stripes_run() -> None:
    random.seed(0)
    rng = np.random.default_rng(0)
    stripes = np.sin(np.arange(8) * 2.0)
    labels = rng.integers(0, 2, 64)
    x = np.where(labels[:, None, None], stripes[:, None], stripes[None, :])[..., None]
    x = (x + 0.3 * rng.normal(size=x.shape)).astype("f")
    model = nn.Sequential([
        nn.Conv2D(4, 3, activation="relu"), nn.MaxPooling2D(), nn.Flatten(), nn.Dense(2),
    ])  # fmt: skip
    model.compile(
        optimizer=nn.Adam(lr=0.02),
        loss=nn.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, labels, epochs=6, batch_size=16, verbose=0)
    assert model.evaluate(x, labels, return_dict=True)["accuracy"] == 1


def test_separable_is_depthwise_then_pointwise() -> None:
    layer, x = nn.SeparableConv2D(4, 3, activation="relu"), image(2, 6, 6, 3)
    z = layer(x)
    np.testing.assert_array_equal(layer.pointwise(layer.depthwise(x)).raw, z.raw)
    assert (z.raw >= 0).all()


# --- errors ---


def model_for_errors() -> nn.Sequential:
    return nn.Sequential([nn.Conv2D(4, 3, input_shape=(8, 8, 3)), nn.Conv2D(4, 3, name="deep")])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda m: m(image(2, 8, 8, 4)), r"0 \(Conv2D\).*last axis.*3 channels, got 4"),
        (lambda m: m(image(2, 3, 8, 8)), r"channels come last.*x\.permute\(0, 2, 3, 1\)"),
        (lambda m: m(image(8, 8, 3)), r"0 \(Conv2D\).*4 axes, got 3.*x\[None\]"),
        (lambda m: m(image(2, 4, 8, 3)), r"deep \(Conv2D\).*window of 3 does not fit axis 1"),
        (lambda m: m(Tensor(np.ones((2, 8, 8, 3)), dtype="float64")), r"0 \(Conv2D\).*astype"),
        (lambda m: nn.MaxPooling2D(3)(image(1, 2, 8, 1)), r"MaxPooling2D.*window of 3"),
        (lambda m: nn.MaxPooling2D()(image(8, 8, 1)), "MaxPooling2D.*4 axes, got 3"),
        (lambda m: nn.GlobalMaxPooling1D()(image(8, 8)), "steps, channels.*3 axes, got 2"),
        (lambda m: nn.Conv2D(4, 3, groups=2)(image(1, 8, 8, 3)), "2 groups do not divide the 3"),
        (lambda m: nn.Conv2D(4, 3, input_shape=()), "no channels"),
        (lambda m: nn.Conv2D(4, 3, padding=(1, 2, 3))(image(1, 8, 8, 3)), r"padding.*\(1, 2, 3\)"),
        (lambda m: nn.Conv2D(4, 3, kernel_init=lambda shape: ones(3))(image(1, 8, 8, 3)),
         r"initialiser made \(3,\) for weight \(3, 3, 3, 4\)"),
    ],
)  # fmt: skip
def test_an_input_that_does_not_fit_is_explained(call: Any, told: str) -> None:
    with pytest.raises((ShapeError, DTypeError), match=f"(?si){told}"):
        call(model_for_errors())


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nn.Conv2D(0, 3), "Conv2D: filters must be a whole number from 1 on, not 0"),
        (lambda: nn.Conv2D(4, 3.0), "kernel_size.*not 3.0"),
        (lambda: nn.Conv2D(4, (3, 3, 3)), r"kernel_size.*or 2 of them, not \(3, 3, 3\)"),
        (lambda: nn.Conv2D(4, 3, strides=0), "strides.*not 0"),
        (lambda: nn.Conv2D(4, 3, padding="full"), "padding 'full' is unknown. Valid: valid, same"),
        (lambda: nn.Conv2D(4, 3, padding="causal"), "padding 'causal' is unknown"),
        (lambda: nn.Conv2D(4, 3, groups=3), "3 groups do not divide 4 filters.*such as 6"),
        (lambda: nn.Conv2D(4, 3, activation="rleu"), "did you mean 'relu'"),
        (lambda: nn.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier"),
        (lambda: nn.MaxPooling2D(0), "pool_size"),
        (lambda: nn.UpSampling2D(2, interpolation="cubic"), "Valid: nearest, bilinear"),
        (lambda: nn.ZeroPadding2D(-1), "padding must be.*not -1"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_layer_are_refused(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_nothing_is_recorded_under_no_grad() -> None:
    with no_grad():
        z = small(input_shape=(8, 8, 2))(image(1, 8, 8, 2))
    assert not z.requires_grad
