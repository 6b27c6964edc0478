"""ONNX's own node tests, all of them, through the importer.

A case is *mapped* unless it needs what tensors here do not hold (text, numbers of 8 bits and less,
but for ints) or an operator that is left out, with a reason.  Every mapped case must pass; how many
are mapped is held by a floor, so that a case that is lost is noticed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from autograd import Tensor
from nn.onnx.execute.table import DTYPES, OPERATORS

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.oracle

LEFT_OUT = {
    "ImageDecoder": "decodes files of images",
    "TfIdfVectorizer": "counts words of a text",
    "ai.onnx.ml.ArrayFeatureExtractor": "classical machine learning",
    "ai.onnx.ml.Binarizer": "classical machine learning",
    "ai.onnx.ml.TreeEnsemble": "classical machine learning",
}
"""Operators that are left out, and why."""

FLOOR = {"cases": 1670, "operators": 185}
"""With onnx 1.23; a later version has more."""

DRAWN = ("bernoulli", "training_dropout")
"""Cases whose values are drawn at random: of these only shape and dtype can be compared."""


def cases() -> list[Any]:
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(0)  # what the cases are drawn with
        return list(load_model_tests(kind="node"))


def element_types(value: Any) -> Iterator[int]:
    """The dtypes, by ONNX's number, in what a graph says of a value, or in what a node holds."""
    for field, inner in value.ListFields():
        if isinstance(inner, int) and field.name in ("elem_type", "data_type"):
            yield inner
        elif field.message_type is not None:
            for item in inner if hasattr(inner, "__len__") else [inner]:
                yield from element_types(item)


def nodes_in(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_in(attribute.g)


def kind(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type


def obstacle(case: Any) -> str | None:
    """Why a case is not mapped, or None where it is."""
    graph = case.model.graph
    cast = [a.i for n in nodes_in(graph) for a in n.attribute if a.name in ("to", "output_dtype")]
    types = {*element_types(graph), *cast} - {0}
    foreign = types - DTYPES.keys()
    if foreign:
        return "dtype " + onnx.TensorProto.DataType.Name(min(foreign)).lower()
    return next((kind(n) for n in nodes_in(graph) if kind(n) in LEFT_OUT), None)


CASES = cases()
MAPPED = [case for case in CASES if obstacle(case) is None]


def lifted(value: Any) -> Any:
    """An input of a case as tensors."""
    if value is None or isinstance(value, list):
        return value and [lifted(item) for item in value]
    if hasattr(value, "data_type"):
        value = onnx.numpy_helper.to_array(value)
    return Tensor(value, dtype=np.asarray(value).dtype)


def compare(case: Any, result: Any, expected: Any) -> None:
    """As ONNX's own runner does; of 16-bit floats two units in the last place are allowed.

    What is expected was computed in steps that were each rounded to 16 bits; ours round once.
    """
    if isinstance(expected, list):
        assert len(result) == len(expected)
        for z, y in zip(result, expected, strict=True):
            compare(case, z, y)
        return
    if hasattr(expected, "data_type"):
        expected = onnx.numpy_helper.to_array(expected)
    z, y = result.numpy(), np.asarray(expected)
    assert (z.dtype, z.shape) == (y.dtype, y.shape)
    if any(name in case.name for name in DRAWN):
        return
    rtol = max(case.rtol, {"bfloat16": 2**-6, "float16": 2**-9}.get(z.dtype.name, 0.0))
    if z.dtype.name == "bfloat16":
        z, y = z.astype("float32"), y.astype("float32")
    np.testing.assert_allclose(z, y, rtol=rtol, atol=case.atol)


@pytest.mark.parametrize("case", MAPPED, ids=lambda case: case.name)
def test_node(case: Any) -> None:
    from nn.onnx.load import to_module

    module = to_module(case.model)
    for inputs, outputs in case.data_sets:
        with np.errstate(all="ignore"):
            results = module(*map(lifted, inputs))
        results = results if isinstance(results, tuple) else (results,)
        assert len(results) == len(outputs)
        for z, y in zip(results, outputs, strict=True):
            compare(case, z, y)


def test_what_is_mapped_does_not_shrink(capsys: pytest.CaptureFixture[str]) -> None:
    missed: dict[str, int] = {}
    for case in CASES:
        reason = obstacle(case)
        if reason is not None:
            missed[reason] = missed.get(reason, 0) + 1
    operators = {kind(n) for case in MAPPED for n in nodes_in(case.model.graph)}
    with capsys.disabled():
        print(f"\nonnx {onnx.__version__}: {len(MAPPED)} of {len(CASES)} cases are mapped, "
              f"with {len(operators)} operators")  # fmt: skip
        for reason, count in sorted(missed.items(), key=lambda item: -item[1]):
            print(f"  {count:4} not: {reason}  {LEFT_OUT.get(reason, '')}")
    assert len(MAPPED) >= FLOOR["cases"]
    assert len(operators) >= FLOOR["operators"]
    assert len(operators) >= 140


def test_what_is_left_out_is_not_there() -> None:
    here = {f"{domain}.{name}" if domain else name for domain, name in OPERATORS}
    assert not here & set(LEFT_OUT)
