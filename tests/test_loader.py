"""`DataLoader` and `batches_of`: the same batches from any source, in an order that resumes."""

import gc
import json
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import backends
import nn
from autograd import Tensor, random
from autograd.errors import AutogradError, DomainError, DTypeError, ShapeError
from nn.data import DataLoader, batches_of, is_batches, is_lazy
from nn.data.arrays import Data, Place
from nn.data.prefetch import ahead

rng = np.random.default_rng(0)
X = rng.normal(size=(10, 3)).astype("float32")
Y = np.arange(10)


def numbers(loader: Any) -> list[list[int]]:
    """The targets of each batch, which tell the order."""
    return [y.tolist() for _, y, *_ in loader]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


class Samples:
    """PyTorch's map-style protocol, without PyTorch."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, i: int) -> Any:
        return X[i], Y[i]


class Sequence:
    """Keras' protocol: batches by number."""

    def __init__(self) -> None:
        self.epochs = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> Any:
        return X[2 * i : 2 * i + 2], Y[2 * i : 2 * i + 2]

    def on_epoch_end(self) -> None:
        self.epochs += 1


# --- what it reads ------------------------------------------------------------------------


def test_batches_in_order() -> None:
    loader = DataLoader(X, Y, batch_size=4)
    assert len(loader) == 3
    assert numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for x, y in loader:
        assert isinstance(x, Tensor)
        assert (x.dtype, y.dtype) == ("float32", "int64")
        np.testing.assert_array_equal(x.numpy(), X[y.numpy()])
    assert repr(loader) == "DataLoader(10 samples in 3 batches of 4)"


def test_the_last_batch_may_be_dropped() -> None:
    loader = DataLoader(X, Y, batch_size=4, drop_last=True)
    assert len(loader) == 2
    assert loader.samples == 8
    assert numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(DataLoader(X, Y, batch_size=5, drop_last=True)) == 2
    with pytest.raises(ShapeError, match="leaves no batch of 11 in 10 samples"):
        DataLoader(X, Y, batch_size=11, drop_last=True)


def test_what_a_batch_unpacks_to() -> None:
    (x,) = next(iter(DataLoader(X, batch_size=2)))
    assert x.shape == (2, 3)
    _, _, w = next(iter(DataLoader(X, Y, batch_size=2, sample_weight=Y[:, None])))
    assert w.tolist() == [0.0, 1.0]
    batch = next(iter(DataLoader(X, Y, batch_size=2)))
    assert isinstance(batch, Data)
    assert len(batch) == 2
    assert batch.weight is None


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_source_gives_the_same_batches(tmp_path: Path, shuffle: bool, prefetch: int) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    strided = np.repeat(X, 2, axis=0)[::2]
    sources: dict[str, tuple[Any, Any]] = {
        "arrays": (X, Y), "lists": (X.tolist(), Y.tolist()), "tensors": (Tensor(X), Tensor(Y)),
        "path": (tmp_path / "x.npy", str(tmp_path / "y.npy")), "memory map": (mapped, Y),
        "part of a map": (np.load(tmp_path / "x.npy", mmap_mode="r")[:], Y),
        "strided": (strided, Y), "dataset": (Samples(), None), "float64": (X.astype("d"), Y),
    }  # fmt: skip
    options: dict[str, Any] = {"batch_size": 4, "shuffle": shuffle, "seed": 3}
    expected = [(x.tolist(), y.tolist()) for x, y in DataLoader(X, Y, **options)]
    for name, (x, y) in sources.items():
        found = DataLoader(x, y, prefetch=prefetch, **options)
        assert [(x.tolist(), y.tolist()) for x, y in found] == expected, name


def test_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": [1.5, 2.5], "count": [1, 2], "old": [True, False]})
    (x,) = next(iter(DataLoader(frame)))
    assert x.tolist() == [[1.5, 1, 1], [2.5, 2, 0]]
    assert x.dtype == "float32"
    x, y = next(iter(DataLoader(frame, pandas.Series([3, 4], index=[7, 5]), shuffle=True, seed=0)))
    assert sorted(zip(x[:, 1].tolist(), y.tolist(), strict=True)) == [(1, 3), (2, 4)]
    frame["colour"] = ["red", "blue"]
    with pytest.raises(DTypeError, match=r"x\['colour'\] holds .*: expected numbers.*cat.codes"):
        DataLoader(frame)
    gap = pandas.DataFrame({"n": pandas.array([1, None], dtype="Int64")})
    with pytest.raises(DomainError, match=r"x\[1, 0\] is nan"):
        list(DataLoader(gap))


