"""Errors teach: what people really get wrong, and what each message must say.

A row of `TABLE` is the operation's name, the code as somebody would write it, the type of the
error, and the pieces that the message must hold.  To add one, add a row.  The code runs as
`train.py` with the names that `workshop` gives; the last test holds every message against the
rubric: it names the operation and the shape of each tensor in the failing line, says how to mend
it, and shows nothing of the engine's inside.
"""

from __future__ import annotations

import ast
import linecache
import re
from typing import Any

import numpy as np
import pytest

import autograd
import backends
from autograd import Tensor, Value, no_grad
from autograd.errors import AutogradError, DomainError, DTypeError, GraphError, ShapeError
from autograd.explain import explain, explain_rule
from autograd.ops import elementwise
from backends import BackendError

Row = tuple[Any, ...]

TABLE: list[Row] = [
    # --- products ---
    ("matmul", "x @ w", ShapeError, "inner sizes differ, 64 and 32", "\n  x  (8, 64) float32",
     "\n  w  (32, 10) float32", "needs (..., n, k) @ (..., k, m)", "Give w 64 rows"),
    ("matmul", "x @ wide", ShapeError, "64 and 32", "Did you mean wide.T?"),
    ("matmul", "x @ x", ShapeError, "64 and 8", "Did you mean x.T?"),
    ("matmul", "w @ tall", ShapeError, "10 and 5", "Did you mean tall @ w?"),
    ("matmul", "hidden = x * 2\nhidden @ w", ShapeError,
     "\n  hidden  (8, 64) float32   train.py:1\n  w       (32, 10) float32  "),
    ("matmul", "(x - 1) @ w", ShapeError, "\n  x - 1  (8, 64) float32   train.py:1"),
    ("matmul", "x @ 3", ShapeError, "3 is one number", "write x * 3"),
    ("matmul", "stack2 @ stack3", ShapeError, "the batches (2,) and (3,) do not broadcast"),
    ("affine", "weight = wide.T\nautograd.affine(x, weight, b)", ShapeError,
     "the bias has shape (10,), for 32",
     "Give it shape (32,)."),
    ("affine", "autograd.affine(x, w, b)", ShapeError, "64 and 32", "(..., k) @ (k, m) + (m,)"),
    ("einsum", 'autograd.einsum("ij,jk->ik", x, w)', ShapeError, "label 'j'", "64 in x",
     "32 in w"),
    ("einsum", 'autograd.einsum("ij->iz", x)', ShapeError, "label 'z' of the result", "'i', 'j'"),
    # --- broadcasting ---
    ("add", "x + w", ShapeError, "axis -1 has sizes 64 and 10", "must be equal or 1"),
    ("sub", "x - rows", ShapeError, "axis -1 has sizes 64 and 8",
     "Did you mean rows.reshape(8, 1)?"),
    ("mul", "wide * wide.T", ShapeError, "sizes 64 and 32", "Did you mean wide?"),
    ("where", "autograd.where(mask, x, 0)", ShapeError, "shapes (3,) and (8, 64)"),
    ("broadcast_to", "x.broadcast_to(3, 64)", ShapeError, "axis -2 has size 8, not 3 or 1"),
    ("broadcast_to", "b.broadcast_to(3)", ShapeError, "axis -1 has size 10, not 3 or 1"),
    # --- shape ---
    ("reshape", "x.reshape(9, 8)", ShapeError, "has 512 elements, (9, 8) needs 72",
     "Did you mean x.reshape(64, 8)?"),
    ("reshape", "x.reshape(5, -1)", ShapeError, "needs a multiple of 5", "x.reshape(-1)"),
    ("reshape", "x.reshape(-1, -1)", ShapeError, "leaves 2 sizes open", "x.reshape(-1, 64)"),
    ("transpose", "x.transpose(1, 0, 2)", ShapeError, "x.permute(1, 0, 2)",
     "transpose: 3 axes, and it exchanges two, as in PyTorch"),
    ("transpose", "x.permute(0, 0)", ShapeError, "(0, 0) is not an order of the 2 axes",
     "0, 1 (or -2, -1)"),
    ("concatenate", "autograd.concatenate([x, w])", ShapeError, "axis 1 has size 64 in x",
     "10 in w", "Only axis 0"),
    ("concatenate", "autograd.concatenate([x, rows])", ShapeError, "x has 2 axes", "rows has 1"),
    ("concatenate", "autograd.concatenate([x, wide], axis=1)", ShapeError, "axis 0 has size 8 in x",
     "32 in wide", "Did you mean axis=0?"),
    ("pad", "x.pad(-1)", ShapeError, "width (-1, -1) of axis 0 is negative", "0 or more"),
    # --- axes ---
    ("sum", "x.sum(axis=2)", ShapeError, "axis 2 is outside [-2, 2)", "Did you mean axis=1?"),
    ("softmax", "rows.softmax(axis=-2)", ShapeError, "axis -2 is outside [-1, 1)"),
    ("mean", "x.mean(axis=(0, 5))", ShapeError, "axis 5 is outside [-2, 2)", "0, 1 (or -2, -1)"),
    ("sum", "x.sum(axis=[0, 1])", ShapeError, "not [0, 1]", "Did you mean axis=(0, 1)?"),
    ("sum", "x.sum(axis=1.0)", ShapeError, "axis must be an int", "not 1.0"),
    ("max", "x.max(axis=(0, 0))", ShapeError, "axis=(0, 0) names an axis twice"),
    ("max", "none = x[:0]\nnone.max(axis=0)", ShapeError, "no elements to choose from", "(0, 64)",
     "Is the batch empty?"),
    # --- indices ---
    ("getitem", "x[8]", ShapeError, "index 8 is outside [-8, 8), axis 0", "last index is 7"),
    ("getitem", "x[:, -65]", ShapeError, "index -65 is outside [-64, 64), axis 1"),
    ("getitem", "x[0, 0, 0]", ShapeError, "3 indices for 2 axes", "takes at most 2"),
    ("getitem", "x[far]", ShapeError, "index 9, at [1] of far, is outside [-8, 8) (2 are), axis 0"),
    ("getitem", "x[mask]", ShapeError, "a mask of shape (3,) for axes of shape (8,)"),
    ("getitem", "x[1.5]", DTypeError, "1.5, a float", "Index with ints"),
    ("getitem", "x[0:2.0]", DTypeError, "2.0 in a slice of axis 0", "int(2.0)"),
    ("getitem", "x[::0]", ShapeError, "the step of a slice is 0"),
    ("setitem", "x.at[0].set(w)", ShapeError, "the value has shape (32, 10), the place (64,)"),
    ("gather", "x.gather(1, far)", ShapeError, "an index with 1 axes for 2", "expand_dims"),
    ("gather", "row = far.reshape(1, 3)\nx.gather(0, row)", ShapeError,
     "index 9, at [0, 1] of row", "[-8, 8)"),
    ("softmax_cross_entropy", "autograd.softmax_cross_entropy(logits, far)", ShapeError,
     "label 9, at [1], is outside [0, 4) (2 are)", "labels go from 0 to 3"),
    ("softmax_cross_entropy", "autograd.softmax_cross_entropy(logits, logits)", DTypeError,
     "holds float32", 'logits.astype("int64")'),
    ("softmax_cross_entropy", "some, onehot = logits[:1, :3], counts.reshape(1, 3)\n"
     "autograd.softmax_cross_entropy(some, onehot)", ShapeError,
     "labels of shape (1, 3) for logits of shape (1, 3)", "onehot.argmax(axis=-1)"),
    ("index", "x[x]", DTypeError, "holds float32", 'astype("int64")'),
    ("take_along_axis", "x.take_along_axis(far, 1)", ShapeError, "1 axes for 2", "expand_dims"),
    # --- functions of ops ---
    ("swapaxes", "x.swapaxes(0, 5)", ShapeError, "axis 5 is outside [-2, 2)"),
    ("expand_dims", "x.expand_dims(7)", ShapeError, "axis 7 is outside [-3, 3)"),
    ("flatten", "x.flatten(5)", ShapeError, "axis 5 is outside [-2, 2)"),
    ("squeeze", "x.squeeze(0)", ShapeError, "axis 0 has size 8, not 1", "reshape"),
    ("stack", "autograd.stack([x, w])", ShapeError, "differ in shape", "concatenate"),
    ("split", "x.split([3, 4])", ShapeError, "[3, 4] add up to 7, axis 0 has 8"),
    ("split", "x.split(0)", ShapeError, "pieces of size 0"),
    ("tile", "x.tile(0)", ShapeError, "0 copies along axis 1"),
    ("topk", "rows.topk(9)", ShapeError, "k = 9 is outside [1, 8]"),
    ("diagonal", "rows.diagonal()", ShapeError, "1 axes have no diagonal", "autograd.eye"),
    ("pad", "x.pad(((1, 1),))", ShapeError, "1 pairs of widths for 2 axes"),
    ("einsum", 'autograd.einsum("ij->i", x, w)', ShapeError, "describes 1 operands, 2"),
    # --- dtypes, backends and kinds ---
    ("add", 'y = x.astype("float64")\nx + y', DTypeError, "float32 and float64", "astype"),
    ("add", 'x + x.detach().to("strict")', BackendError, "numpy and strict", "on strict", ".to("),
    ("sub", "mask - mask", DTypeError, "mask holds truth values", 'mask.astype("float32")'),
    ("power", "counts**-1", DTypeError, "integers to the power -1", 'counts.astype("float32")'),
    ("add", "x + v", AutogradError, "a Tensor meets v  -1.0", "compute with one kind"),
    ("add", "v + x", AutogradError, "a Value meets x  (8, 64) float32", "tensor.values()"),
    ("requires_grad", "counts.requires_grad_()", DTypeError, "int64", 'dtype="float32"'),
    ("Tensor", 'Tensor("abc")', DTypeError, "got str 'abc'", "rectangular"),
    ("Value", "Value([1, 2])", TypeError, "got list [1, 2]", "use Tensor"),
    ("unknown backend", 'backends.use("torch")', BackendError, "'torch'", "numpy, cupy, strict"),
    ("unknown backend", 'x.to("gpu")', BackendError, "'gpu'", "choose one of"),
    # --- numbers ---
    ("log", "v.log()", DomainError, "-1.0 is outside the domain, x > 0", "\n  v  -1.0",
     "v.clip(low=1e-12)"),
    ("div", "v / zero", DomainError, "0.0 is outside the domain, a divisor ≠ 0", "\n  zero  0.0"),
    ("div", "1 / zero", DomainError, "\n  zero  0.0"),
    ("sqrt", "v.sqrt()", DomainError, "-1.0 is outside", "x ≥ 0", "v.clip(low=0.0)"),
    ("atanh", "v.atanh()", DomainError, "-1.0 is outside", "-1 < x < 1"),
    ("exp", "big = v * -1000\nbig.exp()", DomainError, "1000.0 is larger than any float",
     "\n  big  1000.0  train.py:1"),
    ("power", "zero ** -1", DomainError, "0 to the power -1", "\n  zero  0.0"),
    ("log", 'with np.errstate(all="raise"):\n    leaf.log()', DomainError,
     "2 of 3 elements are outside x > 0, the first is 0.0 at [1]", "leaf.clip(low=1e-12)"),
    ("exp", 'with np.errstate(all="raise"):\n    (leaf * 1000).exp()', DomainError,
     "outside the range of float32", "logsumexp"),
    # --- the graph ---
    ("backward", "loss = (x * x).sum()\nloss.backward()\nloss.backward()", GraphError,
     "freed by the backward pass at train.py:2", "loss  () float32  train.py:1",
     "retain_graph=True"),
    ("backward", "y = leaf * leaf\nleaf.assign([0.0, 0.0, 0.0])\ny.sum().backward()", GraphError,
     "assigned new data at train.py:2", "y  (3,) float32  train.py:1", "mul's gradient needs",
     "before assigning"),
    ("backward", "x.backward()", ShapeError, "is not one number", ".sum()"),
    ("backward", "total = w.sum()\ntotal.backward()", GraphError,
     "total  () float32", "requires_grad=True"),
    ("in-place", "leaf += 1", GraphError, "leaf  (3,) float32", "no_grad()"),
    ("x[…] = y", "x[0] = 1.0", GraphError, "x.at[…].set(value)", "x.assign"),
    ("assign", "hidden = x * 2\nhidden.assign(0.0)", GraphError,
     "hidden  (8, 64) float32  train.py:1 was computed", "x = x + y"),
    ("assign", "x.assign(np.zeros((8, 64)))", DTypeError, "float64", 'data.astype("float32")'),
    ("NumPy", "np.asarray(x)", GraphError, "leave the graph", "x.detach()"),
    ("grad", "leaf.grad = np.ones(2)", ShapeError, "not (2,)", "Reshape it"),
    ("backward", "x.backward(np.ones(3))", ShapeError, "has shape (3,)", "Give it that shape"),
    ("assign", "leaf.assign(np.ones(2, 'float32'))", ShapeError, "of shape (2,)", "(3,)"),
    ("hook", "y = leaf * 1\nremove = y.register_hook(lambda g: g.sum())\ny.sum().backward()",
     ShapeError, "a gradient of shape () for y  (3,) float32", "Return that shape"),
    # --- Python's protocols ---
    ("item", "x.item()", ShapeError, "512 elements, not one", ".tolist()"),
    ("item", "float(x)", ShapeError, "512 elements, not one"),
    ("len", "total = x.sum()\nlen(total)", TypeError, "total  () float32", ".item()"),
    ("len", "total = x.sum()\nlist(total)", TypeError, "is one number, it has no length"),
    ("bool", "bool(x)", ShapeError, "512 truth values", ".any() or .all()"),
]  # fmt: skip
"""(operation, code, error, *what the message holds)"""


