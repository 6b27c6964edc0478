"""Import: an ONNX file as a module that computes with our operations.

The file is read by the `onnx` package; nothing in it is executed but the operators of the table
in `execute/`, and data outside the file is only read from the file's own folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograd import Tensor
from autograd.dtypes import is_float

from ..module import Module
from .execute import OPERATORS, Call, Operator, UnsupportedError

__all__ = ["OnnxModel", "Steps", "read", "to_module"]


def read(path: Any) -> Any:
    """The ModelProto in a file, checked, with its data, also where that lies in files beside it."""
    import onnx
    from google.protobuf.message import DecodeError

    source = Path(path)
    try:
        proto = onnx.load_model(source, load_external_data=False)
        _check_locations(proto, source.parent)
        onnx.load_external_data_for_model(proto, str(source.parent))
        onnx.checker.check_model(proto)
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ValueError(f"import_onnx: {source} is no valid ONNX file: {error}") from error
    return proto


def to_module(proto: Any) -> OnnxModel:
    """A ModelProto as a module."""
    opsets = {_domain(item.domain): item.version for item in proto.opset_import}
    faults: list[str] = []
    proto = _inlined(proto)
    steps = Steps(proto.graph, opsets, faults)
    if faults:
        raise UnsupportedError(
            "import_onnx: these nodes cannot be computed\n  " + "\n  ".join(faults)
        )
    return OnnxModel(proto, steps)


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _check_locations(proto: Any, folder: Path) -> None:
    """Data beside the file must lie in the file's folder, or below it."""
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    for tensor in _get_all_tensors(proto):
        if uses_external_data(tensor):
            for entry in tensor.external_data:
                place = (folder / entry.value).resolve()
                if entry.key == "location" and not place.is_relative_to(folder.resolve()):
                    raise ValueError(
                        f"import_onnx: the data of {tensor.name!r} lies at {entry.value!r}, "
                        "outside the folder of the file. Such a file is not to be trusted."
                    )


def _inlined(proto: Any) -> Any:
    """The model with functions written out: its own, and ONNX's where the table lacks one."""
    from onnx import inliner

    if not proto.functions and all(key in OPERATORS for key in _operators(proto.graph)):
        return proto
    try:
        return inliner.inline_selected_functions(
            proto, list(OPERATORS), exclude=True, inline_schema_functions=True
        )
    except RuntimeError as error:  # onnx 1.23 cannot, where such a node leaves out an input
        raise UnsupportedError(f"import_onnx: a function cannot be written out: {error}") from error


def _operators(graph: Any) -> Iterator[tuple[str, str]]:
    """The operators of a graph and of those inside its nodes."""
    for node in graph.node:
        yield _domain(node.domain), node.op_type
        for attribute in node.attribute:
            yield from _operators(attribute.g)


class Steps:
    """The nodes of a graph, or of a graph inside one, ready to be computed one by one."""

    def __init__(self, graph: Any, opsets: dict[str, int], faults: list[str]) -> None:
        self.inputs = [value.name for value in graph.input]
        self.outputs = [value.name for value in graph.output]
        self.weights = {t.name: _tensor(t, faults) for t in graph.initializer}
        self.inputs = [name for name in self.inputs if name not in self.weights]
        self.steps = [_step(node, opsets, faults) for node in graph.node]
        self.done = _last_uses(graph)

    def __call__(self, values: dict[str, Any]) -> list[Any]:
        """The outputs, given a value for each name that the nodes do not make."""
        values = {**values, **{k: v for k, v in self.weights.items() if k not in values}}
        steps = zip(self.steps, self.done, strict=True)
        for (operator, call, names, attributes), done in steps:
            inputs = [values[name] if name else None for name in names]
            if operator.wants_call:
                attributes = {**attributes, "call": replace(call, environment=values)}
            try:
                results = operator.function(*inputs, **attributes)
            except UnsupportedError as error:
                raise UnsupportedError(f"{call.kind} {call.name}: {error}") from None
            results = results if isinstance(results, tuple) else (results,)
            values.update(zip(call.outputs, results, strict=False))
            for name in done:
                del values[name]
        return [values[name] for name in self.outputs]


def _last_uses(graph: Any) -> list[list[str]]:
    """For each node the results that nobody needs after it, so that they can be let go of."""
    last = {name: i for i, node in enumerate(graph.node) for name in _reads(node)}
    made = [name for node in graph.node for name in node.output if name]
    kept = {value.name for value in graph.output}
    done: list[list[str]] = [[] for _ in graph.node]
    for name in made:
        if name in last and name not in kept:
            done[last[name]].append(name)
    return done


