"""Export: the recorded graph of a model, written down in ONNX.

The format: https://github.com/onnx/onnx/blob/main/docs/IR.md, and the operators beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from autograd import Tensor, random

from .. import weights
from ..mode import training
from ..module import Module
from .graph import Ref
from .nodes import translated
from .tidy import tidy
from .trace import ExportError, Size, trace

__all__ = ["OPSETS", "samples_of", "to_proto"]

OPSETS = (18, 25)
"""The first and the last version of ONNX's operators that can be written."""


def to_proto(
    model: Callable[..., Any], samples: Callable[[int, int], list[Tensor]], opset: int
) -> Any:
    """The model as ONNX's ModelProto; `samples(n, i)` are n of them for the i-th recording."""
    from onnx import checker, helper, shape_inference

    if isinstance(model, Module) and model.unbuilt():
        with training(False):
            model(*samples(1, 0))
    known = {t: p for p, t in weights.named(model).items()} if isinstance(model, Module) else {}
    before = {tensor: tensor.order for tensor in known}
    recorded = trace(model, samples, set(known))
    changed = [known[tensor] for tensor in known if tensor.order != before[tensor]]
    if changed:
        raise ExportError(
            f"export_onnx: the model assigns {', '.join(changed)} when it is called, and a file "
            "keeps no state. Let it return the new values, and take the old ones as an input."
        )
    graph, results = translated(recorded, known, opset)
    inputs = [_info(ref, ref) for ref in graph.inputs]
    outputs = [_info(name, ref) for name, ref in results]
    name = getattr(model, "__name__", type(model).__name__)
    made = helper.make_graph(graph.nodes, name, inputs, outputs, graph.initializers)
    turned = tidy(made)
    written = {value for node in made.node for value in node.output}
    known_values = written.difference(names_of(outputs), turned)
    made.value_info.extend(_info(ref, ref) for ref in graph.results if ref in known_values)
    versions = [helper.make_opsetid("", opset)]
    ir_version = helper.find_min_ir_version_for(versions)
    proto = helper.make_model(
        made, opset_imports=versions, ir_version=ir_version, producer_name="glassgrad"
    )
    buffers = [name for tensor, name in known.items() if not tensor.requires_grad]
    helper.set_model_props(
        proto,
        {
            "opset": str(opset),
            "ir_version": str(ir_version),
            "batch": "the first axis of every input, N",
            "glassgrad.fixed": json.dumps(buffers),
        },
    )
    checker.check_model(proto)
    shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    return proto


def names_of(infos: list[Any]) -> list[str]:
    """The names of a graph's inputs or outputs."""
    return [info.name for info in infos]


# --- samples to record with ---


def samples_of(model: Any, example: Any) -> Callable[[int, int], list[Tensor]]:
    """What gives n samples for the i-th recording: other ones each time."""
    if example is None:
        example = getattr(model, "input_shape", None)
        if example is None:
            raise ValueError(
                "export_onnx: the shape of a sample is not known. Give it, as in "
                'export_onnx(model, "model.onnx", (features,)), or give a batch of samples.'
            )
    several = isinstance(example, (tuple, list)) and not _is_shape(example)
    given = [x if _is_shape(x) or isinstance(x, Tensor) else Tensor(x)
             for x in (example if several else [example])]  # fmt: skip
    with random.using(random.Generator(0)):
        drawn = [random.normal((10, *x), 0.0, 1.0) if _is_shape(x) else x for x in given]
    for x in drawn:
        if not x.ndim or not len(x):
            raise ValueError(f"export_onnx: an example {x.shape} has no samples along axis 0")
    return lambda n, i: [_rows(x, n, i) for x in drawn]


def _is_shape(x: Any) -> bool:
    return isinstance(x, (tuple, list)) and all(isinstance(n, int) for n in x)


def _rows(x: Tensor, n: int, i: int) -> Tensor:
    """n samples, beginning with the i-th and from the front again behind the last."""
    rows = x.detach()[[(i + k) % len(x) for k in range(n)]]
    return Tensor(rows.numpy(), backend=x.backend)


def _info(name: str, ref: Ref) -> Any:
    """What the file says of an input or output."""
    from onnx import helper

    shape = [str(n) if isinstance(n, Size) else int(n) for n in ref.shape]
    return helper.make_tensor_value_info(
        str(name), helper.np_dtype_to_tensor_dtype(ref.dtype), shape
    )
