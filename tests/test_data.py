"""Text, series, splits, and data that come in tables or in several parts."""

import doctest
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nn
from autograd import Tensor
from autograd.errors import AutogradError, DomainError, DTypeError, ShapeError
from nn.data import (
    ByteTokenizer,
    CharTokenizer,
    WordTokenizer,
    next_tokens,
    pad_sequences,
    split,
    windows,
)
from nn.data.arrays import Data, Place, each, incoming, load, rows_of

PLACE = Place("numpy")


@pytest.mark.parametrize("module", ["loader", "sequences", "splits", "text"])
def test_the_examples_in_docstrings_hold(module: str) -> None:
    found = importlib.import_module(f"nn.data.{module}")
    names = vars(nn.data) | {"np": np}
    result = doctest.testmod(found, extraglobs=names)
    assert result.attempted
    assert not result.failed


# --- tokenizers ---------------------------------------------------------------------------


@given(st.text())
def test_tokenizers_give_back_what_they_read(text: str) -> None:
    encodable = text.encode("utf-8", "ignore").decode()
    for tokenizer in (
        CharTokenizer(text, specials=("<pad>",)),
        WordTokenizer(text, specials=("<pad>", "<end>")),
    ):
        numbers = tokenizer.encode(text)
        assert numbers.dtype == "int64"
        assert tokenizer.decode(numbers) == text
        assert tokenizer.decode([*numbers, tokenizer["<pad>"]]) == text
        assert (numbers >= len(tokenizer.specials)).all()
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(encodable)) == encodable


def test_characters_are_in_order_and_specials_first() -> None:
    tokenizer = CharTokenizer(["ba", "cab"], specials=("<pad>", "<end>"))
    assert tokenizer.vocabulary == ["<pad>", "<end>", "a", "b", "c"]
    assert len(tokenizer) == 5
    assert tokenizer["<end>"] == 1
    assert repr(tokenizer) == "CharTokenizer(5 tokens)"
    with pytest.raises(KeyError, match="'<x>' is no special token"):
        tokenizer["<x>"]


def test_a_special_in_the_text_is_text() -> None:
    tokenizer = WordTokenizer("<pad>", specials=("<",))
    assert tokenizer.decode(tokenizer.encode("<pad>")) == "<pad>"
    assert tokenizer["<"] == 0
    assert tokenizer.encode("<")[0] != 0


def test_what_is_not_known() -> None:
    with pytest.raises(DomainError, match=r"CharTokenizer: 'x', at character 2 of the text"):
        CharTokenizer("hello").encode("hex")
    with pytest.raises(DomainError, match=r"WordTokenizer: 'dog', at character 4"):
        WordTokenizer("the cat").encode("the dog")
    tokenizer = CharTokenizer("abc", specials=("<unknown>",))
    assert tokenizer.encode("axb").tolist() == [1, 0, 2]
    assert tokenizer.decode([1, 0, 2]) == "ab"


def test_words_by_frequency() -> None:
    tokenizer = WordTokenizer("a b, a b a c", size=4, specials=("<unknown>",))
    assert tokenizer.vocabulary == ["<unknown>", " ", "a", "b"]
    with pytest.raises(ValueError, match="size=1 leaves no room"):
        WordTokenizer("a", size=1, specials=("<unknown>",))


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([0, 9], "token 9, at place 1, is outside"),
        ([-1], "token -1, at place 0"),
        ([0.5], "expected the integers of one text"),
        ([[0]], r"got int64 \(1, 1\)"),
    ],
)
def test_what_cannot_be_decoded(numbers: Any, told: str) -> None:
    with pytest.raises(AutogradError, match=told):
        CharTokenizer("ab").decode(numbers)
    assert CharTokenizer("ab").decode([]) == ""
    assert CharTokenizer("ab").decode(Tensor([1, 0])) == "ba"


def test_tokenizers_are_saved(tmp_path: Path) -> None:
    for tokenizer in (
        CharTokenizer("añ€", specials=("<pad>",)),
        WordTokenizer("one two", specials=("<pad>",)),
        ByteTokenizer(specials=("<pad>",)),
    ):
        tokenizer.save(tmp_path / "vocabulary.json")
        again = type(tokenizer).load(tmp_path / "vocabulary.json")
        assert again.vocabulary == tokenizer.vocabulary
        assert again["<pad>"] == 0
        text = "one" if isinstance(tokenizer, WordTokenizer) else "a"
        assert (again.encode(text) == tokenizer.encode(text)).all()
    with pytest.raises(ValueError, match="kind 'bytes', not 'characters'"):
        CharTokenizer.load(tmp_path / "vocabulary.json")
    (tmp_path / "list.json").write_text(json.dumps([1]))
    with pytest.raises(ValueError, match="of kind None"):
        CharTokenizer.load(tmp_path / "list.json")


