"""Sequences: which steps are padding, and which weigh how much, from the layers to `fit`."""

from typing import Any

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor
from autograd.errors import DomainError, ShapeError

rng = np.random.default_rng(0)
IDS = np.array([[3, 4, 0, 0], [5, 6, 7, 8], [9, 0, 0, 0]])
LONGER = np.pad(IDS, ((0, 0), (0, 3)))  # the same sequences with more padding
TAGS = rng.integers(0, 3, IDS.shape)


def tagger(**options: Any) -> nn.Sequential:
    autograd.seed(0)
    model = nn.Sequential([nn.Embedding(10, 4), nn.Dense(3, input_shape=(4,))])
    loss = nn.SparseCategoricalCrossentropy(from_logits=True, **options)
    model.compile("sgd", loss, metrics=["accuracy"])
    return model


def losses(model: nn.Sequential) -> np.ndarray:
    """The cross-entropy of each step of IDS, (N, T)."""
    logits = model.predict(IDS)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, TAGS[..., None], -1)[..., 0]


# --- layers ---


@pytest.mark.parametrize(
    "tail",
    [
        [nn.GlobalAveragePooling1D()],
        [nn.GlobalMaxPooling1D()],
        [nn.GlobalAveragePooling1D(keepdims=True), nn.Flatten()],
        [nn.LSTM(3)],
        [nn.Dropout(0.2), nn.GRU(4, return_sequences=True), nn.SimpleRNN(3)],
        [nn.Bidirectional(nn.LSTM(3))],
        [nn.Sequential([nn.LSTM(3)])],
        [nn.Residual([nn.Bidirectional(nn.LSTM(2), merge="concat")]), nn.GlobalMaxPooling1D()],
        [nn.Residual([nn.LSTM(4, True)]), nn.GlobalAveragePooling1D()],
        [nn.Parallel([nn.LSTM(3), nn.GRU(2)]), nn.Concatenate()],
        [nn.TransformerBlock(2), nn.GlobalAveragePooling1D()],
        [nn.LSTM(3), nn.RepeatVector(2), nn.LSTM(2)],
    ],
    ids=lambda tail: "-".join(type(layer).__name__ for layer in tail),
)
def test_padding_makes_no_difference(tail: list[Any]) -> None:
    if isinstance(tail[0], nn.Residual):  # both directions keep the width
        for layer in tail[0].inner:
            if isinstance(layer, nn.Bidirectional):
                layer.forward_layer.return_sequences = True
                layer.backward_layer.return_sequences = True
    model = nn.Sequential([nn.Embedding(10, 4, mask_zero=True), *tail]).eval()
    short, long = model(IDS).numpy(), model(LONGER).numpy()
    np.testing.assert_allclose(short, long, atol=1e-6)
    # and the same where the embedding stands in a model inside the model
    nested = nn.Sequential([nn.Sequential([model[0], nn.Dropout(0.1)]), *tail]).eval()
    np.testing.assert_allclose(nested(LONGER).numpy(), short, atol=1e-6)


def test_a_mask_ends_where_the_steps_do() -> None:
    """The decoder's steps are its own, also where they are as many as the encoder's."""
    decoder = nn.LSTM(2, return_sequences=True)
    encoder = [nn.Embedding(10, 4, mask_zero=True), nn.LSTM(3)]
    model = nn.Sequential([*encoder, nn.RepeatVector(4), decoder]).eval()
    code = nn.Sequential(encoder).eval()(IDS)
    expected = decoder(nn.RepeatVector(4)(code))
    np.testing.assert_array_equal(model(IDS).numpy(), expected.numpy())


def test_pooling_over_what_is_real() -> None:
    x = rng.normal(size=(3, 4, 2)).astype("float32") - 5
    mask = np.array([[True, True, False, False], [True] * 4, [False] * 4])
    mean = nn.GlobalAveragePooling1D()(x, mask=mask).numpy()
    top = nn.GlobalMaxPooling1D()(x, mask=mask).numpy()
    for n, (row, real) in enumerate(zip(x, mask, strict=True)):
        np.testing.assert_allclose(mean[n], row[real].mean(0) if real.any() else 0, rtol=1e-6)
        np.testing.assert_array_equal(top[n], row[real].max(0) if real.any() else np.zeros(2))
    with pytest.raises(ShapeError, match=r"a mask of shape \(3, 3\)"):
        nn.GlobalAveragePooling1D()(x, mask=mask[:, :3])


def test_masking_finds_the_padding() -> None:
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    x[0, 3:] = x[1, 1:] = -1
    assert nn.Masking(-1).padding_mask(x).tolist() == [
        [True] * 3 + [False] * 2,
        [True] + [False] * 4,
    ]
    layer = nn.LSTM(4)
    model = nn.Sequential([nn.Masking(-1), layer])
    np.testing.assert_array_equal(model(x).numpy(), layer(x, lengths=[3, 1]).numpy())
    assert repr(nn.Masking(-1)) == "Masking(-1 is padding)"
    with pytest.raises(ShapeError, match=r"\(2, 3\) must be \(N, steps, features\)"):
        nn.Masking()(Tensor(x[:, 0]))


