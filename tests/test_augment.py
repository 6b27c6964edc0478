"""Augmentation: what changes, by how much, what does not, and that a seed gives it again."""

from typing import Any

import numpy as np
import pytest

import autograd
import backends
import nn
from autograd import Tensor, random
from autograd.errors import DTypeError, GraphError, ShapeError
from nn.data import Augment, DataLoader
from nn.data.augment import (
    CutMix,
    Cutout,
    Mixup,
    RandomAffine,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomNoise,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Scaling,
    TimeMask,
    TokenDropout,
)
from nn.data.augment.mixing import QUANTILES, beta_quantiles
from nn.data.augment.warp import bilinear

rng = np.random.default_rng(0)
IMAGES = rng.uniform(size=(64, 9, 7, 3)).astype("float32")
SERIES = rng.normal(size=(32, 20, 2)).astype("float32")
TOKENS = rng.integers(0, 50, size=(32, 20))

ALL: dict[str, tuple[Any, np.ndarray]] = {
    "flip": (RandomFlip("horizontal_and_vertical"), IMAGES),
    "crop": (RandomCrop(9, 7, padding=2), IMAGES),
    "rotation": (RandomRotation(40), IMAGES),
    "zoom": (RandomZoom(0.3), IMAGES),
    "translation": (RandomTranslation(0.3, 0.2), IMAGES),
    "affine": (RandomAffine(20, 0.2, 0.1, 0.1, fill="reflect"), IMAGES),
    "brightness": (RandomBrightness(0.3), IMAGES),
    "contrast": (RandomContrast(0.5), IMAGES),
    "noise": (RandomNoise(0.1), IMAGES),
    "cutout": (Cutout(4), IMAGES),
    "scaling": (Scaling(0.2), SERIES),
    "jitter": (RandomNoise(0.1), SERIES),
    "time mask": (TimeMask(6, count=2), SERIES),
    "token dropout": (TokenDropout(0.3, token=99), TOKENS),
}
FLOATS = [name for name in ALL if name != "token dropout"]


@pytest.fixture(autouse=True)
def _seed() -> None:
    autograd.seed(0)


# --- all of them --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_samples_change_each_in_its_own_way_and_a_seed_gives_it_again(name: str) -> None:
    augment, x = ALL[name]
    before = x.copy()
    changed = augment(x).numpy()
    assert (changed.shape, changed.dtype) == (x.shape, x.dtype)
    assert (x == before).all()
    differs = (changed != x).reshape(len(x), -1).any(1)
    assert differs.mean() > 0.5
    same = np.repeat(x[:1], 8, 0)
    assert len(np.unique(augment(same).numpy().reshape(8, -1), axis=0)) > 1
    assert (augment(x).numpy() != changed).any()
    autograd.seed(0)
    assert (augment(x).numpy() == changed).all()


@pytest.mark.parametrize("name", ALL)
def test_nothing_changes_outside_training(name: str) -> None:
    augment, x = ALL[name]
    model = nn.Sequential([augment])
    given = Tensor(x)
    with nn.training(False):
        np.testing.assert_array_equal(model(given).numpy(), x)
    model.eval()
    np.testing.assert_array_equal(model(given).numpy(), x)
    with nn.training(True):
        assert (model(given).numpy() != x).any()
    model.train()
    assert (model(given).numpy() != x).any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("name", FLOATS)
def test_dtypes_stay(name: str, dtype: str) -> None:
    augment, x = ALL[name]
    assert augment(Tensor(x).astype(dtype)).dtype == dtype