def test_arrow() -> None:
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"a": [1, 2, 3], "b": [0.5, 1.5, 2.5], "c": [True, False, True]})
    (x,) = next(iter(DataLoader(table)))
    assert x.tolist() == [[1, 0.5, 1], [2, 1.5, 0], [3, 2.5, 1]]
    x, y = next(iter(DataLoader(table, table["a"])))
    assert y.tolist() == [1, 2, 3]
    with pytest.raises(DTypeError, match=r"x\['s'\] holds string"):
        DataLoader(arrow.table({"s": ["a"]}))
    with pytest.raises(ShapeError, match="without columns"):
        DataLoader(arrow.table({}))


def test_several_inputs() -> None:
    for inputs in ((X, Y), {"image": X, "place": Y}):
        batch = next(iter(DataLoader(inputs, Y, batch_size=4, shuffle=True, seed=0)))
        first, second = batch.x if isinstance(inputs, tuple) else batch.x.values()
        np.testing.assert_array_equal(first.numpy(), X[batch.y.numpy()])
        assert second.tolist() == batch.y.tolist()
        assert len(batch) == 4
        assert isinstance(batch.x, type(inputs))
    with pytest.raises(ShapeError, match=r"different lengths: \{0: 10, 1: 9\}"):
        DataLoader((X, X[:9]))


def test_datasets_of_one_field_and_of_dicts() -> None:
    class Only(Samples):
        def __getitem__(self, i: int) -> Any:
            return X[i]

    class Named(Samples):
        def __getitem__(self, i: int) -> Any:
            return {"a": X[i], "b": int(i)}, i

    class Weighted(Samples):
        def __getitem__(self, i: int) -> Any:
            return X[i], i, 0.5

    (x,) = next(iter(DataLoader(Only(), batch_size=3)))
    assert x.shape == (3, 3)
    x, y = next(iter(DataLoader(Named(), batch_size=3)))
    assert x["b"].tolist() == y.tolist() == [0, 1, 2]
    assert next(iter(DataLoader(Weighted(), batch_size=3))).weight.tolist() == [0.5] * 3


def test_batches_go_where_the_model_computes() -> None:
    batch = next(iter(DataLoader(X, Y).batches(Place("strict", "float64"))))
    assert batch.x.backend == batch.y.backend == "strict"
    assert batch.x.dtype == "float64"
    there = DataLoader(Tensor(X, backend="strict"), Y, shuffle=True, seed=0)
    batch = next(iter(there.batches(Place("strict"))))
    np.testing.assert_array_equal(batch.x.numpy(), X[batch.y.numpy()])


# --- errors -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        ((X, Y[:9]), {}, "x has 10 samples, y has 9"),
        ((X[:0], Y[:0]), {}, r"x is empty: its shape is \(0, 3\)"),
        ((3.0,), {}, "x is one number"),
        ((["a", "b"],), {}, "x holds <U1"),
        (([[1.0], [1.0, 2.0]],), {}, "x is ragged"),
        (((i for i in range(3)),), {}, "x is a generator"),
        ((X, Y), {"batch_size": 0}, "batch_size=0: expected a whole number from 1"),
        ((X, Y), {"batch_size": 2.5}, "batch_size=2.5"),
        ((X, Y), {"prefetch": -1}, "prefetch=-1"),
        ((X, Y), {"sample_weight": Y[:3]}, r"sample_weight has shape \(3,\)"),
        ((X, Y), {"sample_weight": -Y}, r"sample_weight\[9\] is -9"),
    ],
)
def test_what_cannot_be_loaded(arguments: Any, options: Any, told: str) -> None:
    with pytest.raises((AutogradError, ValueError), match=told):
        DataLoader(*arguments, **options)


def test_a_flaw_is_told_with_its_place_in_the_data() -> None:
    bad = X.copy()
    bad[7, 2] = np.nan
    with pytest.raises(DomainError, match=r"x\[7, 2\] is nan"):
        list(DataLoader(bad, Y, batch_size=3, shuffle=True, seed=5))


def test_samples_of_different_shapes_are_named() -> None:
    class Ragged(Samples):
        def __getitem__(self, i: int) -> Any:
            return np.ones(2 if i == 5 else 3), i

    with pytest.raises(ShapeError, match=r"dataset\[5\]\[0\] has shape \(2,\), but dataset\[4\]"):
        list(DataLoader(Ragged(), batch_size=4))


