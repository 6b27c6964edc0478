"""The pretended GPU: it refuses every hidden transfer, and all else runs on it as on NumPy."""

import copy
import math
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from device_suite import DeviceSuite

import backends
from backends import BackendError, strict


class TestStrict(DeviceSuite):
    """The suite of every device. Strict computes with NumPy, so results agree to the last bit."""

    device = "strict"
    tolerance = dict.fromkeys(("float16", "bfloat16", "float32", "float64"), 0.0)

    @contextmanager
    def stays(self) -> Iterator[None]:
        with strict.watched() as launched:
            yield
        assert not {"item", "to_host", "from_host"} & set(launched)


def array(*shape: int, dtype: str = "float32") -> Any:
    """Numbers 1, 2, … on the device."""
    return strict.from_host(np.arange(1, 1 + math.prod(shape), dtype=dtype).reshape(shape))


ONE, ROW, TABLE, HOST = array(), array(3), array(2, 3), np.ones((2, 3), "float32")

HIDDEN: dict[str, Callable[[], Any]] = {
    "float()": lambda: float(ONE),
    "int()": lambda: int(ONE),
    "complex()": lambda: complex(ONE),
    "bool()": lambda: bool(ONE),
    "if": lambda: 1 if ONE > 0 else 0,
    "and": lambda: ONE > 0 and ONE < 2,
    "round()": lambda: round(ONE),
    "math.exp": lambda: math.exp(ONE),
    "index of a list": lambda: [1, 2][strict.zeros((), dtype="int64")],
    "slice of a list": lambda: [1, 2][: strict.ones((), dtype="int64")],
    "slice bound": lambda: ROW[: strict.ones((), dtype="int64")],
    "range()": lambda: range(strict.ones((), dtype="int64")),
    "iteration": lambda: list(ROW),
    "unpacking": lambda: (lambda a, b, c: a)(*ROW),
    "in": lambda: 1.0 in ROW,
    "builtin sum": lambda: sum(ROW),
    "builtin max": lambda: max(ROW),
    "pickling": lambda: pickle.dumps(ROW),
    "np.asarray": lambda: np.asarray(ROW),
    "np.array of a list": lambda: np.array([ONE, ONE]),
    "np.full": lambda: np.full(2, ONE),
    "np.from_dlpack": lambda: np.from_dlpack(ROW),
    "ufunc": lambda: np.exp(ROW),
    "ufunc with out": lambda: np.add(1.0, 2.0, out=ROW),
    "np.sum": lambda: np.sum(ROW),
    "np.concatenate": lambda: np.concatenate([ROW, ROW]),
    "np.where": lambda: np.where(ROW > 1, 1, 0),
    "host[…] = array": lambda: HOST.__setitem__(0, ROW),
    "host[array]": lambda: HOST[strict.ones((1,), dtype="int64")],
    "host += array": lambda: HOST.copy().__iadd__(TABLE),
}