@pytest.mark.parametrize("name", ALL)
def test_a_device_gives_what_the_host_gives(name: str) -> None:
    augment, x = ALL[name]
    here = augment(x).numpy()
    autograd.seed(0)
    with backends.using("strict"):
        there = augment(Tensor(x))
    assert there.backend == "strict"
    np.testing.assert_allclose(there.numpy(), here, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", FLOATS)
def test_the_gradient_passes(name: str) -> None:
    augment, x = ALL[name]
    given = Tensor(x[:2].astype("float64"), requires_grad=True)
    augment(given).sum().backward()
    assert given.grad is not None
    assert np.isfinite(given.grad.numpy()).all()


# --- images -------------------------------------------------------------------------------


def test_flips() -> None:
    x = IMAGES
    for mode, mirrored in (("horizontal", x[:, :, ::-1]), ("vertical", x[:, ::-1])):
        changed = RandomFlip(mode)(x).numpy()
        kept = (changed == x).all((1, 2, 3))
        assert ((changed == mirrored).all((1, 2, 3)) == ~kept).all()
        assert 15 < kept.sum() < 49
        assert (RandomFlip(mode, p=1)(x).numpy() == mirrored).all()
        assert (RandomFlip(mode, p=0)(x).numpy() == x).all()
    both = RandomFlip("horizontal_and_vertical")(x).numpy()
    ways = [x, x[:, ::-1], x[:, :, ::-1], x[:, ::-1, ::-1]]
    counts = [(both == way).all((1, 2, 3)).sum() for way in ways]
    assert min(counts) > 5
    assert sum(counts) == 64
    with pytest.raises(ValueError, match="mode='left'"):
        RandomFlip("left")
    with pytest.raises(ValueError, match="p=2 is a probability"):
        RandomFlip(p=2)


def test_crops_are_pieces() -> None:
    crop = RandomCrop(4, 3)
    changed = crop(IMAGES).numpy()
    assert changed.shape == (64, 4, 3, 3)
    places = set()
    for image, piece in zip(IMAGES, changed, strict=True):
        found = [
            (i, j)
            for i in range(6)
            for j in range(5)
            if (image[i : i + 4, j : j + 3] == piece).all()
        ]
        assert len(found) == 1
        places |= set(found)
    assert {i for i, _ in places} == set(range(6))
    assert {j for _, j in places} == set(range(5))
    with nn.training(False):
        np.testing.assert_array_equal(crop(IMAGES), IMAGES[:, 2:6, 2:5])
    with pytest.raises(ValueError, match="10 × 10 does not fit into images of 9 × 7"):
        RandomCrop(10)(IMAGES)


def test_padding_comes_in_where_a_crop_is_moved() -> None:
    ones = np.ones((200, 5, 5, 1), "float32")
    changed = RandomCrop(5, padding=2, fill=-1)(ones).numpy()
    assert set(np.unique(changed)) == {-1, 1}
    # 25 places; the padding that comes in is of 0, 1 or 2 rows and columns
    seen = {(int((c == 1).any(1).sum()), int((c == 1).any(0).sum())) for c in changed[..., 0]}
    assert seen == {(i, j) for i in (3, 4, 5) for j in (3, 4, 5)}
    larger = RandomCrop(7, padding=1)
    with nn.training(False):
        assert larger(ones).shape == (200, 7, 7, 1)


def test_a_quarter_turn_is_exact() -> None:
    square = Tensor(rng.uniform(size=(1, 6, 6, 2)).astype("float32"))
    middle = np.arange(6.0) - 2.5
    rows = Tensor(np.tile(middle + 2.5, (6, 1))[None].astype("float32"))
    columns = Tensor(np.tile((2.5 - middle)[:, None], (1, 6))[None].astype("float32"))
    for fill in ("constant", "reflect"):
        turned = bilinear(square, rows, columns, fill).numpy()
        np.testing.assert_allclose(turned[0], np.rot90(square.numpy()[0]), atol=1e-6)


def test_bilinear_is_exact_on_planes() -> None:
    i, j = np.meshgrid(np.arange(8.0), np.arange(5.0), indexing="ij")
    plane = (2 * i - 3 * j + 1)[None, :, :, None].astype("float32")
    rows, columns = rng.uniform(0, 7, (1, 20, 4)), rng.uniform(0, 4, (1, 20, 4))
    read = bilinear(
        Tensor(plane), Tensor(rows.astype("float32")), Tensor(columns.astype("float32")), "reflect"
    )
    np.testing.assert_allclose(read.numpy()[..., 0], 2 * rows - 3 * columns + 1, atol=1e-4)


def test_what_comes_in_from_outside() -> None:
    image = Tensor(np.array([1.0, 2, 3], "float32").reshape(1, 3, 1, 1))
    rows = Tensor(np.array([-3.0, -2, -1, -0.5, 3, 4], "float32").reshape(1, 6, 1))
    black = bilinear(image, rows, rows * 0, "constant").numpy().ravel()
    mirrored = bilinear(image, rows, rows * 0, "reflect").numpy().ravel()
    assert black.tolist() == [0, 0, 0, 0.5, 0, 0]
    assert mirrored.tolist() == [3, 2, 1, 1, 3, 2]


def places(h: int, w: int) -> np.ndarray:
    """Images each pixel of which holds its own place, seen from the middle: (200, h, w, 2)."""
    i, j = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    return np.repeat(np.stack([i, j], -1)[None], 200, 0).astype("float32")


def test_turning_and_zooming() -> None:
    x = places(8, 8)
    turned = RandomRotation(30)(x).numpy()[:, 4, 4]
    np.testing.assert_allclose(np.hypot(*turned.T), 0.5**0.5, rtol=1e-4)
    angle = np.arctan2(*turned.T) - np.pi / 4
    assert -np.pi / 6 <= angle.min() < -0.4
    assert 0.4 < angle.max() <= np.pi / 6

    factor = x[:, 4, 4] / RandomZoom(0.5)(x).numpy()[:, 4, 4]
    np.testing.assert_allclose(factor[:, 0], factor[:, 1], rtol=1e-4)
    assert 0.5 <= factor.min() < 0.55
    assert 1.4 < factor.max() <= 1.5 + 1e-4

    autograd.seed(0)  # the first numbers drawn are the angles, here as above
    both = RandomAffine(degrees=30, zoom=0.3)(x).numpy()
    np.testing.assert_allclose(np.arctan2(*both[:, 4, 4].T) - np.pi / 4, angle, atol=1e-4)
    down, right = both[:, 4, 4] - both[:, 3, 4], both[:, 4, 4] - both[:, 4, 3]
    np.testing.assert_allclose((down * right).sum(1), 0, atol=1e-5)  # angles stay
    np.testing.assert_allclose(np.hypot(*down.T), np.hypot(*right.T), rtol=1e-4)
    np.testing.assert_allclose(RandomAffine()(x).numpy(), x, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 7), (7, 15)])