def test_broken_bytes_become_a_sign() -> None:
    assert ByteTokenizer().decode([0xC3]) == "\ufffd"


# --- sequences ----------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))
def test_windows_hold_what_follows_each_other(
    steps: int, length: int, horizon: int, step: int
) -> None:
    series = np.arange(steps)
    if steps < length + horizon:
        with pytest.raises(ShapeError, match="do not fit"):
            windows(series, length, horizon, step)
        return
    x, y = windows(series, length, horizon, step)
    begins = list(range(0, steps - length - horizon + 1, step))
    assert x.shape == (len(begins), length, 1)
    assert y.shape == (len(begins), horizon)
    for i, begin in enumerate(begins):
        assert x[i, :, 0].tolist() == list(range(begin, begin + length))
        assert y[i].tolist() == list(range(begin + length, begin + length + horizon))


def test_windows_of_several_features_take_no_memory() -> None:
    series = np.arange(20.0).reshape(10, 2)
    x, y = windows(series, 3, 2)
    assert (x.shape, y.shape) == ((6, 3, 2), (6, 2, 2))
    assert np.shares_memory(x, series)
    assert np.shares_memory(y, series)
    assert not x.flags.writeable
    np.testing.assert_array_equal(x[2], series[2:5])
    np.testing.assert_array_equal(y[2], series[5:7])
    with pytest.raises(ShapeError, match=r"a series is \(T,\) or \(T, F\)"):
        windows(np.ones((2, 2, 2)), 1)
    with pytest.raises(ValueError, match="length=0"):
        windows(series, 0)


def test_rows_of_a_view_are_taken_without_copying_it_whole() -> None:
    import tracemalloc

    x, _ = windows(np.zeros(100_000, "float32"), 64)  # 25 MB, were it copied
    tracemalloc.start()
    batch = rows_of(x, np.arange(8))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batch.shape == (8, 64, 1)
    assert peak < 100_000


def test_next_tokens() -> None:
    x, y = next_tokens(np.arange(10), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert (y == x + 1).all()
    x, _ = next_tokens(range(5), 3, step=1)
    assert x.tolist() == [[0, 1, 2], [1, 2, 3]]
    with pytest.raises(DTypeError, match="expected integers"):
        next_tokens([0.5, 1.5], 1)
    with pytest.raises(ShapeError, match="length 5 does not fit in 5 tokens"):
        next_tokens(range(5), 5)


def test_padding() -> None:
    ragged = [[7, 8, 9], [5], []]
    padded, mask = pad_sequences(ragged, value=-1)
    assert padded.tolist() == [[7, 8, 9], [5, -1, -1], [-1, -1, -1]]
    assert mask.tolist() == [[True] * 3, [True, False, False], [False] * 3]
    assert (padded.dtype, mask.dtype) == ("int64", "bool")
    padded, mask = pad_sequences(ragged, 2, padding="pre", truncating="pre")
    assert padded.tolist() == [[8, 9], [0, 5], [0, 0]]
    assert mask.tolist() == [[True, True], [False, True], [False, False]]
    padded, _ = pad_sequences([np.ones((2, 3), "float32"), np.ones((1, 3), "float32")])
    assert padded.shape == (2, 2, 3)
    assert padded.dtype == "float32"


@given(st.lists(st.lists(st.integers(0, 9), max_size=8), min_size=1), st.integers(1, 6))
def test_a_mask_says_what_is_of_the_sequence(ragged: list[list[int]], length: int) -> None:
    for end in ("post", "pre"):
        padded, mask = pad_sequences(ragged, length, padding=end, truncating=end, value=0)
        for row, kept, sequence in zip(padded, mask, ragged, strict=True):
            assert row[kept].tolist() == (
                sequence[:length] if end == "post" else sequence[max(0, len(sequence) - length) :]
            )


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (([],), {}, "there are no sequences"),
        (([[1], 2],), {}, r"sequences\[1\] has shape \(\)"),
        (([[[1, 2]], [[1, 2, 3]]],), {}, r"sequences\[1\] has shape \(1, 3\): expected \(t, 2\)"),
        (([[1]],), {"value": 0.5}, "value 0.5 does not fit in int64"),
        (([[1]],), {"padding": "left"}, "padding='left'"),
        (([["a"]],), {}, r"sequences\[0\] holds <U1"),
    ],
)
def test_what_cannot_be_padded(arguments: Any, options: Any, told: str) -> None:
    with pytest.raises((AutogradError, ValueError), match=told):
        pad_sequences(*arguments, **options)


