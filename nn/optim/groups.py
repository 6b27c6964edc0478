"""Parameter groups: parts of a model that learn at a rate, or decay by a share, of their own."""

from __future__ import annotations

from typing import Any

from autograd import Tensor
from autograd.errors import GraphError

__all__ = ["decayed", "listed"]

OWN = ("lr", "weight_decay")


def listed(optimizer: Any, params: Any) -> list[dict[str, Any]]:
    """Tensors, a module or dicts as groups, each a dict with a list of "params"; else an error."""
    who = optimizer.name
    if isinstance(params, (int, float)) or callable(params) and not hasattr(params, "parameters"):
        raise TypeError(
            f"{who}({params}): the parameters come first. Write {who}(lr={params}) "
            f"for a learning rate, or {who}(model.parameters(), lr={params})."
        )
    given = params if hasattr(params, "parameters") else list(params)
    if hasattr(given, "parameters") or not any(isinstance(g, dict) for g in given):
        return [{"params": _tensors(who, given)}]
    if not all(isinstance(g, dict) and "params" in g for g in given):
        raise TypeError(
            f'{who}: groups are a list of dicts, such as [{{"params": tensors, "lr": 1e-4}}, …]; '
            "one of those given is not"
        )
    groups = []
    for i, group in enumerate(given):
        unknown = [key for key in group if key not in ("params", *OWN)]
        if unknown:
            raise TypeError(
                f"{who}: group {i} has {', '.join(map(repr, unknown))}; a group's own can be "
                f"{' and '.join(OWN)}"
            )
        own = {
            key: group[key] if callable(group[key]) else optimizer._at_least_0(key, group[key])
            for key in OWN
            if group.get(key) is not None
        }
        groups.append({"params": _tensors(who, group["params"]), **own})
    places: dict[int, int] = {}
    for i, group in enumerate(groups):
        for p in group["params"]:
            if places.setdefault(id(p), i) != i:
                raise ValueError(
                    f"{who}: a parameter of shape {p.shape} is in groups {places[id(p)]} and {i}; "
                    "it can be in one only"
                )
    return groups


def _tensors(who: str, params: Any) -> list[Tensor]:
    """Each once, checked to be something that can be optimized."""
    if isinstance(params, Tensor):
        params = [params]
    if hasattr(params, "parameters"):
        params = params.parameters()
    params = list({id(p): p for p in params}.values())
    if not params:
        raise GraphError(
            f"{who}: there are no parameters. A model whose layers wait for their first "
            "input has none yet: call it on a batch, or give input_shape, before this."
        )
    for i, p in enumerate(params):
        if not isinstance(p, Tensor) or p.op is not None:
            what = "a result" if isinstance(p, Tensor) else f"a {type(p).__name__}"
            raise TypeError(
                f"{who}: parameter {i} is {what}; only tensors made with "
                "requires_grad=True can be optimized"
            )
    return params


def decayed(model: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups of a model's parameters: matrices, which decay, and biases and gains, which do
    not, as transformers are trained (Loshchilov & Hutter 2019; GPT-2).

    >>> from nn import Dense
    >>> layer = Dense(3, input_shape=(2,))
    >>> [group["weight_decay"] for group in decayed(layer, 0.1)]
    [0.1, 0.0]
    """
    params = model.parameters()
    kinds = {
        weight_decay: [p for p in params if p.ndim >= 2],
        0.0: [p for p in params if p.ndim < 2],
    }
    return [{"params": ps, "weight_decay": decay} for decay, ps in kinds.items() if ps]