MIXED: dict[str, Callable[[], Any]] = {
    "array + host": lambda: TABLE + HOST,
    "host + array": lambda: HOST + TABLE,
    "array @ host": lambda: ROW @ HOST.T,
    "host @ array": lambda: HOST @ ROW,
    "array == host": lambda: TABLE == HOST,
    "host < array": lambda: HOST < TABLE,
    "array += host": lambda: TABLE.copy().__iadd__(HOST),
    "array * scalar": lambda: TABLE * np.float32(2),
    "scalar * array": lambda: np.float64(2) * TABLE,
    "array[…] = host": lambda: TABLE.copy().__setitem__(0, np.ones(3)),
    "np.add": lambda: np.add(HOST, TABLE),
    "np.stack": lambda: np.stack([HOST, TABLE]),
}

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "function": (lambda: strict.exp(HOST), r"exp.*NumPy array \(2, 3\) float32"),
    "one of several": (lambda: strict.concatenate([TABLE, HOST]), "concatenate.*host"),
    "keyword": (lambda: strict.sum(ROW, axis=np.int64(0)), "NumPy scalar"),
    "scatter_add": (lambda: strict.scatter_add(ROW, (array(1),), HOST), "scatter_add.*host"),
    "erf": (lambda: strict.erf(HOST), "erf.*host"),
    "xlogy": (lambda: strict.xlogy(ROW, HOST), "xlogy.*host"),
    "array()": (lambda: strict.array(HOST), "from_host"),
    "asarray()": (lambda: strict.asarray(HOST), "from_host"),
    "from_host": (lambda: strict.from_host([1.0]), r"NumPy array, not list \[1.0\]"),
    "host index": (lambda: ROW[np.array([0, 1])], "indexed with a NumPy array"),
    "list index": (lambda: ROW[[0, 1]], "indexed with list"),
    "index among others": (lambda: TABLE[0, np.array([0])], "indexed with a NumPy array"),
    "where of a truth value": (lambda: strict.where(True, ROW, 0), "where needs an array"),
    "sum of a number": (lambda: strict.sum(2.0), "sum needs an array .* not float 2.0"),
    "list of numbers": (lambda: strict.stack([1.0, 2.0]), "stack needs an array"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_transfer_is_caught(name: str) -> None:
    with pytest.raises(BackendError, match="strict array"):
        HIDDEN[name]()


@pytest.mark.parametrize("name", MIXED)
def test_mixing_with_the_host_names_both_operands(name: str) -> None:
    with pytest.raises(BackendError) as told:
        MIXED[name]()
    assert "a strict array" in str(told.value)
    assert "a NumPy" in str(told.value)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_the_devices_is_refused(name: str) -> None:
    call, told = REFUSED[name]
    with pytest.raises(BackendError, match=told):
        call()


def test_names_that_cupy_may_lack_are_not_there() -> None:
    with pytest.raises(AttributeError, match=r"'nanmedian'.*FUNCTIONS"):
        strict.nanmedian  # noqa: B018
    with pytest.raises(AttributeError, match=r"strict.linalg has no 'eig'"):
        strict.linalg.eig  # noqa: B018


def test_foreign_operands_get_their_turn() -> None:
    class Other:
        def __radd__(self, x: Any) -> str:
            return "other"

    assert ROW + Other() == "other"
    assert (ROW == "text") is False
    with pytest.raises(TypeError, match="unsupported operand"):
        ROW + "text"


def test_an_array_is_no_ndarray_and_tells_its_form() -> None:
    assert not isinstance(TABLE, np.ndarray)
    assert (TABLE.shape, TABLE.ndim, TABLE.size, len(TABLE)) == ((2, 3), 2, 6, 2)
    assert (TABLE.itemsize, TABLE.nbytes, TABLE.T.shape) == (4, 24, (3, 2))
    assert repr(TABLE) == str(TABLE) == "<strict array (2, 3) float32>"
    with pytest.raises(TypeError, match="unhashable"):
        hash(TABLE)


def test_results_are_arrays_even_of_one_element() -> None:
    for one in (ROW.sum(), ROW[0], strict.max(ROW), strict.argmax(ROW), ONE + 1, -ONE):
        assert type(one) is strict.Array
        assert one.shape == ()
    assert ROW.sum().item() == 6.0
    assert all(type(part) is strict.Array for part in strict.split(ROW, 3))


def test_numbers_are_weak() -> None:
    for z in (ROW * 2.0, 1 / ROW, ROW**2, strict.maximum(ROW, 0.5), ONE * 2.5, True + ROW):
        assert z.dtype == np.float32
    assert (strict.arange(3, dtype="uint64") * 2).dtype == np.uint64


def test_an_element_is_a_view_as_on_a_gpu() -> None:
    x = array(2, 3)
    element, row = x[0, 1], x[1]
    element += 40
    row *= 0
    x[x > 40] = 0.5
    assert strict.to_host(x).tolist() == [[1, 0.5, 3], [0, 0, 0]]


def test_in_place_operators_keep_the_array() -> None:
    x = y = array(3)
    x += 1
    x -= ROW
    x *= 4
    x /= 2
    x **= 2
    assert x is y
    assert strict.to_host(y).tolist() == [4, 4, 4]


def test_transfers_copy() -> None:
    source = np.ones(2)
    x = strict.from_host(source)
    source[:] = 7
    taken = strict.to_host(x)
    x += 1
    assert taken.tolist() == [1, 1]
    twins = copy.copy(x), copy.deepcopy(x), x.copy()
    x += 1
    assert [strict.to_host(t).tolist() for t in twins] == [[2, 2]] * 3


def test_watching_tells_launches_and_transfers() -> None:
    x = strict.from_host(np.ones(3))
    with strict.watched() as outer:
        with strict.watched() as inner:
            y = strict.exp(x[1:]) + 1
            y[0] = 3
            y.sum().item()
        strict.to_host(strict.from_host(np.ones(2)))
    assert inner == ["getitem", "exp", "add", "setitem", "sum", "item"]
    assert outer == ["from_host", "to_host"]


def test_kernels_are_silent_about_nan() -> None:
    for x in (strict.log(-ROW), ROW * 0 / (ROW * 0)):
        assert np.isnan(strict.to_host(x)).all()


def test_the_rest_of_the_contract() -> None:
    assert backends.get("strict") is strict
    assert strict.memory()["peak"] > 0
    strict.synchronize()
    strict.check()


def test_it_can_be_chosen_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGRAD_BACKEND", "strict")
    assert backends.current() is strict