def test_moving(size: tuple[int, int]) -> None:
    h, w = size
    moved = RandomTranslation(0.2, 0.1)(places(h, w)).numpy()
    by = -moved[:, h // 2, w // 2]  # the middle's own place is 0, 0
    most = np.array([0.2 * h, 0.1 * w])
    assert (np.abs(by).max(0) <= most + 1e-4).all()
    assert (by.max(0) > 0.8 * most).all()
    assert (by.min(0) < -0.8 * most).all()


def test_light() -> None:
    changed = RandomBrightness(0.3, value_range=None)(IMAGES).numpy() - IMAGES
    assert np.ptp(changed, axis=(1, 2, 3)).max() < 1e-6
    assert np.abs(changed).max() <= 0.3
    assert changed.min() < -0.2
    assert changed.max() > 0.2
    clipped = RandomBrightness(0.9)(IMAGES).numpy()
    assert (clipped.min(), clipped.max()) == (0, 1)

    mean = IMAGES.mean((1, 2, 3), keepdims=True)
    changed = RandomContrast(0.4, value_range=None)(IMAGES).numpy()
    np.testing.assert_allclose(changed.mean((1, 2, 3), keepdims=True), mean, atol=1e-6)
    factor = (changed - mean).std((1, 2, 3)) / (IMAGES - mean).std((1, 2, 3))
    assert 0.6 <= factor.min() < 0.7
    assert 1.3 < factor.max() < 1.4001


def test_noise() -> None:
    noise = RandomNoise(0.1)(IMAGES).numpy() - IMAGES
    assert noise.std() == pytest.approx(0.1, rel=0.03)
    assert noise.mean() == pytest.approx(0, abs=0.005)


def test_a_cutout_is_one_square() -> None:
    ones = np.ones((300, 8, 8, 2), "float32")
    hole = Cutout(3)(ones).numpy() == 0
    assert (hole[..., 0] == hole[..., 1]).all()
    tall, wide = hole[..., 0].any(2).sum(1), hole[..., 0].any(1).sum(1)
    assert (hole[..., 0].sum((1, 2)) == tall * wide).all()
    assert set(tall) == set(wide) == {2, 3}  # at the edge part of it lies outside
    share = hole.mean()
    assert share == pytest.approx((8 * 3 - 2) ** 2 / 8**4, rel=0.05)
    assert (Cutout(3, fill=0.5)(ones).numpy() == 0.5).any()


# --- mixing -------------------------------------------------------------------------------


def test_mixup_mixes_samples_and_targets_alike() -> None:
    x = np.eye(16, dtype="float32")  # a sample says which it is
    mixed, y = Mixup(0.4, classes=16)(x, np.arange(16))
    np.testing.assert_allclose(mixed.numpy(), y.numpy(), rtol=1e-6)
    np.testing.assert_allclose(y.numpy().sum(1), 1, rtol=1e-6)
    assert ((y.numpy() > 0).sum(1) <= 2).all()
    assert ((y.numpy() > 0).sum(1) == 2).any()
    mixed, y = Mixup(0.4)(x, x * 2)
    np.testing.assert_allclose(2 * mixed.numpy(), y.numpy(), rtol=1e-6)
    with nn.training(False):
        assert Mixup()(x, x) == (x, x)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.5, 1.0, 2.0, 8.0])
