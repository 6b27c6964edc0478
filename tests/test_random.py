"""Philox, the stream of a seed, and the draws from it."""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest
from scipy import stats

import autograd
import backends
from autograd import Tensor, random
from autograd.errors import DTypeError, ShapeError

FLOATS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}

DRAWS: dict[str, Callable[[], Any]] = {
    "bits": lambda: random.bits(7),
    "uniform": lambda: random.uniform((3, 5)),
    "uniform64": lambda: random.uniform(5, dtype="float64"),
    "normal": lambda: random.normal(9),
    "normal64": lambda: random.normal(3, dtype="float64"),
    "bernoulli": lambda: random.bernoulli((4, 4), 0.3),
    "dropout": lambda: random.dropout_mask(11, 0.7),
    "permutation": lambda: random.permutation(6),
    "large": lambda: random.uniform(3001),
}


def hosted(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else x


# --- the algorithm ---


@pytest.mark.parametrize("backend", ["numpy", "strict"])
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [  # "kat_vectors" of Random123, the authors' own library
        ("00000000 00000000 00000000 00000000", "00000000 00000000",
         "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_known_answers(backend: str, counter: str, key: str, expected: str) -> None:
    xp = backends.get(backend)
    c0, c1, c2, c3 = (xp.array([int(word, 16)], dtype="uint64") for word in counter.split())
    k0, k1 = (int(word, 16) for word in key.split())
    found = random.philox((c0, c1, c2, c3), (k0, k1))
    assert [f"{word.item():08x}" for word in found] == expected.split()


def test_a_word_is_a_function_of_seed_and_place() -> None:
    xp = backends.get("numpy")
    key = 0x0123456789ABCDEF
    whole = random.words(xp, key, 0, 100)
    for start, n in ((0, 1), (3, 1), (5, 9), (64, 36), (7, 0)):
        np.testing.assert_array_equal(random.words(xp, key, start, n), whole[start : start + n])
    counter = [np.array([c], "uint64") for c in (7, 1, 0, 0)]  # counter 2³² + 7
    lanes = random.philox(tuple(counter), (0x89ABCDEF, 0x01234567))  # type: ignore[arg-type]
    far = random.words(xp, key, 4 * (2**32 + 7), 4)
    assert far.tolist() == [int(lane[0]) for lane in lanes]
    assert whole.dtype == np.uint32


# --- the stream ---


@pytest.mark.parametrize("ahead", [1, 4, 5, 64, 1000])
def test_how_much_is_computed_ahead_changes_nothing(ahead: int) -> None:
    results = []
    for generator in (random.Generator(3), random.Generator(3, ahead)):
        with random.using(generator):
            results.append([hosted(draw()) for _ in range(3) for draw in DRAWS.values()])
        assert generator.position == 3 * (7 + 15 + 10 + 18 + 12 + 16 + 11 + 12 + 3001)
    for x, y in zip(*results, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("draw", [random.uniform, random.normal, random.bits])
def test_two_draws_are_one(draw: Any) -> None:
    autograd.seed(8)
    parts = np.concatenate([draw(n).numpy() for n in (1, 4, 0, 7)])
    autograd.seed(8)
    np.testing.assert_array_equal(draw(12).numpy(), parts)


@pytest.mark.parametrize("name", DRAWS)
def test_a_state_goes_through_json(name: str) -> None:
    autograd.seed(2**64 - 1)
    random.uniform(5)
    kept = json.dumps(random.state())
    first = hosted(DRAWS[name]())
    random.normal(2)
    random.set_state(json.loads(kept))
    np.testing.assert_array_equal(hosted(DRAWS[name]()), first)
    assert json.loads(kept) == {"algorithm": "philox4x32-10", "key": 2**64 - 1, "position": 5}


def test_strict_draws_the_same_bits() -> None:
    for name, draw in DRAWS.items():
        drawn = []
        for backend in ("numpy", "strict"):
            autograd.seed(4)
            with backends.using(backend):
                drawn.append([draw(), random.normal(20_000)])
        for x, y in zip(*drawn, strict=True):
            np.testing.assert_array_equal(hosted(x), hosted(y), err_msg=name)
    assert isinstance(drawn[1][0], Tensor)
    assert drawn[1][0].backend == "strict"


def test_seeds_differ_and_repeat() -> None:
    def numbers(seed: int) -> list[int]:
        autograd.seed(seed)
        found: list[int] = random.bits(4).tolist()
        return found

    assert len({tuple(numbers(seed)) for seed in (0, 1, 2**32, 2**64 - 1)}) == 4
    assert numbers(1) == numbers(1)
    assert random.Generator().key != random.Generator().key


def test_threads_share_one_stream_without_a_word_twice() -> None:
    autograd.seed(6)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda n: random.bits(n).numpy(), [37] * 200))
    assert random.state()["position"] == 37 * 200
    autograd.seed(6)
    whole = random.bits(37 * 200).numpy()
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.sort(whole))


def test_a_thread_may_use_its_own() -> None:
    def work(seed: int) -> list[float]:
        with random.using(random.Generator(seed)):
            numbers = []
            for _ in range(20):
                numbers += random.uniform(3).tolist()
                time.sleep(0)
            return numbers

    autograd.seed(0)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, range(8)))
    assert together == [work(seed) for seed in range(8)]
    assert random.state()["position"] == 0


