"""What a look at a step tells: the same in C and without, and what NumPy finds in double."""

import json
from typing import Any

import numpy as np
import pytest

from autograd.sizes import SAMPLE, Sizes, norm

rng = np.random.default_rng(0)
COUNTS = [1, 15, 16, 17, 5000, 2048, 3, 40_000]


def example(dtype: str = "float32") -> tuple[Sizes, Any, list[Any]]:
    """Arrays in two flat ones, a step of theirs, and gradients, of which one is missing."""
    ends = np.cumsum([0, *COUNTS])
    half = int(ends[5])
    flat = rng.normal(size=ends[-1]).astype(dtype)
    flats = [flat[:half].copy(), flat[half:].copy()]
    places = [
        (0, a, b) if b <= half else (1, a - half, b - half)
        for a, b in zip(ends.tolist(), ends[1:].tolist(), strict=False)
    ]
    sizes = Sizes(flats, places)
    sizes.keep()
    gradients: list[Any] = [rng.normal(size=n).astype(dtype) for n in COUNTS]
    gradients[3] = None
    gradients[4][::5] = 0
    gradients[6][:] = 0
    return sizes, flats, gradients


def truth(sizes: Sizes, flats: Any, gradients: list[Any]) -> list[list[Any]]:
    before = [sizes.before[g][a:b].astype("float64") for g, a, b in sizes.places]
    after = [flats[g][a:b].astype("float64") for g, a, b in sizes.places]
    slopes = [None if g is None else g.astype("float64") for g in gradients]
    return [
        [np.linalg.norm(w) for w in before],
        [np.linalg.norm(v - w) for v, w in zip(after, before, strict=True)],
        [None if g is None else np.linalg.norm(g) for g in slopes],
        [None if g is None else np.mean(g == 0) for g in slopes],
    ]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1.0, 1e-25, 1e25])
def test_a_look(native: bool, dtype: str, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        monkeypatch.setenv("AUTOGRAD_JIT", "replay")
    sizes, flats, gradients = example(dtype)
    assert (sizes.native is not None) is (native and dtype == "float32")
    for flat in flats:
        flat *= dtype == "float64" or np.float32(scale)
        flat[::3] *= 1.001
    gradients = [None if g is None else (g * scale).astype(dtype) for g in gradients]
    with np.errstate(over="ignore"):
        seen = sizes.look(gradients)
    for told, true in zip(
        (seen.weights, seen.changes, seen.gradients, seen.zeros),
        truth(sizes, flats, gradients),
        strict=True,
    ):
        for one, other in zip(told, true, strict=True):
            assert one == (None if other is None else pytest.approx(other, rel=1e-5))


def test_numbers_that_are_none() -> None:
    for bad in (np.nan, np.inf):
        sizes, flats, gradients = example()
        gradients[0][0] = bad
        flats[1][7] = bad
        with np.errstate(all="ignore"):
            seen = sizes.look(gradients)
        assert not np.isfinite(seen.gradients[0])
        assert not np.isfinite(max(seen.changes, key=abs)) or any(map(np.isnan, seen.changes))
        assert np.isfinite(seen.weights).all()


def test_the_first_bits_tell_the_power_of_two() -> None:
    x = (rng.normal(size=3 * SAMPLE) * 10 ** rng.uniform(-14, 14, 3 * SAMPLE)).astype("float32")
    x[::7] = 0
    sizes = Sizes([x], [(0, 0, x.size)])
    (text,) = sizes.histograms([x])
    told = json.loads(str(text))
    sample = x[::3]
    powers = np.clip(np.floor(np.log2(np.abs(sample[sample != 0]))), -40, 40)
    for side, sign in ((told["positive"], 1), (told["negative"], -1)):
        own = powers[np.sign(sample[sample != 0]) == sign]
        assert side == [int((own == told["first"] + i).sum()) for i in range(len(side))]
    assert told["zero"] == (sample == 0).sum()
    assert sum(told["positive"]) + sum(told["negative"]) + told["zero"] == len(sample)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_histogram_leaves_out_what_is_no_number(dtype: str) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1, -2, 0, -0.0], dtype)
    (text,) = Sizes([x], [(0, 0, x.size)]).histograms([x])
    assert json.loads(str(text)) == {"first": 0, "negative": [0, 1], "zero": 2, "positive": [1, 0]}


def test_norms_beyond_single_precision() -> None:
    with np.errstate(over="ignore"):
        assert norm(np.full(4, 1e30, "float32")) == pytest.approx(2e30)
    assert norm(np.full(4, 1e-30, "float32")) == pytest.approx(2e-30)
    assert norm(np.zeros(4, "float32")) == 0
    assert np.isnan(norm(np.array([np.nan], "float32")))
