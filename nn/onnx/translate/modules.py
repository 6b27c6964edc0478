"""Layers whose operations ONNX has as one operator, which other tools know how to handle."""

from __future__ import annotations

from typing import Any

from autograd.node import Node

from ...layers.normalization import BatchNorm

__all__ = ["batch_norm_input"]


def batch_norm_input(node: Node) -> Node | None:
    """The input of a batch normalisation whose result this node is, or None where it is none.

    Outside training it is two operations, x · factor + shift, whose factor and shift are computed
    from its tensors in the same call.
    """
    scope = node.scope
    if scope is None or not isinstance(scope.owner, BatchNorm) or not _named(node, "add"):
        return None
    product = node.inputs[0]
    if product.scope is not scope or not _named(product, "mul"):
        return None
    x = product.inputs[0]
    inner = x.op is not None and x.scope is scope
    return None if inner or x.shape != node.shape else x


def _named(node: Node, name: str) -> bool:
    return node.op is not None and node.op.name == name


def batch_norm(g: Any, z: Any, x: Any, tensors: list[Any], eps: float) -> Any:
    """BatchNormalization of x (N, *spatial, C); tensors are weight, bias, mean and variance."""
    like = tensors[2]
    for i, number in ((0, 1), (1, 0)):  # a layer may have neither
        if tensors[i] is None:
            tensors[i] = g("Expand", g.number(number, like.dtype), g.ints(like.shape))
    last = x.ndim - 1
    turned = g.transpose(x, (0, last, *range(1, last))) if last > 1 else x
    made = g("BatchNormalization", turned, *tensors, epsilon=eps)
    return g.transpose(made, (0, *range(2, x.ndim), 1)) if last > 1 else made