def test_a_file_that_is_no_npy(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_text("1,2,3")
    with pytest.raises(ValueError, match=r"x\.npy is no \.npy file of numbers"):
        DataLoader(tmp_path / "x.npy")
    with pytest.raises(FileNotFoundError):
        DataLoader(tmp_path / "y.npy")


# --- order and resuming -------------------------------------------------------------------


def test_shuffling_is_a_new_order_of_the_same_in_each_epoch() -> None:
    loader = DataLoader(X, Y, batch_size=3, shuffle=True, seed=1)
    first, second = flat(numbers(loader)), flat(numbers(loader))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second != list(range(10)) != first
    again = DataLoader(X, Y, batch_size=5, shuffle=True, seed=1)
    assert [flat(numbers(again)) for _ in range(2)] == [first, second]


def test_without_a_seed_the_order_is_of_the_shared_stream() -> None:
    autograd.seed(4)
    loader = DataLoader(X, Y, shuffle=True)
    before = [flat(numbers(loader)) for _ in range(2)]
    autograd.seed(4)
    assert [flat(numbers(DataLoader(X, Y, shuffle=True))) for _ in range(2)] == before
    position = random.state()
    numbers(DataLoader(X, Y))
    numbers(DataLoader(X, Y, shuffle=True, seed=1))
    assert random.state() == position


@pytest.mark.parametrize("prefetch", [0, 3])
@pytest.mark.parametrize("seed", [None, 9])
@pytest.mark.parametrize("stop", range(8))
def test_a_killed_run_resumes_at_the_same_batch(seed: int | None, prefetch: int, stop: int) -> None:
    def noisy(x: np.ndarray) -> Any:
        return x + random.normal(x.shape).numpy()

    def made() -> DataLoader:
        return DataLoader(
            X, Y, batch_size=3, shuffle=True, seed=seed, transform=noisy, prefetch=prefetch
        )

    def rows(batch: Any) -> Any:
        return batch.x.tolist(), batch.y.tolist()

    autograd.seed(0)
    loader = made()
    expected = [rows(batch) for _ in range(3) for batch in loader]

    autograd.seed(0)
    loader, found = made(), []
    if stop:
        for batch in (batch for _ in range(3) for batch in loader):
            found.append(rows(batch))
            if len(found) == stop:
                break
    state = json.loads(json.dumps([loader.state_dict(), random.state()]))
    autograd.seed(77)

    resumed = made()
    resumed.load_state_dict(state[0])
    random.set_state(state[1])
    while len(found) < len(expected):
        found += [rows(batch) for batch in resumed]
    assert found == expected


def test_state_says_epoch_and_batch() -> None:
    loader = DataLoader(X, Y, batch_size=4, shuffle=True, seed=0)
    facts = {"samples": 10, "batch_size": 4, "shuffle": True, "drop_last": False, "seed": 0}
    assert loader.state_dict() == {"epoch": 0, "batch": 0, "key": None} | facts
    places = [(loader.epoch, loader.batch) for _ in range(2) for _ in loader]
    assert places == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]
    assert loader.state_dict() == {"epoch": 2, "batch": 0, "key": None} | facts
    other = DataLoader(X[:8], Y[:8], batch_size=3, shuffle=True, seed=0)
    with pytest.raises(ValueError, match=r"samples was 10, is 8, batch_size was 4, is 3$"):
        other.load_state_dict(loader.state_dict())


def test_a_pass_that_was_left_does_not_go_on() -> None:
    loader = DataLoader(X, Y, batch_size=4)
    for _ in loader:
        break
    assert numbers(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert loader.epoch == 2
    both = [[y.tolist() for _, y in pair] for pair in zip(loader, loader, strict=True)]
    assert both[2] == [[8, 9], [8, 9]]


# --- transform ----------------------------------------------------------------------------


def test_a_transform_gets_what_there_is() -> None:
    seen = []

    def scaled(x: Any) -> Any:
        seen.append((type(x), x.dtype, nn.mode.mode.get()))
        return x / 2

    x, _ = next(iter(DataLoader(X.astype("d"), Y, transform=scaled)))
    np.testing.assert_allclose(x.numpy(), X / 2, rtol=1e-6)
    assert seen == [(np.ndarray, np.dtype("float64"), True)]
    doubled = DataLoader(X, Y, transform=lambda x, y: (x, 2 * y))
    assert flat(numbers(doubled)) == list(range(0, 20, 2))
    assert nn.mode.mode.get() is None


def test_what_a_transform_makes_is_checked() -> None:
    with pytest.raises(ShapeError, match="made 4 samples and 5 targets of a batch of 5"):
        list(DataLoader(X, Y, batch_size=5, transform=lambda x: x[1:]))
    with pytest.raises(DomainError, match=r"x\[2, 0\] is nan"):
        list(DataLoader(X, Y, transform=lambda x: np.where(x == X[2], np.nan, x)))


def test_random_numbers_of_a_batch_depend_on_its_number_alone() -> None:
    def drawn(x: Any) -> Any:
        return x * 0 + random.uniform(len(x)).numpy()[:, None]

    def all_of(prefetch: int, batch_size: int = 5) -> list[Any]:
        loader = DataLoader(X, Y, batch_size=batch_size, transform=drawn, seed=1, prefetch=prefetch)
        return [x.tolist() for _ in range(2) for x, _ in loader]

    assert all_of(0) == all_of(1) == all_of(5)
    values = {batch[0][0] for batch in all_of(0)}
    assert len(values) == 4


# --- the thread ---------------------------------------------------------------------------


def threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "nn.data prefetch"]


