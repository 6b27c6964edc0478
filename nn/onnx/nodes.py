"""The nodes of a recording, written one by one as those of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograd import Tensor, names
from autograd.dtypes import agree, is_float
from autograd.node import Node
from autograd.record import SELECTORS

from .graph import Graph, Ref
from .trace import ExportError, Grown, Size, Trace, trace
from .translate import DEFINITIONS, RULES
from .translate.modules import batch_norm, batch_norm_input

__all__ = ["Written", "translated"]

NUMBERS = (int, float, bool)


class Written(Graph):
    """A graph with its inputs, and the results of our operations in it."""

    inputs: list[Ref]
    results: list[Ref]


def translated(
    recorded: Trace, known: dict[Tensor, str], opset: int
) -> tuple[Written, list[tuple[str, Ref]]]:
    """The nodes of a recording as those of ONNX; one error for all that have no rule."""
    g = Written(opset)
    refs: dict[Node, Any] = {}
    g.inputs, g.results = [], []
    for i, x in enumerate(recorded.inputs):
        name = g.name("input" if len(recorded.inputs) == 1 else f"input_{i}")
        refs[x] = Ref(name, recorded.shapes[x], x.dtype)
        g.inputs.append(refs[x])
        if g.batch is None and refs[x].shape[:1] == (Size(1, 0),):
            g.batch = g("Shape", refs[x], start=0, end=1)
    faults: list[str] = []
    _all_nodes(g, recorded, known, refs, faults)
    if faults:
        raise ExportError(
            "export_onnx: ONNX has no words, or we have no translation, for\n" + "\n".join(faults)
        )
    results = []
    for i, x in enumerate(recorded.outputs):
        name = g.name("output" if len(recorded.outputs) == 1 else f"output_{i}")
        g.nodes.append(_named(_written(g, refs[x], x.dtype), name))
        results.append((name, Ref(name, recorded.shapes.get(x, x.shape), x.dtype)))
    return g, results


def _named(last: str, name: str) -> Any:
    from onnx import helper

    return helper.make_node("Identity", [str(last)], [name], f"{name}/Identity")


def _all_nodes(
    g: Written, recorded: Trace, known: dict[Any, str], refs: dict[Node, Any], faults: list[str]
) -> None:
    """Write the nodes of a recording, whose inputs are in `refs`, and put them there too."""
    told = names.Names(recorded.nodes)
    for node in recorded.nodes:
        if node in refs:
            continue
        g.place, g.doc = "", ""
        if node in known:
            refs[node] = _initializer(g, node, known)
        elif node in recorded.constants:
            refs[node] = recorded.constants[node]
        elif node.op is not None and node.op.name == "part":
            refs[node] = refs[node.inputs[0]][node.params["index"]]
        else:
            g.place, g.doc = told.path(node), told.where(node)
            x = batch_norm_input(node)
            if x is not None:
                refs[node] = _batch_norm(g, node, x, recorded, known, refs)
                continue
            try:
                refs[node] = _node(g, node, recorded, refs, faults)
            except ExportError as fault:
                faults.append(f"  {told.describe(node)}: {fault}")
                refs[node] = _result(node, recorded)
    g.place, g.doc = "", ""


def _initializer(g: Written, node: Any, known: dict[Any, str]) -> Ref:
    return g.initializer(known[node], node.numpy(), str(node.shape))


def _batch_norm(
    g: Written, node: Any, x: Node, recorded: Trace, known: dict[Any, str], refs: dict[Node, Any]
) -> Ref:
    """A whole layer as one operator; what its operations were written as is dropped later."""
    layer, z = node.scope.owner, _result(node, recorded)
    tensors: list[Any] = []
    for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
        if tensor is not None and tensor not in refs:
            refs[tensor] = _initializer(g, tensor, known)
        tensors.append(None if tensor is None else refs[tensor])
    written = batch_norm(g, z, _written(g, refs[x], x.dtype), tensors, layer.eps)
    g.results.append(Ref(written, z.shape, z.dtype))
    return g.results[-1]


def _node(g: Written, node: Any, recorded: Trace, refs: dict[Node, Any], faults: list[str]) -> Any:
    """Write one operation: by its rule, or from its definition where that is what it takes."""
    op, z = node.op, _result(node, recorded)
    plain, definition = DEFINITIONS.get(op.name, (len(node.inputs), None))
    if definition is not None and len(node.inputs) > plain:
        return _by_definition(g, node, recorded, refs, faults, definition)
    if op.name not in RULES:
        raise ExportError(f"no translation of {op.name!r}")
    inputs = _operands(g, node, refs)
    written = RULES[op.name](g, z, *inputs, **recorded.params[node])
    if isinstance(z, list):
        several = [Ref(w, r.shape, r.dtype) for w, r in zip(written, z, strict=False)]
        g.results += several
        return several
    ref = Ref(written, z.shape, z.dtype)
    g.results.append(ref)
    ref.node = written.node if isinstance(written, Ref) else None
    return ref


def _by_definition(
    g: Written, node: Any, recorded: Trace, refs: dict[Node, Any], faults: list[str],
    definition: Callable[..., Any],
) -> list[Any]:  # fmt: skip
    """What an operation computes as a composition of others, recorded and written as these."""
    rows = recorded.rows[node]
    place, doc = g.place, g.doc
    inner = trace(
        lambda *xs: definition(*xs, **node.params),
        lambda n, i: [Tensor.of(x.raw) for x in rows[i].inputs],
        set(),
    )
    operands = _operands(g, node, refs)
    own: dict[Node, Any] = dict(zip(inner.inputs, operands, strict=True))
    _all_nodes(g, inner, {}, own, faults)
    g.place, g.doc = place, doc
    return [own[x] for x in inner.outputs]


def _result(node: Any, recorded: Trace) -> Any:
    shape, raw = recorded.shapes[node], node.raw
    if isinstance(raw, tuple):
        return [Ref("", s, x.dtype) for s, x in zip(shape, raw, strict=True)]
    return Ref("", shape, node.dtype)


def _operands(g: Graph, node: Any, refs: dict[Node, Any]) -> list[Any]:
    """The inputs as values of the graph; of those that meet, ONNX wants one dtype."""
    op = node.op
    labels = [op.inputs[min(i, len(op.inputs) - 1)] for i in range(len(node.inputs))]
    meet = [x for x, label in zip(node.inputs, labels, strict=True) if label not in SELECTORS]
    common = _common(op, meet) if len(meet) > 1 or op.elementwise else None
    operands = []
    for x, label in zip(node.inputs, labels, strict=True):
        ref = refs[x]
        dtype = common if label not in SELECTORS else None
        written = _written(g, ref, dtype or x.dtype or "float32")
        if dtype is not None and written.dtype != dtype:
            written = g.cast(written, dtype)
        if not isinstance(ref, (Ref, list)) and hasattr(ref, "shape"):
            written.node = x
        operands.append(written)
    return operands


def _common(op: Any, meet: list[Any]) -> Any:
    """The dtype that operands take when they meet: see `autograd.dtypes.agree`."""
    arrays = [raw for raw in agree(op, tuple(meet)) if hasattr(raw, "dtype")]
    if not arrays:
        return None
    dtype = arrays[0].dtype
    for raw in arrays[1:]:
        if raw.dtype != dtype:
            dtype = (raw.reshape(-1)[:0] + arrays[0].reshape(-1)[:0]).dtype
    return dtype


def _written(g: Graph, ref: Any, dtype: Any) -> Any:
    """A constant as a value of the graph; what is one already as it is."""
    if isinstance(ref, (Ref, list)):
        return ref
    if isinstance(ref, Size):
        return g.cast(g("Squeeze", g.ints([ref])), dtype)
    if isinstance(ref, Grown):
        sample = g.array(Tensor.of(ref.sample).numpy())
        return Ref(g("Expand", sample, g.ints(ref.shape)), ref.shape, ref.sample.dtype)
    if isinstance(ref, NUMBERS):
        return g.number(ref, dtype if is_float(_as_dtype(dtype)) or ref == int(ref) else "float32")
    array = Tensor.of(ref).numpy()
    return g.array(array)


def _as_dtype(dtype: Any) -> Any:
    return dtype if hasattr(dtype, "kind") else Tensor(0, dtype=dtype).dtype
