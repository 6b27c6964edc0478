"""`Tensor` as an array: made, read, indexed, changed, and shared with other libraries."""

import operator
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import autograd
from autograd import DTypeError, GraphError, ShapeError, Tensor, asarray, from_dlpack, no_grad
from backends import BackendError

DTYPES = ["float16", "float32", "float64", "bfloat16", "int8", "int32", "int64", "uint8", "bool"]


def dtype(name):
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


# --- construction ---


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (3.0, "float32"),
        ([1.0, 2.0], "float32"),
        ([1, 2], "int64"),
        (True, "bool"),
        ([[True], [False]], "bool"),
        (np.float64(2.0), "float64"),
        (np.ones(3), "float64"),
        (np.ones(3, "float16"), "float16"),
        (range(3), "int64"),
    ],
)
def test_the_dtype_of_what_is_given(data, expected):
    assert str(Tensor(data).dtype) == expected


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_can_be_made_and_asked_for(name):
    x = Tensor([1, 0, 1], dtype=name)
    assert x.dtype == dtype(name)
    assert [int(v) for v in x.tolist()] == [1, 0, 1]
    assert Tensor(x.numpy()).dtype == dtype(name)
    assert x.astype("float64").dtype == np.float64
    assert Tensor([1.0, 0.0]).astype(name).dtype == dtype(name)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_no_arithmetic_upcasts(name):
    x = Tensor([1.0, 2.0], dtype=name, requires_grad=True)
    y = ((x * 2 + 1.5) / x - 0.5) ** 2
    y = y.exp().tanh().sum() + x.mean() + (x @ x) + x.var()
    assert y.dtype == dtype(name)
    y.backward()
    assert x.grad.dtype == dtype(name)


def test_the_data_is_copied():
    array = np.zeros(3)
    x = Tensor(array)
    array[:] = 1
    assert x.tolist() == [0.0, 0.0, 0.0]
    y = Tensor(x)
    x.assign([2.0, 2.0, 2.0])
    assert y.tolist() == [0.0, 0.0, 0.0]


def test_lists_of_tensors_and_values():
    rows = [Tensor([1.0, 2.0]), Tensor([3.0, 4.0])]
    assert Tensor(rows).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert Tensor([autograd.Value(1.5), 2]).tolist() == [1.5, 2.0]


@pytest.mark.parametrize("data", ["abc", ["a", "b"], None, [[1.0], [1.0, 2.0]], object()])
def test_what_is_no_array_of_numbers_is_refused(data):
    with pytest.raises((DTypeError, ShapeError, ValueError, TypeError)):
        Tensor(data)


def test_only_floats_have_gradients():
    with pytest.raises(DTypeError, match=r"int64; only floats.*float32"):
        Tensor([1, 2], requires_grad=True)


def test_what_it_is():
    x = Tensor([[1.0, 2.0, 3.0]], requires_grad=True, name="weights")
    assert (x.shape, x.ndim, x.size, len(x), x.backend) == ((1, 3), 2, 3, 1, "numpy")
    assert (x.is_leaf, (x * 2).is_leaf, x.name) == (True, False, "weights")
    assert (x.T.shape, x.mT.shape) == ((3, 1), (3, 1))
    assert [row.tolist() for row in x] == [[1.0, 2.0, 3.0]]
    with pytest.raises(TypeError, match="one number"):
        len(Tensor(1.0))


# --- creation functions ---


def test_creation():
    assert autograd.zeros(2, 3).shape == autograd.zeros((2, 3)).shape == (2, 3)
    assert autograd.zeros(()).shape == ()
    assert autograd.ones(2, dtype="int32").tolist() == [1, 1]
    assert autograd.full((2,), 7.5).tolist() == [7.5, 7.5]
    assert autograd.full(3, 1).shape == (3,)
    assert autograd.eye(2).tolist() == [[1, 0], [0, 1]]
    assert autograd.eye(1, 2).shape == (1, 2)
    assert str(autograd.arange(3).dtype) == "int64"
    assert autograd.arange(3).tolist() == [0, 1, 2]
    assert autograd.arange(1, 2, 0.5).tolist() == [1.0, 1.5]
    assert str(autograd.arange(1, 2, 0.5).dtype) == "float32"
    assert autograd.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    x = Tensor([1.0, 2.0], dtype="float64")
    assert autograd.zeros_like(x).dtype == autograd.ones_like(x).dtype == np.float64
    assert str(autograd.ones_like(x, dtype="bfloat16").dtype) == "bfloat16"
    assert autograd.zeros(2, requires_grad=True).requires_grad
    assert not autograd.zeros(2).requires_grad