def workshop() -> dict[str, Any]:
    """The names that the rows use."""

    def tensor(*shape: int, **options: Any) -> Tensor:
        return Tensor(np.ones(shape, "float32"), **options)

    return {
        "x": tensor(8, 64, requires_grad=True), "w": tensor(32, 10), "wide": tensor(32, 64),
        "tall": tensor(5, 32), "b": tensor(10), "rows": tensor(8), "logits": tensor(3, 4),
        "stack2": tensor(2, 3, 3), "stack3": tensor(3, 3, 3),
        "leaf": Tensor([1.0, 0.0, -1.0], requires_grad=True),
        "counts": Tensor([1, 2, 3]), "far": Tensor([2, 9, -9]), "mask": Tensor([True, False, True]),
        "v": Value(-1.0), "zero": Value(0.0),
        "np": np, "autograd": autograd, "backends": backends, "Tensor": Tensor, "Value": Value,
        "no_grad": no_grad,
    }  # fmt: skip


def run(code: str, names: dict[str, Any]) -> None:
    """Run code as the file train.py."""
    linecache.cache["train.py"] = (len(code), None, code.splitlines(True), "train.py")
    exec(compile(code, "train.py", "exec"), names)


def failure(row: Row) -> tuple[BaseException, dict[str, Any]]:
    """The error that a row raises, and the names as they were then."""
    _, code, error, *_ = row
    names = workshop()
    with pytest.raises(error) as caught:
        run(code, names)
    return caught.value, names