def _reads(node: Any) -> Iterator[str]:
    """The names that a node reads, or a graph inside it."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)
        yield from (value.name for value in attribute.g.output)


def _step(
    node: Any, opsets: dict[str, int], faults: list[str]
) -> tuple[Operator, Call, list[str], dict[str, Any]]:
    domain = _domain(node.domain)
    kind = f"{domain}.{node.op_type}" if domain else node.op_type
    name = node.name or (node.output[0] if node.output else "")
    attributes: dict[str, Any] = {}
    operator = OPERATORS.get((domain, node.op_type))
    if operator is None:
        faults.append(f"{kind} {name!r}: no such operator here")
    else:
        for attribute in node.attribute:
            try:
                attributes[attribute.name] = _attribute(attribute, opsets, faults)
            except UnsupportedError as error:
                faults.append(f"{kind} {name!r}: attribute {attribute.name}: {error}")
        unknown = sorted(set(attributes) - operator.keywords)
        if unknown:
            faults.append(f"{kind} {name!r}: no support for {', '.join(unknown)}")
        if len(node.input) > operator.most_inputs:
            faults.append(f"{kind} {name!r}: no support for {len(node.input)} inputs")
    call = Call(node.op_type, name, opsets.get(domain, 1), list(node.output))
    return operator or Operator(lambda: None), call, list(node.input), attributes


def _attribute(attribute: Any, opsets: dict[str, int], faults: list[str]) -> Any:
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    kinds = type(attribute)
    if attribute.type == kinds.GRAPH:
        return Steps(value, opsets, faults)
    if attribute.type == kinds.TENSOR:
        return _array(value)
    if attribute.type == kinds.STRING:
        return value.decode()
    if attribute.type == kinds.STRINGS:
        return [item.decode() for item in value]
    if attribute.type in (kinds.INT, kinds.FLOAT, kinds.INTS, kinds.FLOATS):
        return list(value) if attribute.type in (kinds.INTS, kinds.FLOATS) else value
    if attribute.type == kinds.TYPE_PROTO:
        return value
    raise UnsupportedError(f"a {kinds.AttributeType.Name(attribute.type).lower()}")


def _tensor(proto: Any, faults: list[str]) -> Tensor | None:
    try:
        return _array(proto)
    except UnsupportedError as error:
        faults.append(f"initializer {proto.name!r}: {error}")
        return None


def _array(proto: Any) -> Tensor:
    from onnx import numpy_helper

    from .execute.table import dtype_named

    return Tensor(numpy_helper.to_array(proto), dtype=dtype_named(proto.data_type))


class OnnxModel(Module):
    """An ONNX graph as a module.  Its parameters are the graph's initializers, by their names."""

    def __init__(self, proto: Any, steps: Steps) -> None:
        self.name = proto.graph.name
        self.steps = steps
        props = {item.key: item.value for item in proto.metadata_props}
        fixed = set(json.loads(props.get("glassgrad.fixed", "[]")))
        for node in proto.graph.node:
            if node.op_type == "BatchNormalization":
                fixed.update(node.input[3:5])
        self.weights: dict[str, Tensor] = dict(steps.weights)
        for name, tensor in self.weights.items():
            if is_float(tensor.dtype) and name not in fixed:
                tensor.requires_grad_()
        shapes = [
            tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in proto.graph.input
            if value.name in steps.inputs
        ]
        if len(shapes) == 1 and len(shapes[0]) > 1 and all(shapes[0][1:]):
            self.input_shape = shapes[0][1:]

    def members(self) -> list[tuple[str, Any]]:
        """The weights, by the names that they have in the file."""
        return list(self.weights.items())

    def __call__(self, *inputs: Any) -> Any:
        names = self.steps.inputs
        if len(inputs) != len(names):
            raise TypeError(
                f"{self.name}: {len(inputs)} inputs are given, it takes {len(names)}: "
                f"{', '.join(names)}"
            )
        given = [x if x is None or isinstance(x, (Tensor, list)) else Tensor(x) for x in inputs]
        results = self.steps({**dict(zip(names, given, strict=True)), **self.weights})
        return results[0] if len(results) == 1 else tuple(results)

    def describe(self) -> str:
        return f"{len(self.steps.steps)} nodes"
