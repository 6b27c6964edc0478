"""Files of others and our own, read: trained, summed up, written again, and refused."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn.onnx.execute import UnsupportedError
from nn.onnx.load import to_module

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

RNG = np.random.default_rng(3)
helper = onnx.helper
FLOAT = onnx.TensorProto.FLOAT


def model_of(
    nodes: list[Any], weights: dict[str, Any] | None = None, opset: int = 20, rank: int = 2
) -> Any:
    """A ModelProto from x (N, 3) to y."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("y", FLOAT, [None] * rank)],
        [onnx.numpy_helper.from_array(w, name) for name, w in (weights or {}).items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


# --- there and back ---


def test_what_comes_back_is_trained_as_the_original_is(tmp_path: Path) -> None:
    model = nn.Sequential([nn.Dense(8, "tanh", input_shape=(3,)), nn.BatchNorm(), nn.Dense(2)])
    model.export(tmp_path / "m.onnx")
    again = nn.import_onnx(tmp_path / "m.onnx")
    assert [p for p, _ in again.named_parameters()] == [p for p, _ in model.named_parameters()]
    assert [p for p, _ in again.named_buffers()] == [p for p, _ in model.named_buffers()]
    x, t = Tensor(RNG.normal(size=(6, 3)).astype("f")), Tensor(RNG.normal(size=(6, 2)).astype("f"))
    for each in (model.eval(), again.eval()):
        nn.mse_loss(each(x), t).backward()
    theirs = dict(again.named_parameters())
    for path, p in model.named_parameters():
        assert p.grad is not None
        assert theirs[path].grad is not None
        np.testing.assert_allclose(theirs[path].grad.numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6)
    model.load_state_dict(again.state_dict())


def test_it_fits_sums_up_and_is_written_again(tmp_path: Path) -> None:
    nn.MLP(3, [8, 1]).export(tmp_path / "m.onnx")
    model = nn.import_onnx(tmp_path / "m.onnx")
    model.compile(optimizer="adam", loss="mse")
    x = RNG.normal(size=(64, 3)).astype("f")
    y = x.sum(axis=1, keepdims=True)
    losses = model.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert "0.weight" in model.state_dict()
    assert model.count_parameters() == 3 * 8 + 8 + 8 + 1
    assert "41" in str(model.summary())
    model.export(tmp_path / "again.onnx")
    third = nn.import_onnx(tmp_path / "again.onnx")
    np.testing.assert_allclose(third(Tensor(x)).numpy(), model(Tensor(x)).numpy(), rtol=1e-6)
    assert third.state_dict().keys() == model.state_dict().keys()
    model.save(tmp_path / "weights.safetensors")
    third.load(tmp_path / "weights.safetensors")


# --- files that PyTorch wrote ---


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)

    def forward(self, x: Any) -> Any:
        return self.layer(x)


class Last(torch.nn.Module):
    def __init__(self, kind: type, **options: Any) -> None:
        super().__init__()
        self.layer = kind(3, 5, batch_first=True, **options)

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0]


THEIRS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "mlp": (lambda: torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.GELU(), torch.nn.LayerNorm(8), torch.nn.Linear(8, 2),
    ), (3,)),
    "cnn": (lambda: torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Conv2d(8, 8, 3, groups=4, stride=2),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 2)), (3, 12, 12)),
    "generator": (lambda: torch.nn.Sequential(
        torch.nn.ConvTranspose2d(4, 8, 4, stride=2, padding=1), torch.nn.LeakyReLU(0.2),
        torch.nn.Upsample(scale_factor=2, mode="bilinear"), torch.nn.Tanh()), (4, 3, 3)),
    "lstm": (lambda: Last(torch.nn.LSTM, num_layers=2, bidirectional=True), (6, 3)),
    "gru": (lambda: Last(torch.nn.GRU), (6, 3)),
    "attention": (Attention, (5, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", THEIRS)
def test_files_of_pytorch(name: str, tmp_path: Path) -> None:
    make, shape = THEIRS[name]
    theirs = make().eval()
    x = torch.tensor(RNG.normal(size=(2, *shape)).astype("f"))
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            theirs, (x,), file, dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "N"}}
        )
    (tmp_path / "m.onnx").write_bytes(file.getvalue())
    model = nn.import_onnx(tmp_path / "m.onnx")
    given = RNG.normal(size=(4, *shape)).astype("f")
    with torch.no_grad():
        expected = theirs(torch.tensor(given)).numpy()
    y = model(Tensor(given))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-4, atol=1e-5)
    y.sum().backward()
    assert any(p.grad is not None for p in model.parameters())