ROWS = [pytest.param(row, id=row[1].splitlines()[-1].strip()) for row in TABLE]


@pytest.mark.parametrize("row", ROWS)
def test_says(row: Row) -> None:
    error, _ = failure(row)
    assert type(error) is row[2], f"{type(error).__name__}: {error}"
    for piece in row[3:]:
        assert piece in str(error)


MENDS = re.compile(
    r"\b(Did you mean|Give|[Uu]se|Make|Keep|Convert|Call|Pass|Reduce|Move|Create|Put|Bind|Reshape|"
    r"Add|Name|Index|[Cc]hoose|[Cc]ompute|Look|Return|write|needs|must|has the axes|"
    r"takes at most|Only|"
    r"0 or more|Steps are|can keep|last index is|labels go from)\b"
)
"""How a line begins, or goes on, that says how to mend it or what would be valid."""

INSIDE = re.compile(r"site-packages|/autograd/|\.raw\b|ufunc|<Tensor\.|<Value\.|object at 0x")


@pytest.mark.parametrize("row", ROWS)
def test_rubric(row: Row) -> None:
    error, names = failure(row)
    operation, code = row[:2]
    message = str(error)
    headline, _, rest = message.partition("\n")
    assert headline.startswith(operation)
    if isinstance(error, (ShapeError, DTypeError, GraphError)):
        for name in re.findall(r"\b\w+\b", code.splitlines()[-1]):
            if isinstance(names.get(name), Tensor):
                assert str(names[name].shape) in message, f"the shape of {name}"
    mend = rest.splitlines()[-1] if rest else headline
    assert MENDS.search(mend), f"how to mend it: {mend}"
    assert not INSIDE.search(message)


