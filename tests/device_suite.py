"""What holds on every device, told once: `test_strict.py` runs it on the pretended one, and
`gpu/test_gpu.py` on a GPU. All of it compares with the same computation on NumPy.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
import pytest
from op_cases import CASES, OPS, SMOOTH, Case, cases
from op_cases import tensors as on_current

import autograd.functions as f
import backends
import nn
from autograd import Tensor, no_grad, random
from autograd.node import Op
from autograd.ops import elementwise as e
from autograd.ops import linear as l
from backends import BackendError

Results = list[Tensor]

COMPOSED: dict[str, Callable[[Tensor], Tensor]] = {
    "weak numbers": lambda x: 2 ** (x * 0.5) - 1 / (3 + x * x) + (1.5 - x) % 1,
    "weak maximum": lambda x: e.maximum(x, 0.25) + e.minimum(0.5, x),
    "weak where": lambda x: e.where(x > 0, x, 0.0) + e.where(x > 0, 1, x),
    "weak power": lambda x: e.pow(e.abs(x) + 1, 2.5) + e.pow(2.0, x) + x**3 + (e.abs(x) + 1) ** -1,
    "weak xlogy": lambda x: e.xlogy(x, 2.0) + e.xlogy(0.0, e.abs(x) + 1),
    "weak atan2": lambda x: e.atan2(x, 1.5),
    "comparison": lambda x: x * (x > 0) + x * (x == x) - x * ((x < 0) | ~(x >= 1)),
    "clip": lambda x: x.clip(-0.5, 0.5) + x.clip(low=0.0),
    "slices": lambda x: x[1:, ::2] * x[0, 1] + x[..., None, -1][:2],
    "mask": lambda x: x[x > 0],
    "index list": lambda x: x[[2, 0, 2]] + x[:, [1]],
    "at": lambda x: x.at[1:, 0].set(0.5) + x.at[[0, 0]].add(x[:2]),
    "diagonal": lambda x: x.diagonal(1) + x.trace(),
    "swapaxes": lambda x: x.swapaxes(0, 1).squeeze() + x.T.expand_dims(0)[0],
    "pad": lambda x: x.pad(1) + f.pad(x, 1, mode="edge") + f.pad(x, 1, mode="reflect"),
    "tile": lambda x: x.tile(2, 1) + x.repeat(2, 0),
    "stack": lambda x: f.stack([x, x * 2], axis=1) + f.cat([x, x]).reshape(3, 2, 4),
    "split": lambda x: x.split(2)[0] * x.split([1, 2])[1],
    "outer": lambda x: x[0].outer(x[1]),
    "einsum": lambda x: f.einsum("...j,kj->...k", x, x) + f.einsum("ii", x[:, :3]),
    "sort": lambda x: x.sort() + x.sort(axis=0, descending=True) + x.topk(2)[0].sum(),
    "take_along_axis": lambda x: x.take_along_axis(x.argsort(), 1),
    "layer norm": lambda x: (x - x.mean(-1, keepdims=True)) / (x.var(-1, keepdims=True) + 1e-5),
    "activations": lambda x: f.gelu(x) + f.gelu(x, True) + f.silu(x) + f.mish(x) + f.selu(x),
    "kinks": lambda x: (
        f.leaky_relu(x) + f.elu(x) + f.softsign(x) + f.hardtanh(x) + f.log_sigmoid(x)
    ),
    "norm": lambda x: x / x.norm(axis=1, keepdims=True) + x.std(),
    "logsumexp": lambda x: x - x.logsumexp(axis=1, keepdims=True) + x.log_softmax(0),
    "one hot": lambda x: x * f.one_hot(x.argmax(1), 4),
}
"""Functions of a (3, 4) tensor, each made of several operations."""


def tensors(arrays: list[Any], device: str, requires_grad: bool = True) -> list[Tensor]:
    """The arrays as tensors on a device; floats ask for a gradient."""
    with backends.using("numpy"):
        hosted = on_current(arrays)
    moved = [Tensor.of(backends.get(device).from_host(x.raw)) for x in hosted]
    for x, array in zip(moved, arrays, strict=True):
        if requires_grad and (array.dtype.kind == "f" or array.dtype.name == "bfloat16"):
            x.requires_grad_()
    return moved


def gradients(z: Tensor, leaves: list[Tensor], create_graph: bool = False) -> Results:
    """The gradients of z, weighted so that no two elements count alike."""
    weights = np.linspace(0.5, 1.5, z.size).reshape(z.shape).astype(z.numpy().dtype)
    with no_grad():
        seed = Tensor(weights, backend=z.backend)
    z.backward(seed, create_graph=create_graph)
    return [x.grad for x in leaves if x.grad is not None]


def apply(case: Case, device: str, order: int, dtype: str = "float32") -> Results:
    """The result of a case, and its gradients up to an order."""
    leaves = tensors(case.draw(backends.dtype(dtype)), device)
    results = [case(*leaves)]
    for k in range(1, order + 1):
        root = results[-1] if k == 1 else sum((g * g).sum() for g in results[1:])
        if not isinstance(root, Tensor) or not root.requires_grad:
            break
        for x in leaves:
            x.zero_grad()
        results += gradients(root, leaves, create_graph=k < order)
    return results


class DeviceSuite:
    """The tests; a subclass names the device and how near the results must come."""

    device: ClassVar[str]
    tolerance: ClassVar[dict[str, float]]
    last_wins: ClassVar[bool] = True
    """Whether x[[0, 0]] = y keeps the last y, as NumPy does and a GPU need not."""

    @pytest.fixture(autouse=True)
    def _on_the_device(self) -> Iterator[None]:
        with backends.using(self.device):
            yield

    def stays(self) -> AbstractContextManager[Any]:
        """A block in which nothing may be transferred, as far as the device can tell."""
        return nullcontext()

    def same(self, found: Results, expected: Results, dtype: str = "float32") -> None:
        """The results live on the device and equal NumPy's in shape, dtype and value."""
        assert len(found) == len(expected)
        for x, y in zip(found, expected, strict=True):
            assert (x.backend, x.shape, x.dtype) == (self.device, y.shape, y.dtype)
            near = self.tolerance[dtype]
            a, b = (t.numpy().astype("float64") for t in (x, y))
            np.testing.assert_allclose(a, b, rtol=near, atol=near)

    def fair(self, case: Case) -> bool:
        """Whether NumPy's result is the only right one: x[[0, 0]] = y keeps the last y there."""
        doubled = any(isinstance(s, list) and len(set(map(str, s))) < len(s) for s in case.specs)
        return self.last_wins or case.op.name != "setitem" or not doubled

    # --- the op table ---

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_an_op_and_its_gradients(self, case: Case) -> None:
        if not self.fair(case):
            pytest.skip("elements are written in any order, and here two go to one place")
        expected = apply(case, "numpy", order=1)
        leaves = tensors(case.draw("float32"), self.device)
        with self.stays():
            z = case(*leaves)
        self.same([z], expected[:1])
        self.same(apply(case, self.device, order=1), expected)

    @pytest.mark.parametrize("case", SMOOTH, ids=str)
    def test_gradients_of_gradients(self, case: Case) -> None:
        if not self.fair(case):
            pytest.skip("elements are written in any order, and here two go to one place")
        self.same(apply(case, self.device, order=2), apply(case, "numpy", order=2))

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
    @pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
    def test_other_dtypes(self, op: Op, dtype: str) -> None:
        for case in filter(self.fair, cases(op)):
            found, expected = (apply(case, device, 1, dtype) for device in (self.device, "numpy"))
            self.same(found, expected, dtype)

    @pytest.mark.parametrize("name", COMPOSED)
    def test_a_function_made_of_ops(self, name: str) -> None:
        array = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")
        results = []
        for device in ("numpy", self.device):
            [x] = tensors([array], device)
            z = COMPOSED[name](x)
            results.append([z, *gradients(z, [x])])
        self.same(results[1], results[0])

    def test_softmax_cross_entropy_of_indices(self) -> None:
        logits = np.random.default_rng(2).normal(size=(5, 3)).astype("float32")
        labels = np.array([0, 2, 1, 1, 0])
        results = []
        for device in ("numpy", self.device):
            x, t = tensors([logits, labels], device)
            loss = l.softmax_cross_entropy(x, t).mean()
            results.append([loss, *gradients(loss, [x])])
        self.same(results[1], results[0])

    # --- training ---

    @pytest.mark.parametrize("method", ["sgd", "adam"])
    def test_training_by_hand(self, method: str) -> None:
        expected = train(method, "numpy", nullcontext)
        found = train(method, self.device, self.stays)
        assert expected[0].item() > 3 * expected[29].item() > 0, "it should learn"
        self.same(found, expected)

    @pytest.mark.parametrize("loss", ["mse", "binary_crossentropy"])
    @pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adam", "adamw"])
    def test_training_with_nn(self, optimizer: str, loss: str) -> None:
        results = [fit(optimizer, loss, device) for device in ("numpy", self.device)]
        assert {p.backend for p in results[1][1:]} == {self.device}
        for found, expected in zip(results[1], results[0], strict=True):
            a, b = found.numpy(), expected.numpy()
            np.testing.assert_allclose(a, b, rtol=100 * self.tolerance["float32"], atol=1e-3)

    # --- doors ---

    def test_transfer_carries_the_gradient(self) -> None:
        x = Tensor([[1.0, -2.0], [3.0, 4.0]], requires_grad=True, backend="numpy")
        y = x.to(self.device)
        assert (y.backend, y.requires_grad) == (self.device, True)
        z = (y * y).to("numpy") * 3
        assert z.backend == "numpy"
        z.sum().backward()
        assert x.grad is not None
        assert x.grad.backend == "numpy"
        np.testing.assert_array_equal(x.grad.numpy(), 6 * x.numpy())

    def test_transfer_copies(self) -> None:
        array = np.ones(3, "float32")
        x = Tensor(array, backend=self.device)
        array[0] = 7
        assert x.tolist() == [1, 1, 1]
        assert x.backend == self.device
        taken = x.numpy()
        x.assign([4.0, 5.0, 6.0])
        assert taken.tolist() == [1, 1, 1]
        assert x.to(self.device).tolist() == [4, 5, 6]

    def test_what_is_asked_for_comes_over(self) -> None:
        x = Tensor([[1.5, 2.0], [0.0, 4.0]])
        assert x.sum().item() == float(x.sum()) == 7.5
        assert bool((x > 1).any())
        assert int(x.argmax()) == 3
        assert np.asarray(x).dtype == np.float32
        assert x.tolist() == [[1.5, 2.0], [0.0, 4.0]]
        assert f"backend='{self.device}'" in repr(x)
        assert [row.tolist() for row in x] == x.tolist()
        assert Tensor([x[0], x[1]]).tolist() == x.tolist()

    def test_integers_and_truth_values_keep_their_dtype(self) -> None:
        n = Tensor([3, 1, 2])
        assert (str(n.dtype), str((n > 1).dtype), str((n * 2).dtype)) == ("int64", "bool", "int64")
        assert str((n / 2).dtype) == "float32"
        assert str((n * Tensor([0.5])).dtype) == "float32"

    def test_assign_in_place(self) -> None:
        x = Tensor(np.zeros((2, 3), "float32"))
        view = x.raw
        x.assign(1.0).assign(Tensor([7.0, 8.0]), at=(slice(None), 1)).assign(5, at=(0, 0))
        assert x.raw is view
        assert x.tolist() == [[5, 7, 1], [1, 8, 1]]

    def test_a_deep_copy_stays_on_the_device(self) -> None:
        raw = Tensor([1.0, 2.0]).raw
        with self.stays():
            twin = Tensor.of(copy.deepcopy(raw))
            Tensor.of(raw).assign(0.0)
        assert (twin.backend, twin.tolist()) == (self.device, [1.0, 2.0])

    # --- mixing ---

    @pytest.mark.parametrize("swapped", [False, True])
    def test_mixed_backends_name_both_operands(self, swapped: bool) -> None:
        here, there = (
            Tensor(np.ones(shape, "float32"), backend=device)
            for shape, device in (((2, 3), self.device), ((3,), "numpy"))
        )
        x, y = (there, here) if swapped else (here, there)
        for mix in (lambda: x + y, lambda: e.where(x > 0, x, y), lambda: f.cat([x, y])):
            with pytest.raises(BackendError) as told:
                mix()
            for word in (self.device, "numpy", "(2, 3)", "(3,)", ".to("):
                assert word in str(told.value)

    def test_an_array_of_the_host_is_moved_only_by_name(self) -> None:
        x, y = Tensor([1.0, 2.0]), np.ones(2, "float32")
        for mix in (lambda: x + y, lambda: y * x, lambda: x @ y):
            with pytest.raises(
                BackendError, match=f"(?s){self.device}.*numpy|numpy.*{self.device}"
            ):
                mix()

    # --- randomness ---

    def test_words_are_the_same_on_every_device(self) -> None:
        for n in (5, 40_000):  # from the host's buffer, and computed on the device
            random.seed(11)
            found = random.bits(n)
            random.seed(11)
            expected = random.bits(n, backend="numpy")
            assert found.backend == self.device
            assert np.array_equal(found.numpy(), expected.numpy())

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
    def test_draws_agree(self, dtype: str) -> None:
        draws: list[Callable[[str], Tensor]] = [
            lambda device: random.uniform((3, 4), dtype=dtype, backend=device),
            lambda device: random.uniform((150, 200), -1, 3, dtype=dtype, backend=device),
            lambda device: random.normal(20_000, 1.0, 2.0, dtype=dtype, backend=device),
            lambda device: random.dropout_mask((9, 9), 0.8, dtype, backend=device),
            lambda device: random.bernoulli((9, 9), 0.3, "bool", backend=device),
        ]
        results: dict[str, Results] = {}
        for device in ("numpy", self.device):
            random.seed(5)
            results[device] = [draw(device) for draw in draws]
        self.same(results[self.device], results["numpy"], dtype)


