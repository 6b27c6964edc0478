"""What is exported, run by onnxruntime beside our own: op by op, then whole models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from op_cases import CASES, Case, tensors

import nn
from autograd import Tensor, functions, linalg
from autograd.node import Op
from nn.onnx.export import to_proto
from nn.onnx.trace import ExportError
from nn.onnx.translate import RULES

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.oracle


def run(proto: Any, *inputs: Any) -> list[Any]:
    """What onnxruntime computes."""
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


# --- the op table ---

NO_WORDS = set(
    """
    attention_grad batch_norm_grad conv_kernel cofactor gru_grad layer_norm_grad
    lstm_grad max_pool_index mirrored pool_put pool_take putrows rms_norm_grad rnn_grad
    softmax_cross_entropy_grad standardize_grad sum_unpool winners ctc_alphas
    dot recomputed random_hits random_normal random_uniform
    cholesky eigh expm inv qr slogdet solve svd irfft
""".split()
)
"""Parts of gradients; what only exists while training; what ONNX has no operator for."""

DEADLY = ("lstm", "gru", "rnn")
"""Onnxruntime dies of a recurrent layer with no samples, and takes Python with it."""

TRANSLATED = [
    case for case in CASES
    if case.op.name in RULES and not (case.op.name in DEADLY and case.specs[0][0] == 0)
]  # fmt: skip


def test_every_op_is_translated_or_known_not_to_be() -> None:
    assert set(Op.table) - set(RULES) - {"part"} <= NO_WORDS
    assert not NO_WORDS & set(RULES)
    assert set(RULES) <= set(Op.table)


@pytest.mark.parametrize("case", TRANSLATED, ids=str)
def test_op(case: Case) -> None:
    arrays = case.draw("float32")
    fixed = [case.op.name.endswith("item") and a.dtype.kind in "ib" for a in arrays]
    constants = tensors([a for a, f in zip(arrays, fixed, strict=True) if f])  # an index

    def model(*xs: Tensor) -> Any:
        return case.op(*xs, *constants, **case.params)

    def draw(seed: int) -> list[Any]:
        return [
            np.asarray(a) for a, f in zip(case.draw("float32", seed), fixed, strict=True) if not f
        ]

    proto = to_proto(model, lambda n, i: tensors(draw(i)), opset=20)
    results = run(proto, *draw(0))
    expected = model(*tensors(draw(0)))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for z, y in zip(results, expected, strict=True):
        assert z.dtype == y.dtype
        assert z.shape == y.shape
        rough = 1e-5 if case.op.name.endswith("fft") else 2e-6
        np.testing.assert_allclose(z, y.numpy(), rtol=2e-5, atol=rough)


# --- layers and models ---

RNG = np.random.default_rng(5)


def ids(*shape: int) -> Tensor:
    return Tensor(RNG.integers(0, 9, shape))


def vision() -> nn.Module:
    return nn.Sequential([
        nn.Conv2D(8, 3, padding="same", activation="relu"), nn.MaxPooling2D(2),
        nn.Conv2D(4, 3, strides=2, dilation_rate=1, activation="gelu"), nn.BatchNorm(),
        nn.AveragePooling2D(2, padding="same"), nn.Flatten(), nn.Dense(3, activation="softmax"),
    ])  # fmt: skip


MODELS: dict[str, tuple[Any, Any]] = {
    "mlp": (lambda: nn.MLP(4, [8, 8, 2]), None),
    "dropout": (lambda: nn.Sequential([nn.Dense(4), nn.Dropout(0.5)]), (3,)),
    "cnn": (vision, (12, 12, 3)),
    "conv 1d": (
        lambda: nn.Sequential([
            nn.Conv1D(8, 3, padding="causal", dilation_rate=2), nn.GlobalMaxPooling1D(),
            nn.LayerNorm(), nn.Dense(2),
        ]), (9, 3),
    ),
    "grouped": (
        lambda: nn.Sequential([
            nn.DepthwiseConv2D(3), nn.SeparableConv2D(4, 3, padding="same"), nn.GroupNorm(2),
            nn.UpSampling2D(2), nn.ZeroPadding2D(1), nn.Conv2DTranspose(3, 3, strides=2),
            nn.Conv2DTranspose(3, 2, strides=3, padding="same"), nn.GlobalAveragePooling2D(),
        ]), (8, 8, 3),
    ),
    "residual": (
        lambda: nn.Sequential([
            nn.RMSNorm(), nn.Residual(nn.Dense(4)), nn.SinusoidalEmbedding(),
            nn.PositionEmbedding(5), nn.Permute((2, 1)), nn.Reshape((20,)), nn.Rescaling(0.5),
        ]), (5, 4),
    ),
    "plain norms": (
        lambda: nn.Sequential([
            nn.LayerNorm(center=False), nn.BatchNorm(scale=False), nn.BatchNorm(center=False),
        ]), (3, 4),
    ),
    "lstm": (
        lambda: nn.Sequential([
            nn.Embedding(10, 4), nn.LSTM(6, return_sequences=True), nn.GRU(5), nn.Dense(2),
        ]), lambda: ids(4, 7),
    ),
    "masked": (
        lambda: nn.Sequential([
            nn.Embedding(10, 4, mask_zero=True), nn.LSTM(6, return_sequences=True), nn.GRU(5),
        ]), lambda: ids(4, 7),
    ),
    "backwards": (
        lambda: nn.Sequential([
            nn.Bidirectional(nn.SimpleRNN(6, return_sequences=True)),
            nn.Bidirectional(nn.LSTM(3, return_sequences=True)), nn.GRU(5, reverse=True),
        ]), (7, 3),
    ),
    "states": (lambda: nn.LSTM(4, return_sequences=True, return_state=True), (5, 3)),
    "attention": (lambda: nn.MultiHeadAttention(2, causal=True, rotary=True), (6, 8)),
    "cross attention": (lambda: nn.MultiHeadAttention(2), ((6, 8), (4, 8))),
    "gpt": (lambda: nn.GPT(10, 8, 16, layers=2, heads=2), lambda: ids(4, 8)),
    "vit": (
        lambda: nn.VisionTransformer((8, 8, 1), patch=4, width=16, layers=1, heads=2, classes=3),
        (8, 8, 1),
    ),
}  # fmt: skip
"""How to make a model, and an example of what goes in."""


def inputs_of(example: Any, n: int) -> list[Any]:
    """n samples like the example, for each input."""
    several = isinstance(example, tuple) and isinstance(example[0], tuple)
    return [
        RNG.normal(size=(n, *x)).astype("float32") if isinstance(x, tuple)
        else RNG.integers(0, 9, (n, *x.shape[1:]))
        for x in (example if several else [example])
    ]  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_model(name: str, tmp_path: Path) -> None:
    make, example = MODELS[name]
    model, example = make(), example() if callable(example) else example
    proto = nn.export_onnx(model, tmp_path / "model.onnx", example)
    example = model.input_shape if example is None else example
    randomize(model)
    proto = nn.export_onnx(model, tmp_path / "model.onnx", example)
    model.eval()
    assert (tmp_path / "model.onnx").read_bytes() == proto.SerializeToString()
    for n in (1, 4, 7):
        given = inputs_of(example, n)
        expected = model(*map(Tensor, given))
        expected = expected if isinstance(expected, tuple) else (expected,)
        results = run(proto, *given)
        assert len(results) == len(expected)
        for z, y in zip(results, expected, strict=True):
            np.testing.assert_allclose(z, y.numpy(), rtol=2e-4, atol=2e-5)
    again = nn.import_onnx(tmp_path / "model.onnx")
    assert again.state_dict().keys() == model.state_dict().keys()
    given = inputs_of(example, 3)
    theirs, ours = again(*map(Tensor, given)), model(*map(Tensor, given))
    for z, y in zip(as_tuple(theirs), as_tuple(ours), strict=True):
        np.testing.assert_allclose(z.numpy(), y.numpy(), rtol=2e-4, atol=2e-5)


def as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


def randomize(model: nn.Module) -> None:
    """Weights that no symmetry hides: those of a new layer are often all 0 or 1."""
    for _, tensor in model.named_tensors():
        tensor.assign(RNG.uniform(0.3, 0.9, tensor.shape).astype("float32"))


@pytest.mark.parametrize("opset", range(18, 26))
def test_opsets(opset: int, tmp_path: Path) -> None:
    model = nn.Sequential([nn.Embedding(10, 4), nn.TransformerBlock(2), nn.RMSNorm()])
    proto = nn.export_onnx(model, tmp_path / "m.onnx", ids(4, 6), opset=opset)
    x = RNG.integers(0, 9, (3, 6))
    model.eval()
    np.testing.assert_allclose(run(proto, x)[0], model(Tensor(x)).numpy(), rtol=2e-4, atol=2e-5)
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", opset)]
    assert {p.key: p.value for p in proto.metadata_props}["opset"] == str(opset)


@pytest.mark.parametrize("name", [*nn.activations._BY_NAME])
def test_activation(name: str, tmp_path: Path) -> None:
    model = nn.Sequential([nn.Dense(8, activation=name, input_shape=(5,))])
    proto = nn.export_onnx(model, tmp_path / "m.onnx")
    x = (RNG.normal(size=(6, 5)) * 8).astype("float32")
    np.testing.assert_allclose(run(proto, x)[0], model(Tensor(x)).numpy(), rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_floats(dtype: str, tmp_path: Path) -> None:
    w = Tensor(RNG.normal(size=(3, 4)).astype(dtype), requires_grad=True)
    x = RNG.normal(size=(5, 3)).astype(dtype)
    proto = nn.export_onnx(lambda x: (x @ w).tanh() * 2, tmp_path / "m.onnx", Tensor(x))
    (z,) = run(proto, x)
    assert z.dtype == dtype
    np.testing.assert_allclose(
        z, np.tanh(x @ w.numpy()) * 2, rtol={"float64": 1e-12}.get(dtype, 5e-3)
    )


# --- sizes that depend on the batch ---

DYNAMIC: dict[str, Any] = {
    "mean over all": lambda x: x - x.mean(),
    "divided by the batch": lambda x: x.sum(axis=0) / len(x),
    "joined axes": lambda x: x.reshape(len(x) * 2, -1).reshape(-1, 4),
    "doubled": lambda x: functions.concatenate([x, x], axis=0),
    "initial state": lambda x: functions.concatenate([x, Tensor(np.zeros((len(x), 2), "f"))], 1),
    "last samples": lambda x: x[1 : len(x) - 1],
    "repeated": lambda x: x.expand_dims(0).broadcast_to(3, *x.shape),
    "padded": lambda x: functions.pad(x, ((0, 1), (0, 0))),
    "put": lambda x: x.at[:, 1].set(0.0),
    "added": lambda x: x.at[:, [0, 2]].add(1.0),
    "picked": lambda x: x[:, [2, 0]] * x[..., None, 1],
    "sorted": lambda x: functions.topk(x, 2)[0],
    "best": lambda x: x.argmax(axis=-1),
    "compared": lambda x: functions.leaky_relu(x) + (x > 0.5),
    "detached": lambda x: (x * 2).detach() + x,
    "several": lambda x: {"a": x + 1, "b": [x * 2, x.sum(axis=1)]},
}


@pytest.mark.parametrize("name", DYNAMIC)
def test_sizes_follow_the_batch(name: str, tmp_path: Path) -> None:
    proto = nn.export_onnx(DYNAMIC[name], tmp_path / "m.onnx", (4,))
    for n in (3, 6, 8):
        x = RNG.normal(size=(n, 4)).astype("float32")
        results, expected = run(proto, x), flat(DYNAMIC[name](Tensor(x)))
        for z, y in zip(results, expected, strict=True):
            assert z.shape == y.shape
            np.testing.assert_allclose(z, y.numpy(), rtol=1e-5, atol=1e-6)


def flat(results: Any) -> list[Any]:
    if isinstance(results, dict):
        results = list(results.values())
    return [x for r in results for x in flat(r)] if isinstance(results, list) else [results]


# --- what stands in the file ---


def test_names_are_paths_and_lines_are_told(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Dense(3, name="hidden", input_shape=(2,)), nn.ReLU(), nn.Dense(1)])
    proto = nn.export_onnx(model, tmp_path / "m.onnx")
    assert [w.name for w in proto.graph.initializer] == list(model.state_dict())
    assert [n.name for n in proto.graph.node] == ["hidden/Gemm", "1/Relu", "2/Gemm"]
    assert [n.output[0] for n in proto.graph.node][-1] == "output"
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    assert (dims[0].dim_param, dims[1].dim_value) == ("N", 2)
    for info in proto.graph.value_info:
        assert info.type.tensor_type.shape.dim[0].dim_param == "N"

    def double(x: Tensor) -> Tensor:
        return x * 2

    (node,) = [
        n
        for n in nn.export_onnx(double, tmp_path / "m.onnx", (2,)).graph.node
        if n.op_type == "Mul"
    ]
    assert node.doc_string.startswith("test_onnx_export.py:")


def test_turns_between_convolutions_cancel(tmp_path: Path) -> None:
    layers = [nn.Conv2D(4, 3, activation="relu") for _ in range(3)]
    model = nn.Sequential([*layers, nn.BatchNorm(), nn.MaxPooling2D(2)])
    proto = nn.export_onnx(model, tmp_path / "m.onnx", (12, 12, 2))
    turned = [n.input[0] for n in proto.graph.node if n.op_type == "Transpose"]
    weights = {w.name for w in proto.graph.initializer}
    assert len([name for name in turned if name not in weights]) == 2  # in, and out
    assert [n.op_type for n in proto.graph.node].count("BatchNormalization") == 1


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="no translation of 'inv'"):
        nn.export_onnx(lambda x: linalg.inv(x), path, (2, 2))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


# --- what cannot be written ---


def two_faults(x: Tensor) -> Tensor:
    y = linalg.inv(x)
    return linalg.slogdet(y)[1]


def test_all_that_has_no_translation_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ExportError) as told:
        nn.export_onnx(two_faults, tmp_path / "m.onnx", (2, 2))
    text = str(told.value)
    assert "'inv'" in text
    assert "'slogdet'" in text
    assert text.count("test_onnx_export.py:") == 2


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (lambda x: x * x.mean().item(), "depend on the data"),
        (lambda x: x + Tensor(x.numpy()), "depend on the data"),
        (lambda x: x * len(x) ** 2, "a N \\+ b"),
        (lambda x: x * 2 if float(x.sum()) > 0 else x + 1, "another way"),
        (lambda x: 3, "gives int, not a tensor"),
        (lambda x: x[x > 0], "depend on the data"),
    ],
)
def test_what_depends_on_data_is_refused(model: Any, told: str, tmp_path: Path) -> None:
    def samples(n: int, i: int) -> list[Tensor]:
        return [Tensor(np.full((n, 2), (-1.0) ** i * (i + 1), "float32"))]

    with pytest.raises(ExportError, match=told):
        to_proto(model, samples, opset=20)


class Counter(nn.Module):
    def __init__(self) -> None:
        self.calls = Tensor(0.0)

    def __call__(self, x: Tensor) -> Tensor:
        self.calls.assign(self.calls + 1)
        return x * self.calls


def test_state_that_a_call_changes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="assigns calls when it is called"):
        Counter().export(tmp_path / "m.onnx", (3,))


def test_bad_arguments(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Dense(2)])
    with pytest.raises(ValueError, match="shape of a sample is not known"):
        nn.export_onnx(model, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="opset 7 is outside 18 to 25"):
        nn.export_onnx(model, tmp_path / "m.onnx", (3,), opset=7)
    with pytest.raises(ValueError, match="no samples along axis 0"):
        nn.export_onnx(model, tmp_path / "m.onnx", Tensor(np.zeros((0, 3), "f")))