def test_the_rubric_finds_fault() -> None:
    """A message that only repeats what a library says would not pass."""
    plain = "operands could not be broadcast together with shapes (8,64) (32,10)"
    assert not MENDS.search(plain)
    assert "(8, 64)" not in plain
    assert INSIDE.search("UFuncTypeError: ufunc 'maximum' did not contain a loop")


def test_the_table_is_long_and_has_no_row_twice() -> None:
    codes = [row[1] for row in TABLE]
    assert len(set(codes)) == len(codes) >= 45
    for code in codes:
        ast.parse(code)


# --- the same on every backend ---


@pytest.mark.parametrize("code", ["x @ w", "x + w", "x.reshape(9, 8)", "x.sum(axis=2)", "x[8]"])
def test_same_text_on_another_backend(code: str) -> None:
    told = []
    for backend in ("numpy", "strict"):
        with backends.using(backend):
            names = {
                "x": Tensor(np.ones((8, 64), "float32"), backend=backend),
                "w": Tensor(np.ones((32, 10), "float32"), backend=backend),
            }
            with pytest.raises(ShapeError) as caught:
                run(code, names)
            told.append(str(caught.value).replace(" on strict", ""))
    assert re.sub(r" +", " ", told[0]) == re.sub(r" +", " ", told[1])