def test_creation_errors():
    with pytest.raises(ShapeError, match="zeros: a size is negative"):
        autograd.zeros(2, -1)
    with pytest.raises(ShapeError, match="step is 0"):
        autograd.arange(0, 3, 0)
    with pytest.raises(DTypeError, match="only floats"):
        autograd.ones(2, dtype="int64", requires_grad=True)


# --- indexing ---

SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5)


@given(st.data(), SHAPES)
def test_basic_indexing_is_numpys(data, shape):
    array = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    key = data.draw(arrays.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    check_index(array, key)


@given(st.data(), SHAPES)
def test_integer_array_indexing_is_numpys(data, shape):
    array = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    check_index(array, data.draw(arrays.integer_array_indices(shape)))


@given(st.data(), SHAPES)
def test_boolean_indexing_is_numpys(data, shape):
    array = np.arange(np.prod(shape), dtype="float64").reshape(shape)
    check_index(array, data.draw(arrays.arrays(bool, shape)))


def check_index(array, key):
    """x[key], its gradient (how often each element is picked), and at[key].add and .set."""
    x = Tensor(array, requires_grad=True)
    expected = array[key]
    y = x[key]
    np.testing.assert_array_equal(y.numpy(), expected)
    weights = np.random.default_rng(0).normal(size=expected.shape)
    (y * Tensor(weights)).sum().backward()
    gradient = np.zeros_like(array)
    np.add.at(gradient, key, weights)
    np.testing.assert_allclose(x.grad.numpy(), gradient, atol=1e-12)

    np.testing.assert_allclose(x.at[key].add(Tensor(weights)).numpy(), array + gradient)
    changed = array.copy()
    changed[key] = -1.0
    np.testing.assert_array_equal(x.at[key].set(-1.0).numpy(), changed)
    np.testing.assert_array_equal(x.numpy(), array)


def test_indexing_with_tensors_lists_and_ranges():
    x = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True)
    rows, columns = Tensor([2, 0]), [1, 3]
    assert x[rows].tolist() == x.numpy()[[2, 0]].tolist()
    assert x[rows, columns].tolist() == [9.0, 3.0]
    assert x[range(2)].shape == (2, 4)
    assert x[x > 5].tolist() == [6, 7, 8, 9, 10, 11]
    assert x[Tensor(1)].tolist() == x[1].tolist()
    assert x[[]].shape == (0, 4)
    assert x[..., None].shape == (3, 4, 1)
    with pytest.raises(DTypeError, match="holds float32, not integers or truth values"):
        x[Tensor([0.5, 1.0])]
    with pytest.raises(ShapeError, match="index 5 is outside"):
        x[5]