def test_a_vector_for_every_step() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    z = nn.RepeatVector(3)(x)
    np.testing.assert_array_equal(z.numpy(), np.repeat(x.numpy()[:, None], 3, 1))
    z.sum().backward()
    assert x.grad is not None
    assert (x.grad.numpy() == 3).all()
    assert repr(nn.RepeatVector(3)) == "RepeatVector(3 times)"
    with pytest.raises(ShapeError, match=r"must be \(N, features\)"):
        nn.RepeatVector(3)(z)
    with pytest.raises(ValueError, match="n must be a whole number from 1 on, not 0"):
        nn.RepeatVector(0)


# --- fit ---


@pytest.mark.parametrize("batch_size", [2, 3])
def test_steps_have_weights_of_their_own(batch_size: int) -> None:
    model, weight = tagger(), rng.random(IDS.shape)
    for given in (weight, weight.astype("float32"), weight[:, :1]):
        told = model.evaluate(IDS, TAGS, sample_weight=given, batch_size=batch_size)[0]
        assert told == pytest.approx((losses(model) * given).mean(), rel=1e-5)
    loader = nn.data.DataLoader(IDS, TAGS, sample_weight=weight, batch_size=batch_size)
    assert model.evaluate(loader)[0] == pytest.approx((losses(model) * weight).mean(), rel=1e-5)
    model.fit(IDS, TAGS, sample_weight=weight, validation_data=(IDS, TAGS, weight), verbose=0)


def test_a_mask_as_weights_is_a_mean_over_what_is_true() -> None:
    model, real = tagger(), IDS != 0
    told = model.evaluate(IDS, TAGS, sample_weight=real)[0]
    assert told == pytest.approx(losses(model)[real].mean(), rel=1e-5)


def test_classes_of_steps_have_weights() -> None:
    model = tagger()
    weight = np.choose(TAGS, [1.0, 1.0, 5.0])
    twin = tagger()
    model.fit(IDS, TAGS, class_weight={2: 5.0}, shuffle=False, verbose=0)
    twin.fit(IDS, TAGS, sample_weight=weight, shuffle=False, verbose=0)
    np.testing.assert_array_equal(model.predict(IDS), twin.predict(IDS))


def test_weights_of_samples_and_of_the_classes_of_steps_do_not_mix_up_axes() -> None:
    square, tags = IDS[:, :3], TAGS[:, :3]  # (N,) and (T,) have the same length here
    model, twin, own = tagger(), tagger(), np.array([1.0, 2.0, 3.0])
    weight = own[:, None] * np.choose(tags, [1.0, 1.0, 5.0])
    model.fit(square, tags, sample_weight=own, class_weight={2: 5.0}, shuffle=False, verbose=0)
    twin.fit(square, tags, sample_weight=weight, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.predict(IDS), twin.predict(IDS), rtol=1e-6)
    model, batches = tagger(), iter([(square, tags, own)])
    model.fit(batches, class_weight={2: 5.0}, verbose=0)
    np.testing.assert_allclose(model.predict(IDS), twin.predict(IDS), rtol=1e-6)


def test_weights_that_do_not_fit_are_told() -> None:
    model = tagger()
    with pytest.raises(ShapeError, match=r"one number per sample, \(3,\), or one per step"):
        model.fit(IDS, TAGS, sample_weight=np.ones((2, 4)))
    with pytest.raises(ShapeError, match=r"sample_weight has shape \(1, 3\)"):
        model.fit(IDS, TAGS, sample_weight=np.ones((3, 3)))
    wrong = np.ones(IDS.shape)
    wrong[1, 2] = -2
    with pytest.raises(DomainError, match=r"sample_weight\[1, 2\] is -2"):
        model.fit(IDS, TAGS, sample_weight=wrong)
    with pytest.raises(ShapeError, match="class_weight needs y to hold classes"):
        model.fit(IDS, np.stack([TAGS, TAGS], 2), class_weight={1: 2.0})


def test_metrics_leave_out_what_the_loss_ignores() -> None:
    model, real = tagger(ignore_index=-1), IDS != 0
    tags = np.where(real, TAGS, -1)
    right = (model.predict(IDS).argmax(-1) == TAGS)[real].mean()
    assert model.evaluate(IDS, tags)[1] == pytest.approx(right)
    history = model.fit(IDS, tags, verbose=0)
    assert history.history["accuracy"][0] == pytest.approx(right)
    model.compile("sgd", model._compiled.loss, metrics=[nn.metrics.Accuracy()])
    with pytest.raises(DomainError, match=r"label -1 is outside .*metric\.ignore_index = -1"):
        model.evaluate(IDS, tags)


@pytest.mark.parametrize(
    "make",
    [
        lambda draw: nn.LSTM(3, kernel_init=draw, input_shape=(4, 2)),
        lambda draw: nn.GRU(3, recurrent_init=draw, input_shape=(4, 2)),
        lambda draw: nn.Embedding(5, 3, draw),
    ],
)
def test_an_initialiser_of_another_shape_is_told(make: Any) -> None:
    with pytest.raises(ShapeError, match=r"the initialiser made \(2, 2\) for (recurrent_)?weight"):
        make(lambda shape: autograd.zeros(2, 2))