# --- errors that are not the operands' fault ---


def test_teaching_errors_and_a_full_memory_pass_unchanged() -> None:
    for error in (ShapeError("said"), BackendError("said"), MemoryError("full"), RecursionError()):
        assert explain(elementwise.add, (Value(1.0), Value(2.0)), {}, error) is error
        assert not hasattr(error, "__notes__")


def test_an_error_nobody_understands_is_told_with_its_operands() -> None:
    w = Tensor([1.0, 2.0])
    error = ValueError("cosmic ray")
    assert explain(elementwise.exp, (w,), {}, error) is error
    (note,) = error.__notes__
    assert note.startswith("exp of\n  w  (2,) float32  test_errors.py:")


def test_a_failing_explanation_lets_the_error_through() -> None:
    error = ValueError("the first")
    assert explain(elementwise.exp, (object(),), {}, error) is error  # type: ignore[arg-type]
    assert "no explanation for exp" in error.__notes__[0]


def test_a_failing_gradient_rule_names_the_forward_line() -> None:
    base = Value(0.0)
    root = base.sqrt()
    error = explain_rule(root, ZeroDivisionError("float division by zero"))
    line = test_a_failing_gradient_rule_names_the_forward_line.__code__.co_firstlineno + 2
    assert type(error) is DomainError
    assert str(error).splitlines() == [
        "backward: sqrt has no finite slope at 0.0",
        f"  root  0.0  test_errors.py:{line}",
        f"  base  0.0  test_errors.py:{line - 1}",
        "  Keep the input away from there, say with clip or by adding 1e-12.",
    ]
    bug = TypeError("a bug")
    assert explain_rule(root, bug) is bug
    assert bug.__notes__[0].startswith("in the gradient of sqrt\n  root")
