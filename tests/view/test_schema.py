"""Traces are what the schema says, and the schema says all that they are."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, Value
from autograd.view import GraphTrace
from autograd.view.trace import model
from nn import scalar

SCHEMA = json.loads(Path(model.__file__).with_name("schema.json").read_text())
NAMES = {
    "node": model.TraceNode, "scope": model.Scope, "op": model.OpInfo, "event": model.Event,
    "part": model.Part, "stats": model.Stats, "hist": model.Hist, "preview": model.Preview,
    "excerpt": model.Excerpt,
}  # fmt: skip


def gpt():
    model = nn.models.GPT(vocabulary=11, context=6, width=8, layers=2, heads=2)
    return (model(np.zeros((2, 6), int)) ** 2).mean()


def compiled():
    layer = nn.Dense(3)
    layer(autograd.ones((2, 2)))
    step = autograd.jit(lambda x: layer(x).sum())
    step(autograd.ones((2, 2)))
    return step


def broken():
    with np.errstate(all="ignore"):
        return (Tensor([0.0, -1.0], requires_grad=True) / 0).sum()


THINGS = {
    "a number": lambda: Value(2.0) * 3,
    "an mlp of numbers": lambda: scalar.MLP(2, [3, 1])([Value(1.0), Value(2.0)]),
    "a gpt": gpt,
    "an lstm": lambda: (nn.LSTM(3)(autograd.ones((2, 3, 2))) ** 2).sum(),
    "a cnn": lambda: nn.Conv2D(2, 3)(autograd.ones((1, 5, 5, 1))).sum(),
    "a compiled step": compiled,
    "no numbers": broken,
    "no backward pass": lambda: Tensor([1.0, 2.0]) * 2,
}  # fmt: skip


@pytest.mark.parametrize("name", THINGS)
def test_a_trace_fits_the_schema(name: str) -> None:
    told = json.loads(GraphTrace.of(THINGS[name]()).json())
    jsonschema.Draft202012Validator(SCHEMA).validate(told)


def test_the_schema_finds_what_does_not_fit() -> None:
    told = GraphTrace.of(THINGS["a number"]()).plain()
    told["nodes"][0]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        jsonschema.validate(told, SCHEMA)


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_in_the_schema(name: str) -> None:
    assert set(SCHEMA["$defs"][name]["properties"]) == {f.name for f in fields(NAMES[name])}


def test_every_trace_refers_to_what_is_there() -> None:
    for make in THINGS.values():
        trace = GraphTrace.of(make())
        for i, node in enumerate(trace.nodes):
            assert all(x < i for x in node.inputs)  # topological
            assert node.scope < len(trace.scopes)
            assert not node.op or node.op in trace.ops
        assert all(scope.parent < i for i, scope in enumerate(trace.scopes))
        assert len({node.key for node in trace.nodes}) == len(trace.nodes)
        assert len({scope.key for scope in trace.scopes}) == len(trace.scopes)