def fit(optimizer: str, loss: str, device: str) -> Results:
    """Three epochs of an nn model on the device: its last prediction, then its weights."""
    numbers = np.random.default_rng(7)
    x = numbers.normal(size=(96, 6)).astype("float32")
    y = (x[:, 0] > x[:, 1] * x[:, 2]).astype("float32")
    random.seed(7)
    with backends.using(device):
        model = nn.Sequential([
            nn.Dense(8, activation="relu", input_shape=(6,)),
            nn.Dropout(0.2),
            nn.Dense(1, activation="sigmoid"),
        ])  # fmt: skip
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
        history = model.fit(x, y, epochs=3, batch_size=32, verbose=0)
        assert all(math.isfinite(value) for value in history.history["loss"])
        assert set(model.evaluate(x, y, verbose=0)) != {0.0}
        return [Tensor(model.predict(x), backend=device), *model.parameters()]


def train(method: str, device: str, stays: Callable[[], AbstractContextManager[Any]]) -> Results:
    """Thirty steps of a two-layer net on a spiral's labels: the losses, then the weights."""
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(32, 2)).astype("float32")
    label = (np.sin(3 * x[:, 0]) > x[:, 1]).astype("int64")
    shapes = (2, 16), (16,), (16, 2), (2,)
    start = [
        (numbers.normal(size=s) * (0.8 if len(s) == 2 else 0)).astype("float32") for s in shapes
    ]
    inputs, labels = tensors([x, label], device, requires_grad=False)
    params = tensors(start, device)
    first, second = (tensors([a * 0 for a in start], device, False) for _ in range(2))
    losses = []
    with stays():
        for step in range(1, 31):
            w1, b1, w2, b2 = params
            logits = l.affine((inputs @ w1 + b1).tanh(), w2, b2)
            loss = l.softmax_cross_entropy(logits, labels).mean()
            losses.append(loss.detach())
            loss.backward()
            with no_grad():
                for p, m, v in zip(params, first, second, strict=True):
                    g = p.grad
                    assert g is not None
                    if method == "sgd":
                        m.assign(0.9 * m + g)
                        p -= 0.2 * m
                    else:
                        m.assign(0.9 * m + 0.1 * g)
                        v.assign(0.99 * v + 0.01 * g * g)
                        rate = 0.1 * math.sqrt(1 - 0.99**step) / (1 - 0.9**step)
                        p -= rate * m / (v.sqrt() + 1e-8)
                    p.zero_grad()
    return [*losses, *params]