def test_leaving_the_loop_ends_the_thread() -> None:
    loader = DataLoader(X, Y, batch_size=1, prefetch=2)
    for i, _ in enumerate(loader):
        assert len(threads()) == 1
        if i == 1:
            break
    assert threads() == []

    def fail() -> None:
        for _ in loader:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        fail()
    gc.collect()
    assert threads() == []
    list(loader)
    assert threads() == []


def test_an_error_in_the_thread_arrives_with_its_traceback() -> None:
    def broken(x: Any) -> Any:
        if x[0, 0] == X[4, 0]:
            raise KeyError("colour")
        return x

    loader, seen = DataLoader(X, Y, batch_size=2, prefetch=3, transform=broken), []
    with pytest.raises(KeyError, match="colour") as caught:
        seen.extend(y.tolist() for _, y in loader)
    assert seen == [[0, 1], [2, 3]]
    assert "broken" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert threads() == []


def test_no_more_is_made_ahead_than_asked_for() -> None:
    made: list[int] = []
    waiting = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for i in range(10):
            made.append(i)
            waiting.release()
            yield i

    found = ahead(items, 2)
    assert next(found) == 0
    for _ in range(3):  # 0 is here, 1 and 2 lie ready
        assert waiting.acquire(timeout=5)
    assert not waiting.acquire(timeout=0.05)
    assert made == [0, 1, 2]
    found.close()
    assert threads() == []


def test_the_thread_computes_as_its_caller_does() -> None:
    seen: list[Any] = []

    def look(x: Any) -> Any:
        seen.append((Tensor(1.0).backend, random.state()["key"]))
        return x

    with random.using(random.Generator(5)), backends.using("strict"):
        list(DataLoader(X, Y, prefetch=1, transform=look, seed=0))
        assert random.state()["key"] == 5
    assert seen[0][0] == "strict"


# --- larger than memory -------------------------------------------------------------------

