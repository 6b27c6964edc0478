"""Nodes know who they are: variables, module paths and lines, found only when asked for."""

from __future__ import annotations

import gc
import linecache
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import autograd
from autograd import Tensor, Value, fft, linalg, names, no_grad, places
from autograd.node import Node, history, scope
from backends import numpy as host


def run(code: str, filename: str = "train.py", **given: Any) -> dict[str, Any]:
    """Run code as a file of the user's; its names."""
    linecache.cache[filename] = (len(code), None, code.splitlines(True), filename)
    given |= {"Tensor": Tensor, "Value": Value, "names": names, "no_grad": no_grad}
    exec(compile(code, filename, "exec"), given)
    return given


class Module:
    """As much of a module as the engine relies on: it lists its parts and opens a scope."""

    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        yield "", self
        for name, part in vars(self).items():
            if isinstance(part, Module):
                for path, module in part.named_modules():
                    yield f"{name}.{path}".rstrip("."), module

    def named_parameters(self) -> Iterator[tuple[str, Node]]:
        for path, module in self.named_modules():
            for name, x in vars(module).items():
                if isinstance(x, Node):
                    yield f"{path}.{name}".lstrip("."), x

    def __call__(self, x: Any) -> Any:
        frame = sys._getframe(1)
        with scope(type(self).__name__, self, (frame.f_code, frame.f_lasti)):
            return self.forward(x)


DENSE = """\
class Dense(Module):
    def forward(self, x):
        z = x @ self.weight
        return z.tanh()

class Net(Module):
    def forward(self, x):
        h = self.encoder(x)
        return self.head(h)
"""


def net() -> dict[str, Any]:
    """The classes of DENSE as if they stood in `nn`, and a net made of them."""
    inside = names.HOUSE[1] + "planted.py"
    given = run(DENSE, inside, Module=Module)
    dense, weight = given["Dense"], Tensor(np.ones((4, 4), "float32"), requires_grad=True)
    head = dense(weight=Tensor(np.ones((4, 2), "float32"), requires_grad=True))
    model = given["Net"](encoder=dense(weight=weight), head=head)
    return {"model": model, "x": Tensor(np.ones((3, 4), "float32"))}


# --- variables ---


@pytest.mark.parametrize(
    ("code", "variable"),
    [
        ("z = w * 2", "z"),
        ("z: Tensor = w * 2", "z"),
        ("z = other = w * 2", "z"),
        ("y = 0; z = w + 1", "z"),
        ("first, z = w - 1, w + 1", "z"),
        ("print(z := w * 2, end='')", "z"),
        ("z = w * 2 if True else None", "z"),
        ("z = (w\n  .exp()\n  .tanh())", "z"),
        ("grün = 'ü'; z = w / 2", "z"),
        ("model = Module()\nmodel.z = z = w * 2", "z"),
        ("state = {}\nz = state['z'] = w * 2", "z"),
        ("z = (w * 2, )[0]", None),
        ("def f():\n    return w * 2\nz = f()", None),
    ],
)
def test_variable(code: str, variable: str | None) -> None:
    w = Tensor([1.0, 2.0], requires_grad=True)
    assert names.variable(run(code, w=w, Module=Module)["z"]) == variable


def test_attributes_and_keys_are_variables() -> None:
    w = Tensor([1.0], requires_grad=True)
    given = run("m = Module()\nm.h = w * 2\nd = {}\nd['k'] = w * 3", w=w, Module=Module)
    assert names.variable(given["m"].h) == "h"
    assert names.variable(given["d"]["k"]) == "k"


def test_a_value_updated_in_place_keeps_its_variable() -> None:
    assert names.variable(run("z = Value(1.0)\nz += 2")["z"]) == "z"


def test_inner_expressions_have_no_variable() -> None:
    z = run("z = (w * 2) + 1", w=Tensor([1.0], requires_grad=True))["z"]
    assert names.variable(z.inputs[0]) is None
    assert names.title(z.inputs[0]) == "mul"


def test_no_source_no_variable_but_a_line() -> None:
    w = Tensor([1.0], requires_grad=True)
    given: dict[str, Any] = {"w": w}
    exec(compile("\nz = w * 2", "<stdin>", "exec"), given)
    assert names.variable(given["z"]) is None
    assert names.where(given["z"]) == "<stdin>:2"


def test_source_that_does_not_parse_names_nothing() -> None:
    given = run("z = w * 2", "edited.py", w=Tensor([1.0], requires_grad=True))
    linecache.cache["edited.py"] = (3, None, ["z = = w"], "edited.py")
    assert names.variable(given["z"]) is None


def test_bound() -> None:
    frame = sys._getframe()
    x, held = Tensor([1.0]), [Tensor([2.0])]
    owner = Module(weight=Tensor([3.0]))
    table = {"bias": Tensor([4.0])}
    assert names.bound(x, frame) == "x"
    assert names.bound(held[0], frame) == "held[0]"
    assert names.bound(table["bias"], frame) == "table['bias']"
    assert names.bound(owner.weight, frame) is None
    assert names.bound(Tensor([1.0]), frame) is None


def test_bound_attribute_of_self() -> None:
    code = "def f(self):\n    return names.describe(self.w)\nd = f(owner)"
    told = run(code, owner=Module(w=Tensor([3.0])))["d"]
    assert told.startswith("self.w  (1,) float32  test_names.py:")


# --- lines ---


def test_here_and_where() -> None:
    given = run("w = Value(1.0)\n\nz = w * 2\nline = names.here()")
    assert given["line"] == "train.py:4"
    assert names.where(given["z"]) == "train.py:3"
    assert names.where(given["w"]) == "train.py:1"