# --- versions of the operators ---


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_axes_are_an_attribute_or_an_input(opset: int) -> None:
    x = Tensor(RNG.normal(size=(2, 3)).astype("f"))
    if opset < 13:
        squeeze = helper.make_node("Unsqueeze", ["x"], ["z"], axes=[0])
        node, weights = helper.make_node("ReduceSum", ["z"], ["y"], axes=[2], keepdims=0), {}
    else:
        weights = {"new": np.array([0]), "axes": np.array([2])}
        squeeze = helper.make_node("Unsqueeze", ["x", "new"], ["z"])
        node = helper.make_node("ReduceSum", ["z", "axes"], ["y"], keepdims=0)
    model = to_module(model_of([squeeze, node], weights, opset))
    np.testing.assert_allclose(model(x).numpy(), x.numpy().sum(axis=1)[None], rtol=1e-6)


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_of_old_was_over_all_that_follows(opset: int) -> None:
    given = RNG.normal(size=(2, 3, 4)).astype("f")
    proto = model_of([helper.make_node("Softmax", ["x"], ["y"], axis=1)], opset=opset)
    z = to_module(proto)(Tensor(given)).numpy()
    total = z.sum(axis=(1, 2)) if opset < 13 else z.sum(axis=1)
    np.testing.assert_allclose(total, np.ones(total.shape), rtol=1e-6)


def test_functions_of_the_file_are_written_out() -> None:
    body = [helper.make_node("Mul", ["a", "a"], ["s"]), helper.make_node("Add", ["s", "a"], ["b"])]
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    own = helper.make_function("own", "Grow", ["a"], ["b"], body, versions[:1])
    proto = model_of([helper.make_node("Grow", ["x"], ["y"], domain="own")])
    proto.functions.append(own)
    proto.opset_import.append(versions[1])
    x = np.array([[1.0, 2.0, 3.0]], "f")
    np.testing.assert_allclose(to_module(proto)(Tensor(x)).numpy(), x * x + x)


# --- what is refused ---


def test_all_that_is_unsupported_is_told_at_once() -> None:
    nodes = [
        helper.make_node("Frobnicate", ["x"], ["a"], name="first", domain="who.knows"),
        helper.make_node("Multinomial", ["a"], ["b"], name="second"),
        helper.make_node("Relu", ["b"], ["c"], name="third", slope=0.5),
        helper.make_node("Relu", ["c"], ["y"], name="fourth"),
    ]
    proto = model_of(nodes)
    proto.opset_import.append(helper.make_opsetid("who.knows", 1))
    with pytest.raises(UnsupportedError) as told:
        to_module(proto)
    lines = str(told.value).splitlines()[1:]
    assert [line.split("'")[1] for line in lines] == ["first", "second", "third"]
    assert "who.knows.Frobnicate" in lines[0]
    assert "slope" in lines[2]


def test_the_number_of_inputs_is_checked() -> None:
    model = to_module(model_of([helper.make_node("Relu", ["x"], ["y"])]))
    with pytest.raises(TypeError, match="2 inputs are given, it takes 1: x"):
        model(Tensor([[1.0]]), Tensor([[1.0]]))


@pytest.mark.parametrize("place", ["../secret", "/etc/passwd", "a/../../secret"])
def test_data_outside_the_folder_is_not_read(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "a").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(bytes(12))
    proto = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"w": np.ones(3, "f")})
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=place)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match="outside the folder of the file"):
        nn.import_onnx(folder / "m.onnx")


def test_data_beside_the_file_is_read(tmp_path: Path) -> None:
    proto = model_of([helper.make_node("Add", ["x", "w"], ["y"])], {"w": np.arange(3, dtype="f")})
    onnx.save_model(
        proto, str(tmp_path / "m.onnx"), save_as_external_data=True, location="w.bin",
        size_threshold=0,
    )  # fmt: skip
    assert (tmp_path / "w.bin").stat().st_size == 12
    model = nn.import_onnx(tmp_path / "m.onnx")
    assert model(Tensor([[1.0, 1.0, 1.0]])).tolist() == [[1.0, 2.0, 3.0]]


@pytest.mark.parametrize("data", [b"", b"junk", b"\x08\x07\x12\x04"])
def test_junk_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(data)
    with pytest.raises(ValueError, match=r"m\.onnx is no valid ONNX file"):
        nn.import_onnx(tmp_path / "m.onnx")


def test_a_cut_file_is_refused_or_whole_but_for_notes(tmp_path: Path) -> None:
    """Protobuf has no checksum: a file cut behind its graph, in its notes, still computes."""
    path = tmp_path / "m.onnx"
    model = nn.MLP(3, [4, 1])
    whole = model.export(path).SerializeToString()
    x = Tensor(RNG.normal(size=(2, 3)).astype("f"))
    accepted = 0
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        try:
            again = nn.import_onnx(path)
        except ValueError:
            continue
        accepted += 1
        np.testing.assert_allclose(again(x).numpy(), model(x).numpy(), rtol=1e-6)
    assert accepted < 10


# --- what both tables know ---


def test_coverage() -> None:
    known = nn.onnx.coverage()
    assert len(known["import"]) >= 185
    assert {"Conv", "LSTM", "Attention", "Gemm"} <= set(known["import"])
    assert {"conv", "lstm", "attention", "affine"} <= set(known["export"])
    assert not set(known["export"]) & set(known["export missing"])