READ = """
import resource, sys, tracemalloc
import numpy as np
import nn

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

x, y = sys.argv[1], np.arange(1 << 16)
loader = nn.data.DataLoader(x, y, batch_size=256, shuffle=sys.argv[2] == "shuffled", seed=0)
next(iter(nn.data.DataLoader(y, y)))  # a backend is loaded at its first use
tracemalloc.start()
before, rows = peak(), 0
for a, b in loader:
    rows += len(b)
    assert a.shape == (256, 1024), a.shape
print(rows, peak() - before, tracemalloc.get_traced_memory()[1] / 2**20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of resident memory")
@pytest.mark.parametrize("order", ["in order", "shuffled"])
def test_of_a_file_larger_than_the_limit_little_is_in_memory(tmp_path: Path, order: str) -> None:
    path, size = tmp_path / "x.npy", 256  # MB, a hole that takes no space on disk
    shape = (1 << 16, 1024)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + size * 2**20)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), order], capture_output=True, text=True, check=True
    )
    rows, resident, allocated = map(float, done.stdout.split())
    assert rows == shape[0]
    assert resident < size / 2, f"{resident:.0f} MB of {size} were in memory at once"
    assert allocated < 20, f"{allocated:.0f} MB were allocated"


# --- batches that others make -------------------------------------------------------------


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    return [(X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)]


class Stream:
    def __iter__(self) -> Iterator[Any]:
        return iter(pairs())


@pytest.mark.parametrize(
    "source",
    [pairs(), iter(pairs()), (pair for pair in pairs()), Stream(), DataLoader(X, Y, batch_size=4)],
    ids=["list", "iterator", "generator", "iterable", "loader"],
)
def test_batches_of_anything_that_gives_them(source: Any) -> None:
    assert isinstance(source, list) or is_batches(source)
    batches = batches_of(source, Place("strict", "float64"))
    found = list(batches)
    assert numbers(found) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(isinstance(batch, Data) for batch in found)
    assert (found[0].x.backend, found[0].x.dtype) == ("strict", "float64")
    if hasattr(source, "__len__"):
        assert len(batches) == 3
    else:
        with pytest.raises(TypeError):
            len(batches)


def test_samples_become_batches() -> None:
    assert is_lazy(Samples())
    assert not is_batches(Samples())
    assert numbers(batches_of(Samples())) == [list(range(10))]
    assert is_lazy("x.npy")
    assert not is_lazy(X)
    assert not is_lazy(Sequence())
    for data in (X, [1], (1,), {}, "x.npy", Tensor(X)):
        assert not is_batches(data), data


def test_a_sequence_of_keras_kind() -> None:
    source = Sequence()
    batches = batches_of(source)
    assert len(batches) == 5
    assert flat(numbers(batches)) == list(range(10))
    assert flat(numbers(batches)) == list(range(10))
    assert source.epochs == 2


def test_weights_and_inputs_alone() -> None:
    (batch,) = batches_of([(X, Y, Y)])
    assert batch.weight.tolist() == Y.tolist()
    (batch,) = batches_of([X])
    assert batch.y is None
    (batch,) = batches_of([((X, Y), Y)])
    assert [part.shape for part in batch.x] == [(10, 3), (10,)]


def test_a_bad_batch_is_named() -> None:
    with pytest.raises(ShapeError, match="x of batch 1 has 4 samples, y of batch 1 has 3"):
        list(batches_of([(X, Y), (X[:4], Y[:3])]))
    with pytest.raises(DomainError, match=r"x of batch 0\[0, 0\] is nan"):
        list(batches_of([(X * np.nan, Y)]))
    with pytest.raises(ShapeError, match="batch 0 has 4 parts"):
        list(batches_of([(X, Y, Y, Y)]))
    with pytest.raises(TypeError, match="a ndarray gives no batches"):
        batches_of(X)


def test_a_loader_tells_where_it_stands() -> None:
    loader = DataLoader(X, Y, batch_size=4, shuffle=True, seed=0)
    batches = batches_of(loader)
    assert batches.samples == 10
    next(iter(batches))
    assert batches.state_dict()["batch"] == 1
    assert not hasattr(batches_of(pairs()), "state_dict")
    assert batches_of(pairs()).samples is None
    again = batches_of(batches, Place("strict"))
    assert next(iter(again)).x.backend == "strict"


# --- all of it in `fit` -------------------------------------------------------------------


def fitted(*given: Any, **options: Any) -> list[Any]:
    """Losses and weights after two epochs over this."""
    autograd.seed(0)
    model = nn.Sequential([nn.Dense(1, input_shape=(3,))])
    model.compile("adam", "mse")
    losses = model.fit(*given, epochs=2, batch_size=4, verbose=0, **options).history["loss"]
    return [losses, *(weight.tolist() for weight in model.parameters())]


def test_fit_learns_the_same_from_every_source(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    batches = [(X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)]

    def endless() -> Iterator[Any]:
        while True:
            yield from batches

    class Pairs(Sequence):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> Any:
            return batches[i]

    expected = fitted(X, Y, shuffle=False)
    assert expected[0][1] < expected[0][0]
    lazy = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert fitted(DataLoader(X, Y, batch_size=4)) == expected
    assert fitted(DataLoader(X, Y, batch_size=4, prefetch=2)) == expected
    assert fitted(lazy, Y, shuffle=False) == expected
    assert fitted(tmp_path / "x.npy", tmp_path / "y.npy", shuffle=False) == expected
    assert fitted(Samples(), shuffle=False) == expected
    assert fitted(Pairs()) == expected
    assert fitted(endless(), steps_per_epoch=3) == expected
    assert fitted(DataLoader(Tensor(X), Tensor(Y), batch_size=4)) == expected


def test_fit_takes_windows_of_a_series() -> None:
    series = np.sin(np.arange(200) / 5)
    x, y = nn.data.windows(series, length=8)
    model = nn.Sequential([nn.Flatten(), nn.Dense(1)])
    model.compile(nn.SGD(lr=0.05), "mse")
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
