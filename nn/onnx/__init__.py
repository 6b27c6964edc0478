"""Models as ONNX files, out and in.

>>> import nn
>>> model = nn.MLP(4, [8, 2])
>>> nn.export_onnx(model, "model.onnx")          # doctest: +SKIP
>>> again = nn.import_onnx("model.onnx")         # doctest: +SKIP

Out: the graph that the engine records when the model is called is translated operation by
operation; `translate/` is the table from ours to ONNX's.  In: `execute/` is the table from ONNX's
operators to functions of tensors.  `coverage()` tells what both know.

The rooms behind are entered when they are needed, so that `import nn` stays quick.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .load import OnnxModel

__all__ = ["export_onnx", "import_onnx"]


def export_onnx(
    model: Callable[..., Any], path: Any, example: Any = None, *, opset: int = 20
) -> Any:
    """Write the model, as it computes in use, to an ONNX file; returns the file's ModelProto.

    `example` is the shape of one sample, without the batch axis, `(28, 28, 1)`; or a batch of
    samples, a Tensor or array, where the input is no float32 array; or a tuple of such, one per
    input.  It may be left out where the model knows its `input_shape`.  The batch axis of the
    file's inputs is open, "N"; other sizes are those of the example.

    Parameters and buffers keep their paths of `state_dict` as names, and nodes carry the path of
    their module and the line that computed them.  The file appears under its name when ONNX's own
    checker and shape inference have passed it and it is complete.

    Raises `ExportError`, a ValueError, that lists all operations that ONNX has no words for, or
    that depend on data in another way than through tensors, with their layers and lines.
    """
    _need_onnx("export_onnx")
    from .. import files
    from .export import OPSETS, samples_of, to_proto

    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise ValueError(f"export_onnx: opset {opset} is outside {OPSETS[0]} to {OPSETS[1]}")
    proto = to_proto(model, samples_of(model, example), opset)
    files.write(Path(path), proto.SerializeToString())
    return proto


def import_onnx(path: Any) -> OnnxModel:
    """Read an ONNX file as a module: trainable, with the file's names in its `state_dict`.

    Its weights are the file's initializers: those that hold floats are parameters, except what
    batch normalisation keeps running; the others are buffers.  Called with the file's inputs, in
    their order, it gives its output, or a tuple of them.

    Nothing in the file is executed but operators of our own table, and data outside it is only
    read from the file's own folder.  Raises `UnsupportedError`, a ValueError, that lists all nodes
    that cannot be computed.
    """
    _need_onnx("import_onnx")
    from .load import read, to_module

    return to_module(read(path))


def coverage() -> dict[str, list[str]]:
    """What can be written as ONNX and what can be read, by name: see `coverage.py`."""
    _need_onnx("coverage")
    from .coverage import coverage

    return coverage()


def _need_onnx(who: str) -> None:
    if find_spec("onnx") is None:
        raise ImportError(f"{who} needs the onnx package: pip install 'glassgrad[onnx]'")