def test_here_skips_the_engine_and_decorators() -> None:
    x = Tensor([1.0])
    run("@no_grad()\ndef step():\n    x.assign([2.0])\n\nstep()", x=x)
    assert names.where(x) == "train.py:3"


def test_a_leaf_comes_from_where_it_was_assigned() -> None:
    x = Tensor([1.0])
    run("\n\nx.assign([2.0])", x=x)
    assert names.describe(x).endswith("train.py:3")


def test_cells_are_called_as_the_notebook_calls_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Compiler:
        def format_code_name(self, name: str) -> tuple[str, str] | None:
            return ("Cell", "In[3]") if name == "cell.py" else None

    shell = type("IPython", (), {"get_ipython": lambda: type("S", (), {"compile": Compiler()})()})
    monkeypatch.setitem(sys.modules, "IPython", shell)  # type: ignore[arg-type]
    assert places.label("cell.py") == "In[3]"
    assert places.label("/home/me/train.py") == "train.py"


# --- modules ---


def test_paths_and_parameters() -> None:
    given = net()
    hidden = run("hidden = model(x)", **given)["hidden"]
    nodes = history(hidden)
    found = names.Names(nodes)
    assert [found.path(n) for n in nodes if n.op] == ["head", "head", "encoder", "encoder"]
    assert sorted(found.parameters.values()) == ["encoder.weight", "head.weight"]
    assert found.title(given["model"].head.weight) == "head.weight"
    assert names.path(hidden) == "head"


def test_the_line_is_the_users_not_the_layers() -> None:
    hidden = run("\nhidden = model(x)", **net())["hidden"]
    assert {names.where(n) for n in history(hidden) if n.op} == {"train.py:2"}


def test_the_result_of_a_call_has_its_variable_and_nothing_else_has() -> None:
    hidden = run("hidden = model(x)\nloss = hidden.sum()", **net())["loss"]
    nodes = history(hidden)
    found = names.Names(nodes)
    titles = [found.title(n) for n in nodes if n.op]
    assert titles == ["loss", "hidden", "matmul", "tanh", "matmul"]


def test_two_outermost_modules_are_told_apart() -> None:
    one, two = net()["model"], net()["model"]
    y = run("y = one(x) + two(x)", one=one, two=two, x=net()["x"])["y"]
    found = names.Names(history(y))
    assert found.given(one.head.weight) != found.given(two.head.weight)
    assert sorted(found.parameters.values()) == [
        "Net.encoder.weight", "Net.head.weight", "Net_2.encoder.weight", "Net_2.head.weight",
    ]  # fmt: skip


def test_names_of_leaves_from_a_frame() -> None:
    a, b = Value(2.0), Value(-3.0, name="bias")
    c = a * b
    found = names.Names(history(c), sys._getframe())
    assert [found.title(n) for n in (a, b, c)] == ["a", "bias", "c"]
    assert [names.Names(history(c)).title(n) for n in (a, b, c)] == ["a", "bias", "c"]


# --- one line about a node ---


def test_describe() -> None:
    given = net()
    hidden = run("hidden = model(x)", **given)["hidden"]
    assert names.describe(hidden) == "hidden  (3, 2) float32  head  train.py:1"
    value = run("v = Value(-1.0)")["v"]
    assert names.describe(value) == "value  -1.0  train.py:1"
    half = Tensor(np.ones(2), dtype="float16", backend="strict")
    assert names.describe(half).startswith("half  (2,) float16 on strict  test_names.py:")
    assert names.describe(Tensor([1])).startswith("Tensor  (1,) int64  test_names.py:")


def test_describe_never_raises() -> None:
    class Broken(Module):
        def named_modules(self) -> Iterator[tuple[str, Module]]:
            raise RuntimeError("a bug of the user's")

        def forward(self, x: Any) -> Any:
            return x * 2

    z = Broken()(Tensor([1.0], requires_grad=True))
    assert names.describe(z) == "Tensor  (1,) float32"


def test_table_aligns_its_columns() -> None:
    rows = [("x", "(8, 64) float32", "", "a.py:1"), ("weight", "(2,) int64", "", "")]
    assert names.table(rows) == "  x       (8, 64) float32  a.py:1\n  weight  (2,) int64"


# --- cost ---


def test_no_frame_is_kept_alive() -> None:
    """Locals of a function die with it although its line is asked for."""

    class Local:
        pass

    def f() -> tuple[Any, Any]:
        local = Local()
        z = Tensor([1.0], requires_grad=True) * 2
        names.Names([z], sys._getframe())
        names.describe(z)
        with pytest.raises(ValueError, match="inner sizes differ"):
            z @ Tensor([1.0, 2.0])
        return z, weakref.ref(local)

    gc.disable()
    try:
        z, local = f()
        gc.collect()
        assert local() is None
        assert names.variable(z) == "z"
    finally:
        gc.enable()


def test_recording_and_differentiating_read_no_source() -> None:
    code = (
        "from autograd import Tensor, places\n"
        "z = Tensor([1.0], requires_grad=True) * 2\n"
        "z.sum().backward()\n"
        "print(len(places._texts))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_house_holds_the_engine_and_no_test() -> None:
    assert host.__file__ is not None
    assert host.__file__.startswith(names.HOUSE)
    assert not __file__.startswith(names.HOUSE)


def test_functions_made_of_operations_are_placed_where_they_are_called() -> None:
    a, b = Tensor(np.eye(2), requires_grad=True), Tensor(np.ones(2))
    for z in (
        linalg.solve(a, b), linalg.svdvals(a), fft.rfft(a, n=4), fft.multiply(a, a),
        autograd.conv_transpose(a[None], Tensor(np.ones((1, 2, 2)))), autograd.attention(a, a, a),
    ):  # fmt: skip
        assert {n.code.co_filename for n in history(z) if n.op is not None} == {__file__}