def test_using_ends_with_its_block_and_its_context() -> None:
    autograd.seed(0)
    generator = random.Generator(9)
    with random.using(generator):
        autograd.seed(10)
        assert random.state()["key"] == generator.key == 10
        random.bits(3)
        inherited = copy_context().run(random.state)
    assert inherited["position"] == 3
    assert random.state() == {"algorithm": "philox4x32-10", "key": 0, "position": 0}


def test_a_result_may_be_changed_without_harm_to_the_stream() -> None:
    autograd.seed(3)
    random.bits(8).raw[:] = 0
    random.bits(4)
    autograd.seed(3)
    assert all(random.bits(8).tolist())


# --- the numbers ---


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_is_the_top_bits_scaled(dtype: str) -> None:
    top = FLOATS[dtype]
    autograd.seed(1)
    found = random.uniform(500, dtype=dtype)
    autograd.seed(1)
    words = random.bits(1000).numpy().astype("uint64")
    whole = words[0::2] << 32 | words[1::2] if dtype == "float64" else words[:500]
    bits = whole >> ((64 if dtype == "float64" else 32) - top)
    assert str(found.dtype) == dtype
    np.testing.assert_array_equal(found.numpy().astype("float64"), bits * 2.0**-top)
    assert found.numpy().astype("float64").max() < 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers_are_uniform(dtype: str) -> None:
    autograd.seed(21)
    x = random.uniform(200_000, -2.0, 3.0, dtype=dtype).numpy()
    assert -2 <= x.min() < -1.999 < 2.999 < x.max() <= 3
    assert abs(x.mean() - 0.5) < 5 * math.sqrt(25 / 12 / x.size)
    assert stats.kstest(x, "uniform", (-2, 5)).pvalue > 0.001


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_numbers_are_normal(dtype: str) -> None:
    autograd.seed(22)
    x = random.normal(200_000, 1.0, 2.0, dtype=dtype).numpy().astype("float64")
    z = (x - 1) / 2
    sigma = 1 / math.sqrt(z.size)
    for power, moment, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * sigma * math.sqrt(spread)
    assert stats.kstest(z, "norm").pvalue > 0.001
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 5 * sigma


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_normal_too(dtype: str) -> None:
    autograd.seed(23)
    x = random.normal(50_000, dtype=dtype)
    z = x.numpy().astype("float64")
    assert str(x.dtype) == dtype
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1) < 0.02