def test_how_much_is_mixed_follows_the_beta_distribution(alpha: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    found = beta_quantiles(alpha)
    assert len(found) == QUANTILES + 2
    place = np.linspace(0, 1, QUANTILES + 1)
    np.testing.assert_allclose(found[:-1], stats.beta.ppf(place, alpha, alpha), atol=2e-4)
    drawn = np.concatenate([Mixup(alpha).kept(Tensor(np.zeros(500))).numpy() for _ in range(4)])
    low = drawn[drawn < 0.5]  # the others may be so near to 1 that float32 rounds them
    assert len(low) == pytest.approx(1000, abs=80)
    assert stats.kstest(low, lambda v: 2 * stats.beta.cdf(v, alpha, alpha)).pvalue > 1e-3


def test_cutmix_counts_the_pixels() -> None:
    x = np.broadcast_to(np.arange(1.0, 65), (7, 9, 1, 64)).T.astype("float32")  # (64, 1, 9, 7)
    x = x.transpose(0, 2, 3, 1)
    mixed, y = CutMix(classes=64)(x, np.arange(64))
    mixed, y = mixed.numpy(), y.numpy()
    for i, (image, target) in enumerate(zip(mixed, y, strict=True)):
        counts = np.bincount(image.astype(int).ravel(), minlength=65)[1:] / 63
        np.testing.assert_allclose(target, counts, atol=1e-6)
        other = image[..., 0] != i + 1
        assert other.sum() == other.any(0).sum() * other.any(1).sum()
    assert (y.max(1) < 1).sum() > 30


def test_what_cannot_be_mixed() -> None:
    with pytest.raises(DTypeError, match=r"y holds int64.*Mixup\(classes=10\)"):
        Mixup()(IMAGES, np.zeros(64, int))
    with pytest.raises(GraphError, match="give it to a DataLoader"):
        Mixup()(IMAGES)
    with pytest.raises(ValueError, match="alpha=0 is a number above 0"):
        Mixup(0)
    with pytest.raises(ShapeError, match=r"labels are \(N,\)"):
        Mixup(classes=3)(IMAGES, np.zeros((64, 2), int))
    assert Mixup(classes=3)(IMAGES, np.zeros((64, 1), int))[1].shape == (64, 3)


# --- sequences ----------------------------------------------------------------------------


def test_scaling_is_one_factor_for_a_sequence_and_feature() -> None:
    factor = Scaling(0.2)(SERIES).numpy() / SERIES
    assert np.ptp(factor, axis=1).max() < 1e-5
    assert factor[:, 0].std() == pytest.approx(0.2, rel=0.25)
    assert factor[:, 0].mean() == pytest.approx(1, abs=0.1)


def test_a_time_mask_is_a_stretch() -> None:
    ones = np.ones((400, 10, 2), "float32")
    gone = TimeMask(4)(ones).numpy() == 0
    assert (gone[..., 0] == gone[..., 1]).all()
    gone = gone[..., 0]
    assert set(gone.sum(1)) == {0, 1, 2, 3, 4}
    assert (np.diff(gone.astype(int), prepend=0, append=0, axis=1) == 1).sum(1).max() == 1
    assert gone.any(0).all()
    assert (TimeMask(50)(ones).numpy() == 0).sum((1, 2)).max() == 20
    assert (TimeMask(3, fill=7)(ones).numpy() == 7).any()


def test_tokens_are_dropped() -> None:
    changed = TokenDropout(0.25, token=99)(TOKENS).numpy()
    gone = changed == 99
    assert gone.mean() == pytest.approx(0.25, abs=0.06)
    assert (changed[~gone] == TOKENS[~gone]).all()
    assert changed.dtype == TOKENS.dtype


# --- together -----------------------------------------------------------------------------


def test_steps_follow_each_other() -> None:
    augment = Augment([lambda x: x / np.float32(255), RandomFlip(p=1), Mixup(classes=2)])
    images = (IMAGES * 255).astype("uint8")
    x, y = augment(images, np.arange(64) % 2)
    assert (x.shape, y.shape) == (IMAGES.shape, (64, 2))
    assert 0 <= float(x.numpy().min()) <= float(x.numpy().max()) <= 1
    assert "<lambda> → RandomFlip → Mixup" in augment.describe()
    with pytest.raises(TypeError, match="step 1 is <class"):
        Augment([RandomFlip(), RandomFlip])


def test_a_loader_augments_and_repeats_itself() -> None:
    augment = Augment([RandomRotation(20), RandomTranslation(0.1, 0.1), CutMix(classes=4)])
    labels = np.arange(64) % 4

    def batches(prefetch: int) -> list[Any]:
        loader = DataLoader(
            IMAGES,
            labels,
            batch_size=16,
            shuffle=True,
            transform=augment,
            seed=1,
            prefetch=prefetch,
        )
        return [(x.tolist(), y.tolist()) for _ in range(2) for x, y in loader]

    position = random.state()
    first = batches(0)
    assert first == batches(3)
    assert random.state() == position
    assert np.array(first[0][1]).shape == (16, 4)
    (x,) = next(iter(DataLoader(IMAGES, transform=Augment([RandomFlip()]))))
    assert x.shape == (32, 9, 7, 3)


def test_a_model_trains_with_augmentation_inside() -> None:
    x, y = np.zeros((40, 6, 6, 1), "float32"), np.arange(40) % 2
    x[y == 1, 2:4] = 1  # a bar
    x[y == 0, :, 2:4] = 1
    model = nn.Sequential([
        Augment([RandomTranslation(0.15, 0.15), RandomNoise(0.05)]),
        nn.Flatten(),
        nn.Dense(1, activation="sigmoid"),
    ])  # fmt: skip
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=40, verbose=0)
    assert (model.predict(x) == model.predict(x)).all()
    assert model.evaluate(x, y, return_dict=True)["accuracy"] > 0.95


@pytest.mark.parametrize(
    ("augment", "x", "told"),
    [
        (RandomRotation(5), IMAGES[..., 0], r"expected images \(N, H, W, C\).*x\[\.\.\., None\]"),
        (RandomRotation(5), (IMAGES * 255).astype("uint8"), "expected floats, got uint8.*x / "),
        (Scaling(), IMAGES, r"expected sequences \(N, T, F\), got \(64, 9, 7, 3\)"),
        (TokenDropout(0.1, 0), SERIES, r"expected tokens \(N, T\)"),
        (TokenDropout(0.1, 0), SERIES[..., 0], "expected tokens, integers"),
    ],
)
def test_what_cannot_be_augmented(augment: Any, x: Any, told: str) -> None:
    with pytest.raises((ShapeError, DTypeError), match=told):
        augment(x)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomAffine(fill="nearest"),
        lambda: RandomZoom(1.0),
        lambda: TokenDropout(1.5, 0),
    ],
)
def test_impossible_options(make: Any) -> None:
    with pytest.raises(ValueError, match=r"fill='nearest'|zoom=1\.0|rate=1\.5"):
        make()
