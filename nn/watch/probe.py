"""Probes: now and then the whole graph of a step, with the gradient that arrives at each node.

A probe is a forward and backward pass of a few samples, with the graph kept; it changes nothing.
It tells what the parameters alone cannot: where on the way gradients fade, and which units of an
activation let none through.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from autograd.node import Node
from autograd.several import Bundle
from autograd.sizes import norm

from ..train.layers import BLOCKS
from .frames import number

__all__ = ["FEW", "SAMPLES", "WINDOW", "Probe"]

SAMPLES = 64
"""How many samples of a batch are looked at."""

FEW = 2
"""With so many the graph is described: its structure is the same."""

WINDOW = 5
"""A unit is dead that was 0 for every sample of so many probes: one batch alone proves little."""


class Probe:
    """The probes of one training, whose graphs have the structure of the first.

    `trace` is a `GraphTrace` of it as plain data, and `activations` lists its activation functions,
    for the header.
    """

    def __init__(self) -> None:
        self.trace: dict[str, Any] = {}
        self.keys: list[str] = []
        self.ops: list[str] = []
        self.activations: list[dict[str, str]] = []
        self.places: list[int] = []
        self.silent: list[deque[Any]] = []
        """For each activation, which units were 0 for all samples, in each of the last probes."""

    def begin(self, loss: Any) -> None:
        """Take the structure of the graph behind a loss as that of all probes."""
        from autograd.view.trace import GraphTrace
        from autograd.view.trace.capture import in_order

        trace = GraphTrace.of(loss, preview=0)
        ops = _ops(in_order(loss))
        self.trace = trace.plain()
        self.keys, self.ops = [node.key for node in trace.nodes], ops
        self.places = [
            i
            for i, node in enumerate(trace.nodes)
            if node.op in BLOCKS and node.requires_grad and node.scope >= 0
        ]
        self.activations = [{"name": self.keys[i], "kind": ops[i]} for i in self.places]
        self.silent = [deque(maxlen=WINDOW) for _ in self.places]

    def take(self, loss: Any) -> str | None:
        """What the graph behind a loss shows, as JSON; None where it is not the first's.

        The graph must be retained, and backward have been called.
        """
        from autograd.view.trace.capture import in_order

        nodes = in_order(loss)
        if _ops(nodes) != self.ops:
            return None
        sizes = [
            f'"{key}":{number(_norm(node._grad))}'
            for key, node in zip(self.keys, nodes, strict=True)
            if node._grad is not None and not isinstance(node, Bundle)
        ]
        told = [self._activation(i, nodes[at]) for i, at in enumerate(self.places)]
        return f'{{"nodes":{{{",".join(sizes)}}},"activations":[{",".join(told)}]}}'

    def _activation(self, i: int, node: Node) -> str:
        """Shares of outputs that are saturated and of units that are dead; mean and spread."""
        y = node.raw
        self.silent[i].append((y.reshape(-1, y.shape[-1]) == 0).all(axis=0))
        dead = self.silent[i][0]
        for silent in self.silent[i]:
            dead = dead & silent
        facts = {
            "saturated": BLOCKS[self.ops[self.places[i]]](y).mean(),
            "dead": dead.mean(),
            "mean": y.mean(dtype="float32"),
            "std": y.std(dtype="float32"),
        }
        return (
            f"{{{','.join(f'{chr(34)}{k}{chr(34)}:{number(float(v))}' for k, v in facts.items())}}}"
        )


def _ops(nodes: list[Node]) -> list[str]:
    return [node.op.name if node.op is not None else "" for node in nodes]


def _norm(gradient: Any) -> float:
    raw = gradient.raw if isinstance(gradient, Node) else gradient
    return norm(raw.reshape(-1))