def test_at_set_and_add_have_gradients():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = Tensor([10.0, 20.0], requires_grad=True)
    z = x.at[1:].set(y)
    assert z.tolist() == [1.0, 10.0, 20.0]
    (z * Tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([1.0, 0.0, 0.0], [2.0, 3.0])
    x.zero_grad(), y.zero_grad()
    z = x.at[Tensor([0, 0])].add(y)
    assert z.tolist() == [31.0, 2.0, 3.0]
    (z * z).sum().backward()
    assert x.grad.tolist() == [62.0, 4.0, 6.0]
    assert y.grad.tolist() == [62.0, 62.0]


def test_assignment_to_elements_says_what_to_write():
    x = Tensor([1.0, 2.0])
    with pytest.raises(GraphError, match=r"x.at\[…\].set\(value\)"):
        x[0] = 3.0


# --- assign ---


def test_assign_is_in_place_and_checked():
    x = Tensor([1.0, 2.0], requires_grad=True)
    raw = x.raw
    assert x.assign([3.0, 4.0]) is x
    assert x.raw is raw
    assert x.tolist() == [3.0, 4.0]
    x.assign(9.0, at=0)
    assert x.tolist() == [9.0, 4.0]
    x.data = Tensor([0.0, 0.0])
    assert x.tolist() == [0.0, 0.0]
    with pytest.raises(ShapeError, match=r"cannot take data of shape \(3,\)"):
        x.assign([1.0, 2.0, 3.0])
    with pytest.raises(DTypeError, match="cannot take float64 data"):
        x.assign(np.ones(2))
    with pytest.raises(GraphError, match="was computed; only leaves"):
        (x * 2).assign([1.0, 2.0])


def test_data_and_numpy_are_read_only():
    x = Tensor([1.0, 2.0])
    for view in (x.data, x.numpy(), np.asarray(x)):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 5.0
    x.assign([3.0, 4.0])  # the tensor itself can still be changed
    assert x.data.tolist() == [3.0, 4.0]


def test_augmented_assignment():
    x = Tensor([1.0, 2.0], requires_grad=True)
    before = x
    with pytest.raises(GraphError, match="in-place update of x"):
        x += 1
    with no_grad():
        x += 1
        x *= 2
        x -= Tensor([1.0, 1.0])
        x /= 3
    assert x is before
    assert x.tolist() == [1.0, pytest.approx(5 / 3)]
    y = total = x * 1
    total += x  # a computed tensor is not changed: the name is bound anew
    assert total is not y
    assert y.tolist() == x.tolist()


# --- protocols ---


def test_python_numbers():
    x = Tensor([2.5])
    assert (float(x), int(x), bool(x), x.item()) == (2.5, 2, True, 2.5)
    assert operator.index(Tensor(3)) == 3
    assert [10, 20, 30][Tensor(1)] == 20
    assert 2.5 in x
    assert 3.5 not in x
    with pytest.raises(ShapeError, match=r"truth values.*\.any\(\) or \.all\(\)"):
        bool(Tensor([1.0, 2.0]))
    with pytest.raises(ShapeError, match="2 elements, not one"):
        Tensor([1.0, 2.0]).item()
    with pytest.raises(DTypeError, match="not an integer"):
        operator.index(Tensor(1.0))


@pytest.mark.parametrize(
    "f", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod]
)
def test_operators_take_numbers_and_arrays_on_either_side(f):
    x, array = Tensor([2.0, 3.0], requires_grad=True), np.array([4.0, 5.0], "float32")
    for left, right in ((x, 2.5), (2.5, x), (x, array), (array, x), (x, x)):
        y = f(left, right)
        assert isinstance(y, Tensor)
        assert y.requires_grad
        plain = f(*(v.numpy() if isinstance(v, Tensor) else v for v in (left, right)))
        np.testing.assert_allclose(y.numpy(), plain, rtol=1e-6)


def test_matmul_and_comparisons_with_arrays():
    x, array = Tensor([[1.0, 2.0]]), np.ones((2, 2), "float32")
    assert (x @ array).tolist() == [[3.0, 3.0]]
    assert (array @ x.T).tolist() == [[3.0], [3.0]]
    assert (x == Tensor([[1.0, 3.0]])).tolist() == [[True, False]]
    assert ((x > 1) & (x < 3) | ~(x > 0)).tolist() == [[False, True]]


def test_numpy_asks_for_an_array():
    x = Tensor([1.0, 2.0])
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype="float64").dtype == np.float64
    assert np.array(x) is not x.raw
    assert np.sin(np.asarray(x)).shape == (2,)
    w = Tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match=r"leave the graph.*x.detach\(\)"):
        np.asarray(w)
    with no_grad():
        assert np.asarray(w).tolist() == [1.0]


def test_detach_and_clone():
    x = Tensor([1.0, 2.0], requires_grad=True)
    assert not (x * 2).detach().requires_grad
    y = x.clone()
    assert y.raw is not x.raw
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


# --- repr ---


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Tensor(1.5), "Tensor(1.5)"),
        (lambda: Tensor([1, 2]), "Tensor([1 2], dtype=int64)"),
        (lambda: Tensor([1.0], requires_grad=True), "Tensor([1.], requires_grad=True)"),
        (lambda: Tensor([1.0], requires_grad=True) * 2, "Tensor([2.], op=mul)"),
        (lambda: Tensor([[1.0], [2.0]]), "Tensor([[1.]\n        [2.]])"),
        (lambda: Tensor([1.0], backend="strict"), "Tensor([1.], backend='strict')"),
        (lambda: Tensor([]), "Tensor([])"),
    ],
)
def test_repr(make, text):
    assert repr(make()) == text