def test_neighbouring_seeds_and_words_are_independent() -> None:
    rows = np.stack([random.words(backends.get("numpy"), key, 0, 4096) for key in range(16)])
    bits = np.unpackbits(rows.view("uint8"), axis=1).astype("float64")
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / math.sqrt(bits.size)
    between = np.corrcoef(bits)[np.triu_indices(16, 1)]
    assert np.abs(between).max() < 5 / math.sqrt(bits.shape[1])
    counts = np.bincount(rows.reshape(-1) >> 24, minlength=256)
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_bernoulli(p: float) -> None:
    autograd.seed(24)
    x = random.bernoulli((100, 500), p)
    assert (x.shape, str(x.dtype)) == ((100, 500), "float32")
    assert set(np.unique(x.numpy())) <= {0.0, 1.0}
    assert abs(x.mean().item() - p) <= 5 * math.sqrt(p * (1 - p) / x.size)
    assert str(random.bernoulli(3, p, dtype="bool").dtype) == "bool"


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_mask_keeps_the_mean(dtype: str) -> None:
    autograd.seed(25)
    mask = random.dropout_mask((200, 500), 0.75, dtype)
    assert str(mask.dtype) == dtype
    values = np.unique(mask.numpy().astype("float64"))
    assert values[0] == 0
    assert values[1:] == pytest.approx([4 / 3], rel=2.0 ** -FLOATS[dtype])
    assert abs(mask.numpy().astype("float64").mean() - 1) < 0.01
    assert random.dropout_mask(5, 1.0).tolist() == [1.0] * 5


def test_permutation() -> None:
    autograd.seed(26)
    with backends.using("strict"):
        found = random.permutation(1000)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(1000))
    autograd.seed(26)
    np.testing.assert_array_equal(random.permutation(1000), found)
    orders = [tuple(random.permutation(4).tolist()) for _ in range(4800)]
    counts = [orders.count(order) for order in set(orders)]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.001
    assert [random.permutation(n).tolist() for n in (0, 1)] == [[], [0]]


def test_shapes() -> None:
    assert random.uniform(()).shape == ()
    assert random.normal((2, 0, 3)).shape == (2, 0, 3)
    assert random.uniform(3).shape == random.normal([3]).shape == (3,)
    assert not random.uniform(3).requires_grad


def test_a_small_draw_takes_a_slice() -> None:
    random.uniform(4)
    took = []
    for _ in range(200):
        start = time.perf_counter()
        random.uniform(32)
        took.append(time.perf_counter() - start)
    assert np.median(took) < 100e-6  # some 6 µs; computing the words of each draw takes 150


@pytest.mark.parametrize(
    ("draw", "error", "told"),
    [
        (lambda: autograd.seed(-1), ValueError, r"seed .* \[0, 2\*\*64\), not -1"),
        (lambda: autograd.seed(2**64), ValueError, "seed"),
        (lambda: autograd.seed(1.5), ValueError, "integer .* not 1.5"),  # type: ignore[arg-type]
        (lambda: random.set_state({"algorithm": "mt19937"}), ValueError, "philox.*mt19937"),
        (lambda: random.set_state({**random.state(), "position": -4}), ValueError, "position"),
        (lambda: random.uniform(3, 2, 1), ValueError, "low 2 and high 1"),
        (lambda: random.uniform(3, 0, math.inf), ValueError, "inf"),
        (lambda: random.uniform(3, math.nan), ValueError, "nan"),
        (lambda: random.uniform(3, dtype="int64"), DTypeError, "uniform.*float32.*not int64"),
        (lambda: random.uniform((2, -3)), ShapeError, r"negative .* \(2, -3\)"),
        (lambda: random.normal(3, std=-1), ValueError, "std .* -1"),
        (lambda: random.normal(3, dtype=np.int32), DTypeError, "normal.*not int32"),
        (lambda: random.bernoulli(3, 1.5), ValueError, "bernoulli.*1.5"),
        (lambda: random.dropout_mask(3, 0), ValueError, r"keep .* \(0, 1\], not 0"),
        (lambda: random.permutation(-1), ShapeError, "negative"),
    ],
)
def test_errors_teach(draw: Callable[[], Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        draw()