# --- splits -------------------------------------------------------------------------------


def test_a_split_holds_every_sample_once() -> None:
    x, y = np.arange(30).reshape(10, 3), np.arange(10)
    x_train, x_test, y_train, y_test = split(x, y, 0.3, seed=1)
    assert (len(x_train), len(x_test)) == (7, 3)
    assert sorted([*y_train, *y_test]) == list(range(10))
    np.testing.assert_array_equal(x_test[:, 0], 3 * y_test)
    assert (split(x, y, 0.3, seed=1)[3] == y_test).all()
    assert (split(x, y, 0.3, seed=2)[3] != y_test).any()
    assert y_train.tolist() != sorted(y_train)


@given(
    st.lists(st.integers(2, 20), min_size=2, max_size=5),
    st.floats(0.1, 0.9),
    st.booleans(),
)
def test_each_class_is_split_in_proportion(
    counts: list[int], fraction: float, one_hot: bool
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    held = round(len(labels) * fraction)
    if not 0 < held < len(labels):
        return
    y = np.eye(len(counts))[labels] if one_hot else labels
    _, _, y_train, y_test = split(labels, y, fraction, stratify=True)
    assert len(y_test) == held
    assert len(y_train) == len(labels) - held
    found = y_test.argmax(-1) if one_hot else y_test
    for k, n in enumerate(counts):
        assert abs((found == k).sum() - n * held / len(labels)) < 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([1, 2], [1, 2], 0.0), "fraction=0.0"),
        (([1, 2], [1, 2], 1.5), "fraction=1.5"),
        (([1, 2], [1], 0.5), "x has 2 samples, y has 1"),
        (([1, 2], [1, 2], 0.1), "holds out 0"),
        (([1, 2, 3], [0.5, 0.7, 0.9], 0.4, 0, True), "class 0.5 has one sample"),
    ],
)
def test_what_cannot_be_split(arguments: Any, told: str) -> None:
    with pytest.raises(AutogradError, match=told):
        split(*arguments)


def test_tables_and_tensors_are_split() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": range(10), "b": range(10)})
    x_train, x_test, _, _ = split(frame, Tensor(list(range(10))), 0.5)
    assert x_train.shape == x_test.shape == (5, 2)


# --- several inputs, and tables in `fit` --------------------------------------------------


def test_data_of_several_inputs() -> None:
    data = load({"a": [[1.0], [2.0]], "b": [3, 4]}, [0, 1], None, PLACE)
    assert len(data) == 2
    assert data.part(1, 2).x["a"].tolist() == [[2.0]]
    assert [batch.x["b"].tolist() for batch in data.batches(1, data.shuffled())]
    assert each(len, (Tensor([1.0]), {"b": Tensor([1, 2])})) == (1, {"b": 2})
    with pytest.raises(ShapeError, match=r"different lengths, \{'a': 2, 'b': 1\}"):
        load({"a": [[1.0], [2.0]], "b": [3]}, [0, 1], None, PLACE)
    with pytest.raises(DomainError, match=r"x\['a'\]\[0\] is nan"):
        load({"a": [np.nan]}, [0], None, PLACE)


def test_data_unpack() -> None:
    x, y, w = Tensor([1.0]), Tensor([2.0]), Tensor([3.0])
    assert [*Data(x)] == [x]
    assert [*Data(x, y)] == [x, y]
    assert [*Data(x, y, w)] == [x, y, w]


def test_tables_come_in() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "b": [True, False]})
    assert incoming(frame, "x", PLACE).tolist() == [[1, 1], [2, 0]]
    assert incoming(frame["a"], "y", PLACE).tolist() == [1, 2]
    missing = pandas.Series([1, None], dtype="object")
    with pytest.raises(DomainError, match=r"y\[1\] is nan"):
        incoming(missing, "y", PLACE)
    with pytest.raises(DTypeError, match=r"x\['s'\] holds"):
        incoming(pandas.DataFrame({"s": ["a", "b"]}), "x", PLACE)


def test_a_model_learns_from_tables() -> None:
    pandas = pytest.importorskip("pandas")
    arrow = pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": np.linspace(-1, 1, 64), "b": np.linspace(1, -1, 64)})
    target = frame["a"] * 2
    for x, y in ((frame, target), (arrow.Table.from_pandas(frame), arrow.array(target))):
        model = nn.Sequential([nn.Dense(1, input_shape=(2,))])
        model.compile(optimizer=nn.SGD(lr=0.1), loss="mse")
        history = model.fit(x, np.asarray(y)[:, None], epochs=20, verbose=0)
        assert history.history["loss"][-1] < 0.05 * history.history["loss"][0]