# --- to and from other libraries ---


def test_asarray_shares_memory_where_it_can():
    array = np.zeros(3, "float32")
    x = asarray(array)
    array[0] = 1
    assert x.tolist() == [1.0, 0.0, 0.0]
    assert x.raw is array
    assert asarray(x) is x
    assert asarray(array, requires_grad=True).requires_grad
    assert not x.requires_grad
    assert asarray(array, dtype="float64").dtype == np.float64
    assert asarray([1.0, 2.0]).dtype == np.float32
    assert asarray(np.float32(3)).item() == 3.0
    assert asarray(array, backend="strict").backend == "strict"

    class Exotic:
        def __array__(self, dtype=None, copy=None):
            return array

    assert asarray(Exotic()).raw is array


def test_asarray_refuses_what_holds_no_numbers():
    for data in (np.array(["a"]), np.array([None]), np.array(["2020-01-01"], "datetime64[D]")):
        with pytest.raises(DTypeError, match=r"a tensor holds numbers.*astype"):
            asarray(data)


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "int32", "uint8", "bool"])
def test_dlpack_with_numpy_shares_memory(name):
    array = np.array([1, 0, 1], name)
    x = from_dlpack(array)
    assert x.dtype == array.dtype
    assert np.shares_memory(x.raw, array)
    assert np.shares_memory(np.from_dlpack(x), array)
    assert x.__dlpack_device__() == array.__dlpack_device__()


def test_dlpack_errors():
    with pytest.raises(TypeError, match=r"builtins.list has no __dlpack__.*Tensor\(data\)"):
        from_dlpack([1.0])

    class Elsewhere:
        def __dlpack__(self, **options):
            raise AssertionError("must not be asked")

        def __dlpack_device__(self):
            return (8, 0)  # Metal

    with pytest.raises(BackendError, match="kind 8; those that can be read are 1"):
        from_dlpack(Elsewhere())


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::FutureWarning:torch", "ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("name", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_pytorch_in_and_out_without_a_copy(name):
    import torch

    theirs = torch.ones(2, 3).to(getattr(torch, name))
    for x in (asarray(theirs), from_dlpack(theirs)):
        assert str(x.dtype) == name
        theirs[0, 0] = 0
        assert x.tolist() == theirs.tolist()
        theirs[0, 0] = 1
        assert x.tolist() == theirs.tolist()
    copied = Tensor(theirs)
    theirs[0, 0] = 0
    assert copied.tolist() != theirs.tolist()

    ours = Tensor(np.ones((2, 3)), dtype=name)
    back = torch.from_dlpack(ours)
    assert back.data_ptr() == ours.raw.ctypes.data
    assert back.dtype == getattr(torch, name)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore::FutureWarning:torch", "ignore::DeprecationWarning:torch")
def test_pytorch_says_why_not():
    import torch

    with pytest.raises(autograd.AutogradError, match=r"require gradient.*Detach it"):
        asarray(torch.ones(2, requires_grad=True))
    with pytest.raises(autograd.AutogradError, match=r"of torch.bfloat16 .* numpy.*float32"):
        asarray(torch.ones(2, dtype=torch.bfloat16))


# --- the package ---


def test_all_that_is_promised_is_there():
    assert len(set(autograd.__all__)) == len(autograd.__all__)
    for name in autograd.__all__:
        assert getattr(autograd, name) is not None
    assert autograd.tanh(Tensor([0.0])).tolist() == [0.0]
    assert autograd.tanh(autograd.Value(0.0)).data == 0.0
    assert autograd.check.gradcheck
    with pytest.raises(AttributeError, match="no attribute 'tanhh'"):
        autograd.tanhh  # noqa: B018


def test_the_engine_is_quick_to_import():
    code = "import sys, autograd; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"autograd", "backends"} <= loaded
    late = {"ml_dtypes", "graphviz", "rich", "matplotlib", "safetensors", "cupy", "torch", "nn"}
    assert not loaded & late
